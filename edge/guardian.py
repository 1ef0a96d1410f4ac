"""Looks after the supervisor where systemd does not: one that dies or hangs is started again.

Knows nothing about what it does. The guardian is the process that was started by hand; it forks,
waits, and does nothing else, so that there is little in it that could fail. When it dies, the
supervisor and all services die with it, so nothing is left half alive.
"""

import contextlib
import math
import mmap
import multiprocessing
import signal
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.context import ForkProcess

from edge import log
from edge.sd_notify import Systemd
from edge.service import BAD_INPUT, die_with_parent, name_process
from scene.errors import LamproomError

QUIET_LIMIT_S = 10.0
"""A supervisor without a sign of life for so long is killed. The services go on meanwhile, and all
of them are started anew with it, so there is no haste."""
START_LIMIT_S = 60.0
STOP_LIMIT_S = 40.0
LONGEST_PAUSE_S = 5.0
STEADY_S = 60.0
LOOK_EVERY_S = 0.2

_SIGN = struct.Struct("=d")

Work = Callable[[Callable[[], None], str], int]
"""Gets `beat`, to be called ten times a second, and why there was one before; gives a code."""


def guarded(work: Work) -> int:
    """Run `work` in a process of its own, again and again until it ends by itself.

    It ends by itself with 0, or at the first start with 2 (bad input); the exit code is given back.
    Under systemd, which does the same, and in a process with threads, which must not be forked,
    `work` runs in this very process.
    """
    if Systemd().there or threading.active_count() > 1:
        return work(lambda: None, "")
    return _Guardian(work).run()


class _Guardian:
    def __init__(self, work: Work) -> None:
        self._work = work
        self._fork = multiprocessing.get_context("fork")
        self._sign = mmap.mmap(-1, _SIGN.size)  # shared with the child
        self._process: ForkProcess | None = None
        self._told_s = math.inf
        """When it was told to end."""

    def run(self) -> int:
        why, pause_s = "", 0.0
        with self._signals():
            while True:
                started_s = time.monotonic()
                code, hung = self._one(why)
                if code == 0 or (code == BAD_INPUT and not why) or self._told_s < math.inf:
                    return max(code, 0)
                why = hung or f"ended with {code}"
                log.say(f"the supervisor {why}; starting it again", "error")
                steady = time.monotonic() - started_s > STEADY_S
                pause_s = 0.0 if steady else min(LONGEST_PAUSE_S, 2 * pause_s + 0.5)
                until_s = time.monotonic() + pause_s
                while time.monotonic() < until_s and self._told_s == math.inf:
                    time.sleep(LOOK_EVERY_S)

    def _one(self, why: str) -> tuple[int, str]:
        """Run one supervisor until it ends; gives its exit code, and how it hung if it did."""
        self._sign[:] = _SIGN.pack(0.0)
        self._process = self._fork.Process(
            target=self._be_supervisor, args=(why,), name="lamproom-supervisor"
        )
        self._process.start()
        started_s, hung = time.monotonic(), ""
        while self._process.is_alive():
            now_s = time.monotonic()
            (sign_s,) = _SIGN.unpack(self._sign[:])
            limit_s = QUIET_LIMIT_S if sign_s else START_LIMIT_S
            if not hung and now_s - (sign_s or started_s) > limit_s:
                hung = f"has been quiet for {limit_s:.0f} s"
            if hung or now_s - self._told_s > STOP_LIMIT_S:
                self._process.kill()
            self._process.join(LOOK_EVERY_S)
        code = self._process.exitcode
        self._process.close()
        self._process = None
        return 1 if code is None else code, hung

    def _be_supervisor(self, why: str) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        die_with_parent()
        name_process("supervisor")
        try:
            code = self._work(self._beat, why)
        except LamproomError as error:
            log.say(str(error), "error")
            code = BAD_INPUT
        except KeyboardInterrupt:
            code = 0
        except Exception as error:
            log.crash(error, "supervisor")
            code = 1
        sys.exit(code)

    def _beat(self) -> None:
        self._sign[:] = _SIGN.pack(time.monotonic())

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Hand on Ctrl-C and `kill`; the supervisor then ends quietly, and so do we."""

        def tell(*_: object) -> None:
            self._told_s = min(self._told_s, time.monotonic())
            if self._process is not None:
                self._process.terminate()

        before = {number: signal.signal(number, tell) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
