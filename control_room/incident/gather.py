"""Go through recordings and keep all that is said in it, but for pictures and positions.

Knows nothing about files of an export. An alarm's life may begin long before the minutes that are
exported, so each recording is read as a whole.
"""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from mcap.records import Channel

from delivery.recordings.format import (
    FOR_A_RERUN,
    FRAME_TOPIC,
    PANORAMA,
    VIDEO_TOPIC,
    Record,
    Trusted,
)
from delivery.recordings.reader import RecordingFile
from delivery.recordings.refused_record import Refused
from scene.errors import RecordingError, WireError
from scene.messages import (
    Anomaly,
    GatewayHealth,
    GatewayState,
    Order,
    Receipt,
    SiteDescription,
)
from scene.topics import parse_topic

T = TypeVar("T")
MOST_KEPT = 200_000
"""Of each kind of message; a real recording of an hour has some 3,600 heartbeats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard(Generic[T]):
    """A message, and how it came."""

    at_ns: int
    """When it was received, by the recorder's clock."""
    body: T
    trust: Trusted


@dataclass(slots=True, kw_only=True)
class Gathered:
    """What recordings say of their first gateway."""

    files: tuple[RecordingFile, ...]
    """By time."""
    site: str = ""
    gateway: str = ""
    sites: list[Heard[SiteDescription]] = field(default_factory=list)
    """How the site was told to be; each that differs from the one before."""
    alarms: list[Heard[Anomaly]] = field(default_factory=list)
    orders: list[Heard[Order]] = field(default_factory=list)
    receipts: list[Heard[Receipt]] = field(default_factory=list)
    health: list[Heard[GatewayHealth]] = field(default_factory=list)
    states: list[Heard[GatewayState]] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    refused_most: int = 0
    """How many more were refused than are kept."""
    missing: list[str] = field(default_factory=list)
    """What the reader could not read, in its words."""
    bounds_ns: tuple[int, int] = (0, 0)
    """When the first and the last thing in it was received."""
    trust: Counter[Trusted] = field(default_factory=Counter)
    """How many messages came how: all but positions, and the positions that are exported."""
    others: int = 0
    """Messages of other gateways, which are left out."""
    impossible: int = 0
    """People with figures that nobody has, who are left out."""
    dropped: int = 0
    """Messages beyond `MOST_KEPT`, which are left out."""


def gather(*paths: Path) -> Gathered:
    """Read all messages of recordings but positions, and look whether the files are sound.

    They are of one gateway, and come by time. Raises `RecordingError` where there is nothing to
    export.
    """
    missing = list[str]()
    files = tuple(_opened(path, missing) for path in paths)
    found = Gathered(files=files, missing=missing)

    def keep_refused(one: Refused) -> None:
        if len(found.refused) < MOST_KEPT:
            found.refused.append(one)
        else:
            found.refused_most += 1

    for file in files:
        for record in file.records(wanted=_is_word, on_refused=keep_refused):
            _keep(found, record)
    bounds = [span for file in files if (span := file.span_ns()) is not None]
    if not found.sites or not bounds:
        raise RecordingError(
            f"{paths[0]}: has no site description; it was not written by `lamproom run --record`"
        )
    found.bounds_ns = (min(first for first, _ in bounds), max(last for _, last in bounds))
    for said in (found.alarms, found.health):
        said.sort(key=lambda one: one.body.captured_at_ns)
    return found


def _opened(path: Path, missing: list[str]) -> RecordingFile:
    file = RecordingFile(path, on_missing=lambda text: missing.append(_by_name(text, path)))
    file.check_sum()
    return file


def is_shown(channel: Channel) -> bool:
    """Tell whether a channel has what film and tracks are made of."""
    return channel.topic in (FRAME_TOPIC, VIDEO_TOPIC) or channel.topic.endswith("/positions")


def _is_word(channel: Channel) -> bool:
    return not is_shown(channel) and channel.metadata.get("kind") not in FOR_A_RERUN


def _by_name(text: str, path: Path) -> str:
    """Leave out where the file lies: that is nobody's business who reads an export."""
    return text.replace(str(path), path.name)


def is_of(found: Gathered, record: Record) -> bool:
    """Tell whether a record is the gateway's that is exported."""
    if record.topic == PANORAMA:
        return True
    try:
        address = parse_topic(record.topic)
    except WireError:
        return False
    if not found.gateway and isinstance(record.body, SiteDescription):
        found.site, found.gateway = address.site, address.gateway
    return address.gateway in (found.gateway, "") or not found.gateway


def _keep(found: Gathered, record: Record) -> None:
    body = record.body
    if not is_of(found, record):
        found.others += 1
        return
    found.trust[record.trust] += 1
    if isinstance(body, SiteDescription):
        if not found.sites or found.sites[-1].body != body:
            _put(found, found.sites, record, body)
    elif isinstance(body, Anomaly):
        _put(found, found.alarms, record, body)
    elif isinstance(body, GatewayHealth):
        _put(found, found.health, record, body)
    elif isinstance(body, GatewayState):
        _put(found, found.states, record, body)
    elif isinstance(body, Order):
        _put(found, found.orders, record, body)
    elif isinstance(body, Receipt):
        _put(found, found.receipts, record, body)


def _put(found: Gathered, into: list[Heard[T]], record: Record, body: T) -> None:
    if len(into) < MOST_KEPT:
        into.append(Heard(at_ns=record.at_ns, body=body, trust=record.trust))
    else:
        found.dropped += 1
