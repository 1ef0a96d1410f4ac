"""Fit the turn of a camera to points seen before and after, robustly, and say how sure it is.

Knows nothing about where the points come from. Directions are unit vectors in the camera's frame;
"small px" are pixels of the shrunk picture that points are found in.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from scene.arrays import Bools, Floats
from scene.geometry import CameraModel, distort, undistort

AGREE_PX = 1.0
"""Small px within which a point agrees with a turn."""
ROUNDS = 160
NOISE_PX = 0.3
"""At least so badly, small px, a point is found."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fit:
    """A turn, and what points say to it."""

    turn: Floats
    """(3, 3) rotation."""
    off_px: Floats
    """(N, 2) from where a point was found to where the turn puts it, small px."""

    @property
    def miss_px(self) -> Floats:
        """(N,) small px."""
        return np.asarray(np.linalg.norm(self.off_px, axis=1))

    @property
    def agreeing(self) -> Bools:
        """(N,) which points agree."""
        return np.asarray(self.miss_px < AGREE_PX)


def small_turn(rotation: Floats) -> Floats:
    """Give the rotation vector (3,), rad, of a (3, 3) rotation."""
    return np.asarray(cv2.Rodrigues(rotation)[0], float).ravel()


def rotation_of(vector: Floats) -> Floats:
    """Give the (3, 3) rotation by a vector (3,), rad."""
    return np.asarray(cv2.Rodrigues(np.asarray(vector, float).reshape(3, 1))[0], float)


def picture_shift_px(camera: CameraModel, turn: Floats, share: float = 0.5) -> float:
    """Tell by how much a turn of the camera moves its picture: the median over it, px.

    Another `share` gives the shift that so much of the picture stays below: a roll moves the edges,
    where neighbours overlap, more than the middle.
    """
    width, height = camera.size_px
    u, v = np.meshgrid(np.linspace(0.1, 0.9, 9) * width, np.linspace(0.1, 0.9, 7) * height)
    pixels = np.column_stack([u.ravel(), v.ravel()])
    moved = distort(camera, undistort(camera, pixels) @ turn.T)
    return float(np.quantile(np.linalg.norm(moved - pixels, axis=1), share))


def two_point(was: Floats, seen: Floats, limit: float) -> Floats:
    """Find the rotation that most of (N, 3) directions agree with, from two at a time.

    Brown, Hartley, Nister, "Minimal solutions for panoramic stitching", CVPR 2007. The same
    directions give the same rotation.
    """
    rng = np.random.default_rng(0)
    pairs = rng.integers(0, len(was), (ROUNDS, 2))
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    turns = _frames(seen[pairs[:, 0]], seen[pairs[:, 1]]) @ np.swapaxes(
        _frames(was[pairs[:, 0]], was[pairs[:, 1]]), 1, 2
    )
    turns = np.concatenate([np.eye(3)[None], turns])
    miss = np.linalg.norm(np.einsum("hij,nj->hni", turns, was) - seen[None], axis=2)
    return np.asarray(turns[int(np.maximum(0, 1 - (miss / limit) ** 2).sum(axis=1).argmax())])


def _frames(u: Floats, v: Floats) -> Floats:
    """Give (H, 3, 3) right-handed frames (in columns) that two directions each span."""
    middle, side = u + v, np.cross(u, v)
    middle = middle / np.maximum(np.linalg.norm(middle, axis=1, keepdims=True), 1e-12)
    side = side / np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-12)
    return np.stack([middle, side, np.cross(middle, side)], axis=2)


def refined(
    camera: CameraModel, ahead: Floats, found_px: Floats, turn: Floats, scale: float
) -> Fit:
    """Fit a turn to all points that agree: Gauss-Newton, weights that fall with the miss.

    `ahead` are (N, 3) directions before, `found_px` (N, 2) camera pixels now, `scale` small px per
    px.
    """
    for _ in range(6):
        miss = (distort(camera, ahead @ turn.T) - found_px) * scale
        size = np.linalg.norm(miss, axis=1)
        near = size < 3 * AGREE_PX
        if near.sum() < 3:
            break
        weight = np.where(near, 1 / np.maximum(size, 0.5), 0.0)
        slopes = _slopes(camera, ahead, turn) * scale
        normal = np.einsum("nij,n,nik->jk", slopes, weight, slopes) + 1e-9 * np.eye(3)
        step = np.linalg.solve(normal, np.einsum("nij,n,ni->j", slopes, weight, miss))
        turn = rotation_of(-step) @ turn
    return Fit(turn=turn, off_px=(distort(camera, ahead @ turn.T) - found_px) * scale)


def _slopes(camera: CameraModel, ahead: Floats, turn: Floats) -> Floats:
    """Give (N, 2, 3) pixels per small turn (rad) about the camera's axes."""
    turned, step = ahead @ turn.T, 1e-5
    here = distort(camera, turned)
    return np.stack(
        [
            (distort(camera, turned @ rotation_of(step * axis).T) - here) / step
            for axis in np.eye(3)
        ],
        axis=2,
    )


def turn_covariance(camera: CameraModel, ahead: Floats, fit: Fit, scale: float) -> Floats:
    """Give the (3, 3) covariance of a turn fitted to (N, 3) directions, rad2."""
    slopes = _slopes(camera, ahead[fit.agreeing], fit.turn) * scale
    noise = max(NOISE_PX, float(np.sqrt(np.mean(fit.miss_px[fit.agreeing] ** 2))))
    normal = np.einsum("nij,nik->jk", slopes, slopes)
    return np.asarray(noise**2 * np.linalg.inv(normal + 1e-9 * np.eye(3)))
