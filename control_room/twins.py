"""Two gateways that claim to be the same one become one alarm: a cloned disk, a spare left on.

Knows nothing about MQTT or keys. What shows it is that starts (`run`) take turns: a gateway that
was started again, or replaced, never says another word under its former number, and the few words
that were still on their way come before those of the new one. A message of a former start that is
played again shows its age, and counts for nothing here.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlsplit

from control_room.complaints import printable
from control_room.own_alarms import TWINS, cleared, raised
from scene.clock import Clock
from scene.messages import Anomaly, GatewayHealth, SiteDescription
from scene.topics import SILENT_AFTER_S
from scene.wire import Envelope

RETURNS = 3
"""So many times a former start must be heard again after a newer one: A B A B A B A. A heartbeat
that was on its way at a restart makes one of it."""
GONE_S = 15.0
"""One that has said nothing for so long is not there any more."""
ABREAST_S = 10.0
"""What two say at the same time is no further apart than this, by the control room's heartbeats
that they echo, or by their own clocks."""
MOST_GATEWAYS, MOST_RUNS = 256, 8
"""More than this is a mistake or an attack."""

Place = tuple[str, str]
"""Site and gateway."""


@dataclass(slots=True, kw_only=True)
class _Run:
    """One start of a gateway."""

    heard_at_s: float
    last: Envelope


@dataclass(slots=True, kw_only=True)
class _Twins:
    runs: dict[int, _Run] = field(default_factory=dict)
    hosts: dict[int, str] = field(default_factory=dict)
    """Where each run said that its panorama is."""
    spoke_last: int = 0
    returned_s: dict[int, list[float]] = field(default_factory=dict)
    """When each run was heard again after a newer one."""
    raised: Anomaly | None = None
    left_since_s: float = 0.0
    """Since when only one has been heard: when another was heard last, or all were silent."""


class TwinWatch:
    """Raises `two_gateways`; to be used by one thread at a time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._places: dict[Place, _Twins] = {}

    def raised(self) -> Iterator[tuple[tuple[str, str], _Twins]]:
        """Give what has an alarm that is raised, by site and gateway."""
        yield from ((place, one) for place, one in self._places.items() if one.raised is not None)

    def forget(self, site: str, gateway: str) -> None:
        """Know nothing of a gateway."""
        self._places.pop((site, gateway), None)

    def carry_on(self, site: str, gateway: str, alarm: Anomaly) -> Anomaly:
        """Go on with an alarm that an earlier run raised; gives the one that stands."""
        found = self._places.setdefault((site, gateway), _Twins())
        found.left_since_s = self._clock.monotonic_s()
        found.raised = found.raised or alarm
        return found.raised

    def hear(self, site: str, gateway: str, envelope: Envelope) -> Anomaly | None:
        """Take what a gateway says now, of whichever start; gives the alarm if it is new."""
        place, run = (site, gateway), envelope.run
        if run == 0 or (place not in self._places and len(self._places) >= MOST_GATEWAYS):
            return None
        found = self._places.setdefault(place, _Twins())
        if isinstance(envelope.body, SiteDescription):
            self._note_host(found, run, envelope.body)
        if not isinstance(envelope.body, GatewayHealth) or not self._is_abreast(found, envelope):
            return None
        now_s = self._clock.monotonic_s()
        self._note_turn(found, run, now_s)
        self._forget_gone(found, now_s)
        if run < found.spoke_last and run in found.runs:
            before = found.returned_s.get(run, ())
            found.returned_s[run] = [at for at in before if now_s - at < GONE_S] + [now_s]
        found.spoke_last = run
        found.runs.pop(run, None)
        found.runs[run] = _Run(heard_at_s=now_s, last=envelope)
        if len(found.runs) > MOST_RUNS:
            del found.runs[next(iter(found.runs))]
        if len(found.returned_s.get(run, ())) < RETURNS or found.raised is not None:
            return None
        found.raised = raised(TWINS, gateway, self._clock.now_ns(), self._evidence(found, gateway))
        return found.raised

    def is_now(self, site: str, gateway: str, envelope: Envelope) -> bool:
        """Tell whether a message of a former start is as fresh as those of the newest one."""
        found = self._places.get((site, gateway))
        return found is not None and self._is_abreast(found, envelope)

    def check(self) -> list[tuple[str, str, Anomaly]]:
        """Give (site, gateway, cleared alarm) where only one is left."""
        over = []
        for (site, gateway), found in self._places.items():
            only = found.runs.get(found.spoke_last)
            if found.raised is None or only is None:
                continue
            # By its own last word: while nobody is heard, the other may still be there.
            if only.heard_at_s - found.left_since_s >= GONE_S:
                text = f"Only one {gateway} is left: {_told(found, found.spoke_last)}."
                alarm = cleared(found.raised, self._clock.now_ns(), printable(text))
                found.raised = None
                found.returned_s.clear()
                over.append((site, gateway, alarm))
        return over

    def _note_turn(self, found: _Twins, run: int, now_s: float) -> None:
        """Note since when only one has been heard, before this word of a start counts as heard.

        A new start's first word is none of another gateway: one that speaks anew takes no turn.
        """
        before = found.runs.get(found.spoke_last)
        if before is None or now_s - before.heard_at_s > SILENT_AFTER_S:
            found.left_since_s = now_s  # whoever spoke meanwhile was perhaps not heard
        elif run != found.spoke_last and run <= max(found.runs):
            found.left_since_s = before.heard_at_s

    def _is_abreast(self, found: _Twins, envelope: Envelope) -> bool:
        """Tell whether it was said at about the time at which the newest start spoke last."""
        newest = max(found.runs, default=0)
        if envelope.run >= newest:
            return True
        other = found.runs[newest].last
        beats = [max(_beats(one), default=0) for one in (envelope, other)]
        if all(beats) and abs(beats[0] - beats[1]) <= ABREAST_S * 1e9:
            return True
        return abs(envelope.sent_at_ns - other.sent_at_ns) <= ABREAST_S * 1e9

    def _forget_gone(self, found: _Twins, now_s: float) -> None:
        for run, one in list(found.runs.items()):
            if now_s - one.heard_at_s >= GONE_S and len(found.runs) > 1:
                del found.runs[run]
                found.returned_s.pop(run, None)

    def _note_host(self, found: _Twins, run: int, body: SiteDescription) -> None:
        try:
            host = urlsplit(body.stream_url).hostname or ""
        except ValueError:
            return
        found.hosts.pop(run, None)
        found.hosts[run] = host
        if len(found.hosts) > MOST_RUNS:
            del found.hosts[next(iter(found.hosts))]

    def _evidence(self, found: _Twins, gateway: str) -> str:
        each = "; ".join(_told(found, run) for run in sorted(found.runs))
        return printable(
            f"Two gateways claim to be {gateway}: {each}. A copied disk, or a spare that was "
            "switched on? Their alarms come, but nobody can tell whose positions are shown. "
            f"Switch one off, or give it a name of its own (`lamproom certs gateway NAME`)."[:600]
        )


def _told(found: _Twins, run: int) -> str:
    """Write which one: a run's number is the instant of its start."""
    try:
        at = datetime.fromtimestamp(run / 1e9, UTC).strftime("started %Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        at = "started at an unknown time"
    host = found.hosts.get(run)
    return f"one {at}{f' at {host}' if host else ''} (run {run})"


def _beats(envelope: Envelope) -> tuple[int, ...]:
    body = envelope.body
    return (body.heard_beats_ns or ()) if isinstance(body, GatewayHealth) else ()
