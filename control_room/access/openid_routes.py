"""The routes of a login at an OpenID provider: there, and back.

Knows nothing about tokens: it asks `OpenId`. A cookie that is for this alone (`Lax`, for the
browser comes back from elsewhere) ties the way back to the browser that went.
"""

import secrets

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from control_room.access.doorkeeper import Doorkeeper
from control_room.access.gate import address_of, cookie_name
from control_room.access.id_token import BadTokenError
from control_room.access.login import end_former, keep, problem_page
from control_room.access.login_page import safe_next
from control_room.access.oidc_settings import OidcSettings
from control_room.access.openid import NoRoleError, OpenId, ProviderError
from control_room.access.roles import AccessError
from control_room.complaints import printable
from scene.clock import Clock

BACK_S = 600
_ON = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Lamproom</title>
<meta http-equiv="refresh" content="0; url={0}"></head>
<body><a href="{0}">Lamproom</a></body></html>
"""


def openid_routes(
    doorkeeper: Doorkeeper, settings: OidcSettings, clock: Clock, *, secure: bool
) -> list[BaseRoute]:
    """Build the routes; raises `AccessError`."""
    provider = OpenId(settings, clock)
    cookie = f"{cookie_name(secure)}-openid"

    async def there(request: Request) -> Response:
        if doorkeeper.pace.begin_elsewhere(address_of(request)) > 0.0:
            return problem_page(request, doorkeeper, "busy", 429)
        browser = secrets.token_urlsafe(32)
        try:
            url = await provider.begin(browser, safe_next(request.query_params.get("next", "")))
        except ProviderError as error:
            doorkeeper.tell(f"OpenID: {printable(str(error)[:300])}")
            return problem_page(request, doorkeeper, "oidc_away", 502)
        answer = RedirectResponse(url, status_code=303)
        answer.set_cookie(
            cookie, browser, max_age=BACK_S, path="/", secure=secure, httponly=True, samesite="lax"
        )
        return answer

    async def back(request: Request) -> Response:
        address = address_of(request)
        try:
            name, role, to = await provider.end(
                dict(request.query_params), request.cookies.get(cookie, "")
            )
            token = await doorkeeper.let_in(name, role, address)
        except (BadTokenError, NoRoleError, ProviderError, AccessError) as error:
            said = printable(str(error)[:300])
            doorkeeper.tell(f"OpenID login from {address} refused: {said}")
            doorkeeper.audited.refuse("OpenID", address, said)
            if isinstance(error, NoRoleError):
                return problem_page(request, doorkeeper, "no_role", 403)
            away = isinstance(error, ProviderError)
            problem = "oidc_away" if away else "oidc_failed"
            return problem_page(request, doorkeeper, problem, 502 if away else 401)
        await end_former(request, doorkeeper)
        # No redirect: a browser that comes from elsewhere would not show its new cookie there.
        answer = HTMLResponse(_ON.format(_attribute(to)))
        answer.headers["cache-control"] = "no-store"
        keep(answer, token, role=role, secure=secure)
        answer.delete_cookie(cookie, path="/", secure=secure, httponly=True, samesite="lax")
        return answer

    return [
        Route("/login/oidc", there, methods=["GET"]),
        Route("/login/oidc/back", back, methods=["GET"]),
    ]


def _attribute(path: str) -> str:
    return path.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
