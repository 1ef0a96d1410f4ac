"""A replay's pictures on their way to pages: which are to be shown, and which only decoded.

Knows nothing about what is in them. After a jump a page gets the pictures from the last key frame
on, and is told in each packet's header to show but the last of them.
"""

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Sequence

from control_room.panorama import GROUP_PACKETS, Viewer


class Pictures:
    """Sends packets to all viewers; `begin` and `send` may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._group: list[bytes] = []
        self._viewers: dict[Viewer, asyncio.AbstractEventLoop] = {}

    @contextlib.asynccontextmanager
    async def watch(self) -> AsyncIterator[Viewer]:
        """Join as a viewer, with the pictures since the last key frame."""
        with self._lock:
            viewer = Viewer(list(self._group))
            self._viewers[viewer] = asyncio.get_running_loop()
        try:
            yield viewer
        finally:
            with self._lock:
                del self._viewers[viewer]

    def begin(self, group: Sequence[bytes]) -> None:
        """Go elsewhere: what waits is forgotten."""
        with self._lock:
            self._group = list(group)
            for viewer, loop in self._viewers.items():
                with contextlib.suppress(RuntimeError):  # its server has just stopped
                    loop.call_soon_threadsafe(viewer.begin_anew, list(group))

    def send(self, data: bytes, *, key_frame: bool) -> None:
        """Send the next picture."""
        with self._lock:
            if key_frame:
                self._group = [data]
            elif self._group and len(self._group) < GROUP_PACKETS:
                self._group.append(data)
            else:
                self._group = []
            for viewer, loop in self._viewers.items():
                with contextlib.suppress(RuntimeError):  # as above
                    loop.call_soon_threadsafe(_offer, viewer, data, key_frame)


def marked(payload: bytes, *, jump: int, show: bool, first: bool) -> bytes:
    """Say in a packet's header after which `jump` it is, and whether to `show` it.

    What was there at once (`first`) a page never skips.

    >>> marked(bytes([0, 0, 0, 2]) + b"{}picture", jump=3, show=True, first=False)[4:46]
    b'{"replay":{"jump":3,"show":true,"first":fa'
    """
    length = int.from_bytes(payload[:4], "big")
    header, picture = payload[4 : 4 + length].strip(), payload[4 + length :]
    mark = json.dumps({"jump": jump, "show": show, "first": first}, separators=(",", ":")).encode()
    comma = b"" if header[1:-1].strip() == b"" else b","
    header = header[:-1] + comma + b'"replay":' + mark + b"}"
    return len(header).to_bytes(4, "big") + header + picture


def _offer(viewer: Viewer, data: bytes, key_frame: bool) -> None:
    viewer.offer(data, key_frame=key_frame)
