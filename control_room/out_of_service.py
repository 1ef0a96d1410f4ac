"""Gateways that somebody has taken out of service on purpose: nobody waits for them any more.

Knows nothing about MQTT, viewers or how it is stored: the audit's entries say who is out, so that
a restart forgets nothing. One that has died without that stays an alarm. Who is out and speaks
again is back at once, whoever took it out: nothing that a gateway says is ever passed over.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

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

Place = tuple[str, str]
"""Site and gateway."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Out:
    """Who took which gateway out, when and why."""

    site: str
    gateway: str
    by: str
    reason: str
    at_ns: int


@dataclass(slots=True, kw_only=True)
class _Held:
    """What the broker still says of a gateway that is out."""

    out: Out
    said: dict[str, tuple[Address, Envelope]] = field(default_factory=dict)
    active: dict[str, None] = field(default_factory=dict)
    """Alarms."""


class OutOfService:
    """Who is out; to be used by one thread at a time."""

    def __init__(self) -> None:
        """Know of nobody yet."""
        self._held: dict[Place, _Held] = {}

    def __contains__(self, place: object) -> bool:
        """Tell whether a gateway is out."""
        return place in self._held

    def all(self) -> list[Out]:
        """List who is out, by name."""
        return [held.out for _, held in sorted(self._held.items())]

    def read(self, entries: Iterable[AuditEntry]) -> None:
        """Take over what the audit says, the oldest first."""
        for entry in entries:
            site, _, gateway = entry.about.partition("/")
            self._held.pop((site, gateway), None)
            if entry.what == TAKEN_OUT:
                reason = str(json.loads(entry.body).get("reason", ""))
                self.put(
                    Out(site=site, gateway=gateway, by=entry.who, reason=reason, at_ns=entry.at_ns)
                )

    def put(self, out: Out) -> None:
        """Take a gateway out."""
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

    def take_back(self, place: Place) -> tuple[Out, list[tuple[Address, Envelope]], list[str]]:
        """Put a gateway back; gives how it was out, what it said, and its alarms still there."""
        held = self._held.pop(place)
        return held.out, list(held.said.values()), list(held.active)


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
        and may_end(one.last.kind)
        and not is_ending(one)
    ]
    if waiting:
        names = ", ".join(waiting[:3]) + (" …" if len(waiting) > 3 else "")
        raise NotNow(
            f"{gateway} has {len(waiting)} open alarms about people ({names}): see to them and "
            "end each with a reason first"
        )
