"""A mine of a hundred gateways and one control room: does one core hold it?

`python -m tests.bench fleet` measures a minute; `python -m tests.bench.fleet --minutes 30` as long
as asked, and how memory grows. Simulated are 100 gateways x 8 cameras x 15 people at 10 Hz, with
heartbeats, retained descriptions and now and then an alarm, all signed, over a real Mosquitto to
the real control room, whose processes may use one core only, the first one. Broker, gateways and
viewer have the others. A raw viewer of the page measures how old the places are that it is told,
and how late alarms are. CPU is processor time, so that it means something on a busy machine; ages
and alarms' delays mean something on a quiet one only.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tests.bench._fleet_costs import costs_us
from tests.bench._fleet_mine import SITE, name_of
from tests.bench.gateway_load import cpu_s, tree
from tests.bench.soak import resident_mb, slope_of
from tests.delivery.keys import pair
from tests.delivery.parts import MOSQUITTO, NO_MOSQUITTO, free_port, mosquitto

GATEWAYS = int(os.environ.get("LAMPROOM_FLEET", "100"))
MINUTES = float(os.environ.get("LAMPROOM_FLEET_MINUTES", "1"))
SETTLE_S = 10.0
SAMPLE_S = 5.0
START_LIMIT_S = 60.0
LAST_S = 3.0
HERE = Path(__file__).parent
Figures = dict[str, float | str]


def measure() -> Figures:
    """Measure a hundred gateways for a minute, and what each kind of message costs."""
    return run(GATEWAYS, MINUTES) | costs_us()


def run(
    gateways: int,
    minutes: float,
    *,
    hz: float = 10.0,
    senders: int = 1,
    signed: bool = True,
    browser: bool = False,
    picture: Path | None = None,
) -> Figures:
    """Simulate so many gateways for so long; raises `FileNotFoundError` without Mosquitto."""
    if MOSQUITTO is None:
        raise FileNotFoundError(NO_MOSQUITTO)
    with tempfile.TemporaryDirectory(prefix="lamproom-fleet-") as name, ExitStack() as stack:
        folder = Path(name)
        keys = _keys(folder, gateways) if signed else None
        broker = stack.enter_context(mosquitto(folder))
        _keep_off(broker.process.pid)
        port, broker_port = free_port(), int(broker.url.rpartition(":")[2])
        room = stack.enter_context(_room(folder, broker.url, port, keys))
        speaking = [
            stack.enter_context(_gateways(broker_port, share, keys, hz))
            for share in np.array_split(np.arange(gateways), senders)
        ]
        viewer = stack.enter_context(_viewer(port))
        page = stack.enter_context(_page(port, picture)) if browser else None
        time.sleep(SETTLE_S)
        found = _watch(room.pid, broker.process.pid, minutes)
        assert viewer.stdin is not None
        viewer.stdin.write("last\n")
        viewer.stdin.flush()
        said = [_said(one) for one in speaking]
        time.sleep(LAST_S)
        seen = _said(viewer)
        seen["page_ages_s"] = [] if page is None else page.end()
        log = (folder / "room.log").read_text()[-2000:]
    return _figures(gateways, hz, found, said, seen) | _words(log)


def _figures(
    gateways: int,
    hz: float,
    found: dict[str, Any],
    said: Sequence[dict[str, Any]],
    seen: dict[str, Any],
) -> Figures:
    raised = {id: at_ns for one in said for id, at_ns in one["raised"].items()}
    delays_s = [
        (seen["alarms"][id] - at) / 1e9 for id, at in raised.items() if id in seen["alarms"]
    ]
    positions = sum(one["counts"].get("positions", 0) / one["seconds"] for one in said)
    slope, error = slope_of(found["times_s"], found["memory_mb"])
    periods = [{int(age): count for age, count in one.items()} for one in seen["ages_ms"]]
    ages = _spread(dict(sum(map(Counter, periods), Counter[int]())))
    figures: Figures = {
        "fleet.gateways": gateways,
        "fleet.gateways_told_of": seen["gateways"],
        "fleet.positions_sent_per_second": positions,
        "fleet.positions_wanted_per_second": gateways * hz,
        "fleet.positions_bytes_each": _each(said, "positions"),
        "fleet.health_bytes_each": _each(said, "health"),
        "fleet.sent_megabytes_per_second": sum(
            sum(one["bytes"].values()) / one["seconds"] for one in said
        )
        / 1e6,
        "fleet.gateways_late_worst_s": max(one["late_s"] for one in said),
        "fleet.gateways_late_messages": sum(one["late_messages"] for one in said),
        "fleet.gateways_cores": sum(one["cpu_s"] / one["seconds"] for one in said),
        "fleet.control_room_cores": found["room_cpu_s"] / found["seconds"],
        "fleet.broker_cores": found["broker_cpu_s"] / found["seconds"],
        "fleet.age_p50_ms": ages[0],
        "fleet.age_p99_ms": ages[1],
        "fleet.age_worst_ms": ages[2],
        "fleet.age_p99_ms_of_each_10_s": " ".join(f"{_spread(one)[1]:.0f}" for one in periods),
        "fleet.alarms": len(raised),
        "fleet.alarms_not_seen": len(raised) - len(delays_s),
        "fleet.memory_mb": found["memory_mb"][-1],
        "fleet.memory_slope_mb_per_hour": slope,
        "fleet.memory_slope_error_mb_per_hour": error,
        "fleet.viewer_lines_lost": seen["closed"],
        "fleet.clocks_that_told_of_shed": seen["clocks_with_shed"],
    }
    if delays_s:
        figures |= {
            "fleet.alarm_p50_ms": float(np.quantile(delays_s, 0.5) * 1000),
            "fleet.alarm_p99_ms": float(np.quantile(delays_s, 0.99) * 1000),
            "fleet.alarm_worst_ms": max(delays_s) * 1000,
        }
    for kind, size in seen["bytes"].items():
        name = kind.replace("message/", "")
        figures[f"fleet.told_{name}_per_second"] = seen["kinds"][kind] / seen["seconds"]
        figures[f"fleet.told_{name}_kilobytes_per_second"] = size / seen["seconds"] / 1000
    if seen["page_ages_s"]:
        figures["fleet.browser_age_p50_s"] = float(np.quantile(seen["page_ages_s"], 0.5))
        figures["fleet.browser_age_worst_s"] = max(seen["page_ages_s"])
    return figures


def _each(said: Sequence[dict[str, Any]], kind: str) -> float:
    count = sum(one["counts"].get(kind, 0) for one in said)
    return sum(one["bytes"].get(kind, 0) for one in said) / max(1, count)


def _spread(ages_ms: dict[int, int]) -> tuple[float, float, float]:
    """Give median, 99th percentile and worst of counted ages; nothing at all is no number."""
    if not ages_ms:
        return (float("nan"),) * 3
    ages = np.array(sorted(ages_ms))
    passed = np.cumsum([ages_ms[int(age)] for age in ages])
    p50, p99 = (float(ages[np.searchsorted(passed, share * passed[-1])]) for share in (0.5, 0.99))
    return p50, p99, float(ages[-1])


def _words(log: str) -> Figures:
    """Give what the control room complained of, if it did."""
    said = [line for line in log.splitlines() if "Traceback" in line or "refused" in line]
    return {"fleet.control_room_said": " / ".join(said)[:300]} if said else {}


def _watch(room: int, broker: int, minutes: float) -> dict[str, Any]:
    """Sample memory and processor time for so long."""
    began_s, before = time.monotonic(), (cpu_s(room), cpu_s(broker))
    times_s, memory_mb, due_s = list[float](), list[float](), began_s
    while due_s <= began_s + 60 * minutes:
        time.sleep(max(0.0, due_s - time.monotonic()))
        times_s.append(time.monotonic() - began_s)
        memory_mb.append(sum(resident_mb(one) for one in tree(room)))
        due_s += SAMPLE_S
    return {
        "seconds": time.monotonic() - began_s,
        "room_cpu_s": cpu_s(room) - before[0],
        "broker_cpu_s": cpu_s(broker) - before[1],
        "times_s": times_s,
        "memory_mb": memory_mb,
    }


def _keys(folder: Path, gateways: int) -> Path:
    """Make everybody's keys: private ones, and in `trusted` what the control room knows."""
    keys, trusted = folder / "keys", folder / "trusted"
    keys.mkdir()
    trusted.mkdir()
    for number in range(gateways):
        name = name_of(number)
        _, public = pair(keys, name)
        public.rename(trusted / f"gateway-{SITE}-{name}.pub")
    pair(keys, "control_room")
    return keys


def _cores() -> tuple[set[int], set[int]]:
    """Give the control room's core, and those of all else."""
    cores = sorted(os.sched_getaffinity(0))
    return {cores[0]}, set(cores[1:]) or {cores[0]}


def _keep_off(pid: int) -> None:
    os.sched_setaffinity(pid, _cores()[1])


@contextmanager
def _process(words: Sequence[str], cores: set[int], log: Path | None = None, **more: Any) -> Any:
    """Run something on some cores only."""
    with ExitStack() as stack:
        if log is not None:
            file = stack.enter_context(log.open("w"))
            more |= {"stdout": file, "stderr": file}
        mine = os.sched_getaffinity(0)
        os.sched_setaffinity(0, cores)  # what is started inherits it, and so do its own
        try:
            running = subprocess.Popen([sys.executable, *words], **more)
        finally:
            os.sched_setaffinity(0, mine)
        try:
            yield running
        finally:
            running.terminate()
            try:
                running.wait(timeout=30)
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait()


@contextmanager
def _room(
    folder: Path, url: str, port: int, keys: Path | None
) -> "Iterator[subprocess.Popen[bytes]]":
    words = ["-m", "edge.main", "control-room", "--broker", url, "--port", str(port)]
    words += ["--journal", str(folder / "journal.sqlite")]
    if keys is not None:
        words += ["--keys", str(folder / "trusted")]
        words += ["--signing-key", str(keys / "control_room.key")]
    log = folder / "room.log"
    with _process(words, _cores()[0], log) as running:
        until_s = time.monotonic() + START_LIMIT_S
        while "The control room is at" not in log.read_text():
            if running.poll() is not None or time.monotonic() > until_s:
                raise RuntimeError(f"the control room does not start: {log.read_text()[-1000:]}")
            time.sleep(0.1)
        yield running


@contextmanager
def _gateways(
    port: int, share: Sequence[int], keys: Path | None, hz: float
) -> "Iterator[subprocess.Popen[str]]":
    words = ["-m", "tests.bench._fleet_gateways", str(port), str(share[0]), str(len(share))]
    words += ["--hz", str(hz), *(["--keys", str(keys)] if keys else [])]
    with _speaking(words) as running:
        yield running


@contextmanager
def _viewer(port: int) -> "Iterator[subprocess.Popen[str]]":
    with _speaking([str(HERE / "_fleet_viewer.py"), str(port)]) as running:
        yield running


@contextmanager
def _speaking(words: Sequence[str]) -> "Iterator[subprocess.Popen[str]]":
    """Run something that says `ready`, and in the end what it has found."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with _process(words, _cores()[1], **pipes) as running:
        if running.stdout.readline() != "ready\n":
            raise RuntimeError(f"{words[1]} does not start")
        yield running


def _said(running: "subprocess.Popen[str]") -> dict[str, Any]:
    assert running.stdin is not None
    assert running.stdout is not None
    running.stdin.write("tell\n")
    running.stdin.flush()
    said: dict[str, Any] = json.loads(running.stdout.readline())
    return said


class _Page:
    """A real page in Chromium; asked twice a second how old the oldest places are that it drew."""

    def __init__(self, port: int, picture: Path | None) -> None:
        self._port, self._picture = port, picture
        self._ages_s: list[float] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._look, name="fleet-page")
        self._thread.start()

    def end(self) -> list[float]:
        self._stopping.set()
        self._thread.join()
        return self._ages_s

    def _look(self) -> None:
        from playwright.sync_api import sync_playwright

        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path="/usr/bin/chromium",
                args=["--headless", "--no-sandbox", "--disable-gpu"],
            )
            page = browser.new_context(viewport={"width": 1500, "height": 900}).new_page()
            page.set_default_timeout(300_000)
            page.goto(f"http://127.0.0.1:{self._port}/")
            page.wait_for_function("() => window.lamproom && lamproom.connected")
            while not self._stopping.wait(0.5):
                age_s = page.evaluate("() => lamproom.oldestDrawnS")
                if age_s is not None:
                    self._ages_s.append(float(age_s))
            if self._picture is not None:
                page.screenshot(path=str(self._picture))
            browser.close()


@contextmanager
def _page(port: int, picture: Path | None) -> Iterator[_Page]:
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, _cores()[1])
    try:
        page = _Page(port, picture)
        yield page
        page.end()
    finally:
        os.sched_setaffinity(0, mine)


def main(words: Sequence[str] | None = None) -> int:
    """Run it for as long as asked, and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.fleet", description=__doc__)
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--gateways", type=int, default=GATEWAYS)
    parser.add_argument("--hz", type=float, default=10.0, help="positions a second of each")
    parser.add_argument("--senders", type=int, default=1, help="processes that simulate gateways")
    parser.add_argument("--unsigned", action="store_true", help="nobody has a key")
    parser.add_argument("--browser", action="store_true", help="a real page looks, too")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="its picture in the end (PNG)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    args = parser.parse_args(words)
    figures = run(
        args.gateways,
        args.minutes,
        hz=args.hz,
        senders=args.senders,
        signed=not args.unsigned,
        browser=args.browser,
        picture=args.picture,
    )
    if args.json is not None:
        args.json.write_text(json.dumps(figures, indent=2), encoding="utf-8")
    print(json.dumps(figures, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
