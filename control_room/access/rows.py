"""Which row of the table of roles a call has, by the route that will answer it.

Knows nothing about who may use what: that is `roles.py`, which is imported before alarms are taken,
and so without a web server.
"""

from starlette.routing import BaseRoute, Match, Mount, Route, WebSocketRoute
from starlette.types import Scope

from control_room.access.roles import API


def row_of(routes: list[BaseRoute], scope: Scope) -> str | None:
    """Name the row for a call, by the route that will answer it; none where no route does."""
    for route in routes:
        if route.matches(scope)[0] == Match.FULL:
            return name_of(route, scope.get("method", "WS"))
    return None


def methods_of(routes: list[BaseRoute], scope: Scope) -> str:
    """Name the methods that there are for a call's path, as `Allow` has them; empty for none."""
    found = set[str]()
    for route in routes:
        if isinstance(route, Route) and route.matches(scope)[0] != Match.NONE:
            found |= route.methods or set()
    if not found and not scope["path"].startswith(API):
        found = {"GET", "HEAD"}  # a file
    return ", ".join(sorted(found))


def name_of(route: BaseRoute, method: str) -> str:
    """Name the row of a route."""
    method = "GET" if method == "HEAD" else method
    if isinstance(route, WebSocketRoute):
        return f"WS {route.path}"
    if isinstance(route, Mount):
        return f"{method} {route.path}/*"
    return f"{method} {route.path}" if isinstance(route, Route) else f"{method} ?"
