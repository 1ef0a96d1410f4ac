"""What can be asked of the journal over HTTP: what happened when, where, to whom.

Knows nothing about who may ask; the gate before it does.
"""

import asyncio
import contextlib
import itertools
import json
from collections.abc import Callable, Generator, Iterator
from typing import Any, TypeVar

from starlette.datastructures import QueryParams
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route
from starlette.types import Message, Receive, Scope, Send

from control_room.journal.database import JournalError, Place
from control_room.journal.export import FORMATS, MEDIA, Format, with_times, written
from control_room.journal.journal import Journal
from control_room.journal.query import (
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
from control_room.no_journal import no_journal
from control_room.sorry import sorry
from control_room.turns import BusyError, Turns
from scene.clock import SystemClock

MOST_ROWS, USUAL_ROWS = 1000, 100
EXPORTS = 4
"""So many files are written at once; who wants a further one is asked to come again."""
STALLED_S = 10.0
"""Who takes nothing of a file for so long gets no more of it."""
PIECE = 16_384
"""Characters that are sent at once."""
NAMES = (
    *("what", "from", "to", "person", "site", "gateway", "zone", "kind", "severity"),
    *("order", "after", "limit", "format"),
)
BAD, BUSY = 400, 503

T = TypeVar("T", bound=str)
WhoOf = Callable[[Request], str]
"""Tells who asks."""


def journal_routes(journal: Journal, who_of: WhoOf, reading: Turns) -> list[BaseRoute]:
    """Build the route `GET /api/history`; whoever reads rows takes a turn of `reading`.

    It takes `what` (`alarms`, `acts`, `positions`), `from` and `to` (ISO 8601), `person`, `site`,
    `gateway`, `zone`, `kind`, `severity`, `order` (`newest`, `oldest`), `limit`, `after`, and gives
    `{"rows": [...], "after": ...}`: give `after` back for the rows that follow; it is null at the
    end. With `format` (`csv`, `json`) all rows come as a file, oldest first, to each one at a time;
    that is written into the audit before, for a copy of where people were is an act.
    """
    place = journal.place
    slots = Slots(EXPORTS)

    async def history(request: Request) -> Response:
        if place is None:
            return sorry("a replay keeps no journal", 404)
        try:
            question, format = question_of(request.query_params)
        except QuestionError as error:
            return sorry(error, BAD)
        try:
            if format is None:
                async with reading.turn():
                    return await asyncio.to_thread(lambda: JSONResponse(page_of(place, question)))
            return await export(request, place, question, format)
        except BusyError as error:
            return sorry(error, BUSY)
        except JournalError as error:
            return no_journal(error)

    async def export(
        request: Request, place: Place, question: Question, format: Format
    ) -> Response:
        who = who_of(request)
        with contextlib.ExitStack() as held:
            held.enter_context(slots.one(who))
            await asyncio.to_thread(
                journal.audit,
                who=who,
                what="export",
                about=question.what,
                at_ns=SystemClock().now_ns(),
                body=dict(request.query_params),
            )
            pieces = _pieces(place, question, format)
            held.callback(pieces.close)
            first = await asyncio.to_thread(next, pieces)
            name = f'attachment; filename="lamproom-{question.what}.{format}"'
            return _File(
                itertools.chain([first], pieces),
                held.pop_all(),
                media_type=MEDIA[format],
                headers={"Content-Disposition": name},
            )

    return [Route("/api/history", history, methods=["GET"])]


class Slots:
    """So many exports at once, and one of each person. To be used in one event loop."""

    def __init__(self, most: int) -> None:
        self._most, self._theirs = most, set[str]()

    @contextlib.contextmanager
    def one(self, who: str) -> Iterator[None]:
        """Hold a slot; raises `BusyError` at once where there is none."""
        if who in self._theirs:
            raise BusyError("a file is on its way to you; wait until it is there")
        if len(self._theirs) >= self._most:
            raise BusyError
        self._theirs.add(who)
        try:
            yield
        finally:
            self._theirs.discard(who)


class _File(StreamingResponse):
    """A file that is written as it is read; whoever stops reading loses it, and the slot."""

    def __init__(self, pieces: Iterator[str], held: contextlib.ExitStack, **more: Any) -> None:
        super().__init__(pieces, **more)
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; `held` is let go of when it ends, however it does."""

        async def send_in_time(message: Message) -> None:
            if message["type"] == "http.response.body" and not message.get("more_body"):
                self._held.close()  # before the last of it: who has it may ask for the next one
            await asyncio.wait_for(send(message), STALLED_S)

        # A file without its end: the browser says that it failed.
        with self._held, contextlib.suppress(TimeoutError, ClientDisconnect):
            await super().__call__(scope, receive, send_in_time)


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


def _pieces(place: Place, question: Question, format: Format) -> Generator[str]:
    """Write the file, in pieces that are worth sending."""
    with contextlib.closing(open_for(place, question.what)) as database:
        rows = (row for _, row in answer(database, question))
        some, length = list[str](), 0
        for text in written(rows, columns_of(question.what), format):
            some.append(text)
            length += len(text)
            if length >= PIECE:
                yield "".join(some)
                some, length = [], 0
        if some:
            yield "".join(some)


def _one(params: QueryParams, name: str, allowed: tuple[T, ...]) -> T | None:
    text = params.get(name)
    if text is None:
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
