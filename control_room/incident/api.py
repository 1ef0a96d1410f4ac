"""Exports over HTTP: ask for one of an alarm, look how far it is, fetch it.

Knows nothing about how they are made, nor who may: the gate before it does.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from control_room.access.gate import caller_of
from control_room.incident.jobs import BUSY_ZH, Job, Jobs, NoRoomError
from control_room.incident.order import Order, line_of
from control_room.journal.database import JournalError
from control_room.journal.export import moment
from control_room.journal.journal import Journal
from control_room.journal.query import can_be_stored
from control_room.lifecycle import OPERATOR, Entry, Key
from control_room.no_journal import no_journal
from control_room.own_alarms import OWN_KINDS
from control_room.sorry import sorry
from control_room.turns import BusyError
from scene.clock import SystemClock
from scene.errors import printable

BAD, UNKNOWN, AWAY = 400, 404, 503


@dataclass(frozen=True, slots=True, kw_only=True)
class Exports:
    """Where recordings lie, who signs, and who does the work."""

    recordings: Path
    key_file: Path | None
    jobs: Jobs
    file_at: Callable[[int], Path] | None = None
    """Tells which recording has an instant (UTC ns); none: they are looked for in `recordings`."""

    def place_of(self, at_ns: int) -> Path:
        """Give the recording that has an instant, or the folder where it is to be looked for."""
        return self.recordings if self.file_at is None else self.file_at(at_ns)


def export_routes(journal: Journal, exports: Exports | None) -> list[BaseRoute]:
    """Build the routes.

    `GET /api/exports` gives `{"available": ...}`: whether recordings lie here. `POST /api/exports`
    takes `site`, `gateway` and `id` of an alarm, begins its export and gives how it stands, as
    `GET /api/exports/{job}` does from then on; `GET /api/exports/{job}/file` gives the .zip. That
    one is begun is written into the audit before, for it is a copy of where people were.
    """

    async def available(_request: Request) -> Response:
        return JSONResponse({"available": exports is not None})

    async def begin(request: Request) -> Response:
        if exports is None:
            return sorry("no recordings lie here: start the control room with --recordings", 404)
        key = _key(await request.body())
        if key is None:
            return sorry("give site, gateway and id of an alarm", BAD)
        who = caller_of(request).name or OPERATOR
        try:
            job = await asyncio.to_thread(_begin, journal, exports, key, who)
        except (BusyError, NoRoomError) as error:
            return _not_now(error)
        except JournalError as error:
            return no_journal(error)
        if job is None:
            return sorry(f"{key.alarm}: there is no such alarm", UNKNOWN)
        return JSONResponse(_told(job))

    async def state(request: Request) -> Response:
        job = _job(exports, request)
        return _gone() if job is None else JSONResponse(_told(job))

    async def file(request: Request) -> Response:
        job = _job(exports, request)
        if job is None or job.archive is None:
            return _gone()
        return FileResponse(job.archive, media_type="application/zip", filename=job.name)

    return [
        Route("/api/exports", available, methods=["GET"]),
        Route("/api/exports", begin, methods=["POST"]),
        Route("/api/exports/{job}", state, methods=["GET"]),
        Route("/api/exports/{job}/file", file, methods=["GET"]),
    ]


def _not_now(error: BusyError | NoRoomError) -> Response:
    chinese = error.chinese if isinstance(error, NoRoomError) else BUSY_ZH
    told = {"error": printable(str(error)), "error_zh": printable(chinese)}
    return JSONResponse(told, status_code=AWAY)


def _gone() -> Response:
    return sorry("there is no such export, or it is gone: ask for it again", UNKNOWN)


def _job(exports: Exports | None, request: Request) -> Job | None:
    return None if exports is None else exports.jobs.job(request.path_params["job"])


def _begin(journal: Journal, exports: Exports, key: Key, who: str) -> Job | None:
    """Begin an export of an alarm; none where the journal has no such alarm."""
    with journal.apart() as entries:
        entry = entries.entry(key)
    if entry is None:
        return None

    def noted() -> None:
        journal.audit(
            who=who,
            what="incident_export",
            about=key.alarm,
            at_ns=SystemClock().now_ns(),
            body={"site": key.site, "gateway": key.gateway},
        )

    def order(folder: Path) -> str:
        return line_of(
            Order(
                recordings=str(exports.place_of(entry.last.raised_at_ns)),
                site=key.site,
                gateway=key.gateway,
                alarm="" if entry.last.kind in OWN_KINDS else key.alarm,
                raised_at_ns=entry.last.raised_at_ns,
                cleared_at_ns=entry.cleared_at_ns,
                journal=None if journal.place is None else str(journal.place),
                key_file=None if exports.key_file is None else str(exports.key_file),
                folder=str(folder),
            )
        )

    return exports.jobs.start(_name(entry), order, noted)


def _name(entry: Entry) -> str:
    """Name the .zip for whoever fetches it, by when the alarm was raised."""
    letters = "".join(one for one in moment(entry.last.raised_at_ns)[:19] if one.isalnum())
    return f"incident-{letters}Z.zip"


def _key(body: bytes) -> Key | None:
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(given, dict):
        return None
    site, gateway, id = (given.get(name) for name in ("site", "gateway", "id"))
    if not (isinstance(site, str) and isinstance(gateway, str) and isinstance(id, str)):
        return None
    if not site or not id or not all(map(can_be_stored, (site, gateway, id))):
        return None
    return Key(site=site, gateway=gateway, alarm=id)


def _told(job: Job) -> dict[str, Any]:
    return {
        "job": job.id,
        "state": job.state,
        "percent": job.percent,
        "error": job.error,
        "error_zh": job.error_zh,
        "signed": job.signed,
        "lacks": job.lacks,
        "bytes": job.bytes,
    }
