"""What healthy cameras cover, as the gateway's heartbeat says.

Knows nothing about people. Where no heartbeat has told, it is not known, which is neither.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import floor as whole

from scene.floor import Floor
from scene.floor_metres import metres_touched
from scene.messages import XY, XYZ, GatewayHealth

STALE_S = 5.0
"""A heartbeat older than this tells nothing about now."""
MOST_PLACES = 4096
"""More than are away or have alarms: their places stay, and are asked for at each instant."""


class Coverage:
    """Per metre of roadway (by chainage): is it seen now, and was it ever."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._chainage_m = lru_cache(maxsize=MOST_PLACES)(floor.chainage_m)
        self._health: GatewayHealth | None = None
        self._seen: frozenset[int] = frozenset()
        """Metres, by the whole chainage where each starts."""
        self._blind: frozenset[int] = frozenset()
        """Those that were seen once, and are not now."""
        self._now_ns = 0

    def hear(self, health: GatewayHealth) -> None:
        """Take in a heartbeat; older ones than the last change nothing."""
        if self._health is not None and health.captured_at_ns < self._health.captured_at_ns:
            return
        self._health = health
        told = enumerate(health.coverage, whole(health.coverage_from_x_m))
        before = self._seen | self._blind
        self._seen = frozenset(metre for metre, count in told if count > 0)
        self._blind = before - self._seen

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
        return self.known and whole(self._chainage_m(xyz_m)) in self._seen

    def blind(self, xyz_m: XYZ) -> bool:
        """Tell whether that metre is seen else, and not now: nobody seen is no sign of nobody."""
        return self.known and whole(self._chainage_m(xyz_m)) in self._blind

    def covers_around(self, xyz_m: XYZ, within_m: float) -> bool:
        """Tell whether all of the roadway within so many metres, along it, is seen."""
        if not self.known:
            return False
        here_m = self._chainage_m(xyz_m)
        span = range(whole(here_m - within_m), whole(here_m + within_m) + 1)
        return self._seen.issuperset(span)

    def blind_in(self, polygon_m: Sequence[XY]) -> bool:
        """Tell whether a part of an area is seen else, and not now."""
        # Mostly no metre is blind, and an area that follows a machine is another at every instant.
        if not self.known or not self._blind:
            return False
        return not self._blind.isdisjoint(metres_touched(self._floor, polygon_m))

    def to_exit_m(self, xyz_m: XYZ) -> float | None:
        """Tell how far along the roadway it is to where coverage ends; none while not known."""
        if not self.known:
            return None
        here_m = self._chainage_m(xyz_m)
        metre = whole(here_m)
        if metre not in self._seen:
            return 0.0
        first = last = metre
        while first - 1 in self._seen:
            first -= 1
        while last + 1 in self._seen:
            last += 1
        return min(here_m - first, last + 1 - here_m)

    def any_ok(self, cameras: Sequence[str]) -> bool:
        """Tell whether one of some cameras is healthy; of none, and while not known, it is said."""
        if not cameras or self._health is None:
            return True
        states = {camera.name: camera.state for camera in self._health.cameras}
        return any(states.get(name, "ok") == "ok" for name in cameras)
