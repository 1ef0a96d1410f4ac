"""Messages that were refused (forged, altered, played again) become one alarm per gateway.

So do files of keys that can't be used: who should be trusted is not. Knows nothing about
signatures; it asks the clock that it was given.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from control_room.complaints import printable
from control_room.own_alarms import OURSELVES, REFUSED, cleared, raised
from delivery.signing import RefusedError
from delivery.trust import Distrusted
from scene.clock import Clock
from scene.messages import Anomaly

QUIET_S = 60.0
"""The alarm is cleared when nothing was refused for so long."""
REPLAYS = 3
"""So many old messages within `QUIET_S` are somebody's doing; fewer may be a broker's."""
FOLLOW_S = 30.0
"""When messages are refused for another reason, the alarm says so, but no more often than this."""
MOST_GATEWAYS = 32
"""Names are free to invent for who forges; more than this would be a flood."""


@dataclass(slots=True, kw_only=True)
class _Refused:
    last_at_s: float = 0.0
    replays: list[float] = field(default_factory=list)
    count: int = 0
    raised: Anomaly | None = None
    cause: str = ""
    """The reason that the alarm tells."""
    told_at_s: float = 0.0


class RefusalWatch:
    """Raises `message_refused`; to be used by one thread at a time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._refused: dict[tuple[str, str], _Refused] = {}

    def carry_on(self, site: str, gateway: str, alarm: Anomaly) -> Anomaly:
        """Go on with an alarm that an earlier run raised; gives it, or what was raised anew."""
        found = self._refused.setdefault((site, gateway), _Refused())
        if found.raised is None:
            found.raised, found.last_at_s = alarm, self._clock.monotonic_s()
            found.told_at_s = found.last_at_s
        return found.raised

    def raised(self) -> Iterator[tuple[tuple[str, str], _Refused]]:
        """Give what has an alarm that is raised, by site and gateway."""
        yield from ((place, one) for place, one in self._refused.items() if one.raised is not None)

    def refuse(self, site: str, gateway: str, what: str, error: RefusedError) -> Anomaly | None:
        """Note a refused message about `what`; gives the alarm if it, or its reason, is new."""
        place, now_s = (site, gateway), self._clock.monotonic_s()
        if place not in self._refused and len(self._refused) >= MOST_GATEWAYS:
            return None
        found = self._refused.setdefault(place, _Refused())
        is_new = found.raised is None or found.cause != str(error)
        if found.raised is not None:
            found.last_at_s = now_s
            found.count += 1
        if error.replayed and is_new:
            found.replays = [at_s for at_s in found.replays if now_s - at_s < QUIET_S] + [now_s]
            found.replays = found.replays[-REPLAYS:]
            if len(found.replays) < REPLAYS:
                return None
        if not is_new or (found.raised is not None and now_s - found.told_at_s < FOLLOW_S):
            return None
        evidence = printable(
            f"{what}: {error}. What such messages say is not believed: it may be forged, or a "
            "key may be wrong here, and then true alarms are refused, too. Look at the site."[:600]
        )
        now_ns = self._clock.now_ns()
        if found.raised is None:
            found.last_at_s = now_s
            found.count += 1
            found.raised = raised(REFUSED, gateway, now_ns, evidence)
        else:
            at_ns = max(now_ns, found.raised.captured_at_ns + 1)
            found.raised = replace(found.raised, captured_at_ns=at_ns, evidence=evidence)
        found.cause, found.told_at_s = str(error), now_s
        return found.raised

    def distrust(self, files: Iterable[Distrusted]) -> list[tuple[str, str, Anomaly]]:
        """Note which files of keys can't be used now; gives (site, gateway, alarm) if it is new.

        The alarm is about the gateway whose key it is; else about the control room itself.
        """
        texts: dict[tuple[str, str], list[str]] = {}
        for one in files:
            place = (one.site, one.gateway) if one.gateway else OURSELVES
            texts.setdefault(place, []).append(one.text)
        new = []
        for place, said in texts.items():
            if place not in self._refused and len(self._refused) >= MOST_GATEWAYS:
                continue
            found = self._refused.setdefault(place, _Refused())
            found.last_at_s = self._clock.monotonic_s()
            if found.raised is None:
                told = f"{'; '.join(said)[:500]}. What such a key signs is not believed."
                now_ns = self._clock.now_ns()
                found.raised = raised(REFUSED, place[1], now_ns, printable(told))
                found.told_at_s = found.last_at_s
                new.append((*place, found.raised))
        return new

    def check(self) -> list[tuple[str, str, Anomaly]]:
        """Give (site, gateway, cleared alarm) where nothing was refused for long."""
        now_s, over = self._clock.monotonic_s(), []
        for place, found in list(self._refused.items()):
            if now_s - max(found.last_at_s, *found.replays, 0.0) < QUIET_S:
                continue
            del self._refused[place]
            if found.raised is not None:
                text = (
                    f"No message was refused for {QUIET_S:g} s, and the keys can be used; "
                    f"{found.count} were refused."
                )
                over.append((*place, cleared(found.raised, self._clock.now_ns(), text)))
        return over
