"""Keep people's shadows off a ribbon: who paints each cell, so that nobody is painted onto it.

Knows nothing about how people are shown instead. On a ribbon a camera draws whoever stands on the
floor as a shadow, stretched over floor and wall; where another camera sees the same spot free, it
paints there. Where none does, the spot is `hidden` by somebody.
"""

import numpy as np

from scene.arrays import Bools, Ints
from stitching.cells import Cells
from stitching.people.bodies import Bits, Bodies

RELAX_NS = 2_000_000_000
"""Room that nobody needs is given back after so long."""
WAIT_NS = 600_000_000
"""Seams are not moved again before."""
FEW = 8
"""So many cells may stay hidden that need not be."""
DRAWN = 150.0, 20.0, 6.0
"""What it costs to paint a cell by a camera that draws a thin, whole or wide body there."""
LOOSE = 30.0
"""What it is worth to paint a find whose place is not known."""
ASTRAY, FAR, CALM = 2.0, 1.0, 0.5
"""What it costs to leave the base, for a worse view; and what a cell is worth that stays."""
UNSEEN = 1e6


class Clearing:
    """The labels of one set of present cameras."""

    def __init__(self, cells: Cells, base: Ints, present: list[bool]) -> None:
        """Take the painters (cells,) without people; -1 where no present camera looks."""
        self._cells, self.base = cells, base
        self.labels = base.copy()
        """(cells,)."""
        self.hidden: Bools = np.zeros(cells.count, bool)
        """(cells,) where the painter would draw somebody who is shown elsewhere."""
        self._seen = cells.seen & np.array(present)[:, None]
        self._looked_at_ns = self._moved_at_ns = 0

    def rebase(self, base: Ints) -> None:
        """Take over other labels (cells,) without people; those round people come at once."""
        self.base, self.labels = base, base.copy()
        self._looked_at_ns = self._moved_at_ns = 0

    def update(self, bodies: Bodies, at_ns: int, shown: int) -> Bools:
        """Move seams if that helps; tells which cells (cells,) have a new painter.

        `shown` has the bits of those people who are shown in another way than by seams.
        """
        loose = self._loose(bodies, shown)
        drawn = self._drawn(bodies.core, shown) & ~loose
        better = self._needless(drawn) > FEW or self._missed(loose) > FEW
        if (better and abs(at_ns - self._looked_at_ns) >= WAIT_NS) or (
            abs(at_ns - self._moved_at_ns) >= RELAX_NS
            and not np.array_equal(self.labels, self.base)
        ):
            self._looked_at_ns = self._moved_at_ns = at_ns
            before = self.labels
            self.labels = self._best(bodies, shown, loose)
            self._hide(drawn)
            return np.asarray(self.labels != before)
        self._hide(drawn)
        return np.zeros(self._cells.count, bool)

    def _drawn(self, pictures: list[Bits], shown: int) -> Bools:
        """Give (N, cells) where each camera draws one of the `shown`."""
        some = [(picture & shown > 0).astype(np.int64) for picture in pictures]
        return np.stack([self._cells.look_up(index, one) for index, one in enumerate(some)]) > 0

    def _hide(self, drawn: Bools) -> None:
        row = np.arange(self._cells.count)
        self.hidden = drawn[np.maximum(self.labels, 0), row] & (self.labels >= 0)

    def _needless(self, drawn: Bools) -> int:
        """Count the cells that are hidden though another camera sees them free."""
        self._hide(drawn)
        free = (self._seen[:, self.hidden] & ~drawn[:, self.hidden]).any(axis=0)
        return int(free.sum())

    def _missed(self, loose: Bools) -> int:
        """Count the cells where somebody whose place is unknown could be painted, and isn't."""
        row = np.arange(self._cells.count)
        return int((loose.any(axis=0) & ~loose[np.maximum(self.labels, 0), row]).sum())

    def _best(self, bodies: Bodies, shown: int, loose: Bools) -> Ints:
        levels = [self._drawn(p, shown) for p in (bodies.thin, bodies.core, bodies.wide)]
        taken = np.flatnonzero(np.any([*levels, loose], axis=(0, 1)))
        seen, base = self._seen[:, taken], self.base[taken]
        index = np.arange(len(seen))[:, None]
        close = self._cells.closeness[:, taken] * seen
        cost = FAR * (1 - close / np.maximum(close.max(axis=0), 1e-6))
        cost += np.where(index == base, 0.0, ASTRAY) - CALM * (index == self.labels[taken])
        for price, level in zip(DRAWN, levels, strict=True):
            cost += price * level[:, taken]
        cost = np.where(seen, cost - LOOSE * loose[:, taken], UNSEEN)
        labels = self.base.copy()
        labels[taken] = np.where(seen.any(axis=0), cost.argmin(axis=0), -1)
        return labels

    def _loose(self, bodies: Bodies, shown: int) -> Bools:
        """Give (N, cells) where each camera draws somebody whom nothing else shows.

        Their place is unknown, or no camera shows enough of them to be drawn upright. Rather twice
        than not at all, and never greyed.
        """
        drawn = np.zeros(self._seen.shape, bool)
        for bit, owner in enumerate(bodies.owners):
            if shown >> bit & 1:
                continue
            cameras = range(len(bodies.cameras)) if owner < 0 else (owner,)
            for index in cameras:
                if len(bodies.boxes(bit, index)):
                    drawn[index] |= self._cells.look_up(index, bodies.core[index] >> bit & 1) > 0
        return np.asarray(drawn & self._seen)
