"""What the supervisor has done beside it: alarms about services and disks, and what they take.

Knows nothing about how services are started. It runs in a thread of its own, because disks may
hang and the supervisor must not. Alarms go to the outbox on disk first, as all do, and then to the
sender if there is one: they must arrive also when it is the sender or the pipeline that fails.
"""

import socket
import threading
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from delivery.outbox import Outbox
from edge import log
from edge.failing_watch import KIND as FAILING
from edge.failing_watch import FailingWatch
from edge.line import LineOut
from edge.outlet import LIMITS, LineOutlet, ServiceReport
from edge.service_health import Meter, Use
from edge.storage_watch import KIND as FULL
from edge.storage_watch import StorageWatch, look_at
from scene.clock import Clock
from scene.messages import Anomaly, ServiceHealth, Severity

EVERY_S = 1.0
SUPERVISOR = "supervisor"
MOST_EVENTS = 1000
STOP_LIMIT_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceNow:
    """What the supervisor knows of a service at one moment."""

    name: str
    pid: int | None
    up: bool
    restarts: int
    up_s: float
    paused: bool = False
    """Whether it rests for want of room on the disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Event:
    name: str
    why: str
    said: str
    """Its last error, empty where it told of none."""
    hung: bool = False
    stuck: bool = False


class Caretaker:
    """Watches services and disks until it is closed; its methods return at once."""

    def __init__(
        self,
        *,
        state_folder: Path,
        folders: Collection[Path],
        cameras: Collection[str],
        severities: Mapping[str, Severity],
        door: socket.socket,
        clock: Clock,
    ) -> None:
        """Watch the disks of `folders`; alarms go to the outbox and out by the `door`."""
        self._state_folder, self._folders, self._cameras = state_folder, folders, cameras
        self._clock = clock
        self._line = LineOut(door, LIMITS)
        self._outlet = LineOutlet(self._line, self._open_outbox)
        self._failing = FailingWatch(clock, severities)
        self._storage = StorageWatch(clock)
        self._meter = Meter()
        self._adopted = False
        self._events: deque[_Event] = deque(maxlen=MOST_EVENTS)
        self._now: tuple[ServiceNow, ...] = ()
        self._wake = threading.Event()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="caretaker", daemon=True)
        self._thread.start()

    def restarted(self, name: str, why: str, *, hung: bool, said: str = "") -> None:
        """Tell that a service had to be started again; `said` is its last error."""
        self._events.append(_Event(name=name, why=why, said=said, hung=hung))
        self._wake.set()

    def stuck(self, name: str, why: str, said: str = "") -> None:
        """Tell that a process of a service can't be killed; `said` is its last error."""
        self._events.append(_Event(name=name, why=why, said=said, stuck=True))
        self._wake.set()

    def look(self, services: tuple[ServiceNow, ...]) -> None:
        """Tell how the services are now."""
        self._now = services

    def close(self) -> None:
        """Send what waits and stop; waits a little at most."""
        self._over.set()
        self._wake.set()
        self._thread.join(STOP_LIMIT_S)
        self._line.close(limit_s=0.2)

    # ---- the thread ----

    def _run(self) -> None:
        due_s = self._clock.monotonic_s()
        while not self._over.is_set():
            # First what stands: else a supervisor that dies again and again says each time anew
            # what has been said.
            self._guarded(self._adopt)
            self._guarded(self._tell_of_events)
            if self._clock.monotonic_s() >= due_s:
                due_s = self._clock.monotonic_s() + EVERY_S
                self._guarded(self._look)
            self._wake.wait(max(0.0, due_s - self._clock.monotonic_s()))
            self._wake.clear()
        self._guarded(self._tell_of_events)
        self._outlet.settle(STOP_LIMIT_S)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # the next second brings the next look
            log.crash(error, "caretaker")

    def _tell_of_events(self) -> None:
        while self._events:
            event = self._events.popleft()
            if event.stuck:
                self._send(self._failing.stuck(event.name, event.why, event.said))
            else:
                self._send(
                    self._failing.restarted(event.name, event.why, hung=event.hung, said=event.said)
                )

    def _look(self) -> None:
        services = self._now
        self._send(self._failing.look({service.name: service.up for service in services}))
        was_low = self._storage.active
        paused = any(service.paused for service in services)
        disks = {room.device: room for room in map(look_at, self._folders)}
        self._send(self._storage.look(disks.values(), recording_paused=paused))
        if was_low and not self._storage.active:
            self._outlet.reopen()  # takes the outbox's reserve on the disk again
        if services:
            self._outlet.send(self._report(services))

    def _adopt(self) -> None:
        """Carry on what was active when the gateway went down, once the outbox can be read."""
        if self._adopted:
            return
        before = self._outlet.active(of_supervisor=True)
        self._adopted = not self._outlet.trouble
        self._send(self._failing.adopt(one for one in before if one.kind == FAILING))
        self._send(self._storage.adopt(one for one in before if one.kind == FULL))

    def _report(self, services: tuple[ServiceNow, ...]) -> ServiceReport:
        roots = {service.name: service.pid for service in services if service.pid is not None}
        used = self._meter.look(roots, self._cameras, self._clock.monotonic_s())
        known = {service.name: service for service in services}
        names = [*known, *(name for name in used if name not in known)]
        return ServiceReport(
            services=tuple(_health(name, known.get(name), used.get(name)) for name in names)
        )

    def _send(self, alarms: tuple[Anomaly, ...]) -> None:
        for alarm in alarms:
            self._outlet.send(alarm)
            log.say(
                f"alarm {alarm.kind} {alarm.state}: {alarm.evidence}",
                "warning" if alarm.state == "active" else "info",
                alarm=alarm.id,
                kind=alarm.kind,
                state=alarm.state,
            )

    def _open_outbox(self) -> Outbox:
        return Outbox(self._state_folder, self._clock)


def _health(name: str, service: ServiceNow | None, use: Use | None) -> ServiceHealth:
    """Write one row; a camera's own process is up while it is there."""
    return ServiceHealth(
        name=name,
        up=service.up if service is not None else True,
        cpu_cores=round(use.cpu_cores, 3) if use is not None else 0.0,
        memory_mb=round(use.memory_mb, 1) if use is not None else 0.0,
        restarts=service.restarts if service is not None else use.restarts if use else 0,
        up_s=round(service.up_s if service is not None else use.up_s if use else 0.0, 1),
    )
