"""Gateway and control room over a real Mosquitto, where others may speak as well."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from control_room.main import open_room
from control_room.room import Room
from delivery.guard import Guard
from delivery.mqtt import Connection
from delivery.outbox import Outbox
from delivery.publisher import Publisher
from delivery.signing import Signer
from delivery.trust import Trust
from delivery.voice import Voice
from scene.clock import SystemClock
from scene.messages import Anomaly, GatewayHealth, Order, Receipt
from scene.site import BrokerConfig
from scene.topics import topic_name
from scene.wire import Message, encode, type_name
from tests.delivery.keys import Keys
from tests.delivery.parts import (
    HANG_S,
    MOSQUITTO,
    NO_MOSQUITTO,
    alarm,
    mosquitto,
    people,
    site,
    wait_until,
)

pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason=NO_MOSQUITTO)
CLOCK = SystemClock()
HEALTH = GatewayHealth(
    captured_at_ns=1,
    cameras=(),
    panorama_fps=10,
    detection_fps=5,
    detection_age_s=None,
    detection_provider="CPU",
)


class Mine:
    """A gateway and a control room on one broker, and somebody else on it."""

    def __init__(self, folder: Path, url: str, keys: Keys | None = None) -> None:
        self.folder, self.config = folder, BrokerConfig(url=url)
        self.signers: dict[str, Signer | None] = {"gateway": None, "room": None}
        self.trusted: Path | None = None
        if keys is not None:
            self.trusted = keys.trusted
            self.signers["gateway"] = keys.add("gateway", "roadway", "gw1")
            self.signers["room"] = keys.add("control_room")
        self.evil = Connection(self.config, "evil", log=lambda _text: None)
        self.overheard: list[tuple[str, bytes]] = []
        self.evil.subscribe("#", 0, lambda topic, payload, _: self.listen(topic, payload))
        self.evil.connect(HANG_S, wait=True)
        self.listening = True
        self.stop = threading.Event()
        self.threads: list[threading.Thread] = []

    def listen(self, topic: str, payload: bytes) -> None:
        if self.listening:
            self.overheard.append((topic, payload))

    def guard(self) -> Guard:
        return Guard() if self.trusted is None else Guard(Trust([self.trusted], CLOCK))

    @contextmanager
    def gateway(self) -> Iterator[tuple[Publisher, Outbox]]:
        link = Connection(self.config, "gw1", log=lambda _text: None)
        box = Outbox(self.folder / "state", CLOCK)
        made = Publisher(
            site(self.folder),
            link,
            box,
            CLOCK,
            voice=Voice(CLOCK, run=CLOCK.now_ns(), signer=self.signers["gateway"]),
            guard=self.guard(),
        )
        link.connect(HANG_S, wait=True)
        stop = threading.Event()
        self.go(lambda: made.health(HEALTH), 0.2, stop)
        try:
            yield made, box
        finally:
            stop.set()
            made.going_offline()
            link.close()
            box.close()

    @contextmanager
    def room(self) -> Iterator[Room]:
        with open_room(
            self.config,
            self.folder / "journal.sqlite",
            CLOCK,
            signer=self.signers["room"],
            guard=self.guard(),
        ) as room:
            stop = threading.Event()
            self.go(room.tick, 0.2, stop)
            try:
                yield room
            finally:
                stop.set()
                self.threads[-1].join()

    def go(self, call: object, every_s: float, stop: threading.Event) -> None:
        def run() -> None:
            while not stop.wait(every_s) and not self.stop.is_set():
                call()  # type: ignore[operator]

        self.threads.append(threading.Thread(target=run, daemon=True))
        self.threads[-1].start()

    def forge(self, message: Message) -> None:
        id = getattr(message, "alarm", getattr(message, "id", None))
        topic = topic_name(type_name(message), site="roadway", gateway="gw1", id=id)
        payload = encode(message, gateway="gw1", run=2**62, seq=9, sent_at_ns=time.time_ns())
        assert self.evil.publish(topic, payload, qos=1, retain=False)

    def close(self) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join()
        self.evil.close()


@contextmanager
def mine_on(
    folder: Path, *, signed: bool = True, rules: str | None = None
) -> Iterator[tuple[Mine, object]]:
    (folder / "broker").mkdir()
    folder.chmod(0o755)
    with mosquitto(folder / "broker", rules=rules) as broker:
        mine = Mine(folder, broker.url, Keys(folder) if signed else None)
        try:
            yield mine, broker
        finally:
            mine.close()


def found(room: Room, kind: str) -> list[Anomaly]:
    entries = {entry.key: entry for entry in room._journal.history(1000)}
    return [entry.last for entry in entries.values() if entry.last.kind == kind]


def states(room: Room, kind: str) -> list[str]:
    return [one.state for one in found(room, kind)]


def test_forged_alarms_clearings_receipts_and_orders_do_nothing_but_raise_an_alarm(
    tmp_path: Path,
) -> None:
    with mine_on(tmp_path) as (mine, _), mine.room() as room, mine.gateway() as (made, box):
        made.alarm(alarm())
        wait_until(lambda: states(room, "man_down") == ["active"])
        wait_until(lambda: not box.pending())
        assert states(room, "message_refused") == []
        mine.forge(alarm("man_down-ghost"))
        mine.forge(replace(alarm(state="cleared", at_ns=10**18)))
        wait_until(lambda: states(room, "message_refused") == ["active"])
        wait_until(lambda: "man_down" in found(room, "message_refused")[0].evidence)
        assert [one.id for one in found(room, "man_down")] == ["man_down-1"]
        assert states(room, "man_down") == ["active"]
        mine.forge(Order(alarm="man_down-1", action="end", by="x", reason="x", ordered_at_ns=1))
        mine.forge(Receipt(alarm="a-2", state="active", stored_at_ns=1))
        wait_until(lambda: states(room, "delivery_trouble") == ["active"])
        assert states(room, "gateway_silent") == []


def test_a_gateway_that_is_killed_is_silent_though_its_old_words_are_played_on(
    tmp_path: Path,
) -> None:
    with mine_on(tmp_path) as (mine, _), mine.room() as room:
        with mine.gateway() as (made, _):
            made.positions(people())
            wait_until(lambda: len(mine.overheard) > 10)
            mine.listening = False
        old = [
            said
            for said in mine.overheard
            if said[0].endswith(("/health", "/positions")) and b"signature" in said[1]
        ]
        assert len(old) > 3
        again = iter(old * 10_000)
        stop = threading.Event()
        mine.go(lambda: mine.evil.publish(*next(again), qos=0, retain=False), 0.1, stop)
        wait_until(lambda: states(room, "gateway_silent") == ["active"])
        wait_until(lambda: states(room, "message_refused") == ["active"])
        time.sleep(1.0)
        assert states(room, "gateway_silent") == ["active"], "old words end no silence"
        stop.set()
        with mine.gateway():
            wait_until(lambda: states(room, "gateway_silent") == ["cleared"])


ALL = "topic readwrite #\n"
NO_ALARMS = """\
topic read #
topic write mine/+/gw/+/health
topic write mine/+/gw/+/state
topic write mine/+/gw/+/receipt/+
topic write mine/+/gw/+/control_room
"""
NO_HEALTH = "topic read #\n" + "".join(
    f"topic write mine/+/gw/+/{path}\n"
    for path in ("alarm/+", "state", "receipt/+", "control_room")
)


def allow(tmp_path: Path, broker: object, rules: str) -> None:
    (tmp_path / "broker" / "acl").write_text(rules)
    broker.process.send_signal(signal.SIGHUP)  # type: ignore[attr-defined]


def test_alarms_that_an_access_list_denies_are_seen_on_both_sides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("control_room.completeness.LATE_S", 0.5)
    monkeypatch.setattr("delivery.publisher.RESEND_S", 0.4)
    monkeypatch.setattr("delivery.troubles.WELL_S", 0.5)
    with (
        mine_on(tmp_path, signed=False, rules=NO_ALARMS) as (mine, broker),
        mine.room() as room,
        mine.gateway() as (made, box),
    ):
        made.alarm(alarm())
        denied = "the broker does not take our alarm messages: Not authorized"
        wait_until(lambda: denied in made.troubles.reasons())
        wait_until(lambda: states(room, "messages_missing") == ["active"])
        health = room._last["roadway", "gw1"]["health"].body
        assert isinstance(health, GatewayHealth)
        assert denied in health.degraded
        assert states(room, "man_down") == []
        allow(tmp_path, broker, ALL)
        wait_until(lambda: states(room, "man_down") == ["active"])
        wait_until(lambda: states(room, "messages_missing") == ["cleared"])
        # The gateway's own alarm about it comes late, too, and is over.
        wait_until(lambda: states(room, "delivery_trouble") == ["cleared"])
        wait_until(lambda: not box.pending())


def test_heartbeats_that_an_access_list_denies_are_known_at_the_gateway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker says nothing when it drops QoS 0: only the control room's echo shows it."""
    monkeypatch.setattr("delivery.attendance.UNHEARD_AFTER_S", 2.5)
    with (
        mine_on(tmp_path, signed=False, rules=NO_HEALTH) as (mine, _),
        mine.room() as room,
        mine.gateway() as (made, _),
    ):
        wait_until(lambda: "has not heard our heartbeat" in made.attendance.silence())
        wait_until(lambda: states(room, "delivery_trouble") == ["active"])
        assert "heartbeat" in found(room, "delivery_trouble")[0].evidence
        wait_until(lambda: states(room, "gateway_silent") == ["active"])
