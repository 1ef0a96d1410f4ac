"""Messages that were refused (forged, altered, played again) become one alarm per gateway.

Knows nothing about signatures; it asks the clock that it was given.
"""

from dataclasses import dataclass, field

from control_room.complaints import printable
from control_room.own_alarms import REFUSED, cleared, raised
from delivery.signing import RefusedError
from scene.clock import Clock
from scene.messages import Anomaly

QUIET_S = 60.0
"""The alarm is cleared when nothing was refused for so long."""
REPLAYS = 3
"""So many old messages within `QUIET_S` are somebody's doing; fewer may be a broker's."""
MOST_GATEWAYS = 32
"""Names are free to invent for who forges; more than this would be a flood."""


@dataclass(slots=True, kw_only=True)
class _Refused:
    last_at_s: float = 0.0
    replays: list[float] = field(default_factory=list)
    count: int = 0
    raised: Anomaly | None = None


class RefusalWatch:
    """Raises `message_refused`; to be used by one thread at a time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._refused: dict[tuple[str, str], _Refused] = {}

    def carry_on(self, site: str, gateway: str, alarm: Anomaly) -> None:
        """Go on with an alarm that an earlier run raised."""
        found = self._refused.setdefault((site, gateway), _Refused())
        found.raised, found.last_at_s = alarm, self._clock.monotonic_s()

    def refuse(self, site: str, gateway: str, what: str, error: RefusedError) -> Anomaly | None:
        """Note a refused message about `what`; gives the alarm if it is to be raised now."""
        place, now_s = (site, gateway), self._clock.monotonic_s()
        if place not in self._refused and len(self._refused) >= MOST_GATEWAYS:
            return None
        found = self._refused.setdefault(place, _Refused())
        if error.replayed and found.raised is None:
            found.replays = [at_s for at_s in found.replays if now_s - at_s < QUIET_S] + [now_s]
            if len(found.replays) < REPLAYS:
                return None
        found.last_at_s = now_s
        found.count += 1
        if found.raised is not None:
            return None
        evidence = printable(
            f"{what}: {error}. What such messages say is not believed: it may be forged, or a "
            "key may be wrong here, and then true alarms are refused, too. Look at the site."[:600]
        )
        found.raised = raised(REFUSED, gateway, self._clock.now_ns(), evidence)
        return found.raised

    def check(self) -> list[tuple[str, str, Anomaly]]:
        """Give (site, gateway, cleared alarm) where nothing was refused for long."""
        now_s, over = self._clock.monotonic_s(), []
        for place, found in list(self._refused.items()):
            if now_s - max(found.last_at_s, *found.replays, 0.0) < QUIET_S:
                continue
            del self._refused[place]
            if found.raised is not None:
                text = f"No message was refused for {QUIET_S:g} s; {found.count} were."
                over.append((*place, cleared(found.raised, self._clock.now_ns(), text)))
        return over
