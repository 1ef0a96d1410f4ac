"""Calibrate cameras that are strung along a roadway or a face: poses, lens, all in mine metres.

Knows nothing about panoramas but the ribbon on which neighbours are matched.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from scene.arrays import Bools, Bytes, Ints
from scene.errors import RigError
from scene.geometry import CameraModel, pose_from_mount
from scene.ribbon import Ribbon
from scene.site import RigConfig
from stitching.calibration.features import Matches
from stitching.calibration.resection import resect
from stitching.calibration.rotation import (
    BROWN_K1_GUESSES,
    FISHEYE_GUESSES_DEG,
    HFOV_GUESSES_DEG,
    ideal_camera,
)
from stitching.calibration.solved import Progress, Solved
from stitching.calibration.strip_bundle import (
    PosePrior,
    StripProblem,
    StripState,
    agreeing,
    refine_strip,
    sight_misses,
    strip_cameras,
)
from stitching.calibration.strip_ties import match_on_ribbon
from stitching.calibration.survey import MIN_SPREAD, Survey, check_fit, check_survey
from stitching.lens import lens_prior, with_usable_angle

RibbonOf = Callable[[list[CameraModel]], Ribbon]

LEAST_POINTS = 4
GATES_PX = (20.0, 6.0, 3.0)
"""Matches further off than this, at 1280 px width, are left out, round by round."""
LEAST_MATCHES = 6


def solve_strip_rig(
    lumas: dict[str, Bytes],
    config: RigConfig,
    survey: Survey | None,
    ribbon_of: RibbonOf,
    report: Progress,
) -> Solved:
    """Find the cameras of (H, W) lumas by name, each in its own place.

    Every camera needs 4 points of its own (surveyed, or markers' corners) or a pose in
    `config.poses`; `ribbon_of` chooses a ribbon for cameras. Raises `RigError` that names the
    camera or the point and the remedy.
    """
    report("placing cameras", 0.05)
    problem, state = _first_guess(lumas, config, survey)
    cameras = strip_cameras(problem, state)
    if survey is not None:
        check_survey(survey, cameras)
        check_fit(cameras, survey, slack=4.0)
    report("refining by points", 0.15)
    state, covariances = refine_strip(problem, state)
    kept: list[Bools] = []
    for number, gate in enumerate(GATES_PX):
        report("matching on walls and floor", 0.2 + 0.25 * number)
        cameras = [with_usable_angle(camera) for camera in strip_cameras(problem, state)]
        every = match_on_ribbon(cameras, list(lumas.values()), ribbon_of(cameras))
        gates = [gate * cameras[pair.second].size_px[0] / 1280 for pair in every]
        kept = [agreeing(cameras, pair, px) for pair, px in zip(every, gates, strict=True)]
        report("refining by points and matches", 0.35 + 0.25 * number)
        problem = replace(problem, matches=_chosen(every, kept))
        state, covariances = refine_strip(problem, state)
    cameras = [
        replace(with_usable_angle(camera), pose_covariance=covariance)
        for camera, covariance in zip(strip_cameras(problem, state), covariances, strict=True)
    ]
    if survey is not None:
        check_fit(cameras, survey)
    return Solved(
        cameras=tuple(cameras),
        matches=tuple(every),
        misses_px=tuple(sight_misses(cameras, pair)[:, None] for pair in every),
        kept=tuple(kept),
    )


def _chosen(every: list[Matches], kept: list[Bools]) -> tuple[Matches, ...]:
    return tuple(
        replace(pair, first_px=pair.first_px[keep], second_px=pair.second_px[keep])
        for pair, keep in zip(every, kept, strict=True)
        if keep.sum() >= LEAST_MATCHES
    )


def _first_guess(
    lumas: dict[str, Bytes], config: RigConfig, survey: Survey | None
) -> tuple[StripProblem, StripState]:
    """Guess one lens for all cameras, and from it every pose."""
    names = list(lumas)
    sizes = [(luma.shape[1], luma.shape[0]) for luma in lumas.values()]
    drawn = {pose.camera: pose for pose in config.poses}
    seeing = np.zeros(0, int) if survey is None else survey.camera
    points: list[Ints] = [np.flatnonzero(seeing == index) for index in range(len(names))]
    _check_points(names, points, survey, set(drawn))
    best: tuple[float, list[CameraModel]] = (np.inf, [])
    for hfov, k1 in _lens_guesses(config, survey is not None):
        cameras, misses = [], []
        for index, name in enumerate(names):
            camera = ideal_camera(name, sizes[index], config.lens.kind, hfov, k1)
            if len(points[index]) >= LEAST_POINTS:
                assert survey is not None
                found = resect(camera, survey.pixels[points[index]], survey.points_m[points[index]])
                if found is None:
                    misses.append(1.0)
                    continue
                cameras.append(replace(camera, camera_from_mine=found[0]))
                misses.append(found[1] / sizes[index][0])
            else:
                pose = drawn[name]
                cameras.append(
                    replace(
                        camera,
                        camera_from_mine=pose_from_mount(
                            np.array(pose.xyz_m), pose.yaw_deg, pose.pitch_deg, pose.roll_deg
                        ),
                    )
                )
        score = float(np.mean(misses)) if misses else 0.0
        if len(cameras) == len(names) and score < best[0]:
            best = (score, cameras)
    if not best[1]:
        raise RigError(
            "rig.survey_points: no pose of the cameras fits them; check the order x, y, z, the "
            "signs (y is left, z is up), the unit (metres), and which pixel belongs to which point"
        )
    cameras = best[1]
    prior, sigma = lens_prior(cameras, config.lens.hfov_deg is not None)
    prior[1] = 0.0
    if survey is None or len(survey.camera) < LEAST_POINTS:
        sigma[:5] = np.minimum(sigma[:5], 0.02)
    terms = prior.copy()
    terms[1] = cameras[0].distortion[0]
    problem = StripProblem(
        names=tuple(names),
        sizes_px=tuple(sizes),
        lens=config.lens.kind,
        survey=survey,
        poses=tuple(
            PosePrior(
                camera=names.index(pose.camera),
                camera_from_mine=pose_from_mount(
                    np.array(pose.xyz_m), pose.yaw_deg, pose.pitch_deg, pose.roll_deg
                ),
                sigma_rad=float(np.radians(pose.sigma_deg)),
                sigma_m=pose.sigma_m,
            )
            for pose in config.poses
        ),
        matches=(),
        prior=prior,
        prior_sigma=sigma,
    )
    poses = np.stack([camera.camera_from_mine for camera in cameras])
    return problem, StripState(camera_from_mine=poses, terms=terms)


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


def _check_points(
    names: list[str], points: list[Ints], survey: Survey | None, drawn: set[str]
) -> None:
    """Refuse a camera that has neither points enough nor a pose, or whose points lie on a line."""
    for name, mine in zip(names, points, strict=True):
        if name in drawn:
            continue
        if len(mine) < LEAST_POINTS:
            raise RigError(
                f"camera {name}: can't be registered: it sees {len(mine)} survey points and marker "
                f"corners, and needs {LEAST_POINTS}; survey more points in its picture, hang a "
                "marker there, or give its pose in rig.poses"
            )
        assert survey is not None
        places = survey.points_m[mine]
        extents = np.linalg.svd(places - places.mean(axis=0), compute_uv=False)
        if extents[1] < MIN_SPREAD * extents[0]:
            raise RigError(
                f"camera {name}: its survey points lie on one line, so it could turn round that "
                "line; survey points at different heights and on both walls"
            )
