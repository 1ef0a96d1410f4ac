import asyncio
import http.client
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from control_room.journal import Journal
from control_room.room import Room
from control_room.server import (
    MAX_WAITING,
    MAX_WAITING_POSITIONS,
    Mailbox,
    ServerError,
    bind,
    serving,
    url_of,
)
from scene.clock import SystemClock
from scene.packet import unpack
from tests.control_room.fake_gateway import GATEWAY, SITE, LocalGateway, alarm


@pytest.fixture
def journal() -> Iterator[Journal]:
    opened = Journal(None)
    yield opened
    opened.close()


@pytest.fixture
def gateway(journal: Journal) -> Iterator[LocalGateway]:
    room = Room(journal, SystemClock(), lambda *_: None, prefix="mine")
    with LocalGateway(room.hear) as started:
        started.room = room
        yield started


@pytest.fixture
def url(gateway: LocalGateway) -> Iterator[str]:
    with serving(gateway.room, gateway.open_stream) as address:
        yield address


@contextmanager
def opened(url: str, path: str, **more: Any) -> Iterator[Connection]:
    address = url.replace("http", "ws").rstrip("/") + path
    more.setdefault("origin", url.rstrip("/"))
    with connect(address, max_size=None, **more) as connection:
        yield connection


def hear(connection: Connection, wanted: str) -> dict[str, Any]:
    """Give the next message of one sort."""
    for _ in range(200):
        said: dict[str, Any] = json.loads(connection.recv(timeout=10))
        if said["is"] == wanted:
            return said
    raise AssertionError(f"no {wanted} among 200 messages")


@pytest.mark.parametrize("path", ["/messages", f"/panorama/{SITE}/{GATEWAY}"])
@pytest.mark.parametrize("origin", ["http://evil.example", "null", None])
def test_foreign_pages_get_no_websocket(url: str, path: str, origin: str | None) -> None:
    with pytest.raises(InvalidStatus, match="403"), opened(url, path, origin=origin):
        pass


def test_a_foreign_name_for_this_machine_gets_no_websocket(url: str) -> None:
    upgrade = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg==",
    }
    ours = url.removeprefix("http://").rstrip("/")
    for host, status in ((ours, 101), ("evil.example", 403)):
        line = http.client.HTTPConnection(ours, timeout=10)
        headers = {"Host": host, "Origin": f"http://{host}"}
        line.request("GET", "/messages", headers=headers | upgrade)
        answer = line.getresponse()
        assert answer.status == status
        answer.close()
        line.close()


def test_messages_start_with_a_snapshot_and_go_on(url: str, gateway: LocalGateway) -> None:
    with opened(url, "/messages") as browser:
        snapshot = json.loads(browser.recv(timeout=10))
        assert snapshot["is"] == "snapshot"
        said = hear(browser, "message")
        assert (said["site"], said["gateway"]) == (SITE, GATEWAY)
        assert said["envelope"]["schema"].startswith("lamproom/")
        gateway.say(alarm(at_ns=1_790_000_000_123_456_789))
        told = hear(browser, "alarm")
        assert told["anomaly"]["raised_at_ns"] == 1_790_000_000_123_456_789
        browser.send(
            json.dumps({"is": "acknowledge", "site": SITE, "gateway": GATEWAY, "id": "man_down-3"})
        )
        assert hear(browser, "alarm")["acknowledged_at_ns"] is not None


@pytest.mark.parametrize(
    "junk", ["", "{", "[]", "7", '{"is": "acknowledge"}', "[" * 50_000, "x" * 100_000]
)
def test_junk_from_a_browser_closes_only_its_own_line(url: str, junk: str) -> None:
    with opened(url, "/messages") as well, opened(url, "/messages") as bad:
        bad.send(junk)
        with pytest.raises(ConnectionClosed):
            while True:
                bad.recv(timeout=10)
        hear(well, "clock")


def test_many_viewers_share_one_upstream_and_see_the_same_bytes(
    url: str, gateway: LocalGateway
) -> None:
    path = f"/panorama/{SITE}/{GATEWAY}"
    with opened(url, path) as first, opened(url, path) as second:
        seen: list[dict[int, bytes]] = [{}, {}]
        for packets, viewer in zip(seen, (first, second), strict=True):
            for i in range(12):
                data = viewer.recv(timeout=10)
                assert isinstance(data, bytes)
                packet = unpack(data)
                assert i > 0 or packet.key_frame, "a viewer starts at a key frame"
                packets[packet.captured_at_ns] = data
        common = seen[0].keys() & seen[1].keys()
        assert len(common) >= 5
        assert all(seen[0][at_ns] == seen[1][at_ns] for at_ns in common)
        assert gateway.upstreams == 1
    deadline_s = time.monotonic() + 10
    while gateway.listening and time.monotonic() < deadline_s:
        time.sleep(0.02)
    assert gateway.listening == 0, "nobody looks, nothing is streamed"


def test_an_unknown_panorama_is_refused(url: str) -> None:
    with opened(url, "/panorama/roadway/none") as viewer, pytest.raises(ConnectionClosed):
        viewer.recv(timeout=10)


def test_a_slow_viewer_loses_positions_first_and_is_then_cut_off() -> None:
    async def scenario() -> None:
        mailbox = Mailbox(asyncio.get_running_loop())
        for i in range(MAX_WAITING):
            mailbox.put("positions", f"positions {i}")
        mailbox.put("alarm", "alarm")
        told = [await mailbox.next() for _ in range(MAX_WAITING_POSITIONS + 2)]
        assert told[-1] == "alarm"
        for _ in range(MAX_WAITING + 1):
            mailbox.put("alarm", "alarm")
        assert await mailbox.next() is None

    asyncio.run(asyncio.wait_for(scenario(), 20))


def test_a_taken_port_is_named() -> None:
    first = bind("127.0.0.1", 0)
    first.listen()
    port = int(url_of(first).rsplit(":", 1)[1].rstrip("/"))
    with pytest.raises(ServerError, match=f"{port}.*--port"):
        bind("127.0.0.1", port)
    first.close()


def test_an_unknown_host_is_named() -> None:
    with pytest.raises(ServerError, match=r"nowhere\.invalid.*--host"):
        bind("nowhere.invalid", 0)
