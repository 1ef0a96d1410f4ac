import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from paho.mqtt.enums import MQTTProtocolVersion

from delivery.broker import EmbeddedBroker
from delivery.mqtt import BACKOFF_S, Connection, pause_s
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

Heard = list[tuple[str, bytes, bool]]


class Log(list[str]):
    def has(self, *words: str) -> bool:
        return any(all(word in line for word in words) for line in self)


@pytest.fixture(scope="module")
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as started:
        yield started


def connection(url: str, name: str, log: Log | None = None) -> Connection:
    made = Connection(BrokerConfig(url=url), name, log=(log if log is not None else Log()).append)
    return made


def test_what_one_says_another_hears_and_a_late_one_hears_what_is_kept(
    broker: EmbeddedBroker,
) -> None:
    heard: Heard = []
    results: list[tuple[bool, str]] = []
    ear = connection(broker.url, "ear")
    ear.subscribe("mine/+/said/#", 1, lambda *what: heard.append(what))
    mouth = connection(broker.url, "mouth")
    late_heard: Heard = []
    late = connection(broker.url, "late")
    late.subscribe("mine/+/said/#", 1, lambda *what: late_heard.append(what))
    try:
        ear.connect(HANG_S, wait=True)
        mouth.connect(HANG_S, wait=True)
        assert mouth.publish(
            "mine/a/said/x", b"1", qos=1, retain=True, on_result=lambda *r: results.append(r)
        )
        assert mouth.publish("mine/a/else", b"2", qos=1, retain=False)
        wait_until(lambda: bool(heard and results))
        assert heard == [("mine/a/said/x", b"1", False)]
        assert results == [(True, "Success")]
        late.connect(HANG_S, wait=True)
        wait_until(lambda: bool(late_heard))
        assert late_heard[0] == ("mine/a/said/x", b"1", True)
    finally:
        for one in (ear, mouth, late):
            one.close()


def test_who_asks_later_hears_topics_that_have_come_before(broker: EmbeddedBroker) -> None:
    first, second = list[bytes](), list[bytes]()
    one = connection(broker.url, "both")
    one.subscribe("later/+", 1, lambda _topic, payload, _kept: first.append(payload))
    try:
        one.connect(HANG_S, wait=True)
        assert one.publish("later/x", b"1", qos=1, retain=False)
        wait_until(lambda: first == [b"1"])
        one.subscribe("later/x", 1, lambda _topic, payload, _kept: second.append(payload))
        assert one.publish("later/x", b"2", qos=1, retain=False)
        wait_until(lambda: b"2" in first and b"2" in second)
    finally:
        one.close()


def test_an_old_broker_is_spoken_to_in_its_own_version(broker: EmbeddedBroker) -> None:
    log = Log()
    made = connection(broker.url, "old", log)
    made.connect(HANG_S, wait=True)
    try:
        assert made.protocol == "MQTT 3.1.1"
        assert log.has("connected to", "MQTT 3.1.1")
    finally:
        made.close()


def test_a_broker_that_is_not_there_is_named_with_a_remedy() -> None:
    url = f"mqtt://127.0.0.1:{free_port()}"
    with pytest.raises(BrokerError, match=rf"{url}: no MQTT broker.*refused.*broker\.url"):
        connection(url, "x").connect(0.3, wait=True)


def test_a_server_that_is_no_broker_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            while True:
                try:
                    server.accept()[0].close()
                except OSError:
                    return

        threading.Thread(target=hang_up, daemon=True).start()
        made = connection(f"mqtt://127.0.0.1:{server.getsockname()[1]}", "x")
        with pytest.raises(BrokerError, match="does not speak MQTT"):
            made.connect(1.5, wait=True)
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mqtt://joe:secret@host", "broker.username"),
        ("mqtt://host:99999", "port"),
        ("mqtt://host:x", "port"),
    ],
)
def test_addresses_that_cannot_be_used(url: str, said: str) -> None:
    with pytest.raises(BrokerError, match=said) as caught:
        Connection(BrokerConfig(url=url), "x")
    assert "secret" not in str(caught.value)


def test_a_password_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BrokerError, match=r"password_file: .*none\.txt"):
        Connection(BrokerConfig(url="mqtt://h", password_file=tmp_path / "none.txt"), "x")


def test_offline_nothing_is_taken_and_nothing_grows() -> None:
    made = connection(f"mqtt://127.0.0.1:{free_port()}", "x")
    made.connect()
    try:
        taken = [made.publish("t", bytes(1000), qos=qos, retain=False) for qos in (0, 1) * 500]
        assert not any(taken)
        assert not made.connected
    finally:
        made.close()


def test_a_frozen_broker_fills_the_queue_no_further_than_its_limit() -> None:
    with EmbeddedBroker() as frozen:
        made = connection(frozen.url, "x")
        made.connect(HANG_S, wait=True)
        try:
            os.kill(frozen.pid, signal.SIGSTOP)
            taken = [made.publish("t", bytes(20_000), qos=0, retain=False) for _ in range(5000)]
            assert taken[0]
            assert not taken[-1]
        finally:
            made.close()


def test_a_broker_that_dies_and_comes_back_is_found_again_with_subscriptions_and_hooks() -> None:
    port, heard, hooks, log = free_port(), [], [], Log()
    made = connection(f"mqtt://127.0.0.1:{port}", "x", log)
    made.subscribe("a/+", 1, lambda topic, payload, _kept: heard.append((topic, payload)))
    made.on_connect(lambda: hooks.append(made.publish("a/hook", b"h", qos=1, retain=False)))
    made.connect()  # before there is any broker
    try:
        for i in range(2):
            with EmbeddedBroker(port=port):
                wait_until(lambda: made.connected)
                wait_until(lambda i=i: heard.count(("a/hook", b"h")) == i + 1)  # type: ignore[misc]
                assert made.publish("a/b", str(i).encode(), qos=1, retain=False)
                wait_until(lambda i=i: ("a/b", str(i).encode()) in heard)  # type: ignore[misc]
            wait_until(lambda: not made.connected)
        assert hooks == [True, True]
        assert log.has("lost the MQTT broker")
    finally:
        made.close()


def test_hooks_are_called_once_we_hear(broker: EmbeddedBroker) -> None:
    """Who sends again when it is told of a connection must find one."""
    found: list[bool] = []
    made = connection(broker.url, "hooked")
    made.subscribe("a/+", 1, lambda *_: None)
    made.on_connect(lambda: found.append(made.connected))
    made.connect()
    wait_until(lambda: bool(found))
    made.on_connect(lambda: found.append(made.connected))
    wait_until(lambda: len(found) > 1)
    assert made.wait(HANG_S)
    made.close()
    assert found == [True, True]


def test_who_is_thrown_out_at_once_waits_longer_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that takes us and hangs up may not like what we say: nobody helps it by haste."""
    gone: list[float] = []

    def noted(gone_s: float) -> float:
        gone.append(gone_s)
        return 0.01

    def take_and_hang_up(server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                with server.accept()[0] as client:
                    client.recv(1000)
                    client.sendall(b"\x20\x03\x00\x00\x00")  # MQTT 5: you are welcome

    monkeypatch.setattr("delivery.mqtt.pause_s", noted)
    monkeypatch.setattr("delivery.mqtt.LASTED_S", HANG_S)
    log = Log()
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=take_and_hang_up, args=(server,), daemon=True).start()
        made = connection(f"mqtt://127.0.0.1:{server.getsockname()[1]}", "x", log)
        made.connect()
        wait_until(lambda: len(gone) > 6)
        made.close()
        server.shutdown(socket.SHUT_RDWR)
    assert log.has("lost the MQTT broker")
    assert gone == sorted(gone)


def test_a_handler_that_raises_ends_nothing(broker: EmbeddedBroker) -> None:
    heard: list[str] = []
    log = Log()
    made = connection(broker.url, "x", log)

    def handle(topic: str, _payload: bytes, _kept: bool) -> None:
        heard.append(topic)
        raise RuntimeError("on purpose")

    made.subscribe("raise/+", 1, handle)
    made.connect(HANG_S, wait=True)
    try:
        for i in range(3):
            made.publish(f"raise/{i}", b"", qos=1, retain=False)
        wait_until(lambda: len(heard) == 3)
        assert log.has("RuntimeError: on purpose")
        assert made.connected
    finally:
        made.close()


def test_what_was_said_just_before_closing_arrives(broker: EmbeddedBroker) -> None:
    heard: list[bytes] = []
    ear = connection(broker.url, "ear2")
    ear.subscribe("bye", 1, lambda _topic, payload, _kept: heard.append(payload))
    ear.connect(HANG_S, wait=True)
    mouth = connection(broker.url, "mouth2")
    mouth.connect(HANG_S, wait=True)
    for i in range(50):
        mouth.publish("bye", bytes([i]), qos=1, retain=False)
    mouth.close()
    wait_until(lambda: len(heard) == 50)
    ear.close()


@pytest.mark.skipif(MOSQUITTO is None, reason=NO_MOSQUITTO)
def test_the_will_is_said_when_a_client_is_killed(tmp_path: Path) -> None:
    heard: list[bytes] = []
    with mosquitto(tmp_path) as real:
        ear = connection(real.url, "ear3")
        ear.subscribe("will", 1, lambda _topic, payload, _kept: heard.append(payload))
        ear.connect(HANG_S, wait=True)
        code = (
            "import os, signal; from delivery.mqtt import Connection; from scene.site import *; "
            f"c = Connection(BrokerConfig(url={real.url!r}), 'w', will=('will', b'gone')); "
            "c.connect(60, wait=True); os.kill(os.getpid(), signal.SIGKILL)"
        )
        done = subprocess.run([sys.executable, "-c", code], check=False)
        assert done.returncode == -signal.SIGKILL
        wait_until(lambda: heard == [b"gone"])
        ear.close()


@pytest.mark.skipif(MOSQUITTO is None, reason=NO_MOSQUITTO)
def test_a_renewed_will_is_said_instead_of_the_first(tmp_path: Path) -> None:
    heard: list[bytes] = []
    with mosquitto(tmp_path) as real:
        ear = connection(real.url, "ear4")
        ear.subscribe("will", 1, lambda _topic, payload, _kept: heard.append(payload))
        ear.connect(HANG_S, wait=True)
        code = (
            "import os, signal, time\n"
            "from delivery.mqtt import Connection\n"
            "from scene.site import BrokerConfig\n"
            f"c = Connection(BrokerConfig(url={real.url!r}), 'w', will=('will', b'first'))\n"
            "calls = []\n"
            "c.on_connect(lambda: calls.append(1))\n"
            "c.connect(60, wait=True)\n"
            "c.renew_will('will', b'anew')\n"
            f"until_s = time.monotonic() + {HANG_S}\n"
            "while len(calls) < 2 and time.monotonic() < until_s: time.sleep(0.01)\n"
            "os.kill(os.getpid(), signal.SIGKILL)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], check=False, stderr=subprocess.PIPE, text=True
        )
        assert done.returncode == -signal.SIGKILL
        assert "lost" not in done.stderr, "it was us who ended the connection"
        wait_until(lambda: bool(heard))
        assert heard == [b"anew"]
        ear.close()


def test_the_port_of_the_embedded_broker_is_taken() -> None:
    with EmbeddedBroker() as first:
        with pytest.raises(BrokerError, match=rf"127.0.0.1:{first.port}.*another"):
            EmbeddedBroker(port=first.port).__enter__()
        assert answers(first.port)
    wait_until(lambda: not answers(first.port))


def test_the_embedded_broker_ends_when_its_starter_is_killed() -> None:
    code = (
        "import os, signal; from delivery.broker import EmbeddedBroker; b = EmbeddedBroker(); "
        "b.__enter__(); print(b.port, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, stdout=subprocess.PIPE)
    assert done.returncode == -signal.SIGKILL
    port = int(done.stdout)
    wait_until(lambda: not answers(port))


@pytest.mark.skipif(MOSQUITTO is None, reason=NO_MOSQUITTO)
def test_mqtt_5_says_what_an_access_list_denies(tmp_path: Path) -> None:
    log = Log()
    results: dict[str, tuple[bool, str]] = {}
    with mosquitto(tmp_path, rules="topic readwrite mine/roadway/#\n") as real:
        made = connection(real.url, "gw1", log)
        made.connect(HANG_S, wait=True)
        try:
            assert made.protocol == "MQTT 5"
            made.subscribe("mine/#", 1, lambda *_: None)
            for topic in ("mine/roadway/x", "mine/other/x"):
                made.publish(
                    topic,
                    b"1",
                    qos=1,
                    retain=False,
                    on_result=lambda ok, why, topic=topic: results.update({topic: (ok, why)}),  # type: ignore[misc]
                )
            wait_until(lambda: len(results) == 2)
            assert results["mine/roadway/x"][0]
            assert results["mine/other/x"] == (False, "Not authorized")
            assert log.has("does not take mine/other/x", "Not authorized", "gw1")
        finally:
            made.close()


@pytest.mark.skipif(MOSQUITTO is None, reason=NO_MOSQUITTO)
@pytest.mark.parametrize("protocol", ["MQTT 5", "MQTT 3.1.1"])
def test_two_with_one_client_name_do_not_throw_each_other_out_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: str
) -> None:
    if protocol == "MQTT 3.1.1":
        old = MQTTProtocolVersion.MQTTv311
        monkeypatch.setattr(
            "delivery.mqtt.MQTTProtocolVersion", SimpleNamespace(MQTTv5=old, MQTTv311=old)
        )
    connections: list[str] = []
    said: list[str] = []

    def note(came: set[bytes], _topic: str, payload: bytes, _retained: bool) -> None:
        came.add(payload)

    with mosquitto(tmp_path) as broker:
        heard = {"one": set[bytes](), "two": set[bytes]()}
        both = []
        for name, came in heard.items():
            made = Connection(BrokerConfig(url=broker.url), "gw1-roadway", log=said.append)
            made.subscribe(f"to/{name}", 1, partial(note, came))
            made.on_connect(partial(connections.append, name))
            made.connect(HANG_S, wait=True)
            both.append(made)
        one, two = both
        for number in range(60):
            text = b"%d" % number

            def arrived(text: bytes = text) -> bool:
                one.publish("to/two", text, qos=1, retain=False)
                two.publish("to/one", text, qos=1, retain=False)
                return all(text in came for came in heard.values())

            wait_until(arrived)
            time.sleep(0.02)
        for made in both:
            made.close()
    assert len(connections) <= 8, "Mosquitto 2.0.11 does not say why it hangs up"
    assert any("is there a second one of us?" in text for text in said)


def thrown_out(url: str, monkeypatch: pytest.MonkeyPatch, log: Log, hooks: list[str]) -> Connection:
    """Give one that another client of its name has thrown out, and that goes on under another."""
    monkeypatch.setattr("delivery.mqtt.MOST_SHORT", 1)
    monkeypatch.setattr("delivery.mqtt.SHORT_S", HANG_S)
    made = connection(url, "gw1", log)
    made.on_connect(lambda: hooks.append("called"))
    made.connect(HANG_S, wait=True)
    copy = connection(url, "gw1")
    copy.connect(HANG_S, wait=True)
    wait_until(lambda: log.has("going on as gw1-"))
    copy.close()
    wait_until(lambda: made.connected)
    return made


@pytest.mark.skipif(MOSQUITTO is None, reason=NO_MOSQUITTO)
def test_under_another_name_all_is_said_again_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker may publish the former connection's last will over what was said meanwhile."""
    monkeypatch.setattr("delivery.mqtt.WILL_S", 0.2)
    log, hooks = Log(), list[str]()
    with mosquitto(tmp_path) as broker:
        made = thrown_out(broker.url, monkeypatch, log, hooks)

        def connections() -> int:
            return sum("connected to" in line for line in log)

        wait_until(lambda: made.connected and len(hooks) > connections())
        assert len(hooks) == connections() + 1
        made.close()


@pytest.mark.skipif(MOSQUITTO is None, reason=NO_MOSQUITTO)
def test_who_can_not_connect_under_another_name_takes_its_own_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, log = free_port(), Log()
    with mosquitto(tmp_path, port=port) as broker:
        made = thrown_out(broker.url, monkeypatch, log, [])
    wait_until(lambda: log.has("no MQTT broker can be reached"))
    taken: list[bool] = []
    with mosquitto(tmp_path, port=port, rules="pattern readwrite of/%c\n") as broker:
        wait_until(lambda: made.connected)
        answer = partial(made.publish, "of/gw1", b"1", qos=1, retain=False)
        wait_until(lambda: answer(on_result=lambda ok, _why: taken.append(ok)))
        wait_until(lambda: bool(taken))
        made.close()
    assert taken == [True]


@pytest.mark.skipif(MOSQUITTO is None, reason=NO_MOSQUITTO)
def test_a_flood_of_refused_topics_is_named_only_so_far(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("delivery.mqtt.MAX_REFUSED", 3)
    log = Log()
    results: list[bool] = []
    with mosquitto(tmp_path, rules="topic readwrite mine/roadway/#\n") as real:
        made = connection(real.url, "gw1", log)
        made.connect(HANG_S, wait=True)
        try:
            for number in range(8):
                made.publish(
                    f"mine/other/{number}",
                    b"1",
                    qos=1,
                    retain=False,
                    on_result=lambda taken, _: results.append(taken),
                )
            wait_until(lambda: len(results) == 8)
        finally:
            made.close()
    assert not any(results), "whoever asked is told every time"
    refused = [line for line in log if "does not take" in line]
    assert len(refused) == 3
    assert refused[-1].endswith("no more such topics are named")


@pytest.mark.skipif(MOSQUITTO is None, reason=NO_MOSQUITTO)
def test_after_a_change_of_broker_the_newer_mqtt_is_spoken(tmp_path: Path) -> None:
    port = free_port()
    made = connection(f"mqtt://127.0.0.1:{port}", "x")
    made.connect()
    try:
        with EmbeddedBroker(port=port):
            wait_until(lambda: made.protocol == "MQTT 3.1.1")
        with mosquitto(tmp_path, port=port):
            wait_until(lambda: made.protocol == "MQTT 5")
    finally:
        made.close()


@pytest.mark.skipif(MOSQUITTO is None, reason=NO_MOSQUITTO)
def test_who_is_refused_by_name_or_password_waits_long_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone: list[float] = []

    def noted(gone_s: float) -> float:
        gone.append(gone_s)
        return 0.01

    monkeypatch.setattr("delivery.mqtt.pause_s", noted)
    assert pause_s(float("inf")) == BACKOFF_S[1]
    port, log = free_port(), Log()
    made = connection(f"mqtt://127.0.0.1:{port}", "stranger", log)
    made.connect()
    try:
        wait_until(lambda: len(gone) > 1)
        assert max(gone) < float("inf"), "who is away is looked for soon"
        config = tmp_path / "mosquitto.conf"
        config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous false\n")
        assert MOSQUITTO is not None
        with subprocess.Popen([MOSQUITTO, "-c", str(config)], stderr=subprocess.DEVNULL) as broker:
            try:
                wait_until(lambda: gone[-1] == float("inf"))
                assert log.has("it refuses us: Not authorized")
            finally:
                broker.kill()
        wait_until(lambda: gone[-1] < float("inf"))
    finally:
        made.close()


def test_closing_is_quick_while_nothing_answers() -> None:
    made = connection(f"mqtt://127.0.0.1:{free_port()}", "x")
    made.connect()
    started_s = time.monotonic()
    made.close()
    made.close()
    assert time.monotonic() - started_s < HANG_S
