"""Puts the segments of a gateway together again: an alarm that goes over their border is one.

Knows nothing about how segments came about. Each was run by itself, from a while before its
beginning; what stood at the border on its side is compared with what stood on the other.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import dist
from typing import Any

from edge.reanalysis.archive import Segment
from edge.rerun_compare import SAME_ALARM_M, Change, changes
from edge.steps import ALARM
from scene.messages import Anomaly

GAP_S = 120.0
"""What is recorded after a longer pause has nothing to do with what was before."""
BORDER = "At a border of files: not there on its other side"


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A segment and what came of it."""

    segment: Segment
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What became of one alarm, and where it lies in the archive."""

    change: Change
    done: Done
    recorded_at_ns: int
    """When it was raised, by the recorder's clock."""
    doubtful: bool
    """Whether the two sides of a border did not agree on it."""


@dataclass(slots=True, kw_only=True)
class Joined:
    """One gateway's segments that follow each other."""

    rows: list[Row] = field(default_factory=list)
    borders: int = 0
    apart: int = 0
    """At how many of these borders alarms did not agree."""


def chains(found: Iterable[Done]) -> Iterator[list[Done]]:
    """Part segments, by gateway and time, where one does not follow the other."""
    chain: list[Done] = []
    for one in found:
        if chain and not _follows(chain[-1], one):
            yield chain
            chain = []
        chain.append(one)
    if chain:
        yield chain


def _follows(before: Done, after: Done) -> bool:
    if after.segment.gateway != before.segment.gateway:
        return False
    if after.segment.before[-1:] != (before.segment.path,):
        return False
    gap_ns = after.body["recorded_ns"][0] - before.body["recorded_ns"][1]
    return bool(after.body["begins"] == "run_in" or gap_ns <= GAP_S * 1e9)


def joined(chain: Sequence[Done]) -> Joined:
    """Join a chain and compare its alarms with the recorded ones."""
    recorded: list[Anomaly] = []
    places: dict[str, tuple[int, Done]] = {}
    for one in chain:
        for at_ns, said in one.body["recorded"]:
            anomaly = ALARM.validate_python(said, strict=False)
            recorded.append(anomaly)
            places.setdefault(anomaly.id, (at_ns, one))
    again = _Again()
    for number, one in enumerate(chain):
        again.add(one, first=number == 0)
    from_ns = chain[0].body["captured_ns"][0]
    found = Joined(borders=again.borders, apart=again.apart)
    for change in changes(recorded, again.alarms, from_ns=from_ns):
        known = change.was or change.now
        assert known is not None
        at_ns, done = (places if change.was else again.places)[known.first.id]
        now = change.now
        found.rows.append(
            Row(
                change=change,
                done=done,
                recorded_at_ns=at_ns,
                doubtful=now is not None and now.first.id in again.doubtful,
            )
        )
    return found


class _Again:
    """The alarms of the run again, segment after segment."""

    def __init__(self) -> None:
        self.alarms: list[Anomaly] = []
        self.places: dict[str, tuple[int, Done]] = {}
        self.doubtful = set[str]()
        self.borders = self.apart = 0
        self._active: dict[str, Anomaly] = {}
        self._names: dict[str, str | None] = {}
        """What an alarm of a later segment is called in an earlier one; none for one that live had
        and that has not come about here."""

    def add(self, one: Done, *, first: bool) -> None:
        """Take in the next segment."""
        stand = [ALARM.validate_python(said, strict=False) for said in one.body["stand"]]
        if first:  # what stood before anything here began is not told of
            self._names |= dict.fromkeys([said.id for said in stand])
        elif one.body["begins"] == "run_in":
            self._border(one, stand)
        for at_ns, said in one.body["again"]:
            self._take(ALARM.validate_python(said, strict=False), at_ns, one)

    def _take(self, said: Anomaly, at_ns: int, one: Done) -> None:
        name = self._names.get(said.id, said.id)
        if name is None:
            return
        anomaly = replace(said, id=name)
        self.alarms.append(anomaly)
        self.places.setdefault(name, (at_ns, one))
        if anomaly.state == "active":
            self._active[name] = anomaly
        else:
            self._active.pop(name, None)

    def _border(self, one: Done, stand: Sequence[Anomaly]) -> None:
        """Find what stood at the border on both sides; what stood on one only is doubtful."""
        self.borders += 1
        at_ns = one.body["captured_ns"][0]
        adopted = set(one.body["adopted"])
        left = dict(self._active)
        known = [said for said in stand if left.pop(self._names.get(said.id, said.id) or "", None)]
        apart = False
        for said in (said for said in stand if said not in known):
            if said.id in self._names and self._names[said.id] is None:
                continue
            name = _nearest(said, left.values())
            if name is not None:
                left.pop(name)
                self._names[said.id] = name
            elif said.id in adopted:
                self._names[said.id] = None
            else:
                apart = True
                self.doubtful.add(said.id)
                self._take(said, one.body["recorded_ns"][0], one)
        for name, said in left.items():
            apart = True
            self.doubtful.add(name)
            over = replace(said, state="cleared", captured_at_ns=at_ns, evidence=BORDER)
            self._names.pop(name, None)
            self._take(over, one.body["recorded_ns"][0], one)
        self.apart += apart


def _nearest(said: Anomaly, others: Iterable[Anomaly]) -> str | None:
    """Find the alarm that is about the same thing, though raised at another time."""
    alike = [
        (_apart_m(said, one), one.id)
        for one in others
        if (one.kind, one.zone) == (said.kind, said.zone) and _apart_m(said, one) <= SAME_ALARM_M
    ]
    return min(alike)[1] if alike else None


def _apart_m(a: Anomaly, b: Anomaly) -> float:
    return 0.0 if a.xyz_m is None or b.xyz_m is None else dist(a.xyz_m, b.xyz_m)
