"""Gates, and people who are lost from view."""

from pathlib import Path

import pytest

from location.rules.coverage import Coverage
from scene.floor import Floor
from scene.floor_config import FloorConfig
from scene.messages import Position
from scene.site import Site, parse_site
from tests.location.rules.story import HEAD, ROADWAY_M, Story, at, named, nobody, site, stays
from tests.location.test_watch import LOW_M, People, person, seen

GATE = site(
    "gates: [{name: door, line_m: [[20, -2], [20, 2]], way: to_right}]\n"
    "limits: {immobile: null, lost: null}\n"
)
"""As one looks from (20, -2) to (20, 2), right is up the roadway: along x."""
LOST = site("limits: {immobile: null, lost: {after_s: 15, exit_m: 2}}\n")
SHUT = site("limits: {immobile: null, lost: {after_s: 15, exit_m: 0}}\n")


def bent(centre_line_m: str) -> Site:
    """`LOST` on another roadway."""
    straight = "[[0, 0, 0], [40, 0, 0]]"
    text = HEAD.replace(straight, centre_line_m) + "limits: {immobile: null, lost: {exit_m: 2}}\n"
    return parse_site(text, name="site.yaml", folder=Path())


def walks(start_m: float, end_m: float, *, speed_m_s: float = 1.0, y_m: float = 0.0) -> People:
    """Walk, and stand at the end."""
    way = 1 if end_m > start_m else -1

    def where(t: float) -> list[Position]:
        return [at(start_m + way * min(speed_m_s * t, abs(end_m - start_m)), y_m)]

    return where


def test_through_the_gate_the_right_way_is_nothing() -> None:
    assert Story(GATE).go(20, walks(15, 25)).events == []


def test_through_the_gate_the_wrong_way_is_told_and_going_back_clears() -> None:
    story = Story(GATE).go(10, walks(25, 16))
    [(at_s, kind, _)] = story.events
    assert kind == "wrong_way"
    assert at_s == pytest.approx(5.3, abs=0.15)  # 5 s to the line, 2 sigma beyond
    raised = story.last
    assert (raised.zone, raised.severity, raised.track) == ("door", "warning", 1)
    assert "gone through against its way" in raised.evidence
    story.go(10, lambda t: [at(16 + (t - 10))])
    assert [state for _, _, state in story.events] == ["active", "cleared"]
    assert "back through door" in story.last.evidence


def test_hovering_at_the_line_is_no_crossing() -> None:
    assert Story(GATE).go(30, lambda t: [at(20.15 if int(t) % 2 else 19.85)]).events == []


def test_who_goes_round_the_gate_goes_through_no_gate() -> None:
    assert Story(GATE).go(10, walks(25, 16, y_m=3.0)).events == []


def test_who_begins_beyond_it_has_not_gone_through() -> None:
    assert Story(GATE).go(10, stays(at(15))).events == []


def test_a_slow_detector_finds_it_too() -> None:
    story = Story(GATE, period_s=2.0).go(14, walks(25, 16))
    assert [kind for _, kind, _ in story.events] == ["wrong_way"]


# ---- lost from view ----


def test_who_vanishes_where_cameras_look_is_lost() -> None:
    story = Story(LOST).go(10, stays(at(20))).go(20, nobody)
    [(at_s, kind, _)] = story.events
    assert kind == "worker_lost"
    assert at_s == pytest.approx(25.0, abs=0.25)  # last seen at 9.9 s
    raised = story.last
    assert (raised.track, raised.xyz_m, raised.severity) == (1, (20.0, 0.0, 0.0), "critical")
    assert raised.certainty == "certainly"
    assert "not seen any more, though healthy cameras look there, for 15." in raised.evidence
    assert [absence.person.track for absence in story.watch.unseen()] == [1]


def test_who_vanishes_in_a_roadway_across_the_mines_x_is_lost_just_the_same() -> None:
    north = bent("[[0, 0, 0], [0, 40, 0]]")
    story = Story(north).go(10, stays(at(0, 20))).go(20, nobody)
    assert [(kind, state) for _, kind, state in story.events] == [("worker_lost", "active")]
    # Within 2 m of where coverage ends, by chainage, one walks out.
    assert Story(north).go(10, stays(at(0, 38.5))).go(20, nobody).events == []


def test_cameras_of_the_other_arm_over_the_same_x_make_nobody_lost() -> None:
    """Only the first arm, 40 m, is seen: where the second one lies over it nobody looks."""
    u_turn = bent("[[0, 0, 0], [40, 0, 0], [40, 12, 0], [0, 12, 0]]")
    here, there = at(20, 0), at(20, 12, track=2)
    for one, lost in ((here, True), (there, False)):
        story = Story(u_turn)
        story.covered = [1] * 40 + [0] * 52
        story.go(10, stays(one)).go(20, nobody)
        assert [kind for _, kind, _ in story.events] == ["worker_lost"] * lost


def test_an_area_is_blind_by_the_metres_of_its_own_arm() -> None:
    u_turn = FloorConfig(centre_line_m=((0, 0, 0), (40, 0, 0), (40, 12, 0), (0, 12, 0)))
    near, far = [((10.0, y - 2), (14.0, y - 2), (14.0, y + 2), (10.0, y + 2)) for y in (0.0, 12.0)]
    coverage, story = Coverage(Floor(u_turn)), Story(LOST)
    for counts in ([1] * 92, [1] * 40 + [0] * 52):
        story.covered = counts
        story.ms += 1000
        coverage.hear(story.health())
        coverage.look_at(story.now_ns)
    assert not coverage.blind_in(near)
    assert coverage.blind_in(far)
    assert coverage.covers((12.0, 0.0, 0.0))
    assert coverage.blind((12.0, 12.0, 0.0))
    assert not coverage.covers_around((40.0, 0.0, 0.0), 3.0), "round the corner nobody looks"


def test_it_stays_until_somebody_is_found_whom_he_may_be() -> None:
    story = Story(LOST).go(10, stays(at(20))).go(300, nobody)
    assert len(story.events) == 1
    story.go(3, stays(at(23, track=2)))
    [(at_s, kind, state)] = story.events[1:]
    assert (kind, state) == ("worker_lost", "cleared")
    assert at_s == pytest.approx(311.0, abs=0.15)
    assert "may be person 2" in story.last.evidence
    assert story.watch.unseen() == ()


def test_who_comes_in_where_coverage_begins_is_somebody_else() -> None:
    story = Story(LOST).go(10, stays(at(20))).go(60, nobody)
    story.go(15, lambda t: [at(0.5 + (t - 70), track=2)])
    assert [state for _, _, state in story.events] == ["active"]


def test_who_is_too_far_off_to_be_him_is_somebody_else() -> None:
    """Found 12 m off within a second."""
    story = Story(LOST).go(10, stays(at(10))).go(1, nobody).go(30, stays(at(24, track=2)))
    assert [kind for _, kind, _ in story.events] == ["worker_lost"]


def test_found_again_in_time_is_no_alarm() -> None:
    story = Story(LOST).go(10, stays(at(20))).go(8, nobody).go(30, stays(at(22, track=2)))
    assert story.events == []


def test_one_found_is_one_found() -> None:
    story = Story(LOST).go(10, stays(at(20), at(21, track=2))).go(20, nobody)
    assert story.raised == 2
    story.go(10, stays(at(20.2, track=3)))
    assert len(story.watch.active()) == 1
    assert story.watch.active()[0].track == 2


def test_another_worker_is_not_him_and_the_same_is_wherever() -> None:
    story = Story(LOST).go(10, stays(named(at(20), "Li"))).go(20, nobody)
    story.go(10, stays(named(at(21, track=2), "Wang")))
    assert [state for _, _, state in story.events] == ["active"]
    story.go(3, stays(named(at(1, track=3), "Li")))
    assert [state for _, _, state in story.events] == ["active", "cleared"]


def test_who_walks_out_is_not_lost() -> None:
    story = Story(LOST).go(10, walks(30, 38.5)).go(60, nobody)
    assert story.events == []
    assert story.watch.unseen() == ()


def test_where_nobody_may_walk_out_who_does_is_lost() -> None:
    story = Story(SHUT).go(10, walks(30, 39.5)).go(60, nobody)
    assert [kind for _, kind, _ in story.events] == ["worker_lost"]


@pytest.mark.parametrize("known_after_s", [0.0, 2.0, 4.0])
def test_a_camera_that_dies_loses_nobody_and_keeps_them_on_the_list(known_after_s: float) -> None:
    story = Story(LOST).go(10, stays(at(20))).go(known_after_s, nobody)
    story.covered, story.camera = [0] * ROADWAY_M, "lost"
    story.go(120, nobody)
    assert story.events == []
    [absence] = story.watch.unseen()
    assert absence.person.xyz_m == (20.0, 0.0, 0.0)


def test_the_camera_that_saw_him_counts_even_if_another_looks_there() -> None:
    story = Story(LOST).go(10, stays(at(20)))
    story.camera = "lost"
    assert story.go(60, nobody).events == []
    assert len(story.watch.unseen()) == 1


def test_when_the_camera_is_back_who_is_not_there_is_lost_after_all() -> None:
    story = Story(LOST).go(10, stays(at(20)))
    story.covered = [0 if 18 <= x < 22 else 1 for x in range(ROADWAY_M)]
    story.go(6, nobody)
    story.covered = [1] * ROADWAY_M
    story.go(30, nobody)
    [(at_s, kind, _)] = story.events
    assert kind == "worker_lost"
    assert 30 <= at_s <= 33
    assert story.last.certainty == "possibly"


def test_after_long_blindness_he_may_have_walked_out_and_stays_on_the_list() -> None:
    story = Story(LOST).go(10, stays(at(20)))
    story.covered = [0] * ROADWAY_M
    story.go(60, nobody)
    story.covered = [1] * ROADWAY_M
    assert story.go(60, nobody).events == []
    assert [absence.why for absence in story.watch.unseen()] == ["may_have_left"]


def test_without_health_nobody_is_lost_for_nobody_knows() -> None:
    story = Story(LOST, healthy=False).go(10, stays(at(20))).go(60, nobody)
    assert story.events == []
    assert len(story.watch.unseen()) == 1


def test_who_is_down_and_vanishes_has_one_alarm() -> None:
    story = Story(LOST).go(10, stays(person(height_m=LOW_M))).go(60, nobody)
    assert [kind for _, kind, _ in story.events] == ["man_down"]


def test_a_flicker_is_nobody() -> None:
    assert Story(LOST).go(1.5, stays(at(20))).go(60, nobody).events == []


def test_after_a_restart_the_lost_stay_lost_until_found() -> None:
    before = Story(LOST).go(10, stays(at(20))).go(20, nobody)
    story = Story(LOST)
    story.ms = 60_000
    story.watch.adopt(before.watch.active())
    story.go(20, nobody)
    assert story.events == []
    assert story.watch.active() == before.watch.active()
    story.go(3, stays(at(22, track=1)))
    assert [(kind, state) for _, kind, state in story.events] == [("worker_lost", "cleared")]


def test_who_is_seen_again_under_the_same_number_is_not_lost_any_more() -> None:
    story = Story(LOST).go(10, stays(at(20))).go(20, nobody).go(10, stays(at(20)))
    assert [state for _, _, state in story.events] == ["active", "cleared"]
    assert "seen again" in story.last.evidence
    assert story.go(30, nobody).raised == 2, "and may be lost again"


def test_a_helper_who_comes_to_a_lost_man_down_and_kneels_does_not_find_him() -> None:
    """The helper takes the one alarm of that place over; the man himself stays missing."""
    story = Story(LOST).go(10, stays(person(height_m=LOW_M))).go(5, nobody)
    story.go(21, lambda t: [at(0.5 + (t - 15), track=2)])
    story.go(8, stays(person(2, LOW_M, (20.5, 0.0)))).go(30, stays(at(20.5, track=2)))
    assert [absence.person.track for absence in story.watch.unseen()] == [1]
    assert [(one.kind, one.track) for one in story.watch.active()] == [("worker_lost", 1)]


def test_after_the_clock_was_set_back_people_can_be_lost_at_once() -> None:
    """What was heard in the old time is newer than all heartbeats of the next hour."""
    story = Story(LOST)
    story.ms = 3_700_000
    story.go(10, stays(at(20))).hear(story.health())
    story.ms = 0
    story.go(10, stays(at(20))).go(20, nobody)
    assert [kind for _, kind, _ in story.events] == ["worker_lost"]


def without_pictures(seconds: int) -> Story:
    """All cameras are away for a while: heartbeats go on, and there are no positions at all."""
    story = Story(LOST).go(10, stays(at(20), at(12, track=2)))
    story.covered, story.camera = [0] * ROADWAY_M, "lost"
    for _ in range(seconds):
        story.hear(story.health())
        story.ms += 1000
    story.covered, story.camera = [1] * ROADWAY_M, "ok"
    return story


def test_who_is_found_again_after_all_cameras_were_away_was_never_lost() -> None:
    assert without_pictures(20).go(30, stays(at(20, track=3), at(12, track=4))).events == []


def test_who_may_have_walked_out_while_all_cameras_were_away_stays_on_the_list_only() -> None:
    story = without_pictures(600).go(60, nobody)
    assert story.events == []
    assert [absence.person.track for absence in story.watch.unseen()] == [1, 2]


def test_who_cannot_have_walked_out_while_all_cameras_were_away_is_lost_possibly() -> None:
    story = without_pictures(8).go(60, nobody)
    assert [(kind, state) for _, kind, state in story.events] == [("worker_lost", "active")] * 2
    assert story.last.certainty == "possibly"


def test_however_slowly_pictures_come_who_vanishes_is_lost() -> None:
    """Every four seconds, say, on a machine that is too slow: nobody is away between two."""
    story = Story(LOST)
    for number in range(20):
        story.hear(story.health())
        story.tell(seen([at(20)] if number < 5 else [], story.now_ns))
        story.ms += 4000
    assert [kind for _, kind, _ in story.events] == ["worker_lost"]


@pytest.mark.parametrize("height_m", [1.7, LOW_M])
def test_where_somebody_away_was_is_worked_out_once(
    height_m: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two hundred people who are away, or down and away, nothing changes from tick to tick."""
    bend = bent("[[0, 0, 0], [20, 0, 0], [34, 14, 0]]")
    story = Story(bend).go(10, stays(person(xy_m=(12.0, 1.0), height_m=height_m))).go(1, nobody)
    placed: list[object] = []
    monkeypatch.setattr(Floor, "place", lambda *asked: placed.append(asked))
    story.go(20, nobody)
    assert (len(story.watch.unseen()), len(story.watch.active())) == (1, 1)
    assert placed == []
