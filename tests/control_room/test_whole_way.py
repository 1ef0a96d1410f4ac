"""From a gateway's publisher over a real broker into the journal and a real browser."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from control_room.journal.journal import Journal
from control_room.main import open_room
from control_room.server import serving
from delivery.broker import EmbeddedBroker
from delivery.mqtt import Connection
from delivery.outbox import Outbox
from delivery.publisher import Publisher
from delivery.stream import StreamServer, stream_packets
from scene.clock import SystemClock
from scene.site import BrokerConfig, Site, parse_site
from tests.control_room.conftest import Tab
from tests.control_room.fake_gateway import (
    FALLEN,
    FALLEN_RGB,
    FPS,
    WALKER,
    WALKER_RGB,
    Encoder,
    alarm,
    description,
    health,
)
from tests.control_room.test_page import assert_tag_is_on_the_miner

SITE_YAML = """
version: 1
site: roadway
gateway: gw1
cameras: [{name: c1, url: "rtsp://10.0.0.1/1"}]
rig: {mount: {xyz_m: [0, 0, 2.5]}}
floor: {centre_line_m: [[0, 0, 0], [40, 0, 0]]}
"""


def a_site() -> Site:
    return parse_site(SITE_YAML, name="site.yaml", folder=Path())


class BrokerGateway:
    """A gateway as it really is, but for its cameras."""

    def __init__(self, broker_url: str, folder: Path) -> None:
        clock = SystemClock()
        self.stream = StreamServer()
        self._connection = Connection(
            BrokerConfig(url=broker_url), client_id="gw1", log=lambda _: None
        )
        self.outbox = Outbox(folder, clock)
        self.publisher = Publisher(a_site(), self._connection, self.outbox, clock)
        self.publisher.announce(description(self.stream.url))
        self._connection.connect(20.0, wait=True)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "BrokerGateway":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        self.publisher.going_offline()
        self._connection.close()
        self.stream.close()
        self.outbox.close()

    def _run(self) -> None:
        encoder, i = Encoder(), 0
        while not self._stopping.wait(1 / FPS):
            packet = encoder.packet(time.time_ns())
            self.publisher.positions(packet.positions)
            self.stream.send(packet)
            if i % FPS == 0:
                self.publisher.health(health(packet.captured_at_ns))
            i += 1


@pytest.fixture(scope="module")
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as started:
        yield started


def wait_until(condition: Callable[[], bool]) -> bool:
    until_s = time.monotonic() + 30
    while not condition() and time.monotonic() < until_s:
        time.sleep(0.05)
    return condition()


def test_picture_people_and_alarm_reach_the_browser_and_the_receipt_comes_back(
    broker: EmbeddedBroker, tmp_path: Path, tab: Tab
) -> None:
    journal_file = tmp_path / "journal.sqlite"
    config = BrokerConfig(url=broker.url)
    with (
        BrokerGateway(broker.url, tmp_path / "state") as gateway,
        open_room(config, journal_file, SystemClock()) as room,
        serving(room, stream_packets) as url,
    ):
        page = tab.open(url)
        page.wait_for_function("() => lamproom.framesDrawn > 3")
        assert_tag_is_on_the_miner(page, WALKER, WALKER_RGB)
        assert_tag_is_on_the_miner(page, FALLEN, FALLEN_RGB)
        gateway.publisher.alarm(alarm(at_ns=time.time_ns()))
        page.locator("#alarms button[data-alarm='man_down-3']").click()
        page.wait_for_function(f"() => lamproom.selected?.track === {FALLEN}")
        assert wait_until(lambda: gateway.outbox.pending() == []), "the receipt came back"
        tab.shoot("whole-way")
        assert tab.complaints == []
    journal = Journal(journal_file)
    assert [entry.key.alarm for entry in journal.history()] == ["man_down-3"]
    journal.close()


def test_an_alarm_raised_while_the_control_room_is_away_arrives_later(
    broker: EmbeddedBroker, tmp_path: Path
) -> None:
    with BrokerGateway(broker.url, tmp_path / "state") as gateway:
        gateway.publisher.alarm(alarm("early-1", at_ns=time.time_ns()))
        gateway.publisher.alarm(alarm("early-1", at_ns=time.time_ns(), state="cleared"))
        assert len(gateway.outbox.pending()) == 2
        journal_file = tmp_path / "journal.sqlite"
        with open_room(BrokerConfig(url=broker.url), journal_file, SystemClock()):
            assert wait_until(lambda: gateway.outbox.pending() == [])
    journal = Journal(journal_file)
    [entry] = [one for one in journal.history() if one.key.alarm == "early-1"]
    assert entry.cleared_at_ns is not None
    journal.close()


def command(*words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "edge.main", "control-room", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )


def test_the_command_serves_the_page_until_it_is_told_to_stop(
    broker: EmbeddedBroker, tmp_path: Path
) -> None:
    journal = str(tmp_path / "journal.sqlite")
    with command("--broker", broker.url, "--port", "0", "--journal", journal) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        url = next(word for word in line.split() if word.startswith("http://"))
        assert wait_until(lambda: answers(url))
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
        assert process.returncode == 0, errors
        assert "Traceback" not in errors


def answers(url: str) -> bool:
    try:
        return "Lamproom" in httpx.get(url).text
    except httpx.TransportError:
        return False


def test_mistakes_are_one_line_and_exit_code_2(broker: EmbeddedBroker, tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("no journal " * 200)
    journal = str(tmp_path / "journal.sqlite")
    for words, told in (
        (["--broker", "nonsense"], "mqtt://host:port"),
        (["--broker", broker.url, "--journal", str(tmp_path / "notes")], "notes"),
        (["--broker", broker.url, "--journal", journal, "--host", "nowhere.invalid"], "--host"),
    ):
        with command("--port", "0", *words) as process:
            _, errors = process.communicate(timeout=60)
        assert process.returncode == 2, errors
        assert told in errors
        assert "Traceback" not in errors
