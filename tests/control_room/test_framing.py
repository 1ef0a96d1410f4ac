"""Many viewers get the same bytes; who reads slowly gets fresh ones."""

import asyncio
import itertools
import socket
import struct
import threading
from collections.abc import AsyncGenerator

import pytest
from websockets.frames import Frame, Opcode
from websockets.sync.client import ClientConnection, connect

from control_room.framing import framed
from control_room.journal.journal import Journal
from control_room.room import Room
from control_room.server import serving
from scene.clock import SystemClock
from scene.messages import GatewayState, PanoramaPacket, Positions
from scene.packet import pack, unpack
from scene.topics import Address
from scene.wire import Envelope
from tests.control_room.fake_gateway import GATEWAY, SITE, description

HANG_S = 60


def packet(i: int, size: int, *, key_every: int = 5) -> PanoramaPacket:
    return PanoramaPacket(
        captured_at_ns=i,
        key_frame=i % key_every == 0,
        geometry="rig-1",
        size_px=(4, 2),
        positions=Positions(captured_at_ns=i, people=()),
        payload=bytes(size),
    )


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 200_000])
def test_a_message_is_framed_once_for_all(size: int) -> None:
    text, data = "\u7535" * size, bytes(size)
    for _ in range(2):
        assert framed(text) is framed(text)
        assert framed(data) is framed(data), "a text between changes nothing"
    assert framed(text) == Frame(Opcode.TEXT, text.encode()).serialize(mask=False)
    assert framed(data) == Frame(Opcode.BINARY, data).serialize(mask=False)
    other = bytes([1]) * (size + 1)
    assert framed(other) == Frame(Opcode.BINARY, other).serialize(mask=False)


class Source:
    """A gateway's stream that gives packets, each of so many bytes, as fast as they are taken."""

    def __init__(self, size: int, count: int) -> None:
        self.size, self.count = size, count
        self.given = 0
        self.all_given = threading.Event()

    async def __call__(self, _url: str) -> AsyncGenerator[PanoramaPacket, None]:
        for i in range(self.count):
            yield packet(i, self.size)
            self.given += 1
            await asyncio.sleep(0)
        self.all_given.set()
        await asyncio.Event().wait()


def room_with_gateway() -> Room:
    room = Room(Journal(None), SystemClock(), lambda *_: None, lambda *_: None, prefix="mine")
    for body in (GatewayState(online=True, since_ns=1), description("ws://gateway:1/panorama")):
        topic = "state" if isinstance(body, GatewayState) else "site"
        address = Address(prefix="mine", site=SITE, gateway=GATEWAY, topic=topic, id=None)
        room.hear(address, Envelope(type=topic, gateway=GATEWAY, seq=1, sent_at_ns=1, body=body))
    return room


def opened(url: str, path: str, line: socket.socket | None = None) -> ClientConnection:
    return connect(
        f"{url.replace('http', 'ws', 1).rstrip('/')}{path}",
        origin=url.rstrip("/"),  # type: ignore[arg-type]
        sock=line,
        proxy=None,
        max_size=None,
        ping_interval=None,
    )


def test_viewers_read_every_size_of_picture_and_text_as_it_was_said() -> None:
    room = room_with_gateway()
    source = Source(size=70_000, count=5)
    with serving(room, source) as url:
        viewers = [opened(url, f"/panorama/{SITE}/{GATEWAY}") for _ in range(3)]
        for viewer in viewers:
            got = [viewer.recv(timeout=HANG_S) for _ in range(5)]
            assert got == [pack(packet(i, 70_000)) for i in range(5)]
        hearing = [opened(url, "/messages") for _ in range(3)]
        for one in hearing:
            assert '"is": "snapshot"' in str(one.recv(timeout=HANG_S))
        said = "\u77ff" * 30_000
        room._viewers.tell("heads", said)
        for one in hearing:
            while (text := one.recv(timeout=HANG_S)) != said:
                assert '"is": "clock"' in str(text)
        for one in (*viewers, *hearing):
            one.close()


def test_who_reads_late_gets_no_old_pictures() -> None:
    """What the kernel holds is old: by itself it takes some 4 MB for a viewer that is slow."""
    source = Source(size=70_000, count=400)
    with serving(room_with_gateway(), source) as url:
        port = int(url.rstrip("/").rsplit(":", 1)[1])
        line = socket.socket()
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
        line.connect(("127.0.0.1", port))
        path = f"/panorama/{SITE}/{GATEWAY}"
        ask = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: {url.rstrip('/')}\r\n"
        ask += "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        line.sendall(f"{ask}Sec-WebSocket-Key: {'A' * 22}==\r\n\r\n".encode())
        assert source.all_given.wait(HANG_S), "the source waits for nobody"
        line.settimeout(HANG_S)
        with line.makefile("rb") as read:
            while read.readline() != b"\r\n":
                pass
            numbers = [0]
            while numbers[-1] < 399:
                (length,) = struct.unpack("!xxQ", read.read(10))
                numbers.append(unpack(read.read(length)).captured_at_ns)
        line.close()
    old = next(i for i, (a, b) in enumerate(itertools.pairwise(numbers)) if b > a + 1)
    assert old * source.size < 2_000_000, f"{old} pictures came that were old"
    assert len(numbers) < 60
