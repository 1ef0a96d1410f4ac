"""One identity per person over all gateways of a site, from what they publish alone.

Knows nothing about pictures, MQTT, zones or alarms, and asks no clock: it is told when a message
was heard. Who is seen no more stays, as out of view, until seen elsewhere, or for `KEPT_H`.
"""

import threading
from dataclasses import dataclass, field, replace

from control_room.gateway_clock import GatewayClock
from control_room.identities import Identities
from control_room.mine_person import MinePerson
from scene.messages import (
    XY,
    GatewayHealth,
    GatewayState,
    Positions,
    SiteDescription,
    Tags,
)
from scene.topics import SILENT_AFTER_S, TOPICS, Address
from scene.wire import Envelope

KEPT_H, MOST_KEPT = 24.0, 1000
"""So long, and so many, people stay who are out of view."""
AGAIN_S = 2.0
"""Instants that are no news for so long are a clock that was set back."""
TAGS_OFF_S = 10.0
"""A tag system whose clock is further off than this is taken to mean "now"."""
MOST_GATEWAYS, MOST_TAGS = 256, 2000
"""Of one site; more is a mistake or an attack, and not listened to. As many gateways beyond are
named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MineGateway:
    """What one gateway has said of itself."""

    gateway: str
    description: SiteDescription | None
    health: GatewayHealth | None
    """On the listener's clock."""
    silent_since_ns: int | None
    """None while it speaks."""
    clock_off_s: float = 0.0
    """By how much its clock is slow; 0 while that is little."""
    clock: tuple[float, float] | None = None
    """By how many seconds it is slow, also where that is little, and give or take how many."""
    passed_over: bool = False
    """Whether it is one too many: it may speak, and is as silent here from its first word on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaggedWorker:
    """Where somebody's tag was heard last. Never a person's place."""

    worker: str
    """The tag's number where the tag system knows no name."""
    xy_m: XY
    at_ns: int
    """On the listener's clock."""


@dataclass(slots=True, kw_only=True, eq=False)
class _Gateway:
    first_at_ns: int
    clock: GatewayClock = field(default_factory=GatewayClock)
    heard_at_ns: int | None = None
    """Positions or a heartbeat."""
    placed_at_ns: int | None = None
    """Instant of the newest positions, on the listener's clock."""
    news_at_ns: int | None = None
    """When those were heard."""
    gone_at_ns: int | None = None
    description: SiteDescription | None = None
    health: GatewayHealth | None = None


class WholeMine:
    """Everybody in one site; thread-safe, and the same messages give the same people.

    Where gateways see the same floor, their tracks are matched by place and speed; where somebody
    walks out of one's sight and later into another's, by where the walk would have led. One joint
    assignment each time; names decide where there are some; whoever it is not clear for gets an
    identity of their own that says who they may be.
    """

    def __init__(self, site: str) -> None:
        """Start knowing nobody; messages of other sites are passed over."""
        self.site = site
        self._gateways: dict[str, _Gateway] = {}
        self._passed_over_ns: dict[str, int] = {}
        """Gateways that are too many, and when each was heard first."""
        self._identities = Identities()
        self._tags: dict[str, TaggedWorker] = {}
        self._tags_passed_over: set[str] = set()
        self._since_ns: int | None = None
        self._lock = threading.Lock()

    def hear(self, address: Address, envelope: Envelope, heard_at_ns: int) -> None:
        """Take one message; `heard_at_ns` is the listener's clock, and all instants become its."""
        if address.site != self.site or TOPICS[address.topic].sender == "control_room":
            return
        body = envelope.body
        with self._lock:
            self._since_ns = heard_at_ns if self._since_ns is None else self._since_ns
            if isinstance(body, Tags):
                self._note_tags(body, heard_at_ns)
                return
            if address.gateway not in self._gateways:
                if not address.gateway:
                    return
                if len(self._gateways) >= MOST_GATEWAYS:
                    if len(self._passed_over_ns) < MOST_GATEWAYS:
                        self._passed_over_ns.setdefault(address.gateway, heard_at_ns)
                    return
                first_ns = self._passed_over_ns.pop(address.gateway, heard_at_ns)
                self._gateways[address.gateway] = _Gateway(first_at_ns=first_ns)
            gateway = self._gateways[address.gateway]
            if isinstance(body, SiteDescription):
                gateway.description = body
            elif isinstance(body, GatewayState):
                gateway.gone_at_ns = None if body.online else heard_at_ns
            elif isinstance(body, GatewayHealth | Positions):
                self._hear_instant(address.gateway, gateway, envelope, heard_at_ns)

    def people(self, at_ns: int) -> tuple[MinePerson, ...]:
        """Tell where everybody is, on the listener's clock, by `id`; changes nothing."""
        with self._lock:
            silent = {
                name: since_ns
                for name, gateway in self._gateways.items()
                if (since_ns := _silent_since_ns(gateway, at_ns)) is not None
                or (since_ns := _unplaced_since_ns(gateway, at_ns)) is not None
            }
            return self._identities.told(at_ns, silent)

    def gateways(self, at_ns: int) -> tuple[MineGateway, ...]:
        """Tell how every gateway is that has ever been heard of, by name."""
        with self._lock:
            heard = [
                MineGateway(
                    gateway=name,
                    description=gateway.description,
                    health=gateway.health,
                    silent_since_ns=_silent_since_ns(gateway, at_ns),
                    clock_off_s=round(gateway.clock.off_s, 1),
                    clock=gateway.clock.told,
                )
                for name, gateway in self._gateways.items()
            ]
            passed_over = [
                MineGateway(
                    gateway=name,
                    description=None,
                    health=None,
                    silent_since_ns=since_ns,
                    passed_over=True,
                )
                for name, since_ns in self._passed_over_ns.items()
            ]
        return tuple(sorted((*heard, *passed_over), key=lambda one: one.gateway))

    @property
    def ended(self) -> bool:
        """Whether there are gateways and each is gone, by its own word or the broker's."""
        with self._lock:
            gateways = self._gateways.values()
            return bool(gateways) and all(one.gone_at_ns is not None for one in gateways)

    def tags(self) -> tuple[TaggedWorker, ...]:
        """Give everybody whose tag was ever heard, by tag."""
        with self._lock:
            return tuple(said for _, said in sorted(self._tags.items()))

    @property
    def tags_passed_over(self) -> int:
        """How many tags are not listened to, as there are too many; as many at most are counted."""
        return len(self._tags_passed_over)

    def forget(self, gateway: str, at_ns: int) -> None:
        """Know nothing of a gateway any more; whom only it followed is out of view."""
        with self._lock:
            self._gateways.pop(gateway, None)
            self._passed_over_ns.pop(gateway, None)
            self._identities.leave(gateway, at_ns)

    @property
    def listening_since_ns(self) -> int | None:
        """When the first message came; what was before is not known here."""
        return self._since_ns

    def _note_tags(self, tags: Tags, heard_at_ns: int) -> None:
        off_ns = heard_at_ns - tags.captured_at_ns
        shift_ns = off_ns if abs(off_ns) > TAGS_OFF_S * 1e9 else 0
        for fix in tags.fixes:
            before, at_ns = self._tags.get(fix.tag), fix.at_ns + shift_ns
            if before is None and len(self._tags) >= MOST_TAGS:
                if len(self._tags_passed_over) < MOST_TAGS:
                    self._tags_passed_over.add(fix.tag)
                continue
            # One from a time to come was heard before our clock was set back.
            if before is not None and at_ns < before.at_ns <= heard_at_ns + TAGS_OFF_S * 1e9:
                continue
            self._tags[fix.tag] = TaggedWorker(
                worker=fix.worker or fix.tag, xy_m=fix.xy_m, at_ns=at_ns
            )

    def _hear_instant(
        self, name: str, gateway: _Gateway, envelope: Envelope, heard_at_ns: int
    ) -> None:
        body = envelope.body
        assert isinstance(body, GatewayHealth | Positions)
        gateway.heard_at_ns = heard_at_ns
        gateway.gone_at_ns = None
        shift_ns = gateway.clock.shift_ns(
            heard_at_ns=heard_at_ns,
            sent_at_ns=envelope.sent_at_ns,
            captured_at_ns=body.captured_at_ns,
        )
        if shift_ns is None:
            return
        if isinstance(body, GatewayHealth):
            gateway.health = _shifted(body, shift_ns)
            return
        at_ns = body.captured_at_ns + shift_ns
        if gateway.placed_at_ns is not None and gateway.news_at_ns is not None:
            # One gateway's messages keep their order: an earlier instant is a repetition, unless
            # a clock was set back, the gateway's or our own.
            repeated = 0 <= heard_at_ns - gateway.news_at_ns < AGAIN_S * 1e9
            if at_ns <= gateway.placed_at_ns and repeated:
                return
        gateway.placed_at_ns, gateway.news_at_ns = at_ns, heard_at_ns
        self._identities.place(name, body.people, shift_ns, at_ns)
        self._identities.forget(heard_at_ns - int(KEPT_H * 3.6e12), MOST_KEPT)


def _silent_since_ns(gateway: _Gateway, at_ns: int) -> int | None:
    if gateway.gone_at_ns is not None:
        return gateway.gone_at_ns
    last_ns = gateway.first_at_ns if gateway.heard_at_ns is None else gateway.heard_at_ns
    return _if_old(last_ns, at_ns)


def _unplaced_since_ns(gateway: _Gateway, at_ns: int) -> int | None:
    """Tell since when a gateway, its cameras lost, has placed nobody; none while it does."""
    return None if gateway.news_at_ns is None else _if_old(gateway.news_at_ns, at_ns)


def _if_old(last_ns: int, at_ns: int) -> int | None:
    """Give the instant of a last word that is old, or (our clock was set back) yet to come."""
    return last_ns if abs(at_ns - last_ns) > SILENT_AFTER_S * 1e9 else None


def _shifted(health: GatewayHealth, shift_ns: int) -> GatewayHealth:
    """Carry a heartbeat's instants to the listener's clock."""
    if not shift_ns:
        return health
    return replace(
        health,
        captured_at_ns=health.captured_at_ns + shift_ns,
        coverage_unseen_since_ns=tuple(
            None if since_ns is None else since_ns + shift_ns
            for since_ns in health.coverage_unseen_since_ns
        ),
    )
