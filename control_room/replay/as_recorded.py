"""The alarms as they were told live: there at once, while raising them anew takes its time.

Knows nothing about rules. What live raised is evidence by itself, so that where the rules come to
something else now, that is said.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from control_room.judge import active_at, differences, once_each
from control_room.replay.judging import UNKNOWN_END, Mark, ended
from control_room.replay.recording import Recording
from scene.messages import Anomaly


@dataclass(frozen=True, slots=True, kw_only=True)
class AsRecorded:
    """What was told live, as far as it has been read."""

    to_ns: int
    """Up to here on the recorder's clock."""
    marks: tuple[Mark, ...] = ()
    """Since the last time; when each word was received."""


def as_recorded(recording: Recording) -> Iterator[AsRecorded]:
    """Read what was told of alarms, file by file; raises `RecordingError`."""
    told = set[tuple[str, str, int]]()
    standing: dict[str, Anomaly] = {}
    parts = recording.file.parts
    for part, after in zip(parts, [*parts[1:], None], strict=True):
        words = recording.words(part.since_ns, part.to_ns)
        marks = list[Mark]()
        if any(gap.to_ns == part.since_ns for gap in recording.gaps):
            still = {one.id for one in active_at(part.since_ns, (one for _, one in words))}
            for id in standing.keys() - still:
                marks.append(ended(standing.pop(id), part.since_ns))
        for at_ns, one in words:
            word = (one.id, one.state, one.captured_at_ns)
            if word in told:
                continue
            told.add(word)
            marks.append(Mark(at_ns=at_ns, anomaly=one))
            if one.state == "active":
                standing[one.id] = one
            else:
                standing.pop(one.id, None)
        to_ns = recording.to_ns if after is None else after.since_ns - 1
        yield AsRecorded(to_ns=to_ns, marks=tuple(marks))


def unlike(
    recording: Recording, recorded: Iterable[Anomaly], raised: Iterable[Anomaly], first_ns: int
) -> list[str]:
    """Say what the rules raised otherwise than live did, a line each; none where nothing.

    `first_ns` is when the first instant that was judged was captured.
    """
    # What was raised while nothing was recorded can't be raised again; nor did live say that
    # nobody knows when something ended.
    comparable = (
        one
        for one in recorded
        if recording.file.gap_at(one.raised_at_ns) is None and one.evidence != UNKNOWN_END
    )
    return differences(once_each(comparable), raised, from_ns=first_ns)
