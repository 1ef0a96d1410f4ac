"""How the control room, its gateways and head-counts were, written down as stretches of time.

Knows nothing about what is in a condition. A stretch is kept for as long as what it says was looked
at again and again: where no stretch lies, nobody looked, and nobody may take that for all is well.
Like positions, it lies in a file of its own or goes through a connection of its own, and no alarm
ever waits for it.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from control_room.journal.database import Place
from control_room.journal.side_log import SideLog
from control_room.journal.side_table import SideRow, SideTable
from scene.clock import Clock

KEEP_DAYS = 90.0
LOOK_S = 5.0
"""So often is looked; whoever counts a large mine slowly is asked less often."""
FIRST_S = 2.0
"""The first look waits so long: who has just started has alarms to take."""
MOST_SHARE = 0.05
"""Looking takes at most this share of the time."""
GAP_S = 15.0
"""Longer than this between two looks (or twenty times what one takes), and nobody knows what was
between."""
STRETCH_NS = 6 * 3600 * 10**9
"""No stretch is longer: so who asks for a time needs to look back no further."""
MOST_KEYS = 2000
"""So many gateways and sites; more is a mistake or an attack."""
MOST_ROWS = 20_000
"""Rows that could not be written yet; then the oldest are dropped, which leaves a gap."""
CLOCK_OFF_NS = 2 * 10**9
"""By so much our clock may be set while a stretch goes on."""

CONDITIONS = SideTable(
    name="condition",
    many="conditions",
    ending=".conditions",
    columns="""
        what {text} NOT NULL,
        site {text} NOT NULL,
        gateway {text} NOT NULL,
        from_ns {number} NOT NULL,
        until_ns {number} NOT NULL,
        body {text} NOT NULL""",
    key=("what", "site", "gateway", "from_ns"),
    time="from_ns",
    expires="until_ns",
    # On a server `until_ns` has no index: so a stretch is carried on without writing one anew.
    sqlite_indexes=("CREATE INDEX condition_by_until ON condition (until_ns)",),
    insert="""
    INSERT INTO condition VALUES (?,?,?,?,?,?)
    ON CONFLICT (what, site, gateway, from_ns) DO UPDATE SET
        until_ns = excluded.until_ns, body = excluded.body
    WHERE excluded.until_ns > condition.until_ns
    """,
    # A hundredth of the positions' rows: weeks, for who asks which gateways there were looks into
    # all pieces.
    piece_ns=7 * 86_400_000_000_000,
    lasts_ns=STRETCH_NS + 3600 * 10**9,
    lock=7651232,
)

Key = tuple[str, str, str]
"""What, site and gateway."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """How something is now."""

    what: str
    """`room`, `heads`, `gateway` or `roadway`."""
    site: str
    gateway: str
    body: str
    """JSON in ASCII."""
    same: str = ""
    """What must be equal for it to be the same condition; empty: the body."""

    @property
    def key(self) -> Key:
        """Of what it is the condition."""
        return self.what, self.site, self.gateway


@dataclass(slots=True, kw_only=True)
class _Stretch:
    condition: Condition
    from_ns: int
    until_ns: int
    looked_s: float

    def row(self) -> SideRow:
        return (*self.condition.key, self.from_ns, self.until_ns, self.condition.body)


class Stretches:
    """Makes stretches of looks; to be used by one thread."""

    def __init__(self, gap_s: float = GAP_S) -> None:
        self._gap_s = gap_s
        self._open: dict[Key, _Stretch] = {}
        self._changed: dict[SideRow, SideRow] = {}
        self.left_out = False
        """Whether there were ever more than `MOST_KEYS`."""

    def look(
        self, found: Iterable[Condition], now_ns: int, now_s: float, *, gap_s: float = 0.0
    ) -> None:
        """Take what was found now, by the UTC and the monotonic clock."""
        gap_s = max(gap_s, self._gap_s)
        for one in found:
            before = self._open.get(one.key)
            if before is None and len(self._open) >= MOST_KEYS:
                self.left_out = True
                continue
            goes_on = before is not None and _follows(before, now_ns, now_s, gap_s)
            if before is not None and goes_on:  # what was so before was so until it changed
                before.until_ns, before.looked_s = now_ns, now_s
                self._note(before)
                if _same(before, one) and now_ns - before.from_ns < STRETCH_NS:
                    continue
            fresh = _Stretch(condition=one, from_ns=now_ns, until_ns=now_ns, looked_s=now_s)
            self._open[one.key] = fresh
            self._note(fresh)
        old = [key for key, one in self._open.items() if now_s - one.looked_s > gap_s]
        for key in old:
            del self._open[key]

    def take(self) -> list[SideRow]:
        """Give the rows that have changed since last time."""
        rows = [*self._changed.values()]
        self._changed.clear()
        return rows

    def _note(self, stretch: _Stretch) -> None:
        self._changed[*stretch.condition.key, stretch.from_ns] = stretch.row()


def _same(before: _Stretch, one: Condition) -> bool:
    was = before.condition
    return (was.same or was.body) == (one.same or one.body)


def _follows(before: _Stretch, now_ns: int, now_s: float, gap_s: float) -> bool:
    """Tell whether somebody looked not long ago, and nobody has set the clock since."""
    passed_s = now_s - before.looked_s
    off_ns = now_ns - before.until_ns - passed_s * 1e9
    return passed_s <= gap_s and now_ns >= before.until_ns and abs(off_ns) <= CLOCK_OFF_NS


class ConditionLog(SideLog):
    """Looks every few seconds, in a thread of its own, and writes down; close it at the end."""

    def __init__(
        self,
        place: Place,
        clock: Clock,
        say: Callable[[str], None],
        look: Callable[[], Iterable[Condition]],
        *,
        look_s: float = LOOK_S,
        keep_days: float = KEEP_DAYS,
    ) -> None:
        """Open the database beside the journal's; raises `JournalError`."""
        self._look, self._look_s = look, look_s
        self._stretches = Stretches()
        super().__init__(
            CONDITIONS,
            place,
            clock,
            say,
            keep_days=keep_days,
            most_rows=MOST_ROWS,
            first_s=min(look_s, FIRST_S),
        )

    def _gather(self) -> tuple[list[SideRow], float]:
        """Look; the longer that takes, the longer is waited before the next look."""
        began_s = time.thread_time()
        found = [*self._look()]
        pause_s = max(self._look_s, (time.thread_time() - began_s) / MOST_SHARE)
        self._stretches.look(
            found, self._clock.now_ns(), self._clock.monotonic_s(), gap_s=3 * pause_s
        )
        if self._stretches.left_out:
            self._say_once(
                f"there are more than {MOST_KEYS} gateways and sites; how the others are is not "
                "written down"
            )
        return self._stretches.take(), pause_s
