"""Orders, a changed site, and that a replay hears what the gateway heard."""

import itertools
import random

import pytest

from control_room.judge import judge
from location.rules.inbox import MOST_KEPT
from scene.messages import Order
from tests.location.rules.story import Story, at, nobody, site, square, stays
from tests.location.test_watch import LOW_M, START_NS, person, seen

PLAIN = site("limits: {immobile: null}\n")
ZONES = (
    "zones: [{{name: {name}, kind: {kind}, polygon_m: {polygon}}}]\nlimits: {{immobile: null}}\n"
)


def test_an_order_ends_a_man_down_who_was_carried_out() -> None:
    story = Story(PLAIN).go(10, stays(person(height_m=LOW_M))).go(60, nobody)
    story.end(story.watch.active()[0])
    story.go(60, nobody)
    assert [(kind, state) for _, kind, state in story.events] == [
        ("man_down", "active"),
        ("man_down", "cleared"),
    ]
    assert story.events[1][0] == pytest.approx(70.5)
    assert "ended by Li: carried out, last at x 20.0 m" in story.last.evidence
    assert story.watch.active() == ()


def test_an_order_does_not_hide_somebody_whom_cameras_still_see_lying() -> None:
    story = Story(PLAIN).go(10, stays(person(height_m=LOW_M)))
    story.end(story.watch.active()[0])
    story.go(10, stays(person(height_m=LOW_M)))
    assert [state for _, _, state in story.events] == ["active", "cleared", "active"]
    assert story.raised == 2


def test_an_order_about_nothing_does_nothing_and_twice_is_once() -> None:
    story = Story(PLAIN).go(10, stays(person(height_m=LOW_M))).go(5, nobody)
    [alarm] = story.watch.active()
    for _ in range(2):
        story.end(alarm)
    story.go(5, nobody)
    assert [state for _, _, state in story.events] == ["active", "cleared"]
    story.watch.hear(
        Order(alarm="man_down-9-9", action="end", by="Li", reason="", ordered_at_ns=story.now_ns)
    )
    assert len(story.go(5, nobody).events) == 2


def test_an_order_counts_at_once_when_its_clock_is_wrong() -> None:
    for wrong_ms in (3_600_000, -3_600_000):
        story = Story(PLAIN).go(10, stays(person(height_m=LOW_M))).go(5, nobody)
        story.ms += wrong_ms
        story.end(story.watch.active()[0])
        story.ms -= wrong_ms
        assert [state for _, _, state in story.go(2, nobody).events] == ["active", "cleared"]


def test_orders_that_come_in_the_wrong_order_are_all_obeyed() -> None:
    two = [person(1, LOW_M), person(2, LOW_M, (30.0, 0.0))]
    story = Story(PLAIN).go(10, stays(*two)).go(5, nobody)
    first, second = story.watch.active()
    story.ms += 3000
    story.end(second)
    story.ms -= 3000
    story.end(first)
    story.go(5, nobody)
    assert [at_s for at_s, _, state in story.events if state == "cleared"] == [15.5, 18.5]


def test_a_wrong_way_and_a_lost_one_that_are_ended_stay_ended() -> None:
    gate = site(
        "gates: [{name: door, line_m: [[20, -2], [20, 2]], way: to_right}]\n"
        "limits: {immobile: null}\n"
    )
    story = Story(gate).go(10, lambda t: [at(25 - min(t, 9))])
    story.end(story.watch.active()[0])
    story.go(5, stays(at(16)))
    assert [(kind, state) for _, kind, state in story.events] == [
        ("wrong_way", "active"),
        ("wrong_way", "cleared"),
    ]
    story.go(20, nobody)
    assert story.last.kind == "worker_lost"
    story.end(story.watch.active()[0])
    story.go(60, nobody)
    assert [kind for _, kind, _ in story.events].count("worker_lost") == 2
    assert story.watch.active() == ()


def test_orders_are_never_crowded_out() -> None:
    story = Story(PLAIN).go(10, stays(person(height_m=LOW_M))).go(1, nobody)
    story.end(story.watch.active()[0])
    for _ in range(2 * MOST_KEPT):
        story.ms += 1
        story.machine(1.0)
    story.ms = 11_000
    assert [state for _, _, state in story.go(2, nobody).events] == ["active", "cleared"]


# ---- a changed site ----


def zones(name: str, x_m: float = 20.0, kind: str = "restricted") -> str:
    return ZONES.format(name=name, kind=kind, polygon=square(x_m))


def test_a_change_of_limits_keeps_alarms_and_times_that_run() -> None:
    story = Story(site(zones("shaft"))).go(0.6, stays(at(20), person(2, LOW_M, (30.0, 0.0))))
    story.go(1.9, stays(at(20), person(2, LOW_M, (30.0, 0.0))))
    longer = zones("shaft").replace("limits: {", "limits: {man_down: {after_s: 6}, ")
    story.watch.change(site(longer))
    story.go(10, stays(at(20), person(2, LOW_M, (30.0, 0.0))))
    assert story.events == [(1.0, "restricted_zone", "active"), (6.0, "man_down", "active")]


def test_alarms_of_a_zone_that_is_gone_are_cleared_with_a_sentence() -> None:
    story = Story(site(zones("shaft"))).go(5, stays(at(20)))
    story.watch.change(site(zones("other", 30.0)))
    story.go(5, stays(at(20)))
    assert [(state, at_s) for at_s, _, state in story.events] == [("active", 1.0), ("cleared", 5.0)]
    assert "shaft is no longer watched" in story.last.evidence
    assert story.watch.active() == ()


def test_a_zone_that_moved_is_judged_where_it_is() -> None:
    story = Story(site(zones("shaft"))).go(5, stays(at(20)))
    story.watch.change(site(zones("shaft", 30.0)))
    story.go(5, stays(at(20)))
    assert story.events == [(1.0, "restricted_zone", "active"), (8.0, "restricted_zone", "cleared")]


# ---- replay ----


def recorded() -> Story:
    story = Story(
        site(
            "zones: [{name: track, kind: danger, follows: loco, "
            "polygon_m: [[0, -1], [5, -1], [5, 1], [0, 1]]}]\nlimits: {immobile: null}\n"
        )
    )
    for second in range(40):
        story.machine(2.0 * second, running=second < 30)
        people = [at(20)] if second < 18 else []
        story.go(1, stays(*people, person(2, LOW_M, (35.0, 0.0))))
        if second == 12:
            story.end(next(one for one in story.watch.active() if one.kind == "man_down"))
    return story


def test_a_replay_hears_the_same_in_any_order() -> None:
    story = recorded()
    live = tuple(anomaly for _, anomaly in story.said)
    assert {one.kind for one in live} == {"near_danger", "man_down", "worker_lost"}
    assert ("man_down", "cleared") in {(one.kind, one.state) for one in live}
    shuffled = random.Random(3).sample(story.heard, len(story.heard))
    assert judge(story.site, story.shown, messages=shuffled) == live
    assert judge(story.site, story.shown) != live


def test_messages_may_come_early_or_late_within_half_a_second() -> None:
    def run(offset_ms: int) -> list[tuple[float, str, str]]:
        story = Story(PLAIN).go(10, stays(person(height_m=LOW_M)))
        [alarm] = story.watch.active()
        order = Order(
            alarm=alarm.id,
            action="end",
            by="Li",
            reason="seen to",
            ordered_at_ns=START_NS + 12_000_000_000,
        )
        for _ in itertools.count():
            if story.ms == 12_000 + offset_ms:
                story.watch.hear(order)
            if story.ms == 14_000:
                return story.events
            story.tell(seen([], START_NS + story.ms * 1_000_000))
            story.ms += 100
        raise AssertionError

    assert run(-1500) == run(0) == run(400)
