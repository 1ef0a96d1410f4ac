"""uvicorn's WebSockets, with a message that many viewers get framed once for all of them.

Knows nothing about what is in it. A server's frames are not masked (RFC 6455, 5.1), so that the
same message is the same bytes to everybody.
"""

import contextlib
import socket
from asyncio import BaseTransport
from typing import TYPE_CHECKING

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State

if TYPE_CHECKING:
    from uvicorn._types import ASGISendEvent

UNSENT_BYTES = 65_536
"""So much at most of what is not on its way to a viewer yet lies in the kernel: it is old before it
arrives, and an alarm waits behind it."""


_last: dict[type, tuple[str | bytes, bytes]] = {}
"""The text and the bytes that were framed last, and their frames; for the loop that sends."""


def framed(message: str | bytes) -> bytes:
    r"""Give a message as one frame; of the very same object as before it is made already.

    >>> framed("ab")
    b'\x81\x02ab'
    """
    before, frame = _last.get(type(message), (None, b""))
    if before is not message:
        if isinstance(message, str):
            whole = Frame(Opcode.TEXT, message.encode())
        else:
            whole = Frame(Opcode.BINARY, message)
        frame = whole.serialize(mask=False)
        _last[type(message)] = message, frame
    return frame


class FramedOnce(WebSocketsSansIOProtocol):
    """One viewer's WebSocket."""

    def connection_made(self, transport: BaseTransport) -> None:
        """Have the kernel take little more than it can send."""
        super().connection_made(transport)
        line = transport.get_extra_info("socket")
        with contextlib.suppress(OSError, AttributeError):  # it is closed; not every system has it
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)

    async def send(self, message: "ASGISendEvent") -> None:
        """Send a message; anything else is uvicorn's business."""
        if message["type"] != "websocket.send" or not self._is_open():
            await super().send(message)
            return
        await self.writable.wait()
        if self.disconnected or not self._is_open():
            raise ClientDisconnected
        data, text = message.get("bytes"), message.get("text")
        if data is not None:
            self.transport.write(framed(data))
        elif text is not None:
            self.transport.write(framed(text))

    def _is_open(self) -> bool:
        return (
            self.handshake_complete
            and not self.close_sent
            and self.initial_response is None
            and self.conn.state is State.OPEN
        )
