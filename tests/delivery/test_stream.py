import asyncio
import itertools
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import aclosing, closing

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from delivery.stream import (
    BEHIND_PACKETS,
    MAX_CLIENTS,
    StreamError,
    StreamFollower,
    StreamServer,
    stream_packets,
)
from scene.messages import PanoramaPacket
from scene.packet import pack, unpack
from tests.delivery.parts import HANG_S, free_port, packet, wait_until


@pytest.fixture
def server() -> Iterator[StreamServer]:
    with StreamServer() as started:
        yield started


class Follower:
    def __init__(self, url: str) -> None:
        self.got: list[PanoramaPacket] = []
        self.following = StreamFollower(url, self.got.append)

    def __enter__(self) -> "Follower":
        return self

    def __exit__(self, *_: object) -> None:
        self.following.close()

    def instants(self) -> list[int]:
        return [one.captured_at_ns for one in self.got]


def send_slowly(server: StreamServer, packets: range) -> None:
    for i in packets:
        server.send(packet(i))
        time.sleep(0.002)


def test_packets_arrive_as_they_were_sent(server: StreamServer) -> None:
    with Follower(server.url) as follower:
        wait_until(lambda: server.clients == 1)
        send_slowly(server, range(12))
        wait_until(lambda: len(follower.got) == 12)
        assert [pack(one) for one in follower.got] == [pack(packet(i)) for i in range(12)]
    wait_until(lambda: server.clients == 0)


def test_a_new_client_starts_at_the_last_key_frame(server: StreamServer) -> None:
    send_slowly(server, range(13))
    with Follower(server.url) as follower:
        wait_until(lambda: len(follower.got) == 3)
        send_slowly(server, range(13, 16))
        wait_until(lambda: len(follower.got) == 6)
        assert follower.instants() == [10, 11, 12, 13, 14, 15]


def test_before_the_first_key_frame_nothing_is_sent(server: StreamServer) -> None:
    with Follower(server.url) as follower:
        wait_until(lambda: server.clients == 1)
        send_slowly(server, range(1, 8))
        wait_until(lambda: len(follower.got) == 3)
        assert follower.instants() == [5, 6, 7]


def test_a_slow_client_skips_to_a_key_frame_and_holds_nobody_up(server: StreamServer) -> None:
    with (
        connect(server.url, max_size=None, compression=None, proxy=None) as slow,
        Follower(server.url) as quick,
    ):
        wait_until(lambda: server.clients == 2)
        for i in range(150):  # much more than the kernel and the queue hold
            server.send(packet(i, size=200_000))
            wait_until(lambda i=i: len(quick.got) == i + 1)  # type: ignore[misc]
        assert quick.instants() == list(range(150))
        read: list[int] = []
        while not read or read[-1] < 149:
            data = slow.recv(timeout=HANG_S)
            assert isinstance(data, bytes)
            read.append(unpack(data).captured_at_ns)
        jumps = [now for last, now in itertools.pairwise(read) if now != last + 1]
        assert len(read) < 150 - BEHIND_PACKETS
        assert jumps
        assert all(now % 5 == 0 for now in jumps)


def test_a_client_that_goes_is_forgotten(server: StreamServer) -> None:
    raw = connect(server.url, compression=None, proxy=None)
    wait_until(lambda: server.clients == 1)
    raw.socket.shutdown(socket.SHUT_RDWR)
    wait_until(lambda: server.clients == 0)
    raw.close()


def test_only_so_many_clients(server: StreamServer) -> None:
    clients = [connect(server.url, compression=None, proxy=None) for _ in range(MAX_CLIENTS)]
    wait_until(lambda: server.clients == MAX_CLIENTS)
    with pytest.raises(InvalidStatus, match="503"):
        connect(server.url, compression=None, proxy=None)
    for client in clients:
        client.close()


def test_other_paths_and_pages_of_a_browser_are_refused(server: StreamServer) -> None:
    with pytest.raises(InvalidStatus, match="404"):
        connect(server.url.replace("panorama", "else"), proxy=None)
    with pytest.raises(InvalidStatus, match="403"):
        connect(server.url, origin="http://evil.example", proxy=None)  # type: ignore[arg-type]


def test_a_chatty_client_is_cut_off(server: StreamServer) -> None:
    with connect(server.url, compression=None, proxy=None) as client:
        client.send(bytes(100_000))
        wait_until(lambda: server.clients == 0)


def test_a_taken_port_is_named(server: StreamServer) -> None:
    with pytest.raises(StreamError, match=rf"ws://127\.0\.0\.1:{server.port}:.*panorama\.port"):
        StreamServer("127.0.0.1", server.port)
    with pytest.raises(StreamError, match="can't be served"):
        StreamServer("no.such.host.invalid", 0)


def test_on_all_addresses_the_url_names_one_that_others_can_use() -> None:
    with StreamServer("0.0.0.0") as everywhere:
        assert "0.0.0.0" not in everywhere.url
        assert str(everywhere.port) in everywhere.url


def test_a_stream_that_breaks_is_opened_again() -> None:
    port = free_port()
    with Follower(f"ws://127.0.0.1:{port}/panorama") as follower:  # before there is any server
        for i in range(2):
            with StreamServer("127.0.0.1", port) as server:
                wait_until(lambda server=server: server.clients == 1)  # type: ignore[misc]
                server.send(packet(i * 5))
                wait_until(lambda i=i: len(follower.got) == i + 1)  # type: ignore[misc]
        assert follower.instants() == [0, 5]


def test_giving_up_says_why() -> None:
    async def read(url: str, give_up_after_s: float | None) -> None:
        async with aclosing(stream_packets(url, give_up_after_s=give_up_after_s)) as packets:
            async for _ in packets:
                pass

    with pytest.raises(StreamError, match=r"no panorama for 0\.3 s: .*refused|111"):
        asyncio.run(read(f"ws://127.0.0.1:{free_port()}/panorama", 0.3))
    with closing(StreamServer()) as silent, pytest.raises(StreamError, match="no panorama"):
        asyncio.run(read(silent.url, 0.3))
    with pytest.raises(StreamError, match="not the address"):
        asyncio.run(read("http://127.0.0.1/panorama", None))


def test_sending_never_waits_and_needs_nobody(server: StreamServer) -> None:
    started_s = time.monotonic()
    for i in range(2000):
        server.send(packet(i))
    server.close()
    server.close()
    server.send(packet(0))
    assert time.monotonic() - started_s < HANG_S
    assert threading.active_count() < 50


def test_a_server_may_wait_for_a_port_that_another_one_holds() -> None:
    """Alarms are sent by the same process: they must not wait for whom nobody can kill."""
    first = StreamServer()
    with pytest.raises(StreamError):
        StreamServer(port=first.port)
    with closing(StreamServer(port=first.port, waits_for_port=True)) as second:
        assert second.url == first.url
        second.send(packet(0))
        first.close()
        with Follower(second.url) as follower:

            def arrives() -> bool:
                second.send(packet(5))
                return bool(follower.got)

            wait_until(arrives)
    with closing(StreamServer()) as holder:
        StreamServer(port=holder.port, waits_for_port=True).close()
