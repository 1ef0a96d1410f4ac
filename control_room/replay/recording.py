"""What recordings say of one gateway, as far as it must be known before they are played.

Knows nothing about rules or how it is played. Only chunks that hold what is asked for are read.
"""

from dataclasses import dataclass
from pathlib import Path

from mcap.records import Channel

from control_room.replay.joined import Gap, Joined, Tell
from delivery.recordings.format import FOR_A_RERUN, FRAME_TOPIC, VIDEO_TOPIC, Record
from delivery.recordings.refused_record import REFUSED_TOPIC
from scene.errors import RecordingError
from scene.messages import Anomaly, SiteDescription


@dataclass(frozen=True, kw_only=True)
class Recording:
    """Recordings of one gateway that are open."""

    file: Joined
    paths: tuple[Path, ...]
    """Where they lie, as they were named."""
    site: str
    gateway: str
    first_site: SiteDescription
    """What the site was told to be first."""
    from_ns: int
    to_ns: int
    """When the first and the last thing in them was received."""
    has_pictures: bool

    @property
    def path(self) -> Path:
        """Where the one lies that was named first."""
        return self.paths[0]

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """Where nothing was recorded, between two files."""
        return self.file.gaps

    def alarms(self, from_ns: int, to_ns: int) -> tuple[Anomaly, ...]:
        """Read every word on alarms that was received within a time."""
        return tuple(one for _, one in self.words(from_ns, to_ns))

    def words(self, from_ns: int, to_ns: int) -> tuple[tuple[int, Anomaly], ...]:
        """Read them, each word with when it was received."""
        records = self.file.records(
            from_ns=from_ns, to_ns=to_ns, wanted=lambda one: said(one, "alarm")
        )
        return tuple(
            (one.at_ns, one.body)
            for one in records
            if isinstance(one.body, Anomaly) and is_of(one, self)
        )


def open_recording(path: Path, tell: Tell, *more: Path) -> Recording:
    """Open a recording, and `more` of the same gateway; `tell` is told what is missing.

    Raises `RecordingError`.
    """
    file = Joined((path, *more), tell)
    first = next(
        (
            one.body
            for one in file.records(wanted=lambda one: said(one, "site"))
            if isinstance(one.body, SiteDescription)
        ),
        None,
    )
    if first is None:
        raise RecordingError(
            f"{path}: has no site description; it was not written by `lamproom run --record`"
        )
    pictures = any(file.messages(wanted=is_picture))
    if not pictures and not any(file.messages(wanted=lambda one: said(one, "positions"))):
        raise RecordingError(f"{path}: has no positions and no pictures; there is nothing to play")
    from_ns, to_ns = file.span_ns()
    return Recording(
        file=file,
        paths=(path, *more),
        site=first.site,
        gateway=first.gateway,
        first_site=first,
        from_ns=from_ns,
        to_ns=to_ns,
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
