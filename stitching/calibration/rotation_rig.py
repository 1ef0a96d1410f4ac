"""Calibrate cameras that are fanned out from one place: lens, rotations and, surveyed, the place.

Knows nothing about panoramas or strip rigs.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace

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
    agreeing,
    cameras_of,
    pose_covariances,
    refine,
    start_state,
    transfer_error,
)
from stitching.calibration.features import Matches
from stitching.calibration.lens_guess import (
    FISHEYE_GUESSES_DEG,
    HFOV_GUESSES_DEG,
    guess_lens,
)
from stitching.calibration.rotation import Turn, chain, closed, ideal_camera, turn_of_pair
from stitching.calibration.solved import Progress, Solved
from stitching.calibration.survey import Survey, check_fit, check_survey
from stitching.lens import K3, lens_prior, with_usable_angle

MIN_POINTS_OF_CAMERA = 3
"""So many surveyed points register a camera that shares nothing with its neighbours."""
K3_SIGMA = 0.1
"""How large a lens's third radial term may well be."""
NEAR = 0.04
"""Of the picture's width: so near must a pair's matches lie under the guessed rig."""
LEAST_FITTING, LEAST_SHARE = 12, 0.15
"""So many of a pair's matches, and such a share of them, make it a pair."""


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
    guess = _first_guess(names=names, sizes=sizes, pairs=pairs, survey=survey, config=config)
    cameras, linked = guess.cameras, guess.linked
    prior, sigma = lens_prior(cameras, config.lens.hfov_deg is not None)
    if config.lens.kind == "brown" and config.lens.hfov_deg is None and len(names) > 1:
        # A lens of which nothing is told may be so wide that k1 and k2 don't reach its corners.
        sigma[K3] = K3_SIGMA
    problem = Problem(
        names=tuple(names),
        sizes_px=tuple(sizes),
        lens=config.lens.kind,
        pairs=tuple(_true_pairs(guess, pairs)),
        survey=None,
        prior=prior,
        prior_sigma=sigma,
    )
    problem, state, kept, outcasts = _refined(
        problem, cameras, lambda share: report("refining", 0.6 + 0.3 * share)
    )
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
        matches=problem.pairs + outcasts,
        misses_px=tuple(transfer_error(moved, pair) for pair in problem.pairs + outcasts),
        kept=(*kept, *agreeing(moved, outcasts)),
        place_sigma_m=tuple(
            float(np.sqrt(np.trace(camera.pose_covariance[3:, 3:]))) for camera in moved
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Guess:
    cameras: list[CameraModel]
    linked: list[int]
    """Indices of the cameras that hang together by strong pairs."""
    turns: list[Turn]
    """The strong pairs."""


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
) -> _Guess:
    """Guess lens and rotations."""
    kind, hfov = config.lens.kind, config.lens.hfov_deg
    if len(names) == 1:
        if hfov is None:
            if survey is None:
                raise RigError(
                    f"camera {names[0]}: one camera alone does not tell its lens; give "
                    "rig.lens.hfov_deg, or at least 4 rig.survey_points"
                )
            hfov = _hfov_by_survey(names[0], sizes[0], survey, kind)
        camera = ideal_camera(names[0], sizes[0], kind, hfov, 0.0)
        return _Guess(cameras=[camera], linked=[0], turns=[])
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
    strong = [turn for turn in turns if turn.strong and set(turn.link) <= set(linked)]
    return _Guess(cameras=closed(cameras, linked, strong), linked=linked, turns=strong)


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


def _true_pairs(guess: _Guess, pairs: list[Matches]) -> list[Matches]:
    """Keep the pairs that really overlap under the guessed rig, and all strong ones."""
    strong = {turn.link for turn in guess.turns}
    return [
        pair
        for pair in pairs
        if {pair.first, pair.second} <= set(guess.linked)
        and len(pair.first_px) >= features_needed()
        and ((pair.first, pair.second) in strong or _near(guess.cameras, pair))
    ]


def _near(cameras: list[CameraModel], pair: Matches) -> bool:
    off = np.linalg.norm(transfer_error(cameras, pair), axis=1)
    return _enough(off < NEAR * cameras[pair.second].size_px[0])


def _enough(fitting: Bools) -> bool:
    return bool(fitting.sum() >= LEAST_FITTING and fitting.mean() > LEAST_SHARE)


def _refined(
    problem: Problem, cameras: list[CameraModel], progress: Callable[[float], None]
) -> tuple[Problem, State, list[Bools], tuple[Matches, ...]]:
    """Refine guessed cameras by all pairs, or by all but those that contradict the others.

    A pair that is far off under the guess may be right, and the guess wrong: what is left over of
    a ring all lands on the pair that closes it. So refining comes first; only if some pair
    does not fit even then are those that were far off left out, and given as outcasts.
    """
    start = start_state(problem, cameras)
    if not problem.pairs:
        return problem, start, [], ()
    state, kept = refine(problem, start, progress)
    if all(_enough(keep) for keep in kept):
        return problem, state, kept, ()
    off = [not _near(cameras, pair) for pair in problem.pairs]
    if not any(off):
        return problem, state, kept, ()
    pairs = zip(problem.pairs, off, strict=True)
    fewer = replace(problem, pairs=tuple(pair for pair, far in pairs if not far))
    state, kept = refine(fewer, start, progress)
    pairs = zip(problem.pairs, off, strict=True)
    return fewer, state, kept, tuple(pair for pair, far in pairs if far)


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
