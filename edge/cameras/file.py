"""A camera made of a video file or a folder of pictures, for tests, demos and second looks.

Knows nothing about live cameras.
"""

import contextlib
import re
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import av
import numpy as np

from edge.cameras.source import Pace, image_of, is_full_range, reason_of, video_in
from edge.cameras.tap import CameraTap
from scene.arrays import Bytes, read_only
from scene.clock import Clock
from scene.errors import CameraError
from scene.messages import Frame, YuvImage

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png")
PICTURE_FPS = 5.0
"""How fast a folder of pictures is played when the site file does not say."""
LATE_S = 0.2
"""A real-time frame later than this is left out, as a live camera would have gone on."""
LATE_GAP_S = 0.5
"""But even on a machine that never keeps up one frame in so long is shown."""
LONGEST_NAP_S = 0.2
LEAP_NS = 10_000_000_000
"""A file's times that leap ahead by more than this are not believed."""

Picture = av.VideoFrame | Bytes
"""As it comes out of the decoder: a frame of PyAV's, or an (H, W, 3) BGR array of OpenCV's."""


class FileCamera:
    """Plays a video file, or a folder of jpg and png pictures in the order of their names.

    A frame is captured at `start_at_ns` plus its time in the file, counted from the file's first
    frame. Rotation notes in a file are ignored. Damaged frames are left out and counted. With
    `loop` the file starts again one frame after its last, for ever.
    """

    def __init__(
        self,
        name: str,
        path: Path,
        clock: Clock,
        *,
        picture_fps: float | None = None,
        pace: Pace = "real_time",
        loop: bool = False,
        start_at_ns: int | None = None,
        tap: CameraTap | None = None,
    ) -> None:
        self.name = name
        self._tap = tap or CameraTap()
        self.note = ""
        self.corrupt_frames = 0
        self.full_range = False
        self.heard: Callable[[], None] = lambda: None
        self._path = path
        self._clock = clock
        self._picture_fps = picture_fps or PICTURE_FPS
        self._real_time = pace == "real_time"
        self._loop = loop
        self._start_at_ns = clock.now_ns() if start_at_ns is None else start_at_ns
        wait_ns = self._start_at_ns - clock.now_ns()
        self._start_s = clock.monotonic_s() + wait_ns / 1e9
        self._last_shown_s = -float("inf")
        self._closed = False
        self._generator: Generator[Frame, None, None] | None = None
        self._step_ns = round(1e9 / self._picture_fps)
        self._duration_ns = 0
        self._pass = self._choose()

    def frames(self) -> Iterator[Frame]:
        """Give frame after frame; raises `CameraError` when there is nothing to show."""
        if self._generator is not None:
            raise RuntimeError(f"camera {self.name}: frames() may be called once")
        self._generator = self._frames()
        return self._generator

    def close(self) -> None:
        """Stop; `frames` ends within a moment."""
        self._closed = True
        if self._generator is not None:
            with contextlib.suppress(ValueError):  # running in another thread: it sees the flag
                self._generator.close()

    def _choose(self) -> Callable[[], Iterator[tuple[int, Picture]]]:
        """Tell video from pictures; raise now for what can't be played at all."""
        if self._path.is_dir():
            if not self._pictures():
                raise self._error("there is no .jpg or .png picture in this folder")
            return self._pass_over_pictures
        if not self._path.exists():
            raise self._error("there is no such file or folder")
        if not self._path.is_file():  # opening a pipe would wait for ever
            raise self._error("this is neither a file nor a folder")
        self._open_video().close()
        return self._pass_over_video

    def _frames(self) -> Generator[Frame, None, None]:
        offset_ns = 0
        while not self._closed:
            end_ns = 0
            for time_ns, picture in self._without_jumps(self._pass()):
                end_ns = time_ns + self._step_ns
                if self._is_due(offset_ns + time_ns):
                    captured_at_ns = self._start_at_ns + offset_ns + time_ns
                    if isinstance(picture, av.VideoFrame):
                        self._tap.shown(picture.pts, captured_at_ns)
                    yield Frame(
                        camera=self.name, captured_at_ns=captured_at_ns, image=_image(picture)
                    )
                if self._closed:
                    return
            if end_ns == 0:
                raise self._error(self.note or "there is no picture in this file")
            if not self._loop:
                return
            duration_ns = max(end_ns, self._duration_ns)
            offset_ns += duration_ns * self._passes_to_go_on(offset_ns, duration_ns)

    def _without_jumps(
        self, pictures: Iterator[tuple[int, Picture]]
    ) -> Iterator[tuple[int, Picture]]:
        """Make times increase: one that goes back or leaps ahead comes one step after the last."""
        shift_ns, last_ns = 0, -1
        for told_ns, picture in pictures:
            if not last_ns < told_ns + shift_ns <= last_ns + max(LEAP_NS, 3 * self._step_ns):
                shift_ns = last_ns + self._step_ns - told_ns
                self.note = "the times in the file jump; played on without the jump"
            last_ns = told_ns + shift_ns
            yield last_ns, picture

    def _is_due(self, at_ns: int) -> bool:
        """Wait for a frame's time; tell whether it is still worth showing."""
        if not self._real_time:
            return True
        due_s = self._start_s + at_ns / 1e9
        while (ahead_s := due_s - self._clock.monotonic_s()) > 0 and not self._closed:
            self._clock.sleep(min(ahead_s, LONGEST_NAP_S))
        now_s = self._clock.monotonic_s()
        if now_s - due_s > LATE_S and now_s - self._last_shown_s < LATE_GAP_S:
            return False
        self._last_shown_s = now_s
        return not self._closed

    def _passes_to_go_on(self, offset_ns: int, duration_ns: int) -> int:
        """Leave whole passes out that a camera started late, or held up for long, has missed."""
        if not self._real_time:
            return 1
        passed_ns = round((self._clock.monotonic_s() - self._start_s) * 1e9) - offset_ns
        return max(1, passed_ns // duration_ns)

    def _pass_over_pictures(self) -> Iterator[tuple[int, Picture]]:
        import cv2  # the process of a camera with a video saves 40 MB without it

        for index, path in enumerate(self._pictures()):
            bgr = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
            if bgr is None or min(bgr.shape[:2]) < 2:
                self.corrupt_frames += 1
                self.note = f"{path.name} is not a picture; left out"
                self.heard()
                continue
            yield index * self._step_ns, np.asarray(bgr, np.uint8)

    def _pictures(self) -> list[Path]:
        try:
            inside = sorted(self._path.iterdir(), key=_natural)
        except OSError as error:
            raise self._error(f"the folder can't be read: {reason_of(error)}") from None
        return [path for path in inside if path.suffix.lower() in PICTURE_SUFFIXES]

    def _pass_over_video(self) -> Iterator[tuple[int, Picture]]:
        """Decode the file once; damaged parts are left out, a cut end is noted."""
        container = self._open_video()
        shown, packets, first_pts = 0, 0, None
        try:
            stream = video_in(container)
            time_base_ns = float(stream.time_base or 1) * 1e9
            self._step_ns = round(1e9 / float(stream.average_rate or 25))
            self._duration_ns = round((stream.duration or 0) * time_base_ns)
            self._tap.opened(self.name, stream, self._clock.now_ns())
            for packet in self._packets(container):
                packets += packet.size > 0
                self._tap.began(packet, self._clock.now_ns())
                for frame in self._decoded(packet):
                    self.full_range = is_full_range(frame)
                    if frame.pts is None:
                        time_ns = shown * self._step_ns
                    else:
                        first_pts = frame.pts if first_pts is None else first_pts
                        time_ns = round((frame.pts - first_pts) * time_base_ns)
                    shown += 1
                    yield time_ns, frame
                self._tap.ended()
                self.heard()
            if packets < stream.frames and not self.note.startswith("ended early"):
                self.note = f"ended early: {packets} of {stream.frames} frames are in the file"
        finally:
            self._tap.ended()
            container.close()

    def _packets(
        self, container: "av.container.InputContainer"
    ) -> "Iterator[av.packet.Packet[av.VideoStream]]":
        try:
            yield from container.demux(container.streams.video[0])
        except (av.error.FFmpegError, OSError) as error:
            self.note = f"ended early: {reason_of(error)}"

    def _decoded(self, packet: "av.packet.Packet[av.VideoStream]") -> Iterator[av.VideoFrame]:
        try:
            for frame in packet.decode():
                if isinstance(frame, av.VideoFrame):
                    if not frame.is_corrupt:
                        yield frame
                        continue
                    self.corrupt_frames += 1
        except av.error.EOFError:
            return
        except (av.error.FFmpegError, ValueError) as error:
            self.corrupt_frames += 1
            if not self.note:
                self.note = f"damaged: {reason_of(error)}"

    def _open_video(self) -> "av.container.InputContainer":
        try:
            container = av.open(str(self._path))
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise self._error(f"can't be read as a video: {reason_of(error)}") from None
        try:
            video_in(container)
        except ValueError as error:
            container.close()
            raise self._error(str(error)) from None
        return container

    def _error(self, what: str) -> CameraError:
        return CameraError(f"camera {self.name}: {self._path}: {what}")


def _natural(path: Path) -> tuple[str | int, ...]:
    """Sort `2.jpg` before `10.jpg`.

    >>> [p.name for p in sorted([Path("10.jpg"), Path("2.jpg")], key=_natural)]
    ['2.jpg', '10.jpg']
    """
    return tuple(
        int(part) if index % 2 else part for index, part in enumerate(re.split(r"(\d+)", path.name))
    )


def _image(picture: Picture) -> YuvImage:
    """Give a picture's planes; OpenCV's become limited-range BT.601 (`COLOR_BGR2YUV_I420`)."""
    if isinstance(picture, av.VideoFrame):
        return image_of(picture)
    import cv2

    height, width = picture.shape[0] // 2 * 2, picture.shape[1] // 2 * 2
    bgr = np.ascontiguousarray(picture[:height, :width])
    planes = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420), np.uint8)
    u, v = planes[height:].reshape(2, height // 2, width // 2)
    return YuvImage(y=read_only(planes[:height]), u=read_only(u), v=read_only(v))
