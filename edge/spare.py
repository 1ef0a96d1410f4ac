"""Processes that wait, everything imported, to take over from a service that dies or hangs.

Knows nothing about what the services do, nor when one is needed. Most of the time that a service
takes to start goes into importing; a spare has that behind it. It only makes things quicker: where
there is none, or it is dead, the service is started from the beginning, and one that does not wake
is killed like any service that hangs.

The first processes of a run are forked while the supervisor has a single thread, and so have what
it has imported already; later ones, and all where there are more threads, are spawned.
"""

import contextlib
import gc
import multiprocessing
import os
import pickle
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from edge.options import RunOptions
from edge.service import Context, Signs, serve

WAKE_LIMIT_S = 2.0
"""A spare that waited takes its orders at once; one that has not after so long never will."""
READY_LIMIT_S = 120.0
"""One that is not ready after so long hangs."""
AGAIN_S = 60.0
"""After one that died by itself the next one is made: the kernel may have wanted its memory."""
MOST_ORDERS_BYTES = 32_000
"""What is sure to fit into a pipe: nobody may wait for a spare that does not read."""

NewContext = Callable[[str, Signs], Context]
"""Gives the service of that name what it needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A process that serves or, with `orders`, waits for its options."""

    process: BaseProcess
    signs: Signs
    made_s: float
    orders: Connection | None = None


def start_process(
    name: str,
    module: str,
    new_context: NewContext,
    *,
    later: Sequence[str] | None = None,
    forked: bool = False,
    leave: Sequence[Connection] = (),
) -> Started:
    """Start a process of the service `name`; raises `OSError` when there is no room for it.

    With `later`, modules that the service imports later, it is a spare that waits. It is `forked`
    only by who `has_one_thread`, and then lets go of what it is to `leave` to its parent.
    """
    context = multiprocessing.get_context("fork" if forked else "spawn")
    signs = Signs()
    theirs, ours = context.Pipe(duplex=False) if later is not None else (None, None)
    words = name, module, new_context(name, signs), theirs, later or ()
    try:
        process: BaseProcess = context.Process(  # type: ignore[attr-defined]
            target=_serve_forked if forked else serve,
            args=((*leave, *([ours] if ours else ())), *words) if forked else words,
            name=f"lamproom-{name}",
        )
        if forked:
            gc.freeze()  # what both have is looked through, and so copied, by neither
        process.start()
    except OSError:
        if ours is not None:
            ours.close()
        raise
    finally:
        if theirs is not None:
            theirs.close()
    return Started(process=process, signs=signs, made_s=time.monotonic(), orders=ours)


def has_one_thread() -> bool:
    """Tell whether this process may be forked: what other threads hold then is held for ever."""
    try:
        return len(os.listdir("/proc/self/task")) == 1  # those of libraries, too (Linux)
    except OSError:
        return threading.active_count() == 1


def _serve_forked(leave: Sequence[Connection], *words: Any) -> None:
    for one in leave:  # else who waits at the other end would not hear that our parent closed it
        one.close()
    serve(*words)


class Spares:
    """One waiting process of each of the services in `modules`, as far as that can be."""

    def __init__(self, modules: Mapping[str, Sequence[str]], new_context: NewContext) -> None:
        """Make none yet; `modules` has each service's own first, then what it imports later."""
        self._modules, self._new_context = modules, new_context
        self._spares: dict[str, Started] = {}
        self._due_s: dict[str, float] = {}

    def take(self, name: str, options: RunOptions) -> Started | None:
        """Give the waiting process of a service its orders; none where none is there.

        One that is not ready yet carries them out as soon as it is.
        """
        spare = self._spares.pop(name, None)
        if spare is None or spare.orders is None:
            return None
        orders = pickle.dumps(options, pickle.HIGHEST_PROTOCOL)
        with contextlib.suppress(OSError), spare.orders as line:
            if spare.process.is_alive() and len(orders) <= MOST_ORDERS_BYTES:
                line.send_bytes(orders)
                return replace(spare, orders=None)
        _end(spare)
        return None

    def fork(self, names: Iterable[str], leave: Sequence[Connection] = ()) -> None:
        """Make those of these that wait, at once, out of this process; it has one thread.

        They `leave` these to this process, and the orders to others who wait.
        """
        for name in names:
            if name in self._modules:
                orders = [one.orders for one in self._spares.values() if one.orders is not None]
                self._make(name, forked=True, leave=(*leave, *orders))

    def make(self, names: Iterable[str]) -> None:
        """Make the first of these that is missing, but only one at a time."""
        now_s = time.monotonic()
        for name, spare in list(self._spares.items()):
            if not spare.process.is_alive():
                self._drop(name)
            elif not spare.signs.waits.value:
                if now_s - spare.made_s < READY_LIMIT_S:
                    return
                self._drop(name)
        for name in names:
            due = now_s >= self._due_s.get(name, 0.0)
            if name in self._modules and name not in self._spares and due:
                self._make(name)
                return

    def close(self, names: Iterable[str] | None = None) -> None:
        """End those of these services, or them all."""
        for name in list(self._spares if names is None else names):
            if name in self._spares:
                _end(self._spares.pop(name))

    def _make(self, name: str, *, forked: bool = False, leave: Sequence[Connection] = ()) -> None:
        module, *later = self._modules[name]
        try:
            self._spares[name] = start_process(
                name, module, self._new_context, later=later, forked=forked, leave=leave
            )
        except OSError:  # no memory for another process now
            self._due_s[name] = time.monotonic() + AGAIN_S

    def _drop(self, name: str) -> None:
        _end(self._spares.pop(name))
        self._due_s[name] = time.monotonic() + AGAIN_S


def _end(spare: Started) -> None:
    if spare.orders is not None:
        spare.orders.close()
    spare.process.kill()
    spare.process.join(timeout=0.5)
