"""The sending process: what it says while the gateway ends."""

import socket
import threading
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
from tests.delivery.parts import SITE, alarm, wait_until
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
