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

from dataclasses import dataclass, replace

import numpy as np

from location.motion import START_SPEED_SIGMA_M_S, Step, carried, strayed
from scene.arrays import Floats

COMMON_BIAS_M = 0.01
"""What all cameras have in common, so that no comparison shows it: the survey's own error."""
ALIKE = 4
"""How fast the errors of two cameras part as their lines of sight do: see `alike`."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Doubt:
    """Where the error of a person's state comes from. K cameras have seen the person."""

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
        roots_m=_root(covariance_m2)[None],
        lines=line[None],
    )


def after(doubt: Doubt, step: Step, camera: str, covariance_m2: Floats, line: Floats) -> Doubt:
    """Carry on over a correction by one camera's look, (2, 2), along a unit vector."""
    if camera not in doubt.cameras:
        doubt = replace(
            doubt,
            cameras=(*doubt.cameras, camera),
            shares=np.concatenate([doubt.shares, np.zeros((1, 4, 2))]),
            roots_m=np.concatenate([doubt.roots_m, np.zeros((1, 2, 2))]),
            lines=np.concatenate([doubt.lines, line[None]]),
        )
    index = doubt.cameras.index(camera)
    shares, roots, lines = step.kept @ doubt.shares, doubt.roots_m.copy(), doubt.lines.copy()
    shares[index] += step.gain
    roots[index], lines[index] = _root(covariance_m2), line
    return Doubt(
        strayed_m2=step.kept @ doubt.strayed_m2 @ step.kept.T + step.strayed_m2,
        cameras=doubt.cameras,
        shares=shares,
        roots_m=roots,
        lines=lines,
    )


def place_m2(doubt: Doubt, step_s: float, unrest_m2_s3: float, scale: float) -> Floats:
    """Tell the (2, 2) covariance of the place, so many seconds after the last correction.

    `scale` is by how much looks really err, as a factor on the covariances that they claim.

    >>> one = first_look("a", 0.04 * np.eye(2), np.array([1.0, 0.0]))
    >>> place_m2(one, 0.0, 0.4, 0.5).round(4).tolist()
    [[0.0201, 0.0], [0.0, 0.0201]]
    """
    carry = carried(step_s)[:2]
    own = carry @ doubt.strayed_m2 @ carry.T + strayed(step_s, unrest_m2_s3)[:2, :2]
    errors = (carry @ doubt.shares @ doubt.roots_m).transpose(1, 0, 2)
    together = alike(doubt.lines[:, None], doubt.lines[None]) @ errors
    seen = errors.reshape(2, -1) @ together.reshape(2, -1).T
    found = own + scale * seen + COMMON_BIAS_M**2 * np.eye(2)
    return np.asarray((found + found.T) / 2)


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


def _root(covariance_m2: Floats) -> Floats:
    (a, b), (_, d) = covariance_m2.tolist()
    first = a**0.5
    return np.array([[first, 0.0], [b / first, max(d - b * b / a, 0.0) ** 0.5]])
