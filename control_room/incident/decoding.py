"""Decode a recorded panorama picture by picture, as far as it can be.

Knows nothing about who is on it. Recordings may come from anywhere: a picture that can't be
decoded, or has another size than it says, gives none, and so do those after it up to the next key
frame.
"""

import av
import numpy as np
from av.error import FFmpegError

from control_room.incident.lettering import Picture
from scene.messages import PanoramaPacket

MOST_PX = 40_000_000


class Decoder:
    """Decodes packets in their order."""

    def __init__(self) -> None:
        self._context: av.VideoCodecContext | None = None
        self.failed = 0
        """How many packets gave no picture."""

    def decode(self, packet: PanoramaPacket) -> Picture | None:
        """Give the picture (H, W, 3) blue, green, red; none where there is none to give."""
        if packet.key_frame:  # of another size, perhaps: a new rig has another panorama
            self._context = _context() if self._context is None else self._context
        elif self._context is None:
            self.failed += 1
            return None
        picture = self._decoded(packet)
        if picture is None:
            self.failed += 1
            self._context = None
        return picture

    def _decoded(self, packet: PanoramaPacket) -> Picture | None:
        assert self._context is not None
        try:
            frames = self._context.decode(av.Packet(packet.payload))
        except (FFmpegError, ValueError):
            return None
        if len(frames) != 1 or frames[0].is_corrupt:
            return None
        if (frames[0].width, frames[0].height) != packet.size_px:
            return None
        try:
            return np.ascontiguousarray(frames[0].to_ndarray(format="bgr24"), np.uint8)
        except (FFmpegError, ValueError):
            return None


def _context() -> av.VideoCodecContext:
    context = av.CodecContext.create("h264", "r")
    assert isinstance(context, av.VideoCodecContext)
    context.thread_count = 1
    context.options = {"flags": "low_delay", "max_pixels": str(MOST_PX)}
    return context
