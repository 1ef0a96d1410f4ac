"""A made-up history, the same for each seed, written through the journal's own writers.

Names that sort otherwise by bytes than by language, times beyond any calendar, ties, what is none.
"""

import json
import random
from contextlib import closing
from typing import Any

from control_room.journal.conditions import CONDITIONS
from control_room.journal.database import Place, open_database
from control_room.journal.journal import Journal
from control_room.journal.positions import POSITIONS
from control_room.lifecycle import SEVERITIES, Act, Action, Key
from scene.alarms import ALARMS
from scene.messages import Anomaly
from tests.control_room.fake_gateway import alarm
from tests.control_room.shift_report.shift_journal import gateway, heads

S = 1_000_000_000
T0 = 1_730_016_000 * S
"""2024-10-27T08:00Z."""
HOUR = 3600 * S
HUGE = (-(2**62), -1, 0, 2**62)
NAMES = (
    "李伟",
    "王芳",
    "安全员",
    "Ärger",
    "Zeus",
    "ab",
    "aB",
    "AB",
    "_",
    "%",
    "a%b",
    "é",
    "🙂",
    "",
)
ZONES = ("conveyor", "Conveyor", "belt_1", "belt-1", "belt", "采煤工作面", "运输巷", "%", "z")
SITES, GATEWAYS = ("北门", "roadway", "Roadway", "西"), ("gw1", "gw_1", "网关 2", "GW1")


class History:
    """Writes to as many places as are given, the same into each."""

    def __init__(self, seed: int, *, alarms: int = 150, positions: int = 400) -> None:
        self.seed, self._alarms, self._positions = seed, alarms, positions

    def write(self, place: Place) -> None:
        """Write all."""
        chance = random.Random(self.seed)
        with closing(Journal(place, required=True)) as journal:
            said = [self._words(chance) for _ in range(self._alarms)]
            for hour in range(5):  # many come at once
                some = [(key, word) for key, words in said[hour::5] for word in words]
                journal.store_all(some, stored_at_ns=T0 + hour * 3 * HOUR)
            keys = [key for key, _ in said]
            for _ in range(self._alarms // 2):
                self._act(journal, chance, chance.choice(keys))
            journal.forget(T0 + HOUR // 4, now_ns=T0 + 50 * HOUR)
        for table, rows in (
            (POSITIONS, [self._position(chance) for _ in range(self._positions)]),
            (CONDITIONS, [self._condition(chance) for _ in range(self._positions // 4)]),
        ):
            with closing(open_database(table.place_of(place), table.prepare)) as database:
                database.write(lambda session: session.change_all(table.insert, rows))  # noqa: B023

    def _words(self, chance: random.Random) -> tuple[Key, list[Anomaly]]:
        """Make up what a gateway says of an alarm."""
        key = Key(
            site=chance.choice(SITES),
            gateway=chance.choice(GATEWAYS),
            alarm=f"{chance.choice(NAMES)}-{chance.randrange(40)}",
        )
        raised_ns, words = at(chance), list[Anomaly]()
        for _ in range(chance.randrange(1, 4)):
            fields: dict[str, Any] = {
                "raised_at_ns": raised_ns,
                "at_ns": raised_ns + chance.randrange(3) * HOUR,
                "state": chance.choice(("active", "active", "cleared")),
                "kind": chance.choice([*ALARMS]),
                "severity": chance.choice(SEVERITIES),
                "worker": chance.choice((None, *NAMES)),
                "track": chance.choice((None, 0, 7, 2**63 - 1)),
                "zone": chance.choice((None, *ZONES)),
                "camera": chance.choice((None, "c1")),
                "xyz_m": chance.choice((None, (1.5, -0.0, 1e300))),
                "evidence": chance.choice(("", "0.4 米", "\x00\u2028=1+1")),
            }
            words.append(alarm(key.alarm, **fields))
        return key, words

    def _act(self, journal: Journal, chance: random.Random, key: Key) -> None:
        who, at_ns = chance.choice(NAMES), at(chance)
        if chance.random() < 0.3:
            what = chance.choice(("log_in", "log_out", "export"))
            body = {"from": chance.choice(NAMES), "n": chance.choice((None, 1.5, 2**70))}
            journal.audit(who=who, what=what, at_ns=at_ns, about=chance.choice(NAMES), body=body)
            return
        action: Action = chance.choice(("acknowledge", "shelve", "unshelve", "end"))
        until_ns = at_ns + HOUR if action == "shelve" else None
        reason = chance.choice(("", "在看", "x" * 300))
        journal.note(key, Act(action=action, by=who, reason=reason, at_ns=at_ns, until_ns=until_ns))

    def _position(self, chance: random.Random) -> tuple[object, ...]:
        at_ns = at(chance)
        zones = ",".join(sorted(chance.sample(ZONES, chance.randrange(4))))
        worker, track = chance.choice((None, *NAMES)), chance.randrange(9)
        place = (chance.uniform(-40, 40), chance.choice((0.0, -1.0, 1e-300)), 0.3)
        told = (chance.choice(("upright", "lying")), "certainly", at_ns - chance.randrange(9) * S)
        return (
            chance.choice(SITES),
            chance.choice(GATEWAYS),
            track,
            at_ns,
            worker,
            zones,
            *place,
            *told,
        )

    def _condition(self, chance: random.Random) -> tuple[object, ...]:
        what = chance.choice(("room", "heads", "gateway"))
        from_ns = T0 + chance.randrange(24 * 60) * 60 * S
        told = {
            "room": {"broker": True, "trouble": "", "operators": 2},
            "heads": heads(people=chance.randrange(9)),
            "gateway": gateway(),
        }[what]
        site = "" if what == "room" else chance.choice(SITES)
        name = chance.choice(GATEWAYS) if what == "gateway" else ""
        return (
            what,
            site,
            name,
            from_ns,
            from_ns + chance.randrange(60) * 60 * S,
            json.dumps(told),
        )


def at(chance: random.Random) -> int:
    """Give a time in a day, often one that others have too, seldom one that no calendar has."""
    if chance.random() < 0.03:
        return chance.choice(HUGE)
    return T0 + chance.randrange(48) * HOUR // 2 + chance.choice((0, 0, 1, S))
