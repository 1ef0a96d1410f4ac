"""What people did over the span, from the audit.

Knows nothing about pages. Whether anybody has changed the audit, `lamproom journal verify` tells.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from control_room.journal.audit import RETENTION
from control_room.journal.database import Database
from control_room.journal.query import Question, answer
from control_room.lifecycle import ACTIONS
from control_room.shift_report.span import Span

MOST_ROWS = 300
MOST_COUNTS = 500


@dataclass(slots=True, kw_only=True)
class ActTable:
    """All acts of the span."""

    rows: list[Mapping[str, Any]] = field(default_factory=list)
    """The first ones, in the order of time."""
    count: int = 0
    by_whom: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Who, and what."""
    uncounted: int = 0
    """Acts beyond `MOST_COUNTS` pairs of who and what."""
    refused: int = 0
    """Log-ins that were refused."""
    gaps: int = 0
    """Entries that could never be written."""


def act_table(database: Database, span: Span, site: str | None) -> ActTable:
    """Go through the audit; acts on another site's alarms are passed over.

    Raises `JournalError`.
    """
    told = ActTable()
    question = Question(what="acts", from_ns=span.from_ns, to_ns=span.to_ns)
    for _, row in answer(database, question):
        body = row["body"] if isinstance(row["body"], dict) else {}
        elsewhere = site is not None and not str(row["about"]).startswith(f"{site}/")
        if row["what"] in ACTIONS and elsewhere:
            continue
        told.count += 1
        if len(told.rows) < MOST_ROWS:
            told.rows.append({**row, "body": body})
        key = (row["who"], row["what"])
        if key in told.by_whom or len(told.by_whom) < MOST_COUNTS:
            told.by_whom[key] += 1
        else:
            told.uncounted += 1
        if row["what"] == "log_in_refused":
            told.refused += _whole(body.get("times"), 1)
        if row["what"] == "audit_gap":
            told.gaps += _whole(body.get("entries"), 1)
    return told


def forgotten_before_ns(database: Database) -> int | None:
    """Tell up to when alarms that were over have been forgotten; none where none were.

    Raises `JournalError`.
    """
    question = Question(what="acts", kind=RETENTION, newest_first=True, limit=1)
    for _, row in answer(database, question):
        before_ns = row["body"].get("before_ns") if isinstance(row["body"], dict) else None
        return before_ns if isinstance(before_ns, int) else None
    return None


def _whole(value: object, otherwise: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else otherwise
