"""Immobile, low work, helmets."""

from dataclasses import replace

import pytest

from scene.errors import SiteError
from scene.messages import Position
from tests.location.rules.story import Story, at, nobody, site, square, stays
from tests.location.test_watch import LOW_M, UP_M, person

IMMOBILE = site("limits: {immobile: {after_s: 20}}\n")
WORKPLACE = site(
    f"zones: [{{name: bench, kind: area, immobile_after_s: 40, polygon_m: {square(20)}}}]\n"
    "limits: {immobile: {after_s: 20}}\n"
)
LOW_WORK = site(
    f"zones: [{{name: floor, kind: area, low_work: true, polygon_m: {square(20)}}}]\n"
    "limits: {immobile: {after_s: 20}}\n"
)
HELMETS = site("limits: {helmet: {}}\n")


def test_who_stays_on_the_spot_is_immobile_until_a_move() -> None:
    story = Story(IMMOBILE).go(25, stays(at(20))).go(5, stays(at(21)))
    assert story.events == [(20.0, "immobile", "active"), (25.1, "immobile", "cleared")]
    raised, cleared = (anomaly for _, anomaly in story.said)
    assert (raised.severity, raised.track, raised.certainty) == ("warning", 1, "certainly")
    assert "moved 0.0 m, less than 0.5 m, for 20.0 s" in raised.evidence
    assert "moved 1.0 m" in cleared.evidence


def test_every_move_starts_the_time_anew() -> None:
    story = Story(IMMOBILE)
    for x_m in (20.0, 20.7, 21.4, 20.6):
        story.go(15, stays(at(x_m)))
    assert story.events == []
    assert len(story.go(6, stays(at(20.6))).events) == 1


def test_no_alarm_rests_on_a_look_elsewhere() -> None:
    """Such a look may be wrong, so it ends nothing; but its place would belie the alarm."""

    def one_look_off(t: float) -> list[Position]:
        return [at(20.9 if round(t, 1) == 20.0 else 20.0)]

    [(at_s, raised)] = Story(IMMOBILE).go(25, one_look_off).said
    assert at_s == 20.1
    assert "moved 0.0 m" in raised.evidence
    assert raised.probability > 0.9


def test_unsure_places_need_a_longer_way_to_be_a_move() -> None:
    def wavers(t: float) -> list[Position]:
        return [at(20 + (0.7 if int(t) % 2 else 0.0), sigma_m=0.6)]

    assert [kind for _, kind, _ in Story(IMMOBILE).go(25, wavers).events] == ["immobile"]


def test_one_wrong_look_is_no_move() -> None:
    story = Story(IMMOBILE).go(10, stays(at(20))).go(0.1, stays(at(22)))
    assert story.go(10, stays(at(20))).events[0][0] == pytest.approx(20.0, abs=0.2)


def test_who_vanishes_for_a_moment_and_comes_back_under_another_name_has_not_moved() -> None:
    story = Story(IMMOBILE).go(12, stays(at(20))).go(3, nobody).go(12, stays(at(20.1, track=2)))
    [(at_s, kind, _)] = story.events
    assert kind == "immobile"
    assert at_s <= 24


def test_who_is_down_has_that_one_alarm() -> None:
    story = Story(IMMOBILE).go(60, stays(person(height_m=LOW_M)))
    assert story.events == [(3.0, "man_down", "active")]


def test_who_has_just_fallen_is_not_called_immobile_first() -> None:
    story = Story(site("limits: {immobile: {after_s: 2}}\n"))
    assert story.go(20, stays(person(height_m=LOW_M))).events == [(3.0, "man_down", "active")]


def test_an_immobile_one_who_falls_is_carried_on_as_down() -> None:
    story = Story(IMMOBILE).go(25, stays(at(20))).go(10, stays(person(height_m=LOW_M)))
    assert [(kind, state) for _, kind, state in story.events] == [
        ("immobile", "active"),
        ("man_down", "active"),
        ("immobile", "cleared"),
    ]
    assert story.events[2][0] - story.events[1][0] <= 0.2
    assert "alarm of its own" in story.last.evidence


def test_a_zone_may_give_its_own_time() -> None:
    story = Story(WORKPLACE).go(60, stays(at(20), at(30, track=2)))
    assert [(at_s, anomaly.track) for at_s, anomaly in story.said] == [(20.0, 2), (40.0, 1)]


def test_where_people_kneel_at_work_nobody_is_down_by_height_but_may_be_immobile() -> None:
    kneeling = [person(height_m=LOW_M), person(2, LOW_M, (30.0, 0.0))]
    story = Story(LOW_WORK).go(60, stays(*kneeling))
    assert [(kind, anomaly.track) for _, anomaly in story.said for kind in [anomaly.kind]] == [
        ("man_down", 2),
        ("immobile", 1),
    ]


def helmet(worn: float | None) -> Position:
    return replace(person(height_m=UP_M), helmet=worn)


def test_a_bare_head_is_told_and_a_helmet_put_on_again_too() -> None:
    story = Story(HELMETS).go(5, stays(helmet(0.95))).go(5, stays(helmet(0.05)))
    story.go(5, stays(helmet(0.9)))
    assert story.events == [(8.0, "helmet_missing", "active"), (13.0, "helmet_missing", "cleared")]
    assert "95% likely without a helmet for 3.0 s" in story.said[0][1].evidence


def test_a_head_that_nobody_has_seen_says_nothing() -> None:
    assert Story(HELMETS).go(10, stays(helmet(None))).events == []
    story = Story(HELMETS).go(5, stays(helmet(0.05))).go(20, stays(helmet(None)))
    assert [state for _, _, state in story.events] == ["active"]


def test_between_bare_and_worn_nothing_changes() -> None:
    story = Story(HELMETS).go(10, stays(helmet(0.4)))
    assert story.events == []
    story.go(5, stays(helmet(0.1))).go(10, stays(helmet(0.4)))
    assert [state for _, _, state in story.events] == ["active"]


def test_a_head_cannot_be_bare_and_covered_at_once() -> None:
    with pytest.raises(SiteError, match=r"worn_probability .* must be above 1 - bare_probability"):
        site("limits: {helmet: {bare_probability: 0.8, worn_probability: 0.15}}\n")


def test_helmets_are_watched_where_the_site_says_so() -> None:
    assert Story(site("")).go(10, stays(helmet(0.0))).events == []
