"""What judging a recording has given so far; grows while a replay is looked at.

Knows nothing about how it is judged, or by whom.
"""

import bisect
import threading

from control_room.replay.judging import Mark, Progress, Snapshot


class Known:
    """Alarms and snapshots up to an instant; may be used from several threads."""

    def __init__(self, from_ns: int) -> None:
        self._lock = threading.Lock()
        self._marks: list[Mark] = []
        self._snapshots: list[Snapshot] = []
        self._judged_to_ns = from_ns
        self.trouble = ""
        """Why judging ended early, in words; empty while all is well."""

    def add(self, progress: Progress) -> None:
        """Take what was found."""
        with self._lock:
            self._marks = (
                sorted([*self._marks, *progress.marks], key=_at)
                if progress.marks
                else (self._marks)
            )
            if progress.snapshot is not None:
                self._snapshots.append(progress.snapshot)
            self._judged_to_ns = max(self._judged_to_ns, progress.judged_to_ns)

    @property
    def judged_to_ns(self) -> int:
        """Up to here all alarms are known."""
        return self._judged_to_ns

    @property
    def marks(self) -> list[Mark]:
        """All words on alarms that are known, by time; a list that is never changed."""
        return self._marks

    def marks_up_to(self, at_ns: int, *, but: int = 0) -> list[Mark]:
        """Give the words that a replay has said by an instant, `but` for so many first ones."""
        marks = self._marks
        return marks[but : bisect.bisect_right(marks, at_ns, key=_at)]

    def snapshot_before(self, at_ns: int) -> Snapshot | None:
        """Give the last snapshot at or before an instant."""
        with self._lock:
            index = bisect.bisect_right(self._snapshots, at_ns, key=lambda one: one.at_ns)
            return self._snapshots[index - 1] if index else None


def _at(mark: Mark) -> int:
    return mark.at_ns
