"""Recordings: a run's messages and panorama in one MCAP file that survives a power cut.

Knows nothing about brokers or sockets. Field tools (Foxglove, Rerun, the `mcap` package) open the
file: messages are JSON with their JSON Schema, the panorama is `foxglove.CompressedVideo`, and the
people of each frame lie beside it under the same sequence number, so that a replay is exact. Every
channel of messages says in its metadata whether their signatures were right (`trust`); what was
refused lies apart from all messages (`delivery/refused_record.py`).
"""

import contextlib
import errno
import heapq
import json
import os
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import IO, Any, Literal

import zstandard
from mcap.data_stream import ReadDataStream
from mcap.opcode import Opcode
from mcap.records import Channel, Chunk, Header
from mcap.records import Message as McapMessage
from mcap.stream_reader import breakup_chunk
from mcap.writer import CompressionType, Writer
from pydantic import TypeAdapter

from delivery.compressed_video import SCHEMA, picture_of, video_message
from delivery.refused_record import REFUSED_TOPIC, Refused, pack_refused, unpack_refused
from delivery.refused_record import SCHEMA as REFUSED_SCHEMA
from scene.clock import Clock
from scene.errors import RecordingError, WireError
from scene.messages import Anomaly, Order, PanoramaPacket, Positions, Receipt
from scene.packet import pack, unpack
from scene.topics import TOPICS, parse_topic
from scene.wire import MAX_BYTES, Message, decode, json_schema

PROFILE = "lamproom"
PANORAMA = "panorama"
FRAME_TOPIC, VIDEO_TOPIC = "panorama/frame", "panorama/video"
CHUNK_BYTES = 65_536
FLUSH_S = 1.0
"""What a power cut can cost at most."""
MAX_CHUNK_BYTES = 40_000_000
"""Unpacked; the largest message is 16 MB."""
MAX_HELD_BYTES = 400_000_000
"""A recording that needs more than this in memory to be put in order isn't ours."""
MAX_CHANNELS = 10_000

_MAGIC = b"\x89MCAP0\r\n"


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


class RecordingWriter:
    """Writes a recording; may be used from several threads."""

    def __init__(self, path: Path, clock: Clock) -> None:
        """Open a new file: `path`, or `name-2.mcap`, … where there is one already.

        Raises `RecordingError`; nothing is ever written over.
        """
        self._clock = clock
        self._lock = threading.Lock()
        self._channels: dict[tuple[str, Trusted | None], int] = {}
        self._packets = 0
        self.skipped = 0
        """How many messages were none of Lamproom's, and so were not recorded."""
        self._error: RecordingError | None = None
        self._closed = threading.Event()
        self.path, self._file = _new_file(path)
        self._mcap = Writer(self._file, chunk_size=CHUNK_BYTES, compression=CompressionType.ZSTD)
        try:
            self._mcap.start(profile=PROFILE, library="lamproom")
            frame = self._mcap.register_schema("lamproom.frame", "jsonschema", _frame_schema())
            video = self._mcap.register_schema("foxglove.CompressedVideo", "protobuf", SCHEMA)
            self._frame = self._mcap.register_channel(FRAME_TOPIC, "json", frame)
            self._video = self._mcap.register_channel(VIDEO_TOPIC, "protobuf", video)
            self._file.flush()
        except OSError as error:
            self._file.close()
            raise self._stopped(error) from None
        self._thread = threading.Thread(target=self._keep_flushing, name="flush", daemon=True)
        self._thread.start()

    def message(
        self, topic: str, payload: bytes, received_at_ns: int, trust: Trusted = "unchecked"
    ) -> None:
        """Record an MQTT message as it came; raises `RecordingError` once the disk refuses.

        What is not Lamproom's, and the empty messages that end a retained one, are passed over.
        """
        if not payload:
            return
        try:
            channel_topic, kind = _channel_topic(topic, payload)
        except WireError:
            self.skipped += 1
            return
        with self._writing():
            channel = self._channels.get((channel_topic, trust))
            if channel is None:
                schema = json.dumps(json_schema(kind)).encode()
                schema_id = self._mcap.register_schema(f"lamproom.{kind}", "jsonschema", schema)
                marks: dict[str, str] = {"trust": trust}
                channel = self._mcap.register_channel(channel_topic, "json", schema_id, marks)
                self._channels[channel_topic, trust] = channel
            self._mcap.add_message(channel, received_at_ns, payload, received_at_ns)

    def refused(self, topic: str, payload: bytes, why: str, received_at_ns: int) -> None:
        """Record a message that was not believed, apart from all others; raises as `message`."""
        if len(payload) > MAX_BYTES:
            self.skipped += 1
            return
        with self._writing():
            channel = self._channels.get((REFUSED_TOPIC, None))
            if channel is None:
                schema_id = self._mcap.register_schema(
                    "lamproom.refused", "jsonschema", REFUSED_SCHEMA
                )
                channel = self._mcap.register_channel(REFUSED_TOPIC, "json", schema_id)
                self._channels[REFUSED_TOPIC, None] = channel
            data = pack_refused(topic, payload, why)
            self._mcap.add_message(channel, received_at_ns, data, received_at_ns)

    def packet(self, packet: PanoramaPacket) -> None:
        """Record a frame of the panorama with its people; raises `RecordingError`."""
        data = pack(packet)
        header = data[4 : 4 + int.from_bytes(data[:4], "big")]
        video = video_message(packet.captured_at_ns, packet.payload)
        with self._writing():
            self._packets += 1
            sequence, now_ns = self._packets % 2**32, self._clock.now_ns()
            captured_at_ns = packet.captured_at_ns
            self._mcap.add_message(self._frame, now_ns, header, captured_at_ns, sequence)
            self._mcap.add_message(self._video, now_ns, video, captured_at_ns, sequence)

    def close(self) -> None:
        """Finish the file with its index; may be called twice. Raises `RecordingError`."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._thread.join()
        with self._lock:
            try:
                if self._error is None:
                    self._mcap.finish()  # type: ignore[no-untyped-call]
                    self._file.flush()
                    os.fsync(self._file.fileno())
            except OSError as error:
                raise self._stopped(error) from None
            finally:
                with contextlib.suppress(OSError):
                    self._file.close()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        with self._lock:
            if self._closed.is_set():
                raise RecordingError(f"{self.path}: the recording is closed")
            if self._error is not None:
                raise self._error
            try:
                yield
            except OSError as error:
                raise self._stopped(error) from None

    @property
    def trouble(self) -> RecordingError | None:
        """Why nothing can be written any more; none while all is well."""
        return self._error

    def _stopped(self, error: OSError) -> RecordingError:
        kind = DiskFullError if _means_full(error) else RecordingError
        self._error = kind(
            f"{self.path}: the recording stopped: {error}; free space, or give another place"
        )
        return self._error

    def _keep_flushing(self) -> None:
        while not self._closed.wait(FLUSH_S):
            try:
                with self._lock:
                    self._mcap.flush()  # type: ignore[no-untyped-call]
                os.fsync(self._file.fileno())  # others may write meanwhile
            except OSError as error:
                self._stopped(error)
                return


def read_recording(
    path: Path,
    *,
    on_missing: Callable[[str], None] | None = None,
    on_refused: Callable[[Refused], None] | None = None,
) -> Iterator[Record]:
    """Give everything that can be read of a recording, in the order of time.

    A file that was cut off, or in which bytes are damaged, gives all that is left;
    `on_missing` is told in words what is not. Messages that were refused when they came are none of
    these: `on_refused` takes them, or `on_missing` is told how many there are. Raises
    `RecordingError` at once for a file that is no recording of Lamproom's.
    """
    places, channels, missing = _survey(path)
    tell = on_missing or (lambda _text: None)
    return _records(path, places, channels, missing, tell, on_refused=on_refused)


def repair(path: Path) -> tuple[Path, tuple[str, ...]]:
    """Write what can be read of a damaged recording into a new file, whole and with an index.

    Gives the new file, `name-repaired.mcap`, and what is missing in it; the old file stays as it
    is. The new file is read back before it is believed. Raises `RecordingError`.
    """
    missing: list[str] = []
    clock = _SetClock()
    writer = RecordingWriter(path.with_name(f"{path.stem}-repaired.mcap"), clock)
    count, refused = 0, list[Refused]()

    def keep(one: Refused) -> None:
        refused.append(one)
        writer.refused(one.topic, one.payload, one.why, one.at_ns)

    try:
        for record in read_recording(path, on_missing=missing.append, on_refused=keep):
            count += 1
            clock.at_ns = record.at_ns
            if isinstance(record.body, PanoramaPacket):
                writer.packet(record.body)
            else:
                writer.message(record.topic, record.payload, record.at_ns, record.trust)
    except RecordingError:
        writer.close()
        writer.path.unlink(missing_ok=True)
        raise
    writer.close()
    again, apart = list[str](), list[Refused]()
    read = read_recording(writer.path, on_missing=again.append, on_refused=apart.append)
    if sum(1 for _ in read) != count or again or apart != refused:
        raise RecordingError(f"{writer.path}: can't be read back; is the disk failing?")
    return writer.path, tuple(missing)


class _SetClock:
    """Tells the time it was set to."""

    at_ns = 0

    def now_ns(self) -> int:
        return self.at_ns

    def monotonic_s(self) -> float:
        return self.at_ns / 1e9

    def sleep(self, duration_s: float) -> None:
        pass


# ---- reading ----


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a chunk lies in the file, and which times it says that it holds."""

    from_ns: int
    to_ns: int
    offset: int
    length: int


def _survey(path: Path) -> tuple[list[_Place], dict[int, Channel], list[str]]:
    """Walk over a file's records without unpacking them: chunks, channels, what is missing."""
    try:
        with path.open("rb") as file:
            return _walk(path, file)
    except FileNotFoundError:
        raise RecordingError(f"{path}: there is no such recording") from None
    except OSError as error:
        raise RecordingError(f"{path}: can't be read: {error}") from None


def _walk(path: Path, file: IO[bytes]) -> tuple[list[_Place], dict[int, Channel], list[str]]:
    size = os.fstat(file.fileno()).st_size
    if file.read(len(_MAGIC)) != _MAGIC:
        raise RecordingError(f"{path}: is no recording (not an MCAP file)")
    places: list[_Place] = []
    channels: dict[int, Channel] = {}
    at, whole, header_seen, all_there = len(_MAGIC), False, False, False
    while not whole and at + 9 <= size:
        file.seek(at)
        opcode, length = struct.unpack("<BQ", file.read(9))
        if at + 9 + length > size or not 1 <= opcode <= 0x7F:
            break
        if opcode == Opcode.HEADER and not header_seen:
            header_seen = _is_ours(path, file.read(min(length, 4096)))
        elif opcode == Opcode.CHUNK and length >= 32:
            from_ns, to_ns = struct.unpack("<QQ", file.read(16))
            places.append(_Place(from_ns=from_ns, to_ns=to_ns, offset=at + 9, length=length))
        elif opcode == Opcode.CHANNEL and len(channels) < MAX_CHANNELS:
            with contextlib.suppress(Exception):  # whatever the bytes make of it
                channel = Channel.read(ReadDataStream(BytesIO(file.read(min(length, 65_536)))))
                channels[channel.id] = channel
        elif opcode == Opcode.DATA_END:
            all_there = True
        elif opcode == Opcode.FOOTER:
            file.seek(at + 9 + length)
            whole = file.read() == _MAGIC
            break
        at += 9 + length
    if not header_seen:
        raise RecordingError(f"{path}: its beginning is cut off or damaged; nothing can be read")
    missing = []
    if all_there and not whole:
        missing.append(f"{path}: only its index is cut off or damaged; every message is there")
    elif not whole:
        last = f" after {_time_text(places[-1].to_ns)}" if places else ""
        missing.append(
            f"{path}: the end is missing: it breaks off{last}, its last {size - at} bytes can't be "
            f"read, and up to {FLUSH_S:g} s before the break may not have been written"
        )
    return places, channels, missing


def _is_ours(path: Path, data: bytes) -> bool:
    try:
        profile = Header.read(ReadDataStream(BytesIO(data))).profile
    except Exception:  # whatever the bytes make of it
        profile = ""
    if profile != PROFILE:
        raise RecordingError(f"{path}: is an MCAP file, but was not recorded by Lamproom")
    return True


def _records(
    path: Path,
    places: list[_Place],
    channels: dict[int, Channel],
    missing: list[str],
    on_missing: Callable[[str], None],
    *,
    on_refused: Callable[[Refused], None] | None,
) -> Iterator[Record]:
    frames: dict[int, bytes] = {}
    foreign, refused = 0, 0
    for text in missing:
        on_missing(text)
    for message in _in_order(path, places, channels, on_missing):
        channel = channels.get(message.channel_id)
        try:
            if channel is None:
                raise WireError("unknown channel")
            if channel.topic == FRAME_TOPIC:
                frames[message.sequence] = message.data
                while len(frames) > 100:
                    frames.pop(next(iter(frames)))
                continue
            if channel.topic == REFUSED_TOPIC:
                apart = unpack_refused(message.data, message.log_time)
                refused += 1
                if on_refused is not None:
                    on_refused(apart)
                continue
            yield _record_of(message, channel, frames)
        except WireError:
            foreign += 1
    if foreign:
        on_missing(f"{path}: {foreign} messages can't be understood and were passed over")
    if refused and on_refused is None:
        on_missing(
            f"{path}: {refused} messages were refused when they came (forged, altered or played "
            "again, as far as the keys there could tell) and are left out"
        )


def _record_of(message: McapMessage, channel: Channel, frames: dict[int, bytes]) -> Record:
    """Make a record of a message; raises `WireError` for one that is not ours."""
    topic = channel.topic
    if topic == VIDEO_TOPIC:
        header = frames.pop(message.sequence, None)
        if header is None:
            raise WireError("a picture without its frame")
        data = len(header).to_bytes(4, "big") + header + picture_of(message.data)
        return Record(at_ns=message.log_time, topic=PANORAMA, payload=data, body=unpack(data))
    body = decode(message.data).body
    if isinstance(body, Anomaly | Order | Receipt):
        topic = f"{topic}/{body.id if isinstance(body, Anomaly) else body.alarm}"
    parse_topic(topic)
    said = channel.metadata.get("trust")
    trust: Trusted = "signed" if said == "signed" else "unchecked"
    trust = "unsigned" if said == "unsigned" else trust
    return Record(at_ns=message.log_time, topic=topic, payload=message.data, body=body, trust=trust)


def _in_order(
    path: Path,
    places: list[_Place],
    channels: dict[int, Channel],
    on_missing: Callable[[str], None],
) -> Iterator[McapMessage]:
    """Give all messages by time, then by place in the file; holds few chunks at a time."""
    heap: list[tuple[int, int, int, McapMessage]] = []
    held_bytes = 0
    try:
        with path.open("rb") as file:
            for place in sorted(places, key=lambda one: (one.from_ns, one.offset)):
                while heap and heap[0][0] < place.from_ns:
                    message = heapq.heappop(heap)[3]
                    held_bytes -= len(message.data)
                    yield message
                try:
                    found = _unpacked(file, place)
                except WireError:
                    on_missing(
                        f"{path}: damaged from {_time_text(place.from_ns)} to "
                        f"{_time_text(place.to_ns)}: a chunk of {place.length} bytes is passed over"
                    )
                    continue
                for i, record in enumerate(found):
                    if isinstance(record, Channel) and len(channels) < MAX_CHANNELS:
                        channels[record.id] = record
                    elif isinstance(record, McapMessage):
                        heapq.heappush(heap, (record.log_time, place.offset, i, record))
                        held_bytes += len(record.data)
                if held_bytes > MAX_HELD_BYTES:
                    raise RecordingError(f"{path}: is so disordered that it is no recording")
    except OSError as error:
        raise RecordingError(f"{path}: can't be read on: {error}") from None
    while heap:
        yield heapq.heappop(heap)[3]


def _unpacked(file: IO[bytes], place: _Place) -> list[Any]:
    """Unpack a chunk; raises `WireError` when any of its bytes is damaged."""
    if place.length > MAX_CHUNK_BYTES:
        raise WireError("too large")
    file.seek(place.offset)
    raw = file.read(place.length)
    try:
        return _checked(Chunk.read(ReadDataStream(BytesIO(raw))), place)
    except Exception as error:  # the libraries raise whatever the bytes make of them
        raise WireError(f"damaged chunk: {error}") from None


def _checked(chunk: Chunk, place: _Place) -> list[Any]:
    data = chunk.data
    if chunk.uncompressed_size > MAX_CHUNK_BYTES or chunk.compression not in ("", "zstd"):
        raise ValueError("not a chunk of ours")
    if chunk.compression == "zstd":
        if zstandard.get_frame_parameters(data).content_size != chunk.uncompressed_size:
            raise ValueError("sizes disagree")
        data = zstandard.decompress(data, chunk.uncompressed_size)
    if len(data) != chunk.uncompressed_size or zlib.crc32(data) != chunk.uncompressed_crc:
        raise ValueError("check sums disagree")
    plain = replace(chunk, compression="", data=data, uncompressed_crc=0)
    found = list(breakup_chunk(plain))
    times = [one.log_time for one in found if isinstance(one, McapMessage)]
    if times and (min(times), max(times)) != (place.from_ns, place.to_ns):
        raise ValueError("times disagree")
    return found


# ---- writing ----


def _new_file(path: Path) -> tuple[Path, IO[bytes]]:
    number = 1
    while True:
        wanted = path if number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")
        try:
            return wanted, wanted.open("xb")
        except FileExistsError:
            number += 1
        except OSError as error:
            kind = DiskFullError if _means_full(error) else RecordingError
            raise kind(f"{wanted}: can't be written: {error}") from None


def _means_full(error: OSError) -> bool:
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def _channel_topic(topic: str, payload: bytes) -> tuple[str, str]:
    """Give the channel of a topic (alarms share one, whatever their id) and its type.

    Raises `WireError` for what is none of ours.
    """
    if len(payload) > MAX_BYTES:
        raise WireError("too large")
    address = parse_topic(topic)
    kind = TOPICS[address.topic].message
    if address.id is None:
        return topic, kind
    body = decode(payload).body
    id = body.id if isinstance(body, Anomaly) else getattr(body, "alarm", None)
    if id != address.id:
        raise WireError("another alarm than its topic says")
    return topic.rpartition("/")[0], kind


def _frame_schema() -> bytes:
    positions = TypeAdapter(Positions).json_schema(mode="serialization")
    definitions = positions.pop("$defs", {})
    return json.dumps(
        {
            "title": "lamproom/panorama/1",
            "type": "object",
            "properties": {
                "schema": {"const": "lamproom/panorama/1"},
                "captured_at_ns": {"type": "integer"},
                "key_frame": {"type": "boolean"},
                "geometry": {"type": "string"},
                "size_px": {"type": "array", "items": {"type": "integer"}},
                "positions": positions,
            },
            "$defs": definitions,
        }
    ).encode()


def _time_text(at_ns: int) -> str:
    from datetime import UTC, datetime

    try:
        return datetime.fromtimestamp(at_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + "Z"
    except (ValueError, OverflowError, OSError):
        return f"{at_ns} ns"
