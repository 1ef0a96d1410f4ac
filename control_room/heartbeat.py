"""Watch the gateways' heartbeats: silence is itself an alarm.

Knows nothing about MQTT, journals or pages; it asks the clock that it was given.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from control_room.own_alarms import SILENT, cleared, raised
from scene.clock import Clock
from scene.messages import Anomaly, GatewayState, Severity
from scene.topics import SILENT_AFTER_S

KIND = SILENT
STOPPED = "The gateway was stopped: it said goodbye. Until it is back nobody watches its cameras."
GONE = "The gateway went offline without a goodbye. What its cameras see is unknown."

STOPPED_FOR_S = 120.0
"""A gateway that was stopped on purpose and is not back by then has been forgotten: critical."""


@dataclass(slots=True, kw_only=True)
class _Watched:
    heard_at_s: float
    heard_at_ns: int
    online_since_ns: int | None = None
    """On the gateway's own clock."""
    raised: Anomaly | None = None
    raised_at_s: float = 0.0


class HeartbeatWatch:
    """Raises `gateway_silent` for every gateway that has said nothing for too long.

    One that says goodbye is an alarm, too, for nobody watches its cameras; but it was meant, so it
    is a warning at first.
    """

    def __init__(self, clock: Clock, *, silent_after_s: float = SILENT_AFTER_S) -> None:
        self._clock = clock
        self._silent_after_s = silent_after_s
        self._watched: dict[tuple[str, str], _Watched] = {}

    def expect(self, site: str, gateway: str) -> None:
        """Start to wait for a gateway that is known to exist; heard or not, the time runs."""
        fresh = _Watched(heard_at_s=self._clock.monotonic_s(), heard_at_ns=self._clock.now_ns())
        self._watched.setdefault((site, gateway), fresh)

    def raised(self) -> Iterator[tuple[tuple[str, str], _Watched]]:
        """Give what has an alarm that is raised, by site and gateway."""
        yield from ((place, one) for place, one in self._watched.items() if one.raised is not None)

    def forget(self, site: str, gateway: str) -> None:
        """Wait for a gateway no more."""
        self._watched.pop((site, gateway), None)

    def carry_on(self, site: str, gateway: str, alarm: Anomaly) -> Anomaly:
        """Go on with a silence that an earlier run of this control room raised.

        Gives the alarm that stands: this one, or that which was raised anew before.
        """
        self.expect(site, gateway)
        watched = self._watched[(site, gateway)]
        if watched.raised is None:
            watched.raised, watched.raised_at_s = alarm, self._clock.monotonic_s()
        return watched.raised

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

    def hear(self, site: str, gateway: str, state: GatewayState) -> Anomaly | None:
        """Take what a gateway, or the broker in its stead, says of its link; gives the alarm.

        A last will is written before its gateway says that it is online, a goodbye after that.
        What is not surely a goodbye counts as a last will: the gateway is gone and nobody meant it.
        """
        self.expect(site, gateway)
        watched = self._watched[(site, gateway)]
        if state.online:
            watched.online_since_ns = state.since_ns
            return None
        since_ns = watched.online_since_ns
        if since_ns is not None and state.since_ns > since_ns:
            return None if watched.raised else self._raise(watched, gateway, STOPPED, "warning")
        if watched.raised is not None and watched.raised.severity == "critical":
            return None
        return self._raise(watched, gateway, GONE, "critical")

    def check(self) -> list[tuple[str, str, Anomaly]]:
        """Give (site, gateway, alarm) for every gateway that has become silent since last time."""
        now_s, found = self._clock.monotonic_s(), []
        for (site, gateway), watched in self._watched.items():
            silent_s, before = now_s - watched.heard_at_s, watched.raised
            evidence = ""
            if before is None and silent_s > self._silent_after_s:
                evidence = (
                    f"No heartbeat for {silent_s:.1f} s; at most {self._silent_after_s:g} s is "
                    "well. What its cameras see is unknown."
                )
            elif before is not None and before.severity == "warning":
                stopped_s = now_s - watched.raised_at_s
                if stopped_s > STOPPED_FOR_S:
                    evidence = (
                        f"The gateway was stopped and is not back after {stopped_s:.0f} s. What "
                        "its cameras see is unknown."
                    )
            if evidence:
                alarm = self._raise(watched, gateway, evidence, "critical")
                found.append((site, gateway, alarm))
        return found

    def _raise(self, watched: _Watched, gateway: str, evidence: str, severity: Severity) -> Anomaly:
        """Raise an alarm, or make the one that there is a worse one."""
        now_ns = self._clock.now_ns()
        if watched.raised is None:
            watched.raised = raised(KIND, gateway, now_ns, evidence)
            watched.raised_at_s = self._clock.monotonic_s()
        watched.raised = replace(
            watched.raised, severity=severity, evidence=evidence, captured_at_ns=now_ns
        )
        return watched.raised
