"""The terms of a lens that calibration solves for, and how far out a lens can be trusted.

Knows nothing about poses, matches or rigs.
"""

from dataclasses import replace

import numpy as np

from scene.arrays import Bools, Floats
from scene.geometry import CameraModel, Lens, distort, undistort

SHARED = 6
"""Lens terms that all cameras share: log of focal length / width, k1, k2, p1, p2, k3."""
K3 = 5
"""The shared term k3, which `lens_prior` holds at nothing."""
OWN = 3
"""Lens terms of each camera's own: log focal length, and the principal point's shift / width."""


def lens_prior(cameras: list[CameraModel], hfov_known: bool) -> tuple[Floats, Floats]:
    """Give what the lens terms of guessed cameras are expected to be, and how surely."""
    count = len(cameras)
    first = cameras[0]
    prior = np.zeros(SHARED + OWN * count)
    prior[0] = np.log(first.k[0, 0] / first.size_px[0])
    sigma = np.zeros_like(prior)
    fisheye = first.lens == "fisheye"
    sigma[:SHARED] = [0.15 if hfov_known else 0.7, 0.3, 0.3, 0, 0, 0]
    if not fisheye:
        sigma[3:5] = 0.002
    alike = len({camera.size_px for camera in cameras}) == 1
    sigma[SHARED:] = np.tile([0.02 if alike else 0.3, 0.01, 0.01], count)
    if count == 1:
        sigma[SHARED:] = [0, 0.005, 0.005]
    return prior, sigma


def camera_of_terms(
    *, name: str, size_px: tuple[int, int], lens: Lens, terms: Floats, index: int, pose: Floats
) -> CameraModel:
    """Write the `index`-th camera's lens terms and its (4, 4) `camera_from_mine` as a camera.

    `terms` are those of the whole rig, (6 + 3 N,).
    """
    width, height = size_px
    log_focal, k1, k2, p1, p2, k3 = terms[:SHARED]
    own = terms[SHARED + OWN * index : SHARED + OWN * (index + 1)]
    focal = width * np.exp(np.clip(log_focal + own[0], -4, 4))
    fisheye = lens == "fisheye"
    return CameraModel(
        name=name,
        size_px=size_px,
        lens=lens,
        k=np.array(
            [
                [focal, 0, (width - 1) / 2 + own[1] * width],
                [0, focal, (height - 1) / 2 + own[2] * width],
                [0, 0, 1],
            ]
        ),
        distortion=np.array([k1, k2, 0, 0] if fisheye else [k1, k2, p1, p2, k3]),
        camera_from_mine=pose,
        pose_covariance=np.zeros((6, 6)),
        max_angle_rad=3.0 if fisheye else 1.5,
    )


def with_usable_angle(camera: CameraModel) -> CameraModel:
    """Give the camera with its cone narrowed to where its lens can be trusted."""
    return replace(camera, max_angle_rad=usable_angle(camera))


def usable_angle(camera: CameraModel) -> float:
    """Give the widest angle off the axis up to which the lens model can be trusted, rad.

    The picture's corners, or where the polynomial folds back, if that comes first.
    """
    ahead, explained = _sights(camera)
    angle = np.arctan2(np.hypot(ahead[:, 0], ahead[:, 1]), ahead[:, 2])
    widest = float(angle[explained].max()) * 1.002 if explained.any() else 0.1
    return min(widest, _fold(camera))


def unexplained_share(camera: CameraModel) -> float:
    """Tell for which share of the picture the lens model has no sight at all.

    Far beyond a few corners, it is the wrong model.
    """
    ahead, explained = _sights(camera)
    angle = np.arctan2(np.hypot(ahead[:, 0], ahead[:, 1]), ahead[:, 2])
    return float(1 - (explained & (angle <= _fold(camera))).mean())


def _sights(camera: CameraModel) -> tuple[Floats, Bools]:
    """Give sights through a grid of pixels, and which of them lead back to their pixel."""
    width, height = camera.size_px
    u, v = np.meshgrid(np.linspace(0, width - 1, 33), np.linspace(0, height - 1, 33))
    pixels = np.column_stack([u.ravel(), v.ravel()])
    ahead = undistort(camera, pixels)
    return ahead, np.linalg.norm(distort(camera, ahead) - pixels, axis=1) < 0.5


def _fold(camera: CameraModel) -> float:
    """Give the angle at which a ray further out lands no further out, rad."""
    limit = 3.1 if camera.lens == "fisheye" else 1.5
    angles = np.linspace(1e-3, limit, 2000)
    rays = np.column_stack([np.sin(angles), np.zeros_like(angles), np.cos(angles)])
    plain = replace(
        camera,
        distortion=camera.distortion * np.array([1, 1, 0, 0, 1])
        if camera.lens == "brown"
        else camera.distortion,
    )
    out = distort(plain, rays)[:, 0]
    folds = np.flatnonzero(np.diff(out) <= 0)
    return float(angles[folds[0]] * 0.995) if len(folds) else limit
