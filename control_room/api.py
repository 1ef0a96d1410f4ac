"""What can be asked of the control room over HTTP: operators' acts on alarms, and the alarm rate.

Knows nothing about how alarms live: it asks the `Room`. An error is one sentence (`sorry.py`).
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from control_room.access.gate import caller_of
from control_room.journal.schema import JournalError
from control_room.lifecycle import (
    ACTIONS,
    ActError,
    Action,
    BadWish,
    NotNow,
    UnknownAlarm,
    wish_of,
)
from control_room.no_journal import no_journal
from control_room.room import Room
from control_room.sorry import sorry
from control_room.turns import BusyError, Turns

STATUS: dict[type[ActError], int] = {BadWish: 400, UnknownAlarm: 404, NotNow: 409}


def api_routes(room: Room, reading: Turns) -> list[BaseRoute]:
    """Build the routes; whoever reads the journal takes a turn of `reading`.

    `POST /api/alarms/{acknowledge,shelve,unshelve,end}` takes what `lifecycle.wish_of` reads and
    gives the alarm as viewers are told it; whoever has logged in acts under that name, whatever the
    request says. `GET /api/alarm-rate` gives `alarm_rate.AlarmRate`. `GET /api/muster/{site}` gives
    the head-count (`muster.to_json`). `GET /api/openapi.json` tells all that the API has.
    """

    def act(action: Action) -> Callable[[Request], Awaitable[Response]]:
        async def done(request: Request) -> Response:
            name = caller_of(request).name
            try:
                wish = wish_of(action, _json(await request.body()))
                wish = replace(wish, by=name) if name is not None else wish
                return JSONResponse(await asyncio.to_thread(room.do, wish))
            except ActError as error:
                return sorry(error, STATUS[type(error)])
            except JournalError as error:
                return no_journal(error)

        return done

    async def alarm_rate(_request: Request) -> Response:
        try:
            async with reading.turn():
                return JSONResponse(asdict(await asyncio.to_thread(room.alarm_rate)))
        except (JournalError, BusyError) as error:
            return no_journal(error)

    async def muster(request: Request) -> Response:
        found = await asyncio.to_thread(room.muster, request.path_params["site"])
        if found is None:
            return sorry(f"no gateway of {request.path_params['site']} has been heard", 404)
        return JSONResponse(found)

    async def document(_request: Request) -> Response:
        from control_room.open_api import open_api

        return JSONResponse(await asyncio.to_thread(open_api))

    return [
        Route("/api/openapi.json", document, methods=["GET"]),
        Route("/api/muster/{site}", muster, methods=["GET"]),
        *(Route(f"/api/alarms/{one}", act(one), methods=["POST"]) for one in ACTIONS),
        Route("/api/alarm-rate", alarm_rate, methods=["GET"]),
    ]


def _json(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise BadWish("the body is no JSON") from None
