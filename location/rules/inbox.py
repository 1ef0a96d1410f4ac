"""Messages that wait until the positions' time has come to them, so that replays are exact.

Knows nothing about what they mean.
"""

from bisect import insort
from dataclasses import replace

from scene.messages import GatewayHealth, Machines, Order
from scene.wire import Message

Heard = Order | GatewayHealth | Machines
COUNTS_AFTER_S = 0.5
"""By then a message has come, live; so it counts from then on, live and in a replay."""
AHEAD_S = 5.0
"""A message further ahead of the pictures than this comes from a clock that is wrong."""
MOST_KEPT = 1000


class Inbox:
    """Keeps what is heard until it counts."""

    def __init__(self) -> None:
        self._waiting: list[Heard] = []
        self.trouble = ""
        """What is wrong with the last message about machines; empty when nothing is."""

    def hear(self, message: Message, now_ns: int | None) -> None:
        """Keep a message; `now_ns` is the positions' time, none before the first.

        An order is never lost to a wrong clock: it counts at once. A machine's place would be, for
        nobody knows how old it is; that is said.
        """
        if not isinstance(message, Order | GatewayHealth | Machines):
            return
        ahead_s = 0.0 if now_ns is None else (told_at_ns(message) - now_ns) / 1e9
        if isinstance(message, Machines):
            self.trouble = ""
            if ahead_s > AHEAD_S:
                self.trouble = (
                    f"machines' places come {ahead_s:.0f} s ahead of the pictures and are left out;"
                    " set the clocks"
                )
                return
        if ahead_s > AHEAD_S and isinstance(message, Order) and now_ns is not None:
            message = replace(message, ordered_at_ns=now_ns)
        insort(self._waiting, message, key=_order)
        if len(self._waiting) > MOST_KEPT:
            others = [one for one in self._waiting if not isinstance(one, Order)]
            self._waiting.remove(min(others or self._waiting, key=told_at_ns))

    def take(self, now_ns: int | None) -> tuple[Heard, ...]:
        """Give what counts by now, oldest first; all of it for none."""
        due = [
            one
            for one in self._waiting
            if now_ns is None or told_at_ns(one) + COUNTS_AFTER_S * 1e9 <= now_ns
        ]
        self._waiting = self._waiting[len(due) :]
        return tuple(due)


def told_at_ns(message: Heard) -> int:
    """Tell when a message was said."""
    return message.ordered_at_ns if isinstance(message, Order) else message.captured_at_ns


def _order(message: Heard) -> tuple[int, str]:
    """Order by time; of one instant the order of arrival must not matter."""
    return told_at_ns(message), repr(message)
