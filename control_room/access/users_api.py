"""`/users` and `/api/users`: what an admin does with users from afar, as `lamproom users` does.

Knows nothing about who calls: the gate lets only admins come so far.
"""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Literal, get_args

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from control_room.access.doorkeeper import Doorkeeper
from control_room.access.gate import caller_of
from control_room.access.passwords import hash_of
from control_room.access.roles import ROLES, AccessError, Role
from control_room.access.users_file import (
    LastAdminError,
    TakenNameError,
    UnknownUserError,
    Users,
    name_key,
    tidy_name,
    with_an_admin,
)
from control_room.sorry import sorry

Act = Literal["add", "password", "role", "remove", "logout"]
ACTS: tuple[Act, ...] = get_args(Act)
BAD = 400
CODE = "Lamproom-Refused"


class OwnRoleError(AccessError):
    """Nobody takes their own role away."""


class AskedError(AccessError):
    """What was sent is not what this takes."""


class NewNameError(AccessError):
    """Nobody can be called so."""


class PasswordError(AccessError):
    """A password that won't do."""


REFUSALS: dict[type[AccessError], tuple[int, str]] = {
    UnknownUserError: (404, "unknown_user"),
    TakenNameError: (409, "taken_name"),
    LastAdminError: (409, "last_admin"),
    OwnRoleError: (409, "own_role"),
    AskedError: (BAD, "asked"),
    NewNameError: (BAD, "new_name"),
    PasswordError: (BAD, "password"),
}
"""Status, and the code by which the page finds its words; all else is the users file's trouble."""
FILE_TROUBLE = (BAD, "users_file")
PAGE = Path(__file__).parent / "users_page"
"""Not among the files of the page: those are for everybody who looks."""
FILES = {"/users": "users.html", "/users.css": "users.css", "/users.js": "users.js"}


def users_routes(doorkeeper: Doorkeeper) -> list[BaseRoute]:
    """Build the routes.

    `GET /api/users` gives name, role and open sessions of each; `POST /api/users/` and one of
    `ACTS` takes JSON with `name` and, as needed, `role` and `password`, and gives the same list.
    Nobody removes themself or changes their own role, and one admin with a password here stays:
    somebody must be left to let others in. A refusal has a header `CODE`, one of `REFUSALS` or
    `FILE_TROUBLE`: the page tells it in the reader's language.
    """

    async def listed(_request: Request) -> Response:
        return JSONResponse(_listed(doorkeeper))

    def act(action: Act) -> Callable[[Request], Awaitable[Response]]:
        async def done(request: Request) -> Response:
            caller = caller_of(request)
            try:
                body = _body(await request.body())
                name = body["name"]
                if action in ("remove", "role") and name_key(name) == name_key(caller.name or ""):
                    raise OwnRoleError("your own role another admin must change, and remove you")
                change = _change(action, name, body, doorkeeper)
                await doorkeeper.change(caller.name or "?", action, name, change)
            except AccessError as error:
                return _refused(error)
            return JSONResponse(_listed(doorkeeper))

        return done

    async def page(request: Request) -> Response:
        return FileResponse(PAGE / FILES[request.url.path])

    return [
        *(Route(path, page, methods=["GET"]) for path in FILES),
        Route("/api/users", listed, methods=["GET"]),
        *(Route(f"/api/users/{one}", act(one), methods=["POST"]) for one in ACTS),
    ]


def _refused(error: AccessError) -> Response:
    status, code = REFUSALS.get(type(error), FILE_TROUBLE)
    answer = sorry(error, status)
    answer.headers[CODE] = code
    return answer


def _listed(doorkeeper: Doorkeeper) -> list[dict[str, object]]:
    names = [session.name for session in doorkeeper.sessions.all()]
    here: dict[str, Role | None] = {user.name: user.role for user in doorkeeper.users.users}
    elsewhere = {one.name: one.role for one in doorkeeper.sessions.all() if one.source == "oidc"}
    return [
        {"name": name, "role": role, "sessions": names.count(name), "local": name in here}
        for name, role in sorted((elsewhere | here).items())
    ]


def _logged_out(users: Users, name: str, doorkeeper: Doorkeeper) -> Users:
    """Log out a user, or somebody from elsewhere who is in: made-up names are not kept."""
    inside = {name_key(one.name) for one in doorkeeper.sessions.all()}
    if users.find(name) is None and name_key(name) not in inside:
        raise UnknownUserError(f"{ascii(name)[:80]}: nobody of that name is here")
    return users.log_out(name)


def _change(
    action: Act, name: str, body: dict[str, object], doorkeeper: Doorkeeper
) -> Callable[[Users], Users]:
    role = next((one for one in ROLES if one == body.get("role")), None)
    if action in ("add", "role") and role is None:
        raise AskedError(f"role: give {', '.join(ROLES)}")
    password = body.get("password", "")
    if not isinstance(password, str):
        raise AskedError("password: give a text")
    if action == "add" and role is not None:
        _check_name(name)
        return _with_password(lambda users: users.add(name, role, password))
    if action == "role":
        return lambda users: _one_left(users, users.change(name, role=role))
    if action == "password":
        return _with_password(lambda users: users.change(name, password=hash_of(password)))
    if action == "remove":
        return lambda users: _one_left(users, users.remove(name))
    return lambda users: _logged_out(users, name, doorkeeper)


def _check_name(name: str) -> None:
    try:
        tidy_name(name)
    except AccessError as error:
        raise NewNameError(str(error)) from None


def _with_password(change: Callable[[Users], Users]) -> Callable[[Users], Users]:
    """Give the change, which says so when it is the password that won't do."""

    def changed(users: Users) -> Users:
        try:
            return change(users)
        except (UnknownUserError, TakenNameError):
            raise
        except AccessError as error:
            raise PasswordError(str(error)) from None

    return changed


def _one_left(before: Users, after: Users) -> Users:
    return with_an_admin(before, after, "(role admin)")


def _body(text: bytes) -> dict[str, Any]:
    """Read what is asked for; raises `AccessError`."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict) or "name" not in body:
        raise AskedError("a JSON object with name is expected, and role or password as needed")
    if not isinstance(body["name"], str):
        raise AskedError("name: give a text")
    return body
