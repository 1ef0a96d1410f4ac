"""Hours, exempt workers, dangers that move, and too long."""

import re
from datetime import datetime, time, timedelta, timezone
from math import pi

import pytest

from control_room.evidence_words import in_chinese
from location.rules.areas import in_force
from scene.errors import SiteError
from scene.messages import MachinePlace, Machines, Position
from scene.site import Site
from tests.location.rules.story import Story, at, named, nobody, site, square, stays
from tests.location.test_watch import START_NS

START = datetime.fromtimestamp(START_NS / 1e9, timezone(timedelta(hours=8)))


def hours_site(first: datetime, last: datetime, *, zone: str = "+08:00", more: str = "") -> Site:
    hours = f"'{first:%H:%M:%S}-{last:%H:%M:%S}'"
    return site(
        f"zones: [{{name: shaft, hours: [{hours}]{more}, polygon_m: {square(20)}}}]\n"
        f"limits: {{time_zone: '{zone}', immobile: null}}\n"
    )


def test_a_zone_is_watched_in_its_hours_of_the_mines_time_zone() -> None:
    soon, later = START + timedelta(seconds=10), START + timedelta(seconds=20)
    story = Story(hours_site(soon, later)).go(30, stays(at(20)))
    assert [at_s for at_s, _, _ in story.events] == [
        pytest.approx(11.0, abs=1.1),
        pytest.approx(23.0, abs=1.1),
    ]
    assert "is not watched at" in story.last.evidence
    elsewhere = Story(hours_site(soon, later, zone="+09:00")).go(30, stays(at(20)))
    assert elsewhere.events == []


def test_hours_may_pass_midnight() -> None:
    outside = hours_site(START + timedelta(hours=1), START - timedelta(hours=1))
    assert Story(outside).go(5, stays(at(20))).events == []
    inside = hours_site(START - timedelta(hours=1), START - timedelta(hours=2))
    assert len(Story(inside).go(5, stays(at(20))).events) == 1


@pytest.mark.parametrize(
    ("now", "inside"), [("21:59", False), ("22:00", True), ("03:00", True), ("06:00", False)]
)
def test_a_night_shift_is_one_span(now: str, inside: bool) -> None:
    assert in_force(("22:00-06:00",), time.fromisoformat(now)) is inside
    assert in_force(("22:00-06:00", "21:00-22:00", "06:00-07:00"), time.fromisoformat(now))


EXEMPT = site(
    f"zones: [{{name: shaft, exempt: [Li], polygon_m: {square(20)}}}]\nlimits: {{immobile: null}}\n"
)


def test_who_is_exempt_may_be_there_if_the_name_is_sure() -> None:
    assert Story(EXEMPT).go(10, stays(named(at(20), "Li"))).events == []
    for other in (named(at(20), "Wang"), named(at(20), "Li", 0.6), at(20)):
        assert Story(EXEMPT).go(10, stays(other)).events == [(1.0, "restricted_zone", "active")]


def test_evidence_names_whoever_is_named() -> None:
    story = Story(EXEMPT).go(5, stays(named(at(20), "Wang")))
    assert story.last.evidence.startswith("Wang (person 1): 100% likely inside shaft for 1.0 s")
    story.go(2, nobody).go(5, stays(at(20, track=2)))
    assert story.last.evidence.startswith("Wang (person 2), who was person 1 before, carries")
    story.go(9, stays(at(30, track=2)))
    assert story.last.evidence.startswith("Wang (person 2): 0% likely inside shaft, at ")


def test_a_name_that_comes_later_clears() -> None:
    story = Story(EXEMPT).go(5, stays(at(20))).go(5, stays(named(at(20), "Li")))
    assert story.events[1:] == [(8.0, "restricted_zone", "cleared")]
    assert "Li may be in shaft" in story.last.evidence


DANGER = site(
    "zones: [{name: press, kind: danger, severity: warning, "
    f"polygon_m: {square(20)}}}]\nlimits: {{immobile: null}}\n"
)
MOVING = site(
    "zones: [{name: track, kind: danger, follows: loco, "
    "polygon_m: [[0, -1], [5, -1], [5, 1], [0, 1]]}]\nlimits: {immobile: null}\n"
)


def test_near_danger_comes_sooner_and_with_less_than_a_restricted_zone() -> None:
    story = Story(DANGER).go(4, stays(at(18.05, sigma_m=0.3))).go(6, stays(at(17)))
    assert story.events == [(0.5, "near_danger", "active"), (6.0, "near_danger", "cleared")]
    raised = story.said[0][1]
    assert (raised.severity, raised.zone, raised.certainty) == ("warning", "press", "possibly")


def test_a_danger_goes_with_its_machine() -> None:
    """The loco drives at 2 m/s, is told once a second; who stands in the way hears in time."""
    story = Story(MOVING)
    for second in range(12):
        story.machine(2.0 * second)
        story.go(1, stays(at(20)))
    [(at_s, kind, _)] = story.events[:1]
    assert kind == "near_danger"
    # It reaches 20 m less its 5 m at 7.5 s.
    assert 8.0 <= at_s <= 8.5


def test_the_zone_turns_with_the_machine() -> None:
    """To the left of it only: left is along y as it faces along x, and back as it faces left."""
    left = site(
        "zones: [{name: arm, kind: danger, follows: loco, "
        "polygon_m: [[0, 0], [5, 0], [5, 2], [0, 2]]}]\nlimits: {immobile: null}\n"
    )
    for heading, place, raised in (
        (0.0, (23, 1), 1),
        (0.0, (23, -1), 0),
        (pi / 2, (19, 3), 1),
        (pi / 2, (21, 3), 0),
    ):
        story = Story(left)
        for _ in range(2):
            story.machine(20, heading_rad=heading)
            story.go(1, stays(at(*place)))
        assert story.raised == raised


def test_a_machine_at_rest_endangers_nobody_and_clears() -> None:
    story = Story(MOVING)
    for second in range(10):
        story.machine(18, running=second < 5)
        story.go(1, stays(at(20)))
    assert [state for _, _, state in story.events] == ["active", "cleared"]
    assert "loco is at rest" in story.last.evidence


def test_a_machine_whose_place_is_not_known_is_told_and_neither_raises_nor_clears() -> None:
    story = Story(MOVING).go(3, stays(at(20)))
    assert story.events == []
    assert story.watch.trouble == (
        "zone track is nowhere: nobody has told where loco is; who comes too near is not told"
    )
    for _ in range(3):
        story.machine(18)
        story.go(1, stays(at(20)))
    assert story.watch.trouble == ""
    assert story.raised == 1
    story.go(4, stays(at(20))).go(20, stays(at(35)))
    assert [state for _, _, state in story.events] == ["active"]
    assert "the place of loco is 25 s old" in story.watch.trouble


def test_a_machine_with_a_wrong_clock_is_not_believed() -> None:
    story = Story(MOVING).go(2, stays(at(20)))
    for _ in range(5):
        story.ms += 3_600_000
        story.machine(18)
        story.ms -= 3_600_000
        story.go(1, stays(at(20)))
    assert story.events == []
    assert "3600 s ahead of the pictures" in story.watch.trouble
    assert "set the clocks" in story.watch.trouble


def test_one_place_from_a_clock_ahead_does_not_hide_the_machine() -> None:
    story = Story(MOVING).go(2, stays(at(20)))
    ahead = MachinePlace(
        machine="loco", xy_m=(18.0, 0.0), at_ns=story.now_ns + 3600 * 1_000_000_000
    )
    story.hear(Machines(captured_at_ns=story.now_ns, machines=(ahead,)))
    for _ in range(5):
        story.machine(18)
        story.go(1, stays(at(20)))
    assert [kind for _, kind, _ in story.events] == ["near_danger"]
    assert story.watch.trouble == ""


@pytest.mark.parametrize("hours", ["22:00Z-06:00Z", "22:00+08:00-06:00", "22:00", "x-y"])
def test_hours_that_cannot_be_compared_are_refused_when_the_site_is_read(hours: str) -> None:
    with pytest.raises(SiteError, match="are no hours"):
        site(f"zones: [{{name: shaft, hours: ['{hours}'], polygon_m: {square(20)}}}]\n")


LONG = site(
    f"zones: [{{name: gas, kind: area, longest_s: 60, polygon_m: {square(20)}}}]\n"
    "limits: {immobile: null, lost: null}\n"
)


def test_who_stays_too_long_is_told_and_who_leaves_too() -> None:
    story = Story(LONG).go(65, stays(at(20))).go(5, stays(at(30)))
    assert story.events == [(60.0, "over_time", "active"), (68.0, "over_time", "cleared")]


def test_the_time_runs_on_when_the_track_changes() -> None:
    def two(t: float) -> list[Position]:
        return [] if 30 <= t < 33 else [at(20, track=1 if t < 30 else 2)]

    [(at_s, kind, _)] = Story(LONG).go(70, two).events
    assert kind == "over_time"
    assert 60 <= at_s <= 64


def test_who_comes_later_has_their_own_time() -> None:
    def two(t: float) -> list[Position]:
        return [at(20, track=1 if t < 30 else 2)] if t < 30 or t > 45 else []

    assert Story(LONG).go(70, two).events == []


def test_a_zone_of_any_name_has_alarms_whose_ids_fit_into_topics() -> None:
    zones = ", ".join(f"{{name: {name}, polygon_m: {square(20)}}}" for name in ("泵房", "泵 2"))
    both = site(f"zones: [{zones}]\nlimits: {{immobile: null}}\n")
    alarms = [one for _, one in Story(both).go(10, stays(at(20))).said]
    assert {one.zone for one in alarms} == {"泵房", "泵 2"}
    assert len({one.id for one in alarms}) == 2
    assert all(re.fullmatch("restricted_zone-z[0-9a-f]{8}-[0-9]+-[0-9]+", one.id) for one in alarms)
    assert "泵房" in in_chinese(next(one.evidence for one in alarms if one.zone == "泵房"))
