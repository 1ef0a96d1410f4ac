"""HTTP connections with an end to patience: slow and idle ones are closed.

Knows nothing about what is asked. uvicorn limits headers (16 KiB) and, once a request was answered,
idleness; a caller that sends a byte now and then it waits for, for ever ("slow loris").
"""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_S = 10.0
"""So long after connecting, or after the answer before, a request must have come as a whole."""
READ_S = 30.0
"""A caller that does not read its answer for so long is cut off."""


class PatientProtocol(H11Protocol):
    """uvicorn's HTTP, watched."""

    request_s, read_s = REQUEST_S, READ_S
    _due: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._start()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers."""
        self._stop()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._start()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Leave it to WebSockets, which notice a dead line by pings once it is open."""
        self._stop()
        super().handle_websocket_upgrade(event)
        line = self.transport.get_protocol()

        def not_open() -> None:  # with a body announced, uvicorn would wait for it for ever
            if not getattr(line, "handshake_complete", True):
                self.transport.abort()

        self.loop.call_later(self.request_s, not_open)

    def pause_writing(self) -> None:
        """Note that the caller does not read."""
        super().pause_writing()
        if self._unread is None:
            self._unread = self.loop.call_later(self.read_s, self.transport.abort)

    def resume_writing(self) -> None:
        """Note that the caller reads again."""
        super().resume_writing()
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _start(self) -> None:
        if self._due is not None:
            self._due.cancel()
        self._due = self.loop.call_later(self.request_s, self._too_slow)

    def _stop(self) -> None:
        for timer in (self._due, self._unread):
            if timer is not None:
                timer.cancel()
        self._due = self._unread = None

    def _too_slow(self) -> None:
        if self.conn.their_state in (h11.IDLE, h11.SEND_BODY):
            self.transport.abort()


def patient(**limits: Any) -> type[PatientProtocol]:
    """Give the protocol with other limits."""
    return type("PatientProtocol", (PatientProtocol,), limits)
