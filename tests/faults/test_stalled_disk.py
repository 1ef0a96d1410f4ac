"""The gateway's disk hangs for longer than any watchdog waits: alarms go on, nobody is killed."""

import time
from contextlib import closing
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from delivery.outbox import Outbox
from scene.clock import SystemClock
from scene.messages import GatewayHealth
from scene.wire import decode
from tests.delivery.parts import MOSQUITTO, NO_MOSQUITTO
from tests.faults.loop_disk import loop_disk, no_loop_disk, stalled
from tests.faults.stage import on_stage

pytestmark = [
    pytest.mark.skipif(MOSQUITTO is None, reason=NO_MOSQUITTO),
    pytest.mark.skipif(bool(no_loop_disk()), reason=no_loop_disk()),
]
STALL_S = 6.0
"""Longer than the 3.5 s after which a service that is quiet is killed."""


def test_a_disk_that_hangs_kills_no_service_and_stops_no_alarm(
    tmp_path: Path,
) -> None:
    said: list[str] = []

    def hear(_client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        body = decode(bytes(message.payload)).body
        if isinstance(body, GatewayHealth):
            said.append(body.degraded)

    with loop_disk(tmp_path) as (_, disk):
        (tmp_path / "state").symlink_to(disk)
        with on_stage(tmp_path) as stage:
            listener = mqtt.Client(CallbackAPIVersion.VERSION2)
            listener.on_message = hear
            listener.connect(stage.host, stage.port)
            listener.subscribe("mine/+/gw/+/health")
            listener.loop_start()
            before = {part: stage.pid(part) for part in ("sender", "pipeline")}
            with stalled(disk):
                until_s, stored = time.monotonic() + STALL_S, len(stage.rows())
                stage.wait_until(
                    lambda: time.monotonic() > until_s and len(stage.rows()) >= stored + 3
                )
                assert any("alarms are kept in memory only" in text for text in said)
                beats = len(said)
            stage.wait_until(lambda: len(said) >= beats + 3 and said[-1] == "")
            assert {part: stage.pid(part) for part in before} == before, stage.logs()
            stage.drain()
            listener.disconnect()
            listener.loop_stop()
            lost = set(stage.noted()) - set(stage.arrived())
            delays_s = sorted(stage.arrived().values())
        with closing(Outbox(disk, SystemClock())) as outbox:
            kept = {alarm.id for alarm in outbox.active()}
    print(f"{len(delays_s)} alarms, the slowest after {delays_s[-1]:.2f} s")
    assert not lost
    assert set(stage.noted()) <= kept
