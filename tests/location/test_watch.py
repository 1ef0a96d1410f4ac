from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Self

import pytest

from location.watch import CARRIED_S, Watch
from scene.messages import Anomaly, Position, Positions
from scene.site import Site, parse_site

START_NS = 1_790_000_000_000_000_000
SITE = parse_site(
    """
version: 1
site: roadway
gateway: gw1
cameras: [{name: c1, url: rtsp://10.0.0.1/main}]
rig: {mount: {xyz_m: [0, 0, 2.5]}}
floor: {centre_line_m: [[0, 0, 0], [40, 0, 0]]}
zones: [{name: belt, polygon_m: [[10, 0], [14, 0], [14, 2], [10, 2]]}]
""",
    name="site.yaml",
    folder=Path(),
)
"""The defaults: in a zone for 1 s, out for 3 s; down for 3 s, up for 2 s."""
UP_M, LOW_M = 1.75, 0.35
HERE, THERE, BELT = (20.0, 0.0), (30.0, 0.0), (12.0, 1.0)

People = Callable[[float], list[Position]]
"""Who is where, by seconds; `seen_at_ns` is filled in by `play`."""


def person(
    track: int = 1,
    height_m: float = UP_M,
    xy_m: tuple[float, float] = HERE,
    *,
    speed_m_s: float = 0.0,
    sigma_m: float = 0.1,
    height_age_s: float = 0.0,
) -> Position:
    return Position(
        track=track,
        xyz_m=(*xy_m, 0.0),
        covariance_m2=((sigma_m**2, 0.0), (0.0, sigma_m**2)),
        velocity_m_s=(speed_m_s, 0.0),
        height_m=height_m,
        posture="upright" if height_m > 1.35 else "lying",
        certainty="certainly",
        seen_at_ns=0,
        cameras=("c1",),
        height_at_ns=-round(height_age_s * 1e9),  # before the look; see `seen`
    )


class Play:
    """A watch, fed ten times a second, with looks as rare and as late as one likes."""

    def __init__(self, site: Site = SITE, *, period_s: float = 0.1, latency_s: float = 0.0) -> None:
        self.watch = Watch(site)
        self.period_s, self.latency_s = period_s, latency_s
        self.ms = 0
        self.said: list[tuple[float, Anomaly]] = []

    def go(self, seconds: float, people: People) -> Self:
        """Go on for a while; `people` is asked for the instants of the looks."""
        period_ms, latency_ms = round(self.period_s * 1000), round(self.latency_s * 1000)
        for _ in range(round(seconds * 10)):
            look_ms = (self.ms - latency_ms) // period_ms * period_ms
            if look_ms >= 0:
                self.tell(seen(people(look_ms / 1000), START_NS + look_ms * 1_000_000))
            self.ms += 100
        return self

    def tell(self, people: tuple[Position, ...]) -> None:
        at_ns = START_NS + self.ms * 1_000_000
        for anomaly in self.watch.update(Positions(captured_at_ns=at_ns, people=people)):
            self.said.append((self.ms / 1000, anomaly))

    @property
    def events(self) -> list[tuple[float, str, str]]:
        return [(at_s, anomaly.kind, anomaly.state) for at_s, anomaly in self.said]

    @property
    def raised(self) -> int:
        """How many alarms there were."""
        return len({anomaly.id for _, anomaly in self.said})


def seen(people: list[Position], at_ns: int) -> tuple[Position, ...]:
    return tuple(
        replace(one, seen_at_ns=at_ns, height_at_ns=at_ns + (one.height_at_ns or 0))
        for one in people
    )


def falls(at_s: float) -> People:
    return lambda t: [person(height_m=UP_M if t < at_s else LOW_M)]


# ---- man down ----


def test_who_lies_for_three_seconds_is_down_and_who_stands_up_is_not() -> None:
    play = Play().go(10, falls(2.0)).go(5, lambda _: [person()])
    assert play.events == [(5.0, "man_down", "active"), (12.0, "man_down", "cleared")]
    raised, cleared = (anomaly for _, anomaly in play.said)
    assert raised.id == cleared.id == f"man_down-1-{raised.raised_at_ns // 1_000_000}"
    assert (raised.severity, raised.track, raised.xyz_m) == ("critical", 1, (20.0, 0.0, 0.0))
    assert raised.certainty == "certainly"
    assert "0.35 m high" in raised.evidence
    assert "for 3.0 s" in raised.evidence


@pytest.mark.parametrize(
    "what",
    [
        person(height_m=1.1),
        person(height_m=LOW_M, speed_m_s=0.9),
        person(height_m=LOW_M, height_age_s=6.0),
    ],
    ids=["crouches", "crawls", "was low long ago"],
)
def test_who_is_not_down(what: Position) -> None:
    assert Play().go(30, lambda _: [what]).events == []


def test_a_stumble_is_no_alarm_and_is_forgotten() -> None:
    play = Play().go(2.5, lambda _: [person(height_m=LOW_M)]).go(1, lambda _: [person()])
    play.go(2.5, lambda _: [person(height_m=LOW_M)])
    assert play.events == []


def test_a_short_break_does_not_start_the_time_anew() -> None:
    play = Play().go(2, lambda _: [person(height_m=LOW_M)]).go(0.3, lambda _: [person()])
    play.go(3, lambda _: [person(height_m=LOW_M)])
    [(at_s, _, _)] = play.events
    assert 3.0 < at_s <= 3.4


@pytest.mark.parametrize(
    ("period_s", "latency_s", "latest_s"),
    [
        (0.1, 0.1, 3.1),
        (0.5, 0.5, 3.5),
        (0.5, 0.9, 3.9),
        (1.0, 0.2, 4.0),
        (1.0, 1.0, 5.0),
        (1.05, 1.05, 5.1),
        (2.0, 0.5, 6.0),
        (2.0, 2.0, 7.0),
    ],
)
def test_however_slow_detection_is_who_lies_is_found(
    period_s: float, latency_s: float, latest_s: float
) -> None:
    play = Play(period_s=period_s, latency_s=latency_s).go(60, falls(0.0))
    [(at_s, kind, state)] = play.events
    assert (kind, state) == ("man_down", "active")
    assert 3.0 <= at_s <= latest_s
    play.go(20, lambda _: [person()])
    assert play.events[1:] == [(play.said[-1][0], "man_down", "cleared")]


@pytest.mark.parametrize("every", [2, 4])
@pytest.mark.parametrize("period_s", [1.0, 2.0, 4.0])
def test_one_look_is_never_enough(period_s: float, every: int) -> None:
    """Somebody who bends down time and again, just when the slow detector looks."""
    play = Play(period_s=period_s, latency_s=0.5)
    play.go(60, lambda t: [person(height_m=UP_M if round(t / period_s) % every else LOW_M)])
    assert play.events == []


def test_looks_that_stop_count_no_further_than_what_they_showed() -> None:
    play = Play().go(0.5, lambda _: [person(height_m=LOW_M)])
    last = seen([person(height_m=LOW_M)], START_NS + 400_000_000)
    for _ in range(100):
        play.tell(last)
        play.ms += 100
    assert play.events == []


def test_a_height_that_no_look_shows_any_more_does_not_clear() -> None:
    """One wrong look at the helper's height, and then none: the man still lies there."""
    play = Play().go(5, falls(0.0))
    play.go(0.2, lambda _: [person()])
    play.go(10, lambda t: [person(height_age_s=t - 5.1)])
    assert play.events == [(3.0, "man_down", "active")]


def test_somebody_down_who_is_not_seen_any_more_stays_down() -> None:
    play = Play().go(5, falls(0.0)).go(3600, lambda _: [])
    assert play.events == [(3.0, "man_down", "active")]
    [active] = play.watch.active()
    assert active.kind == "man_down"


# ---- one cause, one alarm ----


def test_who_is_found_again_where_somebody_lay_carries_the_alarm_on() -> None:
    play = Play().go(5, falls(0.0)).go(60, lambda _: [])
    play.go(10, lambda _: [person(2, LOW_M, (20.8, 0.5))])
    assert play.raised == 1
    carried = play.said[-1][1]
    assert (carried.state, carried.track, carried.xyz_m) == ("active", 2, (20.8, 0.5, 0.0))
    assert "was person 1 before" in carried.evidence
    play.go(5, lambda _: [person(2, UP_M, (20.8, 0.5))])
    assert play.said[-1][1].state == "cleared"
    assert play.watch.active() == ()


def test_a_helper_does_not_clear_and_whoever_bends_down_takes_nothing_over() -> None:
    play = Play().go(5, falls(0.0))
    helper = [person(2, UP_M, (20.5, 0.0))]
    play.go(10, lambda _: helper)
    play.go(1.5, lambda _: [person(2, LOW_M, (20.5, 0.0))])
    play.go(10, lambda _: helper)
    assert play.events == [(3.0, "man_down", "active")]
    assert play.watch.active()[0].track == 1


def test_a_clip_that_starts_over_raises_one_alarm() -> None:
    """As in the demo: each time somebody new walks up to the same place and falls there."""
    play = Play()
    for track in range(1, 7):

        def walks_and_falls(t: float, track: int = track) -> list[Position]:
            into_s = t - 13 * (track - 1)
            x_m = min(20.0, 14.0 + into_s)
            down = into_s > 7
            return [person(track, LOW_M if down else UP_M, (x_m, 0.0), speed_m_s=0 if down else 1)]

        play.go(13, walks_and_falls)
    assert play.raised == 1
    assert play.watch.active()[0].track == 6


def test_a_helper_who_kneels_before_a_man_whom_nobody_sees_any_more_is_a_second_one() -> None:
    """Both were seen at one time; so the helper who gets up is not the man who lies there."""
    helper = (20.6, 0.0)
    play = Play().go(10, lambda _: [person(1, LOW_M), person(2, UP_M, helper)])
    play.go(2, lambda _: [person(2, UP_M, helper)]).go(8, lambda _: [person(2, LOW_M, helper)])
    play.go(10, lambda _: [person(2, UP_M, helper)])
    assert [alarm.track for alarm in play.watch.active()] == [1]
    assert [absence.person.track for absence in play.watch.unseen()] == [1]


def test_two_who_are_both_seen_are_two_alarms() -> None:
    two = [person(1, LOW_M, HERE), person(2, LOW_M, (20.8, 0.0))]
    play = Play().go(5, lambda _: two[:1]).go(10, lambda _: two)
    assert play.raised == 2
    assert {alarm.track for alarm in play.watch.active()} == {1, 2}


def test_elsewhere_or_long_after_it_is_another_alarm() -> None:
    def then(gap_s: float, x_m: float) -> int:
        play = Play().go(5, falls(0.0)).go(gap_s, lambda _: [])
        play.go(5, lambda _: [person(2, UP_M, (x_m, 0.0))])
        return play.go(5, lambda _: [person(2, LOW_M, (x_m, 0.0))]).raised

    assert then(10, 20.5) == 1
    assert then(10, 22.0) == 2
    assert then(CARRIED_S + 10, 20.5) == 2


# ---- zones ----


def test_who_stands_in_a_zone_is_told_and_who_leaves_it_too() -> None:
    play = Play().go(5, lambda t: [person(xy_m=BELT if t >= 2 else HERE)])
    play.go(5, lambda _: [person()])
    assert play.events == [(3.0, "restricted_zone", "active"), (8.0, "restricted_zone", "cleared")]
    raised = play.said[0][1]
    assert (raised.zone, raised.probability) == ("belt", 1.0)


def test_who_may_as_well_be_beside_the_zone_is_not_in_it() -> None:
    unsure = person(xy_m=(12.0, 0.1), sigma_m=0.5)
    assert Play().go(20, lambda _: [unsure]).events == []


def test_who_is_gone_from_a_zone_is_told_gone_after_half_a_minute() -> None:
    play = Play().go(5, lambda _: [person(xy_m=BELT)]).go(60, lambda _: [])
    [_, (at_s, _, state)] = play.events
    assert state == "cleared"
    assert at_s == pytest.approx(34.9, abs=0.15)
    assert "not seen for 30 s" in play.said[-1][1].evidence


def test_half_a_minute_without_pictures_is_not_half_a_minute_not_seen() -> None:
    play = Play().go(5, lambda _: [person(xy_m=BELT)])
    play.ms += 40_000
    play.go(20, lambda _: [])
    assert play.raised == 1
    assert [state for _, _, state in play.events] == ["active"]
    assert [state for _, _, state in play.go(15, lambda _: []).events] == ["active", "cleared"]


@pytest.mark.parametrize(
    ("period_s", "latency_s"), [(0.1, 0.1), (0.5, 0.5), (1.0, 1.0), (2.0, 2.0)]
)
def test_a_late_look_is_judged_where_the_person_was(period_s: float, latency_s: float) -> None:
    """By now a person may be anywhere; at the look they were in the zone."""
    play = Play(period_s=period_s, latency_s=latency_s)

    def vague(_: float) -> list[Position]:
        spread = 0.1 + latency_s
        return [
            replace(
                person(xy_m=BELT, sigma_m=spread),
                seen_xy_m=BELT,
                seen_covariance_m2=((0.01, 0.0), (0.0, 0.01)),
            )
        ]

    play.go(30, vague)
    assert [(kind, state) for _, kind, state in play.events] == [("restricted_zone", "active")]
    assert play.events[0][0] <= 1.0 + period_s + latency_s


# ---- across a restart ----


def active_alarms() -> tuple[Anomaly, ...]:
    """One lies at 20 m, another stands in the zone, when the gateway is killed."""
    two = [person(4, LOW_M), person(5, UP_M, BELT)]
    return Play().go(5, lambda _: two).watch.active()


def restarted(alarms: tuple[Anomaly, ...] | None = None) -> Play:
    play = Play()
    play.watch.adopt(active_alarms() if alarms is None else alarms)
    play.ms = 60_000
    return play


def test_after_a_restart_nobody_is_alarmed_twice() -> None:
    before = active_alarms()
    play = restarted()
    assert play.watch.active() == before
    play.go(20, lambda _: [person(1, LOW_M, (20.3, 0.0)), person(2, UP_M, BELT)])
    assert {anomaly.id for _, anomaly in play.said} == {alarm.id for alarm in before}
    assert {alarm.track for alarm in play.watch.active()} == {1, 2}
    play.go(10, lambda _: [person(1), person(2, UP_M, THERE)])
    assert [state for _, _, state in play.events[-2:]] == ["cleared", "cleared"]
    assert play.watch.active() == ()


def test_after_a_restart_a_man_down_who_is_not_found_stays_and_a_zone_clears() -> None:
    play = restarted().go(60, lambda _: [person(1, UP_M, (20.5, 0.0))])
    [(at_s, kind, state)] = play.events
    assert (kind, state) == ("restricted_zone", "cleared")
    assert at_s == pytest.approx(90.0, abs=0.15)
    assert [alarm.kind for alarm in play.watch.active()] == ["man_down"]


def test_alarms_of_a_zone_that_is_gone_are_cleared_and_foreign_ones_left_alone() -> None:
    down, zone = active_alarms()
    if down.kind != "man_down":
        down, zone = zone, down
    foreign = replace(down, id="camera_lost-1", kind="camera_lost", camera="c1")
    over = replace(down, id="man_down-9", state="cleared")
    nowhere = replace(down, id="man_down-8", xyz_m=None)
    play = restarted((replace(zone, zone="shaft"), down, down, foreign, over, nowhere))
    play.go(1, lambda _: [])
    [(_, cleared)] = play.said
    assert (cleared.state, cleared.id) == ("cleared", zone.id)
    assert "shaft is no longer watched" in cleared.evidence
    assert play.watch.active() == (down,)


# ---- time ----


def test_the_same_positions_give_the_same_messages() -> None:
    def life(t: float) -> list[Position]:
        return [person(1, LOW_M if t > 3 else UP_M), person(2, UP_M, BELT if t < 6 else HERE)]

    first, second = (Play(period_s=0.5, latency_s=0.6).go(20, life).said for _ in range(2))
    assert first == second
    assert len(first) > 2


def test_old_messages_are_ignored_and_a_clock_that_is_set_back_is_not() -> None:
    play = Play().go(10, falls(0.0))
    play.ms -= 2000
    assert play.go(1.5, lambda _: [person()]).raised == 1
    play.ms = 0
    play.go(6, lambda _: [person(7, LOW_M, THERE)])
    assert play.raised == 2
    assert len(play.watch.active()) == 2


def test_an_alarm_names_its_worker_and_keeps_the_name_when_nobody_tells_it_any_more() -> None:
    def people(at_s: float) -> list[Position]:
        one = person(height_m=LOW_M if at_s < 5 else UP_M)
        return [replace(one, worker="Li" if at_s < 6 else None)]

    said = [anomaly for _, anomaly in Play().go(9, people).said]
    assert [(one.state, one.worker) for one in said] == [("active", "Li"), ("cleared", "Li")]


# ---- a number that goes over to somebody else ----


def sure(one: Position, name: str, probability: float = 0.99) -> Position:
    return replace(one, worker=name, worker_probability=probability)


def swapped(sure: float = 0.99) -> Play:
    """Li lies; after 5 s his number is on Wang, who walks past."""

    def people(at_s: float) -> list[Position]:
        if at_s < 5:
            return [replace(person(height_m=LOW_M), worker="Li", worker_probability=0.99)]
        past = person(xy_m=(20.0 + at_s - 5, 1.0), speed_m_s=1.0)
        return [replace(past, worker="Wang", worker_probability=sure)]

    return Play().go(15, people)


def test_anothers_getting_up_clears_nobodys_alarm() -> None:
    play = swapped()
    [alarm] = play.watch.active()
    assert (alarm.kind, alarm.worker, alarm.track) == ("man_down", "Li", None)
    assert alarm.xyz_m == (*HERE, 0.0)
    assert alarm.evidence == (
        "The cameras have lost Li, last at x 20.0 m, y 0.0 m ± 0.1 m: person 1 is Wang."
    )
    play.go(5, lambda _: [replace(person(2, LOW_M, (20.3, 0.0)), worker="Wang")])
    assert [one.track for one in play.watch.active()] == [None, 2], "Wang is not Li"
    play.go(5, lambda _: [person(2), person(3, LOW_M, (20.3, 0.0))])
    assert [one.track for one in play.watch.active()] == [3], "he may be Li"
    assert play.said[-2][1].evidence.startswith("Li (person 3) carries this alarm on, at x 20.3 m")
    play.go(5, lambda _: [person(3)])
    assert play.watch.active() == ()


def test_who_is_surely_found_again_takes_the_alarm_wherever_that_is() -> None:
    """Two who lie and stand beside each other have exchanged numbers."""

    def people(at_s: float) -> list[Position]:
        low, high = person(height_m=LOW_M), person(xy_m=(20.6, 0.5))
        lies, stands = (1, 2) if at_s < 5 else (2, 1)
        return [sure(replace(low, track=lies), "Li"), sure(replace(high, track=stands), "Wang")]

    play = Play().go(10, people)
    assert [(one.worker, one.track) for one in play.watch.active()] == [("Li", 2)]
    up = [sure(person(2), "Li"), sure(person(1, UP_M, THERE), "Wang")]
    assert play.go(5, lambda _: up).watch.active() == ()
    assert len({alarm.id for _, alarm in play.said}) == 1


def test_who_kneels_down_for_a_moment_is_not_taken_for_who_lies_there() -> None:
    def people(at_s: float) -> list[Position]:
        if at_s < 5:
            return [replace(person(height_m=LOW_M), worker="Li", worker_probability=0.99)]
        wang = person(height_m=LOW_M if at_s < 5.5 else UP_M, xy_m=(20.4, 0.0))
        return [replace(wang, worker="Wang", worker_probability=0.99)]

    [alarm] = Play().go(20, people).watch.active()
    assert (alarm.worker, alarm.track, alarm.xyz_m) == ("Li", None, (*HERE, 0.0))


def test_a_name_set_right_while_somebody_lies_there_is_theirs() -> None:
    def people(at_s: float) -> list[Position]:
        one = person(height_m=LOW_M if at_s < 12 else UP_M)
        return [replace(one, worker="Li" if at_s < 5 else "Wang", worker_probability=0.99)]

    play = Play().go(20, people)
    assert [state for _, _, state in play.events] == ["active", "cleared"]


def test_after_a_restart_an_alarms_name_is_no_sure_one() -> None:
    li = replace(person(height_m=LOW_M), worker="Li", worker_probability=0.55)
    before = Play().go(5, lambda _: [li]).watch.active()
    play = restarted(before).go(8, lambda _: [sure(person(7, LOW_M), "Wang")])
    assert [one.track for one in play.watch.active()] == [7]
    assert play.go(5, lambda _: [sure(person(7), "Wang")]).watch.active() == ()


def test_a_clock_set_back_leaves_nobody_behind_for_good() -> None:
    play = Play().go(10, lambda _: [replace(person(height_m=LOW_M), worker="Li")])
    play.ms = 0
    play.go(4, lambda _: [replace(person(xy_m=THERE), worker="Wang")])
    assert [one.track for one in play.watch.active()] == [None]
    play.go(5, lambda _: [person(5, LOW_M)])
    assert [one.track for one in play.watch.active()] == [5]


def test_two_who_lost_their_numbers_are_two_alarms_after_a_restart() -> None:
    first = swapped().watch.active()[0]
    second = replace(first, id="man_down-2", xyz_m=(*THERE, 0.0), worker="Zhang")
    play = restarted((first, second)).go(1, lambda _: [])
    assert {alarm.id for alarm in play.watch.active()} == {first.id, second.id}


def test_a_name_that_is_not_sure_takes_no_alarm_from_anybody() -> None:
    play = swapped(sure=0.5)
    assert play.watch.active() == ()
    assert [state for _, _, state in play.events] == ["active", "cleared"]
