"""A control room that is killed goes on in another process; one that starts takes alarms first."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from control_room import standby
from delivery.mqtt import Connection
from delivery.voice import Voice
from scene.clock import SystemClock
from scene.messages import Receipt
from scene.site import BrokerConfig
from scene.topics import topic_name
from scene.wire import decode
from tests.control_room.fake_gateway import GATEWAY, SITE, alarm
from tests.delivery.parts import MOSQUITTO, NO_MOSQUITTO, free_port, mosquitto
from tests.edge.processes import is_alive, name_of, pid_below

HANG_S = 100.0
PAIR = """
import os, signal, sys, threading, time
from pathlib import Path
from control_room import standby

folder = Path(sys.argv[1])
standby.READY_AFTER_S = 0.1
standby.PAUSES_S, standby.WORKED_S = (float(sys.argv[2]),) * 2, 3600.0
standby.ROUND_S, standby.HANG_LIMITS_S = 0.05, (1.0, 3.0)
mode = sys.argv[3:]
if mode == ["threads"]:
    threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()

def note(name, text=""):
    with (folder / name).open("a") as file:
        file.write(f"{os.getpid()} {text}\\n")

def told(*_):
    note("told")
    sys.exit(7)

def ready():
    note("ready")
    if mode == ["no room"]:
        raise MemoryError
    if mode == ["code taken"]:
        os.wait()

give_sign = standby.stand_by(ready, lambda text: note("said", text))
signal.signal(signal.SIGTERM, told)
note("serves")
while not (folder / "end").exists():
    if mode == ["signs"]:
        give_sign()
        (folder / f"lives-{os.getpid()}").touch()
    time.sleep(0.02)
sys.exit(3)
"""
SOON = """
import sys
from control_room import standby
standby.HANG_LIMITS_S = 2.0, 320.0
from edge.main import main
sys.exit(main())
"""
HELD_BACK = """
import sys, time
from pathlib import Path

class HeldBack:
    def find_spec(self, name, path=None, target=None):
        if name == "uvicorn":
            while not may_import.exists():
                time.sleep(0.02)

may_import = Path(sys.argv.pop(1))
sys.meta_path.insert(0, HeldBack())
from edge.main import main
sys.exit(main())
"""


def wait_until(condition: Callable[[], object]) -> None:
    until_s = time.monotonic() + HANG_S
    while not condition():
        assert time.monotonic() < until_s, "it never happened"
        time.sleep(0.02)


class Pair:
    """A process that stands by, and the one that serves."""

    def __init__(self, folder: Path, process: "subprocess.Popen[str]") -> None:
        self.folder, self.process = folder, process

    def notes(self, name: str) -> list[str]:
        file = self.folder / name
        return file.read_text().splitlines() if file.exists() else []

    def pids(self, name: str) -> list[int]:
        return [int(line.split()[0]) for line in self.notes(name)]

    def code(self) -> int:
        return self.process.wait(HANG_S)


@contextmanager
def pair(folder: Path, *words: str, pause_s: float = 0.0, **more: Any) -> Iterator[Pair]:
    process = subprocess.Popen(
        [sys.executable, "-c", PAIR, str(folder), str(pause_s), *words],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **more,
    )
    one = Pair(folder, process)
    try:
        wait_until(lambda: one.notes("serves"))
        yield one
    finally:
        process.kill()
        assert process.communicate()[1] == ""


def test_another_process_goes_on_for_one_that_is_killed(tmp_path: Path) -> None:
    with pair(tmp_path) as both:
        for number in range(1, 4):
            serving = both.pids("serves")[-1]
            assert serving != both.process.pid
            assert name_of(serving) == "room-server"
            os.kill(serving, signal.SIGKILL)
            wait_until(lambda number=number: len(both.notes("serves")) > number)  # type: ignore[misc]
        assert len(set(both.pids("serves"))) == 4
        (tmp_path / "end").touch()
        assert both.code() == 3
    assert set(both.pids("said")) == {both.process.pid}
    assert "was killed by SIGKILL; going on in another process" in both.notes("said")[0]


def test_who_stands_by_imports_the_rest_once_and_who_ends_has_no_successor(tmp_path: Path) -> None:
    with pair(tmp_path) as both:
        wait_until(lambda: both.notes("ready"))
        os.kill(both.pids("serves")[0], signal.SIGSEGV)
        wait_until(lambda: len(both.notes("serves")) == 2)
        (tmp_path / "end").touch()
        assert both.code() == 3
        assert both.pids("ready") == [both.process.pid]
        assert len(both.notes("serves")) == 2


def test_when_the_one_that_stands_by_is_killed_none_is_left(tmp_path: Path) -> None:
    with pair(tmp_path) as both:
        both.process.kill()
        wait_until(lambda: not is_alive(both.pids("serves")[0]))
        assert not both.notes("told")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_to_end_is_heard_once_by_who_serves(tmp_path: Path, number: int) -> None:
    with pair(tmp_path) as both:
        if number == signal.SIGINT:  # Ctrl-C in a terminal goes to all
            os.killpg(both.process.pid, number)
        else:
            both.process.send_signal(number)
        assert both.code() == 7
        assert both.pids("told") == both.pids("serves")


def test_a_signal_that_is_ignored_stays_so(tmp_path: Path) -> None:
    """As by `nohup`."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with pair(tmp_path) as both:
            both.process.send_signal(signal.SIGHUP)
            os.kill(both.pids("serves")[0], signal.SIGKILL)  # is looked at after the other one
            wait_until(lambda: len(both.notes("serves")) == 2)
            assert not both.notes("told")
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_loop_of_crashes_has_pauses_and_ends_when_told(tmp_path: Path) -> None:
    with pair(tmp_path, pause_s=3600.0) as both:
        os.kill(both.pids("serves")[0], signal.SIGKILL)
        wait_until(lambda: both.notes("said"))
        both.process.terminate()
        assert both.code() == 0
        assert len(both.notes("serves")) == 1


def test_who_was_started_with_ends_of_children_ignored_hears_of_them(tmp_path: Path) -> None:
    """As by a supervisor that wants no zombies; what is ignored is inherited."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        with pair(tmp_path) as both:
            signal.signal(signal.SIGCHLD, before)
            wait_until(lambda: both.notes("ready"))  # it waits without a limit now
            os.kill(both.pids("serves")[0], signal.SIGKILL)
            wait_until(lambda: len(both.notes("serves")) == 2)
            both.process.terminate()
            assert both.code() == 7
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_what_can_not_be_imported_before_ends_nobody(tmp_path: Path) -> None:
    with pair(tmp_path, "no room") as both:
        wait_until(lambda: both.notes("said"))
        assert "a successor will start slower: MemoryError" in both.notes("said")[0]
        os.kill(both.pids("serves")[0], signal.SIGKILL)
        wait_until(lambda: len(both.notes("serves")) == 2)
        (tmp_path / "end").touch()
        assert both.code() == 3
        assert len(both.notes("ready")) == 1


def test_where_somebody_else_took_the_code_it_ends_too(tmp_path: Path) -> None:
    with pair(tmp_path, "code taken") as both:
        wait_until(lambda: both.notes("ready"))
        os.kill(both.pids("serves")[0], signal.SIGKILL)
        assert both.code() == 1


def test_who_gives_no_more_signs_of_life_is_killed_each_time_later(tmp_path: Path) -> None:
    """So that a machine that is too slow for us is not made slower by ever more starts."""
    with pair(tmp_path, "signs") as both:
        hangs = []
        for _ in range(4):
            wait_until((tmp_path / f"lives-{both.pids('serves')[-1]}").exists)
            hangs.append(both.pids("serves")[-1])
            os.kill(hangs[-1], signal.SIGSTOP)
            wait_until(lambda: both.pids("serves")[-1] != hangs[-1])
        (tmp_path / "end").touch()
        assert both.code() == 3
        said = [line for line in both.notes("said") if "hangs, and is killed" in line]
        limits = [line.partition("no sign of life for ")[2].split()[0] for line in said]
        assert limits[:4] == ["1", "2", "3", "3"]


def test_who_hangs_before_the_first_sign_or_while_it_ends_is_left_alone(tmp_path: Path) -> None:
    """It may take its time to start, and to end."""
    signs = standby._Signs()
    for _ in range(100):
        signs.look(standby.ROUND_S)
    assert not signs.missing()
    signs.give()
    signs.look(standby.ROUND_S)
    for _ in range(2):
        signs.look(3600.0)  # the machine stood still
        assert not signs.missing()
    for _ in range(round(signs.limit_s / standby.ROUND_S)):
        signs.look(standby.ROUND_S)
    assert signs.missing()
    signs.begin(lived_s=standby.STEADY_S - 1.0)
    assert not signs.missing()
    assert signs.limit_s == 2 * standby.HANG_LIMITS_S[0]
    signs.begin(lived_s=standby.STEADY_S + 1.0)
    assert signs.limit_s == standby.HANG_LIMITS_S[0]


def test_a_process_with_threads_serves_itself(tmp_path: Path) -> None:
    with pair(tmp_path, "threads") as both:
        assert both.pids("serves") == [both.process.pid]


# ---- the command ----


def test_what_is_imported_before_alarms_are_taken_is_light() -> None:
    heavy = (
        "uvicorn",
        "starlette",
        "asyncio",
        "numpy",
        "argon2",
        "control_room.server",
        "control_room.muster",
        "control_room.access.users_file",
        "control_room.access.certificate",
        "control_room.access.doorkeeper",
        "control_room.access.oidc_settings",
        "websockets",
        "cv2",
        "av",
        "onnxruntime",
        "scipy",
        "psycopg",
    )
    code = "import sys; from edge.main import _module; _module('control-room'); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True
    )
    assert "control_room.journal.journal" in done.stdout.split()
    assert not set(heavy) & set(done.stdout.split())


def test_who_stands_by_has_imported_all_that_comes_after_alarms() -> None:
    code = "import sys; from control_room.main import _import_page; _import_page();"
    code += "print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True
    )
    wanted = {"control_room.server", "control_room.muster", "control_room.access.doorkeeper"}
    assert wanted <= set(done.stdout.split())


class Gateway:
    """What a control room hears, and the receipts that it gives."""

    def __init__(self, broker_url: str) -> None:
        self.receipts: list[str] = []
        self._voice = Voice(SystemClock(), run=1)
        self.connection = Connection(BrokerConfig(url=broker_url), "gw1", log=lambda _: None)
        self.connection.subscribe("mine/+/gw/+/receipt/+", 1, self._hear)
        self.connection.connect(HANG_S, wait=True)

    def _hear(self, _topic: str, payload: bytes, _retained: bool) -> None:
        body = decode(payload).body
        assert isinstance(body, Receipt)
        self.receipts += [body.alarm, *(one.alarm for one in body.also)]

    def raise_alarm(self, id: str) -> None:
        topic = topic_name("alarm", site=SITE, gateway=GATEWAY, id=id)
        said = alarm(id, at_ns=time.time_ns())
        _, payload = self._voice.write(topic, said, gateway=GATEWAY)
        assert self.connection.publish(topic, payload, qos=1, retain=True)


@contextmanager
def control_room(
    folder: Path, *start: str, broker: str, port: int = 0
) -> Iterator["subprocess.Popen[bytes]"]:
    words = ["--broker", broker, "--port", str(port), "--journal", str(folder / "journal.sqlite")]
    process = subprocess.Popen([sys.executable, *start, "control-room", *words])
    try:
        yield process
    finally:
        process.terminate()
        assert process.wait(HANG_S) == 0


@pytest.mark.skipif(MOSQUITTO is None, reason=NO_MOSQUITTO)
def test_a_killed_control_room_goes_on_storing_alarms(tmp_path: Path) -> None:
    with (
        mosquitto(tmp_path) as broker,
        control_room(tmp_path, "-m", "edge.main", broker=broker.url) as room,
    ):
        gateway, killed = Gateway(broker.url), set()
        for id in ("a-1", "a-2", "a-3"):
            gateway.raise_alarm(id)
            wait_until(lambda id=id: id in gateway.receipts)  # type: ignore[misc]
            killed.add(server := pid_below(room.pid, "room-server"))
            os.kill(server, signal.SIGKILL)
        wait_until(lambda: {"a-1", "a-2", "a-3"} <= set(gateway.receipts))
        assert len(killed) == 3
        gateway.connection.close()


@pytest.mark.skipif(MOSQUITTO is None, reason=NO_MOSQUITTO)
def test_a_control_room_that_hangs_is_replaced_and_no_alarm_is_lost(tmp_path: Path) -> None:
    port = free_port()

    def answers() -> bool:
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=HANG_S).text == "ok\n"
        return False

    with (
        mosquitto(tmp_path) as broker,
        control_room(tmp_path, "-c", SOON, broker=broker.url, port=port) as room,
    ):
        wait_until(answers)
        gateway = Gateway(broker.url)
        os.kill(pid_below(room.pid, "room-server"), signal.SIGSTOP)
        gateway.raise_alarm("hung-1")
        wait_until(lambda: "hung-1" in gateway.receipts)
        gateway.connection.close()
        wait_until(answers)


@pytest.mark.skipif(MOSQUITTO is None, reason=NO_MOSQUITTO)
def test_alarms_are_receipted_before_the_page_is_imported(tmp_path: Path) -> None:
    may_import = tmp_path / "may-import"
    with (
        mosquitto(tmp_path) as broker,
        control_room(tmp_path, "-c", HELD_BACK, str(may_import), broker=broker.url),
    ):
        try:
            gateway = Gateway(broker.url)
            gateway.raise_alarm("early-1")
            wait_until(lambda: "early-1" in gateway.receipts)
        finally:
            may_import.touch()
        gateway.connection.close()
