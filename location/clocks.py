"""What time it is by most of the cameras, and how often they look.

Knows nothing about people or what pictures show: capture times are all it is given, in any order.
"""

from collections import deque
from collections.abc import Iterable
from itertools import pairwise
from statistics import median_low

from location.limits import TrackerLimits
from scene.messages import Detections


class Clocks:
    """The capture times of a gateway's cameras."""

    def __init__(self, names: Iterable[str], limits: TrackerLimits) -> None:
        self.names = frozenset(names)
        self._limits = limits
        self._calls = 0
        self._newest: dict[str, tuple[int, int]] = {}
        self._passed: dict[str, dict[str, int]] = {}
        self._used: dict[str, deque[int]] = {}

    def is_fresh(self, item: Detections) -> bool:
        """Note a camera's capture time; tell whether it is a known camera's new picture."""
        if item.camera not in self.names:
            return False
        self._calls += 1
        used = self._used.setdefault(item.camera, deque(maxlen=64))
        if item.captured_at_ns in used:
            return False
        used.append(item.captured_at_ns)
        step_ns = item.captured_at_ns - self._newest.get(item.camera, (item.captured_at_ns, 0))[0]
        if abs(step_ns) <= self._limits.jump_s * 1e9:
            for passed in self._passed.values():
                passed[item.camera] = passed.get(item.camera, 0) + step_ns
        self._passed[item.camera] = {}
        self._newest[item.camera] = (item.captured_at_ns, self._calls)
        return True

    def now_ns(self) -> tuple[int, int]:
        """Tell what time it is by most of the cameras heard lately: their lower and upper median.

        A camera that falls silent must not hold time back for those that still look: its clock goes
        on by what the others' pictures say has passed since.
        """
        lately = self._calls - 10 * len(self.names)
        stamps = sorted(
            at_ns + self._since_ns(name, at_ns)
            for name, (at_ns, call) in self._newest.items()
            if call > lately
        )
        return stamps[(len(stamps) - 1) // 2], stamps[len(stamps) // 2]

    def _since_ns(self, name: str, at_ns: int) -> int:
        """Tell how much time has passed since a camera's last picture, by the others' pictures.

        The step in which a picture came began before it: where clocks agree, their difference
        tells better.
        """
        passed = self._passed[name].items()
        return max([0, *(min(ns, self._newest[other][0] - at_ns) for other, ns in passed)])

    def freshness_s(self) -> float:
        """Tell for how long a look is good: by the time between a camera's last pictures.

        The slowest of the cameras heard lately counts, so that a slow detector or a slow camera
        has the two or three looks that it takes to know somebody.
        """
        limits = self._limits
        lately = self._calls - 10 * len(self.names)
        periods = [
            _period_s(self._used[name]) for name, (_, call) in self._newest.items() if call > lately
        ]
        wanted = limits.coast_periods * max(periods, default=0.0)
        return min(max(wanted, limits.coast_outside_s), limits.coast_periods_most_s)


def _period_s(stamps_ns: Iterable[int]) -> float:
    """Tell the time between a camera's last pictures: the middle of five gaps; 0 before two."""
    last = sorted(stamps_ns)[-6:]
    gaps = [after - before for before, after in pairwise(last)]
    return median_low(gaps) / 1e9 if gaps else 0.0
