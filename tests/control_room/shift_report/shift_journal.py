"""A journal of a made-up shift, written through the product's own writers as far as it goes."""

import json
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

from control_room.conditions import SITE as SITE_TYPE
from control_room.journal.conditions import (
    CONDITIONS,
    Condition,
    Stretches,
)
from control_room.journal.database import Place, open_database
from control_room.journal.journal import Journal
from control_room.journal.positions import POSITIONS
from control_room.lifecycle import Act, Key
from scene.messages import Anomaly, Landmark
from tests.control_room.fake_gateway import alarm, description

S = 1_000_000_000
T0 = 1_730_016_000 * S
"""2024-10-27T08:00Z; past on any clock."""
HOUR = 3600 * S
ROADWAY = replace(
    description(),
    landmarks=tuple(
        Landmark(name=str(n), kind="support", chainage_m=1.5 * n, reach_m=0.75)
        for n in range(1, 26)
    ),
)


def heads(people: int = 3, seen: int = 37, metres: int = 40, **changes: Any) -> dict[str, Any]:
    told: dict[str, Any] = {
        "people": people,
        "at_least": max(0, people - 1),
        "complete": seen == metres,
        "out_of_view": 0,
        "unknown": 0,
        "metres_seen": seen,
        "metres": metres,
        "uncounted": [],
        "silent": [],
        "areas": [["conveyor", people // 2, people // 2, 7, 7], [None, people, people, 0, 0]],
        "blind": [[0.0, 3.0, "gw1"]] if seen < metres else [],
        "more_blind": 0,
    }
    return told | changes


def gateway(cameras: dict[str, str] | None = None, **changes: Any) -> dict[str, Any]:
    told: dict[str, Any] = {
        "silent": False,
        "told": True,
        "cameras": {"c1": "ok", "c2": "ok"} if cameras is None else cameras,
        "degraded": "",
        "clock_off_s": 0,
        "lost": 0.0,
    }
    return told | changes


class ShiftJournal:
    """Writes what a test says happened; seconds count from `T0`."""

    def __init__(self, place: Place, site: str = "roadway") -> None:
        self.place, self.site = place, site
        Journal(place, required=True).close()

    def looks(
        self,
        from_s: float,
        to_s: float,
        *,
        room: dict[str, Any] | None = None,
        heads: dict[str, Any] | None = None,
        gateways: dict[str, dict[str, Any]] | None = None,
        every_s: float = 5.0,
    ) -> None:
        """Have a control room look from then to then and find the same each time."""
        own = {"broker": True, "trouble": "", "operators": 1} | (room or {})
        found = [("room", "", "", own)]
        if heads is not None:
            found.append(("heads", self.site, "", heads))
        for name, told in (gateways or {}).items():
            found.append(("gateway", self.site, name, told))
        conditions = [
            Condition(what=what, site=site, gateway=name, body=json.dumps(told))
            for what, site, name, told in found
        ]
        stretches, at_s = Stretches(), from_s
        while at_s < to_s:
            stretches.look(conditions, T0 + round(at_s * S), at_s)
            at_s += every_s
        stretches.look(conditions, T0 + round(to_s * S), to_s)
        self.write(stretches.take())

    def roadway(self, at_s: float = 0.0, gateway: str = "gw1") -> None:
        """Have a gateway describe itself."""
        body = json.dumps(SITE_TYPE.dump_python(ROADWAY, mode="json"))
        at_ns = T0 + round(at_s * S)
        self.write([("roadway", self.site, gateway, at_ns, at_ns + HOUR, body)])

    def write(self, rows: Sequence[tuple[object, ...]]) -> None:
        """Write rows of conditions as they are."""
        place = CONDITIONS.place_of(self.place)
        with closing(open_database(place, CONDITIONS.prepare)) as database:
            database.write(
                lambda session: session.change_all(CONDITIONS.insert, list(rows)), within_s=300.0
            )

    def alarms(self, words: Iterable[tuple[float, Anomaly]], gateway: str = "gw1") -> None:
        """Store alarms, each at so many seconds."""
        with closing(Journal(self.place, required=True)) as journal:
            for at_s, word in words:
                key = Key(site=self.site, gateway=gateway, alarm=word.id)
                journal.store(key, word, stored_at_ns=T0 + round(at_s * S))

    def act(self, alarm: str, at_s: float, action: Any, **changes: Any) -> None:
        """Have somebody do something with an alarm."""
        told: dict[str, Any] = {"by": "Li Wei", "reason": ""} | changes
        with closing(Journal(self.place, required=True)) as journal:
            key = Key(site=self.site, gateway="gw1", alarm=alarm)
            journal.note(key, Act(action=action, at_ns=T0 + round(at_s * S), **told))

    def positions(self, rows: Iterable[tuple[float, int, str | None]]) -> None:
        """Store places: seconds, track, worker."""
        found = [
            (
                *(self.site, "gw1", track, T0 + round(at_s * S), worker, "conveyor"),
                *(5.0, -1.0, 0.3, "upright", "certainly", T0 + round(at_s * S)),
            )
            for at_s, track, worker in rows
        ]
        with closing(open_database(POSITIONS.place_of(self.place), POSITIONS.prepare)) as database:
            database.write(
                lambda session: session.change_all(POSITIONS.insert, found), within_s=300.0
            )


def word(id: str, at_s: float, state: str = "active", **changes: Any) -> Anomaly:
    """One word on an alarm."""
    at_ns = T0 + round(at_s * S)
    raised_ns = T0 + round(changes.pop("raised_s", at_s) * S)
    return alarm(id, at_ns=at_ns, state=state, raised_at_ns=raised_ns, **changes)
