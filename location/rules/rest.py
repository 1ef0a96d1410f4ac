"""How long each person has stayed within a stone's throw of one spot.

Knows nothing about alarms.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import erf, hypot, sqrt

from location.rules.places import at_look, sigma_m
from scene.messages import XY, Position

MOVED_LOOKS = 2
"""One look somewhere else may be wrong; so many in a row are a move."""


@dataclass(slots=True)
class Rest:
    """One person's spot: the mean of the looks since it became that."""

    xy_m: XY
    looked_at_ns: int
    looks: int = 1
    sigma_m: float = 0.0
    """Of the last look."""
    moved: bool = False
    """The last look began a new spot."""
    away: int = 0
    """Looks in a row that were elsewhere."""
    apart_m: float = 0.0
    limit_m: float = 0.0

    @property
    def probability(self) -> float:
        """P(nearer to the spot than the limit), the place taken as Gaussian along that line."""
        spread_m = max(self.sigma_m, 0.05) * sqrt(1 + 1 / self.looks)
        return 0.5 * (1 + erf((self.limit_m - self.apart_m) / spread_m / sqrt(2)))


class Rests:
    """Everybody's spot, by track."""

    def __init__(self) -> None:
        self._rests: dict[int, Rest] = {}

    def update(self, people: Sequence[Position], moved_m: float) -> None:
        """Take in the positions of an instant; only new looks count."""
        tracks = {person.track for person in people}
        self._rests = {track: rest for track, rest in self._rests.items() if track in tracks}
        for given in people:
            person = at_look(given)
            rest = self._rests.get(person.track)
            if rest is None:
                rest = Rest(person.xyz_m[:2], person.seen_at_ns, limit_m=moved_m)
            elif person.seen_at_ns > rest.looked_at_ns:
                _look(rest, person, moved_m)
            self._rests[person.track] = rest

    def of(self, track: int) -> Rest | None:
        """Give a person's spot."""
        return self._rests.get(track)

    def restart(self) -> None:
        """Forget all."""
        self._rests = {}


def _look(rest: Rest, person: Position, moved_m: float) -> None:
    (x0, y0), (x, y) = rest.xy_m, person.xyz_m[:2]
    rest.looked_at_ns = person.seen_at_ns
    rest.sigma_m = sigma_m(person.covariance_m2)
    rest.apart_m = _apart_m(rest, person)
    rest.limit_m = max(moved_m, 2 * rest.sigma_m)
    elsewhere = rest.apart_m > rest.limit_m
    rest.away = rest.away + 1 if elsewhere else 0
    rest.moved = rest.away >= MOVED_LOOKS
    if rest.moved:
        rest.xy_m, rest.looks, rest.away = (x, y), 1, 0
    elif not elsewhere:
        rest.looks += 1
        rest.xy_m = x0 + (x - x0) / rest.looks, y0 + (y - y0) / rest.looks


def _apart_m(rest: Rest, person: Position) -> float:
    return hypot(person.xyz_m[0] - rest.xy_m[0], person.xyz_m[1] - rest.xy_m[1])
