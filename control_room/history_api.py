"""What was: past alarms, and all that was ever done with one.

Knows nothing about what an alarm means. Whoever may look at alarms may look at these.
"""

import asyncio
from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from control_room.journal.query import can_be_stored
from control_room.journal.schema import JournalError
from control_room.no_journal import no_journal
from control_room.room import Room
from control_room.sorry import sorry
from control_room.turns import BusyError, Turns

MOST, USUAL = 1000, 200
BAD = 400


def history_routes(room: Room, reading: Turns) -> list[BaseRoute]:
    """Build the routes; whoever reads takes a turn of `reading`.

    `GET /api/alarms/history?limit=N` gives the newest alarms, newest first, each as viewers are
    told it. `GET /api/alarms/acts?site=S&gateway=G&id=A` gives what was done with one, oldest
    first: `action`, `by`, `reason`, `at_ns`, `until_ns`; of an alarm that nobody knows, nothing.
    """

    async def history(request: Request) -> Response:
        text = request.query_params.get("limit", str(USUAL))
        if not (text.isascii() and text.isdecimal() and len(text) < 6 and 1 <= int(text) <= MOST):
            return sorry(f"limit: give a whole number, 1 to {MOST}", BAD)
        try:
            async with reading.turn():
                return await asyncio.to_thread(lambda: JSONResponse(room.history(int(text))))
        except (JournalError, BusyError) as error:
            return no_journal(error)

    async def acts(request: Request) -> Response:
        given = [request.query_params.get(name, "") for name in ("site", "gateway", "id")]
        if not all(given):
            return sorry("give site, gateway and id of an alarm", BAD)
        if not all(map(can_be_stored, given)):
            return sorry("site, gateway, id: is no text that can be stored", BAD)
        try:
            async with reading.turn():
                found = await asyncio.to_thread(room.acts, *given)
        except (JournalError, BusyError) as error:
            return no_journal(error)
        return JSONResponse([asdict(act) for act in found])

    return [
        Route("/api/alarms/history", history, methods=["GET"]),
        Route("/api/alarms/acts", acts, methods=["GET"]),
    ]
