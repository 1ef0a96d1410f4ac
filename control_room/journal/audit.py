"""The audit: every act of a person, chained by hashes so that tampering is found.

Knows nothing about alarms beyond their names. Each entry holds the SHA-256 over the entry before it
and its own content, so none can be changed, taken out, put in or moved without breaking the chain
there. A chain that is cut off at its end, or calculated anew from some entry on, is whole in
itself: against that the number and hash of the newest entry, the head, are kept in a second place
(`heads_file.py`), and whoever prints or writes down a head can compare with that.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from control_room.journal.database import Database, Row, Session
from control_room.lifecycle import ACTIONS, Act, Key

AUDIT_TABLE = """
CREATE TABLE audit (
    number {number} PRIMARY KEY,
    at_ns {number} NOT NULL,
    who {text} NOT NULL,
    what {text} NOT NULL,
    about {text} NOT NULL,
    body {text} NOT NULL,
    hash {text} NOT NULL
)"""
START = "0" * 64
"""Stands before the first entry."""
RETENTION = "retention"
"""What the control room writes when it forgets old alarms; `before_ns` in the body says how old."""
MOST_TOLD = 20
"""So many faults are told; a chain that is torn everywhere is as bad."""
PAGE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """Who did what, about what, and when."""

    at_ns: int
    who: str
    what: str
    """`acknowledge`, `log_in` and the like."""
    about: str = ""
    """What was done to: an alarm as SITE/GATEWAY/ALARM, a user."""
    body: str = "{}"
    """More, as JSON text; what it says is never changed, so that its hash stays the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The newest entry of the chain."""

    number: int
    hash: str

    def __str__(self) -> str:
        """Write it as `--head` reads it."""
        return f"{self.number}:{self.hash}"


def act_entry(key: Key, act: Act) -> AuditEntry:
    """Write an act on an alarm as an entry of the audit."""
    return AuditEntry(
        at_ns=act.at_ns,
        who=act.by,
        what=act.action,
        about=f"{key.site}/{key.gateway}/{key.alarm}",
        body=as_body({"reason": act.reason, "until_ns": act.until_ns}),
    )


def as_body(fields: Mapping[str, Any]) -> str:
    """Write the fields as JSON, always in the same way."""
    return json.dumps(fields, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def append(session: Session, entry: AuditEntry, *, number: int | None = None) -> Head:
    """Add an entry at the chain's end, with the next number or a given higher one."""
    session.alone("audit")
    before = head_of(session)
    number = before.number + 1 if number is None else number
    hash = hash_of(before.hash, number, entry)
    session.change(
        "INSERT INTO audit VALUES (?,?,?,?,?,?,?)",
        *(number, entry.at_ns, entry.who, entry.what, entry.about, entry.body, hash),
    )
    return Head(number=number, hash=hash)


def head_of(session: Session) -> Head:
    """Give the newest entry's number and hash; number 0 of an empty chain."""
    found = session.rows("SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1")
    return Head(number=found[0][0], hash=found[0][1]) if found else Head(number=0, hash=START)


def hash_of(before: str, number: int, entry: AuditEntry) -> str:
    """Give the SHA-256, in hexadecimal, over the hash before and an entry's content.

    The content is a JSON list in ASCII without spaces, so that no two contents look the same.
    """
    content = [before, number, entry.at_ns, entry.who, entry.what, entry.about, entry.body]
    text = json.dumps(content, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def head_from(text: str) -> Head:
    """Read a head, NUMBER:HASH; raises ValueError."""
    number, colon, hash = text.partition(":")
    if (
        not colon
        or not number.isdecimal()
        or len(hash) != 64
        or set(hash) - set("0123456789abcdef")
    ):
        raise ValueError(f"{text[:80]!r} is no head; give NUMBER:HASH as `verify` prints it")
    return Head(number=int(number), hash=hash)


def faults_of(database: Database, kept: Sequence[Head]) -> tuple[Head, list[str]]:
    """Go through the whole chain; gives its head and what was found wrong, a sentence each.

    `kept` are heads from elsewhere: each must be in the chain, of one number all: whoever cuts the
    end off has the control room keep other ones of the same numbers. The table of acts on alarms
    is compared with it, too. Raises `JournalError`.
    """
    faults: list[str] = []
    wanted = {(head.number, head.hash) for head in kept}
    numbers = {head.number for head in kept}
    found: dict[int, str] = {}
    acted: dict[int, tuple[object, ...]] = {}
    forgotten_ns = 0
    head = Head(number=0, hash=START)
    for number, *content, hash in _entries(database):
        if not _is_sound(content, hash):
            faults.append(f"entry {number} holds what nobody here writes: it was changed")
            head = Head(number=number, hash=hash if isinstance(hash, str) else START)
            continue
        entry = AuditEntry(**dict(zip(_FIELDS, content, strict=True)))
        if hash != hash_of(head.hash, number, entry):
            gap = "" if number == head.number + 1 else f"; none stand from {head.number + 1} on"
            faults.append(
                f"entry {_name(number, entry)} does not fit to what stands before it{gap}: it was "
                "changed, moved or put in, or the one before it was changed or taken out"
            )
        head = Head(number=number, hash=hash)
        if number in numbers:
            found[number] = hash
        if entry.what in ACTIONS:
            acted[number] = _act_of(entry)
        elif entry.what == RETENTION:
            forgotten_ns = max(forgotten_ns, _before_ns(entry))
    for number, wanted_hash in sorted(wanted):
        if number > head.number:
            faults.append(
                f"the chain ends with entry {head.number}, but entry {number} was there: "
                "its end was cut off"
            )
        elif number and found.get(number) != wanted_hash:
            faults.append(
                f"entry {number} is not the one whose hash was kept: entries up to it were "
                "written anew"
            )
    faults += _faults_of_acts(database, acted, forgotten_ns, head)
    return head, faults


def _is_sound(content: Sequence[object], hash: object) -> bool:
    """Tell whether an entry holds a time and texts; SQLite lets anything be written in any place.

    A byte that is no UTF-8 is read as a lone surrogate.
    """
    at_ns, *texts = (*content, hash)
    return type(at_ns) is int and all(
        isinstance(text, str) and not any("\ud800" <= letter <= "\udfff" for letter in text)
        for text in texts
    )


_ENTRY = "SELECT 1 FROM audit WHERE number = ?"
_FIELDS = ("at_ns", "who", "what", "about", "body")


def _entries(database: Database) -> Iterator[Row]:
    """Give all entries, a page at a time: whoever writes meanwhile need not wait."""
    last = -(2**63)
    while True:
        page = database.rows(
            "SELECT number, at_ns, who, what, about, body, hash FROM audit WHERE number > ? "
            "ORDER BY number LIMIT ?",
            (last, PAGE),
        )
        yield from page
        if len(page) < PAGE:
            return
        last = page[-1][0]


def _faults_of_acts(
    database: Database, acted: dict[int, tuple[object, ...]], forgotten_ns: int, head: Head
) -> Iterator[str]:
    """Compare the acts that the page shows with the chain up to its head."""
    last = -(2**63)
    while True:
        page = database.rows(
            "SELECT number, site, gateway, alarm, action, by, reason, at_ns, until_ns FROM act "
            "WHERE number > ? ORDER BY number LIMIT ?",
            (last, PAGE),
        )
        for number, site, gateway, alarm, *act in page:
            told = acted.pop(number, None)
            if number > head.number and database.rows(_ENTRY, (number,)):
                continue  # done meanwhile
            if told is None:
                yield f"act {number} on {site}/{gateway}/{alarm} is not in the audit: it was put in"
            elif told != (f"{site}/{gateway}/{alarm}", *act):
                yield f"act {number} on {told[0]} is not as the audit has it: it was changed"
        if len(page) < PAGE:
            break
        last = page[-1][0]
    for number, (about, *_, at_ns, _until_ns) in acted.items():
        if not isinstance(at_ns, int) or at_ns >= forgotten_ns:
            yield f"act {number} on {about} is in the audit only: it was taken out"


def _act_of(entry: AuditEntry) -> tuple[object, ...]:
    body = _fields(entry)
    return (
        entry.about,
        entry.what,
        entry.who,
        body.get("reason"),
        entry.at_ns,
        body.get("until_ns"),
    )


def _before_ns(entry: AuditEntry) -> int:
    before_ns = _fields(entry).get("before_ns")
    return before_ns if isinstance(before_ns, int) else 0


def _fields(entry: AuditEntry) -> dict[str, Any]:
    try:
        body = json.loads(entry.body)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _name(number: int, entry: AuditEntry) -> str:
    return f"{number} ({moment(entry.at_ns)}, {entry.what} by {entry.who})"


def moment(at_ns: int) -> str:
    """Write a time in UTC, to the second; one that no calendar has as its nanoseconds."""
    try:
        return datetime.fromtimestamp(at_ns / 1e9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError):
        return f"{at_ns} ns"
