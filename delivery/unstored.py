"""Alarms that the disk has not taken yet, as whoever sends them knows them.

Knows nothing about disks or MQTT. They are sent, receipted and watched for their receipt like any
others meanwhile.
"""

import threading
from dataclasses import dataclass

from scene.clock import Clock
from scene.messages import AlarmState, Anomaly

Key = tuple[str, AlarmState]
"""Id and state."""


@dataclass(slots=True, kw_only=True)
class _Kept:
    alarm: Anomaly
    since_s: float
    """Since when it waits for a receipt, by the monotonic clock."""
    receipted: bool = False


class Unstored:
    """The newest alarms in memory, in the order in which they came; thread-safe."""

    def __init__(self, clock: Clock, most: int) -> None:
        """Hold `most` of them; then the oldest go first."""
        self._clock, self._most = clock, most
        self._lock = threading.Lock()
        self._kept: dict[Key, _Kept] = {}

    def __len__(self) -> int:
        """Count them, receipted or not."""
        return len(self._kept)

    def keep(self, alarm: Anomaly) -> None:
        """Keep one; a newer word on the same alarm in the same state replaces the older."""
        key = alarm.id, alarm.state
        with self._lock:
            before = self._kept.get(key)
            if before is not None and before.alarm == alarm:
                return
            since_s = self._clock.monotonic_s()
            if before is not None and not before.receipted:
                since_s = before.since_s
            self._kept[key] = _Kept(alarm=alarm, since_s=since_s)
            while len(self._kept) > self._most:
                del self._kept[next(iter(self._kept))]

    def all(self) -> list[Anomaly]:
        """List them, oldest first."""
        with self._lock:
            return [kept.alarm for kept in self._kept.values()]

    def waiting(self) -> list[Anomaly]:
        """List those without a receipt, oldest first."""
        with self._lock:
            return [kept.alarm for kept in self._kept.values() if not kept.receipted]

    def stored(self, alarm: Anomaly) -> None:
        """Forget this word, which the disk has now; a newer one stays."""
        key = alarm.id, alarm.state
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None and kept.alarm is alarm:
                del self._kept[key]

    def receipt(self, id: str, state: AlarmState, word_ns: int | None) -> None:
        """Note a receipt for a word of that instant or an older one; none stands for any."""
        with self._lock:
            kept = self._kept.get((id, state))
            if kept is not None and (word_ns is None or kept.alarm.captured_at_ns <= word_ns):
                kept.receipted = True

    def is_cleared(self, alarm: Anomaly) -> bool:
        """Tell whether its clearing is here."""
        with self._lock:
            later = self._kept.get((alarm.id, "cleared"))
            return later is not None and later.alarm.raised_at_ns >= alarm.raised_at_ns

    def overdue(self, after_s: float) -> Anomaly | None:
        """Give the newest critical alarm, active, that has waited for a receipt for so long."""
        until_s = self._clock.monotonic_s() - after_s
        with self._lock:
            late = [kept for kept in self._kept.values() if kept.since_s < until_s]
        for kept in reversed(late):
            alarm = kept.alarm
            wanted = alarm.state == "active" and alarm.severity == "critical"
            if wanted and not kept.receipted and not self.is_cleared(alarm):
                return alarm
        return None
