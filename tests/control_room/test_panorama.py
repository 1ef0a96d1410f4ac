import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncGenerator

import pytest

from control_room.panorama import AT_ONCE, BEHIND_PACKETS, Fan, Viewer
from scene.errors import LamproomError
from scene.messages import PanoramaPacket, Positions
from scene.packet import pack, unpack


def packet(i: int, *, key_frame: bool = False) -> PanoramaPacket:
    return PanoramaPacket(
        captured_at_ns=i,
        key_frame=key_frame,
        geometry="rig-1",
        size_px=(4, 2),
        positions=Positions(captured_at_ns=i, people=()),
        payload=bytes([i % 256]),
    )


class Upstream:
    """A stream that gives what the test puts in."""

    def __init__(self) -> None:
        self.packets: asyncio.Queue[PanoramaPacket | None] = asyncio.Queue()
        self.opened = 0
        self.open_now = 0

    async def __call__(self, _url: str) -> AsyncGenerator[PanoramaPacket, None]:
        self.opened += 1
        self.open_now += 1
        try:
            while (given := await self.packets.get()) is not None:
                yield given
            raise LamproomError("the gateway is gone")
        finally:
            self.open_now -= 1


async def numbers(viewer: Viewer, count: int) -> list[int]:
    return [unpack(await viewer.next()).captured_at_ns for _ in range(count)]


def test_many_viewers_cost_one_upstream_and_the_last_one_closes_it() -> None:
    async def scenario() -> None:
        upstream = Upstream()
        fan = Fan(lambda: "ws://gateway", upstream)
        async with contextlib.AsyncExitStack() as viewers:
            joined = [await viewers.enter_async_context(fan.watch()) for _ in range(20)]
            for i in range(3):
                upstream.packets.put_nowait(packet(i, key_frame=i == 0))
            for viewer in joined:
                assert await numbers(viewer, 3) == [0, 1, 2]
            assert (upstream.opened, upstream.open_now) == (1, 1)
        assert upstream.open_now == 0

    asyncio.run(asyncio.wait_for(scenario(), 20))


def test_a_newcomer_starts_at_the_last_key_frame() -> None:
    async def scenario() -> None:
        upstream = Upstream()
        fan = Fan(lambda: "ws://gateway", upstream)
        async with fan.watch() as first:
            for i in range(8):
                upstream.packets.put_nowait(packet(i, key_frame=i in (0, 5)))
            await numbers(first, 8)
            async with fan.watch() as late:
                upstream.packets.put_nowait(packet(8))
                assert await numbers(late, 4) == [5, 6, 7, 8]

    asyncio.run(asyncio.wait_for(scenario(), 20))


def test_between_a_few_viewers_and_the_next_the_loop_turns() -> None:
    """So an alarm waits for a few of them, not for all fifty."""
    turn = 0

    async def turning() -> None:
        nonlocal turn
        while True:
            turn += 1
            await asyncio.sleep(0)

    async def scenario() -> None:
        upstream, shown = Upstream(), list[int]()
        fan = Fan(lambda: "ws://gateway", upstream)

        async def show(viewer: Viewer) -> None:
            await viewer.next()
            shown.append(turn)

        async with contextlib.AsyncExitStack() as viewers:
            joined = [await viewers.enter_async_context(fan.watch()) for _ in range(50)]
            showing = [asyncio.ensure_future(show(viewer)) for viewer in joined]
            clock = asyncio.ensure_future(turning())
            upstream.packets.put_nowait(packet(0, key_frame=True))
            await asyncio.gather(*showing)
            clock.cancel()
        assert len(shown) == 50
        assert max(Counter(shown).values()) <= AT_ONCE

    asyncio.run(asyncio.wait_for(scenario(), 20))


def test_packets_pass_untouched() -> None:
    async def scenario() -> None:
        upstream = Upstream()
        async with Fan(lambda: "ws://gateway", upstream).watch() as viewer:
            upstream.packets.put_nowait(packet(7, key_frame=True))
            assert await viewer.next() == pack(packet(7, key_frame=True))

    asyncio.run(asyncio.wait_for(scenario(), 20))


def test_a_viewer_that_is_behind_skips_to_a_key_frame() -> None:
    async def scenario() -> None:
        viewer = Viewer([])
        viewer.offer(pack(packet(0)), key_frame=False)
        for i in range(1, BEHIND_PACKETS + 20):
            viewer.offer(pack(packet(i, key_frame=i == 1)), key_frame=i == 1)
        viewer.offer(pack(packet(100, key_frame=True)), key_frame=True)
        viewer.offer(pack(packet(101)), key_frame=False)
        assert await numbers(viewer, 2) == [100, 101]
        assert viewer.skipped > 0

    asyncio.run(asyncio.wait_for(scenario(), 20))


def test_a_lost_gateway_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("control_room.panorama.AGAIN_S", 0.01)

    async def scenario() -> None:
        upstream = Upstream()
        async with Fan(lambda: "ws://gateway", upstream).watch() as viewer:
            upstream.packets.put_nowait(packet(1, key_frame=True))
            upstream.packets.put_nowait(None)
            upstream.packets.put_nowait(packet(2, key_frame=True))
            assert await numbers(viewer, 2) == [1, 2]
            assert upstream.opened == 2

    asyncio.run(asyncio.wait_for(scenario(), 20))


def test_a_gateway_is_followed_to_its_new_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("control_room.panorama.AGAIN_S", 0.01)
    monkeypatch.setattr("control_room.panorama.LOOK_S", 0.01)
    address = "ws://old"
    opened: list[str] = []

    async def open_stream(url: str) -> AsyncGenerator[PanoramaPacket, None]:
        opened.append(url)
        if url == "ws://old":
            await asyncio.Event().wait()  # it never speaks, and never gives up
        while True:
            yield packet(1, key_frame=True)
            await asyncio.sleep(0.01)

    async def scenario() -> None:
        nonlocal address
        async with Fan(lambda: address, open_stream).watch() as viewer:
            while not opened:
                await asyncio.sleep(0.01)
            address = "ws://new"
            assert await numbers(viewer, 1) == [1]
        assert opened == ["ws://old", "ws://new"]

    asyncio.run(asyncio.wait_for(scenario(), 20))
