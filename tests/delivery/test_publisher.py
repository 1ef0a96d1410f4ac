import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from delivery.broker import EmbeddedBroker
from delivery.link import Link
from delivery.memory import MemoryBroker
from delivery.mqtt import Connection
from delivery.outbox import Outbox, OutboxError
from delivery.publisher import RESEND_S, Publisher
from delivery.subscriber import Subscriber
from scene.clock import SystemClock
from scene.errors import WireError
from scene.messages import (
    Anomaly,
    GatewayHealth,
    GatewayState,
    Receipt,
    SiteDescription,
    Stored,
)
from scene.site import BrokerConfig
from scene.topics import Address, topic_name
from scene.wire import Envelope, encode
from tests.delivery.parts import HANG_S, alarm, free_port, people, site, wait_until

CLOCK = SystemClock()
ALARM_TOPIC = "mine/roadway/gw/gw1/alarm/man_down-1"


class ControlRoom:
    """Journals alarms by (gateway, id, state) and receipts them, unless it is told not to."""

    def __init__(self, link: Link, *, receipts: bool = True) -> None:
        self.link = link
        self.receipts = receipts
        self.journal: Counter[tuple[str, str, str]] = Counter()
        self.heard: list[tuple[Address, Envelope]] = []
        self.bad: list[tuple[str, WireError]] = []
        self.subscriber = Subscriber(
            link, on_message=self.hear, on_bad=lambda *what: self.bad.append(what)
        )

    def hear(self, address: Address, envelope: Envelope) -> None:
        self.heard.append((address, envelope))
        if not isinstance(envelope.body, Anomaly):
            return
        self.journal[(envelope.gateway, envelope.body.id, envelope.body.state)] += 1
        if self.receipts:
            receipt = Receipt(
                alarm=envelope.body.id, state=envelope.body.state, stored_at_ns=CLOCK.now_ns()
            )
            topic = topic_name("receipt", site="roadway", gateway="gw1", id=receipt.alarm)
            payload = encode(receipt, gateway="gw1", seq=1, sent_at_ns=CLOCK.now_ns())
            self.link.publish(topic, payload, qos=1, retain=False)

    def topics(self) -> list[str]:
        return [address.topic for address, _ in self.heard]


@contextmanager
def publisher(folder: Path, link: Link) -> Iterator[tuple[Publisher, Outbox]]:
    box = Outbox(folder / "state", CLOCK)
    made = Publisher(site(folder), link, box, CLOCK)
    try:
        yield made, box
    finally:
        made.going_offline()
        box.close()


def description() -> SiteDescription:
    return SiteDescription(
        site="roadway",
        gateway="gw1",
        software="0",
        geometry="g",
        panorama_size_px=(640, 160),
        centre_line_m=((0, 0, 0), (40, 0, 0)),
        left_m=2,
        right_m=2,
        zones=(),
        cameras=(),
        stream_url="ws://127.0.0.1:1/panorama",
    )


def health() -> GatewayHealth:
    return GatewayHealth(
        captured_at_ns=1,
        cameras=(),
        panorama_fps=10,
        detection_fps=5,
        detection_age_s=None,
        detection_provider="CPU",
    )


def test_everything_is_said_on_its_topic_and_decodes(tmp_path: Path) -> None:
    broker = MemoryBroker()
    room = ControlRoom(broker.connection())
    with publisher(tmp_path, broker.connection()) as (made, box):
        made.announce(description())
        made.positions(people())
        made.health(health())
        made.alarm(alarm())
        wait_until(lambda: not box.pending())
    assert room.topics()[:5] == ["state", "site", "positions", "health", "alarm"]
    assert room.heard[2][1].body == people()
    assert room.bad == []
    assert isinstance(room.heard[-1][1].body, GatewayState)
    assert not room.heard[-1][1].body.online


def test_a_late_viewer_hears_state_site_and_active_alarms_and_nothing_that_is_over(
    tmp_path: Path,
) -> None:
    broker = MemoryBroker()
    ControlRoom(broker.connection())
    with publisher(tmp_path, broker.connection()) as (made, box):
        made.announce(description())
        made.alarm(alarm())
        wait_until(lambda: not box.pending())
        late = ControlRoom(broker.connection(), receipts=False)
        assert sorted(late.topics()) == ["alarm", "site", "state"]
        made.alarm(alarm(state="cleared", at_ns=2000))
        wait_until(lambda: ALARM_TOPIC not in broker.retained)
        later = ControlRoom(broker.connection(), receipts=False)
        assert sorted(later.topics()) == ["site", "state"]
        assert later.bad == []


def test_an_alarm_is_kept_by_the_broker_until_its_clearing_is_receipted(tmp_path: Path) -> None:
    broker = MemoryBroker()
    deaf = ControlRoom(broker.connection(), receipts=False)
    with publisher(tmp_path, broker.connection()) as (made, box):
        made.alarm(alarm())
        made.alarm(alarm(state="cleared", at_ns=2000))
        wait_until(lambda: len(deaf.journal) == 2)
        assert ALARM_TOPIC in broker.retained
        assert len(box.pending()) == 2


def test_an_alarm_is_said_again_and_again_until_it_is_receipted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("delivery.publisher.RESEND_S", RESEND_S / 20)
    broker = MemoryBroker()
    room = ControlRoom(broker.connection(), receipts=False)
    with publisher(tmp_path, broker.connection()) as (made, box):
        made.alarm(alarm())
        wait_until(lambda: room.journal[("gw1", "man_down-1", "active")] >= 4)
        room.receipts = True
        wait_until(lambda: not box.pending())
        said = sum(room.journal.values())
        threading.Event().wait(RESEND_S / 5)
        assert sum(room.journal.values()) <= said + 1


def test_alarms_raised_offline_and_by_an_earlier_run_arrive_newest_first(tmp_path: Path) -> None:
    earlier = Outbox(tmp_path / "state", CLOCK)
    for i in range(20):
        earlier.put(alarm(f"old-{i}"))
    earlier.close()
    broker = MemoryBroker()
    broker.online = False
    room = ControlRoom(broker.connection())
    with publisher(tmp_path, broker.connection()) as (made, box):
        made.alarm(alarm("new"))
        made.positions(people())
        assert room.heard == []
        broker.online = True
        wait_until(lambda: not box.pending())
    alarms = [one.body.id for _, one in room.heard if isinstance(one.body, Anomaly)]
    assert set(alarms) == {"new", *(f"old-{i}" for i in range(20))}
    assert "positions" not in room.topics()


def test_what_has_waited_goes_out_with_the_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not when the outbox is looked through next."""
    monkeypatch.setattr("delivery.publisher.RESEND_S", 100 * HANG_S)
    with EmbeddedBroker() as broker:
        theirs = Connection(BrokerConfig(url=broker.url), "room", log=lambda _: None)
        room = ControlRoom(theirs)
        theirs.connect(HANG_S, wait=True)
        ours = Connection(BrokerConfig(url=broker.url), "gw1", log=lambda _: None)
        with publisher(tmp_path, ours) as (_, box):
            box.put(alarm())
            ours.connect()
            wait_until(lambda: not box.pending())
        assert len(room.journal) == 1
        for link in (ours, theirs):
            link.close()


def test_an_alarm_put_by_another_process_is_found(tmp_path: Path) -> None:
    broker = MemoryBroker()
    room = ControlRoom(broker.connection())
    with publisher(tmp_path, broker.connection()) as (_, box):
        pipeline = Outbox(tmp_path / "state", CLOCK)
        pipeline.put(alarm())
        wait_until(lambda: not box.pending())
        pipeline.close()
    assert len(room.journal) == 1


def test_when_the_disk_refuses_the_alarm_goes_out_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = MemoryBroker()
    room = ControlRoom(broker.connection())
    with publisher(tmp_path, broker.connection()) as (made, box):

        def refuse(*_: object) -> None:
            raise OutboxError("disk full; free space")

        with monkeypatch.context() as patch:
            patch.setattr(box, "put", refuse)
            made.alarm(alarm())
            wait_until(lambda: bool(room.journal))
            assert "free space" in made.trouble


def test_half_a_character_in_an_alarm_keeps_it_from_nobody(tmp_path: Path) -> None:
    broker = MemoryBroker()
    room = ControlRoom(broker.connection())
    with publisher(tmp_path, broker.connection()) as (made, box):
        made.alarm(replace(alarm(), evidence="room \udc80", zone="巷\udcff"))
        wait_until(lambda: not box.pending())
        assert made.trouble == ""
    bodies = [envelope.body for _, envelope in room.heard]
    body = next(one for one in bodies if isinstance(one, Anomaly))
    assert (body.evidence, body.zone) == ("room ?", "巷?")


def test_numbers_show_what_was_missed(tmp_path: Path) -> None:
    broker = MemoryBroker()
    link = broker.connection()
    room = ControlRoom(link)
    with publisher(tmp_path, broker.connection()) as (made, _):
        made.positions(people())
        broker.online = False
        for _i in range(3):
            made.positions(people())
        broker.online = True
        made.positions(people())
    assert room.subscriber.missed == {("roadway", "gw1", "positions"): 3}
    with publisher(tmp_path, broker.connection()) as (made, _):  # counts from 1 again
        made.positions(people())
    assert room.subscriber.missed == {("roadway", "gw1", "positions"): 3}


@pytest.mark.parametrize(
    ("topic", "payload", "said"),
    [
        ("mine/roadway/gw/gw1/positions", b"{", "JSON"),
        ("mine/roadway/gw/gw1/health", b"[]", "no object"),
        (
            "mine/roadway/gw/gw1/health",
            encode(people(), gateway="gw1", seq=1, sent_at_ns=1),
            "does not belong",
        ),
        (
            "mine/roadway/gw/gw2/positions",
            encode(people(), gateway="gw1", seq=1, sent_at_ns=1),
            "another",
        ),
    ],
)
def test_what_is_not_understood_goes_to_on_bad(topic: str, payload: bytes, said: str) -> None:
    broker = MemoryBroker()
    room = ControlRoom(broker.connection())
    broker.connection().publish(topic, payload, qos=1, retain=False)
    assert room.heard == []
    ((bad_topic, error),) = room.bad
    assert bad_topic == topic
    assert said in str(error)


def test_an_empty_message_says_nothing() -> None:
    broker = MemoryBroker()
    room = ControlRoom(broker.connection())
    broker.connection().publish(ALARM_TOPIC, b"", qos=1, retain=True)
    assert room.heard == []
    assert room.bad == []


def test_a_forged_receipt_for_another_alarm_is_not_believed(tmp_path: Path) -> None:
    broker = MemoryBroker()
    with publisher(tmp_path, broker.connection()) as (made, box):
        made.alarm(alarm())
        receipt = Receipt(alarm="man_down-1", state="active", stored_at_ns=1)
        payload = encode(receipt, gateway="gw1", seq=1, sent_at_ns=1)
        wrong = topic_name("receipt", site="roadway", gateway="gw1", id="man_down-2")
        broker.connection().publish(wrong, payload, qos=1, retain=False)
        broker.connection().publish(wrong, b"junk", qos=1, retain=False)
        assert len(box.pending()) == 1


def test_a_flood_of_alarms_that_nobody_receipts_is_not_remembered_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("delivery.publisher.MAX_SENT", 20)
    monkeypatch.setattr("delivery.publisher.RESEND_S", RESEND_S / 20)
    broker = MemoryBroker()
    room = ControlRoom(broker.connection(), receipts=False)
    with publisher(tmp_path, broker.connection()) as (made, box):
        for number in range(60):
            made.alarm(alarm(f"man_down-{number}"))
        assert len(made._sent) == 20
        assert len(room.journal) == 60
        room.receipts = True
        wait_until(lambda: not box.pending())
    assert room.bad == []


def test_a_flood_of_receipts_drops_the_oldest_and_their_alarms_are_sent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("delivery.publisher.MAX_RECEIPTS", 20)
    monkeypatch.setattr("delivery.publisher.RESEND_S", RESEND_S / 20)
    broker = MemoryBroker()
    room = ControlRoom(broker.connection(), receipts=False)
    with publisher(tmp_path, broker.connection()) as (made, box):
        made.alarm(alarm("man_down-1"))
        made.alarm(alarm("man_down-2"))
        others = [
            Stored(alarm=f"other-{number}", state="active", captured_at_ns=1000)
            for number in range(30)
        ]
        flood = Receipt(
            alarm="man_down-1",
            state="active",
            stored_at_ns=CLOCK.now_ns(),
            also=(*others, Stored(alarm="man_down-2", state="active", captured_at_ns=1000)),
        )
        topic = topic_name("receipt", site="roadway", gateway="gw1", id="man_down-1")
        payload = encode(flood, gateway="gw1", seq=1, sent_at_ns=CLOCK.now_ns())
        room.link.publish(topic, payload, qos=1, retain=False)
        wait_until(lambda: len(box.pending()) == 1)
        assert [one.id for one in box.pending()] == ["man_down-1"], "the oldest was dropped"
        room.receipts = True
        wait_until(lambda: not box.pending())
    assert room.journal["gw1", "man_down-1", "active"] >= 2
    assert room.bad == []


def test_a_broker_killed_and_started_again_loses_no_alarm(tmp_path: Path) -> None:
    port = free_port()
    config = BrokerConfig(url=f"mqtt://127.0.0.1:{port}")
    links = [Connection(config, name, log=lambda _text: None) for name in ("room", "gw1")]
    room = ControlRoom(links[0])
    raised = 0
    with publisher(tmp_path, links[1]) as (made, box):
        made.announce(description())
        for link in links:
            link.connect()
        for _ in range(3):
            with EmbeddedBroker(port=port):
                wait_until(lambda: all(link.connected for link in links))
                for _i in range(10):
                    made.alarm(alarm(f"a-{raised}"))
                    made.positions(people())
                    raised += 1
                    # The broker is killed while alarms are under way.
        with EmbeddedBroker(port=port):
            wait_until(lambda: len(room.journal) == raised)
            wait_until(lambda: not box.pending())
            late = Connection(config, "late", log=lambda _text: None)
            later = ControlRoom(late, receipts=False)
            late.connect(HANG_S, wait=True)
            wait_until(lambda: len(later.journal) == raised)  # still active: kept again
            late.close()
        for link in links:
            link.close()
    assert set(room.journal) == {("gw1", f"a-{i}", "active") for i in range(raised)}
    assert room.bad == []
    sent = [one for address, one in room.heard if address.topic == "alarm"]
    assert len({(one.gateway, one.type, one.seq) for one in sent}) == len(sent)


def test_once_goodbye_is_said_alarms_go_on_and_heartbeats_do_not(tmp_path: Path) -> None:
    """A heartbeat after it would say that all is well, and its end be a silence that nobody meant.

    A broker that comes later hears the goodbye, too.
    """
    broker = MemoryBroker()
    room, link = ControlRoom(broker.connection()), broker.connection()
    with publisher(tmp_path, link) as (made, _):
        made.health(health())
        made.leaving()
        made.leaving()
        made.health(health())
        made.alarm(alarm())
        broker.online = False
        broker.online = True
        wait_until(lambda: bool(room.journal))
        states = [one.body.online for _, one in room.heard if isinstance(one.body, GatewayState)]
        assert states[:2] == [True, False]
        assert not any(states[1:])
        assert sum(isinstance(one.body, GatewayHealth) for _, one in room.heard) == 1
