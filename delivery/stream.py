"""The panorama over WebSocket, from a gateway to those who show or record it.

Knows nothing about what is in the pictures. Each message is one packet as `scene.packet` writes it.
A client starts at the last key frame; one that is too slow skips to the next key frame instead of
falling behind, and never slows the gateway or another client.
"""

import asyncio
import concurrent.futures
import contextlib
import errno
import random
import socket
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable
from http import HTTPStatus
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import urlsplit

from websockets.asyncio.client import connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import WebSocketException
from websockets.http11 import Request, Response

from scene.errors import LamproomError, WireError
from scene.messages import PanoramaPacket
from scene.packet import MAX_BYTES, pack, unpack

PATH = "/panorama"
_DICE = random.Random()  # of our own: a program's seed is not for us to use up
BEHIND_PACKETS = 10
"""A client with so many packets unsent is behind."""
MAX_IN_FLIGHT = 64
"""So many packets may wait for the server's own thread."""
GROUP_PACKETS = 300
"""A group of pictures longer than this is not kept for new clients."""
MAX_CLIENTS = 32
MAX_FROM_CLIENT_BYTES = 1024
SOCKET_BUFFER_BYTES = 262_144
"""What the kernel holds for a slow client is old before it arrives: keep it short."""
PING_S, PONG_LIMIT_S = 5.0, 10.0
PORT_AGAIN_S = 1.0
OPEN_LIMIT_S = 5.0
SILENT_LIMIT_S = 10.0
"""A stream without a packet for so long is opened again."""
BACKOFF_S = (0.2, 3.0)


class StreamError(LamproomError):
    """The panorama can't be served, or not be had; names the address."""


class _Client:
    """One client's queue of packets; lives in the server's loop."""

    def __init__(self, group: list[bytes]) -> None:
        self._packets: deque[bytes] = deque(group)
        self._starting = len(group)
        self._waits_for_key = not group
        self._some = asyncio.Event()

    def offer(self, data: bytes, *, key_frame: bool) -> None:
        """Add a packet, or skip to the next key frame when the client is behind."""
        self._starting = min(self._starting, len(self._packets))
        if len(self._packets) >= BEHIND_PACKETS + self._starting:
            self._packets.clear()
            self._waits_for_key = True
        if self._waits_for_key and not key_frame:
            return
        self._waits_for_key = False
        self._packets.append(data)
        self._some.set()

    async def next(self) -> bytes:
        """Wait for the next packet."""
        while not self._packets:
            self._some.clear()
            await self._some.wait()
        return self._packets.popleft()


class StreamServer:
    """Serves one panorama in a thread of its own until it is closed.

    Pages of a browser can't connect (they send an Origin): the control room passes the panorama
    on to them after it has looked who asks.
    """

    def __init__(
        self, host: str = "127.0.0.1", port: int = 0, *, waits_for_port: bool = False
    ) -> None:
        """Start to serve; port 0 takes any free one. Raises `StreamError` naming the address.

        When it `waits_for_port` it does not mind one that is taken, and serves once it is free.
        """
        self._host, self._port, self._waits_for_port = host, port, waits_for_port
        self._clients: set[_Client] = set()
        self._group: list[bytes] = []
        self._in_flight = 0
        self._lost_some = False
        self._lock = threading.Lock()
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        started: concurrent.futures.Future[int] = concurrent.futures.Future()
        self._thread = threading.Thread(
            target=self._run, args=(started,), name="panorama-stream", daemon=True
        )
        self._thread.start()
        try:
            self._port = started.result(timeout=30.0)
        except (OSError, OverflowError) as error:
            raise StreamError(
                f"ws://{host}:{port}: the panorama can't be served there: {error}; stop what uses "
                "the port, or give another panorama.port"
            ) from None

    def __enter__(self) -> "StreamServer":
        """Serve while a `with` block lasts."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        self.close()

    @property
    def url(self) -> str:
        """Where others find the panorama; for a wildcard host, by this machine's own address."""
        host = self._host
        if host in ("0.0.0.0", "::", ""):
            host = _own_address()
        return (
            f"ws://[{host}]:{self._port}{PATH}"
            if ":" in host
            else (f"ws://{host}:{self._port}{PATH}")
        )

    @property
    def port(self) -> int:
        """The port that is really used."""
        return self._port

    @property
    def clients(self) -> int:
        """How many are connected."""
        return len(self._clients)

    def send(self, packet: PanoramaPacket) -> None:
        """Send a packet to everybody who is connected; never waits, from any thread."""
        loop = self._loop
        if loop is None:
            return
        with self._lock:
            if packet.key_frame:
                self._lost_some = False
            if self._lost_some or self._in_flight >= MAX_IN_FLIGHT:
                self._lost_some = True  # our own thread is behind: wait for the next key frame
                return
            self._in_flight += 1
        data, key_frame = pack(packet), packet.key_frame
        with contextlib.suppress(RuntimeError):  # it has just been closed
            loop.call_soon_threadsafe(self._offer, data, key_frame)

    def close(self) -> None:
        """Disconnect everybody and stop; may be called twice."""
        loop, stop = self._loop, self._stop
        if loop is not None and stop is not None:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(stop.set)
        self._thread.join(timeout=5.0)

    # ---- the server's thread ----

    def _run(self, started: "concurrent.futures.Future[int]") -> None:
        try:
            asyncio.run(self._serve(started))
        finally:
            self._loop = None

    async def _serve(self, started: "concurrent.futures.Future[int]") -> None:
        self._stop = asyncio.Event()
        while True:
            try:
                server = await self._new_server()
                break
            except (OSError, OverflowError) as error:
                taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
                if not (self._waits_for_port and taken):
                    started.set_exception(error)
                    return
            if not started.done():
                self._loop = asyncio.get_running_loop()
                started.set_result(self._port)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), PORT_AGAIN_S)
                return
        async with server:
            self._loop = asyncio.get_running_loop()
            if not started.done():
                started.set_result(_port_of(server))
            await self._stop.wait()

    async def _new_server(self) -> Server:
        return await serve(
            self._client,
            self._host or None,
            self._port,
            origins=[None],
            process_request=self._only_the_panorama,
            compression=None,
            max_size=MAX_FROM_CLIENT_BYTES,
            open_timeout=OPEN_LIMIT_S,
            close_timeout=1.0,
            ping_interval=PING_S,
            ping_timeout=PONG_LIMIT_S,
            server_header=None,
        )

    def _only_the_panorama(self, connection: ServerConnection, request: Request) -> Response | None:
        if urlsplit(request.path).path != PATH:
            return connection.respond(HTTPStatus.NOT_FOUND, f"only {PATH} is here\n")
        if len(self._clients) >= MAX_CLIENTS:
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "too many clients\n")
        return None

    async def _client(self, connection: ServerConnection) -> None:
        raw = connection.transport.get_extra_info("socket")
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BUFFER_BYTES)
        client = _Client(self._group)
        self._clients.add(client)
        sending = asyncio.ensure_future(_send_all(client, connection))
        try:
            async for _ in connection:  # clients have nothing to say; this sees them go
                pass
        except WebSocketException:
            pass
        finally:
            self._clients.discard(client)
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    def _offer(self, data: bytes, key_frame: bool) -> None:
        with self._lock:
            self._in_flight -= 1
        if key_frame:
            self._group = [data]
        elif self._group and len(self._group) < GROUP_PACKETS:
            self._group = [*self._group, data]
        else:
            self._group = []
        for client in tuple(self._clients):
            client.offer(data, key_frame=key_frame)


async def _send_all(client: _Client, connection: ServerConnection) -> None:
    with contextlib.suppress(WebSocketException):
        while True:
            await connection.send(await client.next())


Read = TypeVar("Read")


async def stream_packets(
    url: str, *, give_up_after_s: float | None = None
) -> AsyncGenerator[PanoramaPacket, None]:
    """Give a gateway's packets as they come, as `stream_of` does."""
    packets = stream_of(url, unpack, give_up_after_s=give_up_after_s)
    async with contextlib.aclosing(packets):
        async for packet in packets:
            yield packet


async def stream_of(
    url: str, read: Callable[[bytes], Read], *, give_up_after_s: float | None = None
) -> AsyncGenerator[Read, None]:
    """Give what `read` makes of a gateway's packets, for ever: what breaks is opened again.

    With `give_up_after_s` it raises `StreamError` when no packet has come for so long; an address
    that can never work raises it at once.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("ws", "wss") or not parts.hostname:
        raise StreamError(f"{url}: not the address of a panorama; give ws://host:port{PATH}")
    loop = asyncio.get_running_loop()
    heard_s, pause_s, trouble = loop.time(), BACKOFF_S[0], "nothing came"

    def wait_s(at_most_s: float) -> float:
        if give_up_after_s is None:
            return at_most_s
        left_s = heard_s + give_up_after_s - loop.time()
        if left_s <= 0:
            raise StreamError(f"{url}: no panorama for {give_up_after_s:g} s: {trouble}")
        return min(at_most_s, left_s)

    while True:
        try:
            async with connect(
                url,
                max_size=MAX_BYTES,
                compression=None,
                proxy=None,
                open_timeout=wait_s(OPEN_LIMIT_S),
                close_timeout=1.0,
                ping_interval=PING_S,
                ping_timeout=PONG_LIMIT_S,
                max_queue=4,
            ) as connection:
                while True:
                    async with asyncio.timeout(wait_s(SILENT_LIMIT_S)):
                        data = await connection.recv()
                    if isinstance(data, str):
                        raise WireError("panorama packet: text instead of bytes")
                    packet = read(data)
                    heard_s, pause_s = loop.time(), BACKOFF_S[0]
                    yield packet
        except (OSError, WebSocketException, TimeoutError, WireError) as error:
            trouble = str(error) or type(error).__name__
        await asyncio.sleep(wait_s(pause_s * _DICE.uniform(0.7, 1.3)))
        pause_s = min(pause_s * 2, BACKOFF_S[1])


class StreamFollower:
    """Hands every packet of a stream to a function, in a thread of its own, until it is closed."""

    def __init__(
        self,
        url: str,
        on_packet: Callable[[Any], None],
        on_error: Callable[[Exception], None] | None = None,
        *,
        read: Callable[[bytes], Any] = unpack,
    ) -> None:
        """Start; what `on_packet` raises ends it and goes to `on_error`.

        `on_packet` is given what `read` makes of each packet; that raises `WireError` for none.
        """
        self._on_packet, self._read = on_packet, read
        self._on_error = on_error
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._running = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(url,), name="follow-panorama", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop; may be called twice."""
        self._running.wait(timeout=5.0)
        if self._loop is not None and self._stop is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(timeout=5.0)

    def _run(self, url: str) -> None:
        try:
            asyncio.run(self._follow(url))
        except Exception as error:
            if self._on_error is not None:
                self._on_error(error)

    async def _follow(self, url: str) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._running.set()
        following = asyncio.ensure_future(self._hand_over(url))
        stopped = asyncio.ensure_future(self._stop.wait())
        await asyncio.wait([following, stopped], return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if following.done():
            following.result()
        following.cancel()
        await asyncio.gather(following, stopped, return_exceptions=True)

    async def _hand_over(self, url: str) -> None:
        async with contextlib.aclosing(stream_of(url, self._read)) as packets:
            async for packet in packets:
                self._on_packet(packet)


def _port_of(server: Server) -> int:
    return int(next(iter(server.sockets)).getsockname()[1])


def _own_address() -> str:
    """Find the address by which others on the network reach us; nothing is sent."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # RFC 5737: an address that nobody has
        return str(probe.getsockname()[0])
    return socket.gethostname()
