"""Times within a recording as somebody types them. Knows nothing about what is asked for."""

import re
from datetime import datetime, time, timedelta

from control_room.journal.query import time_ns
from delivery.recordings.format import time_text
from scene.errors import LamproomError, RecordingError

TIMES = (
    "10:32:05 (time of the day, on this computer's clock), 2026-11-29T10:32Z, "
    "or +90 (seconds from the start of the first file named)"
)
_BARE = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d{1,6})?))?")
_AFTER = re.compile(r"\+(\d{1,9}(?:\.\d{1,6})?)")


def time_in(text: str, span_ns: tuple[int, int], begin_ns: int, *, option: str) -> int:
    """Read a time that lies within `span_ns`, UTC ns; raises `RecordingError` that names `option`.

    `begin_ns` is from when on seconds are counted, and times of the day are looked for first.

    >>> time_in("+1.5", (1_000_000_000, 9_000_000_000), 2_000_000_000, option="--at")
    3500000000
    """
    found = _read(text.strip(), span_ns, begin_ns)
    if found is None:
        raise RecordingError(f"{option} {text}: is no time; give {TIMES}")
    if not span_ns[0] - 1_000_000_000 <= found <= span_ns[1] + 1_000_000_000:
        raise RecordingError(
            f"{option} {text}: the recording goes from {time_text(span_ns[0])} to "
            f"{time_text(span_ns[1])}"
        )
    return min(max(found, span_ns[0]), span_ns[1])


def _read(text: str, span_ns: tuple[int, int], begin_ns: int) -> int | None:
    if after := _AFTER.fullmatch(text):
        return begin_ns + round(float(after[1]) * 1e9)
    if bare := _BARE.fullmatch(text):
        clock = int(bare[1]), int(bare[2]), float(bare[3] or 0)
        found = _first_time_ns(*clock, begin_ns)
        if found is not None and found > span_ns[1]:
            return _first_time_ns(*clock, span_ns[0])
        return found
    try:
        return time_ns(text)
    except LamproomError:
        return None


def _first_time_ns(hour: int, minute: int, second: float, from_ns: int) -> int | None:
    """Give the first instant of a recording at which a clock here shows this."""
    begin = datetime.fromtimestamp(from_ns // 1_000_000_000)
    try:
        moment = datetime.combine(begin.date(), time(hour, minute, int(second)))
    except ValueError:
        return None
    if moment < begin:
        moment += timedelta(days=1)
    return int(moment.timestamp()) * 1_000_000_000 + round(second % 1 * 1e9)
