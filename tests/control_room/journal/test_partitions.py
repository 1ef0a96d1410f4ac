"""Side tables on a server are cut into pieces by time: old ones go, none is read in vain."""

import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from control_room.journal import side_log as journal_side_log
from control_room.journal.conditions import CONDITIONS, Condition, ConditionLog
from control_room.journal.database import Database, JournalError, Session, open_database
from control_room.journal.journal import Journal
from control_room.journal.options import Keeping, positions_kept
from control_room.journal.partitions import (
    AHEAD,
    Piece,
    divide,
    drop_pieces,
    is_divided,
    make_pieces,
    pieces_of,
    starts_ahead,
)
from control_room.journal.positions import POSITIONS, PositionLog
from control_room.journal.query import _TABLES, Question, _sql, answer
from control_room.journal.side_table import SideRow, SideTable
from scene.clock import ReplayClock, SystemClock
from tests.control_room.postgres import HANG_S, Postgres, wait_until

DAY_NS = 86_400_000_000_000
NOW_NS = 18_200 * DAY_NS + DAY_NS // 2
"""Noon, long before the server's clock."""
NEVER_NS = 2**62
OLD_POSITION = """
CREATE TABLE position (
    site TEXT NOT NULL, gateway TEXT NOT NULL, track {number} NOT NULL, at_ns {number} NOT NULL,
    worker TEXT, zones TEXT NOT NULL, x_m DOUBLE PRECISION NOT NULL,
    y_m DOUBLE PRECISION NOT NULL, sigma_m DOUBLE PRECISION NOT NULL, posture TEXT NOT NULL,
    certainty TEXT NOT NULL, seen_at_ns {number} NOT NULL,
    PRIMARY KEY (at_ns, site, gateway, track)
)"""
OLD_CONDITION = """
CREATE TABLE condition (
    what TEXT NOT NULL, site TEXT NOT NULL, gateway TEXT NOT NULL, from_ns {number} NOT NULL,
    until_ns {number} NOT NULL, body TEXT NOT NULL, PRIMARY KEY (what, site, gateway, from_ns)
)"""


def position(at_ns: int, track: int = 1, worker: str | None = "李伟") -> SideRow:
    place = (5.0, -1.0, 0.3, "upright", "certainly", at_ns)
    return ("roadway", "gw1", track, at_ns, worker, "", *place)


def stretch(at_ns: int) -> SideRow:
    return ("gateway", "roadway", "gw1", at_ns, at_ns, "{}")


ROWS: dict[str, Callable[[int], SideRow]] = {"position": position, "condition": stretch}


@pytest.fixture
def server_place(server: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    return server.new_database()


def pieces(database: Database, table: SideTable) -> list[Piece]:
    return database.read(lambda session: pieces_of(session, table))


def put(database: Database, table: SideTable, times_ns: list[int]) -> None:
    rows = [ROWS[table.name](at_ns) for at_ns in times_ns]
    database.write(lambda session: session.change_all(table.insert, rows))


def times(database: Database, table: SideTable, of: str = "") -> list[int]:
    name = of or table.name
    return [at for (at,) in database.rows(f"SELECT {table.time} FROM {name} ORDER BY {table.time}")]


def make(database: Database, table: SideTable, days: range) -> None:
    starts = [table.piece_ns * (NOW_NS // table.piece_ns + day) for day in days]
    database.write(lambda session: make_pieces(session, table, starts), within_s=60.0)


@pytest.fixture(params=[POSITIONS, CONDITIONS], ids=lambda table: table.name)
def table(request: pytest.FixtureRequest) -> SideTable:
    given: SideTable = request.param
    return given


def test_rows_of_odd_clocks_lie_in_the_default_piece_and_move_when_theirs_is_made(
    server_place: str, table: SideTable
) -> None:
    piece_ns = table.piece_ns
    with closing(open_database(server_place, table.prepare)) as database:
        make(database, table, range(1))
        there = [-(2**63), 0, NOW_NS, NOW_NS + piece_ns, 2**63 - 1]
        put(database, table, there)
        default = f"{table.name}_default"
        assert times(database, table, default) == [at for at in there if at != NOW_NS]
        make(database, table, range(3))
        assert times(database, table, default) == [-(2**63), 0, 2**63 - 1]
        assert times(database, table) == there
        assert [piece.from_ns for piece in pieces(database, table)[:-1]] == [
            piece_ns * (NOW_NS // piece_ns + day) for day in range(3)
        ]
        make(database, table, range(3))  # again: they are there
        assert len(pieces(database, table)) == 4


def test_old_pieces_go_as_a_whole_and_odd_rows_one_by_one(
    server_place: str, table: SideTable
) -> None:
    piece_ns = table.piece_ns
    with closing(open_database(server_place, table.prepare)) as database:
        make(database, table, range(-5, 1))
        put(database, table, [0, *(NOW_NS + day * piece_ns for day in range(-5, 1)), NEVER_NS])
        before_ns = NOW_NS - 2 * piece_ns
        asked: list[str] = []
        wide = drop_pieces(Watched(database, asked), table, before_ns)
        assert wide == [f"{table.name}_default"]
        assert [sql.split()[0] for sql in asked] == ["DROP"] * 3, "nothing is deleted row by row"
        kept = [NOW_NS + day * piece_ns for day in range(-2, 1)]
        assert times(database, table) == [0, *kept, NEVER_NS]
        for name in wide:
            database.write(lambda session: table.forget(session, name, before_ns, 10))  # noqa: B023
        assert times(database, table) == [*kept, NEVER_NS]
        drop_pieces(database, table, NOW_NS, all_to_ns=NOW_NS)
        assert times(database, table) == [NEVER_NS]


def test_a_piece_that_somebody_reads_keeps_no_other_from_going(
    server_place: str, table: SideTable
) -> None:
    with (
        closing(open_database(server_place, table.prepare)) as database,
        closing(open_database(server_place, table.check)) as other,
    ):
        make(database, table, range(-5, 1))
        oldest, *_ = pieces(database, table)

        def reading(session: Session) -> None:
            session.change(f"LOCK TABLE {oldest.name} IN ACCESS SHARE MODE")
            with pytest.raises(JournalError, match="lock timeout"):
                drop_pieces(database, table, NOW_NS - 2 * table.piece_ns)

        other.write(reading, within_s=60.0)
        assert len(began(database, table)) == 4, "it, and the three that are not old"
        drop_pieces(database, table, NOW_NS - 2 * table.piece_ns)
        assert len(began(database, table)) == 3


def test_a_clock_that_is_a_year_ahead_forgets_nothing_young(
    server_place: str, table: SideTable
) -> None:
    said, real_ns = list[str](), time.time_ns()
    days = [real_ns - DAY_NS, real_ns - 400 * DAY_NS]
    with closing(open_database(server_place, table.prepare)) as database:
        starts = [at_ns // table.piece_ns * table.piece_ns for at_ns in days]
        database.write(lambda session: make_pieces(session, table, starts))
        put(database, table, days)
        clock = ReplayClock(real_ns + 365 * DAY_NS)
        with closing(log_of(table, server_place, said, clock)):
            wait_until(lambda: days[1] not in times(database, table))
        assert days[0] in times(database, table)
    assert [line for line in said if "ahead of the database server's" in line] == said != []


class Watched(Database):
    """A database that notes what is changed."""

    def __init__(self, database: Database, asked: list[str]) -> None:
        self._database, self._asked = database, asked
        self.kind, self.name = database.kind, database.name

    def write(self, work: Any, *, within_s: float | None = None) -> Any:
        def watched(session: Session) -> Any:
            change = session.change

            def noted(sql: str, *values: object) -> int:
                self._asked.append(sql)
                return change(sql, *values)

            session.change = noted  # type: ignore[method-assign]
            return work(session)

        return self._database.write(watched, within_s=within_s)

    def read(self, work: Any) -> Any:
        return self._database.read(work)

    def close(self) -> None:
        self._database.close()


def undivided(database: Database) -> None:
    """Make the tables as Lamproom made them before they were cut into pieces."""
    for sql in (
        OLD_POSITION,
        "CREATE INDEX position_by_worker ON position (worker, at_ns) WHERE worker IS NOT NULL",
        OLD_CONDITION,
        "CREATE INDEX condition_by_until ON condition (until_ns)",
    ):
        database.write(lambda session: session.change(sql))  # noqa: B023


def test_a_table_of_an_older_lamproom_becomes_the_first_piece_and_loses_nothing(
    server_place: str, table: SideTable
) -> None:
    piece_ns = table.piece_ns
    there = [-5, 0, NOW_NS - 40 * piece_ns, NOW_NS, NOW_NS + piece_ns, NEVER_NS]
    with closing(open_database(server_place, undivided)) as database:
        put(database, table, there)
        odd = f'CREATE INDEX "Of the Mine" ON {table.name} ({table.expires})'
        database.write(lambda session: session.change(odd))
        whole = database.rows(f"SELECT * FROM {table.name} ORDER BY {table.time}")
        for _ in range(2):  # the second time there is nothing to do
            divide(server_place, table, NOW_NS)
            assert database.rows(f"SELECT * FROM {table.name} ORDER BY {table.time}") == whole
        former, *_, default = pieces(database, table)
        assert former.name == f"{table.name}_before"
        assert former.from_ns == -(2**63)
        assert NOW_NS < former.to_ns <= NOW_NS + piece_ns
        assert times(database, table, former.name) == there[:4]
        assert times(database, table, default.name) == [NEVER_NS]
        put(database, table, there)  # an older Lamproom goes on writing; nothing is doubled
        assert times(database, table) == there
        wide = drop_pieces(database, table, NOW_NS)
        assert wide == [former.name, default.name], "old rows in it are forgotten one by one"
        drop_pieces(database, table, former.to_ns + table.lasts_ns)
        assert times(database, table) == there[4:], "until all of it is old"


def test_dividing_that_is_cut_off_has_changed_nothing_and_is_done_again(
    server_place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0

    def cut_off_at(number: int) -> Callable[..., int]:
        def change(self: Session, sql: str, *values: object) -> int:
            nonlocal calls
            calls += 1
            if calls == number:
                raise JournalError("cut off")
            return real(self, sql, *values)

        return change

    real = Session.change
    with closing(open_database(server_place, undivided)) as database:
        put(database, POSITIONS, [0, NOW_NS, NOW_NS + DAY_NS])
        steps = 0
        while True:
            steps, calls = steps + 1, 0
            monkeypatch.setattr(Session, "change", cut_off_at(steps))
            try:
                divide(server_place, POSITIONS, NOW_NS)
            except JournalError:
                assert times(database, POSITIONS) == [0, NOW_NS, NOW_NS + DAY_NS]
                assert not database.read(lambda session: is_divided(session, POSITIONS))
                continue
            break
        assert steps > 8
        assert times(database, POSITIONS) == [0, NOW_NS, NOW_NS + DAY_NS]
        assert database.read(lambda session: is_divided(session, POSITIONS))


def log_of(table: SideTable, place: str, said: list[str], clock: ReplayClock) -> Any:
    if table is POSITIONS:
        return PositionLog(place, clock, said.append, batch_s=0.01)
    found = [Condition(what="gateway", site="roadway", gateway="gw1", body="{}")]
    return ConditionLog(place, clock, said.append, lambda: found, look_s=0.01)


def test_a_control_room_divides_the_table_makes_pieces_ahead_and_drops_old_ones(
    server_place: str, table: SideTable
) -> None:
    piece_ns, said, clock = table.piece_ns, list[str](), ReplayClock(NOW_NS)
    with closing(open_database(server_place, undivided)) as database:
        put(database, table, [NOW_NS - 400 * DAY_NS, NOW_NS - DAY_NS])
        with closing(log_of(table, server_place, said, clock)):
            wait_until(lambda: len(pieces(database, table)) > 1 + AHEAD)
            wait_until(lambda: NOW_NS - 400 * DAY_NS not in times(database, table))
            assert NOW_NS - DAY_NS in times(database, table)
            clock.sleep(2 * piece_ns / 1e9)
            # With each hour those that will be needed, before any row needs them.
            wait_until(lambda: starts_ahead(table, clock.now_ns()) <= began(database, table))
            clock.sleep(400 * 86_400)
            wait_until(lambda: min(began(database, table)) >= NOW_NS)
        assert said == []


def test_what_comes_while_a_table_is_divided_is_looked_at(
    server_place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That may take an hour."""
    looks, ended = 0, threading.Event()

    def look() -> list[Condition]:
        nonlocal looks
        looks += 1
        return [Condition(what="gateway", site="roadway", gateway="gw1", body="{}")]

    def long(*_: object) -> None:
        assert ended.wait(HANG_S)

    monkeypatch.setattr(journal_side_log, "divide", long)
    with closing(open_database(server_place, undivided)) as database:
        clock, said = ReplayClock(NOW_NS), list[str]()
        with closing(ConditionLog(server_place, clock, said.append, look, look_s=0.01)):
            wait_until(lambda: looks > 5)
            ended.set()
            wait_until(lambda: times(database, CONDITIONS) == [NOW_NS])
        assert said == []


def began(database: Database, table: SideTable) -> set[int]:
    return {piece.from_ns for piece in pieces(database, table) if not piece.is_default}


def test_where_no_piece_can_be_made_rows_are_kept_all_the_same_and_that_is_said(
    server_place: str,
) -> None:
    said, clock = list[str](), ReplayClock(NOW_NS)
    with closing(open_database(server_place, POSITIONS.prepare)) as database:
        day = time.strftime("%Y%m%d", time.gmtime(NOW_NS // 10**9))
        database.write(lambda session: session.change(f"CREATE TABLE position_{day} (x INT)"))
        with closing(PositionLog(server_place, clock, said.append, batch_s=0.01)) as log:
            log._make_pieces([position(NOW_NS)])
            log._insert([position(NOW_NS)])
            log._write()
        assert times(database, POSITIONS, "position_default") == [NOW_NS]
    assert any("lie in one piece" in line and "already exists" in line for line in said)


@pytest.mark.parametrize(
    ("wanted", "looked_into"),
    [
        ({"from_ns": NOW_NS, "to_ns": NOW_NS + 1}, 1),
        ({"from_ns": NOW_NS, "to_ns": NOW_NS + 1, "person": "李伟"}, 1),
        ({"from_ns": NOW_NS - DAY_NS, "to_ns": NOW_NS + 1, "site": "roadway"}, 2),
        ({"from_ns": NOW_NS - 3 * DAY_NS}, 3 + 1 + 1),
        ({"after": (NOW_NS, "roadway", "gw1", 0)}, 1 + 1),
        ({"after": (NOW_NS - 28 * DAY_NS, "a", "b", 1), "newest_first": True}, 1 + 1 + 1),
    ],
)
def test_a_question_reads_only_the_pieces_of_its_time(
    server_place: str, wanted: dict[str, Any], looked_into: int
) -> None:
    """The default piece counts where the time goes beyond those that there are."""
    with closing(open_database(server_place, POSITIONS.prepare)) as database:
        make(database, POSITIONS, range(-29, 1))
        put(database, POSITIONS, [NOW_NS + day * DAY_NS for day in range(-29, 1)])
        question = Question(what="positions", **wanted)
        sql, values = _sql(_TABLES["positions"], question, question.after, 100)
        plan = "\n".join(line for (line,) in database.rows(f"EXPLAIN {sql}", values))
        read = {piece.name for piece in pieces(database, POSITIONS) if f" {piece.name} " in plan}
        assert len(read) == looked_into, plan
        assert len(list(answer(database, question))) >= 1


def test_a_journal_of_an_older_lamproom_comes_to_answer_in_the_order_of_sqlite(
    server_place: str,
) -> None:
    """On a server that sorts otherwise the order would be another one."""
    texts = {
        "change": ("site", "gateway", "alarm", "state", "kind", "severity", "body"),
        "act": ("site", "gateway", "alarm", "action", "by", "reason"),
        "alarm": ("site", "gateway", "alarm", "kind", "place", "zone", "worker"),
        "audit": ("who", "what", "about", "body", "hash"),
    }
    Journal(server_place, required=True).close()
    with closing(open_database(server_place, lambda _: None)) as database:
        for table, columns in texts.items():
            each = ", ".join(f'ALTER {one} TYPE TEXT COLLATE "default"' for one in columns)
            database.write(lambda session: session.change(f"ALTER TABLE {table} {each}"))  # noqa: B023
        database.write(lambda session: session.change("DROP INDEX audit_by_time"))
        of_default = (
            "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(?) AND attnum > 0 "
            """AND attcollation = CAST('"default"' AS regcollation)"""
        )
        before = {table: len(database.rows(of_default, (table,))) for table in texts}
        assert before == {table: len(columns) for table, columns in texts.items()}
        fit = "SELECT 1 WHERE to_regclass('audit_by_time') IS NOT NULL"
        journal = Journal(server_place, required=True)
        assert database.rows(fit) == [], "who starts has alarms to take"
        with closing(journal), positions_kept(Keeping(), journal, SystemClock(), print):
            wait_until(lambda: bool(database.rows(fit)))
        assert [database.rows(of_default, (table,)) for table in texts] == [[]] * 4


def test_acts_of_a_day_are_found_by_pages_not_by_reading_all(server_place: str) -> None:
    Journal(server_place, required=True).close()
    with closing(open_database(server_place, lambda _: None)) as database:
        database.write(
            lambda session: session.change(
                "INSERT INTO audit SELECT n, n * CAST(1000000000 AS BIGINT), 'a', 'b', '', "
                "'{{}}', md5(CAST(n AS TEXT)) FROM generate_series(1, 60000) AS n"
            )
        )
        database.write(lambda session: session.change("ANALYZE audit"))
        question = Question(what="acts", from_ns=100 * 10**9, to_ns=200 * 10**9)
        sql, values = _sql(_TABLES["acts"], question, None, 100)
        plan = "\n".join(line for (line,) in database.rows(f"EXPLAIN {sql}", values))
        assert "audit_by_time" in plan, plan
