"""From a person's box to a place on the floor, how sure it is, and how high the body reaches.

Knows nothing about time: each box is looked at alone. Its body is an upright post of
`BODY_RADIUS_M`, so that a camera that looks down, or a person far off the picture's middle (who
leans in the picture), does not shift the place; a lying body is told by a long or low box.
"""

from dataclasses import dataclass, replace

import numpy as np

from location.boxes import (
    SQUAT_ASPECT,
    SQUAT_M,
    borders,
    feet_covered,
    feet_hidden,
    sane,
    usable,
)
from location.headgear import head_votes
from location.lying import LYING_HEIGHT_M, lie
from location.post import (
    BODY_RADIUS_M,
    STATURE_M,
    STATURE_SIGMA_M,
    around,
    aside,
    in_picture,
    pixels_of,
    post_box,
    stand,
)
from location.spread import floor_m2, largest
from scene.arrays import Bools, Floats, Ints
from scene.floor import Floor
from scene.geometry import CameraModel
from scene.messages import Detections

__all__ = [
    "BIAS_M",
    "BODY_RADIUS_M",
    "LYING_HEIGHT_M",
    "PIXEL_MIN",
    "PIXEL_SHARE",
    "STATURE_M",
    "Feet",
    "covers",
    "feet_on_floor",
]

LOW_M = 1.1
"""A body that seems lower than this may be lying along the line of sight."""
PIXEL_SHARE, PIXEL_MIN = 0.05, 2.0
"""Noise of a box's edges: a share of its longer side, and at least so many pixels."""
BIAS_M = 0.12
"""Added to every observation: what neither pixels nor the pose explain (gait, box habits)."""
COVERED = 2.0
"""By so much more than said are places off, squared, whose feet somebody nearer covers. Measured:
by 0.6 to 1.9, with two detectors on the CMC recordings and on the sample sites."""
BENT_M, LOWEST_BENT_M = 0.2, 0.9
"""Who crouches or bends over work is no post: so far from the feet the body may be. Lower bodies
lie, and are placed as such."""
BORDER_SHARE = 0.06
"""A box that ends this near to the lower border, by its height, may be cut by it..."""
SHORT_M = 1.65
"""... and is taken to be when its body would seem shorter than this."""
TALL_M = 1.95
"""A body that would be taller than this, standing on the lower border, is not cut by it: who is cut
stands nearer than where the border meets the floor, and so would seem shorter. Such a box is two
people's, one behind the other, and its foot the nearer one's. Only below a camera that hangs
higher."""
UPRIGHT_WIDTH = 0.38
"""Width of an upright person's box as a share of its height."""
MAX_SIGMA_M = 6.0
"""An observation that is less sure than this says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Feet:
    """N people as one camera saw them, on the floor."""

    xy_m: Floats
    """(N, 2) mine metres."""
    covariance_m2: Floats
    """(N, 2, 2), as observations are matched and weighed."""
    told_m2: Floats
    """(N, 2, 2), the same as errors are told: wider where feet are covered or the body bends."""
    height_m: Floats
    """(N,) top of the body above the floor; NaN where the box does not show it."""
    scores: Floats
    """(N,) the detector's."""
    cut: Bools
    """(N,) the box is cut by the picture's border or its feet are hidden: no proof of a person
    apart."""
    heads: Floats
    """(N,) what the head shows, as `location.headgear.head_votes` has it."""
    lines: Floats
    """(N, 2) unit vectors on the floor, from the camera to the person."""
    by_stature: Floats
    """(N, 2) metres by which a place moves for each metre that somebody is taller than `STATURE_M`;
    0 where the feet are seen."""
    if_lying: "Feet | None" = None
    """A second reading, row by row, of boxes at the lower border: somebody close whose feet are
    below the picture looks the same as somebody further off who lies. Only who is known to be
    there tells which. NaN where a box reads in one way only; none where all do."""

    def only(self, keep: Bools) -> "Feet":
        """Keep some of the people."""
        return Feet(
            xy_m=self.xy_m[keep],
            covariance_m2=self.covariance_m2[keep],
            told_m2=self.told_m2[keep],
            height_m=self.height_m[keep],
            scores=self.scores[keep],
            cut=self.cut[keep],
            heads=self.heads[keep],
            lines=self.lines[keep],
            by_stature=self.by_stature[keep],
            if_lying=None if self.if_lying is None else self.if_lying.only(keep),
        )

    def lying(self, these: list[int]) -> "Feet":
        """Take the second reading of some, by index."""
        other = self.if_lying
        if other is None or not these:
            return self
        taken = np.zeros(len(self.scores), bool)
        taken[these] = True
        return replace(
            self,
            xy_m=np.where(taken[:, None], other.xy_m, self.xy_m),
            covariance_m2=np.where(taken[:, None, None], other.covariance_m2, self.covariance_m2),
            told_m2=np.where(taken[:, None, None], other.told_m2, self.told_m2),
            height_m=np.where(taken, other.height_m, self.height_m),
            by_stature=np.where(taken[:, None], 0.0, self.by_stature),
        )


def feet_on_floor(detections: Detections, camera: CameraModel, floor: Floor) -> Feet:
    """Place everybody whom one camera sees: the box's foot, as a ray, on the floor.

    Boxes that are NaN, inverted, or meet the floor nowhere are left out. The covariance is the
    pixel noise and the camera's pose covariance carried through numeric Jacobians, plus `BIAS_M`.
    """
    detections = sane(detections)
    boxes, scores, fallen = usable(detections, camera)
    if len(boxes) == 0:
        return _nobody()
    left, top, right, bottom = boxes.T
    width, height = right - left, bottom - top
    at_left, at_top, at_right, at_bottom = borders(boxes, camera)
    behind = feet_hidden(boxes)
    gap = camera.size_px[1] - 1 - bottom
    close = gap <= np.maximum(BORDER_SHARE * height, 0.02 * camera.size_px[1])
    noise = np.maximum(PIXEL_SHARE * np.maximum(width, height), PIXEL_MIN)
    # Where the border cuts one side off, the other side still tells where the person is.
    side = at_left.astype(int) - at_right.astype(int)
    missing = np.where(side != 0, np.maximum(UPRIGHT_WIDTH * height - width, 0), 0.0)
    noise_u = noise + missing / 4 + np.where(at_left & at_right, width / 4, 0)
    noise_v = noise + missing / 4

    lines, point, hit, body_m = stand(camera, floor, boxes, side)
    xy = point[:, :2].copy()
    body_m = np.where(missing > 0.1 * height, np.nan, body_m)
    noise_px = np.array([noise_u, noise_v])
    covariance = _floor_m2(camera, floor, lines, (point, hit), noise_px)
    body_m = np.where(at_top, np.nan, body_m)
    keep = np.isfinite(xy).all(axis=1)
    # A detector's box often ends a little before the border that cuts it.
    squat = width > SQUAT_ASPECT * height
    beneath = camera.centre_m[2] - floor.z_m(xy) > TALL_M
    cut = at_bottom & ~(beneath & (body_m > TALL_M))
    hidden = behind | cut | (close & ~at_top & ~fallen & ~(body_m > SHORT_M))

    # Low, wide or said to be fallen: lying. The middle of the floor that the box covers.
    low = ~at_top & ((body_m < LOW_M) | (squat & (body_m < SQUAT_M))) | fallen
    down = np.flatnonzero(low & ~hidden & keep)
    if len(down):
        xy[down], covariance[down], body_m[down] = lie(
            camera, floor, boxes[down], (xy[down], covariance[down]), fallen[down]
        )

    # Feet out of the picture or behind somebody: the top of the body and a stature instead.
    unseen = np.flatnonzero(hidden)
    border = hidden & (close | at_bottom) & ~at_top & ~fallen & keep & (squat | (body_m < LOW_M))
    lain = _lain(camera, floor, boxes, np.flatnonzero(border), (xy, covariance))
    by_stature = np.zeros((len(boxes), 2))
    if len(unseen):
        xy[unseen], covariance[unseen], body_m[unseen], by_stature[unseen] = _hang(
            camera,
            floor,
            boxes[unseen],
            side[unseen],
            fallen[unseen],
        )
        covariance[unseen[at_top[unseen]]] = np.nan

    sigma = np.sqrt(np.nan_to_num(largest(covariance), nan=np.inf))
    keep = np.isfinite(xy).all(axis=1) & (sigma < MAX_SIGMA_M)
    feet = Feet(
        xy_m=xy,
        covariance_m2=covariance,
        told_m2=_told(covariance, body_m, np.where(hidden, 0.0, feet_covered(boxes))),
        height_m=body_m,
        scores=scores,
        cut=hidden | at_left | at_right,
        heads=head_votes(detections, boxes, at_top, camera.size_px[0]),
        lines=_lines(camera, xy),
        by_stature=by_stature,
        if_lying=lain,
    )
    return feet.only(keep)


def covers(camera: CameraModel, floor: Floor, xy_m: Floats) -> Bools:
    """Tell (N,) whether a camera would see a standing person's middle and feet at (N, 2)."""
    xy = np.asarray(xy_m, float).reshape(-1, 2)
    z = floor.z_m(xy)
    points = np.empty((2, len(xy), 3))
    points[..., :2], points[0, :, 2], points[1, :, 2] = xy, z + 0.1, z + 1.2
    low, mid = in_picture(camera, pixels_of(camera, points.reshape(-1, 3))).reshape(2, -1)
    return np.asarray(low & mid)


def _told(covariance_m2: Floats, height_m: Floats, covered: Floats) -> Floats:
    """Widen covariances by what they are not matched by: `COVERED` and `BENT_M`."""
    wider = 1 + COVERED * np.clip((covered - 0.3) / 0.4, 0, 1)
    height = np.nan_to_num(height_m, nan=STATURE_M)
    bent_m = BENT_M * np.clip((1.55 - height) / 0.4, 0, 1)
    aside = np.where(height > LOWEST_BENT_M, bent_m, 0.0) ** 2
    return np.asarray(wider[:, None, None] * covariance_m2 + aside[:, None, None] * np.eye(2))


def _lines(camera: CameraModel, xy_m: Floats) -> Floats:
    """Give the unit vectors (N, 2) on the floor from a camera to (N, 2) places."""
    away = xy_m - camera.centre_m[:2]
    length = np.hypot(away[:, 0], away[:, 1])
    return np.asarray(away / np.maximum(length, 1e-6)[:, None])


def _nobody() -> Feet:
    return Feet(
        xy_m=np.zeros((0, 2)),
        covariance_m2=np.zeros((0, 2, 2)),
        told_m2=np.zeros((0, 2, 2)),
        height_m=np.zeros(0),
        scores=np.zeros(0),
        cut=np.zeros(0, bool),
        heads=np.zeros(0),
        lines=np.zeros((0, 2)),
        by_stature=np.zeros((0, 2)),
    )


def _lain(
    camera: CameraModel, floor: Floor, boxes: Floats, these: Ints, standing: tuple[Floats, Floats]
) -> Feet | None:
    """Read some of the boxes, by index, as lying bodies: NaN for the others; none if no box is."""
    if not len(these):
        return None
    n = len(boxes)
    xy, covariance, height = np.full((n, 2), np.nan), np.full((n, 2, 2), np.nan), np.full(n, np.nan)
    xy[these], covariance[these], height[these] = lie(
        camera,
        floor,
        boxes[these],
        (standing[0][these], standing[1][these]),
        np.zeros(len(these), bool),
    )
    height[~np.isfinite(covariance).all(axis=(1, 2))] = np.nan
    return Feet(
        xy_m=xy,
        covariance_m2=covariance,
        told_m2=covariance,
        height_m=height,
        scores=np.zeros(n),
        cut=np.ones(n, bool),
        heads=np.full(n, np.nan),
        lines=np.full((n, 2), np.nan),
        by_stature=np.zeros((n, 2)),
    )


def _hang(
    camera: CameraModel, floor: Floor, boxes: Floats, side: Ints, lying: Bools
) -> tuple[Floats, Floats, Floats, Floats]:
    """Place bodies whose feet are hidden: `xy_m`, `covariance_m2`, `height_m`, `by_stature`.

    By the top of the box and a stature; bodies said to be fallen by the middle of what is seen.
    """
    size = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    noise = np.maximum(PIXEL_SHARE * size, PIXEL_MIN)
    xy = np.full((len(boxes), 2), np.nan)
    covariance = np.full((len(boxes), 2, 2), np.nan)
    by_stature = np.zeros((len(boxes), 2))
    for raised, spread, here in (
        (LYING_HEIGHT_M / 2, 0.1, np.flatnonzero(lying)),
        (STATURE_M, STATURE_SIGMA_M, np.flatnonzero(~lying)),
    ):
        if not len(here):
            continue
        box, share = boxes[here], 0.5 if raised < 1 else 0.0
        pixel = np.column_stack(
            [(box[:, 0] + box[:, 2]) / 2, box[:, 1] + share * (box[:, 3] - box[:, 1])]
        )
        lines = around(camera, pixel)
        point, hit = floor.meet(camera.centre_m, lines[4], above_m=raised)
        for _ in range(3 if raised > 1 else 0):
            post = post_box(camera, point - np.array([0, 0, raised]), np.full(len(here), STATURE_M))
            shift = np.clip(aside(box, post, side[here]), -size[here], size[here])
            pixel[:, 0] += np.where(hit & np.isfinite(shift), shift, 0.0)
            lines = around(camera, pixel)
            point, hit = floor.meet(camera.centre_m, lines[4], above_m=raised)
        xy[here] = point[:, :2]
        noise_px = np.array([noise[here], noise[here]])
        covariance[here] = _floor_m2(camera, floor, lines, (point, hit), noise_px)
        higher, _ = floor.meet(camera.centre_m, lines[4], above_m=raised + spread)
        slip = higher[:, :2] - point[:, :2]
        covariance[here] += slip[:, :, None] * slip[:, None, :]
        if raised == STATURE_M:
            by_stature[here] = np.nan_to_num(slip) / spread
    return xy, covariance, np.where(lying, 2 * LYING_HEIGHT_M, np.nan), by_stature


def _floor_m2(
    camera: CameraModel,
    floor: Floor,
    lines: Floats,
    met: tuple[Floats, Bools],
    noise_px: Floats,
) -> Floats:
    """Carry pixel noise and pose covariance to the floor and add the bias, (N, 2, 2)."""
    carried = floor_m2(camera, floor, lines, met, noise_px)
    return np.asarray(carried + BIAS_M**2 * np.eye(2))
