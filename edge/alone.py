"""A state folder belongs to one gateway at a time: a second one that is started by accident ends.

Knows nothing about what is in it. Both would take each other's broker connection and alarms.
Nothing is written: the folder's disk may hang, and whoever is started again must not.
"""

import contextlib
import fcntl
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from scene.errors import LamproomError

WAIT_S = 3.0
"""A gateway that has just been killed is gone sooner."""
LOOK_EVERY_S = 0.05
ELSEWHERE = 0
"""Number of a process that we can't see, as one of another container."""


@contextlib.contextmanager
def alone(state_folder: Path) -> Iterator[None]:
    """Hold the folder while the block lasts; raises `LamproomError` while another gateway does.

    Where no folder can be locked it is done without: no alarm may stop for that.
    """
    try:
        handle = _open(state_folder)
    except OSError:
        yield
        return
    try:
        until_s = time.monotonic() + WAIT_S
        while not _lock(handle) and _runs(holder := _holder(handle)):
            if time.monotonic() > until_s:
                who = f" (process {holder})" if holder != ELSEWHERE else ""
                raise LamproomError(
                    f"{state_folder}: another gateway{who} runs with this state folder; stop it, "
                    "or give this one another --state"
                )
            time.sleep(LOOK_EVERY_S)
        yield
        fcntl.flock(handle, fcntl.LOCK_UN)  # also for who was forked out of us
    finally:
        os.close(handle)


def _open(folder: Path) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    try:
        return os.open(folder, flags)
    except FileNotFoundError:
        folder.mkdir(parents=True, exist_ok=True)
        return os.open(folder, flags)


def _lock(handle: int) -> bool:
    """Tell whether nobody else has it, as far as that can be told."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a disk without locks
        return True
    return True


def _holder(handle: int) -> int:
    """Tell who took it: proc_locks(5)."""
    found = os.fstat(handle)
    device = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}"
    with contextlib.suppress(OSError):
        for line in Path("/proc/locks").read_text().splitlines():
            match line.split():
                case [_, "FLOCK", _, _, pid, place, *_] if place == f"{device}:{found.st_ino}":
                    return max(int(pid), ELSEWHERE)
    return ELSEWHERE


def _runs(pid: int) -> bool:
    """Tell whether a process is there and was not killed.

    What is left of one that was, waiting for a disk or a driver, may hold the lock for ever.
    """
    if pid == ELSEWHERE:
        return True
    try:
        lines = Path(f"/proc/{pid}/status").read_text(errors="replace").splitlines()
    except OSError:
        return False
    signals = [line.split()[1] for line in lines if line.startswith(("SigPnd:", "ShdPnd:"))]
    return not any(int(one, 16) >> (signal.SIGKILL - 1) & 1 for one in signals)
