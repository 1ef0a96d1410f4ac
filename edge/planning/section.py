"""A roadway section before anything hangs: where people may stand, and which sight lines are free.

Knows nothing about lenses or pictures. Sight ends at obstacles (boxes on the floor), at the ribs
of a bend, and at roof and floor where the grade changes.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from edge.planning.file import Obstacle, PlanConfig
from scene.arrays import Bools, Floats, Ints
from scene.floor import Floor

STEP_M = 0.5
"""Places are so far apart along the roadway."""
LANE_M = 0.8
"""... and at most so far apart across it."""
BODY_M = 0.3
"""A person's middle comes no nearer to a rib than this."""
PIECE_M = 2.0
"""Obstacles are cut into pieces no longer than this, so that they follow bends and grades."""
SLACK_M = 0.1
"""A sight line may graze ribs, roof and floor by so much."""
SAMPLES = 24


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Places:
    """N places on the floor where somebody may stand, lane by lane along the roadway."""

    chainage_m: Floats
    left_m: Floats
    feet_m: Floats
    """(N, 3) mine metres."""
    metre: Ints
    """Which metre of the stretch, from 0."""
    step: Ints
    """Which row along the stretch, from 0."""
    lane: Ints
    """From 0, the rightmost."""
    taken: Bools
    """An obstacle stands there."""

    @property
    def shape(self) -> tuple[int, int]:
        """Number of steps along, lanes across; places are in this order."""
        return int(self.step[-1]) + 1, int(self.lane[-1]) + 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Block:
    """One piece of an obstacle: an upright prism on a convex foot."""

    name: str
    corners_m: Floats
    """(4, 2) mine metres."""
    bottom_m: float
    top_m: float
    """Mine heights."""


class Section:
    """A stretch of roadway with all that stands in it."""

    def __init__(self, plan: PlanConfig) -> None:
        self.plan = plan
        self.floor = Floor(plan.floor)
        self.from_m, self.to_m = plan.stretch_m or plan.line_m
        self.blocks = [block for one in plan.obstacles for block in _blocks(one, self.floor)]
        line = np.array(plan.floor.centre_line_m)
        self._corners_m = np.sort(self.floor.place(line[:, :2])[1:-1, 0])
        self.places = self._places()

    @property
    def metres(self) -> int:
        """How many metres the stretch has; a rest of less than half of one joins the last."""
        return max(1, int(np.ceil(self.to_m - self.from_m - 0.5 - 1e-9)))

    def metre_m(self, index: int) -> tuple[float, float]:
        """Tell from where to where a metre, counted from 0, reaches."""
        last = index == self.metres - 1
        return self.from_m + index, self.to_m if last else self.from_m + index + 1

    def point(self, chainage_m: float, left_m: float, above_m: float) -> Floats:
        """Give the mine point (3,) so high above the floor."""
        x, y, z = self.floor.at(np.array([chainage_m]), np.array([left_m]))[0].tolist()
        return np.array([x, y, z + above_m])

    def heading_deg(self, chainage_m: float) -> float:
        """Tell the direction of rising chainage there, left from the mine's x axis."""
        low = max(self.plan.line_m[0], chainage_m - 0.25)
        high = min(self.plan.line_m[1], chainage_m + 0.25)
        (x0, y0, _), (x1, y1, _) = self.floor.at(np.array([low, high]), np.zeros(2))
        return float(np.degrees(np.arctan2(y1 - y0, x1 - x0)))

    def free(self, origin_m: Floats, targets_m: Floats) -> Bools:
        """Tell which of (N, 3) points can be seen from `origin_m`, walls and obstacles given."""
        return self.inside(origin_m, targets_m) & ~self.blocked(origin_m, targets_m)

    def blocked(self, origin_m: Floats, targets_m: Floats, name: str | None = None) -> Bools:
        """Tell which of (N, 3) points obstacles hide: all of them, or those of one name."""
        hidden = np.zeros(len(targets_m), bool)
        for block in self.blocks:
            if name is None or block.name == name:
                hidden |= _crosses(block, origin_m, targets_m)
        return hidden

    def inside(self, origin_m: Floats, targets_m: Floats) -> Bools:
        """Tell which of (N, 3) points can be seen from `origin_m` past ribs, roof and floor."""
        inside = np.ones(len(targets_m), bool)
        if not len(self._corners_m):
            return inside
        chainage = self.floor.place(np.vstack([origin_m[None, :2], targets_m[:, :2]]))[:, 0]
        stretch = np.searchsorted(self._corners_m, chainage)
        # Within one stretch the roadway is straight: nothing but obstacles can stand between.
        other = np.flatnonzero(stretch[1:] != stretch[0])
        if len(other):
            share = (np.arange(SAMPLES) + 0.5) / SAMPLES
            along = origin_m + share[None, :, None] * (targets_m[other, None] - origin_m)
            flat = along.reshape(-1, 3)
            above = flat[:, 2] - self.floor.z_m(flat[:, :2])
            good = self.floor.outside_m(flat[:, :2]) < SLACK_M
            good &= (above > -SLACK_M) & (above < self.plan.height_m + SLACK_M)
            inside[other] = good.reshape(len(other), SAMPLES).all(axis=1)
        return inside

    def _places(self) -> Places:
        config = self.plan.floor
        steps = max(2, round((self.to_m - self.from_m) / STEP_M))
        pitch = (self.to_m - self.from_m) / steps
        left, right = config.left_m - BODY_M, -config.right_m + BODY_M
        lanes = max(3, int(np.ceil((left - right) / LANE_M)) + 1)
        step, lane = (part.ravel() for part in np.mgrid[0:steps, 0:lanes])
        chainage = self.from_m + (step + 0.5) * pitch
        aside = right + lane * (left - right) / (lanes - 1)
        feet = self.floor.at(chainage, aside)
        taken = np.zeros(len(feet), bool)
        for one in self.plan.obstacles:
            if one.bottom_m < 1.0:  # under a higher one people walk
                here = (chainage >= one.along_m[0]) & (chainage <= one.along_m[1])
                taken |= here & (aside >= one.across_m[0]) & (aside <= one.across_m[1])
        return Places(
            chainage_m=chainage,
            left_m=aside,
            feet_m=feet,
            metre=np.minimum((chainage - self.from_m).astype(np.int64), self.metres - 1),
            step=step.astype(np.int64),
            lane=lane.astype(np.int64),
            taken=taken,
        )


def _blocks(one: Obstacle, floor: Floor) -> list[Block]:
    """Cut an obstacle into prisms that follow the floor."""
    pieces = max(1, int(np.ceil((one.along_m[1] - one.along_m[0]) / PIECE_M)))
    cuts = np.linspace(*one.along_m, pieces + 1).tolist()
    right, left = one.across_m
    blocks = []
    for start, end in pairwise(cuts):
        corners = floor.at(np.array([start, end, end, start]), np.array([right, right, left, left]))
        ground = float(corners[:, 2].mean())
        blocks.append(
            Block(
                name=one.name,
                corners_m=corners[:, :2],
                bottom_m=ground + (one.bottom_m if one.bottom_m > 0 else -1.0),
                top_m=ground + one.height_m,
            )
        )
    return blocks


def _crosses(block: Block, origin_m: Floats, targets_m: Floats) -> Bools:
    """Tell which segments pass through a prism: clipped plane by plane (Cyrus and Beck, 1978)."""
    corners = block.corners_m
    edge = np.roll(corners, -1, axis=0) - corners
    normal = np.column_stack([edge[:, 1], -edge[:, 0]])
    inward = np.sum(normal * (corners.mean(axis=0) - corners), axis=1) > 0
    normal = np.where(inward[:, None], -normal, normal)
    planes = [(np.array([*n, 0.0]), float(n @ c)) for n, c in zip(normal, corners, strict=True)]
    planes += [
        (np.array([0.0, 0.0, 1.0]), block.top_m),
        (np.array([0.0, 0.0, -1.0]), -block.bottom_m),
    ]
    step = targets_m - origin_m
    enters, leaves = np.zeros(len(step)), np.ones(len(step))
    for outward, offset in planes:
        rise, start = step @ outward, float(origin_m @ outward) - offset
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            at = -start / rise
        enters = np.where(rise < -1e-12, np.maximum(enters, at), enters)
        leaves = np.where(rise > 1e-12, np.minimum(leaves, at), leaves)
        if start > 0:  # runs beside the plane, outside
            leaves = np.where(np.abs(rise) <= 1e-12, -1.0, leaves)
    return np.asarray(enters < leaves - 1e-9)
