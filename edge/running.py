"""One process of a service as its supervisor sees it: is it up, and how long may it be quiet.

Knows nothing about what the service does, nor about other services.
"""

import contextlib
import multiprocessing.process
import time
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path

from edge.service import Signs
from edge.service_health import read_process
from edge.spare import WAKE_LIMIT_S

START_LIMIT_S = 120.0
"""So long may a service take before its first sign of life (loading a model on a busy machine)."""
REGULAR_SIGNS = 3
REGULAR_S = 1.5
"""Only a service that has given so many signs of life, for so long, is held to its limit: what
comes between the first ones takes long on a slow machine."""
EARLY = 4.0
"""Until then it may be quiet so many times as long, once it has given its first sign."""
WORKS_S = 0.05
"""Who takes, or waits for, so much processor time while it is quiet works, though slowly."""
MOST_LEFT = 3
"""So many processes of one service, or camera, that can't be killed are left behind while another
one does their work; who would be the next to hang is not started."""
PATIENCE = 4.0
"""A service that was killed while it worked is waited for longer the next time, up to so many times
its limit: on a slow machine being killed makes it no faster."""


class Effort:
    """Whether a process works although it gives no sign of life: who does is only slow."""

    def __init__(self) -> None:
        self._before_s: float | None = None
        """Its wanted processor time when it had been quiet for half of its limit."""

    def look(self, pid: int, quiet_s: float, limit_s: float) -> None:
        """Note for how long it has been quiet, of so long as it may be; often."""
        if quiet_s <= limit_s / 2:
            self._before_s = None
        elif self._before_s is None:
            self._before_s = wanted_cpu_s(pid)

    def works(self, pid: int) -> bool:
        """Tell whether it has taken processor time since, or would have."""
        return self._before_s is not None and wanted_cpu_s(pid) - self._before_s > WORKS_S


@dataclass(slots=True, kw_only=True)
class Running:
    """A process that was started, and what it has shown of itself."""

    process: BaseProcess
    signs: Signs
    started_s: float
    is_first: bool
    """Whether it has not been started before."""
    hung: str = ""
    """Why it was killed; empty while it was not."""
    killed_s: float = 0.0
    left: bool = False
    """Whether it was told of as one that can't be killed."""
    excused_s: float = 0.0
    """What it was before then counts no more: nobody could look."""
    sign_s: float = 0.0
    """Its last sign of life when it was looked at."""
    first_sign_s: float = 0.0
    signs_seen: int = 0
    effort: Effort = field(default_factory=Effort)

    def look(self, now_s: float, limit_s: float) -> None:
        """Count its signs of life, and see whether it works when there are none."""
        sign_s = self.signs.alive_s.value
        if sign_s != self.sign_s:
            self.sign_s = sign_s
            self.first_sign_s = self.first_sign_s or sign_s
            self.signs_seen += 1
            self.effort = Effort()
        elif self.process.pid is not None:
            self.effort.look(self.process.pid, self.quiet_s(now_s), limit_s)

    @property
    def works(self) -> bool:
        """Whether it takes processor time, or would, though it gives no sign of life."""
        return self.process.pid is not None and self.effort.works(self.process.pid)

    def up(self, limit_s: float) -> bool:
        """Tell whether it has given a sign of life within `limit_s`."""
        sign_s = self.signs.alive_s.value
        return self.process.is_alive() and time.monotonic() - sign_s < limit_s

    def limit_s(self, quiet_limit_s: float, slow: int) -> float:
        """Tell how long it may be quiet now, after it was killed so many times as it worked."""
        if self.signs.waits.value:
            return WAKE_LIMIT_S
        if not self.signs_seen:
            return START_LIMIT_S
        limit_s = quiet_limit_s * min(PATIENCE, 2.0**slow)
        regular = self.sign_s - self.first_sign_s >= REGULAR_S
        return limit_s if self.signs_seen >= REGULAR_SIGNS and regular else EARLY * limit_s

    def quiet_s(self, now_s: float) -> float:
        """Tell for how long it has given no sign of life."""
        return now_s - max(self.sign_s or self.started_s, self.excused_s)


def forget(process: BaseProcess) -> None:
    """Let our own end not wait for a process that can't be killed; multiprocessing would."""
    children: set[object] = getattr(multiprocessing.process, "_children", set())
    children.discard(process)


def wanted_cpu_s(pid: int) -> float:
    """Tell how much processor time a process's main thread has taken and waited for, in seconds.

    0 for one that is gone. On a machine where ten others want the same core, who works gets little
    of it. The main thread is the one that gives signs of life: others that work while it hangs are
    no excuse for it. Source: the kernel's sched-stats, `/proc/PID/task/PID/schedstat`; without
    them what the whole process took counts.
    """
    wanted_ns = 0
    with contextlib.suppress(OSError, ValueError, IndexError):  # it has just ended
        words = Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()
        wanted_ns = int(words[0]) + int(words[1])
    return wanted_ns / 1e9 if wanted_ns else _taken_s(pid)


def _taken_s(pid: int) -> float:
    process = read_process(pid)
    return 0.0 if process is None else process.cpu_s
