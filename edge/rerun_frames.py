"""Cameras' recorded packets become frames again: the same pictures at the same instants.

Knows nothing about files or what frames are for. Software decodes, in one thread, as it did live;
of a camera that hardware decoded, pictures may differ by a grey level.
"""

from collections import deque
from collections.abc import Iterator
from fractions import Fraction

import av

from delivery.recordings.camera_packets import CameraPacket, Shown
from edge.cameras.source import image_of
from scene.messages import Frame

MOST_HELD = 8
"""Pictures that have come and are not known to have been used."""


class Redecoder:
    """Decodes one camera's packets, in their order."""

    def __init__(self, camera: str) -> None:
        self.camera = camera
        self.missing = 0
        """Packets that are not in the recording, between those that are."""
        self._context: av.VideoCodecContext | None = None
        self._connection = self._number = 0
        self._pictures: deque[av.VideoFrame] = deque(maxlen=MOST_HELD)
        self._due: deque[Shown] = deque(maxlen=MOST_HELD)

    def decoded(self, packet: CameraPacket) -> Iterator[tuple[int, av.VideoFrame]]:
        """Give the pictures that live used, each with its capture time in ns (UTC)."""
        if packet.connection == self._connection and packet.number <= self._number:
            return  # the next file begins with what the one before has as well
        if not self._goes_on(packet):
            return
        self._due.extend(packet.shown)
        self._pictures.extend(self._pictures_of(packet))
        for due in tuple(self._due):
            picture = next((one for one in self._pictures if one.pts == due.pts), None)
            if picture is not None:
                self._due.remove(due)
                self._pictures.remove(picture)
                yield due.captured_at_ns, picture

    def _goes_on(self, packet: CameraPacket) -> bool:
        """Begin anew with a connection; after a gap only a key frame can be decoded."""
        anew = packet.connection != self._connection
        gap = 0 if anew else packet.number - self._number - 1
        self.missing += gap
        if anew or gap:
            self._context = None
        self._connection, self._number = packet.connection, packet.number
        if self._context is None and (packet.number == 1 or packet.key_frame):
            self._context = _context(packet)
            self._pictures.clear()
            self._due.clear()
        return self._context is not None

    def _pictures_of(self, packet: CameraPacket) -> list[av.VideoFrame]:
        assert self._context is not None
        given = None
        if packet.data:
            given = av.Packet(packet.data)
            given.pts, given.dts = packet.pts, packet.dts
            given.time_base = Fraction(*packet.stream.time_base)
        try:
            return [one for one in self._context.decode(given) if not one.is_corrupt]
        except (av.error.FFmpegError, ValueError):  # as damaged as it was live
            return []


def frame_of(camera: str, captured_at_ns: int, picture: av.VideoFrame) -> Frame:
    """Make the frame that the gateway had."""
    return Frame(camera=camera, captured_at_ns=captured_at_ns, image=image_of(picture))


def _context(packet: CameraPacket) -> av.VideoCodecContext:
    context = av.CodecContext.create(packet.stream.codec, "r")
    assert isinstance(context, av.VideoCodecContext)
    if packet.stream.extradata:
        context.extradata = packet.stream.extradata
    context.thread_count = 1
    return context
