"""Positions in a lane of their own: thinned, counted, and never before anybody else."""

import contextlib
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from delivery import lane as lane_module
from delivery.lane import Lane
from delivery.mqtt import Connection
from delivery.subscriber import Subscriber
from scene.messages import Anomaly, GatewayState, Positions
from scene.site import BrokerConfig
from scene.topics import Address, topic_filter, topic_name
from scene.wire import Envelope, Message, encode, type_name
from tests.delivery.parts import (
    MOSQUITTO,
    NO_MOSQUITTO,
    Wire,
    alarm,
    mosquitto,
    people,
    wait_until,
)

RUN = 7


class Reader:
    """Hears through a lane; positions may be held up."""

    def __init__(self) -> None:
        self.wire, self.lane = Wire(), Lane()
        self.heard: list[Envelope] = []
        self.gaps: list[int] = []
        self.times_s: dict[str, list[float]] = {}
        self.breaks_at = 0
        self.go_on, self.holds = threading.Event(), threading.Event()
        self.go_on.set()
        Subscriber(self.wire, on_message=self.hear, on_gap=self.gap, lane=self.lane)

    def hear(self, _address: Address, envelope: Envelope) -> None:
        if isinstance(envelope.body, Positions):
            self.holds.set()
            if envelope.seq == self.breaks_at:
                raise RuntimeError("the first breaks")
            self.go_on.wait(60)
            self.times_s.setdefault(envelope.gateway, []).append(time.monotonic())
        self.heard.append(envelope)

    def gap(self, _address: Address, jumped: int) -> None:
        self.gaps.append(jumped)

    def say(self, message: Message, seq: int = 1, gateway: str = "gw1") -> None:
        kind = type_name(message)
        id = message.id if isinstance(message, Anomaly) else None
        topic = topic_name(kind, site="roadway", gateway=gateway, id=id)
        payload = encode(message, gateway=gateway, seq=seq, sent_at_ns=1, run=RUN)
        self.wire.hears[topic_filter(kind)](topic, payload, False)

    def numbers(self) -> list[int]:
        return [one.seq for one in self.heard if one.type == "positions"]


@pytest.fixture
def reader() -> "Reader":
    return Reader()


def test_who_hangs_over_positions_keeps_no_alarm_waiting(reader: Reader) -> None:
    reader.go_on.clear()
    reader.say(people(), 1)
    assert reader.holds.wait(60)
    reader.say(people(), 2)
    reader.say(alarm())
    assert [one.type for one in reader.heard] == ["alarm"]
    reader.go_on.set()
    wait_until(lambda: reader.numbers() == [1, 2])
    reader.lane.close()


def test_of_what_comes_too_fast_the_newest_is_heard_and_nothing_counts_as_lost(
    reader: Reader,
) -> None:
    reader.go_on.clear()
    reader.say(people(), 1)
    assert reader.holds.wait(60)
    for seq in range(2, 30):
        reader.say(people(), seq)
    reader.go_on.set()
    wait_until(lambda: reader.numbers() == [1, 29])
    assert reader.gaps == []
    for seq in (33, 35):  # 30 to 32 never came, nor did 34
        reader.say(people(), seq)
    wait_until(lambda: reader.numbers()[-1] == 35)
    assert sum(reader.gaps) == 4
    reader.lane.close()


def test_one_that_can_not_be_heard_costs_nobody_else(
    reader: Reader, capsys: pytest.CaptureFixture[str]
) -> None:
    reader.breaks_at = 1
    for number in range(3):
        reader.say(people(), number + 1, f"gw{number}")
    wait_until(lambda: {one.gateway for one in reader.heard} == {"gw1", "gw2"})
    wait_until(lambda: "the first breaks" in capsys.readouterr().err)
    reader.lane.close()


def test_every_gateway_has_its_turn(reader: Reader) -> None:
    for seq in range(1, 6):
        for number in range(20):
            reader.say(people(), seq, f"gw{number}")
    wait_until(lambda: {one.gateway for one in reader.heard} == {f"gw{n}" for n in range(20)})
    wait_until(lambda: sum(one.seq == 5 for one in reader.heard) == 20)
    reader.lane.close()


def test_a_goodbye_comes_after_the_last_positions(reader: Reader) -> None:
    for seq in (1, 2, 3):
        reader.say(people(), seq)
    reader.say(GatewayState(online=False, since_ns=9))
    assert reader.heard[-1].type == "state"
    assert reader.numbers()[-1] == 3
    reader.lane.close()


def test_falling_behind_is_told_until_it_is_over(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane_module, "LATE_S", 0.3)
    monkeypatch.setattr(lane_module, "TOLD_OVER_S", 1.0)
    reader.say(people(), 1)
    wait_until(lambda: reader.numbers() == [1])
    assert reader.lane.shed().late_s == 0.0
    reader.go_on.clear()
    reader.holds.clear()
    reader.say(people(), 1, "gw2")
    assert reader.holds.wait(60)
    seq = 1
    while reader.lane.shed().late_s == 0.0:
        seq += 1
        reader.say(people(), seq)
    reader.say(people(), seq + 1)
    reader.go_on.set()
    wait_until(lambda: reader.numbers()[-1] == seq + 1)
    assert reader.lane.shed().left_out > 0
    wait_until(lambda: reader.lane.shed().late_s == 0.0)
    reader.lane.close()


def test_the_more_gateways_the_rarer_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane_module, "MOST_PER_S", 10)
    reader = Reader()
    stop = threading.Event()

    def speak() -> None:
        seq = 0
        while not stop.wait(0.01):
            seq += 1
            for number in range(10):
                reader.say(people(), seq, f"gw{number}")

    speaking = threading.Thread(target=speak)
    speaking.start()
    wait_until(lambda: len(reader.heard) >= 40)
    stop.set()
    speaking.join()
    reader.lane.close()
    heard_s = reader.times_s["gw3"]
    assert min(after - before for before, after in pairwise(heard_s)) > 0.8, "a second, not a fifth"
    assert reader.gaps == []


def test_thousands_of_invented_gateways_put_no_true_one_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lane_module, "MOST_PER_S", 1)
    reader = Reader()
    for number in range(600):  # by turns, one a second, that would be ten minutes
        reader.say(people(), 1, f"no{number}")
    wait_until(lambda: len(reader.heard) == 600)
    reader.say(people(), 1)
    wait_until(lambda: reader.heard[-1].gateway == "gw1")
    reader.say(people(), 2)
    wait_until(lambda: reader.numbers()[-1] == 2)
    reader.lane.close()


def test_who_has_gone_takes_no_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane_module, "QUIET_S", 0.5)
    reader = Reader()
    for number in range(20):
        reader.say(people(), 1, f"gw{number}")
    wait_until(lambda: len(reader.heard) == 20)
    gone_s = time.monotonic() + 0.6
    seq = 1
    while time.monotonic() < gone_s:
        seq += 1
        reader.say(people(), seq)
    reader.say(people(), seq + 1)
    wait_until(lambda: reader.numbers()[-1] == seq + 1)
    assert list(reader.lane._passed_s) == [topic_name("positions", site="roadway", gateway="gw1")]
    reader.lane.close()


def test_who_breaks_round_what_is_passed_on_does_not_end_it(
    reader: Reader, capsys: pytest.CaptureFixture[str]
) -> None:
    rounds = 0

    @contextlib.contextmanager
    def breaks() -> Iterator[None]:
        nonlocal rounds
        yield
        rounds += 1
        if rounds == 1:
            raise RuntimeError("the first round breaks")

    reader.lane.together = breaks
    reader.say(people(), 1)
    wait_until(lambda: "the first round breaks" in capsys.readouterr().err)
    reader.say(people(), 2)
    wait_until(lambda: reader.numbers() == [1, 2])
    reader.lane.close()


def test_what_takes_long_is_not_kept_back_until_all_are_through(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane_module, "SLICE_S", 0.0)
    told: list[list[str]] = []

    @contextlib.contextmanager
    def together() -> Iterator[None]:
        before = len(reader.heard)
        yield
        told.append([one.gateway for one in reader.heard[before:]])

    reader.lane.together = together
    reader.go_on.clear()
    reader.say(people(), 1, "gw0")
    assert reader.holds.wait(60)
    for number in range(1, 6):
        reader.say(people(), 1, f"gw{number}")
    reader.go_on.set()
    wait_until(lambda: len(told) == 6)
    assert told == [[f"gw{number}"] for number in range(6)]
    reader.lane.close()


@pytest.mark.skipif(MOSQUITTO is None, reason=NO_MOSQUITTO)
def test_over_a_broker_alarms_overtake_positions_that_hang(tmp_path: Path) -> None:
    with mosquitto(tmp_path) as broker:
        config = BrokerConfig(url=broker.url)
        sends = Connection(config, "sends", log=lambda _: None)
        hears = Connection(config, "hears", log=lambda _: None)
        lane, go_on, heard = Lane(), threading.Event(), list[str]()

        def hear(_address: Address, envelope: Envelope) -> None:
            if envelope.type == "positions":
                go_on.wait(60)
            heard.append(envelope.type)

        Subscriber(hears, on_message=hear, lane=lane)
        try:
            for one in (hears, sends):
                one.connect(20, wait=True)
            for seq in range(1, 300):
                topic = topic_name("positions", site="roadway", gateway="gw1")
                payload = encode(people(), gateway="gw1", seq=seq, sent_at_ns=1, run=RUN)
                sends.publish(topic, payload, qos=0, retain=False)
            topic = topic_name("alarm", site="roadway", gateway="gw1", id="man_down-1")
            payload = encode(alarm(), gateway="gw1", seq=1, sent_at_ns=1, run=RUN)
            sends.publish(topic, payload, qos=1, retain=False)
            wait_until(lambda: heard == ["alarm"])
            go_on.set()
            wait_until(lambda: len(heard) >= 3)
        finally:
            go_on.set()
            sends.close()
            hears.close()
            lane.close()
