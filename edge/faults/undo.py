"""Undoes a fault, whatever happens to the process that brought it about.

Knows nothing about faults. A second process waits for the end of the first one, also by SIGKILL,
or for the time at which the fault shall be over, whichever comes first.
"""

import os
import select
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def undone(undo: Callable[[], None], *, after_s: float) -> Iterator[None]:
    """Run the block, then `undo`; at the latest `after_s` from now, also if this process hangs.

    `undo` may run twice, in this process and in the second one, and must bear that. To be called
    while this process has one thread only, for it is forked.
    """
    ours, theirs = os.pipe()
    guard = os.fork()
    if guard == 0:
        try:
            os.close(theirs)
            _guard(ours, undo, after_s)
        finally:
            os._exit(0)
    os.close(ours)
    try:
        yield
    finally:
        try:
            undo()
        finally:
            os.close(theirs)
            os.waitpid(guard, 0)


def _guard(ours: int, undo: Callable[[], None], after_s: float) -> None:
    """Wait in the second process, which is in no terminal's hands: no Ctrl-C, no hang-up."""
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):  # whoever reads what the first one says need not wait for us
        os.dup2(null, fd)
    select.select([ours], [], [], after_s)
    undo()
