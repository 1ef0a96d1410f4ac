"""A simulated roadway for tests: a fanned rig, people as point clouds, boxes with noise."""

from collections.abc import Callable, Sequence

import numpy as np

from scene.arrays import Floats
from scene.geometry import CameraModel, pose_from_mount, project
from scene.messages import KINDS, Detections
from scene.site import FloorConfig

FLOOR = FloorConfig(centre_line_m=((0, 0, 0), (40, 0, 0.8)), left_m=2.5, right_m=2.5)
RIG_M = (20.0, -2.05, 2.95)
SECOND_NS = 1_000_000_000


def camera(
    name: str,
    xyz_m: Sequence[float],
    yaw_deg: float,
    *,
    pitch_deg: float = -16.0,
    hfov_deg: float = 70.0,
    pose_sigma: tuple[float, float] = (0.002, 0.01),
) -> CameraModel:
    width, height = 1280, 720
    f = width / 2 / np.tan(np.radians(hfov_deg) / 2)
    turn, shift = pose_sigma
    return CameraModel(
        name=name,
        size_px=(width, height),
        lens="brown",
        k=np.array([[f, 0, (width - 1) / 2], [0, f, (height - 1) / 2], [0, 0, 1.0]]),
        distortion=np.array([-0.18, 0.04, 0, 0, 0]),
        camera_from_mine=pose_from_mount(np.array(xyz_m), yaw_deg, pitch_deg, 0),
        pose_covariance=np.diag([turn**2] * 3 + [shift**2] * 3),
        max_angle_rad=np.radians(55),
    )


def fan() -> tuple[CameraModel, ...]:
    """Four cameras from one place, 20 degrees of overlap."""
    return tuple(
        camera(f"cam{number + 1}", RIG_M, yaw) for number, yaw in enumerate((165, 115, 65, 15))
    )


def corners() -> tuple[CameraModel, ...]:
    """Four cameras that look at one stretch from four places."""
    return (
        camera("a", (10, -2.2, 2.7), 25),
        camera("b", (10, 2.2, 2.7), -25),
        camera("c", (22, -2.2, 2.9), 155),
        camera("d", (22, 2.2, 2.9), -155),
    )


def standing(stature_m: float = 1.78) -> Floats:
    """(N, 3) points of a standing body about its feet: boots, hips, shoulders, helmet."""
    angle = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    rings = [(0.0, 0.16), (0.55, 0.22), (0.8, 0.25), (0.92, 0.12), (1.0, 0.06)]
    points = [
        np.column_stack([r * np.cos(angle), r * np.sin(angle), np.full(12, h * stature_m)])
        for h, r in rings
    ]
    return np.asarray(np.concatenate(points))


def crouching() -> Floats:
    """(N, 3) points of somebody who crouches, 1.2 m high."""
    return np.asarray(standing(1.2) * np.array([1.3, 1.3, 1.0]))


def lying(yaw_rad: float = 0.0) -> Floats:
    """(N, 3) points of a lying body 1.75 m long about its middle."""
    s = np.linspace(-0.875, 0.875, 9)
    half = 0.25 * np.sqrt(np.clip(1 - (s / 1.0) ** 4, 0.1, 1))
    body = np.concatenate(
        [np.column_stack([s, sign * half, np.full(9, z)]) for sign in (-1, 1) for z in (0.02, 0.26)]
    )
    turn = np.array(
        [[np.cos(yaw_rad), -np.sin(yaw_rad), 0], [np.sin(yaw_rad), np.cos(yaw_rad), 0], [0, 0, 1]]
    )
    return np.asarray(body @ turn.T)


def box(view: CameraModel, points_m: Floats) -> Floats | None:
    """The box round points as this camera shows it, also beyond the picture; none if unseen."""
    rotation, shift = view.camera_from_mine[:3, :3], view.camera_from_mine[:3, 3]
    ahead = (points_m @ rotation.T + shift)[:, 2] > 0.2
    if ahead.mean() < 0.5:
        return None
    pixels, seen = project(view, points_m[ahead])
    if seen.mean() < 0.25:
        return None
    return np.concatenate([pixels.min(axis=0), pixels.max(axis=0)])


def detections(
    view: CameraModel,
    at_ns: int,
    bodies_m: Sequence[Floats],
    *,
    rng: np.random.Generator | None = None,
    noise: float = 0.03,
    missed: float = 0.0,
    clutter: float = 0.0,
    kind: Callable[[int], str] = lambda _: "person",
) -> Detections:
    """What a detector would find of bodies (points in mine metres): noisy, with misses."""
    boxes, kinds, scores = [], [], []
    for index, body in enumerate(bodies_m):
        found = box(view, body)
        if found is None or (rng is not None and rng.random() < missed):
            continue
        if rng is not None:
            size = max(found[3] - found[1], found[2] - found[0])
            found = found + rng.normal(0, noise * size, 4) * [0.5, 0.5, 0.5, 1.0]
        found = _in_picture(view, found, rng)
        if min(found[2] - found[0], found[3] - found[1]) < 6:
            continue
        boxes.append(found)
        kinds.append(KINDS.index(kind(index)))
        scores.append(0.8)
    if rng is not None and rng.random() < clutter:
        x, y = rng.uniform(100, 1100), rng.uniform(100, 500)
        boxes.append(np.array([x, y, x + rng.uniform(20, 80), y + rng.uniform(60, 200)]))
        kinds.append(0)
        scores.append(0.5)
    order = rng.permutation(len(boxes)) if rng is not None else np.arange(len(boxes))
    width, height = view.size_px
    array = np.array(boxes).reshape(-1, 4)[order]
    return Detections(
        camera=view.name,
        captured_at_ns=at_ns,
        boxes_px=np.clip(array, 0, [width - 1, height - 1, width - 1, height - 1]),
        scores=np.array(scores, float)[order],
        kinds=np.array(kinds, dtype=np.int64)[order],
    )


def _in_picture(view: CameraModel, found: Floats, rng: np.random.Generator | None) -> Floats:
    """Clip a box; where the border cuts it, it ends up to some pixels before the border."""
    width, height = view.size_px
    border = np.array([0.0, 0.0, width - 1.0, height - 1.0])
    slack = np.zeros(4) if rng is None else np.abs(rng.normal(0, 4.0, 4))
    inward = border + slack * [1, 1, -1, -1]
    low = np.maximum(found[:2], np.where(found[:2] < 0, inward[:2], found[:2]))
    high = np.minimum(found[2:], np.where(found[2:] > border[2:], inward[2:], found[2:]))
    return np.concatenate([low, high])
