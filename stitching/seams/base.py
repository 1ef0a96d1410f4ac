"""Lay seams where cameras agree: through cells where both show the same, and nothing ever moves.

Knows nothing about people. Alpha expansion (Boykov, Veksler, Zabih, "Fast approximate energy
minimization via graph cuts", PAMI 2001) on coarse cells, with the seam cost of Kwatra et al.,
"Graphcut textures", SIGGRAPH 2003: how much two cameras differ on both sides of the seam.
"""

import itertools
from collections.abc import Iterator

import cv2
import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

from scene.arrays import Bools, Bytes, Floats, Ints
from stitching.cells import Cells, nearest_camera
from stitching.exposure import UNIT, GainMaps
from stitching.maps import CameraMap

RATE = 0.1
"""Share of a new look in the running means."""
GREY_LEVELS = 8.0
"""So much difference between two cameras is as bad as a seam is long."""
LENGTH = 0.25
MOVING = 2.0
"""How much worse it is when something moves there than when cameras just differ."""
NEARER = 0.3
"""What it costs per cell to be painted by a camera that sees it much worse."""
SCALE = 1000
MANY = 5000
"""With more cells to choose for, only one in four is looked at."""
UNSEEN = 50.0


class Agreement:
    """Remembers, cell by cell, what each camera shows, how it changes and where they differ."""

    def __init__(self, cells: Cells, maps: list[CameraMap]) -> None:
        self._cells = cells
        shared = cells.seen.sum(axis=0) > 1
        self.cells: Ints = np.flatnonzero(shared)
        """(S,) the cells that two cameras or more see: only there is anything to choose."""
        self._gain_at = [_gain_spots(cells, camera) for camera in maps]
        count = len(cells.seen)
        self.looks = 0
        self.levels: Floats = np.zeros((count, len(self.cells)))
        """(N, S) luma, gains and all."""
        self.unrest: Floats = np.zeros((count, len(self.cells)))
        """(N, S) grey levels by which it differs from its own mean."""
        self._differences = {
            pair: np.zeros(len(self.cells)) for pair in itertools.combinations(range(count), 2)
        }

    def look(self, lumas: dict[int, Bytes], gains: list[GainMaps]) -> None:
        """Take in one instant's lumas (H, W), by camera index."""
        seen = self._cells.seen[:, self.cells]
        now = self.levels.copy()
        for index, luma in lumas.items():
            rows, columns = self._cells.small_px[index]
            small = cv2.resize(luma, (columns, rows), interpolation=cv2.INTER_AREA)
            level = self._cells.look_up(index, small.astype(np.int64), self.cells)
            gain = gains[index].luma.ravel()[self._gain_at[index][self.cells]]
            now[index] = np.where(seen[index], level * gain / UNIT, 0)
        rate = RATE if self.looks else 1.0
        if self.looks:
            self.unrest += RATE * (np.abs(now - self.levels) - self.unrest)
        self.levels += rate * (now - self.levels)
        for (a, b), mean in list(self._differences.items()):
            both = seen[a] & seen[b]
            new = np.where(both, np.abs(now[a] - now[b]), 0)
            self._differences[a, b] = mean + rate * (new - mean)
        self.looks += 1

    def difference(self, a: Ints, b: Ints, at: Ints) -> Floats:
        """Give the seam cost between cameras a and b (K,) at some of the shared cells (K,)."""
        cost = np.zeros(len(at))
        for (first, second), mean in self._differences.items():
            here = ((a == first) & (b == second)) | ((a == second) & (b == first))
            unrest = np.maximum(self.unrest[first, at], self.unrest[second, at])
            cost[here] = (mean[at] + MOVING * unrest)[here]
        return cost / GREY_LEVELS


def _gain_spots(cells: Cells, camera: CameraMap) -> Ints:
    """Give where in a camera's flattened gain map each cell's middle lies; 0 where it is not."""
    rows, columns = cells.middles()
    x0, y0, x1, y1 = camera.box
    inside = (columns >= x0) & (columns < x1) & (rows >= y0) & (rows < y1)
    return np.where(inside, (rows - y0) * (x1 - x0) + columns - x0, 0)


class BaseSeams:
    """The search for the best seams of one set of present cameras, a step at a time."""

    def __init__(self, cells: Cells, agreement: Agreement, present: list[bool]) -> None:
        self._cells, self._agreement, self._present = cells, agreement, present
        self._coarse = 2 if len(agreement.cells) > MANY else 1
        grid = np.arange(cells.count).reshape(cells.shape)[:: self._coarse, :: self._coarse]
        there = np.zeros(cells.count, bool)
        there[grid] = True
        self._which = np.flatnonzero(there[agreement.cells])
        shared = agreement.cells[self._which]
        self._shared = shared
        order = np.full(cells.count, -1)
        order[shared] = np.arange(len(shared))
        first = np.concatenate([grid[:, :-1].ravel(), grid[:-1].ravel()])
        second = np.concatenate([grid[:, 1:].ravel(), grid[1:].ravel()])
        touched = (order[first] >= 0) | (order[second] >= 0)
        self._first, self._second = first[touched], second[touched]
        self._order = order
        seen = cells.seen & np.array(present)[:, None]
        self._seen = seen[:, shared]
        close = np.where(self._seen, cells.closeness[:, shared], 0)
        worse = 1 - close / np.maximum(close.max(axis=0), 1e-6)
        # A coarser cell has more area for its length.
        self._alone: Floats = np.where(self._seen, self._coarse * NEARER * worse, UNSEEN)
        self._nearest = nearest_camera(cells, present)[0]

    def steps(self, labels: Ints) -> Iterator[Ints]:
        """Improve labels (cells,); gives them after each step."""
        labels = labels.copy()
        for _ in range(2):
            before = labels.copy()
            for camera, here in enumerate(self._present):
                if here:
                    labels = self._expanded(labels, camera)
                    yield self._filled(labels)
            if np.array_equal(before, labels):
                return

    def _filled(self, labels: Ints) -> Ints:
        """Give the cells between coarser ones their neighbour's label, if that camera sees them."""
        if self._coarse == 1:
            return labels
        rows, columns = self._cells.shape
        some = labels.reshape(rows, columns)[:: self._coarse, :: self._coarse]
        whole = np.repeat(np.repeat(some, self._coarse, 0), self._coarse, 1)
        whole = whole[:rows, :columns].ravel()
        seen = self._cells.seen[np.maximum(whole, 0), np.arange(len(whole))] & (whole >= 0)
        return np.where(seen, whole, self._nearest)

    def energy(self, labels: Ints) -> float:
        """Tell how much labels (cells,) cost."""
        shared = self._shared
        mine = labels[shared]
        alone = self._alone[np.maximum(mine, 0), np.arange(len(shared))]
        a, b = labels[self._first], labels[self._second]
        return float(alone[mine >= 0].sum() + self._between(a, b).sum())

    def _between(self, a: Ints, b: Ints) -> Floats:
        """Give the cost between each two neighbours with labels a and b."""
        cost = np.zeros(len(a))
        seam = np.flatnonzero((a != b) & (a >= 0) & (b >= 0))
        for ends in (self._first, self._second):
            at = self._order[ends[seam]]
            known = at >= 0
            part = seam[known]
            cost[part] += self._agreement.difference(a[part], b[part], self._which[at[known]]) / 2
        cost[seam] += LENGTH
        return cost

    def _expanded(self, labels: Ints, camera: int) -> Ints:
        """Let one camera take over whatever makes seams cheaper."""
        shared, nodes = self._shared, len(self._shared)
        mine = labels[shared]
        here = np.arange(nodes)
        stay = self._alone[np.maximum(mine, 0), here]
        switch = self._alone[camera].copy()
        a, b = labels[self._first], labels[self._second]
        taken = np.full(len(a), camera)
        p, q = self._order[self._first], self._order[self._second]
        keep_keep = self._between(a, b)
        keep_take = self._between(a, taken)
        take_keep = self._between(taken, b)
        both = (p >= 0) & (q >= 0)
        # A neighbour that only one camera sees keeps its label.
        for inner, ends, other in ((p, q < 0, take_keep), (q, p < 0, keep_take)):
            edge = ends & (inner >= 0)
            np.add.at(stay, inner[edge], keep_keep[edge])
            np.add.at(switch, inner[edge], other[edge])
        # Kolmogorov and Zabih, "What energy functions can be minimized via graph cuts?", 2004.
        np.add.at(switch, p[both], take_keep[both])
        np.add.at(stay, p[both], keep_keep[both])
        np.add.at(stay, q[both], take_keep[both])
        link = np.maximum(keep_take + take_keep - keep_keep, 0)[both]
        cut = _cut(stay, switch, p[both], q[both], link)
        found = labels.copy()
        found[shared[cut & self._seen[camera]]] = camera
        return found


def _cut(stay: Floats, switch: Floats, p: Ints, q: Ints, link: Floats) -> Bools:
    """Give which nodes switch (K,) in the cheapest cut."""
    count = len(stay)
    less = np.minimum(stay, switch)
    nodes, source, sink = np.arange(count), count, count + 1
    rows = np.concatenate([np.full(count, source), nodes, p])
    columns = np.concatenate([nodes, np.full(count, sink), q])
    weights = np.concatenate([switch - less, stay - less, link])
    capacity = np.rint(weights * SCALE).astype(np.int32)
    graph = csr_array((capacity, (rows, columns)), shape=(count + 2, count + 2))
    flow = maximum_flow(graph, source, sink).flow
    left = graph - flow
    left.data = np.maximum(left.data, 0)
    left.eliminate_zeros()
    reached = breadth_first_order(left, source, return_predecessors=False)
    switches = np.ones(count + 2, bool)
    switches[reached] = False
    return switches[:count]
