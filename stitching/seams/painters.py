"""Choose for everybody the one camera that paints them, all people together, and lead seams round.

Knows nothing about pictures, nor about what was decided before but through what it is given. Costs
are in units of a whole body.
"""

import numpy as np

from scene.arrays import Floats, Ints
from stitching.people.whose import noticed
from stitching.seams.footprints import Scene

LOOSE = -1
"""Of a loose find: any camera but the one that shows it. Of a person: nobody."""
BEYOND_PICTURE = 12.0
"""For the share of the body that another camera's picture has and the painter's lacks."""
CUT = 12.0
"""For the share that the painter shows and does not paint."""
DRAWN_TWICE = 9.0
"""For the share that others paint."""
HIDDEN = 3.0
"""For the share that stands behind somebody else."""
ARMS = 4.0
"""The same as `CUT` and `DRAWN_TWICE` for where only arms may be."""
COARSE = 0.5
SWITCH = 0.6
"""A new painter must be better by so much."""
OFF_BASE = 0.4
"""For seams led astray, per body's area."""
HOPELESS = 12.0
"""A painter that costs so much more than the best one is not tried."""
ROUNDS = 4

WHOLE = 800.0, 100.0, 30.0
"""What it costs to paint a cell of somebody's thin, whole or wide body by another camera than
theirs."""
ONCE = 150.0, 20.0, 6.0
"""What it costs to paint it by a camera that draws them although another one is theirs."""
ASTRAY, FAR, CALM = 2.0, 1.0, 0.5
"""What it costs to leave the base, for a worse view; and what a cell is worth that stays."""
UNSEEN = 1e6
LEAST = 0.5
"""Pixels of a coarse picture: less is nobody."""


class Choice:
    """Weighs choices of painters for one scene."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        prints, seen = scene.prints, scene.seen
        self._areas = np.maximum(prints.thin.sum(axis=2), LEAST)
        self._cores = np.maximum(prints.core.sum(axis=2), LEAST)
        self._shows = (prints.core.sum(axis=2) > LEAST) & seen.any(axis=1)
        self._looked_at = seen.any(axis=0)
        index = np.arange(len(seen))[:, None]
        close = scene.closeness * seen
        far = 1 - close / np.maximum(close.max(axis=0), 1e-6)
        cost = np.where(index == scene.base, 0.0, ASTRAY + FAR * far)
        cost -= CALM * (index == scene.labels)
        levels = prints.thin, prints.core, prints.wide
        once = np.sum([p * (level > 0) for p, level in zip(ONCE, levels, strict=True)], axis=0)
        whole = np.sum([p * (level > 0) for p, level in zip(WHOLE, levels, strict=True)], axis=0)
        self._gain = whole + once
        self._cost = np.where(seen, cost + once.sum(axis=0), UNSEEN)
        self._alone = self._alone_costs()
        self._typical = max(float(((prints.core > 0) * prints.size).sum(axis=2).mean()), 1.0)

    def labels(self, chosen: Ints) -> Ints:
        """Give the cheapest label of each cell that anybody is in or near (A,)."""
        return self._carved(chosen)[self._scene.prints.group]

    def _carved(self, chosen: Ints) -> Ints:
        """Give the cheapest label of each group (G,); -1 where nobody looks."""
        cost = self._cost.copy()
        for bit, painter in enumerate(chosen):
            if painter != LOOSE:
                cost[painter] -= self._gain[bit, painter]
        best = cost.argmin(axis=0)
        return np.where(self._looked_at, best, -1)

    def best(self) -> Ints:
        """Give each body's painter (bits,)."""
        scene = self._scene
        chosen = np.full(scene.bodies.count, LOOSE, np.int64)
        shown = np.flatnonzero(np.isfinite(self._alone).any(axis=1))
        if not len(shown):
            return chosen
        options = {int(bit): self._options(int(bit)) for bit in shown}
        tried = self._starts(options)
        cost, chosen = min(((self.cost(one), one) for one in tried), key=lambda some: some[0])
        for _ in range(ROUNDS):
            before = cost
            for bit, some in options.items():
                for painter in some:
                    other = chosen.copy()
                    other[bit] = painter
                    if painter != chosen[bit] and (least := self.cost(other)) < cost - 1e-9:
                        cost, chosen = least, other
            if cost == before:
                break
        return chosen

    def _options(self, bit: int) -> list[int]:
        """Give who may paint a body; loose finds that no seam cuts stay as they are."""
        cost = self._alone[bit]
        owner = self._scene.bodies.owners[bit]
        if owner < 0:
            return np.flatnonzero(cost <= cost.min() + HOPELESS).tolist()
        mine = self._scene.prints.core[bit, owner] > 0
        now, base = (
            float(self._scene.prints.size[mine & (labels == owner)].sum())
            for labels in (self._scene.labels, self._scene.base)
        )
        size = float(self._scene.prints.size[mine].sum())
        if now + base in {0.0, 2 * size}:
            return [owner if now else LOOSE]
        return [owner, LOOSE] if 2 * now >= size else [LOOSE, owner]

    def _starts(self, options: dict[int, list[int]]) -> list[Ints]:
        """Give choices to start from: as now, each one's own best, and all by one camera.

        Loose finds stay with whoever paints most of them.
        """
        scene = self._scene
        own = np.full(scene.bodies.count, LOOSE, np.int64)
        kept = own.copy()
        for bit, some in options.items():
            loose = scene.bodies.owners[bit] >= 0
            own[bit] = some[0] if loose else some[int(np.argmin(self._alone[bit, some]))]
            kept[bit] = scene.now[bit] if scene.now[bit] in some and not loose else own[bit]
        alike = []
        for camera in range(len(scene.seen)):
            start = own.copy()
            for bit, some in options.items():
                if camera in some and scene.bodies.owners[bit] < 0:
                    start[bit] = camera
            alike.append(start)
        return [kept, own, *alike]

    def gain(self, chosen: Ints) -> float:
        """Tell how much better a choice is than to leave seams and painters as they are."""
        now = self._scene.now
        known = (now == LOOSE) | np.isfinite(self._alone[np.arange(len(now)), now])
        if not known.all():
            return np.inf
        return self.cost(now, self._scene.labels) - self.cost(chosen)

    def cost(self, chosen: Ints, labels: Ints | None = None) -> float:
        """Tell how bad a choice is, with given labels (G,) or seams led as well as can be."""
        scene, prints = self._scene, self._scene.prints
        labels = self._carved(chosen) if labels is None else labels
        mine = labels == np.arange(len(scene.seen))[:, None]
        thin = np.einsum("bng,ng->bn", prints.thin, mine)
        core = np.einsum("bng,ng->bn", prints.core, mine)
        bits = np.arange(len(chosen))
        by_one = chosen != LOOSE
        thin_one, core_one = (np.where(by_one, some[bits, chosen], 0.0) for some in (thin, core))
        areas, cores = (
            np.where(by_one, some[bits, chosen], some.max(axis=1))
            for some in (self._areas, self._cores)
        )
        harm = np.where(by_one, CUT * noticed(1 - thin_one / areas), 0.0)
        harm += np.where(by_one, ARMS * (1 - core_one / cores), 0.0)
        twice = (thin.sum(axis=1) - thin_one) / areas
        # A hand or a foot is easily beyond the thin body, and is seen twice all the same.
        twice_arms = (core.sum(axis=1) - core_one) / cores
        harm += DRAWN_TWICE * noticed((twice + twice_arms) / 2)
        alone = self._alone[bits, chosen]
        astray = float(prints.size[labels != scene.base].sum()) / self._typical
        harm += np.where(np.isfinite(alone), alone, 0.0)
        return float(harm.sum() + OFF_BASE * astray)

    def _alone_costs(self) -> Floats:
        """Give (bits, N + 1) what speaks against each painter of a body; the last is `LOOSE`."""
        scene = self._scene
        complete = scene.bodies.complete()
        best = np.where(self._shows, complete, 0).max(axis=1, keepdims=True)
        fine = np.einsum("bna,na->bn", scene.prints.core, scene.closeness) / self._cores
        finest = np.where(self._shows, fine, 0).max(axis=1, keepdims=True)
        cost = BEYOND_PICTURE * noticed(best - complete) + HIDDEN * scene.hidden
        cost += COARSE * (1 - fine / np.maximum(finest, 1e-6))
        cost += SWITCH * (np.arange(len(scene.seen)) != scene.now[:, None])
        cost = np.where(self._shows, cost, np.inf)
        loose = np.where(np.array(scene.bodies.owners) >= 0, 0.0, np.inf)
        return np.column_stack([cost, loose])
