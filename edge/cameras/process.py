"""Keeps a camera going in a process of its own, and hands out its newest frames.

Knows nothing about other cameras or what is done with the frames. A native decoder that crashes
or hangs takes only its own process with it, and that is started again.
"""

import multiprocessing
import threading
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from types import MappingProxyType
from typing import Protocol

from edge.byte_ring import ByteRing
from edge.cameras.child import STOP_LIMIT_S, main
from edge.cameras.going import FIRST_PAUSE_S, LONGEST_PAUSE_S, STEADY_S
from edge.cameras.kept import KeptCamera
from edge.cameras.source import is_live
from edge.cameras.thread import CameraThread
from edge.frame_ring import NOTHING, FrameRing, SourceState, SourceStatus
from edge.running import MOST_LEFT, Effort, forget
from scene.clock import Clock, SystemClock
from scene.messages import Frame
from scene.site import CameraConfig

START_S = 1.0
START_S_PER_CAMERA = 0.5
"""So long camera processes take to come up on a small machine; files start together then."""
QUIET_LIMIT_S = 12.0
"""A live camera's process without a sign of life for so long hangs: all it does takes 7 s at most.
Files may be slower: a folder may hold a picture a minute."""
RUNNING_QUIET_LIMIT_S = 3.5
"""One that gave pictures last gives its next sign within 2 s, a picture or that none comes; who is
quiet for longer hangs, unless it works or waits for a processor."""
STOOD_STILL_S = 1.0
"""Who has not come round for so long itself (a machine that was paused, Ctrl-Z) can't tell for how
long others were quiet."""
KILL_LIMIT_S = 0.5
"""Who is killed is gone at once, or waits for a driver and can't be waited for."""
KILL_LOOK_S = 0.05
"""So long is waited for whoever was just killed: those who look after many can't wait longer."""
START_LIMIT_S = 60.0
CHECK_EVERY_S = 0.25
OVER: tuple[SourceState, ...] = ("ended", "failed")
NO_PACKETS: Mapping[str, ByteRing] = MappingProxyType({})


class CameraHandle(Protocol):
    """The newest frames of one camera that goes on by itself."""

    @property
    def name(self) -> str:
        """The camera's name in the site file."""
        ...

    def start(self) -> None:
        """Start taking frames."""
        ...

    def stop(self) -> None:
        """Stop within a few seconds; may be called twice."""
        ...

    def times(self) -> tuple[tuple[int, int], ...]:
        """List what can be read now, oldest first: (number, captured_at_ns) each."""
        ...

    def read(self, number: int) -> Frame | None:
        """Give the frame of that number; none when it is there no more."""
        ...

    def latest(self, after: int = NOTHING) -> tuple[Frame, int] | None:
        """Give the newest frame and its number, if that is larger than `after`."""
        ...

    def status(self) -> SourceStatus:
        """Tell how the source is doing."""
        ...


def start_cameras(
    configs: Sequence[CameraConfig],
    clock: Clock,
    *,
    loop: bool = False,
    in_processes: bool = True,
    start_at_ns: int | None = None,
    kept: Sequence[tuple[CameraConfig, FrameRing]] = (),
    packets: Mapping[str, ByteRing] = NO_PACKETS,
) -> tuple[CameraHandle, ...]:
    """Start all cameras; files among them are exactly synchronous. In the order of `configs`.

    The first frame of files is of `start_at_ns`; none takes `soon_ns`. Those that are `kept` going
    by somebody else are only looked at. What cameras send goes to `packets`, by their names.
    """
    if start_at_ns is None:
        start_at_ns = soon_ns(len(configs), clock, in_processes=in_processes)

    def handle_of(config: CameraConfig) -> CameraHandle:
        for one, ring in kept:
            if one == config:
                return KeptCamera(ring)
        if in_processes:
            taken = packets.get(config.name)
            return CameraProcess(config, loop=loop, start_at_ns=start_at_ns, packets=taken)
        return CameraThread(config, clock, loop=loop, start_at_ns=start_at_ns)

    handles = tuple(handle_of(config) for config in configs)
    for handle in handles:
        handle.start()
    return handles


def stop_cameras(cameras: Sequence[CameraHandle]) -> None:
    """Stop all at the same time: one that is slow to end is not waited for by the next."""
    stopping = [threading.Thread(target=camera.stop, daemon=True) for camera in cameras]
    for one in stopping:
        one.start()
    for one in stopping:
        one.join()


def soon_ns(cameras: int, clock: Clock, *, in_processes: bool) -> int:
    """Tell when so many cameras that are started now will be ready."""
    start_s = START_S + cameras * START_S_PER_CAMERA if in_processes else 0.2
    return clock.now_ns() + round(start_s * 1e9)


def failures(cameras: Sequence[CameraHandle]) -> tuple[str, ...]:
    """List why cameras can't go on, one sentence each that names camera and file; mostly empty."""
    statuses = [camera.status() for camera in cameras]
    return tuple(status.detail for status in statuses if status.state == "failed")


class CameraProcess:
    """A camera in a process of its own; a process that dies or hangs is started again."""

    def __init__(
        self,
        config: CameraConfig,
        *,
        loop: bool = False,
        start_at_ns: int | None = None,
        packets: ByteRing | None = None,
    ) -> None:
        self.config, self.ring = config, FrameRing(config.name)
        self._packets = packets
        self._loop = loop
        self._start_at_ns = start_at_ns
        self._clock = SystemClock()
        self._process: SpawnProcess | None = None
        self.hold: Connection | None = None
        self._started_s = 0.0
        self._checked_s = 0.0
        self._excused_s = 0.0
        """How quiet it was before then says nothing: nobody could look."""
        self._killed_s: float | None = None
        self._due_s: float | None = None
        self._pause_s = FIRST_PAUSE_S
        self._effort = Effort()
        self._left: list[SpawnProcess] = []
        """Processes that can't be killed, and whose work another one does."""
        self._stopped = False
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """The camera's name in the site file."""
        return self.config.name

    @property
    def pid(self) -> int | None:
        """The process's number, none before the start."""
        return self._process.pid if self._process else None

    @property
    def is_there(self) -> bool:
        """Whether its process has not ended."""
        return self._process is not None and self._process.is_alive()

    def start(self) -> None:
        """Start the process; raises `OSError` when there is no room for it."""
        self._started_s, self._killed_s = self._clock.monotonic_s(), None
        spawn = multiprocessing.get_context("spawn")
        theirs, self.hold = spawn.Pipe(duplex=False)
        self._process = spawn.Process(
            target=main,
            args=(self.config, self.ring, theirs, self._loop, self._start_at_ns),
            kwargs={"packets": self._packets},
            name=f"lamproom-camera-{self.config.name}",
            daemon=True,
        )
        with theirs:
            self._process.start()

    def let_go(self) -> None:
        """Tell the process to end, without waiting."""
        with self._lock:
            self._stopped = True
            if self.hold is not None:
                self.hold.close()

    def stop(self) -> None:
        """Tell the process to end; kill it when it does not."""
        self.let_go()
        with self._lock:
            if self._process is None or self._process.pid is None:  # it could not be started
                return
            self._process.join(STOP_LIMIT_S if self._killed_s is None else 0.0)
            if self._process.is_alive():
                self._process.kill()
                self._process.join(KILL_LIMIT_S)
                forget(self._process)

    def times(self) -> tuple[tuple[int, int], ...]:
        """List what can be read now, oldest first: (number, captured_at_ns) each."""
        self.look_after()
        return self.ring.times()

    def read(self, number: int) -> Frame | None:
        """Give the frame of that number; none when it is there no more."""
        return self.ring.read(number)

    def latest(self, after: int = NOTHING) -> tuple[Frame, int] | None:
        """Give the newest frame and its number, if that is larger than `after`."""
        self.look_after()
        return self.ring.latest(after)

    def status(self) -> SourceStatus:
        """Tell how the source is doing."""
        self.look_after()
        return self.ring.status()

    def look_after(self) -> None:
        """Start a dead or hanging process again; costs nothing most of the time.

        Whoever reads the frames does so; where nobody here does, it is to be called.
        """
        now_s = self._clock.monotonic_s()
        if now_s - self._checked_s < CHECK_EVERY_S or not self._lock.acquire(blocking=False):
            return
        try:
            if now_s - self._checked_s > STOOD_STILL_S:
                self._excused_s = now_s
            self._checked_s = now_s
            if self._process is None or self._stopped:
                return
            if self._due_s is None:
                self._judge(self._process, now_s)
            if self._due_s is not None and now_s >= self._due_s:
                self._start_again()
        finally:
            self._lock.release()

    def _judge(self, process: SpawnProcess, now_s: float) -> None:
        """See how the process is; one that is dead or hangs is to be started again."""
        if not process.is_alive():
            if self._killed_s is not None:
                self._again_later(now_s, "its process hung and was killed")
            elif self.ring.status().state not in OVER:
                self._again_later(now_s, f"its process ended with {process.exitcode}")
        elif self._killed_s is not None:
            if now_s - self._killed_s > KILL_LIMIT_S:
                self._leave(process, now_s)
        elif self._hangs(now_s):
            self._killed_s = now_s
            process.kill()
            process.join(KILL_LOOK_S)
            if not process.is_alive():
                self._again_later(now_s, "its process hung and was killed")
        elif now_s - self._started_s > STEADY_S:
            self._pause_s = FIRST_PAUSE_S

    def _leave(self, process: SpawnProcess, now_s: float) -> None:
        """Go on without a process that can't be killed, but not beside more and more of them."""
        forget(process)
        self._left = [one for one in self._left if one.is_alive()]
        if len(self._left) < MOST_LEFT:
            self._left.append(process)
            self._again_later(now_s, "its process hung and can't be killed")
            return
        detail = f"camera {self.name}: its processes hang and can't be killed; none is started"
        self.ring.report(SourceStatus(state="reconnecting", detail=detail))

    def _start_again(self) -> None:
        self._due_s = None
        try:
            self.start()
        except OSError as error:  # no memory for another process now
            self._again_later(self._clock.monotonic_s(), f"it can't be started: {error}")

    def _hangs(self, now_s: float) -> bool:
        since_s = max(self._started_s, self._excused_s)
        if self._quiet_since_start(now_s):
            return now_s - since_s > START_LIMIT_S
        if not is_live(self.config) or self.pid is None:
            return False
        quiet_s, limit_s = min(self.ring.quiet_s(), now_s - since_s), QUIET_LIMIT_S
        self._effort.look(self.pid, quiet_s, RUNNING_QUIET_LIMIT_S)
        if self.ring.status().state == "running" and not self._effort.works(self.pid):
            limit_s = min(limit_s, RUNNING_QUIET_LIMIT_S)
        return quiet_s > limit_s

    def _quiet_since_start(self, now_s: float) -> bool:
        """Tell whether the present process has not yet given a sign of life."""
        return self.ring.quiet_s() == 0.0 or self.ring.quiet_s() > now_s - self._started_s

    def _again_later(self, now_s: float, what: str) -> None:
        """Have it started again after a pause, or at once where it worked for long before."""
        steady = now_s - self._started_s > STEADY_S
        self._due_s = now_s if steady else now_s + self._pause_s
        self._pause_s = min(LONGEST_PAUSE_S, 2 * self._pause_s)
        detail = f"camera {self.name}: {what}; starting it again"
        self.ring.report(SourceStatus(state="reconnecting", detail=detail))  # nobody else writes
