"""A recording that tests write themselves: one walks through a zone, the other falls."""

from dataclasses import replace
from pathlib import Path

from control_room.judge import judge, site_of
from delivery.recordings.writer import RecordingWriter
from scene.clock import ReplayClock
from scene.messages import Anomaly, Position, Positions, SiteDescription
from scene.topics import topic_name
from scene.wire import Message, encode, type_name
from tests.control_room.fake_gateway import FPS, GATEWAY, SITE, Encoder, description, health

START_NS = 1_790_000_000_000_000_000
SECONDS = 12
SITE_YAML = """
version: 1
site: roadway
gateway: gw1
cameras: [{name: c1, url: clips/not-here.mp4}]
rig: {mount: {xyz_m: [0, 0, 2.5]}}
floor: {centre_line_m: [[0, 0, 0], [40, 0, 0]]}
zones: [{name: conveyor, polygon_m: [[4, -2], [7, -2], [7, 2], [4, 2]]}]
"""


def told(site_yaml: str = SITE_YAML) -> SiteDescription:
    return replace(description(), site_yaml=site_yaml)


class Story:
    """Names that tests ask for."""

    site = SITE


def story(seconds: int = SECONDS) -> list[Positions]:
    """Somebody walks through the zone, again and again, and the other falls: 10 a second."""
    instants = []
    for i in range(seconds * FPS):
        at_ns = START_NS + i * 1_000_000_000 // FPS
        people = (
            person(1, x_m=1.0 + 0.1 * (i % 300), height_m=1.8, at_ns=at_ns),
            person(2, x_m=20.0, height_m=1.8 if i < 30 else 0.4, at_ns=at_ns),
        )
        instants.append(Positions(captured_at_ns=at_ns, people=people))
    return instants


def person(track: int, *, x_m: float, height_m: float, at_ns: int) -> Position:
    return Position(
        track=track,
        xyz_m=(x_m, 0.0, 0.0),
        covariance_m2=((0.01, 0.0), (0.0, 0.01)),
        velocity_m_s=(0.0, 0.0),
        height_m=height_m,
        posture="upright" if height_m > 1 else "lying",
        certainty="certainly",
        seen_at_ns=at_ns,
        cameras=("c1",),
    )


def live_alarms() -> tuple[Anomaly, ...]:
    return judge(site_of(told(), name="live"), story())


def write(path: Path, *messages: tuple[int, Message], pictures: int = 0) -> Path:
    """Write a recording as a gateway's recorder would."""
    clock = ReplayClock(START_NS)
    writer = RecordingWriter(path, clock)
    encoder = Encoder()
    frames = [(START_NS + i * 1_000_000_000 // FPS, None) for i in range(pictures)]
    ordered = sorted([*messages, *frames], key=lambda one: one[0])
    for seq, (at_ns, message) in enumerate(ordered):
        clock.set(at_ns)
        if message is None:
            writer.packet(encoder.packet(at_ns))
            continue
        kind = type_name(message)
        id = message.id if isinstance(message, Anomaly) else None
        topic = topic_name(kind, site=SITE, gateway=GATEWAY, id=id)
        payload = encode(message, gateway=GATEWAY, seq=seq, sent_at_ns=at_ns)
        writer.message(topic, payload, at_ns)
    writer.close()
    return path


def everything(alarms: tuple[Anomaly, ...]) -> list[tuple[int, Message]]:
    messages: list[tuple[int, Message]] = [(START_NS, told())]
    messages += [(one.captured_at_ns, one) for one in story()]
    messages += [(one.captured_at_ns, one) for one in alarms]
    messages += [
        (START_NS + i * 1_000_000_000, health(START_NS + i * 1_000_000_000)) for i in range(SECONDS)
    ]
    return messages
