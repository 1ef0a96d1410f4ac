"""A side table on a PostgreSQL server, cut into pieces by time, so that old ones go as a whole.

Knows nothing about what is in a row. Deleting millions of rows costs as much as writing them and
leaves their room behind; a piece is dropped in no time, and questions about a day read that day
only (https://www.postgresql.org/docs/15/ddl-partitioning.html). Rows of times for which there is
no piece lie in the default piece and move when theirs is made.
"""

import contextlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from control_room.journal.database import (
    Database,
    JournalError,
    Place,
    Session,
    open_database,
)
from control_room.journal.side_table import SideTable

AHEAD = 2
"""So many pieces are made beyond the present one: rows never wait for a table to be made, and a
copy of the whole database, which locks that out, may take as long."""
MOST_PIECES_BACK = 4000
"""Older rows than so many pieces hold are of a clock that is wrong; theirs is the default piece."""
DROP_S = 60.0
"""So long at most a piece of many GB is dropped."""
PATIENCE_S = 3600.0
"""So long at most an undivided table is divided: some 40 s a GB on a busy machine."""

# Quoted where they need it: whoever looks after the server may have made some.
_INDEXES = (
    "SELECT CAST(oid::regclass AS TEXT), quote_ident('former_' || relname) "
    "FROM pg_index JOIN pg_class ON oid = indexrelid WHERE indrelid = to_regclass(?)"
)
_EARLIEST, _LATEST = -(2**63), 2**63 - 1
_BOUNDS = re.compile(r"FROM \((?:'(-?\d+)'|MINVALUE)\) TO \((?:'(-?\d+)'|MAXVALUE)\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One partition; its rows' times are from `from_ns` until before `to_ns`."""

    name: str
    from_ns: int
    to_ns: int
    is_default: bool


def is_divided(session: Session, table: SideTable) -> bool:
    """Tell whether the table is cut into pieces."""
    sql = "SELECT 1 FROM pg_partitioned_table WHERE partrelid = to_regclass(?)"
    return session.kind == "postgresql" and bool(session.rows(sql, table.name))


def pieces_of(session: Session, table: SideTable) -> list[Piece]:
    """List the pieces, the oldest first, as the server itself knows them."""
    rows = session.rows(
        "SELECT CAST(c.oid::regclass AS TEXT), pg_get_expr(c.relpartbound, c.oid) "
        "FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid "
        "WHERE i.inhparent = to_regclass(?)",
        table.name,
    )
    found = []
    for name, bounds in rows:
        if bounds is None:  # somebody has just dropped it
            continue
        given = _BOUNDS.search(bounds)
        start, end = given.groups() if given else (None, None)
        piece = Piece(
            name=name,
            from_ns=_EARLIEST if start is None else int(start),
            to_ns=_LATEST if end is None else int(end),
            is_default=given is None,
        )
        found.append(piece)
    return sorted(found, key=lambda piece: (piece.is_default, piece.from_ns))


def start_of(table: SideTable, at_ns: int) -> int:
    """Give where the piece begins in which a time lies."""
    return at_ns // table.piece_ns * table.piece_ns


def starts_for(table: SideTable, times_ns: Iterable[int], now_ns: int) -> set[int]:
    """Give where the pieces for these times begin, but of those of clocks that are far off."""
    here = start_of(table, now_ns)
    first, last = here - MOST_PIECES_BACK * table.piece_ns, here + AHEAD * table.piece_ns
    starts = {start_of(table, at_ns) for at_ns in times_ns}
    return {start for start in starts if first <= start <= last}


def starts_ahead(table: SideTable, now_ns: int) -> set[int]:
    """Give where the present piece and those to come begin."""
    here = start_of(table, now_ns)
    return {here + number * table.piece_ns for number in range(AHEAD + 1)}


def make_pieces(session: Session, table: SideTable, starts: Iterable[int]) -> None:
    """Make the pieces that begin there, where there are none; their rows move into them.

    Nothing is done to a table that is not divided.
    """
    if not is_divided(session, table):
        return
    session.rows(f"SELECT pg_advisory_xact_lock({table.lock})")
    there = pieces_of(session, table)
    default = next((piece.name for piece in there if piece.is_default), None)
    for start in sorted(starts):
        end = start + table.piece_ns
        if not any(one.from_ns < end and start < one.to_ns for one in there if not one.is_default):
            _make_piece(session, table, start, end, default)


def _make_piece(
    session: Session, table: SideTable, start: int, end: int, default: str | None
) -> None:
    day = datetime.fromtimestamp(start // 1_000_000_000, UTC)
    name = f"{table.name}_{day:%Y%m%d}"
    session.change(f"CREATE TABLE {name} (LIKE {table.name} INCLUDING ALL)")
    if default is not None:
        session.change(f"LOCK TABLE {default} IN ACCESS EXCLUSIVE MODE")
        _move(session, table, default, name, f">= {start} AND {table.time} < {end}")
    bounds = f"FOR VALUES FROM ({start}) TO ({end})"
    session.change(f"ALTER TABLE {table.name} ATTACH PARTITION {name} {bounds}")


def _move(session: Session, table: SideTable, source: str, target: str, which: str) -> None:
    session.change(
        f"WITH moved AS (DELETE FROM {source} WHERE {table.time} {which} RETURNING *) "
        f"INSERT INTO {target} SELECT * FROM moved"
    )


def drop_pieces(
    database: Database, table: SideTable, before_ns: int, *, all_to_ns: int | None = None
) -> list[str]:
    """Drop the pieces in which everything expired before then; gives which to look through.

    Those are the default piece and what lay in the table before it was divided: rows must be
    forgotten one by one there, and so in a table that is not divided. With `all_to_ns` all pieces
    that begin until then are dropped. Raises `JournalError` where one can't be, after the others.
    """
    if not database.read(lambda session: is_divided(session, table)):
        return [table.name]
    there = database.read(lambda session: pieces_of(session, table))
    wide, failed = list[str](), list[JournalError]()
    for piece in there:
        over = piece.to_ns + table.lasts_ns <= before_ns
        if all_to_ns is not None:
            over = piece.from_ns <= all_to_ns
        if over and not piece.is_default:
            # One each: a piece that somebody reads is dropped next time, the others now.
            try:
                database.write(
                    lambda session: session.change(f"DROP TABLE IF EXISTS {piece.name}"),  # noqa: B023
                    within_s=DROP_S,
                )
            except JournalError as error:
                failed.append(error)
        elif piece.to_ns - piece.from_ns > table.piece_ns:
            wide.append(piece.name)
    if failed:
        raise failed[0]
    return wide


def divide(place: Place, table: SideTable, now_ns: int) -> None:
    """Cut a table of an older Lamproom into pieces: all that is in it becomes the first one.

    All or nothing, and again where that was cut off. On a connection of its own, for the table is
    read once to see that it fits. Raises `JournalError`.
    """
    with contextlib.closing(open_database(table.place_of(place), table.prepare)) as database:
        database.write(lambda session: _divide(session, table, now_ns), within_s=PATIENCE_S)


def _divide(session: Session, table: SideTable, now_ns: int) -> None:
    session.rows(f"SELECT pg_advisory_xact_lock({table.lock})")
    if is_divided(session, table):
        return
    name, former = table.name, f"{table.name}_before"
    session.change(f"LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE")
    session.change(f"ALTER TABLE {name} RENAME TO {former}")
    for index, renamed in session.rows(_INDEXES, former):
        session.change(f"ALTER INDEX {index} RENAME TO {renamed}")
    session.order_by_bytes(former)
    table.make(session)
    end = start_of(table, now_ns) + table.piece_ns
    make_pieces(session, table, starts_ahead(table, end))
    _move(session, table, former, name, f">= {end}")
    session.change(
        f"ALTER TABLE {name} ATTACH PARTITION {former} FOR VALUES FROM (MINVALUE) TO ({end})"
    )
