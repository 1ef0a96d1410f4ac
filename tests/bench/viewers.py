"""Fifty viewers and one: does an alarm come later, and what do they cost the gateway?

A real gateway streams the panorama of the sample roadway, its detection nearly off; a second one
raises alarms through its real outbox and publisher, five a second at odd moments, over a real
Mosquitto to the real control room with its journal on disk. In turns one raw viewer reads all, and
fifty do. Timed is raise to seen in the socket of one viewer, who always comes last and so is told
last; it and the crowd are processes of their own, the crowd of low priority.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from edge.options import RunOptions
from edge.sender import Sending, open_sending
from scene.alarms import system_alarm
from scene.messages import Anomaly
from tests.bench.gateway_load import SAMPLES, cpu_s
from tests.delivery.parts import MOSQUITTO, NO_MOSQUITTO, free_port, mosquitto

CROWD = int(os.environ.get("LAMPROOM_VIEWERS", "50"))
ROUNDS = int(os.environ.get("LAMPROOM_VIEWERS_ROUNDS", "4"))
ROUND_S = float(os.environ.get("LAMPROOM_VIEWERS_S", "20"))
SETTLE_S = 3.0
EVERY_S = 0.2
LASTS_S = 2.0
"""So long an alarm is active."""
LAST_S = 3.0
"""So long the last alarm may take; what was lost on the way has been sent again by then."""
START_LIMIT_S = 90.0
CLIENT = Path(__file__).parent / "_viewers.py"
Figures = dict[str, float | str]


@dataclass(slots=True, kw_only=True)
class Found:
    """What was found with so many viewers, over all rounds."""

    delays_s: list[float] = field(default_factory=list)
    gaps_s: list[float] = field(default_factory=list)
    missing: int = 0
    seconds: float = 0.0
    gateway_cpu_s: float = 0.0
    room_cpu_s: float = 0.0
    clients_cpu_s: float = 0.0
    bytes: float = 0.0
    pictures: float = 0.0
    closed: int = 0


def measure() -> Figures:
    """Measure in turns with one viewer and with fifty."""
    if MOSQUITTO is None:
        raise FileNotFoundError(NO_MOSQUITTO)
    found = {1: Found(), CROWD: Found()}
    with tempfile.TemporaryDirectory(prefix="lamproom-viewers-") as name, ExitStack() as stack:
        folder = Path(name)
        broker = stack.enter_context(mosquitto(folder))
        port = free_port()
        room = stack.enter_context(_command(folder, "room", *_room_words(broker.url, port, folder)))
        gateway = stack.enter_context(
            _command(folder, "gateway", *_gateway_words(broker.url, folder))
        )
        options = RunOptions(
            site_file=_site(folder, "gw2"), broker_url=broker.url, state_folder=folder / "gw2"
        )
        sending = stack.enter_context(open_sending(options.site(), options))
        _wait_for_pictures(port, folder)
        for _ in range(ROUNDS):
            for count in (1, CROWD):
                _round(found[count], count, port, sending, gateway=gateway.pid, room=room.pid)
    return _figures(found[1], found[CROWD])


def _figures(one: Found, many: Found) -> Figures:
    p50, p99 = ((np.quantile(x.delays_s, 0.5), np.quantile(x.delays_s, 0.99)) for x in (one, many))
    ratios = (many.gateway_cpu_s / many.seconds) / (one.gateway_cpu_s / one.seconds)
    figures: Figures = {
        "viewers.many": CROWD,
        "viewers.alarms_each": len(one.delays_s),
        "viewers.alarms_not_seen": one.missing + many.missing,
        "viewers.alarm_p50_vs_one_viewer": float(p99[0] / p50[0]),
        "viewers.alarm_p99_vs_one_viewer": float(p99[1] / p50[1]),
        "viewers.gateway_cpu_vs_one_viewer": ratios,
        "viewers.lines_lost": one.closed + many.closed,
    }
    for name, x, times in (("one", one, p50), ("many", many, p99)):
        figures |= {
            f"viewers.{name}_alarm_p50_ms": float(times[0] * 1000),
            f"viewers.{name}_alarm_p99_ms": float(times[1] * 1000),
            f"viewers.{name}_alarm_worst_ms": max(x.delays_s) * 1000,
            f"viewers.{name}_picture_gap_p99_ms": float(np.quantile(x.gaps_s, 0.99) * 1000),
            f"viewers.{name}_gateway_cores": x.gateway_cpu_s / x.seconds,
            f"viewers.{name}_control_room_cores": x.room_cpu_s / x.seconds,
            f"viewers.{name}_clients_cores": x.clients_cpu_s / x.seconds,
            f"viewers.{name}_megabytes_per_second": x.bytes / x.seconds / 1e6,
            f"viewers.{name}_pictures_each_per_second": x.pictures / x.seconds,
        }
    return figures


def _round(
    found: Found, count: int, port: int, sending: Sending, *, gateway: int, room: int
) -> None:
    with ExitStack() as stack:
        crowd = []
        if count > 1:
            crowd = [stack.enter_context(_viewers(port, count - 1, "--nice", "10"))]
        observed = stack.enter_context(_viewers(port, 1, "--looks"))
        time.sleep(SETTLE_S)
        before, began_s = (cpu_s(gateway), cpu_s(room)), time.monotonic()
        raised = _raise(sending, ROUND_S)
        found.seconds += time.monotonic() - began_s
        found.gateway_cpu_s += cpu_s(gateway) - before[0]
        found.room_cpu_s += cpu_s(room) - before[1]
        time.sleep(LAST_S)
        said = [_said(one) for one in (observed, *crowd)]
    seen = said[0]["alarms"]
    found.missing += sum(id not in seen for id in raised)
    found.delays_s += [(seen[id] - at_ns) / 1e9 for id, at_ns in raised.items() if id in seen]
    found.gaps_s += said[0]["gaps_s"]
    for one in said:
        share = ROUND_S / one["seconds"]
        found.clients_cpu_s += one["cpu_s"] * share
        found.bytes += one["bytes"] * share
        found.closed += one["closed"]
    found.pictures += said[0]["pictures"] * ROUND_S / said[0]["seconds"]


def _raise(sending: Sending, seconds: float) -> dict[str, int]:
    """Raise alarms at odd moments and end them; gives when, on the monotonic clock, in ns."""
    odd, raised = random.Random(7), dict[str, int]()
    active: list[tuple[float, Anomaly]] = []
    due_s = time.monotonic()
    until_s = due_s + seconds
    while due_s < until_s:
        time.sleep(max(0.0, due_s - time.monotonic()))
        fresh = system_alarm("camera_lost", time.time_ns(), "It gives no picture.", camera="cam1")
        raised[fresh.id] = time.monotonic_ns()
        sending.outlet.send(fresh)
        active.append((due_s, fresh))
        if due_s - active[0][0] > LASTS_S:
            _end(sending, active.pop(0)[1])
        due_s += EVERY_S * odd.uniform(0.5, 1.5)
    for _, alarm in active:
        _end(sending, alarm)
    return raised


def _end(sending: Sending, alarm: Anomaly) -> None:
    sending.outlet.send(replace(alarm, state="cleared", captured_at_ns=time.time_ns()))


def _site(folder: Path, gateway: str) -> Path:
    site = yaml.safe_load((SAMPLES / "site.yaml").read_text())
    for camera in site["cameras"]:
        camera["url"] = str(SAMPLES / camera["url"])
    site["gateway"] = gateway
    site["rig"]["file"] = str(SAMPLES / "rig.yaml")
    site["panorama"] = site.get("panorama", {}) | {"port": free_port()}
    site["detection"] = site.get("detection", {}) | {"max_fps": 0.1}
    file = folder / f"{gateway}.yaml"
    file.write_text(yaml.safe_dump(site))
    return file


def _room_words(url: str, port: int, folder: Path) -> tuple[str, ...]:
    journal = str(folder / "journal.sqlite")
    return ("control-room", "--broker", url, "--port", str(port), "--journal", journal)


def _gateway_words(url: str, folder: Path) -> tuple[str, ...]:
    site, state = str(_site(folder, "gw1")), str(folder / "gw1")
    return ("run", site, "--broker", url, "--loop", "--state", state)


@contextmanager
def _command(folder: Path, name: str, *words: str) -> "Iterator[subprocess.Popen[bytes]]":
    with (folder / f"{name}.log").open("w") as log:
        running = subprocess.Popen(
            [sys.executable, "-m", "edge.main", *words], stdout=log, stderr=log
        )
        try:
            yield running
        finally:
            running.terminate()
            running.wait(timeout=30)


@contextmanager
def _viewers(port: int, count: int, *words: str) -> "Iterator[subprocess.Popen[str]]":
    running = subprocess.Popen(
        [sys.executable, str(CLIENT), str(port), "roadway/gw1", str(count), *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert running.stdout is not None
        if running.stdout.readline() != "ready\n":
            raise RuntimeError("viewers can't come in")
        yield running
    finally:
        running.kill()
        running.wait()


def _said(viewers: "subprocess.Popen[str]") -> dict[str, Any]:
    assert viewers.stdin is not None
    assert viewers.stdout is not None
    viewers.stdin.write("tell\n")
    viewers.stdin.flush()
    said: dict[str, Any] = json.loads(viewers.stdout.readline())
    return said


def _wait_for_pictures(port: int, folder: Path) -> None:
    """Wait until a viewer gets pictures."""
    until_s = time.monotonic() + START_LIMIT_S
    while True:
        try:
            with _viewers(port, 1) as one:
                time.sleep(2.0)
                if _said(one)["pictures"] > 5:
                    return
        except RuntimeError:
            pass
        if time.monotonic() > until_s:
            logs = [(folder / f"{one}.log").read_text()[-500:] for one in ("room", "gateway")]
            raise RuntimeError(f"no pictures come: {logs}")
        time.sleep(0.5)


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
