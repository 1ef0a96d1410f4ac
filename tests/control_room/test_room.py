import argparse
import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from control_room.heartbeat import KIND as SILENT
from control_room.journal import database as journal_database
from control_room.journal.journal import Journal
from control_room.journal.schema import JournalError
from control_room.lifecycle import Key, NotNow, UnknownAlarm, wish_of
from control_room.main import add_arguments, open_room
from control_room.room import Room
from control_room.server import wait_until
from control_room.viewers import RATE_EVERY_S
from delivery.broker import EmbeddedBroker
from delivery.mqtt import Connection
from delivery.signing import RefusedError
from scene.clock import ReplayClock, SystemClock
from scene.messages import ControlRoomBeat, GatewayState, Order, Receipt
from scene.site import BrokerConfig
from scene.topics import Address, topic_filter
from scene.wire import Envelope, Message, decode, type_name
from tests.control_room.fake_gateway import GATEWAY, SITE, alarm, description, health, people_at

NOW_NS = 1_790_000_000_123_456_789


class Hall:
    """A room on a memory journal, with everything that it says collected."""

    def __init__(self, prefix: str = "mine") -> None:
        self.clock = ReplayClock(now_ns=NOW_NS)
        self.journal = Journal(None)
        self.receipts: list[Receipt] = []
        self.orders: list[Order] = []
        self.told: list[dict[str, Any]] = []
        self.beats: list[tuple[str, str, ControlRoomBeat]] = []
        self.connected = True
        self.room = self.new_room(prefix)

    def new_room(self, prefix: str = "mine", *, expected: tuple[tuple[str, str], ...] = ()) -> Room:
        return Room(
            self.journal,
            self.clock,
            lambda _site, _gateway, receipt: self.receipts.append(receipt),
            lambda _site, _gateway, order: self.orders.append(order),
            prefix=prefix,
            is_connected=lambda: self.connected,
            send_beat=lambda *said: self.beats.append(said),
            expected=expected,
        )

    def listen(self, _about: str, text: str) -> None:
        self.told.append(json.loads(text))

    def say(self, message: Message, *, gateway: str = GATEWAY, id: str | None = None) -> None:
        topic = type_name(message)
        address = Address(prefix="mine", site=SITE, gateway=gateway, topic=topic, id=id)
        self.room.hear(
            address,
            Envelope(
                type=topic,
                gateway=gateway,
                seq=1,
                sent_at_ns=self.clock.now_ns(),
                body=message,
            ),
        )

    def wait(self, duration_s: float) -> None:
        """Let time pass while the gateway is well."""
        self.clock.sleep(duration_s)
        self.say(health(self.clock.now_ns()))
        self.told = [said for said in self.told if said.get("topic") != "health"]

    def do(self, action: str, id: str = "man_down-3", **body: Any) -> dict[str, Any]:
        said = {"site": SITE, "gateway": GATEWAY, "id": id, "by": "Li Wei", "reason": "repair"}
        return self.room.do(wish_of(action, said | body))

    def groups(self) -> list[list[str]]:
        self.room.tick()
        found: list[list[str]] = [said for said in self.told if said["is"] == "groups"][-1][
            "groups"
        ]
        return [[name.rsplit("/", 1)[1] for name in group] for group in found]

    def alarms(self) -> list[dict[str, Any]]:
        return [said for said in self.told if said["is"] == "alarm"]


def test_an_alarm_is_stored_then_receipted_then_told() -> None:
    hall = Hall()
    order = []
    store, hall.journal.store_all = hall.journal.store_all, None  # type: ignore[method-assign,assignment]

    def storing(*args: Any, **more: Any) -> list[bool]:
        order.append(f"stored before {len(hall.receipts)} receipts, {len(hall.told)} told")
        return store(*args, **more)

    hall.journal.store_all = storing  # type: ignore[method-assign]
    hall.room.join(hall.listen)
    hall.say(alarm(at_ns=NOW_NS), id="man_down-3")
    assert order == ["stored before 0 receipts, 0 told"]
    assert hall.receipts == [
        Receipt(alarm="man_down-3", state="active", stored_at_ns=NOW_NS, captured_at_ns=NOW_NS),
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


def test_what_came_together_is_stored_together_and_receipted_in_one_word() -> None:
    hall = Hall()
    hall.room.join(hall.listen)
    said = [
        (
            Address(prefix="mine", site=SITE, gateway=gateway, topic="alarm", id=f"a-{i}"),
            Envelope(
                type="alarm",
                gateway=gateway,
                seq=i,
                sent_at_ns=NOW_NS,
                body=alarm(f"a-{i}", at_ns=NOW_NS),
            ),
        )
        for gateway in (GATEWAY, "gw2")
        for i in range(3)
    ]
    hall.room.hear_alarms(said)
    assert [receipt.alarm for receipt in hall.receipts] == ["a-0", "a-0"]
    for receipt in hall.receipts:
        assert [one.alarm for one in receipt.also] == ["a-1", "a-2"]
    assert len(hall.alarms()) == 6
    assert len(hall.journal.open_entries()) == 6


def test_one_alarm_that_can_not_be_stored_takes_no_other_with_it() -> None:
    hall = Hall()
    good, bad = alarm("good", at_ns=NOW_NS), alarm("bad", at_ns=2**63)
    address = Address(prefix="mine", site=SITE, gateway=GATEWAY, topic="alarm")
    hall.room.hear_alarms(
        [
            (
                replace(address, id=one.id),
                Envelope(type="alarm", gateway=GATEWAY, seq=1, sent_at_ns=NOW_NS, body=one),
            )
            for one in (bad, good)
        ]
    )
    assert [receipt.alarm for receipt in hall.receipts] == ["good"]
    assert [entry.last.id for entry in hall.journal.open_entries()] == ["good"]


class CountingJournal(Journal):
    """Counts how often it is to write."""

    writes = 0

    def store_all(self, *args: Any, **kwargs: Any) -> list[bool]:
        self.writes += 1
        return super().store_all(*args, **kwargs)


def test_a_journal_that_is_locked_is_waited_for_once_and_not_alarm_by_alarm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_database, "LOCKED_S", 0.05)
    hall, address = Hall(), Address(prefix="mine", site=SITE, gateway=GATEWAY, topic="alarm")
    hall.journal = held = CountingJournal(tmp_path / "journal.sqlite")
    hall.room = hall.new_room()
    hall.room.join(hall.listen)
    said = [
        (
            replace(address, id=f"a-{i}"),
            Envelope(
                type="alarm",
                gateway=GATEWAY,
                seq=1,
                sent_at_ns=NOW_NS,
                body=alarm(f"a-{i}", at_ns=NOW_NS),
            ),
        )
        for i in range(20)
    ]
    somebody = sqlite3.connect(tmp_path / "journal.sqlite", isolation_level=None)
    somebody.execute("BEGIN IMMEDIATE")
    hall.room.hear_alarms(said)
    assert held.writes == 1
    assert hall.receipts == []
    assert len(hall.alarms()) == 20, "people hear all the same"
    somebody.execute("ROLLBACK")
    somebody.close()
    hall.room.hear_alarms(said)
    assert len(hall.receipts[0].also) == 19
    held.close()


def test_a_refused_message_of_the_mines_own_systems_can_be_acknowledged() -> None:
    hall = Hall()
    address = Address(prefix="mine", site=SITE, gateway="", topic="tags")
    hall.room.refuse(address, FORGED)
    [entry] = hall.journal.open_entries()
    assert entry.key.gateway == ""
    hall.do("acknowledge", entry.last.id, gateway="")
    [entry] = hall.journal.open_entries()
    assert entry.acknowledged is not None


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
    assert listed["phase"] == "cleared_unacknowledged"
    assert hall.do("acknowledge", listed["anomaly"]["id"])["phase"] == "over"
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
    with pytest.raises(UnknownAlarm, match="none: there is no such alarm"):
        Hall().do("acknowledge", "none")


def test_a_flood_of_gateways_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("control_room.room.MAX_GATEWAYS", 3)
    hall = Hall()
    for i in range(10):
        hall.say(health(NOW_NS), gateway=f"gw{i}")
    assert len(json.loads(hall.room.join(hall.listen))["said"]) == 3


def test_whom_there_is_room_for_again_is_not_called_one_too_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("control_room.room.MAX_GATEWAYS", 1)
    hall = Hall()
    hall.say(health(NOW_NS))
    hall.say(health(NOW_NS), gateway="gw2")
    assert hall.room.how_it_is()["passed_over"] == {
        "gateways": [f"{SITE}/gw2"],
        "gateways_count": 1,
    }
    hall.clock.sleep(10)
    hall.room.take_out(SITE, GATEWAY, by="Li", reason="the drift is closed")
    hall.say(health(hall.clock.now_ns()), gateway="gw2")
    assert hall.room.how_it_is()["passed_over"] == {}


def test_a_goodbye_is_told_after_positions_that_are_told_together() -> None:
    hall = Hall()
    hall.room.join(hall.listen)
    with hall.room.telling_together():
        hall.say(people_at(0, NOW_NS))
        hall.say(people_at(1, NOW_NS), gateway="gw2")
        hall.say(health(NOW_NS))
        hall.say(GatewayState(online=False, since_ns=NOW_NS))
    topics = [one.get("topic", one["is"]) for one in hall.told]
    assert topics.count("several") == 1
    assert topics.index("several") < topics.index("state")


def test_an_acknowledgement_is_stored_once_and_told_with_its_author() -> None:
    hall = Hall()
    hall.room.join(hall.listen)
    hall.say(alarm(at_ns=NOW_NS), id="man_down-3")
    hall.do("acknowledge")
    hall.wait(5)
    hall.do("acknowledge", by="Wang")
    told = hall.alarms()[-1]
    assert (told["phase"], told["acknowledged_by"]) == ("acknowledged", "Li Wei")
    assert told["acknowledged_at_ns"] == NOW_NS
    [act] = hall.journal.acts(Key(site=SITE, gateway=GATEWAY, alarm="man_down-3"))
    assert act.by == "Li Wei"
    hall.say(alarm(at_ns=NOW_NS + 5, raised_at_ns=NOW_NS), id="man_down-3")
    assert hall.alarms()[-1]["phase"] == "acknowledged"


def test_a_worse_alarm_asks_for_somebody_again() -> None:
    hall = Hall()
    hall.room.join(hall.listen)
    hall.say(alarm(at_ns=NOW_NS, severity="warning"), id="man_down-3")
    assert hall.do("acknowledge")["phase"] == "acknowledged"
    hall.say(alarm(at_ns=NOW_NS + 5, raised_at_ns=NOW_NS), id="man_down-3")
    assert hall.alarms()[-1]["phase"] == "unacknowledged"


@pytest.mark.parametrize("restart", [False, True])
def test_a_shelved_alarm_comes_back_by_itself(restart: bool) -> None:
    hall = Hall()
    hall.say(alarm(at_ns=NOW_NS), id="man_down-3")
    hall.do("acknowledge")
    assert hall.do("shelve", minutes=30)["phase"] == "shelved"
    hall.wait(29 * 60)
    if restart:
        hall.room = hall.new_room()
    snapshot = json.loads(hall.room.join(hall.listen))
    assert [one["phase"] for one in snapshot["alarms"]] == ["shelved"]
    assert snapshot["groups"] == []
    hall.room.tick()
    assert hall.alarms() == []
    hall.wait(60)
    hall.room.tick()
    hall.room.tick()
    [told] = hall.alarms()
    assert told["phase"] == "unacknowledged", "so that somebody looks again"
    assert hall.groups() == [["man_down-3"]]
    acts = hall.journal.acts(Key(site=SITE, gateway=GATEWAY, alarm="man_down-3"))
    assert [(act.action, act.by) for act in acts] == [
        ("acknowledge", "Li Wei"),
        ("shelve", "Li Wei"),
        ("unshelve", "control room"),
    ]


def test_a_shelf_that_can_not_be_emptied_on_disk_is_empty_all_the_same() -> None:
    hall = Hall()
    hall.room.join(hall.listen)
    for id in ("a", "b"):
        hall.say(alarm(id, at_ns=NOW_NS), id=id)
        hall.do("shelve", id, minutes=1)
    hall.journal._database.rows("PRAGMA query_only = ON")
    hall.wait(61)
    hall.told.clear()
    hall.room.tick()
    assert {one["anomaly"]["id"]: one["phase"] for one in hall.alarms()} == {
        "a": "unacknowledged",
        "b": "unacknowledged",
    }
    assert "can't be written" in hall.told[-1]["trouble"]


def test_a_silence_that_the_disk_refused_is_stored_when_it_can_be() -> None:
    hall = Hall()
    hall.say(health(NOW_NS))
    hall.journal._database.rows("PRAGMA query_only = ON")
    hall.clock.sleep(5)
    hall.room.tick()
    hall.room.join(hall.listen)
    hall.room.tick()
    assert [one["anomaly"]["kind"] for one in hall.alarms()] == [SILENT], "a newcomer hears it too"
    assert "can't be written" in hall.told[-1]["trouble"]
    hall.journal._database.rows("PRAGMA query_only = OFF")
    hall.room.tick()
    assert [one.last.kind for one in hall.journal.open_entries()] == [SILENT]
    assert hall.told[-1]["trouble"] == ""
    hall.told.clear()
    hall.room.tick()
    assert hall.alarms() == []


def test_while_the_shelf_can_not_be_emptied_on_disk_the_rest_is_done() -> None:
    hall = Hall()
    hall.room.join(hall.listen)
    for id in ("a", "b"):
        hall.say(alarm(id, at_ns=NOW_NS), id=id)
    hall.do("shelve", "a", minutes=1)
    hall.do("end", "b")
    hall.journal._database.rows("PRAGMA query_only = ON")
    hall.wait(61)
    hall.orders.clear()
    hall.told.clear()
    hall.room.tick()
    assert [order.alarm for order in hall.orders] == ["b"]
    assert {"groups", "alarm_rate"} <= {said["is"] for said in hall.told}


class JumpingClock(ReplayClock):
    """A clock whose time of day somebody sets."""

    set_back_s = 0

    def now_ns(self) -> int:
        return super().now_ns() - self.set_back_s * 1_000_000_000


def test_a_clock_set_back_leaves_nothing_on_the_shelf_for_longer() -> None:
    hall = Hall()
    clock = hall.clock = JumpingClock(NOW_NS)
    hall.room = hall.new_room()
    hall.room.join(hall.listen)
    hall.say(alarm(at_ns=NOW_NS), id="man_down-3")
    hall.do("shelve", minutes=10)
    hall.room.tick()
    hall.wait(300)
    clock.set_back_s = 299
    hall.room.tick()
    assert hall.alarms()[-1]["phase"] == "shelved"
    hall.wait(301)
    hall.room.tick()
    assert hall.alarms()[-1]["phase"] == "unacknowledged", "10 minutes after, whatever the clock"


def test_an_end_is_ordered_until_the_gateway_has_done_it_even_over_a_restart() -> None:
    hall = Hall()
    hall.room.join(hall.listen)
    hall.say(alarm(at_ns=NOW_NS), id="man_down-3")
    told = hall.do("end", reason="carried out")
    assert told["phase"] == "acknowledged"
    assert told["ending"]["by"] == "Li Wei"
    order = Order(
        alarm="man_down-3",
        action="end",
        by="Li Wei",
        reason="carried out",
        ordered_at_ns=NOW_NS,
        about=alarm(at_ns=NOW_NS),
    )
    assert hall.orders == [order]
    hall.do("end", reason="again")
    hall.wait(1.9)
    hall.room.tick()
    assert hall.orders == [order]
    hall.wait(0.1)
    hall.room.tick()
    assert hall.orders == [order] * 2
    hall.room = hall.new_room()
    hall.room.tick()
    assert hall.orders == [order] * 3, "a restart forgets no order"
    hall.say(alarm(at_ns=NOW_NS + 9, raised_at_ns=NOW_NS, state="cleared"), id="man_down-3")
    hall.wait(10)
    hall.room.tick()
    assert len(hall.orders) == 3
    assert json.loads(hall.room.join(hall.listen))["alarms"][0]["phase"] == "over"


def test_the_room_ends_its_own_alarms_itself() -> None:
    hall = Hall()
    hall.room.join(hall.listen)
    hall.say(health(NOW_NS))
    hall.clock.sleep(5)
    hall.room.tick()
    silence = hall.alarms()[-1]["anomaly"]["id"]
    told = hall.do("end", silence, reason="taken down")
    assert (told["phase"], hall.orders) == ("over", [])
    assert told["anomaly"]["evidence"] == "Ended by Li Wei: taken down"
    hall.clock.sleep(60)
    hall.room.tick()
    assert len(hall.journal.history()) == 1, "it is not raised again and again"
    hall.say(health(NOW_NS))
    [entry] = hall.journal.history()
    assert entry.cleared_at_ns == NOW_NS + 5_000_000_000, "the heartbeat changes nothing"
    hall.clock.sleep(5)
    hall.room.tick()
    assert len(hall.journal.history()) == 2, "a new silence is a new alarm"


def test_a_recording_is_not_ended() -> None:
    hall = Hall(prefix="replay")
    hall.say(alarm(at_ns=NOW_NS), id="man_down-3")
    with pytest.raises(NotNow, match="recording"):
        hall.do("end")
    assert hall.do("acknowledge")["phase"] == "acknowledged"


def test_viewers_hear_the_groups_at_the_next_tick_and_only_when_they_changed() -> None:
    hall = Hall()
    hall.room.join(hall.listen)
    for i in range(50):
        lost = alarm(f"c{i}", at_ns=NOW_NS, kind="camera_lost", camera=f"c{i}", severity="warning")
        hall.say(lost, id=lost.id)
    hall.say(alarm(at_ns=NOW_NS), id="man_down-3")
    assert not [said for said in hall.told if said["is"] == "groups"]
    groups = hall.groups()
    assert groups[0] == ["man_down-3"]
    assert sorted(groups[1]) == sorted(f"c{i}" for i in range(50))
    hall.room.tick()
    assert len([said for said in hall.told if said["is"] == "groups"]) == 1
    snapshot = json.loads(hall.room.join(hall.listen))
    assert snapshot["groups"][0] == [f"{SITE}/{GATEWAY}/man_down-3"]


def test_viewers_hear_the_alarm_rate() -> None:
    hall = Hall()
    hall.room.join(hall.listen)
    for i in range(11):
        hall.say(alarm(f"a{i}", at_ns=NOW_NS + i), id=f"a{i}")
    hall.wait(RATE_EVERY_S)
    hall.room.tick()
    hall.room.tick()
    [rate] = [said["alarm_rate"] for said in hall.told if said["is"] == "alarm_rate"]
    assert (rate["last_10_min"], rate["flood"]) == (11, True)
    snapshot = json.loads(hall.room.join(hall.listen))
    assert snapshot["alarm_rate"]["last_hour"] == 11
    assert snapshot["alarm_rate"]["offenders"][0]["count"] == 11


def test_an_order_reaches_its_gateway_over_the_broker() -> None:
    heard: list[tuple[str, bytes, bool]] = []
    with EmbeddedBroker() as broker:
        config = BrokerConfig(url=broker.url)
        gateway = Connection(config, client_id="gw1")
        wanted = topic_filter("order", site=SITE, gateway=GATEWAY)
        gateway.subscribe(wanted, 1, lambda *said: heard.append(said))
        gateway.connect(20.0, wait=True)
        try:
            with open_room(config, None, SystemClock()) as room:
                room.hear(
                    Address(prefix="mine", site=SITE, gateway=GATEWAY, topic="alarm", id="a"),
                    Envelope(
                        type="alarm",
                        gateway=GATEWAY,
                        seq=1,
                        sent_at_ns=NOW_NS,
                        body=alarm("a", at_ns=NOW_NS),
                    ),
                )
                said = {"site": SITE, "gateway": GATEWAY, "id": "a", "reason": "carried out"}
                room.do(wish_of("end", said))
                assert wait_until(lambda: bool(heard), timeout_s=20.0)
        finally:
            gateway.close()
    topic, payload, _ = heard[0]
    assert topic == f"mine/{SITE}/gw/{GATEWAY}/order/a"
    order = decode(payload).body
    assert isinstance(order, Order)
    assert (order.alarm, order.by, order.reason) == ("a", "operator", "carried out")


PLACE = Address(prefix="mine", site=SITE, gateway=GATEWAY, topic="alarm", id="man_down-9")
FORGED = RefusedError("its signature is wrong")


def kinds(hall: Hall) -> list[tuple[str, str]]:
    said = [one["anomaly"] for one in hall.alarms()]
    return [(one["kind"], one["state"]) for one in said]


def test_the_control_room_beats_once_a_second_and_echoes_each_gateway() -> None:
    hall = Hall()
    hall.room.tick()
    assert hall.beats == [], "nobody is known yet"
    hall.say(health(NOW_NS))
    hall.say(people_at(0, NOW_NS), gateway="gw2")
    for _ in range(20):
        hall.clock.sleep(0.5)
        hall.room.tick()
    assert len(hall.beats) == 20
    beats = {gateway: beat for _, gateway, beat in hall.beats}
    assert beats[GATEWAY].heard_seq == 1
    assert beats["gw2"].heard_seq == 0
    hall.journal.close()
    hall.say(alarm(at_ns=NOW_NS), id="man_down-3")
    hall.clock.sleep(1)
    hall.room.tick()
    assert "journal" in hall.beats[-1][2].trouble


def test_a_replay_does_not_beat() -> None:
    hall = Hall("replay")
    hall.say(health(NOW_NS))
    hall.clock.sleep(5)
    hall.room.tick()
    assert hall.beats == []


def test_an_expected_gateway_that_never_came_is_silent() -> None:
    hall = Hall()
    hall.room = hall.new_room(expected=((SITE, "gw7"),))
    hall.room.join(hall.listen)
    hall.clock.sleep(4.4)
    hall.room.tick()
    assert kinds(hall) == [(SILENT, "active")]
    assert hall.alarms()[0]["gateway"] == "gw7"


def test_a_refused_message_is_an_alarm_over_a_restart_until_it_stops() -> None:
    hall = Hall()
    hall.room.join(hall.listen)
    hall.room.refuse(PLACE, FORGED)
    hall.room.refuse(PLACE, FORGED)
    assert kinds(hall) == [("message_refused", "active")]
    assert "alarm/man_down-9" in hall.alarms()[0]["anomaly"]["evidence"]
    hall.room = hall.new_room()
    hall.room.join(hall.listen)
    hall.room.refuse(PLACE, FORGED)
    assert len(kinds(hall)) == 1, "the same alarm goes on"
    hall.clock.sleep(61)
    hall.room.tick()
    assert kinds(hall)[1] == ("message_refused", "cleared")
    [entry] = hall.journal.open_entries()
    assert entry.last.kind == "message_refused", "listed until somebody has seen it"


def test_missing_alarms_are_told_and_their_coming_too() -> None:
    hall = Hall()
    hall.room.join(hall.listen)
    hall.say(health(NOW_NS))
    hall.room.miss(replace(PLACE, topic="positions", id=None), 50)
    hall.say(people_at(0, NOW_NS))
    hall.room.tick()
    assert hall.told[-1]["positions_lost"] == {f"{SITE}/{GATEWAY}": round(50 / 51, 4)}
    for _ in range(3):
        hall.wait(3)
        hall.room.tick()
    assert kinds(hall) == [], "positions may be lost"
    hall.room.miss(PLACE, 2)
    for _ in range(5):
        hall.clock.sleep(1)
        hall.say(replace(health(hall.clock.now_ns()), alarms_waiting=1, longest_waiting_s=9.0))
        hall.room.tick()
    assert kinds(hall) == [("messages_missing", "active")]
    hall.say(replace(health(hall.clock.now_ns()), alarms_waiting=0))
    assert kinds(hall)[1] == ("messages_missing", "cleared")


def test_own_alarms_of_two_kinds_that_the_disk_refuses_are_both_tried_again() -> None:
    hall = Hall()
    hall.say(health(NOW_NS))
    hall.journal._database.rows("PRAGMA query_only = ON")
    hall.room.refuse(PLACE, FORGED)
    hall.room.join(hall.listen)
    hall.say(GatewayState(online=False, since_ns=1))
    assert kinds(hall) == [(SILENT, "active")], "told at once, tried again later"
    hall.journal._database.rows("PRAGMA query_only = OFF")
    hall.room.tick()
    open_kinds = {entry.last.kind for entry in hall.journal.open_entries()}
    assert open_kinds == {SILENT, "message_refused"}


class WaitedForJournal(CountingJournal):
    """Lets a second go by for every write that somebody else's lock keeps waiting."""

    clock: ReplayClock

    def store_all(self, *args: Any, **kwargs: Any) -> list[bool]:
        try:
            return super().store_all(*args, **kwargs)
        except JournalError:
            self.clock.sleep(1.0)
            raise

    def store(self, *args: Any, **kwargs: Any) -> bool:
        self.writes += 1
        try:
            return super().store(*args, **kwargs)
        except JournalError:
            self.clock.sleep(1.0)
            raise


def test_nobody_is_called_silent_because_the_journal_was_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_database, "LOCKED_S", 0.01)
    hall, dead = Hall(), [f"dead{number}" for number in range(6)]
    hall.journal = held = WaitedForJournal(tmp_path / "journal.sqlite")
    held.clock = hall.clock
    hall.room = hall.new_room(expected=tuple((SITE, gateway) for gateway in dead))
    hall.room.join(hall.listen)
    with closing(held), closing(_holder(tmp_path / "journal.sqlite")) as somebody:
        for _ in range(20):
            hall.clock.sleep(0.5)
            hall.say(health(hall.clock.now_ns()))
            held.writes = 0
            hall.room.tick()
            assert held.writes <= 1
        told = {one["gateway"] for one in hall.alarms() if one["anomaly"]["kind"] == SILENT}
        assert told == set(dead), "those, and no healthy one"
        held.writes = 0
        for gateway in dead:
            hall.say(health(hall.clock.now_ns()), gateway=gateway)
        assert held.writes == 0, "hearing waits for no disk that has just refused"
        assert kinds(hall)[-6:] == [(SILENT, "cleared")] * 6
        somebody.execute("ROLLBACK")
        hall.room.tick()
        silences = [one.last for one in held.open_entries() if one.last.kind == SILENT]
        assert [one.state for one in silences] == ["cleared"] * 6


def _holder(file: Path) -> sqlite3.Connection:
    """Lock a journal, as a backup that takes long does."""
    somebody = sqlite3.connect(file, isolation_level=None)
    somebody.execute("BEGIN IMMEDIATE")
    return somebody


@pytest.mark.parametrize("most_over", [1, 256])
def test_an_end_that_the_disk_refused_is_not_lost_to_the_next_alarm_of_its_kind(
    most_over: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("control_room.alarm_book.MOST_OVER", most_over)
    hall = Hall()
    hall.say(health(NOW_NS))
    hall.clock.sleep(6)
    hall.room.tick()
    [first] = hall.journal.open_entries()
    assert (first.last.kind, first.last.state) == (SILENT, "active")
    hall.journal._database.rows("PRAGMA query_only = ON")
    for _ in range(4):
        hall.wait(1)
        hall.clock.sleep(6)
        hall.room.tick()
    hall.wait(1)
    silences = [one for one in hall.room._book.unstored.values() if one.kind == SILENT]
    assert len(silences) == min(5, most_over)
    hall.journal._database.rows("PRAGMA query_only = OFF")
    for _ in range(3):
        hall.wait(1)
        hall.room.tick()
    stood = {
        one.last.id: one.last.state
        for one in hall.journal.open_entries()
        if one.last.kind == SILENT
    }
    assert stood[first.last.id] == "cleared"
    assert set(stood.values()) == {"cleared"}
    if most_over == 256:
        assert len(stood) == 5, "and each silence is in the journal"


def test_an_alarm_of_ours_that_can_not_be_stored_takes_no_other_with_it() -> None:
    hall = Hall()
    hall.clock = clock = JumpingClock(now_ns=NOW_NS)
    hall.room = hall.new_room()
    hall.say(health(NOW_NS))
    clock.set_back_s = -(2**63) // 10**9
    hall.room.refuse(PLACE, FORGED)
    clock.set_back_s = 0
    hall.clock.sleep(5)
    hall.room.tick()
    assert [one.last.kind for one in hall.journal.open_entries()] == [SILENT]


def test_silence_is_told_whatever_else_fails() -> None:
    hall = Hall()

    def fails() -> list[Any]:
        raise OSError("a folder of keys that can't be read")

    hall.room = Room(
        hall.journal,
        hall.clock,
        lambda *_: None,
        lambda *_: None,
        prefix="mine",
        expected=[(SITE, GATEWAY)],
        distrusted=fails,
    )
    hall.room.join(hall.listen)
    hall.clock.sleep(5)
    with pytest.raises(OSError, match="a folder of keys"):
        hall.room.tick()
    assert kinds(hall) == [(SILENT, "active")]


@pytest.mark.parametrize("text", ["0", "-1", "many"])
def test_a_wrong_number_of_operators_is_one_clear_line(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    assert parser.parse_args(["--broker", "mqtt://b", "--operators", "2"]).operators == 2
    with pytest.raises(SystemExit):
        parser.parse_args(["--broker", "mqtt://b", f"--operators={text}"])
    assert f"{text}: give a whole number, at least 1" in capsys.readouterr().err
