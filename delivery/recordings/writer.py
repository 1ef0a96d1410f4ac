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

from delivery.recordings.compressed_video import SCHEMA, video_message
from delivery.recordings.format import (
    FLUSH_S,
    FRAME_TOPIC,
    PROFILE,
    VIDEO_TOPIC,
    DiskFullError,
    Trusted,
)
from delivery.recordings.refused_record import REFUSED_TOPIC, pack_refused
from delivery.recordings.refused_record import SCHEMA as REFUSED_SCHEMA
from scene.clock import Clock
from scene.errors import RecordingError, WireError
from scene.messages import Anomaly, PanoramaPacket, Positions
from scene.packet import pack
from scene.topics import TOPICS, parse_topic
from scene.wire import MAX_BYTES, decode, json_schema

CHUNK_BYTES = 65_536


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
