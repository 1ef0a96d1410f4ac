"""Refine a whole rig at once: all rotations, the lens and, with surveyed points, the place.

Knows nothing about where the matches and the first guess come from. Levenberg-Marquardt with
robust weights over all cameras together (Triggs et al., "Bundle adjustment: a modern synthesis").
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from scene.arrays import Bools, Floats, Ints
from scene.geometry import CameraModel, Lens, distort, undistort
from stitching.calibration.features import Matches
from stitching.calibration.survey import Survey, survey_error, survey_weights
from stitching.lens import OWN, SHARED, camera_of_terms

PIXEL_SIGMA = 0.5
"""How well a matched point is found."""
GATES_PX = (30.0, 12.0, 6.0, 4.0, 3.0)
"""Matches further off than this, at 1280 px width, are left out, round by round."""
STEPS = (20, 100)
"""At most so many in every round and in the last: with a long lens, focal length and turns trade
off so closely that the valley is long."""
ROBUST_PX = 1.0
MAX_PER_PAIR = 500


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Problem:
    """What is given, and what stays as it is."""

    names: tuple[str, ...]
    sizes_px: tuple[tuple[int, int], ...]
    lens: Lens
    pairs: tuple[Matches, ...]
    survey: Survey | None
    prior: Floats
    """(6 + 3 N,) what the lens terms are expected to be."""
    prior_sigma: Floats
    """(6 + 3 N,) and how surely; 0 keeps a term fixed."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class State:
    """What is solved for."""

    rotations: Floats
    """(N, 3, 3) cameras from rig, or from mine once there is a survey."""
    lens: Floats
    """(6 + 3 N,)."""
    centre_m: Floats
    """(3,) the common centre; zero without a survey."""


def start_state(problem: Problem, cameras: list[CameraModel]) -> State:
    """Begin with guessed cameras."""
    lens = problem.prior.copy()
    lens[1] = cameras[0].distortion[0]
    # Pictures of unlike shape: one focal length is an unlike share of their widths.
    per_width = np.array([camera.k[0, 0] / camera.size_px[0] for camera in cameras])
    lens[SHARED::OWN] = np.log(per_width / per_width[0])
    return State(
        rotations=np.stack([camera.camera_from_mine[:3, :3] for camera in cameras]),
        lens=lens,
        centre_m=np.zeros(3),
    )


def cameras_of(problem: Problem, state: State) -> list[CameraModel]:
    """Write the state as cameras."""
    return [_camera(problem, state, index) for index in range(len(problem.names))]


def refine(
    problem: Problem, state: State, progress: Callable[[float], None] | None = None
) -> tuple[State, list[Bools]]:
    """Refine in rounds with ever narrower gates; gives the state and each pair's (M,) kept."""
    chosen = [np.ones(len(pair.first_px), bool) for pair in problem.pairs]
    for index, gate in enumerate(GATES_PX):
        cameras = cameras_of(problem, state)
        chosen = [
            np.linalg.norm(transfer_error(cameras, pair), axis=1)
            < gate * cameras[pair.second].size_px[0] / 1280
            for pair in problem.pairs
        ]
        if index == 0:
            # The lens is only guessed: begin with what agreed then.
            chosen = [keep if keep.sum() >= 8 else np.ones_like(keep) for keep in chosen]
        state = _minimise(problem, state, chosen, STEPS[index == len(GATES_PX) - 1])
        if progress:
            progress((index + 1) / len(GATES_PX))
    return state, agreeing(cameras_of(problem, state), problem.pairs)


def agreeing(cameras: list[CameraModel], pairs: Sequence[Matches]) -> list[Bools]:
    """Tell of each pair which of its (M,) matches agree with the cameras."""
    return [
        np.linalg.norm(transfer_error(cameras, pair), axis=1)
        < GATES_PX[-1] * cameras[pair.second].size_px[0] / 1280
        for pair in pairs
    ]


def transfer_error(cameras: list[CameraModel], pair: Matches) -> Floats:
    """Tell how far (M, 2), in px, each match's first point lands from its second one."""
    return transfer(cameras[pair.first], cameras[pair.second], pair.first_px) - pair.second_px


def transfer(first: CameraModel, second: CameraModel, pixels: Floats) -> Floats:
    """Carry (M, 2) pixels of one camera to where another one of the same centre sees them."""
    second_from_first = second.camera_from_mine[:3, :3] @ first.camera_from_mine[:3, :3].T
    return distort(second, undistort(first, pixels) @ second_from_first.T)


def pose_covariances(problem: Problem, state: State, chosen: list[Bools]) -> list[Floats]:
    """Give each camera's (6, 6) covariance: turn, then shift, about its own axes.

    The inverse of the weighted normal matrix, scaled up where the fit is worse than its noise.
    """
    _, normal, _ = _normal_equations(problem, state, _spread(problem, chosen))
    inverse = np.linalg.pinv(normal, hermitian=True)
    survey = problem.survey
    worse = 1.0
    if survey is not None:
        error = survey_error(cameras_of(problem, state), survey)
        weight = _survey_weights(problem, state, survey)
        freedom = max(1, 2 * len(error) - 6)
        worse = max(1.0, float((error**2 * weight[:, None]).sum() / freedom))
    count = len(problem.names)
    centre = slice(3 * count + SHARED + OWN * count, None)
    result = []
    for index in range(count):
        turn = slice(3 * index, 3 * index + 3)
        rotation = state.rotations[index]
        # The shift of `camera_from_mine` is minus the centre's, in the camera's axes.
        block = np.zeros((6, 6))
        block[:3, :3] = inverse[turn, turn]
        block[:3, 3:] = -inverse[turn, centre] @ rotation.T
        block[3:, :3] = block[:3, 3:].T
        block[3:, 3:] = rotation @ inverse[centre, centre] @ rotation.T
        result.append((block + block.T) / 2 * worse)
    return result


def _camera(problem: Problem, state: State, index: int) -> CameraModel:
    pose = np.eye(4)
    pose[:3, :3] = state.rotations[index]
    pose[:3, 3] = -state.rotations[index] @ state.centre_m
    return camera_of_terms(
        name=problem.names[index],
        size_px=problem.sizes_px[index],
        lens=problem.lens,
        terms=state.lens,
        index=index,
        pose=pose,
    )


def _minimise(problem: Problem, state: State, chosen: list[Bools], rounds: int) -> State:
    used = _spread(problem, chosen)
    damping = 1e-3
    cost, normal, gradient = _normal_equations(problem, state, used)
    for _ in range(rounds):
        scale = np.maximum(np.diag(normal), 1e-9)
        step = np.asarray(np.linalg.solve(normal + damping * np.diag(scale), -gradient), float)
        trial = _moved(problem, state, step)
        trial_cost = _cost(problem, trial, used)
        if not trial_cost < cost:
            damping *= 10
            if damping > 1e8:
                break
            continue
        small = cost - trial_cost < 1e-7 * cost
        state, damping = trial, max(damping / 5, 1e-9)
        if small:
            break
        cost, normal, gradient = _normal_equations(problem, state, used)
    return state


def _spread(problem: Problem, chosen: list[Bools]) -> list[Matches]:
    """Keep at most `MAX_PER_PAIR` of each pair's chosen matches, spread over the picture."""
    result = []
    for pair, keep in zip(problem.pairs, chosen, strict=True):
        index = np.flatnonzero(keep)
        if len(index) > MAX_PER_PAIR:
            index = index[np.linspace(0, len(index) - 1, MAX_PER_PAIR).astype(int)]
        result.append(replace(pair, first_px=pair.first_px[index], second_px=pair.second_px[index]))
    return result


def _moved(problem: Problem, state: State, step: Floats) -> State:
    count = len(problem.names)
    turns = step[: 3 * count].reshape(count, 3)
    lens = step[3 * count : 3 * count + len(state.lens)]
    return State(
        rotations=np.stack(
            [cv2.Rodrigues(turn)[0] @ r for turn, r in zip(turns, state.rotations, strict=True)]
        ),
        lens=np.where(problem.prior_sigma > 0, state.lens + lens, state.lens),
        centre_m=state.centre_m + step[3 * count + len(state.lens) :],
    )


def _cost(problem: Problem, state: State, used: list[Matches]) -> float:
    cameras = cameras_of(problem, state)
    total = 0.0
    for pair in used:
        square = (transfer_error(cameras, pair) ** 2).sum(axis=1) / ROBUST_PX**2
        total += float((np.sqrt(1 + square) - 1).sum()) * 2 * ROBUST_PX**2 / PIXEL_SIGMA**2
    if problem.survey is not None:
        square = (survey_error(cameras, problem.survey) ** 2).sum(axis=1)
        square = square * _survey_weights(problem, state, problem.survey) / 9
        total += float((np.sqrt(1 + square) - 1).sum()) * 2 * 9
    free = problem.prior_sigma > 0
    off = (state.lens - problem.prior)[free] / problem.prior_sigma[free]
    return total + float(off @ off)


def _normal_equations(
    problem: Problem, state: State, used: list[Matches]
) -> tuple[float, Floats, Floats]:
    """Give the cost, the normal matrix and the gradient; unknowns: turns, lens, centre."""
    count, terms = len(problem.names), len(state.lens)
    size = 3 * count + terms + 3
    normal, gradient = np.zeros((size, size)), np.zeros(size)

    def add(columns: Ints, jacobian: Floats, error: Floats, weight: Floats) -> None:
        """Add residuals: (M, 2, P) slopes over `columns`, (M, 2) errors, (M,) weights."""
        flat = jacobian.reshape(-1, len(columns))
        heavy = flat * np.repeat(weight, 2)[:, None]
        normal[np.ix_(columns, columns)] += flat.T @ heavy
        gradient[columns] += heavy.T @ error.ravel()

    cameras = cameras_of(problem, state)
    for pair in used:
        if len(pair.first_px):
            error, columns, jacobian = _pair_slopes(problem, state, cameras, pair)
            square = (error**2).sum(axis=1) / ROBUST_PX**2
            add(columns, jacobian, error, 1 / np.sqrt(1 + square) / PIXEL_SIGMA**2)
    if problem.survey is not None:
        weight = _survey_weights(problem, state, problem.survey)
        for index in range(count):
            seen = problem.survey.camera == index
            if seen.any():
                error, columns, jacobian = _survey_slopes(problem, state, index, seen)
                square = (error**2).sum(axis=1) * weight[seen] / 9
                add(columns, jacobian, error, weight[seen] / np.sqrt(1 + square))
    else:
        # Nothing tells how the rig as a whole is turned, nor where it is: keep both.
        normal[:3, :3] += 1e12 * np.eye(3)
        normal[-3:, -3:] += np.eye(3)
    lens = np.arange(3 * count, 3 * count + terms)
    fixed = problem.prior_sigma <= 0
    sigma = np.where(fixed, 1.0, problem.prior_sigma)
    normal[lens[fixed], :] = 0
    normal[:, lens[fixed]] = 0
    gradient[lens[fixed]] = 0
    normal[lens, lens] += 1 / sigma**2
    gradient[lens] += np.where(fixed, 0, (state.lens - problem.prior) / sigma**2)
    for index in range(count):
        # A camera that nothing speaks about stays where it is.
        turn = np.arange(3 * index, 3 * index + 3)
        normal[turn, turn] += 1e-6
    return _cost(problem, state, used), normal, gradient


def _pair_slopes(
    problem: Problem, state: State, cameras: list[CameraModel], pair: Matches
) -> tuple[Floats, Ints, Floats]:
    i, j = pair.first, pair.second
    second_from_first = state.rotations[j] @ state.rotations[i].T
    direction = undistort(cameras[i], pair.first_px) @ second_from_first.T
    landed = distort(cameras[j], direction)
    by_direction = _distort_slopes(cameras[j], direction, landed)
    turn_j = by_direction @ -_cross_matrices(direction)
    turn_i = -turn_j @ second_from_first
    terms = _lens_columns(problem, (i, j))
    by_lens = _lens_slopes(
        problem, state, terms, lambda c: transfer(c[i], c[j], pair.first_px), landed
    )
    columns = np.concatenate(
        [np.arange(3 * i, 3 * i + 3), np.arange(3 * j, 3 * j + 3), terms + 3 * len(problem.names)]
    )
    return landed - pair.second_px, columns, np.concatenate([turn_i, turn_j, by_lens], axis=2)


def _survey_slopes(
    problem: Problem, state: State, index: int, seen: Bools
) -> tuple[Floats, Ints, Floats]:
    survey = problem.survey
    assert survey is not None
    count = len(problem.names)
    rotation = state.rotations[index]
    points = (survey.points_m[seen] - state.centre_m) @ rotation.T
    camera = _camera(problem, state, index)
    landed = distort(camera, points)
    by_point = _distort_slopes(camera, points, landed)
    turn = by_point @ -_cross_matrices(points)
    centre = by_point @ -rotation
    terms = _lens_columns(problem, (index,))
    by_lens = _lens_slopes(problem, state, terms, lambda c: distort(c[index], points), landed)
    last = 3 * count + len(state.lens)
    columns = np.concatenate(
        [np.arange(3 * index, 3 * index + 3), terms + 3 * count, np.arange(last, last + 3)]
    )
    return landed - survey.pixels[seen], columns, np.concatenate([turn, by_lens, centre], axis=2)


def _lens_columns(problem: Problem, cameras: tuple[int, ...]) -> Ints:
    own = [np.arange(SHARED + OWN * i, SHARED + OWN * (i + 1)) for i in cameras]
    columns = np.concatenate([np.arange(SHARED), *own])
    return np.asarray(columns[problem.prior_sigma[columns] > 0])


def _lens_slopes(
    problem: Problem,
    state: State,
    terms: Ints,
    land: Callable[[list[CameraModel]], Floats],
    landed: Floats,
) -> Floats:
    slopes = np.zeros((*landed.shape, len(terms)))
    for column, term in enumerate(terms):
        lens = state.lens.copy()
        lens[term] += 1e-6
        slopes[:, :, column] = (
            land(cameras_of(problem, replace(state, lens=lens))) - landed
        ) / 1e-6
    return slopes


def _distort_slopes(camera: CameraModel, points: Floats, landed: Floats) -> Floats:
    step = 1e-6 * np.linalg.norm(points, axis=1, keepdims=True)
    slopes = [(distort(camera, points + step * axis) - landed) / step for axis in np.eye(3)]
    return np.stack(slopes, axis=2)


def _cross_matrices(v: Floats) -> Floats:
    zero = np.zeros(len(v))
    x, y, z = v.T
    return np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=1).reshape(-1, 3, 3)


def _survey_weights(problem: Problem, state: State, survey: Survey) -> Floats:
    width = np.array([problem.sizes_px[i][0] for i in survey.camera], float)
    focal = width * np.exp(np.clip(state.lens[0], -4, 4))
    return survey_weights(survey, focal, state.centre_m)
