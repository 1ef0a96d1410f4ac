"""The routes of logging in and out: `/login`, `/logout`, `/api/me`.

Knows nothing about how a login is judged: it asks the `Doorkeeper`.
"""

from pathlib import Path
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from control_room.access.addresses import LOOPBACK
from control_room.access.doorkeeper import Doorkeeper, RefusedLogin, anybody
from control_room.access.gate import address_of, caller_of, cookie_name
from control_room.access.login_page import language_of, login_page, safe_next
from control_room.access.users_file import MAX_NAME, name_key

KEPT_S = 400 * 86_400
"""The longest that browsers keep a cookie."""
MOST_KNOWN = 40
"""So many users a browser remembers besides the one who logs in."""
STATUS = {"wrong": 401, "wait": 429, "busy": 503, "plain": 403, "unreadable": 400}
PAGE = Path(__file__).parents[1] / "page"
PUBLIC = ("login.css", "login.js", "icon.svg")


def login_routes(doorkeeper: Doorkeeper, *, secure: bool) -> list[BaseRoute]:
    """Build the routes; `secure`: browsers must come over TLS."""

    async def show(request: Request) -> Response:
        problem = "shift" if caller_of(request).stepped_down else ""
        return _page(request, doorkeeper, request.query_params.get("next", ""), problem=problem)

    async def log_in(request: Request) -> Response:
        form = _form(await request.body())
        if form is None:
            return _page(request, doorkeeper, "", problem="unreadable")
        to, name, address = form.get("next", ""), form.get("name", ""), address_of(request)
        lang, typed = form.get("lang", ""), name[:MAX_NAME]
        if not _is_private(request, secure):
            return _page(request, doorkeeper, to, problem="plain", language=lang, name=typed)
        known = f"{cookie_name(secure)}-known-"
        device_cookie = known + doorkeeper.device_name(name)
        try:
            user, token = await doorkeeper.log_in(
                name, form.get("password", ""), address=address,
                device=request.cookies.get(device_cookie),
            )  # fmt: skip
        except RefusedLogin as error:
            return _page(
                request, doorkeeper, to, problem=error.why, wait_s=error.wait_s, language=lang,
                name=typed,
            )  # fmt: skip
        await end_former(request, doorkeeper)
        answer = RedirectResponse(safe_next(to), status_code=303)
        keep(answer, token, role=user.role, secure=secure)
        others = [one for one in request.cookies if one.startswith(known) and one != device_cookie]
        for other in others[: max(0, len(others) - MOST_KNOWN)]:  # headers have a limit
            answer.delete_cookie(other, path="/", secure=secure, httponly=True, samesite="strict")
        answer.set_cookie(
            device_cookie, doorkeeper.new_device(user), max_age=KEPT_S, path="/",
            secure=secure, httponly=True, samesite="strict",
        )  # fmt: skip
        return answer

    async def log_out(request: Request) -> Response:
        await end_former(request, doorkeeper)
        answer = RedirectResponse("/login", status_code=303)
        answer.delete_cookie(
            cookie_name(secure), path="/", secure=secure, httponly=True, samesite="strict"
        )
        return answer

    async def me(request: Request) -> Response:
        return JSONResponse(doorkeeper.me(caller_of(request)))

    async def public(request: Request) -> Response:
        return FileResponse(PAGE / request.url.path.rpartition("/")[2])

    return [
        Route("/login", show, methods=["GET"]),
        Route("/login", log_in, methods=["POST"]),
        Route("/logout", log_out, methods=["POST"]),
        Route("/api/me", me, methods=["GET"]),
        *(Route(f"/{name}", public, methods=["GET"]) for name in PUBLIC),
    ]


def open_routes() -> list[BaseRoute]:
    """Build the routes where no login is asked for."""

    async def me(_request: Request) -> Response:
        said = {"login": False, "name": None, "role": anybody().role}
        return JSONResponse(said | {"log_in_to_act": False, "acts_until_ns": None})

    return [Route("/api/me", me, methods=["GET"])]


def keep(answer: Response, token: str, *, role: str, secure: bool) -> None:
    """Give the browser its session; a viewer's outlives the browser, for wall screens."""
    answer.set_cookie(
        cookie_name(secure), token, max_age=KEPT_S if role == "viewer" else None, path="/",
        secure=secure, httponly=True, samesite="strict",
    )  # fmt: skip


async def end_former(request: Request, doorkeeper: Doorkeeper) -> None:
    """End the session that this browser had."""
    former = caller_of(request).session
    if former is not None:
        await doorkeeper.log_out(former)


def _page(
    request: Request,
    doorkeeper: Doorkeeper,
    to: str,
    *,
    problem: str = "",
    wait_s: float = 0.0,
    language: str = "",
    name: str = "",
) -> Response:
    wanted = request.query_params.get("lang", "") or language
    text = login_page(
        language_of(wanted, request.headers.get("accept-language", "")),
        safe_next(to),
        problem=problem,
        wait_s=wait_s,
        name=name,
        passwords=bool(doorkeeper.users.users) or doorkeeper.oidc is None,
        oidc=doorkeeper.oidc is not None,
    )
    answer = HTMLResponse(text, status_code=STATUS.get(problem, 200))
    answer.headers["cache-control"] = "no-store"
    if wait_s > 0.0:
        answer.headers["retry-after"] = str(int(wait_s) + 1)
    return answer


def problem_page(request: Request, doorkeeper: Doorkeeper, problem: str, status: int) -> Response:
    """Show the login page with a problem of the OpenID login."""
    answer = _page(request, doorkeeper, "", problem=problem)
    answer.status_code = status
    return answer


def _is_private(request: Request, secure: bool) -> bool:
    """Tell whether a password may be taken: it came over TLS, or never left this machine."""
    return request.url.scheme == "https" if secure else address_of(request) in LOOPBACK


def _form(body: bytes) -> dict[str, str] | None:
    try:
        fields = parse_qs(
            body.decode("utf-8"), keep_blank_values=True, strict_parsing=True, max_num_fields=10
        )
    except ValueError:
        return None
    one = {key: values[0] for key, values in fields.items()}
    return one if name_key(one.get("name", "")) else None
