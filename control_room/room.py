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
from typing import Any

from control_room.alarm_rate import SHIFT_S, STANDING_S, AlarmRate, alarm_rate
from control_room.desk import Desk, SendOrder
from control_room.head_count import HeadCount
from control_room.journal.entries import Entries
from control_room.journal.journal import Journal
from control_room.journal.schema import JournalError, UnfitAlarmError
from control_room.lifecycle import CONTROL_ROOM, Act, Entry, Key, Wish
from control_room.loss import LossRate
from control_room.namesakes import Namesakes
from control_room.out_of_service import BACK, TAKEN_OUT, Out, OutOfService, may_go, unknown
from control_room.own_alarms import REFUSED
from control_room.plan_words import plan_words
from control_room.roster import Worker
from control_room.told import alarm_fields, message_text, together
from control_room.viewers import Listener, Viewers
from control_room.watches import Own, Watches
from delivery.lane import NOTHING_SHED, Shed
from delivery.signing import RefusedError
from delivery.trust import Distrusted
from scene.alarms import ALARMS
from scene.clock import Clock
from scene.messages import (
    Anomaly,
    ControlRoomBeat,
    Machines,
    Positions,
    Receipt,
    SiteDescription,
    Stored,
)
from scene.topics import LIVE_PREFIX, SILENT_AFTER_S, Address
from scene.wire import Envelope

HISTORY = 100
"""How many past alarms a viewer is given at the start."""

KEPT = ("state", "site", "health", "positions")
"""Topics whose last message a new viewer hears at once."""

MAX_MACHINES = 500
"""Of all sites together; more is a mistake or an attack."""

MAX_GATEWAYS = 256
"""More than this is a mistake or an attack; further ones are not listened to."""

SIGNS_OF_LIFE = ("health", "positions")
MOST_RETURNED = 20
RETURNED_TOLD_S = 600.0
"""So long viewers are told of a gateway that was out of service and spoke again."""

MOST_OVER = 256
"""So many alarms of ours that are over may wait for the disk. Of one that is forgotten, what the
journal has as active is taken over again once it can be read."""

SendReceipt = Callable[[str, str, Receipt], None]
"""Takes site, gateway and the receipt."""
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
        also: Callable[[], dict[str, Any]] = dict,
        alarms_held_s: Callable[[], float] = lambda: 0.0,
        shed: Callable[[], Shed] = lambda: NOTHING_SHED,
        forget_kept: ForgetKept = lambda _site, _gateway, _alarms: None,
    ) -> None:
        """Start knowing nothing but the journal; `is_connected` tells of the broker.

        Of gateways (site, gateway) that are `expected`, silence from the start is an alarm. The
        load of alarms is shared by so many `operators`; `roster` is who is underground;
        `distrusted` lists the files of keys that can't be used; `also` gives what a snapshot says
        besides; `alarms_held_s` tells for how long who hands alarms to us has waited for that, and
        `shed` how far positions are behind; `forget_kept` has the broker forget what it keeps of a
        gateway.
        """
        self.prefix = prefix
        self._is_connected = is_connected
        self.alarms_held_s = alarms_held_s
        self._shed = shed
        self.journal = self._journal = journal
        self._clock = clock
        self._send_receipt = send_receipt
        self._desk = Desk(journal, clock, send_order, live=prefix == LIVE_PREFIX)
        self._operators = operators
        expected = tuple(expected)
        self._heads = HeadCount(roster, expected, clock.now_ns())
        self._send_beat = send_beat
        self._also = also
        self._distrusted = distrusted
        self._watches = Watches(clock)
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
        self._machines: dict[tuple[str, str], tuple[float, dict[str, Any]]] = {}
        """Of each site's machines when it was heard last, and where it is."""
        self._namesakes = Namesakes()
        self._viewers = self._new_viewers()
        self._lock = threading.RLock()
        self._trouble = ""
        self._unstored: dict[Key, Anomaly] = {}
        """The newest word on each alarm of ours that the disk has not taken yet."""
        self._out = OutOfService()
        self._out_is_read = False
        self._returned: deque[tuple[Out, int]] = deque(maxlen=MOST_RETURNED)
        """Who was out and spoke again, and when."""
        self._backs: deque[tuple[str, int]] = deque(maxlen=MAX_GATEWAYS)
        """Of those, whose return the audit does not have yet: SITE/GATEWAY and when."""
        self._forget_kept = forget_kept
        self._too_many: set[tuple[str, str]] = set()
        """Gateways that are not listened to."""
        self._machines_passed_over: set[tuple[str, str]] = set()
        self._behind = True
        """Whether open alarms are in the journal that we, or a viewer, could not read yet."""
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
            self._keep_own(self._watches.hear(place, envelope))

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
            self._keep_alarms(alarms)
            back = {(out.site, out.gateway): out for out, _ in self._returned}
            for site, gateway, one in alarms:
                if (site, gateway) in back and one.state == "active":  # said after it was back
                    self._reopen(back[site, gateway], [one.id])

    def refuse(self, address: Address, error: RefusedError) -> None:
        """Take note of a message that was refused; somebody must hear of it."""
        with self._lock:
            self._keep_own(self._watches.refuse(address, error))

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
                self._note_own(self._silences())
                self._note_own(self._watches.distrust(self._distrusted()))
                self._note_own(self._watches.check())
                self._beat()
            finally:
                # Last, and all at once: a locked file is waited for, and nobody is heard meanwhile
                # who could then be called silent.
                self._store_own(tuple(self._unstored.items()))
            self._take_over()
            self._note_backs()
            for due in (self._desk.empty_shelf, self._desk.carry_out):
                with self._troubled():
                    for entry in due():
                        self._viewers.tell_alarm(entry)
            for tell in (self._viewers.tell_groups, self._viewers.tell_rate):
                with self._troubled():
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
        return self._heads.muster(site, self._clock.now_ns())

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
            for memory in (self._last, self._heard_s, self._plans, self._machines, self._unstored):
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
            entries = [
                one
                for one in self._journal.open_entries()
                if (one.key.site, one.key.gateway) == place
                and one.last.state == "active"
                and one.last.kind != REFUSED  # it is about who speaks in its name
            ]
            may_go(gateway, entries, now_s - max(heard_s), SILENT_AFTER_S)
            about, body = f"{site}/{gateway}", {"reason": reason}
            self._journal.audit(who=by, what=TAKEN_OUT, at_ns=now_ns, about=about, body=body)
            self._out.put(Out(site=site, gateway=gateway, by=by, reason=reason, at_ns=now_ns))
            self._forget_gateway(place)
            said = f"{gateway} was taken out of service by {by}: {reason}"
            words = [
                (one.key, replace(one.last, state="cleared", captured_at_ns=now_ns, evidence=said))
                for one in entries
            ]
            self._unstored.update(words)  # until the disk has them
            self._store_own(words)
            self._viewers.tell("out_of_service", self._out_text())
            self._forget_kept(site, gateway, [one.key.alarm for one in entries])

    def _is_out(self, address: Address, envelope: Envelope) -> bool:
        """Tell whether a message's gateway is out of service, and stays so in spite of it."""
        place = (address.site, address.gateway)
        with self._lock:
            if place not in self._out:
                return False
            if not self._out.speaks(address, envelope):
                return True
            out, said, active = self._out.take_back(place)
            self._note_return(out)
            for one in said:
                self.hear(*one)
            self._reopen(out, active)
            self._viewers.tell("out_of_service", self._out_text())
            return False

    def _note_return(self, out: Out) -> None:
        now_ns = self._clock.now_ns()
        self._returned.append((out, now_ns))
        self._backs.append((f"{out.site}/{out.gateway}", now_ns))
        self._note_backs()

    def _note_backs(self) -> None:
        """Write down who is back; until that is on the disk a restart takes them for out again."""
        while self._backs:
            about, at_ns = self._backs[0]
            try:
                self._journal.audit(who=CONTROL_ROOM, what=BACK, at_ns=at_ns, about=about)
            except JournalError as error:
                self._trouble = str(error)
                return
            self._backs.popleft()

    def _reopen(self, out: Out, active: Sequence[str]) -> None:
        """Have the alarms again that were over only because their gateway was out."""
        for id in active:
            key = Key(site=out.site, gateway=out.gateway, alarm=id)
            with self._troubled():
                entry = self._journal.entry(key)
                if entry is None or entry.cleared_at_ns != out.at_ns:
                    continue
                self._journal.reopen(key)
                again = self._journal.entry(key)
                if again is not None:
                    self._viewers.tell_alarm(again)

    def _forget_gateway(self, place: tuple[str, str]) -> None:
        self._last.pop(place, None)
        self._plans.pop(place, None)
        for topic in KEPT:
            self._heard_s.pop((*place, topic), None)
        self._jumped.pop(place, None)
        self._loss.forget(place)
        self._watches.forget(place)
        self._heads.forget(*place, self._clock.now_ns())
        for key in [one for one in self._unstored if (one.site, one.gateway) == place]:
            del self._unstored[key]

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

    def _meet(self, site: str, gateway: str) -> None:
        self._last[(site, gateway)] = {}
        if self.prefix != LIVE_PREFIX:
            return
        self._watches.expect(site, gateway)

    def _beat(self) -> None:
        """Say to every gateway that somebody is here, and which heartbeat of it came last."""
        if self.prefix == LIVE_PREFIX:
            healths = [(place, said.get("health")) for place, said in self._last.items()]
            for beat in self._watches.beats(healths, self._trouble):
                self._send_beat(*beat)

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
        if not self._behind or self._unstored:
            return
        with self._troubled():
            self._read_out()
            entries = self._journal.open_entries()
            self._behind, self._trouble = False, ""
            for entry in entries:
                self._viewers.tell_alarm(entry)
            self._keep_own(self._watches.carry_on(entries))

    def _read_out(self) -> None:
        """Read who is out of service, once; raises `JournalError`."""
        if self._out_is_read or self.prefix != LIVE_PREFIX:
            return
        self._out.read(self._journal.audited(TAKEN_OUT, BACK))
        self._out_is_read = True
        for out in self._out.all():
            place = (out.site, out.gateway)
            if any((*place, topic) in self._heard_s for topic in SIGNS_OF_LIFE):
                self._out.take_back(place)  # it has spoken while the journal could not be read
                self._note_return(out)
                continue
            for topic, envelope in self._last.get(place, {}).items():
                self._out.speaks(
                    Address(prefix=self.prefix, site=out.site, gateway=out.gateway, topic=topic),
                    envelope,
                )
            self._forget_gateway(place)

    def _keep_own(self, found: Iterable[Own]) -> None:
        """Store alarms of our own now and tell viewers."""
        refused = bool(self._unstored)
        words = self._note_own(found)
        if not refused:
            self._store_own(words)
            return
        # The next tick tries again, once for all: each try may wait, and hearing waits with it.
        for key, anomaly in words:
            self._viewers.tell_alarm(_as_said(key, anomaly, self._clock.now_ns()))

    def _note_own(self, found: Iterable[Own]) -> list[tuple[Key, Anomaly]]:
        """Have alarms of our own wait for the disk; gives those that no operator has ended."""
        words = []
        for site, gateway, anomaly in found:
            if self.prefix != LIVE_PREFIX or self._has_ended(site, gateway, anomaly):
                continue
            key = Key(site=site, gateway=gateway, alarm=anomaly.id)
            self._unstored[key] = anomaly
            words.append((key, anomaly))
        over = [key for key, one in self._unstored.items() if one.state == "cleared"]
        for key in over[: max(0, len(over) - MOST_OVER)]:
            del self._unstored[key]
            self._behind = True
        return words

    def _has_ended(self, site: str, gateway: str, anomaly: Anomaly) -> bool:
        """Tell whether an operator had ended an alarm of ours before its cause was gone."""
        with self._troubled():
            entry = self._journal.entry(Key(site=site, gateway=gateway, alarm=anomaly.id))
            return entry is not None and entry.last.state == "cleared"
        return False

    def _hear_machines(self, site: str, said: Machines) -> None:
        """Take machines' places of a site; viewers are told."""
        with self._lock:
            for machine in said.machines:
                key = (site, machine.machine)
                if key not in self._machines and len(self._machines) >= MAX_MACHINES:
                    if len(self._machines_passed_over) < MAX_MACHINES:
                        self._machines_passed_over.add(key)
                    continue
                fields = {"site": site, **asdict(machine)}
                self._machines[key] = (self._clock.monotonic_s(), fields)
                self._viewers.tell("machine", json.dumps({"is": "machine", **fields}))

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

    def _keep_alarms(self, said: Sequence[tuple[str, str, Anomaly]]) -> None:
        """Store what gateways said, receipt it, and tell viewers what is new."""
        if not said:
            return
        stored_at_ns = self._clock.now_ns()
        keyed = [(Key(site=site, gateway=gw, alarm=one.id), one) for site, gw, one in said]
        try:
            fresh = self._journal.store_all(keyed, stored_at_ns=stored_at_ns)
        except JournalError as error:
            if len(keyed) > 1 and isinstance(error, UnfitAlarmError):  # the others can be stored
                for one in said:
                    self._keep_alarms([one])
                return
            # Not stored, so not receipted: gateways keep them and try again. Trying one by one here
            # would hold up all watching, while somebody has locked the file for a second each.
            for key, anomaly in keyed:
                self._not_stored(key, anomaly, stored_at_ns, error)
            return
        self._trouble = ""
        by_place: dict[tuple[str, str], list[Stored]] = {}
        for key, anomaly in keyed:
            word = Stored(
                alarm=anomaly.id, state=anomaly.state, captured_at_ns=anomaly.captured_at_ns
            )
            by_place.setdefault((key.site, key.gateway), []).append(word)
        for place, (first, *others) in by_place.items():
            receipt = Receipt(
                alarm=first.alarm,
                state=first.state,
                stored_at_ns=stored_at_ns,
                captured_at_ns=first.captured_at_ns,
                also=tuple(others),
            )
            self._send_receipt(*place, receipt)
        self._tell_stored(
            [word for word, new in zip(keyed, fresh, strict=True) if new], stored_at_ns
        )

    def _store_own(self, words: Sequence[tuple[Key, Anomaly]]) -> bool:
        """Store alarms of our own in one go and tell viewers; what is refused is tried again.

        Tells whether the disk can be written.
        """
        if not words:
            return True
        stored_at_ns = self._clock.now_ns()
        try:
            fresh = self._journal.store_all(words, stored_at_ns=stored_at_ns)
        except JournalError as error:
            unfit = isinstance(error, UnfitAlarmError)
            if unfit and len(words) > 1:  # the others can be stored
                return all(self._store_own([word]) for word in words)  # until the disk refuses
            for key, anomaly in words:
                self._not_stored(key, anomaly, stored_at_ns, error)
            return unfit
        self._trouble = ""
        for key, _ in words:
            self._unstored.pop(key, None)
        self._tell_stored(
            [word for word, new in zip(words, fresh, strict=True) if new], stored_at_ns
        )
        return True

    def _not_stored(
        self, key: Key, anomaly: Anomaly, stored_at_ns: int, error: JournalError
    ) -> None:
        """Let people hear all the same."""
        self._trouble = str(error)
        self._viewers.tell_alarm(_as_said(key, anomaly, stored_at_ns))

    def _tell_stored(self, words: Sequence[tuple[Key, Anomaly]], stored_at_ns: int) -> None:
        """Tell viewers how alarms stand after these words, all read at once.

        Where the journal has just gone away, as gateways said: they are stored, and must be heard.
        """
        if not words:
            return
        for key, anomaly in words:
            place = (key.site, key.gateway)
            told = self._last.get(place, {}).get("positions")
            positions = told.body if told and isinstance(told.body, Positions) else None
            self._namesakes.note(*place, anomaly, positions)
        self._viewers.alarms_changed()
        if not self._viewers:
            return
        entries: list[Entry | None] = [None] * len(words)
        with self._troubled():
            entries = self._journal.entries([key for key, _ in words])
        for (key, anomaly), entry in zip(words, entries, strict=True):
            self._viewers.tell_alarm(entry or _as_said(key, anomaly, stored_at_ns))

    @contextlib.contextmanager
    def _troubled(self) -> Iterator[None]:
        """Show viewers that the journal is in trouble, and go on."""
        try:
            yield
        except JournalError as error:
            self._trouble = str(error)

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
        with self._troubled():
            for entry in [*self._journal.open_entries(), *self._journal.history(HISTORY)]:
                entries[entry.key] = entry
            groups = self._viewers.groups()
            rate = asdict(self._rate_of(self._journal))
        self._behind = self._behind or rate is None
        now_ns = self._clock.now_ns()
        kinds = {
            name: {"en": kind.english, "zh": kind.chinese, "about": kind.about}
            for name, kind in ALARMS.items()
        }
        text = json.dumps(
            {
                "is": "snapshot",
                "prefix": self.prefix,
                "kinds": kinds,
                "machines": [
                    fields | {"age_s": round(now_s - at_s, 3)}
                    for at_s, fields in self._machines.values()
                ],
                "alarms": [alarm_fields(entry, now_ns) for entry in entries.values()],
                "groups": groups,
                "alarm_rate": rate,
                "out_of_service": [asdict(one) for one in self._out.all()],
                **self._clock_fields(),
                **self._also(),
            }
        )
        # What gateways said is text already: of a hundred it is most of all this.
        return f'{text[:-1]}, "said": [{", ".join(said)}]}}'

    def _out_text(self) -> str:
        out = [asdict(one) for one in self._out.all()]
        return json.dumps({"is": "out_of_service", "out_of_service": out})

    def _clock_fields(self) -> dict[str, Any]:
        return {
            "now_ns": self._clock.now_ns(),
            "broker": self._is_connected(),
            "trouble": self._trouble,
            "positions_shed": asdict(self._shed()),
            "passed_over": self._passed_over(),
            "returned": [
                {**asdict(out), "back_at_ns": back_ns}
                for out, back_ns in self._returned
                if self._clock.now_ns() - back_ns < RETURNED_TOLD_S * 1e9
            ],
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
        if self._machines_passed_over:
            found["machines"] = len(self._machines_passed_over)
        return found

    def _clock_text(self) -> str:
        return json.dumps({"is": "clock", **self._clock_fields()})


def _as_said(key: Key, anomaly: Anomaly, stored_at_ns: int) -> Entry:
    """Give an alarm as its gateway said it, where the journal can't tell of its life."""
    over = anomaly.state == "cleared"
    return Entry(
        key=key,
        last=anomaly,
        stored_at_ns=stored_at_ns,
        cleared_at_ns=anomaly.captured_at_ns if over else None,
        raised=None if over else anomaly,
    )
