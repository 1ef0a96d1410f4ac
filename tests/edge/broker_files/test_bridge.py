"""A broker on the gateway and one on the surface, with the configuration that is shipped."""

import shutil
from contextlib import ExitStack
from pathlib import Path

import pytest

from delivery.link import OnMessage
from delivery.mqtt import Connection
from scene.topics import TOPICS, topic_filter, topic_name
from tests.control_room.bridged import Line
from tests.delivery.nats_cluster import NATS, NO_NATS, cluster
from tests.delivery.parts import HANG_S, MOSQUITTO, NO_MOSQUITTO, free_port, wait_until
from tests.edge.mine_certificates import SITE, Mine, make_broker, make_mine, running

pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason=NO_MOSQUITTO)


def alarm(number: int) -> str:
    return topic_name("alarm", site=SITE, gateway="gw1", id=f"a{number}")


def ear(mine: Mine, place: str, port: int) -> tuple[Connection, list[str]]:
    heard: list[str] = []
    made = mine.connection(place, port=port)
    made.subscribe("#", 1, lambda topic, _payload, _kept: heard.append(topic))
    made.connect(HANG_S, wait=True)
    return made, heard


def say(made: Connection, topic: str, *, retain: bool = False) -> None:
    taken: list[bool] = []
    assert made.publish(
        topic, b"x", qos=1, retain=retain, on_result=lambda ok, _why: taken.append(ok)
    )
    wait_until(lambda: bool(taken))
    assert taken == [True], topic


def test_with_the_uplink_cut_alarms_are_heard_underground_and_later_above(tmp_path: Path) -> None:
    mine, local_port = make_mine(tmp_path), free_port()
    make_broker(mine.workshop, local_port, "gw1", f"localhost:{mine.port}")
    surface, local = mine.folder / "broker", mine.folder / "gateways" / "gw1" / "broker"
    order = topic_name("order", site=SITE, gateway="gw1", id="a1")
    with running(local, local_port):
        gateway, at_gateway = ear(mine, "gateways/gw1", local_port)
        siren, at_siren = ear(mine, "subscribers/siren", local_port)
        room = None
        try:
            # Cut from the start: the surface has never been there.
            say(gateway, alarm(0), retain=True)
            wait_until(lambda: at_siren == [alarm(0)])
            with running(surface, mine.port):
                room, at_room = ear(mine, "control_room", mine.port)
                wait_until(lambda: alarm(0) in at_room)
                say(gateway, alarm(1))
                wait_until(lambda: alarm(1) in at_room)
                say(room, order)
                wait_until(lambda: order in at_gateway)
            # Killed with the block.
            for number in range(2, 50):  # kept while active: the room may be there after the bridge
                say(gateway, alarm(number), retain=True)
            wait_until(lambda: alarm(49) in at_siren)
            with running(surface, mine.port):
                wait_until(lambda: {alarm(i) for i in range(50)} <= set(at_room))
            assert order not in at_siren
        finally:
            for one in (gateway, siren, room):
                if one is not None:
                    one.close()


@pytest.mark.skipif(not NATS, reason=NO_NATS)
def test_the_bridge_to_a_nats_cluster_carries_all_and_loses_nothing_over_a_cut(
    tmp_path: Path,
) -> None:
    mine, local_port, nobody = make_mine(tmp_path), free_port(), free_port()
    with cluster(mine, 1) as nodes:
        line = Line(nodes.settings[0].port)
        surface = f"localhost:{nobody},localhost:{line.port}"  # the first one is away
        make_broker(mine.workshop, local_port, "gw1", surface, to_nats=True)
        nodes.reload(0)  # it must know the bridge's certificate before that comes
        places = {"control_room": "control_room", "tags": "systems/tags"}
        places["machines"] = "systems/machines"
        with (
            running(mine.folder / "gateways" / "gw1" / "broker", local_port),
            ExitStack() as closing,
        ):
            closing.callback(line.close)
            gateway, at_gateway = ear(mine, "gateways/gw1", local_port)
            closing.callback(gateway.close)
            at_room, above = list[str](), dict[str, Connection]()
            for who, place in places.items():
                above[who] = Connection(nodes.client(place), who, log=lambda _text: None)
                closing.callback(above[who].close)
            for topic in TOPICS:
                above["control_room"].subscribe(topic_filter(topic), 1, note(at_room))
            for one in above.values():
                one.connect(HANG_S, wait=True)
            wait_until(lambda: _bridged(above["tags"], at_gateway))
            for topic, row in TOPICS.items():
                name = topic_name(topic, site=SITE, gateway="gw1", id="a1")
                if row.sender == "gateway":
                    say(gateway, name)
                    wait_until(lambda name=name: name in at_room)  # type: ignore[misc]
                else:
                    say(above[topic if row.sender == "mine" else "control_room"], name)
                    wait_until(lambda name=name: name in at_gateway)  # type: ignore[misc]
            line.cut()
            for number in range(2, 50):
                say(gateway, alarm(number))
            assert alarm(49) not in at_room
            line.mend()
            wait_until(lambda: {alarm(number) for number in range(2, 50)} <= set(at_room))
            assert sum(name == alarm(1) for name in at_room) == 1, "it goes round in circles"


def note(heard: list[str]) -> OnMessage:
    return lambda topic, _payload, _kept: heard.append(topic)


def test_the_bridge_carries_each_topic_one_way(tmp_path: Path) -> None:
    mine, local_port = make_mine(tmp_path), free_port()
    make_broker(mine.workshop, local_port, "gw1", f"localhost:{mine.port}")
    local = mine.folder / "gateways" / "gw1" / "broker"
    with running(mine.folder / "broker", mine.port), running(local, local_port):
        gateway, at_gateway = ear(mine, "gateways/gw1", local_port)
        others = {
            "control_room": ear(mine, "control_room", mine.port),
            "tags": ear(mine, "systems/tags", mine.port),
            "machines": ear(mine, "systems/machines", mine.port),
        }
        try:
            at_room = others["control_room"][1]
            wait_until(lambda: _bridged(others["tags"][0], at_gateway))
            for topic, row in TOPICS.items():
                name = topic_name(topic, site=SITE, gateway="gw1", id="a1")
                if row.sender == "gateway":
                    say(gateway, name)
                    wait_until(lambda name=name: name in at_room)  # type: ignore[misc]
                else:
                    who = topic if row.sender == "mine" else "control_room"
                    say(others[who][0], name)
                    wait_until(lambda name=name: name in at_gateway)  # type: ignore[misc]
            # Nothing goes round in circles.
            assert sum(name.endswith("/alarm/a1") for name in at_room) == 1
            elsewhere = topic_name("order", site=SITE, gateway="gw-2", id="a1")
            say(others["control_room"][0], elsewhere)
            say(others["control_room"][0], topic_name("order", site=SITE, gateway="gw1", id="z"))
            wait_until(lambda: any(name.endswith("/order/z") for name in at_gateway))
            assert elsewhere not in at_gateway
        finally:
            for one in (gateway, *(made for made, _ in others.values())):
                one.close()


def _bridged(tags: Connection, at_gateway: list[str]) -> bool:
    """Say something until it has come over: the bridge is up then."""
    say(tags, topic_name("tags", site=SITE, gateway=""))
    return bool(at_gateway)


def test_a_bridge_with_a_foreign_certificate_is_refused_and_carries_nothing(tmp_path: Path) -> None:
    mine, local_port = make_mine(tmp_path), free_port()
    make_broker(mine.workshop, local_port, "gw1", f"localhost:{mine.port}")
    local = mine.folder / "gateways" / "gw1" / "broker"
    other = make_mine(tmp_path / "other").folder / "gateways" / "gw1"
    for end in ("key", "pem"):
        shutil.copy(other / f"client.{end}", local / f"bridge.{end}")
    with (
        running(mine.folder / "broker", mine.port) as surface,
        running(local, local_port),
    ):
        wait_until(lambda: surface.log().count("certificate verify failed") >= 2)
        gateway, _ = ear(mine, "gateways/gw1", local_port)
        room, at_room = ear(mine, "control_room", mine.port)
        try:
            say(gateway, alarm(1))
            assert at_room == []
        finally:
            gateway.close()
            room.close()
