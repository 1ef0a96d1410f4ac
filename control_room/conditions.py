"""What is written down of how things are: control room, head-counts, gateways and their roadways.

Knows nothing about databases. The words of a condition's JSON are made here and read in
`shift_report/told.py`. Texts are cut: they come from elsewhere.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Protocol

from pydantic import TypeAdapter

from control_room.head_count import HeadCount
from control_room.journal.conditions import Condition
from control_room.whole_mine import MineGateway
from scene.clock import Clock
from scene.messages import SiteDescription

LOST_STEP = 0.05
"""Shares of lost positions are told in steps of this, so that not every look is a new condition."""
MOST_BLIND, MOST_AREAS, MOST_CAMERAS, MOST_MARKS = 40, 100, 64, 3000
MOST_TEXT = 300
SITE: TypeAdapter[SiteDescription] = TypeAdapter(SiteDescription)


class Watched(Protocol):
    """A control room."""

    @property
    def heads(self) -> HeadCount:
        """Who counts heads, of all sites."""
        ...

    def how_it_is(self) -> dict[str, Any]:
        """Tell of the control room itself: `broker`, `trouble`, `operators`, `positions_lost`."""
        ...


class Looks:
    """Looks at a control room again and again; to be used by one thread."""

    def __init__(self, room: Watched) -> None:
        self._room = room
        self._roadways: dict[tuple[str, str], tuple[SiteDescription, str]] = {}

    def now(self, clock: Clock) -> Iterator[Condition]:
        """Give all conditions; each by the time at which it is asked, for counting may take long.

        A gateway that spoke later than the time it is asked for would look like a silent one.
        """
        told = self._room.how_it_is()
        own = {"broker": told["broker"], "trouble": told["trouble"][:MOST_TEXT]}
        yield _condition("room", "", "", own | {"operators": told["operators"]})
        for site in self._room.heads.sites():
            muster = self._room.heads.muster(site, clock.now_ns())
            if muster is None:
                continue
            yield _condition("heads", site, "", _heads(muster))
            for gateway in muster["never_heard"]:
                yield _condition("gateway", site, gateway, {"silent": True, "never_heard": True})
            for one in self._room.heads.gateways(site, clock.now_ns()):
                lost = told["positions_lost"].get(f"{site}/{one.gateway}", 0.0)
                yield _gateway(site, one, lost)
                if one.description is not None:
                    yield self._roadway(site, one.gateway, one.description)

    def _roadway(self, site: str, gateway: str, told: SiteDescription) -> Condition:
        before = self._roadways.get((site, gateway))
        if before is None or before[0] is not told:
            few = replace(
                told,
                stream_url="",
                zones=(),
                cameras=(),
                ruler=(),
                site_yaml="",
                landmarks=told.landmarks[:MOST_MARKS],
            )
            before = (told, json.dumps(SITE.dump_python(few, mode="json")))
            self._roadways[site, gateway] = before
        return Condition(what="roadway", site=site, gateway=gateway, body=before[1])


def _condition(
    what: str, site: str, gateway: str, body: dict[str, Any], same: object = ""
) -> Condition:
    return Condition(
        what=what,
        site=site,
        gateway=gateway,
        body=json.dumps(body, separators=(",", ":")),
        same=str(same),
    )


def _heads(muster: dict[str, Any]) -> dict[str, Any]:
    """Give of a muster what lasts: how many, how surely, where nobody can tell."""
    names = ("people", "at_least", "complete", "out_of_view", "unknown", "metres_seen", "metres")
    return {name: muster[name] for name in names} | {
        "uncounted": [one["gateway"] for one in muster["uncounted"]],
        "silent": [gateway for gateway, _ in muster["silent"]],
        "areas": [
            [one["zone"], one["people"], one["at_least"], one["metres_seen"], one["metres"]]
            for one in muster["areas"][:MOST_AREAS]
        ],
        "blind": [
            [one["from_x_m"], one["to_x_m"], ", ".join(one["gateways"])[:MOST_TEXT]]
            for one in muster["blind"][:MOST_BLIND]
        ],
        "more_areas": max(0, len(muster["areas"]) - MOST_AREAS),
        "more_blind": max(0, len(muster["blind"]) - MOST_BLIND),
    }


def _gateway(site: str, one: MineGateway, lost: float) -> Condition:
    """Tell of a gateway; figures in a reason that change all the time are no news."""
    health = one.health
    cameras = () if health is None else health.cameras
    body: dict[str, Any] = {
        "silent": one.silent_since_ns is not None,
        "told": health is not None,
        "cameras": {one.name: one.state for one in cameras[:MOST_CAMERAS]},
        "more_cameras": max(0, len(cameras) - MOST_CAMERAS),
        "degraded": "" if health is None else health.degraded[:MOST_TEXT],
        "clock_off_s": round(one.clock_off_s),
        "lost": round(math.ceil(lost / LOST_STEP) * LOST_STEP, 2),
    }
    same = body | {"degraded": bool(body["degraded"])}
    return _condition("gateway", site, one.gateway, body, json.dumps(same))
