"""How likely somebody is inside an area of the floor.

Knows nothing about alarms.
"""

from collections.abc import Sequence
from math import sqrt

import numpy as np

from scene.messages import XY, Covariance

MIN_SIGMA_M = 0.02
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(24)
FAR = 7.0
"""Nobody is so many sigma away from where they seem to be."""


def probability_inside(xy_m: XY, covariance_m2: Covariance, polygon_m: Sequence[XY]) -> float:
    """Tell P(inside a simple polygon) for a Gaussian place: 0..1, exact to about 1e-6.

    Where the Gaussian is made round (x' = L⁻¹ x, Σ = L Lᵀ) the area integral becomes, by Green's
    theorem, ∮ φ(x) Φ(y) dx round the polygon: one dimension, done by Gauss-Legendre per edge.

    >>> square = ((-9.0, 0.0), (9.0, 0.0), (9.0, 9.0), (-9.0, 9.0))
    >>> round(probability_inside((0.0, 0.0), ((1.0, 0.0), (0.0, 1.0)), square), 4)
    0.5
    """
    (a, _), (_, d) = covariance_m2
    reach = FAR * max(sqrt(max(a + d, 0.0)), MIN_SIGMA_M)
    xs, ys = [x - xy_m[0] for x, _ in polygon_m], [y - xy_m[1] for _, y in polygon_m]
    if min(xs) > reach or max(xs) < -reach or min(ys) > reach or max(ys) < -reach:
        return 0.0  # most people are far from most zones
    values, axes = np.linalg.eigh(np.asarray(covariance_m2, float))
    sigma = np.sqrt(np.maximum(values, MIN_SIGMA_M**2))
    away = np.column_stack([xs, ys])
    corners = away @ axes / sigma
    total = sum(
        _edge(start, end) for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True)
    )
    return float(min(1.0, abs(total)))


def _edge(start: np.ndarray, end: np.ndarray) -> float:
    """Integrate φ(x) Φ(y) dx along one edge, in pieces where it passes the bell's middle."""
    step = end - start
    if abs(step[0]) < 1e-12:
        return 0.0
    # It is slow to import, and a control room shall hear alarms before it counts heads.
    from scipy.special import ndtr

    # Where |x| or |y| is large the integrand is flat: cut there, and at each sigma between.
    cuts = [0.0, 1.0]
    for axis in (0, 1):
        if abs(step[axis]) > 1e-12:
            marks = (np.arange(-FAR, FAR + 1, 1.0) - start[axis]) / step[axis]
            cuts += [float(mark) for mark in marks if 0 < mark < 1]
    edges = np.unique(cuts)
    low, high = edges[:-1, None], edges[1:, None]
    share = (low + high) / 2 + (high - low) / 2 * _NODES
    x, y = start[0] + share * step[0], start[1] + share * step[1]
    bell = np.exp(-0.5 * np.minimum(x * x, 700.0)) / np.sqrt(2 * np.pi)
    return float(np.sum((high - low) / 2 * _WEIGHTS * bell * ndtr(y)) * step[0])
