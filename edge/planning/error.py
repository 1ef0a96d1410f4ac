"""How far off a position is expected to be, before anything hangs.

Knows nothing about layouts. The error model is the location stage's own: a body is drawn as a box
and placed by `location.foot`, and followed by the filter of `location.motion`. What that stage
can't know yet is added here: the floor's height and the lens.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from edge.planning.view import FOOT, HEAD, LEFT, RIGHT, bodies
from location.foot import BODY_RADIUS_M, feet_on_floor
from location.motion import correct, start
from location.tracker import REPORTED_BIAS_M, TrackerLimits
from scene.arrays import Floats
from scene.floor import Floor
from scene.geometry import CameraModel, project
from scene.messages import KINDS, Detections

FLOOR_SIGMA_M = 0.03
"""How well the floor's height is known: ruts, gravel, a survey that was made before the last
clean-up."""
LENS_SIGMA = 0.002
"""How well a calibrated focal length is known, as a share."""
LOOKS_PER_S = 5.0
"""How often the detector looks, where nobody says; a gateway without a GPU holds about that."""
FOLLOWED_S = 2.0
"""After so long the filter has settled."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Expected:
    """The expected error of N positions; NaN where no camera can place anybody."""

    look_m2: Floats
    """(N, 2, 2) mine axes: one look of the best camera."""
    followed_m2: Floats
    """(N, 2, 2): what is published after two seconds of looks by all that see the place."""


def expected(
    cameras: Sequence[CameraModel],
    floor: Floor,
    feet_m: Floats,
    *,
    looks_per_s: float = LOOKS_PER_S,
    floor_sigma_m: float = FLOOR_SIGMA_M,
    lens_sigma: float = LENS_SIGMA,
) -> Expected:
    """Tell how well people who stand at (N, 3) feet are placed by cameras whose view is free."""
    looks = np.stack(
        [one_look(camera, floor, feet_m, floor_sigma_m, lens_sigma) for camera in cameras]
    )
    best = np.nan_to_num(np.trace(looks, axis1=2, axis2=3), nan=np.inf).argmin(axis=0)
    return Expected(
        look_m2=looks[best, np.arange(len(feet_m))],
        followed_m2=np.array(
            [_followed(looks[:, n], looks_per_s) for n in range(len(feet_m))]
        ).reshape(-1, 2, 2),
    )


def one_look(
    camera: CameraModel, floor: Floor, feet_m: Floats, floor_sigma_m: float, lens_sigma: float
) -> Floats:
    """Give the covariance (N, 2, 2) of one look's place; NaN where the body is not in the picture.

    What the location stage says of a box round the body, plus the slip of the place when the floor
    lies higher and when the lens is longer by one sigma.
    """
    found = np.full((len(feet_m), 2, 2), np.nan)
    boxes = standing_boxes(camera, feet_m)
    longer = replace(camera, k=camera.k * np.array([[1 + lens_sigma], [1 + lens_sigma], [1]]))
    longer.k[:2, 2] = camera.k[:2, 2]
    for index in np.flatnonzero(np.isfinite(boxes[:, 0])).tolist():
        placed = feet_on_floor(_as_detection(camera, boxes[index]), camera, floor)
        if len(placed.scores) != 1 or placed.cut[0]:
            continue
        other = feet_on_floor(_as_detection(camera, boxes[index]), longer, floor)
        slips = [(other.xy_m[0] - placed.xy_m[0])] if len(other.scores) == 1 else []
        away = feet_m[index] - camera.centre_m
        # By similar triangles: a floor that is higher by s comes nearer by s per slope of sight.
        slips.append(floor_sigma_m * away[:2] / away[2])
        found[index] = placed.covariance_m2[0] + sum(np.outer(slip, slip) for slip in slips)
    return found


def standing_boxes(camera: CameraModel, feet_m: Floats) -> Floats:
    """Give the box (N, 4) round a body that stands at (N, 3) feet; NaN where it is cut."""
    points = bodies(camera.centre_m, feet_m)[:, [FOOT, HEAD, LEFT, RIGHT]]
    toward = camera.centre_m[:2] - feet_m[:, :2]
    toward = toward / np.maximum(np.linalg.norm(toward, axis=1, keepdims=True), 1e-6)
    points[:, 0, :2] += BODY_RADIUS_M * toward
    pixels, shown = project(camera, points.reshape(-1, 3))
    pixels, whole = pixels.reshape(-1, 4, 2), np.asarray(shown.reshape(-1, 4).all(axis=1))
    boxes = np.concatenate([pixels.min(axis=1), pixels.max(axis=1)], axis=1)
    return np.where(whole[:, None], boxes, np.nan)


def _as_detection(camera: CameraModel, box: Floats) -> Detections:
    return Detections(
        camera=camera.name,
        captured_at_ns=0,
        boxes_px=box[None],
        scores=np.ones(1),
        kinds=np.array([KINDS.index("person")], dtype=np.int64),
    )


def _followed(looks_m2: Floats, looks_per_s: float) -> Floats:
    """Give what the tracker publishes (2, 2) once it has followed somebody for a while."""
    seen = [look for look in looks_m2 if np.isfinite(look).all()]
    if not seen:
        return np.full((2, 2), np.nan)
    unrest = TrackerLimits().unrest_m2_s3
    motion = start(0, np.zeros(2), seen[0])
    for number in range(1, max(2, round(FOLLOWED_S * looks_per_s)) + 1):
        at_ns = round(number / looks_per_s * 1e9)
        for look in seen:
            motion = correct(motion, at_ns, np.zeros(2), look, unrest)
    return np.asarray(motion.covariance[:2, :2] + REPORTED_BIAS_M**2 * np.eye(2))


def radius_m(covariance_m2: Floats, probability: float) -> Floats:
    """Give the radius (N,) of the circle that holds a Gaussian error (N, 2, 2) so often.

    P(r < R) is the mean over all directions t of (1 - exp(-R² k / 2)) / (k sqrt(a b)), with
    k = cos² t / a + sin² t / b and the eigenvalues a, b (polar coordinates); R by bisection.

    >>> float(radius_m(np.eye(2)[None], 0.95)[0].round(3))
    2.448
    """
    good = np.asarray(np.isfinite(covariance_m2).all(axis=(1, 2)))
    values = np.linalg.eigvalsh(np.where(good[:, None, None], covariance_m2, np.eye(2)))
    # A flat ellipse is as good as a line: keep the sum finite.
    a, b = values[:, 1:], np.maximum(values[:, :1], 1e-3 * values[:, 1:])
    angle = (np.arange(720) + 0.5) * np.pi / 720
    k = np.cos(angle) ** 2 / a + np.sin(angle) ** 2 / b
    low, high = np.zeros(len(good)), 6 * np.sqrt(values[:, 1])
    for _ in range(40):
        middle = (low + high) / 2
        inside = ((1 - np.exp(-(middle[:, None] ** 2) * k / 2)) / k).mean(axis=1)
        enough = inside / np.sqrt(a * b)[:, 0] >= probability
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return np.where(good, high, np.nan)
