from typing import Any

from edge.acceptance.alarm_scores import KindScore, score_alarms
from scene.messages import Anomaly

WATCHED = {"man_down": 3.0, "restricted_zone": 1.0, "camera_stalled": 2.0, "camera_lost": 2.0}


def event(kind: str, start_s: float, end_s: float | None, **more: Any) -> dict[str, Any]:
    blank = {"id": 1, "zone": None, "camera": None, "xyz_m": [5.0, 0.0, 0.0]}
    return {**blank, "type": kind, "t_start_s": start_s, "t_end_s": end_s, **more}


def alarm(kind: str, at_s: float, x_m: float | None = 5.0, **more: Any) -> tuple[float, Anomaly]:
    return at_s, Anomaly(
        id=f"{kind}-{at_s}",
        kind=kind,
        severity="critical",
        state="active",
        captured_at_ns=0,
        raised_at_ns=0,
        probability=1.0,
        certainty="certainly",
        xyz_m=None if x_m is None else (x_m, 0.0, 0.0),
        **more,
    )


def scored(
    events: list[dict[str, Any]], *alarms: tuple[float, Anomaly], ends_s: float = 20.0
) -> dict[str, KindScore]:
    return score_alarms(
        events, alarms, watched=WATCHED, ends_s=ends_s, where=lambda person, at_s: (5.0, 0.0)
    )


def test_an_alarm_at_the_place_is_raised_with_its_delay_beyond_the_configured_one() -> None:
    fall = scored([event("fall", 4.0, None)], alarm("man_down", 7.9, 5.5))["fall"]
    assert (fall.events, fall.raised, fall.false) == (1, 1, 0)
    assert round(fall.delays_s[0], 6) == 0.9
    assert fall.places_m == [0.5]


def test_an_alarm_elsewhere_or_before_is_false_and_the_event_unraised() -> None:
    for given in (alarm("man_down", 7.9, 9.0), alarm("man_down", 3.0)):
        fall = scored([event("fall", 4.0, None)], given)["fall"]
        assert (fall.events, fall.raised, fall.false) == (1, 0, 1)


def test_a_second_alarm_of_one_event_is_false() -> None:
    given = alarm("man_down", 7.5), alarm("man_down", 12.0)
    fall = scored([event("fall", 4.0, None)], *given)["fall"]
    assert (fall.raised, fall.false) == (1, 1)


def test_the_zone_must_be_the_right_one() -> None:
    entry = event("zone_entry", 2.0, 9.0, zone="belt")
    assert scored([entry], alarm("restricted_zone", 3.2, zone="belt"))["zone_entry"].raised == 1
    wrong = scored([entry], alarm("restricted_zone", 3.2, zone="shaft"))["zone_entry"]
    assert (wrong.raised, wrong.false) == (0, 1)


def test_an_event_too_short_for_its_alarm_is_neither_missed_nor_false() -> None:
    short = event("zone_entry", 2.0, 3.5, zone="belt")
    for given in ((), (alarm("restricted_zone", 3.1, zone="belt"),)):
        found = scored([short], *given)["zone_entry"]
        assert (found.events, found.too_short, found.raised, found.false) == (0, 1, 0, 0)
    late = event("fall", 17.0, None)
    assert scored([late])["fall"].too_short == 1
    assert scored([late], ends_s=30.0)["fall"].events == 1


def test_kinds_without_a_rule_are_counted_and_never_dropped() -> None:
    events = [event("immobile", 1.0, None), event("lens_dust", 2.0, None, id=None, camera="cam1")]
    found = scored([*events, event("flood", 3.0, None), event("belt_moving", 0.0, None)])
    assert {kind: score.not_watched for kind, score in found.items()} == {
        "immobile": 1,
        "lens_dust": 1,
        "flood": 1,
    }


def test_a_dead_camera_may_stall_first_and_be_lost_then() -> None:
    dead = event("camera_dead", 5.0, None, id=None, camera="cam2")
    given = [
        alarm("camera_stalled", 7.1, None, camera="cam2"),
        alarm("camera_lost", 9.1, None, camera="cam2"),
    ]
    found = scored([dead], *given)["camera_dead"]
    assert (found.events, found.raised, found.false) == (1, 1, 0)
    assert round(found.delays_s[0], 6) == 0.1
    other = scored([dead], alarm("camera_lost", 9.1, None, camera="cam1"))["camera_dead"]
    assert (other.raised, other.false) == (0, 1)


def test_what_comes_slowly_is_due_from_when_it_is_wholly_there_and_may_be_told_before() -> None:
    dust = event("camera_dead", 3.0, None, id=None, camera="cam2", t_whole_s=6.0)
    for at_s, delay_s in ((8.1, 0.1), (5.0, -3.0)):
        found = scored([dust], alarm("camera_lost", at_s, None, camera="cam2"))["camera_dead"]
        assert (found.events, found.raised, found.false) == (1, 1, 0)
        assert round(found.delays_s[0], 6) == delay_s
    short = scored([dust], ends_s=8.5)["camera_dead"]
    assert (short.events, short.too_short) == (0, 1)


def test_an_alarm_without_any_event_is_false() -> None:
    assert scored([], alarm("man_down", 5.0))["fall"].false == 1


def test_clips_add_up() -> None:
    fall = scored([event("fall", 4.0, None)], alarm("man_down", 7.9))["fall"]
    both = fall + fall
    assert (both.events, both.raised, len(both.delays_s)) == (2, 2, 2)
