"""How many may be connected: counted when they connect, before TLS or anything is said.

Knows nothing about HTTP. uvicorn learns of a connection only when its TLS handshake is done; who
never begins one would hold descriptors until nobody else gets any.
"""

import asyncio
import contextlib
import os
import resource
import socket
import struct
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from control_room.access.pace import network_of

MOST, MOST_EACH = 1500, 256
"""Connections at once, and from one address; of all never more than half the descriptors."""
HANDSHAKE_S = 5.0
"""So long a TLS handshake may take."""
BACKLOG = 128
"""So many wait in the kernel to be taken."""
FILES = 4096
SAY_EVERY_S = 60.0
_RESET = struct.pack("ii", 1, 0)


class _Guest(socket.socket):
    """A connection; tells once that it is closed."""

    gone: Callable[[], None] | None = None

    def close(self) -> None:
        """Close it."""
        super().close()
        gone, self.gone = self.gone, None
        if gone is not None:
            gone()


class Entrance(socket.socket):
    """The socket that callers connect to; whoever is one too many is hung up on at once."""

    def __init__(self, bound: socket.socket, *, most: int, most_each: int) -> None:
        """Take connections of a `bound` socket, which stays the caller's."""
        super().__init__(bound.family, bound.type, bound.proto, fileno=os.dup(bound.fileno()))
        self._most, self._most_each = most, most_each
        self._here = Counter[str]()
        self._said_s = -SAY_EVERY_S
        self._spare = os.open(os.devnull, os.O_RDONLY)

    def accept(self) -> tuple[socket.socket, Any]:
        """Take a connection; raises `ConnectionAbortedError` when it was one too many."""
        try:
            taken, address = super().accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            raise
        except OSError as error:  # out of descriptors: hang up, or the loop complains for ever
            self._hang_up_on_one()
            self._say(f"{error.strerror}; a caller was hung up on")
            raise ConnectionAbortedError from None
        who = network_of(str(address[0]))
        if self._here.total() >= self._most or self._here[who] >= self._most_each:
            _reset(taken)
            self._say(f"too many connections at once, {self._here.total()}, {who} one more")
            raise ConnectionAbortedError
        guest = _Guest(self.family, self.type, self.proto, fileno=taken.detach())
        self._here[who] += 1
        guest.gone = lambda: self._forget(who)
        return guest, address

    def close(self) -> None:
        """Close it."""
        super().close()
        if self._spare >= 0:
            os.close(self._spare)
            self._spare = -1

    def _forget(self, who: str) -> None:
        self._here[who] -= 1
        if self._here[who] <= 0:
            del self._here[who]

    def _hang_up_on_one(self) -> None:
        """Take and close one with the descriptor that is kept for it."""
        if self._spare >= 0:
            os.close(self._spare)
            self._spare = -1
        with contextlib.suppress(OSError):
            _reset(super().accept()[0])
        with contextlib.suppress(OSError):
            self._spare = os.open(os.devnull, os.O_RDONLY)

    def _say(self, text: str) -> None:
        now_s = time.monotonic()
        if now_s - self._said_s >= SAY_EVERY_S:
            self._said_s = now_s
            print(f"lamproom control-room: {text}", file=sys.stderr, flush=True)


class CrowdLoop(asyncio.SelectorEventLoop):
    """An event loop whose servers let in so many and wait so long for TLS."""

    def __init__(self, *, most_each: int | None = None) -> None:
        """`most_each`: from one address, where it is not `MOST_EACH`."""
        super().__init__()
        self._most_each = MOST_EACH if most_each is None else most_each

    async def create_server(self, *args: Any, **options: Any) -> asyncio.Server:
        """Serve on `sock`."""
        if options.get("sock") is not None:
            files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
            most = MOST if files == resource.RLIM_INFINITY else min(MOST, files // 2)
            options["sock"] = Entrance(options["sock"], most=most, most_each=self._most_each)
        if options.get("ssl") is not None:
            options["ssl_handshake_timeout"] = HANDSHAKE_S
        return await super().create_server(*args, **options)


def allow_files() -> None:
    """Let this process hold as many connections as we take, where the system allows it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _reset(line: socket.socket) -> None:
    """Close without the wait in which the kernel would keep it."""
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    line.close()
