"""What is really said over a broker is what the published documents say."""

import json
import re
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
from delivery.voice import Voice
from scene.clock import SystemClock
from scene.messages import MachinePlace, Machines, TagFix, Tags
from scene.site import BrokerConfig
from scene.topics import topic_name
from tests.control_room.fake_gateway import alarm
from tests.control_room.test_whole_way import BrokerGateway
from tests.delivery.parts import MOSQUITTO, NO_MOSQUITTO, mosquitto, wait_until

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
def example(port: str, out: Path) -> Iterator[Path]:
    with out.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, EXAMPLE, "127.0.0.1", port], stdout=file, stderr=subprocess.STDOUT
        )
        try:
            yield out
        finally:
            process.terminate()
            process.wait()


def test_the_example_hears_an_alarm_and_that_its_gateway_is_gone(tmp_path: Path) -> None:
    (tmp_path / "broker").mkdir()
    with mosquitto(tmp_path / "broker") as broker:
        port = broker.url.rsplit(":", 1)[1]
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
    assert lines[0] == "broker: Success"
    assert [line.split(" ")[0] for line in lines[1:]] == ["ACTIVE", "CLEARED", "GATEWAY"]


def test_the_example_has_thirty_lines() -> None:
    lines = [line for line in EXAMPLE.read_text().splitlines() if line.strip()]
    assert len(lines) <= 30
