"""Watches the disks that alarms and recordings are written to, before they are full.

Knows nothing about what is written. Recording stops at the same mark at which the alarm comes, so
that what is left of the disk belongs to the alarms.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from scene.alarms import system_alarm
from scene.clock import Clock
from scene.errors import RecordingError
from scene.messages import Anomaly

KIND = "storage"
LOW_BYTES = 500_000_000
LOW_SHARE = 0.05
"""Less than 5 % of a disk, at most 500 MB, is low."""
ENOUGH = 2.0
"""There is room again at so many times as much."""
LOW_NODES_SHARE = 0.01
"""A disk can also run out of files."""
CLEAR_AFTER_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What is left of the disk that a folder lies on."""

    folder: Path
    free_bytes: int
    """For whoever is not root."""
    size_bytes: int
    device: int = 0
    """Which disk it is."""
    trouble: str = ""
    """Why nothing can be written although there may be room; empty when it can."""

    @property
    def low_bytes(self) -> float:
        """Below so much it is low."""
        return min(LOW_BYTES, LOW_SHARE * self.size_bytes)

    @property
    def low(self) -> str:
        """Why there is too little room; empty when there is enough."""
        if self.trouble:
            return f"{self.folder}: {self.trouble}"
        if self.free_bytes < self.low_bytes:
            return (
                f"{self.folder}: {self.free_bytes / 1e6:.0f} MB of {self.size_bytes / 1e6:.0f} MB "
                f"are free, below {self.low_bytes / 1e6:.0f} MB"
            )
        return ""

    @property
    def enough(self) -> bool:
        """Whether there is clearly room again."""
        return not self.trouble and self.free_bytes >= ENOUGH * self.low_bytes


def look_at(folder: Path) -> Room:
    """Tell how much room there is on the disk of a folder, which need not be there yet."""
    place = folder.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        found, device = os.statvfs(place), place.stat().st_dev
    except OSError as error:
        return Room(
            folder=folder, free_bytes=0, size_bytes=0, trouble=f"can't be looked at: {error}"
        )
    trouble = ""
    if found.f_flag & os.ST_RDONLY:
        trouble = "its disk can only be read; mend it"
    elif found.f_files and found.f_favail < LOW_NODES_SHARE * found.f_files:
        trouble = f"its disk has room for {found.f_favail} more files only"
    return Room(
        folder=folder,
        free_bytes=found.f_bavail * found.f_frsize,
        size_bytes=found.f_blocks * found.f_frsize,
        device=device,
        trouble=trouble,
    )


def make_folder(recording: Path) -> None:
    """Make the folder of a recording; raises `RecordingError`."""
    try:
        recording.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecordingError(
            f"--record {recording}: there can't be a folder {recording.parent}: {error.strerror}; "
            "give another file"
        ) from None


class StorageWatch:
    """Raises an alarm when a disk is low, and clears it when there has been room for a while."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._raised: Anomaly | None = None
        self._enough_since_s: float | None = None

    def adopt(self, alarms: Iterable[Anomaly]) -> tuple[Anomaly, ...]:
        """Carry on an alarm of the run before; gives the clearings of further ones."""
        left = []
        for alarm in alarms:
            if self._raised is None:
                self._raised = alarm
            else:
                left.append(self._cleared(alarm, "another alarm tells of it"))
        return tuple(left)

    def look(self, rooms: Iterable[Room], *, recording_paused: bool) -> tuple[Anomaly, ...]:
        """Judge the disks; gives the alarm that this raises or clears."""
        rooms = tuple(rooms)
        reasons = [room.low for room in rooms if room.low]
        now_s, now_ns = self._clock.monotonic_s(), self._clock.now_ns()
        if recording_paused:
            reasons.append("nothing is recorded for want of room")
        if reasons:
            self._enough_since_s = None
            if self._raised is not None:
                return ()
            self._raised = system_alarm(
                KIND, now_ns, f"{'; '.join(reasons)}; free space. Recording stops, alarms go on"
            )
            return (self._raised,)
        if self._raised is None or not all(room.enough for room in rooms):
            self._enough_since_s = None
            return ()
        if self._enough_since_s is None:
            self._enough_since_s = now_s
        if now_s - self._enough_since_s < CLEAR_AFTER_S:
            return ()
        raised, self._raised, self._enough_since_s = self._raised, None, None
        return (self._cleared(raised, f"there is room again for {CLEAR_AFTER_S:.0f} s"),)

    @property
    def active(self) -> bool:
        """Whether the alarm is up."""
        return self._raised is not None

    def _cleared(self, alarm: Anomaly, evidence: str) -> Anomaly:
        now_ns = self._clock.now_ns()
        return replace(alarm, state="cleared", captured_at_ns=now_ns, evidence=evidence)
