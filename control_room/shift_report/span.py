"""The time that a report is about, and how its plots divide it.

Knows nothing about what happened in it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from scene.errors import LamproomError

NS = 1_000_000_000
BINS_S = (10, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)
MOST_BINS = 720
"""A plot has no more: one to two pixels each."""
LEAST_S, MOST_S = 60, 31 * 86400
TICKS_S = (60, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 432000)
MOST_TICKS = 14


class SpanError(LamproomError):
    """The times that were asked for make no span; says what to give."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """From when (included) until when (not included), UTC nanoseconds."""

    from_ns: int
    to_ns: int
    bin_ns: int = field(init=False)
    """How long one of its bins is; the last may be shorter."""

    def __post_init__(self) -> None:
        """Refuse what is no span, or too long a one; raises `SpanError`."""
        if self.from_ns >= self.to_ns:
            raise SpanError(
                f"--from ({local(self.from_ns)}) must be earlier than --to ({local(self.to_ns)})"
            )
        if not LEAST_S * NS <= self.long_ns <= MOST_S * NS:
            raise SpanError(
                f"a report is about {LEAST_S} s to {MOST_S // 86400} days; "
                f"{local(self.from_ns)} to {local(self.to_ns)} is {self.long_ns / NS:.0f} s"
            )
        bin_ns = next(NS * s for s in BINS_S if self.long_ns <= s * NS * MOST_BINS)
        object.__setattr__(self, "bin_ns", bin_ns)  # asked for a million times

    @property
    def long_ns(self) -> int:
        """How long it is."""
        return self.to_ns - self.from_ns

    @property
    def bins(self) -> int:
        """How many there are."""
        return -(-self.long_ns // self.bin_ns)

    def parts(self, from_ns: int, until_ns: int) -> Iterator[tuple[int, int]]:
        """Give the bins that a time touches, each with how much of it lies there."""
        bin_ns = self.bin_ns
        from_ns, until_ns = max(from_ns, self.from_ns), min(until_ns, self.to_ns)
        if from_ns >= until_ns:
            return
        first, last = (from_ns - self.from_ns) // bin_ns, (until_ns - 1 - self.from_ns) // bin_ns
        for index in range(first, last + 1):
            start_ns = self.from_ns + index * bin_ns
            yield index, min(until_ns, start_ns + bin_ns) - max(from_ns, start_ns)

    def bin_long_ns(self, index: int) -> int:
        """Tell how long a bin is."""
        return min(self.bin_ns, self.long_ns - index * self.bin_ns)

    def ticks(self) -> list[int]:
        """Give the instants that an axis names: full hours or the like of the local time."""
        step_ns = next(NS * s for s in TICKS_S if self.long_ns <= s * NS * MOST_TICKS)
        off_ns = round(_local(self.from_ns).utcoffset().total_seconds()) * NS  # type: ignore[union-attr]
        first = -(-(self.from_ns + off_ns) // step_ns) * step_ns - off_ns
        return list(range(first, self.to_ns + 1, step_ns))


def _local(at_ns: int) -> datetime:
    return datetime.fromtimestamp(at_ns // NS).astimezone()


def local(at_ns: int, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """Write a time as this computer's clock showed it; one that no calendar has, as it is."""
    try:
        return _local(at_ns).strftime(form)
    except (ValueError, OverflowError, OSError):
        return f"{at_ns} ns"


def offset(at_ns: int) -> str:
    """Name the local time's offset then: `UTC+08:00`."""
    text = _local(at_ns).strftime("%z")
    return f"UTC{text[:3]}:{text[3:5]}"
