"""`/api/users`: what an admin does with users from afar, as `lamproom users` does it here.

Knows nothing about who calls: the gate lets only admins come so far.
"""

import json
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from control_room.access.doorkeeper import Doorkeeper
from control_room.access.gate import caller_of
from control_room.access.passwords import hash_of
from control_room.access.roles import ROLES, AccessError, Role
from control_room.access.users_file import Users, name_key


def users_routes(doorkeeper: Doorkeeper) -> list[BaseRoute]:
    """Build the routes.

    `GET /api/users` gives name, role and open sessions of each; `POST /api/users/{add,password,
    role,remove,logout}` takes JSON with `name` and, as needed, `role` and `password`, and gives the
    same list. Nobody removes themself or changes their own role: somebody must be left to do it.
    """

    async def listed(_request: Request) -> Response:
        return JSONResponse(_listed(doorkeeper))

    async def act(request: Request) -> Response:
        caller = caller_of(request)
        try:
            body = json.loads(await request.body())
            action, name = request.path_params["action"], body["name"]
            if not isinstance(name, str):
                raise AccessError("name: give a text")
            if action in ("remove", "role") and name_key(name) == name_key(caller.name or ""):
                raise AccessError("your own role another admin must change")
            change = _change(action, name, body, doorkeeper)
        except AccessError as error:
            return _sorry(str(error))
        except (ValueError, TypeError, KeyError, RecursionError):
            return _sorry("a JSON object with name is expected, and role or password as needed")
        try:
            await doorkeeper.change(caller.name or "?", action, name, change)
        except AccessError as error:
            return _sorry(str(error))
        return JSONResponse(_listed(doorkeeper))

    return [
        Route("/api/users", listed, methods=["GET"]),
        Route("/api/users/{action}", act, methods=["POST"]),
    ]


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
        raise AccessError(f"{ascii(name)[:80]}: nobody of that name is here")
    return users.log_out(name)


def _change(
    action: str, name: str, body: dict[str, object], doorkeeper: Doorkeeper
) -> Callable[[Users], Users]:
    role = next((one for one in ROLES if one == body.get("role")), None)
    if action in ("add", "role") and role is None:
        raise AccessError(f"role: give {', '.join(ROLES)}")
    password = body.get("password", "")
    if not isinstance(password, str):
        raise AccessError("password: give a text")
    if action == "add" and role is not None:
        return lambda users: users.add(name, role, password)
    if action == "role":
        return lambda users: users.change(name, role=role)
    if action == "password":
        return lambda users: users.change(name, password=hash_of(password))
    if action == "remove":
        return lambda users: users.remove(name)
    if action == "logout":
        return lambda users: _logged_out(users, name, doorkeeper)
    raise AccessError(f"{action}: no such act; there are add, password, role, remove, logout")


def _sorry(why: str) -> Response:
    return PlainTextResponse(f"{why}\n", status_code=400)
