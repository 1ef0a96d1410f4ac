"""Calibrate cameras that are fanned out from one place: lens, rotations and, surveyed, the place.

Knows nothing about panoramas or strip rigs.
"""

import itertools
from dataclasses import replace

import numpy as np

from scene.arrays import Bools, Bytes
from scene.errors import RigError
from scene.geometry import CameraModel
from scene.site import RigConfig
from stitching.calibration import features
from stitching.calibration.anchor import (
    anchor_by_mount,
    anchor_by_survey,
    placed,
    rotation_of_camera,
)
from stitching.calibration.bundle import (
    Problem,
    State,
    cameras_of,
    pose_covariances,
    refine,
    start_state,
    transfer_error,
)
from stitching.calibration.features import Matches
from stitching.calibration.rotation import (
    FISHEYE_GUESSES_DEG,
    HFOV_GUESSES_DEG,
    Turn,
    chain,
    guess_lens,
    ideal_camera,
    turn_of_pair,
)
from stitching.calibration.solved import Progress, Solved
from stitching.calibration.survey import Survey, check_fit, check_survey
from stitching.lens import lens_prior, with_usable_angle

MIN_POINTS_OF_CAMERA = 3
"""So many surveyed points register a camera that shares nothing with its neighbours."""


def solve_rotation_rig(
    lumas: dict[str, Bytes], config: RigConfig, survey: Survey | None, report: Progress
) -> Solved:
    """Find the cameras of (H, W) lumas by name, all of one centre.

    Lens, rotations and, from the `survey`, the place are refined together by robust least squares;
    without one the rig hangs where `config.mount` says, as surely as that says. Raises `RigError`
    that names the camera or the point and the remedy.
    """
    names = list(lumas)
    sizes = [(luma.shape[1], luma.shape[0]) for luma in lumas.values()]
    pairs = _pairs(lumas, report)
    report("guessing the lens", 0.55)
    cameras, linked = _first_guess(
        names=names, sizes=sizes, pairs=pairs, survey=survey, config=config
    )
    pairs = [pair for pair in pairs if pair.first in linked and pair.second in linked]
    prior, sigma = lens_prior(cameras, config.lens.hfov_deg is not None)
    problem = Problem(
        names=tuple(names),
        sizes_px=tuple(sizes),
        lens=config.lens.kind,
        pairs=tuple(_true_pairs(cameras, pairs)),
        survey=None,
        prior=prior,
        prior_sigma=sigma,
    )
    state = start_state(problem, cameras)
    kept: list[Bools] = []
    if problem.pairs:
        state, kept = refine(problem, state, lambda share: report("refining", 0.6 + 0.3 * share))
    report("anchoring", 0.9)
    if survey is None:
        assert config.mount is not None
        moved = anchor_by_mount(cameras_of(problem, state), config.mount)
    else:
        problem, state, kept = _anchored(problem, state, survey, linked)
        covariances = pose_covariances(problem, state, kept)
        moved = [
            replace(camera, pose_covariance=covariance)
            for camera, covariance in zip(cameras_of(problem, state), covariances, strict=True)
        ]
        check_fit(moved, survey)
    return Solved(
        cameras=tuple(with_usable_angle(camera) for camera in moved),
        matches=problem.pairs,
        misses_px=tuple(transfer_error(moved, pair) for pair in problem.pairs),
        kept=tuple(kept),
        place_sigma_m=tuple(
            float(np.sqrt(np.trace(camera.pose_covariance[3:, 3:]))) for camera in moved
        ),
    )


def _pairs(lumas: dict[str, Bytes], report: Progress) -> list[Matches]:
    found = []
    for index, (name, luma) in enumerate(lumas.items()):
        report(f"finding points of {name}", 0.3 * index / len(lumas))
        found.append(features.find(luma))
    all_pairs = list(itertools.combinations(range(len(found)), 2))
    pairs = []
    for number, (i, j) in enumerate(all_pairs):
        report("matching", 0.3 + 0.25 * number / len(all_pairs))
        first_px, second_px = features.match(found[i], found[j])
        pairs.append(Matches(first=i, second=j, first_px=first_px, second_px=second_px))
    return pairs


def _first_guess(
    *,
    names: list[str],
    sizes: list[tuple[int, int]],
    pairs: list[Matches],
    survey: Survey | None,
    config: RigConfig,
) -> tuple[list[CameraModel], list[int]]:
    """Guess lens and rotations; gives the cameras and those that are linked to each other."""
    kind, hfov = config.lens.kind, config.lens.hfov_deg
    if len(names) == 1:
        if hfov is None:
            if survey is None:
                raise RigError(
                    f"camera {names[0]}: one camera alone does not tell its lens; give "
                    "rig.lens.hfov_deg, or at least 4 rig.survey_points"
                )
            hfov = _hfov_by_survey(names[0], sizes[0], survey, kind)
        return [ideal_camera(names[0], sizes[0], kind, hfov, 0.0)], [0]
    usable = [pair for pair in pairs if len(pair.first_px) >= features_needed()]
    cameras = guess_lens(names, sizes, usable, kind, hfov)
    if not cameras:
        cameras = [
            ideal_camera(name, size, kind, hfov or 70.0, 0.0)
            for name, size in zip(names, sizes, strict=True)
        ]
    turns = [turn_of_pair(cameras, pair) for pair in usable]
    cameras, linked = chain(cameras, turns)
    for index, name in enumerate(names):
        seen = 0 if survey is None else int((survey.camera == index).sum())
        if index not in linked and seen < MIN_POINTS_OF_CAMERA:
            raise _unlinked(name, index, names, turns, pairs)
    return cameras, linked


def features_needed() -> int:
    """Tell how many matches a pair must have to be looked at at all."""
    return 10


def _unlinked(
    name: str, index: int, names: list[str], turns: list[Turn], pairs: list[Matches]
) -> RigError:
    agree = {
        turn.matches.first + turn.matches.second - index: int(turn.agreeing.sum())
        for turn in turns
        if index in (turn.matches.first, turn.matches.second)
    }
    best = max(agree, key=lambda other: agree[other], default=None)
    if best is None:
        seen = "has no points in common with any other camera"
    else:
        seen = f"has only {agree[best]} points in common with {names[best]}, its best neighbour"
    return RigError(
        f"camera {name}: can't be registered: it {seen}. Turn it so that it overlaps a "
        "neighbour by at least 15 %, give it more light or texture, check that it hangs within "
        f"0.2 m of the others, or survey {MIN_POINTS_OF_CAMERA} points in its picture"
    )


def _true_pairs(cameras: list[CameraModel], pairs: list[Matches]) -> list[Matches]:
    """Keep the pairs that really overlap under the guessed rig."""
    result = []
    for pair in pairs:
        if len(pair.first_px) < features_needed():
            continue
        width = cameras[pair.second].size_px[0]
        near = np.linalg.norm(transfer_error(cameras, pair), axis=1) < 0.04 * width
        if near.sum() >= 12 and near.mean() > 0.15:
            result.append(pair)
    return result


def _hfov_by_survey(name: str, size: tuple[int, int], survey: Survey, kind: str) -> float:
    guesses = FISHEYE_GUESSES_DEG if kind == "fisheye" else HFOV_GUESSES_DEG
    misses = []
    for hfov in guesses:
        camera = ideal_camera(name, size, "fisheye" if kind == "fisheye" else "brown", hfov, 0.0)
        misses.append(anchor_by_survey([camera], survey, [0])[2] / hfov)
    return guesses[int(np.argmin(misses))]


def _anchored(
    problem: Problem, state: State, survey: Survey, linked: list[int]
) -> tuple[Problem, State, list[Bools]]:
    """Hang the rig by its surveyed points, then refine everything together once more."""
    cameras = cameras_of(problem, state)
    check_survey(survey, cameras)
    if np.isin(survey.camera, linked).sum() < 4:
        raise RigError(
            "rig.survey_points: fewer than 4 lie in cameras that overlap each other "
            f"({', '.join(problem.names[i] for i in linked)}); survey more points there"
        )
    rig_from_mine, centre, _ = anchor_by_survey(cameras, survey, linked)
    moved = placed(cameras, rig_from_mine, centre)
    rotations = np.stack([camera.camera_from_mine[:3, :3] for camera in moved])
    for index, camera in enumerate(moved):
        if index not in linked:
            seen = survey.camera == index
            rotations[index] = rotation_of_camera(
                camera, survey.pixels[seen], survey.points_m[seen], centre
            )
    problem = replace(problem, survey=survey)
    state = State(rotations=rotations, lens=state.lens, centre_m=centre)
    check_fit(cameras_of(problem, state), survey, slack=4.0)
    state, kept = refine(problem, state)
    return problem, state, kept
