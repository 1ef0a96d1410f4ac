import threading
import time
from pathlib import Path

import pytest

from delivery.broker import EmbeddedBroker
from delivery.mqtt import Connection
from delivery.recording import read_recording
from edge import recorder, storage_watch
from edge.line import new_door
from edge.options import RunOptions
from edge.services import Context, Signs
from scene.clock import SystemClock
from scene.errors import RecordingError
from scene.messages import GatewayState
from scene.site import BrokerConfig
from scene.wire import encode
from tests.delivery.parts import SITE, wait_until

FIRST = GatewayState(online=True, since_ns=6)
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


def test_a_low_disk_ends_the_file_and_a_new_one_begins_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(recorder, "PAUSE_S", 0.0)
    (tmp_path / "site.yaml").write_text(SITE, encoding="utf-8")
    door_out, door_in = new_door()
    with EmbeddedBroker() as broker, door_out, door_in:
        options = RunOptions(
            site_file=tmp_path / "site.yaml", broker_url=broker.url, record=tmp_path / "run.mcap"
        )
        signs = Signs()
        context = Context(options=options, door_out=door_out, door_in=door_in, signs=signs)
        recordings = recorder.Recordings(context, SystemClock())
        sender = Connection(BrokerConfig(url=broker.url), client_id="sender")
        sender.connect(wait=True)
        payload = encode(FIRST, gateway="gw1", seq=1, sent_at_ns=1)
        sender.publish("mine/roadway/gw/gw1/state", payload, qos=1, retain=True)
        recordings.look()
        wait_until(lambda: set(bodies(tmp_path / "run.mcap")) == {FIRST})
        # As if the disk were smaller than what is to stay free.
        with monkeypatch.context() as small:
            small.setattr(storage_watch, "LOW_BYTES", 10**18)
            small.setattr(storage_watch, "LOW_SHARE", 1.1)
            recordings.look()
            recordings.look()
            assert signs.paused.value == 1
            missing: list[str] = []
            list(read_recording(tmp_path / "run.mcap", on_missing=missing.append))
            assert missing == [], "the file is finished"
        recordings.look()
        assert signs.paused.value == 0
        second = tmp_path / "run-2.mcap"
        wait_until(lambda: set(bodies(second)) == {FIRST})  # some brokers send it twice
        recordings.close()
        sender.close()
    said = capsys.readouterr().err
    assert said.count("recording stops until there is room") == 1
    assert said.count(f"recording goes on in {second}") == 1


def test_each_hour_a_new_file_begins_and_nothing_is_missed_between_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "site.yaml").write_text(SITE, encoding="utf-8")
    door_out, door_in = new_door()
    with EmbeddedBroker() as broker, door_out, door_in:
        options = RunOptions(
            site_file=tmp_path / "site.yaml", broker_url=broker.url, record=tmp_path / "run.mcap"
        )
        context = Context(options=options, door_out=door_out, door_in=door_in, signs=Signs())
        recordings = recorder.Recordings(context, SystemClock())
        sender = Connection(BrokerConfig(url=broker.url), client_id="sender")
        sender.connect(wait=True)
        recordings.look()
        said = threading.Event()

        def speak() -> None:
            number = 0
            while not said.wait(0.01):
                number += 1
                state = GatewayState(online=True, since_ns=number)
                payload = encode(state, gateway="gw1", seq=number, sent_at_ns=1)
                sender.publish("mine/roadway/gw/gw1/state", payload, qos=1, retain=True)

        speaking = threading.Thread(target=speak)
        speaking.start()
        first, second = tmp_path / "run.mcap", tmp_path / "run-2.mcap"
        wait_until(lambda: len(bodies(first)) > 10)
        (tmp_path / "site.yaml").write_text("somebody is at it", encoding="utf-8")
        with monkeypatch.context() as over:
            over.setattr(recorder, "NEW_FILE_AFTER_S", -1.0)
            recordings._new_file_s = 0.0
            recordings.look()
        recordings._new_file_s = time.monotonic() + 3600.0
        wait_until(lambda: len(bodies(second)) > 10)
        said.set()
        speaking.join()
        recordings.close()
        sender.close()
    numbers = {
        body.since_ns
        for file in (first, second)
        for body in bodies(file)
        if isinstance(body, GatewayState)
    }
    assert numbers == set(range(min(numbers), max(numbers) + 1))
    assert not (tmp_path / "run-3.mcap").exists()


def bodies(path: Path) -> list[object]:
    try:
        return [record.body for record in read_recording(path)]
    except RecordingError:  # nothing of it is on the disk yet
        return []
