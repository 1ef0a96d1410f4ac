"""What a recording says of one gateway, as far as it must be known before it is played.

Knows nothing about rules or how it is played. Only chunks that hold what is asked for are read.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mcap.records import Channel

from delivery.recordings.format import FOR_A_RERUN, FRAME_TOPIC, VIDEO_TOPIC, Record
from delivery.recordings.reader import RecordingFile
from delivery.recordings.refused_record import REFUSED_TOPIC
from scene.errors import RecordingError
from scene.messages import Anomaly, SiteDescription

Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Recording:
    """A recording of one gateway that is open."""

    file: RecordingFile
    site: str
    gateway: str
    sites: tuple[tuple[int, SiteDescription], ...]
    """What the site was told to be, each from when it was received on."""
    said_alarms: tuple[tuple[int, Anomaly], ...]
    """Every word on alarms that is in it, with when it was received."""
    from_ns: int
    to_ns: int
    """When the first and the last thing in it was received."""
    has_pictures: bool

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self.file.path


def open_recording(path: Path, tell: Tell) -> Recording:
    """Open a recording; `tell` is told what is missing. Raises `RecordingError`."""
    file = RecordingFile(path, on_missing=tell)
    span = file.span_ns()
    if span is None:
        raise RecordingError(
            f"{path}: nothing in it can be read; it was cut off before the first message"
        )
    sites, alarms, place = list[tuple[int, SiteDescription]](), list[tuple[int, Anomaly]](), None
    for record in file.records(wanted=lambda one: said(one, "site") or said(one, "alarm")):
        body = record.body
        if isinstance(body, SiteDescription):
            place = place or (body.site, body.gateway)
            if (body.site, body.gateway) == place:
                sites.append((record.at_ns, body))
        elif isinstance(body, Anomaly):
            alarms.append((record.at_ns, body))
    if place is None:
        raise RecordingError(
            f"{path}: has no site description; it was not written by `lamproom run --record`"
        )
    pictures = any(file.messages(wanted=is_picture))
    if not pictures and not any(file.messages(wanted=lambda one: said(one, "positions"))):
        raise RecordingError(f"{path}: has no positions and no pictures; there is nothing to play")
    return Recording(
        file=file,
        site=place[0],
        gateway=place[1],
        sites=tuple(sites),
        said_alarms=tuple(alarms),
        from_ns=span[0],
        to_ns=span[1],
        has_pictures=pictures,
    )


def said(channel: Channel, topic: str) -> bool:
    """Tell whether a channel's messages are of a topic of `scene.topics`."""
    return channel.topic.rpartition("/")[2] == topic and not is_picture(channel)


def is_picture(channel: Channel) -> bool:
    """Tell whether a channel is the panorama's, its pictures or the people on them."""
    return channel.topic in (FRAME_TOPIC, VIDEO_TOPIC)


def is_message(channel: Channel) -> bool:
    """Tell whether a channel's messages were said on MQTT, and believed."""
    beside = channel.metadata.get("kind") in FOR_A_RERUN or channel.topic == REFUSED_TOPIC
    return not (beside or is_picture(channel))


def is_of(record: Record, recording: Recording) -> bool:
    """Tell whether a message is the gateway's own, or of its mine's systems."""
    parts = record.topic.split("/")
    if len(parts) < 3 or parts[1] != recording.site:
        return False
    return parts[2] != "gw" or parts[3] == recording.gateway
