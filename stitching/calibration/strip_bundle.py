"""Refine a strip rig at once: every camera's pose and the lens, by survey, matches and drawings.

Knows nothing about where the matches and the first guess come from. Robust least squares; a match
counts by how far its two sights pass each other (the epipolar constraint, to first order in
pixels as in Sampson's distance), so that nothing need be known about what was matched.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from scipy.optimize import least_squares

from scene.arrays import Bools, Floats, Ints
from scene.geometry import CameraModel, Lens, distort, undistort
from stitching.calibration.features import Matches
from stitching.calibration.survey import Survey, survey_error, survey_weights
from stitching.lens import camera_of_terms

MATCH_SIGMA_PX = 3.0
"""How well a point is matched between two views that differ much."""
TYPICAL_M = (3.0, 12.0)
"""How near and how far off is what a strip's cameras look at."""
ROBUST = 2.5
"""Residuals beyond so many sigmas lose weight."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PosePrior:
    """Where a camera was surveyed or drawn to hang."""

    camera: int
    camera_from_mine: Floats
    """(4, 4)."""
    sigma_rad: float
    sigma_m: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StripProblem:
    """What is given."""

    names: tuple[str, ...]
    sizes_px: tuple[tuple[int, int], ...]
    lens: Lens
    survey: Survey | None
    poses: tuple[PosePrior, ...]
    matches: tuple[Matches, ...]
    prior: Floats
    """(6 + 3 N,) what the lens terms are expected to be."""
    prior_sigma: Floats
    """(6 + 3 N,) and how surely; 0 keeps a term fixed."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StripState:
    """What is solved for."""

    camera_from_mine: Floats
    """(N, 4, 4)."""
    terms: Floats
    """(6 + 3 N,) of the lens."""


def strip_cameras(problem: StripProblem, state: StripState) -> list[CameraModel]:
    """Write the state as cameras."""
    return [
        camera_of_terms(
            name=name,
            size_px=problem.sizes_px[index],
            lens=problem.lens,
            terms=state.terms,
            index=index,
            pose=state.camera_from_mine[index],
        )
        for index, name in enumerate(problem.names)
    ]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PoseDoubt:
    """How surely a camera's pose is known.

    (6, 6) covariances of a small turn (rad), then shift (m), about the camera's own axes.
    """

    seen: Floats
    """What is not known of the lens counts as the turn and shift that look alike in the picture:
    right for locating what the picture shows."""
    marginal: Floats
    """Of the pose itself, whatever the lens may be: along the line of sight it is the larger."""

    @property
    def place_sigma_m(self) -> float:
        """Give the root of the sum of the place's three variances."""
        return float(np.sqrt(np.trace(self.marginal[3:, 3:])))


def refine_strip(problem: StripProblem, state: StripState) -> tuple[StripState, list[PoseDoubt]]:
    """Refine everything; gives the state and how surely each camera's pose is known.

    The covariance is the inverse of the weighted normal matrix, scaled up where the fit is worse
    than its noise.
    """
    free = np.flatnonzero(problem.prior_sigma > 0)
    poses = 6 * len(problem.names)

    def at(step: Floats) -> StripState:
        terms = state.terms.copy()
        terms[free] += step[poses:] * problem.prior_sigma[free]
        moved = [
            moved_pose(pose, step[6 * i : 6 * i + 6])
            for i, pose in enumerate(state.camera_from_mine)
        ]
        return StripState(camera_from_mine=np.stack(moved), terms=terms)

    def residuals(step: Floats) -> Floats:
        return _residuals(problem, at(step))

    found = least_squares(
        residuals,
        np.zeros(poses + len(free)),
        loss="soft_l1",
        f_scale=ROBUST,
        x_scale="jac",
        max_nfev=60,
    )
    # soft_l1 already weighs the rows of the Jacobian at the solution.
    slopes = np.asarray(found.jac, float)
    inverse = np.linalg.pinv(slopes.T @ slopes, hermitian=True)
    freedom = max(1, len(found.fun) - len(found.x))
    inverse *= max(1.0, 2 * float(found.cost) / freedom)
    solved = at(found.x)
    return solved, [
        PoseDoubt(
            seen=_pose_covariance(problem, solved, index, inverse, free),
            marginal=inverse[6 * index : 6 * index + 6, 6 * index : 6 * index + 6],
        )
        for index in range(len(problem.names))
    ]


def _pose_covariance(
    problem: StripProblem, state: StripState, index: int, covariance: Floats, free: Ints
) -> Floats:
    """Give the (6, 6) covariance of a camera's pose, the lens's doubts carried over to it.

    A principal point a little to the side looks like a camera turned a little: taken alone, the
    turn would be very unsure, though the picture's place is well known.
    """
    camera = strip_cameras(problem, state)[index]
    width, height = camera.size_px
    u, v = np.meshgrid(np.linspace(0.05, 0.95, 7) * width, np.linspace(0.05, 0.95, 5) * height)
    sights = undistort(camera, np.column_stack([u.ravel(), v.ravel()]))
    points = np.vstack([sights * reach_m for reach_m in TYPICAL_M])
    here = distort(camera, points).ravel()
    small = 1e-6
    by_pose = np.column_stack(
        [
            (distort(camera, _moved(points, small * axis)).ravel() - here) / small
            for axis in np.eye(6)
        ]
    )
    by_lens = np.zeros((len(here), len(free)))
    for column, term in enumerate(free):
        terms = state.terms.copy()
        terms[term] += small
        other = strip_cameras(problem, replace(state, terms=terms))[index]
        change = (distort(other, points).ravel() - here) / small
        by_lens[:, column] = change * problem.prior_sigma[term]
    poses = 6 * len(problem.names)
    mine = np.concatenate([np.arange(6 * index, 6 * index + 6), np.arange(len(free)) + poses])
    carry = np.linalg.pinv(by_pose) @ np.hstack([by_pose, by_lens])
    result = carry @ covariance[np.ix_(mine, mine)] @ carry.T
    return np.asarray((result + result.T) / 2)


def _moved(points: Floats, step: Floats) -> Floats:
    return np.asarray(points @ cv2.Rodrigues(step[:3])[0].T + step[3:])


def moved_pose(camera_from_mine: Floats, step: Floats) -> Floats:
    """Turn a (4, 4) pose by (6,) `step`: radians about, then metres along, the camera's axes."""
    change = np.eye(4)
    change[:3, :3] = cv2.Rodrigues(step[:3])[0]
    change[:3, 3] = step[3:]
    return np.asarray(change @ camera_from_mine)


def sight_misses(cameras: list[CameraModel], pair: Matches) -> Floats:
    """Tell how far (M,), in px, the two sights of each match pass each other."""
    a, b = cameras[pair.first], cameras[pair.second]
    b_from_a = b.camera_from_mine @ np.linalg.inv(a.camera_from_mine)
    turn, shift = b_from_a[:3, :3], b_from_a[:3, 3]
    across = np.array(
        [[0, -shift[2], shift[1]], [shift[2], 0, -shift[0]], [-shift[1], shift[0], 0]]
    )
    essential = across @ turn
    first, second = undistort(a, pair.first_px), undistort(b, pair.second_px)
    plane_b, plane_a = first @ essential.T, second @ essential
    gap = np.sum(second * plane_b, axis=1)
    # Change of the gap when a sight turns: only what is across the sight itself counts.
    lean_b = np.sum(plane_b**2, axis=1) - gap**2
    lean_a = np.sum(plane_a**2, axis=1) - gap**2
    focal = np.sqrt(a.k[0, 0] * b.k[0, 0])
    return np.asarray(focal * gap / np.sqrt(np.maximum(lean_a + lean_b, 1e-18)))


def agreeing(cameras: list[CameraModel], pair: Matches, gate_px: float) -> Bools:
    """Tell which matches (M,) have sights that pass within `gate_px`, before both cameras."""
    return np.asarray(np.abs(sight_misses(cameras, pair)) < gate_px)


def _residuals(problem: StripProblem, state: StripState) -> Floats:
    cameras = strip_cameras(problem, state)
    parts = []
    if problem.survey is not None:
        survey = problem.survey
        focals = np.array([cameras[i].k[0, 0] for i in survey.camera])
        centres = np.stack([cameras[i].centre_m for i in survey.camera])
        weight = np.sqrt(survey_weights(survey, focals, centres))
        error = survey_error(cameras, survey) * weight[:, None]
        parts.append(np.clip(np.nan_to_num(error, nan=1e4), -1e4, 1e4).ravel())
    parts += [_off_drawing(prior, state) for prior in problem.poses]
    parts += [sight_misses(cameras, pair) / MATCH_SIGMA_PX for pair in problem.matches]
    free = problem.prior_sigma > 0
    parts.append((state.terms - problem.prior)[free] / problem.prior_sigma[free])
    return np.concatenate(parts)


def _off_drawing(prior: PosePrior, state: StripState) -> Floats:
    change = state.camera_from_mine[prior.camera] @ np.linalg.inv(prior.camera_from_mine)
    turn = cv2.Rodrigues(change[:3, :3])[0].ravel()
    return np.concatenate([turn / prior.sigma_rad, change[:3, 3] / prior.sigma_m])
