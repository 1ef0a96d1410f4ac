"""Rows of the journal as CSV or JSON, written as they come.

Knows nothing about databases or where the text goes.
"""

import csv
import io
import json
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, get_args

from control_room.journal.query import Found

Format = Literal["csv", "json"]
FORMATS: tuple[Format, ...] = get_args(Format)
MEDIA: dict[Format, str] = {"csv": "text/csv; charset=utf-8", "json": "application/json"}

_RISKY = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""A spreadsheet takes a cell that begins so for a formula
(https://owasp.org/www-community/attacks/CSV_Injection)."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def written(rows: Iterable[Found], columns: Iterable[str], format: Format) -> Iterator[str]:
    """Write rows as text, piece by piece; `columns` name what there is, also without any row.

    CSV has a head line and times as ISO 8601 in UTC; JSON is one list, a row a line, times both as
    text and as nanoseconds.
    """
    return _WRITERS[format](rows, list(columns))


def with_times(row: Found) -> Found:
    """Add to each `…_at_ns` the same time as text, `…_at`.

    >>> with_times({"at_ns": 1795939200123456789})
    {'at': '2026-11-29T08:00:00.123Z', 'at_ns': 1795939200123456789}
    """
    found: Found = {}
    for name, value in row.items():
        if name.endswith("at_ns"):
            found[name.removesuffix("_ns")] = None if value is None else moment(value)
        found[name] = value
    return found


def moment(at_ns: int) -> str:
    """Write a time in UTC, to the millisecond; one that no calendar has as its nanoseconds."""
    try:
        at = _EPOCH + timedelta(microseconds=at_ns // 1_000_000 * 1000)
    except OverflowError:
        return f"{at_ns} ns"
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def harmless(value: object) -> object:
    """Give a CSV cell that no spreadsheet runs; numbers stay numbers.

    >>> harmless("=1+1"), harmless(-1.5)
    ("'=1+1", -1.5)
    """
    if isinstance(value, dict):
        value = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, str):
        return value
    seen = next((i for i, letter in enumerate(value) if not _is_space(letter)), len(value))
    return f"'{value}" if value.startswith(_RISKY) or value.startswith(_RISKY, seen) else value


def _is_space(letter: str) -> bool:
    """Tell whether a spreadsheet may pass over it: space of any script, marks without width."""
    return letter.isspace() or unicodedata.category(letter) in ("Cc", "Cf")


def _csv(rows: Iterable[Found], columns: list[str]) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    names = [name.removesuffix("_ns") if name.endswith("at_ns") else name for name in columns]
    # Excel takes a file for UTF-8 only with this mark; names are Chinese.
    buffer.write("\ufeff")
    writer.writerow(names)
    for row in rows:
        timed: dict[str, Any] = with_times(row)
        writer.writerow([harmless(timed[name]) for name in names])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


def _json(rows: Iterable[Found], _columns: list[str]) -> Iterator[str]:
    lead = "[\n"
    for row in rows:
        yield lead + json.dumps(with_times(row), ensure_ascii=False)
        lead = ",\n"
    yield "\n]\n" if lead == ",\n" else "[]\n"


_WRITERS: dict[Format, Callable[[Iterable[Found], list[str]], Iterator[str]]] = {
    "csv": _csv,
    "json": _json,
}
