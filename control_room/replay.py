"""`lamproom replay`: play a recording into the page, as one more publisher.

Knows nothing about the page: it speaks MQTT on the prefix `replay`, so that nothing it says can be
taken for live. Alarms about people are not played back: the rules raise them anew.
"""

import argparse
import contextlib
import os
import sys
import webbrowser
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from control_room.broker_options import add_broker_arguments, broker_of
from control_room.judge import about_people, differences, judge, once_each, site_of
from control_room.main import open_room
from control_room.server import ServerError, bind, serving
from delivery.broker import EmbeddedBroker
from delivery.mqtt import Connection
from delivery.recordings.format import PANORAMA, Record
from delivery.recordings.reader import read_recording
from delivery.stream import StreamServer, stream_packets
from delivery.voice import Voice
from scene.clock import Clock, SystemClock
from scene.errors import BrokerError, RecordingError
from scene.messages import (
    Anomaly,
    GatewayHealth,
    GatewayState,
    Machines,
    Order,
    PanoramaPacket,
    Positions,
    SiteDescription,
    Tags,
)
from scene.site import BrokerConfig
from scene.topics import REPLAY_PREFIX, TOPICS, topic_name
from scene.wire import Message, type_name

HELP = """\
Play a recording into the control room's page: panorama, positions and health as they were; the
alarms are raised anew by the rules in the site file that were in force.
Everything goes out under the prefix `replay`, and the page says REPLAY.

With --check nothing is shown: the replayed alarms are compared with the recorded ones. They may
differ where the pipeline was started anew while it was recorded.

exit codes: 0 played, or equal; 1 --check found a difference; 2 the recording can't be read."""

CONNECT_S = 10.0
DEFAULT_PORT = 8080


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `lamproom replay`."""
    parser.add_argument("recording", type=Path, help="a file that `lamproom run --record` wrote")
    add_broker_arguments(parser, default=None)
    parser.add_argument(
        "--speed", type=_speed, default=1.0, metavar="X", help="times as fast as it was (default 1)"
    )
    parser.add_argument("--loop", action="store_true", help="start over at the end")
    parser.add_argument(
        "--port", type=int, help=f"of the page (default {DEFAULT_PORT}, or any free one)"
    )
    parser.add_argument("--no-browser", action="store_true", help="don't open a browser")
    parser.add_argument(
        "--exit", action="store_true", help="stop at the end instead of waiting for Ctrl-C"
    )
    parser.add_argument(
        "--check", action="store_true", help="only compare the alarms; exit code 1 on a difference"
    )


def run(args: argparse.Namespace) -> int:
    """Replay or check; gives the exit code. Raises `RecordingError`, `BrokerError`."""
    recording = load(args.recording)
    if args.check:
        return _check(recording)
    with contextlib.ExitStack() as stack:
        if args.broker is None:
            broker = BrokerConfig(url=stack.enter_context(EmbeddedBroker(port=0)).url)
        else:
            broker = broker_of(args)
        clock = SystemClock()
        player = stack.enter_context(open_player(recording, broker, clock))
        room = stack.enter_context(open_room(broker, None, clock, prefix=REPLAY_PREFIX))
        port = _free_port() if args.port is None else args.port
        page = stack.enter_context(serving(room, stream_packets, port=port))
        print(f"The replay is at {page}   (Ctrl-C stops it)", flush=True)
        if not args.no_browser and (os.environ.get("DISPLAY") or sys.platform != "linux"):
            webbrowser.open(page)
        with contextlib.suppress(KeyboardInterrupt):
            _play(player, args)
    return 0


def _play(player: "Player", args: argparse.Namespace) -> None:
    rounds = 0
    while True:
        rounds += 1
        player.play(speed=args.speed, round=rounds)
        if not args.loop:
            break
    print("The recording has ended.", flush=True)
    while not args.exit:
        player.clock.sleep(0.5)
        player.stay()


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What a recording says about one gateway; the pictures are read again when it is played."""

    name: str
    site: str
    gateway: str
    description: SiteDescription
    recorded: tuple[Anomaly, ...]
    """The alarms in it, once each."""
    judged: tuple[Anomaly, ...]
    """The alarms that the rules raise over its positions."""
    from_ns: int
    """Its first instant."""
    records: Callable[[], Iterator[Record]]
    """Reads it from the start, in the order of reception."""

    @property
    def alarms(self) -> tuple[Anomaly, ...]:
        """What a replay raises: people's alarms by the rules, the system's own as recorded."""
        system = (one for one in self.recorded if not about_people(one))
        return tuple(sorted([*self.judged, *system], key=lambda one: one.captured_at_ns))


def load(path: Path) -> Recording:
    """Read a recording and judge it; raises `RecordingError`, `SiteError`."""
    description: SiteDescription | None = None
    recorded: list[Anomaly] = []
    positions: list[Positions] = []
    messages: list[Message] = []
    changes: list[tuple[int, SiteDescription]] = []
    place: tuple[str, str] | None = None
    trust: Counter[str] = Counter()
    for record in read_recording(path, on_missing=_tell):
        body = record.body
        trust[record.trust] += record.topic != PANORAMA
        if isinstance(body, SiteDescription):
            if description is not None and body.site_yaml != changes[-1][1].site_yaml:
                changes.append((record.at_ns, body))
            elif description is None:
                changes = [(record.at_ns, body)]
            description = description or body
            place = place or (body.site, body.gateway)
        elif isinstance(body, Anomaly):
            recorded.append(body)
        elif isinstance(body, Positions):
            positions.append(body)
        elif isinstance(body, GatewayHealth | Machines | Order | Tags):
            messages.append(body)
        elif isinstance(body, PanoramaPacket):
            positions.append(body.positions)
    if not trust:
        raise RecordingError(
            f"{path}: nothing in it can be read; it was cut off before the first message"
        )
    if description is None or place is None:
        raise RecordingError(
            f"{path}: has no site description; it was not written by `lamproom run --record`"
        )
    if not positions:
        raise RecordingError(f"{path}: has no positions and no pictures; there is nothing to play")
    if text := _unproven(trust):
        _tell(f"{path}: {text}")
    once = once_each(recorded)
    sites = [(at_ns, site_of(body, name=str(path))) for at_ns, body in changes]
    return Recording(
        name=str(path),
        site=place[0],
        gateway=place[1],
        description=description,
        recorded=once,
        judged=judge(sites[0][1], positions, once, messages, sites[1:]),
        from_ns=min(one.captured_at_ns for one in positions),
        records=lambda: read_recording(path),
    )


def _unproven(trust: Mapping[str, int]) -> str:
    """Say how many messages nothing proves; empty where there are none.

    >>> _unproven({"signed": 5, "unsigned": 2})
    '2 of 7 messages were not signed: who sent them is not proven'
    """
    said = {"unsigned": "were not signed", "unchecked": "were not checked for a signature"}
    total = sum(trust.values())
    parts = [
        f"{trust[how]} of {total} messages {text}" for how, text in said.items() if trust.get(how)
    ]
    return f"{', '.join(parts)}: who sent them is not proven" if parts else ""


class Player:
    """Publishes a recording, in its own time or faster."""

    def __init__(
        self, recording: Recording, connection: Connection, stream: StreamServer, clock: Clock
    ) -> None:
        self.clock = clock
        self._recording = recording
        self._connection = connection
        self._stream = stream
        self._voice = Voice(clock, run=clock.now_ns())
        self._retained: set[str] = set()
        self._last_health: GatewayHealth | None = None

    def play(self, *, speed: float, round: int = 1) -> None:
        """Play from start to end; `round` keeps the alarms of repetitions apart."""
        waiting = deque(_named_for(self._recording.alarms, round))
        described = replace(self._recording.description, stream_url=self._stream.url)
        self.say(GatewayState(online=True, since_ns=self._recording.from_ns))
        self.say(described)
        started_s, first_ns = self.clock.monotonic_s(), None
        for record in self._recording.records():
            first_ns = record.at_ns if first_ns is None else first_ns
            due_s = started_s + (record.at_ns - first_ns) / 1e9 / speed
            self.clock.sleep(due_s - self.clock.monotonic_s())
            self._say_again(record.body, waiting)
        while waiting:
            self.say(waiting.popleft())
        self.say(GatewayState(online=False, since_ns=self.clock.now_ns()))

    def stay(self) -> None:
        """Say again how all was at the end, so that it can be looked at as long as one likes."""
        if self._last_health is not None:
            self.say(self._last_health)

    def say(self, message: Message) -> None:
        """Publish one message under the prefix `replay`."""
        kind = type_name(message)
        row, place = TOPICS[kind], self._recording
        id = message.id if isinstance(message, Anomaly) else None
        topic = topic_name(
            kind, site=place.site, gateway=place.gateway, id=id, prefix=REPLAY_PREFIX
        )
        _, payload = self._voice.write(topic, message, gateway=place.gateway)
        until_s = self.clock.monotonic_s() + CONNECT_S
        while not self._connection.publish(topic, payload, qos=row.qos, retain=row.retain):
            if row.qos == 0:
                self._voice.unsaid(kind)
                return  # the next one comes at once
            if self.clock.monotonic_s() > until_s:
                raise BrokerError(f"the MQTT broker takes no messages: {kind} could not be sent")
            self.clock.sleep(0.05)
        if row.retain:
            self._retained.add(topic)

    def clean_up(self) -> None:
        """Take back what the broker would otherwise keep and tell to later subscribers."""
        for topic in sorted(self._retained):
            self._connection.publish(topic, b"", qos=1, retain=True)
        self._retained.clear()

    def _say_again(self, body: Message | PanoramaPacket, waiting: deque[Anomaly]) -> None:
        if isinstance(body, Positions | PanoramaPacket):
            while waiting and waiting[0].captured_at_ns <= body.captured_at_ns:
                self.say(waiting.popleft())
        if isinstance(body, PanoramaPacket):
            self._stream.send(body)
        elif isinstance(body, Positions | GatewayHealth):
            self.say(body)
            if isinstance(body, GatewayHealth):
                self._last_health = body


@contextlib.contextmanager
def open_player(recording: Recording, broker: BrokerConfig, clock: Clock) -> Iterator[Player]:
    """Connect to the broker and serve the panorama; raises `BrokerError`."""
    stream = StreamServer("127.0.0.1", 0)
    connection = Connection(broker, client_id=f"replay-{os.getpid()}", log=_tell)
    try:
        connection.connect(CONNECT_S, wait=True)
        player = Player(recording, connection, stream, clock)
        try:
            yield player
        finally:
            player.clean_up()
    finally:
        connection.close()
        stream.close()


def _named_for(alarms: Iterable[Anomaly], round: int) -> tuple[Anomaly, ...]:
    if round == 1:
        return tuple(alarms)
    return tuple(replace(one, id=f"{one.id}-r{round}") for one in alarms)


def _check(recording: Recording) -> int:
    lines = differences(recording.recorded, recording.judged, from_ns=recording.from_ns)
    people = sum(about_people(one) for one in recording.recorded)
    for line in lines:
        print(line)
    if lines:
        print(f"{recording.name}: {len(lines)} differences, {people} recorded changes of alarms")
        return 1
    print(f"{recording.name}: equal; {people} changes of alarms about people, raised again")
    return 0


def _speed(text: str) -> float:
    speed = float(text)
    if not 0.01 <= speed <= 1000:
        raise argparse.ArgumentTypeError("give a number from 0.01 to 1000")
    return speed


def _free_port() -> int:
    try:
        with contextlib.closing(bind("127.0.0.1", DEFAULT_PORT)):
            return DEFAULT_PORT
    except ServerError:
        return 0


def _tell(text: object) -> None:
    print(f"lamproom replay: {text}", file=sys.stderr, flush=True)
