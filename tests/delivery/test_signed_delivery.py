"""A gateway's publisher against a broker that lies."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from delivery.guard import Guard
from delivery.memory import MemoryBroker
from delivery.outbox import Outbox
from delivery.publisher import Publisher
from delivery.signing import Signer, is_signed
from delivery.subscriber import Subscriber
from delivery.troubles import KIND as TROUBLE
from delivery.trust import Trust
from delivery.voice import Voice
from scene.clock import SystemClock
from scene.errors import WireError
from scene.messages import (
    Anomaly,
    ControlRoomBeat,
    GatewayHealth,
    GatewayState,
    Order,
    Receipt,
    Stored,
)
from scene.topics import Address, topic_name
from scene.wire import Envelope, Message, encode, type_name
from tests.delivery.keys import Keys
from tests.delivery.parts import alarm, people, site, wait_until

CLOCK = SystemClock()
HEALTH = GatewayHealth(
    captured_at_ns=1,
    cameras=(),
    panorama_fps=10,
    detection_fps=5,
    detection_age_s=None,
    detection_provider="CPU",
)


class World:
    """A gateway with keys, and a broker that says whatever it is told to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keys = Keys(folder)
        self.gateway = self.keys.add("gateway", "roadway", "gw1")
        self.room = Voice(CLOCK, run=1, signer=self.keys.add("control_room"))
        self.broker = MemoryBroker()
        self.raw: list[tuple[str, bytes]] = []
        self.heard: list[tuple[Address, Envelope]] = []
        self.bad: list[tuple[str, WireError]] = []
        self.link = self.broker.connection()
        self.gateways_link = self.broker.connection()
        self.link.subscribe("#", 0, lambda topic, payload, _: self.raw.append((topic, payload)))
        self.subscriber = Subscriber(
            self.link,
            on_message=lambda *said: self.heard.append(said),
            on_bad=lambda *said: self.bad.append(said),
            guard=Guard(Trust([self.keys.trusted], CLOCK)),
        )

    @contextmanager
    def publisher(self) -> Iterator[tuple[Publisher, Outbox]]:
        box = Outbox(self.folder / "state", CLOCK)
        made = Publisher(
            site(self.folder),
            self.gateways_link,
            box,
            CLOCK,
            voice=Voice(CLOCK, run=CLOCK.now_ns(), signer=self.gateway),
            guard=Guard(Trust([self.keys.trusted], CLOCK)),
        )
        try:
            yield made, box
        finally:
            made.going_offline()
            box.close()

    def say(self, message: Message, *, signer: Signer | None = None, honest: bool = False) -> None:
        """Say something in the control room's place, or as the control room."""
        id = getattr(message, "alarm", None)
        topic = topic_name(type_name(message), site="roadway", gateway="gw1", id=id)
        if honest:
            _, payload = self.room.write(topic, message, gateway="gw1")
        else:
            payload = encode(message, gateway="gw1", run=2**60, seq=9, sent_at_ns=9)
            payload = payload if signer is None else signer.sign(topic, payload)
        self.link.publish(topic, payload, qos=1, retain=False)

    def alarms(self, kind: str) -> list[Anomaly]:
        bodies = [envelope.body for _, envelope in self.heard]
        return [one for one in bodies if isinstance(one, Anomaly) and one.kind == kind]


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> World:
    return World(tmp_path)


def receipt(**changes: object) -> Receipt:
    said = Receipt(alarm="man_down-1", state="active", stored_at_ns=5, captured_at_ns=1000)
    return replace(said, **changes)  # type: ignore[arg-type]


def test_everything_a_gateway_says_is_signed(world: World) -> None:
    with world.publisher() as (made, _):
        made.positions(people())
        made.health(HEALTH)
        made.alarm(alarm())
    assert {topic.split("/")[4] for topic, _ in world.raw} == {
        "state",
        "positions",
        "health",
        "alarm",
    }
    assert all(is_signed(payload) for _, payload in world.raw)
    assert world.bad == []
    runs = {json.loads(payload)["run"] for _, payload in world.raw}
    assert len(runs) == 1


def test_a_forged_receipt_loses_no_alarm_and_is_told(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    with world.publisher() as (made, box):
        made.alarm(alarm())
        for signer in (None, world.keys.stranger(), world.gateway):
            world.say(receipt(), signer=signer)
        wait_until(lambda: bool(world.alarms(TROUBLE)))
        assert "man_down-1" in [one.id for one in box.pending()]
        assert "refused" in world.alarms(TROUBLE)[0].evidence
        assert capsys.readouterr().err.count("man_down-1: a message was refused: it is not") == 1
        made.health(HEALTH)
        said = world.heard[-1][1].body
        assert isinstance(said, GatewayHealth)
        assert "receipt/man_down-1: it is not signed" in said.degraded or "wrong" in said.degraded
        world.say(receipt(), honest=True)
        wait_until(lambda: "man_down-1" not in [one.id for one in box.pending()])


def test_a_forged_order_is_told_by_the_sender_too(world: World) -> None:
    order = Order(alarm="man_down-1", action="end", by="Li", reason="out", ordered_at_ns=5)
    with world.publisher():
        world.say(order, honest=True)
        world.say(order)
        wait_until(lambda: bool(world.alarms(TROUBLE)))
    assert "order/man_down-1" in world.alarms(TROUBLE)[0].evidence


def test_a_forged_heartbeat_is_no_control_room(world: World) -> None:
    with world.publisher() as (made, _):
        world.say(ControlRoomBeat(said_at_ns=1))
        assert not made.attendance.known
        world.say(ControlRoomBeat(said_at_ns=7), honest=True)
        assert made.attendance.known
        made.health(HEALTH)
        said = world.heard[-1][1].body
        assert isinstance(said, GatewayHealth)
        assert said.heard_beats_ns == (7,), "so the control room knows that it is heard, and when"


def test_a_receipt_for_an_earlier_word_does_not_stand_for_a_later_one(world: World) -> None:
    with world.publisher() as (made, box):
        made.alarm(alarm(at_ns=1000))
        made.alarm(alarm(at_ns=2000))
        world.say(receipt(captured_at_ns=1000), honest=True)
        threading.Event().wait(0.2)
        assert [one.captured_at_ns for one in box.pending()] == [2000]
        world.say(receipt(captured_at_ns=2000), honest=True)
        wait_until(lambda: not box.pending())


def test_one_receipt_may_stand_for_many(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("delivery.publisher.RESEND_S", 1000.0)
    with world.publisher() as (made, box):
        for i in range(5):
            made.alarm(alarm(f"a-{i}"))
        also = tuple(
            Stored(alarm=f"a-{i}", state="active", captured_at_ns=1000) for i in range(1, 4)
        )
        world.say(receipt(alarm="a-0", also=also), honest=True)
        wait_until(lambda: [one.id for one in box.pending()] == ["a-4"])


def test_the_heartbeat_says_what_waits(world: World) -> None:
    with world.publisher() as (made, _):
        made.health(HEALTH)
        made.alarm(alarm())
        made.health(HEALTH)
        world.say(receipt(), honest=True)
        threading.Event().wait(0.1)
        made.health(HEALTH)
    said = [one.body for _, one in world.heard if isinstance(one.body, GatewayHealth)]
    assert [one.alarms_waiting for one in said] == [0, 1, 0]
    assert said[1].longest_waiting_s is not None
    assert said[0].longest_waiting_s is said[2].longest_waiting_s is None


def test_a_topic_that_the_broker_refuses_is_an_alarm_until_it_takes_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("delivery.troubles.WELL_S", 0.1)
    monkeypatch.setattr("delivery.publisher.RESEND_S", 0.1)
    topic = topic_name("alarm", site="roadway", gateway="gw1", id="man_down-1")
    world.broker.refused.add(topic)
    with world.publisher() as (made, _):
        made.alarm(alarm())
        wait_until(lambda: bool(world.alarms(TROUBLE)))
        assert "alarm messages: Not authorized" in world.alarms(TROUBLE)[0].evidence
        world.broker.refused.clear()
        wait_until(lambda: world.alarms(TROUBLE)[-1].state == "cleared")
        assert world.alarms("man_down")


def test_trouble_of_an_earlier_run_is_carried_on_and_cleared(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("delivery.troubles.WELL_S", 0.1)
    with world.publisher() as (made, _):
        made.troubles.set("x", "something")
        wait_until(lambda: bool(world.alarms(TROUBLE)))
    with world.publisher():
        wait_until(lambda: world.alarms(TROUBLE)[-1].state == "cleared")
    assert len({one.id for one in world.alarms(TROUBLE)}) == 1


def test_trouble_that_others_cleared_is_raised_again(world: World) -> None:
    with world.publisher() as (made, box):
        made.troubles.set("x", "something")
        wait_until(lambda: bool(world.alarms(TROUBLE)))
        first = world.alarms(TROUBLE)[0]
        box.put(replace(first, state="cleared", captured_at_ns=first.captured_at_ns + 1))
        wait_until(lambda: len({one.id for one in world.alarms(TROUBLE)}) == 2)


def test_a_certificate_that_ends_soon_is_an_alarm(world: World) -> None:
    world.broker.trouble = "the certificate gw1.crt ends in 3 days"
    with world.publisher():
        wait_until(lambda: bool(world.alarms(TROUBLE)))
    assert "ends in 3 days" in world.alarms(TROUBLE)[0].evidence


def test_a_mistake_of_ours_does_not_end_the_sending_of_alarms(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with world.publisher() as (made, _):
        with monkeypatch.context() as broken:
            broken.setattr(made, "_send_waiting", lambda: 1 / 0)
            wait_until(lambda: bool(world.alarms(TROUBLE)))
        assert "ZeroDivisionError" in world.alarms(TROUBLE)[0].evidence
        world.broker.online = False
        made.alarm(alarm())
        world.broker.online = True
        wait_until(lambda: bool(world.alarms("man_down")))


def test_the_last_will_of_an_earlier_run_is_passed_over(world: World) -> None:
    """A broker says it late, when the next run is there already."""
    topic = topic_name("state", site="roadway", gateway="gw1")
    will = Voice(CLOCK, run=5, signer=world.gateway).last_will(
        topic, GatewayState(online=False, since_ns=1), gateway="gw1"
    )
    with world.publisher() as (made, _):
        wait_until(lambda: bool(world.heard))
        world.link.publish(topic, will, qos=1, retain=True)
        made.positions(people())
        assert [address.topic for address, _ in world.heard] == ["state", "positions"]
    assert world.bad == []


def test_after_speaking_anew_the_last_will_is_believed(world: World) -> None:
    with world.publisher() as (made, _):
        made.speak_anew(2 * CLOCK.now_ns())
        world.gateways_link.cut()
    states = [one.body for _, one in world.heard if isinstance(one.body, GatewayState)]
    assert [one.online for one in states] == [True, True, False]
    assert world.bad == []


def test_a_file_of_keys_that_cannot_be_used_is_a_trouble_until_it_is_mended(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("delivery.trust.LOOK_EVERY_S", 0.1)
    monkeypatch.setattr("delivery.troubles.WELL_S", 0.1)
    bad = world.keys.trusted / "control_room-spare.pub"
    bad.write_text("half a f")
    with world.publisher():
        wait_until(lambda: bool(world.alarms(TROUBLE)))
        assert "control_room-spare.pub: is no public key" in world.alarms(TROUBLE)[0].evidence
        world.say(receipt(), honest=True)
        bad.unlink()
        wait_until(lambda: world.alarms(TROUBLE)[-1].state == "cleared")
    assert world.bad == []
