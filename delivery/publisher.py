"""What a gateway says over MQTT, and how its alarms are made to arrive.

Knows nothing about cameras, and nothing about which MQTT library carries it. An alarm goes to the
outbox first, then out, again and again until the control room's receipt for it has come: a broker's
own acknowledgement is not safety.
"""

import threading
from collections import deque

from delivery.link import Link
from delivery.outbox import Outbox, OutboxError
from scene.clock import Clock
from scene.errors import WireError
from scene.messages import (
    AlarmState,
    Anomaly,
    GatewayHealth,
    GatewayState,
    Positions,
    Receipt,
    SiteDescription,
)
from scene.site import Site
from scene.topics import LIVE_PREFIX, TOPICS, topic_filter, topic_name
from scene.wire import Message, decode, encode, type_name

RESEND_S = 2.0
"""An alarm without a receipt is sent again after so long."""
WINDOW = 64
"""So many old alarms are under way at a time, so that a new one never waits behind a backlog."""
MAX_KEPT = 500
"""So many active alarms are said again to a broker that may have forgotten them."""
MAX_UNSTORED = 1000
"""So many alarms are kept in memory when even the outbox can't take them."""
MAX_TOMBSTONES = 1000
TIDY_S = 3600.0

_Key = tuple[str, AlarmState]


class Publisher:
    """One gateway's voice; every method returns at once and may be called from any thread."""

    def __init__(
        self,
        site: Site,
        connection: Link,
        outbox: Outbox,
        clock: Clock,
        *,
        prefix: str = LIVE_PREFIX,
    ) -> None:
        """Start to send what waits in the outbox as soon as the connection is there."""
        self._site, self._gateway, self._prefix = site.site, site.gateway, prefix
        self._connection = connection
        self._outbox = outbox
        self._clock = clock
        self._since_ns = clock.now_ns()
        self._lock = threading.Lock()
        self._seq: dict[str, int] = {}
        self._description: SiteDescription | None = None
        self._sent: dict[_Key, tuple[int, float]] = {}
        self._receipted: deque[_Key] = deque()
        self._say_again: deque[Anomaly] = deque()
        self._unstored: dict[_Key, Anomaly] = {}
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self.trouble = ""
        """Why alarms are not safe on disk now; empty when they are."""
        receipts = topic_filter("receipt", prefix=prefix, site=self._site, gateway=self._gateway)
        connection.subscribe(receipts, TOPICS["receipt"].qos, self._on_receipt)
        connection.on_connect(self._on_connect)
        self._thread = threading.Thread(target=self._run, name="resend-alarms", daemon=True)
        self._thread.start()

    def announce(self, description: SiteDescription) -> None:
        """Say what a viewer must know; said again after every connection."""
        self._description = description
        self._send(description)

    def positions(self, positions: Positions) -> None:
        """Say where everybody is; lost when nobody can hear it now."""
        self._send(positions)

    def health(self, health: GatewayHealth) -> None:
        """Give the heartbeat."""
        self._send(health)

    def alarm(self, anomaly: Anomaly) -> None:
        """Raise or clear an alarm: to the disk, then out, until it is receipted.

        When the disk does not take it, it is kept in memory, sent all the same, and `trouble` says
        why.
        """
        try:
            new = self._outbox.put(anomaly)
            self.trouble = ""
        except OutboxError as error:
            self.trouble = str(error)
            new = True
            with self._lock:
                self._unstored[_key(anomaly)] = anomaly
                while len(self._unstored) > MAX_UNSTORED:
                    self._unstored.pop(next(iter(self._unstored)))
        if new:
            self._send_alarm(anomaly)
        else:  # another process put it; if it still waits, it is sent
            self._wake.set()

    def going_offline(self) -> None:
        """Say goodbye: nobody should wait for the next heartbeat."""
        self._stopping.set()
        self._wake.set()
        self._thread.join(timeout=5.0)
        self._keep_receipts()
        self._send(GatewayState(online=False, since_ns=self._clock.now_ns()))

    # ---- sending ----

    def _send(self, message: Message) -> bool:
        kind = type_name(message)
        row = TOPICS[kind]
        payload = self._encode(message, kind)
        topic = topic_name(kind, site=self._site, gateway=self._gateway, prefix=self._prefix)
        return self._connection.publish(topic, payload, qos=row.qos, retain=row.retain)

    def _send_alarm(self, anomaly: Anomaly) -> None:
        """Send unless this very word of it was sent a moment ago."""
        key, now_s = _key(anomaly), self._clock.monotonic_s()
        with self._lock:
            word, sent_at_s = self._sent.get(key, (0, 0.0))
            if word == anomaly.captured_at_ns and now_s - sent_at_s < RESEND_S:
                return
            self._sent[key] = (anomaly.captured_at_ns, now_s)
        if not self._connection.publish(
            self._alarm_topic(anomaly.id),
            self._encode(anomaly, "alarm"),
            qos=TOPICS["alarm"].qos,
            retain=self._to_be_kept(anomaly),
        ):
            with self._lock:
                self._sent.pop(key, None)
                self._seq["alarm"] -= 1  # nothing was missed: it will be sent

    def _to_be_kept(self, anomaly: Anomaly) -> bool:
        """Tell whether the broker shall keep it: a late raise of what is over must not stay."""
        if not TOPICS["alarm"].retain or anomaly.state != "active":
            return False
        try:
            return not self._outbox.is_cleared(anomaly)
        except OutboxError:
            return True

    def _encode(self, message: Message, kind: str) -> bytes:
        with self._lock:
            self._seq[kind] = self._seq.get(kind, 0) + 1
            seq = self._seq[kind]
        return encode(message, gateway=self._gateway, seq=seq, sent_at_ns=self._clock.now_ns())

    def _alarm_topic(self, id: str) -> str:
        return topic_name(
            "alarm", site=self._site, gateway=self._gateway, id=id, prefix=self._prefix
        )

    # ---- what comes back ----

    def _on_connect(self) -> None:
        self._send(GatewayState(online=True, since_ns=self._since_ns))
        if self._description is not None:
            self._send(self._description)
        with self._lock:
            self._sent.clear()
        # A broker that was restarted may have forgotten alarms that are still active, or still
        # keep some that are over.
        for id in self._outbox.over(MAX_TOMBSTONES):
            self._bury(id)
        self._say_again = deque(self._outbox.active(MAX_KEPT))
        self._wake.set()

    def _on_receipt(self, topic: str, payload: bytes, retained: bool) -> None:
        try:
            body = decode(payload).body
        except WireError:
            return
        if isinstance(body, Receipt) and topic.rpartition("/")[2] == body.alarm:
            self._receipted.append((body.alarm, body.state))
            self._wake.set()

    def _bury(self, id: str) -> None:
        """Take an alarm that is over away from the broker, by an empty retained message."""
        self._connection.publish(self._alarm_topic(id), b"", qos=1, retain=True)

    # ---- the thread that doesn't give up ----

    def _run(self) -> None:
        tidy_at_s = self._clock.monotonic_s()
        while not self._stopping.is_set():
            self._wake.wait(timeout=RESEND_S / 4)
            self._wake.clear()
            try:
                self._keep_receipts()
                self._store_unstored()
                if self._clock.monotonic_s() >= tidy_at_s:
                    tidy_at_s = self._clock.monotonic_s() + TIDY_S
                    self._outbox.forget_old()
                if self._connection.connected:
                    self._send_waiting()
                if not self._unstored:
                    self.trouble = ""
            except OutboxError as error:
                self.trouble = str(error)

    def _send_waiting(self) -> None:
        """Send what has no receipt; then, without haste, what a new broker may not know."""
        with self._lock:
            unstored = list(self._unstored.values())
        for anomaly in [*unstored, *self._outbox.pending(newest_first=True, limit=WINDOW)]:
            self._send_alarm(anomaly)
        while self._say_again and self._under_way() < WINDOW:
            anomaly = self._say_again.popleft()
            if not self._outbox.is_cleared(anomaly):
                self._send_alarm(anomaly)

    def _under_way(self) -> int:
        """Count the alarms that were sent a moment ago and are not receipted yet."""
        since_s = self._clock.monotonic_s() - RESEND_S
        with self._lock:
            return sum(sent_at_s > since_s for _, sent_at_s in self._sent.values())

    def _keep_receipts(self) -> None:
        keys: list[_Key] = []
        while self._receipted:
            keys.append(self._receipted.popleft())
        if not keys:
            return
        self._outbox.receipts(keys)
        with self._lock:
            for key in keys:
                self._unstored.pop(key, None)
        for id, state in keys:
            if state == "cleared":
                self._bury(id)
            with self._lock:
                self._sent.pop((id, state), None)

    def _store_unstored(self) -> None:
        with self._lock:
            unstored = dict(self._unstored)
        for key, anomaly in unstored.items():
            self._outbox.put(anomaly)
            with self._lock:
                self._unstored.pop(key, None)
            self.trouble = ""


def _key(anomaly: Anomaly) -> _Key:
    return anomaly.id, anomaly.state
