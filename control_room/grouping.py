"""Grouping: what has one cause is one line in the operator's list.

Knows nothing about storing or pages. Grouping hides nothing: a group is as bad, as active and as
unacknowledged as the worst of its members, and every member stays in it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from control_room.heartbeat import KIND as SILENT
from control_room.lifecycle import SEVERITIES, Entry
from scene.alarms import ALARMS
from scene.messages import Severity

CAMERA_GONE = ("camera_lost", "camera_stalled")
TOGETHER_S = 30.0
"""Cameras that go one after the other within so long went for one reason: a switch, a cable, the
power. A camera counts as lost some 10 s after its last picture, and not all on the same second."""
BEFORE_SILENCE_S = 60.0
"""A gateway in trouble may lose its cameras so long before it falls silent itself."""


@dataclass(frozen=True, slots=True)
class Group:
    """The open alarms of one cause."""

    members: tuple[Entry, ...]
    """The worst first; never empty."""

    @property
    def severity(self) -> Severity:
        """The worst severity among them."""
        return self.members[0].last.severity

    @property
    def active(self) -> bool:
        """Whether any of them is."""
        return any(entry.last.state == "active" for entry in self.members)

    @property
    def unacknowledged(self) -> bool:
        """Whether any of them is."""
        return any(entry.acknowledged is None for entry in self.members)


def group(
    entries: Iterable[Entry], goes_by_name: Callable[[Entry], bool] = lambda _: False
) -> list[Group]:
    """Group alarms by cause, groups and members worst first; every entry is in exactly one group.

    The rules, all within one gateway:

    1. Alarms about one person (the same track) belong together.
    2. Alarms of one kind in one zone about one named worker belong together, whatever the tracks
       are, where all of them `goes_by_name`: two people are never one line.
    3. `camera_stalled` and `camera_lost` of one camera belong together.
    4. Cameras stalled or lost, each within `TOGETHER_S` of the one before, belong together.
    5. A silent gateway takes in its own alarms about the system raised since
       `BEFORE_SILENCE_S` before it fell silent. People's alarms it never takes in.

    Where a person has gone from one gateway to another, the alarms stay two groups.
    """
    listed = list(entries)
    cause_of = list(range(len(listed)))

    def root(i: int) -> int:
        while cause_of[i] != i:
            cause_of[i] = cause_of[cause_of[i]]
            i = cause_of[i]
        return i

    for one, other in _links(listed, goes_by_name):
        cause_of[root(one)] = root(other)
    members: dict[int, list[Entry]] = {}
    for i, entry in enumerate(listed):
        members.setdefault(root(i), []).append(entry)
    groups = [Group(tuple(sorted(found, key=_badness))) for found in members.values()]
    return sorted(groups, key=_group_badness)


def _links(
    entries: list[Entry], goes_by_name: Callable[[Entry], bool]
) -> Iterable[tuple[int, int]]:
    """Give the pairs that have one cause, as places in the list; chains of pairs are enough."""
    first_of: dict[tuple[str, ...], int] = {}
    newest_gone: dict[tuple[str, str], int] = {}
    silences: dict[tuple[str, str], list[int]] = {}
    for i, entry in enumerate(entries):
        if entry.last.kind == SILENT:
            silences.setdefault(_gateway(entry), []).append(i)
    for i in sorted(range(len(entries)), key=lambda i: entries[i].last.raised_at_ns):
        entry, place = entries[i], _gateway(entries[i])
        same = _one_thing(entry)
        if same is not None:
            yield i, first_of.setdefault((*place, *same), i)
        if _is_of_track(entry) and goes_by_name(entry):
            again = ("worker", entry.last.worker or "", entry.last.kind, entry.last.zone or "")
            yield i, first_of.setdefault((*place, *again), i)
        if entry.last.kind in CAMERA_GONE:
            before = newest_gone.get(place)
            if before is not None and _later_s(entry, entries[before]) <= TOGETHER_S:
                yield i, before
            newest_gone[place] = i
        if _about(entry) == "system" and entry.last.kind != SILENT:
            for silence in silences.get(place, ()):
                since_s = _later_s(entry, entries[silence])
                ended = entries[silence].last.state == "cleared"
                until_s = _lasted_s(entries[silence]) + TOGETHER_S if ended else float("inf")
                if -BEFORE_SILENCE_S <= since_s <= until_s:
                    yield i, silence


def _one_thing(entry: Entry) -> tuple[str, str] | None:
    """Name the person or the camera that the alarm is about; none if another rule decides."""
    if _is_of_track(entry):
        return "person", str(entry.last.track)
    if entry.last.kind in CAMERA_GONE and entry.last.camera is not None:
        return "camera", entry.last.camera
    return None


def _is_of_track(entry: Entry) -> bool:
    return _about(entry) == "person" and entry.last.track is not None


def _about(entry: Entry) -> str:
    kind = ALARMS.get(entry.last.kind)
    return kind.about if kind else ""


def _gateway(entry: Entry) -> tuple[str, str]:
    return entry.key.site, entry.key.gateway


def _later_s(entry: Entry, than: Entry) -> float:
    return (entry.last.raised_at_ns - than.last.raised_at_ns) / 1e9


def _lasted_s(entry: Entry) -> float:
    until_ns = entry.cleared_at_ns or entry.last.captured_at_ns
    return (until_ns - entry.last.raised_at_ns) / 1e9


def _badness(entry: Entry) -> tuple[int, bool, bool, int]:
    """Order members: smaller is worse."""
    return (
        SEVERITIES.index(entry.last.severity),
        entry.last.state != "active",
        entry.acknowledged is not None,
        -entry.last.raised_at_ns,
    )


def _group_badness(one: Group) -> tuple[bool, int, bool, int]:
    """Order groups by their worst member, one that is over counting less than any active one."""
    newest_ns = max(entry.last.raised_at_ns for entry in one.members)
    worst = min(
        (
            entry.last.state != "active",
            SEVERITIES.index(entry.last.severity),
            entry.acknowledged is not None,
        )
        for entry in one.members
    )
    return *worst, -newest_ns
