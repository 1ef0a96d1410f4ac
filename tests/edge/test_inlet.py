"""What a gateway hears over MQTT: its site's systems, its own orders, nothing else."""

from pathlib import Path

import pytest

from delivery.memory import MemoryBroker, MemoryConnection
from delivery.voice import Voice
from edge.inlet import MOST_KEPT, Inlet
from scene.clock import SystemClock
from scene.messages import GatewayState, Order, TagFix, Tags
from scene.site import SigningConfig
from scene.topics import topic_name
from scene.wire import Message, encode
from tests.delivery import parts
from tests.delivery.keys import Keys

ORDER = Order(alarm="man_down-1", action="end", by="Li", reason="carried out", ordered_at_ns=5)


@pytest.fixture(name="ends")
def _ends(tmp_path: Path) -> tuple[Inlet, MemoryConnection]:
    broker = MemoryBroker()
    return Inlet(parts.site(tmp_path), broker.connection()), broker.connection()


def say(link: MemoryConnection, topic: str, message: Message) -> None:
    link.publish(topic, encode(message, gateway="x", seq=1, sent_at_ns=1), qos=0, retain=False)


def tags(at_ns: int) -> Tags:
    fix = TagFix(tag="t1", xy_m=(1.0, 2.0), sigma_m=0.3, at_ns=at_ns)
    return Tags(captured_at_ns=at_ns, fixes=(fix,))


def test_hears_tags_of_its_site_and_its_own_orders(ends: tuple[Inlet, MemoryConnection]) -> None:
    inlet, link = ends
    say(link, topic_name("tags", site="roadway", gateway=""), tags(1))
    say(link, topic_name("tags", site="another", gateway=""), tags(2))
    say(link, topic_name("order", site="roadway", gateway="gw1", id=ORDER.alarm), ORDER)
    say(link, topic_name("order", site="roadway", gateway="gw2", id=ORDER.alarm), ORDER)
    assert inlet.take() == (tags(1), ORDER)
    assert inlet.take() == ()


def test_what_cannot_be_read_is_left_out_and_told_once_for_each_reason(tmp_path: Path) -> None:
    broker, told = MemoryBroker(), list[str]()
    inlet, link = Inlet(parts.site(tmp_path), broker.connection(), told.append), broker.connection()
    topic = topic_name("tags", site="roadway", gateway="")
    link.publish(topic, b"{", qos=0, retain=False)
    link.publish(topic, b"{", qos=0, retain=False)
    say(link, topic, GatewayState(online=True, since_ns=1))
    say(link, topic_name("order", site="roadway", gateway="gw1", id="other\x1b"), ORDER)
    assert inlet.take() == ()
    assert [text.split(": ")[0] for text in told] == [
        topic,
        topic,
        "mine/roadway/gw/gw1/order/other?",
    ]
    assert "man_down-1" in told[-1]


def test_keeps_the_newest_when_nobody_takes(ends: tuple[Inlet, MemoryConnection]) -> None:
    inlet, link = ends
    for at_ns in range(MOST_KEPT + 5):
        say(link, topic_name("tags", site="roadway", gateway=""), tags(at_ns))
    taken = inlet.take()
    assert len(taken) == MOST_KEPT
    assert taken[-1] == tags(MOST_KEPT + 4)


def test_an_order_must_be_the_control_rooms_own(tmp_path: Path) -> None:
    keys, told = Keys(tmp_path), list[str]()
    room = Voice(SystemClock(), run=1, signer=keys.add("control_room"))
    signing = SigningConfig(trusted=(keys.trusted,), required=True)
    site = parts.site(tmp_path).model_copy(update={"signing": signing})
    broker = MemoryBroker()
    inlet, link = Inlet(site, broker.connection(), told.append), broker.connection()
    topic = topic_name("order", site="roadway", gateway="gw1", id=ORDER.alarm)
    say(link, topic, ORDER)
    assert inlet.take() == ()
    assert "a message was refused: it is not signed" in told[0]
    _, honest = room.write(topic, ORDER, gateway="gw1")
    for _ in range(2):  # a broker may deliver twice
        link.publish(topic, honest, qos=1, retain=False)
    assert inlet.take() == (ORDER,)
    say(link, topic_name("tags", site="roadway", gateway=""), tags(1))
    assert inlet.take() == (tags(1),), "the mine's own systems need not sign"
    again = Inlet(site, broker.connection(), told.append)
    _, next_one = room.write(topic, ORDER, gateway="gw1")
    link.publish(topic, next_one, qos=1, retain=False)
    link.publish(topic, honest, qos=1, retain=False)
    assert again.take() == (ORDER,)
