"""Recordings of a gateway that paints its miners itself, as a recorder writes them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from control_room.incident.folder import Exported, Wanted, export
from delivery.recordings.format import Trusted
from delivery.recordings.run_record import RunRecord
from delivery.recordings.writer import RecordingWriter
from scene.clock import ReplayClock, SystemClock
from scene.messages import (
    Anomaly,
    GatewayHealth,
    PanoramaPacket,
    Position,
    Positions,
    SiteDescription,
)
from scene.topics import topic_name
from scene.wire import Message, encode, type_name
from tests.control_room.fake_gateway import (
    FPS,
    GATEWAY,
    SITE,
    Encoder,
    description,
    health,
)

START_NS = 1_790_000_000_000_000_000
S = 1_000_000_000
SITE_YAML = "version: 1\nsite: roadway\n"
Change = Callable[[PanoramaPacket], PanoramaPacket]


def at(second: float) -> int:
    """Give an instant of the recording."""
    return START_NS + round(second * S)


def told(site_yaml: str = SITE_YAML) -> SiteDescription:
    return replace(description(), site_yaml=site_yaml)


def all_well(at_ns: int) -> GatewayHealth:
    """Say that both cameras are well, and that only 3 m are not seen."""
    beat = health(at_ns)
    return replace(beat, cameras=tuple(replace(one, state="ok") for one in beat.cameras))


def record(
    path: Path,
    seconds: float,
    *more: tuple[float, Message],
    site: SiteDescription | None = None,
    beat: Callable[[int], GatewayHealth | None] = all_well,
    without: Sequence[tuple[float, float]] = (),
    names: dict[int, str] | None = None,
    change: Change = lambda packet: packet,
    trust: Trusted = "signed",
    refused: Sequence[tuple[float, str, bytes, str]] = (),
    run: RunRecord | None = None,
    begins: float = 0,
) -> Path:
    """Write pictures and positions ten times a second, heartbeats once, and `more` messages.

    It begins at the second `begins`. In the times `without` (seconds) nothing comes, as if the
    cable had been cut.
    """
    clock = ReplayClock(at(begins))
    writer = RecordingWriter(path, clock, run)
    encoder = Encoder()
    waiting = sorted(more, key=lambda one: one[0])
    _say(writer, site or told(), at(begins), 0, trust)
    for seq, i in enumerate(range(round(seconds * FPS))):
        second = begins + i / FPS
        clock.set(at(second))
        while waiting and waiting[0][0] <= second:
            _say(writer, waiting.pop(0)[1], at(second), seq, trust)
        packet = change(encoder.packet(at(second), names))
        if any(begins <= second < ends for begins, ends in without):
            continue
        writer.packet(packet)
        _say(writer, packet.positions, at(second), seq, trust)
        health_now = beat(at(second)) if i % FPS == 0 else None
        if health_now is not None:
            _say(writer, health_now, at(second), seq, trust)
    for second, topic, payload, why in refused:
        writer.refused(topic, payload, why, at(second))
    writer.close()
    return path


def _say(writer: RecordingWriter, message: Message, at_ns: int, seq: int, trust: Trusted) -> None:
    kind = type_name(message)
    id = message.id if isinstance(message, Anomaly) else getattr(message, "alarm", None)
    topic = topic_name(kind, site=SITE, gateway=GATEWAY, id=id)
    payload = encode(message, gateway=GATEWAY, seq=seq, sent_at_ns=at_ns)
    writer.message(topic, payload, at_ns, trust)


def exported(recording: Path, folder: Path, begins: float, ends: float, **more: object) -> Exported:
    """Export some seconds of a recording."""
    wanted = Wanted(
        recording=recording,
        from_ns=at(begins),
        to_ns=at(ends),
        folder=folder,
        **more,  # type: ignore[arg-type]
    )
    return export(wanted, SystemClock())


def person(**changes: object) -> Position:
    """Give somebody who is seen."""
    one = Encoder().packet(START_NS).positions.people[0]
    return replace(one, **changes)  # type: ignore[arg-type]


def moved(packet: PanoramaPacket, **changes: object) -> PanoramaPacket:
    """Change every person of a picture."""
    people = tuple(replace(one, **changes) for one in packet.positions.people)  # type: ignore[arg-type]
    at_ns = packet.captured_at_ns
    return replace(packet, positions=Positions(captured_at_ns=at_ns, people=people))
