"""The clips of events, through the whole product: each alarm comes in time, and nothing else."""

from typing import Any

import pytest

from edge.acceptance.alarm_scores import KindScore, score_alarms
from scene.messages import Anomaly
from tests.sample_site import SAMPLES, has_rig
from tests.site_scores import alarm_scores

CLIPS = {
    "near_belt": "near_danger",
    "immobile": "immobile",
    "left_coverage": "left_coverage",
    "camera_dead": "camera_dead",
    "helmet_off": "helmet_off",
    "over_capacity": "over_capacity",
    "lens_dust": "lens_dust",
    "lamp_outage": "lamp_outage",
    "quiet": None,
}
"""Clips, and the kind of event that each must raise an alarm about."""


@pytest.mark.parametrize(("name", "kind"), CLIPS.items())
def test_a_clips_event_raises_its_alarm_and_nothing_else_does(name: str, kind: str | None) -> None:
    folder = SAMPLES / "events" / name
    if not (folder / "site.yaml").exists() or not has_rig(folder):
        pytest.skip("the event clips are not here")
    scores = alarm_scores(folder)
    assert sum(found.false for found in scores.values()) == 0
    assert sum(found.not_watched for found in scores.values()) == 0
    if kind is not None:
        found = scores[kind]
        assert found.raised == found.events == 1
        assert max(found.delays_s) <= 2.0
        assert max(found.places_m, default=0.0) <= 0.5


def event(kind: str, start_s: float, **more: Any) -> dict[str, Any]:
    blank = {"id": 1, "zone": None, "camera": None, "xyz_m": [5.0, 0.0, 0.0], "t_end_s": None}
    return {**blank, "type": kind, "t_start_s": start_s, **more}


def alarm(kind: str, at_s: float, zone: str | None = None) -> tuple[float, Anomaly]:
    return at_s, Anomaly(
        id=kind,
        kind=kind,
        severity="critical",
        state="active",
        captured_at_ns=0,
        raised_at_ns=0,
        probability=1.0,
        certainty="certainly",
        zone=zone,
        xyz_m=(5.0, 0.0, 0.0),
    )


def scored(
    events: list[dict[str, Any]], *alarms: tuple[float, Anomaly], x_m: float = 5.0
) -> dict[str, KindScore]:
    watched = {"man_down": 3.0, "immobile": 5.0, "worker_lost": 3.5, "near_danger": 0.5}
    return score_alarms(
        events, alarms, watched=watched, ends_s=30.0, where=lambda person, at_s: (x_m, 0.0)
    )


def test_one_cause_is_one_event() -> None:
    fall, still = event("fall", 2.0), event("immobile", 3.0)
    assert "immobile" not in scored([fall, still], alarm("man_down", 5.5))
    assert "immobile" in scored([fall, {**still, "id": 2}], alarm("man_down", 5.5))
    assert "immobile" in scored([{**fall, "t_end_s": 2.5}, still])
    dead = event("camera_dead", 4.0, id=None, camera="cam2")
    assert "left_coverage" not in scored([dead, event("left_coverage", 4.0, camera="cam2")])
    assert "left_coverage" in scored([dead, event("left_coverage", 4.0, camera="cam1")])


def test_who_is_out_of_sight_is_looked_for_where_last_seen() -> None:
    lost = scored([event("left_coverage", 4.0)], alarm("worker_lost", 7.6), x_m=15.0)
    assert lost["left_coverage"].places_m == [0.0]


def test_a_warning_of_danger_may_come_a_little_early() -> None:
    near = event("near_danger", 8.0, zone="belt")
    for at_s, raised in ((7.0, 1), (5.0, 0)):
        found = scored([near], alarm("near_danger", at_s, "belt"))["near_danger"]
        assert (found.raised, found.false) == (raised, 1 - raised)
