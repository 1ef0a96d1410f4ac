"""Open a camera by its address: an RTSP camera, a video file or a folder of pictures.

Knows nothing about processes, other cameras or what is done with the frames.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol
from urllib.parse import urlsplit

import numpy as np

from edge.log import shown_path
from scene.arrays import Bytes, read_only
from scene.clock import Clock
from scene.errors import CameraError
from scene.messages import Frame, YuvImage
from scene.site import CameraConfig

if TYPE_CHECKING:  # the sender asks for addresses only, and shall be quick to start
    import av

    from edge.cameras.decoding import Decoding
    from edge.cameras.tap import CameraTap

Pace = Literal["real_time", "as_fast_as_possible"]

_JPEG_RANGE = 2
"""FFmpeg's number for full-range luma (AVCOL_RANGE_JPEG)."""


class CameraSource(Protocol):
    """Where one camera's frames come from."""

    name: str
    note: str
    """What was odd, one sentence; empty when nothing was. Never holds a password."""
    corrupt_frames: int
    """How many damaged frames were left out so far."""
    full_range: bool
    """Whether luma goes from 0 to 255 rather than 16 to 235; known after the first frame."""
    heard: Callable[[], None]
    """Called whenever something has come, also what gives no picture; for whoever takes `frames`
    to set."""

    def frames(self) -> Iterator[Frame]:
        """Give frame after frame, capture times increasing; may be called once.

        Ends when a file ends; raises `CameraError` when the source fails.
        """
        ...

    def close(self) -> None:
        """Let the source go; `frames`, perhaps in another thread, ends soon after."""
        ...


def open_source(
    config: CameraConfig,
    clock: Clock,
    *,
    pace: Pace = "real_time",
    loop: bool = False,
    start_at_ns: int | None = None,
    decoding: "Decoding | None" = None,
    tap: "CameraTap | None" = None,
) -> CameraSource:
    """Open a camera; raises `CameraError`, which names the camera, when that fails.

    `pace`, `loop` and `start_at_ns` are for files: a file's first frame is captured at
    `start_at_ns` (now when none is given), so that files opened with the same one are exactly
    synchronous. A real-time file waits until then. `decoding` is kept over a live camera's
    connections; without it software decodes. Packets go through the `tap`, if there is one.
    """
    if is_live(config):
        from edge.cameras.rtsp import RtspCamera

        return RtspCamera(
            config.name, config.url, clock, transport=config.transport, decoding=decoding, tap=tap
        )
    if "://" in config.url:
        raise CameraError(
            f"camera {config.name}: {place_of(config.url)}: only rtsp:// and rtsps:// addresses, "
            "video files and folders of pictures can be opened"
        )
    from edge.cameras.file import FileCamera

    return FileCamera(
        config.name,
        Path(config.url),
        clock,
        picture_fps=config.fps,
        pace=pace,
        loop=loop,
        start_at_ns=start_at_ns,
        tap=tap,
    )


def is_live(config: CameraConfig) -> bool:
    """Tell whether a camera is a real one, to be connected to again and again."""
    return config.url.lower().startswith(("rtsp://", "rtsps://"))


def place_of(url: str) -> str:
    """Name an address without what is secret in it: cameras take passwords in many places.

    >>> place_of("rtsp://admin:secret@10.0.0.4:554/h264?password=x")
    'rtsp://10.0.0.4:554/h264'
    """
    if "://" not in url:
        return url
    scheme, _, given = url.partition("://")
    rest = given.rpartition("@")[2]
    try:
        host = urlsplit(f"{scheme}://{rest}").netloc
    except ValueError:
        host = ""
    return f"{scheme}://{host}{shown_path(given)}" if host else f"{scheme}://…"


def masked(text: str) -> str:
    """Take addresses' secrets out of a text from elsewhere.

    >>> masked("cannot open 'rtsp://admin:secret@10.0.0.4/x' now")
    "cannot open 'rtsp://10.0.0.4/x' now"
    """
    return re.sub(r"rtsps?://[^\s'\"]+", lambda found: place_of(found[0]), text, flags=re.I)


def reason_of(error: Exception) -> str:
    """Say what FFmpeg or the system complains about, without the address."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return masked(str(text))


def video_in(container: "av.container.InputContainer") -> "av.VideoStream":
    """Give a container's first video, set to decode in one thread; raises `ValueError`, says why.

    FFmpeg's frame threads would each hold a frame back.
    """
    if not container.streams.video:
        raise ValueError("there is no video in it")
    stream = container.streams.video[0]
    if stream.codec_context is None:
        raise ValueError("its video is coded in a way that is not known here")
    stream.codec_context.thread_count = 1
    return stream


def is_full_range(frame: "av.VideoFrame") -> bool:
    """Tell whether a decoded picture's luma uses 0 to 255."""
    return frame.format.name.startswith("yuvj") or frame.color_range == _JPEG_RANGE


def image_of(frame: "av.VideoFrame") -> YuvImage:
    """Give a decoded picture's planes, read-only; other formats are converted to 4:2:0 first.

    The luma range stays as it is. An odd last row or column is cut off.
    """
    if frame.format.name not in ("yuv420p", "yuvj420p"):
        frame = frame.reformat(format="yuv420p")
    width, height = frame.width // 2 * 2, frame.height // 2 * 2
    y, u, v = (
        _plane(frame, index, w, h)
        for index, (w, h) in enumerate(
            ((width, height), (width // 2, height // 2), (width // 2, height // 2))
        )
    )
    return YuvImage(y=y, u=u, v=v)


def _plane(frame: "av.VideoFrame", index: int, width: int, height: int) -> Bytes:
    plane = frame.planes[index]
    padded = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return read_only(np.ascontiguousarray(padded[:height, :width]))
