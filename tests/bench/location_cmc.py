"""Following people on real recordings (CMC), beside the best that per-camera trackers can do.

Four cameras, four pictures a second, two detectors' boxes, truth in metres. Our figures are medians
over `SWEEP`, nine settings round the defaults, so that no setting is tuned to a sequence; the
library's are the best of its own. The data is not part of this project: without it, left out.
"""

import itertools
import json
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from edge.acceptance.scoring import Instant, Score, score, share_inside
from location.tracker import TrackerLimits
from scene.arrays import Floats
from scene.floor import Floor
from scene.geometry import rays
from tests import cmc
from tests.bench._isolated import python_with

SWEEP = tuple(
    {"unrest_m2_s3": unrest, "cap_m": cap}
    for unrest, cap in itertools.product((0.4, 0.2, 0.8), (0.6, 0.4, 0.9))
)
"""The defaults first."""
SEQUENCES, DETECTORS = ("CMC1", "CMC2"), ("fairmot", "fasterrcnn")
LIBRARY = "trackers==2.6.1"
FLOOR = Floor(cmc.floor())
MERGE_M = (0.5, 0.7, 1.0)
"""Within so much two cameras' tracks are one person; the best is kept."""


def measure() -> dict[str, float | str]:
    """Measure both sequences with both detectors."""
    if not cmc.DATA.exists():
        raise FileNotFoundError(f"no recordings in {cmc.DATA}")
    figures: dict[str, float | str] = {}
    for sequence, detector in itertools.product(SEQUENCES, DETECTORS):
        name = f"locate.{sequence.lower()}_{detector}"
        figures |= {f"{name}_{key}": value for key, value in _ours(sequence, detector).items()}
        figures |= {f"{name}_{key}": value for key, value in _library(sequence, detector).items()}
    return figures


def _ours(sequence: str, detector: str) -> dict[str, float]:
    scores: list[Score] = []
    honest: dict[str, float] = {}
    for settings in SWEEP:
        high = cmc.LOWEST_SCORE[detector] + 0.1
        found = cmc.follow(sequence, detector, TrackerLimits(high_score=high, **settings))
        scores.append(score(list(cmc.truth(sequence)), cmc.places(found)))
        if not honest:
            by_track = [{p.track: p for p in people} for people in found]
            pairs = [
                (by_track[m.instant][m.track], cmc.truth(sequence)[m.instant][m.person])
                for m in scores[0].matches
            ]
            off = np.array([np.subtract(p.xyz_m[:2], spot) for p, spot in pairs])
            spread = np.array([p.covariance_m2 for p, _ in pairs])
            honest = {
                f"inside_{share:.0%}_share".replace("%", ""): share_inside(off, spread, share)
                for share in (0.68, 0.95)
            }
    idf1 = [one.idf1 for one in scores]
    return {
        "idf1": float(np.median(idf1)),
        "worst_idf1": min(idf1),
        "moda": float(np.median([one.moda for one in scores])),
        "switches": float(np.median([one.switches for one in scores])),
        "median_m": float(np.median(scores[0].errors_m)),
        "p95_m": float(np.percentile(scores[0].errors_m, 95)),
        **honest,
    }


def _library(sequence: str, detector: str) -> dict[str, float | str]:
    """Track every camera by itself with the package `trackers`, and merge what lies together."""
    python = python_with(LIBRARY)
    if isinstance(python, str):
        return {"library_idf1": python}
    seen = cmc.detections(sequence, detector)[: len(cmc.truth(sequence))]
    with TemporaryDirectory() as folder:
        given = Path(folder) / "boxes.json"
        rows = [
            [np.column_stack([one.boxes_px, one.scores]).tolist() for one in instant]
            for instant in seen
        ]
        given.write_text(json.dumps({"boxes": rows, "score": cmc.LOWEST_SCORE[detector]}))
        script = Path(__file__).with_name("_trackers_package.py")
        done = subprocess.run(
            [str(python), str(script), str(given)], capture_output=True, text=True, check=False
        )
    if done.returncode:
        return {"library_idf1": f"not measured: {done.stderr.strip().splitlines()[-1]}"}
    best: Score | None = None
    for tracks in json.loads(done.stdout).values():
        placed = [
            [_points(camera, np.array(rows, float)) for camera, rows in enumerate(by_camera)]
            for by_camera in tracks
        ]
        for within_m in MERGE_M:
            one = score(list(cmc.truth(sequence)), merged(placed, within_m))
            best = one if best is None or one.idf1 > best.idf1 else best
    assert best is not None
    return {"library_idf1": best.idf1, "library_moda": best.moda}


Point = tuple[int, int, Floats, float]
"""Camera, its own track, place in metres, distance from the camera in metres."""


def merged(placed: list[list[list[Point]]], within_m: float) -> list[Instant]:
    """Merge the cameras' own tracks by place; a room-wide number sticks to a camera's track."""
    number: dict[tuple[int, int], int] = {}
    count, found = 0, []
    for by_camera in placed:
        groups: list[list[Point]] = []
        for point in sorted((one for points in by_camera for one in points), key=lambda p: p[3]):
            near = [
                group
                for group in groups
                if point[0] not in {one[0] for one in group}
                and np.linalg.norm(np.mean([one[2] for one in group], axis=0) - point[2]) < within_m
            ]
            if near:
                near[0].append(point)
            else:
                groups.append([point])
        here: Instant = {}
        for group in sorted(groups, key=len, reverse=True):
            keys = [one[:2] for one in group]
            known = [number[key] for key in keys if key in number and number[key] not in here]
            if not known and len(group) < 2:
                continue
            who = max(set(known), key=known.count) if known else (count := count + 1)
            number |= dict.fromkeys(keys, who)
            weights = [1 / one[3] ** 2 for one in group]
            x, y = np.average([one[2] for one in group], axis=0, weights=weights)
            if cmc.REGION_X_M[0] < x < cmc.REGION_X_M[1]:
                here[who] = (float(x), float(y))
        found.append(here)
    return found


def _points(camera: int, rows: Floats) -> list[Point]:
    """Place one camera's tracked boxes `x1 y1 x2 y2 id` by the middle of their lower edges."""
    boxes, model = rows.reshape(-1, 5), cmc.cameras()[camera]
    feet_px = np.column_stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]])
    spots, hit = FLOOR.meet(model.centre_m, rays(model, feet_px))
    hit &= FLOOR.outside_m(np.nan_to_num(spots[:, :2])) < 0.5
    return [
        (camera, int(number), spot[:2], float(np.linalg.norm(spot - model.centre_m)))
        for number, spot, does in zip(boxes[:, 4], spots, hit, strict=True)
        if does
    ]
