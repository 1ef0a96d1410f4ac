"""A live camera over RTSP: timeouts everywhere, and the capture time of every frame.

Knows nothing about reconnecting; a source that fails is thrown away and opened anew.
"""

import contextlib
import struct
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterator

import av

from edge.cameras.decoding import OFF, Decoder, Decoding
from edge.cameras.source import image_of, is_full_range, place_of, reason_of, video_in
from edge.cameras.tap import CameraTap
from scene.clock import Clock
from scene.errors import CameraError
from scene.messages import Frame

OPEN_LIMIT_S = 5.0
READ_LIMIT_S = 2.0
"""A camera that is silent for so long has failed; one that is slower can't be used."""
FRUITLESS_LIMIT_S = 60.0
"""One whose packets give no picture for so long is connected to anew: a decoder may be stuck. Some
cameras make a key frame every 20 s only, and hardware is given up after 50 packets without one."""
CLOCK_OFF_NS = 100_000_000
"""A camera clock further than this from the time by arrival is not believed. Twice as much (one
camera's clock ahead, another's behind) is still within the pictures that a ring holds back, so
that a clock that is a little off never leaves a camera out of every instant."""
CLOCK_WRONG_NS = 500_000_000
"""No way takes so long: then it is the clock, and somebody should set it."""
REBASE_NS = 1_000_000_000
"""Stream time and arrival time further apart than this: the stream's times have jumped."""
LONGEST_STEP_NS = 1_000_000_000
"""A step in the stream's times longer than this is a gap, not the time between two pictures."""
LONGEST_WAIT_NS = round(2 * READ_LIMIT_S * 1e9)
"""Between two pictures of one connection; our clock shows more only when it was set."""
JUMP_SAID_NS = 600_000_000_000
"""For so long after the last one it is said that times have jumped."""
DRIFT = 1e-3
"""How fast a camera's stream time may run away from ours."""

SILENT = "it does not answer"

OPTIONS = {
    # Not "fflags": "nobuffer". It throws away what FFmpeg looks at to learn what comes: with it the
    # first key frame, and nothing could be shown before the next one, seconds later.
    "flags": "low_delay",
    "analyzeduration": "500000",  # microseconds; FFmpeg's 5 s would cost 1.7 s per reconnect
    "probesize": "500000",
    "fpsprobesize": "0",  # nobody asks FFmpeg for the frame rate; guessing it takes 0.3 s
    "max_delay": "200000",  # microseconds to wait for a lost UDP packet
}


class CaptureTimes:
    """Finds each frame's capture time from the camera's clock, else from its arrival.

    A camera tells its wall clock in RTCP sender reports, which FFmpeg hands on per packet. Before
    the first one, and when that clock is off by more than `CLOCK_OFF_NS`, the time is the arrival,
    smoothed by the stream's own time stamps: the quickest recent arrival is taken for undelayed.
    """

    def __init__(self) -> None:
        self._clock_note = ""
        self._jumps, self._jump_note, self._jumped_ns = 0, "", 0
        self._base_ns: int | None = None
        self._last_stream_ns: int | None = None
        self._step_ns = 0
        self._last_arrival_ns = 0
        self._last_ns = 0

    def at(self, stream_ns: int | None, camera_ns: int | None, arrival_ns: int) -> int:
        """Give the UTC capture time of a frame, later than that of the one before.

        `stream_ns` is the frame's time stamp in the stream, `camera_ns` the camera's wall clock
        for it, `arrival_ns` our own clock when it came.
        """
        found_ns = self._by_arrival(stream_ns, arrival_ns)
        held_back_ns = self._held_back_ns(stream_ns)
        if camera_ns is not None:
            behind_ns = found_ns - held_back_ns - camera_ns
            self._clock_note = _note_of(behind_ns)
            if abs(behind_ns) <= CLOCK_OFF_NS:
                found_ns = camera_ns
        self._last_ns = max(found_ns, self._last_ns + 1)
        if not 0 <= arrival_ns - self._jumped_ns <= JUMP_SAID_NS:
            self._jumps, self._jump_note = 0, ""
        return self._last_ns

    @property
    def note(self) -> str:
        """What is odd about the camera's clock or the times of its stream; mostly empty."""
        return "; ".join(one for one in (self._clock_note, self._jump_note) if one)

    def _held_back_ns(self, stream_ns: int | None) -> int:
        """Tell how long FFmpeg held a picture: it gives one out when the next one begins."""
        if stream_ns is not None:
            if self._last_stream_ns is not None:
                step_ns = stream_ns - self._last_stream_ns
                if 0 < step_ns <= LONGEST_STEP_NS:
                    self._step_ns = step_ns
            self._last_stream_ns = stream_ns
        return self._step_ns

    def _by_arrival(self, stream_ns: int | None, arrival_ns: int) -> int:
        if stream_ns is None:
            return arrival_ns
        base_ns = arrival_ns - stream_ns
        if self._base_ns is not None and abs(base_ns - self._base_ns) < REBASE_NS:
            passed_ns = max(0, arrival_ns - self._last_arrival_ns)
            base_ns = min(base_ns, self._base_ns + round(DRIFT * passed_ns))
        elif self._base_ns is not None:
            self._last_ns = min(self._last_ns, arrival_ns - 1)
            self._note_jump(stream_ns, arrival_ns)
        self._base_ns, self._last_arrival_ns = base_ns, arrival_ns
        return base_ns + stream_ns

    def _note_jump(self, stream_ns: int, arrival_ns: int) -> None:
        """Say whose times have jumped, the stream's or our own."""
        passed_ns = arrival_ns - self._last_arrival_ns
        self._jumped_ns = arrival_ns
        if not 0 <= passed_ns <= LONGEST_WAIT_NS:
            self._jump_note = f"this machine's clock was set by {passed_ns / 1e9:+.1f} s or so"
            return
        self._jumps += 1
        by_s = (stream_ns - (self._last_stream_ns or 0) - passed_ns) / 1e9
        times = "once" if self._jumps == 1 else f"{self._jumps} times"
        self._jump_note = (
            f"the times of its stream have jumped {times}, last by {by_s:+.1f} s; "
            "arrival times are used"
        )


class RtspCamera:
    """One connection to an RTSP camera; it connects at once and raises `CameraError` if it can't.

    A camera that says nothing for `READ_LIMIT_S`, closes or resets the connection, or gives no
    picture for `FRUITLESS_LIMIT_S`, raises `CameraError` from `frames`.
    """

    def __init__(
        self,
        name: str,
        url: str,
        clock: Clock,
        *,
        transport: str = "tcp",
        decoding: Decoding | None = None,
        tap: CameraTap | None = None,
    ) -> None:
        """Without `decoding` its pictures are decoded in software; packets go through the `tap`."""
        self.name = name
        self._decoding = decoding or Decoding(name, OFF, lambda text: None)
        self._tap = tap or CameraTap()
        self.note = ""
        self.corrupt_frames = 0
        self.full_range = False
        self.heard: Callable[[], None] = lambda: None
        self._place = place_of(url)
        self._clock = clock
        self._closed = False
        self._generator: Generator[Frame, None, None] | None = None
        self._times = CaptureTimes()
        self._camera_ns_of: OrderedDict[int, int] = OrderedDict()
        self._container = self._connect(url, transport)

    def frames(self) -> Iterator[Frame]:
        """Give frame after frame until `close`; raises `CameraError` when the camera fails."""
        if self._generator is not None:
            raise RuntimeError(f"camera {self.name}: frames() may be called once")
        self._generator = self._frames()
        return self._generator

    def close(self) -> None:
        """Hang up; `frames` in another thread ends within `READ_LIMIT_S`."""
        self._closed = True
        if self._generator is None:
            self._container.close()
            return
        with contextlib.suppress(ValueError):  # running in another thread: it sees the flag
            self._generator.close()
            self._container.close()

    def _connect(self, url: str, transport: str) -> "av.container.InputContainer":
        options = OPTIONS | {"rtsp_transport": transport}
        accel = self._decoding.accel()
        started_s = self._clock.monotonic_s()
        try:
            container = av.open(
                url, options=options, timeout=(OPEN_LIMIT_S, READ_LIMIT_S), hwaccel=accel
            )
        except Exception as error:  # whatever it is, its text must not leave here unread
            self._decoding.not_connected()
            took_s = self._clock.monotonic_s() - started_s
            why = SILENT if took_s > 0.9 * OPEN_LIMIT_S else told(error)
            raise self._error(f"can't connect: {why}") from None
        try:
            stream = video_in(container)
        except ValueError as error:
            container.close()
            raise self._error(str(error)) from None
        if accel is not None and not stream.codec_context.is_hwaccel:
            self._decoding.failed(f"it does not decode {stream.codec_context.name}")
        self._decoder = Decoder(stream, self._decoding)
        self._tap.opened(self.name, stream, self._clock.now_ns())
        return container

    def _frames(self) -> Generator[Frame, None, None]:
        try:
            waiting_since_s = shown_s = self._clock.monotonic_s()
            for packet in self._container.demux(video_in(self._container)):
                arrival_ns = self._clock.now_ns()
                if self._closed:
                    return
                # After the limit FFmpeg first hands out what it still held back of the last
                # picture, and waits as long again before it gives up.
                if self._clock.monotonic_s() - waiting_since_s > 0.95 * READ_LIMIT_S:
                    raise TimeoutError(SILENT)
                self._note_camera_time(packet)
                self._tap.began(packet, arrival_ns)
                try:
                    for frame in self._decoded(packet):
                        yield self._frame(frame, arrival_ns)
                        shown_s = self._clock.monotonic_s()
                finally:
                    self._tap.ended()
                self.heard()
                waiting_since_s = self._clock.monotonic_s()
                if waiting_since_s - shown_s > FRUITLESS_LIMIT_S:
                    raise ValueError(f"no picture in its packets for {FRUITLESS_LIMIT_S:g} s")
        except Exception as error:  # as above
            if self._closed:
                return
            raise self._error(told(error)) from None
        finally:
            self._container.close()
        if not self._closed:  # a reset connection looks just like this
            raise self._error("the camera ended the stream")

    def _decoded(self, packet: "av.packet.Packet[av.VideoStream]") -> Iterator[av.VideoFrame]:
        try:
            for frame in self._decoder.decode(packet):
                if frame.is_corrupt:
                    self.corrupt_frames += 1
                else:
                    yield frame
        except av.error.EOFError:
            return
        except av.error.InvalidDataError:
            self.corrupt_frames += 1

    def _frame(self, frame: av.VideoFrame, arrival_ns: int) -> Frame:
        self.full_range = is_full_range(frame)
        stream_ns = camera_ns = None
        if frame.pts is not None and frame.time_base is not None:
            stream_ns = round(frame.pts * float(frame.time_base) * 1e9)
            camera_ns = self._camera_ns_of.pop(frame.pts, None)
        captured_at_ns = self._times.at(stream_ns, camera_ns, arrival_ns)
        self._tap.shown(frame.pts, captured_at_ns)
        notes = self._times.note, self._decoding.note, self._tap.note
        self.note = "; ".join(one for one in notes if one)
        return Frame(camera=self.name, captured_at_ns=captured_at_ns, image=image_of(frame))

    def _note_camera_time(self, packet: "av.packet.Packet[av.VideoStream]") -> None:
        """Keep the camera's wall clock for this packet: AVProducerReferenceTime, microseconds."""
        if packet.pts is None or not packet.has_sidedata("prft"):
            return
        (camera_us,) = struct.unpack_from("<q", bytes(packet.get_sidedata("prft")))
        self._camera_ns_of[packet.pts] = camera_us * 1000
        while len(self._camera_ns_of) > 64:
            self._camera_ns_of.popitem(last=False)

    def _error(self, what: str) -> CameraError:
        return CameraError(f"camera {self.name}: {self._place}: {what}")


def _note_of(behind_ns: int) -> str:
    """Say that a camera's clock is wrong; a small difference may be the way its pictures take."""
    if abs(behind_ns) <= CLOCK_WRONG_NS:
        return ""
    return (
        f"the camera's clock is {abs(behind_ns) / 1e9:.1f} s "
        f"{'behind' if behind_ns > 0 else 'ahead'}; arrival times are used"
    )


def told(error: Exception) -> str:
    """Say a failure in words that help."""
    if isinstance(error, av.error.ExitError | TimeoutError):
        return SILENT
    if isinstance(error, av.error.HTTPUnauthorizedError):
        return "it refuses the user name or password (401)"
    if isinstance(error, av.error.HTTPNotFoundError):
        return "it has no stream of this name (404)"
    return reason_of(error)
