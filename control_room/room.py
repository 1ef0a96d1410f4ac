"""What the control room knows now: the gateways' last words, the alarms, and who wants to hear.

Knows nothing about HTTP, WebSockets or how MQTT is carried. Every alarm is journalled first, then
receipted, then told to viewers. May be used from several threads.
"""

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter

from control_room.heartbeat import KIND as SILENT
from control_room.heartbeat import HeartbeatWatch
from control_room.journal import Entry, Journal, JournalError, Key
from scene.alarms import ALARMS
from scene.clock import Clock
from scene.messages import Anomaly, GatewayHealth, GatewayState, Receipt, SiteDescription
from scene.topics import LIVE_PREFIX, Address
from scene.wire import Envelope, encode

HISTORY = 100
"""How many past alarms a viewer is given at the start."""

KEPT = ("state", "site", "health", "positions")
"""Topics whose last message a new viewer hears at once."""

MAX_GATEWAYS = 256
"""More than this is a mistake or an attack; further ones are not listened to."""

_ANOMALY: TypeAdapter[Anomaly] = TypeAdapter(Anomaly)

Listener = Callable[[str, str], None]
"""Takes what it is about (`positions`, `alarm`, …) and the JSON text."""
SendReceipt = Callable[[str, str, Receipt], None]
"""Takes site, gateway and the receipt."""


class Room:
    """The control room's memory."""

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        send_receipt: SendReceipt,
        *,
        prefix: str,
        is_connected: Callable[[], bool] = lambda: True,
    ) -> None:
        """Start knowing nothing but the journal; `is_connected` tells of the broker."""
        self.prefix = prefix
        self._is_connected = is_connected
        self._journal = journal
        self._clock = clock
        self._send_receipt = send_receipt
        self._heartbeats = HeartbeatWatch(clock)
        self._last: dict[tuple[str, str], dict[str, Envelope]] = {}
        self._heard_s: dict[tuple[str, str, str], float] = {}
        """When each of them was heard, on the monotonic clock."""
        self._listeners: list[Listener] = []
        self._lock = threading.RLock()
        self._trouble = ""

    def hear(self, address: Address, envelope: Envelope) -> None:
        """Take one MQTT message; alarms are journalled and receipted before this returns."""
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
            self._tell(address.topic, _said(*place, address.topic, envelope))
            if isinstance(envelope.body, GatewayHealth):
                self._keep_silence(*place, self._heartbeats.beat(*place))
            elif isinstance(envelope.body, GatewayState) and not envelope.body.online:
                self._keep_silence(*place, self._heartbeats.gone(*place))

    def tick(self) -> None:
        """Look for silent gateways and tell viewers the time; to be called about twice a second."""
        with self._lock:
            silent = self._heartbeats.check() if self.prefix == LIVE_PREFIX else []
            for site, gateway, anomaly in silent:
                if not self._is_connected():
                    anomaly = replace(  # noqa: PLW2901
                        anomaly, evidence="The control room has lost the MQTT broker."
                    )
                self._keep_alarm(site, gateway, anomaly, receipt=False)
            self._tell("clock", self._clock_text())

    def acknowledge(self, key: Key) -> bool:
        """Note that an operator has seen an alarm; tells whether there is such an alarm.

        Raises `JournalError`.
        """
        with self._lock:
            if self._journal.entry(key) is None:
                return False
            self._journal.acknowledge(key, acknowledged_at_ns=self._clock.now_ns())
            entry = self._journal.entry(key)
            if entry is not None:
                self._tell("alarm", json.dumps({"is": "alarm", **_alarm(entry)}))
            return True

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
        if anomaly is not None and self.prefix == LIVE_PREFIX:
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
            text = {"is": "alarm", **_unstored(key, anomaly, stored_at_ns)}
            self._tell("alarm", json.dumps(text))
            return
        self._trouble = ""
        if receipt:
            self._send_receipt(
                site,
                gateway,
                Receipt(alarm=anomaly.id, state=anomaly.state, stored_at_ns=stored_at_ns),
            )
        if entry is not None and new:
            self._tell("alarm", json.dumps({"is": "alarm", **_alarm(entry)}))

    def _snapshot(self) -> str:
        now_s = self._clock.monotonic_s()
        said = [
            json.loads(_said(*place, topic, envelope))
            | {"age_s": round(now_s - self._heard_s[*place, topic], 3)}
            for place, topics in self._last.items()
            for topic, envelope in topics.items()
        ]
        entries: dict[Key, Entry] = {}
        try:
            for entry in [*self._journal.open_entries(), *self._journal.history(HISTORY)]:
                entries[entry.key] = entry
        except JournalError as error:
            self._trouble = str(error)
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
                "alarms": [_alarm(entry) for entry in entries.values()],
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


def _said(site: str, gateway: str, topic: str, envelope: Envelope) -> str:
    body = envelope.body
    if isinstance(body, SiteDescription):
        # A page needs neither; the site file may name users and addresses of cameras.
        body = replace(body, site_yaml="", stream_url="")
    text = encode(
        body, gateway=envelope.gateway, seq=envelope.seq, sent_at_ns=envelope.sent_at_ns
    ).decode()
    head = json.dumps({"is": "message", "site": site, "gateway": gateway, "topic": topic})
    return f'{head[:-1]}, "envelope": {text}}}'


def _alarm(entry: Entry) -> dict[str, Any]:
    return {
        "site": entry.key.site,
        "gateway": entry.key.gateway,
        "anomaly": _ANOMALY.dump_python(entry.last, mode="json"),
        "stored_at_ns": entry.stored_at_ns,
        "cleared_at_ns": entry.cleared_at_ns,
        "acknowledged_at_ns": entry.acknowledged_at_ns,
    }


def _unstored(key: Key, anomaly: Anomaly, now_ns: int) -> dict[str, Any]:
    return _alarm(
        Entry(
            key=key,
            last=anomaly,
            stored_at_ns=now_ns,
            cleared_at_ns=anomaly.captured_at_ns if anomaly.state == "cleared" else None,
            acknowledged_at_ns=None,
        )
    )
