"""What can be asked of the journal over HTTP: what happened when, where, to whom.

Knows nothing about who may ask; the gate before it does.
"""

import asyncio
import contextlib
import itertools
import json
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from control_room.journal import Journal
from control_room.journal_database import JournalError, Place
from control_room.journal_export import FORMATS, MEDIA, Format, with_times, written
from control_room.journal_query import (
    EARLIEST_NS,
    LATEST_NS,
    WHATS,
    Cursor,
    Question,
    QuestionError,
    What,
    answer,
    check,
    columns_of,
    open_for,
    time_ns,
)
from scene.clock import SystemClock
from scene.errors import LamproomError

MOST_ROWS, USUAL_ROWS = 1000, 100
AT_ONCE = 4
"""So many are answered at once; further ones are asked to come again."""
NAMES = (
    *("what", "from", "to", "person", "site", "gateway", "zone", "kind", "severity"),
    *("order", "after", "limit", "format"),
)
BAD, BUSY, NO_JOURNAL = 400, 503, 503

T = TypeVar("T", bound=str)
WhoOf = Callable[[Request], str]
"""Tells who asks."""


class BusyError(LamproomError):
    """So many ask the journal at once that nobody else can."""


def journal_routes(journal: Journal, who_of: WhoOf) -> list[BaseRoute]:
    """Build the route `GET /api/history`.

    It takes `what` (`alarms`, `acts`, `positions`), `from` and `to` (ISO 8601), `person`, `site`,
    `gateway`, `zone`, `kind`, `severity`, `order` (`newest`, `oldest`), `limit`, `after`, and gives
    `{"rows": [...], "after": ...}`: give `after` back for the rows that follow; it is null at the
    end. With `format` (`csv`, `json`) all rows come as a file, oldest first; that is written into
    the audit before, for a copy of where people were is an act.
    """
    place = journal.place
    free = threading.BoundedSemaphore(AT_ONCE)

    async def history(request: Request) -> Response:
        if place is None:
            return _sorry("a replay keeps no journal", 404)
        try:
            question, format = question_of(request.query_params)
        except QuestionError as error:
            return _sorry(error, BAD)
        try:
            if format is None:
                with _one_of(free):
                    return JSONResponse(await asyncio.to_thread(page_of, place, question))
            await asyncio.to_thread(
                journal.audit,
                who=who_of(request),
                what="export",
                about=question.what,
                at_ns=SystemClock().now_ns(),
                body=dict(request.query_params),
            )
            pieces = _pieces(place, question, format, free)
            first = await asyncio.to_thread(next, pieces)
        except BusyError as error:
            return _sorry(error, BUSY)
        except JournalError as error:
            return _sorry(error, NO_JOURNAL)
        name = f'attachment; filename="lamproom-{question.what}.{format}"'
        return StreamingResponse(
            itertools.chain([first], pieces),
            media_type=MEDIA[format],
            headers={"Content-Disposition": name},
        )

    return [Route("/api/history", history, methods=["GET"])]


def question_of(params: QueryParams) -> tuple[Question, Format | None]:
    """Read what is asked for, and whether as a file; raises `QuestionError`."""
    for name in params:
        if name not in NAMES:
            raise QuestionError(f"{name[:40]}: no such parameter; there are {', '.join(NAMES)}")
        if len(params.getlist(name)) > 1:
            raise QuestionError(f"{name}: give it once")
    what: What = _one(params, "what", WHATS) or "alarms"
    order = _one(params, "order", ("newest", "oldest"))
    format = _one(params, "format", FORMATS)
    limit = params.get("limit", str(USUAL_ROWS))
    if not (limit.isascii() and limit.isdecimal()) or not 1 <= int(limit[:9]) <= MOST_ROWS:
        raise QuestionError(f"limit: give a whole number, 1 to {MOST_ROWS}")
    question = Question(
        what=what,
        from_ns=time_ns(params["from"]) if params.get("from") else EARLIEST_NS,
        to_ns=time_ns(params["to"]) if params.get("to") else LATEST_NS,
        person=params.get("person") or None,
        site=params.get("site"),
        gateway=params.get("gateway"),
        zone=params.get("zone") or None,
        kind=params.get("kind") or None,
        severity=params.get("severity") or None,
        newest_first=format is None and order != "oldest",
        after=_cursor(params["after"]) if params.get("after") else None,
        limit=int(limit) if format is None else None,
    )
    check(question)
    return question, format


def page_of(place: Place, question: Question) -> dict[str, object]:
    """Give the rows that are asked for, and where the next ones begin; raises `JournalError`."""
    with contextlib.closing(open_for(place, question.what)) as database:
        found = list(answer(database, question))
    more = len(found) == question.limit
    return {
        "rows": [with_times(row) for _, row in found],
        "after": json.dumps(found[-1][0]) if found and more else None,
    }


def _pieces(
    place: Place, question: Question, format: Format, free: threading.BoundedSemaphore
) -> Iterator[str]:
    """Write the file; once begun, its slot is given back when it ends or is let go of."""
    with _one_of(free), contextlib.closing(open_for(place, question.what)) as database:
        rows = (row for _, row in answer(database, question))
        yield from written(rows, columns_of(question.what), format)


@contextlib.contextmanager
def _one_of(free: threading.BoundedSemaphore) -> Iterator[None]:
    """Take a slot; raises `BusyError` at once where there is none, so that no thread waits."""
    if not free.acquire(blocking=False):
        raise BusyError("many ask at once; ask again in a moment")
    try:
        yield
    finally:
        free.release()


def _one(params: QueryParams, name: str, allowed: tuple[T, ...]) -> T | None:
    text = params.get(name)
    if not text:
        return None
    for one in allowed:
        if text == one:
            return one
    raise QuestionError(f"{name}: give {', '.join(allowed)}")


def _cursor(text: str) -> Cursor:
    try:
        parts = json.loads(text)
    except (ValueError, RecursionError):
        parts = None
    if not isinstance(parts, list) or not all(
        isinstance(part, str) or (type(part) is int and abs(part) < 2**63) for part in parts
    ):
        raise QuestionError("after: is not from an answer to this question")
    return tuple(parts)


def _sorry(why: object, status: int) -> Response:
    return PlainTextResponse(f"{why}\n", status_code=status)
