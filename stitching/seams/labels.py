"""Keep seams off people: who paints each cell, moved only when somebody would be cut.

Knows nothing about what pictures show or how cells are blended. Seams without people (`base`) are
given; round people they are led past bodies, and stay there until a body leaves the room made for
it or nobody has needed it for a while.
"""

import cv2
import numpy as np

from scene.arrays import Bools, Ints
from stitching.cells import Cells
from stitching.maps import Maps
from stitching.people.bodies import Bodies
from stitching.people.whose import NOTICED
from stitching.seams.footprints import scene_of
from stitching.seams.painters import LOOSE, Choice

RELAX_NS = 2_000_000_000
"""Room that nobody needs is given back after so long."""
BETTER = 0.4
"""Seams move only for so much, in bodies' worth of harm."""
WAIT_NS = 200_000_000
"""Where seams can't spare everybody, they are not tried again before."""
WORSE, FEW = 1.15, 3
"""Unless harm grows by that factor and so many cells."""


class Seams:
    """The labels of one set of present cameras, and who paints whom."""

    def __init__(self, cells: Cells, base: Ints, present: list[bool]) -> None:
        """Take the painters (cells,) without people; -1 where no present camera looks."""
        self.cells, self.base, self.present = cells, base, present
        self.labels = base.copy()
        """(cells,)."""
        self.painters: dict[int, int] = {}
        """Who paints whom, by track; `LOOSE` is nobody."""
        self._moved_at_ns = self._looked_at_ns = 0
        self._left_over = 0
        self._lacking: set[int] = set()
        looked_at = cells.seen & np.array(present)[:, None]
        self._seen = [np.flatnonzero(seen) for seen in looked_at]
        self._edges = [_edge(drawn) for drawn in cells.drawn]
        self._spots = [cells.spots[index, some] for index, some in enumerate(self._seen)]

    def rebase(self, base: Ints) -> None:
        """Take over other labels (cells,) without people; those round people come at once."""
        self.base = base
        self.labels = base.copy()
        self._moved_at_ns = self._looked_at_ns = self._left_over = 0

    def update(self, bodies: Bodies, at_ns: int) -> Bools:
        """Move seams if they must; tells which cells (cells,) have a new painter."""
        idle_ns = abs(at_ns - self._looked_at_ns)
        harm = self._harm(bodies)
        must = harm > 0 and (idle_ns >= WAIT_NS or harm > WORSE * self._left_over + FEW)
        leaving = bool(self._leaving(bodies) - self._lacking)
        unknown = any(track not in self.painters for track in bodies.tracks)
        useless = (
            abs(at_ns - self._moved_at_ns) >= RELAX_NS
            and idle_ns >= WAIT_NS
            and not np.array_equal(self.labels, self.base)
        )
        if not (must or leaving or unknown or useless):
            return np.zeros(len(self.labels), bool)
        self._looked_at_ns = at_ns
        before = self.labels
        self._move(bodies, at_ns, gladly=useless)
        self._left_over = self._harm(bodies)
        self._lacking = self._leaving(bodies)
        return np.asarray(self.labels != before)

    def _move(self, bodies: Bodies, at_ns: int, *, gladly: bool) -> None:
        """Choose painters and labels anew; they stay as they are if that is hardly better."""
        labels = self.base.copy()
        if bodies.count:
            now = np.full(bodies.count, LOOSE, np.int64)
            now[: len(bodies.tracks)] = [self.painters.get(one, LOOSE) for one in bodies.tracks]
            scene = scene_of(
                bodies, self.cells, self.present, base=self.base, labels=self.labels, now=now
            )
            choice = Choice(scene)
            chosen = choice.best()
            least = 0.0 if gladly else BETTER
            if choice.gain(chosen) < least:
                known = {track: self.painters.get(track) for track in bodies.tracks}
                new = dict(zip(bodies.tracks, chosen.tolist(), strict=False))
                self.painters = {t: new[t] if k is None else k for t, k in known.items()}
                return
            self.painters = dict(zip(bodies.tracks, chosen.tolist(), strict=False))
            labels[scene.prints.cells] = choice.labels(chosen)
        else:
            self.painters = {}
        self.labels, self._moved_at_ns = labels, at_ns

    def _leaving(self, bodies: Bodies) -> set[int]:
        """Give the tracks of those whose painter's picture ends within what another one shows."""
        shown = [int(np.bitwise_or.reduce(core, axis=None)) for core in bodies.core]
        at_edge = {}
        for bit, track in enumerate(bodies.tracks):
            painter = self.painters.get(track, LOOSE)
            others = (
                some >> bit & 1
                for index, some in enumerate(shown)
                if index != painter and self.present[index]
            )
            if painter == LOOSE or not any(others):
                continue
            if (bodies.core[painter].ravel()[self._edges[painter]] >> bit & 1).any():
                at_edge[bit] = track
        if not at_edge:
            return set()
        complete = np.where(self.present, bodies.complete(), 0.0)
        return {
            track
            for bit, track in at_edge.items()
            if complete[bit].max() - complete[bit, self.painters[track]] >= NOTICED
        }

    def _harm(self, bodies: Bodies) -> int:
        """Count the cells that cut or double somebody."""
        harm = 0
        for camera, (seen, spots) in enumerate(zip(self._seen, self._spots, strict=True)):
            bits = bodies.core[camera].ravel()[spots]
            hit = np.flatnonzero(bits)
            if not len(hit):
                continue
            bits, mine = bits[hit], self.labels[seen[hit]] == camera
            own = other = 0
            for bit, track in enumerate(bodies.tracks):
                if self.painters.get(track, LOOSE) == camera:
                    own |= 1 << bit
                elif self.painters.get(track, LOOSE) != LOOSE:
                    other |= 1 << bit
            harm += int((((bits & own) > 0) & ~mine).sum() + (((bits & other) > 0) & mine).sum())
            for bit in range(len(bodies.tracks), bodies.count):
                if bodies.owners[bit] == camera:
                    whole, painted = bits >> bit & 1, int((bits >> bit & 1)[mine].sum())
                    harm += min(painted, int(whole.sum()) - painted)
        return harm


def _edge(drawn: Maps) -> Ints:
    """Give the places along the edge of what the panorama shows of a coarse picture."""
    inside = np.pad((drawn > 0).astype(np.uint8), 1)
    inner = cv2.erode(inside, np.ones((3, 3), np.uint8))
    return np.flatnonzero((inside > inner)[1:-1, 1:-1])
