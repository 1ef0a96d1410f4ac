"""Counts how the people of a second run differ from the recorded ones, hour by hour.

Knows nothing about how either came about. Where no positions were recorded nothing is compared.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from edge.rerun_compare import Places, apart
from scene.messages import Positions

HOUR_NS, WINDOW_NS = 3600 * 10**9, 10 * 10**9
MOST_MOMENTS = 3
"""Of a segment so many moments are shown at which people differ the most."""
LEAST_APART = 1.0
"""A moment is none where on average fewer people differ over its ten seconds."""
CM = 100


@dataclass(slots=True, kw_only=True)
class Hour:
    """One hour of one gateway; counts are people times instants."""

    instants: int = 0
    both: int = 0
    only_was: int = 0
    only_now: int = 0
    apart_cm: Counter[int] = field(default_factory=Counter)
    """How far apart those in both are: whole centimetres, how often."""

    def as_json(self) -> dict[str, Any]:
        """Give it as JSON has it."""
        return {
            "instants": self.instants,
            "both": self.both,
            "only_was": self.only_was,
            "only_now": self.only_now,
            "apart_cm": {str(cm): count for cm, count in sorted(self.apart_cm.items())},
        }

    def add(self, said: Mapping[str, Any]) -> None:
        """Add what `as_json` gave."""
        self.instants += said["instants"]
        self.both += said["both"]
        self.only_was += said["only_was"]
        self.only_now += said["only_now"]
        self.apart_cm.update({int(cm): count for cm, count in said["apart_cm"].items()})

    def apart_m(self, share: float) -> float:
        """Tell how far apart that share of those in both are at most, to the centimetre."""
        left = share * self.apart_cm.total()
        for cm, count in sorted(self.apart_cm.items()):
            left -= count
            if left <= 0:
                return cm / CM
        return 0.0


@dataclass(slots=True)
class _Window:
    recorded_at_ns: int
    instants: int = 0
    only_was: int = 0
    only_now: int = 0

    @property
    def share(self) -> float:
        return (self.only_was + self.only_now) / self.instants


class Tally:
    """Goes over the instants of one segment."""

    def __init__(self, recorded: Places) -> None:
        self._recorded = recorded
        self.hours: dict[int, Hour] = {}
        """By the hour's beginning, UTC ns."""
        self._windows: dict[int, _Window] = {}
        self.instants = 0
        """Those that came out of the second run."""
        self.compared = 0
        self._seen = set[int]()

    def add(self, positions: Positions, recorded_at_ns: int) -> None:
        """Compare one instant of the second run."""
        at_ns = positions.captured_at_ns
        self.instants += 1
        self._seen.add(at_ns)
        was = self._recorded.get(at_ns)
        if was is None:
            return
        self.compared += 1
        found = apart(tuple(was.values()), tuple(one.xyz_m for one in positions.people))
        hour = self.hours.setdefault(at_ns // HOUR_NS * HOUR_NS, Hour())
        hour.instants += 1
        hour.both += len(found.apart_m)
        hour.only_was += found.only_was
        hour.only_now += found.only_now
        hour.apart_cm.update(round(one * CM) for one in found.apart_m)
        window = self._windows.setdefault(at_ns // WINDOW_NS, _Window(recorded_at_ns))
        window.instants += 1
        window.only_was += found.only_was
        window.only_now += found.only_now

    def span_ns(self) -> tuple[int, int]:
        """Tell from when to when it went; both 0 before any instant."""
        return min(self._seen, default=0), max(self._seen, default=0)

    def not_again(self) -> int:
        """Count the recorded instants in between that did not come about again."""
        from_ns, to_ns = self.span_ns()
        return sum(from_ns <= one <= to_ns and one not in self._seen for one in self._recorded)

    def moments(self) -> list[dict[str, Any]]:
        """List when people differ the most, the most first."""
        found = sorted(self._windows.items(), key=lambda item: (-item[1].share, item[0]))
        return [
            {
                "at_ns": window * WINDOW_NS,
                "recorded_at_ns": one.recorded_at_ns,
                "only_was": round(one.only_was / one.instants, 2),
                "only_now": round(one.only_now / one.instants, 2),
            }
            for window, one in found[:MOST_MOMENTS]
            if one.share >= LEAST_APART
        ]
