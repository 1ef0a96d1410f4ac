import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from control_room.home_assistant import HomeAssistant, _take_back, home_assistant
from control_room.home_words import EXPIRE_S, STATUS, config_topic, discovery
from control_room.main import open_room
from delivery.memory import MemoryBroker
from scene.clock import ReplayClock, SystemClock
from scene.messages import Anomaly, CameraHealth, GatewayHealth, GatewayState
from scene.site import BrokerConfig
from scene.topics import SILENT_AFTER_S, Address
from scene.wire import Envelope, Message, type_name
from tests.control_room.fake_gateway import alarm, health, people_at
from tests.control_room.test_whole_way import BrokerGateway
from tests.delivery.parts import MOSQUITTO, NO_MOSQUITTO, Mosquitto, mosquitto, wait_until

NOW_NS = 1_790_000_000_000_000_000
CONFIG = "homeassistant/device/lamproom_roadway_gw1/config"
STATE, AVAILABILITY = "lamproom/roadway/gw1/state", "lamproom/roadway/gw1/availability"

# What https://www.home-assistant.io/integrations/binary_sensor.mqtt/, .../sensor.mqtt/ and
# .../mqtt/ document; Home Assistant refuses a message with any other field.
SHARED = {
    *("availability", "availability_mode", "availability_topic", "device", "device_class"),
    *("enabled_by_default", "expire_after", "force_update", "icon", "json_attributes_template"),
    *("json_attributes_topic", "name", "payload_available", "payload_not_available", "qos"),
    *("state_topic", "unique_id", "value_template", "platform"),
}
FIELDS = {
    "binary_sensor": SHARED | {"off_delay", "payload_off", "payload_on"},
    "sensor": SHARED | {"unit_of_measurement", "state_class", "suggested_display_precision"},
}
NEEDED = {"platform", "unique_id", "state_topic"}
CLASSES = {"safety", "problem", "connectivity"}
DEVICE = {
    *("configuration_url", "connections", "identifiers", "name", "manufacturer", "model"),
    *("model_id", "hw_version", "sw_version", "suggested_area", "serial_number", "via_device"),
}
ORIGIN = {"name", "sw_version", "support_url"}


def test_the_discovery_message_has_documented_fields_only() -> None:
    said = discovery(("roadway", "gw1"), "0.1.0")
    assert set(said) <= {"device", "origin", "components", "state_topic", "qos", "encoding"}
    assert set(said["device"]) <= DEVICE
    assert said["device"]["identifiers"]
    assert set(said["origin"]) <= ORIGIN
    assert said["origin"]["name"]
    for name, one in said["components"].items():
        assert set(one) <= FIELDS[one["platform"]], name
        assert set(one) >= NEEDED, name
        assert one.get("device_class", "safety") in CLASSES
        assert not {"availability", "availability_topic"} <= set(one)
        assert all(set(entry) <= {"topic", "value_template"} for entry in one["availability"])
    ids = [one["unique_id"] for one in said["components"].values()]
    assert len(set(ids)) == len(ids)
    assert {one["platform"] for one in said["components"].values()} == {"binary_sensor", "sensor"}


class House:
    """Home Assistant's side of a broker in memory: what is kept there."""

    def __init__(self) -> None:
        self.clock = ReplayClock(NOW_NS)
        self.kept: dict[str, bytes] = {}
        self.said: list[str] = []
        broker = MemoryBroker()
        ear = broker.connection()
        ear.subscribe("#", 1, self._hear)
        self.home = HomeAssistant(broker.connection(), self.clock)

    def _hear(self, topic: str, payload: bytes, _retained: bool) -> None:
        self.kept[topic] = payload
        self.said.append(topic)

    def say(self, *messages: Message, gateway: str = "gw1") -> None:
        for message in messages:
            kind = type_name(message)
            address = Address(prefix="mine", site="roadway", gateway=gateway, topic=kind)
            envelope = Envelope(type=kind, gateway=gateway, seq=1, sent_at_ns=NOW_NS, body=message)
            self.home.hear(address, envelope)

    def state(self) -> dict[str, Any]:
        self.home.tick()
        state: dict[str, Any] = json.loads(self.kept[STATE])
        return state

    def available(self) -> bytes:
        self.home.tick()
        return self.kept[AVAILABILITY]


@pytest.fixture
def house() -> House:
    return House()


def seeing(*states: str) -> GatewayHealth:
    cameras = tuple(
        CameraHealth(name=f"c{i}", state=state, fps=15.0, last_frame_at_ns=1)  # type: ignore[arg-type]
        for i, state in enumerate(states)
    )
    return GatewayHealth(
        captured_at_ns=NOW_NS,
        cameras=cameras,
        panorama_fps=10.0,
        detection_fps=4.0,
        detection_age_s=0.2,
        detection_provider="x",
    )


def test_alarms_switch_their_sensors_on_and_off(house: House) -> None:
    house.say(seeing("ok"))
    warning = alarm("slow", at_ns=1, kind="immobile", severity="warning")
    for said, critical, any_alarm in (
        (None, "OFF", "OFF"),
        (warning, "OFF", "ON"),
        (alarm("down", at_ns=2), "ON", "ON"),
        (alarm("down", at_ns=3, state="cleared"), "OFF", "ON"),
        (alarm("slow", at_ns=4, state="cleared"), "OFF", "OFF"),
    ):
        if isinstance(said, Anomaly):
            house.say(said)
        state = house.state()
        assert (state["critical"], state["alarm"]) == (critical, any_alarm)
    house.say(warning)
    [told] = house.state()["more"]["alarms"]
    assert (told["kind"], told["name"], told["zone"]) == ("immobile", "Not moving", "conveyor")


def test_who_can_not_see_counts_nobody(house: House) -> None:
    people = people_at(0, NOW_NS)
    house.say(seeing("ok", "ok"), people)
    state = house.state()
    assert (state["people"], state["cannot_see"], state["more"]["at_least"]) == (2, "OFF", False)
    house.say(seeing("ok", "obscured"))
    state = house.state()
    assert (state["people"], state["cannot_see"], state["more"]["at_least"]) == (2, "ON", True)
    house.say(seeing("dark", "lost"))
    state = house.state()
    assert (state["people"], state["cannot_see"]) == (None, "ON"), "not 0"
    house.say(seeing("ok", "ok"))
    house.clock.sleep(SILENT_AFTER_S + 1)
    assert house.state()["people"] is None, "no positions come"


def test_a_silent_or_offline_gateway_is_unavailable(house: House) -> None:
    house.say(people_at(0, NOW_NS))
    assert house.available() == b"offline", "no heartbeat yet"
    house.say(health(NOW_NS))
    assert house.available() == b"online"
    house.clock.sleep(SILENT_AFTER_S + 0.1)
    assert house.available() == b"offline"
    house.say(health(NOW_NS))
    assert house.available() == b"online"
    house.say(GatewayState(online=False, since_ns=1))
    assert house.available() == b"offline"


def test_states_are_said_at_changes_and_before_they_expire(house: House) -> None:
    house.say(health(NOW_NS))
    house.home.tick()
    house.home.tick()
    assert house.said.count(STATE) == 1
    for _ in range(EXPIRE_S * 2):
        house.clock.sleep(0.5)
        house.say(health(NOW_NS))
        house.home.tick()
    assert house.said.count(STATE) in (3, 4)
    assert house.said.count(CONFIG) == 1


def test_names_that_would_break_a_topic_are_left_out(house: House) -> None:
    house.say(health(NOW_NS), gateway="gw/+1")
    house.say(health(NOW_NS), gateway="")
    house.home.tick()
    assert [topic for topic in house.kept if topic != STATUS] == []


class Keeper:
    """Asks a real broker what it keeps."""

    def __init__(self, url: str) -> None:
        self._port = int(url.rsplit(":", 1)[1])

    def kept(self) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="keeper")
        client.on_message = lambda _c, _u, said: found.__setitem__(said.topic, bytes(said.payload))
        client.connect("127.0.0.1", self._port)
        client.loop_start()
        client.subscribe([("homeassistant/#", 1), ("lamproom/#", 1), ("other/#", 1), ("end", 1)])
        client.publish("end", b"x", qos=1)  # what was kept has come before this comes back
        wait_until(lambda: "end" in found)
        client.disconnect()
        client.loop_stop()
        del found["end"]
        return found


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    if MOSQUITTO is None:
        pytest.skip(NO_MOSQUITTO)
    (tmp_path / "broker").mkdir()
    with mosquitto(tmp_path / "broker") as started:
        yield started


def test_a_real_broker_keeps_it_until_it_is_switched_off(broker: Mosquitto, tmp_path: Path) -> None:
    config, file, keeper = (
        BrokerConfig(url=broker.url),
        tmp_path / "journal.sqlite",
        Keeper(broker.url),
    )
    with BrokerGateway(broker.url, tmp_path / "state") as gateway:
        with open_room(config, file, SystemClock(), home_prefix="homeassistant"):
            gateway.publisher.alarm(alarm(at_ns=time.time_ns()))
            wait_until(lambda: b'"critical": "ON"' in keeper.kept().get(STATE, b""))
            wait_until(lambda: keeper.kept().get(AVAILABILITY) == b"online")
            kept = keeper.kept()
            assert json.loads(kept[CONFIG]) == discovery(("roadway", "gw1"), "lamproom test")
            assert kept[STATUS] == b"online"
            named = {
                topic
                for one in json.loads(kept[CONFIG])["components"].values()
                for topic in (
                    one["state_topic"],
                    *(entry["topic"] for entry in one["availability"]),
                )
            }
            assert named == {STATE, AVAILABILITY, STATUS}, "and all of them are said"
        assert keeper.kept()[STATUS] == b"offline"
        with open_room(config, file, SystemClock(), home_prefix="other"):
            wait_until(lambda: CONFIG.replace("homeassistant", "other") in keeper.kept())
            wait_until(lambda: CONFIG not in keeper.kept())
        with open_room(config, file, SystemClock()):
            wait_until(lambda: keeper.kept() == {})
        with open_room(config, file, SystemClock()):
            assert keeper.kept() == {}


def test_no_two_gateways_are_one_device() -> None:
    places = [("a_b", "c"), ("a", "b_c"), ("a", "b__c"), ("a__b", "c"), ("a_", "b"), ("a", "b-")]
    assert len({config_topic(place, "x") for place in places}) == len(places)
    ids = {tuple(discovery(place, "")["device"]["identifiers"]) for place in places}
    assert len(ids) == len(places)


def test_a_disk_that_takes_nothing_darkens_no_lamp(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("control_room.home_assistant.LOOK_S", 0.01)
    memory, broker, kept = tmp_path / "file" / "memory", MemoryBroker(), dict[str, bytes]()
    memory.parent.write_text("no folder")
    broker.connection().subscribe("#", 1, lambda topic, payload, _: kept.update({topic: payload}))
    body = health(NOW_NS)
    address = Address(prefix="mine", site="roadway", gateway="gw1", topic="health")
    said = Envelope(type="health", gateway="gw1", seq=1, sent_at_ns=NOW_NS, body=body)
    told = home_assistant(broker.connection(), SystemClock(), prefix="homeassistant", memory=memory)
    with told as also:
        also(lambda *_: None)(address, said)
        wait_until(lambda: kept.get(AVAILABILITY) == b"online")
        memory.parent.unlink()
        wait_until(memory.exists)
        wait_until(lambda: CONFIG in memory.read_text())
    assert capfd.readouterr().err.count("can't be written") == 1
    # It can't be taken away again either: who connects must not fail for it.
    memory.unlink()
    memory.mkdir()
    (memory / "x").touch()
    _take_back(broker.connection(), [CONFIG], memory)
    assert kept[CONFIG] == b""
