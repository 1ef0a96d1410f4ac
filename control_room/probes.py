"""Is the control room alive, and does it do its work: what a container's probes are answered.

Knows nothing about HTTP or MQTT. Nobody logs in for it, so it says nothing that strangers may not
know, and costs nothing: what takes time is looked at beside, however often somebody asks.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

from control_room.journal.database import Place
from control_room.journal.schema import JournalError
from control_room.room import Room
from scene.clock import Clock, SystemClock

HELD_LIMIT_S = 30.0
"""Nothing takes so long, not even with a database that is away: whoever does hangs."""
LOOK_EVERY_S = 5.0
OLD_LOOK_S = 20.0
LEAST_FREE_BYTES = 10_000_000
"""A journal writes in pages and needs room for its log."""


class Probes:
    """Tells in words what is wrong; may be used from several threads."""

    def __init__(self, room: Room, clock: Clock | None = None) -> None:
        """Know nothing yet; `tick` and `look` tell."""
        self._room, self._clock = room, clock or SystemClock()
        self._ticked_s = self._clock.monotonic_s()
        self._looked_s = -LOOK_EVERY_S
        self._found = "nothing was looked at yet"

    def ticking(self, tick: Callable[[], None]) -> None:
        """Do one round of the room's work, and note that it came to its end."""
        try:
            tick()
        finally:
            self._ticked_s = self._clock.monotonic_s()

    def look(self) -> None:
        """See what readiness needs, every few seconds; to be called often, and may take a while."""
        now_s = self._clock.monotonic_s()
        if now_s - self._looked_s >= LOOK_EVERY_S:
            self._found = "; ".join(self._reasons())
            self._looked_s = self._clock.monotonic_s()

    def trouble(self) -> str:
        """Say why the control room should be started again; empty while it is alive.

        It is asked in the event loop: that one turns.
        """
        reasons = []
        if self._clock.monotonic_s() - self._ticked_s > HELD_LIMIT_S:
            reasons.append("gateways are not watched: the work of each half second hangs")
        if self._room.alarms_held_s() > HELD_LIMIT_S:
            reasons.append("alarms are not taken: their thread hangs or has ended")
        return "; ".join(reasons)

    def unready(self) -> str:
        """Say why it does not do its work now; empty while it does."""
        old = self._clock.monotonic_s() - self._looked_s > OLD_LOOK_S
        found = "it takes too long to look" if old and self._looked_s >= 0.0 else self._found
        return "; ".join(filter(None, (self.trouble(), found)))

    def _reasons(self) -> list[str]:
        reasons = []
        self._room.note_journal(self._journal_trouble())
        how = self._room.how_it_is()
        if not how["broker"]:
            reasons.append("the broker is not connected")
        if how["trouble"]:
            reasons.append("the journal can't be written")
        return reasons

    def _journal_trouble(self) -> str:
        """Say why the journal can't be written now, whoever wants to; empty when it can."""
        place = self._room.journal.place
        try:
            self._room.journal.check_writable()
            full = _is_full(place)
        except (JournalError, OSError) as error:
            return str(error)
        return f"{place}: its disk is full: make room there" if full else ""


def _is_full(place: Place) -> bool:
    """Tell whether a journal's disk is full; a server's nobody can tell from here."""
    return isinstance(place, Path) and shutil.disk_usage(place.parent).free < LEAST_FREE_BYTES
