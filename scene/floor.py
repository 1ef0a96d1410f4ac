"""The floor of a roadway: how high it is anywhere, and where a line of sight meets it.

Knows nothing about cameras, pictures or people.
"""

from collections.abc import Sequence
from math import ceil, floor

import numpy as np

from scene.arrays import Bools, Floats
from scene.floor_config import FloorConfig

MAX_RANGE_M = 200.0
"""A line of sight that meets the floor further away counts as not meeting it."""
SAME_M = 1e-6
"""What rounding adds to a length makes no metre more of it."""


class Floor:
    """A ribbon along a centre line (in plan any polyline), with grade and cross-fall.

    Between two corners of the line the floor lies between the two corners' cross-sections (along
    the bisector of the bend), so it has no steps. It goes on beyond both ends and both sides;
    `outside_m` tells how far beyond.

    >>> config = FloorConfig(centre_line_m=((0, 0, 0), (100, 0, 5)), cross_fall=0.02)
    >>> Floor(config).z_m(np.array([[10.0, 0.0], [10.0, 2.0]])).round(3).tolist()
    [0.5, 0.54]
    """

    def __init__(self, config: FloorConfig) -> None:
        line = _without_repeats(np.asarray(config.centre_line_m, float))
        self._start, self._end = line[:-1], line[1:]
        step = self._end[:, :2] - self._start[:, :2]
        self._length = np.linalg.norm(step, axis=1)
        self._along = step / self._length[:, None]
        self._left = np.column_stack([-self._along[:, 1], self._along[:, 0]])
        self._grade = (self._end[:, 2] - self._start[:, 2]) / self._length
        self._cross_fall = config.cross_fall
        self._slope = self._grade[:, None] * self._along + self._cross_fall * self._left
        # Each stretch as a plane: exact on a straight line, a start for Newton in bends.
        self._normal = np.column_stack([-self._slope, np.ones(len(self._grade))])
        self._left_m, self._right_m = config.left_m, config.right_m
        inner = self._along[:-1] + self._along[1:]
        norm = np.linalg.norm(inner, axis=1, keepdims=True)
        # A line that turns straight back has no bisector; its own direction will do.
        inner = np.where(norm > 1e-6, inner / np.maximum(norm, 1e-6), self._along[:-1])
        self._first_bisector = np.vstack([self._along[:1], inner])
        self._last_bisector = np.vstack([inner, self._along[-1:]])
        # Chainage counts as x does: upwards along the line, or downwards where x falls along it.
        self._sign = 1.0 if line[-1, 0] >= line[0, 0] else -1.0
        self._passed = np.concatenate([[0.0], np.cumsum(self._length)])
        self._first_m = float(line[0, 0])

    def z_m(self, xy_m: Floats) -> Floats:
        """Tell the floor's height (N,) at (N, 2) mine positions."""
        segment, share, left_m = self._place(xy_m)
        rise = self._grade[segment] * self._length[segment] * share
        return np.asarray(self._start[segment, 2] + rise + self._cross_fall * left_m)

    @property
    def chainages_m(self) -> tuple[float, float]:
        """Chainage of the centre line's first and last point."""
        return self._first_m, self._first_m + self._sign * float(self._passed[-1])

    @property
    def metres(self) -> range:
        """Whole metres of chainage that the centre line reaches into, each by where it starts."""
        low, high = sorted(self.chainages_m)
        return range(floor(low + SAME_M), ceil(high - SAME_M))

    def place(self, xy_m: Floats) -> Floats:
        """Tell chainage and metres to the left of the centre line, (N, 2), of (N, 2) positions.

        Chainage starts with the x of the line's first point and counts metres along the line, in
        plan; on a straight line along x it is x. Left is as one walks along the line.
        """
        segment, share, left_m = self._place(xy_m)
        passed = self._passed[segment] + share * self._length[segment]
        return np.column_stack([self._first_m + self._sign * passed, left_m])

    def chainage_m(self, place_m: Sequence[float]) -> float:
        """Tell the chainage of one place, (x, y) or (x, y, z)."""
        return float(self.place(np.array([place_m[:2]]))[0, 0])

    def at(self, chainage_m: Floats, left_m: Floats) -> Floats:
        """Give the floor's points (N, 3) at (N,) chainages and metres to the left: undoes `place`.

        >>> config = FloorConfig(centre_line_m=((0, 0, 0), (10, 0, 0), (10, 10, 1)))
        >>> Floor(config).at(np.array([15.0]), np.array([-2.0])).round(3).tolist()
        [[12.0, 4.0, 0.5]]
        """
        passed = (np.asarray(chainage_m, float) - self._first_m) * self._sign
        left = np.asarray(left_m, float)
        segment = np.clip(
            np.searchsorted(self._passed, passed, side="right") - 1, 0, len(self._length) - 1
        )
        length = self._length[segment]
        share = (passed - self._passed[segment]) / length
        along, aside = self._along[segment], self._left[segment]
        starts = _cut(along, aside, self._first_bisector[segment], left)
        ends = length + _cut(along, aside, self._last_bisector[segment], left)
        s = starts + share * (ends - starts)
        s = np.where((share < 0) | (share > 1), share * length, s)
        xy = self._start[segment, :2] + s[:, None] * along + left[:, None] * aside
        z = self._start[segment, 2] + self._grade[segment] * length * share
        return np.column_stack([xy, z + self._cross_fall * left])

    def slope(self, xy_m: Floats) -> Floats:
        """Tell how the height changes per metre along x and y, (N, 2), at (N, 2) positions."""
        xy, step = np.asarray(xy_m, float).reshape(-1, 2), 0.01
        if len(self._slope) == 1:
            return np.repeat(self._slope, len(xy), axis=0)
        right, left = np.array([step, 0.0]), np.array([0.0, step])
        around = np.concatenate([xy + right, xy - right, xy + left, xy - left])
        east, west, north, south = self.z_m(around).reshape(4, -1)
        return np.column_stack([east - west, north - south]) / (2 * step)

    def outside_m(self, xy_m: Floats) -> Floats:
        """Tell how far (N,) each of (N, 2) positions lies beyond the ribbon; 0 is on it."""
        xy = np.asarray(xy_m, float).reshape(-1, 2)
        segment, _, left_m = self._place(xy)
        s = np.sum((xy - self._start[segment, :2]) * self._along[segment], axis=1)
        before = np.where(segment == 0, np.maximum(-s, 0), 0)
        last = segment == len(self._length) - 1
        after = np.where(last, np.maximum(s - self._length[segment], 0), 0)
        return np.asarray(np.hypot(before + after, self.aside_m(left_m)))

    def aside_m(self, left_m: Floats) -> Floats:
        """Tell how far (N,) each of (N,) metres to the left of the line lies beyond the edges."""
        return np.maximum(np.maximum(left_m - self._left_m, -left_m - self._right_m), 0)

    def box_m(self, beside_m: float) -> tuple[float, float, float, float]:
        """Give least x and y, greatest x and y of all that is no further off than `beside_m`."""
        corners = self._first_m + self._sign * self._passed
        wide = np.array([self._left_m + beside_m, -self._right_m - beside_m])
        edges = self.at(np.repeat(corners, 2), np.tile(wide, len(corners)))[:, :2]
        low, high = edges.min(axis=0) - beside_m, edges.max(axis=0) + beside_m
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])

    def meet(
        self, origin_m: Floats, directions: Floats, *, above_m: float = 0.0
    ) -> tuple[Floats, Bools]:
        """Find where (N, 3) lines of sight first come down to the floor.

        All start from one `origin_m` (3,), or each from its own (N, 3).

        `above_m` raises the floor by so much. Gives (N, 3) points on the (raised) floor and (N,)
        whether there is one within `MAX_RANGE_M`; points that do not exist are NaN.
        """
        origin = np.asarray(origin_m, float).reshape(-1, 3)
        direction = np.asarray(directions, float).reshape(-1, 3)
        drop = np.sum((self._start - origin[:, None]) * self._normal, axis=2) + above_m
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = drop / (direction @ self._normal.T)
        if len(self._grade) == 1:
            reach1 = reach[:, 0]
            hit = (reach1 > 0) & (reach1 < MAX_RANGE_M)
            points = origin + np.where(hit, reach1, np.nan)[:, None] * direction
            return points, hit
        usable = (reach > 0) & (reach < 2 * MAX_RANGE_M)
        reach = np.where(usable, reach, 0.0)
        gap = np.abs(self._gap(origin[:, None], direction[:, None], reach, above_m))
        good = usable & (gap < 0.5)
        first = np.where(good, reach, np.inf).min(axis=1, initial=np.inf)
        hit = np.isfinite(first)
        reach1 = np.where(hit, first, 1.0)
        for _ in range(8):
            here = self._gap(origin, direction, reach1, above_m)
            if np.all((np.abs(here) < 1e-4) | ~hit):
                break
            slope = (self._gap(origin, direction, reach1 + 0.01, above_m) - here) / 0.01
            slope = np.where(np.abs(slope) > 1e-4, slope, -1e-4)
            reach1 = reach1 - np.clip(here / slope, -2, 2)
        hit &= np.abs(self._gap(origin, direction, reach1, above_m)) < 1e-3
        hit &= (reach1 > 0) & (reach1 < MAX_RANGE_M)
        points = origin + reach1[:, None] * direction
        return np.where(hit[:, None], points, np.nan), hit

    def _gap(self, origin: Floats, direction: Floats, reach: Floats, above_m: float) -> Floats:
        """Tell how high the points at `reach` along the lines hang above the raised floor."""
        points = origin + reach[..., None] * direction
        height = self.z_m(points[..., :2].reshape(-1, 2)).reshape(reach.shape)
        return np.asarray(points[..., 2] - height - above_m)

    def _place(
        self, xy_m: Floats
    ) -> tuple[np.ndarray[tuple[int], np.dtype[np.intp]], Floats, Floats]:
        """Find the stretch of the line, the share of it passed, and metres left of it."""
        xy = np.asarray(xy_m, float).reshape(-1, 2)
        if len(self._length) == 1:
            off = xy - self._start[0, :2]
            share = off @ self._along[0] / self._length[0]
            return np.zeros(len(xy), np.intp), share, off @ self._left[0]
        # (N, stretches) each: sums over a last axis of two would take several times as long.
        x, y = xy[:, :1], xy[:, 1:]
        from_start = x - self._start[:, 0], y - self._start[:, 1]
        from_end = x - self._end[:, 0], y - self._end[:, 1]
        s, left = _dot(from_start, self._along), _dot(from_start, self._left)
        past, ahead = _dot(from_start, self._first_bisector), -_dot(from_end, self._last_bisector)
        beside = np.ones_like(past, bool)
        beside[:, 1:] &= past[:, 1:] >= -1e-9
        beside[:, :-1] &= ahead[:, :-1] >= -1e-9
        beyond = np.maximum(np.maximum(-s, s - self._length), 0)
        # The nearest stretch whose cross-sections the point lies between; else just the nearest.
        distance = np.hypot(beyond, left) + np.where(beside, 0.0, 1e6)
        segment = np.argmin(distance, axis=1)
        row = np.arange(len(xy))
        e0, e1 = past[row, segment], ahead[row, segment]
        # Along the stretch, not square to the bisectors, lest metres of the line grow or shrink.
        e0 = e0 / np.sum(self._along * self._first_bisector, axis=1)[segment]
        e1 = e1 / np.sum(self._along * self._last_bisector, axis=1)[segment]
        # On a bisector, rounding must not throw a point out of both stretches.
        between = (e0 >= -1e-9) & (e1 >= -1e-9) & (e0 + e1 > 1e-9)
        share = np.where(
            between, e0 / np.where(between, e0 + e1, 1.0), s[row, segment] / self._length[segment]
        )
        return segment, share, left[row, segment]


def _dot(offsets: tuple[Floats, Floats], ways: Floats) -> Floats:
    """Give the dot products (N, M) of offsets, x and y (N, M), with M directions (M, 2)."""
    return offsets[0] * ways[:, 0] + offsets[1] * ways[:, 1]


def _cut(along: Floats, aside: Floats, bisector: Floats, left_m: Floats) -> Floats:
    """Tell how far along a stretch the line `left_m` beside it cuts a bisector through its end."""
    return np.asarray(-left_m * np.sum(aside * bisector, axis=1) / np.sum(along * bisector, axis=1))


def _without_repeats(line: Floats) -> Floats:
    """Drop corners that repeat the one before them (in plan): they have no direction."""
    step = np.linalg.norm(np.diff(line[:, :2], axis=0), axis=1)
    kept = line[np.concatenate([[True], step > 1e-6])]
    if len(kept) < 2:
        raise ValueError("floor.centre_line_m: give at least two different points in plan")
    return np.asarray(kept)
