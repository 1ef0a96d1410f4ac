"""The journal's history on PostgreSQL: rows a second, bytes a row, questions, forgetting.

Knows nothing about gateways. A server of its own, whose disk is not flushed; positions of 30 days
in pieces of a day each, and the same once more in one piece for comparison.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import closing

from control_room.journal.database import Database, Session, open_database
from control_room.journal.partitions import drop_pieces, make_pieces
from control_room.journal.positions import POSITIONS
from control_room.journal.query import Question, answer
from control_room.journal.side_log import AT_ONCE
from tests.control_room.postgres import NO_POSTGRES, has_postgres, postgres

DAY_NS = 86_400_000_000_000
FIRST_NS = 20_700 * DAY_NS
DAYS, ROWS_A_DAY, WRITTEN = 30, 20_000, 20_000
TRIES = 9
_FILL = """
INSERT INTO position
SELECT 'north-gate', 'gw' || MOD(n, 4), MOD(n, 20), {0} + (n / 20) * {1},
       CASE WHEN MOD(n, 2) = 0 THEN '矿工' || MOD(n, 20) END, 'conveyor', MOD(n, 40), 1, 0.3,
       'upright', 'certainly', {0} + (n / 20) * {1}
FROM generate_series(0, {2}) AS n
"""
"""Twenty people, a row each every so often."""


def measure() -> dict[str, float | str]:
    """Measure all."""
    if not has_postgres():
        raise FileNotFoundError(NO_POSTGRES)
    with postgres() as server:
        pieces, whole, written = (server.new_database() for _ in range(3))
        with (
            closing(open_database(pieces, POSITIONS.prepare)) as divided,
            closing(open_database(whole, POSITIONS.prepare)) as undivided,
            closing(open_database(written, POSITIONS.prepare)) as fresh,
        ):
            figures = _writing(fresh)
            starts = [FIRST_NS + day * DAY_NS for day in range(DAYS)]
            divided.write(lambda session: make_pieces(session, POSITIONS, starts))
            _fill(divided, 0, 1)
            one_day_s = _ask(divided)
            _fill(divided, 1, DAYS)
            _fill(undivided, 0, DAYS)
            all_s = _ask(divided)
            figures |= {
                "history.track_hour_ms": 1000 * all_s,
                "history.track_hour_30_days_to_1": all_s / one_day_s,
                "history.track_hour_one_piece_to_30": _ask(undivided) / all_s,
            }
            figures |= _forgetting(divided, undivided)
    return figures


def _writing(database: Database) -> dict[str, float | str]:
    """Write rows as the control room does, and once more, as who goes on after a kill."""
    place = ("矿工", "conveyor", 5.123, -1.5, 0.31, "upright", "certainly", FIRST_NS)
    rows = [
        ("north-gate", "gw1", n % 20, FIRST_NS + n // 20 * 10_000_000_000, *place)
        for n in range(WRITTEN)
    ]
    database.write(lambda session: make_pieces(session, POSITIONS, [FIRST_NS]))
    first_s, again_s = (_timed(lambda: _write(database, rows)) for _ in range(2))
    ((size, count),) = database.rows(
        "SELECT (SELECT SUM(pg_total_relation_size(inhrelid)) FROM pg_inherits "
        "WHERE inhparent = to_regclass('position')), COUNT(*) FROM position"
    )
    assert count == WRITTEN
    return {
        "history.rows_written_per_s": WRITTEN / first_s,
        "history.rows_written_again_per_s": WRITTEN / again_s,
        "history.bytes_per_row": float(size) / count,
    }


def _write(database: Database, rows: Sequence[tuple[object, ...]]) -> None:
    for first in range(0, len(rows), AT_ONCE):
        batch = rows[first : first + AT_ONCE]
        database.write(lambda session: session.change_all(POSITIONS.insert, batch))  # noqa: B023


def _fill(database: Database, first: int, end: int) -> None:
    """Write the rows of these days, from the first until before the end."""

    def work(session: Session) -> None:
        step_ns = DAY_NS // (ROWS_A_DAY // 20)
        count = (end - first) * ROWS_A_DAY
        session.change(_FILL.format(FIRST_NS + first * DAY_NS, step_ns, count - 1))
        session.change("ANALYZE position")

    database.write(work, within_s=600.0)


def _ask(database: Database) -> float:
    """Ask where one person was in one hour of the first day; gives seconds."""
    question = Question(
        what="positions", person="#6", from_ns=FIRST_NS, to_ns=FIRST_NS + DAY_NS // 24
    )
    found = 0

    def work() -> None:
        nonlocal found
        found = len(list(answer(database, question)))

    took_s = statistics.median(_timed(work) for _ in range(TRIES))
    assert found > 10
    return took_s


def _forgetting(divided: Database, undivided: Database) -> dict[str, float | str]:
    """Forget a day: drop its piece, against deleting its rows as SQLite does."""
    before_ns = FIRST_NS + DAY_NS
    dropped_s = _timed(lambda: drop_pieces(divided, POSITIONS, before_ns))

    def delete() -> None:
        done = AT_ONCE
        while done == AT_ONCE:
            done = undivided.write(
                lambda session: POSITIONS.forget(session, "position", before_ns, AT_ONCE)
            )

    deleted_s = _timed(delete)
    for database in (divided, undivided):
        ((count,),) = database.rows("SELECT COUNT(*) FROM position")
        assert count == (DAYS - 1) * ROWS_A_DAY
    return {"history.forget_by_rows_to_by_piece": deleted_s / dropped_s}


def _timed(work: Callable[[], object]) -> float:
    began_s = time.perf_counter()
    work()
    return time.perf_counter() - began_s
