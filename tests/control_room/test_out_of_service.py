"""A gateway taken out of service raises no silence; a dead one does; who speaks again is back."""

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from socket import gethostname
from typing import Any

import pytest

from control_room.access.roles import Role
from control_room.clock_watch import BEATS, HOLD_S
from control_room.heartbeat import KIND as SILENT
from control_room.journal.database import Place
from control_room.journal.journal import Journal
from control_room.journal.schema import JournalError
from control_room.lifecycle import Key, NotNow, UnknownAlarm
from control_room.main import open_room
from control_room.room import Room
from delivery.mqtt import Connection
from scene.clock import SystemClock
from scene.messages import GatewayState
from scene.site import BrokerConfig
from scene.topics import Address, topic_name
from scene.wire import Envelope, Message, encode
from tests.control_room.access.house import house
from tests.control_room.fake_gateway import GATEWAY, SITE, alarm, description, health, people_at
from tests.control_room.test_room import Hall
from tests.delivery.parts import MOSQUITTO, NO_MOSQUITTO, mosquitto, wait_until

WHY = {"by": "Li", "reason": "the drift is closed"}


class Mine(Hall):
    """A room with one gateway that may die."""

    def __init__(self) -> None:
        self.forgotten: list[tuple[str, str, list[str]]] = []
        super().__init__()
        self.room.join(self.listen)
        self.start()

    def new_room(self, prefix: str = "mine", *, expected: tuple[tuple[str, str], ...] = ()) -> Room:
        return Room(
            self.journal,
            self.clock,
            lambda _site, _gateway, receipt: self.receipts.append(receipt),
            lambda _site, _gateway, order: self.orders.append(order),
            prefix=prefix,
            expected=expected,
            forget_kept=lambda site, gateway, ids: self.forgotten.append((site, gateway, [*ids])),
        )

    def start(self) -> None:
        now_ns = self.clock.now_ns()
        self.say(GatewayState(online=True, since_ns=now_ns))
        self.say(description())
        self.say(health(now_ns))
        self.say(people_at(0, now_ns))

    def die(self) -> None:
        self.say(GatewayState(online=False, since_ns=0))
        self.pass_time(10)

    def pass_time(self, seconds: int) -> None:
        for _ in range(seconds):
            self.clock.sleep(1)
            self.room.tick()

    def open_kinds(self) -> list[str]:
        return [one.last.kind for one in self.journal.open_entries() if one.cleared_at_ns is None]

    def snapshot(self) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(self.room.join(lambda *_: None))
        return said


def test_who_is_out_is_silent_for_ever_and_who_has_died_is_an_alarm() -> None:
    mine = Mine()
    mine.say(health(mine.clock.now_ns()), gateway="gw2")
    mine.die()
    assert mine.open_kinds() == [SILENT, SILENT]

    mine.room.take_out(SITE, GATEWAY, **WHY)
    mine.room.take_out(SITE, GATEWAY, **WHY)
    mine.pass_time(600)

    assert [one.key.gateway for one in mine.journal.open_entries() if not one.cleared_at_ns] == [
        "gw2"
    ]
    told = mine.snapshot()
    assert [one["gateway"] for one in told["out_of_service"]] == [GATEWAY]
    assert told["out_of_service"][0]["by"] == "Li"
    assert GATEWAY not in {said["gateway"] for said in told["said"]}
    counted = mine.room.muster(SITE)
    assert counted is not None
    assert [gateway for gateway, _ in counted["silent"]] == ["gw2"]
    [(site, gateway, _)] = mine.forgotten
    assert (site, gateway) == (SITE, GATEWAY)
    assert [(one.what, one.who) for one in mine.journal.audited("gateway_out")] == [
        ("gateway_out", "Li")
    ]


def test_a_restart_remembers_who_is_out_though_the_broker_says_so_and_keys_are_there() -> None:
    mine = Mine()
    mine.die()
    mine.room.take_out(SITE, GATEWAY, **WHY)
    mine.room = mine.new_room(expected=((SITE, GATEWAY),))
    mine.say(GatewayState(online=False, since_ns=0))
    mine.say(description())
    mine.pass_time(60)
    assert mine.open_kinds() == []
    assert mine.room.muster(SITE) is None


def test_who_speaks_again_is_back_and_watched_and_that_is_said() -> None:
    mine = Mine()
    mine.die()
    mine.room.take_out(SITE, GATEWAY, **WHY)
    mine.pass_time(60)

    mine.start()

    told = mine.snapshot()
    assert told["out_of_service"] == []
    [back] = told["returned"]
    assert (back["gateway"], back["reason"]) == (GATEWAY, WHY["reason"])
    topics = {said["topic"] for said in told["said"]}
    assert topics == {"state", "site", "health", "positions"}, "what was kept aside counts"
    assert [one.what for one in mine.journal.audited("gateway_out", "gateway_back")] == [
        "gateway_out",
        "gateway_back",
    ]
    mine.pass_time(10)
    assert mine.open_kinds() == [SILENT], "it is waited for again"
    mine.room = mine.new_room()
    assert mine.snapshot()["out_of_service"] == []


def test_one_that_speaks_or_has_somebody_in_danger_stays() -> None:
    mine = Mine()
    with pytest.raises(NotNow, match="gw1 speaks"):
        mine.room.take_out(SITE, GATEWAY, **WHY)
    with pytest.raises(UnknownAlarm, match="gw9"):
        mine.room.take_out(SITE, "gw9", **WHY)
    mine.say(alarm(at_ns=mine.clock.now_ns()), id="man_down-3")
    mine.die()
    with pytest.raises(NotNow, match="man_down-3"):
        mine.room.take_out(SITE, GATEWAY, **WHY)
    assert "man_down" in mine.open_kinds()

    mine.do("end")
    mine.room.take_out(SITE, GATEWAY, **WHY)

    assert mine.open_kinds() == []
    assert "man_down-3" in mine.forgotten[0][2]


def test_an_alarm_that_a_gateway_still_has_when_it_is_back_is_there_again() -> None:
    mine = Mine()
    lost = alarm("camera_lost-1", at_ns=mine.clock.now_ns(), kind="camera_lost", track=None)
    mine.say(lost, id=lost.id)
    down = alarm(at_ns=mine.clock.now_ns())
    mine.say(down, id=down.id)
    mine.die()
    mine.do("end")
    mine.room.take_out(SITE, GATEWAY, **WHY)
    assert mine.open_kinds() == []
    mine.pass_time(5)

    for one in (lost, down):  # before its first heartbeat, as a gateway that was started does
        mine.say(replace(one, severity="warning"), id=one.id)
    assert mine.open_kinds() == []
    mine.orders.clear()
    mine.start()

    assert sorted(mine.open_kinds()) == ["camera_lost", "man_down"]
    mine.pass_time(3)
    assert {one.alarm for one in mine.orders} == {"man_down-3"}, "it is still to be ended"
    mine.say(replace(lost, state="cleared", captured_at_ns=mine.clock.now_ns()), id=lost.id)
    assert mine.open_kinds() == ["man_down"]


def test_an_alarm_that_a_gateway_says_only_after_it_is_back_is_there_again() -> None:
    mine = Mine()
    lost = alarm("camera_lost-1", at_ns=mine.clock.now_ns(), kind="camera_lost", track=None)
    mine.say(lost, id=lost.id)
    mine.die()
    mine.room.take_out(SITE, GATEWAY, **WHY)
    mine.pass_time(5)

    mine.start()  # its network was away: heartbeats and alarms come as they come
    assert mine.open_kinds() == []
    mine.say(lost, id=lost.id)
    assert mine.open_kinds() == ["camera_lost"]
    mine.say(replace(lost, state="cleared", captured_at_ns=mine.clock.now_ns()), id=lost.id)
    mine.say(lost, id=lost.id)
    assert mine.open_kinds() == [], "what its gateway has cleared is over"


def test_nothing_that_was_going_to_be_an_alarm_becomes_one_after_it() -> None:
    mine = Mine()
    mine.clock.sleep(5)  # silent, and nobody has looked yet
    mine.room.take_out(SITE, GATEWAY, **WHY)
    mine.pass_time(60)
    assert mine.open_kinds() == []


def test_what_was_wrong_before_is_an_alarm_again_where_it_still_is() -> None:
    mine = Mine()
    slow_beats(mine)
    assert mine.open_kinds() == ["clock_off"]
    mine.die()
    mine.room.take_out(SITE, GATEWAY, **WHY)
    mine.pass_time(5)
    assert mine.open_kinds() == []
    slow_beats(mine)
    assert mine.open_kinds() == ["clock_off"]


def slow_beats(mine: Mine) -> None:
    """Let heartbeats come from a gateway whose clock is a minute slow."""
    for _ in range(BEATS + round(HOLD_S) + 1):
        mine.pass_time(1)
        at_ns = mine.clock.now_ns() - 60_000_000_000
        said = Envelope(type="health", gateway=GATEWAY, seq=1, sent_at_ns=at_ns, body=health(at_ns))
        mine.room.hear(Address(prefix="mine", site=SITE, gateway=GATEWAY, topic="health"), said)


def test_a_return_that_the_disk_refused_is_written_later(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = Mine()
    mine.die()
    mine.room.take_out(SITE, GATEWAY, **WHY)

    def full(**_: object) -> None:
        raise JournalError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(mine.journal, "audit", full)
        mine.start()
        mine.pass_time(1)
    assert [one.what for one in mine.journal.audited("gateway_back")] == []
    mine.pass_time(1)
    assert [one.what for one in mine.journal.audited("gateway_back")] == ["gateway_back"]

    mine.room = mine.new_room(expected=((SITE, GATEWAY),))  # and it has died meanwhile
    mine.pass_time(60)
    assert mine.open_kinds() == [SILENT]


@pytest.mark.parametrize("speaks", [True, False])
def test_a_journal_that_can_be_read_late_takes_nobody_away_who_speaks(
    speaks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = Mine()
    mine.die()
    mine.room.take_out(SITE, GATEWAY, **WHY)

    def away(*_: object, **__: object) -> None:
        raise JournalError("the database does not answer")

    with monkeypatch.context() as broken:
        broken.setattr(mine.journal, "audited", away)
        mine.room = mine.new_room()
        mine.say(GatewayState(online=speaks, since_ns=0))
        mine.say(description())
        if speaks:
            mine.say(health(mine.clock.now_ns()))
    mine.pass_time(1)
    assert len(mine.snapshot()["out_of_service"]) == (0 if speaks else 1)
    assert len(mine.journal.audited("gateway_back")) == (1 if speaks else 0)

    mine.say(health(mine.clock.now_ns()))
    assert {said["topic"] for said in mine.snapshot()["said"]} == {"state", "site", "health"}
    assert mine.snapshot()["out_of_service"] == []


def test_a_new_alarm_counts_though_its_gateway_is_out() -> None:
    mine = Mine()
    mine.die()
    mine.room.take_out(SITE, GATEWAY, **WHY)
    mine.say(alarm("man_down-9", at_ns=mine.clock.now_ns()), id="man_down-9")
    assert mine.open_kinds() == ["man_down"]
    assert mine.receipts[-1].alarm == "man_down-9"


def test_an_alarm_that_is_reopened_can_be_cleared_again(place: Place) -> None:
    key = Key(site=SITE, gateway=GATEWAY, alarm="man_down-3")
    with closing(Journal(place)) as journal:
        for at_ns, state in ((5, "active"), (6, "cleared")):
            journal.store(key, alarm(at_ns=at_ns, state=state), stored_at_ns=at_ns)
        journal.reopen(key)
        found = journal.entry(key)
        assert found is not None
        assert (found.last.state, found.cleared_at_ns) == ("active", None)
        assert journal.store(key, alarm(at_ns=9, state="cleared"), stored_at_ns=9)
        found = journal.entry(key)
        assert found is not None
        assert found.cleared_at_ns == 9


def test_admins_ask_for_it_over_http(tmp_path: Path) -> None:
    body = {"site": SITE, "gateway": GATEWAY, "reason": " closed\n"}
    with house(tmp_path) as home:

        def ask(said: object, role: Role = "admin") -> tuple[int, Any]:
            with home.as_role(role) as page:
                answer = page.post("/api/gateways/take-out", json=said)
            return answer.status_code, answer.json()

        assert ask(body, "operator")[0] == 403
        assert ask(body | {"reason": " "})[0] == 400
        assert ask(body | {"gateway": "gw9"})[0] == 404
        assert ask([])[0] == 400
        code, said = ask(body)
        assert (code, said["reason"]) == (200, "closed")
        assert ask(body)[0] == 200
        [entry] = home.journal.audited("gateway_out")
        assert (entry.who, json.loads(entry.body)) == (
            said["by"],
            {"reason": "closed", "room": gethostname()},
        )


@pytest.mark.skipif(MOSQUITTO is None, reason=NO_MOSQUITTO)
def test_the_broker_forgets_what_it_kept(tmp_path: Path) -> None:
    with mosquitto(tmp_path) as broker:
        config = BrokerConfig(url=broker.url)
        gateway = Connection(config, "gateway", log=lambda _: None)
        gateway.connect(20, wait=True)
        said: list[Message] = [GatewayState(online=False, since_ns=3), description()]
        for kind, message in zip(("state", "site"), said, strict=True):
            topic = topic_name(kind, site=SITE, gateway=GATEWAY)
            payload = encode(message, gateway=GATEWAY, seq=1, sent_at_ns=1)
            gateway.publish(topic, payload, qos=1, retain=True)
        lost = alarm("camera_lost-1", at_ns=3, kind="camera_lost", track=None)
        topic = topic_name("alarm", site=SITE, gateway=GATEWAY, id=lost.id)
        payload = encode(lost, gateway=GATEWAY, seq=1, sent_at_ns=1)
        gateway.publish(topic, payload, qos=1, retain=True)
        gateway.close()

        with open_room(config, tmp_path / "journal.sqlite", SystemClock()) as room:
            wait_until(lambda: len(json.loads(room.join(lambda *_: None))["said"]) == 2)
            wait_until(lambda: room.journal.entry(_key(lost.id)) is not None)
            room.take_out(SITE, GATEWAY, **WHY)

        kept: list[str] = []
        late = Connection(config, "late", log=lambda _: None)

        def hear(topic: str, _payload: bytes, _retained: bool) -> None:
            kept.append(topic)

        late.subscribe("mine/#", 1, hear)
        late.connect(20, wait=True)
        late.publish("mine/end", b"x", qos=1, retain=False)
        wait_until(lambda: "mine/end" in kept)
        assert kept == ["mine/end"]
        late.close()


def _key(id: str) -> Key:
    return Key(site=SITE, gateway=GATEWAY, alarm=id)


def test_who_is_back_before_the_disk_keeps_its_alarms(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = Mine()
    lost = alarm("camera_lost-1", at_ns=mine.clock.now_ns(), kind="camera_lost", track=None)
    mine.say(lost, id=lost.id)
    mine.die()
    with monkeypatch.context() as broken:

        def refuse(*_words: object, **_more: object) -> list[bool]:
            raise JournalError("the disk is full")

        broken.setattr(mine.journal, "store_all", refuse)
        mine.room.take_out(SITE, GATEWAY, **WHY)
        mine.pass_time(2)
        mine.start()
    for _ in range(5):
        mine.say(health(mine.clock.now_ns()))
        mine.pass_time(1)
    assert "camera_lost" in mine.open_kinds()


def test_a_hundred_gateways_that_fall_silent_together_cost_the_journal_no_more_than_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A table that somebody holds costs a second each time, and alarms wait behind that."""
    asked = []
    for count in (1, 100):
        mine = Mine()
        mine.room = mine.new_room(expected=tuple((SITE, f"gw{one}") for one in range(count)))
        reads, read = list[object](), mine.journal._database.read

        def count_and_read(work: Any, reads: list[object] = reads, read: Any = read) -> Any:
            reads.append(work)
            return read(work)

        monkeypatch.setattr(mine.journal._database, "read", count_and_read)
        mine.pass_time(10)
        asked.append(len(reads))
        assert mine.open_kinds().count(SILENT) == count
    assert asked[0] == asked[1]
