"""Messages that a gateway has sent and that have not come, or not in time: one alarm says so.

Knows nothing about MQTT; it asks the clock that it was given. Three things show it: a number that
was jumped, the gateway's own word on how many alarms wait for a receipt, and that it does not echo
our heartbeat: then it does not hear us, or somebody hands its messages on late. No clock but ours
decides that.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from control_room.own_alarms import MISSING, cleared, raised
from scene.clock import Clock
from scene.messages import Anomaly, GatewayHealth

LATE_S = 4.5
"""An alarm is sent again after 2 s; what has not come after this does not come by itself."""

ANSWER_S = 6.0
"""A gateway echoes a heartbeat with its next one, a second later; within this at the latest."""
BEATS = 64
"""So many of our own heartbeats are known again."""
UNSURE_S = 60.0
"""After so long a gap is history, where a gateway does not say what waits."""


@dataclass(slots=True, kw_only=True)
class _Gateway:
    jumped: int = 0
    """Numbers that were missed since all was complete last."""
    incomplete_since_s: float | None = None
    waiting: int | None = None
    unanswered_since_s: float | None = None
    raised: Anomaly | None = None


class CompletenessWatch:
    """Raises `messages_missing`; to be used by one thread at a time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._gateways: dict[tuple[str, str], _Gateway] = {}
        self._beats: deque[tuple[int, float]] = deque(maxlen=BEATS)

    def beat(self, said_at_ns: int) -> None:
        """Note that a heartbeat of ours went out to every gateway."""
        self._beats.append((said_at_ns, self._clock.monotonic_s()))

    def raised(self) -> Iterator[tuple[tuple[str, str], _Gateway]]:
        """Give what has an alarm that is raised, by site and gateway."""
        yield from ((place, one) for place, one in self._gateways.items() if one.raised is not None)

    def forget(self, site: str, gateway: str) -> None:
        """Know nothing of a gateway."""
        self._gateways.pop((site, gateway), None)

    def carry_on(self, site: str, gateway: str, alarm: Anomaly) -> Anomaly:
        """Go on with an alarm that an earlier run raised; gives it, or what was raised anew."""
        found = self._of(site, gateway)
        found.raised = found.raised or alarm
        return found.raised

    def gap(self, site: str, gateway: str, jumped: int) -> None:
        """Note that so many alarm messages were sent and not heard."""
        found = self._of(site, gateway)
        found.jumped += jumped
        if found.incomplete_since_s is None:
            found.incomplete_since_s = self._clock.monotonic_s()

    def hear(self, site: str, gateway: str, health: GatewayHealth) -> Anomaly | None:
        """Take a heartbeat; gives the cleared alarm when nothing is missing any more."""
        found, now_s = self._of(site, gateway), self._clock.monotonic_s()
        found.waiting = health.alarms_waiting
        self._note_answer(found, health)
        if found.waiting is None and found.incomplete_since_s is not None:
            return None  # such a gateway does not say; the time decides
        longest_s = health.longest_waiting_s or 0.0 if found.waiting else 0.0
        if longest_s > LATE_S:
            if found.incomplete_since_s is None:
                found.incomplete_since_s = now_s
            return None
        since_s = found.incomplete_since_s
        if since_s is not None and found.waiting and longest_s >= now_s - since_s:
            return None  # what was missed is still being sent again
        found.jumped, found.incomplete_since_s = 0, None
        return self._over(found)

    def _note_answer(self, found: _Gateway, health: GatewayHealth) -> None:
        """Note since when a gateway, though heard, has not echoed a heartbeat of ours in time."""
        now_s = self._clock.monotonic_s()
        if health.heard_beats_ns is None or not self._beats:
            return
        fresh = {said_ns for said_ns, at_s in self._beats if now_s - at_s <= ANSWER_S}
        if fresh.intersection(health.heard_beats_ns):
            found.unanswered_since_s = None
        elif found.unanswered_since_s is None:
            found.unanswered_since_s = now_s

    def check(self) -> list[tuple[str, str, Anomaly]]:
        """Give (site, gateway, alarm) for every gateway of which something is missing too long."""
        now_s, now_ns, new = self._clock.monotonic_s(), self._clock.now_ns(), []
        for (site, gateway), found in self._gateways.items():
            since_s = found.incomplete_since_s
            is_late = since_s is not None and now_s - since_s >= LATE_S
            asked_s = found.unanswered_since_s
            is_unanswered = asked_s is not None and now_s - asked_s >= ANSWER_S
            if not is_late and not is_unanswered:
                continue
            if found.raised is None:
                found.raised = raised(MISSING, gateway, now_ns, _evidence(found))
                new.append((site, gateway, found.raised))
            elif found.waiting is None and since_s is not None and now_s - since_s > UNSURE_S:
                found.jumped, found.incomplete_since_s = 0, None
                over = self._over(found)
                if over is not None:
                    new.append((site, gateway, over))
        return new

    def _over(self, found: _Gateway) -> Anomaly | None:
        if found.raised is None or found.unanswered_since_s is not None:
            return None
        over, found.raised = found.raised, None
        return cleared(over, self._clock.now_ns(), "All alarms of the gateway have been receipted.")

    def _of(self, site: str, gateway: str) -> _Gateway:
        return self._gateways.setdefault((site, gateway), _Gateway())


def _evidence(found: _Gateway) -> str:
    said = []
    if found.jumped:
        said.append(f"{found.jumped} alarm messages were sent and never came.")
    if found.waiting:
        said.append(f"The gateway says that {found.waiting} alarms wait for their receipt.")
    if found.unanswered_since_s is not None:
        said.append(
            "It does not answer this control room's heartbeat: it does not hear us, or its "
            "messages are old when they come."
        )
    return " ".join(said)
