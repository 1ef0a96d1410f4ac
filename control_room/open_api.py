"""The OpenAPI 3.1 document of the control room's HTTP API.

Knows nothing about how calls are answered. Routes and roles are those of `access/roles.py`, bodies
those of `open_api_schemas.py`; here stands only what a caller must know besides. Format:
https://spec.openapis.org/oas/v3.1.0
"""

import re
from dataclasses import dataclass
from functools import cache

from control_room import history_api
from control_room.access.gate import COSTLY, MAX_BODY_BYTES, cookie_name
from control_room.access.roles import ROUTES, WRITES_DOWN, Need
from control_room.access.users_api import CODE, FILE_TROUBLE, REFUSALS, Act
from control_room.journal import api as journal_api
from control_room.journal.export import FORMATS
from control_room.journal.query import WHATS
from control_room.lifecycle import SEVERITIES, Action
from control_room.open_api_schemas import (
    Json,
    alarm_key,
    ref,
    row_name,
    schemas,
    user_act,
    wish,
)
from scene.wire import VERSION

PATH = "/api/openapi.json"
ABOUT = """What the control room tells and takes over HTTP.

Log in with `POST /login` (a form with `name` and `password`), keep the cookie, and give it with \
each call. Where nobody has a login none is asked for: `/api/me` says `"login": false`, and all \
of `/api/users` answers 404. What changes something, or takes a copy, counts only from the page \
itself: give `Origin` with the control room's own address, e.g. \
`Origin: https://control-room.mine`. An error is `{"error": "one sentence"}`. Times that end in \
`_ns` are UTC nanoseconds and need 64 bits; readers pass over fields that they do not know. \
Alarms as they happen come over MQTT (docs/wire/asyncapi.yaml) and over the WebSocket \
`/messages`."""
COOKIE = "session"

BAD, STRANGER, FORBIDDEN, UNKNOWN, NOT_NOW, TOO_LONG = 400, 401, 403, 404, 409, 413
MISDIRECTED, TOO_MANY, AWAY = 421, 429, 503
WHY = {
    BAD: "Something given is wrong.",
    STRANGER: "Log in first, or again: the login is from the shift before.",
    FORBIDDEN: "The role does not suffice, or the call does not come from our own page.",
    UNKNOWN: "There is no such thing here.",
    NOT_NOW: "Not as things stand.",
    TOO_LONG: f"The body is longer than {MAX_BODY_BYTES} bytes.",
    MISDIRECTED: "Called by a name that this machine does not have.",
    TOO_MANY: "Too many in so short a time; `Retry-After` tells the seconds.",
    AWAY: "The journal can't be used now, or too many ask at once.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What one row of `ROUTES` does."""

    summary: str
    gives: Json
    """Schemas of what is answered, by media type."""
    query: tuple[Json, ...] = ()
    takes: Json | None = None
    """Schema of the body."""
    refuses: tuple[int, ...] = ()
    """Besides those that any call may meet."""


def _json(schema: Json) -> Json:
    return {"application/json": schema}


def _list(schema: Json) -> Json:
    return {"type": "array", "items": schema}


def _asked(name: str, schema: Json, said: str, *, needed: bool = False) -> Json:
    return {
        "name": name, "in": "query", "required": needed, "schema": schema, "description": said,
    }  # fmt: skip


def _up_to(most: int, usual: int) -> Json:
    return {"type": "integer", "minimum": 1, "maximum": most, "default": usual}


_TEXT: Json = {"type": "string", "minLength": 1}
_TIME: Json = {"type": "string", "examples": ["2026-11-29T06:00:00Z"]}
_ROWS: Json = {"anyOf": [ref("Rows"), *(_list(ref(row_name(what))) for what in WHATS)]}
_HISTORY: tuple[Json, ...] = (
    _asked("what", {"enum": list(WHATS), "default": "alarms"}, "Of what."),
    _asked("from", _TIME, "ISO 8601, included; without an offset the control room's local time."),
    _asked("to", _TIME, "ISO 8601, not included."),
    _asked(
        "person", {"type": "string"}, "A worker's name, or `#12` for track 12; of acts, who acted."
    ),
    _asked("site", {"type": "string"}, "Only of this one."),
    _asked("gateway", {"type": "string"}, "Only of this one."),
    _asked("zone", {"type": "string"}, "Only of this one."),
    _asked("kind", {"type": "string"}, "Of alarm; of acts, what was done."),
    _asked("severity", {"enum": list(SEVERITIES)}, "Only alarms of this one."),
    _asked("order", {"enum": ["newest", "oldest"], "default": "newest"}, "What comes first."),
    _asked("after", {"type": "string"}, "`after` of the answer before: for the rows that follow."),
    _asked("limit", _up_to(journal_api.MOST_ROWS, journal_api.USUAL_ROWS), "So many rows."),
    _asked("format", {"enum": list(FORMATS)}, "All rows as a file: an act, which is audited."),
)
assert [one["name"] for one in _HISTORY] == list(journal_api.NAMES)

_TAKE_OUT: Json = {
    "type": "object",
    "properties": {"site": _TEXT, "gateway": _TEXT, "reason": _TEXT},
    "required": ["site", "gateway", "reason"],
}
_TAKEN_OUT: Json = {
    "type": "object",
    "properties": {name: {"type": "string"} for name in ("site", "gateway", "by", "reason")},
    "required": ["site", "gateway", "by", "reason"],
}
_ALARM_ACTS: dict[Action, str] = {
    "acknowledge": "Say that an alarm was seen; gives it as it is then.",
    "shelve": "Put an alarm aside for some minutes.",
    "unshelve": "Bring it back before.",
    "end": "Say that what an alarm is about has been dealt with, though no camera can see that.",
}
_USER_ACTS: dict[Act, str] = {
    "add": "Make a user; gives all users as they are then.",
    "password": "Give a user another password; ends their logins.",
    "role": "Give a user another role; ends their logins. One admin must be left.",
    "remove": "Remove a user; ends their logins. One admin must be left.",
    "logout": "End somebody's logins, also of who came by OpenID.",
}

CALLS: dict[str, Call] = {
    "GET /api/me": Call(summary="Who calls, and what they may do now.", gives=_json(ref("Me"))),
    "GET /api/openapi.json": Call(summary="This document.", gives=_json({"type": "object"})),
    "GET /api/alarm-rate": Call(
        summary="How many alarms each operator gets (ISA-18.2).",
        gives=_json(ref("AlarmRate")),
        refuses=(AWAY,),
    ),
    "GET /api/muster/{site}": Call(
        summary="The head-count of a site: who is where, who is missing, what nobody can see.",
        gives=_json(ref("Muster")),
        refuses=(UNKNOWN,),
    ),
    "GET /api/alarms/history": Call(
        summary="The newest alarms, newest first.",
        gives=_json(_list(ref("Alarm"))),
        query=(_asked("limit", _up_to(history_api.MOST, history_api.USUAL), "So many."),),
        refuses=(BAD, AWAY),
    ),
    "GET /api/alarms/acts": Call(
        summary="What was done with one alarm, oldest first; of one that nobody knows, nothing.",
        gives=_json(_list(ref("Act"))),
        query=tuple(
            _asked(name, _TEXT, "Of the alarm.", needed=True) for name in ("site", "gateway", "id")
        ),
        refuses=(BAD, AWAY),
    ),
    "GET /api/history": Call(
        summary="The journal: alarms, acts or positions by time, person, place and kind.",
        gives=_json(_ROWS) | {"text/csv": {"type": "string"}},
        query=_HISTORY,
        refuses=(BAD, UNKNOWN, AWAY),
    ),
    **{
        f"POST /api/alarms/{one}": Call(
            summary=said,
            gives=_json(ref("Alarm")),
            takes=wish(one),
            refuses=(BAD, UNKNOWN, NOT_NOW, AWAY),
        )
        for one, said in _ALARM_ACTS.items()
    },
    "GET /api/exports": Call(
        summary="Whether recordings lie here of which minutes can be exported.",
        gives=_json(
            {
                "type": "object",
                "properties": {"available": {"type": "boolean"}},
                "required": ["available"],
            }
        ),
    ),
    "POST /api/exports": Call(
        summary="Begin to export the minutes round an alarm, which is audited; gives how it "
        "stands.",
        gives=_json(ref("Export")),
        takes=alarm_key(),
        refuses=(BAD, UNKNOWN, AWAY),
    ),
    "GET /api/exports/{job}": Call(
        summary="How an export stands.", gives=_json(ref("Export")), refuses=(UNKNOWN,)
    ),
    "GET /api/exports/{job}/file": Call(
        summary="The export itself, a .zip that `lamproom verify` takes.",
        gives={"application/zip": {"type": "string", "format": "binary"}},
        refuses=(UNKNOWN,),
    ),
    "POST /api/gateways/take-out": Call(
        summary="Take a gateway out of service: its silence is no alarm until it speaks again. It "
        "must be silent, and its alarms about people ended.",
        gives=_json(_TAKEN_OUT),
        takes=_TAKE_OUT,
        refuses=(BAD, UNKNOWN, NOT_NOW, AWAY),
    ),
    "GET /api/users": Call(
        summary="Who may log in, or is in by OpenID.",
        gives=_json(_list(ref("User"))),
        refuses=(UNKNOWN,),
    ),
    **{
        f"POST /api/users/{one}": Call(
            summary=said,
            gives=_json(_list(ref("User"))),
            takes=user_act(one),
            refuses=(BAD, UNKNOWN, NOT_NOW),
        )
        for one, said in _USER_ACTS.items()
    },
}


@cache
def open_api() -> Json:
    """Give the whole document, as plain JSON values; leave it as it is."""
    paths: dict[str, Json] = {}
    for row, call in CALLS.items():
        method, path = row.split()
        paths.setdefault(path, {})[method.lower()] = _operation(row, call, ROUTES[row])
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Lamproom control room",
            "version": f"{VERSION}.0.0",
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "securitySchemes": {
                COOKIE: {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": cookie_name(False),
                    "description": f"Over TLS `{cookie_name(True)}`.",
                }
            },
        },
    }


def _operation(row: str, call: Call, need: Need) -> Json:
    place: list[Json] = [
        {"name": name, "in": "path", "required": True, "schema": _TEXT}
        for name in re.findall(r"{(\w+)}", row)
    ]
    method, path = row.split()
    words = re.findall(r"[a-z]+", path.removeprefix("/api/"))
    told: Json = {
        "operationId": "_".join((method.lower(), *words)),
        "summary": call.summary,
        "description": f"For everybody with the role {need} or a higher one."
        if need != "anybody"
        else "For everybody.",
        "x-role": need,
        "security": [] if need == "anybody" else [{COOKIE: []}],
        "parameters": [*place, *call.query],
        "responses": {"200": {"description": "Done.", "content": _contents(call.gives)}}
        | {str(status): _refusal(row, status) for status in _refusals(row, call, need)},
    }
    if call.takes is not None:
        told["requestBody"] = {"required": True, "content": _contents(_json(call.takes))}
    return told


def _contents(gives: Json) -> Json:
    return {media: {"schema": schema} for media, schema in gives.items()}


def _refusals(row: str, call: Call, need: Need) -> list[int]:
    found = {*call.refuses, MISDIRECTED}
    acts = row.startswith("POST")
    if need != "anybody":
        found |= {STRANGER, FORBIDDEN}
    if acts:
        found |= {TOO_LONG}
    if acts or row in COSTLY or row in WRITES_DOWN:
        found |= {TOO_MANY}
    return sorted(found)


def _refusal(row: str, status: int) -> Json:
    said: Json = {"description": WHY[status], "content": _contents(_json(ref("Error")))}
    headers: Json = {}
    if status == TOO_MANY:
        headers["Retry-After"] = {"required": True, "schema": {"type": "integer"}}
    codes = sorted(code for of, code in {*REFUSALS.values(), FILE_TROUBLE} if of == status)
    if row.startswith("POST /api/users/") and codes:
        headers[CODE] = {
            "description": "Why, for programs: which sentence of `error` it is. Absent where "
            "the call did not come so far.",
            "schema": {"enum": codes},
        }
    return said | ({"headers": headers} if headers else {})
