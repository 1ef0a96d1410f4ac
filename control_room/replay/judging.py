"""Go through a whole recording once: alarms are raised anew, and kept is how it stood now and then.

Knows nothing about pages or processes. Memory does not grow with the length of a recording: what
is judged is forgotten, but for its alarms and a snapshot every few seconds.
"""

import heapq
import pickle
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from io import BytesIO
from itertools import count
from typing import Any

from mcap.records import Channel
from mcap.records import Message as McapMessage

from control_room.head_count import HeadCount
from control_room.judge import Judge, about_people, active_at, site_of
from control_room.replay.joined import Gap
from control_room.replay.recording import Recording, is_message, is_of
from delivery.recordings.format import FRAME_TOPIC, Record
from delivery.recordings.reader import record_of
from delivery.recordings.refused_record import REFUSED_TOPIC
from delivery.recordings.survey import MOST_NS
from scene.errors import WireError
from scene.messages import (
    Anomaly,
    GatewayHealth,
    MachinePlace,
    Machines,
    Order,
    Positions,
    SiteDescription,
    Tags,
)
from scene.packet import unpack
from scene.site import Site
from scene.topics import REPLAY_PREFIX, Address, parse_topic
from scene.wire import Envelope, Message, type_name

HOLD_NS = 10_000_000_000
"""What was received within so long of each other is put in the order of capture."""
SNAPSHOT_EVERY_NS = 15_000_000_000
TELL_EVERY = 500
"""After so many messages it is told how far one is."""
UNKNOWN_END = "There is no recording of a while, and then it was over: when it ended is not known."
"""On alarms that stood before a gap and not after it."""
FED = ("state", "site", "positions", "health", "tags", "machines")
"""Topics that a room hears as they were said; alarms are raised anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A word on an alarm, and when a replay says it."""

    at_ns: int
    """On the recorder's clock: when the first positions are played that it follows from."""
    anomaly: Anomaly
    judged: bool = False
    """Whether the rules raised it; else it is what was recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What can't be seen from a few seconds of a recording alone."""

    at_ns: int
    heads: bytes
    """A `HeadCount`, packed."""
    machines: dict[str, tuple[int, MachinePlace]]
    """Where each machine was said to be last, and when that was received."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far one is, and what was found since the last time."""

    judged_to_ns: int
    """Up to here on the recorder's clock all alarms are known."""
    marks: tuple[Mark, ...] = ()
    snapshot: Snapshot | None = None
    first_ns: int = 0
    """At the end: when the first instant that was judged had been captured; 0 for none."""
    told: tuple[str, ...] = ()
    """At the end: what whoever looks should know of its messages, a sentence each."""


def heard(record: Record) -> tuple[Address, Envelope] | None:
    """Give what a control room hears of a message; none for what a replay does not say again."""
    address = parse_topic(record.topic)
    if address.topic not in FED:
        return None
    body: Any = record.body
    replayed = Address(
        prefix=REPLAY_PREFIX, site=address.site, gateway=address.gateway, topic=address.topic
    )
    # Said when it was received: the recorder's clock is the one that the replay's time is told by.
    return replayed, Envelope(
        type=type_name(body), gateway=address.gateway, seq=1, sent_at_ns=record.at_ns, body=body
    )


def judged(recording: Recording) -> Iterator[Progress]:
    """Judge a recording from start to end; raises `RecordingError`, `SiteError`."""
    return _Judging(recording).run()


def ended(one: Anomaly, at_ns: int) -> Mark:
    """End an alarm of which nobody knows when it ended."""
    over = replace(one, state="cleared", captured_at_ns=at_ns, evidence=UNKNOWN_END)
    return Mark(at_ns=at_ns, anomaly=over)


def packed(heads: HeadCount) -> bytes:
    """Keep a head-count as it stands; it is only ever read by ourselves."""
    buffer = BytesIO()
    _Pickler(buffer).dump(heads)
    return buffer.getvalue()


def unpacked(heads: bytes) -> HeadCount:
    """Give a head-count that was kept."""
    found: HeadCount = pickle.loads(heads)
    return found


class _Pickler(pickle.Pickler):
    """Keeps locks as open ones: nobody holds one here."""

    def reducer_override(self, thing: object) -> Any:
        return (threading.Lock, ()) if isinstance(thing, _LOCK) else NotImplemented


_LOCK = type(threading.Lock())


@dataclass(slots=True)
class _Instant:
    """People of one instant, who come by themselves and with the picture."""

    received_ns: int
    """When the first of the two was."""
    what: Positions | bytes


class _Judging:
    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._judge: Judge | None = None
        self._early: list[Message] = []
        """What the rules hear before there is anything to judge."""
        self._heads = HeadCount()
        self._heads.begin()
        self._machines: dict[str, tuple[int, MachinePlace]] = {}
        self._held: list[tuple[int, int, _Instant]] = []
        """Instants, the earliest captured first: when captured, a number, what was received."""
        self._by_capture: dict[int, _Instant] = {}
        """The same, by when each was captured."""
        self._number = count()
        self._first_ns, self._done_ns = 0, -1
        """The instant that was judged last."""
        self._said_ns = recording.from_ns
        """When that was received, or one before it that came later."""
        self._sites = [(recording.from_ns, recording.first_site)]
        """What the site was told to be last, and before that while nothing is judged yet."""
        self._passed_ns = recording.from_ns
        """Gaps up to here were passed over."""
        self._standing: dict[str, Anomaly] = {}
        """Alarms that are active by what was judged, and by what was told of the system."""
        self._told_system = set[tuple[str, str, int]]()
        self._trust: Counter[str] = Counter()
        self._refused, self._foreign = 0, 0
        self._last_ns = recording.from_ns
        self._snapshot_ns = recording.from_ns + SNAPSHOT_EVERY_NS

    def run(self) -> Iterator[Progress]:
        marks = list[Mark]()
        messages = self._recording.file.messages(wanted=_is_wanted, check_sums=True)
        for number, (channel, message) in enumerate(messages, 1):
            at_ns = message.log_time
            snapshot = self._snapshot_before(at_ns)
            for gap in self._recording.gaps:
                if self._passed_ns < gap.to_ns <= at_ns:
                    marks += self._pass_over(gap)
            marks += self._take(channel, message)
            marks += self._judged_up_to(at_ns - HOLD_NS)
            if snapshot is not None or number % TELL_EVERY == 0:
                known_ns = min([at_ns, *(one.received_ns for _, _, one in self._held)]) - 1
                yield Progress(judged_to_ns=known_ns, marks=tuple(marks), snapshot=snapshot)
                marks = []
        marks += self._judged_up_to(None)
        end_ns = self._recording.to_ns
        yield Progress(
            judged_to_ns=end_ns,
            marks=tuple(marks),
            first_ns=self._first_ns,
            told=self._told(),
        )

    def _told(self) -> tuple[str, ...]:
        texts = [unproven(self._trust)]
        if self._foreign:
            texts.append(f"{self._foreign} messages can't be understood and were passed over")
        if self._refused:
            texts.append(
                f"{self._refused} messages were refused when they came (forged, altered or played "
                "again, as far as the keys there could tell) and are left out"
            )
        return tuple(filter(None, texts))

    def _snapshot_before(self, at_ns: int) -> Snapshot | None:
        """Keep how all stood before this instant, if it is time for that."""
        before_ns, self._last_ns = self._last_ns, at_ns
        if at_ns < self._snapshot_ns or at_ns == before_ns:
            return None
        self._snapshot_ns = at_ns + SNAPSHOT_EVERY_NS
        return Snapshot(at_ns=before_ns, heads=packed(self._heads), machines=dict(self._machines))

    def _take(self, channel: Channel, message: McapMessage) -> list[Mark]:
        """Take a message; gives what it says of alarms that no rule can raise again."""
        if _is_frame(channel):
            # Decoded only where the same instant did not come by itself.
            self._hold(message.publish_time, message.log_time, message.data)
            return []
        if channel.topic == REFUSED_TOPIC:
            self._refused += 1
            return []
        try:
            record = record_of(channel, message)
        except WireError:
            self._foreign += 1
            return []
        self._trust[record.trust] += 1
        if not is_of(record, self._recording):
            return []
        body, said = record.body, heard(record)
        if said is not None:
            self._heads.hear(*said, record.at_ns)
        if isinstance(body, Positions):
            self._hold(body.captured_at_ns, record.at_ns, body)
        elif isinstance(body, Machines):
            self._machines |= {one.machine: (record.at_ns, one) for one in body.machines}
        if isinstance(body, GatewayHealth | Machines | Order | Tags):
            if self._judge is None:
                self._early.append(body)
            else:
                self._judge.hear(body)
        elif isinstance(body, SiteDescription):
            self._change(record.at_ns, body)
        return self._of_the_system(record.at_ns, body) if isinstance(body, Anomaly) else []

    def _change(self, at_ns: int, site: SiteDescription) -> None:
        """Judge by other rules from then on, unless it was only said again."""
        if site.site_yaml == self._sites[-1][1].site_yaml:
            return
        if self._judge is None:
            self._sites.append((at_ns, site))  # what waits is judged by the rules of its time
        else:
            self._sites = [(at_ns, site)]
            self._judge.change(at_ns, self._rules(site))

    def _of_the_system(self, at_ns: int, one: Anomaly) -> list[Mark]:
        """Give what was said about cameras and the like, each word once."""
        word = (one.id, one.state, one.captured_at_ns)
        if about_people(one) or word in self._told_system:
            return []
        self._told_system.add(word)
        self._stands(one)
        return [Mark(at_ns=at_ns, anomaly=one)]

    def _pass_over(self, gap: Gap) -> list[Mark]:
        """Begin to judge anew behind a gap; gives how alarms stand there that stood before it."""
        marks = self._judged_up_to(None)
        self._judge, self._passed_ns = None, gap.to_ns
        still = {one.id for one in active_at(gap.to_ns, self._told_from(gap.to_ns))}
        unknown = [one for one in self._standing.values() if one.id not in still]
        return [*marks, *(self._ended(one, gap.to_ns) for one in unknown)]

    def _told_from(self, at_ns: int) -> tuple[Anomaly, ...]:
        """Read what is told of alarms in the file that has an instant."""
        part = self._recording.file.part_at(at_ns)
        return self._recording.alarms(part.since_ns, part.to_ns)

    def _ended(self, one: Anomaly, at_ns: int) -> Mark:
        self._standing.pop(one.id, None)
        return ended(one, at_ns)

    def _hold(self, captured_ns: int, at_ns: int, what: Positions | bytes) -> None:
        held = self._by_capture.get(captured_ns)
        if held is None:
            held = self._by_capture[captured_ns] = _Instant(at_ns, what)
            heapq.heappush(self._held, (captured_ns, next(self._number), held))
        elif isinstance(what, Positions):
            held.what = what  # it is decoded already

    def _judged_up_to(self, at_ns: int | None) -> list[Mark]:
        """Judge what was received by then, and all that was captured before it."""
        marks = list[Mark]()
        while self._held and (at_ns is None or self._held[0][2].received_ns <= at_ns):
            captured_ns, _, held = heapq.heappop(self._held)
            del self._by_capture[captured_ns]
            if captured_ns == self._done_ns:
                continue
            received_ns, what = held.received_ns, held.what
            positions = what if isinstance(what, Positions) else _people_of(what)
            if positions is None or not 0 <= positions.captured_at_ns < MOST_NS:
                self._foreign += 1
                continue
            if self._judge is None:
                marks += self._begin(positions.captured_at_ns, received_ns)
            assert self._judge is not None
            self._done_ns, self._said_ns = captured_ns, max(self._said_ns, received_ns)
            for one in self._judge.see(positions):
                marks.append(Mark(at_ns=self._said_ns, anomaly=one, judged=True))
                self._stands(one)
        return marks

    def _begin(self, first_ns: int, received_ns: int) -> list[Mark]:
        """Begin to judge; gives how alarms about people stand then, as they were told."""
        part = self._recording.file.part_at(received_ns)
        self._first_ns = self._first_ns or first_ns
        while len(self._sites) > 1 and self._sites[1][0] <= first_ns:
            del self._sites[0]
        (_, site), *changes = self._sites
        adopted = active_at(first_ns, self._told_from(received_ns))
        self._judge = Judge(
            self._rules(site), adopted, [(at_ns, self._rules(one)) for at_ns, one in changes]
        )
        for message in self._early:
            self._judge.hear(message)
        self._early = []
        taken = {one.id for one in adopted}
        over = [
            self._ended(one, received_ns)  # before there was anything to judge again
            for one in list(self._standing.values())
            if about_people(one) and one.id not in taken
        ]
        stand = [one for one in adopted if about_people(one) and one.xyz_m is not None]
        for one in stand:
            self._stands(one)
        return [*over, *(Mark(at_ns=part.since_ns, anomaly=one) for one in stand)]

    def _rules(self, site: SiteDescription) -> Site:
        return site_of(site, name=str(self._recording.path))

    def _stands(self, one: Anomaly) -> None:
        if one.state == "active":
            self._standing[one.id] = one
        else:
            self._standing.pop(one.id, None)


def unproven(trust: Mapping[str, int]) -> str:
    """Say how many messages nothing proves; empty where there are none.

    >>> unproven({"signed": 5, "unsigned": 2})
    '2 of 7 messages were not signed: who sent them is not proven'
    """
    said = {"unsigned": "were not signed", "unchecked": "were not checked for a signature"}
    total = sum(trust.values())
    parts = [
        f"{trust[how]} of {total} messages {text}" for how, text in said.items() if trust.get(how)
    ]
    return f"{', '.join(parts)}: who sent them is not proven" if parts else ""


def _is_wanted(channel: Channel) -> bool:
    return is_message(channel) or _is_frame(channel) or channel.topic == REFUSED_TOPIC


def _is_frame(channel: Channel) -> bool:
    return channel.topic == FRAME_TOPIC


def _people_of(header: bytes) -> Positions | None:
    try:
        return unpack(len(header).to_bytes(4, "big") + header).positions
    except WireError:
        return None
