"""What the control room knows now: the gateways' last words, the alarms, and who wants to hear.

Knows nothing about HTTP, WebSockets or how MQTT is carried. Every alarm is journalled first, then
receipted, then told to viewers. May be used from several threads.
"""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

from control_room.alarm_rate import SHIFT_S, STANDING_S, AlarmRate, alarm_rate
from control_room.desk import Desk, SendOrder
from control_room.grouping import group
from control_room.head_count import HeadCount
from control_room.heartbeat import KIND as SILENT
from control_room.heartbeat import HeartbeatWatch
from control_room.journal import Journal
from control_room.journal_schema import JournalError
from control_room.lifecycle import Entry, Key, Wish, is_shelved
from control_room.roster import Worker
from control_room.told import alarm_fields, alarm_name, message_text
from scene.alarms import ALARMS
from scene.clock import Clock
from scene.messages import Anomaly, GatewayHealth, GatewayState, Receipt, SiteDescription
from scene.topics import LIVE_PREFIX, Address
from scene.wire import Envelope

HISTORY = 100
"""How many past alarms a viewer is given at the start."""

KEPT = ("state", "site", "health", "positions")
"""Topics whose last message a new viewer hears at once."""

MAX_GATEWAYS = 256
"""More than this is a mistake or an attack; further ones are not listened to."""

RATE_EVERY_S = 10.0
"""So often viewers are told the alarm rate."""

Listener = Callable[[str, str], None]
"""Takes what it is about (`positions`, `alarm`, `groups`, …) and the JSON text."""
SendReceipt = Callable[[str, str, Receipt], None]
"""Takes site, gateway and the receipt."""


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
    ) -> None:
        """Start knowing nothing but the journal; `is_connected` tells of the broker.

        The load of alarms is shared by so many `operators`; `roster` is who is underground.
        """
        self.prefix = prefix
        self._is_connected = is_connected
        self._journal = journal
        self._clock = clock
        self._send_receipt = send_receipt
        self._desk = Desk(journal, clock, send_order, live=prefix == LIVE_PREFIX)
        self._operators = operators
        self._heads = HeadCount(roster)
        self._heartbeats = HeartbeatWatch(clock)
        self._last: dict[tuple[str, str], dict[str, Envelope]] = {}
        self._heard_s: dict[tuple[str, str, str], float] = {}
        """When each of them was heard, on the monotonic clock."""
        self._listeners: list[Listener] = []
        self._lock = threading.RLock()
        self._trouble = ""
        self._unstored: dict[tuple[str, str], Anomaly] = {}
        """The newest word of ours on each gateway that the disk refused; it is tried again."""
        self._groups_told = True
        """Whether viewers know the groups as they are now."""
        self._rate_told_s = -RATE_EVERY_S

    def hear(self, address: Address, envelope: Envelope) -> None:
        """Take one MQTT message; alarms are journalled and receipted before this returns."""
        self._heads.hear(address, envelope, self._clock.now_ns())
        if address.topic not in (*KEPT, "alarm"):
            return
        place = (address.site, address.gateway)
        with self._lock:
            if place not in self._last:
                if len(self._last) >= MAX_GATEWAYS:
                    return
                self._meet(*place)
            if address.topic == "alarm":
                if isinstance(envelope.body, Anomaly) and envelope.body.id == address.id:
                    self._keep_alarm(*place, envelope.body, receipt=True)
                return
            self._last[place][address.topic] = envelope
            self._heard_s[*place, address.topic] = self._clock.monotonic_s()
            if self._listeners:
                self._tell(address.topic, message_text(*place, address.topic, envelope))
            if isinstance(envelope.body, GatewayHealth):
                self._keep_silence(*place, self._heartbeats.beat(*place))
            elif isinstance(envelope.body, GatewayState) and not envelope.body.online:
                self._keep_silence(*place, self._heartbeats.gone(*place))

    def tick(self) -> None:
        """Do what is due, tell viewers the groups and the time; to be called twice a second."""
        with self._lock:
            silent = self._heartbeats.check() if self.prefix == LIVE_PREFIX else []
            for site, gateway, anomaly in silent:
                if not self._is_connected():
                    anomaly = replace(  # noqa: PLW2901
                        anomaly, evidence="The control room has lost the MQTT broker."
                    )
                self._keep_alarm(site, gateway, anomaly, receipt=False)
            for (site, gateway), anomaly in tuple(self._unstored.items()):
                self._keep_alarm(site, gateway, anomaly, receipt=False)
            for due in (self._desk.empty_shelf, self._desk.carry_out):
                with self._troubled():
                    for entry in due():
                        self._tell_alarm(entry)
            for tell in (self._tell_groups, self._tell_rate):
                with self._troubled():
                    tell()
            self._tell("clock", self._clock_text())

    def do(self, wish: Wish) -> dict[str, Any]:
        """Do what an operator asks for and store it; gives the alarm as viewers are told it.

        Asked for again, it is not done again. Raises `ActError` and `JournalError`.
        """
        with self._lock:
            entry = self._desk.do(wish)
            self._tell_alarm(entry)
            return alarm_fields(entry, self._clock.now_ns())

    def alarm_rate(self) -> AlarmRate:
        """Tell how many alarms each operator gets; raises `JournalError`."""
        now_ns = self._clock.now_ns()
        return alarm_rate(
            self._journal.raised_since(now_ns - SHIFT_S * 1_000_000_000),
            self._journal.standing_since(now_ns - STANDING_S * 1_000_000_000),
            now_ns=now_ns,
            operators=self._operators,
        )

    def muster(self, site: str) -> dict[str, Any] | None:
        """Count heads in a site now (`control_room.muster.to_json`); none for an unknown one."""
        return self._heads.muster(site, self._clock.now_ns())

    def join(self, listener: Listener) -> str:
        """Add a listener; gives the snapshot after which it hears every change."""
        with self._lock:
            self._listeners.append(listener)
            return self._snapshot()

    def leave(self, listener: Listener) -> None:
        """Remove a listener."""
        with self._lock:
            self._listeners.remove(listener)

    def stream_url(self, site: str, gateway: str) -> str | None:
        """Tell where a gateway streams its panorama; none while that is unknown."""
        with self._lock:
            said = self._last.get((site, gateway), {}).get("site")
        if said is None or not isinstance(said.body, SiteDescription):
            return None
        url = said.body.stream_url
        return url if url.startswith(("ws://", "wss://")) else None

    def _meet(self, site: str, gateway: str) -> None:
        self._last[(site, gateway)] = {}
        if self.prefix != LIVE_PREFIX:
            return
        silent = None
        try:
            for entry in self._journal.open_entries():
                same = (entry.key.site, entry.key.gateway) == (site, gateway)
                if same and entry.last.kind == SILENT and entry.cleared_at_ns is None:
                    silent = entry.last
        except JournalError as error:
            self._trouble = str(error)
        self._heartbeats.expect(site, gateway, already_raised=silent)

    def _keep_silence(self, site: str, gateway: str, anomaly: Anomaly | None) -> None:
        if anomaly is None or self.prefix != LIVE_PREFIX:
            return
        with self._troubled():
            entry = self._journal.entry(Key(site=site, gateway=gateway, alarm=anomaly.id))
            if entry is not None and entry.last.state == "cleared":
                return  # an operator had ended it before the heartbeat came back
        self._keep_alarm(site, gateway, anomaly, receipt=False)

    def _keep_alarm(self, site: str, gateway: str, anomaly: Anomaly, *, receipt: bool) -> None:
        key = Key(site=site, gateway=gateway, alarm=anomaly.id)
        stored_at_ns = self._clock.now_ns()
        try:
            new = self._journal.store(key, anomaly, stored_at_ns=stored_at_ns)
            entry = self._journal.entry(key)
        except JournalError as error:
            # Not stored, so not receipted: the gateway keeps it and tries again.
            self._trouble = str(error)
            if not receipt:  # nobody sends it again
                self._unstored[site, gateway] = anomaly
            cleared_at_ns = anomaly.captured_at_ns if anomaly.state == "cleared" else None
            unstored = Entry(
                key=key, last=anomaly, stored_at_ns=stored_at_ns, cleared_at_ns=cleared_at_ns
            )
            self._tell_alarm(unstored)
            return
        self._trouble = ""
        if receipt:
            self._send_receipt(
                site,
                gateway,
                Receipt(alarm=anomaly.id, state=anomaly.state, stored_at_ns=stored_at_ns),
            )
        else:
            self._unstored.pop((site, gateway), None)
        if entry is not None and new:
            self._tell_alarm(entry)

    def _tell_alarm(self, entry: Entry) -> None:
        self._groups_told = False
        said = {"is": "alarm", **alarm_fields(entry, self._clock.now_ns())}
        self._tell("alarm", json.dumps(said))

    def _tell_groups(self) -> None:
        """Tell the groups at a tick only: in a flood that is twice a second, not every alarm."""
        if not self._groups_told:
            self._tell("groups", json.dumps({"is": "groups", "groups": self._groups()}))
            self._groups_told = True

    def _groups(self) -> list[list[str]]:
        now_ns = self._clock.now_ns()
        listed = (one for one in self._journal.open_entries() if not is_shelved(one, now_ns))
        return [[alarm_name(entry.key) for entry in one.members] for one in group(listed)]

    def _tell_rate(self) -> None:
        now_s = self._clock.monotonic_s()
        if self._listeners and now_s - self._rate_told_s >= RATE_EVERY_S:
            self._rate_told_s = now_s
            said = {"is": "alarm_rate", "alarm_rate": asdict(self.alarm_rate())}
            self._tell("alarm_rate", json.dumps(said))

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
            json.loads(message_text(*place, topic, envelope))
            | {"age_s": round(now_s - self._heard_s[*place, topic], 3)}
            for place, topics in self._last.items()
            for topic, envelope in topics.items()
        ]
        entries: dict[Key, Entry] = {}
        groups: list[list[str]] = []
        rate: dict[str, Any] | None = None
        with self._troubled():
            for entry in [*self._journal.open_entries(), *self._journal.history(HISTORY)]:
                entries[entry.key] = entry
            groups = self._groups()
            rate = asdict(self.alarm_rate())
        now_ns = self._clock.now_ns()
        kinds = {
            name: {"en": kind.english, "zh": kind.chinese, "about": kind.about}
            for name, kind in ALARMS.items()
        }
        return json.dumps(
            {
                "is": "snapshot",
                "prefix": self.prefix,
                "kinds": kinds,
                "said": said,
                "alarms": [alarm_fields(entry, now_ns) for entry in entries.values()],
                "groups": groups,
                "alarm_rate": rate,
                **self._clock_fields(),
            }
        )

    def _clock_fields(self) -> dict[str, Any]:
        return {
            "now_ns": self._clock.now_ns(),
            "broker": self._is_connected(),
            "trouble": self._trouble,
        }

    def _clock_text(self) -> str:
        return json.dumps({"is": "clock", **self._clock_fields()})

    def _tell(self, about: str, text: str) -> None:
        for listener in tuple(self._listeners):
            listener(about, text)
