"""The sending process of a gateway with keys: all that it says is signed, its last will too."""

from pathlib import Path

import pytest

from delivery.broker import EmbeddedBroker
from delivery.guard import Guard
from delivery.mqtt import Connection
from delivery.signing import SigningError
from delivery.subscriber import Subscriber
from delivery.trust import Trust
from edge.options import RunOptions
from edge.sender import open_sending
from scene.clock import SystemClock
from scene.errors import WireError
from scene.messages import GatewayState, SiteDescription
from scene.site import BrokerConfig
from scene.topics import Address
from scene.wire import Envelope
from tests.delivery.keys import Keys
from tests.delivery.parts import HANG_S, alarm, people, wait_until
from tests.sample_site import FOLDER

CLOCK = SystemClock()


def options(folder: Path, broker_url: str, signing: str) -> RunOptions:
    text = (FOLDER / "site.yaml").read_text(encoding="utf-8")
    text = text.replace("url: cam", f"url: {FOLDER}/cam")
    text = text.replace("file: rig.yaml", f"file: {FOLDER}/rig.yaml")
    file = folder / "site.yaml"
    file.write_text(f"{text}\n{signing}\n", encoding="utf-8")
    return RunOptions(
        site_file=file, broker_url=broker_url, stream_port=0, state_folder=folder / "state"
    )


def test_a_gateway_with_keys_signs_everything_its_last_will_too(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    keys.add("gateway", "roadway", "gw1")
    keys.add("control_room")
    key_file = keys.private["gateway-roadway-gw1"]
    heard: list[tuple[Address, Envelope]] = []
    bad: list[tuple[str, WireError]] = []
    with EmbeddedBroker() as broker:
        link = Connection(BrokerConfig(url=broker.url), "room", log=lambda _text: None)
        Subscriber(
            link,
            on_message=lambda *said: heard.append(said),
            on_bad=lambda *said: bad.append(said),
            guard=Guard(Trust([keys.trusted], CLOCK), required=True),
        )
        link.connect(HANG_S, wait=True)
        signing = f"signing: {{key_file: {key_file}, trusted: {keys.trusted}, required: true}}"
        asked = options(tmp_path, broker.url, signing)
        for _ in range(2):
            heard.clear()
            with open_sending(asked.site(), asked) as sending:
                will = sending.connection._will
                wait_until(lambda: sending.connection.connected)
                sending.outlet.send(people())
                sending.outlet.send(alarm())
                wait_until(lambda: any(address.topic == "alarm" for address, _ in heard))
            wait_until(lambda: getattr(heard[-1][1].body, "online", True) is False)
            bodies = [envelope.body for _, envelope in heard]
            assert any(isinstance(body, SiteDescription) for body in bodies)
            assert bodies[-1] == GatewayState(online=False, since_ns=bodies[-1].since_ns)  # type: ignore[union-attr]
            assert len({envelope.run for _, envelope in heard}) == 1
        assert will is not None
        read = Guard(Trust([keys.trusted], CLOCK), required=True).read(*will)
        assert read is not None
        assert read[1].body == GatewayState(online=False, since_ns=read[1].body.since_ns)  # type: ignore[union-attr]
        assert read[1].run == heard[-1][1].run
        link.close()
    assert bad == [], "a second start counts on from the first"


def test_a_key_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    asked = options(tmp_path, "mqtt://127.0.0.1:1", "signing: {key_file: none.key}")
    with pytest.raises(SigningError, match=r"none\.key: there is no such key file"):
        open_sending(asked.site(), asked)
