"""Make a damaged recording whole again, as far as it can be read."""

import heapq
import json
from collections.abc import Iterator
from pathlib import Path

from mcap.records import Channel
from mcap.records import Message as McapMessage

from delivery.recordings.camera_packets import KIND, Handed
from delivery.recordings.format import FOR_A_RERUN, Record
from delivery.recordings.reader import read_messages, read_recording
from delivery.recordings.refused_record import Refused
from delivery.recordings.run_record import read_run
from delivery.recordings.writer import RecordingWriter
from scene.errors import RecordingError
from scene.messages import PanoramaPacket

_Entry = Record | tuple[Channel, McapMessage]


def repair(path: Path) -> tuple[Path, tuple[str, ...]]:
    """Write what can be read of a damaged recording into a new file, whole and with an index.

    Gives the new file, `name-repaired.mcap`, and what is missing in it; the old file stays as it
    is. The new file is read back before it is believed. Raises `RecordingError`.
    """
    missing: list[str] = []
    clock = _SetClock()
    repaired = path.with_name(f"{path.stem}-repaired.mcap")
    writer = RecordingWriter(repaired, clock, read_run(path))
    count, refused = 0, list[Refused]()

    def keep(one: Refused) -> None:
        refused.append(one)
        writer.refused(one.topic, one.payload, one.why, one.at_ns)

    try:
        records: Iterator[_Entry] = read_recording(path, on_missing=missing.append, on_refused=keep)
        others: Iterator[_Entry] = _for_a_rerun(path)
        for record in heapq.merge(records, others, key=_at_ns):
            count += 1
            clock.at_ns = _at_ns(record)
            if not isinstance(record, Record):
                _write_for_a_rerun(writer, *record)
            elif isinstance(record.body, PanoramaPacket):
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
    found = sum(1 for _ in read) + sum(1 for _ in _for_a_rerun(writer.path))
    if found != count or again or apart != refused:
        raise RecordingError(f"{writer.path}: can't be read back; is the disk failing?")
    return writer.path, tuple(missing)


def _for_a_rerun(path: Path) -> Iterator[tuple[Channel, McapMessage]]:
    """Give what `lamproom rerun` needs, as it lies there."""
    for channel, message in read_messages(path):
        if channel.metadata.get("kind") in FOR_A_RERUN:
            yield channel, message


def _write_for_a_rerun(writer: RecordingWriter, channel: Channel, message: McapMessage) -> None:
    if channel.metadata["kind"] == KIND:
        packet = Handed(
            stream=json.dumps(channel.metadata),
            captured_at_ns=message.publish_time,
            number=message.sequence,
            key_frame=False,
            message=message.data,
        )
        writer.camera(packet)
    else:
        writer.for_a_rerun(channel.metadata["kind"], channel.topic, message.data)


def _at_ns(record: _Entry) -> int:
    return record.at_ns if isinstance(record, Record) else int(record[1].log_time)


class _SetClock:
    """Tells the time it was set to."""

    at_ns = 0

    def now_ns(self) -> int:
        return self.at_ns

    def monotonic_s(self) -> float:
        return self.at_ns / 1e9

    def sleep(self, duration_s: float) -> None:
        pass
