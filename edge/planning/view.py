"""What one camera would show of people at given places: feet, whole bodies, how large, what hides.

Knows nothing about how cameras are chosen. A standing person is as high as `location.foot` takes
one to be; one who lies does so along the line of sight, the smallest picture that a body makes.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from edge.planning.file import HungCamera, LensChoice, PlanConfig
from edge.planning.section import Places, Section
from location.foot import LYING_HEIGHT_M, STATURE_M
from scene.arrays import Bools, Floats, Ints
from scene.geometry import CameraModel, distort, pose_from_mount
from stitching.lens import usable_angle

SHOULDER_M, SHOULDER_SHARE = 0.24, 0.8
"""Half the width of a standing body, at this share of its height."""
BODY_LENGTH_M = 1.75
LYING_HALF_WIDTH_M = 0.25
SHOWN_M = 40.0
"""Feet and bodies are counted up to here, large enough or not."""
FOOT, HEAD, LEFT, RIGHT, NEAR, FAR, SIDE, OTHER = range(8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """How large a body must be in this camera's picture."""

    person_px: float
    lying_px: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class View:
    """What one camera shows at N places."""

    feet: Bools
    """The feet are in the picture, and nothing stands before them."""
    whole: Bools
    """A standing body is in the picture from feet to helmet, and nothing hides it."""
    seen: Bools
    """Whole, and large enough, standing and lying: what a place needs to be covered."""
    hidden: Bools
    """Would be `seen` but for an obstacle."""
    standing_px: Floats
    """Height of a standing body; 0 where it is not whole."""
    lying_px: Floats
    """Longer side of a lying body's box; 0 where its middle can't be seen."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Posture:
    """What one camera shows of bodies in one posture at N places, and why not more.

    At each place at most one of the four is true; at none of them no camera looks there.
    """

    seen: Bools
    """As wished: large enough (of a lying body what the picture shows), and nothing hides it."""
    small: Bools
    """Whole, and too small for the detector."""
    cut: Bools
    """The picture cuts off some of it."""
    hidden: Bools
    """It would be `seen` but for an obstacle."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Postures:
    """What one camera shows of people who stand and of people who lie."""

    standing: Posture
    lying: Posture


def camera_of(
    section: Section, hung: HungCamera, lens: LensChoice, sigma: tuple[float, float] | None = None
) -> CameraModel:
    """Make the camera that hangs as described; `sigma` is metres and degrees of its pose."""
    mounts = section.plan.mounts
    shift_m, turn_deg = sigma or (mounts.sigma_m, mounts.sigma_deg)
    centre = section.point(hung.chainage_m, hung.left_m, hung.height_m)
    spread = np.repeat([np.radians(turn_deg), shift_m], 3) ** 2
    width, height = lens.size_px
    focal = _focal_px(lens)
    blank = np.zeros(5 if lens.kind == "brown" else 4)
    plain = CameraModel(
        name=hung.name,
        size_px=lens.size_px,
        lens=lens.kind,
        k=np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1.0]]),
        distortion=np.array(lens.distortion) if lens.distortion else blank,
        camera_from_mine=pose_from_mount(centre, hung.yaw_deg, hung.pitch_deg, 0.0),
        pose_covariance=np.diag(spread),
        max_angle_rad=3.0 if lens.kind == "fisheye" else 1.5,
    )
    return with_pose(plain, plain.camera_from_mine, usable_angle(plain))


def with_pose(
    camera: CameraModel, camera_from_mine: Floats, max_angle_rad: float | None = None
) -> CameraModel:
    """Give the same camera hung elsewhere."""
    return CameraModel(
        name=camera.name,
        size_px=camera.size_px,
        lens=camera.lens,
        k=camera.k,
        distortion=camera.distortion,
        camera_from_mine=camera_from_mine,
        pose_covariance=camera.pose_covariance,
        max_angle_rad=camera.max_angle_rad if max_angle_rad is None else max_angle_rad,
    )


def _focal_px(lens: LensChoice) -> float:
    """Give the focal length with which the picture's side edge lies at half the field of view."""
    half, edge = np.radians(lens.hfov_deg) / 2, lens.size_px[0] / 2
    c = lens.distortion or (0.0,) * 5
    if lens.kind == "fisheye":
        bent = half * (1 + sum(k * half ** (2 * i + 2) for i, k in enumerate(c[:4])))
    else:
        r2 = np.tan(half) ** 2
        bent = np.tan(half) * (1 + r2 * (c[0] + r2 * (c[1] + r2 * c[4])))
    return float(edge / max(float(bent), 1e-3))


def needs(plan: PlanConfig, size_px: tuple[int, int], detector_px: tuple[int, int]) -> Needs:
    """Carry what the detector needs, in its own picture of `detector_px`, to a camera's pixels."""
    scale = shrunk(size_px, detector_px)
    return Needs(person_px=plan.wishes.person_px * scale, lying_px=plan.wishes.lying_px * scale)


def shrunk(size_px: tuple[int, int], detector_px: tuple[int, int]) -> float:
    """Tell how many pixels of a camera's picture make one of the detector's."""
    return max(
        1.0, *(camera / detector for camera, detector in zip(size_px, detector_px, strict=True))
    )


def reach_m(camera: CameraModel, need: Needs, above_m: float) -> float:
    """Tell beyond which distance nobody is large enough, for a camera `above_m` the floor.

    Somebody who lies along the line of sight is `LYING_HEIGHT_M` and the foreshortened length
    high; a flat picture stretches what is off its middle.
    """
    stretch = 2.0 if camera.lens == "fisheye" else 1 / np.cos(min(camera.max_angle_rad, 1.1)) ** 2
    focal = stretch * camera.k[0, 0]
    # px d² = focal (LYING_HEIGHT_M d + BODY_LENGTH_M above), solved for d.
    half = focal * LYING_HEIGHT_M / (2 * need.lying_px)
    lying = half + np.sqrt(half**2 + focal * BODY_LENGTH_M * above_m / need.lying_px)
    return float(min(lying, focal * STATURE_M / need.person_px))


def bodies(centre_m: Floats, feet_m: Floats) -> Floats:
    """Give (N, 8, 3) points of a standing and a lying body at (N, 3) feet, seen from `centre_m`.

    Foot, head, both shoulders; near end, far end and both sides of somebody who lies along the
    line of sight.
    """
    away = feet_m[:, :2] - centre_m[:2]
    norm = np.linalg.norm(away, axis=1, keepdims=True)
    ahead = np.where(norm > 1e-6, away / np.maximum(norm, 1e-6), np.array([1.0, 0.0]))
    aside = np.column_stack([-ahead[:, 1], ahead[:, 0]])
    flat = [
        (0.0, 0.0, 0.0),
        (0.0, 0.0, STATURE_M),
        (0.0, SHOULDER_M, SHOULDER_SHARE * STATURE_M),
        (0.0, -SHOULDER_M, SHOULDER_SHARE * STATURE_M),
        (-BODY_LENGTH_M / 2, 0.0, 0.0),
        (BODY_LENGTH_M / 2, 0.0, LYING_HEIGHT_M),
        (0.0, LYING_HALF_WIDTH_M, LYING_HEIGHT_M / 2),
        (0.0, -LYING_HALF_WIDTH_M, LYING_HEIGHT_M / 2),
    ]
    points = np.empty((len(feet_m), len(flat), 3))
    for index, (along, left, up) in enumerate(flat):
        points[:, index, :2] = feet_m[:, :2] + along * ahead + left * aside
        points[:, index, 2] = feet_m[:, 2] + up
    return points


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spot:
    """What is the same for all directions of a camera at one point: bodies and free sight."""

    near: Ints
    """Indices of the places within reach."""
    bodies_m: Floats
    """(M, 8, 3)."""
    free: Bools
    """(M, 3): walls and obstacles leave feet, head, a lying body's middle to be seen."""
    inside: Bools
    """(M,): the walls alone would."""
    count: int
    """Of all places."""


def spot(section: Section, places: Places, centre_m: Floats, within_m: float) -> Spot:
    """Prepare a mounting point."""
    off = np.linalg.norm(places.feet_m - centre_m, axis=1)
    near = np.flatnonzero((off <= within_m) & ~places.taken)
    points = bodies(centre_m, places.feet_m[near])
    middle = places.feet_m[near] + np.array([0.0, 0.0, LYING_HEIGHT_M / 2])
    # Feet as such touch the floor, and with it whatever they stand on.
    ankle = points[:, FOOT] + np.array([0.0, 0.0, 0.05])
    targets = np.concatenate([ankle, points[:, HEAD], middle])
    inside, blocked = section.inside(centre_m, targets), section.blocked(centre_m, targets)
    rows = (3, len(near))
    return Spot(
        near=near,
        bodies_m=points,
        free=(inside & ~blocked).reshape(rows).T,
        inside=np.asarray(inside.reshape(rows).all(axis=0)),
        count=len(places.taken),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Shown:
    """What a camera shows at the M places within reach of its spot."""

    feet: Bools
    upright: Bools
    """A standing body is in the picture as a whole."""
    some_upright: Bools
    """Feet, a shoulder or the head, and nothing stands before it."""
    lain: Bools
    """A lying body is in the picture, be it not as a whole."""
    all_lain: Bools
    some_lain: Bools
    tall: Floats
    long: Floats


def _shown(camera: CameraModel, at: Spot) -> _Shown:
    m = len(at.near)
    pixels, ahead = _pixels(camera, at.bodies_m.reshape(-1, 3))
    pixels, ahead = pixels.reshape(m, 8, 2), ahead.reshape(m, 8)
    width, height = camera.size_px
    shown = ahead & (pixels >= -0.5).all(axis=2)
    shown &= (pixels[..., 0] <= width - 0.5) & (pixels[..., 1] <= height - 0.5)
    feet = shown[:, FOOT] & at.free[:, 0]
    upright = np.asarray(shown[:, [FOOT, HEAD, LEFT, RIGHT]].all(axis=1))
    lain = np.asarray(ahead[:, NEAR:].all(axis=1) & shown[:, [SIDE, OTHER]].any(axis=1))
    cut = np.clip(pixels[:, NEAR:], -0.5, np.array([width, height]) - 0.5)
    return _Shown(
        feet=feet,
        upright=upright,
        some_upright=feet | (shown[:, [HEAD, LEFT, RIGHT]].any(axis=1) & at.free[:, 1]),
        lain=lain,
        all_lain=np.asarray(lain & shown[:, NEAR:].all(axis=1)),
        some_lain=shown[:, NEAR:].any(axis=1) & at.free[:, 2],
        tall=np.where(upright, np.linalg.norm(pixels[:, FOOT] - pixels[:, HEAD], axis=1), 0.0),
        long=np.where(lain, np.ptp(cut, axis=1).max(axis=1), 0.0),
    )


def look(camera: CameraModel, at: Spot, need: Needs) -> View:
    """Tell what a camera that hangs at a spot shows."""
    one = _shown(camera, at)
    large = (one.tall >= need.person_px) & (one.long >= need.lying_px)
    whole = one.upright & at.free[:, 0] & at.free[:, 1]
    return View(
        feet=_spread(at, one.feet),
        whole=_spread(at, whole),
        seen=_spread(at, large & at.free.all(axis=1)),
        hidden=_spread(at, large & at.inside & ~at.free.all(axis=1)),
        standing_px=_spread_px(at, np.where(whole, one.tall, 0.0)),
        lying_px=_spread_px(at, np.where(at.free[:, 2], one.long, 0.0)),
    )


def look_closely(camera: CameraModel, at: Spot, need: Needs) -> Postures:
    """Tell of each posture what a camera that hangs at a spot shows, and why not more."""
    one = _shown(camera, at)
    return Postures(
        standing=_posture(
            at,
            large=one.tall >= need.person_px,
            whole=one.upright,
            free=at.free[:, 0] & at.free[:, 1],
            some=one.some_upright,
        ),
        lying=_posture(
            at,
            large=one.long >= need.lying_px,
            whole=one.all_lain,
            free=at.free[:, 2],
            some=one.some_lain,
        ),
    )


def _posture(at: Spot, *, large: Bools, whole: Bools, free: Bools, some: Bools) -> Posture:
    """Part the places by what is the matter; only what is shown at all is `large`."""
    seen, hidden = large & free, large & at.inside & ~free
    small = whole & ~large & free
    return Posture(
        seen=_spread(at, seen),
        small=_spread(at, small),
        cut=_spread(at, some & ~seen & ~small & ~hidden),
        hidden=_spread(at, hidden),
    )


def views(
    section: Section, cameras: Iterable[CameraModel], plan: PlanConfig, detector_px: tuple[int, int]
) -> list[View]:
    """Tell what each camera of a layout shows of the section's places."""
    return [look(*one) for one in _spots(section, cameras, plan, detector_px)]


def postures(
    section: Section, cameras: Iterable[CameraModel], plan: PlanConfig, detector_px: tuple[int, int]
) -> list[Postures]:
    """Tell the same by posture, and why not more is seen."""
    return [look_closely(*one) for one in _spots(section, cameras, plan, detector_px)]


def _spots(
    section: Section, cameras: Iterable[CameraModel], plan: PlanConfig, detector_px: tuple[int, int]
) -> Iterator[tuple[CameraModel, Spot, Needs]]:
    for camera in cameras:
        need = needs(plan, camera.size_px, detector_px)
        within = max(reach_m(camera, need, plan.height_m), SHOWN_M)
        yield camera, spot(section, section.places, camera.centre_m, within), need


def _pixels(camera: CameraModel, points_m: Floats) -> tuple[Floats, Bools]:
    """Project (N, 3) points, also beyond the picture's border; not beyond the lens's cone."""
    rotation, shift = camera.camera_from_mine[:3, :3], camera.camera_from_mine[:3, 3]
    points = points_m @ rotation.T + shift
    off_axis = np.arctan2(np.hypot(points[:, 0], points[:, 1]), points[:, 2])
    ahead = off_axis <= camera.max_angle_rad
    safe = np.where(ahead[:, None], points, np.array([0.0, 0.0, 1.0]))
    return distort(camera, safe), ahead


def _spread(at: Spot, some: Bools) -> Bools:
    whole = np.zeros(at.count, bool)
    whole[at.near] = some
    return whole


def _spread_px(at: Spot, some: Floats) -> Floats:
    whole = np.zeros(at.count)
    whole[at.near] = some
    return whole
