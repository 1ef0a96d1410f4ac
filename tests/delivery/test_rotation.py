"""One client, several brokers: real ones, and everything else that may answer at an address."""

import contextlib
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import paho.mqtt.client as paho
import pytest

from delivery import mqtt, spares
from delivery.address import addresses_of
from delivery.broker import EmbeddedBroker
from delivery.mqtt import REFUSED_ROUNDS, Connection
from delivery.rotation import Rotation
from scene.errors import BrokerError
from scene.site import BrokerConfig
from tests.delivery.parts import (
    HANG_S,
    MOSQUITTO,
    NO_MOSQUITTO,
    answers,
    free_port,
    mosquitto,
    wait_until,
)
from tests.edge.mine_certificates import Log

Send = Callable[[bytes], object]
Asked = list[bytes]
needs_mosquitto = pytest.mark.skipif(MOSQUITTO is None, reason=NO_MOSQUITTO)


def hosts(*ports: int) -> str:
    return "mqtt://" + ",".join(f"127.0.0.1:{port}" for port in ports)


def connection(url: str, log: Log | None = None, *, watch_spares: bool = False) -> Connection:
    said = Log() if log is None else log
    return Connection(BrokerConfig(url=url), "gw1", log=said.append, watch_spares=watch_spares)


@contextmanager
def nobody_answers() -> Iterator[int]:
    """Give a port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as server:
        yield int(server.getsockname()[1])


@contextmanager
def black_hole() -> Iterator[int]:
    """Give a port at which a connection never comes about: its queue is full."""
    with ExitStack() as closing:
        server = closing.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        port = int(server.getsockname()[1])
        while True:
            one = closing.enter_context(socket.socket())
            one.settimeout(0.3)
            try:
                one.connect(("127.0.0.1", port))
            except TimeoutError:
                yield port
                return


@needs_mosquitto
def test_a_broker_that_is_lost_is_followed_by_the_next_and_nothing_is_waited_for(
    tmp_path: Path,
) -> None:
    log, heard = Log(), list[bytes]()
    with ExitStack() as stack:
        brokers = []
        for name in "abc":
            (tmp_path / name).mkdir()
            brokers.append(stack.enter_context(mosquitto(tmp_path / name)))
        ports = [int(one.url.rpartition(":")[2]) for one in brokers]
        made = connection(hosts(*ports), log)
        made.subscribe("t", 1, lambda _topic, payload, _kept: heard.append(payload))
        made.connect(HANG_S, wait=True)
        try:
            for number, broker in enumerate(brokers):
                wait_until(
                    lambda number=number: (
                        log.has(f"connected to mqtt://127.0.0.1:{ports[number]} ")  # type: ignore[misc]
                        and made.connected
                    )
                )
                text = b"%d" % number
                made.publish("t", text, qos=1, retain=False)
                wait_until(lambda text=text: text in heard)  # type: ignore[misc]
                broker.process.kill()
                wait_until(lambda broker=broker: log.has(f"lost the MQTT broker {broker.url};"))  # type: ignore[misc]
            wait_until(lambda: log.has(f"mqtt://127.0.0.1:{ports[0]}: no MQTT broker", "refused"))
            with mosquitto(tmp_path / "b", port=ports[1]):
                wait_until(lambda: made.connected)
                made.publish("t", b"again", qos=1, retain=False)
                wait_until(lambda: b"again" in heard)
        finally:
            made.close()


def test_each_that_is_no_use_is_said_once_by_name_and_the_last_is_found() -> None:
    log, closed = Log(), free_port()
    with nobody_answers() as mute, black_hole() as hole, EmbeddedBroker() as broker:
        url = f"mqtt://127.0.0.1:{closed},no-such-host.invalid,127.0.0.1:{mute},127.0.0.1:{hole},"
        made = connection(f"{url}127.0.0.1:{broker.port}", log)
        try:
            made.connect(HANG_S, wait=True)
            assert made.protocol == "MQTT 3.1.1", "the older MQTT is tried at each"
        finally:
            made.close()
    said = [line for line in log if "trying the next one" in line]
    assert [line.split(": ")[0] for line in said] == [
        f"mqtt://127.0.0.1:{closed}",
        "mqtt://no-such-host.invalid",
        f"mqtt://127.0.0.1:{mute}",
        f"mqtt://127.0.0.1:{hole}",
    ]
    for line, why in zip(said, ("refused", "known", "does not answer", "timed out"), strict=True):
        assert why in line, line


def test_all_are_named_when_none_is_of_use() -> None:
    closed, other = free_port(), free_port()
    made = connection(hosts(closed, other))
    with pytest.raises(BrokerError) as caught:
        made.connect(1.5, wait=True)
    assert str(caught.value).startswith(f"{hosts(closed, other)}: 127.0.0.1:{closed}: no MQTT")
    assert f"; 127.0.0.1:{other}: no MQTT" in str(caught.value)


def test_a_pause_comes_after_each_round_and_not_after_each_broker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried: list[str] = []

    def noted(_gone_s: float) -> float:
        tried.append("pause")
        return 0.001

    class Noting(Rotation):
        def go_on(self) -> bool:
            tried.append(str(self.address.port))
            return super().go_on()

    monkeypatch.setattr("delivery.mqtt.pause_s", noted)
    monkeypatch.setattr("delivery.mqtt.Rotation", Noting)
    ports, log = [free_port() for _ in range(3)], Log()
    made = connection(hosts(*ports), log)
    made.connect()
    wait_until(lambda: len(tried) >= 12)
    made.close()
    assert len(log) == 3, "each is told of once"
    round_of = [*map(str, ports), "pause"]
    assert tried[:12] == round_of * 3


def test_who_does_not_answer_is_waited_for_longer_round_by_round(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A cluster that is only slow must not be run away from for ever."""
    monkeypatch.setattr("delivery.mqtt.ANSWER_TIMEOUT_S", 1.0)
    limits_s, waited_s = list[float](), list[float]()

    class Noting(Rotation):
        began_s = time.monotonic()

        def go_on(self) -> bool:
            limits_s.append(made._patience_s(1.0))
            waited_s.append(time.monotonic() - self.began_s)
            due = super().go_on()
            Noting.began_s = time.monotonic()
            return due

    monkeypatch.setattr("delivery.mqtt.Rotation", Noting)
    with nobody_answers() as one, nobody_answers() as other:
        made = connection(hosts(one, other))
        made.connect()
        wait_until(lambda: len(waited_s) >= 6)
        made.close()
    assert limits_s[:6] == [0.35, 0.35, 0.7, 0.7, 1.0, 1.0], "no longer than one broker alone"
    assert all(waited >= limit for waited, limit in zip(waited_s, limits_s, strict=False))


def test_what_was_said_of_a_broker_is_said_again_in_the_next_outage() -> None:
    log, closed, port = Log(), free_port(), free_port()
    made = connection(hosts(closed, port), log)
    made.connect()
    try:
        for outage in (2, 3):  # the first is before anybody was there
            with EmbeddedBroker(port=port):
                wait_until(lambda: made.connected)
                time.sleep(1.1)  # LASTED_S: a connection that is lost sooner counts as none
            wait_until(lambda: not made.connected)
            wait_until(
                lambda outage=outage: (
                    sum(f":{closed}: no MQTT" in line for line in log)  # type: ignore[misc]
                    == outage
                )
            )
    finally:
        made.close()


@needs_mosquitto
def test_who_is_back_after_trouble_is_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("delivery.mqtt.ANSWER_TIMEOUT_S", 0.5)
    log = Log()
    with mosquitto(tmp_path) as broker:
        made = connection(broker.url, log)
        made.connect(HANG_S, wait=True)
        broker.process.send_signal(signal.SIGSTOP)
        made.renew_will("t", b"gone")  # leaves by itself: that is no loss to tell of
        wait_until(lambda: log.has("does not answer"))
        broker.process.send_signal(signal.SIGCONT)
        wait_until(lambda: made.connected)
        made.close()
    assert "connected to" in log[-1]


@needs_mosquitto
def test_after_another_broker_all_is_said_again_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The former broker may still hold the connection, and publish its last will over ours."""
    monkeypatch.setattr("delivery.mqtt.WILL_S", 0.2)
    hooks: list[str] = []
    (tmp_path / "b").mkdir()
    with mosquitto(tmp_path) as first, mosquitto(tmp_path / "b") as second:
        made = connection(f"{first.url},{second.url.removeprefix('mqtt://')}")
        made.on_connect(lambda: hooks.append("called"))
        made.connect(HANG_S, wait=True)
        first.process.kill()
        wait_until(lambda: len(hooks) == 3)
        made.close()


def test_a_broker_that_could_not_take_over_is_told_of_and_forgotten_once_it_could(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(spares, "LOOK_EVERY_S", 0.05)
    monkeypatch.setattr("delivery.mqtt.LOOK_TIMEOUT_S", 2.0)
    log, port = Log(), free_port()
    with EmbeddedBroker() as used:
        made = connection(hosts(used.port, port), log, watch_spares=True)
        made.connect(HANG_S, wait=True)
        try:
            wait_until(lambda: f"127.0.0.1:{port}: no MQTT broker" in made.trouble)
            assert log.has(f":{port}", "could not take over")
            with EmbeddedBroker(port=port):
                wait_until(lambda: made.trouble == "")
                assert log.has(f":{port}", "could take over again")
            assert sum("could not take over" in line for line in log) == 1
        finally:
            made.close()


def test_a_look_that_fails_is_not_the_last_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spares, "LOOK_EVERY_S", 0.01)
    used, other = addresses_of("mqtt://a,b")
    looks: list[str] = []

    def look(_address: object) -> str:
        looks.append(made.trouble)
        if len(looks) < 4:
            raise RuntimeError("can't start new thread")
        return ""

    made = spares.Spares((used, other), lambda: used, look, lambda _text: None)
    made.start()
    wait_until(lambda: len(looks) > 4)
    made.close()
    assert "mqtt://b: can't be looked at: RuntimeError" in looks[3]
    assert looks[4] == ""


def test_a_broker_that_is_just_started_anew_is_no_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spares, "LOOK_EVERY_S", 0.01)
    looks: list[str] = ["", "away", "", "away", ""]
    found = list[str]()
    used, other = addresses_of("mqtt://a,b")

    def look(_address: object) -> str:
        found.append(made.trouble)
        return looks[len(found) - 1] if len(found) <= len(looks) else ""

    made = spares.Spares((used, other), lambda: used, look, lambda _text: None)
    made.start()
    wait_until(lambda: len(found) > len(looks))
    made.close()
    assert set(found) == {""}


@contextmanager
def subscriptions_at(answer: Callable[[bytes, Send], object], port: int = 0) -> Iterator[int]:
    """Give a broker of MQTT 3.1.1 whose answers to subscriptions (whole packets) `answer` sends."""

    def serve(client: socket.socket) -> None:
        with contextlib.suppress(OSError), client, client.makefile("rb") as read:
            while head := read.read(2):
                packet = head + read.read(head[1])  # none is longer than 127 bytes
                if packet[0] & 0xF0 == 0x10:
                    client.sendall(b"\x20\x02\x00" + (b"\x00" if packet[8] == 4 else b"\x01"))
                elif packet[0] & 0xF0 == 0x80:
                    answer(packet, client.sendall)
                elif packet[0] == 0xC0:
                    client.sendall(b"\xd0\x00")

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                one = server.accept()[0]
                threading.Thread(target=serve, args=(one,), daemon=True).start()

    with socket.create_server(("127.0.0.1", port)) as server:
        threading.Thread(target=accept, daemon=True).start()
        yield int(server.getsockname()[1])
        server.shutdown(socket.SHUT_RDWR)


def answer_to(packet: bytes, *, taken: bool) -> bytes:
    return b"\x90\x03" + packet[2:4] + (b"\x01" if taken else b"\x80")


@contextmanager
def refuses_subscriptions(times: int, filter: bytes, port: int = 0) -> Iterator[tuple[int, Asked]]:
    """Give such a broker that refuses a subscription for a while, and list what it was asked."""
    asked: Asked = []

    def answer(packet: bytes, send: Send) -> None:
        asked.append(packet)
        bad = filter in packet and sum(filter in one for one in asked) <= times
        send(answer_to(packet, taken=not bad))

    with subscriptions_at(answer, port) as found:
        yield found, asked


def test_a_subscription_that_is_refused_is_asked_for_until_it_is_taken() -> None:
    """A cluster without a leader refuses; whoever took that for granted would be deaf for ever."""
    log = Log()
    with refuses_subscriptions(3, b"orders") as (port, asked):
        made = connection(hosts(port), log)
        made.subscribe("orders", 1, lambda *_: None)
        made.connect(HANG_S, wait=True)
        try:
            assert sum(b"orders" in one for one in asked) == 4
            assert made.trouble == ""
            assert sum("refuses the subscription of orders" in line for line in log) == 1
        finally:
            made.close()


def test_a_passing_refusal_is_no_trouble_to_be_mended() -> None:
    """At every change of leader there would be an alarm that the access list is wrong."""
    troubles: list[str] = []
    with refuses_subscriptions(2, b"orders") as (port, _):
        made = Connection(
            BrokerConfig(url=hosts(port)), "gw1", log=lambda _text: troubles.append(made.trouble)
        )
        made.subscribe("orders", 1, lambda *_: None)
        made.connect(HANG_S, wait=True)
        made.close()
    assert len(troubles) == 2, "refused, and connected"
    assert set(troubles) == {""}


def test_who_is_always_refused_a_subscription_stays_and_speaks_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("delivery.mqtt.SUBSCRIBE_AGAIN_S", 0.05)
    with refuses_subscriptions(8, b"orders") as (port, asked):
        made = connection(hosts(port))
        made.subscribe("orders", 1, lambda *_: None)
        made.connect(HANG_S, wait=True)
        try:
            assert made.publish("t", b"alarm", qos=0, retain=False)
            assert sum(b"orders" in one for one in asked) < 8
            assert "orders" in made.trouble
            wait_until(lambda: made.trouble == "")
        finally:
            made.close()


def test_who_was_away_for_long_and_then_refuses_is_left_and_asked_again() -> None:
    """A cluster that comes back has no leader for a moment: many rounds in vain before that don't
    count as refusals.
    """
    port = free_port()
    made = connection(hosts(port))
    made.subscribe("orders", 1, lambda *_: None)
    made.connect()
    try:
        wait_until(lambda: made._rotation.rounds > REFUSED_ROUNDS)
        with refuses_subscriptions(2, b"orders", port) as (_, asked):
            assert made.wait(HANG_S)
            assert made.trouble == ""
            assert len(asked) == 3
    finally:
        made.close()


def test_of_a_cluster_one_that_takes_a_subscription_late_is_left_for_a_fresh_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A NATS node that has refused may hand over nothing on that connection, ever."""
    monkeypatch.setattr("delivery.mqtt.SUBSCRIBE_AGAIN_S", 0.05)
    log = Log()
    with (
        refuses_subscriptions(REFUSED_ROUNDS + 1, b"orders") as (first, asked_first),
        refuses_subscriptions(REFUSED_ROUNDS, b"orders") as (second, asked_second),
    ):
        made = connection(hosts(first, second), log)
        made.subscribe("orders", 1, lambda *_: None)
        made.connect()
        try:
            wait_until(lambda: log.has(f":{second} with MQTT"))
            wait_until(lambda: made.connected and made.trouble == "")
        finally:
            made.close()
    assert log.has(f"connected to mqtt://127.0.0.1:{first} ")
    assert len(asked_first) == REFUSED_ROUNDS + 2
    assert len(asked_second) == REFUSED_ROUNDS + 1


def test_who_never_answers_a_subscription_is_as_one_who_refuses_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever waited on for the answer would be connected, and never send an alarm again."""
    monkeypatch.setattr("delivery.mqtt.ANSWER_TIMEOUT_S", 0.5)
    monkeypatch.setattr("delivery.mqtt.SUBSCRIBE_AGAIN_S", 0.05)
    asked: Asked = []
    answers_again = threading.Event()

    def answer(packet: bytes, send: Send) -> None:
        asked.append(packet)
        if b"orders" not in packet or answers_again.is_set():
            send(answer_to(packet, taken=True))

    with subscriptions_at(answer) as port:
        made = connection(hosts(port))
        made.subscribe("orders", 1, lambda *_: None)
        made.subscribe("receipts", 1, lambda *_: None)
        made.connect(HANG_S, wait=True)
        try:
            assert sum(b"orders" in one for one in asked) > REFUSED_ROUNDS
            assert "orders" in made.trouble
            assert "receipts" not in made.trouble
            assert made.publish("t", b"alarm", qos=0, retain=False)
        finally:
            made.close()
        answers_again.set()
        made = connection(hosts(port))
        made.subscribe("orders", 1, lambda *_: None)
        made.connect(HANG_S, wait=True)
        assert made.trouble == ""
        made.close()


def test_who_is_to_say_all_again_waits_until_it_hears(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("delivery.mqtt.WILL_S", 0.0)
    asked: Asked = []
    answers = threading.Event()

    def answer(packet: bytes, send: Send) -> None:
        asked.append(packet)
        if answers.wait(HANG_S):
            send(answer_to(packet, taken=True))

    with subscriptions_at(answer) as second:
        with EmbeddedBroker() as first:
            made = connection(hosts(first.port, second))
            made.subscribe("orders", 1, lambda *_: None)
            made.connect(HANG_S, wait=True)
        try:
            wait_until(lambda: bool(asked))
            assert not made.wait(1.5), "it can't be told orders yet"
            answers.set()
            assert made.wait(HANG_S)
        finally:
            made.close()


def test_the_time_that_kept_messages_take_us_is_not_the_brokers_silence() -> None:
    made = connection("mqtt://a")
    made.subscribe("t", 1, lambda *_: time.sleep(0.05))
    before_s = made._answer_due_s
    made._heard("t", b"alarm", True)
    assert made._answer_due_s - before_s >= 0.05


def test_what_a_former_connection_is_answered_counts_for_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: Asked = []
    ended_s: list[float] = []
    leaving, hang_up = threading.Event(), mqtt._hang_up

    def answer(packet: bytes, send: Send) -> None:
        asked.append(packet)
        if len(asked) == 2:
            assert leaving.wait(HANG_S)
        send(answer_to(packet, taken=len(asked) > 2))

    def hang_up_late(client: paho.Client, ended: threading.Event) -> None:
        ended_s.append(time.monotonic())
        if asked and not leaving.is_set():
            leaving.set()
            wait_until(lambda: not made._events.empty())
        hang_up(client, ended)

    monkeypatch.setattr(mqtt, "_hang_up", hang_up_late)
    with subscriptions_at(answer) as port:
        made = connection(hosts(port))
        for filter in ("orders", "receipts"):
            made.subscribe(filter, 1, lambda *_: None)
        made.connect(HANG_S, wait=True)
        made.close()
    assert len(asked) == 4
    assert len(ended_s) == 4, "of MQTT 5 and 3.1.1: one that was left, and one that was good"


def test_ports_answer_as_the_tests_above_mean_it() -> None:
    with nobody_answers() as mute:
        assert answers(mute)
    assert not answers(free_port())
