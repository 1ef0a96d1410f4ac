"""Guess where each camera of a strip rig hangs, by its own points or its drawn pose, and its lens.

Knows nothing about matches between cameras, nor how the guess is refined.
"""

from dataclasses import replace

import numpy as np

from scene.arrays import Floats, Ints
from scene.errors import RigError
from scene.floor import Floor
from scene.geometry import CameraModel, pose_from_mount
from scene.site import PoseConfig, RigConfig
from stitching.calibration.lens_guess import (
    BROWN_K1_GUESSES,
    FISHEYE_GUESSES_DEG,
    HFOV_GUESSES_DEG,
)
from stitching.calibration.resection import Pose, resect
from stitching.calibration.rotation import ideal_camera
from stitching.calibration.survey import MIN_SPREAD, Survey, survey_weights

LEAST_POINTS = 4
UNFIT_SIGMAS = 6.0
UNFIT_PX = 3.0
"""A pose does not fit whose rms miss of K points is beyond this, and so many sigmas over root K.

Measured (clicks to half a pixel, points to 5 mm, 4 to 7 m off, 763 px focal length): the wrong pose
of one 20 cm marker misses by 0.6 px in the middle and fits better than the right one in 45 % of
cases, that of a 50 cm marker by 1.9 px (2 %), of two 20 cm ones 2 m apart on one wall by 4.3 px
(never).
"""
FURTHEST_OUT_M = 3.0
"""Cameras hang on a roadway's walls or roof: further beyond its floor is a mistake."""


def drawn_pose(pose: PoseConfig) -> Floats:
    """Give `camera_from_mine` (4, 4) of a pose in `rig.poses`."""
    return pose_from_mount(np.array(pose.xyz_m), pose.yaw_deg, pose.pitch_deg, pose.roll_deg)


def guess_cameras(
    sizes_px: dict[str, tuple[int, int]], config: RigConfig, survey: Survey | None
) -> list[CameraModel]:
    """Guess the cameras of these names, of one lens, in the order given.

    Raises `RigError` that names a camera that its points don't place and that has no pose.
    """
    drawn = {pose.camera: drawn_pose(pose) for pose in config.poses}
    points = _own_points(list(sizes_px), survey, set(drawn))
    best: tuple[float, list[CameraModel], dict[str, tuple[Pose, ...]]] = (np.inf, [], {})
    for hfov, k1 in _lens_guesses(config, survey is not None):
        cameras, misses, found = [], [], {}
        for name, size in sizes_px.items():
            camera = ideal_camera(name, size, config.lens.kind, hfov, k1)
            if name in points:
                assert survey is not None
                mine = points[name]
                found[name] = resect(
                    camera,
                    survey.pixels[mine],
                    survey.points_m[mine],
                    float(survey.sigma_m[mine].max()),
                )
                misses.append(found[name][0].miss_px / size[0] if found[name] else 1.0)
            if found.get(name):
                pose = found[name][0].camera_from_mine
            elif name in drawn:
                pose = drawn[name]
            else:
                continue
            cameras.append(replace(camera, camera_from_mine=pose))
        score = float(np.mean(misses)) if misses else 0.0
        if len(cameras) == len(sizes_px) and score < best[0]:
            best = (score, cameras, found)
    if not best[1]:
        raise RigError(
            "rig.survey_points: no pose of the cameras fits them; check the order x, y, z, the "
            "signs (y is left, z is up), the unit (metres), and which pixel belongs to which point"
        )
    return [
        _of_two(camera, best[2][camera.name], survey, points[camera.name], drawn.get(camera.name))
        if survey is not None and len(best[2].get(camera.name, ())) > 1
        else camera
        for camera in best[1]
    ]


def _of_two(
    camera: CameraModel,
    found: tuple[Pose, ...],
    survey: Survey,
    mine: Ints,
    drawn: Floats | None,
) -> CameraModel:
    """Choose between two poses that a flat patch of points allows: by the fit, else the drawing."""
    first, second = found[:2]
    seen = replace(
        survey,
        camera=survey.camera[mine],
        pixels=survey.pixels[mine],
        points_m=survey.points_m[mine],
        sigma_m=survey.sigma_m[mine],
    )
    weights = survey_weights(seen, np.full(len(mine), camera.k[0, 0]), first.centre_m)
    noise_px = float(np.median(1 / np.sqrt(weights)))
    if second.rms_px > max(UNFIT_SIGMAS * noise_px / np.sqrt(len(mine)), UNFIT_PX):
        return camera
    if drawn is None:
        raise RigError(
            f"camera {camera.name}: its points lie in so small and flat a patch that two places "
            "fit; hang a second marker on another wall or the floor (on the same wall: 2 m off), "
            "survey points off that plane, or give its pose in rig.poses"
        )
    centre = -drawn[:3, :3].T @ drawn[:3, 3]
    nearer = min((first, second), key=lambda one: float(np.linalg.norm(one.centre_m - centre)))
    return replace(camera, camera_from_mine=nearer.camera_from_mine)


def check_above(floor: Floor, cameras: list[CameraModel]) -> None:
    """Refuse a camera that would hang far off the roadway or under its floor."""
    for camera in cameras:
        xy = camera.centre_m[None, :2]
        outside, height = float(floor.outside_m(xy)[0]), camera.centre_m[2] - floor.z_m(xy)[0]
        if outside <= FURTHEST_OUT_M and height >= 0:
            continue
        x, y, z = camera.centre_m
        where = (
            f"{outside:.1f} m beyond the floor"
            if outside > FURTHEST_OUT_M
            else f"{-height:.1f} m under the floor"
        )
        raise RigError(
            f"camera {camera.name}: would hang at {x:.1f}, {y:.1f}, {z:.1f}, {where}; check its "
            "survey points, markers or pose (the unit is metres; the order x, y, z; the signs: "
            "y is left, z is up), survey more points spread over its picture, and check "
            "floor.centre_line_m"
        )


def _lens_guesses(config: RigConfig, surveyed: bool) -> list[tuple[float, float]]:
    fisheye, hfov = config.lens.kind == "fisheye", config.lens.hfov_deg
    if hfov is None and not surveyed:
        raise RigError(
            "rig.lens.hfov_deg: poses alone don't tell the lens; give the lens's horizontal field "
            "of view, or survey points"
        )
    k1s = (0.0,) if fisheye else BROWN_K1_GUESSES
    every = FISHEYE_GUESSES_DEG if fisheye else HFOV_GUESSES_DEG
    return [(guess, k1) for guess in ((hfov,) if hfov else every) for k1 in k1s]


def _own_points(names: list[str], survey: Survey | None, drawn: set[str]) -> dict[str, Ints]:
    """List the rows of the survey of each camera whose own points can place it.

    Refuses a camera that has neither points enough nor a pose, or whose points lie on a line.
    """
    points = {}
    seeing = np.zeros(0, int) if survey is None else survey.camera
    for index, name in enumerate(names):
        mine = np.flatnonzero(seeing == index)
        if len(mine) < LEAST_POINTS:
            if name in drawn:
                continue
            raise RigError(
                f"camera {name}: can't be registered: it sees {len(mine)} survey points and marker "
                f"corners, and needs {LEAST_POINTS}; survey more points in its picture, hang a "
                "marker there, or give its pose in rig.poses"
            )
        assert survey is not None
        places = survey.points_m[mine]
        extents = np.linalg.svd(places - places.mean(axis=0), compute_uv=False)
        if extents[1] > MIN_SPREAD * extents[0]:
            points[name] = mine
        elif name not in drawn:
            raise RigError(
                f"camera {name}: its survey points lie on one line, so it could turn round that "
                "line (one point with wrong coordinates, far off, looks like that, too); survey "
                "points at different heights and on both walls"
            )
    return points
