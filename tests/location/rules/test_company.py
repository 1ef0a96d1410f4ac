"""Too many in a zone, and one alone."""

from dataclasses import replace

import pytest

from location.rules.company import probability_more_than
from scene.floor import Floor
from scene.floor_metres import metres_touched
from scene.messages import XY, Position
from tests.location.rules.story import ROADWAY_M, Story, at, nobody, site, square, stays

CROWD = site(
    f"zones: [{{name: bay, kind: area, capacity: 2, polygon_m: {square(20)}}}]\n"
    "limits: {immobile: null, lost: null}\n"
)
AROUND = site(
    f"zones: [{{name: loco, kind: area, follows: loco, capacity: 2, polygon_m: {square(0)}}}]\n"
    "limits: {immobile: null, lost: null}\n"
)
LONE = site(
    f"zones: [{{name: shaft, kind: area, lone_after_s: 20, polygon_m: {square(20)}}}]\n"
    "limits: {immobile: null, lone: {within_m: 8}}\n"
)


def three(x_m: float = 20.0) -> list[Position]:
    return [at(19, track=1), at(20.5, track=2), at(x_m, 1.0, track=3)]


def test_one_too_many_is_the_zones_alarm_and_clears_when_one_leaves() -> None:
    story = Story(CROWD).go(5, stays(*three(30))).go(5, stays(*three())).go(8, stays(*three(30)))
    assert story.events == [(7.0, "over_capacity", "active"), (15.0, "over_capacity", "cleared")]
    raised = story.said[0][1]
    assert (raised.track, raised.zone, raised.certainty) == (None, "bay", "certainly")
    assert raised.id == f"over_capacity-bay-{raised.raised_at_ns // 1_000_000}"
    assert raised.xyz_m == pytest.approx((19.833, 0.333, 0.0))
    assert raised.evidence.startswith("3 people in bay, where 2 may be, for 2.0 s")
    assert story.last.evidence.startswith("2 people in bay, where 2 may be, at x ")


def test_the_count_is_by_probability() -> None:
    """Three who are each half inside are no three; one more of whom it is not sure is possible."""
    half = [at(22, track=track, sigma_m=0.3) for track in range(1, 4)]
    assert Story(CROWD).go(10, stays(*half)).events == []
    unsure = [*three()[:2], at(21.8, track=3, sigma_m=0.3)]
    raised = Story(CROWD).go(10, stays(*unsure)).last
    assert raised.certainty == "possibly"
    assert "Certainly 2, possibly 3 people in bay" in raised.evidence
    assert probability_more_than(2, [0.9] * 3) == pytest.approx(0.729)


def test_people_who_are_there_possibly_make_a_possible_crowd() -> None:
    doubted = [replace(one, certainty="possibly") for one in three()]
    assert Story(CROWD).go(10, stays(*doubted)).last.certainty == "possibly"


def test_one_alarm_whoever_comes_and_goes() -> None:
    def changing(t: float) -> list[Position]:
        return [*three()[:2], at(20, 1.0, track=3 + int(t / 5))]

    assert Story(CROWD).go(40, changing).raised == 1


def test_a_zone_that_nobody_can_see_is_not_empty() -> None:
    story = Story(CROWD).go(5, stays(*three()))
    story.covered = [0] * ROADWAY_M
    story.go(120, nobody)
    assert [state for _, _, state in story.events] == ["active"]
    story.covered = [1] * ROADWAY_M
    story.go(10, nobody)
    assert [state for _, _, state in story.events] == ["active", "cleared"]


def test_who_is_hidden_behind_others_still_counts() -> None:
    story = Story(CROWD).go(5, stays(*three())).go(20, stays(*three()[:2]))
    assert [state for _, _, state in story.events] == ["active"]


def test_an_empty_mine_is_no_crowd() -> None:
    assert Story(CROWD).go(5, nobody).events == []


def test_who_is_alone_is_told_and_company_clears() -> None:
    story = Story(LONE).go(25, stays(at(20))).go(10, stays(at(20), at(26, track=2)))
    assert story.events == [(20.0, "lone_worker", "active"), (30.0, "lone_worker", "cleared")]
    assert "alone in shaft: nobody else is seen for 20.0 s" in story.said[0][1].evidence


def test_company_beyond_the_distance_is_none() -> None:
    story = Story(LONE).go(25, stays(at(20), at(29, track=2)))
    assert [anomaly.track for _, anomaly in story.said] == [1]
    assert "the nearest is 9 m off" in story.last.evidence
    assert Story(LONE).go(25, stays(at(20), at(27, track=2))).events == []


def test_where_cameras_do_not_see_all_around_it_is_only_possible() -> None:
    assert Story(LONE).go(25, stays(at(20))).last.certainty == "certainly"
    dark = Story(LONE)
    dark.covered = [1] * 24 + [0] * 16
    assert dark.go(25, stays(at(20))).last.certainty == "possibly"
    assert Story(LONE, healthy=False).go(25, stays(at(20))).last.certainty == "possibly"


def test_alone_elsewhere_is_nobodys_business() -> None:
    assert Story(LONE).go(60, stays(at(30))).events == []


def test_who_may_as_well_be_beside_the_zone_is_not_alone_in_it() -> None:
    assert Story(LONE).go(60, stays(at(22, sigma_m=0.3))).events == []


def test_while_nothing_is_blind_nobody_asks_which_metres_a_moving_area_touches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is another area at every instant, so that nothing of it can be remembered."""
    asked: list[object] = []

    def touched(floor: Floor, polygon_m: tuple[XY, ...]) -> frozenset[int]:
        asked.append(polygon_m)
        return metres_touched(floor, polygon_m)

    monkeypatch.setattr("location.rules.coverage.metres_touched", touched)
    story = Story(AROUND)

    def drives(seconds: int) -> None:
        for _ in range(seconds):
            story.machine(20 + story.ms / 10_000)
            story.go(1, stays(at(2)))

    drives(5)
    assert asked == []
    story.covered = [1] * 15 + [0] * (ROADWAY_M - 15)
    drives(5)
    assert len(set(asked)) > 10, "now it counts, wherever the machine is"
