"""The control room's web server: the page, what feeds it, and what operators do.

Knows nothing about MQTT: it asks the `Room`. The WebSocket `/messages` carries JSON text,
`/panorama/SITE/GATEWAY` binary packets as `scene.packet` writes them; what `/api/` answers stands
in `api.py`. Only pages that came from here may open a WebSocket or act.
"""

import asyncio
import contextlib
import socket
import threading
import time
import traceback
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute, Mount, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from control_room.api import api_routes, is_ours
from control_room.panorama import Fan, OpenStream
from control_room.room import Room
from scene.errors import LamproomError

PAGE = Path(__file__).parent / "page"
TICK_S = 0.5
MAX_WAITING = 1000
"""A viewer with so many messages unsent is cut off; its page comes back and starts afresh."""
MAX_WAITING_POSITIONS = 20
"""A viewer with so many messages unsent gets no further positions until it has caught up."""
MAX_FROM_BROWSER_BYTES = 65_536

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}

LOOPBACK = {"localhost", "127.0.0.1", "::1"}
REFUSED = 4403


class ServerError(LamproomError):
    """The web server can't be started; names the address."""


class Mailbox:
    """What one viewer still has to be sent; filled from any thread, emptied in `loop`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._texts: deque[str] = deque()
        self._some = asyncio.Event()
        self._overfull = False

    def put(self, about: str, text: str) -> None:
        """Add a text; one that is only about positions is dropped when many are waiting."""
        if about == "positions" and len(self._texts) > MAX_WAITING_POSITIONS:
            return
        if len(self._texts) >= MAX_WAITING:
            self._overfull = True
        else:
            self._texts.append(text)
        with contextlib.suppress(RuntimeError):  # the server has just stopped
            self._loop.call_soon_threadsafe(self._some.set)

    async def next(self) -> str | None:
        """Wait for the next text; none when the viewer is too far behind."""
        while not self._texts:
            self._some.clear()
            if self._texts:
                break
            await self._some.wait()
        return None if self._overfull else self._texts.popleft()


def make_app(room: Room, open_stream: OpenStream, *, only_loopback_names: bool) -> Starlette:
    """Build the web application.

    With `only_loopback_names` it answers nobody who called it by another name than localhost, so
    that a foreign page can't reach it by pointing a name of its own at this machine.
    """
    fans: dict[tuple[str, str], Fan] = {}

    async def messages(browser: WebSocket) -> None:
        if not await _accept(browser):
            return
        mailbox = Mailbox(asyncio.get_running_loop())
        snapshot = room.join(mailbox.put)

        async def send() -> None:
            await browser.send_text(snapshot)
            while (text := await mailbox.next()) is not None:
                await browser.send_text(text)
            await browser.close(1013, "too slow")

        try:
            await _both(send(), _until_closed(browser))
        finally:
            room.leave(mailbox.put)

    async def panorama(browser: WebSocket) -> None:
        place = (browser.path_params["site"], browser.path_params["gateway"])
        if not await _accept(browser):
            return
        if room.stream_url(*place) is None and place not in fans:
            await browser.close(4404, "no such panorama")
            return
        if place not in fans:
            fans[place] = Fan(lambda: room.stream_url(*place), open_stream)

        async with fans[place].watch() as viewer:

            async def send() -> None:
                while True:
                    await browser.send_bytes(await viewer.next())

            await _both(send(), _until_closed(browser))

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async def tick() -> None:
            while True:
                try:
                    await asyncio.to_thread(room.tick)
                except Exception:  # silence must be noticed whatever else goes wrong
                    traceback.print_exc()
                await asyncio.sleep(TICK_S)

        ticking = asyncio.create_task(tick())
        yield
        ticking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await ticking
        for fan in fans.values():
            await fan.close()

    routes: list[BaseRoute] = [
        *api_routes(room),
        WebSocketRoute("/messages", messages),
        WebSocketRoute("/panorama/{site}/{gateway}", panorama),
        Mount("/", StaticFiles(directory=PAGE, html=True)),
    ]
    app = Starlette(routes=routes, lifespan=lifespan)
    app.add_middleware(_Guard, only_loopback_names=only_loopback_names)
    return app


class _Guard:
    """Adds the security headers and refuses foreign host names."""

    def __init__(self, app: ASGIApp, *, only_loopback_names: bool) -> None:
        self._app = app
        self._only_loopback_names = only_loopback_names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = {key: value.decode("latin-1") for key, value in scope["headers"]}
        host = headers.get(b"host", "")
        if self._only_loopback_names and urlsplit(f"//{host}").hostname not in LOOPBACK:
            if scope["type"] == "http":
                answer = PlainTextResponse("unknown host name\n", status_code=421)
                await answer(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": REFUSED})
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self._app(scope, receive, send_with_headers)


async def _accept(browser: WebSocket) -> bool:
    """Accept a WebSocket from our own page only."""
    if not is_ours(browser):
        await browser.close(REFUSED)
        return False
    await browser.accept()
    return True


async def _both(*work: Awaitable[None]) -> None:
    """Run both until one ends, as it does when the viewer goes; then end the other."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            expected = (asyncio.CancelledError, WebSocketDisconnect, OSError, RuntimeError)
            if isinstance(result, BaseException) and not isinstance(result, expected):
                raise result


async def _until_closed(browser: WebSocket) -> None:
    while (await browser.receive())["type"] != "websocket.disconnect":
        pass


def bind(host: str, port: int) -> socket.socket:
    """Take the address; raises `ServerError` that names it. Port 0 takes any free one."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        bound = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise ServerError(f"{host}: no such address: {error}; give another --host") from None
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except (OSError, OverflowError) as error:
        bound.close()
        raise ServerError(
            f"{host}:{port}: the page can't be served there: {error}; give another --port"
        ) from None
    return bound


def url_of(bound: socket.socket) -> str:
    """Tell the page's address, as a browser on this machine would type it."""
    host, port = bound.getsockname()[:2]
    if host in ("0.0.0.0", "::"):
        host = "127.0.0.1"
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def make_server(room: Room, open_stream: OpenStream, *, host: str) -> uvicorn.Server:
    """Build the web server; `server.run(sockets=[bind(host, port)])` serves until it is stopped."""
    app = make_app(room, open_stream, only_loopback_names=host in LOOPBACK)
    return uvicorn.Server(
        uvicorn.Config(
            app,
            log_level="warning",
            ws="websockets-sansio",
            ws_per_message_deflate=False,
            ws_max_size=MAX_FROM_BROWSER_BYTES,
            ws_ping_interval=5.0,
            ws_ping_timeout=10.0,
            timeout_graceful_shutdown=2,
            server_header=False,
        )
    )


@contextlib.contextmanager
def serving(
    room: Room, open_stream: OpenStream, *, host: str = "127.0.0.1", port: int = 0
) -> Iterator[str]:
    """Serve in a thread for as long as the block lasts; gives the page's address."""
    bound = bind(host, port)
    server = make_server(room, open_stream, host=host)
    thread = threading.Thread(
        target=server.run, kwargs={"sockets": [bound]}, name="control-room", daemon=True
    )
    thread.start()
    try:
        wait_until(lambda: server.started or not thread.is_alive(), timeout_s=20.0)
        if not server.started:
            raise ServerError(f"{host}:{port}: the web server did not start")
        yield url_of(bound)
    finally:
        server.should_exit = True
        thread.join(timeout=10.0)
        bound.close()


def wait_until(condition: Callable[[], bool], *, timeout_s: float) -> bool:
    """Wait until the condition holds; tells whether it came to hold in time."""
    until_s = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > until_s:
            return False
        time.sleep(0.02)
    return True
