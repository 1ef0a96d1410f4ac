"""Who has gone through a gate, and which way.

Knows nothing about alarms.
"""

from collections.abc import Sequence
from math import hypot

from location.rules.places import at_look, sigma_along_m
from scene.messages import XY, Position
from scene.zones import GateConfig

SURE_SIGMAS = 2.0
"""So many sigma beyond the line is fully over."""
LEAST_M = 0.1
"""And no less than this."""


class Crossings:
    """By gate and track: on which side a person surely was last, and who went the wrong way."""

    def __init__(self) -> None:
        self._sides: dict[tuple[str, int], tuple[int, XY]] = {}
        """Side (1 left of the line, -1 right) and place of the last sure look."""
        self._wrong: set[tuple[str, int]] = set()

    def update(self, gates: Sequence[GateConfig], people: Sequence[Position]) -> None:
        """Take in the positions of an instant, each where the person was seen."""
        keys = {(gate.name, person.track) for gate in gates for person in people}
        self._sides = {key: side for key, side in self._sides.items() if key in keys}
        self._wrong &= keys
        for gate in gates:
            for person in people:
                self._look(gate, at_look(person))

    def wrong(self, gate: str, track: int) -> bool:
        """Tell whether a person went through against the way, and has not come back."""
        return (gate, track) in self._wrong

    def forget(self, gate: str, track: int) -> None:
        """Take a wrong crossing as dealt with."""
        self._wrong.discard((gate, track))

    def restart(self) -> None:
        """Forget all."""
        self._sides, self._wrong = {}, set()

    def _look(self, gate: GateConfig, person: Position) -> None:
        beyond_m, sigma_m = beside_line(gate, person)
        if abs(beyond_m) <= max(SURE_SIGMAS * sigma_m, LEAST_M):
            return
        key = (gate.name, person.track)
        side, place = (1 if beyond_m > 0 else -1), (person.xyz_m[0], person.xyz_m[1])
        before = self._sides.get(key)
        self._sides[key] = side, place
        if before is None or before[0] == side or not _meets(gate, before[1], place, sigma_m):
            return
        if side == (1 if gate.way == "to_left" else -1):
            self._wrong.discard(key)
        else:
            self._wrong.add(key)


def beside_line(gate: GateConfig, person: Position) -> tuple[float, float]:
    """Tell how far left of a gate's line a person is (right is negative), and that one's sigma."""
    (x0, y0), (x1, y1) = gate.line_m
    length_m = hypot(x1 - x0, y1 - y0)
    left = (-(y1 - y0) / length_m, (x1 - x0) / length_m)
    beyond_m = (person.xyz_m[0] - x0) * left[0] + (person.xyz_m[1] - y0) * left[1]
    return beyond_m, sigma_along_m(person.covariance_m2, left)


def _meets(gate: GateConfig, start: XY, end: XY, sigma_m: float) -> bool:
    """Tell whether the straight way between two places on either side leads through the gate."""
    (x0, y0), (x1, y1) = gate.line_m
    length_m = hypot(x1 - x0, y1 - y0)
    along = ((x1 - x0) / length_m, (y1 - y0) / length_m)

    def parts(place: XY) -> tuple[float, float]:
        x, y = place[0] - x0, place[1] - y0
        return x * along[0] + y * along[1], -x * along[1] + y * along[0]

    (s0, d0), (s1, d1) = parts(start), parts(end)
    at_m = s0 + (s1 - s0) * d0 / (d0 - d1)
    margin_m = SURE_SIGMAS * sigma_m
    return -margin_m <= at_m <= length_m + margin_m
