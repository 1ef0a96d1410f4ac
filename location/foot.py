"""From a person's box to a place on the floor, how sure it is, and how high the body reaches.

Knows nothing about time: each box is looked at alone. Its body is an upright post of
`BODY_RADIUS_M`, so that a camera that looks down, or a person far off the picture's middle (who
leans in the picture), does not shift the place; a lying body is told by a long or low box.
"""

from dataclasses import dataclass, replace

import numpy as np

from location.headgear import head_votes
from scene.arrays import Bools, Floats, Ints
from scene.floor import Floor
from scene.geometry import CameraModel, distort, rays
from scene.messages import KINDS, Detections

PERSON, FALLEN = KINDS.index("person"), KINDS.index("fallen")

BODY_RADIUS_M = 0.18
"""Half of what feet take on the floor. Of 0.12, 0.15, 0.18 and 0.21 m this places people best both
on the CMC recordings (0.066 m) and on the sample sites."""
STATURE_M, STATURE_SIGMA_M = 1.75, 0.10
"""With boots and helmet; used only where the feet are out of the picture or hidden."""
LYING_HEIGHT_M = 0.30
LOW_M = 1.1
"""A body that seems lower than this may be lying along the line of sight."""
LYING_WIDTH_M = 1.15
"""A low body that is wider than this lies across the line of sight."""
SQUAT_M, SQUAT_ASPECT = 1.3, 0.8
"""A body that seems lower than this, in a box wider than this share of its height, lies aslant:
nobody who crouches is that broad."""
PIXEL_SHARE, PIXEL_MIN = 0.05, 2.0
"""Noise of a box's edges: a share of its longer side, and at least so many pixels."""
BIAS_M = 0.12
"""Added to every observation: what neither pixels nor the pose explain (gait, box habits)."""
BORDER_SHARE = 0.06
"""A box that ends this near to the lower border, by its height, may be cut by it..."""
SHORT_M = 1.65
"""... and is taken to be when its body would seem shorter than this."""
UPRIGHT_WIDTH = 0.38
"""Width of an upright person's box as a share of its height."""
TURN_RAD, SHIFT_M = 1e-5, 1e-4
"""Steps of the numeric slopes by the camera's pose."""
MAX_SIGMA_M = 6.0
"""An observation that is less sure than this says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Feet:
    """N people as one camera saw them, on the floor."""

    xy_m: Floats
    """(N, 2) mine metres."""
    covariance_m2: Floats
    """(N, 2, 2), everything included."""
    height_m: Floats
    """(N,) top of the body above the floor; NaN where the box does not show it."""
    scores: Floats
    """(N,) the detector's."""
    cut: Bools
    """(N,) the box is cut by the picture's border or its feet are hidden: no proof of a person
    apart."""
    heads: Floats
    """(N,) what the head shows, as `location.headgear.head_votes` has it."""
    if_lying: "Feet | None" = None
    """A second reading, row by row, of boxes at the lower border: somebody close whose feet are
    below the picture looks the same as somebody further off who lies. Only who is known to be
    there tells which. NaN where a box reads in one way only; none where all do."""

    def only(self, keep: Bools) -> "Feet":
        """Keep some of the people."""
        return Feet(
            xy_m=self.xy_m[keep],
            covariance_m2=self.covariance_m2[keep],
            height_m=self.height_m[keep],
            scores=self.scores[keep],
            cut=self.cut[keep],
            heads=self.heads[keep],
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
            height_m=np.where(taken, other.height_m, self.height_m),
        )


def feet_on_floor(detections: Detections, camera: CameraModel, floor: Floor) -> Feet:
    """Place everybody whom one camera sees: the box's foot, as a ray, on the floor.

    Boxes that are NaN, inverted, or meet the floor nowhere are left out. The covariance is the
    pixel noise and the camera's pose covariance carried through numeric Jacobians, plus `BIAS_M`.
    """
    detections = _sane(detections)
    boxes, scores, fallen = _usable(detections, camera)
    if len(boxes) == 0:
        return _nobody()
    left, top, right, bottom = boxes.T
    width, height = right - left, bottom - top
    at_left, at_top, at_right, at_bottom = _borders(boxes, camera)
    hidden = at_bottom | _feet_hidden(boxes)
    gap = camera.size_px[1] - 1 - bottom
    close = gap <= np.maximum(BORDER_SHARE * height, 0.02 * camera.size_px[1])
    noise = np.maximum(PIXEL_SHARE * np.maximum(width, height), PIXEL_MIN)
    # Where the border cuts one side off, the other side still tells where the person is.
    side = at_left.astype(int) - at_right.astype(int)
    missing = np.where(side != 0, np.maximum(UPRIGHT_WIDTH * height - width, 0), 0.0)
    noise_u = noise + missing / 4 + np.where(at_left & at_right, width / 4, 0)
    noise_v = noise + missing / 4

    foot_px, xy, body_m = _stand(camera, floor, boxes, side)
    body_m = np.where(missing > 0.1 * height, np.nan, body_m)
    covariance = _covariance(camera, floor, foot_px, noise_u, noise_v, above_m=0.0)
    body_m = np.where(at_top, np.nan, body_m)
    keep = np.isfinite(xy).all(axis=1)
    # A detector's box often ends a little before the border that cuts it.
    squat = width > SQUAT_ASPECT * height
    hidden |= close & ~at_top & ~fallen & ~(body_m > SHORT_M)

    # Low, wide or said to be fallen: lying. The middle of the floor that the box covers.
    low = ~at_top & ((body_m < LOW_M) | (squat & (body_m < SQUAT_M))) | fallen
    lie = np.flatnonzero(low & ~hidden & keep)
    if len(lie):
        xy[lie], covariance[lie], body_m[lie] = _lie(
            camera, floor, boxes[lie], (xy[lie], covariance[lie]), fallen[lie]
        )

    # Feet out of the picture or behind somebody: the top of the body and a stature instead.
    unseen = np.flatnonzero(hidden)
    border = hidden & (close | at_bottom) & ~at_top & ~fallen & keep & (squat | (body_m < LOW_M))
    lain = _lain(camera, floor, boxes, np.flatnonzero(border), (xy, covariance))
    if len(unseen):
        xy[unseen], covariance[unseen], body_m[unseen] = _hang(
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
        height_m=body_m,
        scores=scores,
        cut=hidden | at_left | at_right,
        heads=head_votes(detections, boxes, at_top),
        if_lying=lain,
    )
    return feet.only(keep)


def covers(camera: CameraModel, floor: Floor, xy_m: Floats) -> Bools:
    """Tell (N,) whether a camera would see a standing person's middle and feet at (N, 2)."""
    xy = np.asarray(xy_m, float).reshape(-1, 2)
    z = floor.z_m(xy)
    low = _pixels(camera, np.column_stack([xy, z + 0.1]))
    mid = _pixels(camera, np.column_stack([xy, z + 1.2]))
    return np.asarray(_in_picture(camera, low) & _in_picture(camera, mid))


def _nobody() -> Feet:
    return Feet(
        xy_m=np.zeros((0, 2)),
        covariance_m2=np.zeros((0, 2, 2)),
        height_m=np.zeros(0),
        scores=np.zeros(0),
        cut=np.zeros(0, bool),
        heads=np.zeros(0),
    )


def _sane(detections: Detections) -> Detections:
    """Drop what is no box or has no score, of whatever kind: heads go through here too."""
    boxes = np.asarray(detections.boxes_px, float)
    with np.errstate(invalid="ignore", over="ignore"):
        good = np.isfinite(boxes).all(axis=1) & np.isfinite(detections.scores)
        good &= (boxes[:, 2] - boxes[:, 0] > 1) & (boxes[:, 3] - boxes[:, 1] > 1)
        good &= (np.abs(boxes) < 1e5).all(axis=1)
    if good.all():
        return detections
    return replace(
        detections,
        boxes_px=boxes[good],
        scores=detections.scores[good],
        kinds=detections.kinds[good],
    )


def _usable(detections: Detections, camera: CameraModel) -> tuple[Floats, Floats, Bools]:
    """Keep people's boxes, clipped to the picture, each person once."""
    boxes = np.asarray(detections.boxes_px, float)
    scores, kinds = detections.scores, detections.kinds
    good = (kinds == PERSON) | (kinds == FALLEN)
    w, h = camera.size_px
    boxes = np.clip(boxes[good], 0, [w - 1, h - 1, w - 1, h - 1])
    scores, fallen = np.asarray(scores[good], float), np.asarray(kinds[good] == FALLEN)
    size = boxes[:, 2:] - boxes[:, :2]
    inside = (size > 1).all(axis=1)
    boxes, scores, fallen = boxes[inside], scores[inside], fallen[inside]
    kept, fallen = _once(boxes, scores, fallen)
    boxes, scores, fallen = boxes[kept], scores[kept], fallen[kept]
    whole = ~_parts_of_lying(boxes, scores)
    return boxes[whole], scores[whole], fallen[whole]


def _once(boxes: Floats, scores: Floats, fallen: Bools) -> tuple[Ints, Bools]:
    """Keep the best of boxes that are nearly the same; it is fallen if the better half say so."""
    order = np.lexsort((boxes[:, 1], boxes[:, 0], -scores))
    overlap = _overlap(boxes)
    kept: list[int] = []
    fallen = fallen.copy()
    for index in order:
        same = [other for other in kept if overlap[index, other] > 0.7]
        if not same:
            kept.append(int(index))
        elif fallen[index] and scores[index] > 0.7 * scores[same[0]]:
            fallen[same[0]] = True
    return np.array(sorted(kept), dtype=np.int64), fallen


def _parts_of_lying(boxes: Floats, scores: Floats) -> Bools:
    """Tell which boxes are only a part of somebody lying whom another, squat box shows better.

    A detector that is unsure of a lying body often gives two boxes, one of them upright. A box
    that scores half as much again stays: somebody may stand there.
    """
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=2)
    size = boxes[:, 2:] - boxes[:, :2]
    area = np.prod(size, axis=1)
    squat = size[:, 0] > SQUAT_ASPECT * size[:, 1]
    inside = shared > 0.6 * np.minimum(area[:, None], area[None])
    stronger = scores[:, None] > 1.5 * scores[None]
    return np.asarray((inside & ~squat[:, None] & squat[None] & ~stronger).any(axis=1))


def _overlap(boxes: Floats) -> Floats:
    """Intersection over union of each box with each, (N, N)."""
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=2)
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    return np.asarray(shared / (area[:, None] + area[None] - shared))


def _borders(boxes: Floats, camera: CameraModel) -> tuple[Bools, Bools, Bools, Bools]:
    width, height = camera.size_px
    margin = np.maximum(2.0, 0.004 * np.array([width, height]))
    return (
        boxes[:, 0] <= margin[0],
        boxes[:, 1] <= margin[1],
        boxes[:, 2] >= width - 1 - margin[0],
        boxes[:, 3] >= height - 1 - margin[1],
    )


def _feet_hidden(boxes: Floats) -> Bools:
    """Tell whose feet are inside the box of somebody nearer (whose own feet are lower).

    Only where the upper part that is left is clearly too short for the width: a person who merely
    stands behind another keeps the detector's full box.
    """
    size = boxes[:, 2:] - boxes[:, :2]
    u, v = (boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]
    behind = (
        (u[:, None] > boxes[None, :, 0])
        & (u[:, None] < boxes[None, :, 2])
        & (v[:, None] > boxes[None, :, 1])
        & (v[:, None] < boxes[None, :, 3] - 0.05 * size[None, :, 1])
    )
    np.fill_diagonal(behind, False)
    short = size[:, 1] < 1.6 * size[:, 0]
    return np.asarray(behind.any(axis=1) & short)


def _stand(
    camera: CameraModel, floor: Floor, boxes: Floats, side: Ints
) -> tuple[Floats, Floats, Floats]:
    """Find where an upright post stands whose picture has this box.

    `side` is 1 where only the right edge of the box counts, -1 the left, 0 the middle of both.
    Gives (N, 2) pixels of the axis's foot, (N, 2) metres (NaN where the floor is not met) and (N,)
    metres of height.
    """
    top_px = boxes[:, 1]
    foot_px = np.column_stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]])
    size = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    for _ in range(2):
        to_foot, to_top = _rays(camera, foot_px, np.column_stack([foot_px[:, 0], top_px]))
        point, hit = floor.meet(camera.centre_m, to_foot)
        height = _height(camera, point, to_top)
        post = _post(camera, point, np.clip(np.nan_to_num(height, nan=STATURE_M), 0.3, 2.2))
        shift = np.column_stack([_aside(boxes, post, side), boxes[:, 3] - post[:, 3]])
        good = hit & np.isfinite(shift).all(axis=1)
        limit = size[:, None]
        foot_px = foot_px + np.where(good[:, None], np.clip(shift, -limit, limit), 0.0)
    # The axis leans in the picture: its top is not straight above its foot.
    head_px = _pixels(camera, point + np.array([0.0, 0.0, STATURE_M]))
    head_u = np.where(np.isfinite(head_px[:, 0]), head_px[:, 0], foot_px[:, 0])
    to_foot, to_top = _rays(camera, foot_px, np.column_stack([head_u, top_px]))
    point, hit = floor.meet(camera.centre_m, to_foot)
    height = np.where(hit, _height(camera, point, to_top), np.nan)
    return foot_px, point[:, :2].copy(), height


def _aside(boxes: Floats, post: Floats, side: Ints) -> Floats:
    """Tell how far (N,) a post's box must move right to lie on the seen one."""
    gap = boxes - post
    middle = (gap[:, 0] + gap[:, 2]) / 2
    return np.where(side > 0, gap[:, 2], np.where(side < 0, gap[:, 0], middle))


RINGS = ((0.0, BODY_RADIUS_M), (0.25, 0.12), (0.5, 0.2), (0.8, 0.24), (1.0, 0.1))
"""Of the post: share of its height, radius in metres."""


def _post(camera: CameraModel, foot_m: Floats, height_m: Floats) -> Floats:
    """Give the box (N, 4) round the part of an upright post that the picture's rows show.

    NaN where they show nothing of it.
    """
    angle = np.arange(8) * np.pi / 4
    circle = np.column_stack([np.cos(angle), np.sin(angle), np.zeros(8)])
    points = np.concatenate(
        [
            foot_m[:, None]
            + radius * circle
            + share * height_m[:, None, None] * np.array([0, 0, 1])
            for share, radius in RINGS
        ],
        axis=1,
    )
    count = points.shape[1]
    pixels = _pixels(camera, points.reshape(-1, 3)).reshape(-1, count, 2)
    with np.errstate(invalid="ignore"):
        shown = (pixels[..., 1] > -1) & (pixels[..., 1] < camera.size_px[1])
    some = shown.sum(axis=1) >= 4
    low = np.where(shown[..., None], pixels, np.inf).min(axis=1)
    high = np.where(shown[..., None], pixels, -np.inf).max(axis=1)
    return np.where(some[:, None], np.column_stack([low, high]), np.nan)


def _height(camera: CameraModel, foot_m: Floats, direction: Floats) -> Floats:
    """Tell how high above the foot (N, 3) lines of sight pass, (N,)."""
    offset = foot_m - camera.centre_m
    flat = np.sum(direction[:, :2] ** 2, axis=1)
    reach = np.sum(offset[:, :2] * direction[:, :2], axis=1) / np.maximum(flat, 1e-9)
    return np.asarray(camera.centre_m[2] + reach * direction[:, 2] - foot_m[:, 2])


def _lie(
    camera: CameraModel,
    floor: Floor,
    boxes: Floats,
    standing: tuple[Floats, Floats],
    fallen: Bools,
) -> tuple[Floats, Floats, Floats]:
    """Place low bodies: `xy_m`, `covariance_m2`, `height_m`.

    The box of a lying body reaches from its near edge on the floor to its far edge at
    `LYING_HEIGHT_M`; the body's middle is midway in metres. A low box that is narrow and not said
    to be fallen may also be somebody who crouches at the near edge: half-way between, unsure.
    """
    middle = (boxes[:, 0] + boxes[:, 2]) / 2
    to_near, to_far, to_left, to_right = _rays(
        camera,
        *(
            np.column_stack([u, v])
            for u, v in (
                (middle, boxes[:, 3]),
                (middle, boxes[:, 1]),
                (boxes[:, 0], boxes[:, 3]),
                (boxes[:, 2], boxes[:, 3]),
            )
        ),
    )
    near, hit = floor.meet(camera.centre_m, to_near)
    far, hit_far = floor.meet(camera.centre_m, to_far, above_m=LYING_HEIGHT_M)
    sides = [floor.meet(camera.centre_m, direction)[0] for direction in (to_left, to_right)]
    wide_m = np.linalg.norm(sides[1] - sides[0], axis=1)
    along = far[:, :2] - near[:, :2]
    depth_m = np.linalg.norm(along, axis=1)
    xy, covariance = standing
    good = hit & hit_far & (depth_m < 3.0)
    # A body is no longer than a person: what the box adds beyond that is the far edge's noise.
    along = along * np.minimum(1, 2.0 / np.maximum(depth_m, 1e-6))[:, None]
    squat = boxes[:, 2] - boxes[:, 0] > SQUAT_ASPECT * (boxes[:, 3] - boxes[:, 1])
    lying = good & (fallen | squat | (wide_m > LYING_WIDTH_M))
    share = np.where(lying, 0.5, 0.25)[:, None]
    moved = np.where(good[:, None], near[:, :2] + share * along, xy)
    unsure = np.where(lying, 0.15, 0.25)[:, None] * along
    spread = covariance + np.where(
        good[:, None, None], unsure[:, :, None] * unsure[:, None, :], 0.0
    )
    at = np.column_stack([moved, floor.z_m(moved)])
    height = np.where(lying, _height(camera, at, to_far), _height(camera, near, to_far))
    return moved, spread, np.where(good, height, np.where(fallen, 0.5, np.nan))


def _lain(
    camera: CameraModel, floor: Floor, boxes: Floats, these: Ints, standing: tuple[Floats, Floats]
) -> Feet | None:
    """Read some of the boxes, by index, as lying bodies: NaN for the others; none if no box is."""
    if not len(these):
        return None
    n = len(boxes)
    xy, covariance, height = np.full((n, 2), np.nan), np.full((n, 2, 2), np.nan), np.full(n, np.nan)
    xy[these], covariance[these], height[these] = _lie(
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
        height_m=height,
        scores=np.zeros(n),
        cut=np.ones(n, bool),
        heads=np.full(n, np.nan),
    )


def _hang(
    camera: CameraModel, floor: Floor, boxes: Floats, side: Ints, lying: Bools
) -> tuple[Floats, Floats, Floats]:
    """Place bodies whose feet are hidden: `xy_m`, `covariance_m2`, `height_m`.

    By the top of the box and a stature; bodies said to be fallen by the middle of what is seen.
    """
    size = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    noise = np.maximum(PIXEL_SHARE * size, PIXEL_MIN)
    xy = np.full((len(boxes), 2), np.nan)
    covariance = np.full((len(boxes), 2, 2), np.nan)
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
        point, hit = floor.meet(camera.centre_m, rays(camera, pixel), above_m=raised)
        for _ in range(3 if raised > 1 else 0):
            post = _post(camera, point - np.array([0, 0, raised]), np.full(len(here), STATURE_M))
            shift = np.clip(_aside(box, post, side[here]), -size[here], size[here])
            pixel[:, 0] += np.where(hit & np.isfinite(shift), shift, 0.0)
            point, hit = floor.meet(camera.centre_m, rays(camera, pixel), above_m=raised)
        xy[here] = point[:, :2]
        covariance[here] = _covariance(
            camera, floor, pixel, noise[here], noise[here], above_m=raised
        )
        higher, _ = floor.meet(camera.centre_m, rays(camera, pixel), above_m=raised + spread)
        slip = higher[:, :2] - point[:, :2]
        covariance[here] += slip[:, :, None] * slip[:, None, :]
    return xy, covariance, np.where(lying, 2 * LYING_HEIGHT_M, np.nan)


def _covariance(
    camera: CameraModel,
    floor: Floor,
    pixels: Floats,
    noise_u: Floats,
    noise_v: Floats,
    *,
    above_m: float,
) -> Floats:
    """Carry pixel noise and pose covariance to the floor, (N, 2, 2); NaN where it is not met."""
    n, step = len(pixels), 0.5
    right, down = np.array([step, 0.0]), np.array([0.0, step])
    to_right, to_left, to_below, to_above, direction = _rays(
        camera, pixels + right, pixels - right, pixels + down, pixels - down, pixels
    )
    point, hit = floor.meet(camera.centre_m, direction, above_m=above_m)
    slope = np.where(hit[:, None], floor.slope(np.nan_to_num(point[:, :2])), 0.0)
    normal = np.column_stack([-slope, np.ones(n)])

    # Rays and where they start: four pixels beside, the ray itself, three turns, three shifts.
    rotation = camera.camera_from_mine[:3, :3]
    # A turn of the camera by +w turns the ray, in the mine, by -w.
    turned = direction - np.cross(rotation[:, None] * TURN_RAD, direction[None])
    lines = np.stack([to_right, to_left, to_below, to_above, direction, *turned, *[direction] * 3])
    starts = np.zeros((11, 1, 3)) + camera.centre_m
    starts[8:, 0] -= rotation * SHIFT_M
    # They meet the plane that touches the floor here: smooth, so its differences are slopes.
    fall = np.sum(lines * normal, axis=2)
    safe = np.where(np.abs(fall) > 1e-9, fall, -1e-9)
    reach = np.sum((point - starts) * normal, axis=2) / safe
    met = (starts + reach[..., None] * lines)[..., :2]
    by_pixel = (met[[0, 2]] - met[[1, 3]]) / (2 * step)
    by_pose = (met[5:] - met[4]) / np.repeat([TURN_RAD, SHIFT_M], 3)[:, None, None]

    jacobian, pose_jacobian = by_pixel.transpose(1, 2, 0), by_pose.transpose(1, 2, 0)
    noise = np.zeros((n, 2, 2))
    noise[:, 0, 0], noise[:, 1, 1] = noise_u**2, noise_v**2
    covariance = jacobian @ noise @ jacobian.transpose(0, 2, 1)
    covariance = covariance + pose_jacobian @ camera.pose_covariance @ pose_jacobian.transpose(
        0, 2, 1
    )
    covariance = covariance + BIAS_M**2 * np.eye(2)
    covariance = (covariance + covariance.transpose(0, 2, 1)) / 2
    return np.where(hit[:, None, None], covariance, np.nan)


def _rays(camera: CameraModel, *pixels: Floats) -> list[Floats]:
    """Give the lines of sight through several (N, 2) arrays of pixels, at the price of one."""
    return np.split(rays(camera, np.concatenate(pixels)), len(pixels))


def largest(covariance: Floats) -> Floats:
    """Give the larger eigenvalue of (N, 2, 2) symmetric matrices."""
    a, b, c = covariance[:, 0, 0], covariance[:, 0, 1], covariance[:, 1, 1]
    return np.asarray((a + c) / 2 + np.hypot((a - c) / 2, b))


def _pixels(camera: CameraModel, points_m: Floats) -> Floats:
    """Project like `scene.geometry.project`, NaN behind the camera or outside its cone."""
    rotation, shift = camera.camera_from_mine[:3, :3], camera.camera_from_mine[:3, 3]
    points = points_m @ rotation.T + shift
    with np.errstate(invalid="ignore"):
        ahead = points[:, 2] > 0.05
        off_axis = np.arctan2(np.hypot(points[:, 0], points[:, 1]), points[:, 2])
        # Slightly more than the cone: a body half out of the picture still has a shape.
        ahead &= off_axis < camera.max_angle_rad + 0.05
    safe = np.where(ahead[:, None], points, np.array([0.0, 0.0, 1.0]))
    return np.where(ahead[:, None], distort(camera, safe), np.nan)


def _in_picture(camera: CameraModel, pixels: Floats) -> Bools:
    width, height = camera.size_px
    with np.errstate(invalid="ignore"):
        return np.asarray(
            (pixels[:, 0] >= 0)
            & (pixels[:, 0] <= width - 1)
            & (pixels[:, 1] >= 0)
            & (pixels[:, 1] <= height - 1)
        )
