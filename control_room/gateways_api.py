"""Taking a gateway out of service over HTTP: its silence is meant then.

Knows nothing about gateways: it asks the `Room`. An error is one sentence (`sorry.py`).
"""

import asyncio
import json

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from control_room.access.gate import caller_of
from control_room.complaints import printable
from control_room.journal.schema import JournalError
from control_room.lifecycle import (
    MAX_NAME,
    MAX_REASON,
    OPERATOR,
    ActError,
    BadWish,
    NotNow,
    UnknownAlarm,
)
from control_room.no_journal import no_journal
from control_room.room import Room
from control_room.sorry import sorry

STATUS: dict[type[ActError], int] = {BadWish: 400, UnknownAlarm: 404, NotNow: 409}


def gateway_routes(room: Room) -> list[BaseRoute]:
    """Build the route `POST /api/gateways/take-out`: JSON with `site`, `gateway` and `reason`."""

    async def take_out(request: Request) -> Response:
        try:
            site, gateway, reason = _wish_of(await request.body())
            by = caller_of(request).name or OPERATOR
            await asyncio.to_thread(room.take_out, site, gateway, by=by, reason=reason)
            return JSONResponse({"site": site, "gateway": gateway, "by": by, "reason": reason})
        except ActError as error:
            return sorry(error, STATUS[type(error)])
        except JournalError as error:
            return no_journal(error)

    return [Route("/api/gateways/take-out", take_out, methods=["POST"])]


def _wish_of(body: bytes) -> tuple[str, str, str]:
    """Read a request; raises `BadWish`."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        raise BadWish("the body is no JSON") from None
    if not isinstance(said, dict):
        raise BadWish("take-out: the body must be a JSON object with site, gateway and reason")
    texts = []
    for name, most in (("site", MAX_NAME), ("gateway", MAX_NAME), ("reason", MAX_REASON)):
        text = said.get(name)
        if not isinstance(text, str) or len(text) > most:
            raise BadWish(f"{name}: a text of at most {most} characters is expected")
        texts.append(printable(" ".join(text.split())))
    site, gateway, reason = texts
    if not reason:
        raise BadWish("reason: give one; whoever comes next must understand why")
    return site, gateway, reason
