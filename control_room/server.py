"""The control room's web server: the page, what feeds it, and what operators do.

Knows nothing about MQTT: it asks the `Room`. The WebSocket `/messages` carries JSON text,
`/panorama/SITE/GATEWAY` binary packets as `scene.packet` writes them; what `/api/` answers stands
in `api.py`. Who may come in is the business of `access/`: every call passes its gate first.
"""

import asyncio
import contextlib
import threading
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Protocol

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket, WebSocketDisconnect

from control_room.access.crowd import BACKLOG, MOST, CrowdLoop, allow_files
from control_room.access.gate import Gate, caller_of
from control_room.access.log_pace import say_sparingly
from control_room.access.login import login_routes, open_routes
from control_room.access.options import Door
from control_room.access.patience import PatientProtocol
from control_room.access.users_api import users_routes
from control_room.api import api_routes
from control_room.framing import FramedOnce
from control_room.gateways_api import gateway_routes
from control_room.history_api import history_routes
from control_room.incident.api import Exports, export_routes
from control_room.journal.api import journal_routes
from control_room.lifecycle import OPERATOR
from control_room.mailbox import Bell, Mailbox
from control_room.page_address import ServerError, bind, url_of
from control_room.panorama import Fan, OpenStream, Viewer
from control_room.probes import Probes
from control_room.room import Room
from control_room.turns import Turns
from scene.clock import SystemClock

__all__ = [
    "ServerError",
    "bind",
    "make_app",
    "make_server",
    "serving",
    "url_of",
    "wait_until",
]

PAGE = Path(__file__).parent / "page"
TICK_S = 0.5
MAX_FROM_BROWSER_BYTES = 65_536
READERS = 2
"""So many at once are read for from the journal; a snapshot is made for one at a time."""
MOST_IN_LINE = 32


class Played(Protocol):
    """A replay, which pages may steer; the live mine has none."""

    def watch(self) -> AbstractAsyncContextManager[Viewer]:
        """Join as a viewer of the pictures."""

    def hear(self, text: str) -> None:
        """Take what a page asks for."""


def make_app(
    room: Room,
    open_stream: OpenStream,
    door: Door,
    played: Played | None = None,
    exports: Exports | None = None,
    *,
    alive: Callable[[], None] = lambda: None,
) -> Starlette:
    """Build the web application; who may use what stands in `access/roles.py`.

    With `exports` there are recordings of which minutes can be exported. `alive` is called twice a
    second for as long as all goes on that `/healthz` looks at.
    """
    fans, bell, probes = dict[tuple[str, str], Fan](), Bell(), Probes(room)
    joining, reading = Turns(1, most_waiting=MOST), Turns(READERS, most_waiting=MOST_IN_LINE)

    async def messages(browser: WebSocket) -> None:
        await browser.accept()
        mailbox = Mailbox(asyncio.get_running_loop(), bell)
        await _tell(browser, room, mailbox, joining, played.hear if played else None)

    async def panorama(browser: WebSocket) -> None:
        place = (browser.path_params["site"], browser.path_params["gateway"])
        await browser.accept()
        if await asyncio.to_thread(room.stream_url, *place) is None and place not in fans:
            await browser.close(4404, "no such panorama")
            return
        if place not in fans and played is None:
            fans[place] = Fan(lambda: room.stream_url(*place), open_stream)

        async with fans[place].watch() if played is None else played.watch() as viewer:

            async def send() -> None:
                while True:
                    await browser.send_bytes(await viewer.next())

            await _both(send(), _until_closed(browser))

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async def again(what: Callable[[], Awaitable[object]]) -> None:
            while True:
                try:
                    await what()
                except Exception:  # silence must be noticed whatever else goes wrong
                    traceback.print_exc()
                await asyncio.sleep(TICK_S)

        with _threads() as (ticker, counter):
            work = _work(room, door, ticker, counter, probes=probes, alive=alive)
            ticking = [asyncio.create_task(again(one)) for one in work]
            yield
            for one in ticking:
                one.cancel()
            await asyncio.gather(*ticking, return_exceptions=True)
        if door.doorkeeper is not None:
            await asyncio.to_thread(door.doorkeeper.audited.close)
        for fan in fans.values():
            await fan.close()

    routes: list[BaseRoute] = [
        *_probe_routes(probes),
        *_access_routes(door),
        *history_routes(room, reading),
        *api_routes(room, reading),
        *gateway_routes(room),
        *journal_routes(room.journal, lambda request: caller_of(request).name or OPERATOR, reading),
        *export_routes(room.journal, exports),
        WebSocketRoute("/messages", messages),
        WebSocketRoute("/panorama/{site}/{gateway}", panorama),
        Mount("/", StaticFiles(directory=PAGE, html=True)),
    ]
    app = Starlette(routes=routes, lifespan=lifespan)
    app.add_middleware(
        Gate,
        routes=routes,
        doorkeeper=door.doorkeeper,
        only_loopback_names=door.only_loopback_names,
        secure=door.secure,
    )
    return app


def _probe_routes(probes: Probes) -> list[BaseRoute]:
    """Build what tells a container's keeper whether we are alive, and whether we do our work."""

    def route(path: str, ask: Callable[[], str]) -> Route:
        async def answer(_request: Request) -> Response:
            trouble = ask()
            return PlainTextResponse(f"{trouble or 'ok'}\n", status_code=503 if trouble else 200)

        return Route(path, answer, methods=["GET"])

    return [route("/healthz", probes.trouble), route("/readyz", probes.unready)]


async def _tell(
    browser: WebSocket,
    room: Room,
    mailbox: Mailbox,
    joining: Turns,
    hear: Callable[[str], None] | None,
) -> None:
    """Tell a page everything until it goes; one that has gone before its turn takes nobody's time.

    Else pages that have to wait come again and again, and each time makes the others wait longer.
    """
    closed = asyncio.ensure_future(_until_closed(browser, hear))

    async def send(snapshot: str) -> None:
        await browser.send_text(snapshot)
        while (text := await mailbox.next()) is not None:
            await browser.send_text(text)
        await browser.close(1013, "too slow")

    try:
        async with joining.turn():  # apart from the loop: it takes a while, and alarms go on
            if closed.done():
                return
            snapshot = await asyncio.to_thread(room.join, mailbox.put)
        try:
            await _both(send(snapshot), closed)
        finally:
            await asyncio.to_thread(room.leave, mailbox.put)
    finally:
        closed.cancel()


@contextlib.contextmanager
def _threads() -> Iterator[tuple[ThreadPoolExecutor, ThreadPoolExecutor]]:
    """Give a thread for what is to be done twice a second, and one for counting heads."""
    ticker = ThreadPoolExecutor(1, thread_name_prefix="room-tick")
    counter = ThreadPoolExecutor(1, thread_name_prefix="room-count")
    yield ticker, counter
    counter.shutdown(wait=False, cancel_futures=True)
    ticker.shutdown()


def _work(
    room: Room,
    door: Door,
    ticker: ThreadPoolExecutor,
    counter: ThreadPoolExecutor,
    *,
    probes: Probes,
    alive: Callable[[], None],
) -> list[Callable[[], Awaitable[object]]]:
    """List what is to be done twice a second.

    The room has a thread of its own: requests that hang may take all that asyncio has, and silence
    must be noticed all the same, also while heads are counted.
    """

    async def tick() -> None:
        await asyncio.get_running_loop().run_in_executor(ticker, probes.ticking, room.tick)

    async def count() -> None:
        await asyncio.get_running_loop().run_in_executor(counter, room.count)

    async def give_sign() -> None:
        if not probes.trouble():
            alive()

    work: list[Callable[[], Awaitable[object]]] = [
        tick,
        count,
        give_sign,
        lambda: asyncio.to_thread(probes.look),
    ]
    if door.doorkeeper is not None:
        door.doorkeeper.audited.begin(room.journal.audit)
        work.append(door.doorkeeper.tick)
    if door.certificate is not None:
        certificate = door.certificate
        work.append(lambda: asyncio.to_thread(certificate.read_again))
    return work


def _access_routes(door: Door) -> list[BaseRoute]:
    if door.doorkeeper is None:
        return open_routes()
    routes = [*login_routes(door.doorkeeper, secure=door.secure), *users_routes(door.doorkeeper)]
    if door.doorkeeper.oidc is not None:
        from control_room.access.openid_routes import openid_routes

        routes += openid_routes(
            door.doorkeeper, door.doorkeeper.oidc, SystemClock(), secure=door.secure
        )
    return routes


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


async def _until_closed(browser: WebSocket, hear: Callable[[str], None] | None = None) -> None:
    """Wait until a page goes; what it says is heard by a replay and by nobody else."""
    while (said := await browser.receive())["type"] != "websocket.disconnect":
        if hear is not None and isinstance(said.get("text"), str):
            hear(said["text"])


class _Config(uvicorn.Config):
    """uvicorn's settings, and how many may be connected."""

    def __init__(self, app: Starlette, *, most_each: int | None, **more: Any) -> None:
        super().__init__(app, **more)
        self._most_each = most_each

    def get_loop_factory(self) -> Callable[[], asyncio.AbstractEventLoop]:
        return lambda: CrowdLoop(most_each=self._most_each)


def make_server(
    room: Room,
    open_stream: OpenStream,
    door: Door,
    played: Played | None = None,
    exports: Exports | None = None,
    *,
    alive: Callable[[], None] = lambda: None,
) -> uvicorn.Server:
    """Build the web server; `server.run(sockets=[bind(host, port)])` serves until it is stopped."""
    certificate = door.certificate
    allow_files()
    server = uvicorn.Server(
        _Config(
            make_app(room, open_stream, door, played, exports, alive=alive),
            most_each=MOST if door.proxy else None,
            log_level="error",
            http=PatientProtocol,
            backlog=BACKLOG,
            ws=FramedOnce,
            ws_per_message_deflate=False,
            ws_max_size=MAX_FROM_BROWSER_BYTES,
            ws_ping_interval=5.0,
            ws_ping_timeout=10.0,
            timeout_graceful_shutdown=2,
            server_header=False,
            proxy_headers=door.proxy is not None,
            forwarded_allow_ips=door.proxy,
            ssl_context_factory=(lambda *_: certificate.context) if certificate else None,
        )
    )
    say_sparingly()
    return server


@contextlib.contextmanager
def serving(
    room: Room,
    open_stream: OpenStream,
    *,
    port: int = 0,
    door: Door | None = None,
    played: Played | None = None,
    exports: Exports | None = None,
) -> Iterator[str]:
    """Serve in a thread for as long as the block lasts; gives the page's address."""
    door = door or Door()
    bound = bind(door.host, port)
    server = make_server(room, open_stream, door, played, exports)
    thread = threading.Thread(
        target=server.run, kwargs={"sockets": [bound]}, name="control-room", daemon=True
    )
    thread.start()
    try:
        wait_until(lambda: server.started or not thread.is_alive(), timeout_s=20.0)
        if not server.started:
            raise ServerError(f"{door.host}:{port}: the web server did not start")
        yield url_of(bound, tls=door.certificate is not None)
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
