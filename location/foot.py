"""From a person's box to a place on the floor, how sure it is, and how high the body reaches.

Knows nothing about time: each box is looked at alone. Its body is an upright post of
`BODY_RADIUS_M`, so that a camera that looks down, or a person far off the picture's middle (who
leans in the picture), does not shift the place; a lying body is told by a long or low box.
"""

from collections.abc import Sequence
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
    post_box,
    stand,
)
from location.spread import floor_m2, largest
from location.views import Views, by_lens, in_picture, pixels_of, sights, views_of
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
    "all_feet_on_floor",
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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Seen:
    """N people's boxes in pictures of cameras with one kind of lens."""

    views: Views
    """Whose picture, row by row."""
    boxes: Floats
    scores: Floats
    fallen: Bools
    behind: Bools
    """Whose feet somebody nearer hides."""
    covered: Floats
    """Which share of what is lowest somebody nearer covers."""
    borders: tuple[Bools, Bools, Bools, Bools]
    """Which the left, upper, right and lower border may cut."""
    heads: Floats


def feet_on_floor(detections: Detections, camera: CameraModel, floor: Floor) -> Feet:
    """Place everybody whom one camera sees, as `all_feet_on_floor` does for many."""
    return all_feet_on_floor([detections], [camera], floor)[0]


def all_feet_on_floor(
    looks: Sequence[Detections], cameras: Sequence[CameraModel], floor: Floor
) -> list[Feet]:
    """Place everybody whom cameras see: the box's foot, as a ray, on the floor.

    Each look is by the camera of the same index. Boxes that are NaN, inverted, or meet the floor
    nowhere are left out. The covariance is the pixel noise and the camera's pose covariance
    carried through numeric Jacobians, plus `BIAS_M`.
    """
    found = [_nobody() for _ in looks]
    for these in by_lens(cameras):
        whose, seen = _seen([looks[i] for i in these], [cameras[i] for i in these])
        if seen is None:
            continue
        feet, keep = _place(seen, floor)
        for row, i in enumerate(these):
            found[i] = feet.only(keep & (whose == row))
    return found


def _seen(looks: list[Detections], cameras: list[CameraModel]) -> tuple[Ints, _Seen | None]:
    """Lay out all usable boxes, and tell by index whose each is; none where there is no box."""
    looks = [sane(look) for look in looks]
    found = [usable(look, camera) for look, camera in zip(looks, cameras, strict=True)]
    whose = np.repeat(np.arange(len(looks)), [len(one[0]) for one in found])
    if not len(whose):
        return whose, None
    boxes, scores, fallen = (np.concatenate(part) for part in zip(*found, strict=True))
    views = views_of(tuple(cameras)).only(whose)
    edges = borders(boxes, views.size_px)
    heads = [
        head_votes(look, its[0], edges[1][whose == i], camera.size_px[0])
        for i, (look, its, camera) in enumerate(zip(looks, found, cameras, strict=True))
    ]
    return whose, _Seen(
        views=views,
        boxes=boxes,
        scores=scores,
        fallen=fallen,
        behind=np.concatenate([feet_hidden(its[0]) for its in found]),
        covered=np.concatenate([feet_covered(its[0]) for its in found]),
        borders=edges,
        heads=np.concatenate(heads),
    )


def _place(seen: _Seen, floor: Floor) -> tuple[Feet, Bools]:
    """Place all bodies; tells which places are any (the others are NaN or say nothing)."""
    views, boxes, fallen = seen.views, seen.boxes, seen.fallen
    left, top, right, bottom = boxes.T
    width, height = right - left, bottom - top
    at_left, at_top, at_right, at_bottom = seen.borders
    rows_px = views.size_px[:, 1]
    close = rows_px - 1 - bottom <= np.maximum(BORDER_SHARE * height, 0.02 * rows_px)
    noise = np.maximum(PIXEL_SHARE * np.maximum(width, height), PIXEL_MIN)
    # Where the border cuts one side off, the other side still tells where the person is.
    side = at_left.astype(int) - at_right.astype(int)
    missing = np.where(side != 0, np.maximum(UPRIGHT_WIDTH * height - width, 0), 0.0)
    noise_u = noise + missing / 4 + np.where(at_left & at_right, width / 4, 0)
    noise_v = noise + missing / 4

    lines, point, hit, body_m = stand(views, floor, boxes, side)
    xy = point[:, :2].copy()
    body_m = np.where(missing > 0.1 * height, np.nan, body_m)
    noise_px = np.array([noise_u, noise_v])
    covariance = _floor_m2(views, floor, lines, (point, hit), noise_px)
    body_m = np.where(at_top, np.nan, body_m)
    keep = np.isfinite(xy).all(axis=1)
    # A detector's box often ends a little before the border that cuts it.
    squat = width > SQUAT_ASPECT * height
    beneath = views.centre_m[:, 2] - floor.z_m(xy) > TALL_M
    cut = at_bottom & ~(beneath & (body_m > TALL_M))
    hidden = seen.behind | cut | (close & ~at_top & ~fallen & ~(body_m > SHORT_M))

    # Low, wide or said to be fallen: lying. The middle of the floor that the box covers.
    low = ~at_top & ((body_m < LOW_M) | (squat & (body_m < SQUAT_M))) | fallen
    down = np.flatnonzero(low & ~hidden & keep)
    if len(down):
        standing = xy[down], covariance[down]
        xy[down], covariance[down], body_m[down] = lie(
            views.only(down), floor, boxes[down], standing, fallen[down]
        )

    # Feet out of the picture or behind somebody: the top of the body and a stature instead.
    unseen = np.flatnonzero(hidden)
    border = hidden & (close | at_bottom) & ~at_top & ~fallen & keep & (squat | (body_m < LOW_M))
    lain = _lain(views, floor, boxes, np.flatnonzero(border), (xy, covariance))
    by_stature = np.zeros((len(boxes), 2))
    if len(unseen):
        xy[unseen], covariance[unseen], body_m[unseen], by_stature[unseen] = _hang(
            views.only(unseen), floor, boxes[unseen], side[unseen], fallen[unseen]
        )
        covariance[unseen[at_top[unseen]]] = np.nan

    sigma = np.sqrt(np.nan_to_num(largest(covariance), nan=np.inf))
    keep = np.isfinite(xy).all(axis=1) & (sigma < MAX_SIGMA_M)
    feet = Feet(
        xy_m=xy,
        covariance_m2=covariance,
        told_m2=_told(covariance, body_m, np.where(hidden, 0.0, seen.covered)),
        height_m=body_m,
        scores=seen.scores,
        cut=hidden | at_left | at_right,
        heads=seen.heads,
        lines=_lines(views, xy),
        by_stature=by_stature,
        if_lying=lain,
    )
    return feet, keep


def covers(cameras: Sequence[CameraModel], floor: Floor, xy_m: Floats) -> Bools:
    """Tell (K, N) which of K cameras would see a standing person's middle and feet at (N, 2)."""
    xy = np.asarray(xy_m, float).reshape(-1, 2)
    z = floor.z_m(xy)
    points = np.empty((2, len(xy), 3))
    points[..., :2], points[0, :, 2], points[1, :, 2] = xy, z + 0.1, z + 1.2
    seen = np.empty((len(cameras), len(xy)), bool)
    for these in by_lens(cameras):
        # Every place in every picture: a row each.
        views = views_of(tuple(cameras[i] for i in these)).only(
            np.repeat(np.arange(len(these)), len(xy))
        )
        pixels = pixels_of(views, np.tile(points, (1, len(these), 1)))
        seen[these] = in_picture(views, pixels).all(axis=0).reshape(len(these), -1)
    return seen


def _told(covariance_m2: Floats, height_m: Floats, covered: Floats) -> Floats:
    """Widen covariances by what they are not matched by: `COVERED` and `BENT_M`."""
    wider = 1 + COVERED * np.clip((covered - 0.3) / 0.4, 0, 1)
    height = np.nan_to_num(height_m, nan=STATURE_M)
    bent_m = BENT_M * np.clip((1.55 - height) / 0.4, 0, 1)
    aside = np.where(height > LOWEST_BENT_M, bent_m, 0.0) ** 2
    return np.asarray(wider[:, None, None] * covariance_m2 + aside[:, None, None] * np.eye(2))


def _lines(views: Views, xy_m: Floats) -> Floats:
    """Give the unit vectors (N, 2) on the floor from the cameras to (N, 2) places."""
    away = xy_m - views.centre_m[:, :2]
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
    views: Views, floor: Floor, boxes: Floats, these: Ints, standing: tuple[Floats, Floats]
) -> Feet | None:
    """Read some of the boxes, by index, as lying bodies: NaN for the others; none if no box is."""
    if not len(these):
        return None
    n = len(boxes)
    xy, covariance, height = np.full((n, 2), np.nan), np.full((n, 2, 2), np.nan), np.full(n, np.nan)
    xy[these], covariance[these], height[these] = lie(
        views.only(these),
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
    views: Views, floor: Floor, boxes: Floats, side: Ints, lying: Bools
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
        box, share, its = boxes[here], 0.5 if raised < 1 else 0.0, views.only(here)
        pixel = np.column_stack(
            [(box[:, 0] + box[:, 2]) / 2, box[:, 1] + share * (box[:, 3] - box[:, 1])]
        )
        point, hit = floor.meet(its.centre_m, sights(its, pixel), above_m=raised)
        for _ in range(3 if raised > 1 else 0):
            post = post_box(its, point - np.array([0, 0, raised]), np.full(len(here), STATURE_M))
            shift = np.clip(aside(box, post, side[here]), -size[here], size[here])
            pixel[:, 0] += np.where(hit & np.isfinite(shift), shift, 0.0)
            point, hit = floor.meet(its.centre_m, sights(its, pixel), above_m=raised)
        lines = around(its, pixel)
        xy[here] = point[:, :2]
        noise_px = np.array([noise[here], noise[here]])
        covariance[here] = _floor_m2(its, floor, lines, (point, hit), noise_px)
        higher, _ = floor.meet(its.centre_m, lines[4], above_m=raised + spread)
        slip = higher[:, :2] - point[:, :2]
        covariance[here] += slip[:, :, None] * slip[:, None, :]
        if raised == STATURE_M:
            by_stature[here] = np.nan_to_num(slip) / spread
    return xy, covariance, np.where(lying, 2 * LYING_HEIGHT_M, np.nan), by_stature


def _floor_m2(
    views: Views,
    floor: Floor,
    lines: Floats,
    met: tuple[Floats, Bools],
    noise_px: Floats,
) -> Floats:
    """Carry pixel noise and pose covariance to the floor and add the bias, (N, 2, 2)."""
    carried = floor_m2(views, floor, lines, met, noise_px)
    return np.asarray(carried + BIAS_M**2 * np.eye(2))
