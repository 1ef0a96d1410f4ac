"""A line from one process to another that the death of either end can't block.

Knows nothing about what is carried. No lock is shared between processes. Each connection has one
writer and one reader and is thrown away with either of them: the writer makes a new one and hands
its far end through the door, a pair of datagram sockets that the supervisor keeps open. What was
under way in a broken connection is lost; what waits in the writer is not.
"""

import contextlib
import pickle
import selectors
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

_HEAD = struct.Struct("!BI")  # lane, bytes that follow
READ_BYTES = 1 << 20
DOOR_PAUSE_S = 0.1
"""How long to wait before a full door is tried again: nobody has read it for several restarts."""
RING = b"!"


def new_door() -> tuple[socket.socket, socket.socket]:
    """Make a door: the writer's side and the reader's, to be kept open as long as either lives."""
    writers, readers = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    writers.setblocking(False)
    readers.setblocking(False)
    return writers, readers


class LineOut:
    """The writing end; `put` never waits. Lane 0 is the most urgent one."""

    def __init__(self, door: socket.socket, limits: Sequence[int]) -> None:
        """Keep at most `limits[lane]` things of each lane waiting; the oldest one makes room."""
        self._door = door
        self._lanes: tuple[deque[Any], ...] = tuple(deque(maxlen=limit) for limit in limits)
        self._some = threading.Condition()
        self._closing = False
        self._near: socket.socket | None = None
        self._thread = threading.Thread(target=self._run, name="line-out", daemon=True)
        self._thread.start()

    def put(self, lane: int, thing: Any) -> None:
        """Take something to be sent; it must pickle."""
        with self._some:
            self._lanes[lane].append(thing)
            self._some.notify()

    def waiting(self, lane: int) -> int:
        """Tell how many things of a lane wait."""
        return len(self._lanes[lane])

    def close(self, limit_s: float = 2.0) -> None:
        """Send what waits, for so long at most."""
        with self._some:
            self._closing = True
            self._some.notify()
        self._thread.join(limit_s)

    def _run(self) -> None:
        while (next_one := self._next()) is not None:
            lane, thing = next_one
            data = pickle.dumps(thing, pickle.HIGHEST_PROTOCOL)
            self._send(_HEAD.pack(lane, len(data)) + data)
        self._hang_up()

    def _next(self) -> tuple[int, Any] | None:
        """Wait for the most urgent thing; none when it is over."""
        with self._some:
            self._some.wait_for(lambda: self._closing or any(self._lanes))
            for lane, things in enumerate(self._lanes):
                if things:
                    return lane, things.popleft()
            return None

    def _send(self, data: bytes) -> None:
        """Send it whole, over a new connection whenever one breaks."""
        while True:
            with contextlib.suppress(OSError):
                if self._near is None:
                    self._near = self._connect()
                self._near.sendall(data)
                return
            self._hang_up()
            time.sleep(DOOR_PAUSE_S)

    def _connect(self) -> socket.socket:
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with far:  # it lives on in the door until the reader takes it
            try:
                socket.send_fds(self._door, [RING], [far.fileno()])
            except OSError:
                near.close()
                raise
        return near

    def _hang_up(self) -> None:
        if self._near is not None:
            self._near.close()
            self._near = None


class LineIn:
    """The reading end; to be used from one thread."""

    def __init__(self, door: socket.socket) -> None:
        self._door = door
        self._selector = selectors.DefaultSelector()
        self._selector.register(door, selectors.EVENT_READ)
        self._came: list[tuple[int, int, Any]] = []
        """What has come and was not taken: (lane, number, thing)."""
        self._number = 0

    def take(self, wait_s: float) -> Any | None:
        """Give the most urgent thing that has come; nothing when none comes for `wait_s`."""
        deadline_s = time.monotonic() + wait_s
        while not self._came:
            left_s = deadline_s - time.monotonic()
            if not self._listen(max(0.0, left_s)) and left_s <= 0:
                return None
        first = min(self._came, key=lambda one: one[:2])
        self._came.remove(first)
        return first[2]

    def close(self) -> None:
        """Hang up on every writer; the door stays."""
        for key in list(self._selector.get_map().values()):
            if key.fileobj is not self._door:
                self._end(key.fileobj)
        self._selector.close()

    def _listen(self, wait_s: float) -> bool:
        """Hear everybody once; tells whether there was anything."""
        ready = self._selector.select(wait_s)
        for key, _ in ready:
            if key.fileobj is self._door:
                self._answer()
            else:
                self._hear(key.fileobj, key.data)
        return bool(ready)

    def _answer(self) -> None:
        """Take new connections from the door."""
        with contextlib.suppress(BlockingIOError):
            while True:
                _, fds, _, _ = socket.recv_fds(self._door, len(RING), 1)
                for fd in fds:
                    connection = socket.socket(fileno=fd)
                    connection.setblocking(False)
                    connection.set_inheritable(False)
                    self._selector.register(connection, selectors.EVENT_READ, bytearray())

    def _hear(self, connection: Any, heard: bytearray) -> None:
        try:
            data = connection.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:  # the writer is gone, perhaps in the middle of a thing
            self._end(connection)
            return
        heard += data
        self._came += self._whole_things(heard)

    def _whole_things(self, heard: bytearray) -> list[tuple[int, int, Any]]:
        """Cut off what has come whole."""
        found, at = [], 0
        while len(heard) - at >= _HEAD.size:
            lane, length = _HEAD.unpack_from(heard, at)
            if len(heard) - at < _HEAD.size + length:
                break
            at += _HEAD.size
            self._number += 1
            found.append((lane, self._number, pickle.loads(heard[at : at + length])))
            at += length
        del heard[:at]
        return found

    def _end(self, connection: Any) -> None:
        self._selector.unregister(connection)
        connection.close()
