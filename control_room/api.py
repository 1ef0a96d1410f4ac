"""What can be asked of the control room over HTTP: operators' acts on alarms, and the alarm rate.

Knows nothing about how alarms live: it asks the `Room`. An error is one sentence of plain text.
"""

import asyncio
import json
from dataclasses import asdict
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from control_room.journal_schema import JournalError
from control_room.lifecycle import ActError, BadWish, NotNow, UnknownAlarm, wish_of
from control_room.room import Room

MAX_BODY_BYTES = 65_536
STATUS: dict[type[ActError], int] = {BadWish: 400, UnknownAlarm: 404, NotNow: 409}
FOREIGN, NO_JOURNAL = 403, 503


def api_routes(room: Room) -> list[BaseRoute]:
    """Build the routes.

    `POST /api/alarms/{acknowledge,shelve,unshelve,end}` takes what `lifecycle.wish_of` reads, from
    our own page only, and gives the alarm as viewers are told it. `GET /api/alarm-rate` gives
    `alarm_rate.AlarmRate`. `GET /api/muster/{site}` gives the head-count (`muster.to_json`).
    """

    async def act(request: Request) -> Response:
        if not is_ours(request):
            return _sorry("only the control room's own page may act", FOREIGN)
        try:
            wish = wish_of(request.path_params["action"], await _json(request))
            return JSONResponse(await asyncio.to_thread(room.do, wish))
        except ActError as error:
            return _sorry(error, STATUS[type(error)])
        except JournalError as error:
            return _sorry(error, NO_JOURNAL)

    async def alarm_rate(_request: Request) -> Response:
        try:
            return JSONResponse(asdict(await asyncio.to_thread(room.alarm_rate)))
        except JournalError as error:
            return _sorry(error, NO_JOURNAL)

    async def muster(request: Request) -> Response:
        found = await asyncio.to_thread(room.muster, request.path_params["site"])
        if found is None:
            return _sorry(f"no gateway of {request.path_params['site']} has been heard", 404)
        return JSONResponse(found)

    return [
        Route("/api/muster/{site}", muster, methods=["GET"]),
        Route("/api/alarms/{action}", act, methods=["POST"]),
        Route("/api/alarm-rate", alarm_rate, methods=["GET"]),
    ]


def is_ours(call: HTTPConnection) -> bool:
    """Tell whether a page that came from here calls; browsers say so in `Origin`."""
    origin = urlsplit(call.headers.get("origin", "")).netloc
    return bool(origin) and origin == call.headers.get("host")


async def _json(request: Request) -> object:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY_BYTES:
            raise BadWish(f"the body is longer than {MAX_BODY_BYTES} bytes")
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise BadWish("the body is no JSON") from None


def _sorry(why: object, status: int) -> Response:
    return PlainTextResponse(f"{why}\n", status_code=status)
