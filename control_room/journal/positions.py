"""Where people were, thinned by time, for those who ask later.

Knows nothing about alarms, which never wait for it, or about how rows are written
(`side_log.py`).
"""

import math
import queue
from collections.abc import Callable

from control_room.journal.database import Place
from control_room.journal.side_log import SideLog
from control_room.journal.side_table import SideTable
from control_room.journal.thinning import EVERY_S, MOST_PEOPLE, Row, Thinning
from scene.clock import Clock
from scene.messages import Positions, SiteDescription, ZoneDescription
from scene.topics import Address
from scene.wire import Envelope

KEEP_DAYS = 30.0
LOOK_S = 1.0
"""Of each gateway one message in so long is looked at: a change is written so late at most."""
BATCH_S = 2.0
MOST_WAITING = 1000
"""Messages that nobody has looked at yet."""
MOST_ROWS = 100_000
"""Rows that could not be written yet: half an hour of a hundred people, some 30 MB."""

POSITIONS = SideTable(
    name="position",
    many="positions",
    ending=".positions",
    columns="""
        site {text} NOT NULL,
        gateway {text} NOT NULL,
        track {number} NOT NULL,
        at_ns {number} NOT NULL,
        worker {text},
        zones {text} NOT NULL,
        x_m DOUBLE PRECISION NOT NULL,
        y_m DOUBLE PRECISION NOT NULL,
        sigma_m DOUBLE PRECISION NOT NULL,
        posture {text} NOT NULL,
        certainty {text} NOT NULL,
        seen_at_ns {number} NOT NULL""",
    key=("at_ns", "site", "gateway", "track"),
    time="at_ns",
    expires="at_ns",
    indexes=(
        "CREATE INDEX position_by_worker ON position (worker, at_ns) WHERE worker IS NOT NULL",
    ),
    insert="INSERT INTO position VALUES (?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING",
    # A hundred gateways write some 20 million rows a day: 4 GB that are forgotten at once.
    piece_ns=86_400_000_000_000,
    lock=7651231,
)


class PositionLog(SideLog):
    """Hears positions and writes down some; close it when nothing comes any more."""

    def __init__(
        self,
        place: Place,
        clock: Clock,
        say: Callable[[str], None],
        *,
        every_s: float | None = EVERY_S,
        keep_days: float = KEEP_DAYS,
        batch_s: float = BATCH_S,
        prune_more: Callable[[], object] = lambda: None,
    ) -> None:
        """Open the database beside the journal's; raises `JournalError`.

        Without `every_s` nothing is written, and old positions are forgotten all the same.
        `prune_more` is called, in the log's own thread, whenever old positions are forgotten.
        """
        self._batch_s = batch_s
        self._thinning = None if every_s is None else Thinning(every_s=every_s)
        self._looked_s: dict[tuple[str, str], float] = {}
        self._zones: dict[tuple[str, str], tuple[ZoneDescription, ...]] = {}
        self._waiting: queue.Queue[tuple[tuple[str, str], Positions, float]] = queue.Queue(
            MOST_WAITING
        )
        super().__init__(
            POSITIONS,
            place,
            clock,
            say,
            keep_days=keep_days,
            most_rows=MOST_ROWS,
            first_s=batch_s,
            prune_more=prune_more,
        )

    def hear(self, address: Address, envelope: Envelope) -> None:
        """Take one MQTT message; never waits."""
        place, body = (address.site, address.gateway), envelope.body
        if isinstance(body, SiteDescription):
            if place in self._zones or len(self._zones) < MOST_PEOPLE:
                self._zones[place] = body.zones
            return
        if not isinstance(body, Positions) or self._thinning is None:
            return
        now_s = self._clock.monotonic_s()
        if now_s - self._looked_s.get(place, -math.inf) < LOOK_S:
            return
        if place not in self._looked_s and len(self._looked_s) >= MOST_PEOPLE:
            return
        self._looked_s[place] = now_s
        try:
            self._waiting.put_nowait((place, body, now_s))
        except queue.Full:
            self.dropped += 1

    def _gather(self) -> tuple[list[Row], float]:
        """Thin out what was heard."""
        found = list[Row]()
        if self._thinning is not None:
            now_s = self._clock.monotonic_s()
            while not self._waiting.empty():  # nobody else takes anything out
                place, said, heard_s = self._waiting.get_nowait()
                zones = self._zones.get(place, ())
                found += self._thinning.rows(place, said, zones, heard_s)
            found += self._thinning.silent(now_s)
        return found, self._batch_s
