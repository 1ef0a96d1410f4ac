"""Make a damaged recording whole again, as far as it can be read."""

from pathlib import Path

from delivery.recordings.reader import read_recording
from delivery.recordings.refused_record import Refused
from delivery.recordings.writer import RecordingWriter
from scene.errors import RecordingError
from scene.messages import PanoramaPacket


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
