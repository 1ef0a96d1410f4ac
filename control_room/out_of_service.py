"""Gateways that somebody has taken out of service on purpose: nobody waits for them any more.

Knows nothing about MQTT, viewers or how it is stored: the audit's entries say who is out, so that
a restart forgets nothing, and another control room that shares the journal knows it, too. One that
has died without that stays an alarm. Who is out and speaks again is back at once, whoever took it
out: nothing that a gateway says is ever passed over.
"""

import json
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from control_room.journal.audit import AuditEntry
from control_room.lifecycle import Entry, NotNow, UnknownAlarm, is_ending, may_end
from control_room.own_alarms import OWN_KINDS
from scene.messages import Anomaly, GatewayHealth, GatewayState, Positions, SiteDescription
from scene.topics import Address
from scene.wire import Envelope

TAKEN_OUT, BACK = "gateway_out", "gateway_back"
"""What the audit calls it; about SITE/GATEWAY."""
MOST_ACTIVE = 1000
"""So many alarms of each are remembered that it says are still there."""

MOST_RETURNED = 20
RETURNED_TOLD_S = 600.0
"""So long viewers are told of a gateway that was out of service and spoke again."""

Place = tuple[str, str]
"""Site and gateway."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Out:
    """Who took which gateway out, when, why, and at which control room."""

    site: str
    gateway: str
    by: str
    reason: str
    at_ns: int
    room: str = ""
    """The machine that it runs on; empty where an earlier version wrote it down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What the audit has of one gateway that was not known here."""

    place: Place
    out: Out | None
    """None where it is back."""


@dataclass(slots=True, kw_only=True)
class _Held:
    """What the broker still says of a gateway that is out."""

    out: Out
    said: dict[str, tuple[Address, Envelope]] = field(default_factory=dict)
    active: dict[str, None] = field(default_factory=dict)
    """Alarms."""


class OutOfService:
    """Who is out; to be used by one thread at a time."""

    def __init__(self, room: str) -> None:
        """Know of nobody yet; `room` is what people call the machine where this is."""
        self.room = room
        self._held: dict[Place, _Held] = {}
        self.returned: deque[tuple[Out, int]] = deque(maxlen=MOST_RETURNED)
        """Who was out and spoke again, and when."""
        self.read_to: int | None = None
        """Up to which entry the audit has been read; none before the first time."""
        self.read_due_s = 0.0
        """When it is to be read again, on the monotonic clock."""
        self._newest_ns: dict[Place, int] = {}
        """When each was taken out last: what we have written ourselves comes back to us."""

    def __contains__(self, place: object) -> bool:
        """Tell whether a gateway is out."""
        return place in self._held

    def all(self) -> list[Out]:
        """List who is out, by name."""
        return [held.out for _, held in sorted(self._held.items())]

    def news(self, entries: Iterable[AuditEntry]) -> list[News]:
        """Give what newer entries of the audit, the oldest first, say that is not so here yet."""
        found: dict[Place, News] = {}
        for entry in entries:
            site, _, gateway = entry.about.partition("/")
            place, out = (site, gateway), _out_of(entry)
            so = place not in self._held if out is None else out.at_ns == self._newest_ns.get(place)
            if so:
                found.pop(place, None)
            else:
                found[place] = News(place=place, out=out)
        return list(found.values())

    def put(self, out: Out) -> None:
        """Take a gateway out."""
        self._newest_ns[out.site, out.gateway] = out.at_ns
        self._held[out.site, out.gateway] = _Held(out=out)

    def speaks(self, address: Address, envelope: Envelope) -> bool:
        """Take a message of one that is out; tells whether it is back.

        What a broker keeps is no sign of life; it counts once there is one.
        """
        held, body = self._held[address.site, address.gateway], envelope.body
        if isinstance(body, GatewayState | SiteDescription):
            held.said[address.topic] = (address, envelope)
        elif isinstance(body, Anomaly) and len(held.active) < MOST_ACTIVE:
            if body.state == "active":
                held.active[body.id] = None
            else:
                held.active.pop(body.id, None)
        return isinstance(body, GatewayHealth | Positions)

    def take_back(
        self, place: Place, at_ns: int
    ) -> tuple[Out, list[tuple[Address, Envelope]], list[str]]:
        """Put a gateway back; gives how it was out, what it said, and its alarms still there."""
        held = self._held.pop(place)
        self.returned.append((held.out, at_ns))
        return held.out, list(held.said.values()), list(held.active)

    def lately_back(self, now_ns: int) -> list[dict[str, Any]]:
        """List who spoke again not long ago, as viewers are told it."""
        return [
            {**asdict(out), "back_at_ns": back_ns}
            for out, back_ns in self.returned
            if now_ns - back_ns < RETURNED_TOLD_S * 1e9
        ]


def _out_of(entry: AuditEntry) -> Out | None:
    """Read an entry; none where a gateway is back."""
    if entry.what != TAKEN_OUT:
        return None
    site, _, gateway = entry.about.partition("/")
    said = json.loads(entry.body)
    reason, room = str(said.get("reason", "")), str(said.get("room", ""))
    return Out(
        site=site, gateway=gateway, by=entry.who, reason=reason, at_ns=entry.at_ns, room=room
    )


def unknown(site: str, gateway: str) -> UnknownAlarm:
    """Give the error of a gateway that nobody knows."""
    return UnknownAlarm(f"{site}/{gateway}: no such gateway has been heard or is expected")


def may_go(gateway: str, entries: Sequence[Entry], quiet_s: float, least_s: float) -> None:
    """Raise `NotNow` where a gateway can't be taken out: `entries` are its open alarms.

    It must have been quiet for longer than `least_s`, and each alarm about people ended by
    somebody: with the gateway nobody would ask after them any more.
    """
    if quiet_s <= least_s:
        raise NotNow(
            f"{gateway} speaks: stop it first (`systemctl disable --now` there), or it would be "
            "back at once"
        )
    waiting = [
        one.key.alarm
        for one in entries
        if one.last.state == "active"
        and one.last.kind not in OWN_KINDS
        and may_end(one)
        and not is_ending(one)
    ]
    if waiting:
        names = ", ".join(waiting[:3]) + (" …" if len(waiting) > 3 else "")
        raise NotNow(
            f"{gateway} has {len(waiting)} open alarms about people ({names}): see to them and "
            "end each with a reason first"
        )
