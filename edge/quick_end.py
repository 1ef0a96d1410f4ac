"""Ends a process without taking down what it has imported: that takes seconds on a busy machine.

Knows nothing about what the process did. `multiprocessing` still ends what belongs to it; what else
there is (threads, the memory of decoders and models) the kernel takes back at once.
"""

import contextlib
import multiprocessing
import os
import sys
from multiprocessing.util import Finalize

LAST = -1000
"""After everything that `multiprocessing` has to do at an end: its own last priority is -100."""


def end_quickly() -> None:
    """Let this process end so, with exit code 0, once its target is done.

    To be called when the work is done and nothing is left to write. A process that was not started
    by `multiprocessing` is left as it is: its end is somebody else's.
    """
    if multiprocessing.parent_process() is not None:
        Finalize(None, _end, exitpriority=LAST)


def _end() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(0)
