"""What the control room says of itself: a broker that could not take over, a full journal."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from control_room import probes
from control_room.journal.journal import Journal
from control_room.lifecycle import wish_of
from control_room.main import open_room
from control_room.own_alarms import OURSELVES, TROUBLE
from control_room.own_trouble import TWO_LOOKS_S
from control_room.probes import Probes
from control_room.room import Room
from delivery import spares
from delivery.broker import EmbeddedBroker
from scene.clock import ReplayClock, SystemClock
from scene.site import BrokerConfig
from scene.topics import Address
from scene.wire import Envelope, Message
from tests.control_room.fake_gateway import GATEWAY, SITE, alarm, health
from tests.control_room.test_room import NOW_NS
from tests.control_room.ticking import ticking
from tests.delivery.parts import free_port, wait_until


def own(room: Room) -> list[tuple[str, str]]:
    """List what the journal has of the control room's own trouble: state and evidence."""
    return [
        (one.last.state, one.last.evidence)
        for one in room.journal.history()
        if (one.key.site, one.key.gateway) == OURSELVES and one.last.kind == TROUBLE
    ]


def test_a_broker_of_the_list_that_could_not_take_over_is_an_alarm_until_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spares, "LOOK_EVERY_S", 0.05)
    monkeypatch.setattr("control_room.own_trouble.SILENT_AFTER_S", 0.5)
    port = free_port()
    with EmbeddedBroker() as used:
        config = BrokerConfig(url=f"mqtt://127.0.0.1:{used.port},127.0.0.1:{port}")
        with (
            open_room(config, tmp_path / "journal.sqlite", SystemClock()) as room,
            ticking(room.tick, 0.1),
        ):
            wait_until(lambda: [state for state, _ in own(room)] == ["active"])
            [(_, evidence)] = own(room)
            assert f"127.0.0.1:{port}: no MQTT broker can be reached" in evidence
            assert "it could not take over" in evidence
            assert "mend --broker" in evidence, "as the option is called here"
            with EmbeddedBroker(port=port):
                wait_until(lambda: [state for state, _ in own(room)] == ["cleared"])


class Trial:
    """A room with a journal of its own, and who tries now and then whether that can be written."""

    def __init__(self, folder: Path, host: str = "ctl-a") -> None:
        self.clock = ReplayClock(now_ns=NOW_NS)
        self.journal = Journal(folder / "journal.sqlite")
        self.room = self.new_room(host)

    def new_room(self, host: str) -> Room:
        return Room(self.journal, self.clock, *[lambda *_: None] * 2, prefix="mine", host=host)

    def hear(self, topic: str, body: Message, id: str | None = None) -> None:
        address = Address(prefix="mine", site=SITE, gateway=GATEWAY, topic=topic, id=id)
        now_ns = self.clock.now_ns()
        said = Envelope(type=topic, gateway=GATEWAY, seq=1, sent_at_ns=now_ns, body=body)
        self.room.hear(address, said)

    def go_on(self, seconds: int = 30) -> None:
        asked = Probes(self.room, self.clock)
        for _ in range(seconds):
            self.clock.sleep(1)
            asked.look()
            self.room.tick()


def test_a_journal_that_is_full_is_an_alarm_though_nothing_was_to_be_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = Trial(tmp_path)
    with closing(trial.journal):
        trial.go_on()
        assert own(trial.room) == []
        with monkeypatch.context() as full:
            full.setattr(probes, "LEAST_FREE_BYTES", 2**62)
            trial.go_on()
            [(state, evidence)] = own(trial.room)
            assert state == "active"
            assert "journal.sqlite: its disk is full: make room there" in evidence
            assert "its disk is full" in trial.room.how_it_is()["trouble"]
        trial.go_on()
        assert [state for state, _ in own(trial.room)] == ["cleared"]
        assert trial.room.how_it_is()["trouble"] == ""


def test_a_journal_that_is_held_for_a_moment_is_no_alarm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("control_room.journal.database.LOCKED_S", 0.01)
    trial = Trial(tmp_path)
    with (
        closing(trial.journal),
        closing(sqlite3.connect(tmp_path / "journal.sqlite", isolation_level=None)) as somebody,
    ):
        for _ in range(5):
            somebody.execute("BEGIN IMMEDIATE")
            trial.go_on(1)
            assert "let that end" in trial.room.how_it_is()["trouble"]
            somebody.execute("ROLLBACK")
            trial.go_on(round(TWO_LOOKS_S) - 2)
        trial.go_on()
        assert own(trial.room) == []


def _goes_on_elsewhere(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the disk run full on one machine, and the control room go on on another one."""
    with monkeypatch.context() as full:
        full.setattr(probes, "LEAST_FREE_BYTES", 2**62)
        trial.go_on()
    trial.room = trial.new_room("ctl-b")


def test_a_restart_carries_it_on_and_another_machine_leaves_it_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = Trial(tmp_path)
    with closing(trial.journal):
        _goes_on_elsewhere(trial, monkeypatch)
        trial.go_on()
        assert [state for state, _ in own(trial.room)] == ["active"], "another one's"
        trial.room = trial.new_room("ctl-a")
        trial.go_on()
        assert [state for state, _ in own(trial.room)] == ["cleared"]


def test_an_alarm_of_a_machine_that_is_no_more_can_be_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container has another name each time that it is made."""
    trial = Trial(tmp_path)
    with closing(trial.journal):
        _goes_on_elsewhere(trial, monkeypatch)
        [entry] = trial.journal.open_entries()
        said = {"site": OURSELVES[0], "gateway": OURSELVES[1], "id": entry.key.alarm}
        told = trial.room.do(wish_of("end", said | {"by": "Li", "reason": "ctl-a is scrapped"}))
        assert told["may_end"]
        assert [state for state, _ in own(trial.room)] == ["cleared"]


def test_a_word_that_was_refused_once_and_never_said_again_is_no_lasting_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("control_room.journal.database.LOCKED_S", 0.01)
    trial = Trial(tmp_path)
    said = alarm(at_ns=NOW_NS)
    with (
        closing(trial.journal),
        closing(sqlite3.connect(tmp_path / "journal.sqlite", isolation_level=None)) as somebody,
    ):
        asked = Probes(trial.room, trial.clock)
        somebody.execute("BEGIN IMMEDIATE")
        trial.hear("alarm", said, id=said.id)
        somebody.execute("ROLLBACK")
        assert "let that end" in trial.room.how_it_is()["trouble"]
        for _ in range(30):
            trial.clock.sleep(1)
            trial.hear("health", health(trial.clock.now_ns()))  # else a silence would be stored
            asked.look()
            trial.room.tick()
        assert trial.room.how_it_is()["trouble"] == ""
        assert trial.journal.history() == [], "and nothing was raised for it"
