"""The processes of a gateway as rows of a table, and the supervisor that keeps them going.

Knows nothing about what the services do. A service that dies or goes quiet is started again, with
growing pauses, for ever; nobody is there to do it by hand. Processes share no lock, only plain
numbers in memory and an `edge/line.py`, so that none can block another by the way it dies. (Each
camera has a process of its own besides, which belongs to the pipeline: see
`edge/camera_process.py`.)
"""

import contextlib
import ctypes
import importlib
import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from multiprocessing.context import SpawnProcess
from multiprocessing.sharedctypes import RawValue

from edge.line import new_door
from edge.options import RunOptions
from scene.errors import LamproomError

START_LIMIT_S = 120.0
"""So long may a service take before its first sign of life (loading a model on a busy machine)."""
LONGEST_PAUSE_S = 5.0
STOP_LIMIT_S = 5.0
"""A service that is told to stop and does not within so long is killed."""
LOOK_EVERY_S = 0.1
BAD_INPUT = 2
"""Exit code of a service that says what the user has to mend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One row: `main(Context)` in `module` runs until it is told to stop."""

    module: str
    wanted: Callable[[RunOptions], bool]
    quiet_limit_s: float
    """Without a sign of life for so long it is killed and started again."""
    ends_run: bool = False
    """When it comes to its end by itself, the run is over."""


SERVICES: dict[str, Service] = {
    "recorder": Service(
        module="edge.recorder",
        wanted=lambda options: options.record is not None,
        quiet_limit_s=10.0,
    ),
    "sender": Service(module="edge.sender", wanted=lambda options: True, quiet_limit_s=4.0),
    "pipeline": Service(
        module="edge.live", wanted=lambda options: True, quiet_limit_s=6.0, ends_run=True
    ),
}
"""In the order in which they are started. They are stopped one by one in the opposite order, so
that the last words of each still find their way."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Signs:
    """What a service and its supervisor tell each other: plain numbers in shared memory.

    No lock guards them: one side writes, the other reads, and a process that is killed, or
    interrupted by a signal, holds nothing.
    """

    stop: "ctypes.c_byte" = field(default_factory=lambda: RawValue(ctypes.c_byte, 0))
    """Not 0 once the service shall end."""
    alive_s: "ctypes.c_double" = field(default_factory=lambda: RawValue(ctypes.c_double, 0.0))
    """The service's last sign of life on the monotonic clock; 0 before the first."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Context:
    """What a service is given: its orders, its doors, and how to say that it is alive."""

    options: RunOptions
    door_out: socket.socket
    """Where the pipeline hands over its lines of results (`LineOut`)."""
    door_in: socket.socket
    """Where the sender takes them (`LineIn`)."""
    signs: Signs = field(repr=False)

    def alive(self) -> None:
        """Say that all is well; to be called at least once a second."""
        self.signs.alive_s.value = time.monotonic()

    def stopped(self) -> bool:
        """Tell whether the service shall end."""
        return self.signs.stop.value != 0

    def rest(self, duration_s: float) -> bool:
        """Wait, but not longer than until the end; tells whether the service shall end."""
        until_s = time.monotonic() + duration_s
        while not self.stopped() and (left_s := until_s - time.monotonic()) > 0:
            time.sleep(min(left_s, LOOK_EVERY_S / 2))
        return self.stopped()


@dataclass(slots=True, kw_only=True)
class _Running:
    process: SpawnProcess
    signs: Signs
    started_s: float
    is_first: bool
    """Whether it has not been started before."""


class Supervisor:
    """Starts the services and keeps them going until the run is over."""

    def __init__(
        self,
        options: RunOptions,
        say: Callable[[str], None],
        services: Mapping[str, Service] = SERVICES,
    ) -> None:
        self._options = options
        self._say = say
        self._services = services
        self._spawn = multiprocessing.get_context("spawn")
        self._stopping = False
        self._door_out, self._door_in = new_door()
        self._running: dict[str, _Running] = {}
        self._failures: dict[str, int] = {}
        self._due_s: dict[str, float] = {}

    def run(self, until: Callable[[], bool] = lambda: False) -> int:
        """Keep the services going until the run ends, `until` says so, or a signal comes.

        Gives the exit code: 0, or 2 when a service can't start because of bad input.
        """
        with self._signals():
            try:
                for name, service in self._services.items():
                    if service.wanted(self._options):
                        self._start(name)
                        code = self._wait_for_life(name)
                        if code is not None:
                            return code
                while not self._stopping and not until():
                    code = self._look_after()
                    if code is not None:
                        return code
                    time.sleep(LOOK_EVERY_S)
                return 0
            finally:
                self._stop()

    def _start(self, name: str) -> None:
        signs = Signs()
        context = Context(
            options=self._options, door_out=self._door_out, door_in=self._door_in, signs=signs
        )
        process = self._spawn.Process(
            target=_serve,
            args=(name, self._services[name].module, context),
            name=f"lamproom-{name}",
        )
        process.start()
        self._running[name] = _Running(
            process=process,
            signs=signs,
            started_s=time.monotonic(),
            is_first=name not in self._running,
        )

    def _wait_for_life(self, name: str) -> int | None:
        running = self._running[name]
        while running.signs.alive_s.value == 0.0 and not self._stopping:
            if not running.process.is_alive():
                code = running.process.exitcode
                return 0 if code == 0 and self._services[name].ends_run else (code or 1)
            if time.monotonic() - running.started_s > START_LIMIT_S:
                self._say(f"{name} does not come up within {START_LIMIT_S:.0f} s")
                return 1
            time.sleep(0.02)
        return None

    def _look_after(self) -> int | None:
        now_s = time.monotonic()
        for name, running in list(self._running.items()):
            service = self._services[name]
            if not running.process.is_alive():
                code = running.process.exitcode
                if service.ends_run and (code == 0 or (code == BAD_INPUT and running.is_first)):
                    return code
                self._restart_when_due(name, f"ended with {code}")
                continue
            sign_s = running.signs.alive_s.value
            limit_s = service.quiet_limit_s if sign_s else START_LIMIT_S
            if now_s - (sign_s or running.started_s) > limit_s:
                self._say(f"{name} has been quiet for {limit_s:.0f} s; killing it")
                running.process.kill()
                running.process.join(timeout=2.0)
            elif now_s - running.started_s > 60.0:
                self._failures[name] = 0
        return None

    def _restart_when_due(self, name: str, why: str) -> None:
        now_s = time.monotonic()
        if name not in self._due_s:
            failures = self._failures.get(name, 0)
            pause_s = 0.0 if failures == 0 else min(LONGEST_PAUSE_S, 0.25 * 2**failures)
            self._failures[name] = failures + 1
            self._due_s[name] = now_s + pause_s
            self._say(f"{name} {why}; starting it again")
        if now_s >= self._due_s[name]:
            del self._due_s[name]
            self._start(name)

    def _stop(self) -> None:
        """Stop one after the other, the last one first; those that don't want to are killed."""
        for name in reversed(list(self._services)):
            running = self._running.get(name)
            if running is None:
                continue
            running.signs.stop.value = 1
            running.process.join(timeout=STOP_LIMIT_S)
            if running.process.is_alive():
                self._say(f"{name} does not stop within {STOP_LIMIT_S:.0f} s; killing it")
                running.process.kill()
                running.process.join(timeout=2.0)
        self._door_out.close()
        self._door_in.close()

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Turn Ctrl-C and `kill` into a quiet end while the block runs.

        The handler only sets a flag of this object: it runs between any two lines of ours.
        """

        def stop(*_: object) -> None:
            self._stopping = True

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent is gone (Linux; see prctl(2))."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() == 1:
        sys.exit(1)


def _serve(name: str, module: str, context: Context) -> None:
    """Run in the new process: hand over to the service's own `main`."""
    die_with_parent()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(15, name.encode()[:15])  # PR_SET_NAME, for `top`
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the supervisor tells us
    try:
        importlib.import_module(module).main(context)
    except LamproomError as error:
        print(f"lamproom {name}: {error}", file=sys.stderr, flush=True)
        sys.exit(BAD_INPUT)
