"""How far one gateway's clock is from ours, told from when its messages come.

Knows nothing about what they say.
"""

from collections import deque
from statistics import median_low

CLOSE_S = 1.0
"""Clocks closer than this count as equal: the way of a message takes some of it."""
STEP_S = 5.0
"""A message that disagrees with the last ones by more than this is a clock being set, or late."""
OLD_S = 10.0
"""Pictures older than this when they are sent are a recording's: its own clock counts then."""
KEPT = 9


class GatewayClock:
    """Carries one gateway's instants to our own clock.

    >>> clock = GatewayClock()
    >>> hour_ns = 3_600_000_000_000
    >>> clock.shift_ns(heard_at_ns=hour_ns, sent_at_ns=0, captured_at_ns=0) == hour_ns
    True
    """

    def __init__(self) -> None:
        self._offsets_ns: deque[int] = deque(maxlen=KEPT)
        self.off_s = 0.0
        """By how much the gateway's clock is slow, in seconds; 0 while it is close enough."""
        self._sent_ns: deque[int] = deque(maxlen=KEPT)
        """How long after it was sent, by the gateway's clock, each of the last messages came."""

    def shift_ns(self, *, heard_at_ns: int, sent_at_ns: int, captured_at_ns: int) -> int | None:
        """Tell what to add to this message's instants; none: its clock can't be trusted now.

        Nobody says whose clock is right. All are carried to that of the listener, so that one
        gateway's hour moves nobody else's people.
        """
        self._sent_ns.append(heard_at_ns - sent_at_ns)
        recorded = abs(sent_at_ns - captured_at_ns) > OLD_S * 1e9
        offset_ns = heard_at_ns - (captured_at_ns if recorded else sent_at_ns)
        self._offsets_ns.append(offset_ns)
        middle_ns = median_low(self._offsets_ns)
        if abs(offset_ns - middle_ns) > STEP_S * 1e9:
            return None
        # Of a recording only the instants are old: the clock of who plays it may well be right.
        off_ns = heard_at_ns - sent_at_ns if recorded else middle_ns
        self.off_s = 0.0 if _is_close(off_ns) else off_ns / 1e9
        return 0 if _is_close(middle_ns) else middle_ns

    @property
    def told(self) -> tuple[float, float] | None:
        """By how many seconds the gateway's clock is slow, and how far its last messages differ.

        The way of a message is in it: a clock that is right seems slow by so much. None before the
        first message.
        """
        if not self._sent_ns:
            return None
        spread_ns = max(self._sent_ns) - min(self._sent_ns)
        return round(median_low(self._sent_ns) / 1e9, 3), round(spread_ns / 2e9, 3)


def _is_close(off_ns: int) -> bool:
    return abs(off_ns) <= CLOSE_S * 1e9
