"""What a gateway says over MQTT, and how its alarms are made to arrive.

Knows nothing about cameras, and nothing about which MQTT library carries it. An alarm goes to the
outbox first, then out, again and again until the control room's receipt for it has come: a broker's
own acknowledgement is not safety. A disk that does not take it at once keeps it from nobody.
"""

import contextlib
import threading
from collections import deque
from dataclasses import replace

from delivery.aside import Aside, StalledError
from delivery.attendance import Attendance
from delivery.guard import Guard
from delivery.link import Link, OnResult
from delivery.mqtt import say
from delivery.outbox import Outbox, OutboxError
from delivery.sayable import sayable
from delivery.signing import RefusedError
from delivery.troubles import KIND as TROUBLE
from delivery.troubles import Troubles, cleared
from delivery.unstored import Key, Unstored
from delivery.voice import Voice
from scene.clock import Clock
from scene.errors import WireError, printable
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

SOON_S = 0.1
"""A new alarm waits no longer for the disk before it goes out; then the disk gets it beside."""
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
        self.troubles = Troubles(clock, say)
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
        self._sent: dict[Key, tuple[int, float]] = {}
        self._receipted: deque[tuple[str, AlarmState, int | None]] = deque(maxlen=MAX_RECEIPTS)
        self._say_again: deque[Anomaly] = deque()
        self._new_broker = False
        """Whether a broker is there that may know nothing of before."""
        self._carried_on = False
        """Whether the disk has told what trouble of an earlier run still stands."""
        self._goodbye: GatewayState | None = None
        """What is said of us once we are to end."""
        self.unstored = Unstored(clock, MAX_UNSTORED)
        """Alarms that only memory has."""
        self._disk = Aside("new-alarms")
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
        if self._goodbye is not None:
            return
        seq = self._send(health)
        if seq is not None:
            self.attendance.said(seq)

    def alarm(self, anomaly: Anomaly) -> None:
        """Raise or clear an alarm: to the disk, then out, until it is receipted.

        When the disk does not take it at once, it is kept in memory, sent all the same, and
        `trouble` says why as soon as that is known.
        """
        anomaly = sayable(anomaly)
        try:
            new = self._disk.do(lambda: self._outbox.put(anomaly), SOON_S)
            self.trouble = "" if not self.unstored else self.trouble
        except Exception as error:  # a mistake of ours, too: it must go out all the same
            if not isinstance(error, StalledError):  # else the thread below will know more
                self.trouble = _why(error)
            new = True
            self.unstored.keep(anomaly)
        if new:
            self._send_alarm(anomaly)
        if self.unstored or not new:  # another process put it; if it still waits, it is sent
            self._wake.set()

    def speak_anew(self, run: int) -> None:
        """Go on as after another start, so that who has heard a newer one believes us again.

        What the broker is to say when we vanish must be believed, too: that takes a connection of
        its own, after which all is said again.
        """
        topic = topic_name("state", site=self._site, gateway=self._gateway, prefix=self._prefix)
        gone = GatewayState(online=False, since_ns=self._clock.now_ns())
        with self._speaking:
            self._voice.renew(run)
            self.attendance.speak_anew(run)
            will = self._voice.last_will(topic, gone, gateway=self._gateway)
        self._connection.renew_will(topic, will)

    def leaving(self) -> None:
        """Say goodbye when the end begins: alarms still go out, but no heartbeat, or all were well.

        Nobody should wait for the next heartbeat, however long the end takes.
        """
        if self._goodbye is None:
            self._goodbye = GatewayState(online=False, since_ns=self._clock.now_ns())
            self._send(self._goodbye)

    def going_offline(self) -> None:
        """Say goodbye, if that was not done yet, and stop."""
        self.leaving()
        self._stopping.set()
        self._wake.set()
        self._thread.join(timeout=5.0)
        self._store_unstored()
        with contextlib.suppress(OutboxError):  # they are sent again, which costs nothing else
            self._keep_receipts()

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
        count = waiting.count + len(self.unstored.waiting())
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
        if self.unstored.is_cleared(anomaly):
            return False
        try:
            return not self._disk.do(lambda: self._outbox.is_cleared(anomaly), SOON_S)
        except (OutboxError, StalledError):
            return True

    def _alarm_topic(self, id: str) -> str:
        return topic_name(
            "alarm", site=self._site, gateway=self._gateway, id=id, prefix=self._prefix
        )

    # ---- what comes back ----

    def _on_connect(self) -> None:
        self._send(self._goodbye or GatewayState(online=True, since_ns=self._since_ns))
        if self._description is not None:
            self._send(self._description)
        with self._lock:
            self._sent.clear()
        self._new_broker = True
        self._wake.set()

    def _tell_new_broker(self) -> None:
        """Find what a broker that was restarted may not know: what is active, and what is over."""
        if not self._new_broker:
            return
        self._new_broker = False  # before we ask: another one may come meanwhile
        try:
            over, active = self._outbox.over(MAX_TOMBSTONES), self._outbox.active(MAX_KEPT)
        except OutboxError:
            self._new_broker = True
            raise
        for id in over:
            self._bury(id)
        self._say_again = deque(active)

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
            words = [(body.alarm, body.state, body.captured_at_ns)]
            words += [(one.alarm, one.state, one.captured_at_ns) for one in body.also]
            for word in words:
                self.unstored.receipt(*word)
            self._receipted += words
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
                self._send_unstored()
                self._store_unstored()
                self._keep_receipts()
                if self._clock.monotonic_s() >= tidy_at_s:
                    tidy_at_s = self._clock.monotonic_s() + TIDY_S
                    self._outbox.forget_old()
                if self._connection.connected:
                    self._tell_new_broker()
                    self._send_waiting()
                if not self.unstored:
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
        """Go on with the alarm of an earlier run, as soon as the disk tells of one."""
        if self._carried_on:
            return
        try:
            found = [one for one in self._outbox.active() if one.kind == TROUBLE]
        except OutboxError:
            return
        self._carried_on = True
        for one in found:
            if self.troubles.raised is None:
                self.troubles.carry_on(one)
            elif one.id != self.troubles.raised.id:
                self.alarm(cleared(one, self._clock.now_ns(), "another alarm tells of it"))

    def _tell_troubles(self) -> None:
        """Raise or clear the alarm that deliveries are in trouble; again, if others cleared it."""
        self._carry_on_troubles()
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
        if self._under_way() <= WINDOW // 2:
            for anomaly in self._outbox.pending(newest_first=True, limit=WINDOW):
                self._send_alarm(anomaly)
        while self._say_again and self._under_way() < WINDOW:
            anomaly = self._say_again.popleft()
            if not self._outbox.is_cleared(anomaly):
                self._send_alarm(anomaly)

    def _send_unstored(self) -> None:
        """Send what is in memory only, before the disk is asked anything: it may hang."""
        if self._connection.connected:
            for anomaly in self.unstored.waiting():
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
        try:
            self._outbox.receipts(receipts)
        except OutboxError:
            self._receipted.extendleft(reversed(receipts))  # until the disk can note them
            raise
        for id, state, _ in receipts:
            with self._lock:
                self._sent.pop((id, state), None)
            if state == "cleared":
                self._bury(id)

    def _store_unstored(self) -> None:
        """Put on the disk what it has not taken; one that it can't ever take stops no other."""
        failed: Exception | None = None
        for anomaly in self.unstored.all():
            try:
                self._outbox.put(anomaly)
            except OutboxError as error:
                failed = error
                break
            except Exception as error:
                failed = error
            else:
                self.unstored.stored(anomaly)
        self.trouble = "" if failed is None else _why(failed)


def _key(anomaly: Anomaly) -> Key:
    return anomaly.id, anomaly.state


def _why(error: Exception) -> str:
    """Say why an alarm is not on disk: an outbox says it itself, all else is a mistake of ours."""
    text = f"an alarm can't be kept on disk: {type(error).__name__}: {error}"
    return str(error) if isinstance(error, OutboxError) else printable(text, 300)
