"""Read a recording, in the order of time, from anywhere in it, also one that is cut off or damaged.

Knows nothing about who asks. A chunk is unpacked only when something in it is asked for.
"""

import heapq
import json
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path
from typing import IO

from mcap.records import Channel
from mcap.records import Message as McapMessage

from delivery.recordings.chunk import MAX_CHUNK_BYTES, Place, Unpacked, unpack_chunk
from delivery.recordings.compressed_video import picture_of
from delivery.recordings.format import (
    FOR_A_RERUN,
    FRAME_TOPIC,
    PANORAMA,
    VIDEO_TOPIC,
    Record,
    Trusted,
    time_text,
)
from delivery.recordings.refused_record import REFUSED_TOPIC, Refused, unpack_refused
from delivery.recordings.survey import MAX_CHANNELS, survey, whole_crc
from scene.errors import RecordingError, WireError
from scene.messages import Anomaly, Order, Receipt
from scene.packet import unpack
from scene.topics import parse_topic
from scene.wire import decode

MAX_HELD_BYTES = 400_000_000
"""A recording that needs more than this in memory to be put in order isn't ours."""
MOST_FRAMES = 100
"""So many frames' people may wait for their picture: the two are written one after the other."""
KEY_WITHIN_NS = 120_000_000_000
"""A key frame is looked for so far back; encoders give one every second or so."""

Wanted = Callable[[Channel], bool]
"""Tells by a channel's topic and metadata whether its messages are asked for."""


def read_recording(
    path: Path,
    *,
    from_ns: int | None = None,
    to_ns: int | None = None,
    from_key_frame: bool = False,
    on_missing: Callable[[str], None] | None = None,
    on_refused: Callable[[Refused], None] | None = None,
) -> Iterator[Record]:
    """Give everything that can be read of a recording, in the order of time.

    `from_ns` and `to_ns` are UTC nanoseconds of the recorder's clock, both included: records whose
    `at_ns`, when they were received, lies between them. The file is not read outside of that. A
    picture in between needs those before it to be decoded: with `from_key_frame` the panorama's
    packets (and only those) come from the last key frame at or before `from_ns` on, so the first
    have an earlier `at_ns`; where there is no such key frame within two minutes, none is added.
    What was said before and still holds (the site, alarms that stand) is not given again: ask
    `RecordingFile.last` for it.

    A file that was cut off, or in which bytes are damaged, gives all that is left; `on_missing` is
    told in words what is not, of the whole file what its records' heads show, and of damaged chunks
    those that were asked for. Messages that were refused when they came are none of these:
    `on_refused` takes them, or `on_missing` is told how many there are. Raises `RecordingError` at
    once for a file that is no recording of Lamproom's, and later for one that can't be read on.
    """
    file = RecordingFile(path, on_missing=on_missing)
    if from_ns is None and to_ns is None:
        file.check_sum()
    return file.records(
        from_ns=from_ns, to_ns=to_ns, from_key_frame=from_key_frame, on_refused=on_refused
    )


def read_messages(
    path: Path, *, on_missing: Callable[[str], None] | None = None
) -> Iterator[tuple[Channel, McapMessage]]:
    """Give every message as it lies in the file, in the order of time, with its channel.

    For those who read what is beside messages and panorama; else as `read_recording`.
    """
    return RecordingFile(path, on_missing=on_missing).messages()


class RecordingFile:
    """A recording that can be read from anywhere; to be used by one thread at a time."""

    def __init__(self, path: Path, *, on_missing: Callable[[str], None] | None = None) -> None:
        """Look over a file; `on_missing` is told in words what can't be read, each time once.

        Only the heads of its records are read, so that it takes a moment also for an hour. Raises
        `RecordingError`.
        """
        self.path = path
        self._told = set[str]()
        self._doubted = set[int]()
        """Where chunks lie whose indexes were found to be wrong."""
        self._on_missing = on_missing or (lambda _text: None)
        self._survey = survey(path)
        self._places = sorted(self._survey.places, key=lambda one: (one.from_ns, one.offset))
        self._starts_ns = [one.from_ns for one in self._places]
        self._reach_ns = list(accumulate((one.to_ns for one in self._places), max))
        """How far each chunk and all before it reach: where one may stop to look further back."""
        self._channels = self._survey.channels
        for text in self._survey.missing:
            self._miss(text)
        self._find_channels()

    @property
    def chunks(self) -> int:
        """How many chunks it has."""
        return len(self._places)

    def span_ns(self) -> tuple[int, int] | None:
        """Tell when the first and the last thing in it was received; none where nothing can be.

        What a chunk says of its times is believed only once it has been unpacked.
        """
        first = self._first_good(sorted(self._places, key=lambda one: one.from_ns))
        last = self._first_good(sorted(self._places, key=lambda one: -one.to_ns))
        return None if first is None or last is None else (first.from_ns, last.to_ns)

    def check_sum(self) -> None:
        """Read all bytes once and tell `on_missing` where they are not those that were written."""
        found = self._survey
        if found.data_crc and whole_crc(found) != found.data_crc:
            self._miss(f"{self.path}: some of its bytes are not those that were written")

    def records(
        self,
        *,
        from_ns: int | None = None,
        to_ns: int | None = None,
        from_key_frame: bool = False,
        wanted: Wanted | None = None,
        on_refused: Callable[[Refused], None] | None = None,
    ) -> Iterator[Record]:
        """Give records as `read_recording` does; `wanted` leaves out other channels."""
        begin_ns = from_ns
        if from_key_frame and from_ns is not None:
            begin_ns = self.key_frame_before(from_ns)
            begin_ns = from_ns if begin_ns is None else begin_ns
        decoder = _Decoder(on_refused)
        for channel, message in self._messages(begin_ns, to_ns, wanted):
            if from_ns is not None and message.log_time < from_ns and not _is_panorama(channel):
                continue
            try:
                record = decoder.record(channel, message)
            except WireError:
                decoder.foreign += 1
                continue
            if record is not None:
                yield record
        if decoder.foreign:
            self._miss(
                f"{self.path}: {decoder.foreign} messages can't be understood and were passed over"
            )
        if decoder.refused and on_refused is None:
            self._miss(
                f"{self.path}: {decoder.refused} messages were refused when they came (forged, "
                "altered or played again, as far as the keys there could tell) and are left out"
            )

    def messages(
        self,
        *,
        from_ns: int | None = None,
        to_ns: int | None = None,
        wanted: Wanted | None = None,
    ) -> Iterator[tuple[Channel, McapMessage]]:
        """Give messages as they lie in the file, by time, then by place; both ends included."""
        for channel, message in self._messages(from_ns, to_ns, wanted):
            if channel is not None:
                yield channel, message

    def last(self, wanted: Wanted, at_ns: int) -> Record | None:
        """Give the last record at or before a time that can be understood; none without."""
        best: tuple[int, int, int, Record] | None = None
        for place, reach_ns in self._backwards(at_ns, wanted):
            if best is not None and reach_ns < best[0]:
                break
            found = self._open_one(place)
            for i, message in reversed(list(enumerate(found.messages if found else ()))):
                channel = self._channels.get(message.channel_id)
                order = (message.log_time, place.offset, i)
                if channel is None or message.log_time > at_ns or not wanted(channel):
                    continue
                if best is not None and order <= best[:3]:
                    continue
                try:
                    best = (*order, record_of(channel, message))
                except WireError:
                    continue
        return None if best is None else best[3]

    def key_frame_before(self, at_ns: int) -> int | None:
        """Tell when the last key frame up to a time was received; none within two minutes."""
        best: int | None = None
        for place, reach_ns in self._backwards(at_ns, _is_frame):
            if reach_ns <= (at_ns - KEY_WITHIN_NS if best is None else best):
                break
            found = self._open_one(place)
            for message in found.messages if found else ():
                channel = self._channels.get(message.channel_id)
                early = message.log_time <= at_ns and (best is None or message.log_time > best)
                if channel is not None and _is_frame(channel) and early and _is_key(message.data):
                    best = message.log_time
        return best

    def _backwards(self, at_ns: int, wanted: Wanted) -> Iterator[tuple[Place, int]]:
        """Give the chunks that may hold something wanted at or before a time, the latest first.

        With each comes how far it and all that follow here reach.
        """
        unwanted = self._unwanted(wanted)
        for i in reversed(range(bisect_right(self._starts_ns, at_ns))):
            if self._may_hold(self._places[i], unwanted):
                yield self._places[i], self._reach_ns[i]

    def _unwanted(self, wanted: Wanted | None) -> frozenset[int]:
        """List the channels that are not asked for; one that is not known yet may be."""
        if wanted is None:
            return frozenset()
        return frozenset(id for id, channel in self._channels.items() if not wanted(channel))

    def _may_hold(self, place: Place, unwanted: frozenset[int]) -> bool:
        """Tell it at once: of an hour all ten thousand chunks may be asked."""
        if place.channels is None or place.offset in self._doubted:
            return True
        return not place.channels <= unwanted

    def _messages(
        self, from_ns: int | None, to_ns: int | None, wanted: Wanted | None
    ) -> Iterator[tuple[Channel | None, McapMessage]]:
        """Give all messages by time, then by place in the file; holds few chunks at a time."""
        heap: list[tuple[int, int, int, McapMessage]] = []
        held_bytes = 0
        low_ns, high_ns = from_ns or 0, 2**64 if to_ns is None else to_ns
        unwanted = self._unwanted(wanted)
        with self._reading() as file:
            first, last = (
                bisect_left(self._reach_ns, low_ns),
                bisect_right(self._starts_ns, high_ns),
            )
            for place in self._places[first:last]:
                if place.to_ns < low_ns or not self._may_hold(place, unwanted):
                    continue
                while heap and heap[0][0] < place.from_ns:
                    message = heapq.heappop(heap)[3]
                    held_bytes -= len(message.data)
                    yield self._channels.get(message.channel_id), message
                found = self._unpacked(file, place)
                for i, message in enumerate(found.messages if found else ()):
                    channel = self._channels.get(message.channel_id)
                    if not low_ns <= message.log_time <= high_ns:
                        continue
                    if channel is not None and wanted is not None and not wanted(channel):
                        continue
                    heapq.heappush(heap, (message.log_time, place.offset, i, message))
                    held_bytes += len(message.data)
                if held_bytes > MAX_HELD_BYTES:
                    raise RecordingError(f"{self.path}: is so disordered that it is no recording")
        while heap:
            message = heapq.heappop(heap)[3]
            yield self._channels.get(message.channel_id), message

    def _reading(self) -> "_Reading":
        return _Reading(self.path)

    def _open_one(self, place: Place) -> Unpacked | None:
        with self._reading() as file:
            return self._unpacked(file, place)

    def _unpacked(self, file: IO[bytes], place: Place) -> Unpacked | None:
        """Unpack a chunk; what is damaged is told, and gives none."""
        when = f"from {time_text(place.from_ns)} to {time_text(place.to_ns)}"
        try:
            found = unpack_chunk(_raw(file, place), place)
            for channel in found.channels:
                self._learn(channel)
        except WireError:
            self._miss(
                f"{self.path}: damaged {when}: a chunk of {place.length} bytes is passed over"
            )
            return None
        if not found.index_is_right:
            self._doubted.add(place.offset)
            self._miss(f"{self.path}: damaged {when}: an index is wrong; every message is there")
        return found

    def _learn(self, channel: Channel) -> None:
        known = self._channels.get(channel.id)
        if known is not None and known != channel:
            raise WireError("two channels of one number")
        if known is None and len(self._channels) < MAX_CHANNELS:
            self._channels[channel.id] = channel

    def _find_channels(self) -> None:
        """Find what channels are that the file's index does not list: it may be cut off.

        A channel is described in the chunk of its first message, or in the one before.
        """
        tried = set[int]()
        before: Place | None = None
        for place in sorted(self._survey.places, key=lambda one: one.offset):
            unknown = (place.channels or frozenset()) - self._channels.keys() - tried
            for one in (place, before) if unknown else ():
                if one is not None and unknown - self._channels.keys():
                    self._open_one(one)
            tried |= unknown
            before = place

    def _first_good(self, places: list[Place]) -> Place | None:
        opened = ((one, self._open_one(one)) for one in places)
        return next((one for one, found in opened if found and found.messages), None)

    def _miss(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._on_missing(text)


class _Reading:
    """The file, open; what the disk says becomes a `RecordingError`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> IO[bytes]:
        try:
            self._file: IO[bytes] = self._path.open("rb")
        except OSError as error:
            raise RecordingError(f"{self._path}: can't be read on: {error}") from None
        return self._file

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        self._file.close()
        if isinstance(error, OSError):
            raise RecordingError(f"{self._path}: can't be read on: {error}") from None


class _Decoder:
    """Makes records of messages in the order of time."""

    def __init__(self, on_refused: Callable[[Refused], None] | None) -> None:
        self._on_refused = on_refused
        self._frames: dict[int, bytes] = {}
        self.foreign = 0
        self.refused = 0

    def record(self, channel: Channel | None, message: McapMessage) -> Record | None:
        """Give a message's record; none where it is none by itself. Raises `WireError`."""
        if channel is None:
            raise WireError("unknown channel")
        if channel.metadata.get("kind") in FOR_A_RERUN:
            return None
        if channel.topic == FRAME_TOPIC:
            self._frames[message.sequence] = message.data
            while len(self._frames) > MOST_FRAMES:
                self._frames.pop(next(iter(self._frames)))
            return None
        if channel.topic == VIDEO_TOPIC:
            return _picture(message, self._frames)
        if channel.topic == REFUSED_TOPIC:
            apart = unpack_refused(message.data, message.log_time)
            self.refused += 1
            if self._on_refused is not None:
                self._on_refused(apart)
            return None
        return record_of(channel, message)


def record_of(channel: Channel, message: McapMessage) -> Record:
    """Make a record of a message that is no picture; raises `WireError` where it is not ours."""
    topic, body = channel.topic, decode(message.data).body
    if isinstance(body, Anomaly | Order | Receipt):
        topic = f"{topic}/{body.id if isinstance(body, Anomaly) else body.alarm}"
    parse_topic(topic)
    said = channel.metadata.get("trust")
    trust: Trusted = "signed" if said == "signed" else "unchecked"
    trust = "unsigned" if said == "unsigned" else trust
    return Record(at_ns=message.log_time, topic=topic, payload=message.data, body=body, trust=trust)


def _picture(message: McapMessage, frames: dict[int, bytes]) -> Record:
    header = frames.pop(message.sequence, None)
    if header is None:
        raise WireError("a picture without its frame")
    data = len(header).to_bytes(4, "big") + header + picture_of(message.data)
    return Record(at_ns=message.log_time, topic=PANORAMA, payload=data, body=unpack(data))


def _is_panorama(channel: Channel | None) -> bool:
    return channel is not None and channel.topic in (FRAME_TOPIC, VIDEO_TOPIC)


def _is_frame(channel: Channel) -> bool:
    return channel.topic == FRAME_TOPIC


def _is_key(header: bytes) -> bool:
    try:
        said = json.loads(header)
    except (ValueError, RecursionError):
        return False
    return isinstance(said, dict) and said.get("key_frame") is True


def _raw(file: IO[bytes], place: Place) -> bytes:
    if place.length + place.index_bytes > MAX_CHUNK_BYTES:
        raise WireError("too large")
    file.seek(place.offset)
    return file.read(place.length + place.index_bytes)
