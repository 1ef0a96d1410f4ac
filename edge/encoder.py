"""Encodes panoramas as H.264 that a browser decodes frame by frame; and decodes it again.

Knows nothing about cameras, people or how packets travel.
"""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Literal

import av
import numpy as np

from edge.cameras.source import image_of
from scene.arrays import Bytes
from scene.errors import RecordingError
from scene.messages import YuvImage

KEY_FRAME_EVERY_S = 0.5
CRF = 23
MICROSECONDS = Fraction(1, 1_000_000)

Matrix = Literal["bt601", "bt709"]
_MATRIX_NAMES = {"bt601": "smpte170m", "bt709": "bt709"}


class PanoramaEncoder:
    """x264 without delay: each picture gives one access unit at once.

    Constant quality, held under `bitrate_kbit_s`. A key frame comes every 0.5 s of capture time,
    whatever the frame rate really is, each with its parameter sets (SPS, PPS) in front. No B
    frames. Pictures are encoded as they are, never converted; the stream is tagged with what it is
    told of their colours: `full_range` is what the cameras say of themselves (`SourceStatus`), the
    matrix is BT.601 as everywhere else where planes become RGB (OpenCV).
    """

    def __init__(
        self,
        size_px: tuple[int, int],
        fps: float,
        bitrate_kbit_s: int,
        *,
        full_range: bool = False,
        matrix: Matrix = "bt601",
        preset: Literal["ultrafast", "superfast"] = "ultrafast",
    ) -> None:
        width, height = size_px
        if width % 2 or height % 2 or width < 16 or height < 16:
            raise ValueError(f"a panorama of {width}x{height} px can't be encoded: sides are even")
        self._size_px = size_px
        self._key_every_us = round(KEY_FRAME_EVERY_S * 1e6)
        self._slack_us = round(0.5e6 / fps)
        self._key_us: int | None = None
        self._last_us: int | None = None
        name = _MATRIX_NAMES[matrix]
        context = av.CodecContext.create("libx264", "w")
        context.width, context.height = size_px
        context.pix_fmt = "yuv420p"
        context.time_base = MICROSECONDS
        context.framerate = Fraction(fps).limit_denominator(1000)
        context.thread_count = 1
        context.options = {
            "preset": preset,
            "tune": "zerolatency",
            "crf": str(CRF),
            "forced-idr": "1",
            "x264-params": ":".join(
                (
                    "keyint=infinite:min-keyint=1:scenecut=0:bframes=0",
                    "repeat-headers=1:annexb=1:aud=0",
                    f"vbv-maxrate={bitrate_kbit_s}:vbv-bufsize={bitrate_kbit_s}",
                    f"fullrange={'on' if full_range else 'off'}",
                    f"colormatrix={name}:colorprim={name}:transfer={name}",
                )
            ),
        }
        self._context = context

    def encode(self, image: YuvImage, captured_at_ns: int) -> tuple[bytes, bool]:
        """Encode one picture; gives its access unit (Annex B) and whether it is a key frame."""
        if image.size_px != self._size_px:
            raise ValueError(f"a picture of {image.size_px} px in a stream of {self._size_px} px")
        frame = _frame_of(image)
        at_us = captured_at_ns // 1000
        if self._last_us is not None:
            at_us = max(at_us, self._last_us + 1)
        self._last_us = at_us
        frame.pts, frame.time_base = at_us, MICROSECONDS
        if self._key_us is None or at_us - self._key_us >= self._key_every_us - self._slack_us:
            frame.pict_type = av.video.frame.PictureType.I
            self._key_us = at_us
        packets = self._context.encode(frame)
        if len(packets) != 1:
            raise RuntimeError(f"x264 gave {len(packets)} packets for a picture instead of one")
        return bytes(packets[0]), packets[0].is_keyframe


class PanoramaDecoder:
    """Decodes access units one by one, beginning with a key frame."""

    def __init__(self) -> None:
        self._context = av.CodecContext.create("h264", "r")
        self._context.thread_count = 1
        self._context.options = {"flags": "low_delay"}

    def decode(self, payload: bytes) -> YuvImage:
        """Decode one access unit; raises `RecordingError` when it can't be decoded."""
        try:
            frames = self._context.decode(av.Packet(payload))
        except av.error.FFmpegError as error:
            raise RecordingError(f"a panorama can't be decoded: {error.strerror}") from None
        if len(frames) != 1 or frames[0].is_corrupt:
            raise RecordingError("a panorama can't be decoded: its key frame is missing")
        return image_of(frames[0])


def decode_packets(payloads: Iterable[bytes]) -> Iterator[YuvImage]:
    """Decode access units in order, beginning with a key frame: one picture each."""
    decoder = PanoramaDecoder()
    for payload in payloads:
        yield decoder.decode(payload)


def _frame_of(image: YuvImage) -> av.VideoFrame:
    frame = av.VideoFrame(*image.size_px, "yuv420p")
    for plane, source in zip(frame.planes, (image.y, image.u, image.v), strict=True):
        padded: Bytes = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        padded[: source.shape[0], : source.shape[1]] = source
    return frame
