"""Bodies as solids in mine metres, and where a camera's picture shows them.

Knows nothing about what cameras found, nor about the panorama.
"""

from collections.abc import Sequence

import numpy as np

from scene.arrays import Bools, Floats
from scene.geometry import CameraModel, distort
from scene.messages import Position

View = tuple[Floats, Bools]
"""(P, K, 2) pixels, some of them outside the picture, and (P, K) which mean anything."""

THIN_M = {"upright": 0.2, "crouching": 0.25, "lying": 0.4}
RADIUS_M = {"upright": 0.38, "crouching": 0.5, "lying": 1.05}
"""Shoulders with an arm held away; someone lying may lie any way round."""
HEAD_SHARE = 0.6
"""Of the radius, at the top of the body."""
MIN_HEIGHT_M = 0.5
HEADROOM_M = 0.12
"""Helmets and lamps above the measured height."""
MARGIN_M = 0.25
AHEAD_S = 0.8
"""The wide body reaches to where the person will be by then."""
MOST_SIGMA_M = 0.3
TURNS = 6
LEVELS, SHOULDER_M = 9, 0.2
NEAREST_M = 0.2
"""What is nearer to a lens than this has no place in its picture."""


def thin_m(people: Sequence[Position]) -> Floats:
    """Give points (P, K, 3), mine metres, whose hulls lie within bodies."""
    return _solids(people, [THIN_M[person.posture] for person in people], -HEADROOM_M, 0.0)


def core_m(people: Sequence[Position]) -> Floats:
    """Give points (P, K, 3) whose hulls hold bodies with their arms, and how unsure they are."""
    return _solids(people, [RADIUS_M[p.posture] + _sigma_m(p) for p in people], 0.0, 0.0)


def wide_m(people: Sequence[Position]) -> Floats:
    """Give points (P, K, 3) whose hulls hold bodies with a margin, now and in a moment."""
    radii = [RADIUS_M[person.posture] + _sigma_m(person) + MARGIN_M for person in people]
    now, soon = (_solids(people, radii, MARGIN_M / 2, ahead_s) for ahead_s in (0.0, AHEAD_S))
    return np.concatenate([now, soon], axis=1)


def _sigma_m(person: Position) -> float:
    sigma_m = float(np.sqrt(max(np.trace(np.array(person.covariance_m2)) / 2, 0)))
    return min(sigma_m, MOST_SIGMA_M)


def _solids(
    people: Sequence[Position], radii_m: list[float], above_m: float, ahead_s: float
) -> Floats:
    """Give (P, K, 3) points whose hull holds each body, `ahead_s` from now."""
    turn = np.arange(TURNS) * 2 * np.pi / TURNS
    round_m = np.column_stack([np.cos(turn), np.sin(turn), np.zeros(TURNS)])
    solids = []
    for person, radius_m in zip(people, radii_m, strict=True):
        top_m = max(person.height_m, MIN_HEIGHT_M) + HEADROOM_M + above_m
        rings = [
            scale * radius_m * round_m + [0, 0, up]
            for scale, up in ((0.8, -above_m / 2), (1.0, 0.6 * top_m), (HEAD_SHARE, top_m))
        ]
        moved = np.array([*person.velocity_m_s, 0.0]) * ahead_s
        solids.append(np.array(person.xyz_m) + moved + np.concatenate(rings))
    return np.array(solids).reshape(-1, 3 * TURNS, 3)


def in_picture(camera: CameraModel, points_m: Floats) -> View:
    """Give (P, K, 2) pixels, some outside the picture, and which of them mean anything."""
    pose = camera.camera_from_mine
    flat = points_m.reshape(-1, 3) @ pose[:3, :3].T + pose[:3, 3]
    off_axis = np.arctan2(np.hypot(flat[:, 0], flat[:, 1]), flat[:, 2])
    good = (off_axis <= camera.max_angle_rad) & (np.linalg.norm(flat, axis=1) > NEAREST_M)
    pixels = np.zeros((len(flat), 2))
    if good.any():
        pixels[good] = distort(camera, flat[good])
    shape = points_m.shape[:2]
    return pixels.reshape(*shape, 2), good.reshape(shape)


def axes_m(people: Sequence[Position]) -> Floats:
    """Give (P, K, 3) points along each body's axis and as far beside it as shoulders are."""
    sides = SHOULDER_M * np.array([[0, 0, 0], [1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]])
    axes = []
    for person in people:
        up = np.linspace(0, 1, LEVELS)[:, None] * [0, 0, max(person.height_m, MIN_HEIGHT_M)]
        axes.append((np.array(person.xyz_m) + up[:, None] + sides).reshape(-1, 3))
    return np.array(axes)
