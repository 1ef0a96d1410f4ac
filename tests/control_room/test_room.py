import json
from typing import Any

import pytest

from control_room.heartbeat import KIND as SILENT
from control_room.journal import Journal, Key
from control_room.room import Room
from scene.clock import ReplayClock
from scene.messages import GatewayState, Receipt
from scene.topics import Address
from scene.wire import Envelope, Message, type_name
from tests.control_room.fake_gateway import GATEWAY, SITE, alarm, description, health, people_at

NOW_NS = 1_790_000_000_123_456_789


class Hall:
    """A room on a memory journal, with everything that it says collected."""

    def __init__(self, prefix: str = "mine") -> None:
        self.clock = ReplayClock(now_ns=NOW_NS)
        self.journal = Journal(None)
        self.receipts: list[Receipt] = []
        self.told: list[dict[str, Any]] = []
        self.connected = True
        self.room = self.new_room(prefix)

    def new_room(self, prefix: str = "mine") -> Room:
        return Room(
            self.journal,
            self.clock,
            lambda _site, _gateway, receipt: self.receipts.append(receipt),
            prefix=prefix,
            is_connected=lambda: self.connected,
        )

    def listen(self, _about: str, text: str) -> None:
        self.told.append(json.loads(text))

    def say(self, message: Message, *, gateway: str = GATEWAY, id: str | None = None) -> None:
        topic = type_name(message)
        address = Address(prefix="mine", site=SITE, gateway=gateway, topic=topic, id=id)
        self.room.hear(
            address,
            Envelope(type=topic, gateway=gateway, seq=1, sent_at_ns=NOW_NS, body=message),
        )

    def alarms(self) -> list[dict[str, Any]]:
        return [said for said in self.told if said["is"] == "alarm"]


def test_an_alarm_is_stored_then_receipted_then_told() -> None:
    hall = Hall()
    order = []
    store, hall.journal.store = hall.journal.store, None  # type: ignore[method-assign,assignment]

    def storing(*args: Any, **more: Any) -> bool:
        order.append(f"stored before {len(hall.receipts)} receipts, {len(hall.told)} told")
        return store(*args, **more)

    hall.journal.store = storing  # type: ignore[method-assign]
    hall.room.join(hall.listen)
    hall.say(alarm(at_ns=NOW_NS), id="man_down-3")
    assert order == ["stored before 0 receipts, 0 told"]
    assert hall.receipts == [
        Receipt(alarm="man_down-3", state="active", stored_at_ns=NOW_NS),
    ]
    [told] = hall.alarms()
    assert told["anomaly"]["id"] == "man_down-3"
    assert told["anomaly"]["raised_at_ns"] == NOW_NS


def test_a_repeated_alarm_is_receipted_again_but_told_once() -> None:
    hall = Hall()
    hall.room.join(hall.listen)
    for _ in range(3):
        hall.say(alarm(at_ns=NOW_NS), id="man_down-3")
    assert len(hall.receipts) == 3, "the first receipt may have been lost"
    assert len(hall.alarms()) == 1


def test_without_storing_there_is_no_receipt_but_people_still_hear() -> None:
    hall = Hall()
    hall.room.join(hall.listen)
    hall.journal.close()
    hall.say(alarm(at_ns=NOW_NS), id="man_down-3")
    assert hall.receipts == []
    [told] = hall.alarms()
    assert told["anomaly"]["id"] == "man_down-3"
    hall.room.tick()
    assert "journal" in hall.told[-1]["trouble"]


def test_an_alarm_under_a_foreign_topic_is_not_taken() -> None:
    hall = Hall()
    hall.say(alarm(at_ns=NOW_NS), id="another")
    assert hall.receipts == []
    assert hall.journal.history() == []


def test_a_newcomer_hears_everything_at_once_and_no_secrets() -> None:
    hall = Hall()
    for message in (
        GatewayState(online=True, since_ns=1),
        description("ws://10.0.0.7:8765/panorama"),
        health(NOW_NS),
        people_at(0, NOW_NS),
    ):
        hall.say(message)
    hall.say(alarm(at_ns=NOW_NS), id="man_down-3")
    text = hall.room.join(hall.listen)
    snapshot = json.loads(text)
    assert snapshot["prefix"] == "mine"
    assert {said["topic"] for said in snapshot["said"]} == {"state", "site", "health", "positions"}
    assert [entry["anomaly"]["id"] for entry in snapshot["alarms"]] == ["man_down-3"]
    assert snapshot["kinds"]["man_down"]["zh"] == "人员倒地"
    assert "password" not in text
    assert "10.0.0.7" not in text
    assert hall.room.stream_url(SITE, GATEWAY) == "ws://10.0.0.7:8765/panorama"


def test_a_newcomer_hears_how_old_everything_is() -> None:
    hall = Hall()
    hall.say(people_at(0, NOW_NS))
    hall.clock.sleep(3600)
    hall.say(health(NOW_NS))
    hall.clock.sleep(2)
    said = json.loads(hall.room.join(hall.listen))["said"]
    assert {one["topic"]: one["age_s"] for one in said} == {"positions": 3602.0, "health": 2.0}


def test_only_websocket_addresses_are_followed() -> None:
    hall = Hall()
    hall.say(description("file:///etc/passwd"))
    assert hall.room.stream_url(SITE, GATEWAY) is None


def test_silence_is_an_alarm_that_never_vanishes_by_itself() -> None:
    hall = Hall()
    hall.room.join(hall.listen)
    hall.say(health(NOW_NS))
    hall.clock.sleep(4.5)
    hall.room.tick()
    [raised] = hall.alarms()
    assert raised["anomaly"]["kind"] == SILENT
    hall.clock.sleep(30)
    hall.say(health(NOW_NS))
    assert hall.alarms()[-1]["anomaly"]["state"] == "cleared"
    snapshot = json.loads(hall.room.join(hall.listen))
    [listed] = snapshot["alarms"]
    assert listed["acknowledged_at_ns"] is None, "so it is still listed as open"
    key = Key(site=SITE, gateway=GATEWAY, alarm=listed["anomaly"]["id"])
    assert hall.room.acknowledge(key)
    assert hall.alarms()[-1]["acknowledged_at_ns"] == hall.clock.now_ns()
    assert hall.receipts == [], "nobody waits for a receipt of what we raised ourselves"


def test_a_silence_outlives_a_restart_and_is_not_raised_twice() -> None:
    hall = Hall()
    hall.say(description())
    hall.clock.sleep(5)
    hall.room.tick()
    hall.room = hall.new_room()
    hall.say(description())
    hall.clock.sleep(5)
    hall.room.tick()
    assert len(hall.journal.history()) == 1
    hall.say(health(NOW_NS))
    assert hall.journal.history()[0].cleared_at_ns is not None


def test_a_last_will_raises_at_once() -> None:
    hall = Hall()
    hall.room.join(hall.listen)
    hall.say(health(NOW_NS))
    hall.say(GatewayState(online=False, since_ns=NOW_NS))
    [raised] = hall.alarms()
    assert raised["anomaly"]["kind"] == SILENT


def test_a_replay_raises_no_silence_of_its_own() -> None:
    hall = Hall(prefix="replay")
    hall.say(health(NOW_NS))
    hall.clock.sleep(60)
    hall.room.tick()
    assert hall.journal.history() == []


def test_viewers_learn_that_the_broker_is_lost() -> None:
    hall = Hall()
    hall.room.join(hall.listen)
    hall.connected = False
    hall.room.tick()
    assert hall.told[-1]["is"] == "clock"
    assert hall.told[-1]["broker"] is False


def test_an_unknown_alarm_can_not_be_acknowledged() -> None:
    assert not Hall().room.acknowledge(Key(site=SITE, gateway=GATEWAY, alarm="none"))


def test_a_flood_of_gateways_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("control_room.room.MAX_GATEWAYS", 3)
    hall = Hall()
    for i in range(10):
        hall.say(health(NOW_NS), gateway=f"gw{i}")
    assert len(json.loads(hall.room.join(hall.listen))["said"]) == 3
