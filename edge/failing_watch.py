"""Alarms about the gateway's own services: one that hangs, crashes again and again, or stays down.

Knows nothing about processes; it is told what happened to them. Time is the monotonic clock's.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from edge.log import without_secrets
from scene.alarms import system_alarm
from scene.clock import Clock
from scene.errors import printable
from scene.messages import Anomaly, Severity

KIND = "service_failing"
LOOPS = ((3, 60.0), (6, 900.0))
"""So many restarts within so many seconds are a crash loop."""
DOWN_LIMIT_S = 30.0
"""A service that has given no sign of life for so long since its start is told of."""
STEADY_S = 60.0
"""An alarm clears after the service has stayed up for so long..."""
STEADY_INTERVALS = 3.0
"""... and for so many times as long as it lasted on average between its restarts: who fails at
random stays up so long by chance once in twenty times (exp(-3))."""
WHAT_TO_DO = {
    "sender": "look at the broker and at the disk of state_folder",
    "pipeline": "look at the cameras, the rig file, detection.model and the machine's memory",
    "recorder": "look at the disk of --record; alarms go on without recordings",
    "supervisor": "look at the machine's memory and load",
}
"""By service; for the rest the log must do."""
LONGEST_ERROR = 240
"""So much of a service's last error stands in the alarm."""
IN_THE_LOG = "what it said is in the log (journalctl -u lamproom-gateway)"


class FailingWatch:
    """Raises and clears alarms for the services that it is told of."""

    def __init__(self, clock: Clock, severities: Mapping[str, Severity]) -> None:
        """`severities` are those of an alarm about each service."""
        self._clock = clock
        self._severities = severities
        self._restarts: dict[str, deque[float]] = {}
        self._down_since_s: dict[str, float] = {}
        self._told_s: dict[str, float] = {}
        """When each service last gave a reason for its alarm."""
        self._raised: dict[str, Anomaly] = {}
        self._said: dict[str, tuple[str, float]] = {}
        """The last error that each service told of, and when it was started again after that."""

    def adopt(self, alarms: Iterable[Anomaly]) -> tuple[Anomaly, ...]:
        """Carry on alarms of the run before; gives the clearings of those about nobody."""
        left = []
        for alarm in alarms:
            name = alarm.id.removeprefix(f"{KIND}-").rpartition("-")[0]
            if name in self._severities and name not in self._raised:
                self._raised[name], self._told_s[name] = alarm, self._clock.monotonic_s()
            else:
                left.append(self._cleared(alarm, "the gateway was started anew without it"))
        return tuple(left)

    def restarted(self, name: str, why: str, *, hung: bool, said: str = "") -> tuple[Anomaly, ...]:
        """Note that a service had to be started again; gives the alarm that this raises.

        `said` is the last error that it told of.
        """
        now_s = self._clock.monotonic_s()
        self._note_error(name, said)
        times = self._restarts.setdefault(name, deque(maxlen=max(count for count, _ in LOOPS)))
        times.append(now_s)
        reason = self._loop(name, now_s)
        if reason:
            return self._complain(name, f"{reason}; the last time it {why}")
        return self._complain(name, f"it {why} and was started again, once") if hung else ()

    def stuck(self, name: str, why: str, said: str = "") -> tuple[Anomaly, ...]:
        """Note that a process of a service can't be killed; gives the alarm that this raises."""
        self._note_error(name, said)
        return self._complain(name, f"{why}: the kernel waits for a disk or a driver")

    def look(self, up: Mapping[str, bool]) -> tuple[Anomaly, ...]:
        """Look at whether each service is up; gives alarms that this raises or clears."""
        now_s = self._clock.monotonic_s()
        changes: list[Anomaly] = []
        for name, is_up in up.items():
            if is_up:
                self._down_since_s.pop(name, None)
            elif now_s - self._down_since_s.setdefault(name, now_s) >= DOWN_LIMIT_S:
                changes += self._complain(name, f"it does not come up within {DOWN_LIMIT_S:.0f} s")
            quiet_s = now_s - max(self._told_s.get(name, 0.0), self._last_restart_s(name))
            if is_up and name in self._raised and quiet_s >= self._steady_s(name):
                evidence = f"{name} has stayed up for {quiet_s:.0f} s"
                changes.append(self._cleared(self._raised.pop(name), evidence))
                self._said.pop(name, None)
        return tuple(changes)

    def _last_restart_s(self, name: str) -> float:
        times = self._restarts.get(name)
        return times[-1] if times else 0.0

    def _steady_s(self, name: str) -> float:
        """Tell how long a service must stay up before it counts as well again."""
        times = list(self._restarts.get(name, ()))
        recent = [at_s for at_s in times if times[-1] - at_s < LOOPS[-1][1]]
        if len(recent) < LOOPS[0][0]:
            return STEADY_S
        interval_s = (recent[-1] - recent[0]) / (len(recent) - 1)
        return max(STEADY_S, STEADY_INTERVALS * interval_s)

    def _loop(self, name: str, now_s: float) -> str:
        """Say that a service was started again and again; empty when it was not."""
        times = self._restarts.get(name, ())
        for count, within_s in LOOPS:
            recent = [at_s for at_s in times if now_s - at_s < within_s]
            if len(recent) >= count:
                return (
                    f"it was started again {len(recent)} times since "
                    f"{self._time_of(now_s - recent[0])}"
                )
        return ""

    def _time_of(self, ago_s: float) -> str:
        """Write down an instant so long ago."""
        at = datetime.fromtimestamp(self._clock.now_ns() / 1e9 - ago_s, UTC)
        return at.strftime("%H:%M:%S UTC")

    def _complain(self, name: str, reason: str) -> tuple[Anomaly, ...]:
        self._told_s[name] = self._clock.monotonic_s()
        if name in self._raised or name not in self._severities:
            return ()
        now_ns = self._clock.now_ns()
        self._raised[name] = replace(
            system_alarm(
                KIND, now_ns, f"{name}: {reason}; {self._error(name)}{_advice(name)}", about=name
            ),
            severity=self._severities[name],
        )
        return (self._raised[name],)

    def _note_error(self, name: str, said: str) -> None:
        if said:
            self._said[name] = said, self._clock.monotonic_s()

    def _error(self, name: str) -> str:
        """Quote a service's last error: who reads the alarm may not get at the log."""
        said, at_s = self._said.get(name, ("", 0.0))
        if not said or self._clock.monotonic_s() - at_s > LOOPS[-1][1]:
            return ""
        return f"its last error: {printable(without_secrets(said), LONGEST_ERROR)}; "

    def _cleared(self, alarm: Anomaly, evidence: str) -> Anomaly:
        now_ns = self._clock.now_ns()
        return replace(alarm, state="cleared", captured_at_ns=now_ns, evidence=evidence)


def _advice(name: str) -> str:
    """Say what to do about a service that fails."""
    todo = WHAT_TO_DO.get(name)
    return f"it is started again for ever; {f'{todo}; ' if todo else ''}{IN_THE_LOG}"
