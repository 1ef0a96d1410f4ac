"""Probes of a real gateway and a real control room, asked as their containers ask them."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from delivery.broker import EmbeddedBroker
from edge.probes import SUPERVISOR_LIMIT_S
from edge.service_health import memory_bytes
from tests.delivery.parts import free_port
from tests.deploy.compose_checks import bytes_of
from tests.deploy.container_files import DEPLOY, Json, compose
from tests.edge.processes import below, pid_below
from tests.sample_site import FOLDER

HANG_S = 180.0
ROOM_FOR_MORE = 2.0
"""A limit leaves so many times what is taken here: four small cameras, nobody on the page."""


def wait_until(condition: Callable[[], bool]) -> float:
    """Wait for something; gives the seconds that it took."""
    began_s = time.monotonic()
    while not condition():
        assert time.monotonic() - began_s < HANG_S, "it never happened"
        time.sleep(0.1)
    return time.monotonic() - began_s


def probed(service: Json, port: int, path: str) -> Callable[[], tuple[int, str]]:
    """Give what asks as a container's health check does, at this port and path."""
    asked = service["healthcheck"]["test"][-1]
    url = re.sub(r"^https?(.*):\d+/.*$", rf"http\1:{port}{path}", asked)

    def ask() -> tuple[int, str]:
        words = [sys.executable, "-IS", str(DEPLOY / "probe.py"), url]
        done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=False)
        return done.returncode, done.stdout

    return ask


def takes_bytes(pid: int) -> int:
    return sum(memory_bytes(one) for one in (pid, *below(pid)))


@contextmanager
def running(words: list[str]) -> "Iterator[subprocess.Popen[bytes]]":
    process = subprocess.Popen([sys.executable, "-m", "edge.main", *words])
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=60)
        finally:
            process.kill()
            process.wait()


def limit_of(service: Json) -> int:
    return bytes_of(service["deploy"]["resources"]["limits"]["memory"])


def test_a_gateways_probes_tell_how_it_is(tmp_path: Path) -> None:
    text = (FOLDER / "site.yaml").read_text().replace("url: cam", f"url: {FOLDER}/cam")
    text = text.replace("file: rig.yaml", f"file: {FOLDER}/rig.yaml")
    port, site = free_port(), tmp_path / "site.yaml"
    site.write_text(f"{text}panorama: {{port: {free_port()}}}\nmetrics: {{port: {port}}}\n")
    service = compose()["services"]["gateway"]
    alive, ready = (probed(service, port, path) for path in ("/healthz", "/readyz"))
    with EmbeddedBroker() as broker:
        state = str(tmp_path / "state")
        words = ["run", str(site), "--loop", "--broker", broker.url, "--state", state]
        with running(words) as gateway:
            wait_until(lambda: ready() == (0, "ok\n"))
            assert alive() == (0, "ok\n")
            assert takes_bytes(gateway.pid) * ROOM_FOR_MORE < limit_of(service)
            # A pipeline that hangs is started again by its supervisor: not ready, and then again.
            os.kill(pid_below(gateway.pid, "pipeline"), signal.SIGSTOP)
            wait_until(lambda: ready()[0] == 1)
            assert alive() == (0, "ok\n")
            wait_until(lambda: ready() == (0, "ok\n"))
            # Who hangs together with whoever would start it again is a container's business.
            os.kill(gateway.pid, signal.SIGSTOP)
            supervisor = pid_below(gateway.pid, "supervisor")
            os.kill(supervisor, signal.SIGSTOP)
            took_s = wait_until(lambda: alive()[0] == 1)
            assert took_s > SUPERVISOR_LIMIT_S - 2.0
            assert "the supervisor has not come round" in alive()[1]
            os.kill(supervisor, signal.SIGCONT)
            os.kill(gateway.pid, signal.SIGCONT)
            wait_until(lambda: alive() == (0, "ok\n"))


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_a_control_rooms_probes_tell_how_it_is(tmp_path: Path, path: str) -> None:
    port, service = free_port(), compose()["services"]["control-room"]
    ask = probed(service, port, path)
    with EmbeddedBroker() as broker:
        words = ["control-room", "--broker", broker.url, "--port", str(port)]
        with running([*words, "--journal", str(tmp_path / "journal.sqlite")]) as room:
            wait_until(lambda: ask() == (0, "ok\n"))
            assert takes_bytes(room.pid) * ROOM_FOR_MORE < limit_of(service)
            server = pid_below(room.pid, "room-server")
            for pid in (room.pid, server):  # the first would replace the other
                os.kill(pid, signal.SIGSTOP)
            assert "no answer" in ask()[1]
            for pid in (server, room.pid):
                os.kill(pid, signal.SIGCONT)
            wait_until(lambda: ask() == (0, "ok\n"))
