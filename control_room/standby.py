"""A process that waits, everything imported, from which one that was killed is made anew at once.

Knows nothing about what the control room does. Most of the time that it takes to start goes into
importing: about as much as all else that an alarm needs from a miner's fall to the screen. So the
process that was started imports and forks another one, which serves; that one may run out of
memory, crash in somebody else's C code or be killed, and its successor is there within hundredths
of a second. When the one that waits is killed, the other goes with it, so that nothing is left
half alive, and systemd starts both. One that hangs gives no more signs of life, and is killed.
"""

import contextlib
import ctypes
import gc
import mmap
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Set

END_SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
READY_AFTER_S = 3.0
"""What the first one imports later is imported here after so long: it needs the processor more."""
WORKED_S = 1.0
"""Who lived for so long has a successor at once: a loop of such crashes costs little."""
PAUSES_S = (0.1, 5.0)
"""First and longest pause when one after the other is killed sooner; each is twice the last."""
ROUND_S = 1.0
HANG_LIMITS_S = (20.0, 320.0)
"""Who has given signs of life, and then none for so long, hangs. After each that hung it is twice
as long, at most the second: a machine that is too slow for us must not be made slower."""
STEADY_S = 3600.0
"""After one that lived for so long the first limit holds again."""


def stand_by(get_ready: Callable[[], None], say: Callable[[str], None]) -> Callable[[], None]:
    """Return in a process that serves; this one waits beside it, and ends when it has ended.

    What is returned gives a sign of life; once it has, it must do so again and again. `get_ready`
    imports what the serving process imports only later. Where this process has threads and so must
    not be forked, or there is no room for another, it returns in this very process.
    Raises `SystemExit`, here only, with the exit code of the one that served.
    """
    signs = _Signs()
    if threading.active_count() > 1 or threading.current_thread() is not threading.main_thread():
        return signs.give
    # Whoever started us may ignore it, and that is inherited: no end of a child would be told.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    told = {number for number in END_SIGNALS if signal.getsignal(number) != signal.SIG_IGN}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {*told, signal.SIGCHLD})
    try:
        serving = _fork()
    except OSError:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return signs.give
    if serving != 0:
        _name_process("room-standby")
        _wait_beside(serving, signs, _Told(told), get_ready, say)
    # Only who serves comes here. Ctrl-C in a terminal goes to both; it is told by us, once.
    signal.pthread_sigmask(signal.SIG_SETMASK, before | {signal.SIGINT})
    return signs.give


class _Signs:
    """Signs of life of the one that serves, in a byte of memory that both have."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 1)
        self._quiet_s = 0.0
        self._begun = False
        self.limit_s = HANG_LIMITS_S[0]

    def give(self) -> None:
        """Say that we live; costs nothing, and waits for nobody."""
        self._memory[0] = 1

    def begin(self, *, lived_s: float) -> None:
        """Know nothing of the next one; the one before lived for so long."""
        hung = self.missing()
        longer_s = min(HANG_LIMITS_S[1], 2 * self.limit_s) if hung else self.limit_s
        self.limit_s = HANG_LIMITS_S[0] if lived_s > STEADY_S else longer_s
        self._memory[0], self._begun, self._quiet_s = 0, False, 0.0

    def look(self, waited_s: float) -> None:
        """Look for one, after so long a wait.

        A round that took longer than it should was a halt of the whole machine, or of us.
        """
        given, self._memory[0] = self._memory[0], 0
        self._begun = self._begun or bool(given)
        self._quiet_s = 0.0 if given else self._quiet_s + min(waited_s, 2 * ROUND_S)

    def missing(self) -> bool:
        """Tell whether there was one, and then none for too long."""
        return self._begun and self._quiet_s > self.limit_s


class _Told:
    """Signals to this process, taken one by one; none of them interrupts anything."""

    def __init__(self, to_end: Set[signal.Signals]) -> None:
        self._to_end = to_end
        self.to_end = False

    def wait(self, limit_s: float) -> bool:
        """Wait for one, also that a child has ended; tells whether one came within `limit_s`."""
        info = signal.sigtimedwait({*self._to_end, signal.SIGCHLD}, limit_s)
        number = None if info is None else info.si_signo
        self.to_end |= number in self._to_end
        return number is not None


def _wait_beside(
    serving: int,
    signs: _Signs,
    told: _Told,
    get_ready: Callable[[], None],
    say: Callable[[str], None],
) -> None:
    """Wait for the end; returns only in another process, made to serve."""
    pause_s, ready = 0.0, False
    while True:
        since_s, killed = time.monotonic(), False
        while (code := _code_of(serving)) is None:
            waits_s = time.monotonic()
            came = told.wait(ROUND_S if ready else READY_AFTER_S)
            signs.look(time.monotonic() - waits_s)
            if not came and not ready:
                _get_ready(get_ready, say)
                ready = True
            elif came and told.to_end:
                _kill(serving, signal.SIGTERM)
            elif signs.missing() and not told.to_end and not killed:
                say(f"no sign of life for {signs.limit_s:g} s: what serves hangs, and is killed")
                _kill(serving, signal.SIGKILL)
                killed = True
        if code >= 0 or told.to_end:
            sys.exit(max(code, 0))
        say(f"was killed by {signal.Signals(-code).name}; going on in another process")
        lived_s = time.monotonic() - since_s
        signs.begin(lived_s=lived_s)
        pause_s = 0.0 if lived_s > WORKED_S else min(PAUSES_S[1], max(PAUSES_S[0], 2 * pause_s))
        while True:
            _pause(pause_s, told)
            try:
                serving = _fork()
                break
            except OSError as error:  # no memory for another process now
                say(f"no other process can be made: {error.strerror}; trying again")
                pause_s = PAUSES_S[1]
        if serving == 0:
            return


def _kill(child: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, number)


def _get_ready(get_ready: Callable[[], None], say: Callable[[str], None]) -> None:
    """Do it; where that fails, a successor starts slower, and the one that serves lives on."""
    try:
        get_ready()
    except Exception as error:
        say(f"a successor will start slower: {type(error).__name__}: {error}")
    gc.freeze()


def _pause(pause_s: float, told: _Told) -> None:
    until_s = time.monotonic() + pause_s
    while (left_s := until_s - time.monotonic()) > 0:
        told.wait(left_s)
        if told.to_end:
            sys.exit(0)


def _fork() -> int:
    """Make another process that ends with this one; gives 0 there, its number here."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    gc.freeze()  # what both have is looked through, and so copied, by neither
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        _name_process("room-server")
        with contextlib.suppress(OSError, AttributeError):  # Linux; prctl(2), PR_SET_PDEATHSIG
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)
        if os.getppid() != parent:  # it was gone before we asked
            os._exit(1)
    return child


def _code_of(child: int) -> int | None:
    """Give the exit code of a process that has ended, -n for the signal n; none while it runs.

    1 where somebody else has taken its code: then whoever started us starts both.
    """
    try:
        done, status = os.waitpid(child, os.WNOHANG)
    except ChildProcessError:
        return 1
    return os.waitstatus_to_exitcode(status) if done else None


def _name_process(name: str) -> None:
    with contextlib.suppress(OSError, AttributeError):  # Linux; prctl(2), PR_SET_NAME
        ctypes.CDLL(None).prctl(15, name.encode()[:15])
