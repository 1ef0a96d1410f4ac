"""The gateway's own alarm: real programs, a real outbox, a broker in memory."""

import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from delivery.attendance import Attendance
from delivery.memory import MemoryBroker
from delivery.outbox import Outbox, OutboxError
from delivery.publisher import Publisher
from edge import local_alarm
from edge.local_alarm import Cause, LocalAlarm, open_local_alarm
from scene.clock import SystemClock
from scene.errors import SiteError
from scene.messages import Anomaly, ControlRoomBeat, Receipt
from scene.site import LocalAlarmConfig, parse_site
from scene.topics import topic_name
from scene.wire import encode
from tests.delivery.parts import HANG_S, SITE, alarm, site, wait_until
from tests.faults.loop_disk import loop_disk, no_loop_disk, stalled

CLOCK = SystemClock()
NOTE = """
import json, os, sys
names = ("EVENT", "TEXT", "SITE", "GATEWAY", "ALARM", "KIND")
said = {name: os.environ.get("LAMPROOM_" + name) for name in names}
with open(sys.argv[1], "a") as file:
    file.write(json.dumps([sys.argv[2], said]) + "\\n")
"""


class Siren:
    """Programs that note down how they are called."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "calls"
        self.trouble: list[str] = []
        self.log: list[str] = []
        self.cause: Cause | None = None

    def config(self, **changes: object) -> LocalAlarmConfig:
        command = (sys.executable, "-c", NOTE, str(self.file))
        said = {"command": (*command, "on"), "end_command": (*command, "off")}
        return LocalAlarmConfig.model_validate({**said, **changes})

    @contextmanager
    def run(self, **changes: object) -> Iterator[LocalAlarm]:
        made = LocalAlarm(
            self.config(**changes),
            lambda: self.cause,
            CLOCK,
            memory=self.folder / "on",
            names={"LAMPROOM_SITE": "roadway", "LAMPROOM_GATEWAY": "gw1"},
            on_trouble=self.trouble.append,
            log=self.log.append,
        )
        try:
            yield made
        finally:
            made.close()

    def calls(self) -> list[tuple[str, dict[str, str]]]:

        text = self.file.read_text() if self.file.exists() else ""
        return [tuple(json.loads(line)) for line in text.splitlines()]

    def words(self) -> list[str]:
        return [word for word, _ in self.calls()]


@pytest.fixture(name="siren")
def _siren(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Siren:
    monkeypatch.setattr(local_alarm, "LOOK_EVERY_S", 0.02)
    return Siren(tmp_path)


SILENCE = Cause(event="control_room_silent", text="nothing heard for 4.5 s")


def test_it_begins_once_says_why_and_ends(siren: Siren) -> None:
    with siren.run():
        siren.cause = SILENCE
        wait_until(lambda: siren.words() == ["on"])
        _, said = siren.calls()[0]
        assert said == {
            "EVENT": "control_room_silent",
            "TEXT": "nothing heard for 4.5 s",
            "SITE": "roadway",
            "GATEWAY": "gw1",
            "ALARM": None,
            "KIND": None,
        }
        siren.cause = None
        wait_until(lambda: siren.words() == ["on", "off"])
        assert siren.calls()[1][1]["EVENT"] == "over"
        wait_until(lambda: not (siren.folder / "on").exists())
    assert siren.words() == ["on", "off"]
    assert siren.trouble[-1] == ""


def test_it_is_repeated_and_another_cause_is_told_at_once(siren: Siren) -> None:
    with siren.run(repeat_s=1.0):
        siren.cause = SILENCE
        wait_until(lambda: len(siren.words()) >= 2)
    with siren.run(repeat_s=None):
        before = len(siren.words())
        siren.cause = Cause(event="alarm_unreceipted", text="x", alarm=alarm())
        wait_until(lambda: len(siren.words()) == before + 1)
        assert siren.calls()[-1][1]["ALARM"] == "man_down-1"
        assert siren.calls()[-1][1]["KIND"] == "man_down"


def test_what_an_earlier_run_began_is_ended_by_the_next_but_not_before_it_can_know(
    siren: Siren, monkeypatch: pytest.MonkeyPatch
) -> None:
    with siren.run():
        siren.cause = SILENCE
        wait_until(lambda: siren.words() == ["on"])
    assert siren.words() == ["on"], "a siren does not end because the gateway does"
    siren.cause = None
    looks = []
    with siren.run() as again:
        again._cause = lambda: looks.append(1)
        wait_until(lambda: len(looks) > 5)
        assert siren.words() == ["on"], "whether the control room is there is not known yet"
    monkeypatch.setattr(local_alarm, "HOLD_S", 0.1)
    with siren.run():
        wait_until(lambda: siren.words() == ["on", "off"])


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("/nowhere/siren",), "can't be run"),
        (("false",), "ended with 1"),
        ((sys.executable, "-c", "import time; time.sleep(600)"), "was killed: it took longer"),
    ],
)
def test_a_program_that_fails_is_told_once_and_tried_again(
    siren: Siren, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], said: str
) -> None:
    monkeypatch.setattr(local_alarm, "AGAIN_S", 0.05)
    with siren.run(command=command, limit_s=0.5):
        siren.cause = SILENCE
        wait_until(lambda: len(siren.trouble) >= 2)
    assert all(said in text and command[0] in text for text in siren.trouble)
    assert sum(said in text for text in siren.log) == 1
    assert any("LOCAL ALARM: nothing heard" in text for text in siren.log)


def test_the_children_of_a_program_that_hangs_are_killed_too(
    siren: Siren, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid_file = siren.folder / "pid"
    child = f"sleep 600 & echo $! > {pid_file}; wait"
    with siren.run(command=("/bin/sh", "-c", child), limit_s=1.0):
        siren.cause = SILENCE
        wait_until(lambda: len(siren.trouble) >= 1)
    assert "was killed" in siren.trouble[0]
    pid = int(pid_file.read_text())
    wait_until(lambda: not _runs(pid))


def _runs(pid: int) -> bool:
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


class Gateway:
    """A publisher with a local alarm, and a control room that is played by hand."""

    def __init__(self, siren: Siren, *, expected: bool, disk: Path | None = None) -> None:
        config = siren.config(unreceipted_after_s=0.3, expected=expected)
        self.site = site(siren.folder).model_copy(update={"local_alarm": config})
        self.box = Outbox(disk or siren.folder / "state", CLOCK)
        broker = MemoryBroker()
        self.room = broker.connection()
        self.publisher = Publisher(
            self.site,
            broker.connection(),
            self.box,
            CLOCK,
            attendance=Attendance(CLOCK, run=1, expected=expected),
        )
        made = open_local_alarm(self.site, self.box, self.publisher, CLOCK)
        assert made is not None
        self.local_alarm = made

    def beat(self) -> None:
        topic = topic_name("control_room", site="roadway", gateway="gw1")
        said = ControlRoomBeat(said_at_ns=1)
        payload = encode(said, gateway="gw1", seq=1, sent_at_ns=1)
        self.room.publish(topic, payload, qos=0, retain=False)

    def receipt(self) -> None:
        topic = topic_name("receipt", site="roadway", gateway="gw1", id="man_down-1")
        said = Receipt(alarm="man_down-1", state="active", stored_at_ns=1)
        payload = encode(said, gateway="gw1", seq=1, sent_at_ns=1)
        self.room.publish(topic, payload, qos=1, retain=False)

    def close(self) -> None:
        self.local_alarm.close()
        self.publisher.going_offline()
        self.box.close()


def test_silence_of_the_control_room_sounds_the_siren_and_its_return_ends_it(
    siren: Siren, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("delivery.attendance.SILENT_AFTER_S", 0.5)
    gateway = Gateway(siren, expected=True)
    try:
        wait_until(lambda: siren.words() == ["on"])
        assert siren.calls()[0][1]["EVENT"] == "control_room_silent"
        until_s = time.monotonic() + 60
        while siren.words() != ["on", "off"] and time.monotonic() < until_s:
            gateway.beat()
            time.sleep(0.05)
        assert siren.words() == ["on", "off"]
    finally:
        gateway.close()


def test_a_critical_alarm_that_nobody_receipts_sounds_the_siren(siren: Siren) -> None:
    gateway = Gateway(siren, expected=False)
    try:
        gateway.publisher.alarm(replace(alarm("warning-1"), severity="warning"))
        gateway.publisher.alarm(alarm())
        time.sleep(0.6)
        assert siren.words() == [], "no control room was ever heard: a trial"
        gateway.beat()
        wait_until(lambda: siren.words() == ["on"])
        assert siren.calls()[0][1]["EVENT"] == "alarm_unreceipted"
        assert siren.calls()[0][1]["ALARM"] == "man_down-1"
        until_s = time.monotonic() + 60
        while siren.words() != ["on", "off"] and time.monotonic() < until_s:
            gateway.beat()
            gateway.receipt()
            time.sleep(0.05)
        assert siren.words() == ["on", "off"]
    finally:
        gateway.close()


def test_an_outbox_that_can_not_be_read_ends_no_siren(siren: Siren) -> None:
    gateway = Gateway(siren, expected=False)
    read = threading.Event()

    def broken(_after_s: float) -> Anomaly | None:
        read.set()
        raise OutboxError("disk failed")

    try:
        gateway.publisher.alarm(alarm())
        gateway.beat()
        wait_until(lambda: siren.words() == ["on"])
        gateway.box.overdue = broken  # type: ignore[method-assign, assignment]
        for _ in range(3):
            gateway.beat()
            read.clear()
            assert read.wait(60)
        assert siren.words() == ["on"]
    finally:
        gateway.close()


def test_a_mistake_of_ours_is_told_until_it_is_over(siren: Siren) -> None:
    causes = iter([ValueError("x"), None, None])
    with siren.run() as run:

        def cause() -> Cause | None:
            found = next(causes, None)
            if found is not None:
                raise found
            return None

        run._cause = cause
        wait_until(lambda: len(siren.trouble) >= 2)
    assert siren.trouble == ["the local alarm failed: ValueError: x", ""]


def test_a_siren_that_hangs_blocks_no_alarm(siren: Siren) -> None:
    gateway = Gateway(siren, expected=True)
    pid_file = siren.folder / "pid"
    sleeping = f"echo $$ > {pid_file}; exec sleep 600"
    hung = siren.config(command=("/bin/sh", "-c", sleeping), limit_s=600)
    blocked = LocalAlarm(
        hung,
        lambda: SILENCE,
        CLOCK,
        memory=siren.folder / "hung",
        names={},
        on_trouble=siren.trouble.append,
        log=siren.log.append,
    )
    heard: list[str] = []
    gateway.room.subscribe("mine/+/gw/+/alarm/+", 1, lambda topic, *_: heard.append(topic))
    try:
        wait_until(lambda: pid_file.exists() and bool(pid_file.read_text()))
        for i in range(20):
            gateway.publisher.alarm(alarm(f"a-{i}"))
        wait_until(lambda: len(set(heard)) == 20)
        assert siren.trouble == [], "it hangs still"
    finally:
        gateway.close()
        os.kill(int(pid_file.read_text()), 9)
        blocked.close()


def test_the_site_file_says_what_is_run(tmp_path: Path) -> None:
    text = SITE + "local_alarm: {command: [/usr/local/bin/siren, 'on'], repeat_s: 30}\n"
    read = parse_site(text, name="site.yaml", folder=tmp_path).local_alarm
    assert read is not None
    assert read.command == ("/usr/local/bin/siren", "on")
    for wrong in ("{command: []}", "{command: siren on}", "{command: [x], repeat_s: 0}", "{}"):
        with pytest.raises(SiteError, match="local_alarm"):
            parse_site(SITE + f"local_alarm: {wrong}\n", name="site.yaml", folder=tmp_path)


def test_the_site_file_says_whom_to_trust(tmp_path: Path) -> None:
    text = SITE + "signing: {key_file: gw1.key, trusted: trusted, required: true}\n"
    read = parse_site(text, name="site.yaml", folder=tmp_path).signing
    assert read is not None
    assert (read.key_file, read.trusted) == (tmp_path / "gw1.key", (tmp_path / "trusted",))
    text = SITE + "signing: {trusted: [a.pub, b.pub]}\n"
    read = parse_site(text, name="site.yaml", folder=tmp_path).signing
    assert read is not None
    assert read.trusted == (tmp_path / "a.pub", tmp_path / "b.pub")
    with pytest.raises(SiteError, match="every order would be refused"):
        parse_site(SITE + "signing: {required: true}\n", name="site.yaml", folder=tmp_path)


@pytest.mark.skipif(bool(no_loop_disk()), reason=no_loop_disk())
def test_the_siren_does_not_wait_for_a_disk_that_hangs(siren: Siren, tmp_path: Path) -> None:
    with loop_disk(tmp_path) as (_, disk):
        siren.folder = disk
        with stalled(disk), siren.run():
            siren.cause = Cause(event="control_room_silent", text="silent")
            wait_until(lambda: siren.words() == ["on"])
            siren.cause = None
            wait_until(lambda: siren.words() == ["on", "off"])
        siren.cause = Cause(event="control_room_silent", text="silent")
        with siren.run():
            wait_until((disk / "on").exists)
        siren.cause = None
        with siren.run():  # what an earlier run began is ended by this one
            wait_until(lambda: not (disk / "on").exists())
        assert siren.words()[-1] == "off"


@pytest.mark.skipif(bool(no_loop_disk()), reason=no_loop_disk())
def test_silence_is_acted_on_before_the_outbox_is_asked(siren: Siren, tmp_path: Path) -> None:
    """An outbox whose disk hangs takes its time to say so."""
    config = siren.config()
    told = parse_site(SITE, name="site.yaml", folder=tmp_path).model_copy(
        update={"local_alarm": config}
    )
    with loop_disk(tmp_path) as (_, disk):
        box = Outbox(disk, CLOCK, patience_s=HANG_S)
        silent = Attendance(CLOCK, run=1, expected=True)
        silent._heard_at_s -= 60.0
        link = MemoryBroker().connection()
        publisher = Publisher(site(tmp_path), link, box, CLOCK, attendance=silent)
        with stalled(disk):
            threading.Thread(target=lambda: box.put(alarm()), daemon=True).start()
            wait_until(lambda: box._disk.busy_s > 0.2)
            made = open_local_alarm(told, box, publisher, CLOCK)
            assert made is not None
            wait_until(lambda: siren.words() == ["on"])
        made.close()
        publisher.going_offline()
        box.close()


@pytest.mark.skipif(bool(no_loop_disk()), reason=no_loop_disk())
def test_what_a_hanging_disk_can_not_take_sounds_the_siren_as_well(
    siren: Siren, tmp_path: Path
) -> None:
    with loop_disk(tmp_path) as (_, disk):
        gateway = Gateway(siren, expected=False, disk=disk)
        try:
            with stalled(disk):
                gateway.beat()
                gateway.publisher.alarm(alarm())
                wait_until(lambda: siren.words() == ["on"])
                assert siren.calls()[0][1]["ALARM"] == "man_down-1"
        finally:
            gateway.close()
