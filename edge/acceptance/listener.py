"""Hear one running gateway during a walk, and keep what it said and when it came.

Knows nothing about stations. Thread-safe: it is told by the connection's thread.
"""

import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass

from scene.clock import Clock
from scene.messages import Anomaly, GatewayHealth, GatewayState, Positions, SiteDescription
from scene.topics import SILENT_AFTER_S, Address
from scene.wire import Envelope

MOST_KEPT = 1_000_000
"""Of each kind: a day of positions at 10 Hz."""
MOST_REASONS = 20
OTHER_REASONS = "for other reasons"


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """A message's body, and when it came by our own clock."""

    at_ns: int
    body: Positions | GatewayHealth


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmCame:
    """An alarm, as it first came."""

    at_ns: int
    alarm: Anomaly


class WalkListener:
    """What one gateway says."""

    def __init__(self, clock: Clock, site: str, gateway: str) -> None:
        self._clock, self._site, self._gateway = clock, site, gateway
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._positions: list[Came] = []
        self._health: list[Came] = []
        self._alarms: dict[str, AlarmCame] = {}
        self._active: dict[str, Anomaly] = {}
        self._description: SiteDescription | None = None
        self._online: bool | None = None
        self._least_lag_ns: int | None = None
        self._refused: dict[str, int] = {}
        self._left_out = 0

    def hear(self, address: Address, envelope: Envelope) -> None:
        """Take one MQTT message."""
        if (address.site, address.gateway) != (self._site, self._gateway):
            return
        now_ns = self._clock.now_ns()
        with self._changed:
            body = envelope.body
            if isinstance(body, Positions | GatewayHealth):
                # Neither is retained, so what came has just been sent.
                lag_ns = now_ns - envelope.sent_at_ns
                if self._least_lag_ns is None or lag_ns < self._least_lag_ns:
                    self._least_lag_ns = lag_ns
                kept = self._positions if isinstance(body, Positions) else self._health
                if len(kept) < MOST_KEPT:
                    kept.append(Came(at_ns=now_ns, body=body))
                else:
                    self._left_out += 1
            elif isinstance(body, Anomaly):
                self._hear_alarm(body, now_ns)
            elif isinstance(body, SiteDescription):
                self._description = body
            elif isinstance(body, GatewayState):
                self._online = body.online
            self._changed.notify_all()

    def refuse(self, why: str) -> None:
        """Take note of a message that was not believed."""
        with self._lock:
            if why not in self._refused and len(self._refused) >= MOST_REASONS:
                why = OTHER_REASONS
            self._refused[why] = self._refused.get(why, 0) + 1

    def _hear_alarm(self, alarm: Anomaly, now_ns: int) -> None:
        if alarm.state == "active":
            self._active[alarm.id] = alarm
            self._alarms.setdefault(alarm.id, AlarmCame(at_ns=now_ns, alarm=alarm))
        else:
            self._active.pop(alarm.id, None)

    def wait_until(self, what: Callable[["WalkListener"], bool], limit_s: float) -> bool:
        """Wait until something can be said of what came; tells whether it was within `limit_s`.

        `what` is asked without the lock being held by others; it may use every question below.
        """
        until_s = self._clock.monotonic_s() + limit_s
        while not what(self):
            left_s = until_s - self._clock.monotonic_s()
            if left_s <= 0:
                return False
            with self._changed:
                self._changed.wait(min(left_s, 0.2))
        return True

    def positions(self, from_ns: int = 0) -> list[tuple[int, Positions]]:
        """List (when it came, positions) since an instant."""
        with self._lock:
            return [
                (one.at_ns, one.body)
                for one in self._positions
                if one.at_ns >= from_ns and isinstance(one.body, Positions)
            ]

    def health(self, from_ns: int = 0) -> list[tuple[int, GatewayHealth]]:
        """List (when it came, heartbeat) since an instant."""
        with self._lock:
            return [
                (one.at_ns, one.body)
                for one in self._health
                if one.at_ns >= from_ns and isinstance(one.body, GatewayHealth)
            ]

    def alarms(self, from_ns: int = 0) -> list[AlarmCame]:
        """List the alarms that first came since an instant, each once."""
        with self._lock:
            return [one for one in self._alarms.values() if one.at_ns >= from_ns]

    def active(self) -> list[Anomaly]:
        """List the alarms that stand now."""
        with self._lock:
            return list(self._active.values())

    @property
    def description(self) -> SiteDescription | None:
        """What the gateway says that its site is."""
        with self._lock:
            return self._description

    @property
    def refused(self) -> dict[str, int]:
        """Why messages were not believed, and how many."""
        with self._lock:
            return dict(self._refused)

    @property
    def left_out(self) -> int:
        """How many messages came beyond `MOST_KEPT`, and were not measured."""
        with self._lock:
            return self._left_out

    def is_there(self) -> bool:
        """Tell whether the gateway has said all that a walk needs."""
        with self._lock:
            return bool(self._description and self._health and self._positions)

    def skew_s(self) -> float | None:
        """Tell how far its clock is from ours: the least lag of all that came, either way.

        What a message needs on its way is in it, too: it is no less than the clocks' difference
        where the gateway is slow.
        """
        with self._lock:
            return None if self._least_lag_ns is None else abs(self._least_lag_ns) / 1e9

    def silences(self, from_ns: int, to_ns: int) -> list[tuple[int, float]]:
        """List where no heartbeat came for too long, each as (since when, seconds)."""
        beats = [from_ns, *(at_ns for at_ns, _ in self.health(from_ns) if at_ns <= to_ns), to_ns]
        gaps = [(a, (b - a) / 1e9) for a, b in itertools.pairwise(beats)]
        return [(since, gap_s) for since, gap_s in gaps if gap_s > SILENT_AFTER_S]
