"""Questions to the journal: what happened when, where, to whom; alarms, acts and positions.

Knows nothing about HTTP, files or formats. Rows come a page at a time, each page a short question
of its own, so that a long answer holds up nobody who writes meanwhile.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from control_room.journal.database import Database, Place, Row
from control_room.journal.entries import ENTRIES, ENTRY_WIDTH, entry_of
from control_room.journal.positions import POSITIONS
from control_room.journal.reading import open_to_read
from control_room.journal.schema import check as check_alarms
from control_room.lifecycle import SEVERITIES, Act, Entry
from scene.alarms import ALARMS
from scene.errors import LamproomError
from scene.messages import Anomaly

What = Literal["alarms", "acts", "positions"]
WHATS: tuple[What, ...] = get_args(What)
PAGE = 500
"""So many rows are asked for at once."""
EARLIEST_NS, LATEST_NS = -(2**63), 2**63 - 1

Found = dict[str, Any]
"""One row: names and plain values; those that end in `_at_ns` are UTC nanoseconds."""
Cursor = tuple[int | str, ...]
"""The place of a row in the order of time."""


class QuestionError(LamproomError):
    """The question itself is wrong; one sentence that says what to give."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked for; what is none does not matter."""

    what: What = "alarms"
    from_ns: int = EARLIEST_NS
    to_ns: int = LATEST_NS
    """From when (included) until when (not included). An alarm counts for as long as it was
    active, also where it began before or ended after."""
    person: str | None = None
    """A worker's name as gateways told it, or `#` and a track's number; of acts, who acted."""
    site: str | None = None
    gateway: str | None = None
    zone: str | None = None
    kind: str | None = None
    """Of an alarm; of acts, what was done."""
    severity: str | None = None
    newest_first: bool = False
    after: Cursor | None = None
    """Only what comes after this row in the order that is asked for."""
    limit: int | None = None


_NAMES = ("person", "site", "gateway", "zone", "kind", "severity")
NOT_OF: dict[What, tuple[str, ...]] = {
    "alarms": (),
    "acts": ("site", "gateway", "zone", "severity"),
    "positions": ("kind", "severity"),
}
"""By what each can't be asked."""


def time_ns(text: str) -> int:
    """Read a time, ISO 8601; without an offset it is this computer's local time.

    Raises `QuestionError`.

    >>> time_ns("2026-11-29T08:00:00Z")
    1795939200000000000
    """
    try:
        moment = datetime.fromisoformat(text.strip().replace(" ", "T", 1))
        whole = moment.replace(microsecond=0).timestamp()
    except (ValueError, OverflowError, OSError):
        raise QuestionError(
            f"{text[:60]!r} is no time; give e.g. 2026-11-29T08:00 or 2026-11-29T08:00:00Z"
        ) from None
    at_ns = int(whole) * 1_000_000_000 + moment.microsecond * 1000
    if not EARLIEST_NS < at_ns < LATEST_NS:
        raise QuestionError(f"{text[:60]!r} is too far away")
    return at_ns


def check(question: Question) -> None:
    """Raise `QuestionError` where it can't be answered."""
    for name in NOT_OF[question.what]:
        if getattr(question, name) is not None:
            raise QuestionError(f"{name}: {question.what} can't be asked for by it")
    if question.severity is not None and question.severity not in SEVERITIES:
        raise QuestionError(f"severity: give {', '.join(SEVERITIES)}")
    if question.what == "alarms" and question.kind not in (None, *ALARMS):
        raise QuestionError(
            f"kind: {question.kind!r} is no kind of alarm; give {', '.join(ALARMS)}"
        )
    if question.person is not None and question.person.startswith("#") and question.what != "acts":
        _track(question.person)
    if question.from_ns >= question.to_ns:
        raise QuestionError("from: must be earlier than to")
    names = {name: getattr(question, name) for name in _NAMES}
    for name, value in names.items():
        if value is not None and not can_be_stored(value):
            raise QuestionError(f"{name}: is no text that can be stored")
    if question.after is not None:
        kinds = tuple(type(part) for part in question.after)
        if kinds != _TABLES[question.what].kinds or not all(map(can_be_stored, question.after)):
            raise QuestionError("after: is not from an answer to this question")


def can_be_stored(value: int | str) -> bool:
    """Tell whether every database takes a value: PostgreSQL has no NUL, none has surrogates."""
    if isinstance(value, int):
        return EARLIEST_NS <= value <= LATEST_NS
    return "\0" not in value and not any("\ud800" <= letter <= "\udfff" for letter in value)


def columns_of(what: What) -> tuple[str, ...]:
    """Name what a row has, in order."""
    return _TABLES[what].columns


def open_for(place: Place, what: What) -> Database:
    """Open what a question is put to, for reading only; raises `JournalError`."""
    if what == "positions":
        return open_to_read(POSITIONS.place_of(place), POSITIONS.check)
    return open_to_read(place, check_alarms)


def answer(database: Database, question: Question) -> Iterator[tuple[Cursor, Found]]:
    """Give all rows in the order of time, each with its place; raises `JournalError`.

    Raises `QuestionError` before the first row.
    """
    check(question)
    return _answer(database, question)


def _answer(database: Database, question: Question) -> Iterator[tuple[Cursor, Found]]:
    table, after, left = _TABLES[question.what], question.after, question.limit
    while left is None or left > 0:
        page = PAGE if left is None else min(PAGE, left)
        rows = database.rows(*_sql(table, question, after, page))
        for row in rows:
            width = len(table.order)
            after = tuple(row[:width])
            yield after, table.read(row[width:])
        left = None if left is None else left - len(rows)
        if len(rows) < page:
            return


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    order: tuple[str, ...]
    """Columns that put rows in order, all different from row to row."""
    kinds: tuple[type, ...]
    """What they hold."""
    select: str
    """Has a WHERE, and `{order}` for the columns of `order`."""
    columns: tuple[str, ...]
    read: Callable[[Row], Found]
    by: dict[str, str]
    """Conditions, by the question's fields."""


def _sql(
    table: _Table, question: Question, after: Cursor | None, page: int
) -> tuple[str, list[object]]:
    conditions, values = list[str](), list[object]()
    for name, condition in table.by.items():
        value = getattr(question, name, None)
        if value in (None, EARLIEST_NS, LATEST_NS):
            continue
        if name == "person" and value[:1] == "#" and "person #" in table.by:
            condition, value = table.by["person #"], _track(value)  # noqa: PLW2901
        if name == "severity":
            value = SEVERITIES.index(value)
        conditions.append(condition)
        values.append(f",{value}," if condition == _IN_LIST else value)
    if after is not None:
        marks = ",".join("?" * len(after))
        sign = "<" if question.newest_first else ">"
        # The first alone as well: by that a server knows which pieces it need not look into.
        conditions.append(f"{table.order[0]} {sign}= ?")
        conditions.append(f"({', '.join(table.order)}) {sign} ({marks})")
        values += [after[0], *after]
    way = "DESC" if question.newest_first else "ASC"
    order = ", ".join(f"{column} {way}" for column in table.order)
    rest = "".join(f" AND {condition}" for condition in conditions)
    select = table.select.replace("{order}", ", ".join(table.order))
    return f"{select}{rest} ORDER BY {order} LIMIT ?", [*values, page]


def _track(person: str) -> int:
    if not (person[1:].isascii() and person[1:].isdecimal()) or len(person) > 18:
        raise QuestionError(
            f"person: {person[:40]!r} is no track; give # and its number, or a name"
        )
    return int(person[1:])


def _alarm(row: Row) -> Found:
    return alarm_row(entry_of(row[:ENTRY_WIDTH]), *row[ENTRY_WIDTH:])


def alarm_row(entry: Entry, zone: str | None, worker: str | None, track: int | None) -> Found:
    """Tell of an alarm, flat: its newest word, and as `raised_…` where and why it was raised."""
    last = entry.last
    x_m, y_m, z_m = last.xyz_m or (None, None, None)
    shelved, raised = entry.shelved, entry.raised
    values = (
        *(entry.key.site, entry.key.gateway, entry.key.alarm, last.kind, last.severity, last.state),
        *(last.raised_at_ns, entry.cleared_at_ns, entry.stored_at_ns),
        *(last.certainty, last.probability, worker, track, zone, last.camera, x_m, y_m, z_m),
        last.evidence,
        *((None,) * 6 if raised is None else _raised(raised)),
        *_done(entry.acknowledged),
        *_done(shelved),
        None if shelved is None else shelved.until_ns,
        *_done(entry.ending),
    )
    return dict(zip(_ALARM, values, strict=True))


def _raised(raised: Anomaly) -> tuple[object, ...]:
    place = raised.xyz_m or (None, None, None)
    return (*place, raised.probability, raised.certainty, raised.evidence)


def _done(act: Act | None) -> tuple[int | None, str | None, str | None]:
    return (None, None, None) if act is None else (act.at_ns, act.by, act.reason)


_ALARM = (
    *("site", "gateway", "alarm", "kind", "severity", "state"),
    *("raised_at_ns", "cleared_at_ns", "stored_at_ns"),
    *("certainty", "probability", "worker", "track", "zone", "camera", "x_m", "y_m", "z_m"),
    "evidence",
    *("raised_x_m", "raised_y_m", "raised_z_m"),
    *("raised_probability", "raised_certainty", "raised_evidence"),
    *("acknowledged_at_ns", "acknowledged_by", "acknowledged_reason"),
    *("shelved_at_ns", "shelved_by", "shelved_reason", "shelved_until_at_ns"),
    *("ended_at_ns", "ended_by", "ended_reason"),
)
_ACT = ("number", "at_ns", "who", "what", "about", "body", "hash")
_POSITION = (
    *("site", "gateway", "track", "at_ns", "worker", "zones", "x_m", "y_m", "sigma_m"),
    *("posture", "certainty", "seen_at_ns"),
)


def _act(row: Row) -> Found:
    found = dict(zip(_ACT, row, strict=True))
    return found | {"body": json.loads(found["body"])}


_IN_LIST = "{find}(',' || zones || ',', ?) > 0"
_SPAN = {"from_ns": "at_ns >= ?", "to_ns": "at_ns < ?"}
_TABLES: dict[What, _Table] = {
    "alarms": _Table(
        order=("a.raised_at_ns", "a.site", "a.gateway", "a.alarm"),
        kinds=(int, str, str, str),
        select=ENTRIES.replace("SELECT", "SELECT {order},", 1).replace(
            "\nFROM alarm", ", a.zone, a.worker, a.track\nFROM alarm", 1
        ),
        columns=_ALARM,
        read=_alarm,
        by={
            "from_ns": "(a.cleared_at_ns IS NULL OR a.cleared_at_ns >= ?)",
            "to_ns": "a.raised_at_ns < ?",
            "person": "a.worker = ?",
            "person #": "a.track = ?",
            "site": "a.site = ?",
            "gateway": "a.gateway = ?",
            "zone": "a.zone = ?",
            "kind": "a.kind = ?",
            "severity": "a.rank = ?",
        },
    ),
    "acts": _Table(
        order=("number",),
        kinds=(int,),
        select=f"SELECT {{order}}, {', '.join(_ACT)} FROM audit WHERE number > 0",
        columns=_ACT,
        read=_act,
        by=_SPAN | {"person": "who = ?", "kind": "what = ?"},
    ),
    "positions": _Table(
        order=("at_ns", "site", "gateway", "track"),
        kinds=(int, str, str, int),
        select=f"SELECT {{order}}, {', '.join(_POSITION)} FROM position WHERE 1 = 1",
        columns=_POSITION,
        read=lambda row: dict(zip(_POSITION, row, strict=True)),
        by=_SPAN
        | {
            "person": "worker = ?",
            "person #": "track = ?",
            "site": "site = ?",
            "gateway": "gateway = ?",
            "zone": _IN_LIST,
        },
    ),
}
