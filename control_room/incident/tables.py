"""The tables of an export as CSV: who was where, what became of alarms, what was out of order.

Knows nothing about how they are found. Times are ISO 8601 in UTC; texts that a spreadsheet would
run are made harmless, and signs that upset one are left out (`alarms.json` has them as they came).
"""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from control_room.incident.gather import Gathered
from control_room.incident.lives import Event, Life
from control_room.incident.outages import Outage
from control_room.incident.tags import Legend, sigma_m, site_at
from control_room.journal.export import harmless, moment
from scene.errors import printable
from scene.landmarks import by_landmark, chainage_of, nearest
from scene.messages import Positions

LONGEST = 1000
TRACKS = (
    *("captured_at", "captured_at_ns", "track", "name", "name_probability"),
    *("x_m", "y_m", "z_m", "sigma_m", "chainage_m", "place"),
    *("posture", "certainty", "seen_at", "film_tag", "source"),
)
ALARMS = (
    *("alarm", "kind", "severity", "event", "at", "at_ns", "by", "reason", "until"),
    *("track", "name", "zone", "camera", "x_m", "y_m", "z_m"),
    *("certainty", "probability", "evidence", "source"),
)
HEALTH = ("from", "from_ns", "to", "to_ns", "what", "name", "state", "detail")


class Table:
    """A CSV file, row by row; to be used in a `with`."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self._file = path.open("x", newline="", encoding="utf-8")
        # Excel takes a file for UTF-8 only with this mark; names are Chinese.
        self._file.write("\ufeff")
        self._writer = csv.writer(self._file)
        self._writer.writerow(columns)

    def add(self, *cells: object) -> None:
        """Add a row."""
        self._writer.writerow([_cell(one) for one in cells])

    def __enter__(self) -> "Table":
        """Begin."""
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """Finish it."""
        self._file.close()


def add_positions(
    table: Table, said: Positions, found: Gathered, legend: Legend, source: str
) -> None:
    """Add one row for each person of an instant; `source` says how the positions came."""
    site = site_at(found, said.captured_at_ns)
    for person in said.people:
        chainage_m = chainage_of(site, person.xyz_m)
        near = None if chainage_m is None else nearest(site.landmarks, chainage_m)
        place = "" if near is None or chainage_m is None else by_landmark(near, chainage_m)
        table.add(
            moment(said.captured_at_ns),
            said.captured_at_ns,
            person.track,
            person.worker,
            _rounded(person.worker_probability),
            *(_rounded(value) for value in person.xyz_m),
            _rounded(sigma_m(person)),
            chainage_m,
            place,
            person.posture,
            person.certainty,
            moment(person.seen_at_ns),
            legend.tag(person),
            source,
        )


def write_alarms(path: Path, lives: Iterable[Life]) -> None:
    """Write what happened to each alarm, a row for each thing."""
    with Table(path, ALARMS) as table:
        for life in lives:
            for event in life.events:
                table.add(*_alarm(life, event))


def write_health(path: Path, outages: Iterable[Outage]) -> None:
    """Write when the gateway or a camera was not as it should be."""
    with Table(path, HEALTH) as table:
        for one in outages:
            table.add(
                *(moment(one.from_ns), one.from_ns, moment(one.to_ns), one.to_ns),
                *(one.what, one.name, one.state, one.detail),
            )


def _alarm(life: Life, event: Event) -> tuple[object, ...]:
    word = event.word
    until = None if event.until_ns is None else moment(event.until_ns)
    head = (life.first.id, life.first.kind, life.last.severity, event.what)
    when = (moment(event.at_ns), event.at_ns, event.by, event.reason, until)
    if word is None:
        return (*head, *when, *(None,) * 10, event.trust)
    place: tuple[Any, ...] = (None,) * 3 if word.xyz_m is None else word.xyz_m
    return (
        *(*head, *when, word.track, word.worker, word.zone, word.camera),
        *map(_rounded, place),
        *(word.certainty, _rounded(word.probability), word.evidence, event.trust),
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _cell(value: object) -> object:
    return harmless(printable(value, LONGEST)) if isinstance(value, str) else value
