"""Every route of the running server, asked by nobody and by each role, over HTTP and WebSockets.

What is expected is written down here once more, by hand: a slip in `roles.ROUTES` is seen.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, WebSocketRoute

from control_room import server
from control_room.access.oidc_settings import OidcSettings
from control_room.access.options import Door
from control_room.access.roles import ROLES, ROUTES, Role
from control_room.access.rows import name_of
from control_room.api import api_routes
from control_room.server import make_app
from tests.control_room.access.house import House, house
from tests.control_room.fake_gateway import GATEWAY, SITE

ANYBODY, VIEWER, OPERATOR, ADMIN = 0, 1, 2, 3
WHO: tuple[Role | None, ...] = (None, *ROLES)
EXPECTED = {
    "GET /healthz": ANYBODY,
    "GET /readyz": ANYBODY,
    "GET /login": ANYBODY,
    "POST /login": ANYBODY,
    "POST /logout": ANYBODY,
    "GET /login/oidc": ANYBODY,
    "GET /login/oidc/back": ANYBODY,
    "GET /login.css": ANYBODY,
    "GET /login.js": ANYBODY,
    "GET /icon.svg": ANYBODY,
    "GET /*": VIEWER,
    "GET /api/me": ANYBODY,
    "GET /api/openapi.json": VIEWER,
    "GET /api/alarm-rate": VIEWER,
    "GET /api/muster/{site}": VIEWER,
    "GET /api/alarms/history": VIEWER,
    "GET /api/alarms/acts": VIEWER,
    "GET /api/history": OPERATOR,
    "POST /api/alarms/acknowledge": OPERATOR,
    "POST /api/alarms/shelve": OPERATOR,
    "POST /api/alarms/unshelve": OPERATOR,
    "POST /api/alarms/end": OPERATOR,
    "GET /api/exports": OPERATOR,
    "POST /api/exports": OPERATOR,
    "GET /api/exports/{job}": OPERATOR,
    "GET /api/exports/{job}/file": OPERATOR,
    "POST /api/gateways/take-out": ADMIN,
    "GET /users": ADMIN,
    "GET /users.css": ADMIN,
    "GET /users.js": ADMIN,
    "GET /api/users": ADMIN,
    "POST /api/users/add": ADMIN,
    "POST /api/users/password": ADMIN,
    "POST /api/users/role": ADMIN,
    "POST /api/users/remove": ADMIN,
    "POST /api/users/logout": ADMIN,
    "WS /messages": VIEWER,
    "WS /panorama/{site}/{gateway}": VIEWER,
}
"""Who at least may use each route."""
PATHS = {"{site}": SITE, "{gateway}": GATEWAY, "{job}": "abc", "*": "main.js"}
REFUSED = (401, 403)

OIDC = OidcSettings(
    issuer="http://127.0.0.1:9",  # nobody answers there, and that is no refusal
    client_id="lamproom",
    client_secret=None,
    redirect_url="http://127.0.0.1/login/oidc/back",
    roles={"miners": "viewer"},
    scopes=("openid",),
    groups_claim="groups",
    name_claim="name",
    ca_file=None,
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("matrix"), oidc=OIDC) as opened:
        yield opened


def rows_of_the_app(home: House) -> list[str]:
    door = Door(doorkeeper=home.doorkeeper)
    app = make_app(home.room, home.gateway.open_stream, door)
    rows = []
    for route in app.routes:
        assert isinstance(route, Route | WebSocketRoute | Mount), "what the table can name"
        methods = getattr(route, "methods", None) or ["GET"]
        rows += [name_of(route, method) for method in methods if method != "HEAD"]
    return rows


def test_every_route_has_its_row_and_every_row_its_route(home: House) -> None:
    assert sorted(set(rows_of_the_app(home))) == sorted(EXPECTED)
    assert {
        row: WHO.index(None if need == "anybody" else need) for row, need in ROUTES.items()
    } == (EXPECTED)


@pytest.mark.parametrize("row", EXPECTED)
def test_roles_and_routes(home: House, row: str) -> None:
    method, path = row.split()
    for word, value in PATHS.items():
        path = path.replace(word, value)
    for rank, role in enumerate(WHO):
        with home.as_role(role) as caller:
            if method == "WS":
                status = home.line_status(caller, path)
            else:
                if path in ("/login", "/logout"):
                    caller.cookies.clear()  # or the next call would be somebody else's
                status = caller.request(method, path).status_code
            if rank >= EXPECTED[row]:
                assert status not in REFUSED or row == "GET /login/oidc/back", (role, status)
            else:
                assert status == (401 if role is None else 403), (role, status)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])
@pytest.mark.parametrize(
    "path", ["/", "/api/users", "/api/alarms/acknowledge", "/nothing", "/login"]
)
def test_other_methods_do_nothing(home: House, method: str, path: str) -> None:
    for role, refused in ((None, (401, 403)), ("admin", (405, 404))):
        with home.as_role(role) as caller:  # type: ignore[arg-type]
            answer = caller.request(method, path)
            assert answer.status_code in refused, (role, answer.text)


@pytest.mark.parametrize("path", ["/nothing", "/api/nothing", "/api/users/x/y", "/..%2fserver.py"])
def test_who_has_not_logged_in_is_not_told_what_there_is(home: House, path: str) -> None:
    with home.client() as nobody, home.as_role("viewer") as viewer:
        assert nobody.get(path).status_code == 401
        assert home.line_status(nobody, path) == 401
        assert viewer.get(path).status_code == 404
        assert home.line_status(viewer, path) == 404


def test_a_route_without_a_row_is_refused_to_everybody(
    home: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def secret(_request: object) -> PlainTextResponse:
        return PlainTextResponse("secret")

    monkeypatch.setattr(
        server,
        "api_routes",
        lambda room, reading: [*api_routes(room, reading), Route("/api/secret", secret)],
    )
    with house(tmp_path) as other:
        for role in WHO:
            with other.as_role(role) as caller:
                answer = caller.get("/api/secret")
                assert answer.status_code == (401 if role is None else 403)
                assert answer.text != "secret"
