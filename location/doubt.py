"""How unsure a followed person's place is: what each camera's error and the way walked add to it.

Knows nothing about pictures, matching or how wrong looks are (`agreement.py` learns that).

The filter's own covariance (`motion.py`) is made for weighing and gating, and takes looks to err
independently of each other. They don't: how a camera sees a body is off by much the same for
seconds (measured: the errors of two looks in a row correlate by 0.4 to 0.9). So the error of a
camera is taken to last, and it is carried through the filter's gains instead of being averaged
away: the error budget of a filter whose gains are given (Gelb 1974, "Applied Optimal Estimation",
chapter 7), with biases that are considered and not estimated (S. F. Schmidt's "consider" filter;
Zanetti and D'Souza 2012, "Recursive Implementations of the Consider Filter", AAS 12-619).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from location.motion import START_SPEED_SIGMA_M_S, Step, carried, strayed
from scene.arrays import Floats

COMMON_BIAS_M = 0.01
"""What all cameras have in common, so that no comparison shows it: the survey's own error."""
ALIKE = 4
"""How fast the errors of two cameras part as their lines of sight do: see `alike`."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Doubt:
    """Where the error of a person's state comes from. K cameras may have seen the person."""

    strayed_m2: Floats
    """(4, 4): by the person's own way, which no filter foretells; metres and metres per second."""
    cameras: tuple[str, ...] = ()
    shares: Floats
    """(K, 4, 2): how much of each camera's error is in the state."""
    roots_m: Floats
    """(K, 2, 2): lower triangular roots of the covariances that the cameras' last looks claim."""
    lines: Floats
    """(K, 2): unit vectors on the floor from each camera to the person."""


def unexplained(covariance: Floats) -> Doubt:
    """Take a (4, 4) covariance whose origin is not known, as after a restart."""
    none = np.zeros((0, 2, 2))
    return Doubt(
        strayed_m2=covariance, shares=np.zeros((0, 4, 2)), roots_m=none, lines=np.zeros((0, 2))
    )


def first_look(camera: str, covariance_m2: Floats, line: Floats) -> Doubt:
    """Begin with one camera's look, (2, 2), along a unit vector; the speed is unknown."""
    speed = START_SPEED_SIGMA_M_S**2
    return Doubt(
        strayed_m2=np.diag([0.0, 0.0, speed, speed]),
        cameras=(camera,),
        shares=np.eye(4)[None, :, :2],
        roots_m=_roots(covariance_m2[None]),
        lines=line[None],
    )


def after(
    doubts: Sequence[Doubt],
    steps: Sequence[Step],
    camera: str,
    covariances_m2: Floats,
    lines: Floats,
) -> list[Doubt]:
    """Carry N doubts on, each over its correction by one camera's look, at the price of one.

    The looks claim (N, 2, 2), along unit vectors (N, 2).
    """
    together = _together(doubts, (camera,))
    index = together.cameras.index(camera)
    kept = np.array([step.kept for step in steps])
    shares = kept[:, None] @ together.shares
    shares[:, index] += [step.gain for step in steps]
    together.roots_m[:, index], together.lines[:, index] = _roots(covariances_m2), lines
    own = kept @ together.strayed_m2 @ kept.transpose(0, 2, 1)
    own += [step.strayed_m2 for step in steps]
    return [
        Doubt(
            strayed_m2=own[n],
            cameras=together.cameras,
            shares=shares[n],
            roots_m=together.roots_m[n],
            lines=together.lines[n],
        )
        for n in range(len(doubts))
    ]


def places_m2(
    doubts: Sequence[Doubt], step_s: Floats, unrest_m2_s3: float, scale: Floats
) -> Floats:
    """Tell the (N, 2, 2) covariances of N places, so many seconds (N,) after their corrections.

    `scale` (N,) is by how much looks really err, as a factor on the covariances that they claim.

    >>> one = first_look("a", 0.04 * np.eye(2), np.array([1.0, 0.0]))
    >>> places_m2([one], np.zeros(1), 0.4, np.array([0.5])).round(4).tolist()
    [[[0.0201, 0.0], [0.0, 0.0201]]]
    """
    together = _together(doubts)
    carry = carried(step_s)[:, :2]
    own = carry @ together.strayed_m2 @ carry.transpose(0, 2, 1)
    own += strayed(step_s, unrest_m2_s3)[:, :2, :2]
    errors = (carry[:, None] @ together.shares @ together.roots_m).transpose(0, 2, 1, 3)
    shared = alike(together.lines[:, :, None], together.lines[:, None])[:, None] @ errors
    rows = len(doubts), 2, -1
    seen = errors.reshape(rows) @ shared.reshape(rows).transpose(0, 2, 1)
    found = own + scale[:, None, None] * seen + COMMON_BIAS_M**2 * np.eye(2)
    return np.asarray((found + found.transpose(0, 2, 1)) / 2)


def _together(doubts: Sequence[Doubt], cameras: tuple[str, ...] = ()) -> Doubt:
    """Lay N doubts one on the other, each field (N, ...), over all their cameras and these.

    A camera that has not seen somebody has no share in the error.
    """
    names = doubts[0].cameras
    if any(one.cameras != names for one in doubts) or not set(cameras) <= set(names):
        everyone = {*cameras, *(name for one in doubts for name in one.cameras)}
        names = tuple(sorted(everyone))
        doubts = [_over(one, names) for one in doubts]
    return Doubt(
        strayed_m2=np.array([one.strayed_m2 for one in doubts]),
        cameras=names,
        shares=np.array([one.shares for one in doubts]),
        roots_m=np.array([one.roots_m for one in doubts]),
        lines=np.array([one.lines for one in doubts]),
    )


def _over(doubt: Doubt, cameras: tuple[str, ...]) -> Doubt:
    """Give room to more cameras, in their order."""
    rows = [cameras.index(name) for name in doubt.cameras]
    shares, roots = np.zeros((len(cameras), 4, 2)), np.zeros((len(cameras), 2, 2))
    lines = np.zeros((len(cameras), 2))
    shares[rows], roots[rows], lines[rows] = doubt.shares, doubt.roots_m, doubt.lines
    return Doubt(
        strayed_m2=doubt.strayed_m2, cameras=cameras, shares=shares, roots_m=roots, lines=lines
    )


def alike(one: Floats, other: Floats) -> Floats:
    """Tell how far the errors of looks along two unit vectors (..., 2) correlate, 0 to 1.

    Cameras that look from one spot are off by the same; across each other's line of sight, or
    facing each other, they are off by what one is off by and not the other. In between it falls
    off as ((1 + cos) / 2)^4, a power of a positive definite function of the angle, so that no set
    of cameras makes a covariance negative (Schur's product theorem).

    >>> alike(np.array([1.0, 0.0]), np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])).tolist()
    [1.0, 0.0625, 0.0]
    """
    cosine = np.sum(one * other, axis=-1)
    return np.asarray(((1 + np.clip(cosine, -1.0, 1.0)) / 2) ** ALIKE)


def _roots(covariances_m2: Floats) -> Floats:
    """Give the lower triangular roots of (N, 2, 2)."""
    a, b, d = covariances_m2[:, 0, 0], covariances_m2[:, 0, 1], covariances_m2[:, 1, 1]
    roots = np.zeros(covariances_m2.shape)
    roots[:, 0, 0] = first = np.sqrt(a)
    roots[:, 1, 0] = b / first
    roots[:, 1, 1] = np.sqrt(np.maximum(d - b * b / a, 0.0))
    return roots
