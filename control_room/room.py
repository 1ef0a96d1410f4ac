"""What the control room knows now: the gateways' last words, the alarms, and who wants to hear.

Knows nothing about HTTP, WebSockets or how MQTT is carried. Every alarm is journalled first, then
receipted, then told to viewers. May be used from several threads.
"""

import contextlib
import json
import math
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from socket import gethostname
from typing import Any

from control_room.alarm_book import AlarmBook, SendReceipt
from control_room.alarm_rate import SHIFT_S, STANDING_S, AlarmRate, alarm_rate
from control_room.desk import Desk, SendOrder
from control_room.head_count import HeadCount
from control_room.journal.entries import Entries
from control_room.journal.journal import Journal
from control_room.journal.schema import JournalError
from control_room.lifecycle import CONTROL_ROOM, Act, Entry, Key, Wish
from control_room.loss import LossRate
from control_room.machines_seen import MachinesSeen
from control_room.namesakes import Namesakes
from control_room.out_of_service import BACK, TAKEN_OUT, Out, OutOfService, may_go, unknown
from control_room.own_alarms import OWN_KINDS, REFUSED
from control_room.plan_words import plan_words
from control_room.roster import Worker
from control_room.shared_alarms import SHARE_EVERY_S
from control_room.told import alarm_fields, message_text, out_text, snapshot_text, together
from control_room.viewers import Listener, Viewers
from control_room.watches import Own, Watches
from delivery.lane import NOTHING_SHED, Shed
from delivery.signing import RefusedError
from delivery.trust import Distrusted
from scene.clock import Clock
from scene.messages import Anomaly, ControlRoomBeat, Machines, Positions, SiteDescription
from scene.topics import LIVE_PREFIX, REPLAY_PREFIX, SILENT_AFTER_S, Address
from scene.wire import Envelope

HISTORY = 100
"""How many past alarms a viewer is given at the start."""

KEPT = ("state", "site", "health", "positions")
"""Topics whose last message a new viewer hears at once."""

MAX_GATEWAYS = 256
"""More than this is a mistake or an attack; further ones are not listened to."""

SIGNS_OF_LIFE = ("health", "positions")

SendBeat = Callable[[str, str, ControlRoomBeat], None]
"""Takes site, gateway and the control room's heartbeat to it."""
ForgetKept = Callable[[str, str, Sequence[str]], None]
"""Takes site, gateway and the ids of alarms of it that may be kept."""


class Room:
    """The control room's memory."""

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        send_receipt: SendReceipt,
        send_order: SendOrder,
        *,
        prefix: str,
        is_connected: Callable[[], bool] = lambda: True,
        operators: int = 1,
        roster: Sequence[Worker] = (),
        send_beat: SendBeat = lambda _site, _gateway, _beat: None,
        expected: Iterable[tuple[str, str]] = (),
        distrusted: Callable[[], Iterable[Distrusted]] = tuple,
        keyed: Callable[[], Iterable[tuple[str, str]]] = tuple,
        also: Callable[[], dict[str, Any]] = dict,
        alarms_held_s: Callable[[], float] = lambda: 0.0,
        shed: Callable[[], Shed] = lambda: NOTHING_SHED,
        forget_kept: ForgetKept = lambda _site, _gateway, _alarms: None,
        broker_trouble: Callable[[], str] = lambda: "",
        host: str | None = None,
    ) -> None:
        """Start knowing nothing but the journal; `is_connected` tells of the broker.

        Of gateways (site, gateway) that are `expected`, silence from the start is an alarm. The
        load of alarms is shared by so many `operators`; `roster` is who is underground;
        `distrusted` lists the files of keys that can't be used, and `keyed` the gateways that have
        a key by now, whom we expect from then on; `also` gives what a snapshot says
        besides; `alarms_held_s` tells for how long who hands alarms to us has waited for that, and
        `shed` how far positions are behind; `forget_kept` has the broker forget what it keeps of a
        gateway; `broker_trouble` says why the broker is not there, or what is wrong with it;
        `host` is what people call this machine.
        """
        self.prefix = prefix
        self._is_connected = is_connected
        self.alarms_held_s = alarms_held_s
        self._shed, self._broker_trouble = shed, broker_trouble
        self.journal = self._journal = journal
        self._clock = clock
        self._desk = Desk(journal, clock, send_order, live=prefix == LIVE_PREFIX)
        self._operators = operators
        expected = tuple(expected)
        self._heads = HeadCount(roster, expected, clock.now_ns())
        self._send_beat = send_beat
        self._also = also
        self._distrusted, self._keyed = distrusted, keyed
        self._out = OutOfService(host or gethostname())
        self._watches = Watches(clock, self._out.room)
        self._loss = LossRate(clock)
        self._last: dict[tuple[str, str], dict[str, Envelope]] = {}
        self._heard_s: dict[tuple[str, str, str], float] = {}
        """When each of them was heard, on the monotonic clock."""
        self._jumped: dict[tuple[str, str], int] = {}
        """How many positions were lost since the last that were heard."""
        self._together: list[str] | None = None
        """Texts on positions that are to be told as one."""
        self._plans: dict[tuple[str, str], dict[str, Any]] = {}
        """What a plan shows of their site files."""
        self._machines = MachinesSeen(clock)
        self._namesakes = Namesakes()
        self._viewers = self._new_viewers()
        self._lock = threading.RLock()
        self._book = AlarmBook(
            journal,
            clock,
            send_receipt,
            lambda: self._viewers,
            self._note_names,
            live=prefix == LIVE_PREFIX,
        )
        self._backs: deque[tuple[str, int]] = deque(maxlen=MAX_GATEWAYS)
        """Whose return to service the audit does not have yet: SITE/GATEWAY and when."""
        self._forget_kept = forget_kept
        self._too_many: set[tuple[str, str]] = set()
        """Gateways that are not listened to."""
        self._take_over()
        for place in expected:
            if place not in self._out:
                self._meet(*place)

    def hear(self, address: Address, envelope: Envelope) -> None:
        """Take one MQTT message; alarms are journalled and receipted before this returns."""
        if address.topic == "alarm":
            self.hear_alarms([(address, envelope)])
            return
        if self._is_out(address, envelope):
            return
        self._heads.hear(address, envelope, self._clock.now_ns())
        if isinstance(envelope.body, Machines):
            self._hear_machines(address.site, envelope.body)
        if address.topic not in KEPT:
            return
        place = (address.site, address.gateway)
        with self._lock:
            if not self._listens_to(place):
                return
            if address.topic == "positions":
                self._note_sent(place, envelope)
            self._last[place][address.topic] = envelope
            if isinstance(envelope.body, SiteDescription):
                self._plans[place] = plan_words(envelope.body)
            self._heard_s[*place, address.topic] = self._clock.monotonic_s()
            if self._viewers:
                self._tell_said(address.topic, self._text(place, address.topic, envelope))
            self._book.keep_own(self._watches.hear(place, envelope))

    @contextlib.contextmanager
    def telling_together(self) -> Iterator[None]:
        """Tell viewers all positions that are heard within the block as one text, at its end."""
        with self._lock:
            self._together = []
        try:
            yield
        finally:
            with self._lock:
                self._tell_together()
                self._together = None

    def hear_alarms(self, said: Sequence[tuple[Address, Envelope]]) -> None:
        """Take alarms that came together; they are journalled in one go and receipted."""
        with self._lock:
            alarms = []
            for address, envelope in said:
                place = (address.site, address.gateway)
                # An alarm counts whoever says it, also one too many or one that is out.
                if not self._is_out(address, envelope):
                    self._listens_to(place)
                if isinstance(envelope.body, Anomaly) and envelope.body.id == address.id:
                    alarms.append((*place, envelope.body))
            self._book.keep_alarms(alarms)
            back = {(out.site, out.gateway): out for out, _ in self._out.returned}
            for site, gateway, one in alarms:
                if (site, gateway) in back and one.state == "active":  # said after it was back
                    self._reopen(back[site, gateway], [one.id])

    def refuse(self, address: Address, error: RefusedError) -> None:
        """Take note of a message that was refused; somebody must hear of it."""
        with self._lock:
            self._book.keep_own(self._watches.refuse(address, error))

    def miss(self, address: Address, jumped: int) -> None:
        """Take note that so many messages were sent there and not heard.

        Of alarms that is an alarm in its turn, of positions a share that viewers are told.
        """
        place = (address.site, address.gateway)
        with self._lock:
            if place not in self._last:
                return
            if address.topic == "alarm":
                self._watches.miss(place, jumped)
            elif address.topic == "positions":
                self._loss.note(place, lost=jumped)
                self._jumped[place] = self._jumped.get(place, 0) + jumped

    def tick(self) -> None:
        """Do what is due, tell viewers the groups and the time; to be called twice a second.

        Heads are counted by `count`, beside it: no silence may wait for that.
        """
        with self._lock:
            self._take_over()
            try:
                self._expect_keyed()
                self._book.note_own(self._silences())
                self._book.note_own(self._watches.distrust(self._distrusted()))
                self._book.note_own(self._watches.check())
                self._book.note_own(self._troubles())
                self._beat()
            finally:
                # Last, and all at once: a locked file is waited for, and nobody is heard meanwhile
                # who could then be called silent.
                self._book.store_own(tuple(self._book.unstored.items()))
            self._take_over()
            self._note_backs()
            self._share()
            for due in (self._desk.empty_shelf, self._desk.carry_out):
                with self._book.troubled():
                    for entry in due():
                        self._viewers.tell_alarm(entry)
            for tell in (self._viewers.tell_groups, self._viewers.tell_rate):
                with self._book.troubled():
                    tell()
            self._viewers.tell("clock", self._clock_text())

    def count(self) -> None:
        """Tell viewers how many are where, when that is due; counted while alarms may come."""
        self._heads.begin()
        with self._lock:
            if not self._viewers.wants_heads():
                return
            sites = sorted({site for site, _ in self._last})
        began_s = self._clock.monotonic_s()
        counts = [count for site in sites if (count := self.muster(site)) is not None]
        took_s = self._clock.monotonic_s() - began_s
        with self._lock:
            self._viewers.tell_heads(counts, took_s)

    def do(self, wish: Wish) -> dict[str, Any]:
        """Do what an operator asks for and store it; gives the alarm as viewers are told it.

        Asked for again, it is not done again. Raises `ActError` and `JournalError`.
        """
        with self._lock:
            entry = self._desk.do(wish)
            self._watches.is_over(entry)
            self._viewers.tell_alarm(entry)
            return alarm_fields(entry, self._clock.now_ns())

    def alarm_rate(self) -> AlarmRate:
        """Tell how many alarms each operator gets; raises `JournalError`. No alarm waits for it."""
        with self._journal.apart() as journal:
            return self._rate_of(journal)

    def _rate_of(self, journal: Entries) -> AlarmRate:
        now_ns = self._clock.now_ns()
        return alarm_rate(
            journal.raised_since(now_ns - SHIFT_S * 1_000_000_000),
            journal.standing_since(now_ns - STANDING_S * 1_000_000_000),
            now_ns=now_ns,
            operators=self._operators,
        )

    def muster(self, site: str) -> dict[str, Any] | None:
        """Count heads in a site now (`control_room.muster.to_json`); none for an unknown one."""
        found = self._heads.muster(site, self._clock.now_ns())
        return None if found is None else found | {"replay": self.prefix == REPLAY_PREFIX}

    @property
    def heads(self) -> HeadCount:
        """Who counts heads, of all sites."""
        return self._heads

    def how_it_is(self) -> dict[str, Any]:
        """Tell of the control room itself, as viewers are told, and how many operators share it."""
        with self._lock:
            return self._clock_fields() | {"operators": self._operators}

    def history(self, limit: int) -> list[dict[str, Any]]:
        """List the newest alarms as viewers are told them, newest first; raises `JournalError`."""
        now_ns = self._clock.now_ns()
        with self._journal.apart() as journal:
            return [alarm_fields(entry, now_ns) for entry in journal.history(limit)]

    def acts(self, site: str, gateway: str, alarm: str) -> list[Act]:
        """List all that was ever done with an alarm, oldest first; raises `JournalError`."""
        with self._journal.apart() as journal:
            return journal.acts(Key(site=site, gateway=gateway, alarm=alarm))

    def begin_anew(self, tell: Callable[[], None], heads: HeadCount) -> None:
        """Forget everything, for a replay that goes elsewhere; viewers get one snapshot of it.

        `tell` says to this room what holds there; `heads` has counted up to there already.
        """
        with self._lock:
            listeners = self._viewers.hand_over()
            self._journal.forget_all()
            forgotten = (self._last, self._heard_s, self._plans, self._machines)
            for memory in (*forgotten, self._book.unstored):
                memory.clear()
            self._jumped.clear()
            self._namesakes = Namesakes()
            self._heads = HeadCount()  # for what is said now has been counted
            tell()
            self._heads = heads
            self._viewers = self._new_viewers()
            for listener in listeners:
                self._viewers.join(listener)
            self._viewers.tell("snapshot", self._snapshot())

    def tell(self, about: str, text: str) -> None:
        """Tell all viewers something that is no gateway's word."""
        with self._lock:
            self._viewers.tell(about, text)

    def _new_viewers(self) -> Viewers:
        journal = self._journal
        return Viewers(journal, self._clock, lambda: self._rate_of(journal), self._namesakes)

    def join(self, listener: Listener) -> str:
        """Add a listener; gives the snapshot after which it hears every change."""
        with self._lock:
            self._viewers.join(listener)
            return self._snapshot()

    def leave(self, listener: Listener) -> None:
        """Remove a listener."""
        with self._lock:
            self._viewers.leave(listener)

    def stream_url(self, site: str, gateway: str) -> str | None:
        """Tell where a gateway streams its panorama; none while that is unknown."""
        with self._lock:
            said = self._last.get((site, gateway), {}).get("site")
        if said is None or not isinstance(said.body, SiteDescription):
            return None
        url = said.body.stream_url
        return url if url.startswith(("ws://", "wss://")) else None

    def take_out(self, site: str, gateway: str, *, by: str, reason: str) -> None:
        """Take a gateway out of service: its silence is meant from now on, until it speaks again.

        Its alarms are over, and the broker forgets what it keeps of it. Once more asked for, it is
        not done again. Raises `ActError` and `JournalError`.
        """
        place = (site, gateway)
        with self._lock:
            if place in self._out:
                return
            if place not in self._last or self.prefix != LIVE_PREFIX:
                raise unknown(site, gateway)
            now_s, now_ns = self._clock.monotonic_s(), self._clock.now_ns()
            heard_s = [self._heard_s.get((*place, topic), -math.inf) for topic in SIGNS_OF_LIFE]
            # What is refused is about who speaks in its name.
            entries = [one for one in self._open_of(place) if one.last.kind != REFUSED]
            may_go(gateway, entries, now_s - max(heard_s), SILENT_AFTER_S)
            out = Out(
                site=site, gateway=gateway, by=by, reason=reason, at_ns=now_ns, room=self._out.room
            )
            about, body = f"{site}/{gateway}", {"reason": reason, "room": out.room}
            self._journal.audit(who=by, what=TAKEN_OUT, at_ns=now_ns, about=about, body=body)
            self._out.put(out)
            self._forget_gateway(place)
            self._end(entries, out)
            self._viewers.tell("out_of_service", out_text(self._out.all()))
            self._forget_kept(site, gateway, [one.key.alarm for one in entries])

    def _open_of(self, place: tuple[str, str]) -> list[Entry]:
        """List a gateway's active alarms; raises `JournalError`."""
        return [
            one
            for one in self._journal.open_entries()
            if (one.key.site, one.key.gateway) == place and one.last.state == "active"
        ]

    def _end(self, entries: Sequence[Entry], out: Out) -> None:
        """Have alarms over because their gateway is out; `_reopen` knows them by the instant."""
        said = f"{out.gateway} was taken out of service by {out.by}: {out.reason}"
        words = [
            (one.key, replace(one.last, state="cleared", captured_at_ns=out.at_ns, evidence=said))
            for one in entries
        ]
        self._book.unstored.update(words)  # until the disk has them
        self._book.store_own(words)

    def _is_out(self, address: Address, envelope: Envelope) -> bool:
        """Tell whether a message's gateway is out of service, and stays so in spite of it."""
        place = (address.site, address.gateway)
        with self._lock:
            if place not in self._out:
                return False
            if not self._out.speaks(address, envelope):
                return True
            self._bring_back(place)
            self._backs.append((f"{place[0]}/{place[1]}", self._clock.now_ns()))
            self._note_backs()
            self._viewers.tell("out_of_service", out_text(self._out.all()))
            return False

    def _bring_back(self, place: tuple[str, str]) -> None:
        """Wait for a gateway again that was out of service."""
        out, said, active = self._out.take_back(place, self._clock.now_ns())
        # Else its alarms would be over as soon as the disk is back, though it has them still.
        waiting = [(key, word.captured_at_ns) for key, word in self._book.unstored.items()]
        for key, at_ns in waiting:
            if (key.site, key.gateway) == place and at_ns == out.at_ns:
                del self._book.unstored[key]
        self._listens_to(place)
        for one in said:
            self.hear(*one)
        self._reopen(out, active)

    def _note_backs(self) -> None:
        """Write down who is back; until that is on the disk a restart takes them for out again."""
        while self._backs:
            about, at_ns = self._backs[0]
            try:
                self._journal.audit(who=CONTROL_ROOM, what=BACK, at_ns=at_ns, about=about)
            except JournalError as error:
                self._book.trouble.note(error)
                return
            self._backs.popleft()

    def _reopen(self, out: Out, active: Sequence[str]) -> None:
        """Have the alarms again that were over only because their gateway was out."""
        for id in active:
            key = Key(site=out.site, gateway=out.gateway, alarm=id)
            with self._book.troubled():
                entry = self._journal.entry(key)
                if entry is not None and entry.cleared_at_ns == out.at_ns:
                    self._journal.reopen(key)
                    entry = self._journal.entry(key)
                if entry is not None:  # another control room may have been the one to reopen it
                    self._viewers.tell_alarm(entry)

    def _forget_gateway(self, place: tuple[str, str]) -> None:
        self._last.pop(place, None)
        self._plans.pop(place, None)
        for topic in KEPT:
            self._heard_s.pop((*place, topic), None)
        self._jumped.pop(place, None)
        self._loss.forget(place)
        self._watches.forget(place)
        self._heads.forget(*place, self._clock.now_ns())
        for key in [one for one in self._book.unstored if (one.site, one.gateway) == place]:
            del self._book.unstored[key]

    def _listens_to(self, place: tuple[str, str]) -> bool:
        """Tell whether there is room for a gateway; one too many is told."""
        if place not in self._last:
            if len(self._last) >= MAX_GATEWAYS:
                if len(self._too_many) < MAX_GATEWAYS:
                    self._too_many.add(place)
                return False
            self._meet(*place)
            self._too_many.discard(place)
        return True

    def _expect_keyed(self) -> None:
        """Wait for a gateway from when its key is there: it may have been added just now."""
        for place in self._keyed():
            if place not in self._last and place not in self._out and self._listens_to(place):
                self._heads.expect(*place, self._clock.now_ns())

    def _meet(self, site: str, gateway: str) -> None:
        self._last[(site, gateway)] = {}
        if self.prefix != LIVE_PREFIX:
            return
        self._watches.expect(site, gateway)

    def _beat(self) -> None:
        """Say to every gateway that somebody is here, and which heartbeat of it came last."""
        if self.prefix == LIVE_PREFIX:
            healths = [(place, said.get("health")) for place, said in self._last.items()]
            for beat in self._watches.beats(healths, self._book.trouble.said):
                self._send_beat(*beat)

    def note_journal(self, trouble: str) -> None:
        """Take what is wrong with the journal by who tries now and then; empty when nothing is."""
        self._book.trouble.tried(trouble)

    def _troubles(self) -> Iterable[Own]:
        """Give what is to be said of the control room itself."""
        return self._watches.trouble(
            connected=self._is_connected(),
            broker=self._broker_trouble(),
            journal=self._book.trouble.text,
        )

    def _silences(self) -> Iterator[Own]:
        """Give an alarm for every gateway that has fallen silent; a replay has none."""
        if self.prefix != LIVE_PREFIX:
            return
        for site, gateway, anomaly in self._watches.silent():
            said = anomaly.evidence
            if not self._is_connected():
                said = "The control room has lost the MQTT broker."
            yield site, gateway, replace(anomaly, evidence=said)

    def _take_over(self) -> None:
        """Take over what an earlier run raised, once the journal can be read and ours is in it.

        A control room may start before its database, and be looked at before that is there: then
        viewers hear of open alarms late.
        """
        if not self._book.behind or self._book.unstored:
            return
        with self._book.troubled():
            is_first = self._out.read_to is None
            if is_first:
                self._read_out()
            entries = self._journal.open_entries()
            self._book.behind = False
            self._book.trouble.end()
            for entry in entries:
                self._viewers.tell_alarm(entry)
            if self._book.shared is not None:
                self._book.shared.note_told(entries)
                if not is_first:  # those of another room are its own
                    entries = [one for one in entries if self._book.shared.is_ours(one.key)]
            self._book.keep_own(self._watches.carry_on(entries))

    def _share(self) -> None:
        """Take over now and then what another control room has done that shares our journal."""
        now_s = self._clock.monotonic_s()
        if self._book.shared is None or self._out.read_to is None or now_s < self._out.read_due_s:
            return
        if self._book.behind:  # who hangs or is away is asked once in a look, not by everybody
            return
        self._out.read_due_s = now_s + SHARE_EVERY_S
        with self._book.troubled():
            if not self._backs and self._read_out():
                self._viewers.tell("out_of_service", out_text(self._out.all()))
            for entry in self._book.shared.changed(self._journal):
                self._viewers.tell_alarm(entry)
            ours = [key for key in self._watches.raised() if key not in self._book.unstored]
            for entry in self._book.shared.over(self._journal, ours):
                self._watches.is_over(entry)

    def _read_out(self) -> bool:
        """Read who is out of service; tells whether that is news. Raises `JournalError`."""
        if self.prefix != LIVE_PREFIX:
            return False
        # Nobody has gone out by our own doing before it has been read once.
        first, after = self._out.read_to is None, self._out.read_to or 0
        newest = self._journal.head().number
        if newest == after and not first:
            return False
        news = self._out.news(self._journal.audited(TAKEN_OUT, BACK, after=after))
        for one in news:
            if one.out is None:
                self._bring_back(one.place)
            else:
                self._go_by(one.out, first=first)
        self._out.read_to = newest
        return bool(news)

    def _go_by(self, out: Out, *, first: bool) -> None:
        """Take a gateway for out of service that somebody has taken out elsewhere, or before.

        Raises `JournalError`.
        """
        place = (out.site, out.gateway)
        ours = [
            one
            for one in self._open_of(place)
            if one.last.kind in OWN_KINDS and one.last.kind != REFUSED
        ]
        self._out.put(out)
        for topic, envelope in self._last.get(place, {}).items():
            address = Address(prefix=self.prefix, site=out.site, gateway=out.gateway, topic=topic)
            self._out.speaks(address, envelope)
        if first and any((*place, topic) in self._heard_s for topic in SIGNS_OF_LIFE):
            self._bring_back(place)  # it has spoken while the journal could not be read
            self._backs.append((f"{out.site}/{out.gateway}", self._clock.now_ns()))
            return
        self._forget_gateway(place)
        self._end(ours, out)

    def _note_names(self, place: tuple[str, str], anomaly: Anomaly) -> None:
        """Note whom an alarm is about, and whom its gateway followed at the time."""
        told = self._last.get(place, {}).get("positions")
        positions = told.body if told and isinstance(told.body, Positions) else None
        self._namesakes.note(*place, anomaly, positions)

    def _hear_machines(self, site: str, said: Machines) -> None:
        """Take machines' places of a site; viewers are told."""
        with self._lock:
            for text in self._machines.hear(site, said):
                self._viewers.tell("machine", text)

    def _note_sent(self, place: tuple[str, str], envelope: Envelope) -> None:
        """Count positions as heard, those before them too that were passed over on purpose."""
        before, lost = self._last[place].get("positions"), self._jumped.pop(place, 0)
        sent = 1
        if before is not None and before.run == envelope.run:
            sent = envelope.seq - before.seq
        self._loss.note(place, heard=max(1, sent - lost))

    def _tell_said(self, topic: str, text: str) -> None:
        if topic == "positions" and self._together is not None:
            self._together.append(text)
            return
        if topic == "state":  # no page may hear a gateway's positions after its goodbye
            self._tell_together()
        self._viewers.tell(topic, text)

    def _tell_together(self) -> None:
        if self._together:
            self._viewers.tell("positions", together(self._together))
            self._together = []

    def _text(self, place: tuple[str, str], topic: str, envelope: Envelope) -> str:
        """Write what a gateway said; with its site also what only the plan shows."""
        text = message_text(*place, topic, envelope)
        if topic != "site":
            return text
        return f'{text[:-1]}, "plan": {json.dumps(self._plans.get(place))}}}'

    def _snapshot(self) -> str:
        now_s = self._clock.monotonic_s()
        said = [
            f"{self._text(place, topic, envelope)[:-1]}, "
            f'"age_s": {round(now_s - self._heard_s[*place, topic], 3)}}}'
            for place, topics in self._last.items()
            for topic, envelope in topics.items()
        ]
        entries: dict[Key, Entry] = {}
        groups: list[list[str]] = []
        rate: dict[str, Any] | None = None
        with self._book.troubled():
            for entry in [*self._journal.open_entries(), *self._journal.history(HISTORY)]:
                entries[entry.key] = entry
            groups = self._viewers.groups()
            rate = asdict(self._rate_of(self._journal))
        self._book.behind = self._book.behind or rate is None
        return snapshot_text(
            self.prefix,
            machines=self._machines.told(),
            entries=entries.values(),
            groups=groups,
            rate=rate,
            out=self._out.all(),
            more=self._clock_fields() | self._also(),
            now_ns=self._clock.now_ns(),
            said=said,
        )

    def _clock_fields(self) -> dict[str, Any]:
        return {
            "now_ns": self._clock.now_ns(),
            "broker": self._is_connected(),
            "trouble": self._book.trouble.text,
            "positions_shed": asdict(self._shed()),
            "passed_over": self._passed_over(),
            "returned": self._out.lately_back(self._clock.now_ns()),
            "positions_lost": {
                f"{site}/{gateway}": round(share, 4)
                for (site, gateway), share in self._loss.shares().items()
            },
        }

    def _passed_over(self) -> dict[str, Any]:
        """Tell what is not listened to, as there is too much of it; mostly nothing."""
        found: dict[str, Any] = dict(self._heads.passed_over())
        if self._too_many:
            found["gateways"] = [f"{site}/{gateway}" for site, gateway in sorted(self._too_many)][
                :9
            ]
            found["gateways_count"] = len(self._too_many)
        if self._machines.passed_over:
            found["machines"] = self._machines.passed_over
        return found

    def _clock_text(self) -> str:
        return json.dumps({"is": "clock", **self._clock_fields()})
