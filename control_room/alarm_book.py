"""The alarms of a control room: each word is stored first, then receipted, then told to viewers.

Knows nothing about which gateways there are, or what is wrong with them.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence

from control_room.journal.journal import Journal
from control_room.journal.schema import JournalError, UnfitAlarmError
from control_room.journal_trouble import JournalTrouble
from control_room.lifecycle import Entry, Key
from control_room.shared_alarms import SharedAlarms
from control_room.viewers import Viewers
from control_room.watches import Own
from scene.clock import Clock
from scene.messages import Anomaly, Receipt, Stored

MOST_OVER = 256
"""So many alarms of ours that are over may wait for the disk. Of one that is forgotten, what the
journal has as active is taken over again once it can be read."""

SendReceipt = Callable[[str, str, Receipt], None]
"""Takes site, gateway and the receipt."""


class AlarmBook:
    """Writes alarms down and tells of them; to be used by one thread at a time."""

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        send_receipt: SendReceipt,
        viewers: Callable[[], Viewers],
        note_names: Callable[[tuple[str, str], Anomaly], None],
        *,
        live: bool,
    ) -> None:
        """Start with nothing to be stored; a replay (not `live`) has no alarms of its own.

        `note_names` takes site and gateway, and a word on an alarm, for whom it is about.
        """
        self._journal, self._clock, self._live = journal, clock, live
        self._send_receipt, self._viewers, self._note_names = send_receipt, viewers, note_names
        self.trouble = JournalTrouble(clock)
        self.unstored: dict[Key, Anomaly] = {}
        """The newest word on each alarm of ours that the disk has not taken yet."""
        self.shared = SharedAlarms() if isinstance(journal.place, str) else None
        """None where nobody else can write our journal."""
        self.behind = True
        """Whether open alarms are in the journal that we, or a viewer, could not read yet."""

    def keep_own(self, found: Iterable[Own]) -> None:
        """Store alarms of our own now and tell viewers."""
        refused = bool(self.unstored)
        words = self.note_own(found)
        if not refused:
            self.store_own(words)
            return
        # The next tick tries again, once for all: each try may wait, and hearing waits with it.
        for key, anomaly in words:
            self._viewers().tell_alarm(_as_said(key, anomaly, self._clock.now_ns()))

    def note_own(self, found: Iterable[Own]) -> list[tuple[Key, Anomaly]]:
        """Have alarms of our own wait for the disk; gives those that no operator has ended."""
        said = [(Key(site=site, gateway=gw, alarm=one.id), one) for site, gw, one in found]
        if not self._live or not said:
            return []
        ended = self._ended([key for key, _ in said])
        words = [(key, one) for key, one in said if key not in ended]
        self.unstored.update(words)
        if self.shared is not None:
            self.shared.note_ours(key for key, _ in words)
        over = [key for key, one in self.unstored.items() if one.state == "cleared"]
        for key in over[: max(0, len(over) - MOST_OVER)]:
            del self.unstored[key]
            self.behind = True
        return words

    def _ended(self, keys: Sequence[Key]) -> set[Key]:
        """Tell which alarms of ours an operator had ended before their cause was gone.

        Asked once for all: a hundred gateways fall silent together, and a table may be held.
        """
        with self.troubled():
            known = self._journal.entries(keys)
            return {one.key for one in known if one is not None and one.last.state == "cleared"}
        return set()

    def keep_alarms(self, said: Sequence[tuple[str, str, Anomaly]]) -> None:
        """Store what gateways said, receipt it, and tell viewers what is new."""
        if not said:
            return
        stored_at_ns = self._clock.now_ns()
        keyed = [(Key(site=site, gateway=gw, alarm=one.id), one) for site, gw, one in said]
        try:
            fresh = self._journal.store_all(keyed, stored_at_ns=stored_at_ns)
        except JournalError as error:
            if len(keyed) > 1 and isinstance(error, UnfitAlarmError):  # the others can be stored
                for one in said:
                    self.keep_alarms([one])
                return
            # Not stored, so not receipted: gateways keep them and try again. Trying one by one here
            # would hold up all watching, while somebody has locked the file for a second each.
            for key, anomaly in keyed:
                self._not_stored(key, anomaly, stored_at_ns, error)
            return
        self.trouble.end()
        by_place: dict[tuple[str, str], list[Stored]] = {}
        for key, anomaly in keyed:
            word = Stored(
                alarm=anomaly.id, state=anomaly.state, captured_at_ns=anomaly.captured_at_ns
            )
            by_place.setdefault((key.site, key.gateway), []).append(word)
        for place, (first, *others) in by_place.items():
            receipt = Receipt(
                alarm=first.alarm,
                state=first.state,
                stored_at_ns=stored_at_ns,
                captured_at_ns=first.captured_at_ns,
                also=tuple(others),
            )
            self._send_receipt(*place, receipt)
        self._tell_stored(self._news(keyed, fresh), stored_at_ns)

    def store_own(self, words: Sequence[tuple[Key, Anomaly]]) -> bool:
        """Store alarms of our own in one go and tell viewers; what is refused is tried again.

        Tells whether the disk can be written.
        """
        if not words:
            return True
        stored_at_ns = self._clock.now_ns()
        try:
            fresh = self._journal.store_all(words, stored_at_ns=stored_at_ns)
        except JournalError as error:
            unfit = isinstance(error, UnfitAlarmError)
            if unfit and len(words) > 1:  # the others can be stored
                return all(self.store_own([word]) for word in words)  # until the disk refuses
            for key, anomaly in words:
                self._not_stored(key, anomaly, stored_at_ns, error)
            return unfit
        self.trouble.end()
        for key, _ in words:
            self.unstored.pop(key, None)
        self._tell_stored(self._news(words, fresh), stored_at_ns)
        return True

    def _news(
        self, words: Sequence[tuple[Key, Anomaly]], fresh: Sequence[bool]
    ) -> list[tuple[Key, Anomaly]]:
        """Give the words that viewers have not heard: another room may have been first to store."""
        untold = fresh if self.shared is None else self.shared.untold(words)
        return [word for word, *new in zip(words, fresh, untold, strict=True) if any(new)]

    def _not_stored(
        self, key: Key, anomaly: Anomaly, stored_at_ns: int, error: JournalError
    ) -> None:
        """Let people hear all the same."""
        self.trouble.note(error)
        self._viewers().tell_alarm(_as_said(key, anomaly, stored_at_ns))

    def _tell_stored(self, words: Sequence[tuple[Key, Anomaly]], stored_at_ns: int) -> None:
        """Tell viewers how alarms stand after these words, all read at once.

        Where the journal has just gone away, as gateways said: they are stored, and must be heard.
        """
        if not words:
            return
        for key, anomaly in words:
            self._note_names((key.site, key.gateway), anomaly)
        self._viewers().alarms_changed()
        if not self._viewers():
            return
        entries: list[Entry | None] = [None] * len(words)
        with self.troubled():
            entries = self._journal.entries([key for key, _ in words])
        if self.shared is not None:
            self.shared.note_told(entry for entry in entries if entry is not None)
        for (key, anomaly), entry in zip(words, entries, strict=True):
            self._viewers().tell_alarm(entry or _as_said(key, anomaly, stored_at_ns))

    @contextlib.contextmanager
    def troubled(self) -> Iterator[None]:
        """Show viewers that the journal is in trouble, and go on."""
        try:
            yield
        except JournalError as error:
            self.behind = True
            self.trouble.note(error)  # `_take_over` looks for its end


def _as_said(key: Key, anomaly: Anomaly, stored_at_ns: int) -> Entry:
    """Give an alarm as its gateway said it, where the journal can't tell of its life."""
    over = anomaly.state == "cleared"
    return Entry(
        key=key,
        last=anomaly,
        stored_at_ns=stored_at_ns,
        cleared_at_ns=anomaly.captured_at_ns if over else None,
        raised=None if over else anomaly,
    )
