"""The line along which a mine is built: straight and level, sloping, bent, with cross-fall.

Scene files give every place as (along, left, up): chainage on the line, metres to its left, metres
above the floor. Knows nothing about what stands there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sample_videos.generator.mesh import Mesh

Floats = NDArray[np.float64]
LONGEST_M = 1.0
"""Triangles longer than this are cut before they are bent."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Axis:
    """A polyline in the mine, cut along each corner's bisector, as `scene.floor` has it."""

    chainage_m: Floats
    """(n,) horizontal length up to each corner."""
    corners_m: Floats
    """(n, 3) mine metres."""
    across: Floats
    """(n, 2) per corner, where one metre to the left leads."""
    cross_fall: float

    @property
    def straight(self) -> bool:
        """Tell whether (along, left, up) are the mine's own x, y, z."""
        return len(self.corners_m) == 2 and not (
            np.ptp(self.corners_m[:, 1:], axis=0).any()
            or self.corners_m[0].any()
            or self.cross_fall
        )

    def mine(self, places_m: ArrayLike) -> Floats:
        """Carry (n, 3) places (along, left, up) into mine metres (n, 3).

        >>> axis = make_axis([(0, 0, 0), (10, 0, 1), (20, 10, 1)])
        >>> axis.mine([[5.0, 0.0, 2.0], [10.0, 1.0, 0.0]]).round(2).tolist()
        [[5.0, 0.0, 2.5], [9.59, 1.0, 1.0]]
        """
        p = np.asarray(places_m, float).reshape(-1, 3)
        last = len(self.chainage_m) - 2
        i = np.clip(np.searchsorted(self.chainage_m, p[:, 0], side="right") - 1, 0, last)
        share = (p[:, 0] - self.chainage_m[i]) / (self.chainage_m[i + 1] - self.chainage_m[i])
        # Before the first and beyond the last corner the line goes straight on.
        inner = np.clip(share, 0.0, 1.0)[:, None]
        across = (1 - inner) * self.across[i] + inner * self.across[i + 1]
        middle = (1 - share[:, None]) * self.corners_m[i] + share[:, None] * self.corners_m[i + 1]
        out = middle.copy()
        out[:, :2] += p[:, 1:2] * across
        out[:, 2] += p[:, 2] + self.cross_fall * p[:, 1]
        return out

    def floor_m(self, places_m: ArrayLike) -> Floats:
        """Carry (n, 2) places on the floor (along, left) into mine metres (n, 3)."""
        p = np.asarray(places_m, float).reshape(-1, 2)
        return self.mine(np.column_stack([p, np.zeros(len(p))]))

    def heading_rad(self, along_m: float) -> float:
        """Tell which way the line goes there, from the mine's x towards y."""
        last = len(self.chainage_m) - 2
        i = int(np.clip(np.searchsorted(self.chainage_m, along_m, side="right") - 1, 0, last))
        x, y = (self.corners_m[i + 1] - self.corners_m[i])[:2]
        return float(np.arctan2(y, x))

    def bend(self, mesh: Mesh) -> Mesh:
        """Carry a mesh built straight along x into the mine; the texture goes along with it."""
        if self.straight:
            return mesh
        vertices, faces, uv = cut_long(mesh)
        return self.mine(vertices).astype(np.float32), faces, uv


def make_axis(line_m: Sequence[Sequence[float]], cross_fall: float = 0.0) -> Axis:
    """Make an axis through corners (n, 3), whose chainage starts at the first one's x.

    Raises ValueError where the line stands still or turns by more than 60 degrees at a corner.
    """
    line = np.asarray(line_m, float)
    step = np.diff(line[:, :2], axis=0)
    length = np.linalg.norm(step, axis=1)
    if (length < 0.5).any():
        raise ValueError("two corners are less than half a metre apart")
    along = step / length[:, None]
    left = np.column_stack([-along[:, 1], along[:, 0]])
    inner = left[:-1] + left[1:]
    half = np.linalg.norm(inner, axis=1) / 2  # cosine of half the turn
    if (half < np.cos(np.radians(30))).any():
        raise ValueError("the line turns by more than 60 degrees at a corner; add corners")
    across = np.vstack([left[:1], inner / (2 * half[:, None] ** 2), left[-1:]])
    return Axis(
        chainage_m=line[0, 0] + np.concatenate([[0.0], np.cumsum(length)]),
        corners_m=line,
        across=across,
        cross_fall=cross_fall,
    )


def cut_long(mesh: Mesh) -> Mesh:
    """Halve triangles until none is longer than `LONGEST_M` along x."""
    vertices, faces, uv = mesh
    while True:
        corners = vertices[faces]
        long = np.ptp(corners[..., 0], axis=1) > LONGEST_M
        if not long.any():
            return vertices, faces, uv
        cut, whole = faces[long], faces[~long]
        ends = np.stack([cut, np.roll(cut, -1, axis=1)], -1)  # (m, 3, 2): each edge
        reach = np.abs(np.diff(vertices[ends][..., 0], axis=2))[..., 0]
        edge = reach.argmax(1)
        rows = np.arange(len(cut))
        a, b, c = cut[rows, edge], cut[rows, (edge + 1) % 3], cut[rows, (edge + 2) % 3]
        middle = np.arange(len(cut)) + len(vertices)
        vertices = np.concatenate([vertices, (vertices[a] + vertices[b]) / 2])
        uv = np.concatenate([uv, (uv[a] + uv[b]) / 2])
        halves = np.concatenate([np.stack([a, middle, c], 1), np.stack([middle, b, c], 1)])
        faces = np.concatenate([whole, halves.astype(faces.dtype)])
