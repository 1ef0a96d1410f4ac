"""The sending process: what it says while the gateway ends."""

import threading
from pathlib import Path

from delivery.broker import EmbeddedBroker
from delivery.mqtt import Connection
from delivery.outbox import Outbox
from edge import sender
from edge.line import LineOut, new_door
from edge.options import RunOptions
from edge.outlet import LIMITS, LineOutlet
from edge.service import Context, Signs
from scene.clock import SystemClock
from scene.messages import Anomaly, GatewayState
from scene.site import BrokerConfig
from scene.wire import decode
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
