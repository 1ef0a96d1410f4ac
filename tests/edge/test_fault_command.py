"""Drills upon a whole gateway with broker and control room, all of them real processes."""

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from delivery.mqtt import Connection
from delivery.outbox import Outbox
from edge.fault_command import LOCK
from edge.faults import filler
from edge.faults.record import FILE, running_gateway
from edge.faults.table import FAULTS
from edge.main import main
from scene.clock import SystemClock
from scene.messages import Anomaly
from scene.site import BrokerConfig
from scene.wire import decode
from tests.delivery.parts import MOSQUITTO, NO_MOSQUITTO, mosquitto, wait_until
from tests.edge.processes import below, name_of, pid_below
from tests.edge.test_storage_watch import small_disk
from tests.sample_site import FOLDER

DISK_MB = 90
PATIENT = ("--yes", "--within", "60")
"""No machine is so slow."""

pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason=NO_MOSQUITTO)


@dataclass(kw_only=True)
class Mine:
    site_file: Path
    state: Path
    gateway: "subprocess.Popen[bytes]"
    control_room: "subprocess.Popen[bytes]"
    heard: list[Anomaly] = field(default_factory=list)
    """What a subscriber of the broker has heard."""

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "edge.main", "fault", str(self.site_file), *words]

    def fault(self, *words: str, answer: str = "") -> tuple[int, str]:
        done = subprocess.run(
            self.command(*words),
            input=answer,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        print(done.stdout, done.stderr)
        return done.returncode, done.stdout + done.stderr

    def pid(self, name: str) -> int:
        """Find a process of the gateway; cameras' come a moment after the services'."""
        wait_until(lambda: name in map(name_of, below(self.gateway.pid)))
        return pid_below(self.gateway.pid, name)

    def heard_of(self, kind: str, state: str) -> list[Anomaly]:
        return [one for one in self.heard if (one.kind, one.state) == (kind, state)]

    def active(self, kind: str) -> list[Anomaly]:
        with closing(Outbox(self.state, SystemClock())) as outbox:
            return [one for one in outbox.active() if one.kind == kind]


def is_free(lock: Path) -> bool:
    """Tell whether no drill is going on."""
    with lock.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] == "T"


@contextmanager
def process(log: Path, *words: str) -> Iterator["subprocess.Popen[bytes]"]:
    with log.open("wb") as out:
        started = subprocess.Popen(
            [sys.executable, "-m", "edge.main", *words], stdout=out, stderr=out
        )
        try:
            yield started
        finally:
            started.terminate()
            try:
                started.wait(timeout=30)
            except subprocess.TimeoutExpired:
                started.kill()
                started.wait()
            print(log.read_text()[-3000:])


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mine]:
    folder = tmp_path_factory.mktemp("mine")
    text = (FOLDER / "site.yaml").read_text(encoding="utf-8")
    text = text.replace("url: cam", f"url: {FOLDER}/cam")
    text = text.replace("file: rig.yaml", f"file: {FOLDER}/rig.yaml")
    with ExitStack() as stack:
        disk = folder
        if os.geteuid() == 0:
            disk = stack.enter_context(small_disk(folder / "disk", DISK_MB))
        broker = stack.enter_context(mosquitto(folder))
        site_file, state = folder / "site.yaml", disk / "state"
        site_file.write_text(
            f"{text}\npanorama: {{port: 0}}\nbroker: {{url: '{broker.url}'}}\n"
            f"state_folder: {state}\n",
            encoding="utf-8",
        )
        state.mkdir()
        (state / filler.FILE).write_bytes(b"left by a drill whose machine lost power")
        listener = Connection(BrokerConfig(url=broker.url), client_id="listener")
        words = ["--broker", broker.url, "--port", "0", "--journal", str(folder / "j.sqlite")]
        control_room = stack.enter_context(process(folder / "room.log", "control-room", *words))
        words = [str(site_file), "--loop"]
        gateway = stack.enter_context(process(folder / "gateway.log", "run", *words))
        made = Mine(site_file=site_file, state=state, gateway=gateway, control_room=control_room)

        def hear(topic: str, payload: bytes, retained: bool) -> None:
            body = decode(payload).body if payload else None
            if isinstance(body, Anomaly):
                made.heard.append(body)

        listener.subscribe("mine/+/gw/+/alarm/+", 1, hear)
        listener.connect(wait=True)
        stack.callback(listener.close)

        def all_is_up() -> bool:
            record = running_gateway(state)
            services = {} if record is None else record.services
            return len(services) == 2 and all(row.up for row in services.values())

        wait_until(all_is_up)
        wait_until((state / "control-room-heard").exists)
        yield made


def test_a_drill_alarm_comes_to_the_control_room_and_goes(mine: Mine) -> None:
    assert not (mine.state / filler.FILE).exists(), "the gateway's start takes a filler away"
    code, said = mine.fault("alarm", "--for", "1", *PATIENT)
    assert code == 0
    assert (
        len(re.findall(r"alarm drill in the control room's journal \(receipt\) after", said)) == 2
    )
    (raised,) = {one.id for one in mine.heard_of("drill", "active")}
    assert {one.id for one in mine.heard_of("drill", "cleared")} == {raised}
    assert raised in said
    assert mine.heard_of("drill", "active")[0].severity == "notice"


def test_without_a_control_room_a_drill_says_what_was_not_seen(mine: Mine) -> None:
    standby = mine.control_room.pid  # it would replace the other
    server = pid_below(standby, "room-server")
    for pid in (standby, server):
        os.kill(pid, signal.SIGSTOP)
    try:
        code, said = mine.fault("alarm", "--for", "1", "--yes", "--within", "0.5")
    finally:
        for pid in (server, standby):
            os.kill(pid, signal.SIGCONT)
    assert code == 1
    assert "NOT SEEN within 0.5 s: alarm drill in the control room's journal" in said
    assert not mine.active("drill"), "it is cleared all the same"


def test_a_killed_service_is_back_in_another_process(mine: Mine) -> None:
    before = mine.pid("sender")
    code, said = mine.fault("kill", "sender", *PATIENT)
    assert code == 0
    assert f"killing service sender (process {before})" in said
    assert re.search(r"sender is back after \d+\.\d s", said)
    assert mine.pid("sender") != before


def test_a_hanging_service_is_an_alarm_and_is_back(mine: Mine) -> None:
    before = mine.pid("pipeline")
    code, said = mine.fault("hang", "pipeline", "--for", "60", *PATIENT)
    assert code == 0
    assert mine.pid("pipeline") != before
    for what in ("service_failing raised", "pipeline is back", "journal (receipt)"):
        assert re.search(rf"{re.escape(what)} after \d+\.\d s", said), what
    wait_until(lambda: bool(mine.heard_of("service_failing", "active")))
    code, said = mine.fault("hang", "pipeline", "--yes")
    assert code == 2
    assert "is active already" in said, "a second alarm could not be told from the first"


def test_a_killed_camera_process_is_started_again(mine: Mine) -> None:
    before = mine.pid("cam2")
    code, said = mine.fault("camera-kill", "cam2", *PATIENT)
    assert code == 0
    assert "camera cam2 has a process again after" in said
    assert "camera cam2 without an alarm after" in said
    assert mine.pid("cam2") != before


def test_a_hanging_camera_is_an_alarm_that_clears(mine: Mine) -> None:
    before = mine.pid("cam3")
    code, said = mine.fault("camera-hang", "cam3", "--for", "5", *PATIENT)
    assert code == 0
    assert "alarm camera_stalled or camera_lost raised after" in said
    assert "alarm camera_stalled or camera_lost cleared after" in said
    assert any(one.camera == "cam3" for one in mine.heard_of("camera_stalled", "active"))
    assert mine.pid("cam3") == before, "it was not killed, it went on"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_camera_goes_on_though_the_drill_itself_is_killed(mine: Mine, number: int) -> None:
    pid = mine.pid("cam1" if number == signal.SIGKILL else "cam4")
    name = Path(f"/proc/{pid}/comm").read_text().strip()
    words = mine.command("camera-hang", name, "--for", "300", "--yes")
    drills = [subprocess.Popen(words, stdout=subprocess.DEVNULL)]

    def has_begun() -> bool:
        if not is_stopped(pid) and drills[-1].poll() is not None:  # the one before is still undone
            drills.append(subprocess.Popen(words, stdout=subprocess.DEVNULL))
        return is_stopped(pid)

    try:
        wait_until(has_begun)
    finally:
        drills[-1].send_signal(number)
        for drill in drills:
            drill.wait()
    wait_until(lambda: not is_stopped(pid))


def test_a_full_disk_is_an_alarm_and_is_free_again(mine: Mine) -> None:
    if not os.path.ismount(mine.state.parent):
        pytest.skip("only root may mount a small disk")
    free = os.statvfs(mine.state).f_bavail
    code, said = mine.fault("disk-full", "--for", "3", *PATIENT)
    assert code == 0
    assert "2 MB are left" in said
    assert "alarm storage raised after" in said
    assert "alarm storage cleared after" in said
    assert not (mine.state / filler.FILE).exists()
    assert os.statvfs(mine.state).f_bavail > 0.9 * free
    with subprocess.Popen(mine.command("disk-full", "--for", "300", "--yes")) as drill:
        try:
            wait_until((mine.state / filler.FILE).exists)
            code, said = mine.fault("alarm", "--for", "1", "--yes")
        finally:
            drill.kill()
    assert code == 2
    assert "another drill is going on" in said
    wait_until(lambda: not (mine.state / filler.FILE).exists())
    wait_until(lambda: is_free(mine.state / LOCK))  # who undid it ends a moment later


def test_what_a_drill_left_behind_is_taken_away_by_the_next(mine: Mine) -> None:
    (mine.state / filler.FILE).write_bytes(b"left over")
    code, said = mine.fault("alarm", "--for", "1", *PATIENT)
    assert code == 0
    assert f"had left {mine.state / filler.FILE}; it is removed" in said
    assert not (mine.state / filler.FILE).exists()


@pytest.mark.parametrize("answer", ["n\n", ""])
def test_nothing_is_done_unless_somebody_says_yes(mine: Mine, answer: str) -> None:
    before = mine.pid("sender")
    code, said = mine.fault("kill", "sender", answer=answer)
    assert code == 2
    assert "Must be seen: it is started again" in said
    assert "nothing was done" in said
    assert mine.pid("sender") == before


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("kill nobody", "no service 'nobody' in this gateway; it has: sender, pipeline"),
        ("camera-kill cam9", "no camera 'cam9' in this site; it has: cam1, cam2, cam3, cam4"),
        ("hang", "hang: say which service"),
        ("alarm sender", "alarm: 'sender' is too much"),
        ("kill sender --for 3", "kill: leave out --for"),
        ("hang sender --for 2", "hang: --for 2: give 5 to 600 seconds"),
        ("hang sender --for nan", "hang: --for nan: give 5 to 600 seconds"),
        ("alarm --within 0", "--within 0: give seconds"),
        ("alarm --state nowhere", "no gateway runs here with the state folder nowhere"),
    ],
)
def test_bad_input_is_one_clear_error(
    mine: Mine, words: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fault", str(mine.site_file), *words.split(), "--yes"]) == 2
    said = capsys.readouterr().err
    assert told in said
    assert said.count("\n") == 1


def test_the_list_says_what_there_is(mine: Mine, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fault", str(mine.site_file), "list"]) == 0
    said = capsys.readouterr().out
    assert "services: sender, pipeline\ncameras: cam1, cam2, cam3, cam4\n" in said
    assert all(f"\n{what}" in f"\n{said}" for what in FAULTS)


def test_no_record_is_left_when_the_gateway_has_ended(mine: Mine) -> None:
    """The last test of this mine."""
    assert json.loads((mine.state / FILE).read_text())["services"].keys() == {"sender", "pipeline"}
    mine.gateway.terminate()
    mine.gateway.wait(timeout=60)
    assert not (mine.state / FILE).exists()
    code, said = mine.fault("alarm", "--yes")
    assert code == 2
    assert "no gateway runs here" in said
