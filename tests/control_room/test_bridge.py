"""A bridge that is cut and comes back says things twice and drops others; nobody attacks."""

import threading
from collections import Counter
from pathlib import Path

import pytest

from delivery.guard import Guard
from delivery.mqtt import Connection
from delivery.outbox import Outbox
from delivery.publisher import Publisher
from delivery.signing import RefusedError
from delivery.subscriber import Subscriber
from delivery.trust import Trust
from delivery.voice import Voice
from scene.clock import SystemClock
from scene.errors import WireError
from scene.messages import Order, Receipt
from scene.site import BrokerConfig
from scene.topics import topic_filter, topic_name
from scene.wire import Message, type_name
from tests.control_room.bridged import ABOVE, BELOW, Bridged, bridged_brokers
from tests.delivery.keys import Keys
from tests.delivery.parts import (
    HANG_S,
    HEALTH,
    MOSQUITTO,
    NO_MOSQUITTO,
    alarm,
    people,
    site,
    wait_until,
)

pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason=NO_MOSQUITTO)
CLOCK = SystemClock()
MANY = 40


def connected(url: str, name: str) -> Connection:
    made = Connection(BrokerConfig(url=url), name, log=lambda _text: None)
    made.connect(HANG_S, wait=True)
    return made


def up(brokers: Bridged, above: Connection) -> None:
    """Wait until the bridge is there: nobody hears of it otherwise."""
    heard = threading.Event()
    ear = connected(brokers.below, "tags-ear")
    ear.subscribe("mine/roadway/tags", 0, lambda *_: heard.set())
    wait_until(
        lambda: above.publish("mine/roadway/tags", b"x", qos=0, retain=False) and heard.wait(0.05)
    )
    ear.close()


def test_receipts_and_orders_that_come_twice_are_no_trouble_and_are_heeded_once(
    tmp_path: Path,
) -> None:
    keys = Keys(tmp_path)
    gateway = keys.add("gateway", "roadway", "gw1")
    room = Voice(CLOCK, run=CLOCK.now_ns(), signer=keys.add("control_room"))
    heard: Counter[str] = Counter()
    with bridged_brokers(tmp_path, site="roadway", gateway="gw1", protocol="mqttv311") as brokers:
        above, below = connected(brokers.above, "room"), connected(brokers.below, "gw1")
        ear = connected(brokers.below, "ear")
        for topic in ("receipt", "order"):
            ear.subscribe(topic_filter(topic), 1, lambda topic, *_: heard.update([topic]))
        box = Outbox(tmp_path / "state", CLOCK)
        guard = Guard(Trust([keys.trusted], CLOCK))
        voice = Voice(CLOCK, run=CLOCK.now_ns(), signer=gateway)
        made = Publisher(site(tmp_path), below, box, CLOCK, voice=voice, guard=guard)

        def say(message: Message, id: str) -> None:
            topic = topic_name(type_name(message), site="roadway", gateway="gw1", id=id)
            _, payload = room.write(topic, message, gateway="gw1")
            assert above.publish(topic, payload, qos=1, retain=False)

        try:
            up(brokers, above)
            brokers.line.swallow(BELOW)  # what is said above comes; that it came is not known there
            for i in range(MANY):
                say(Receipt(alarm=f"a-{i}", state="active", stored_at_ns=5), f"a-{i}")
                order = Order(alarm=f"a-{i}", action="end", by="x", reason="y", ordered_at_ns=1)
                say(order, f"a-{i}")
            wait_until(lambda: len(heard) == 2 * MANY)
            assert set(heard.values()) == {1}
            brokers.line.cut()
            brokers.line.mend()
            wait_until(lambda: min(heard.values()) >= 2)
            assert made.troubles.reasons() == ()
            assert made.troubles.raised is None
        finally:
            made.going_offline()
            for one in (above, below, ear):
                one.close()
            box.close()


def test_alarms_that_come_twice_are_no_gap_and_what_was_dropped_is_no_forgery(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("delivery.publisher.RESEND_S", 1000.0)  # each alarm is said once
    keys = Keys(tmp_path)
    gateway = keys.add("gateway", "roadway", "gw1")
    heard: Counter[str] = Counter()
    bad: list[tuple[str, WireError]] = []
    with bridged_brokers(tmp_path, site="roadway", gateway="gw1") as brokers:
        above, below = connected(brokers.above, "room"), connected(brokers.below, "gw1")
        subscriber = Subscriber(
            above,
            on_message=lambda address, _: heard.update([address.id or address.topic]),
            on_bad=lambda *said: bad.append(said),
            guard=Guard(Trust([keys.trusted], CLOCK)),
        )
        voices = [Voice(CLOCK, run=run, signer=gateway) for run in (1, 2)]

        def say(voice: Voice, message: Message, id: str | None = None) -> None:
            topic = topic_name(type_name(message), site="roadway", gateway="gw1", id=id)
            _, payload = voice.write(topic, message, gateway="gw1")
            assert below.publish(topic, payload, qos=0 if id is None else 1, retain=False)

        try:
            up(brokers, above)
            for i in range(3):
                say(voices[0], alarm(f"a-{i}"), f"a-{i}")
            say(voices[0], people())
            say(voices[0], HEALTH)
            wait_until(lambda: heard["a-2"] == heard["health"] == 1)
            brokers.line.swallow(ABOVE)  # alarms come; that they came is not known below
            for i in range(3, MANY):
                say(voices[0], alarm(f"a-{i}"), f"a-{i}")
            say(voices[1], alarm("b-0"), "b-0")  # the gateway was started again meanwhile
            wait_until(lambda: heard["b-0"] == 1)
            brokers.line.cut()
            for _ in range(MANY):  # nobody says this again
                say(voices[1], people())
                say(voices[1], HEALTH)
            say(voices[1], alarm("b-1"), "b-1")
            brokers.line.mend()
            wait_until(lambda: heard["b-0"] == 2 and heard["a-20"] == 2 and heard["b-1"] == 1)
            say(voices[1], people())
            say(voices[1], HEALTH)
            wait_until(lambda: heard["health"] >= 2 and heard["positions"] >= 2)
            refused = [one for one in bad if isinstance(one[1], RefusedError)]
            assert refused == []
            assert [key for key in subscriber.missed if key[2] == "alarm"] == []
            assert subscriber.missed["roadway", "gw1", "positions"] == MANY
        finally:
            for one in (above, below):
                one.close()


@pytest.mark.parametrize("protocol", ["mqttv50", "mqttv311"])
def test_during_a_cut_only_the_gateways_side_keeps_what_waits_for_the_bridge(
    tmp_path: Path, protocol: str
) -> None:
    """As deploy/mosquitto/gateway.conf says it, of the protocol that is shipped (mqttv50)."""
    heard: list[str] = []
    with bridged_brokers(tmp_path, site="roadway", gateway="gw1", protocol=protocol) as brokers:
        above, below = connected(brokers.above, "room"), connected(brokers.below, "gw1")

        def hear(topic: str, payload: bytes, _retained: bool) -> None:
            heard.append(payload.decode())

        above.subscribe("mine/roadway/gw/gw1/alarm/+", 1, hear)
        below.subscribe("mine/roadway/gw/gw1/order/+", 1, hear)
        try:
            up(brokers, above)
            brokers.line.cut()
            assert below.publish("mine/roadway/gw/gw1/alarm/a", b"alarm", qos=1, retain=False)
            assert above.publish("mine/roadway/gw/gw1/order/a", b"order", qos=1, retain=False)
            brokers.line.mend()
            up(brokers, above)  # what the surface had kept for the bridge has come before this
            wait_until(lambda: "alarm" in heard)
            above.publish("mine/roadway/gw/gw1/order/b", b"later", qos=1, retain=False)
            wait_until(lambda: "later" in heard)
        finally:
            for one in (above, below):
                one.close()
    assert ("order" in heard) is (protocol == "mqttv311")
