"""Hands a camera's packets to the recorder, as they came and with the instants they gave.

Knows nothing about connections or files. It sits in the camera's own process and never holds it
up: `edge/byte_ring.py` takes what it is given, and counts what the recorder was too late for.
"""

from typing import TYPE_CHECKING

from delivery.recordings.camera_packets import (
    CameraPacket,
    CameraStream,
    Shown,
    hand_over,
    stream_text,
)
from edge.byte_ring import ByteRing

if TYPE_CHECKING:
    import av

    Packet = av.packet.Packet[av.VideoStream]


class CameraTap:
    """Between a source's demultiplexer and its decoder; without a ring it does nothing.

    Of each packet: `began`, then `shown` for each picture of it that is used, then `ended`.
    """

    def __init__(self, ring: ByteRing | None = None) -> None:
        self._ring = ring
        self._stream: CameraStream | None = None
        self._text = b""
        self._connection = self._number = self._arrived_at_ns = 0
        self._packet: Packet | None = None
        self._shown: list[Shown] = []
        self._trouble = ""

    @property
    def note(self) -> str:
        """What of its packets is not recorded; mostly empty."""
        lost = self._ring.lost if self._ring is not None else 0
        said = f"{lost} of its packets are missing in the recording" if lost else ""
        return self._trouble or said

    def opened(self, camera: str, stream: "av.VideoStream", now_ns: int) -> None:
        """Tell how the packets to come are coded; decoding begins anew with them."""
        if self._ring is None:
            return
        base, context = stream.time_base, stream.codec_context
        self._stream = CameraStream(
            camera=camera,
            codec=context.name,
            time_base=(base.numerator, base.denominator) if base else (1, 1_000_000_000),
            size_px=(context.width, context.height),
            extradata=bytes(context.extradata or b""),
        )
        self._text = stream_text(self._stream).encode()
        self._connection, self._number = max(now_ns, self._connection + 1), 0

    def began(self, packet: "Packet", arrived_at_ns: int) -> None:
        """Tell that a packet has come, and is decoded next."""
        if self._ring is not None:
            self._packet, self._arrived_at_ns = packet, arrived_at_ns
            self._number += 1

    def shown(self, pts: int | None, captured_at_ns: int) -> None:
        """Tell that a picture came out of it, and is used."""
        if self._packet is not None:
            self._shown.append(Shown(pts=pts, captured_at_ns=captured_at_ns))

    def ended(self) -> None:
        """Hand the packet over: no more pictures come of it."""
        packet, shown = self._packet, tuple(self._shown)
        self._packet, self._shown = None, []
        if packet is None or self._ring is None or self._stream is None:
            return
        if not self._ring.wanted:
            return
        try:
            self._ring.put(hand_over(self._packet_of(packet, self._stream, shown), self._text))
            self._trouble = ""
        except Exception as error:  # pictures come first
            self._trouble = f"its packets can't be recorded: {type(error).__name__}: {error}"

    def _packet_of(
        self, packet: "Packet", stream: CameraStream, shown: tuple[Shown, ...]
    ) -> CameraPacket:
        return CameraPacket(
            stream=stream,
            connection=self._connection,
            number=self._number,
            arrived_at_ns=self._arrived_at_ns,
            pts=packet.pts,
            dts=packet.dts,
            key_frame=packet.is_keyframe,
            data=bytes(packet),
            shown=shown,
        )
