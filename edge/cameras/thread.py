"""A camera in a thread of this process, for tests and tiny boxes.

Knows nothing about other cameras. A thread that hangs can't be ended: who needs that takes
`edge/cameras/process.py`.
"""

import threading
from collections import deque

from edge import log
from edge.cameras.going import keep_going
from edge.cameras.source import CameraSource, masked, open_source
from edge.frame_ring import NOTHING, SLOTS, SourceStatus
from scene.clock import Clock
from scene.messages import Frame
from scene.site import CameraConfig

STOP_LIMIT_S = 3.0


class CameraThread:
    """Takes one camera's frames in a thread and keeps the newest ones."""

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
        from edge.cameras.decoding import Decoding

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
