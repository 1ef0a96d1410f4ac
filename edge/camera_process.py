"""Keeps a camera going in a process (or thread) of its own, and hands out its newest frames.

Knows nothing about other cameras or what is done with the frames. A native decoder that crashes
or hangs takes only its own process with it, and that is started again.
"""

import contextlib
import ctypes
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Protocol

from edge import log
from edge.camera_kept import KeptCamera
from edge.camera_source import CameraSource, is_live, masked, open_source
from edge.frame_ring import NOTHING, SLOTS, FrameRing, SourceState, SourceStatus
from edge.quick_end import end_quickly
from edge.running import wanted_cpu_s
from scene.clock import Clock, SystemClock
from scene.errors import CameraError
from scene.messages import Frame
from scene.site import CameraConfig

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 3.0
"""With 1.3 s to connect, a camera that is there again is seen within 5 s."""
STEADY_S = 10.0
"""After so long without a failure the next pause is a short one again."""
START_S = 1.0
START_S_PER_CAMERA = 0.5
"""So long camera processes take to come up on a small machine; files start together then."""
QUIET_LIMIT_S = 12.0
"""A live camera's process without a sign of life for so long hangs: all it does takes 7 s at most.
Files may be slower: a folder may hold a picture a minute."""
RUNNING_QUIET_LIMIT_S = 3.5
"""One that gave pictures last gives its next sign within 2 s, a picture or that none comes; who is
quiet for longer hangs, unless it works or waits for a processor."""
WORKS_S = 0.05
"""Who takes, or waits for, so much processor time while it is quiet works, though slowly."""
KILL_LIMIT_S = 0.5
"""Who is killed is gone at once, or waits for a driver and can't be waited for."""
START_LIMIT_S = 60.0
STOP_LIMIT_S = 3.0
CHECK_EVERY_S = 0.25
OVER: tuple[SourceState, ...] = ("ended", "failed")


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


class Shelf(Protocol):
    """Where a running camera puts its frames and its state."""

    def write(self, frame: Frame) -> int:
        """Put a frame there; gives its number."""
        ...

    def report(self, status: SourceStatus) -> None:
        """Say how the source is doing."""
        ...

    def alive(self) -> None:
        """Say that the camera's loop goes round."""
        ...


Opener = Callable[[], CameraSource]


def start_cameras(
    configs: Sequence[CameraConfig],
    clock: Clock,
    *,
    loop: bool = False,
    in_processes: bool = True,
    start_at_ns: int | None = None,
    kept: Sequence[tuple[CameraConfig, FrameRing]] = (),
) -> tuple[CameraHandle, ...]:
    """Start all cameras; files among them are exactly synchronous. In the order of `configs`.

    The first frame of files is of `start_at_ns`; none takes `soon_ns`. Those that are `kept` going
    by somebody else are only looked at.
    """
    if start_at_ns is None:
        start_at_ns = soon_ns(len(configs), clock, in_processes=in_processes)

    def handle_of(config: CameraConfig) -> CameraHandle:
        for one, ring in kept:
            if one == config:
                return KeptCamera(ring)
        if in_processes:
            return CameraProcess(config, loop=loop, start_at_ns=start_at_ns)
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


def keep_going(
    config: CameraConfig,
    opener: Opener,
    shelf: Shelf,
    clock: Clock,
    stopping: threading.Event,
    *,
    trouble: str = "",
) -> None:
    """Take frames until `stopping`; a live camera is connected to again for ever.

    A file that ends leaves the state `ended`, one that can't be read `failed`. `trouble` is why
    this is not the first time; it is said until there are pictures.
    """
    pause_s = FIRST_PAUSE_S
    state: SourceState = "reconnecting" if trouble else "connecting"
    detail = trouble
    while not stopping.is_set():
        shelf.report(SourceStatus(state=state, detail=detail))
        started_s = clock.monotonic_s()
        try:
            note = _run_once(opener, shelf, clock, stopping)
            if stopping.is_set():
                return
            shelf.report(SourceStatus(state="ended", detail=note or "the file has ended"))
            return
        except CameraError as error:
            detail = str(error)
        if not is_live(config):
            shelf.report(SourceStatus(state="failed", detail=detail))
            return
        state = "reconnecting"
        shelf.report(SourceStatus(state=state, detail=detail))
        if clock.monotonic_s() - started_s > STEADY_S:
            pause_s = FIRST_PAUSE_S
        stopping.wait(pause_s)
        pause_s = min(LONGEST_PAUSE_S, 2 * pause_s)


def _run_once(opener: Opener, shelf: Shelf, clock: Clock, stopping: threading.Event) -> str:
    """Take frames from one opened source until it ends; gives what it has to note."""
    source = opener()
    try:
        told: SourceStatus | None = None
        for frame in source.frames():
            if stopping.is_set():
                break
            shelf.write(frame)
            now = SourceStatus(
                state="running",
                detail=source.note,
                corrupt_frames=source.corrupt_frames,
                full_range=source.full_range,
            )
            if now != told:
                shelf.report(now)
                told = now
        return source.note
    finally:
        source.close()


class CameraProcess:
    """A camera in a process of its own; a process that dies or hangs is started again."""

    def __init__(
        self, config: CameraConfig, *, loop: bool = False, start_at_ns: int | None = None
    ) -> None:
        self.config, self.ring = config, FrameRing(config.name)
        self._loop = loop
        self._start_at_ns = start_at_ns
        self._clock = SystemClock()
        self._process: SpawnProcess | None = None
        self._hold: Connection | None = None
        self._started_s = 0.0
        self._checked_s = 0.0
        self._due_s: float | None = None
        self._pause_s = FIRST_PAUSE_S
        self._cpu_s: float | None = None
        """Its wanted processor time when it had been quiet for half of its limit."""
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

    def start(self) -> None:
        """Start the process."""
        spawn = multiprocessing.get_context("spawn")
        theirs, self._hold = spawn.Pipe(duplex=False)
        self._process = spawn.Process(
            target=main,
            args=(self.config, self.ring, theirs, self._loop, self._start_at_ns),
            name=f"lamproom-camera-{self.config.name}",
            daemon=True,
        )
        self._started_s = self._clock.monotonic_s()
        with theirs:
            self._process.start()

    def let_go(self) -> None:
        """Tell the process to end, without waiting."""
        with self._lock:
            self._stopped = True
            if self._hold is not None:
                self._hold.close()

    def stop(self) -> None:
        """Tell the process to end; kill it when it does not."""
        self.let_go()
        with self._lock:
            if self._process is not None:
                self._process.join(STOP_LIMIT_S)
                self._kill()

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
            self._checked_s = now_s
            if self._process is None or self._stopped:
                return
            if self._due_s is not None:
                if now_s >= self._due_s:
                    self._start_again()
            elif not self._process.is_alive():
                if self.ring.status().state not in OVER:
                    self._again_later(f"its process ended with {self._process.exitcode}")
            elif self._hangs(now_s):
                self._kill()
                self._again_later("its process hung and was killed")
            elif now_s - self._started_s > STEADY_S:
                self._pause_s = FIRST_PAUSE_S
        finally:
            self._lock.release()

    def _start_again(self) -> None:
        self._due_s = None
        try:
            self.start()
        except OSError as error:  # no memory for another process now
            self._again_later(f"it can't be started: {error}")

    def _hangs(self, now_s: float) -> bool:
        if self._quiet_since_start(now_s):
            return now_s - self._started_s > START_LIMIT_S
        if not is_live(self.config):
            return False
        quiet_s, limit_s = self.ring.quiet_s(), QUIET_LIMIT_S
        if self.ring.status().state == "running" and not self._works(quiet_s):
            limit_s = min(limit_s, RUNNING_QUIET_LIMIT_S)
        return quiet_s > limit_s

    def _works(self, quiet_s: float) -> bool:
        """Tell whether it takes processor time, or would, though it gives no sign of life."""
        if quiet_s < RUNNING_QUIET_LIMIT_S / 2 or self.pid is None:
            self._cpu_s = None
            return False
        wanted_s = wanted_cpu_s(self.pid)
        if self._cpu_s is None:
            self._cpu_s = wanted_s
        return wanted_s - self._cpu_s > WORKS_S

    def _quiet_since_start(self, now_s: float) -> bool:
        """Tell whether the present process has not yet given a sign of life."""
        return self.ring.quiet_s() == 0.0 or self.ring.quiet_s() > now_s - self._started_s

    def _again_later(self, what: str) -> None:
        """Start it again after a pause, or at once where it worked for long before."""
        now_s = self._clock.monotonic_s()
        steady = now_s - self._started_s > STEADY_S
        self._due_s = now_s + (0.0 if steady else self._pause_s)
        self._pause_s = min(LONGEST_PAUSE_S, 2 * self._pause_s)
        detail = f"camera {self.name}: {what}; starting it again"
        self.ring.report(SourceStatus(state="reconnecting", detail=detail))  # nobody else writes
        if steady:
            self._start_again()

    def _kill(self) -> None:
        if self._process is not None and self._process.is_alive():
            self._process.kill()
            self._process.join(KILL_LIMIT_S)


def main(
    config: CameraConfig,
    ring: FrameRing,
    hold: Connection,
    loop: bool,
    start_at_ns: int | None,
) -> None:
    """Run one camera in this process until the other end of `hold` is closed."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # they go to all of a terminal; our parent tells us
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(15, config.name.encode()[:15])  # PR_SET_NAME, for `top`
    stopping = threading.Event()
    threading.Thread(target=_follow, args=(hold, stopping), daemon=True).start()
    from edge.camera_decoding import Decoding  # the supervisor, which decodes nothing, is here, too

    clock = SystemClock()
    decoding = Decoding(config.name, config.decoder, log.say)
    before = ring.status()
    trouble = before.detail if before.state == "reconnecting" else ""

    def opener() -> CameraSource:
        return open_source(config, clock, loop=loop, start_at_ns=start_at_ns, decoding=decoding)

    try:
        keep_going(config, opener, ring, clock, stopping, trouble=trouble)
        end_quickly()
    except Exception as error:  # a mistake of ours: its text must not show a password
        what = f"camera {config.name}: {type(error).__name__}: {masked(str(error))}"
        ring.report(SourceStatus(state="reconnecting", detail=what))
        os._exit(1)


def _follow(hold: Connection, stopping: threading.Event) -> None:
    """End with the parent, or when it lets go of us; also while the decoder hangs."""
    wait([hold])
    stopping.set()
    threading.Event().wait(STOP_LIMIT_S - 0.5)
    os._exit(0)


class CameraThread:
    """A camera in a thread of this process, for tests and tiny boxes."""

    def __init__(
        self,
        config: CameraConfig,
        clock: Clock,
        *,
        loop: bool = False,
        start_at_ns: int | None = None,
    ) -> None:
        self._config = config
        self._clock = clock
        self._loop = loop
        self._start_at_ns = start_at_ns
        from edge.camera_decoding import Decoding

        self._decoding = Decoding(config.name, config.decoder, log.say)
        self._source: CameraSource | None = None
        self._stopping = threading.Event()
        self._frames: deque[tuple[int, Frame]] = deque(maxlen=SLOTS)
        self._status = SourceStatus(state="connecting")
        self._thread = threading.Thread(target=self._run, name=f"camera-{config.name}", daemon=True)

    @property
    def name(self) -> str:
        """The camera's name in the site file."""
        return self._config.name

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end and wait a little."""
        self._stopping.set()
        if self._source is not None:
            self._source.close()
        if self._thread.is_alive():
            self._thread.join(STOP_LIMIT_S)

    def times(self) -> tuple[tuple[int, int], ...]:
        """List what can be read now, oldest first: (number, captured_at_ns) each."""
        return tuple((number, frame.captured_at_ns) for number, frame in self._frames.copy())

    def read(self, number: int) -> Frame | None:
        """Give the frame of that number; none when it is there no more."""
        return next((frame for n, frame in self._frames.copy() if n == number), None)

    def latest(self, after: int = NOTHING) -> tuple[Frame, int] | None:
        """Give the newest frame and its number, if that is larger than `after`."""
        newest = self._frames.copy()
        if not newest or newest[-1][0] <= after:
            return None
        return newest[-1][1], newest[-1][0]

    def status(self) -> SourceStatus:
        """Tell how the source is doing."""
        return self._status

    def write(self, frame: Frame) -> int:
        """Put a frame on the shelf; for the thread."""
        number = self._frames[-1][0] + 1 if self._frames else NOTHING + 1
        self._frames.append((number, frame))
        return number

    def report(self, status: SourceStatus) -> None:
        """Say how the source is doing; for the thread."""
        self._status = status

    def alive(self) -> None:
        """Nothing to say: a thread can't be started again."""

    def _open(self) -> CameraSource:
        self._source = open_source(
            self._config,
            self._clock,
            loop=self._loop,
            start_at_ns=self._start_at_ns,
            decoding=self._decoding,
        )
        if self._stopping.is_set():  # `stop` came before there was anything to close
            self._source.close()
        return self._source

    def _run(self) -> None:
        try:
            keep_going(self._config, self._open, self, self._clock, self._stopping)
        except Exception as error:
            what = f"camera {self.name}: {type(error).__name__}: {masked(str(error))}"
            self._status = SourceStatus(state="failed", detail=what)
