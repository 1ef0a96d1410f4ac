"""From when to when is exported: as asked, or round an alarm.

Knows nothing about what is in these minutes.
"""

from dataclasses import dataclass

from control_room.incident.error import IncidentError
from control_room.incident.gather import Gathered
from control_room.incident.lives import Life
from control_room.journal.export import moment

BEFORE_NS = 30_000_000_000
AFTER_NS = 30_000_000_000
MOST_AROUND_NS = 600_000_000_000
"""An alarm that stood for hours is not exported for hours, unless that is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """From (included) when to (not included) when, by when pictures were taken (UTC)."""

    from_ns: int
    to_ns: int

    def has(self, at_ns: int) -> bool:
        """Tell whether an instant is in it."""
        return self.from_ns <= at_ns < self.to_ns

    @property
    def long_s(self) -> float:
        """How long it is."""
        return (self.to_ns - self.from_ns) / 1e9


def span_of(
    found: Gathered, from_ns: int | None, to_ns: int | None, about: Life | None, name: str
) -> Span:
    """Settle the span; raises `IncidentError` where it can't be, or has nothing to do with it."""
    first_ns, last_ns = found.bounds_ns
    if about is not None:
        # Of one that is not over all is wanted that there is.
        ends_ns = last_ns if about.cleared_at_ns is None else about.cleared_at_ns + AFTER_NS
        most_ns = about.raised_at_ns + MOST_AROUND_NS
        from_ns = about.raised_at_ns - BEFORE_NS if from_ns is None else from_ns
        to_ns = min(ends_ns, most_ns) if to_ns is None else to_ns
    has = f"{name} has {moment(first_ns)} to {moment(last_ns)}"
    if from_ns is None or to_ns is None:
        raise IncidentError(f"--from, --to: give both, or --alarm ID; {has}")
    if from_ns >= to_ns:
        raise IncidentError("--from must be earlier than --to")
    if to_ns <= first_ns or from_ns > last_ns:
        raise IncidentError(
            f"--from, --to: {moment(from_ns)} to {moment(to_ns)} is not in this recording: {has}"
        )
    return Span(from_ns=from_ns, to_ns=to_ns)
