"""The sending process: what it says while the gateway ends."""

import socket
import threading
from contextlib import closing
from pathlib import Path

import pytest

from delivery.broker import EmbeddedBroker
from delivery.mqtt import Connection
from delivery.outbox import Outbox
from edge import sender
from edge.line import LineOut, new_door
from edge.options import RunOptions
from edge.outlet import LIMITS, LineOutlet
from edge.service import Context, Signs
from scene.clock import SystemClock
from scene.errors import LamproomError
from scene.messages import Anomaly, ControlRoomBeat, GatewayState
from scene.site import BrokerConfig
from scene.wire import decode, encode
from tests.delivery.parts import SITE, alarm, free_port, wait_until
from tests.sample_site import FOLDER


def test_goodbye_is_said_when_the_end_begins_and_alarms_still_go_out(tmp_path: Path) -> None:
    """The control room would raise a critical silence while the pipeline takes its time to end."""
    site = SITE.replace("rig: {", f"rig: {{file: {FOLDER}/rig.yaml, ")
    (tmp_path / "site.yaml").write_text(f"{site}panorama: {{port: 0}}\n", encoding="utf-8")
    heard: list[object] = []

    def hear(topic: str, payload: bytes, retained: bool) -> None:
        heard.append(decode(payload).body)

    def said_of_us() -> list[bool]:
        return [one.online for one in heard if isinstance(one, GatewayState)]

    door_out, door_in = new_door()
    with EmbeddedBroker() as broker, door_out, door_in:
        listener = Connection(BrokerConfig(url=broker.url), client_id="listener")
        listener.subscribe("mine/roadway/gw/gw1/state", 1, hear)
        listener.subscribe("mine/roadway/gw/gw1/alarm/+", 1, hear)
        listener.connect(wait=True)
        signs = Signs()
        options = RunOptions(site_file=tmp_path / "site.yaml", broker_url=broker.url)
        context = Context(options=options, door_out=door_out, door_in=door_in, signs=signs)
        sending = threading.Thread(target=sender.main, args=(context,))
        sending.start()
        wait_until(lambda: said_of_us() == [True])
        signs.leaving.value = 1
        wait_until(lambda: said_of_us()[-1] is False)
        line = LineOut(door_out, LIMITS)
        outlet = LineOutlet(line, lambda: Outbox(options.site().state_folder, SystemClock()))
        outlet.send(alarm())
        wait_until(lambda: any(isinstance(one, Anomaly) for one in heard))
        signs.stop.value = 1
        sending.join()
        line.close()
        listener.close()
    assert said_of_us() == [True, False]


def test_who_outlives_another_gateway_of_its_name_speaks_as_after_a_new_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control room believes the newest start of a name, and that one is gone."""
    monkeypatch.setattr("delivery.attendance.STOPPED_S", 0.5)
    site = SITE.replace("rig: {", f"rig: {{file: {FOLDER}/rig.yaml, ")
    (tmp_path / "site.yaml").write_text(f"{site}panorama: {{port: 0}}\n", encoding="utf-8")
    runs: list[int] = []

    def hear(topic: str, payload: bytes, retained: bool) -> None:
        runs.append(decode(payload).run)

    door_out, door_in = new_door()
    with EmbeddedBroker() as broker, door_out, door_in:
        room = Connection(BrokerConfig(url=broker.url), client_id="room")
        room.subscribe("mine/roadway/gw/gw1/state", 1, hear)
        room.connect(wait=True)
        signs = Signs()
        options = RunOptions(site_file=tmp_path / "site.yaml", broker_url=broker.url)
        context = Context(options=options, door_out=door_out, door_in=door_in, signs=signs)
        sending = threading.Thread(target=sender.main, args=(context,))
        sending.start()
        wait_until(lambda: bool(runs))
        copy = runs[0] + 10**12

        def told() -> bool:
            beat = ControlRoomBeat(said_at_ns=1, heard_run=copy, heard_seq=7)
            payload = encode(beat, gateway="gw1", run=5, seq=1, sent_at_ns=1)
            topic = "mine/roadway/gw/gw1/control_room"
            return room.publish(topic, payload, qos=0, retain=False) and runs[-1] > copy

        wait_until(told)
        signs.stop.value = 1
        sending.join()
        room.close()
    number = int((options.site().state_folder / "run").read_text())
    assert number >= runs[-1], "the next start has a higher number still"


def test_where_the_port_is_taken_the_broker_hears_nothing(tmp_path: Path) -> None:
    """Whoever has it may be the gateway itself, and would be cut and said to be gone."""
    site = SITE.replace("rig: {", f"rig: {{file: {FOLDER}/rig.yaml, ")
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        socket.create_server(("127.0.0.1", 0)) as broker,
    ):
        broker.setblocking(False)
        options = RunOptions(
            site_file=tmp_path / "site.yaml",
            broker_url=f"mqtt://127.0.0.1:{broker.getsockname()[1]}",
            stream_port=taken.getsockname()[1],
        )
        options.site_file.write_text(site, encoding="utf-8")
        with pytest.raises(LamproomError, match=r"panorama\.port"):
            sender.open_sending(options.site(), options)
        with pytest.raises(BlockingIOError):
            broker.accept()


def with_metrics(folder: Path, port: int, broker_url: str) -> RunOptions:
    site = SITE.replace("rig: {", f"rig: {{file: {FOLDER}/rig.yaml, ")
    more = f"panorama: {{port: 0}}\nmetrics: {{port: {port}}}\n"
    options = RunOptions(site_file=folder / "site.yaml", broker_url=broker_url)
    options.site_file.write_text(site + more, encoding="utf-8")
    return options


def test_a_port_of_figures_that_is_taken_keeps_no_alarm_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is said, on the page, too, and they are there once the port is free."""
    monkeypatch.setattr("edge.metrics.TRY_AGAIN_S", 0.05)
    monkeypatch.setattr("delivery.troubles.WELL_S", 0.1)
    heard: list[Anomaly] = []

    def hear(_topic: str, payload: bytes, _retained: bool) -> None:
        body = decode(payload).body if payload else None
        heard.extend([body] if isinstance(body, Anomaly) else [])

    def states(kind: str) -> list[str]:
        return [one.state for one in heard if one.kind == kind]

    with socket.create_server(("127.0.0.1", 0)) as taken, EmbeddedBroker() as broker:
        options = with_metrics(tmp_path, port := taken.getsockname()[1], broker.url)
        listener = Connection(BrokerConfig(url=broker.url), client_id="listener")
        listener.subscribe("mine/roadway/gw/gw1/alarm/+", 1, hear)
        listener.connect(wait=True)
        with closing(listener), sender.open_sending(options.site(), options) as sending:
            sending.publisher.alarm(alarm())
            wait_until(lambda: "active" in states("man_down"))
            wait_until(lambda: "active" in states("delivery_trouble"))
            told = next(one.evidence for one in heard if one.kind == "delivery_trouble")
            assert f"metrics.port: 127.0.0.1:{port} can't be served at" in told
            assert f"metrics.port: 127.0.0.1:{port} can't be served at" in capsys.readouterr().err
            assert sending.metrics is not None and sending.metrics.port is None
            taken.close()
            wait_until(lambda: states("delivery_trouble")[-1] == "cleared")
            assert sending.metrics.port == port


def test_the_port_of_figures_is_taken_before_a_broker_is_called(tmp_path: Path) -> None:
    """Else somebody asks, while the broker is away, and is told that nobody is here."""
    with socket.create_server(("127.0.0.1", 0)) as broker:
        options = with_metrics(
            tmp_path, port := free_port(), f"mqtt://127.0.0.1:{broker.getsockname()[1]}"
        )
        opened: list[sender.Sending] = []
        opening = threading.Thread(
            target=lambda: opened.append(sender.open_sending(options.site(), options))
        )
        opening.start()
        broker.accept()[0].close()
        socket.create_connection(("127.0.0.1", port)).close()
        opening.join()
    with opened[0]:
        pass


def test_a_sender_that_cannot_start_gives_its_ports_back(tmp_path: Path) -> None:
    port = free_port()
    options = with_metrics(tmp_path, port, "mqtt://127.0.0.1:1")
    with options.site_file.open("a", encoding="utf-8") as file:
        file.write("signing: {key_file: none.key}\n")
    with pytest.raises(LamproomError, match=r"none\.key"):
        sender.open_sending(options.site(), options)
    socket.create_server(("127.0.0.1", port)).close()
