"""Decides which of the positions that gateways tell ten times a second are worth keeping.

Knows nothing about databases or threads.
"""

import math
from collections.abc import Set
from dataclasses import dataclass, field

from scene.messages import Position, Positions, ZoneDescription

EVERY_S = 10.0
"""A row per person so often, and one whenever the zone or the posture changes."""
MOST_PEOPLE = 5000
"""Of all gateways together; more is a mistake or an attack."""

Row = tuple[object, ...]
"""Site, gateway, track, `at_ns`, worker, zones (names with commas between), x, y and sigma along
the worse axis in metres (mine), posture, certainty, `seen_at_ns`."""


@dataclass(slots=True, kw_only=True)
class _Followed:
    """One track of a gateway."""

    row: Row
    """Where it was when it was looked at last."""
    looked_s: float
    written_s: float
    is_written: bool


Gateway = tuple[str, str]
"""Site and gateway."""


@dataclass(slots=True, kw_only=True)
class Thinning:
    """Decides which positions are worth a row; to be used by one thread."""

    every_s: float = EVERY_S
    _followed: dict[Gateway, dict[int, _Followed]] = field(default_factory=dict)
    """By gateway and number: of a hundred gateways each is looked at every second."""

    def rows(
        self,
        place: Gateway,
        said: Positions,
        zones: tuple[ZoneDescription, ...],
        now_s: float,
    ) -> list[Row]:
        """Give the rows to write after a gateway (site, gateway) has told of its people.

        Who is new, has a new name, posture or zone, or was written `every_s` ago; and the last
        place of who is not there any more.
        """
        found = []
        here = self._followed.setdefault(place, {})
        left = MOST_PEOPLE - sum(map(len, self._followed.values()))
        for person in said.people:
            row = _row(place, person, zones, said.captured_at_ns)
            before = here.get(person.track)
            if before is None:
                if left <= 0:
                    continue
                left -= 1
                before = _Followed(row=row, looked_s=now_s, written_s=-math.inf, is_written=False)
                here[person.track] = before
            due = now_s - before.written_s >= self.every_s or _told(row) != _told(before.row)
            if due:
                found.append(row)
                before.written_s = now_s
            before.row, before.looked_s, before.is_written = row, now_s, due
        gone = here.keys() - {person.track for person in said.people}
        return found + self._last_places(place, gone)

    def silent(self, now_s: float) -> list[Row]:
        """Give the last places of people whose gateways have said nothing for a while."""
        found = []
        for place, here in [*self._followed.items()]:
            gone = {track for track, one in here.items() if now_s - one.looked_s > self.every_s}
            found += self._last_places(place, gone)
        return found

    def _last_places(self, place: Gateway, gone: Set[int]) -> list[Row]:
        """Forget who has gone, and give their last places, unless these are written."""
        here = self._followed[place]
        rows = [one.row for track in sorted(gone) if not (one := here.pop(track)).is_written]
        if not here:
            del self._followed[place]
        return rows


def _row(place: Gateway, person: Position, zones: tuple[ZoneDescription, ...], at_ns: int) -> Row:
    from location.zones import probability_inside  # it takes long, and alarms wait for all above

    inside = [
        zone.name
        for zone in zones
        if len(zone.polygon_m) >= 3
        and probability_inside(person.xyz_m[:2], person.covariance_m2, zone.polygon_m) >= 0.5
    ]
    (a, b), (_, d) = person.covariance_m2
    worst_m2 = (a + d) / 2 + math.hypot((a - d) / 2, b)
    return (
        *place,
        person.track,
        at_ns,
        person.worker,
        ",".join(sorted(inside)),
        round(person.xyz_m[0], 3) + 0.0,  # never -0.0, which only some databases keep
        round(person.xyz_m[1], 3) + 0.0,
        round(math.sqrt(max(0.0, worst_m2)), 3),
        person.posture,
        person.certainty,
        person.seen_at_ns,
    )


def _told(row: Row) -> Row:
    """Give of a row what is written as soon as it changes: name, zones and posture."""
    return row[4], row[5], row[9]
