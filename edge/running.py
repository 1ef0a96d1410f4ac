"""One process of a service as its supervisor sees it: is it up, and how long may it be quiet.

Knows nothing about what the service does, nor about other services.
"""

import time
from dataclasses import dataclass
from multiprocessing.context import SpawnProcess

from edge.service import Signs
from edge.service_health import read_process

START_LIMIT_S = 120.0
"""So long may a service take before its first sign of life (loading a model on a busy machine)."""
REGULAR_SIGNS = 3
"""Only a service that has given so many signs of life is held to its limit: what comes between the
first ones takes long on a slow machine."""
WORKS_S = 0.05
"""Who takes so much processor time while it is quiet works, though slowly."""
PATIENCE = 4.0
"""A service that was killed while it worked is waited for longer the next time, up to so many times
its limit: on a slow machine being killed makes it no faster."""


@dataclass(slots=True, kw_only=True)
class Running:
    """A process that was started, and what it has shown of itself."""

    process: SpawnProcess
    signs: Signs
    started_s: float
    is_first: bool
    """Whether it has not been started before."""
    hung: str = ""
    """Why it was killed; empty while it was not."""
    killed_s: float = 0.0
    excused_s: float = 0.0
    """What it was before then counts no more: nobody could look."""
    sign_s: float = 0.0
    """Its last sign of life when it was looked at."""
    signs_seen: int = 0
    cpu_s: float | None = None
    """Its processor time when it had been quiet for half of its limit."""

    def look(self, now_s: float, limit_s: float) -> None:
        """Count its signs of life, and see whether it works when there are none."""
        sign_s = self.signs.alive_s.value
        if sign_s != self.sign_s:
            self.sign_s, self.cpu_s = sign_s, None
            self.signs_seen += 1
        elif self.cpu_s is None and self.quiet_s(now_s) > limit_s / 2:
            self.cpu_s = self._cpu_s()

    @property
    def works(self) -> bool:
        """Whether it takes processor time though it gives no sign of life."""
        return self.cpu_s is not None and self._cpu_s() - self.cpu_s > WORKS_S

    def _cpu_s(self) -> float:
        process = None if self.process.pid is None else read_process(self.process.pid)
        return 0.0 if process is None else process.cpu_s

    def up(self, limit_s: float) -> bool:
        """Tell whether it has given a sign of life within `limit_s`."""
        sign_s = self.signs.alive_s.value
        return self.process.is_alive() and time.monotonic() - sign_s < limit_s

    def limit_s(self, quiet_limit_s: float, slow: int) -> float:
        """Tell how long it may be quiet now, after it was killed so many times as it worked."""
        if self.signs_seen < REGULAR_SIGNS:
            return START_LIMIT_S
        return quiet_limit_s * min(PATIENCE, 2.0**slow)

    def quiet_s(self, now_s: float) -> float:
        """Tell for how long it has given no sign of life."""
        return now_s - max(self.sign_s or self.started_s, self.excused_s)
