"""What a gateway says over MQTT, and how its alarms are made to arrive.

Knows nothing about cameras, and nothing about which MQTT library carries it. An alarm goes to the
outbox first, then out, again and again until the control room's receipt for it has come: a broker's
own acknowledgement is not safety.
"""

import threading
from collections import deque
from dataclasses import replace

from delivery.attendance import Attendance
from delivery.guard import Guard
from delivery.link import Link, OnResult
from delivery.outbox import Outbox, OutboxError
from delivery.signing import RefusedError
from delivery.troubles import KIND as TROUBLE
from delivery.troubles import Troubles
from delivery.voice import Voice
from scene.clock import Clock
from scene.errors import WireError
from scene.messages import (
    AlarmState,
    Anomaly,
    ControlRoomBeat,
    GatewayHealth,
    GatewayState,
    Positions,
    Receipt,
    SiteDescription,
)
from scene.site import Site
from scene.topics import LIVE_PREFIX, TOPICS, topic_filter, topic_name
from scene.wire import Message, type_name

RESEND_S = 2.0
"""An alarm without a receipt is sent again after so long."""
WINDOW = 200
"""So many old alarms are under way at a time, so that a new one never waits long behind a backlog,
and a broker that holds 1,000 messages for a reader (Mosquitto does) drops none of them."""
MAX_KEPT = 500
"""So many active alarms are said again to a broker that may have forgotten them."""
MAX_UNSTORED = 1000
"""So many alarms are kept in memory when even the outbox can't take them."""
MAX_TOMBSTONES = 1000
MAX_RECEIPTS = 20_000
"""So many receipts may wait to be noted; in a flood of them the oldest are dropped, and what they
were for is sent again."""
MAX_SENT = 5000
"""So many alarms are remembered as just sent; what is forgotten may be sent twice within
`RESEND_S`."""
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
        voice: Voice | None = None,
        guard: Guard | None = None,
        attendance: Attendance | None = None,
    ) -> None:
        """Start to send what waits in the outbox as soon as the connection is there.

        `voice` numbers and signs, `guard` looks at what comes back, `attendance` is told of the
        control room's heartbeats.
        """
        self._voice = voice or Voice(clock, run=clock.now_ns())
        self._guard = guard or Guard()
        self.attendance = attendance or Attendance(clock, run=self._voice.run)
        self.troubles = Troubles(clock)
        """Why what is said here may not arrive; the heartbeat and an alarm of its own tell."""
        self._site, self._gateway, self._prefix = site.site, site.gateway, prefix
        self._connection = connection
        self._outbox = outbox
        self._clock = clock
        self._since_ns = clock.now_ns()
        self._lock = threading.Lock()
        self._speaking = threading.RLock()
        """Held while a message is numbered and sent, so that they go out in their order."""
        self._description: SiteDescription | None = None
        self._sent: dict[_Key, tuple[int, float]] = {}
        self._receipted: deque[tuple[str, AlarmState, int | None]] = deque(maxlen=MAX_RECEIPTS)
        self._say_again: deque[Anomaly] = deque()
        self._unstored: dict[_Key, Anomaly] = {}
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self.trouble = ""
        """Why alarms are not safe on disk now; empty when they are."""
        for topic in ("receipt", "control_room", "order"):
            wanted = topic_filter(topic, prefix=prefix, site=self._site, gateway=self._gateway)
            connection.subscribe(wanted, TOPICS[topic].qos, self._on_control_room)
        connection.on_connect(self._on_connect)
        self._carry_on_troubles()
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
        """Give the heartbeat, with what waits for a receipt and why things may not arrive."""
        health = replace(self._with_waiting(health), heard_beats_ns=self.attendance.beats_ns())
        reasons = "; ".join(self.troubles.reasons())
        if reasons:
            both = f"{health.degraded}; {reasons}" if health.degraded else reasons
            health = replace(health, degraded=both)
        seq = self._send(health)
        if seq is not None:
            self.attendance.said(seq)

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

    def _send(self, message: Message) -> int | None:
        """Send; gives the message's number, none when it was not taken for sending."""
        kind = type_name(message)
        row = TOPICS[kind]
        topic = topic_name(kind, site=self._site, gateway=self._gateway, prefix=self._prefix)
        with self._speaking:
            seq, payload = self._voice.write(topic, message, gateway=self._gateway)
            taken = self._connection.publish(
                topic, payload, qos=row.qos, retain=row.retain, on_result=self._watched(kind)
            )
        return seq if taken else None

    def _watched(self, kind: str) -> OnResult:
        """Note whether the broker takes this kind of message from us."""

        def told(taken: bool, reason: str) -> None:
            if taken:
                self.troubles.taken(kind)
            elif self._connection.connected:  # else the connection broke, and it is sent again
                self.troubles.blocked(kind, reason)

        return told

    def _with_waiting(self, health: GatewayHealth) -> GatewayHealth:
        try:
            waiting = self._outbox.waiting()
        except OutboxError:
            return health
        count = waiting.count + len(self._unstored)
        waited_s = None
        if waiting.since_ns is not None:
            waited_s = max(0.0, (self._clock.now_ns() - waiting.since_ns) / 1e9)
        return replace(health, alarms_waiting=count, longest_waiting_s=waited_s)

    def _send_alarm(self, anomaly: Anomaly) -> None:
        """Send unless this very word of it was sent a moment ago."""
        key, now_s = _key(anomaly), self._clock.monotonic_s()
        with self._lock:
            word, sent_at_s = self._sent.get(key, (0, 0.0))
            if word == anomaly.captured_at_ns and now_s - sent_at_s < RESEND_S:
                return
            self._sent.pop(key, None)  # so that the oldest come first
            self._sent[key] = (anomaly.captured_at_ns, now_s)
            while len(self._sent) > MAX_SENT:
                self._sent.pop(next(iter(self._sent)))
        topic, keep = self._alarm_topic(anomaly.id), self._to_be_kept(anomaly)
        with self._speaking:
            _, payload = self._voice.write(topic, anomaly, gateway=self._gateway)
            taken = self._connection.publish(
                topic,
                payload,
                qos=TOPICS["alarm"].qos,
                retain=keep,
                on_result=self._watched("alarm"),
            )
            if not taken:
                self._voice.unsaid("alarm")  # nothing was missed: it will be sent
        if not taken:
            with self._lock:
                self._sent.pop(key, None)

    def _to_be_kept(self, anomaly: Anomaly) -> bool:
        """Tell whether the broker shall keep it: a late raise of what is over must not stay."""
        if not TOPICS["alarm"].retain or anomaly.state != "active":
            return False
        try:
            return not self._outbox.is_cleared(anomaly)
        except OutboxError:
            return True

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

    def _on_control_room(self, topic: str, payload: bytes, retained: bool) -> None:
        """Take receipts and heartbeats; orders are only looked at, others carry them out."""
        try:
            read = self._guard.read(topic, payload, retained=retained)
        except RefusedError as error:
            self.troubles.refused(topic, error)
            return
        except WireError:
            return
        if read is None:
            return
        address, body = read[0], read[1].body
        if isinstance(body, ControlRoomBeat):
            self.attendance.beat(body, read[1].run)
        elif isinstance(body, Receipt) and address.id == body.alarm:
            self._receipted.append((body.alarm, body.state, body.captured_at_ns))
            self._receipted += [(one.alarm, one.state, one.captured_at_ns) for one in body.also]
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
            failed = ""
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
            except Exception as error:  # a mistake of ours: alarms must go out all the same
                failed = f"sending alarms again fails: {error!r}"
            self.troubles.set("sending", failed)
            try:
                self._tell_troubles()
            except Exception as error:  # as above
                self.trouble = str(error)

    def _carry_on_troubles(self) -> None:
        try:
            raised = [one for one in self._outbox.active() if one.kind == TROUBLE]
        except OutboxError:
            return
        if raised:
            self.troubles.carry_on(raised[0])

    def _tell_troubles(self) -> None:
        """Raise or clear the alarm that deliveries are in trouble; again, if others cleared it."""
        self.troubles.set("attendance", self.attendance.unheard())
        self.troubles.set("certificate", self._connection.trouble)
        self.troubles.set("keys", "; ".join(one.text for one in self._guard.distrusted()))
        raised = self.troubles.raised
        if raised is not None and self._outbox.is_cleared(raised):
            self.troubles.raised = None
        for anomaly in self.troubles.changes():
            self.alarm(anomaly)

    def _send_waiting(self) -> None:
        """Send what has no receipt; then, without haste, what a new broker may not know."""
        with self._lock:
            unstored = list(self._unstored.values())
        for anomaly in unstored:
            self._send_alarm(anomaly)
        if self._under_way() <= WINDOW // 2:
            for anomaly in self._outbox.pending(newest_first=True, limit=WINDOW):
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
        receipts = []
        while self._receipted:
            receipts.append(self._receipted.popleft())
        if not receipts:
            return
        self._outbox.receipts(receipts)
        for id, state, word_ns in receipts:
            with self._lock:
                kept = self._unstored.get((id, state))
                if kept is not None and (word_ns is None or kept.captured_at_ns <= word_ns):
                    del self._unstored[id, state]
                self._sent.pop((id, state), None)
            if state == "cleared":
                self._bury(id)

    def _store_unstored(self) -> None:
        with self._lock:
            unstored = dict(self._unstored)
        for key, anomaly in unstored.items():
            self._outbox.put(anomaly)
            with self._lock:
                if self._unstored.get(key) is anomaly:  # else a newer word came meanwhile
                    del self._unstored[key]
            self.trouble = ""


def _key(anomaly: Anomaly) -> _Key:
    return anomaly.id, anomaly.state
