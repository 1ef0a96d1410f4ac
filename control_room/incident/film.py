"""Write pictures as a film that browsers play: H.264, 4:2:0, in an MP4 that begins with its index.

Knows nothing about panoramas. Each picture lasts until the next, as it did in truth. Colours are
BT.601 in limited range, and say so.
"""

from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import cv2
import numpy as np
from av.error import FFmpegError
from av.video.frame import PictureType
from av.video.reformatter import ColorRange, Colorspace

from control_room.incident.error import IncidentError
from control_room.incident.lettering import Picture

TICKS = Fraction(1, 90_000)
KEY_EVERY_TICKS = 90_000
"""A key frame a second, so that seeking is quick."""
CRF = "23"
MOST_WIDE, MOST_TALL = 4096, 2304
"""Level 5.2, which decoders in hardware take, too."""


class Film:
    """One film; to be used in a `with`."""

    def __init__(self, path: Path, size_px: tuple[int, int], begins_at_ns: int) -> None:
        """Begin a film as wide and tall (pixels) as its first picture."""
        wide, tall = size_px
        shrink = min(1.0, MOST_WIDE / wide, MOST_TALL / tall)
        self.size_px = (_even(wide * shrink), _even(tall * shrink))
        self._path, self._begins_at_ns = path, begins_at_ns
        self._last = self._key = -(10**12)
        try:
            self._file: Any = av.open(
                str(path), "w", format="mp4", options={"movflags": "+faststart"}
            )
            self._stream: Any = self._file.add_stream("libx264", rate=25)
            self._set_up(self._stream.codec_context)
        except (FFmpegError, OSError) as error:
            raise IncidentError(f"{path}: can't be written: {error}") from None

    def _set_up(self, context: Any) -> None:
        context.width, context.height = self.size_px
        context.pix_fmt = "yuv420p"
        context.time_base = self._stream.time_base = TICKS
        context.thread_count = 2
        context.options = {
            "preset": "veryfast",
            "crf": CRF,
            "forced-idr": "1",
            "x264-params": "keyint=infinite:scenecut=0:bframes=0:fullrange=off:"
            "colormatrix=smpte170m:colorprim=smpte170m:transfer=smpte170m",
        }

    def add(self, picture: Picture, at_ns: int) -> None:
        """Add a picture (H, W, 3), blue, green, red, of an instant; later than the one before."""
        frame = av.VideoFrame.from_ndarray(self._fitted(picture), format="bgr24").reformat(
            format="yuv420p",
            dst_colorspace=Colorspace.ITU601,
            dst_color_range=ColorRange.MPEG,
        )
        ticks = max(round((at_ns - self._begins_at_ns) * TICKS.denominator / 1e9), self._last + 1)
        self._last = ticks
        frame.pts, frame.time_base = ticks, TICKS
        is_key = ticks - self._key >= KEY_EVERY_TICKS
        frame.pict_type = PictureType.I if is_key else PictureType.NONE
        self._key = ticks if is_key else self._key
        self._mux(frame)

    def _fitted(self, picture: Picture) -> Picture:
        """Put a picture into the film's size: shrunk where it is larger, never cut."""
        wide, tall = self.size_px
        shrink = min(1.0, wide / picture.shape[1], tall / picture.shape[0])
        if shrink < 1.0:
            small = cv2.resize(picture, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
            picture = np.asarray(small[:tall, :wide], np.uint8)
        whole = np.zeros((tall, wide, 3), np.uint8)
        whole[: picture.shape[0], : picture.shape[1]] = picture
        return whole

    def _mux(self, frame: av.VideoFrame | None) -> None:
        try:
            for packet in self._stream.encode(frame):
                self._file.mux(packet)
        except (FFmpegError, OSError) as error:
            raise IncidentError(f"{self._path}: can't be written: {error}") from None

    def __enter__(self) -> "Film":
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: object, _trace: TracebackType | None
    ) -> None:
        """Finish it; where something failed, only let go of the file."""
        try:
            if kind is None:
                self._mux(None)
            self._file.close()
        except (FFmpegError, OSError) as error:
            if kind is None:
                raise IncidentError(f"{self._path}: can't be written: {error}") from None


def _even(length: float) -> int:
    """Round up to an even number of pixels: colours have half as many."""
    return max(16, 2 * int(np.ceil(length / 2)))
