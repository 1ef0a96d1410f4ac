"""Two gateways of one name and key: a copied disk, or a spare that was switched on by mistake."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from control_room.alarms import AlarmListener
from control_room.main import open_room
from control_room.twins import ABREAST_S, GONE_S, MOST_GATEWAYS, TwinWatch
from delivery.guard import Guard
from delivery.mqtt import Connection
from delivery.outbox import Outbox
from delivery.publisher import Publisher
from delivery.signing import RefusedError, Signer
from delivery.subscriber import Subscriber
from delivery.trust import Trust
from delivery.voice import Voice
from scene.clock import ReplayClock, SystemClock
from scene.errors import WireError
from scene.messages import Anomaly
from scene.site import BrokerConfig
from scene.topics import SILENT_AFTER_S, parse_topic
from scene.wire import Envelope, Message, type_name
from tests.control_room.test_lying_broker import HEALTH, states
from tests.control_room.ticking import ticking
from tests.delivery.keys import Keys
from tests.delivery.parts import (
    HANG_S,
    MOSQUITTO,
    NO_MOSQUITTO,
    alarm,
    mosquitto,
    people,
    site,
    wait_until,
)

CLOCK = SystemClock()
PLACE = ("roadway", "gw1")
DAY_NS = 1_790_000_000 * 10**9
RUNS = {"A": DAY_NS - 3600 * 10**9, "B": DAY_NS - 60 * 10**9, "C": DAY_NS - 30 * 10**9}


class Heard:
    """A watch, and gateways whose heartbeats it hears."""

    def __init__(self) -> None:
        self.clock = ReplayClock(DAY_NS)
        self.watch = TwinWatch(self.clock)
        self.raised: list[Anomaly] = []
        self.over: list[Anomaly] = []
        self.said = 0

    def say(self, run: int, message: Message = HEALTH, sent_at_ns: int | None = None) -> None:
        self.said += 1
        at_ns = self.clock.now_ns() if sent_at_ns is None else sent_at_ns
        envelope = Envelope(
            type=type_name(message),
            gateway="gw1",
            seq=self.said,
            sent_at_ns=at_ns,
            body=message,
            run=run,
        )
        found = self.watch.hear(*PLACE, envelope)
        self.raised += [found] if found is not None else []

    def turns(self, order: str, every_s: float = 0.5) -> list[Anomaly]:
        for run in order:
            self.clock.sleep(every_s)
            self.say(RUNS[run])
        return self.raised

    def alone(self, run: str) -> tuple[float, Anomaly]:
        """Have only one speak, until the alarm is over; gives after how many seconds it is."""
        began_s = self.clock.monotonic_s()
        while not self.look():
            assert self.clock.monotonic_s() - began_s < 4 * GONE_S
            self.turns(run)
        return self.clock.monotonic_s() - began_s, self.over[-1]

    def look(self) -> list[Anomaly]:
        """Look as the control room does twice a second; gives all that are over."""
        self.over += [one for _, _, one in self.watch.check()]
        return self.over


@pytest.fixture
def heard() -> Heard:
    return Heard()


def test_two_that_take_turns_are_one_alarm_that_names_both(heard: Heard) -> None:
    (raised,) = heard.turns("ABABABABAB")
    assert (raised.kind, raised.severity) == ("two_gateways", "critical")
    assert "Two gateways claim to be gw1" in raised.evidence
    for run in ("A", "B"):
        assert f"(run {RUNS[run]})" in raised.evidence
    assert raised.evidence.isprintable()


def test_it_is_over_when_only_one_is_left(heard: Heard) -> None:
    (raised,) = heard.turns("ABABABABA")
    assert heard.alone("B") == (GONE_S, heard.over[-1]), "counted from the other's last word"
    over = heard.over[-1]
    assert (over.id, over.state) == (raised.id, "cleared")
    assert "Only one gw1 is left" in over.evidence
    assert heard.watch.check() == []
    assert len(heard.turns("ABABABAB")) == 2, "and raised anew when the other one comes back"


@pytest.mark.parametrize(
    "order",
    ["AAABBBB", "AAABABBBB", "ABABBBBBB", "AAABABBBCBCCCC", "A" * 50 + "B" * 50 + "C" * 50],
    ids=["restart", "straggler", "early straggler", "two restarts", "backlog"],
)
def test_a_new_start_and_a_replacement_are_no_twins(heard: Heard, order: str) -> None:
    assert heard.turns(order) == []


def test_restarts_again_and_again_are_no_twins(heard: Heard) -> None:
    for number in range(30):
        heard.clock.sleep(1.0)
        heard.say(DAY_NS + number)
    assert heard.raised == []


def test_what_is_old_and_played_again_is_no_twin(heard: Heard) -> None:
    for _ in range(20):
        heard.clock.sleep(0.5)
        heard.say(RUNS["A"], sent_at_ns=heard.clock.now_ns() - int((ABREAST_S + 1) * 1e9))
        heard.say(RUNS["B"])
    assert heard.raised == []


def test_twins_whose_clocks_differ_are_known_by_the_heartbeats_that_both_hear(
    heard: Heard,
) -> None:
    for _ in range(4):
        heard.clock.sleep(0.5)
        echo = replace(HEALTH, heard_beats_ns=(heard.clock.now_ns(),))
        heard.say(RUNS["A"], echo, sent_at_ns=5)
        heard.say(RUNS["B"], echo)
    assert len(heard.raised) == 1


def test_who_invents_gateways_and_starts_makes_no_flood(heard: Heard) -> None:
    for number in range(3 * MOST_GATEWAYS):
        envelope = Envelope(type="health", gateway="x", seq=1, sent_at_ns=1, body=HEALTH, run=1)
        assert heard.watch.hear("roadway", f"ghost{number}", envelope) is None
    assert len(heard.watch._places) == MOST_GATEWAYS


def test_an_alarm_of_the_run_before_ends_when_only_one_is_heard(heard: Heard) -> None:
    (before,) = heard.turns("ABABABA")
    later = Heard()
    assert later.watch.carry_on(*PLACE, before) == before
    later.clock.sleep(2 * GONE_S)
    assert later.look() == [], "nobody was heard yet"
    later.turns("B")
    assert later.look() == [], "the other may have been away no less than this one"
    after_s, over = later.alone("B")
    assert (after_s, over.id, over.state) == (GONE_S, before.id, "cleared")


@pytest.mark.parametrize("away_s", [SILENT_AFTER_S + 1, GONE_S - 1, GONE_S + 1, 4 * GONE_S])
@pytest.mark.parametrize("back", ["ABABABAB", "BABABABA"])
def test_it_stands_while_nobody_is_heard_and_when_both_are_again(
    heard: Heard, away_s: float, back: str
) -> None:
    heard.turns("ABABABAB")
    for _ in range(int(away_s / 0.5)):
        heard.clock.sleep(0.5)
        assert heard.look() == [], "the broker is lost, not the other gateway"
    for run in back * 4:
        heard.turns(run)
        assert heard.look() == []
    assert len(heard.raised) == 1


def test_after_a_break_who_is_left_is_found_out_anew(heard: Heard) -> None:
    heard.turns("ABABABAB")
    heard.clock.sleep(GONE_S - 1)
    heard.turns("B")
    assert heard.alone("B")[0] == GONE_S


def test_who_is_left_and_speaks_as_after_a_new_start_counts_as_one(heard: Heard) -> None:
    heard.turns("ABABABAB")
    heard.turns("A" * 20)
    assert heard.look() == []
    assert heard.alone("C")[0] == GONE_S - 10, "C is what was A"


class Listener:
    """`lamproom alarms`, as far as its lines."""

    def __init__(self, url: str, guard: Guard) -> None:
        self.told: list[tuple[str, str]] = []
        self.listener = AlarmListener(CLOCK)
        self.link = Connection(BrokerConfig(url=url), "listener", log=lambda _text: None)
        Subscriber(self.link, on_message=self.listener.hear, on_bad=self.refuse, guard=guard)
        self.link.connect(HANG_S, wait=True)

    def refuse(self, topic: str, error: WireError) -> None:
        assert isinstance(error, RefusedError)
        self.listener.refuse(parse_topic(topic), error)

    def states(self, kind: str) -> list[str]:
        while (change := self.listener.next(0.0)) is not None:
            self.told.append((change[1].kind, change[1].state))
        return [state for name, state in self.told if name == kind]


@contextmanager
def gateway(folder: Path, url: str, signer: Signer | None, guard: Guard) -> Iterator[Publisher]:
    """Run one, with the client name that every gw1 has."""
    link = Connection(BrokerConfig(url=url), "gw1-roadway", log=lambda _text: None)
    box = Outbox(folder, CLOCK)
    voice = Voice(CLOCK, run=CLOCK.now_ns(), signer=signer)
    made = Publisher(site(folder.parent), link, box, CLOCK, voice=voice, guard=guard)
    link.connect(HANG_S, wait=True)

    def speak() -> None:
        made.health(HEALTH)
        made.positions(people(CLOCK.now_ns()))
        if outlived := made.attendance.outlived():
            made.speak_anew(outlived + 1)

    with ticking(speak, 0.2):
        yield made
    made.going_offline()
    link.close()
    box.close()


@pytest.mark.skipif(MOSQUITTO is None, reason=NO_MOSQUITTO)
@pytest.mark.parametrize("signed", [True, False], ids=["signed", "unsigned"])
def test_a_copied_gateway_is_one_alarm_and_both_are_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signed: bool
) -> None:
    monkeypatch.setattr("control_room.twins.GONE_S", 3.0)
    monkeypatch.setattr("delivery.attendance.STOPPED_S", 3.0)
    signer = room_signer = None
    trusted: Path | None = None
    if signed:
        keys = Keys(tmp_path)
        signer, room_signer = keys.add("gateway", "roadway", "gw1"), keys.add("control_room")
        trusted = keys.trusted

    def guard() -> Guard:
        return Guard() if trusted is None else Guard(Trust([trusted], CLOCK))

    with mosquitto(tmp_path) as broker, ExitStack() as closing:
        config = BrokerConfig(url=broker.url)
        room = closing.enter_context(
            open_room(config, tmp_path / "j.sqlite", CLOCK, signer=room_signer, guard=guard())
        )
        closing.enter_context(ticking(room.tick, 0.2))
        listener = Listener(broker.url, guard())
        closing.callback(listener.link.close)
        with gateway(tmp_path / "one", broker.url, signer, guard()) as first:
            with gateway(tmp_path / "two", broker.url, signer, guard()) as copy:
                wait_until(lambda: states(room, "two_gateways") == ["active"])
                wait_until(lambda: listener.states("two_gateways") == ["active"])
                for number in range(5):
                    first.alarm(alarm(f"man_down-first-{number}"))
                    copy.alarm(alarm(f"man_down-copy-{number}"))
                wait_until(lambda: len(states(room, "man_down")) == 10)
                wait_until(lambda: not first._outbox.pending() and not copy._outbox.pending())
                wait_until(lambda: listener.states("man_down") == ["active"] * 10)
            wait_until(lambda: states(room, "two_gateways") == ["cleared"])
            wait_until(lambda: listener.states("two_gateways") == ["active", "cleared"])
            # It takes the word back: the control room believes the newest start only.
            wait_until(lambda: "active" not in states(room, "gateway_silent"))
            wait_until(lambda: first.attendance.unheard() == "")
            first.alarm(alarm("man_down-later"))
            wait_until(lambda: len(states(room, "man_down")) == 11)
        for _ in range(3):  # new starts
            beats = threading.Event()
            with gateway(tmp_path / "one", broker.url, signer, guard()) as again:
                wait_until(lambda again=again: bool(again.attendance.beats_ns()))  # type: ignore[misc]
                beats.wait(0.5)
        assert states(room, "two_gateways") == ["cleared"]
        for kind in ("message_refused", "messages_missing"):
            assert (states(room, kind), listener.states(kind)) == ([], [])
