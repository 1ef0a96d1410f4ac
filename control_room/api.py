"""What can be asked of the control room over HTTP: operators' acts on alarms, and the alarm rate.

Knows nothing about how alarms live: it asks the `Room`. An error is one sentence of plain text.
"""

import asyncio
import json
from dataclasses import asdict, replace

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from control_room.access.gate import caller_of
from control_room.journal_schema import JournalError
from control_room.lifecycle import ActError, BadWish, NotNow, UnknownAlarm, wish_of
from control_room.no_journal import no_journal
from control_room.room import Room
from control_room.turns import BusyError, Turns

STATUS: dict[type[ActError], int] = {BadWish: 400, UnknownAlarm: 404, NotNow: 409}


def api_routes(room: Room, reading: Turns) -> list[BaseRoute]:
    """Build the routes; whoever reads the journal takes a turn of `reading`.

    `POST /api/alarms/{acknowledge,shelve,unshelve,end}` takes what `lifecycle.wish_of` reads and
    gives the alarm as viewers are told it; whoever has logged in acts under that name, whatever the
    request says. `GET /api/alarm-rate` gives `alarm_rate.AlarmRate`. `GET /api/muster/{site}` gives
    the head-count (`muster.to_json`).
    """

    async def act(request: Request) -> Response:
        name = caller_of(request).name
        try:
            wish = wish_of(request.path_params["action"], _json(await request.body()))
            wish = replace(wish, by=name) if name is not None else wish
            return JSONResponse(await asyncio.to_thread(room.do, wish))
        except ActError as error:
            return _sorry(error, STATUS[type(error)])
        except JournalError as error:
            return no_journal(error)

    async def alarm_rate(_request: Request) -> Response:
        try:
            async with reading.turn():
                return JSONResponse(asdict(await asyncio.to_thread(room.alarm_rate)))
        except (JournalError, BusyError) as error:
            return no_journal(error)

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


def _json(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise BadWish("the body is no JSON") from None


def _sorry(why: object, status: int) -> Response:
    return PlainTextResponse(f"{why}\n", status_code=status)
