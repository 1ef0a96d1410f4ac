"""Pass one gateway's panorama on to any number of viewers over a single upstream connection.

Knows nothing about what is in the pictures. A viewer starts at the last key frame; one that is
too slow skips to the next key frame instead of falling behind.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable

from scene.errors import LamproomError
from scene.messages import PanoramaPacket
from scene.packet import pack

BEHIND_PACKETS = 10
"""A viewer with so many packets unsent is behind."""
GROUP_PACKETS = 300
"""A group of pictures longer than this is not kept for new viewers."""
AGAIN_S = 0.5
"""Pause before the upstream is tried again."""
AT_ONCE = 8
"""A packet is offered to so many viewers before the loop looks for alarms again."""
LOOK_S = 0.5
"""So often it is looked whether the gateway streams from another address now."""

OpenStream = Callable[[str], AsyncGenerator[PanoramaPacket, None]]


class Viewer:
    """One viewer's queue of packets."""

    def __init__(self, group: list[bytes]) -> None:
        self._packets: deque[bytes] = deque(group)
        self._waits_for_key = not group
        self._some = asyncio.Event()
        self._starting = len(group)
        self.skipped = 0
        if group:
            self._some.set()

    def offer(self, data: bytes, *, key_frame: bool) -> None:
        """Add a packet, or skip to the next key frame when the viewer is behind."""
        if len(self._packets) > BEHIND_PACKETS + self._starting:
            self.skipped += len(self._packets)
            self._packets.clear()
            self._waits_for_key = True
        self._starting = min(self._starting, len(self._packets))
        if self._waits_for_key and not key_frame:
            self.skipped += 1
            return
        self._waits_for_key = False
        self._packets.append(data)
        self._some.set()

    def begin_anew(self, group: list[bytes]) -> None:
        """Forget what waits and go on with a group of pictures, all of which are sent."""
        self._packets = deque(group)
        self._starting = len(group)
        self._waits_for_key = not group
        if group:
            self._some.set()

    async def next(self) -> bytes:
        """Wait for the next packet to send."""
        while not self._packets:
            self._some.clear()
            await self._some.wait()
        return self._packets.popleft()


class Fan:
    """One upstream connection, open only while somebody watches."""

    def __init__(self, stream_url: Callable[[], str | None], open_stream: OpenStream) -> None:
        self._stream_url = stream_url
        self._open_stream = open_stream
        self._viewers: set[Viewer] = set()
        self._group: list[bytes] = []
        self._task: asyncio.Task[None] | None = None
        self.connections = 0
        """How often the upstream was opened."""

    @contextlib.asynccontextmanager
    async def watch(self) -> AsyncIterator[Viewer]:
        """Join as a viewer; the first one opens the upstream, the last one closes it."""
        viewer = Viewer(self._group)
        self._viewers.add(viewer)
        if self._task is None:
            self._task = asyncio.create_task(self._pump())
        try:
            yield viewer
        finally:
            self._viewers.discard(viewer)
            if not self._viewers:
                await self.close()

    async def close(self) -> None:
        """Close the upstream."""
        task, self._task = self._task, None
        self._group = []
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _pump(self) -> None:
        while True:
            url = self._stream_url()
            if url is not None:
                self.connections += 1
                passing = asyncio.create_task(self._pass_on(url))
                try:
                    # A gateway that was started again may stream from another address.
                    while not passing.done() and self._stream_url() == url:
                        await asyncio.wait([passing], timeout=LOOK_S)
                finally:
                    passing.cancel()
                    # The page says that there is no picture; the gateway may come back any time.
                    with contextlib.suppress(asyncio.CancelledError, LamproomError, OSError):
                        await passing
            self._group = []
            await asyncio.sleep(AGAIN_S)

    async def _pass_on(self, url: str) -> None:
        async with contextlib.aclosing(self._open_stream(url)) as packets:
            async for packet in packets:
                data = pack(packet)
                self._keep(data, key_frame=packet.key_frame)
                for number, viewer in enumerate(tuple(self._viewers), 1):
                    viewer.offer(data, key_frame=packet.key_frame)
                    if number % AT_ONCE == 0:
                        await asyncio.sleep(0)

    def _keep(self, data: bytes, *, key_frame: bool) -> None:
        if key_frame:
            self._group = [data]
        elif self._group and len(self._group) < GROUP_PACKETS:
            self._group.append(data)
        else:
            self._group = []
