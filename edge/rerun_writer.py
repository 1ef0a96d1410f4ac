"""Records a second run, so that `lamproom replay` shows it like any other.

Knows nothing about how results come about. What the pipeline does not make (the site, health, tags,
orders, alarms about cameras) is taken over from the first recording.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from control_room.judge import about_people
from delivery.recordings.format import Record
from delivery.recordings.reader import read_recording
from delivery.recordings.run_record import RunRecord
from delivery.recordings.writer import RecordingWriter
from edge.description import described_zones, without_secrets
from edge.encoder import PanoramaEncoder
from edge.packets import packet_of
from edge.rerun_pipeline import Instant
from scene.messages import Anomaly, PanoramaPacket, Positions, SiteDescription
from scene.site import Site
from scene.topics import topic_name
from scene.wire import Message, encode, type_name

BITRATE_KBIT_S = 4000


class RerunWriter:
    """Writes instants in their order until it is closed."""

    def __init__(
        self, path: Path, first: Sequence[Path], run: RunRecord, rules: tuple[Site, str] | None
    ) -> None:
        """Write a new file with what else is in the `first` recording; raises `RecordingError`.

        `rules` are a site, and its file's text, whose rules counted instead.
        """
        self._clock = _SetClock()
        self._run, self._rules = run, rules
        self._writer = RecordingWriter(path, self._clock, replace(run, cameras=""))
        self._others = _others(first)
        self._next: Record | None = next(self._others, None)
        self._encoder: PanoramaEncoder | None = None
        self._count = 0

    @property
    def path(self) -> Path:
        """The file that is written."""
        return self._writer.path

    def add(self, instant: Instant) -> None:
        """Write one instant, and what was said before it."""
        self._take_over(instant.recorded_at_ns)
        self._clock.at_ns = instant.recorded_at_ns
        for anomaly in filter(about_people, instant.anomalies):
            self._say(anomaly, instant.recorded_at_ns)
        self._say(instant.positions, instant.recorded_at_ns)
        if instant.picture is not None:
            size_px = instant.picture.panorama.image.size_px
            self._encoder = self._encoder or PanoramaEncoder(size_px, 10.0, BITRATE_KBIT_S)
            self._writer.packet(packet_of(instant.picture, self._encoder))

    def close(self) -> None:
        """Write the rest and finish the file."""
        self._take_over(None)
        self._writer.close()

    def _take_over(self, until_ns: int | None) -> None:
        while self._next is not None and (until_ns is None or self._next.at_ns <= until_ns):
            record = self._next
            if isinstance(record.body, SiteDescription) and self._rules is not None:
                self._say(_ruled(record.body, *self._rules), record.at_ns)
            else:
                self._writer.message(record.topic, record.payload, record.at_ns, record.trust)
            self._next = next(self._others, None)

    def _say(self, message: Message, at_ns: int) -> None:
        self._count += 1
        kind = type_name(message)
        id = message.id if isinstance(message, Anomaly) else None
        place = {"site": self._run.site, "gateway": self._run.gateway}
        topic = topic_name(kind, id=id, **place)
        payload = encode(message, gateway=self._run.gateway, seq=self._count, sent_at_ns=at_ns)
        self._writer.message(topic, payload, at_ns)


def _others(paths: Sequence[Path]) -> Iterator[Record]:
    """Give what a pipeline does not make."""
    for path in paths:
        for record in read_recording(path, on_missing=lambda _text: None):
            body = record.body
            made = isinstance(body, Positions | PanoramaPacket)
            if not made and not (isinstance(body, Anomaly) and about_people(body)):
                yield record


def _ruled(description: SiteDescription, site: Site, text: str) -> SiteDescription:
    """Describe a site by other rules, so that a replay shows and judges by them."""
    return replace(
        description, site_yaml=without_secrets(text, site), zones=described_zones(site.zones)
    )


class _SetClock:
    """Tells the time it was set to."""

    at_ns = 0

    def now_ns(self) -> int:
        return self.at_ns

    def monotonic_s(self) -> float:
        return self.at_ns / 1e9

    def sleep(self, duration_s: float) -> None:
        pass
