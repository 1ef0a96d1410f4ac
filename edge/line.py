"""A line from one process to another that neither the death nor the hanging of an end can block.

Knows nothing about what is carried. No lock is shared between processes. Each connection has one
writer and one reader and is thrown away with either of them: the writer makes a new one and hands
its far end through the door, a pair of datagram sockets that the supervisor keeps open.

The reader says of each thing that it has been dealt with. One that says nothing for `QUIET_LIMIT_S`
hangs (it may be stuck in the kernel, where nobody can kill it): the writer hangs up and rings for
whoever reads next. What was under way goes out again if it was of lane 0, and is lost if of another
one; what waits in the writer is not. The door bears the number of the process that reads it
(F_SETOWN of fcntl(2): the kernel keeps it with the socket that all readers share), so that one that
was replaced, and comes back, knows it.
"""

import contextlib
import fcntl
import os
import select
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edge.line_connection import READ_BYTES, Call, Caller

DOOR_PAUSE_S = 0.1
"""How long to wait before a full door is tried again: nobody has read it for several restarts."""
QUIET_LIMIT_S = 3.0
"""A reader that deals with nothing for so long, though something is there for it, hangs."""
RING = b"!"


class ReplacedError(Exception):
    """Another process reads the line now: who hung before has nothing to do any more."""


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
        self._lock = threading.Lock()
        self._closing = False
        self._call: Call | None = None
        self._woken, self._waker = socket.socketpair()
        self._woken.setblocking(False)
        self._waker.setblocking(False)
        self._thread = threading.Thread(target=self._run, name="line-out", daemon=True)
        self._thread.start()

    def put(self, lane: int, thing: Any) -> None:
        """Take something to be sent; it must pickle."""
        with self._lock:
            self._lanes[lane].append(thing)
        self._wake()

    def waiting(self, lane: int) -> int:
        """Tell how many things of a lane wait."""
        return len(self._lanes[lane])

    def close(self, limit_s: float = 2.0) -> None:
        """Send what waits, for so long at most."""
        self._closing = True
        self._wake()
        self._thread.join(limit_s)

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # it is full, so it wakes; or we are closed
            self._waker.send(b"!")

    def _run(self) -> None:
        while not self._is_over():
            try:
                if self._call is None:
                    self._call = self._ring()
                self._serve(self._call)
            except OSError:
                self._hang_up()
                time.sleep(DOOR_PAUSE_S)
        self._hang_up()
        self._woken.close()
        self._waker.close()

    def _is_over(self) -> bool:
        """Tell whether all is sent that there is."""
        unsent = self._call is not None and self._call.unsent
        return self._closing and not unsent and not any(self._lanes)

    def _ring(self) -> Call:
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        near.setblocking(False)
        with far:  # it lives on in the door until the reader takes it
            try:
                socket.send_fds(self._door, [RING], [far.fileno()])
            except OSError:
                near.close()
                raise
        return Call(near=near, progress_s=time.monotonic(), under_way={0: (0, None)})

    def _serve(self, call: Call) -> None:
        """Send and hear once; raises `OSError` when the reader is gone, or hangs."""
        # Before somebody answers, nothing is given away: who took the ring may hang. At our end,
        # whoever comes next finds it in the door.
        if (call.answered or self._closing) and not call.unsent:
            next_one = self._next()
            if next_one is not None:
                call.put(*next_one)
        poll = select.poll()
        poll.register(self._woken, select.POLLIN)
        poll.register(call.near, select.POLLIN | (select.POLLOUT if call.unsent else 0))
        left_s = call.progress_s + QUIET_LIMIT_S - time.monotonic()
        for fd, _ in poll.poll(max(0.0, left_s) * 1000 + 1 if call.under_way else None):
            if fd == call.near.fileno():
                call.hear()
                call.send()
            else:
                with contextlib.suppress(BlockingIOError):
                    self._woken.recv(READ_BYTES)
        # Only now: whoever stood still itself may find an answer that has long been there.
        if call.under_way and time.monotonic() - call.progress_s > QUIET_LIMIT_S:
            raise TimeoutError("the reader hangs")

    def _next(self) -> tuple[int, Any] | None:
        """Take the most urgent thing, if there is one."""
        with self._lock:
            for lane, things in enumerate(self._lanes):
                if things:
                    return lane, things.popleft()
        return None

    def _hang_up(self) -> None:
        """Break the connection; the most urgent things that were under way wait again."""
        call, self._call = self._call, None
        if call is None:
            return
        call.near.close()
        again = [thing for number, (lane, thing) in call.under_way.items() if number and lane == 0]
        with self._lock:
            first = self._lanes[0]
            room = len(again) if first.maxlen is None else first.maxlen - len(first)
            first.extendleft(reversed(again[len(again) - min(room, len(again)) :]))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Come:
    """A thing that has come."""

    order: tuple[int, int]
    """Its lane, and its number among all."""
    thing: Any
    caller: Caller
    number: int
    """In its connection."""


class LineIn:
    """The reading end; to be used from one thread. Who opens one replaces who read before."""

    def __init__(self, door: socket.socket) -> None:
        self._door = door
        self._selector = selectors.DefaultSelector()
        self._selector.register(door, selectors.EVENT_READ)
        self._came: list[_Come] = []
        """What has come and was not taken."""
        self._taken: _Come | None = None
        self._number = 0
        fcntl.fcntl(door.fileno(), fcntl.F_SETOWN, os.getpid())

    def take(self, wait_s: float) -> Any | None:
        """Give the most urgent thing that has come; nothing when none comes for `wait_s`.

        Who takes the next has dealt with the one before. Raises `ReplacedError` when another
        process reads the line now.
        """
        self._say_done()
        deadline_s = time.monotonic() + wait_s
        self._check_place()
        while not self._came:
            left_s = deadline_s - time.monotonic()
            if not self._listen(max(0.0, left_s)) and left_s <= 0:
                return None
            self._check_place()
        first = min(self._came, key=lambda one: one.order)
        self._came.remove(first)
        self._taken = first
        return first.thing

    def close(self) -> None:
        """Hang up on every writer; the door stays."""
        self._say_done()
        for caller in self._callers():
            self._end(caller)
        self._selector.close()

    def _check_place(self) -> None:
        if fcntl.fcntl(self._door.fileno(), fcntl.F_GETOWN) != os.getpid():
            raise ReplacedError("another process reads the line now")

    def _say_done(self) -> None:
        if self._taken is not None:
            self._taken.caller.say_done(self._taken.number)
            self._taken = None

    def _callers(self) -> list[Caller]:
        found = [key.data for key in self._selector.get_map().values()]
        return [caller for caller in found if caller is not None]

    def _listen(self, wait_s: float) -> bool:
        """Hear everybody once; tells whether there was anything."""
        for caller in self._callers():
            caller.say()
        ready = self._selector.select(wait_s)
        for key, _ in ready:
            if key.data is None:
                self._answer()
            else:
                self._hear(key.data)
        return bool(ready)

    def _answer(self) -> None:
        """Take new connections from the door."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self._check_place()  # else what is rung for another is taken away from it
                _, fds, _, _ = socket.recv_fds(self._door, len(RING), 1)
                for fd in fds:
                    caller = Caller(far=socket.socket(fileno=fd))
                    caller.far.setblocking(False)
                    caller.far.set_inheritable(False)
                    self._selector.register(caller.far, selectors.EVENT_READ, caller)
                    caller.say_done(0)

    def _hear(self, caller: Caller) -> None:
        try:
            found = caller.hear()
        except EOFError:
            self._end(caller)
            return
        for lane, number, thing in found:
            self._number += 1
            order = lane, self._number
            self._came.append(_Come(order=order, thing=thing, caller=caller, number=number))

    def _end(self, caller: Caller) -> None:
        self._selector.unregister(caller.far)
        caller.far.close()
