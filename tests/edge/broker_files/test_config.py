from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from delivery.mqtt import Connection
from delivery.tls import tls_context
from edge.broker_files.config import BrokerSettings, write_config
from edge.broker_files.nats import NodeSettings
from scene.errors import CertificateError
from scene.topics import topic_name
from tests.delivery.parts import MOSQUITTO, NO_MOSQUITTO, wait_until
from tests.edge.mine_certificates import DAYS, SITE, Mine, make_mine, running

needs_mosquitto = pytest.mark.skipif(MOSQUITTO is None, reason=NO_MOSQUITTO)
MB = 1_000_000


@pytest.mark.parametrize("template", ["site.conf", "gateway.conf"])
def test_nothing_is_left_open_in_what_is_written(tmp_path: Path, template: str) -> None:
    gateway = "gw1" if template == "gateway.conf" else None
    write_config(tmp_path, SITE, BrokerSettings(gateway=gateway, surface="broker.mine"))
    lines = (tmp_path / "mosquitto.conf").read_text().splitlines()
    said = dict(
        line.split(" ", 1) for line in lines if line and not line.startswith(("#", "topic"))
    )
    assert said["listener"] == "8883"
    assert said["allow_anonymous"] == "false"
    assert said["require_certificate"] == "true"
    assert said["use_identity_as_username"] == "true"
    assert said["acl_file"] == "/etc/mosquitto/lamproom/acl"
    assert said["crlfile"] == "/etc/mosquitto/lamproom/crl.pem"
    for limit in ("max_queued_messages", "max_connections", "max_packet_size"):
        assert int(said[limit]) > 0, f"{limit}: 0 means no limit"
    assert not any("@" in line for line in lines)
    if gateway:
        assert said["address"] == "broker.mine:8883"
        assert said["bridge_insecure"] == "false"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (BrokerSettings(folder=Path("here")), "whole path"),
        (BrokerSettings(state=Path("/a b")), "without spaces"),
        (BrokerSettings(gateway="gw1", surface="mqtts://broker"), "host or host:port"),
        (BrokerSettings(gateway="gw1", surface="broker:99999"), "host or host:port"),
        (BrokerSettings(gateway="gw1", surface="a:8883,,b"), "of a cluster all nodes"),
        (BrokerSettings(gateway="gw1", surface="broker\nallow_anonymous true"), "host:port"),
    ],
)
def test_what_mosquitto_cannot_take_is_refused(
    tmp_path: Path, settings: BrokerSettings, said: str
) -> None:
    with pytest.raises(CertificateError, match=said):
        write_config(tmp_path, SITE, settings)


@pytest.fixture
def mine(tmp_path: Path) -> Mine:
    return make_mine(tmp_path)


def client(mine: Mine, protocol: MQTTProtocolVersion, **will: str) -> paho.Client:
    made = paho.Client(
        CallbackAPIVersion.VERSION2,
        client_id="raw",
        protocol=protocol,
        reconnect_on_failure=False,
    )
    made.tls_set_context(tls_context(mine.client("gateways/gw1")))
    if will:
        made.will_set(will["topic"], b"gone", qos=1)
    return made


@needs_mosquitto
@pytest.mark.parametrize("protocol", [MQTTProtocolVersion.MQTTv5, MQTTProtocolVersion.MQTTv311])
def test_a_message_that_is_too_large_harms_nobody_else(
    mine: Mine, protocol: MQTTProtocolVersion
) -> None:
    heard: list[int] = []
    with running(mine.folder / "broker", mine.port):
        room = mine.connection("control_room")
        room.subscribe("#", 1, lambda _topic, payload, _kept: heard.append(len(payload)))
        room.connect(60, wait=True)
        made, ended = client(mine, protocol), list[object]()
        made.on_disconnect = lambda *_: ended.append(1)
        made.connect("localhost", mine.port)
        made.loop_start()
        try:
            topic = topic_name("site", site=SITE, gateway="gw1")
            wait_until(made.is_connected)
            made.publish(topic, bytes(3 * MB), qos=1)
            wait_until(lambda: heard == [3 * MB])
            made.publish(topic, bytes(5 * MB), qos=1)
            wait_until(lambda: bool(ended))
            assert heard == [3 * MB]
            assert room.connected
        finally:
            made.loop_stop()
            room.close()


@needs_mosquitto
def test_a_last_will_on_somebody_elses_topic_is_not_said(mine: Mine) -> None:
    heard: list[str] = []
    own, foreign = (topic_name("state", site=SITE, gateway=name) for name in ("gw1", "gw-2"))
    with running(mine.folder / "broker", mine.port):
        room = mine.connection("control_room")
        room.subscribe("#", 1, lambda topic, _payload, _kept: heard.append(topic))
        room.connect(60, wait=True)
        try:
            for topic in (foreign, own):
                made, answers = (
                    client(mine, MQTTProtocolVersion.MQTTv5, topic=topic),
                    list[object](),
                )
                made.on_connect = lambda *what, answers=answers: answers.append(what[3])
                made.connect("localhost", mine.port)
                made.loop_start()
                wait_until(lambda answers=answers: bool(answers))  # type: ignore[misc]
                raw = made.socket()
                if raw is not None:
                    raw.close()  # without a goodbye
                made.loop_stop()
            wait_until(lambda: own in heard)
            assert foreign not in heard
        finally:
            room.close()


@needs_mosquitto
def test_who_takes_over_a_bridges_session_hears_nothing_of_what_waits_there(mine: Mine) -> None:
    """Client names are no secret: a reader may connect under the bridge's."""
    order = topic_name("order", site=SITE, gateway="gw1", id="a1")

    def bridge(place: str, heard: list[str]) -> paho.Client:
        made = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id="gw1-bridge",
            protocol=MQTTProtocolVersion.MQTTv311,
            clean_session=False,
            reconnect_on_failure=False,
        )
        made.tls_set_context(tls_context(mine.client(place)))
        made.on_message = lambda _client, _data, message: heard.append(message.topic)
        made.connect("localhost", mine.port)
        made.loop_start()
        wait_until(made.is_connected)
        return made

    with running(mine.folder / "broker", mine.port):
        room = mine.connect("control_room")
        ready, stolen = list[object](), list[str]()
        first = bridge("gateways/gw1", [])
        first.on_subscribe = lambda *_: ready.append(1)
        first.subscribe("mine/#", qos=1)
        wait_until(lambda: bool(ready))
        first.disconnect()
        first.loop_stop()
        say(room, order)
        thief = bridge("subscribers/siren", stolen)
        answered: list[object] = []
        thief.on_subscribe = lambda *_: answered.append(1)
        thief.subscribe("mine/#", qos=1)
        wait_until(lambda: bool(answered))
        say(room, order)
        alarm = topic_name("alarm", site=SITE, gateway="gw1", id="a1")
        gateway = mine.connect("gateways/gw1")
        say(gateway, alarm)
        wait_until(lambda: alarm in stolen)  # what a reader may hear
        assert order not in stolen
        thief.disconnect()
        thief.loop_stop()
        for one in (room, gateway):
            one.close()


def say(made: Connection, topic: str) -> None:
    taken: list[bool] = []
    made.publish(topic, b"x", qos=1, retain=False, on_result=lambda ok, _why: taken.append(ok))
    wait_until(lambda: bool(taken))
    assert taken == [True]


def test_a_bridge_knows_the_nodes_of_the_sites_cluster(tmp_path: Path) -> None:
    workshop = make_mine(tmp_path).workshop

    def written(surface: str) -> str:
        settings = BrokerSettings(gateway="gw1", surface=surface)
        workshop.issue_broker(settings, ("localhost",), days=DAYS, replace=True)
        return (workshop.folder / "gateways/gw1/broker/mosquitto.conf").read_text()

    nodes = [NodeSettings(hosts=(host,)) for host in ("a.mine", "b.mine", "c.mine")]
    assert "bridge_protocol_version mqttv50" in written("a.mine,b.mine:8884")
    workshop.issue_nodes(nodes, days=DAYS, replace=False)
    text = written("a.mine,b.mine:8884,c.mine")
    assert "\naddress a.mine:8883 b.mine:8884 c.mine:8883\n" in text
    for line in ("bridge_protocol_version mqttv311", "try_private false", "cleansession true"):
        assert f"\n{line}\n" in text
    assert "\nlocal_cleansession false\n" in text
    assert "bridge_protocol_version mqttv50" in written("broker.mine")
