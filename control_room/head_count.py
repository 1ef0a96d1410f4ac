"""The live head-count of every site that the control room hears.

Knows nothing about alarms or viewers. Positions count a few times a second: a muster needs no more,
and a mine of a hundred gateways must not keep alarms waiting. Nor must what it imports: that is a
quarter of all that a control room imports, so it is imported when the count begins.
"""

import importlib
import threading
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from control_room.roster import Worker
from scene.messages import Positions
from scene.topics import Address
from scene.wire import Envelope

if TYPE_CHECKING:
    from control_room.whole_mine import MineGateway, WholeMine

EVERY_S = 0.4
MOST_SITES = 64
"""More is a mistake or an attack, and gets no count."""
MOST_EARLY = 2000
"""So many messages may wait for the count to begin; then it begins with the next."""


class HeadCount:
    """Hears everything that gateways and the mine's systems say; thread-safe."""

    def __init__(
        self,
        roster: Sequence[Worker] = (),
        expected: Iterable[tuple[str, str]] = (),
        now_ns: int = 0,
    ) -> None:
        """`roster` lists who is underground; without one those count whose tags were heard.

        Of gateways (site, gateway) that are `expected` from `now_ns` on, each that was never heard
        makes the count an incomplete one.
        """
        self._roster = tuple(roster)
        self._expected = dict.fromkeys(expected, now_ns)
        """Since when."""
        self._mines: dict[str, WholeMine] = {}
        self._sites_passed_over: set[str] = set()
        self._heard_ns: dict[tuple[str, str], int] = {}
        self._early: list[tuple[Address, Envelope, int]] | None = []
        """What was heard before the count began; none once it has."""
        self._lock = threading.Lock()
        self._beginning = threading.Lock()

    def begin(self) -> None:
        """Count from now on, and what was heard before; takes a while, but only the first time."""
        with self._beginning:
            if self._early is None:
                return
            importlib.import_module("control_room.muster")  # while others go on hearing
            while early := self._heard_early():
                for one in early:
                    self._count(*one)

    def hear(self, address: Address, envelope: Envelope, now_ns: int) -> None:
        """Take one MQTT message, heard at `now_ns`."""
        with self._lock:
            if self._early is not None and len(self._early) < MOST_EARLY:
                self._early.append((address, envelope, now_ns))
                return
        self.begin()
        self._count(address, envelope, now_ns)

    def muster(self, site: str, now_ns: int) -> dict[str, Any] | None:
        """Count heads now, as `control_room.muster.to_json` has it; none for an unknown site."""
        self.begin()
        from control_room.muster import muster, to_json
        from control_room.whole_mine import WholeMine

        with self._lock:
            waited_for = {
                gateway: since_ns
                for (place, gateway), since_ns in self._expected.items()
                if place == site
            }
        mine = self._mines.get(site)
        if mine is None:
            if not waited_for:
                return None
            mine = WholeMine(site)
        gateways = mine.gateways(now_ns)
        heard = {one.gateway for one in gateways}
        return to_json(
            muster(
                mine.people(now_ns),
                gateways,
                self._roster,
                now_ns,
                site=site,
                tags=mine.tags(),
                listening_since_ns=mine.listening_since_ns,
                never_heard={
                    gateway: since_ns
                    for gateway, since_ns in waited_for.items()
                    if gateway not in heard
                },
            )
        )

    def expect(self, site: str, gateway: str, now_ns: int) -> None:
        """Wait for one more gateway from now on."""
        with self._lock:
            self._expected.setdefault((site, gateway), now_ns)

    def forget(self, site: str, gateway: str, now_ns: int) -> None:
        """Wait for a gateway no more: it is out of service. Whom it followed has gone out of view.

        When it is heard again it is one like any other.
        """
        place = (site, gateway)
        with self._lock:
            self._expected.pop(place, None)
            self._heard_ns.pop(place, None)
            if self._early is not None:
                self._early = [one for one in self._early if (one[0].site, one[0].gateway) != place]
            mine = self._mines.get(site)
        if mine is not None:
            mine.forget(gateway, now_ns)

    def passed_over(self) -> dict[str, int]:
        """Count what is not listened to, as there is too much of it: `tags`, `sites`."""
        with self._lock:
            tags = sum(mine.tags_passed_over for mine in self._mines.values())
            counts = {"tags": tags, "sites": len(self._sites_passed_over)}
        return {name: count for name, count in counts.items() if count}

    def sites(self) -> list[str]:
        """Name the sites that were heard, or should be."""
        self.begin()
        with self._lock:
            return sorted({*self._mines, *(site for site, _ in self._expected)})

    def gateways(self, site: str, now_ns: int) -> "tuple[MineGateway, ...]":
        """Tell how every gateway of a site is that was ever heard of, by name."""
        self.begin()
        mine = self._mines.get(site)
        return () if mine is None else mine.gateways(now_ns)

    def _heard_early(self) -> list[tuple[Address, Envelope, int]]:
        """Take what waits; when there is nothing, nothing waits from now on."""
        with self._lock:
            early = self._early or []
            self._early = [] if early else None
            return early

    def _count(self, address: Address, envelope: Envelope, now_ns: int) -> None:
        from control_room.whole_mine import MOST_GATEWAYS, WholeMine

        if isinstance(envelope.body, Positions):
            place = (address.site, address.gateway)
            if 0 <= now_ns - self._heard_ns.get(place, 0) < EVERY_S * 1e9:
                return
            if place in self._heard_ns or len(self._heard_ns) < MOST_SITES * MOST_GATEWAYS:
                self._heard_ns[place] = now_ns
        with self._lock:
            mine = self._mines.get(address.site)
            if mine is None:
                if len(self._mines) >= MOST_SITES:
                    if len(self._sites_passed_over) < MOST_SITES:
                        self._sites_passed_over.add(address.site)
                    return
                mine = self._mines[address.site] = WholeMine(address.site)
        mine.hear(address, envelope, now_ns)
