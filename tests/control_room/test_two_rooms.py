"""Two control rooms with keys of their own, over a real Mosquitto; and a bad file of keys."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from control_room.main import open_room
from control_room.our_key import RENEW_S, OurKey
from control_room.room import Room
from delivery.guard import Guard
from delivery.mqtt import Connection
from delivery.outbox import Outbox
from delivery.publisher import Publisher
from delivery.signing import Signer
from delivery.trust import Trust
from delivery.voice import Voice
from scene.clock import ReplayClock, SystemClock
from scene.messages import ControlRoomBeat, Order
from scene.site import BrokerConfig
from scene.topics import topic_name
from scene.wire import decode
from tests.control_room.test_lying_broker import HEALTH, states
from tests.control_room.ticking import ticking
from tests.delivery.keys import Keys
from tests.delivery.parts import (
    HANG_S,
    MOSQUITTO,
    NO_MOSQUITTO,
    alarm,
    mosquitto,
    site,
    wait_until,
)

pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason=NO_MOSQUITTO)
CLOCK = SystemClock()


@contextmanager
def room_of(folder: Path, url: str, name: str, signer: Signer, keys: Keys) -> Iterator[Room]:
    guard = Guard(Trust([keys.trusted], CLOCK), required=True)
    with (
        open_room(
            BrokerConfig(url=url), folder / f"{name}.sqlite", CLOCK, signer=signer, guard=guard
        ) as room,
        ticking(room.tick, 0.2),
    ):
        yield room


@contextmanager
def gateway_of(folder: Path, url: str, signer: Signer, keys: Keys) -> Iterator[Publisher]:
    link = Connection(BrokerConfig(url=url), "gw1", log=lambda _text: None)
    box = Outbox(folder / "state", CLOCK)
    guard = Guard(Trust([keys.trusted], CLOCK), required=True)
    voice = Voice(CLOCK, run=CLOCK.now_ns(), signer=signer)
    made = Publisher(site(folder), link, box, CLOCK, voice=voice, guard=guard)
    link.connect(HANG_S, wait=True)
    with ticking(lambda: made.health(HEALTH), 0.2):
        try:
            yield made
        finally:
            made.going_offline()
            link.close()
            box.close()


def test_both_are_heard_and_the_spare_alone_is_a_control_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("delivery.attendance.SILENT_AFTER_S", 2.0)
    monkeypatch.setattr("delivery.publisher.RESEND_S", 0.5)
    keys = Keys(tmp_path)
    signer = keys.add("gateway", "roadway", "gw1")
    first, spare = keys.add("control_room"), keys.add_file("control_room-spare.pub")
    with mosquitto(tmp_path) as broker, ExitStack() as rooms:
        spares = rooms.enter_context(ExitStack())
        one = rooms.enter_context(room_of(tmp_path, broker.url, "first", first, keys))
        two = spares.enter_context(room_of(tmp_path, broker.url, "spare", spare, keys))
        with gateway_of(tmp_path, broker.url, signer, keys) as made:
            made.alarm(alarm())
            for room in (one, two):
                wait_until(lambda room=room: states(room, "man_down") == ["active"])  # type: ignore[misc]
            wait_until(lambda: len(made.attendance.beats_ns()) == 2)
            wait_until(lambda: not made._outbox.pending())
            spares.close()
            wait_until(lambda: len(made.attendance.beats_ns()) == 1)
            assert made.attendance.silence() == "", "one alone is enough"
            made.alarm(alarm("man_down-2"))
            wait_until(lambda: len(states(one, "man_down")) == 2)
            wait_until(lambda: not made._outbox.pending())
            assert made.troubles.reasons() == ()
            for kind in ("message_refused", "messages_missing", "delivery_trouble"):
                assert states(one, kind) == []
            rooms.close()
            wait_until(lambda: bool(made.attendance.silence()))


def test_orders_of_both_are_carried_out_and_those_of_a_stranger_are_not(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    keys.add("gateway", "roadway", "gw1")
    signers = [keys.add("control_room"), keys.add_file("control_room-spare.pub")]
    guard = Guard(Trust([keys.trusted], CLOCK), required=True)
    heard, refused = list[str](), list[str]()

    def hear(topic: str, payload: bytes, _retained: bool) -> None:
        try:
            read = guard.read(topic, payload)
        except Exception as error:
            refused.append(str(error))
            return
        if read is not None:
            heard.append(topic.rpartition("/")[2])

    with mosquitto(tmp_path) as broker:
        link = Connection(BrokerConfig(url=broker.url), "x", log=lambda _text: None)
        link.subscribe("mine/roadway/gw/gw1/order/+", 1, hear)
        link.connect(HANG_S, wait=True)
        # The spare's clock is an hour behind.
        voices = [
            Voice(CLOCK, run=run, signer=who) for run, who in zip((9, 5), signers, strict=True)
        ]
        voices.append(Voice(CLOCK, run=99, signer=keys.stranger()))
        for i in range(3):
            for name, voice in zip(("first", "spare", "stranger"), voices, strict=True):
                id = f"{name}-{i}"
                topic = topic_name("order", site="roadway", gateway="gw1", id=id)
                order = Order(alarm=id, action="end", by="Li", reason="out", ordered_at_ns=1)
                link.publish(
                    topic, voice.write(topic, order, gateway="gw1")[1], qos=1, retain=False
                )
        wait_until(lambda: len(heard) + len(refused) == 9)
        link.close()
    assert sorted(heard) == [f"{name}-{i}" for name in ("first", "spare") for i in range(3)]
    assert len(refused) == 3


def test_a_second_room_with_our_key_deafens_us_for_a_moment_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("delivery.publisher.RESEND_S", 0.5)
    monkeypatch.setattr("control_room.our_key.RENEW_S", 1.0)
    keys = Keys(tmp_path)
    signer, shared = keys.add("gateway", "roadway", "gw1"), keys.add("control_room")
    with (
        mosquitto(tmp_path) as broker,
        room_of(tmp_path, broker.url, "real", shared, keys) as real,
        gateway_of(tmp_path, broker.url, signer, keys) as made,
    ):
        made.alarm(alarm())
        wait_until(lambda: states(real, "man_down") == ["active"])
        wait_until(lambda: not made._outbox.pending())
        with room_of(tmp_path, broker.url, "second", shared, keys) as second:
            wait_until(lambda: bool(second._last))
            wait_until(lambda: "speaks with our key" in capsys.readouterr().err)
        made.alarm(alarm("man_down-2"))
        wait_until(lambda: len(states(real, "man_down")) == 2)
        wait_until(lambda: not made._outbox.pending())


def test_two_rooms_with_one_key_outbid_each_other_once_a_minute_only(tmp_path: Path) -> None:
    clock, signer, said = ReplayClock(10**18), Keys(tmp_path).add("control_room"), list[str]()
    topic = topic_name("control_room", site="roadway", gateway="gw1")
    voices = [Voice(clock, run=run, signer=signer) for run in (5, 9)]
    ours = [OurKey(voice, signer, clock, said.append, lambda after: after + 1) for voice in voices]
    (tmp_path / "x").mkdir()
    stranger = Voice(clock, run=10**6, signer=Keys(tmp_path / "x").stranger())
    beat = ControlRoomBeat(said_at_ns=1)
    for _ in range(300):
        for voice, our_key in zip(voices, ours, strict=True):
            our_key.take_back()
            payload = voice.write(topic, beat, gateway="gw1")[1]
            for other in ours:
                other._hear(topic, payload, False)
                other._hear(topic, stranger.write(topic, beat, gateway="gw1")[1], False)
        clock.sleep(1.0)
    assert 4 <= len(said) <= 2 * 5
    assert max(voice.run for voice in voices) < 30
    # The other one ends: ours takes the word back, though it hears nothing any more.
    loser = min(range(2), key=lambda one: voices[one].run)
    clock.sleep(RENEW_S)
    ours[loser].take_back()
    assert voices[loser].run > voices[1 - loser].run
    assert decode(voices[loser].write(topic, beat, gateway="gw1")[1]).seq == 1


def test_a_bad_file_of_keys_is_an_alarm_and_no_reason_not_to_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("delivery.trust.LOOK_EVERY_S", 0.2)
    monkeypatch.setattr("control_room.refusals.QUIET_S", 1.0)
    keys = Keys(tmp_path)
    signer, room_signer = keys.add("gateway", "roadway", "gw1"), keys.add("control_room")
    bad, nameless = keys.trusted / "gateway-roadway-gw2.pub", keys.trusted / "backup.pub"
    bad.write_text("half a file")
    nameless.write_text("x")
    with (
        mosquitto(tmp_path) as broker,
        room_of(tmp_path, broker.url, "r", room_signer, keys) as room,
    ):
        wait_until(lambda: states(room, "message_refused") == ["active"] * 2)
        places = {entry.key.gateway for entry in room._journal.open_entries()}
        assert places == {"gw2", "control_room"}
        with gateway_of(tmp_path, broker.url, signer, keys) as made:
            made.alarm(alarm())
            wait_until(lambda: states(room, "man_down") == ["active"])
            bad.unlink()
            nameless.unlink()
            wait_until(lambda: states(room, "message_refused") == ["cleared"] * 2)
    said = capsys.readouterr().out
    assert f"{bad}: is no public key in PEM" in said
    assert f"{nameless}: whose key is it?" in said
