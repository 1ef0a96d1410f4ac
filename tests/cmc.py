"""The CMC recordings: people in a room seen by four cameras, with truth in metres.

Knows nothing about trackers. The data is not part of this project and no test needs it; see
`DATA` for where it may lie. Boxes are two detectors' own, at four pictures a second.
"""

import json
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from detection.nms import best_boxes
from edge.acceptance.scoring import Instant
from location.tracker import Tracker, TrackerLimits
from scene.floor import Floor
from scene.geometry import CameraModel
from scene.messages import Detections, Position
from scene.rig import Rig
from scene.site import FloorConfig
from scene.surface import Cylinder

DATA = Path(__file__).parents[1].parent / "shared" / "data" / "location" / "cmc"
PERIOD_NS = 250_000_000
REGION_X_M, REGION_Y_M = (1.9, 6.2), (-0.05, 3.25)
"""Where truth was marked: all but the room's ends. The floor that the tracker is given."""
LOWEST_SCORE = {"fairmot": 0.3, "fasterrcnn": 0.5}
"""Boxes below are not given to anybody; `high_score` is a tenth more."""
OVERLAP = 0.65
TURN_SIGMA_RAD, SHIFT_SIGMA_M = 0.003, 0.02
"""Of the cameras' poses; the recordings do not say."""


@cache
def cameras() -> tuple[CameraModel, ...]:
    """Take the published projection matrices apart."""
    said = json.loads((DATA / "cameras.json").read_text())
    found = []
    for name, matrix in said["P"].items():
        k, rotation, centre, *_ = cv2.decomposeProjectionMatrix(np.array(matrix))
        pose = np.eye(4)
        pose[:3, :3] = rotation
        pose[:3, 3] = -rotation @ (centre[:3] / centre[3]).ravel()
        found.append(
            CameraModel(
                name=name,
                size_px=tuple(said["image_size"]),
                lens="brown",
                k=k / k[2, 2],
                distortion=np.zeros(5),
                camera_from_mine=pose,
                pose_covariance=np.diag([TURN_SIGMA_RAD**2] * 3 + [SHIFT_SIGMA_M**2] * 3),
                max_angle_rad=1.2,
            )
        )
    return tuple(found)


@cache
def truth(sequence: str) -> tuple[Instant, ...]:
    """Tell who truly is where, frame by frame, within the region."""
    rows = np.loadtxt(DATA / f"{sequence}_truth.csv", delimiter=",")
    instants: list[Instant] = [{} for _ in range(int(rows[:, 0].max()))]
    for row in rows:
        if REGION_X_M[0] < row[7] < REGION_X_M[1]:
            instants[int(row[0]) - 1][int(row[1])] = (float(row[7]), float(row[8]))
    return tuple(instants)


@cache
def detections(sequence: str, detector: str) -> tuple[tuple[Detections, ...], ...]:
    """Give every frame's boxes by camera, overlapping ones once."""
    frames = []
    by_camera = {
        camera.name: np.genfromtxt(
            DATA / f"{sequence}_{camera.name}_{detector}.csv", delimiter=",", skip_header=1
        )
        for camera in cameras()
    }
    last = max(int(rows[:, 0].max()) for rows in by_camera.values())
    for frame in range(1, last + 1):
        seen = []
        for name, rows in by_camera.items():
            here = rows[(rows[:, 0] == frame) & (rows[:, 5] >= LOWEST_SCORE[detector])]
            here = here[best_boxes(here[:, 1:5], here[:, 5], np.zeros(len(here), int), OVERLAP)]
            seen.append(
                Detections(
                    camera=name,
                    captured_at_ns=frame * PERIOD_NS,
                    boxes_px=here[:, 1:5],
                    scores=here[:, 5],
                    kinds=np.zeros(len(here), int),
                )
            )
        frames.append(tuple(seen))
    return tuple(frames)


def floor() -> FloorConfig:
    """Give the part of the room where truth was marked as a piece of roadway."""
    middle, half = sum(REGION_Y_M) / 2, (REGION_Y_M[1] - REGION_Y_M[0]) / 2
    x0, x1 = REGION_X_M
    return FloorConfig(
        centre_line_m=((x0, middle, 0.0), (x1, middle, 0.0)), left_m=half, right_m=half
    )


def follow(
    sequence: str, detector: str, limits: TrackerLimits | None = None
) -> list[tuple[Position, ...]]:
    """Run the tracker; gives everybody's positions at every instant of the truth."""
    surface = Cylinder(
        centre_m=(4.0, 1.6, 2.0),
        azimuth_left_rad=3.0,
        tan_top=0.3,
        px_per_rad=700,
        size_px=(2800, 700),
    )
    rig = Rig(cameras=cameras(), surface=surface, anchor="survey", quality={})
    tracker = Tracker(rig, Floor(floor()), limits)
    found = []
    for seen in detections(sequence, detector)[: len(truth(sequence))]:
        tracker.update(seen)
        found.append(tracker.positions(seen[0].captured_at_ns))
    return found


def places(found: list[tuple[Position, ...]]) -> list[Instant]:
    """Reduce positions to places within the region."""
    return [
        {p.track: p.xyz_m[:2] for p in people if REGION_X_M[0] < p.xyz_m[0] < REGION_X_M[1]}
        for people in found
    ]
