"""Small real videos for the tests of cameras."""

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np

from scene.arrays import Bytes
from scene.messages import YuvImage


def write_clip(
    path: Path,
    *,
    frames: int = 20,
    fps: int = 10,
    size_px: tuple[int, int] = (64, 48),
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    shade_of: Callable[[int], int] = lambda index: 40 + 5 * index,
    movflags: str = "",
    options: dict[str, str] | None = None,
) -> Path:
    """Write a video whose frame `i` is noise, with a block of luma `shade_of(i)` at the top left.

    `shade_in` reads the shade back.
    """
    noise = np.random.default_rng(0)
    muxing = {"movflags": movflags} if movflags else {}
    with av.open(str(path), "w", options=muxing) as container:
        stream = container.add_stream(codec, rate=fps)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = size_px
        stream.pix_fmt = pix_fmt
        if codec == "libx264":
            options = {"preset": "ultrafast", "crf": "12"} | (options or {})
        stream.options = {**(options or {})}
        for index in range(frames):
            luma = noise.integers(60, 90, (size_px[1], size_px[0]))
            luma[:32, :32] = shade_of(index)
            rgb = np.repeat(luma[:, :, None], 3, axis=2).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format=pix_fmt)
            frame.pts = index
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


def shade_in(image: YuvImage) -> float:
    """Read the shade that `write_clip` painted, as it is in RGB (luma here is limited range)."""
    return (float(image.y[8:24, 8:24].mean()) - 16) * 255 / 219


def picture(width: int, height: int, shade: int) -> YuvImage:
    """Make a picture of one grey."""
    half: Bytes = np.full((height // 2, width // 2), 128, np.uint8)
    return YuvImage(y=np.full((height, width), shade, np.uint8), u=half, v=half)
