import threading
import time
from pathlib import Path

import pytest

from delivery.broker import EmbeddedBroker
from delivery.mqtt import Connection
from delivery.recording import read_recording
from edge import recorder
from edge.line import new_door
from edge.options import RunOptions
from edge.services import Context, Signs
from scene.messages import GatewayState
from scene.site import BrokerConfig
from scene.wire import encode
from tests.delivery.parts import SITE, wait_until

LAST = GatewayState(online=False, since_ns=7)


def test_what_is_said_after_the_recorder_is_told_to_stop_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "LAST_WORDS_S", 5.0)
    close, closed_s = recorder.Recorder.close, list[float]()

    def closing(self: recorder.Recorder) -> None:
        closed_s.append(time.monotonic())
        close(self)

    monkeypatch.setattr(recorder.Recorder, "close", closing)
    (tmp_path / "site.yaml").write_text(SITE, encoding="utf-8")
    door_out, door_in = new_door()
    with EmbeddedBroker() as broker, door_out, door_in:
        signs = Signs()
        options = RunOptions(
            site_file=tmp_path / "site.yaml",
            broker_url=broker.url,
            record=tmp_path / "run.mcap",
        )
        context = Context(options=options, door_out=door_out, door_in=door_in, signs=signs)
        recording = threading.Thread(target=recorder.main, args=(context,))
        recording.start()
        wait_until(lambda: signs.alive_s.value > 0)
        told_s = time.monotonic()
        signs.stop.value = 1
        sender = Connection(BrokerConfig(url=broker.url), client_id="sender")
        sender.connect(wait=True)
        payload = encode(LAST, gateway="gw1", seq=1, sent_at_ns=1)
        sender.publish("mine/roadway/gw/gw1/state", payload, qos=1, retain=True)
        recording.join()
        sender.close()
    assert closed_s[0] - told_s >= 5.0
    assert LAST in [record.body for record in read_recording(tmp_path / "run.mcap")]
