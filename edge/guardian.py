"""Looks after the supervisor where systemd does not: one that dies or hangs is started again.

Knows nothing about what it does. The guardian is the process that was started by hand; it forks,
waits, and does nothing else, so that there is little in it that could fail. When it dies, the
supervisor and all services die with it, so nothing is left half alive.
"""

import contextlib
import math
import mmap
import multiprocessing
import os
import signal
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.context import ForkProcess

from edge import log
from edge.sd_notify import Systemd
from edge.service import BAD_INPUT, END_SIGNALS, ERROR_BYTES, die_with_parent, name_process
from scene.errors import LamproomError

QUIET_LIMIT_S = 10.0
"""A supervisor without a sign of life for so long is killed. The services go on meanwhile, and all
of them are started anew with it, so there is no haste."""
START_LIMIT_S = 60.0
STOP_LIMIT_S = 40.0
LONGEST_PAUSE_S = 5.0
WORKED_S = 3.0
"""Who lived for so long is started again at once, as a service is: alarms wait for it."""
OFTEN, OFTEN_S = 3, 60.0
"""But not more than so often in so long: each start costs the processor, and nothing is seen."""
LOOK_EVERY_S = 0.2
STOOD_STILL_S = 1.0
"""Who has not come round for so long itself (a machine that was paused, Ctrl-Z) can't tell for how
long others were quiet."""

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
        self._sign = mmap.mmap(-1, _SIGN.size + ERROR_BYTES)  # shared with the child
        self._process: ForkProcess | None = None
        self._told_s = math.inf
        """When it was told to end."""

    def run(self) -> int:
        why, pause_s = "", 0.0
        deaths_s: list[float] = []
        with self._signals():
            while True:
                started_s = time.monotonic()
                code, hung = self._one(why)
                if code == 0 or (code == BAD_INPUT and not why) or self._told:
                    return max(code, 0)
                why = hung or f"ended with {code}"
                said = self._last_error()
                why = f"{why}; its last error: {said}" if said else why
                log.say(f"the supervisor {why}; starting it again", "error")
                now_s = time.monotonic()
                deaths_s = [now_s, *(one for one in deaths_s if now_s - one < OFTEN_S)]
                at_once = now_s - started_s > WORKED_S and len(deaths_s) <= OFTEN
                pause_s = 0.0 if at_once else min(LONGEST_PAUSE_S, 2 * pause_s + 0.5)
                until_s = now_s + pause_s
                while time.monotonic() < until_s and not self._told:
                    time.sleep(LOOK_EVERY_S)
                if self._told:
                    return 0

    def _one(self, why: str) -> tuple[int, str]:
        """Run one supervisor until it ends; gives its exit code, and how it hung if it did."""
        self._sign[:] = _SIGN.pack(0.0) + bytes(ERROR_BYTES)
        process = self._fork.Process(
            target=self._be_supervisor, args=(why,), name="lamproom-supervisor"
        )
        process.start()
        self._process = process
        if self._told:  # too early for the signal to be handed on
            process.terminate()
        started_s = looked_s = excused_s = time.monotonic()
        hung = ""
        while process.is_alive():
            now_s = time.monotonic()
            excused_s = now_s if now_s - looked_s > STOOD_STILL_S else excused_s
            looked_s = now_s
            (sign_s,) = _SIGN.unpack_from(self._sign)
            limit_s = QUIET_LIMIT_S if sign_s else START_LIMIT_S
            if not hung and now_s - max(sign_s or started_s, excused_s) > limit_s:
                hung = f"has been quiet for {limit_s:.0f} s"
            if hung or now_s - self._told_s > STOP_LIMIT_S:
                process.kill()
            _fetch_orphans(process.pid)
            process.join(LOOK_EVERY_S)
        self._process = None  # before it is closed: a signal may come at any time
        code = process.exitcode
        process.close()
        return 1 if code is None else code, hung

    def _be_supervisor(self, why: str) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) != signal.SIG_IGN:  # as `nohup` has it
                signal.signal(number, signal.SIG_DFL)
        if self._told:  # while our signals were still our guardian's
            sys.exit(0)
        die_with_parent()
        name_process("supervisor")
        log.heed(self._note_error)
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

    @property
    def _told(self) -> bool:
        return self._told_s < math.inf

    def _beat(self) -> None:
        _SIGN.pack_into(self._sign, 0, time.monotonic())

    def _note_error(self, text: str) -> None:
        self._sign[_SIGN.size :] = text.encode(errors="replace")[:ERROR_BYTES].ljust(
            ERROR_BYTES, b"\0"
        )

    def _last_error(self) -> str:
        """Give the last error that the supervisor told of; empty where there was none."""
        return self._sign[_SIGN.size :].rstrip(b"\0").decode(errors="ignore")

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Hand on Ctrl-C, `kill` and a closed terminal; the supervisor ends quietly, and so do we.

        A signal that is ignored, as by `nohup`, stays so.
        """

        def tell(*_: object) -> None:
            self._told_s = min(self._told_s, time.monotonic())
            if self._process is not None:
                self._process.terminate()

        before = {
            number: signal.signal(number, tell)
            for number in END_SIGNALS
            if signal.getsignal(number) != signal.SIG_IGN
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _fetch_orphans(but: int | None) -> None:
    """Fetch the dead that were left to us, as in a container whose first process we are.

    Cameras' processes are left over when a supervisor is killed, those that play files when a
    pipeline is; nobody else would fetch them.
    """
    with contextlib.suppress(ChildProcessError):
        look = os.WEXITED | os.WNOHANG | os.WNOWAIT
        while (found := os.waitid(os.P_ALL, 0, look)) is not None and found.si_pid != but:
            os.waitpid(found.si_pid, 0)
