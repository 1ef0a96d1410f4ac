"""Where cameras and pipeline hand over what a recording needs for a second run.

Knows nothing about what is handed over. The supervisor holds the memory, so that whatever process
dies, the next one goes on in the same place.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from edge import log
from edge.byte_ring import ByteRing
from edge.options import RunOptions
from scene.errors import RecordingError

PACKETS_BYTES = 8_000_000
"""Of each camera: 16 s at 4 Mbit/s, for which the recorder may stand still."""
STEPS_BYTES = 4_000_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Taps:
    """One ring per camera, by name, and one for the pipeline's steps."""

    packets: Mapping[str, ByteRing]
    steps: ByteRing


def open_taps(options: RunOptions) -> Taps | None:
    """Take the memory where a run is to record its cameras; without memory it runs all the same.

    Raises `SiteError`.
    """
    if options.record is None or not options.record_cameras:
        return None
    names = [camera.name for camera in options.site().cameras]
    try:
        packets = {name: ByteRing(name, PACKETS_BYTES) for name in names}
        return Taps(packets=packets, steps=ByteRing("steps", STEPS_BYTES))
    except RecordingError as error:
        log.say(str(error), "warning")
        return None
