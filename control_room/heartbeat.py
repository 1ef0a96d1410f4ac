"""Watch the gateways' heartbeats: silence is itself an alarm.

Knows nothing about MQTT, journals or pages; it asks the clock that it was given.
"""

from dataclasses import dataclass

from control_room.own_alarms import SILENT, cleared, raised
from scene.clock import Clock
from scene.messages import Anomaly
from scene.topics import SILENT_AFTER_S

KIND = SILENT


@dataclass(slots=True, kw_only=True)
class _Watched:
    heard_at_s: float
    heard_at_ns: int
    raised: Anomaly | None = None


class HeartbeatWatch:
    """Raises `gateway_silent` for every gateway that has said nothing for too long."""

    def __init__(self, clock: Clock, *, silent_after_s: float = SILENT_AFTER_S) -> None:
        self._clock = clock
        self._silent_after_s = silent_after_s
        self._watched: dict[tuple[str, str], _Watched] = {}

    def expect(self, site: str, gateway: str, *, already_raised: Anomaly | None = None) -> None:
        """Start to wait for a gateway that is known to exist; heard or not, the time runs.

        `already_raised` is a silence that an earlier run of this control room raised and that
        nobody has cleared since.
        """
        fresh = _Watched(
            heard_at_s=self._clock.monotonic_s(),
            heard_at_ns=self._clock.now_ns(),
            raised=already_raised,
        )
        self._watched.setdefault((site, gateway), fresh)

    def beat(self, site: str, gateway: str) -> Anomaly | None:
        """Note a heartbeat; gives the cleared alarm when it ends a silence."""
        self.expect(site, gateway)
        watched = self._watched[(site, gateway)]
        watched.heard_at_s = self._clock.monotonic_s()
        watched.heard_at_ns = self._clock.now_ns()
        over, watched.raised = watched.raised, None
        if over is None:
            return None
        silent_s = (watched.heard_at_ns - over.raised_at_ns) / 1e9
        evidence = f"The heartbeat is back {silent_s:.1f} s after the alarm."
        return cleared(over, watched.heard_at_ns, evidence)

    def gone(self, site: str, gateway: str) -> Anomaly | None:
        """Note that the gateway said goodbye, or that the broker said it for the gateway."""
        self.expect(site, gateway)
        watched = self._watched[(site, gateway)]
        if watched.raised is not None:
            return None
        evidence = "The gateway went offline: it stopped or lost its link."
        watched.raised = raised(KIND, gateway, self._clock.now_ns(), evidence)
        return watched.raised

    def check(self) -> list[tuple[str, str, Anomaly]]:
        """Give (site, gateway, alarm) for every gateway that has become silent since last time."""
        now_s, found = self._clock.monotonic_s(), []
        for (site, gateway), watched in self._watched.items():
            silent_s = now_s - watched.heard_at_s
            if watched.raised is None and silent_s > self._silent_after_s:
                watched.raised = raised(
                    KIND,
                    gateway,
                    self._clock.now_ns(),
                    f"No heartbeat for {silent_s:.1f} s; at most {self._silent_after_s:g} s is "
                    "well. What its cameras see is unknown.",
                )
                found.append((site, gateway, watched.raised))
        return found
