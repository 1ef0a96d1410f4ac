"""The operator's desk: acts on alarms are stored, carried out, and end when their time is up.

Knows nothing about HTTP, viewers or how orders travel. What is still to be done is read from the
journal, so that a restart forgets nothing.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

from control_room.journal.journal import Journal
from control_room.journal.schema import JournalError
from control_room.lifecycle import (
    CONTROL_ROOM,
    Act,
    Entry,
    Key,
    NotNow,
    UnknownAlarm,
    Wish,
    act_of,
    is_ending,
    is_shelved,
)
from control_room.own_alarms import is_own
from scene.clock import Clock
from scene.messages import Order

ORDER_AGAIN_S = 2.0
"""An order is sent again after so long, until the gateway has done it: it may just be away."""

SendOrder = Callable[[str, str, Order], None]
"""Takes site, gateway and the order."""


class Desk:
    """Does what operators ask for; to be used by one thread at a time."""

    def __init__(
        self, journal: Journal, clock: Clock, send_order: SendOrder, *, live: bool
    ) -> None:
        """Take over what the journal says is still to be done; a replay (not `live`) ends none."""
        self._journal = journal
        self._clock = clock
        self._send_order = send_order
        self._live = live
        self._shelf_ends_s: dict[tuple[Key, int], float] = {}
        """When each alarm must be off the shelf, on the monotonic clock, whatever is set."""
        self._ordered_s: dict[Key, float] = {}
        """When each order was sent last."""

    def do(self, wish: Wish) -> Entry:
        """Store what an operator asks for and do it; gives the alarm as it is then.

        Asked for again, it is not done again. Raises `ActError` and `JournalError`.
        """
        entry = self._journal.entry(wish.key)
        if entry is None:
            raise UnknownAlarm(f"{wish.key.alarm}: there is no such alarm")
        if wish.action == "end" and not self._live:
            raise NotNow("a replayed alarm can't be ended: the recording is as it is")
        act = act_of(wish, entry, now_ns=self._clock.now_ns())
        if act is None:
            return entry
        self._journal.note(wish.key, act)
        entry = self._journal.entry(wish.key) or entry
        if is_ending(entry):
            self._carry_out(entry)
        return self._journal.entry(wish.key) or entry

    def carry_out(self) -> Iterator[Entry]:
        """Have ended alarms cleared; gives those that changed. Raises `JournalError`."""
        ending = self._journal.ending()
        self._ordered_s = {
            one.key: self._ordered_s[one.key] for one in ending if one.key in self._ordered_s
        }
        for entry in ending:
            if self._carry_out(entry):
                yield self._journal.entry(entry.key) or entry

    def empty_shelf(self) -> Iterator[Entry]:
        """Bring back what has been shelved for long enough, by either clock; gives those alarms.

        Raises `JournalError`, after the last of them.
        """
        now_ns, now_s, ends_s = self._clock.now_ns(), self._clock.monotonic_s(), {}
        back = Act(action="unshelve", by=CONTROL_ROOM, reason="The time is up.", at_ns=now_ns)
        trouble: JournalError | None = None
        for entry in self._journal.shelved():
            if entry.shelved is None or entry.shelved.until_ns is None:
                continue
            name = (entry.key, entry.shelved.at_ns)
            left_s = (entry.shelved.until_ns - now_ns) / 1e9
            ends_s[name] = self._shelf_ends_s.get(name, now_s + left_s)
            if now_s >= ends_s[name] or not is_shelved(entry, now_ns):
                # Told first: an alarm comes back even where it can't be written down.
                yield replace(entry, shelved=None, acknowledged=None)
                try:
                    self._journal.note(entry.key, back)
                except JournalError as error:
                    trouble = error
        self._shelf_ends_s = ends_s
        if trouble is not None:
            raise trouble

    def _carry_out(self, entry: Entry) -> bool:
        """Have an ended alarm cleared; tells whether it is, which a gateway does in its own time.

        The control room clears its own alarms itself.
        """
        key, end = entry.key, entry.ending
        if end is None:
            return False
        if is_own(entry.last.kind, key.site, key.gateway):
            cleared = replace(
                entry.last,
                state="cleared",
                captured_at_ns=end.at_ns,
                evidence=f"Ended by {end.by}: {end.reason}",
            )
            return self._journal.store(key, cleared, stored_at_ns=self._clock.now_ns())
        now_s = self._clock.monotonic_s()
        if now_s - self._ordered_s.get(key, -ORDER_AGAIN_S) >= ORDER_AGAIN_S:
            self._ordered_s[key] = now_s
            order = Order(
                alarm=key.alarm,
                action="end",
                by=end.by,
                reason=end.reason,
                ordered_at_ns=end.at_ns,
                about=entry.last,
            )
            self._send_order(key.site, key.gateway, order)
        return False
