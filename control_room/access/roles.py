"""Which role may use which route: one table, and what is not in it is refused.

Knows nothing about passwords, sessions or what the routes do.
"""

from typing import Literal, get_args

from scene.errors import LamproomError

Role = Literal["viewer", "operator", "admin"]
Need = Literal["anybody", "viewer", "operator", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
"""Each may do all that those before it may."""
NEEDS: tuple[Need, ...] = get_args(Need)

ROUTES: dict[str, Need] = {
    "GET /healthz": "anybody",
    "GET /readyz": "anybody",
    "GET /login": "anybody",
    "POST /login": "anybody",
    "POST /logout": "anybody",
    "GET /login/oidc": "anybody",
    "GET /login/oidc/back": "anybody",
    "GET /login.css": "anybody",
    "GET /login.js": "anybody",
    "GET /icon.svg": "anybody",
    "GET /*": "viewer",
    "GET /api/me": "anybody",
    "GET /api/openapi.json": "viewer",
    "GET /api/alarm-rate": "viewer",
    "GET /api/muster/{site}": "viewer",
    "GET /api/alarms/history": "viewer",
    "GET /api/alarms/acts": "viewer",
    "GET /api/history": "operator",
    "POST /api/alarms/acknowledge": "operator",
    "POST /api/alarms/shelve": "operator",
    "POST /api/alarms/unshelve": "operator",
    "POST /api/alarms/end": "operator",
    "GET /api/exports": "operator",
    "POST /api/exports": "operator",
    "GET /api/exports/{job}": "operator",
    "GET /api/exports/{job}/file": "operator",
    "POST /api/gateways/take-out": "admin",
    "GET /users": "admin",
    "GET /users.css": "admin",
    "GET /users.js": "admin",
    "GET /api/users": "admin",
    "POST /api/users/add": "admin",
    "POST /api/users/password": "admin",
    "POST /api/users/role": "admin",
    "POST /api/users/remove": "admin",
    "POST /api/users/logout": "admin",
    "WS /messages": "viewer",
    "WS /panorama/{site}/{gateway}": "viewer",
}
"""A row: method and path as its `Route` says them; `WS`: a WebSocket, `/*`: all files of a `Mount`.

**To add a route**, add it to `api.py` or to `server.make_app` before the `Mount`, a row here, one
in `tests/control_room/access/test_matrix.py`, and if it is of the API one in `open_api.CALLS`. GET
stands for HEAD, too. Whatever changes something must not be a GET: only other methods are checked
for their origin and counted, and what stands in `WRITES_DOWN`. Who calls stands in
`gate.caller_of(request)`. Without a row here the route answers 403 to everybody.
"""

WRITES_DOWN = {"GET /api/history": "format"}
"""A GET that with this parameter is an act: a link of our own page may lead to it, no other's."""


API = "/api/"
"""Nothing below this is a file."""


class AccessError(LamproomError):
    """Nobody can be let in as it is set up; names the file or option and the remedy."""


def suffices(role: Role | None, need: Need) -> bool:
    """Tell whether a role, or none, is enough.

    >>> suffices("operator", "viewer"), suffices("viewer", "operator"), suffices(None, "anybody")
    (True, False, True)
    """
    return need == "anybody" or (role is not None and NEEDS.index(role) >= NEEDS.index(need))
