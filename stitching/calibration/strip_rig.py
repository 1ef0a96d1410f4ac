"""Calibrate cameras that are strung along a roadway or a face: poses, lens, all in mine metres.

Knows nothing about panoramas but the ribbon on which neighbours are matched.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from scene.arrays import Bools, Bytes
from scene.floor import Floor
from scene.geometry import CameraModel
from scene.ribbon import Ribbon
from scene.site import RigConfig
from stitching.calibration.features import Matches
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
from stitching.calibration.strip_guess import LEAST_POINTS, check_above, drawn_pose, guess_cameras
from stitching.calibration.strip_ties import match_on_ribbon
from stitching.calibration.survey import Survey, check_fit, check_pixels
from stitching.lens import lens_prior, with_usable_angle

RibbonOf = Callable[[list[CameraModel]], Ribbon]

GATES_PX = (20.0, 6.0, 3.0)
"""Matches further off than this, at 1280 px width, are left out, round by round."""
LEAST_MATCHES = 6


def solve_strip_rig(
    lumas: dict[str, Bytes],
    config: RigConfig,
    survey: Survey | None,
    ribbon_of: RibbonOf,
    report: Progress,
    *,
    floor: Floor,
) -> Solved:
    """Find the cameras of (H, W) lumas by name, each in its own place above the floor.

    Every camera needs 4 points of its own (surveyed, or markers' corners) or a pose in
    `config.poses`; `ribbon_of` chooses a ribbon for cameras. Raises `RigError` that names the
    camera or the point and the remedy.
    """
    report("placing cameras", 0.05)
    problem, state = _first_guess(lumas, config, survey)
    cameras = strip_cameras(problem, state)
    if survey is not None:
        check_pixels(survey, cameras)
        check_fit(cameras, survey, slack=4.0)
    report("refining by points", 0.15)
    state, doubts = refine_strip(problem, state)
    check_above(floor, strip_cameras(problem, state))
    kept: list[Bools] = []
    for number, gate in enumerate(GATES_PX):
        report("matching on walls and floor", 0.2 + 0.25 * number)
        cameras = [with_usable_angle(camera) for camera in strip_cameras(problem, state)]
        every = match_on_ribbon(cameras, list(lumas.values()), ribbon_of(cameras))
        gates = [gate * cameras[pair.second].size_px[0] / 1280 for pair in every]
        kept = [agreeing(cameras, pair, px) for pair, px in zip(every, gates, strict=True)]
        report("refining by points and matches", 0.35 + 0.25 * number)
        problem = replace(problem, matches=_chosen(every, kept))
        state, doubts = refine_strip(problem, state)
    cameras = [
        replace(with_usable_angle(camera), pose_covariance=doubt.seen)
        for camera, doubt in zip(strip_cameras(problem, state), doubts, strict=True)
    ]
    check_above(floor, cameras)
    if survey is not None:
        check_fit(cameras, survey)
    return Solved(
        cameras=tuple(cameras),
        matches=tuple(every),
        misses_px=tuple(sight_misses(cameras, pair)[:, None] for pair in every),
        kept=tuple(kept),
        place_sigma_m=tuple(doubt.place_sigma_m for doubt in doubts),
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
    cameras = guess_cameras(dict(zip(names, sizes, strict=True)), config, survey)
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
                camera_from_mine=drawn_pose(pose),
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
