"""One connection to an MQTT broker, or to one of several, that comes back by itself.

Knows nothing about what is sent. It speaks MQTT 5 where the broker does, because only there does a
broker say that it has not taken a message ("not authorized"), and MQTT 3.1.1 elsewhere. Of several
(a cluster's) it stays with the one that it has until that is lost, and then asks the next one.
"""

import contextlib
import queue
import random
import secrets
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from delivery.address import Address, addresses_of
from delivery.link import OnMessage, OnResult
from delivery.read_ahead import ReadAhead
from delivery.rotation import Rotation
from delivery.spares import Spares
from delivery.tls import hung_up, soon_expired, tls_context, why_refused
from scene.errors import BrokerError, why_unreadable
from scene.site import BrokerConfig
from scene.topics import topic_fits

KEEPALIVE_S = 5
"""A broker that is silent for twice as long is given up, and it gives us up after 1.5 times."""
GOODBYE_S = 0.5
TCP_TIMEOUT_S = 5.0
"""For the way to a broker, and again for TLS."""
ANSWER_TIMEOUT_S = 10.0
"""A broker that takes the connection but says nothing for so long is given up."""
HURRY = 0.35
"""That part of these times is waited where another broker may answer sooner; twice as much with
every round in vain, so that a slow cluster is not run away from for ever."""
LOOK_TIMEOUT_S = 10.0
"""A broker that could take over is there within so long."""
REFUSED_ROUNDS = 3
"""A cluster that has just lost a node may refuse a subscription that it takes a moment later. So
often we leave and come again (NATS that has refused one does not serve the others well); who is
refused still stays all the same, for what we say must go out."""
SUBSCRIBE_AGAIN_S = 10.0
"""So soon a subscription is asked for again then; of a cluster that takes it we come once more."""
MAX_UNSENT = 2000
"""So many messages may wait for the network or the broker's answer; further ones are refused."""
MOST_TOPICS = 2000
"""Of so many topics it is remembered who hears them; each alarm has one of its own."""
MAX_REFUSED = 200
"""Of so many topics at most it is said that the broker does not take them."""
BACKOFF_S = (0.02, 2.0)
"""First and longest pause between two attempts. A broker that is started again is there within
hundredths of a second, and an attempt at nobody costs a thousandth."""
_DICE = random.Random()  # of our own: a program's seed is not for us to use up
BACKOFF_SHARE = 0.25
"""A pause is that part of the time since the connection was there: who is away for a second is not
waited for much longer."""
LASTED_S = 1.0
"""A connection that was lost sooner counts as none here: whoever is thrown out at once, again and
again, must not come back fifty times a second."""

LOOK_AT_CERTIFICATE_S = 3600.0
"""How often we look whether our own certificate is about to expire."""

_TAKEN_OVER = 142
"""MQTT 5 reason code "Session taken over": somebody else connected under our client name."""
WILL_S = 3.0 * KEEPALIVE_S
"""A broker that still holds a connection of ours under another name publishes that one's last will
within so long: it gives up after 1.5 times the keepalive, and looks every few seconds only."""
SHORT_S, MOST_SHORT = 5.0, 3
"""Many brokers do not say so (MQTT 3.1.1 has no word for it, Mosquitto 2.0.11 just hangs up): it
shows when so many connections, one after the other, are lost so soon."""

_NOT_US = (134, 135)
"""MQTT 5 reason codes "Bad user name or password" and "Not authorized": asking quickly again helps
nobody, and makes a broker lock us out. paho translates 3.1.1's codes 4 and 5 to them."""
_BAD_PROTOCOL = 132
"""MQTT 5 reason code "Unsupported protocol version"; paho translates 3.1.1's code 1 to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Subscription:
    filter: str
    qos: int
    on_message: OnMessage


def say(text: str) -> None:
    """Tell the operator something on stderr."""
    print(f"lamproom: {text}", file=sys.stderr, flush=True)


class Connection:
    """A connection to one broker at a time; every method may be called from any thread."""

    def __init__(
        self,
        broker: BrokerConfig,
        client_id: str,
        will: tuple[str, bytes] | None = None,
        log: Callable[[str], None] = say,
        *,
        watch_spares: bool = False,
    ) -> None:
        """Prepare; raises `BrokerError` for an address or a file that can't be used.

        `will` is (topic, payload) that the broker publishes, retained, when we vanish. With
        `watch_spares` the other brokers of a list are looked at now and then, so that `trouble`
        tells of one that could not take over.
        """
        self._broker = broker
        addresses = addresses_of(broker.url)
        self._rotation = Rotation(addresses)
        self._spares = None
        if watch_spares and len(addresses) > 1:
            self._spares = Spares(addresses, self._in_use, self._look_at, log)
        if self._address.tls:
            tls_context(broker)
        self._username = broker.username
        self._password = _password_of(broker)
        self._client_id = self._wanted_id = client_id
        self._former: tuple[str, Address] | None = None
        """Name and broker of the connection before; none before the first."""
        self._say_again_s = float("inf")
        self._short = 0
        self._taken_over = False
        self._will = self._given_will = will
        """The last will, and the one that the broker was given with this connection."""
        self._log = log
        self._events: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._subscriptions, self._hears = list[_Subscription](), dict[str, tuple[OnMessage, ...]]()
        """All, and who hears which topic, of those that came of late."""
        self._hooks: list[Callable[[], None]] = []
        self._results: dict[int, OnResult | None] = {}
        self._early: dict[int, tuple[bool, str]] = {}
        self._awaited_subscriptions: dict[int, tuple[str, int]] = {}
        """Filter and QoS by the number of what was asked."""
        self._refused_subscriptions: dict[tuple[str, int], float] = {}
        """What the broker did not take, and when it is asked again."""
        self._refused_now = ""
        """Why we leave a broker that has let us in; empty while we don't."""
        self._refusals = 0
        """How often we have left so since one was good."""
        self._answer_due_s = 0.0
        """When a broker has been silent for too long about what it was asked at the beginning."""
        self._was_ready = False
        self._client: paho.Client | None = None
        self._refused_topics: set[str] = set()
        self._ready = threading.Event()
        self._closing = threading.Event()
        self._trouble = _unreachable("no answer yet")
        self._alerts: list[str] = []
        self._expiry = ""
        self._look_at_certificate_s = 0.0
        self._said = ""
        self._not_us = False
        """Whether the broker has just refused our name, password or certificate."""
        self._thread = threading.Thread(target=self._run, name=f"mqtt-{client_id}", daemon=True)

    def connect(self, timeout_s: float = 10.0, *, wait: bool = False) -> None:
        """Start to connect, and go on trying for ever in the background.

        With `wait` it returns once connected and subscribed, and after `timeout_s` it closes and
        raises `BrokerError` that names the address and what can be done.
        """
        if self._thread.ident is None:
            self._thread.start()
            if self._spares is not None:
                self._spares.start()
        if wait and not self._ready.wait(timeout_s):
            trouble = self._rotation.troubles() or self._trouble
            self.close()
            raise BrokerError(f"{self._broker.url}: {trouble}")

    def wait(self, timeout_s: float) -> bool:
        """Wait until connected and subscribed, so long at most; tells whether it came to that."""
        return self._ready.wait(timeout_s)

    @property
    def connected(self) -> bool:
        """Whether messages go out now."""
        return self._ready.is_set()

    @property
    def away(self) -> str:
        """Why nothing goes out now: what is wrong with which broker; empty while connected."""
        return "" if self._ready.is_set() else self._rotation.troubles() or self._trouble

    @property
    def trouble(self) -> str:
        """What somebody has to mend soon; empty when all is well.

        A certificate about to expire, a subscription that is refused, another broker of the list
        that could not take over.
        """
        refused = ", ".join(filter for filter, _ in list(self._refused_subscriptions))
        return "; ".join(
            text
            for text in (
                self._expiry,
                refused and f"the MQTT broker refuses to tell us {refused}: mend its access list",
                "" if self._spares is None else self._spares.trouble,
            )
            if text
        )

    @property
    def protocol(self) -> str | None:
        """`MQTT 5` or `MQTT 3.1.1`; none while not connected."""
        client = self._client
        return None if client is None else _name_of(client.protocol)

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int,
        retain: bool,
        on_result: OnResult | None = None,
    ) -> bool:
        """Send without ever waiting; tells whether the message was taken for sending.

        Not connected, or 2,000 messages unsent: it is not. `on_result` is called once, from the
        connection's thread, with the broker's answer to a QoS 1 message, or with failure when the
        connection breaks first.
        """
        client = self._client
        if client is None or len(self._results) >= MAX_UNSENT:
            return False
        try:
            info = client.publish(topic, payload, qos=qos, retain=retain)
        except ValueError as error:
            self._log(f"MQTT message to {topic!r} can't be sent: {error}")
            return False
        if info.rc not in (paho.MQTT_ERR_SUCCESS, paho.MQTT_ERR_NO_CONN):
            return False
        with self._lock:
            if client is not self._client:
                return False
            early = self._early.pop(info.mid, None)
            if early is None:
                self._results[info.mid] = self._watched(topic, on_result)
                return True
        self._later(self._watched(topic, on_result), *early)
        return True

    def subscribe(self, filter: str, qos: int, on_message: OnMessage) -> None:
        """Hear all topics that fit `filter`, now and after every reconnection."""
        wanted = _Subscription(filter=filter, qos=qos, on_message=on_message)
        with self._lock:
            self._subscriptions.append(wanted)
            self._hears.clear()
            client = self._client
        if client is not None:
            self._events.put(lambda: self._ask_for(client, filter, qos))

    def on_connect(self, hook: Callable[[], None]) -> None:
        """Call `hook` after every connection, once we hear; soon, if connected already.

        After one under another name it is called once more, `WILL_S` later: the last will of the
        former one may have been published over what was said in between.
        """
        with self._lock:
            self._hooks.append(hook)
            connected = self._ready.is_set()
        if connected:
            self._events.put(lambda: self._guarded(hook))

    def renew_will(self, topic: str, payload: bytes) -> None:
        """Leave another last will: connects anew, as a broker takes one with a connection only."""
        self._will = topic, payload
        self._events.put(None)

    def close(self) -> None:
        """Send what was taken (at most a second), say goodbye and stop; never raises."""
        if self._thread.ident is None or threading.current_thread() is self._thread:
            self._closing.set()
            return
        until_s = time.monotonic() + 1.0
        while self._results and self._client is not None and time.monotonic() < until_s:
            time.sleep(0.01)
        self._closing.set()
        self._events.put(None)
        if self._spares is not None:
            self._spares.close()
        self._thread.join(timeout=TCP_TIMEOUT_S + 1.0)

    # ---- the connection's own thread ----

    @property
    def _address(self) -> Address:
        """The broker whose turn it is."""
        return self._rotation.address

    def _in_use(self) -> Address | None:
        return self._address if self._ready.is_set() else None

    def _look_at(self, address: Address) -> str:
        """Say why a broker could not take over; empty when it could."""
        asked = self._broker.model_copy(update={"url": address.url})
        one = Connection(asked, f"{self._wanted_id}-look", log=lambda _text: None)
        try:
            one.connect(LOOK_TIMEOUT_S, wait=True)
        except BrokerError as error:
            return str(error)
        one.close()
        return ""

    def _patience_s(self, most_s: float) -> float:
        """Tell how long something is waited for here."""
        if self._rotation.count == 1:
            return most_s
        return float(min(1.0, HURRY * 2**self._rotation.rounds)) * most_s

    def _run(self) -> None:
        lost_s = time.monotonic()
        while not self._closing.is_set():
            protocol, again = MQTTProtocolVersion.MQTTv5, True
            connected = self._taken_over = self._was_ready = False
            began_s = time.monotonic()
            while again and not self._closing.is_set():
                connected, again = self._session(protocol)
                protocol = MQTTProtocolVersion.MQTTv311
            ours = self._given_will is not self._will  # it was us who ended it
            if connected:
                now_s = time.monotonic()
                if self._was_ready and now_s - began_s > LASTED_S:
                    lost_s = now_s
                    self._refusals = 0
                    self._rotation.lasted()
                if not ours:
                    self._make_way(now_s - began_s)
            elif not self._closing.is_set():
                # The broker may know us by one name only (a certificate, an access list).
                self._client_id = self._wanted_id
                if self._rotation.note(self._trouble):
                    self._say_once(f"{self._address.url}: {self._trouble}; {self._next_words}")
            if (connected and ours) or self._rotation.go_on():
                gone_s = float("inf") if self._not_us else time.monotonic() - lost_s
                self._not_us = False
                self._closing.wait(pause_s(gone_s) * _DICE.uniform(0.7, 1.3))

    @property
    def _next_words(self) -> str:
        return "trying again" if self._rotation.count == 1 else "trying the next one"

    def _session(self, protocol: MQTTProtocolVersion) -> tuple[bool, bool]:
        """Run one session; tells whether it was connected, and whether to try an older MQTT."""
        answer: list[ReasonCode] = []
        ended = threading.Event()
        self._alerts.clear()
        self._refused_now = ""
        try:
            client = self._new_client(protocol, answer, ended)
            client.connect(self._address.host, self._address.port, keepalive=KEEPALIVE_S)
        except BrokerError as error:
            self._trouble = str(error)
            return False, False
        except (OSError, ValueError) as error:
            self._trouble = self._why_unreachable(error)
            return False, False
        client.loop_start()
        try:
            self._serve(client, answer, ended)
        finally:
            connected, hung_up_on = self._client is client, ended.is_set()
            self._forget_client()
            _hang_up(client, ended)
        if self._refused_now:
            self._trouble = self._refused_now
            self._refusals += 1
            return self._was_ready, False
        if connected or self._closing.is_set():
            if not self._closing.is_set() and self._given_will is self._will:
                self._say_once(f"lost the MQTT broker {self._address.url}; {self._next_words}")
            return connected, False
        self._trouble = self._why_no_session(answer, hung_up_on)
        # Many an old broker just hangs up, or says nothing.
        silent = not answer and not self._alerts and (hung_up_on or self._rotation.count == 1)
        older = silent or any(one.value == _BAD_PROTOCOL for one in answer)
        return False, older and protocol == MQTTProtocolVersion.MQTTv5

    def _why_no_session(self, answer: list[ReasonCode], hung_up_on: bool) -> str:
        if answer:
            self._not_us = self._not_us or answer[0].value in _NOT_US
            return _unreachable(f"it refuses us: {answer[0]}")
        if self._alerts:  # TLS 1.3: a broker refuses a certificate after our side is done
            return why_refused(self._alerts[-1], self._broker)
        if not hung_up_on:
            return _unreachable("it takes the connection and then does not answer")
        if self._address.tls:
            return hung_up(self._broker)
        return _unreachable("it takes the connection but does not speak MQTT")

    def _make_way(self, lasted_s: float) -> None:
        """Go on under another client name where somebody else has ours.

        Two gateways of one name, a copied disk for instance, would throw each other out for ever.
        Nothing of ours waits at the broker under the name: sessions begin clean.
        """
        self._short = self._short + 1 if lasted_s < SHORT_S else 0
        if not self._taken_over and self._short < MOST_SHORT * self._rotation.count:
            return
        self._short = 0
        self._client_id = f"{self._wanted_id}-{secrets.token_hex(3)}"
        why = (
            "another client has taken"
            if self._taken_over
            else "we are thrown out again and again as"
        )
        self._log(
            f"{self._address.url}: {why} {self._wanted_id}: is there a second one of us? going on "
            f"as {self._client_id}"
        )

    def _why_unreachable(self, error: OSError | ValueError) -> str:
        if self._address.tls and isinstance(error, ssl.SSLError | ConnectionResetError):
            return why_refused(error, self._broker)
        return _unreachable(str(error) or type(error).__name__)

    def _serve(self, client: paho.Client, answer: list[ReasonCode], ended: threading.Event) -> None:
        """Handle events until the session ends; the event none means "look again"."""
        self._wait_for_answer()
        while not ended.is_set() and not self._closing.is_set():
            self._look_at_certificate()
            if answer and answer[0].is_failure:
                return
            if not answer and time.monotonic() > self._answer_due_s:
                return
            if self._refused_now:
                return
            if answer and self._client is None:
                self._take_client(client)
            if self._client is client:
                if self._given_will is not self._will:
                    return  # `_run` connects anew, with the other one
                if not self._ready.is_set():
                    self._become_ready(client)
                self._subscribe_again(client)
                if self._ready.is_set() and time.monotonic() >= self._say_again_s:
                    self._say_again_s = float("inf")
                    self._call_hooks()
            with contextlib.suppress(queue.Empty):
                event = self._events.get(timeout=0.5)
                if event is not None:
                    self._guarded(event)

    def _wait_for_answer(self) -> None:
        self._answer_due_s = time.monotonic() + self._patience_s(ANSWER_TIMEOUT_S)

    def _look_at_certificate(self) -> None:
        now_s = time.monotonic()
        if not self._address.tls or now_s < self._look_at_certificate_s:
            return
        self._look_at_certificate_s = now_s + LOOK_AT_CERTIFICATE_S
        said, self._expiry = self._expiry, soon_expired(self._broker)
        if self._expiry and self._expiry != said:
            self._log(self._expiry)

    def _take_client(self, client: paho.Client) -> None:
        with self._lock:
            self._client = client
            subscriptions = {one.filter: one.qos for one in self._subscriptions}
        self._awaited_subscriptions, self._refused_subscriptions = {}, {}
        for wanted in subscriptions.items():
            self._ask_for(client, *wanted)
        self._wait_for_answer()
        now = self._client_id, self._address
        if self._former not in (None, now):
            self._say_again_s = time.monotonic() + WILL_S
        self._former = now

    def _ask_for(self, client: paho.Client, filter: str, qos: int) -> None:
        _, mid = client.subscribe(filter, qos=qos)
        if mid is not None:
            self._awaited_subscriptions[mid] = filter, qos

    def _subscribe_again(self, client: paho.Client) -> None:
        for wanted, due_s in list(self._refused_subscriptions.items()):
            if time.monotonic() >= due_s:
                self._refused_subscriptions[wanted] = float("inf")  # until there is an answer
                self._ask_for(client, *wanted)

    def _call_hooks(self) -> None:
        with self._lock:
            self._ready.set()  # before: who is woken sends only when connected
            self._was_ready = True
            hooks = list(self._hooks)
        for hook in hooks:
            self._guarded(hook)

    def _become_ready(self, client: paho.Client) -> None:
        if time.monotonic() > self._answer_due_s:  # whoever waited on would never send again
            for mid in list(self._awaited_subscriptions):
                self._subscribed(client, mid, ["it does not answer"])
        if not self._awaited_subscriptions and not self._refused_now:
            self._say_once(f"connected to {self._address.url} with {self.protocol}")
            self._call_hooks()

    def _forget_client(self) -> None:
        with self._lock:
            self._client = None
            self._ready.clear()
            open_results = [result for result in self._results.values() if result is not None]
            self._results.clear()
            self._early.clear()
        while True:  # answers of this session that were not handled yet
            try:
                event = self._events.get_nowait()
            except queue.Empty:
                break
            if event is not None:
                self._guarded(event)
        for result in open_results:
            self._guarded(lambda result=result: result(False, "the connection was lost"))  # type: ignore[misc]

    def _guarded(self, call: Callable[[], None]) -> None:
        """Call something that others gave us; what it raises is said, and ends nothing else."""
        try:
            call()
        except Exception as error:
            self._say_once(f"handling an MQTT event failed: {type(error).__name__}: {error}")

    def _say_once(self, text: str) -> None:
        if text != self._said:
            self._said = text
            self._log(text)

    # ---- paho's thread: only hands over ----

    def _new_client(
        self,
        protocol: MQTTProtocolVersion,
        answer: list[ReasonCode],
        ended: threading.Event,
    ) -> paho.Client:
        client = ReadAhead(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            protocol=protocol,
            reconnect_on_failure=False,
        )
        client.connect_timeout = self._patience_s(TCP_TIMEOUT_S)
        client.max_inflight_messages_set(200)
        client.max_queued_messages_set(MAX_UNSENT)
        if self._username is not None:
            client.username_pw_set(self._username, self._password)
        if self._address.tls:
            client.tls_set_context(tls_context(self._broker))
        will = self._given_will = self._will
        if will is not None:
            client.will_set(will[0], will[1], qos=1, retain=True)

        def connected(_client: Any, _data: Any, _flags: Any, reason: Any, _props: Any) -> None:
            answer.append(reason)
            self._events.put(None)

        def disconnected(
            _client: Any, _data: Any, _flags: Any, reason: ReasonCode, _props: Any
        ) -> None:
            self._taken_over = reason.value == _TAKEN_OVER
            ended.set()
            self._events.put(None)

        def published(_client: Any, _data: Any, mid: int, reason: Any, _props: Any) -> None:
            self._answered(client, mid, not reason.is_failure, str(reason))

        def subscribed(_client: Any, _data: Any, mid: int, reasons: Any, _props: Any) -> None:
            refused = [str(reason) for reason in reasons if reason.is_failure]
            self._events.put(lambda: self._subscribed(client, mid, refused))

        def heard(_client: Any, _data: Any, message: paho.MQTTMessage) -> None:
            self._heard(message.topic, bytes(message.payload), bool(message.retain))

        def noted(_client: Any, _data: Any, level: int, text: str) -> None:
            # The only place where paho says why TLS broke down.
            if level == paho.MQTT_LOG_ERR and "SSL" in text:
                self._alerts.append(text)

        client.on_log = noted
        client.on_connect = connected
        client.on_disconnect = disconnected
        client.on_publish = published
        client.on_subscribe = subscribed
        client.on_message = heard
        return client

    def _answered(self, client: paho.Client, mid: int, taken: bool, reason: str) -> None:
        with self._lock:
            if client is not self._client:
                return
            if mid not in self._results:
                if len(self._early) < MAX_UNSENT:
                    self._early[mid] = (taken, reason)
                return
            on_result = self._results.pop(mid)
        self._later(on_result, taken, reason)

    def _later(self, on_result: OnResult | None, taken: bool, reason: str) -> None:
        """Let our own thread tell: paho holds its locks while it calls us."""
        if on_result is not None:
            self._events.put(lambda: on_result(taken, reason))

    def _subscribed(self, client: paho.Client, mid: int, refused: list[str]) -> None:
        if client is not self._client:
            return  # each client counts from 1: it is another subscription's number now
        asked = self._awaited_subscriptions.pop(mid, None)
        if asked is None:
            return
        self._wait_for_answer()
        was_refused = self._refused_subscriptions.pop(asked, None) is not None
        if refused:
            said = f"the MQTT broker refuses the subscription of {asked[0]}: {refused[0]}"
            if not self._was_ready and self._refusals < REFUSED_ROUNDS * self._rotation.count:
                self._refused_now = said
                return
            self._refused_subscriptions[asked] = time.monotonic() + SUBSCRIBE_AGAIN_S
            if not was_refused:
                self._log(f"{self._address.url}: {said}; mend its access list")
        elif was_refused and self._rotation.count > 1:
            self._refused_now = f"{asked[0]} is not refused any more: connecting anew"
            self._log(f"{self._address.url}: {self._refused_now}")

    def _heard(self, topic: str, payload: bytes, retained: bool) -> None:
        began_s = time.monotonic()
        for hear in self._hears.get(topic) or self._who_hears(topic):
            self._guarded(lambda hear=hear: hear(topic, payload, retained))  # type: ignore[misc]
        # The broker's next answer waits behind thousands of kept messages: that is not its silence.
        self._answer_due_s += time.monotonic() - began_s

    def _who_hears(self, topic: str) -> tuple[OnMessage, ...]:
        """Find out, once for each topic, which subscriptions it fits."""
        with self._lock:
            if len(self._hears) >= MOST_TOPICS:
                self._hears.clear()
            found = [one for one in self._subscriptions if topic_fits(one.filter, topic)]
            self._hears[topic] = hears = tuple(one.on_message for one in found)
        return hears

    def _watched(self, topic: str, on_result: OnResult | None) -> OnResult:
        """Say it once when a topic is refused, whoever asked."""

        def told(taken: bool, reason: str) -> None:
            if not taken and self._client is not None:
                self._say_refused(topic, reason)
            if on_result is not None:
                on_result(taken, reason)

        return told

    def _say_refused(self, topic: str, reason: str) -> None:
        """Say it once for each topic, but of so many only: each alarm has one of its own."""
        said = self._refused_topics
        if topic in said or len(said) >= MAX_REFUSED:
            return
        said.add(topic)
        more = "; no more such topics are named" if len(said) == MAX_REFUSED else ""
        self._log(
            f"MQTT broker {self._address.url} does not take {topic}: {reason}; "
            f"mend its access list for {self._client_id}{more}"
        )


def pause_s(gone_s: float) -> float:
    """Tell how long to wait before the next attempt when the broker has been gone for so long.

    >>> [pause_s(gone_s) for gone_s in (0.0, 1.0, 60.0)]
    [0.02, 0.25, 2.0]
    """
    return min(BACKOFF_S[1], max(BACKOFF_S[0], BACKOFF_SHARE * gone_s))


def _hang_up(client: paho.Client, ended: threading.Event) -> None:
    """Say goodbye; a broker that does not listen any more is not waited for."""
    with contextlib.suppress(Exception):
        client.disconnect()
    ended.wait(GOODBYE_S)
    raw = client.socket()
    if isinstance(raw, socket.socket):
        with contextlib.suppress(OSError):
            raw.shutdown(socket.SHUT_RDWR)
    client.loop_stop()


def _password_of(broker: BrokerConfig) -> str | None:
    if broker.password_file is None:
        return None
    try:
        return Path(broker.password_file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BrokerError(
            f"broker.password_file: {broker.password_file} can't be read: {why_unreadable(error)}"
        ) from None


def _unreachable(trouble: str) -> str:
    return (
        f"no MQTT broker can be reached: {trouble}; start one there (e.g. mosquitto), or mend "
        "broker.url"
    )


def _name_of(protocol: MQTTProtocolVersion) -> str:
    return "MQTT 5" if protocol == MQTTProtocolVersion.MQTTv5 else "MQTT 3.1.1"
