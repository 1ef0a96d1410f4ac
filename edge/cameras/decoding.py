"""Which decoder a camera's pictures go through: hardware where a site wants it and it works.

Knows nothing about connections. Whatever is wrong with the hardware, software decodes, and it is
said once. Nothing of this has ever run on a real device: see README, "Cameras".
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import av
from av.codec.hwaccel import HWAccel

OFF, AUTO = "off", "auto"
CODECS = ("h264", "hevc")
"""The codecs of cameras."""
FRUITLESS_PACKETS = 50
"""Hardware that gives no picture out of so many packets from a key frame on has failed."""
UNMARKED_PACKETS = 1000
"""And out of so many before any: some cameras make a key frame every 20 s only (500 packets), and
some streams never mark one."""

if TYPE_CHECKING:
    Packet = av.packet.Packet[av.VideoStream]


class Decoding:
    """How one camera is decoded, over all its connections."""

    def __init__(self, camera: str, wanted: str, say: Callable[[str], None]) -> None:
        """`wanted` is `off`, `auto` or a device type of FFmpeg's, such as `cuda`."""
        self._camera, self._wanted, self._say = camera, wanted, say
        self._over = wanted == OFF
        """Whether hardware is tried no more."""
        self._device = ""
        """Which one could be opened; empty while none was tried."""
        self.note = ""
        """Why software decodes although a site asks for a device; mostly empty."""

    def accel(self) -> HWAccel | None:
        """Give the device that the next connection shall try; none for software."""
        if not self._over and not self._device:
            self._look_for_a_device()
        return None if self._over else HWAccel(self._device, allow_software_fallback=True)

    def not_connected(self) -> None:
        """Look after a failed connection whether it was the device's fault."""
        if self._device and not self._over:
            trouble = trouble_with(self._device)
            if trouble:
                self.failed(f"{self._device}: {trouble}")

    def failed(self, why: str) -> None:
        """Have software decode from now on, and say so once."""
        if self._over:
            return
        self._over = True
        said = f"decoded in software: no hardware decoder can be used: {why}"
        self._say(f"camera {self._camera}: {said}")
        if self._wanted != AUTO:  # nobody asked for this very device otherwise
            self.note = said

    def _look_for_a_device(self) -> None:
        reasons = []
        for device in devices() if self._wanted == AUTO else (self._wanted,):
            trouble = trouble_with(device)
            if not trouble:
                self._device = device
                return
            reasons.append(f"{device}: {trouble}")
        self.failed("; ".join(reasons) or "FFmpeg offers none here")


class Decoder:
    """Decodes the packets of one connection, in software once hardware has failed."""

    def __init__(self, stream: "av.VideoStream", decoding: Decoding) -> None:
        self._stream, self._decoding = stream, decoding
        self._context: av.VideoCodecContext = stream.codec_context
        self._hardware = bool(self._context.is_hwaccel)
        self._fruitless = 0
        """Packets without a picture since the last one, the first key frame or the beginning."""
        self._begun = False
        """Whether there has been a key frame or a picture."""

    def decode(self, packet: "Packet") -> Iterator[av.VideoFrame]:
        """Give the pictures that come of a packet; raises what FFmpeg raises.

        Software that takes over gives pictures from the camera's next key frame on: FFmpeg itself
        holds back what it can only guess.
        """
        if not self._hardware:
            yield from self._context.decode(packet)
            return
        try:
            pictures = self._context.decode(packet)
        except (av.error.EOFError, av.error.InvalidDataError):
            self._count(packet, 0)
            raise
        except Exception as error:
            self._take_over(f"{type(error).__name__}: {error}")
            yield from self.decode(packet)
            return
        self._count(packet, len(pictures))
        yield from pictures

    def _count(self, packet: "Packet", pictures: int) -> None:
        """Watch that pictures come."""
        if pictures or (packet.is_keyframe and not self._begun):
            self._fruitless, self._begun = 0, True
            return
        self._fruitless += 1
        if self._fruitless >= (FRUITLESS_PACKETS if self._begun else UNMARKED_PACKETS):
            self._take_over(f"no picture came out of {self._fruitless} packets")

    def _take_over(self, why: str) -> None:
        self._decoding.failed(why)
        before = self._context
        context = av.CodecContext.create(before.codec.name, "r")
        assert isinstance(context, av.VideoCodecContext)
        context.extradata = before.extradata
        context.thread_count = 1
        self._context, self._hardware = context, False


def devices() -> tuple[str, ...]:
    """List the device types that FFmpeg's own decoders of cameras' codecs can use here."""
    found: dict[str, None] = {}
    for codec in CODECS:
        for config in av.Codec(codec, "r").hardware_configs or ():
            if config.is_supported:
                found[config.device_type.name] = None
    return tuple(found)


def trouble_with(device: str) -> str:
    """Try to open a device; gives what is wrong with it, empty when it can be used."""
    offered = devices()
    if device not in offered:
        return f"FFmpeg offers {', '.join(offered) or 'none'} here"
    try:
        HWAccel(device).create(av.Codec(CODECS[0], "r"))
    except Exception as error:  # drivers fail in many ways
        return f"it can't be opened ({type(error).__name__}): is there one, and its driver?"
    return ""
