"""What healthy cameras cover, as the gateway's heartbeat says.

Knows nothing about people. Where no heartbeat has told, it is not known, which is neither.
"""

from collections.abc import Sequence
from functools import lru_cache, partial
from math import floor as whole

import numpy as np

from scene.floor import Floor
from scene.floor_metres import metres_touched
from scene.messages import XY, XYZ, GatewayHealth

STALE_S = 5.0
"""A heartbeat older than this tells nothing about now."""


class Coverage:
    """Per metre of roadway (by chainage): is it seen now, and was it ever."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._touched = lru_cache(maxsize=64)(partial(metres_touched, floor))
        self._health: GatewayHealth | None = None
        self._ever: dict[int, bool] = {}
        self._now_ns = 0

    def hear(self, health: GatewayHealth) -> None:
        """Take in a heartbeat; older ones than the last change nothing."""
        if self._health is not None and health.captured_at_ns < self._health.captured_at_ns:
            return
        self._health = health
        first = whole(health.coverage_from_x_m)
        for metre, count in enumerate(health.coverage, first):
            self._ever[metre] = self._ever.get(metre, False) or count > 0

    def look_at(self, now_ns: int) -> None:
        """Say what time it is by the positions."""
        self._now_ns = now_ns

    def restart(self) -> None:
        """Forget what another time's heartbeat said."""
        self._health = None

    @property
    def known(self) -> bool:
        """Whether anybody has told lately."""
        health = self._health
        return health is not None and abs(self._now_ns - health.captured_at_ns) <= STALE_S * 1e9

    def covers(self, xyz_m: XYZ) -> bool:
        """Tell whether a healthy camera sees that metre's floor; False where nobody has told."""
        return self.known and self._count(whole(self._chainage_m(xyz_m))) > 0

    def blind(self, xyz_m: XYZ) -> bool:
        """Tell whether that metre is seen else, and not now: nobody seen is no sign of nobody."""
        return self.known and self._is_blind(whole(self._chainage_m(xyz_m)))

    def covers_around(self, xyz_m: XYZ, within_m: float) -> bool:
        """Tell whether all of the roadway within so many metres, along it, is seen."""
        if not self.known:
            return False
        here_m = self._chainage_m(xyz_m)
        span = range(whole(here_m - within_m), whole(here_m + within_m) + 1)
        return all(self._count(metre) > 0 for metre in span)

    def blind_in(self, polygon_m: Sequence[XY]) -> bool:
        """Tell whether a part of an area is seen else, and not now."""
        return self.known and any(map(self._is_blind, self._touched(tuple(polygon_m))))

    def to_exit_m(self, xyz_m: XYZ) -> float | None:
        """Tell how far along the roadway it is to where coverage ends; none while not known."""
        if not self.known:
            return None
        here_m = self._chainage_m(xyz_m)
        metre = whole(here_m)
        if self._count(metre) == 0:
            return 0.0
        first = last = metre
        while self._count(first - 1) > 0:
            first -= 1
        while self._count(last + 1) > 0:
            last += 1
        return min(here_m - first, last + 1 - here_m)

    def any_ok(self, cameras: Sequence[str]) -> bool:
        """Tell whether one of some cameras is healthy; of none, and while not known, it is said."""
        if not cameras or self._health is None:
            return True
        states = {camera.name: camera.state for camera in self._health.cameras}
        return any(states.get(name, "ok") == "ok" for name in cameras)

    def _chainage_m(self, xyz_m: XYZ) -> float:
        return float(self._floor.place(np.array([xyz_m[:2]]))[0, 0])

    def _is_blind(self, metre: int) -> bool:
        return self._ever.get(metre, False) and self._count(metre) == 0

    def _count(self, metre: int) -> int:
        assert self._health is not None
        at = metre - whole(self._health.coverage_from_x_m)
        counts = self._health.coverage
        return counts[at] if 0 <= at < len(counts) else 0
