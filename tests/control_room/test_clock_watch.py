"""Whose clock is wrong: of one gateway, of several, or this control room's own."""

from dataclasses import replace

import pytest

from control_room.clock_majority import majority
from control_room.clock_watch import BEATS, HOLD_S
from control_room.gateway_clock import GatewayClock
from control_room.lifecycle import wish_of
from control_room.own_alarms import OURSELVES
from control_room.room import Room
from scene.clock import ReplayClock
from scene.topics import Address
from scene.wire import Envelope
from tests.control_room.fake_gateway import GATEWAY, SITE, health
from tests.control_room.test_room import NOW_NS, Hall

BEAT = Address(prefix="mine", site=SITE, gateway=GATEWAY, topic="health")
LONG_S = BEATS + int(HOLD_S) + 2
"""So long it takes at most until something about a clock is said."""
OURS = OURSELVES[1]


class SetClock(ReplayClock):
    """A clock that somebody may set; intervals go on as they do on a real machine."""

    set_s = 0.0

    def now_ns(self) -> int:
        return super().now_ns() + round(self.set_s * 1e9)

    def monotonic_s(self) -> float:
        return super().now_ns() / 1e9

    def sleep(self, duration_s: float) -> None:
        self.set(super().now_ns() + round(duration_s * 1e9))


class Clocks(Hall):
    """A room and gateways, each with a clock of its own."""

    def __init__(self, *names: str, host: str = "ctl-a") -> None:
        self.host = host
        super().__init__()
        self.clock: SetClock = SetClock(now_ns=NOW_NS)
        self.room = self.new_room()
        self.slow_s = dict.fromkeys(names, 0.0)
        """By how much each gateway's clock is behind the true time."""
        self.room.join(self.listen)

    def new_room(self, prefix: str = "mine", *, expected: tuple[tuple[str, str], ...] = ()) -> Room:
        return Room(self.journal, self.clock, *[lambda *_: None] * 2, prefix=prefix, host=self.host)

    def set_own(self, by_s: float) -> None:
        """Set the room's clock, as a person does or a time server."""
        self.clock.set_s += by_s

    def run(self, seconds: int = LONG_S) -> None:
        for _ in range(seconds):
            self.clock.sleep(1)
            self.beat()
            self.room.tick()

    def beat(self) -> None:
        for name, slow_s in self.slow_s.items():
            at_ns = self.clock.now_ns() - round((slow_s + self.clock.set_s) * 1e9)
            said = Envelope(
                type="health", gateway=name, seq=1, sent_at_ns=at_ns, body=health(at_ns)
            )
            self.room.hear(replace(BEAT, gateway=name), said)

    def told_of(self) -> dict[str, str]:
        """Give the open alarms on clocks: of whom, and their evidence."""
        return {
            one.key.gateway: one.last.evidence
            for one in self.journal.open_entries()
            if one.last.kind == "clock_off" and one.last.state == "active"
        }

    def words(self) -> list[tuple[str, str]]:
        """List all that viewers were told of clocks: of whom, and whether raised or cleared."""
        return [
            (said["gateway"], said["anomaly"]["state"])
            for said in self.alarms()
            if said["anomaly"]["kind"] == "clock_off"
        ]


def test_a_lone_gateway_and_we_differ_and_nobody_can_tell_who_is_wrong() -> None:
    mine = Clocks("gw1")
    mine.slow_s["gw1"] = -61.0
    mine.run()
    assert "61.0 s fast by this control room's, and no other clock tells" in mine.told_of()["gw1"]
    [said] = [one for one in mine.alarms() if one["anomaly"]["kind"] == "clock_off"]
    assert "快 61.0 秒" in said["evidence_zh"]
    mine.run(30)
    assert mine.words() == [("gw1", "active")]
    mine.room = mine.new_room()
    mine.room.join(mine.listen)
    mine.slow_s["gw1"] = 0.2
    mine.run()
    assert mine.words()[-1] == ("gw1", "cleared")
    assert mine.told_of() == {}


def test_of_several_it_is_the_one_that_others_outvote() -> None:
    mine = Clocks("gw1", "gw2", "gw3")
    mine.slow_s["gw2"] = 3600.0
    mine.run()
    told = mine.told_of()
    assert list(told) == ["gw2"]
    assert "3600.0 s slow by this control room's, by which 2 of 3 gateways go" in told["gw2"]


@pytest.mark.parametrize("count", [2, 3, 40])
@pytest.mark.parametrize("by_s", [3600.0, -3600.0])
def test_our_own_wrong_clock_is_one_alarm_and_none_of_any_gateway(count: int, by_s: float) -> None:
    names = [f"gw{number}" for number in range(count)]
    mine = Clocks(*names)
    mine.run()
    mine.set_own(by_s)
    mine.run()
    told = mine.told_of()
    assert list(told) == [OURS]
    way, set_way = ("fast", "forward") if by_s > 0 else ("slow", "back")
    assert f"on ctl-a is 3600.0 s {way} by those of {count} of {count} gateways" in told[OURS]
    assert f"was set {set_way} by 3600.0 s" in told[OURS]
    mine.set_own(-by_s)
    mine.run()
    assert mine.words() == [(OURS, "active"), (OURS, "cleared")]
    assert mine.told_of() == {}, "nothing is left behind"
    assert [one.key.gateway for one in mine.journal.open_entries()] == []


def test_our_clock_was_wrong_from_the_start_and_gateways_come_one_after_the_other() -> None:
    mine = Clocks("gw1")
    mine.set_own(90.0)
    mine.run(3)
    mine.slow_s["gw2"] = 0.0
    mine.run()
    assert mine.words() == [(OURS, "active")]
    mine.slow_s["gw3"] = 45.0  # and one that is wrong as well
    mine.run()
    told = mine.told_of()
    assert sorted(told) == [OURS, "gw3"]
    assert "45.0 s slow by those of 2 of 3 gateways" in told["gw3"]


def test_a_second_gateway_tells_what_one_alone_could_not() -> None:
    mine = Clocks("gw1")
    mine.set_own(90.0)
    mine.run()
    assert list(mine.told_of()) == ["gw1"]
    mine.slow_s["gw2"] = 0.0
    mine.run()
    assert list(mine.told_of()) == [OURS]
    assert mine.words() == [("gw1", "active"), (OURS, "active"), ("gw1", "cleared")]


def test_half_and_half_is_one_alarm_that_says_so() -> None:
    mine = Clocks("gw1", "gw2", "gw3")
    mine.slow_s |= {"gw1": -300.0, "gw2": -300.1}
    mine.run()
    told = mine.told_of()
    assert list(told) == [OURS]
    assert "As many clocks go by it, so nobody can tell which are wrong" in told[OURS]
    mine.slow_s["gw4"] = -300.0
    mine.run()
    assert "It is that clock which is wrong, or the time server" in mine.told_of()[OURS]
    mine.slow_s |= {"gw5": 0.0, "gw6": 0.0, "gw7": 0.0}
    mine.run()
    assert sorted(mine.told_of()) == ["gw1", "gw2", "gw4"]


def test_clocks_that_all_go_differently_are_each_told_of() -> None:
    mine = Clocks("gw1", "gw2", "gw3")
    mine.slow_s |= {"gw1": 20.0, "gw2": -70.0, "gw3": 300.0}
    mine.run()
    told = mine.told_of()
    assert sorted(told) == ["gw1", "gw2", "gw3"]
    assert all("no other clock tells" in text for text in told.values())


def test_a_drifting_clock_of_ours_is_told_of_once() -> None:
    mine = Clocks("gw1", "gw2", "gw3")
    for _ in range(120):
        mine.set_own(0.08)
        mine.run(1)
    assert mine.words() == [(OURS, "active")]
    for _ in range(240):
        mine.set_own(-0.04)
        mine.run(1)
    mine.run()
    assert mine.words() == [(OURS, "active"), (OURS, "cleared")]


def test_while_nobody_is_heard_it_stands_and_a_lone_gateway_does_not_take_it_over() -> None:
    mine = Clocks("gw1", "gw2")
    mine.set_own(600.0)
    mine.run()
    heard, mine.slow_s = mine.slow_s, {}
    mine.run(60)
    assert list(mine.told_of()) == [OURS]
    mine.slow_s = {"gw1": heard["gw1"]}
    mine.run()
    assert set(mine.words()) == {(OURS, "active")}
    told = mine.told_of()
    assert list(told) == [OURS]
    assert "nobody can tell which are wrong" in told[OURS], "as many go by ours: nobody but us"


def test_two_rooms_with_one_journal_each_tell_of_their_own_clock() -> None:
    """The one with the right clock, started later, leaves the other's alarm alone."""
    wrong = Clocks("gw1", "gw2", host="ctl-a")
    wrong.set_own(600.0)
    wrong.run()
    right = Clocks("gw1", "gw2", host="ctl-b")
    right.journal = wrong.journal
    right.room = right.new_room()
    right.run()
    told = wrong.told_of()
    assert list(told) == [OURS]
    assert "on ctl-a" in told[OURS]
    wrong.room = wrong.new_room()  # its own it carries on after a restart
    wrong.set_own(-600.0)
    wrong.run()
    assert wrong.told_of() == {}


def test_a_network_that_stalls_for_a_few_seconds_is_no_clock() -> None:
    mine = Clocks("gw1")
    for _ in range(4):
        mine.run(BEATS)
        mine.slow_s["gw1"] = 9.0
        mine.run(BEATS // 2)
        mine.slow_s["gw1"] = 0.1
    assert mine.words() == []


@pytest.mark.parametrize("away_s", [3, 6, 20])
def test_a_line_that_hands_on_what_waited_and_then_is_silent_is_no_clock(away_s: int) -> None:
    """As after a computer has slept: what waited for it comes first, and then the line is cut."""
    mine = Clocks("gw1", "gw2", "gw3")
    mine.run()
    heard, late = mine.slow_s, dict.fromkeys(mine.slow_s, 600.0)
    mine.slow_s = late
    for _ in range(BEATS):
        mine.beat()
    mine.room.tick()
    mine.slow_s = {}
    mine.run(away_s)
    mine.slow_s = heard
    mine.run(2 * LONG_S)
    assert mine.words() == []


def test_what_was_seen_before_a_silence_does_not_count_as_lasting() -> None:
    mine = Clocks("gw1")
    mine.run()
    mine.slow_s["gw1"] = 60.0
    mine.run(BEATS // 2 + 3)
    heard, mine.slow_s = mine.slow_s, {}
    mine.run(30)
    mine.slow_s = heard
    mine.run(BEATS + 3)
    assert mine.words() == [], "so long it was so only with the silence between"
    mine.run()
    assert mine.words() == [("gw1", "active")]


def test_an_alarm_on_our_clock_that_was_ended_is_raised_anew_for_another_reason() -> None:
    mine = Clocks("gw1", "gw2", "gw3")
    mine.slow_s |= {"gw1": -300.0, "gw2": -300.1}
    mine.run()
    [id] = [said["anomaly"]["id"] for said in mine.alarms() if said["gateway"] == OURS]
    said = {"site": OURSELVES[0], "gateway": OURS, "id": id, "by": "Li", "reason": "known"}
    mine.room.do(wish_of("end", said))
    mine.run()
    assert mine.told_of() == {}
    mine.slow_s["gw4"] = -300.0
    mine.run()
    assert list(mine.told_of()) == [OURS]


def test_most_of_many_that_go_each_their_own_way_is_nobody() -> None:
    found = majority([61.0, 61.5, *(1000.0 * number for number in range(1, 9))])
    assert not found.ours_is_off
    assert (found.off_s, found.gateways) == (0.0, 0)


def test_a_count_names_our_own_clock_once_and_whose_is_otherwise() -> None:
    mine = Clocks("gw1", "gw2", "gw3")
    mine.slow_s["gw3"] = 40.0
    mine.set_own(-600.0)
    mine.run()
    counted = mine.room.muster(SITE)
    assert counted is not None
    assert counted["own_clock_off_s"] == 600.0
    assert counted["clocks_off"] == [["gw3", 40.0]]
    mine.set_own(600.0)
    mine.run()
    counted = mine.room.muster(SITE)
    assert counted is not None
    assert (counted["own_clock_off_s"], counted["clocks_off"]) == (0.0, [["gw3", 40.0]])


def test_how_well_a_clock_is_known_is_told() -> None:
    clock = GatewayClock()
    assert clock.told is None
    for sent_s in (10.0, 11.0, 12.2):
        heard_ns = round((sent_s // 1 + 0.1) * 1e9)
        clock.shift_ns(
            heard_at_ns=heard_ns, sent_at_ns=int(sent_s * 1e9), captured_at_ns=int(sent_s * 1e9)
        )
    assert clock.told == (0.1, 0.1)
    hall = Clocks(GATEWAY)
    hall.slow_s[GATEWAY] = 0.25
    hall.run(3)
    hall.room.hear(
        replace(BEAT, gateway="gw2"),
        Envelope(
            type="health",
            gateway="gw2",
            seq=1,
            sent_at_ns=hall.clock.now_ns(),
            body=health(hall.clock.now_ns()),
        ),
    )
    counted = hall.room.muster(SITE)
    assert counted is not None
    assert counted["clocks"] == [[GATEWAY, 0.25, 0.0], ["gw2", 0.0, 0.0]]
