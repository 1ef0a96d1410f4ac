"""What is really said over a broker is what the published documents say."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jsonschema
import paho.mqtt.client as mqtt
import pytest
import yaml
from paho.mqtt.enums import CallbackAPIVersion

from control_room.lifecycle import Key, wish_of
from control_room.main import open_room
from delivery.broker import EmbeddedBroker
from delivery.voice import Voice
from scene.clock import SystemClock
from scene.messages import MachinePlace, Machines, TagFix, Tags
from scene.site import BrokerConfig
from scene.topics import topic_name
from scene.wire import encode
from tests.control_room.fake_gateway import alarm
from tests.control_room.test_whole_way import BrokerGateway
from tests.delivery.parts import MOSQUITTO, NO_MOSQUITTO, free_port, mosquitto, wait_until
from tests.edge.mine_certificates import SITE as NORTH
from tests.edge.mine_certificates import make_mine, running

ROOT = Path(__file__).parents[2]
WIRE = ROOT / "docs" / "wire"
DOCUMENT: dict[str, Any] = yaml.safe_load((WIRE / "asyncapi.yaml").read_text(encoding="utf-8"))
EXAMPLE = ROOT / "deploy" / "examples" / "alarm_subscriber.py"

pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason=NO_MOSQUITTO)


class Ear:
    """Hears everything that the broker carries."""

    def __init__(self, url: str) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="ear")
        self._client.on_message = lambda _c, _u, said: self.heard.append(
            (said.topic, bytes(said.payload))
        )
        self._client.connect("127.0.0.1", int(url.rsplit(":", 1)[1]))
        self._client.subscribe("#", qos=1)
        self._client.loop_start()

    def say(self, topic: str, payload: bytes) -> None:
        self._client.publish(topic, payload)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def alarms(self) -> list[tuple[str, bytes]]:
        return [(topic, said) for topic, said in list(self.heard) if "/alarm/" in topic and said]

    def channels(self) -> set[str]:
        return {channel_of(topic) for topic, _ in list(self.heard)}


def channel_of(topic: str) -> str:
    """Name the one channel of the document that a topic belongs to."""
    names = [
        name
        for name, channel in DOCUMENT["channels"].items()
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", channel["address"]), topic)
    ]
    assert len(names) == 1, f"{topic} belongs to {names}"
    return str(names[0])


def schema_of(channel: str) -> dict[str, Any]:
    """Read the schema that the document names for a channel's message, as a reader would."""
    [reference] = DOCUMENT["channels"][channel]["messages"].values()
    message: Any = DOCUMENT
    for step in reference["$ref"].removeprefix("#/").split("/"):
        message = message[step]
    schema: dict[str, Any] = json.loads((WIRE / message["payload"]["schema"]["$ref"]).read_text())
    return schema


def test_all_that_is_said_fits_the_published_documents(tmp_path: Path) -> None:
    (tmp_path / "broker").mkdir()
    with mosquitto(tmp_path / "broker") as broker:
        ear = Ear(broker.url)
        config = BrokerConfig(url=broker.url)
        with (
            open_room(config, tmp_path / "journal.sqlite", SystemClock()) as room,
            BrokerGateway(broker.url, tmp_path / "state") as gateway,
        ):
            now_ns = time.time_ns()
            voice = Voice(SystemClock(), run=1, signer=None)
            fix = TagFix(tag="77", xy_m=(1.0, 2.0), sigma_m=0.3, at_ns=now_ns, worker="李伟")
            place = MachinePlace(machine="shearer", xy_m=(1.0, 2.0), at_ns=now_ns)
            for said in (
                Tags(captured_at_ns=now_ns, fixes=(fix,)),
                Machines(captured_at_ns=now_ns, machines=(place,)),
            ):
                kind = type(said).__name__.lower()
                topic = topic_name(kind, site="roadway", gateway="")
                ear.say(topic, voice.write(topic, said, gateway="mine")[1])
            gateway.publisher.alarm(alarm(at_ns=now_ns))
            key = Key(site="roadway", gateway="gw1", alarm="man_down-3")
            wait_until(lambda: room.journal.entry(key) is not None)
            body = {"site": "roadway", "gateway": "gw1", "id": key.alarm, "reason": "carried out"}
            room.do(wish_of("end", body))
            room.tick()
            wait_until(lambda: ear.channels() == set(DOCUMENT["channels"]))
            gateway.publisher.alarm(alarm(at_ns=now_ns + 1, raised_at_ns=now_ns, state="cleared"))
            wait_until(lambda: any(not payload for _, payload in list(ear.heard)))
        ear.close()
    validators = {
        name: jsonschema.Draft202012Validator(schema_of(name)) for name in DOCUMENT["channels"]
    }
    checked = 0
    for topic, payload in ear.heard:
        if payload:  # an empty one takes a kept alarm away
            validators[channel_of(topic)].validate(json.loads(payload))
            checked += 1
    assert checked >= len(validators)


def test_a_topic_that_is_not_in_the_document_is_found() -> None:
    with pytest.raises(AssertionError, match="belongs to"):
        channel_of("mine/roadway/gw/gw1/secret")


@contextmanager
def example(port: int, out: Path, *words: str | Path, host: str = "127.0.0.1") -> Iterator[Path]:
    with out.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, EXAMPLE, host, str(port), *words],
            stdout=file,
            stderr=subprocess.STDOUT,
        )
        try:
            yield out
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def port_of(url: str) -> int:
    return int(url.rsplit(":", 1)[1])


def test_the_example_hears_an_alarm_and_that_its_gateway_is_gone(tmp_path: Path) -> None:
    (tmp_path / "broker").mkdir()
    with mosquitto(tmp_path / "broker") as broker:
        port = port_of(broker.url)
        with BrokerGateway(broker.url, tmp_path / "state") as gateway:
            now_ns = time.time_ns()
            gateway.publisher.alarm(alarm("early", at_ns=now_ns))
            with example(port, tmp_path / "said") as said:
                wait_until(lambda: "ACTIVE critical man_down [29.5, -1.0, 0.0]" in said.read_text())
                # Nobody receipts it, so it is said again; the example tells it once.
                ear = Ear(broker.url)
                wait_until(lambda: len(ear.alarms()) >= 1)
                ear.say(*ear.alarms()[0])
                wait_until(lambda: len(ear.alarms()) >= 2)
                ear.close()
                early = alarm("early", at_ns=now_ns + 1, raised_at_ns=now_ns, state="cleared")
                gateway.publisher.alarm(early)
                wait_until(lambda: "CLEARED critical man_down" in said.read_text())
                gateway.publisher.going_offline()
                wait_until(lambda: "GATEWAY OFFLINE" in said.read_text())
        lines = (tmp_path / "said").read_text().splitlines()
    assert lines[0] == "broker: connected"
    assert [line.split(" ")[0] for line in lines[1:]] == ["ACTIVE", "CLEARED", "GATEWAY"]


def test_the_example_hears_the_broker_of_the_demo(tmp_path: Path) -> None:
    with (
        EmbeddedBroker(free_port()) as broker,
        BrokerGateway(broker.url, tmp_path / "state") as gateway,
        example(port_of(broker.url), tmp_path / "said") as said,
    ):
        wait_until(lambda: "broker: connected" in said.read_text())
        gateway.publisher.alarm(alarm(at_ns=time.time_ns()))
        wait_until(lambda: "ACTIVE critical man_down" in said.read_text())
    assert "Traceback" not in said.read_text()


def test_the_example_hears_over_tls_with_the_certificates_of_the_mine(tmp_path: Path) -> None:
    mine = make_mine(tmp_path)
    siren = mine.folder / "subscribers" / "siren"
    words = ("--ca-file", siren / "ca.pem", "--cert-file", siren / "client.pem")
    with running(mine.folder / "broker", mine.port):
        here = mine.connect("gateways/gw1")
        said = alarm("a", at_ns=time.time_ns())
        topic = topic_name("alarm", site=NORTH, gateway="gw1", id="a")
        payload = encode(said, gateway="gw1", seq=1, sent_at_ns=1)
        results: list[bool] = []
        here.publish(
            topic, payload, qos=1, retain=True, on_result=lambda ok, _why: results.append(ok)
        )
        wait_until(lambda: results == [True])
        with example(
            mine.port,
            tmp_path / "said",
            *words,
            "--key-file",
            siren / "client.key",
            host="localhost",
        ) as out:
            wait_until(lambda: "ACTIVE critical man_down" in out.read_text())
        stranger = tmp_path / "stranger"
        with example(mine.port, stranger, "--ca-file", siren / "ca.pem", host="localhost") as out:
            wait_until(lambda: "broker: connection lost" in out.read_text())
        here.close()
    assert "connected" not in stranger.read_text(), "without a certificate one is not let in"


def test_the_example_says_once_that_there_is_no_broker_and_goes_on_trying(tmp_path: Path) -> None:
    port, folder = free_port(), tmp_path / "broker"
    folder.mkdir()
    with example(port, tmp_path / "said") as said:
        wait_until(lambda: "trying again" in said.read_text())
        with mosquitto(folder, port=port):
            wait_until(lambda: "broker: connected" in said.read_text())
        wait_until(lambda: "not reached" in said.read_text().partition("connected")[2])
        with mosquitto(folder, port=port):
            wait_until(lambda: said.read_text().count("broker: connected") == 2)
    lines = said.read_text().splitlines()
    kinds = [line.removeprefix("broker: ").split(" (")[0].split(":")[0] for line in lines]
    assert kinds[:5] == ["not reached", "connected", "connection lost", "not reached", "connected"]
    assert all(line.startswith("broker: ") for line in lines), "no traceback"


def test_a_certificate_that_is_not_there_is_one_line() -> None:
    tried = subprocess.run(
        [sys.executable, EXAMPLE, "--ca-file", "none.pem"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert tried.returncode == 2
    assert "error: --ca-file, --cert-file, --key-file: " in tried.stderr
    assert "Traceback" not in tried.stderr


def test_the_example_is_short() -> None:
    lines = [line for line in EXAMPLE.read_text().splitlines() if line.strip()]
    assert len(lines) <= 50
