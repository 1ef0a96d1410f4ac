"""The gate that every call passes: host name, origin, who calls, whether the role suffices, pace.

Knows nothing about what routes do, nor how people log in: it asks the `Doorkeeper` and the table in
`roles.py`. Without a doorkeeper everybody may act, but from our own page only.
"""

import asyncio
from collections.abc import Hashable
from urllib.parse import quote

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from control_room.access.addresses import LOOPBACK, host_of, split
from control_room.access.doorkeeper import Caller, Doorkeeper, anybody
from control_room.access.pace import Buckets, network_of
from control_room.access.roles import API, ROUTES, WRITES_DOWN, suffices
from control_room.access.rows import methods_of, row_of
from control_room.sorry import sorry
from scene.clock import SystemClock

MAX_BODY_BYTES = 65_536
SAFE = ("GET", "HEAD")
ACTS_BURST, ACTS_PER_S = 300, 5.0
"""For each login: acknowledging a flood of alarms is one act for each of them."""
COSTLY = frozenset(
    {
        *("GET /api/alarms/history", "GET /api/alarms/acts", "GET /api/alarm-rate"),
        *("GET /api/history", "WS /messages"),
    }
)
"""What makes the journal work: whoever asks for it without end would make alarms wait."""
LOOKS_BURST, LOOKS_PER_S = 60, 2.0
"""For each login and each of `COSTLY`."""
LOGGED_OUT = 4401
"""Close code of a WebSocket whose session has ended."""
NOT_LOGGED_IN, FORBIDDEN, TOO_LONG, MISDIRECTED, TOO_MANY = 401, 403, 413, 421, 429
NO_SUCH_METHOD = 405

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with none at all, a form's origin is "null"
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
HSTS = {"Strict-Transport-Security": "max-age=31536000"}
_CALLER = "lamproom.caller"


def caller_of(call: HTTPConnection) -> Caller:
    """Tell who calls; for a route behind the gate."""
    found = call.scope[_CALLER]
    assert isinstance(found, Caller)
    return found


def cookie_name(secure: bool) -> str:
    """Name the session's cookie; with TLS browsers take it from this very host only."""
    return "__Host-lamproom" if secure else "lamproom"


def address_of(call: HTTPConnection) -> str:
    """Give the address that somebody calls from."""
    return call.client.host if call.client else "?"


def is_ours(call: HTTPConnection) -> bool:
    """Tell whether a page that came from here calls; browsers say so in `Origin`."""
    origin = split(call.headers.get("origin", ""))
    site = call.headers.get("sec-fetch-site", "same-origin")
    if call.scope["type"] == "http" and site != "same-origin":
        return False
    if call.scope["scheme"] in ("https", "wss") and origin.scheme != "https":
        return False
    return bool(origin.netloc) and origin.netloc == call.headers.get("host")


def is_our_link(call: HTTPConnection) -> bool:
    """Tell whether a link of our own page was followed.

    Browsers give no `Origin` then, but say `Sec-Fetch-Site: same-origin`; from a page of another
    port of this host they say `same-site` and give the cookie all the same. `none` is an address
    that somebody typed, or a link in a mail.
    """
    return call.headers.get("sec-fetch-site") == "same-origin" or is_ours(call)


class Gate:
    """ASGI middleware: what it lets pass has a `Caller` whose role suffices."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        routes: list[BaseRoute],
        doorkeeper: Doorkeeper | None,
        only_loopback_names: bool,
        secure: bool,
    ) -> None:
        """Stand before `app`, whose `routes` these are; `secure`: browsers come over TLS.

        With `only_loopback_names` nobody is answered who called by another name than localhost, so
        that a foreign page can't reach us by pointing a name of its own at this machine.
        """
        self._app, self._routes, self._doorkeeper = app, routes, doorkeeper
        self._only_loopback_names, self._secure = only_loopback_names, secure
        clock = doorkeeper.clock if doorkeeper else SystemClock()
        self._acts = Buckets(clock, burst=ACTS_BURST, per_s=ACTS_PER_S)
        self._looks = Buckets(clock, burst=LOOKS_BURST, per_s=LOOKS_PER_S)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a call, or hand it on."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = HEADERS | (HSTS if self._secure else {})

        async def send_with_headers(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                MutableHeaders(scope=message).update(headers)
            await send(message)

        scope[_CALLER] = caller = self._who(scope)
        refusal = self._refusal(scope, caller)
        if refusal is not None:
            await refusal(scope, receive, send_with_headers)
        elif scope["type"] == "websocket":
            await self._watched(scope, receive, send_with_headers, caller)
        elif scope["method"] in SAFE:
            await self._app(scope, receive, send_with_headers)
        else:
            await self._with_body(scope, receive, send_with_headers)

    def _who(self, scope: Scope) -> Caller:
        if self._doorkeeper is None:
            return anybody()
        cookies = HTTPConnection(scope).cookies
        return self._doorkeeper.caller(cookies.get(cookie_name(self._secure)))

    def _refusal(self, scope: Scope, caller: Caller) -> Response | None:
        """Say why a call is refused, in the order in which it can be told to anybody."""
        call = HTTPConnection(scope)
        acts = scope["type"] == "websocket" or scope["method"] not in SAFE
        refusal = self._foreign(call, acts=acts)
        if refusal is not None:
            return refusal
        row = row_of(self._routes, scope)
        need = ROUTES.get(row) if row else None
        if need is None:
            return self._unknown(row, scope, caller)
        if not suffices(caller.role, need):
            return self._not_enough(call, caller, need)
        if row == "GET /*" and scope["path"].startswith(API):
            return self._unknown(row, scope, caller)
        writes = WRITES_DOWN.get(row or "") in call.query_params
        if writes and not is_our_link(call):
            return sorry("only a link of the control room's own page gives that", FORBIDDEN)
        counts = scope["type"] == "http" and acts and need != "anybody"
        key = caller.session.key if caller.session else network_of(address_of(call))
        many = _too_many(self._acts, key) if counts or writes else None
        if many is None and row in COSTLY:
            many = _too_many(self._looks, (key, row))
        return many

    def _foreign(self, call: HTTPConnection, *, acts: bool) -> Response | None:
        host = host_of(call.headers.get("host", ""))
        if self._only_loopback_names and host not in LOOPBACK:
            # A WebSocket gets the same answer as from a foreign page.
            status = MISDIRECTED if call.scope["type"] == "http" else FORBIDDEN
            return sorry("unknown host name", status)
        if acts and not is_ours(call):
            return sorry("only the control room's own page may act", FORBIDDEN)
        return None

    def _unknown(self, row: str | None, scope: Scope, caller: Caller) -> Response | None:
        if caller.role is None:
            return sorry("log in first", NOT_LOGGED_IN)
        if row is None or row.endswith("/*"):
            allowed = methods_of(self._routes, scope) if scope["type"] == "http" else ""
            if row is None or not allowed:
                return sorry("there is no such thing here", 404)
            answer = sorry(f"that can't be done here; there is {allowed}", NO_SUCH_METHOD)
            answer.headers["allow"] = allowed
            return answer
        return sorry(f"{row}: may be used by nobody (control_room/access/roles.py)", FORBIDDEN)

    def _not_enough(self, call: HTTPConnection, caller: Caller, need: str) -> Response:
        if caller.role is not None and not caller.stepped_down:
            return sorry(f"only an {need} may do that; you are {caller.role}", FORBIDDEN)
        opens = call.scope["type"] == "http" and call.scope["method"] in SAFE
        if opens and "text/html" in call.headers.get("accept", ""):
            query = call.scope["query_string"].decode("latin-1")
            path = call.scope["path"] + (f"?{query}" if query else "")
            return RedirectResponse(f"/login?next={quote(path)}", status_code=303)
        if caller.stepped_down:
            return sorry("log in again to act: your login is from the shift before", NOT_LOGGED_IN)
        return sorry("log in first", NOT_LOGGED_IN)

    async def _with_body(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body, up to a limit, before anybody works with it."""
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > MAX_BODY_BYTES:
                answer = sorry(f"the body is longer than {MAX_BODY_BYTES} bytes", TOO_LONG)
                answer.headers["connection"] = "close"
                await answer(scope, receive, send)
                return
        told = False

        async def again() -> Message:
            nonlocal told
            if told:
                return await receive()
            told = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, again, send)

    async def _watched(self, scope: Scope, receive: Receive, send: Send, caller: Caller) -> None:
        """Serve a WebSocket until it is closed, or its session has ended."""
        doorkeeper = self._doorkeeper
        if doorkeeper is None or caller.session is None:
            await self._app(scope, receive, send)
            return
        line = doorkeeper.open_line(caller.session)
        over = asyncio.ensure_future(line.over.wait())
        closed = False

        async def hear() -> Message:
            nonlocal closed
            heard = asyncio.ensure_future(receive())
            try:
                await asyncio.wait((heard, over), return_when=asyncio.FIRST_COMPLETED)
            finally:
                if not heard.done():
                    heard.cancel()
            if not over.done():
                return heard.result()
            if not closed:
                closed = True
                await send({"type": "websocket.close", "code": LOGGED_OUT, "reason": "logged out"})
            return {"type": "websocket.disconnect", "code": LOGGED_OUT}

        async def tell(message: Message) -> None:
            if not closed:
                await send(message)

        try:
            await self._app(scope, hear, tell)
        finally:
            over.cancel()
            doorkeeper.close_line(line)


def _too_many(buckets: Buckets, key: Hashable) -> Response | None:
    """Take a token; gives what to answer where there is none."""
    wait_s = buckets.wait_s(key)
    if wait_s > 0.0:
        answer = sorry(f"too many in so short a time; go on in {wait_s:.0f} s", TOO_MANY)
        answer.headers["retry-after"] = str(int(wait_s) + 1)
        return answer
    buckets.take(key)
    return None
