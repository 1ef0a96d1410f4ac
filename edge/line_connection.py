"""One connection of a line (`edge/line.py`), as its writer and as its reader see it.

Knows nothing about how the two find each other. The writer sends things, each with its lane and its
length before it; the reader says the number of each that has been dealt with.
"""

import contextlib
import pickle
import socket
import struct
import time
from dataclasses import dataclass, field
from typing import Any

_HEAD = struct.Struct("!BI")  # lane, bytes that follow
_DONE = struct.Struct("!I")  # number of a thing in its connection, from 1; 0 when one is answered
READ_BYTES = 1 << 20


@dataclass(slots=True, kw_only=True, eq=False)
class Call:
    """A connection as its writer sees it; the socket never waits."""

    near: socket.socket
    progress_s: float
    """When the reader last dealt with something, or nothing waited for it."""
    under_way: dict[int, tuple[int, Any]]
    """Lane and thing by their number; 0 is the ring, until somebody answers it."""
    number: int = 0
    unsent: memoryview = field(default_factory=lambda: memoryview(b""))
    heard: bytearray = field(default_factory=bytearray)

    @property
    def answered(self) -> bool:
        """Whether somebody reads."""
        return 0 not in self.under_way

    def put(self, lane: int, thing: Any) -> None:
        """Take the next thing to send, once nothing is unsent; it must pickle."""
        data = pickle.dumps(thing, pickle.HIGHEST_PROTOCOL)
        if not self.under_way:
            self.progress_s = time.monotonic()
        self.number += 1
        self.under_way[self.number] = lane, thing
        self.unsent = memoryview(_HEAD.pack(lane, len(data)) + data)

    def send(self) -> None:
        """Send what there is room for; raises `OSError` when the reader is gone."""
        with contextlib.suppress(BlockingIOError):
            self.unsent = self.unsent[self.near.send(self.unsent) :]

    def hear(self) -> None:
        """Learn what has been dealt with; raises `OSError` when the reader is gone."""
        with contextlib.suppress(BlockingIOError):
            data = self.near.recv(READ_BYTES)
            if not data:
                raise ConnectionResetError("the reader is gone")
            self.heard += data
        whole = len(self.heard) - len(self.heard) % _DONE.size
        for (number,) in _DONE.iter_unpack(bytes(self.heard[:whole])):
            self.under_way.pop(number, None)
            self.progress_s = time.monotonic()
        del self.heard[:whole]


@dataclass(slots=True, kw_only=True, eq=False)
class Caller:
    """A connection as its reader sees it; the socket never waits."""

    far: socket.socket
    number: int = 0
    """Of the thing that came last."""
    heard: bytearray = field(default_factory=bytearray)
    owed: bytearray = field(default_factory=bytearray)
    """What is to be said and found no room yet."""

    def say_done(self, number: int) -> None:
        """Say that a thing has been dealt with; 0: that somebody reads."""
        self.owed += _DONE.pack(number)
        self.say()

    def say(self) -> None:
        """Say what is owed, as far as there is room."""
        if self.owed:
            with contextlib.suppress(OSError):  # it is gone, which `hear` tells
                del self.owed[: self.far.send(self.owed)]

    def hear(self) -> list[tuple[int, int, Any]]:
        """Give what has come whole: lane, number in this connection, and thing.

        Raises `EOFError` when the writer is gone, perhaps in the middle of a thing.
        """
        try:
            data = self.far.recv(READ_BYTES)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        if not data:
            raise EOFError
        self.heard += data
        found, at = [], 0
        while len(self.heard) - at >= _HEAD.size:
            lane, length = _HEAD.unpack_from(self.heard, at)
            if len(self.heard) - at < _HEAD.size + length:
                break
            at += _HEAD.size
            self.number += 1
            found.append((lane, self.number, pickle.loads(self.heard[at : at + length])))
            at += length
        del self.heard[:at]
        return found
