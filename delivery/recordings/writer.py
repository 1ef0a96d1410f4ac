"""Write a recording: flushed every second, so that a power cut costs no more."""

import contextlib
import errno
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from mcap.writer import CompressionType, Writer
from pydantic import TypeAdapter

from delivery.recordings.camera_packets import Handed
from delivery.recordings.compressed_video import SCHEMA, video_message
from delivery.recordings.format import (
    FLUSH_S,
    FRAME_TOPIC,
    LOST_TOPIC,
    PROFILE,
    RUN,
    STEPS_TOPIC,
    VIDEO_TOPIC,
    DiskFullError,
    Trusted,
    number_in,
)
from delivery.recordings.refused_record import REFUSED_TOPIC, pack_refused
from delivery.recordings.refused_record import SCHEMA as REFUSED_SCHEMA
from delivery.recordings.run_record import RunRecord
from scene.clock import Clock
from scene.errors import RecordingError, WireError
from scene.messages import Anomaly, PanoramaPacket, Positions
from scene.packet import pack, split
from scene.topics import TOPICS, parse_topic
from scene.wire import MAX_BYTES, decode, json_schema

CHUNK_BYTES = 65_536
CHUNK_BYTES_WITH_CAMERAS = 1_000_000
"""Cameras give so much that small chunks would make the index, which is kept in memory, large."""
_ANY_OBJECT = json.dumps({"type": "object"}).encode()


class RecordingWriter:
    """Writes a recording; may be used from several threads."""

    def __init__(self, path: Path, clock: Clock, run: RunRecord | None = None) -> None:
        """Open a new file: `path`, or `name-2.mcap`, … behind those that are there already.

        `run` is written into it. Raises `RecordingError`; nothing is ever written over.
        """
        self._clock = clock
        self._lock = threading.Lock()
        self._channels: dict[tuple[str, Trusted | None], int] = {}
        self._streams: dict[str, int] = {}
        self._packets = 0
        self.skipped = 0
        """How many messages were none of Lamproom's, and so were not recorded."""
        self._error: RecordingError | None = None
        self._closed = threading.Event()
        self.path, self._file = _new_file(path)
        chunk_size = CHUNK_BYTES_WITH_CAMERAS if run and run.cameras else CHUNK_BYTES
        self._mcap = Writer(
            self._file,
            chunk_size=chunk_size,
            compression=CompressionType.ZSTD,
            enable_data_crcs=True,
        )
        try:
            self._mcap.start(profile=PROFILE, library="lamproom")
            if run is not None:
                self._mcap.add_metadata(RUN, run.texts())
            frame = self._mcap.register_schema("lamproom.frame", "jsonschema", _frame_schema())
            self._coded = self._mcap.register_schema("foxglove.CompressedVideo", "protobuf", SCHEMA)
            self._frame = self._mcap.register_channel(FRAME_TOPIC, "json", frame)
            self._video = self._mcap.register_channel(VIDEO_TOPIC, "protobuf", self._coded)
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
        self.split_packet(*split(pack(packet)), received_at_ns=self._clock.now_ns())

    def split_packet(
        self, captured_at_ns: int, header: bytes, picture: bytes, *, received_at_ns: int
    ) -> None:
        """Record a frame of the panorama as it came, see `scene.packet.split`."""
        video, at_ns = video_message(captured_at_ns, picture), received_at_ns
        with self._writing():
            self._packets += 1
            sequence = self._packets % 2**32
            self._mcap.add_message(self._frame, at_ns, header, captured_at_ns, sequence)
            self._mcap.add_message(self._video, at_ns, video, captured_at_ns, sequence)

    def camera(self, handed: Handed) -> None:
        """Record a camera's packet; raises `RecordingError`, or `WireError` for what is none."""
        at_ns = handed.captured_at_ns
        if not 0 <= at_ns < 2**63:
            raise WireError(f"a camera's packet of {at_ns} ns")
        with self._writing():
            channel = self._streams.get(handed.stream)
            if channel is None:
                marks = _texts_in(handed.stream)
                topic = f"camera/{marks['camera']}"
                channel = self._mcap.register_channel(topic, "protobuf", self._coded, marks)
                self._streams[handed.stream] = channel
            now_ns = self._clock.now_ns()
            self._mcap.add_message(channel, now_ns, handed.message, at_ns, handed.number)

    def step(self, step: bytes) -> None:
        """Record a step of the pipeline, a JSON object; raises `RecordingError`."""
        self.for_a_rerun("steps", STEPS_TOPIC, step)

    def lost(self, what: str, records: int) -> None:
        """Record that so many packets or steps did not get here; raises `RecordingError`."""
        text = json.dumps({"of": what, "records": records}).encode()
        self.for_a_rerun("lost", LOST_TOPIC, text)

    def for_a_rerun(self, kind: str, topic: str, data: bytes) -> None:
        """Record an object that only a second run needs; raises `RecordingError`."""
        with self._writing():
            channel = self._channels.get((topic, None))
            if channel is None:
                schema = self._mcap.register_schema(f"lamproom.{kind}", "jsonschema", _ANY_OBJECT)
                channel = self._mcap.register_channel(topic, "json", schema, {"kind": kind})
                self._channels[topic, None] = channel
            now_ns = self._clock.now_ns()
            self._mcap.add_message(channel, now_ns, data, now_ns)

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


def _new_file(path: Path) -> tuple[Path, IO[bytes]]:
    """Open a file behind the last one, also where older ones were deleted: names go by time."""
    number = _last_number(path) + 1
    while True:
        wanted = path if number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")
        try:
            return wanted, wanted.open("xb")
        except FileExistsError:
            number += 1
        except OSError as error:
            kind = DiskFullError if _means_full(error) else RecordingError
            raise kind(f"{wanted}: can't be written: {error}") from None


def _last_number(path: Path) -> int:
    """Find the highest number of the files that are there; 0 where there is none."""
    numbers: list[int] = []
    with contextlib.suppress(OSError):
        numbers = [number for one in os.listdir(path.parent) if (number := number_in(one, path))]
    return max(numbers, default=0)


def _texts_in(stream: str) -> dict[str, str]:
    """Read a stream's parameters; raises `WireError` before anything of it is in the file."""
    try:
        said = json.loads(stream)
        said["camera"]  # else it could not be found again
        said = {str(name): text for name, text in said.items() if isinstance(text, str)}
        "".join((*said, *said.values())).encode()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise WireError(f"a camera's stream: {type(error).__name__}") from None
    return said


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
