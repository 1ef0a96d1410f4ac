"""A file that fills a disk for a while.

Knows nothing about who misses the room. It always has the same name, so that one that was left
behind is found and taken away, by the next drill or the gateway's next start.
"""

import contextlib
import os
from pathlib import Path

from edge.faults.target import FaultError
from edge.storage_watch import look_at

FILE = "drill-filler"
REST_SHARE = 0.5
"""So much of the mark below which the disk counts as low is left free: alarms need room."""
LEAST_REST_BYTES = 2_000_000


def size_for(folder: Path) -> tuple[int, int]:
    """Tell how large a filler must be, and how much it leaves free, both in bytes.

    Raises `FaultError` for a disk on which that would teach nothing or do harm.
    """
    room = look_at(folder)
    if not room.enough:
        why = room.low or f"{room.free_bytes / 1e6:.0f} MB are free"
        raise FaultError(f"{folder}: there is little room already ({why}); free some first")
    rest = round(REST_SHARE * room.low_bytes)
    if rest < LEAST_REST_BYTES:
        raise FaultError(
            f"{folder}: the disk is too small for a drill: {rest / 1e6:.1f} MB would be left, and "
            f"alarms need {LEAST_REST_BYTES / 1e6:.0f} MB"
        )
    return room.free_bytes - rest, rest


def fill(folder: Path, size_bytes: int) -> None:
    """Take so much of the disk; raises `FaultError` when that does not make it low."""
    try:
        fd = os.open(folder / FILE, os.O_CREAT | os.O_WRONLY, 0o600)
        try:
            os.posix_fallocate(fd, 0, size_bytes)
        finally:
            os.close(fd)
    except OSError as error:
        remove(folder)
        raise FaultError(f"{folder / FILE}: the disk can't be filled: {error.strerror}") from None
    if not look_at(folder).low:
        remove(folder)
        raise FaultError(f"{folder}: a file of {size_bytes / 1e6:.0f} MB does not fill its disk")


def remove(folder: Path) -> bool:
    """Take the filler away; tells whether there was one. Never raises."""
    with contextlib.suppress(OSError):
        (folder / FILE).unlink()
        return True
    return False
