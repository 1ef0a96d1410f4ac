"""Put a rig into the mine: where it hangs and how it is turned, in mine metres.

Knows nothing about pictures. All cameras share one centre; a surveyed point is a line of sight.
"""

from dataclasses import replace

import cv2
import numpy as np

from scene.arrays import Floats
from scene.geometry import CameraModel, pose_from_mount, undistort
from scene.site import MountConfig
from stitching.calibration.rotation import best_rotation
from stitching.calibration.survey import Survey

TRIALS = 4000


def anchor_by_mount(cameras: list[CameraModel], mount: MountConfig) -> list[CameraModel]:
    """Hang the rig where the mount says; the first camera looks along yaw, pitch and roll."""
    first_from_mine = pose_from_mount(
        np.array(mount.xyz_m), mount.yaw_deg, mount.pitch_deg, mount.roll_deg
    )[:3, :3]
    rig_from_mine = cameras[0].camera_from_mine[:3, :3].T @ first_from_mine
    turn, shift = np.radians(mount.sigma_deg) ** 2, mount.sigma_m**2
    covariance = np.diag([turn] * 3 + [shift] * 3)
    return [
        replace(moved, pose_covariance=covariance)
        for moved in placed(cameras, rig_from_mine, np.array(mount.xyz_m))
    ]


def placed(
    cameras: list[CameraModel], rig_from_mine: Floats, centre_m: Floats
) -> list[CameraModel]:
    """Carry cameras from the rig's frame to the mine's."""
    result = []
    for camera in cameras:
        pose = np.eye(4)
        pose[:3, :3] = camera.camera_from_mine[:3, :3] @ rig_from_mine
        pose[:3, 3] = -pose[:3, :3] @ centre_m
        result.append(replace(camera, camera_from_mine=pose))
    return result


def anchor_by_survey(
    cameras: list[CameraModel], survey: Survey, known: list[int]
) -> tuple[Floats, Floats, float]:
    """Find `rig_from_mine` (3, 3) and the centre (3,) from points that the `known` cameras see.

    Tries rotations from all over the sphere: for each, the best centre is linear. The best one is
    polished by turning and solving in turn. Gives also the median angle, rad, by which lines of
    sight miss their points.
    """
    use = np.isin(survey.camera, known)
    directions, points = rig_directions(cameras, survey)[use], survey.points_m[use]
    trials = _random_rotations(TRIALS)
    centres, misses = _centres(trials, directions, points)
    best: tuple[float, Floats, Floats] = (np.inf, np.eye(3), np.zeros(3))
    for index in np.argsort(misses)[:12]:
        rotation, centre = _polished(trials[index], centres[index], directions, points)
        miss = float(np.median(_misses(rotation, centre, directions, points)))
        if miss < best[0]:
            best = (miss, rotation, centre)
    return best[1], best[2], best[0]


def rig_directions(cameras: list[CameraModel], survey: Survey) -> Floats:
    """Give (K, 3) unit lines of sight, in the rig's axes, through the surveyed points' pixels."""
    directions = np.zeros((len(survey.camera), 3))
    for index, camera in enumerate(cameras):
        mine = survey.camera == index
        directions[mine] = undistort(camera, survey.pixels[mine]) @ camera.camera_from_mine[:3, :3]
    return directions


def rotation_of_camera(
    camera: CameraModel, pixels: Floats, points_m: Floats, centre_m: Floats
) -> Floats:
    """Give one camera's (3, 3) rotation from the mine, its centre known, from surveyed points."""
    away = points_m - centre_m
    away = away / np.linalg.norm(away, axis=1, keepdims=True)
    return best_rotation(away, undistort(camera, pixels))


def _random_rotations(count: int) -> Floats:
    """Give (count, 3, 3) rotations spread evenly, always the same ones (Shoemake 1992)."""
    u, v, w = np.random.default_rng(20).random((3, count))
    a, b = np.sqrt(1 - u), np.sqrt(u)
    x, y = a * np.sin(2 * np.pi * v), a * np.cos(2 * np.pi * v)
    z, s = b * np.sin(2 * np.pi * w), b * np.cos(2 * np.pi * w)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - s * z), 2 * (x * z + s * y)],
        [2 * (x * y + s * z), 1 - 2 * (x * x + z * z), 2 * (y * z - s * x)],
        [2 * (x * z - s * y), 2 * (y * z + s * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.array(rows).transpose(2, 0, 1)


def _centres(rotations: Floats, directions: Floats, points_m: Floats) -> tuple[Floats, Floats]:
    """Give each rotation's best centre (T, 3) and mean miss (T,), 1 - cos of the angle."""
    sight = np.einsum("tij,kj->tki", rotations.transpose(0, 2, 1), directions)
    across = np.eye(3) - sight[..., :, None] * sight[..., None, :]
    normal = across.sum(axis=1) + 1e-9 * np.eye(3)
    target = np.einsum("tkij,kj->ti", across, points_m)
    centres = np.linalg.solve(normal, target[..., None])[..., 0]
    away = points_m[None] - centres[:, None]
    away = away / np.maximum(np.linalg.norm(away, axis=2, keepdims=True), 1e-9)
    return centres, np.asarray(np.mean(1 - (away * sight).sum(axis=2), axis=1))


def _polished(
    rotation: Floats, centre: Floats, directions: Floats, points_m: Floats
) -> tuple[Floats, Floats]:
    """Take Gauss-Newton steps over turn and place on the angle between sight and point."""
    damping = 1e-3
    error, jacobian = _sight_slopes(rotation, centre, directions, points_m)
    for _ in range(60):
        normal, slope = jacobian.T @ jacobian, jacobian.T @ error
        step = np.linalg.solve(normal + damping * np.diag(np.diag(normal) + 1e-12), -slope)
        turned = cv2.Rodrigues(step[:3])[0] @ rotation
        trial = _sight_slopes(turned, centre + step[3:], directions, points_m)
        if trial[0] @ trial[0] < error @ error:
            done = error @ error - trial[0] @ trial[0] < 1e-14
            rotation, centre, damping = turned, centre + step[3:], damping / 5
            error, jacobian = trial
            if done:
                break
        else:
            damping *= 8
            if damping > 1e9:
                break
    return rotation, centre


def _sight_slopes(
    rotation: Floats, centre: Floats, directions: Floats, points_m: Floats
) -> tuple[Floats, Floats]:
    away = (points_m - centre) @ rotation.T
    reach = np.maximum(np.linalg.norm(away, axis=1), 1e-6)
    unit = away / reach[:, None]
    error = (unit - directions).ravel()
    across = (np.eye(3) - unit[:, :, None] * unit[:, None, :]) / reach[:, None, None]
    by_turn = across @ -np.stack([_cross(v) for v in away])
    by_centre = across @ -rotation
    return error, np.concatenate([by_turn, by_centre], axis=2).reshape(-1, 6)


def _misses(rotation: Floats, centre: Floats, directions: Floats, points_m: Floats) -> Floats:
    away = (points_m - centre) @ rotation.T
    away = away / np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-9)
    return np.asarray(2 * np.arcsin(np.clip(np.linalg.norm(away - directions, axis=1) / 2, 0, 1)))


def _cross(v: Floats) -> Floats:
    return np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0.0]])
