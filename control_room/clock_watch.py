"""A gateway whose clock is wrong is an alarm: counts put its times right, its own disk does not.

Knows nothing about MQTT; it asks the clock that it was given. Told by heartbeats, which are never
sent late: nobody says which of the two clocks is the wrong one.
"""

from collections import deque
from dataclasses import dataclass, field

from control_room.own_alarms import CLOCK, cleared, raised
from scene.clock import Clock
from scene.messages import Anomaly
from scene.wire import Envelope

OFF_S, CLOSE_S = 5.0, 2.0
"""Wrong from here on; right again below. Certificates, recordings and evidence need no better."""
BEATS = 9
"""The middle one of so many heartbeats decides, so that a network that stalls for some seconds, and
then hands everything on at once, is no clock."""


@dataclass(slots=True)
class _Gateway:
    off_s: deque[float] = field(default_factory=lambda: deque(maxlen=BEATS))
    raised: Anomaly | None = None


class ClockWatch:
    """Raises `clock_off`; to be used by one thread at a time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._gateways: dict[tuple[str, str], _Gateway] = {}

    def carry_on(self, site: str, gateway: str, alarm: Anomaly) -> Anomaly:
        """Go on with an alarm that an earlier run raised; gives it, or what was raised anew."""
        found = self._gateways.setdefault((site, gateway), _Gateway())
        found.raised = found.raised or alarm
        return found.raised

    def forget(self, site: str, gateway: str) -> None:
        """Know nothing of a gateway."""
        self._gateways.pop((site, gateway), None)

    def hear(self, site: str, gateway: str, envelope: Envelope) -> Anomaly | None:
        """Take a heartbeat; gives the alarm that it raises or clears."""
        found = self._gateways.setdefault((site, gateway), _Gateway())
        now_ns = self._clock.now_ns()
        found.off_s.append((now_ns - envelope.sent_at_ns) / 1e9)
        if len(found.off_s) < BEATS:
            return None
        off_s = sorted(found.off_s)[BEATS // 2]
        if found.raised is None and abs(off_s) > OFF_S:
            way = "slow" if off_s > 0 else "fast"
            text = (
                f"Its clock is {abs(off_s):.1f} s {way} by this control room's. Set both by one "
                "time server (NTP): recordings and evidence bear the gateway's times."
            )
            found.raised = raised(CLOCK, gateway, now_ns, text)
            return found.raised
        if found.raised is not None and abs(off_s) < CLOSE_S:
            over, found.raised = found.raised, None
            text = f"Its clock is {abs(off_s):.1f} s off by this control room's."
            return cleared(over, now_ns, text)
        return None
