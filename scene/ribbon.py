"""The panorama's surface of a strip rig: walls and floor along the roadway, unrolled.

Knows nothing about cameras' lenses or pictures.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from scene.arrays import Bools, Floats, Ints
from scene.floor import Floor
from scene.geometry import CameraModel
from scene.site import FloorConfig
from scene.zones import PointXYZ

NEAR_SURFACE_M = 0.3
"""A point so near to the surface belongs to it; others stand in front of it."""
REACH_M = 60.0
"""Lines of sight are followed so far."""
STEPS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Ribbon:
    """A cross-section drawn along a centre line, rolled out flat; one scale for both directions.

    Panorama x runs along the roadway: with rising chainage to the right, or to the left when
    `mirrored` (so that a wall on the right is not shown as in a mirror). Panorama y runs along the
    cross-section from its first corner, the top.
    """

    line_m: tuple[PointXYZ, ...]
    """The floor's centre line, mine metres."""
    cross_fall: float
    """Rise of the floor per metre to the left."""
    section_m: tuple[tuple[float, float], ...]
    """Corners of the cross-section from the panorama's top to its bottom: metres left of the
    centre line, and metres above the floor there."""
    chainage_left_m: float
    """Chainage at panorama x = 0."""
    px_per_m: float
    mirrored: bool
    size_px: tuple[int, int]
    """Width and height, even."""

    def panorama_from_mine(self, points_m: Floats) -> Floats:
        """Carry (N, 3) mine points to (N, 2) panorama pixels, some of them outside the picture.

        A point on a wall or on the floor goes where it is. One that stands in front goes straight
        up from the floor below it: a person is drawn upright, as seen from across the roadway.
        """
        points = np.asarray(points_m, float).reshape(-1, 3)
        chainage_m, left_m, up_m = self._unbent(points)
        along_m, gap_m = self._nearest(left_m, up_m)
        upright_m = self._floor_arc(left_m) - up_m
        arc_m = np.where(gap_m <= NEAR_SURFACE_M, along_m, upright_m)
        return np.column_stack([self._x(chainage_m), arc_m * self.px_per_m])

    def upright(self, points_m: Floats) -> Floats:
        """Carry (N, 3) mine points of people to (N, 2) panorama pixels: upright over the floor.

        As `panorama_from_mine`, but a body that touches a wall is still drawn straight up.
        """
        points = np.asarray(points_m, float).reshape(-1, 3)
        chainage_m, left_m, up_m = self._unbent(points)
        arc_m = self._floor_arc(left_m) - up_m
        return np.column_stack([self._x(chainage_m), arc_m * self.px_per_m])

    def panorama_from_sight(self, centre_m: Floats, directions: Floats) -> Floats:
        """Find where (N, 3) lines of sight from `centre_m` (3,) first meet the surface.

        Gives (N, 2) panorama pixels, some of them outside the picture; NaN for those that meet
        nothing within 60 m.
        """
        ahead = np.asarray(directions, float).reshape(-1, 3)
        ahead = ahead / np.linalg.norm(ahead, axis=1, keepdims=True)
        chainage_m, arc_m = self._meet(np.asarray(centre_m, float), ahead)
        return np.column_stack([self._x(chainage_m), arc_m * self.px_per_m])

    def mine_from_panorama(self, pixels: Floats, floor: Floor | None = None) -> Floats:
        """Give the surface's points (N, 3), mine metres, at (N, 2) panorama pixels.

        The ribbon has its own floor; `floor` is only there for both surfaces to be asked alike.
        """
        x, y = np.asarray(pixels, float).reshape(-1, 2).T
        left_m, up_m = self._section(y / self.px_per_m)
        sign = -1.0 if self.mirrored else 1.0
        floor_m = self._floor.at(self.chainage_left_m + sign * x / self.px_per_m, left_m)
        floor_m[:, 2] += up_m
        return floor_m

    def in_camera(self, camera: CameraModel, pixels: Floats) -> Floats:
        """Give (N, 3) points of the camera frame, metres, that (N, 2) panorama pixels show."""
        pose = camera.camera_from_mine
        return self.mine_from_panorama(pixels) @ pose[:3, :3].T + pose[:3, 3]

    def inside(self, pixels: Floats) -> Bools:
        """Tell which of (N, 2) panorama pixels lie in the picture."""
        width, height = self.size_px
        x, y = np.asarray(pixels, float).reshape(-1, 2).T
        return np.asarray((x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1))

    @property
    def _floor(self) -> Floor:
        return _floor(self.line_m, self.cross_fall)

    def _x(self, chainage_m: Floats) -> Floats:
        sign = -1.0 if self.mirrored else 1.0
        return np.asarray((chainage_m - self.chainage_left_m) * sign * self.px_per_m)

    def _unbent(self, points_m: Floats) -> tuple[Floats, Floats, Floats]:
        """Give chainage, metres to the left, and metres above the floor, (N,) each."""
        chainage_m, left_m = self._floor.place(points_m[:, :2]).T
        return chainage_m, left_m, points_m[:, 2] - self._floor.z_m(points_m[:, :2])

    def _corners(self) -> tuple[Floats, Floats, Floats]:
        """Give the section's edges: starts (E, 2), unit directions (E, 2), arcs (E + 1,)."""
        corners = np.array(self.section_m, float)
        edge = np.diff(corners, axis=0)
        length = np.linalg.norm(edge, axis=1)
        arcs = np.concatenate([[0.0], np.cumsum(length)])
        return corners[:-1], edge / length[:, None], arcs

    def _section(self, arc_m: Floats) -> tuple[Floats, Floats]:
        """Give metres left of the line and above the floor at (N,) arcs."""
        start, along, arcs = self._corners()
        edge = np.clip(np.searchsorted(arcs, arc_m, side="right") - 1, 0, len(start) - 1)
        place = start[edge] + (arc_m - arcs[edge])[:, None] * along[edge]
        return place[:, 0], place[:, 1]

    def _nearest(self, left_m: Floats, up_m: Floats) -> tuple[Floats, Floats]:
        """Give the nearest section point's arc, and how far off it is, (N,) each."""
        start, along, arcs = self._corners()
        off = np.stack([left_m, up_m], axis=1)[:, None] - start[None]
        passed = np.clip(np.sum(off * along, axis=2), 0, np.diff(arcs))
        gap = np.linalg.norm(off - passed[..., None] * along, axis=2)
        best = gap.argmin(axis=1)
        row = np.arange(len(left_m))
        return arcs[best] + passed[row, best], gap[row, best]

    def _floor_arc(self, left_m: Floats) -> Floats:
        """Give the arc of the floor (N,) under points so far left of the line."""
        start, along, arcs = self._corners()
        flat: Ints = np.flatnonzero(np.abs(along[:, 0]) >= np.abs(along[:, 1]))
        if not len(flat):
            return np.full(len(left_m), arcs[-1])
        ends = start[:, 0] + along[:, 0] * np.diff(arcs)
        lefts = np.concatenate([start[flat, 0], ends[flat]])
        found = np.concatenate([arcs[flat], arcs[flat + 1]])
        order = np.argsort(lefts, kind="stable")
        return np.asarray(np.interp(left_m, lefts[order], found[order]))

    def _meet(self, centre_m: Floats, directions: Floats) -> tuple[Floats, Floats]:
        """Follow (N, 3) lines of sight to the section; gives chainage and arc, (N,) each."""
        count = len(directions)
        # Denser near the camera: what is near is what it sees in detail.
        reach = REACH_M * np.linspace(0, 1, STEPS) ** 2
        points = centre_m + reach[None, :, None] * directions[:, None]
        chainage, left, up = (
            value.reshape(count, STEPS) for value in self._unbent(points.reshape(-1, 3))
        )
        start, along, arcs = self._corners()
        sign = -1.0 if shows_right_wall(self.section_m) else 1.0
        best = np.full(count, np.inf)
        found_chainage, found_arc = np.full(count, np.nan), np.full(count, np.nan)
        for edge in range(len(start)):
            out = sign * np.array([along[edge, 1], -along[edge, 0]])
            height = (left - start[edge, 0]) * out[0] + (up - start[edge, 1]) * out[1]
            passed = (left - start[edge, 0]) * along[edge, 0] + (up - start[edge, 1]) * along[
                edge, 1
            ]
            crosses = (height[:, :-1] > 0) & (height[:, 1:] <= 0)
            share = height[:, :-1] / np.where(crosses, height[:, :-1] - height[:, 1:], 1.0)
            where = passed[:, :-1] + share * np.diff(passed, axis=1)
            limit = np.array([0.0, arcs[edge + 1] - arcs[edge]])
            # The outermost edges go on, so that what lies beyond the picture has a place, too.
            low = -np.inf if edge == 0 else -1e-9
            high = np.inf if edge == len(start) - 1 else limit[1] + 1e-9
            good = crosses & (where >= low) & (where <= high)
            first = good.argmax(axis=1)
            row = np.arange(count)
            hit = good[row, first] & (first < best)
            best = np.where(hit, first, best)
            here = chainage[row, first] + share[row, first] * (
                chainage[row, first + 1] - chainage[row, first]
            )
            found_chainage = np.where(hit, here, found_chainage)
            found_arc = np.where(hit, arcs[edge] + where[row, first], found_arc)
        return found_chainage, found_arc


def shows_right_wall(section_m: tuple[tuple[float, float], ...]) -> bool:
    """Tell whether a section is looked at from the left: its top is the right wall's.

    >>> shows_right_wall(((-2.5, 2.5), (-2.5, 0.0), (2.5, 0.0)))
    True
    >>> shows_right_wall(((2.5, 2.0), (2.5, 0.0)))
    False
    """
    first, last = section_m[0][0], section_m[-1][0]
    return first < last or (first == last and first < 0)


@lru_cache(maxsize=16)
def _floor(line_m: tuple[PointXYZ, ...], cross_fall: float) -> Floor:
    return Floor(FloorConfig(centre_line_m=line_m, cross_fall=cross_fall))
