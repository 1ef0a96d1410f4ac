"""Re-matches overlaps of neighbours one after the other, and says where they have come apart.

Knows nothing about references. What neighbours miss each other by at the start is their custom:
what stands before the surface, and how good the rig is.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from scene.arrays import Bytes, Floats
from scene.rig import Rig
from stitching.drift.look import MOVED_PX
from stitching.drift.overlap import Miss, OverlapView, miss_of, overlap_view

EVERY_S = 5.0
"""Between two overlaps."""
CUSTOM_LOOKS = 3
"""So many misses make a custom: their median."""
START_PX = 6.0
"""A custom larger than this, at 1280 px width, is a rig that does not fit from the start."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Compared:
    """Two neighbours, compared."""

    first: str
    second: str
    miss: Miss | None
    """If it is larger than allowed; none means that all is well."""
    from_start: bool
    """Whether it has been so since the run began: the rig does not fit the pictures."""


class OverlapLooks:
    """All pairs of a rig; views of their overlaps are computed when they are first needed."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        names = [camera.name for camera in rig.cameras]
        self._pairs = list(itertools.combinations(names, 2))
        self._views: dict[tuple[str, str], OverlapView | None] = {}
        self._first: dict[tuple[str, str], list[Floats]] = {}
        self._next = 0
        self._due_s = -float("inf")

    def look(self, lumas: Mapping[str, Bytes], now_s: float) -> Compared | None:
        """Compare the next pair of (H, W) lumas if it is time.

        Nothing when no pair was compared, or too little agreed.
        """
        if now_s < self._due_s:
            return None
        self._due_s = now_s + EVERY_S
        view = self._next_view(lumas)
        if view is None:
            return None
        miss = miss_of(view, lumas[view.first], lumas[view.second])
        if miss is None:
            return None
        first = self._first.setdefault((view.first, view.second), [])
        if len(first) < CUSTOM_LOOKS:
            first.append(miss.shift_px)
        custom = np.median(first, axis=0)
        allowed_px = START_PX * self._rig.camera(view.first).size_px[0] / 1280
        misfits = min(miss.size_px, float(np.linalg.norm(custom))) > allowed_px
        has_come_apart = float(np.linalg.norm(miss.shift_px - custom)) > MOVED_PX
        return Compared(
            first=view.first,
            second=view.second,
            miss=miss if misfits or has_come_apart else None,
            from_start=misfits,
        )

    def _next_view(self, lumas: Mapping[str, Bytes]) -> OverlapView | None:
        """Give the next pair that is there and overlaps; at most one new view is made."""
        for _ in range(len(self._pairs)):
            pair = self._pairs[self._next]
            self._next = (self._next + 1) % len(self._pairs)
            if pair[0] not in lumas or pair[1] not in lumas:
                continue
            if pair not in self._views:
                first, second = (self._rig.camera(name) for name in pair)
                self._views[pair] = overlap_view(first, second, self._rig.surface)
                return self._views[pair]
            if self._views[pair] is not None:
                return self._views[pair]
        return None
