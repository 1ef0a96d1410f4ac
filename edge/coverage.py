"""Which metres of roadway the cameras can see now, and how well.

Metres are whole ones of chainage along the floor's centre line (`scene.floor`). Knows nothing about
people: "cannot see" is never "nobody there". Machines that stand in the way are not modelled yet.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from edge.planning.error import (
    FLOOR_SIGMA_M,
    FOLLOWED_S,
    LENS_SIGMA,
    LOOKS_PER_S,
    one_look,
    standing_boxes,
)
from edge.view_outline import FAR_M
from location.motion import Motion, predict, start
from location.tracker import REPORTED_BIAS_M, TrackerLimits
from scene.arrays import Bools, Floats, Ints
from scene.floor import Floor
from scene.geometry import project
from scene.rig import Rig
from scene.site import FloorConfig
from stitching.view import CELLS

Cells = frozenset[tuple[int, int]]
Gone = Mapping[str, Cells]
"""Cells of `stitching.view.CELLS`, (row, column), that show nothing any more, by camera."""
NOTHING_GONE: Gone = {}
MOST_KNOWN = 256
"""Of so many states of the cameras it is remembered what they cover."""
EVERY_M = 3
"""Expected errors change slowly along the roadway."""
OFF_FLOOR_M = 1.0
"""A roadway may be so much wider than its floor; a line of sight further off the floor ends."""
SIGHTS = 32
"""At so many places of a line of sight it is looked whether it is in rock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Covered:
    """What some cameras cover, metre by metre of chainage."""

    from_m: float
    """Chainage at which the first metre starts."""
    cameras: tuple[int, ...]
    """How many of them see most of the metre's floor."""
    sigma_m: tuple[float | None, ...]
    """Expected error of a place published there: one sigma along the worse axis; none where no
    camera shows a whole body."""


class Roadway:
    """Coverage of one rig's cameras; each is computed at the start, each set of them once more.

    A camera sees a metre when it has at least three of five points across the floor in its
    picture, no further than `FAR_M` and not behind the rib of a bend. The error is that of
    `edge.planning.error`, for somebody who stands in the middle of the roadway and has been
    followed for two seconds.

    `like` is the roadway before cameras were hung anew: its errors are kept, which take a second to
    compute and hardly change by the degree or two of a re-registration.
    """

    def __init__(
        self, rig: Rig, floor: Floor, config: FloorConfig, like: "Roadway | None" = None
    ) -> None:
        self._cameras = {camera.name: camera for camera in rig.cameras}
        self._floor = floor
        self._points = _floor_points(floor, config)
        self._cells: dict[str, Ints] = {}
        """(metres, 5) by camera: the cell of its picture in which each point lies, -1 for none."""
        self._facts: dict[str, Floats] = {} if like is None else dict(like._facts)
        self._known: dict[frozenset[tuple[str, Cells]], Covered] = {}
        self.covered(self._cameras)  # now, as whoever asks later must not wait

    def covered(self, healthy: Collection[str], gone: Gone = NOTHING_GONE) -> Covered:
        """Tell what these cameras cover; names that the rig lacks are passed over.

        Floor that a camera used to show in cells that are `gone` it does not see.
        """
        names = self._cameras.keys() & set(healthy)
        key = frozenset((name, gone.get(name, frozenset())) for name in names)
        if key not in self._known:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[key] = self._compute(dict(sorted(key)))
        return self._known[key]

    def _compute(self, gone: Mapping[str, Cells]) -> Covered:
        metres = len(self._points)
        counts, facts = np.zeros(metres), np.zeros((metres, 2, 2))
        for name, cells in gone.items():
            seen = self._sees(name, cells)
            counts += seen
            facts += seen[:, None, None] * self._tells(name)
        sigma = _published_sigma_m(facts)
        return Covered(
            from_m=float(self._floor.metres.start),
            cameras=tuple(int(count) for count in counts),
            sigma_m=tuple(
                round(float(one), 2) if count and np.isfinite(one) else None
                for one, count in zip(sigma, counts, strict=True)
            ),
        )

    def _sees(self, name: str, gone: Cells = frozenset()) -> Bools:
        """Tell (metres,) which a camera sees, but for what it shows in cells that are gone."""
        if name not in self._cells:
            camera, flat = self._cameras[name], self._points.reshape(-1, 3)
            pixels, shown = project(camera, flat)
            shown &= np.linalg.norm(flat - camera.centre_m, axis=1) <= FAR_M
            shown[shown] = _in_sight(self._floor, camera.centre_m, flat[shown])
            columns, rows = ((pixels + 0.5) / camera.size_px * CELLS)[shown].T.astype(int)
            cells = np.full(len(flat), -1)
            cells[shown] = rows * CELLS[0] + columns
            self._cells[name] = cells.reshape(len(self._points), -1)
        hidden = [row * CELLS[0] + column for row, column in gone]
        cells = self._cells[name]
        return np.asarray(((cells >= 0) & ~np.isin(cells, hidden)).sum(axis=1) >= 3)

    def _tells(self, name: str) -> Floats:
        """Give (metres, 2, 2) what one look tells, in 1/m2: zeros where no whole body is seen.

        Every `EVERY_M`-th metre is computed, what lies between is interpolated.
        """
        if name not in self._facts:
            camera, middle = self._cameras[name], self._points[:, self._points.shape[1] // 2]
            facts = np.zeros((len(middle), 2, 2))
            whole = self._sees(name) & np.isfinite(standing_boxes(camera, middle)[:, 0])
            here = np.flatnonzero(whole)
            some = np.union1d(here[::EVERY_M], here[-1:])
            looks = one_look(camera, self._floor, middle[some], FLOOR_SIGMA_M, LENS_SIGMA)
            placed = np.isfinite(looks).all(axis=(1, 2))
            if placed.any():
                known = looks[placed].reshape(-1, 4).T
                between = [np.interp(here, some[placed], column) for column in known]
                facts[here] = np.linalg.inv(np.stack(between, axis=1).reshape(-1, 2, 2))
            self._facts[name] = facts
        return self._facts[name]


def _published_sigma_m(facts: Floats) -> Floats:
    """Tell the sigma (N,) after `FOLLOWED_S` of looks that tell (N, 2, 2) each; inf for none.

    The tracker's filter, for all metres at once: its covariance does not depend on what is seen.
    """
    out = np.full(len(facts), np.inf)
    told = np.flatnonzero(np.trace(facts, axis1=1, axis2=2) > 0)
    looks = np.linalg.inv(facts[told])
    first = start(0, np.zeros(2), np.eye(2)).covariance
    state = np.broadcast_to(first, (len(told), 4, 4)).copy()
    state[:, :2, :2] = looks
    step_ns = round(1e9 / LOOKS_PER_S)
    still = Motion(at_ns=0, mean=np.zeros(4), covariance=np.zeros((4, 4)))
    doubt = predict(still, step_ns, TrackerLimits().unrest_m2_s3).covariance
    carry = np.eye(4)
    carry[0, 2] = carry[1, 3] = 1 / LOOKS_PER_S
    for _ in range(round(FOLLOWED_S * LOOKS_PER_S)):
        state = carry @ state @ carry.T + doubt
        spread = state[:, :2, :2] + looks
        state = state - state[:, :, :2] @ np.linalg.solve(spread, state[:, :2, :])
    published = state[:, :2, :2] + REPORTED_BIAS_M**2 * np.eye(2)
    out[told] = np.sqrt(np.linalg.eigvalsh(published)[:, 1])
    return out


def _floor_points(floor: Floor, config: FloorConfig) -> Floats:
    """Give (metres, 5, 3) points across the middle of every metre of floor, from right to left."""
    middles = np.array(floor.metres) + 0.5
    across = np.linspace(-config.right_m, config.left_m, 7)[1:-1]
    points = floor.at(np.repeat(middles, 5), np.tile(across, len(middles)))
    return points.reshape(len(middles), 5, 3)


def _in_sight(floor: Floor, camera_m: Floats, points_m: Floats) -> Bools:
    """Tell which of (N, 3) points on the floor no rock hides: only bends have some in between.

    A camera may hang in a niche or beyond the floor's end: until its line of sight comes to the
    floor, that is as far off as it may be.
    """
    free, entered = np.ones(len(points_m), bool), np.zeros(len(points_m), bool)
    from_m = max(float(floor.outside_m(camera_m[None, :2])[0]), OFF_FLOOR_M)
    for share in (np.arange(SIGHTS) + 0.5) / SIGHTS:
        off_m = floor.outside_m((1 - share) * camera_m[:2] + share * points_m[:, :2])
        entered |= off_m <= OFF_FLOOR_M
        free &= off_m <= np.where(entered, OFF_FLOOR_M, from_m)
    return free
