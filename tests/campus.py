"""The CAMPUS "Auditorium" recording: people outdoors before a hall, seen by two calibrated cameras.

Knows nothing about trackers. The data is not part of this project and no test needs it; see `DATA`
for where it may lie. The boxes are hand-drawn truth (interpolated between drawn frames, corners to
4 px), with one number per person over all views; 30 pictures a second, of which every sixth is
taken. The other two views are not calibrated and left out.

Xu, Liu, Liu, Zhu: "Multi-view People Tracking via Hierarchical Trajectory Composition", CVPR 2016.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from scipy.io import loadmat

from edge.acceptance.scoring import Instant
from location.tracker import Tracker, TrackerLimits
from scene.arrays import Floats
from scene.floor import Floor
from scene.geometry import CameraModel, rays
from scene.messages import Detections, Position
from scene.rig import Rig
from scene.site import FloorConfig
from scene.surface import Cylinder

DATA = Path(__file__).parents[1].parent / "shared" / "data" / "location" / "campus_auditorium"
FRAMES_PER_S, EVERY = 30, 6
SIZE_PX = (1920, 1080)
FEET_SEEN_PX = 8
"""A box that ends this near to the lower border shows no feet: it has no true place."""
TURN_SIGMA_RAD, SHIFT_SIGMA_M = 0.005, 0.05
"""Of the cameras' poses; the recording does not say."""
FLOOR = FloorConfig(centre_line_m=((1.0, 3.0, 0.0), (1.0, 20.5, 0.0)), left_m=6.0, right_m=6.0)
"""The flat ground on which the boxes of both views stand, and not much more."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class View:
    """What is true of one camera's picture."""

    camera: str
    people: tuple[int, ...]
    boxes_px: Floats
    """(N, 4) `x1 y1 x2 y2`."""
    xy_m: Floats
    """(N, 2) where each box's foot meets the ground, straight through the published calibration;
    NaN where the feet are below the picture."""


@cache
def cameras() -> tuple[CameraModel, ...]:
    """Read the published calibration: `R` turns ground axes to the camera's, `T` is its centre."""
    found = []
    for row in loadmat(DATA / "cam_param.mat")["cam_param"][0]:
        k, rotation = row["K"].astype(float), row["R"].astype(float)
        k[:2, 2] = row["center"].ravel() / row["scale"].ravel()
        pose = np.eye(4)
        pose[:3, :3] = rotation
        pose[:3, 3] = -rotation @ row["T"].astype(float).ravel()
        found.append(
            CameraModel(
                name=str(row["name"][0]),
                size_px=SIZE_PX,
                lens="brown",
                k=k,
                distortion=np.zeros(5),
                camera_from_mine=pose,
                pose_covariance=np.diag([TURN_SIGMA_RAD**2] * 3 + [SHIFT_SIGMA_M**2] * 3),
                max_angle_rad=1.2,
            )
        )
    return tuple(found)


@cache
def views() -> tuple[tuple[View, ...], ...]:
    """Tell who is truly in which camera's picture, instant by instant."""
    columns = range(8)
    by_camera = [
        (camera, np.loadtxt(DATA / f"{camera.name}.txt", usecols=columns)) for camera in cameras()
    ]
    last = int(max(rows[:, 5].max() for _, rows in by_camera))
    return tuple(
        tuple(_view(camera, rows, frame) for camera, rows in by_camera)
        for frame in range(0, last + 1, EVERY)
    )


def _view(camera: CameraModel, rows: Floats, frame: int) -> View:
    here = rows[(rows[:, 5] == frame) & (rows[:, 6] == 0)]
    boxes = here[:, 1:5]
    foot_px = np.column_stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]])
    spots, _ = Floor(FLOOR).meet(camera.centre_m, rays(camera, foot_px))
    spots[boxes[:, 3] > SIZE_PX[1] - FEET_SEEN_PX] = np.nan
    people = tuple(int(person) for person in here[:, 0])
    return View(camera=camera.name, people=people, boxes_px=boxes, xy_m=spots[:, :2])


def at_ns(instant: int) -> int:
    """Tell when an instant's pictures were taken."""
    return round((1 + instant * EVERY / FRAMES_PER_S) * 1e9)


def truth() -> list[Instant]:
    """Tell who truly is where: the middle of what both views say."""
    found = []
    for instant in views():
        spots: dict[int, list[Floats]] = {}
        for view in instant:
            for person, xy in zip(view.people, view.xy_m, strict=True):
                if np.isfinite(xy).all():
                    spots.setdefault(person, []).append(xy)
        where = {person: np.mean(seen, axis=0) for person, seen in spots.items()}
        found.append({person: (float(x), float(y)) for person, (x, y) in where.items()})
    return found


def follow(limits: TrackerLimits | None = None) -> list[tuple[Position, ...]]:
    """Run the tracker over the boxes without their numbers; gives positions at every instant."""
    surface = Cylinder(
        centre_m=(1.0, 10.0, 2.0),
        azimuth_left_rad=3.0,
        tan_top=0.3,
        px_per_rad=700,
        size_px=(2800, 700),
    )
    rig = Rig(cameras=cameras(), surface=surface, anchor="survey", quality={})
    tracker = Tracker(rig, Floor(FLOOR), limits)
    found = []
    for number, instant in enumerate(views()):
        tracker.update(
            tuple(
                Detections(
                    camera=view.camera,
                    captured_at_ns=at_ns(number),
                    boxes_px=view.boxes_px,
                    scores=np.full(len(view.people), 0.9),
                    kinds=np.zeros(len(view.people), int),
                )
                for view in instant
            )
        )
        found.append(tracker.positions(at_ns(number)))
    return found
