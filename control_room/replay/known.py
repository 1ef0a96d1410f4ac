"""What judging a recording has given so far; grows while a replay is looked at.

Knows nothing about how it is judged, or by whom.
"""

import bisect
import threading
from enum import IntEnum

from control_room.replay.as_recorded import AsRecorded
from control_room.replay.judging import Mark, Progress, Snapshot


class How(IntEnum):
    """How alarms at an instant are known."""

    UNKNOWN = 0
    RECORDED = 1
    JUDGED = 2


class Known:
    """Alarms and snapshots up to an instant; may be used from several threads."""

    def __init__(self, from_ns: int) -> None:
        self._lock = threading.Lock()
        self._marks: list[Mark] = []
        self._judged: list[Mark] = []
        self._recorded: list[Mark] = []
        self._snapshots: list[Snapshot] = []
        self._judged_to_ns = self._recorded_to_ns = from_ns - 1
        self.unlike = 0
        """How many changes of alarms were raised otherwise than they were recorded."""
        self.trouble = ""
        """Why judging ended early, in words; empty while all is well."""

    def add(self, found: Progress | AsRecorded) -> None:
        """Take what was found."""
        with self._lock:
            judged_ns, recorded_ns = self._judged_to_ns, self._recorded_to_ns
            if isinstance(found, AsRecorded):
                self._recorded = sorted([*self._recorded, *found.marks], key=_at)
                recorded_ns = max(recorded_ns, found.to_ns)
            else:
                if found.marks:
                    self._judged = sorted([*self._judged, *found.marks], key=_at)
                if found.snapshot is not None:
                    self._snapshots.append(found.snapshot)
                judged_ns = max(judged_ns, found.judged_to_ns)
            both = self._both(judged_ns)
            if both != self._marks:
                self._marks = both
            # Last: whoever reads how far it is known must find all that is known up to there.
            self._judged_to_ns, self._recorded_to_ns = judged_ns, recorded_ns

    def _both(self, judged_ns: int) -> list[Mark]:
        """Put together what was judged and, where nothing is yet, what was recorded.

        What was recorded somewhat earlier than it is judged is not left out meanwhile.
        """
        sure = [one for one in self._judged if one.at_ns <= judged_ns]
        told = [one for one in self._recorded if one.at_ns > judged_ns]
        ids = {one.anomaly.id for one in (*sure, *told)}
        late = [one for one in self._judged if one.at_ns > judged_ns and one.anomaly.id not in ids]
        return sorted([*sure, *told, *late], key=_at)

    @property
    def judged_to_ns(self) -> int:
        """Up to here all alarms are known."""
        return self._judged_to_ns

    @property
    def recorded_to_ns(self) -> int:
        """Up to here they are known at least as they were recorded."""
        return max(self._judged_to_ns, self._recorded_to_ns)

    @property
    def marks(self) -> list[Mark]:
        """All words on alarms for a time line, by time; a list that is never changed."""
        return self._marks

    def how_at(self, at_ns: int) -> How:
        """Tell how alarms at an instant are known."""
        if at_ns <= self.judged_to_ns:
            return How.JUDGED
        return How.RECORDED if at_ns <= self.recorded_to_ns else How.UNKNOWN

    def words(self, how: How, at_ns: int, *, after_ns: int = -1) -> list[Mark]:
        """Give the words that a replay says up to an instant, those `after_ns` alone.

        Never of both: one that live raised and the rules don't would be there without its raise,
        and one that the rules alone raise would never end.
        """
        marks = self._judged if how is How.JUDGED else self._recorded
        first, end = (bisect.bisect_right(marks, ns, key=_at) for ns in (after_ns, at_ns))
        return marks[first:end]

    def snapshot_before(self, at_ns: int) -> Snapshot | None:
        """Give the last snapshot at or before an instant."""
        with self._lock:
            index = bisect.bisect_right(self._snapshots, at_ns, key=lambda one: one.at_ns)
            return self._snapshots[index - 1] if index else None


def _at(mark: Mark) -> int:
    return mark.at_ns
