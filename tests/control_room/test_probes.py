"""What a container's keeper is told: alive, and ready; a control room that hangs says neither."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest

from control_room import probes
from control_room.access.certificate import Certificate
from control_room.access.options import Door
from control_room.intake import Intake
from control_room.journal.journal import Journal
from control_room.main import open_room
from control_room.probes import HELD_LIMIT_S, Probes
from control_room.room import Room
from control_room.server import serving
from delivery.stream import stream_packets
from scene.clock import SystemClock
from scene.site import BrokerConfig
from scene.topics import parse_topic
from scene.wire import Envelope
from tests.control_room.access.pages import make_certificate
from tests.control_room.fake_gateway import GATEWAY, SITE, alarm
from tests.delivery.parts import (
    MOSQUITTO,
    NO_MOSQUITTO,
    free_port,
    mosquitto,
    wait_until,
)
from tests.edge.processes import pid_below

FRESH = "nothing was looked at yet"


class Watch(SystemClock):
    """A clock that can be put forward."""

    ahead_s = 0.0

    def monotonic_s(self) -> float:
        return super().monotonic_s() + self.ahead_s


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with closing(Journal(tmp_path / "journal.sqlite")) as opened:
        yield opened


def room_of(journal: Journal, **more: object) -> Room:
    return Room(journal, SystemClock(), lambda *_: None, lambda *_: None, prefix="mine", **more)  # type: ignore[arg-type]


def look(asked: Probes, watch: Watch) -> str:
    watch.ahead_s += probes.LOOK_EVERY_S
    asked.look()
    return asked.unready()


def test_ready_is_who_has_broker_and_journal(journal: Journal) -> None:
    connected, watch = [True], Watch()
    asked = Probes(room_of(journal, is_connected=lambda: connected[0]), watch)
    assert asked.unready() == FRESH
    assert look(asked, watch) == ""
    connected[0] = False
    assert asked.unready() == "", "however often somebody asks, it is looked at now and then"
    assert look(asked, watch) == "the broker is not connected"
    connected[0] = True
    assert look(asked, watch) == ""
    asked.ticking(lambda: None)
    watch.ahead_s += probes.OLD_LOOK_S + 1.0
    assert asked.unready() == "it takes too long to look"
    assert asked.trouble() == ""


def test_a_journal_that_cannot_be_written_is_not_ready(journal: Journal, tmp_path: Path) -> None:
    watch = Watch()
    asked = Probes(room_of(journal), watch)
    with closing(Journal(tmp_path / "journal.sqlite")) as other:
        other._database._db.execute("BEGIN IMMEDIATE")  # type: ignore[attr-defined]
        assert look(asked, watch) == "the journal can't be written"
        other._database._db.execute("ROLLBACK")  # type: ignore[attr-defined]
    assert look(asked, watch) == ""


def test_a_full_disk_is_not_ready(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Watch()
    asked = Probes(room_of(journal), watch)
    monkeypatch.setattr(probes, "LEAST_FREE_BYTES", 2**62)
    assert look(asked, watch) == "the journal can't be written"


def test_who_hangs_is_not_alive(journal: Journal) -> None:
    held, watch = [0.0], Watch()
    asked = Probes(room_of(journal, alarms_held_s=lambda: held[0]), watch)
    assert asked.trouble() == ""
    watch.ahead_s += HELD_LIMIT_S + 1.0
    assert asked.trouble().startswith("gateways are not watched")
    asked.ticking(lambda: None)
    assert asked.trouble() == ""
    held[0] = HELD_LIMIT_S + 1.0
    assert asked.trouble().startswith("alarms are not taken")
    assert asked.trouble() in asked.unready()


def test_alarms_that_are_held_and_a_thread_that_has_ended_are_told() -> None:
    go_on, inside = threading.Event(), threading.Event()

    def hold(_said: object) -> None:
        inside.set()
        go_on.wait(60)

    intake = Intake(lambda *_: None, hold)
    assert intake.held_s() == 0.0
    topic = parse_topic(f"mine/{SITE}/gw/{GATEWAY}/alarm/man_down-3")
    body = alarm(at_ns=1)
    intake.hear(topic, Envelope(type="alarm", gateway=GATEWAY, seq=1, sent_at_ns=1, body=body))
    assert inside.wait(60)
    wait_until(lambda: intake.held_s() > 0.1)
    go_on.set()
    wait_until(lambda: intake.held_s() == 0.0)
    intake.close()
    assert intake.held_s() == float("inf")


def test_the_room_that_listens_knows_its_alarm_thread(tmp_path: Path) -> None:
    broker = BrokerConfig(url="mqtt://127.0.0.1:1")
    with open_room(broker, tmp_path / "j.sqlite", SystemClock(), wait=False) as room:
        assert room.alarms_held_s() == 0.0
    assert room.alarms_held_s() == float("inf")


def get(url: str, path: str) -> tuple[int, str]:
    answer = httpx.get(f"{url}{path}", timeout=30, verify=False)
    return answer.status_code, answer.text


def test_probes_are_answered_while_the_rooms_work_hangs(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = room_of(journal)
    with serving(room, stream_packets) as url:
        assert get(url, "healthz") == (200, "ok\n")
        wait_until(lambda: get(url, "readyz") == (200, "ok\n"))
        monkeypatch.setattr(probes, "HELD_LIMIT_S", 0.5 + 1.0)
        with room._lock:  # as by a disk that hangs under an alarm
            wait_until(lambda: get(url, "healthz")[0] == 503)
            assert get(url, "readyz")[0] == 503
        wait_until(lambda: get(url, "healthz") == (200, "ok\n"))


PROBE = Path(__file__).parents[2] / "deploy" / "probe.py"


def ask(url: str) -> tuple[int, str]:
    """Ask as a container's health check does."""
    done = subprocess.run(
        [sys.executable, "-IS", str(PROBE), url], stdout=subprocess.PIPE, text=True, check=False
    )
    return done.returncode, done.stdout


def test_a_container_asks_its_page_over_tls(journal: Journal, tmp_path: Path) -> None:
    door = Door(certificate=Certificate(*make_certificate(tmp_path), print))
    with serving(room_of(journal), stream_packets, door=door) as url:
        assert url.startswith("https://")
        assert ask(f"{url}healthz") == (0, "ok\n")
        code, said = ask(f"{url}readyness")
        assert (code, said) == (1, "Not Found\n")


@contextmanager
def control_room(folder: Path, broker: str) -> Iterator[tuple[int, str]]:
    port = free_port()
    words = ["--broker", broker, "--port", str(port), "--journal", str(folder / "journal.sqlite")]
    process = subprocess.Popen(
        [sys.executable, "-m", "edge.main", "control-room", *words],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert f":{port}/" in process.stdout.readline()
        yield process.pid, f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.communicate(timeout=60)


@pytest.mark.skipif(MOSQUITTO is None, reason=NO_MOSQUITTO)
def test_a_real_control_room_that_hangs_fails_its_probe_and_is_replaced(tmp_path: Path) -> None:
    with mosquitto(tmp_path) as broker, control_room(tmp_path, broker.url) as (pid, url):
        wait_until(lambda: ask(f"{url}readyz") == (0, "ok\n"))
        server = pid_below(pid, "room-server")
        os.kill(pid, signal.SIGSTOP)  # else it is replaced, on a slow machine before we ask
        os.kill(server, signal.SIGSTOP)
        began_s = time.monotonic()
        code, said = ask(f"{url}healthz")
        assert (code, "no answer" in said) == (1, True)
        assert time.monotonic() - began_s > 3.0, "it was waited for"
        os.kill(pid, signal.SIGCONT)
        wait_until(lambda: ask(f"{url}healthz") == (0, "ok\n"))
        assert pid_below(pid, "room-server") != server
        broker.process.kill()
        wait_until(lambda: ask(f"{url}readyz") == (1, "the broker is not connected\n"))
        assert ask(f"{url}healthz") == (0, "ok\n")
    assert ask(f"{url}healthz")[0] == 1
