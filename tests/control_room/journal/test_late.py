"""A control room that was started while its database was away makes good what it could not know."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from control_room.journal.database import JournalError
from control_room.journal.journal import Journal
from control_room.own_alarms import REFUSED, SILENT
from control_room.room import Room
from delivery.signing import RefusedError
from scene.clock import ReplayClock
from scene.topics import SILENT_AFTER_S, Address
from scene.wire import Envelope, Message, type_name
from tests.control_room.fake_gateway import GATEWAY, SITE, alarm, health
from tests.control_room.postgres import NO_POSTGRES, Postgres, has_postgres, postgres, wait_until


@pytest.fixture(scope="module")
def own_server() -> Iterator[Postgres]:
    """A server that is stopped, so that no other test should use it."""
    if not has_postgres():
        pytest.skip(NO_POSTGRES)
    pytest.importorskip("psycopg")
    with postgres() as started:
        yield started


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


class Watcher:
    """A room that waits for one gateway, and a page that was open from the start."""

    def __init__(self, journal: Journal, clock: ReplayClock) -> None:
        self._clock = clock
        self.phases: dict[str, list[str]] = {}
        """Of each alarm's id, what the page was told."""
        self.trouble = ""
        self.room = Room(
            journal,
            clock,
            lambda *_: None,
            lambda *_: None,
            prefix="mine",
            expected=[(SITE, GATEWAY)],
        )
        snapshot = json.loads(self.room.join(self._listen))
        self.known = {one["anomaly"]["id"] for one in snapshot["alarms"]}

    def _listen(self, about: str, text: str) -> None:
        said: dict[str, Any] = json.loads(text)
        if about == "alarm":
            word = said["anomaly"]
            self.phases.setdefault(word["id"], []).append(word["state"])
        elif about == "clock":
            self.trouble = said["trouble"]

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self._clock.sleep(seconds)
        self.room.tick()

    def say(self, message: Message) -> None:
        """Have the gateway say something."""
        topic = type_name(message)
        id = getattr(message, "id", None)
        now_ns = self._clock.now_ns()
        self.room.hear(
            Address(prefix="mine", site=SITE, gateway=GATEWAY, topic=topic, id=id),
            Envelope(type=topic, gateway=GATEWAY, seq=1, sent_at_ns=now_ns, body=message),
        )

    def refuse(self) -> None:
        """Have a message refused."""
        topic = Address(prefix="mine", site=SITE, gateway=GATEWAY, topic="health", id=None)
        self.room.refuse(topic, RefusedError("its signature is wrong"))


def standing(journal: Journal) -> list[str]:
    """Name the kinds of the alarms that are active."""
    return sorted(one.last.kind for one in journal.open_entries() if one.last.state == "active")


def can_read(journal: Journal) -> bool:
    try:
        journal.open_entries()
    except JournalError:
        return False
    return True


@pytest.mark.parametrize("raised_anew", [False, True])
def test_alarms_of_its_own_go_on_once_the_database_is_there(
    own_server: Postgres, raised_anew: bool
) -> None:
    place, clock = own_server.new_database(), ReplayClock(now_ns=1_790_000_000_000_000_000)
    with closing(Journal(place, required=True)) as journal:
        before = Watcher(journal, clock)
        before.say(alarm(at_ns=clock.now_ns()))
        before.refuse()
        before.wait(SILENT_AFTER_S + 1.0)
        assert standing(journal) == ["gateway_silent", "man_down", "message_refused"]
        former = {one.last.kind: one.key.alarm for one in journal.open_entries()}

    own_server.stop()
    with closing(Journal(place)) as journal:
        late = Watcher(journal, clock)
        assert late.known == set(), "nobody can know"
        late.wait(1.0)
        assert "can't be read" in late.trouble
        if raised_anew:
            late.wait(SILENT_AFTER_S)
            late.refuse()
            assert len(late.phases) == 2, "people hear all the same"
        own_server.start()
        wait_until(lambda: can_read(journal))
        late.wait(0.5)

        assert standing(journal) == ["gateway_silent", "man_down", "message_refused"], "each once"
        assert late.trouble == ""
        assert late.phases[former["man_down"]] == ["active"], "the open page hears of it"
        for kind in (SILENT, REFUSED):
            told = late.phases[former[kind]]
            assert told == (["active", "cleared"] if raised_anew else ["active"])
        late.wait(0.5)
        assert late.phases[former["man_down"]] == ["active"], "and once"

        late.say(health(clock.now_ns()))
        assert standing(journal) == ["man_down", "message_refused"]
        for _ in range(70):
            late.wait(1.0)
            late.say(health(clock.now_ns()))
        assert standing(journal) == ["man_down"]


def test_a_page_that_was_opened_while_the_database_was_away_hears_of_open_alarms(
    own_server: Postgres,
) -> None:
    place, clock = own_server.new_database(), ReplayClock(now_ns=1_790_000_000_000_000_000)
    with closing(Journal(place, required=True)) as journal:
        watcher = Watcher(journal, clock)
        watcher.say(alarm(at_ns=clock.now_ns()))
        own_server.stop()
        heard: list[str] = []
        snapshot = json.loads(
            watcher.room.join(
                lambda about, text: (
                    heard.append(json.loads(text)["anomaly"]["id"]) if about == "alarm" else None
                )
            )
        )
        assert snapshot["alarms"] == []
        own_server.start()
        wait_until(lambda: can_read(journal))
        watcher.wait(0.5)
        assert heard == ["man_down-3"]
