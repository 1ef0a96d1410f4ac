"""One run recorded into several files, as a recorder goes over from each to the next.

The next recorder begins while the one before still writes, so that for some moments both have the
same, received some milliseconds apart; and it gets first what the broker retains, and the pictures
since the last key frame.
"""

from collections.abc import Sequence
from pathlib import Path

from delivery.recordings.run_record import RunRecord
from delivery.recordings.writer import RecordingWriter
from scene.clock import ReplayClock
from scene.messages import Anomaly, PanoramaPacket, SiteDescription
from scene.topics import topic_name
from scene.wire import Message, encode, type_name
from tests.control_room.fake_gateway import FPS, GATEWAY, SITE, Encoder
from tests.control_room.recorded_story import START_NS

S = 1_000_000_000
LATER_NS = 3_000_000
"""Each recorder hears everything so much later than the one before."""

RUN = RunRecord(
    site=SITE,
    gateway=GATEWAY,
    software="lamproom test",
    started_at="2026-09-21T14:13:20+00:00",
    file_number="1",
    site_yaml="",
    rig_yaml="",
    model="",
    model_sha256="",
)

Said = tuple[int, Message | PanoramaPacket]


def run_of(messages: Sequence[tuple[int, Message]], pictures: int) -> list[Said]:
    """Put a run's messages and pictures in order."""
    encoder = Encoder()
    times = [START_NS + i * S // FPS for i in range(pictures)]
    frames: list[Said] = [(at_ns, encoder.packet(at_ns)) for at_ns in times]
    return sorted([*messages, *frames], key=lambda one: one[0])


def write_files(
    path: Path, run: Sequence[Said], files: Sequence[tuple[float, float]], *, finish: bool = True
) -> list[Path]:
    """Record a run into files, each from and to so many seconds after its start.

    Unless they are to `finish`, they are left as they are while somebody writes.
    """
    written = list[Path]()
    for number, (begins_s, ends_s) in enumerate(files):
        begins_ns, ends_ns = START_NS + round(begins_s * S), START_NS + round(ends_s * S)
        heard = [(index, begins_ns) for index in _retained(run, begins_ns)]
        heard += [(i, at_ns) for i, (at_ns, _) in enumerate(run) if begins_ns <= at_ns <= ends_ns]
        clock = ReplayClock(begins_ns)
        writer = RecordingWriter(path, clock, RUN)
        for index, at_ns in heard:
            clock.set(at_ns + number * LATER_NS)
            _put(writer, index, run[index][1], clock.now_ns())
        if finish:
            writer.close()
        written.append(writer.path)
    return written


def _put(writer: RecordingWriter, seq: int, said: Message | PanoramaPacket, at_ns: int) -> None:
    """Write something; what two recorders hear is the same to its last byte."""
    if isinstance(said, PanoramaPacket):
        writer.packet(said)
        return
    id = said.id if isinstance(said, Anomaly) else None
    topic = topic_name(type_name(said), site=SITE, gateway=GATEWAY, id=id)
    writer.message(topic, encode(said, gateway=GATEWAY, seq=seq, sent_at_ns=START_NS), at_ns)


def _retained(run: Sequence[Said], begins_ns: int) -> list[int]:
    """List what a recorder hears first: site, active alarms, pictures since the last key frame."""
    kept: dict[str, int] = {}
    for index, (at_ns, said) in enumerate(run):
        if at_ns >= begins_ns:
            break
        if isinstance(said, SiteDescription):
            kept["site"] = index
        elif isinstance(said, Anomaly):
            kept[said.id] = index
            if said.state != "active":
                del kept[said.id]
        elif isinstance(said, PanoramaPacket):
            if said.key_frame:
                kept = {name: one for name, one in kept.items() if not name.startswith("picture")}
            kept[f"picture {index}"] = index
    return sorted(kept.values())
