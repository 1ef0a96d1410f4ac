"""What another control room does with alarms, where both write one journal.

Knows nothing about viewers or MQTT. Who stores a gateway's word first is chance, and the other's
viewers must hear it just as soon; what the other one's operators do shows in what is open.
"""

from collections import OrderedDict
from collections.abc import Iterable

from control_room.journal.entries import Entries
from control_room.lifecycle import Entry, Key, phase_of
from scene.messages import Anomaly

SHARE_EVERY_S = 3.0
"""So often it is read what another control room has done."""
MOST_WORDS = 5000
"""So many words on alarms are known again."""


class SharedAlarms:
    """Notices what was not our doing; to be used by one thread at a time."""

    def __init__(self) -> None:
        """Know of nothing yet."""
        self._open: dict[Key, Entry] = {}
        self._ours: OrderedDict[Key, None] = OrderedDict()
        self._told: OrderedDict[tuple[Key, Anomaly], None] = OrderedDict()

    def untold(self, words: Iterable[tuple[Key, Anomaly]]) -> list[bool]:
        """Tell which words have not come by here yet, whether or not they are in the journal."""
        found = [word not in self._told for word in words]
        for word in words:
            self._told[word] = None
        while len(self._told) > MOST_WORDS:
            self._told.popitem(last=False)
        return found

    def note_told(self, entries: Iterable[Entry]) -> None:
        """Take how alarms stand as viewers have just been told: it is no news at the next look."""
        for one in entries:
            self._open[one.key] = one
            if phase_of(one, one.stored_at_ns) == "over":
                del self._open[one.key]

    def note_ours(self, keys: Iterable[Key]) -> None:
        """Take note that we say something of these alarms ourselves."""
        self._ours.update(dict.fromkeys(keys))
        while len(self._ours) > MOST_WORDS:
            self._ours.popitem(last=False)

    def is_ours(self, key: Key) -> bool:
        """Tell whether we have raised it, not another control room or an earlier run."""
        return key in self._ours

    def changed(self, journal: Entries) -> list[Entry]:
        """List the alarms that stand otherwise than at the last look; raises `JournalError`."""
        now_open, before = {one.key: one for one in journal.open_entries()}, self._open
        over = [key for key in before if key not in now_open]
        ended = [one for one in journal.entries(over) if one is not None] if over else []
        self._open = now_open
        return [*ended, *(one for key, one in now_open.items() if before.get(key) != one)]

    def over(self, journal: Entries, keys: Iterable[Key]) -> list[Entry]:
        """List which of these alarms were over at the last look; raises `JournalError`."""
        active = {key for key, one in self._open.items() if one.cleared_at_ns is None}
        asked = [key for key in keys if key not in active]
        return [one for one in journal.entries(asked) if one is not None] if asked else []
