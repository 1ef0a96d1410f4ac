"""How far every camera looks beside where the rig has it look: one estimate from all evidence.

Knows nothing about limits, nor where the evidence comes from. People whose places are known tell
how each camera hangs in the mine, and points that two cameras show how they hang to each other.
One robust least-squares fit of a small turn per camera takes both: so whoever was turned is told
apart from its neighbours, cameras that were turned together are found by what stands before them,
and what nothing tells stays unsure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edge.acceptance.people_looks import Sights
from scene.arrays import Floats
from scene.geometry import CameraModel, undistort
from stitching.calibration.features import Matches

SLACK, NOISE = 0.05, 0.03
"""Of somebody's height: so far off boxes may lie all alike, and besides each for itself."""
ANYHOW_RAD = np.radians(5.0)
"""What a turn may be where nothing tells."""
TIE_RAD = np.radians(0.15)
"""How well a point is matched; of cameras in different places, also how well places are known."""
MOST_TIES = 20.0
"""However many points two cameras share, they tell as much as so many: what is wrong of one is
wrong of its neighbours, too."""
LEAST_TIES = 10
START_RAD = np.radians(3.0)
"""Points that miss by more are no points of both; in the first round."""
ROUNDS = 14
STRICT, LENIENT = 2.0, 16.0
"""Misses of so many sigmas count less, in the end and so many times as many at first."""
AGREE, LEAST_AGREEING = 3.0, 0.5
"""Ties hold where such a share of their points miss by less than so many sigmas."""
WIDE = 6
"""Unknowns of a camera: a turn, and by how much of their height boxes lie to the right, and their
tops and bottoms too low."""
FAINT = 0.05
ONE_PLACE_M = 0.5
"""Cameras nearer to each other than this look from one place."""
SPARSE_RAD = np.radians(0.3)
"""One camera turned far is likelier than many turned a little."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hanging:
    """One camera's turn: from how the rig has it to how it hangs."""

    vector_rad: Floats
    """(3,) about its own axes."""
    covariance_rad2: Floats
    """(3, 3)."""

    @property
    def deg(self) -> float:
        """By how much."""
        return float(np.degrees(np.linalg.norm(self.vector_rad)))

    @property
    def sigma_deg(self) -> float:
        """How unsure that is."""
        long = max(float(np.linalg.norm(self.vector_rad)), 1e-9)
        along = self.vector_rad / long
        return float(np.degrees(np.sqrt(along @ self.covariance_rad2 @ along)))

    @property
    def unsure_deg(self) -> float:
        """How far it may have been turned unseen: about the axis that is known least."""
        return float(np.degrees(np.sqrt(np.linalg.eigvalsh(self.covariance_rad2)[-1])))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Rows:
    """Linear equations `slopes @ unknowns = wanted`, rad."""

    slopes: Floats
    wanted: Floats
    sigma_rad: Floats
    shares: Floats
    """How much each counts: what neighbours tell, too, is told once."""
    pair: tuple[int, int] | None = None
    """The cameras of ties."""

    def misses(self, unknowns: Floats) -> Floats:
        """Give what is left, in sigmas."""
        return np.asarray((self.wanted - self.slopes @ unknowns) / self.sigma_rad)

    def normal(self, unknowns: Floats, scale: float) -> tuple[Floats, Floats]:
        """Give the normal equations; what misses counts less (Geman and McClure, 1987)."""
        believed = 1 / (1 + (self.misses(unknowns) / scale) ** 2) ** 2
        weights = believed * self.shares / self.sigma_rad**2
        weighted = self.slopes * weights[:, None]
        return weighted.T @ self.slopes, weighted.T @ self.wanted


def hung(
    cameras: Sequence[CameraModel], sights: Mapping[str, Sights], ties: Sequence[Matches]
) -> tuple[dict[str, Hanging], tuple[Matches, ...]]:
    """Fit all turns at once; cameras of which nothing tells are unsure by `ANYHOW_RAD`.

    Gives, too, the ties that hold: most of their points agree on how the two hang.
    """
    size = WIDE * len(cameras)
    people = [_people(i, sights[c.name], size) for i, c in enumerate(cameras) if c.name in sights]
    tied = [(pair, rows) for pair in ties if (rows := _tied(cameras, pair, size)) is not None]
    while True:
        unknowns, data = _solved([*people, *(rows for _, rows in tied)], size)
        agree = [float(np.mean(abs(rows.misses(unknowns)) < AGREE)) for _, rows in tied]
        if not tied or min(agree) >= LEAST_AGREEING:
            break
        del tied[int(np.argmin(agree))]
    covariance: Floats = np.asarray(
        np.linalg.inv(data + np.diag(_turns_only(size, ANYHOW_RAD**-2))), float
    )
    found = {}
    for i, camera in enumerate(cameras):
        own = slice(WIDE * i, WIDE * i + 3)
        found[camera.name] = Hanging(vector_rad=unknowns[own], covariance_rad2=covariance[own, own])
    return found, tuple(pair for pair, _ in tied)


def _solved(parts: Sequence[_Rows], size: int) -> tuple[Floats, Floats]:
    """Solve by reweighting, ever stricter; gives the unknowns and what the data tell of them."""
    boxes = np.full(size, SLACK**-2) - _turns_only(size, SLACK**-2)
    unknowns: Floats = np.zeros(size)
    data: Floats = np.zeros((size, size))
    for number in range(ROUNDS):
        scale = STRICT * max(1.0, LENIENT * 2.0**-number)
        data, right = np.diag(boxes), np.zeros(size)
        for rows in parts:
            slopes, wanted = rows.normal(unknowns, scale)
            data, right = data + slopes, right + wanted
        turns = unknowns.reshape(-1, WIDE)[:, :3]
        sparse = FAINT / (SPARSE_RAD**2 + np.sum(turns**2, axis=1))
        weak = np.diag(_turns_only(size, np.repeat(sparse, 3)))
        unknowns = np.asarray(np.linalg.solve(data + weak, right), float)
    return unknowns, data


def _turns_only(size: int, value: float | Floats) -> Floats:
    """Give (size,) with a value at every camera's turn, and 0 at its boxes' slack."""
    whole = np.zeros((size // WIDE, WIDE))
    whole[:, :3] = np.reshape(value, (-1, 3)) if np.ndim(value) else value
    return whole.ravel()


def _tangents(sights: Floats) -> tuple[Floats, Floats]:
    """Give (N, 3) unit vectors to the right and down, across (N, 3) sights."""
    right = np.cross(np.array([0.0, 1.0, 0.0]), sights)
    right /= np.maximum(np.linalg.norm(right, axis=1, keepdims=True), 1e-9)
    return right, np.cross(sights, right)


def _people(index: int, seen: Sights, size: int) -> _Rows:
    """Write what people tell: a turn w moves a sight e by w x e, and boxes have a slack."""
    off = seen.found - seen.expected
    slopes, wanted = np.zeros((2, len(off), size)), []
    own, tall = WIDE * index, seen.heights_rad
    for row, along in enumerate(_tangents(seen.expected)):
        slopes[row, :, own : own + 3] = np.cross(seen.expected, along)
        wanted.append(np.sum(off * along, axis=1))
    slopes[0, :, own + 3] = tall
    slopes[1, :, own + 4] = np.where(seen.tops, tall, tall / 2)
    slopes[1, :, own + 5] = np.where(seen.tops, 0.0, tall / 2)
    return _Rows(
        slopes=slopes.reshape(-1, size),
        wanted=np.concatenate(wanted),
        sigma_rad=np.tile(NOISE * seen.heights_rad, 2),
        shares=np.tile(seen.independent, 2),
    )


def _tied(cameras: Sequence[CameraModel], pair: Matches, size: int) -> _Rows | None:
    """Write what points that two cameras show tell; none for too few."""
    a, b = cameras[pair.first], cameras[pair.second]
    turn_a, turn_b = a.camera_from_mine[:3, :3], b.camera_from_mine[:3, :3]
    sight_a, sight_b = undistort(a, pair.first_px), undistort(b, pair.second_px)
    mine_a, mine_b = sight_a @ turn_a, sight_b @ turn_b
    apart = b.centre_m - a.centre_m
    long_m = float(np.linalg.norm(apart))
    # A camera's sight u looks along u - w x u of the rig's camera; `across` are directions in the
    # mine that a miss is measured along.
    if long_m < ONE_PLACE_M:
        across = [(one, -one) for one in _tangents(mine_a)]
        wanted = np.concatenate([np.sum((mine_a - mine_b) * one, axis=1) for one, _ in across])
    else:
        line = apart / long_m
        one, other = np.cross(mine_b, line), np.cross(line, mine_a)
        gap = np.cross(mine_a, mine_b) @ line
        lean = np.sum(one**2 + other**2, axis=1) - 2 * gap**2
        one, other = (side / np.sqrt(np.maximum(lean, 1e-6))[:, None] for side in (one, other))
        across, wanted = [(one, other)], gap / np.sqrt(np.maximum(lean, 1e-6))
    slopes = np.zeros((len(across), len(sight_a), size))
    for row, (one, other) in enumerate(across):
        slopes[row, :, WIDE * pair.first :][:, :3] = np.cross(sight_a, one @ turn_a.T)
        slopes[row, :, WIDE * pair.second :][:, :3] = np.cross(sight_b, other @ turn_b.T)
    near = (abs(wanted.reshape(len(across), -1)) < START_RAD).all(axis=0)
    count = int(near.sum())
    if count < LEAST_TIES:
        return None
    return _Rows(
        slopes=slopes[:, near].reshape(-1, size),
        wanted=wanted.reshape(len(across), -1)[:, near].ravel(),
        sigma_rad=np.full(len(across) * count, TIE_RAD),
        shares=np.full(len(across) * count, min(1.0, MOST_TIES / count)),
        pair=(pair.first, pair.second),
    )


def miss_rad(cameras: Sequence[CameraModel], pair: Matches) -> float:
    """Tell by how much two cameras miss each other as the rig has them: the median over points."""
    rows = _tied(cameras, pair, WIDE * len(cameras))
    assert rows is not None, "ties that hold have points enough"
    return float(np.median(abs(rows.wanted)))
