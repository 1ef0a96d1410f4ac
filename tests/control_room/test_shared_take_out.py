"""Two control rooms on one journal: what one hears or does, the other one's page shows, too."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from control_room.heartbeat import KIND as SILENT
from control_room.journal.database import JournalError
from control_room.journal.journal import Journal
from control_room.lifecycle import wish_of
from control_room.room import Room
from control_room.shared_alarms import SHARE_EVERY_S
from scene.clock import ReplayClock
from scene.messages import GatewayState
from scene.topics import Address
from scene.wire import Envelope, Message, type_name
from tests.control_room.fake_gateway import GATEWAY, SITE, alarm, description, health
from tests.control_room.postgres import NO_POSTGRES, Postgres, has_postgres, postgres, wait_until

NOW_NS = 1_790_000_000_000_000_000
WHY = {"by": "Li", "reason": "the drift is closed"}


@pytest.fixture(scope="module")
def own_server() -> Iterator[Postgres]:
    """A server that is stopped, so that no other test should use it."""
    if not has_postgres():
        pytest.skip(NO_POSTGRES)
    pytest.importorskip("psycopg")
    with postgres() as started:
        yield started


class Rooms:
    """Two control rooms that hear one gateway, and a page at each."""

    def __init__(self, place: str) -> None:
        self.clock = ReplayClock(now_ns=NOW_NS)
        self.journals = [Journal(place, required=True) for _ in range(2)]
        self.told: list[list[dict[str, Any]]] = [[], []]
        self.rooms = [self.new_room(at) for at in range(2)]
        self.say(GatewayState(online=True, since_ns=NOW_NS), description(), health(NOW_NS))

    def new_room(self, at: int) -> Room:
        def listen(_about: str, text: str) -> None:
            self.told[at].append(json.loads(text))

        host = ("ctl-a", "ctl-b")[at]
        room = Room(self.journals[at], self.clock, *[lambda *_: None] * 2, prefix="mine", host=host)
        room.join(listen)
        return room

    def say(self, *messages: Message, to: tuple[int, ...] = (0, 1)) -> None:
        for message in messages:
            topic, id = type_name(message), getattr(message, "id", None)
            address = Address(prefix="mine", site=SITE, gateway=GATEWAY, topic=topic, id=id)
            now_ns = self.clock.now_ns()
            said = Envelope(type=topic, gateway=GATEWAY, seq=1, sent_at_ns=now_ns, body=message)
            for at in to:
                self.rooms[at].hear(address, said)

    def pass_time(self, seconds: int = round(2 * SHARE_EVERY_S)) -> None:
        for _ in range(seconds):
            self.clock.sleep(1)
            for room in self.rooms:
                room.tick()

    def snapshot(self, at: int) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(self.rooms[at].join(lambda *_: None))
        return said

    def out(self, at: int) -> list[tuple[str, str, str]]:
        """List who is out by one of the rooms: gateway, by whom, and where."""
        told = self.snapshot(at)["out_of_service"]
        return [(one["gateway"], one["by"], one["room"]) for one in told]

    def phase(self, at: int, id: str) -> str:
        """Tell how an alarm stands as a page at a room has heard last."""
        said = [one for one in self.told[at] if one["is"] == "alarm" and one["anomaly"]["id"] == id]
        return str(said[-1]["phase"])

    def shown(self, at: int) -> list[str]:
        """List the open alarms as a page at a room has heard of them."""
        found: dict[str, str] = {}
        for said in self.told[at]:
            if said["is"] == "alarm":
                found[said["anomaly"]["id"]] = said["phase"]
        return sorted(
            id for id, phase in found.items() if phase in ("unacknowledged", "acknowledged")
        )

    def silences(self) -> list[str]:
        """List the active alarms of silence that stand in the journal."""
        found = self.journals[0].open_entries()
        return sorted(
            one.key.alarm for one in found if one.last.kind == SILENT and one.cleared_at_ns is None
        )

    def close(self) -> None:
        for journal in self.journals:
            journal.close()


@pytest.fixture
def rooms(own_server: Postgres) -> Iterator[Rooms]:
    made = Rooms(own_server.new_database())
    yield made
    made.close()


def test_an_alarm_is_told_at_both_at_once_though_only_one_is_first_to_store_it(
    rooms: Rooms,
) -> None:
    rooms.say(alarm(at_ns=NOW_NS))
    assert [rooms.shown(at) for at in range(2)] == [["man_down-3"]] * 2
    told = [len(one) for one in rooms.told]
    rooms.say(alarm(at_ns=NOW_NS))
    assert [len(one) for one in rooms.told] == told, "said again it is no news"
    rooms.pass_time(4)
    for at in range(2):
        assert sum(one["is"] == "alarm" for one in rooms.told[at]) == 1, "nor looked at later"


def test_what_came_before_the_first_look_at_the_others_doing_is_told_too(rooms: Rooms) -> None:
    rooms.say(alarm(at_ns=NOW_NS), to=(0,))
    assert rooms.shown(1) == []
    rooms.pass_time(1)
    assert rooms.shown(1) == ["man_down-3"]


def test_what_operators_do_at_one_is_seen_at_the_other(rooms: Rooms) -> None:
    rooms.say(alarm(at_ns=NOW_NS))
    rooms.pass_time()

    def do(action: str, at: int, **more: object) -> None:
        said = {"site": SITE, "gateway": GATEWAY, "id": "man_down-3", "by": "Li", "reason": "x"}
        rooms.rooms[at].do(wish_of(action, said | more))
        rooms.pass_time()

    do("acknowledge", 0)
    assert rooms.phase(1, "man_down-3") == "acknowledged"
    do("shelve", 1, minutes=20)
    assert rooms.phase(0, "man_down-3") == "shelved"
    do("unshelve", 0)
    assert rooms.phase(1, "man_down-3") == "unacknowledged"
    rooms.say(alarm(at_ns=NOW_NS, state="cleared"), to=(1,))
    rooms.pass_time()
    assert rooms.phase(0, "man_down-3") == "cleared_unacknowledged"
    do("acknowledge", 1)
    assert rooms.phase(0, "man_down-3") == "over"


def test_what_one_takes_out_the_other_waits_for_no_more(rooms: Rooms) -> None:
    rooms.pass_time(10)
    assert {one.last.kind for one in rooms.journals[1].open_entries()} == {SILENT}
    assert rooms.shown(1), "the page of the other one shows it"
    rooms.rooms[0].take_out(SITE, GATEWAY, **WHY)
    rooms.pass_time()
    for at in range(2):
        assert rooms.out(at) == [(GATEWAY, "Li", "ctl-a")]
        assert rooms.shown(at) == []
        assert rooms.rooms[at].muster(SITE) is None
    rooms.pass_time(600)
    assert [one for one in rooms.journals[0].open_entries() if one.cleared_at_ns is None] == []
    assert len(rooms.journals[0].audited("gateway_out", "gateway_back")) == 1


def test_who_speaks_again_is_back_at_both_though_one_does_not_hear_it(rooms: Rooms) -> None:
    lost = alarm("camera_lost-1", at_ns=NOW_NS, kind="camera_lost", track=None)
    rooms.say(lost)
    rooms.pass_time(10)
    rooms.rooms[0].take_out(SITE, GATEWAY, **WHY)
    rooms.pass_time()
    assert rooms.shown(1) == []
    rooms.say(lost, health(rooms.clock.now_ns()), to=(1,))
    rooms.pass_time()
    for at in range(2):
        assert rooms.out(at) == []
        assert [one["gateway"] for one in rooms.snapshot(at)["returned"]] == [GATEWAY]
        assert "camera_lost-1" in rooms.shown(at)
    rooms.pass_time(10)  # and it is waited for again, also where it has not been heard
    assert any(one.startswith(SILENT) for one in rooms.shown(0))
    rooms.rooms[0].take_out(SITE, GATEWAY, **WHY)
    rooms.pass_time()
    assert [len(rooms.out(at)) for at in range(2)] == [1, 1], "a second time"


def test_one_that_is_heard_elsewhere_is_not_out(rooms: Rooms) -> None:
    """The line of one room is cut: what it takes out still speaks at the other."""
    for _ in range(10):
        rooms.say(health(rooms.clock.now_ns()), to=(1,))
        rooms.pass_time(1)
    rooms.rooms[0].take_out(SITE, GATEWAY, **WHY)
    for _ in range(round(3 * SHARE_EVERY_S)):
        rooms.say(health(rooms.clock.now_ns()), to=(1,))
        rooms.pass_time(1)
    assert [rooms.out(at) for at in range(2)] == [[], []]
    assert [one.what for one in rooms.journals[0].audited("gateway_out", "gateway_back")] == [
        "gateway_out",
        "gateway_back",
    ]
    assert not any(one.startswith(SILENT) for one in rooms.shown(1))


def test_a_database_that_was_away_is_asked_again(own_server: Postgres, rooms: Rooms) -> None:
    rooms.pass_time(10)
    rooms.rooms[0].take_out(SITE, GATEWAY, **WHY)
    own_server.stop()
    rooms.pass_time()
    assert rooms.out(1) == []
    assert "is away" in rooms.snapshot(1)["trouble"]
    own_server.start()
    for journal in rooms.journals:
        wait_until(lambda journal=journal: can_read(journal))  # type: ignore[misc]
    rooms.pass_time()
    assert rooms.out(1) == [(GATEWAY, "Li", "ctl-a")]
    rooms.pass_time(60)
    assert rooms.snapshot(1)["trouble"] == ""
    assert rooms.shown(1) == []


def test_a_database_that_was_away_does_not_have_them_end_each_others_alarms(
    own_server: Postgres, rooms: Rooms
) -> None:
    for _ in range(10):
        for room in rooms.rooms:
            rooms.clock.sleep(1)
            room.tick()
    assert len(rooms.silences()) == 2, "each has its own, of its own hearing"
    before = rooms.silences()
    own_server.stop()
    rooms.pass_time()
    own_server.start()
    for journal in rooms.journals:
        wait_until(lambda journal=journal: can_read(journal))  # type: ignore[misc]
    rooms.pass_time()
    assert rooms.silences() == before
    rooms.say(health(rooms.clock.now_ns()))
    rooms.pass_time(1)
    assert rooms.silences() == []


def test_what_another_room_took_for_its_own_and_ended_is_raised_anew_where_it_is_still_so(
    rooms: Rooms,
) -> None:
    """Only one is cut off; the other is started again meanwhile and hears the gateway well."""
    for _ in range(10):
        rooms.say(health(rooms.clock.now_ns()), to=(1,))
        rooms.pass_time(1)
    [first] = rooms.silences()
    rooms.rooms[1] = rooms.new_room(1)
    for _ in range(10):
        rooms.say(health(rooms.clock.now_ns()), to=(1,))
        rooms.pass_time(1)
    [anew] = rooms.silences()
    assert anew != first
    assert [anew in rooms.shown(at) for at in range(2)] == [True, True]
    rooms.say(health(rooms.clock.now_ns()))
    rooms.pass_time(1)
    assert rooms.silences() == []


def test_what_an_operator_ended_is_not_raised_anew(rooms: Rooms) -> None:
    rooms.pass_time(10)
    for id in rooms.silences():
        said = {"site": SITE, "gateway": GATEWAY, "id": id, "by": "Li", "reason": "x"}
        rooms.rooms[0].do(wish_of("end", said))
    rooms.pass_time(20)
    assert rooms.silences() == []


def test_a_return_that_only_one_could_write_down_late_is_no_second_taking_out(
    own_server: Postgres, rooms: Rooms
) -> None:
    rooms.pass_time(10)
    rooms.rooms[0].take_out(SITE, GATEWAY, **WHY)
    rooms.pass_time()
    own_server.stop()
    rooms.say(health(rooms.clock.now_ns()))
    assert [rooms.out(at) for at in range(2)] == [[], []]
    own_server.start()
    for journal in rooms.journals:
        wait_until(lambda journal=journal: can_read(journal))  # type: ignore[misc]
    for _ in range(20):
        rooms.say(health(rooms.clock.now_ns()))
        rooms.pass_time(1)
    assert [rooms.out(at) for at in range(2)] == [[], []]
    assert rooms.shown(0) == rooms.shown(1) == []


def can_read(journal: Journal) -> bool:
    try:
        journal.open_entries()
    except JournalError:
        return False
    return True
