"""Recordings: a run's messages and panorama in one MCAP file that survives a power cut.

Knows nothing about brokers or sockets. Field tools (Foxglove, Rerun, the `mcap` package) open the
file: messages are JSON with their JSON Schema, the panorama is `foxglove.CompressedVideo`, and the
people of each frame lie beside it under the same sequence number, so that a replay is exact. Every
channel of messages says in its metadata whether their signatures were right (`trust`); what was
refused lies apart from all messages (`refused_record.py`).
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from scene.errors import RecordingError
from scene.messages import PanoramaPacket
from scene.wire import Message

PROFILE = "lamproom"
PANORAMA = "panorama"
FRAME_TOPIC, VIDEO_TOPIC = "panorama/frame", "panorama/video"
FOR_A_RERUN = ("camera", "steps", "lost")
"""Kinds of channels, by their metadata, that a second run needs and that no message lies in: what
cameras sent (`camera_packets.py`), what the pipeline did, and what of both did not get here."""
STEPS_TOPIC, LOST_TOPIC = "pipeline/steps", "recording/lost"
RUN = "lamproom.run"
"""The metadata record that says what was run: software, site, rig, model."""
FLUSH_S = 1.0
"""What a power cut can cost at most."""


Trusted = Literal["signed", "unsigned", "unchecked"]
"""Of a recorded message: signed with its sender's key; not signed, by somebody whose key was not
known and who need not; or recorded where no keys were known at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One recorded message or panorama packet."""

    at_ns: int
    """When it was received, by the recorder's clock."""
    topic: str
    """The MQTT topic; `panorama` for a packet of the panorama."""
    payload: bytes
    """Exactly as it was received."""
    body: Message | PanoramaPacket
    trust: Trusted = "unchecked"


class DiskFullError(RecordingError):
    """The disk takes no more of a recording; names the file."""


def number_in(name: str, path: Path) -> int | None:
    """Tell which of the files that a recorder wrote for `path` has this name; none if none has.

    Numbers go by time, from 1, whatever the clock said. Others' names, such as copies with a date,
    have none.

    >>> number_in("run-12.mcap", Path("run.mcap")), number_in("run-20261130.mcap", Path("run.mcap"))
    (12, None)
    """
    pattern = re.escape(path.stem) + r"(?:-([2-9]|[1-9][0-9]{1,5}))?" + re.escape(path.suffix)
    found = re.fullmatch(pattern, name)
    return int(found[1] or 1) if found else None


def time_text(at_ns: int) -> str:
    """Say an instant, to the millisecond; what is none as a number."""
    try:
        return datetime.fromtimestamp(at_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + "Z"
    except (ValueError, OverflowError, OSError):
        return f"{at_ns} ns"
