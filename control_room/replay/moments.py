"""How everything stood at an instant of a recording, without playing up to there.

Knows nothing about pages. Read are the seconds since the last snapshot, the pictures since the last
key frame, and what was said before that and still held.
"""

from collections.abc import Callable
from dataclasses import dataclass

from mcap.records import Channel

from control_room.head_count import HeadCount
from control_room.replay.judging import SNAPSHOT_EVERY_NS, Mark, Snapshot, heard, unpacked
from control_room.replay.known import How, Known
from control_room.replay.recording import Recording, is_message, is_of, is_picture, said
from delivery.recordings.format import Record
from scene.messages import MachinePlace, Machines

NEARBY_NS = 5_000_000_000
"""Where there is no snapshot yet, heads are counted over so long: better than nobody."""
LASTING = ("state", "site", "health", "positions")
"""Topics of which the last message holds until the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """An instant of a recording."""

    at_ns: int
    said: tuple[Record, ...]
    """The last message of each of `LASTING` that there is, and the last word on each machine."""
    marks: tuple[Mark, ...]
    """Every word on alarms up to here."""
    how: How
    """How these are known."""
    heads: HeadCount
    heads_are_whole: bool
    """Whether they have counted from the recording's start; else only for some seconds."""
    group: tuple[Record, ...] | None
    """Pictures from the last key frame to the one that is shown; none where that stays."""


def moment_at(recording: Recording, known: Known, at_ns: int, *, pictures: bool = True) -> Moment:
    """Tell how all stood once everything received at or before an instant had been played."""
    how = known.how_at(at_ns)
    snapshot, since_ns = _base(recording, known, at_ns)
    heads = unpacked(snapshot.heads) if snapshot else HeadCount()
    machines = dict(snapshot.machines) if snapshot else {}
    heads.begin()
    last = dict[str, Record]()
    for record in recording.file.records(from_ns=since_ns, to_ns=at_ns, wanted=is_message):
        word = heard(record) if is_of(record, recording) else None
        if word is None:
            continue
        heads.hear(*word, record.at_ns)
        if isinstance(record.body, Machines):
            machines |= {one.machine: (record.at_ns, one) for one in record.body.machines}
        last[word[0].topic] = record
    for topic in LASTING:
        if topic not in last:
            earlier = recording.file.last(_of(topic), since_ns - 1)
            if earlier is not None and is_of(earlier, recording):
                last[topic] = earlier
    return Moment(
        at_ns=at_ns,
        said=(
            *(last[topic] for topic in LASTING if topic in last),
            *(_machine(recording, *one) for one in machines.values()),
        ),
        marks=tuple(known.words(how, at_ns)),
        how=how,
        heads=heads,
        heads_are_whole=snapshot is not None or since_ns <= recording.from_ns,
        group=_group(recording, at_ns) if pictures else None,
    )


def picture_before(recording: Recording, at_ns: int) -> int | None:
    """Tell when the last picture before an instant was received; none without."""
    group = _group(recording, at_ns - 1)
    return group[-1].at_ns if group else None


def _base(recording: Recording, known: Known, at_ns: int) -> tuple[Snapshot | None, int]:
    """Give the snapshot to begin from, if there is a recent one, and the first instant after it."""
    found = known.snapshot_before(at_ns)
    if found is not None and at_ns - found.at_ns <= 4 * SNAPSHOT_EVERY_NS:
        return found, found.at_ns + 1
    if at_ns - recording.from_ns <= 2 * SNAPSHOT_EVERY_NS:
        return None, recording.from_ns
    return None, at_ns - NEARBY_NS


def _group(recording: Recording, at_ns: int) -> tuple[Record, ...]:
    key_ns = recording.file.key_frame_before(at_ns)
    if key_ns is None:
        return ()
    return tuple(recording.file.records(from_ns=key_ns, to_ns=at_ns, wanted=is_picture))


def _of(topic: str) -> Callable[[Channel], bool]:
    return lambda channel: is_message(channel) and said(channel, topic)


def _machine(recording: Recording, at_ns: int, place: MachinePlace) -> Record:
    return Record(
        at_ns=at_ns,
        topic=f"mine/{recording.site}/machines",
        payload=b"",
        body=Machines(captured_at_ns=place.at_ns, machines=(place,)),
    )
