"""The processes of a gateway as rows of a table, and the supervisor that keeps them going.

Knows nothing about what the services do. A service that dies or goes quiet is started again, with
growing pauses, for ever; nobody is there to do it by hand. (Each camera has a process of its own
besides, which belongs to the pipeline: see `edge/camera_process.py`.)
"""

import contextlib
import ctypes
import importlib
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from multiprocessing.context import SpawnProcess
from multiprocessing.queues import Queue
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from typing import Any

from edge.options import RunOptions
from scene.errors import LamproomError

START_LIMIT_S = 120.0
"""So long may a service take before its first sign of life (loading a model on a busy machine)."""
LONGEST_PAUSE_S = 5.0
STOP_LIMIT_S = 8.0


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
    "sender": Service(
        module="edge.sender", wanted=lambda options: True, quiet_limit_s=4.0, ends_run=False
    ),
    "recorder": Service(
        module="edge.recorder",
        wanted=lambda options: options.record is not None,
        quiet_limit_s=10.0,
    ),
    "pipeline": Service(
        module="edge.live", wanted=lambda options: True, quiet_limit_s=6.0, ends_run=True
    ),
}
"""In the order in which they are started."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Context:
    """What a service is given: its orders, its queues, and how to say that it is alive."""

    options: RunOptions
    urgent: "Queue[Any]"
    """Alarms, from the pipeline to the sender."""
    bulk: "Queue[Any]"
    """Everything else, from the pipeline to the sender."""
    stopping: Event
    last_sign_s: "Synchronized[float]" = field(repr=False)

    def alive(self) -> None:
        """Say that all is well; to be called at least once a second."""
        self.last_sign_s.value = time.monotonic()


@dataclass(slots=True, kw_only=True)
class _Running:
    process: SpawnProcess
    last_sign_s: "Synchronized[float]"
    started_s: float
    has_lived: bool = False


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
        self._stopping = self._spawn.Event()
        self._urgent: Queue[Any] = self._spawn.Queue(10_000)
        self._bulk: Queue[Any] = self._spawn.Queue(64)
        self._running: dict[str, _Running] = {}
        self._failures: dict[str, int] = {}
        self._due_s: dict[str, float] = {}

    def run(self, until: Callable[[], bool] = lambda: False) -> int:
        """Keep the services going until the run ends, `until` says so, or a signal comes.

        Gives the exit code: 0, or 2 when a service can't start because of bad input.
        """
        with _signals(self._stopping):
            try:
                for name, service in self._services.items():
                    if service.wanted(self._options):
                        self._start(name)
                        code = self._wait_for_life(name)
                        if code is not None:
                            return code
                while not self._stopping.is_set() and not until():
                    code = self._look_after()
                    if code is not None:
                        return code
                    time.sleep(0.1)
                return 0
            finally:
                self._stop()

    def _start(self, name: str) -> None:
        last_sign_s = self._spawn.Value("d", 0.0)
        context = Context(
            options=self._options,
            urgent=self._urgent,
            bulk=self._bulk,
            stopping=self._stopping,
            last_sign_s=last_sign_s,
        )
        process = self._spawn.Process(
            target=_serve, args=(self._services[name].module, context), name=f"lamproom-{name}"
        )
        process.start()
        self._running[name] = _Running(
            process=process, last_sign_s=last_sign_s, started_s=time.monotonic()
        )

    def _wait_for_life(self, name: str) -> int | None:
        running = self._running[name]
        while running.last_sign_s.value == 0.0 and not self._stopping.is_set():
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
                if running.process.exitcode == 0 and service.ends_run:
                    return 0
                self._restart_when_due(name, f"ended with {running.process.exitcode}")
                continue
            sign_s = running.last_sign_s.value
            running.has_lived |= sign_s > 0
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
        self._stopping.set()
        deadline_s = time.monotonic() + STOP_LIMIT_S
        for running in reversed(self._running.values()):
            running.process.join(timeout=max(0.1, deadline_s - time.monotonic()))
            if running.process.is_alive():
                running.process.kill()
                running.process.join(timeout=2.0)
        for waiting in (self._urgent, self._bulk):
            waiting.cancel_join_thread()
            waiting.close()


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent is gone (Linux; see prctl(2))."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() == 1:
        sys.exit(1)


def _serve(module: str, context: Context) -> None:
    """Run in the new process: hand over to the service's own `main`."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor tells us
    signal.signal(signal.SIGTERM, lambda *_: context.stopping.set())
    name = module.rsplit(".", 1)[-1]
    try:
        importlib.import_module(module).main(context)
    except LamproomError as error:
        print(f"lamproom {name}: {error}", file=sys.stderr, flush=True)
        sys.exit(2)
    finally:
        # What the sender never took must not keep this process from ending.
        context.urgent.cancel_join_thread()
        context.bulk.cancel_join_thread()


@contextlib.contextmanager
def _signals(stopping: Event) -> Any:
    """Turn Ctrl-C and `kill` into a quiet end while the block runs."""
    before = {
        number: signal.signal(number, lambda *_: stopping.set())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
