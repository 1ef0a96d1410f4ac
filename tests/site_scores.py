"""How well the product does on a sample site: detection, location, alarms, tie points.

Knows nothing about how figures are shown. Rendered scores are not real-mine accuracy.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from detection.nms import overlap
from detection.scoring import Score as DetectionScore
from detection.scoring import score_kind
from edge.acceptance.alarm_scores import KindScore, score_alarms
from edge.acceptance.people import Followed, spot
from edge.acceptance.people import followed as followed_beside
from edge.acceptance.scoring import Match, Score, score, share_inside
from edge.acceptance.truth import SEEN, Boxes
from edge.acceptance.watched import watched_delays_s
from scene.arrays import Bools, Floats
from scene.geometry import rays
from scene.messages import Detections
from scene.ribbon import Ribbon
from scene.rig import Rig
from stitching.quality import tie_point_errors_px
from tests.sample_site import (
    START_AT_NS,
    boxes,
    duration_s,
    read,
    rig_of,
    run,
    site_of,
    truth,
    world,
)

HIT_IOU, NEAR_IOU = 0.5, 0.3
HONEST_WITHIN_M = 2.0
"""Errors up to here are judged against their covariance: a tighter gate would flatter it."""
SIZES_PX = (80, 160)
"""Longer sides of boxes at which recall is told apart."""


def tie_point_errors(folder: Path, rig: Rig) -> Floats:
    """Tell how far static points that two cameras see miss each other through a rig, in pixels."""
    by_pair: dict[tuple[str, str], list[object]] = {}
    for point in read(folder, "tiepoints.json"):
        first, second = point["cameras"]
        by_pair.setdefault((first, second), []).append(point["pixels"])
    return np.concatenate(
        [
            tie_point_errors_px(rig, *pair, *np.moveaxis(np.array(pixels, float), 1, 0))
            for pair, pixels in by_pair.items()
        ]
    )


def surface_errors_px(folder: Path, rig: Rig, near_m: float) -> Floats:
    """Tell how far two cameras draw static points of a strip apart, in panorama pixels.

    Only points that truly lie on the ribbon, within `near_m`, and that both draw on it.
    """
    surface = rig.surface
    assert isinstance(surface, Ribbon)
    gaps = []
    for point in read(folder, "tiepoints.json"):
        place = np.array([point["xyz_m"]], float)
        shown = surface.panorama_from_mine(place)
        if not surface.inside(shown)[0]:
            continue
        if np.linalg.norm(surface.mine_from_panorama(shown) - place) > near_m:
            continue
        drawn = [
            surface.panorama_from_sight(camera.centre_m, rays(camera, np.array([pixel], float)))
            for camera, pixel in zip(
                map(rig.camera, point["cameras"]), point["pixels"], strict=True
            )
        ]
        gaps.append(float(np.linalg.norm(drawn[0] - drawn[1])))
    found = np.array(gaps)
    return np.asarray(found[np.isfinite(found)])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Finds:
    """The person boxes of one picture beside the truth."""

    frame: int
    boxes_px: Floats
    scores: Floats
    truth: Boxes
    """Those who must be found."""


def finds(folder: Path) -> list[Finds]:
    """List all pictures' finds of the run, as `beside_truth` has them."""
    return [
        beside_truth(folder, output.frame, given)
        for output in run(folder).outputs
        for given in output.people
    ]


def beside_truth(folder: Path, frame: int, given: Detections) -> Finds:
    """Lay one picture's finds beside the truth; such as lie on somebody hardly seen are left out.

    Detections and truth are of the same picture; a find counts as on somebody who must be found
    from an overlap (IoU) of 0.5, as on somebody hardly seen from 0.3.
    """
    persons, there = given.of_kind("person"), boxes(folder)[given.camera][frame]
    must = there.visibility >= SEEN
    free = _best(persons.boxes_px, there.edges_px[must]) < HIT_IOU
    drop = free & (_best(persons.boxes_px, there.edges_px[~must]) >= NEAR_IOU)
    return Finds(
        frame=frame,
        boxes_px=persons.boxes_px[~drop],
        scores=persons.scores[~drop],
        truth=Boxes(
            people=there.people[must],
            edges_px=there.edges_px[must],
            visibility=there.visibility[must],
        ),
    )


def detection_score(folder: Path, threshold: float = 0.25) -> DetectionScore:
    """Score the person boxes of every camera against those at least half visible."""
    return score_finds(finds(folder), threshold)


def score_finds(pictures: list[Finds], threshold: float = 0.25) -> DetectionScore:
    """Score pictures' person boxes against those at least half visible."""
    return score_kind(
        [(picture.boxes_px, picture.scores) for picture in pictures],
        [picture.truth.edges_px for picture in pictures],
        threshold,
    )


def recalls(folder: Path, threshold: float = 0.25) -> dict[str, tuple[float, int]]:
    """Tell recall and number of boxes by what the person does, and by the box's longer side.

    Names are the truth's states, and `under_80px`, `80_160px`, `over_160px`.
    """
    hits: dict[str, list[bool]] = {}
    states = [{p["id"]: p["state"] for p in moment["people"]} for moment in world(folder)]
    small, large = SIZES_PX
    for picture in finds(folder):
        edges = picture.truth.edges_px
        found = _found(picture, threshold)
        sides = (edges[:, 2:] - edges[:, :2]).max(axis=1, initial=0)
        for person, side, hit in zip(picture.truth.people.tolist(), sides, found, strict=True):
            size = f"under_{small}px" if side < small else f"{small}_{large}px"
            size = size if side < large else f"over_{large}px"
            for name in (states[picture.frame][person], size):
                hits.setdefault(name, []).append(bool(hit))
    return {name: (float(np.mean(found)), len(found)) for name, found in hits.items()}


def _found(picture: Finds, threshold: float) -> Bools:
    """Tell who (N,) is found; the best-scored box takes the free person that it covers most."""
    hit = np.zeros(len(picture.truth.people), bool)
    for row in np.argsort(-picture.scores, kind="stable").tolist():
        if picture.scores[row] < threshold or hit.all():
            break
        shared = overlap(picture.boxes_px[row], picture.truth.edges_px) * ~hit
        best = int(shared.argmax())
        hit[best] |= bool(shared[best] >= HIT_IOU)
    return hit


def _best(given: Floats, truth: Floats) -> Floats:
    """Tell each box's (N,) largest overlap with any of the others."""
    if not len(given) or not len(truth):
        return np.zeros(len(given))
    return np.array([overlap(box, truth).max() for box in given])


def followed(folder: Path, radius_m: float = 1.0) -> Followed:
    """List a site's true and found places as the acceptance test does."""
    told = [(output.frame, output.positions) for output in run(folder).outputs]
    return followed_beside(truth(folder), told, radius_m)


def location_score(folder: Path, radius_m: float = 1.0) -> Score:
    """Score the positions of those whom the cameras can see, after the warm-up."""
    people = followed(folder, radius_m)
    return score(people.truth, people.found, radius_m)


def errors_by_state(folder: Path) -> dict[str, Floats]:
    """List the errors in metres of those matched, by what they were doing."""
    people = followed(folder)
    return _by(
        (_true(folder, people, match)["state"], match.error_m)
        for match in score(people.truth, people.found).matches
    )


def errors_from_pelvis_m(folder: Path) -> Floats:
    """List the distances in metres of those matched from where their pelvis truly is."""
    people = followed(folder)
    return np.array(
        [
            math.dist(
                people.found[match.instant][match.track],
                spot(_true(folder, people, match)["xyz_m"]),
            )
            for match in score(people.truth, people.found).matches
        ]
    )


def errors_by_cameras(folder: Path, near_m: float = 10.0) -> dict[str, Floats]:
    """List the errors in metres of those matched near a camera that sees them, by how many do."""
    people = followed(folder)
    said = {o.frame: {p.track: p for p in o.positions.people} for o in run(folder).outputs}
    centre_m = {camera.name: camera.centre_m for camera in rig_of(folder).cameras}

    def errors() -> Iterator[tuple[str, float]]:
        for match in score(people.truth, people.found).matches:
            person = said[people.frames[match.instant]][match.track]
            far_m = [math.dist(spot(person.xyz_m), centre_m[c][:2]) for c in person.cameras]
            if min(far_m, default=math.inf) <= near_m:
                yield ("one" if len(far_m) == 1 else "more"), match.error_m

    return _by(errors())


def _true(folder: Path, people: Followed, match: Match) -> dict[str, Any]:
    """Give what the truth says of somebody matched, at that instant."""
    there: list[dict[str, Any]] = world(folder)[people.frames[match.instant]]["people"]
    return next(p for p in there if p["id"] == match.person)


def _by(errors: Iterable[tuple[str, float]]) -> dict[str, Floats]:
    found: dict[str, list[float]] = {}
    for key, error in errors:
        found.setdefault(key, []).append(error)
    return {key: np.array(listed) for key, listed in found.items()}


def honesty(folder: Path, probability: float) -> float:
    """Tell which share of errors lies in the published ellipses of that probability."""
    people = followed(folder)
    matches = score(people.truth, people.found, HONEST_WITHIN_M).matches
    off = [
        np.subtract(people.found[m.instant][m.track], people.truth[m.instant][m.person])
        for m in matches
    ]
    spread = [people.covariances_m2[m.instant][m.track] for m in matches]
    return share_inside(np.array(off), np.array(spread), probability) if matches else float("nan")


def alarm_scores(folder: Path) -> dict[str, KindScore]:
    """Score a clip's alarms against its events, by the events' kind."""
    site, found = site_of(folder), run(folder)
    alarms = {
        alarm.id: ((alarm.raised_at_ns - START_AT_NS) / 1e9, alarm)
        for alarm in found.anomalies
        if alarm.state == "active"
    }

    return score_alarms(
        read(folder, "events.json"),
        list(alarms.values()),
        watched=watched_delays_s(site),
        ends_s=duration_s(folder),
        where=truth(folder).where,
    )
