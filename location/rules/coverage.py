"""What healthy cameras cover, as the gateway's heartbeat says.

Knows nothing about people. Where no heartbeat has told, it is not known, which is neither.
"""

from collections.abc import Sequence
from math import floor, inf

from scene.messages import XY, GatewayHealth

STALE_S = 5.0
"""A heartbeat older than this tells nothing about now."""


class Coverage:
    """Per metre of roadway (by the mine's x): is it seen now, and was it ever."""

    def __init__(self) -> None:
        self._health: GatewayHealth | None = None
        self._ever: dict[int, bool] = {}
        self._now_ns = 0

    def hear(self, health: GatewayHealth) -> None:
        """Take in a heartbeat; older ones than the last change nothing."""
        if self._health is not None and health.captured_at_ns < self._health.captured_at_ns:
            return
        self._health = health
        first = floor(health.coverage_from_x_m)
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

    def covers(self, x_m: float) -> bool:
        """Tell whether a healthy camera sees that metre's floor; False where nobody has told."""
        return self.known and self._count(floor(x_m)) > 0

    def blind(self, x_m: float) -> bool:
        """Tell whether that metre is seen else, and not now: nobody seen is no sign of nobody."""
        metre = floor(x_m)
        return self.known and self._ever.get(metre, False) and self._count(metre) == 0

    def covers_around(self, x_m: float, within_m: float) -> bool:
        """Tell whether all of the roadway within so many metres is seen."""
        span = range(floor(x_m - within_m), floor(x_m + within_m) + 1)
        return self.known and all(self._count(metre) > 0 for metre in span)

    def blind_in(self, polygon_m: Sequence[XY]) -> bool:
        """Tell whether a part of an area is seen else, and not now."""
        xs = [x for x, _ in polygon_m]
        first, last = floor(min(xs)), floor(max(xs))
        inside = (metre for metre in self._ever if first <= metre <= last)
        return any(self.blind(metre) for metre in inside)

    def to_exit_m(self, x_m: float) -> float | None:
        """Tell how far along the roadway it is to where coverage ends; none while not known."""
        if not self.known:
            return None
        metre = floor(x_m)
        if self._count(metre) == 0:
            return 0.0
        first = last = metre
        while self._count(first - 1) > 0:
            first -= 1
        while self._count(last + 1) > 0:
            last += 1
        return min(x_m - first, last + 1 - x_m)

    def any_ok(self, cameras: Sequence[str]) -> bool:
        """Tell whether one of some cameras is healthy; of none, and while not known, it is said."""
        if not cameras or self._health is None:
            return True
        states = {camera.name: camera.state for camera in self._health.cameras}
        return any(states.get(name, "ok") == "ok" for name in cameras)

    def _count(self, metre: int) -> int:
        assert self._health is not None
        at = metre - floor(self._health.coverage_from_x_m)
        counts = self._health.coverage
        return counts[at] if 0 <= at < len(counts) and -inf < metre < inf else 0
