import threading
import time
from pathlib import Path

import pytest

from delivery.broker import EmbeddedBroker
from delivery.mqtt import Connection
from delivery.recordings.format import PANORAMA
from delivery.recordings.reader import read_recording
from delivery.recordings.refused_record import Refused
from delivery.signing import Signer
from delivery.voice import Voice
from edge import recorder, storage_watch
from edge.line import new_door
from edge.options import RunOptions
from edge.services import Context, Signs
from scene.clock import SystemClock
from scene.errors import RecordingError
from scene.messages import GatewayHealth, GatewayState, Order, Tags
from scene.site import BrokerConfig
from scene.wire import encode
from tests.delivery.keys import Keys, pair
from tests.delivery.parts import SITE, free_port, wait_until

FIRST = GatewayState(online=True, since_ns=6)
LAST = GatewayState(online=False, since_ns=7)
BEAT = GatewayHealth(
    captured_at_ns=1,
    cameras=(),
    panorama_fps=10,
    detection_fps=5,
    detection_age_s=None,
    detection_provider="CPU",
)


def site_text() -> str:
    """Give a site whose panorama nobody serves: another gateway may run on this machine."""
    return f"{SITE}panorama: {{port: {free_port()}}}\n"


def test_what_is_said_after_the_recorder_is_told_to_stop_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "LAST_WORDS_S", 5.0)
    close, closed_s = recorder.Recorder.close, list[float]()

    def closing(self: recorder.Recorder) -> None:
        closed_s.append(time.monotonic())
        close(self)

    monkeypatch.setattr(recorder.Recorder, "close", closing)
    (tmp_path / "site.yaml").write_text(site_text(), encoding="utf-8")
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
    # Whatever is left of this machine's own disk, there is room unless the test says otherwise.
    monkeypatch.setattr(storage_watch, "LOW_BYTES", 0)
    monkeypatch.setattr(storage_watch, "LOW_NODES_SHARE", 0.0)
    (tmp_path / "site.yaml").write_text(site_text(), encoding="utf-8")
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
    (tmp_path / "site.yaml").write_text(site_text(), encoding="utf-8")
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
        wait_until(lambda: _is_whole(first, recordings))
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


def _is_whole(path: Path, recordings: recorder.Recordings) -> bool:
    recordings.look()
    missing: list[str] = []
    list(read_recording(path, on_missing=missing.append))
    return not missing


def bodies(path: Path) -> list[object]:
    try:
        return [record.body for record in read_recording(path)]
    except RecordingError:  # nothing of it is on the disk yet
        return []


STATE = "mine/roadway/gw/gw1/state"
HEALTH = "mine/roadway/gw/gw1/health"
ORDER = "mine/roadway/gw/gw1/order/man_down-1"


def test_a_forged_message_does_not_look_genuine_in_a_recording_and_none_is_lost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = Keys(tmp_path)
    room = Voice(SystemClock(), run=3, signer=keys.add("control_room"))
    private, _ = pair(tmp_path, "gw1")  # the gateway's public key lies in no folder here
    gateway = Voice(SystemClock(), run=3, signer=Signer.from_file(private))
    signing = "signing: {key_file: gw1.key, trusted: trusted, required: true}\n"
    (tmp_path / "site.yaml").write_text(site_text() + signing, encoding="utf-8")
    order = Order(alarm="man_down-1", action="end", by="Li", reason="out", ordered_at_ns=5)
    tags = encode(Tags(captured_at_ns=1, fixes=()), gateway="uwb", seq=1, sent_at_ns=1)
    genuine = [
        (STATE, gateway.write(STATE, FIRST, gateway="gw1")[1]),
        (HEALTH, gateway.write(HEALTH, BEAT, gateway="gw1")[1]),
        (ORDER, room.write(ORDER, order, gateway="gw1")[1]),
    ]
    forged = [
        (STATE, encode(LAST, gateway="gw1", run=9, seq=9, sent_at_ns=9)),
        (
            ORDER,
            Voice(SystemClock(), run=9, signer=keys.stranger()).write(ORDER, order, gateway="gw1")[
                1
            ],
        ),
        (ORDER.replace("man_down-1", "man_down-2"), genuine[2][1]),
        genuine[1],  # played again
        (HEALTH, b"\xff nonsense"),
    ]
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
        wait_until(lambda: recordings._recorder is not None and recordings._recorder.hears)
        for topic, payload in [*genuine, ("mine/roadway/tags", tags), *forged]:
            sender.publish(topic, payload, qos=1, retain=False)
        sender.publish(*genuine[2], qos=1, retain=False)  # as a broker may
        last = gateway.write(STATE, LAST, gateway="gw1")[1]
        sender.publish(STATE, last, qos=1, retain=False)
        wait_until(lambda: LAST in bodies(tmp_path / "run.mcap"))
        recordings.close()
        sender.close()
    apart: list[Refused] = []
    records = [
        (one.topic, one.payload, one.trust)
        for one in read_recording(tmp_path / "run.mcap", on_refused=apart.append)
        if one.topic != PANORAMA
    ]
    assert records == [
        *((topic, payload, "signed") for topic, payload in genuine),
        ("mine/roadway/tags", tags, "unsigned"),
        (STATE, last, "signed"),
    ]
    assert [(one.topic, one.payload) for one in apart] == [*forged, genuine[2]]
    assert "passed over" in apart[-1].why
    assert "not signed, though its sender signs" in apart[0].why
    assert "signature is wrong" in apart[1].why
    assert "signature is wrong" in apart[2].why
    assert "plays it again" in apart[3].why
    assert f"{HEALTH}: a message was refused, and is recorded apart" in capsys.readouterr().err


def test_keys_that_cannot_be_read_leave_nothing_unrecorded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "KEYS_AGAIN_S", 0.0)
    private, public = pair(tmp_path, "gw1")
    signer = Signer.from_file(private)
    signing = "signing: {trusted: nowhere}\n"
    (tmp_path / "nowhere").mkdir()
    (tmp_path / "site.yaml").write_text(site_text() + signing, encoding="utf-8")
    door_out, door_in = new_door()
    with EmbeddedBroker() as broker, door_out, door_in:
        options = RunOptions(
            site_file=tmp_path / "site.yaml", broker_url=broker.url, record=tmp_path / "run.mcap"
        )
        context = Context(options=options, door_out=door_out, door_in=door_in, signs=Signs())
        recordings = recorder.Recordings(context, SystemClock())
        sender = Connection(BrokerConfig(url=broker.url), client_id="sender")
        sender.connect(wait=True)
        payload = encode(FIRST, gateway="gw1", seq=1, sent_at_ns=1)
        sender.publish(STATE, payload, qos=1, retain=True)
        recordings.look()
        wait_until(lambda: FIRST in bodies(tmp_path / "run.mcap"))
        recordings.look()
        public.rename(tmp_path / "nowhere" / "gateway-roadway-gw1.pub")
        recordings.look()
        recordings.look()
        _, payload = Voice(SystemClock(), run=1, signer=signer).write(HEALTH, BEAT, gateway="gw1")
        sender.publish(HEALTH, payload, qos=1, retain=False)
        wait_until(lambda: BEAT in bodies(tmp_path / "run.mcap"))
        recordings.close()
        sender.close()
    beats = [one for one in read_recording(tmp_path / "run.mcap") if one.body == BEAT]
    assert {one.trust for one in beats} == {"signed"}, "in the same file, as soon as there is a key"
    marks = {one.trust for one in read_recording(tmp_path / "run.mcap") if one.topic == STATE}
    assert marks == {"unchecked"}
    said = capsys.readouterr().err
    assert said.count("signatures can't be checked, all is recorded") == 1
    assert said.count("signatures are checked from now on") == 1


def test_a_gateway_that_does_not_sign_is_recorded_as_unsigned_whatever_others_must(
    tmp_path: Path,
) -> None:
    Keys(tmp_path).add("control_room")
    signing = "signing: {trusted: trusted, required: true}\n"
    (tmp_path / "site.yaml").write_text(site_text() + signing, encoding="utf-8")
    door_out, door_in = new_door()
    with door_out, door_in:
        options = RunOptions(site_file=tmp_path / "site.yaml", record=tmp_path / "run.mcap")
        context = Context(options=options, door_out=door_out, door_in=door_in, signs=Signs())
        guard = recorder.Recordings(context, SystemClock())._new_guard()
    heard = guard.check(STATE, encode(FIRST, gateway="gw1", seq=1, sent_at_ns=1))
    assert not heard.signed
    assert guard.checks
