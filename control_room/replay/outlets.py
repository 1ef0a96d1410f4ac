"""Where a replay goes: to the page, and to an MQTT broker where one is named.

Knows nothing about when something is said. All of it is under the prefix `replay`.
"""

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Protocol

from control_room.journal.journal import Journal
from control_room.replay.joined import Tell
from control_room.replay.judging import Mark, heard
from control_room.replay.moments import Moment
from control_room.replay.pictures import Pictures, marked
from control_room.replay.recorded_clock import RecordedClock
from control_room.replay.recording import Recording
from control_room.room import Room
from delivery.mqtt import Connection
from delivery.recordings.format import Record
from delivery.stream import StreamServer
from delivery.voice import Voice
from scene.clock import Clock, SystemClock
from scene.errors import BrokerError
from scene.messages import Anomaly, GatewayState, PanoramaPacket, SiteDescription
from scene.site import BrokerConfig
from scene.topics import REPLAY_PREFIX, TOPICS, Address, topic_name
from scene.wire import Envelope, Message, type_name

CONNECT_S = 10.0
PICTURES_URL = "ws://replay/panorama"
"""A page's pictures come from the control room itself; this only says that there are some."""


class Outlet(Protocol):
    """Takes what a replay says; called by one thread."""

    def begin(self, moment: Moment, status: dict[str, Any]) -> None:
        """Go elsewhere: from now on it is as at that moment, whatever was said before."""

    def say(self, record: Record) -> None:
        """Say a message."""

    def raise_alarm(self, mark: Mark) -> None:
        """Say a word on an alarm."""

    def show(self, record: Record) -> None:
        """Show a picture."""

    def end(self) -> None:
        """Say that it is over."""

    def tell(self, status: dict[str, Any]) -> None:
        """Tell how the replay stands."""

    def mark(self, marks: list[dict[str, Any]]) -> None:
        """Tell when alarms are raised, for a time line."""


class PageOutlet:
    """A room of its own, whose time is the recording's, and the pictures of its page."""

    def __init__(self, recording: Recording, clock: RecordedClock) -> None:
        self._recording, self._clock = recording, clock
        self._status: dict[str, Any] = {}
        self._marks: list[dict[str, Any]] = []
        self._jumps = 0
        self.pictures = Pictures()
        self._journal = Journal(None)
        self.room = Room(
            self._journal,
            clock,
            lambda *_: None,
            lambda *_: None,
            prefix=REPLAY_PREFIX,
            also=lambda: {"replay": self._status, "replay_marks": self._marks},
        )

    def begin(self, moment: Moment, status: dict[str, Any]) -> None:
        """As `Outlet.begin`."""
        # As when it is played: an alarm is said before the message of the same instant.
        events: list[Mark | Record] = [*moment.marks, *moment.said]
        self._clock.set(moment.at_ns)

        def tell() -> None:
            for event in sorted(events, key=lambda one: one.at_ns):
                with self._clock.as_of(event.at_ns):
                    self.raise_alarm(event) if isinstance(event, Mark) else self.say(event)

        if moment.group is not None:
            self._jumps += 1
            last = len(moment.group) - 1
            self.pictures.begin(
                [
                    marked(one.payload, jump=self._jumps, show=i == last, first=True)
                    for i, one in enumerate(moment.group)
                ]
            )
        self._status = status | {"jump": self._jumps}
        self.room.begin_anew(tell, moment.heads)

    def say(self, record: Record) -> None:
        """As `Outlet.say`."""
        body = record.body
        if isinstance(body, SiteDescription):
            record = replace(record, body=replace(body, stream_url=PICTURES_URL))
        word = heard(record)
        if word is not None:
            self.room.hear(*word)

    def raise_alarm(self, mark: Mark) -> None:
        """As `Outlet.raise_alarm`."""
        site, gateway = self._recording.site, self._recording.gateway
        address = Address(
            prefix=REPLAY_PREFIX, site=site, gateway=gateway, topic="alarm", id=mark.anomaly.id
        )
        word = Envelope(
            type="alarm", gateway=gateway, seq=1, sent_at_ns=mark.at_ns, body=mark.anomaly
        )
        self.room.hear_alarms([(address, word)])

    def show(self, record: Record) -> None:
        """As `Outlet.show`."""
        assert isinstance(record.body, PanoramaPacket)
        data = marked(record.payload, jump=self._jumps, show=True, first=False)
        self.pictures.send(data, key_frame=record.body.key_frame)

    def end(self) -> None:
        """Leave the last picture as it is; the status says that it is over."""

    def tell(self, status: dict[str, Any]) -> None:
        """As `Outlet.tell`."""
        self._status = status | {"jump": self._jumps}
        self.room.tell("replay", json.dumps({"is": "replay", "replay": self._status}))

    def mark(self, marks: list[dict[str, Any]]) -> None:
        """As `Outlet.mark`."""
        self._marks = marks
        self.room.tell("replay", json.dumps({"is": "replay_marks", "replay_marks": marks}))

    def close(self) -> None:
        """Close the journal."""
        self._journal.close()


class BrokerOutlet:
    """Publishes to a broker, for whoever listens to `replay/`."""

    def __init__(
        self, recording: Recording, connection: Connection, stream: StreamServer, clock: Clock
    ) -> None:
        self._recording, self._connection, self._stream = recording, connection, stream
        self._clock = clock
        self._voice = Voice(clock, run=clock.now_ns())
        self._retained: set[str] = set()
        self._active: dict[str, Anomaly] = {}

    def begin(self, moment: Moment, status: dict[str, Any]) -> None:
        """As `Outlet.begin`: numbered as after another start, so that nothing seems to be lost."""
        self._voice.renew(max(self._clock.now_ns(), self._voice.run + 1))
        stands = {one.anomaly.id: one.anomaly for one in moment.marks}
        for id, alarm in list(self._active.items()):
            if id not in stands or stands[id].state != "active":
                # Not so in the recording: nobody who listens may go on with it.
                gone = "The replay went to a time when this alarm was not active."
                self._alarm(replace(alarm, state="cleared", evidence=gone))
                self._forget(self._topic("alarm", id))
        self._say(GatewayState(online=True, since_ns=moment.at_ns))
        for record in moment.said:
            self.say(record)
        for alarm in stands.values():
            if alarm.state == "active":
                self._alarm(alarm)
        for record in moment.group or ():
            self.show(record)

    def say(self, record: Record) -> None:
        """As `Outlet.say`."""
        word = heard(record)
        if word is None:
            return
        body = word[1].body
        if isinstance(body, SiteDescription):
            body = replace(body, stream_url=self._stream.url)
        self._say(body)

    def raise_alarm(self, mark: Mark) -> None:
        """As `Outlet.raise_alarm`."""
        self._alarm(mark.anomaly)

    def show(self, record: Record) -> None:
        """As `Outlet.show`."""
        assert isinstance(record.body, PanoramaPacket)
        self._stream.send(record.body)

    def end(self) -> None:
        """As `Outlet.end`."""
        self._say(GatewayState(online=False, since_ns=self._clock.now_ns()))

    def tell(self, status: dict[str, Any]) -> None:
        """Nobody there asks."""

    def mark(self, marks: list[dict[str, Any]]) -> None:
        """Nobody there has a time line."""

    def clean_up(self) -> None:
        """Take back what the broker would otherwise keep and tell to later subscribers."""
        for topic in sorted(self._retained):
            self._forget(topic)
        self._retained.clear()

    def _alarm(self, alarm: Anomaly) -> None:
        self._say(alarm)
        if alarm.state == "active":
            self._active[alarm.id] = alarm
        else:
            self._active.pop(alarm.id, None)

    def _topic(self, kind: str, id: str | None = None) -> str:
        site, gateway = self._recording.site, self._recording.gateway
        if not TOPICS[kind].of_gateway:
            gateway = ""
        return topic_name(kind, site=site, gateway=gateway, id=id, prefix=REPLAY_PREFIX)

    def _say(self, message: Message) -> None:
        kind = type_name(message)
        row, topic = TOPICS[kind], self._topic(kind, getattr(message, "id", None))
        gateway = self._recording.gateway if row.of_gateway else ""
        _, payload = self._voice.write(topic, message, gateway=gateway)
        until_s = self._clock.monotonic_s() + CONNECT_S
        while not self._connection.publish(topic, payload, qos=row.qos, retain=row.retain):
            if row.qos == 0:
                self._voice.unsaid(kind)
                return  # the next one comes at once
            if self._clock.monotonic_s() > until_s:
                raise BrokerError(f"the MQTT broker takes no messages: {kind} could not be sent")
            self._clock.sleep(0.05)
        if row.retain:
            self._retained.add(topic)

    def _forget(self, topic: str) -> None:
        self._connection.publish(topic, b"", qos=1, retain=True)


@contextlib.contextmanager
def page_outlet(recording: Recording, clock: RecordedClock) -> Iterator[PageOutlet]:
    """Make a room for as long as the block lasts."""
    outlet = PageOutlet(recording, clock)
    with contextlib.closing(outlet):
        yield outlet


@contextlib.contextmanager
def broker_outlet(recording: Recording, broker: BrokerConfig, tell: Tell) -> Iterator[BrokerOutlet]:
    """Connect to a broker and serve the panorama; raises `BrokerError`."""
    stream = StreamServer("127.0.0.1", 0)
    log: Callable[[object], None] = lambda text: tell(str(text))  # noqa: E731
    connection = Connection(broker, client_id=f"replay-{os.getpid()}", log=log)
    try:
        connection.connect(CONNECT_S, wait=True)
        outlet = BrokerOutlet(recording, connection, stream, SystemClock())
        try:
            yield outlet
        finally:
            outlet.clean_up()
    finally:
        connection.close()
        stream.close()
