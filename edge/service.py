"""What a service is given by its supervisor, and how it runs in a process of its own.

Knows nothing about the supervisor. The two tell each other plain numbers in shared memory.
"""

import contextlib
import ctypes
import importlib
import multiprocessing
import os
import pickle
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from multiprocessing.sharedctypes import RawArray, RawValue
from pathlib import Path
from typing import TYPE_CHECKING

from edge import log
from edge.options import RunOptions
from edge.quick_end import end_quickly
from edge.quick_start import importing
from scene.errors import LamproomError

if TYPE_CHECKING:  # who looks at no camera must not import what cameras need
    from edge.cameras.kept import Kept
    from edge.taps import Taps

BAD_INPUT = 2
"""Exit code of a service that says what the user has to mend."""
END_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, `kill`, and a terminal that was closed: the quiet end of a run."""
ERROR_BYTES = 400
"""So much of a service's last error is kept for the alarm about it."""
REST_S = 0.05
"""So often a service that rests looks whether it shall end."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Signs:
    """What a service and its supervisor tell each other: plain numbers in shared memory.

    No lock guards them: one side writes, the other reads, and a process that is killed, or
    interrupted by a signal, holds nothing.
    """

    stop: "ctypes.c_byte" = field(default_factory=lambda: RawValue(ctypes.c_byte, 0))
    """Not 0 once the service shall end."""
    leaving: "ctypes.c_byte" = field(default_factory=lambda: RawValue(ctypes.c_byte, 0))
    """Not 0 once the whole gateway begins to end; the service itself goes on until `stop`."""
    alive_s: "ctypes.c_double" = field(default_factory=lambda: RawValue(ctypes.c_double, 0.0))
    """The service's last sign of life on the monotonic clock; 0 before the first."""
    paused: "ctypes.c_byte" = field(default_factory=lambda: RawValue(ctypes.c_byte, 0))
    """Not 0 while the service rests for want of room on the disk."""
    done: "ctypes.c_byte" = field(default_factory=lambda: RawValue(ctypes.c_byte, 0))
    """Not 0 once the service's `main` has ended: an exit code of 0 alone proves nothing."""
    waits: "ctypes.c_byte" = field(default_factory=lambda: RawValue(ctypes.c_byte, 0))
    """Not 0 while a spare process (`edge/spare.py`) waits for its orders."""
    error: "ctypes.Array[ctypes.c_char]" = field(
        default_factory=lambda: RawArray(ctypes.c_char, ERROR_BYTES)
    )
    """The last error that the service told of, UTF-8."""

    def note_error(self, text: str) -> None:
        """Keep an error for the supervisor, as far as there is room."""
        self.error.value = text.encode(errors="replace")[: ERROR_BYTES - 1]

    def last_error(self) -> str:
        """Give the last error that the service told of; empty where there was none."""
        return self.error.value.decode(errors="ignore")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Context:
    """What a service is given: its orders, its doors, and how to say that it is alive."""

    options: RunOptions
    door_out: socket.socket
    """Where the pipeline hands over its lines of results (`LineOut`)."""
    door_in: socket.socket
    """Where the sender takes them (`LineIn`)."""
    signs: Signs = field(repr=False)
    cameras: "Kept" = field(default=(), repr=False)
    """The live cameras that are kept going for whoever looks at them."""
    taps: "Taps | None" = field(default=None, repr=False)
    """Where what a recording needs for a second run is handed over; none where it is not wanted."""

    def alive(self) -> None:
        """Say that all is well; to be called at least once a second."""
        self.signs.alive_s.value = time.monotonic()

    def pause(self, paused: bool) -> None:
        """Say whether the service rests for want of room on the disk."""
        self.signs.paused.value = paused

    def stopped(self) -> bool:
        """Tell whether the service shall end."""
        return self.signs.stop.value != 0

    def leaving(self) -> bool:
        """Tell whether the whole gateway has begun to end; services are stopped one by one."""
        return self.signs.leaving.value != 0

    def rest(self, duration_s: float) -> bool:
        """Wait, but not longer than until the end; tells whether the service shall end."""
        until_s = time.monotonic() + duration_s
        while not self.stopped() and (left_s := until_s - time.monotonic()) > 0:
            time.sleep(min(left_s, REST_S))
        return self.stopped()


@contextlib.contextmanager
def told_to_end() -> Iterator[Callable[[], bool]]:
    """Turn Ctrl-C, `kill` and a closed terminal into a quiet end while the block runs.

    Gives what tells whether one came. The handler only sets a flag: it runs between any two lines.
    A signal that is ignored, as by `nohup`, stays so; in another than the main thread none is
    heard.
    """
    told: list[object] = []

    def tell(*_: object) -> None:
        told.append(None)

    before = {}
    if threading.current_thread() is threading.main_thread():
        before = {
            number: signal.signal(number, tell)
            for number in END_SIGNALS
            if signal.getsignal(number) != signal.SIG_IGN
        }
    try:
        yield lambda: bool(told)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent is gone (Linux; see prctl(2))."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    parent = multiprocessing.parent_process()
    if parent is not None and os.getppid() != parent.pid:  # it was gone before we asked
        sys.exit(1)


def name_process(name: str) -> None:
    """Give this process a name, for `top` (Linux; see prctl(2), PR_SET_NAME)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(15, name.encode()[:15])


def serve(
    name: str,
    module: str,
    context: Context,
    orders: Connection | None = None,
    later: Sequence[str] = (),
) -> None:
    """Run in the new process: hand over to the service's own `main`.

    With `orders` it is a spare: it imports everything, also what the service takes `later`, and
    waits there for the options that count then. Who is needed before that imports no more.
    """
    die_with_parent()
    log.start(name, native=True)
    log.heed(context.signs.note_error)
    name_process(name if orders is None else f"{name}-spare")
    for number in END_SIGNALS:
        signal.signal(number, signal.SIG_IGN)  # the supervisor tells us
    try:
        with importing():
            service = importlib.import_module(module)
            for one in later:
                if orders is not None and not orders.poll():
                    importlib.import_module(one)
        if orders is not None:
            context = _wait_for_orders(orders, context)
            name_process(name)
        service.main(context)
        context.signs.done.value = 1
        end_quickly()
    except LamproomError as error:
        log.say(str(error), "error")
        sys.exit(BAD_INPUT)
    except Exception as error:
        log.crash(error)
        sys.exit(1)


def _wait_for_orders(orders: Connection, context: Context) -> Context:
    """Wait until the service is needed; a spare that is not needed any more ends."""
    with orders, first_to_be_killed():
        # Who was needed before it was ready is not waiting: it must not be held to the short limit.
        context.signs.waits.value = not orders.poll()
        try:
            options = pickle.loads(orders.recv_bytes())
        except EOFError:
            sys.exit(0)
        context.signs.waits.value = 0
    return replace(context, options=options)


@contextlib.contextmanager
def first_to_be_killed() -> Iterator[None]:
    """Let the kernel take this process first when memory is short (Linux; see proc(5))."""
    file = Path("/proc/self/oom_score_adj")
    before = None
    with contextlib.suppress(OSError):
        before = file.read_text()
        file.write_text("1000")
    try:
        yield
    finally:
        if before is not None:
            with contextlib.suppress(OSError):
                file.write_text(before)
