"""Those who look at the page, and what they are told without asking.

Knows nothing about HTTP or WebSockets, nor about what an alarm means.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from control_room.alarm_rate import AlarmRate
from control_room.grouping import group
from control_room.journal.journal import Journal
from control_room.lifecycle import Entry, is_shelved
from control_room.namesakes import Namesakes
from control_room.told import alarm_fields, alarm_name
from scene.clock import Clock

RATE_EVERY_S = 10.0
"""So often viewers are told the alarm rate."""
GROUPS_PACE = 10.0
"""Telling the groups may take this part of the time, one in so many."""
HEADS_EVERY_S, HEADS_LATEST_S = 1.0, 3.0
"""So often viewers are told how many are where; where counting takes long at the latest after the
second: a page calls what is older than 5 s unknown, and so it would stay."""
HEADS_TOLD = (
    "site",
    "at_ns",
    "complete",
    "everybody",
    "people",
    "at_least",
    "seen",
    "seen_at_least",
    "out_of_view",
    "unknown",
    "unnamed",
    "metres_seen",
    "metres",
    "areas",
    "expected",
    "expected_by",
    "clocks_off",
    "clocks",
    "uncounted",
)
"""What of a muster every viewer is told; the rest is asked for."""

Listener = Callable[[str, str], None]
"""Takes what it is about (`positions`, `alarm`, `groups`, …) and the JSON text."""


class Viewers:
    """Tells all listeners; to be used by one thread at a time."""

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        rate: Callable[[], AlarmRate],
        namesakes: Namesakes,
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._rate = rate
        self._namesakes = namesakes
        self._listeners: list[Listener] = []
        self._groups_told = True
        """Whether they know the groups as they are now."""
        self._groups_due_s = clock.monotonic_s()
        self._rate_told_s = -RATE_EVERY_S
        self._heads_due_s = clock.monotonic_s()

    def __bool__(self) -> bool:
        """Tell whether anybody listens."""
        return bool(self._listeners)

    def join(self, listener: Listener) -> None:
        """Add a listener."""
        self._listeners.append(listener)

    def leave(self, listener: Listener) -> None:
        """Remove a listener."""
        self._listeners.remove(listener)

    def hand_over(self) -> list[Listener]:
        """Give all listeners away; nobody is told anything any more."""
        listeners, self._listeners = self._listeners, []
        return listeners

    def tell(self, about: str, text: str) -> None:
        """Tell everybody."""
        for listener in tuple(self._listeners):
            listener(about, text)

    def alarms_changed(self) -> None:
        """Note that groups may have changed."""
        self._groups_told = False

    def tell_alarm(self, entry: Entry) -> None:
        """Tell how an alarm stands."""
        self.alarms_changed()
        if self._listeners:
            said = {"is": "alarm", **alarm_fields(entry, self._clock.now_ns())}
            self.tell("alarm", json.dumps(said))

    def tell_groups(self) -> None:
        """Tell the groups at a tick only: in a flood that is twice a second, not every alarm.

        And less often where there are so many that it takes long: nothing is stored meanwhile.
        Raises `JournalError`.
        """
        now_s = self._clock.monotonic_s()
        if self._groups_told or not self._listeners or now_s < self._groups_due_s:
            return
        self.tell("groups", json.dumps({"is": "groups", "groups": self.groups()}))
        self._groups_told = True
        took_s = self._clock.monotonic_s() - now_s
        self._groups_due_s = now_s + GROUPS_PACE * took_s

    def tell_rate(self) -> None:
        """Tell the alarm rate when it is due; raises `JournalError`."""
        now_s = self._clock.monotonic_s()
        if self._listeners and now_s - self._rate_told_s >= RATE_EVERY_S:
            self._rate_told_s = now_s
            said = {"is": "alarm_rate", "alarm_rate": asdict(self._rate())}
            self.tell("alarm_rate", json.dumps(said))

    def wants_heads(self) -> bool:
        """Tell whether the head-counts are due."""
        return bool(self._listeners) and self._clock.monotonic_s() >= self._heads_due_s

    def tell_heads(self, musters: Sequence[dict[str, Any]], took_s: float) -> None:
        """Tell how many are where in every site (`muster.to_json`), which took so long to count."""
        wait_s = min(HEADS_LATEST_S, max(HEADS_EVERY_S, GROUPS_PACE * took_s))
        self._heads_due_s = self._clock.monotonic_s() + wait_s
        counts = [
            {name: one[name] for name in HEADS_TOLD} | {"missing": len(one["missing"])}
            for one in musters
        ]
        self.tell("heads", json.dumps({"is": "heads", "heads": counts}))

    def groups(self) -> list[list[str]]:
        """Give the names of the listed alarms, one list for each line; raises `JournalError`."""
        now_ns = self._clock.now_ns()
        listed = (one for one in self._journal.open_entries() if not is_shelved(one, now_ns))
        found = group(listed, self._goes_by_name)
        return [[alarm_name(entry.key) for entry in one.members] for one in found]

    def _goes_by_name(self, entry: Entry) -> bool:
        return self._namesakes.goes_by_name(entry.key.site, entry.key.gateway, entry.last)
