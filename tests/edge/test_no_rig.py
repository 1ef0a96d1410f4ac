"""A gateway whose cameras hang and are not calibrated: it is heard of, and says so."""

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from delivery.outbox import Outbox
from edge import live
from edge.late_start import late_start
from edge.line import LineIn, new_door
from edge.no_rig import KIND, NOBODY
from edge.options import RunOptions
from edge.running import REGULAR_SIGNS
from edge.service import Context, Signs
from scene.alarms import system_alarm
from scene.clock import SystemClock
from scene.errors import ModelError
from scene.messages import Anomaly, GatewayHealth
from tests.bench.gateway_load import SAMPLES, _has_gstreamer
from tests.delivery.parts import MOSQUITTO, NO_MOSQUITTO, wait_until
from tests.faults.live_stage import RIG, live_stage

NAMES = ("cam1", "cam2")
CLOCK = SystemClock()


class Waiting:
    """A pipeline's process, in a thread, with what it says; no camera answers."""

    def __init__(self, folder: Path) -> None:
        self.file, self.rig, self.state = (
            folder / "site.yaml",
            folder / "rig.yaml",
            folder / "state",
        )
        self.signs = Signs()
        self.beats: list[GatewayHealth] = []
        self.ended: list[Exception | None] = []

    def write_site(self, *cameras: str, model: str | None = None) -> None:
        site = yaml.safe_load((SAMPLES / "site.yaml").read_text())
        site["cameras"] = [{"name": name, "url": "rtsp://127.0.0.1:9/x"} for name in cameras]
        points = site["rig"]["survey_points"]
        points = [point for point in points if point["camera"] in cameras]
        site["rig"] |= {"file": str(self.rig), "survey_points": points}
        site |= {"state_folder": str(self.state), "broker": {"url": "mqtt://127.0.0.1:9"}}
        if model is not None:
            site["detection"] = site.get("detection", {}) | {"model": model}
        part = self.file.with_suffix(".part")
        part.write_text(yaml.safe_dump(site), encoding="utf-8")
        part.replace(self.file)

    def write_rig(self) -> None:
        shutil.copy(RIG, self.rig.with_suffix(".part"))
        self.rig.with_suffix(".part").replace(self.rig)

    def said(self, text: str) -> bool:
        """Tell whether the newest heartbeat says something."""
        return bool(self.beats) and text in self.beats[-1].degraded

    @contextmanager
    def running(self) -> Iterator[None]:
        options = RunOptions(site_file=self.file).settle()
        door_out, door_in = new_door()
        line = LineIn(door_in)
        context = Context(options=options, door_out=door_out, door_in=door_in, signs=self.signs)

        def work() -> None:
            try:
                live.main(context)
                self.ended.append(None)
            except Exception as error:
                self.ended.append(error)

        def hear() -> None:
            while not self.ended:
                taken = line.take(0.1)
                if isinstance(taken, GatewayHealth):
                    self.beats.append(taken)

        both = [threading.Thread(target=work), threading.Thread(target=hear)]
        for one in both:
            one.start()
        try:
            yield
        finally:
            self.signs.stop.value = 1
            for one in both:
                one.join()
            line.close()
            door_out.close()
            door_in.close()


@pytest.fixture(name="waiting")
def _waiting(tmp_path: Path) -> Waiting:
    return Waiting(tmp_path)


def test_what_is_wrong_when_the_rig_has_come_does_not_end_the_gateway(
    waiting: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a model may take as long to load as in a process that is new."""
    signs_s: list[float] = []

    def load(*_: object) -> None:
        signs_s.append(waiting.signs.alive_s.value)
        wait_until(lambda: waiting.signs.alive_s.value > signs_s[0])
        raise ModelError("yolo.onnx: is half a file")

    monkeypatch.setattr(live, "Pipeline", load)
    waiting.write_site("cam1")
    with waiting.running():
        wait_until(lambda: waiting.said(NOBODY))
        waiting.write_rig()
        wait_until(lambda: bool(waiting.ended))
    (error,) = waiting.ended
    assert isinstance(error, RuntimeError), "bad input would end the run"
    assert "half a file" in str(error)


def test_signs_of_life_without_work_come_to_an_end() -> None:
    signs_s: list[float] = []

    def stands_in() -> bool:
        return any(one.name == "late-start" for one in threading.enumerate())

    with late_start(lambda: signs_s.append(time.monotonic()), limit_s=0.2):
        wait_until(lambda: not stands_in())
    assert signs_s
    with late_start(lambda: None) as alive:
        assert stands_in()
        for _ in range(REGULAR_SIGNS):
            alive()
        wait_until(lambda: not stands_in())


def test_the_site_file_counts_as_it_is_now(
    waiting: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "Pipeline", lambda *_: 1 / 0)
    waiting.write_site("cam1")
    with waiting.running():
        wait_until(lambda: waiting.said(NOBODY))
        waiting.write_site(*NAMES, model="none.onnx")
        wait_until(lambda: tuple(one.name for one in waiting.beats[-1].cameras) == NAMES)
        waiting.write_rig()
        wait_until(lambda: waiting.said("none.onnx"))
        waiting.file.write_text("cameras: [", encoding="utf-8")  # somebody is at it
        waiting.write_site(*NAMES)
        wait_until(lambda: bool(waiting.ended))
    assert isinstance(waiting.ended[0], ZeroDivisionError), "it went on to load the model"


def test_a_lost_rig_is_told_of_whatever_else_is_told_already(waiting: Waiting) -> None:
    other = system_alarm(KIND, CLOCK.now_ns(), "zones: a mistake in site.yaml")
    gone = replace(other, id="camera_lost-9", kind="camera_lost", camera="cam9")
    waiting.write_site("cam1")
    outbox = Outbox(waiting.state, CLOCK)
    for alarm in (other, gone):
        outbox.put(alarm)

    def active() -> list[Anomaly]:
        return [one for one in outbox.active() if one.id in (other.id, gone.id) or one.kind == KIND]

    with waiting.running():
        wait_until(lambda: [one.evidence[: len(NOBODY)] for one in active()] == [NOBODY])
        raised = active()
    waiting.signs.stop.value, waiting.ended = 0, []
    with waiting.running():
        count = len(waiting.beats)
        wait_until(lambda: len(waiting.beats) > count)
    assert active() == raised, "it is the same one after another start"
    outbox.close()


@pytest.mark.skipif(MOSQUITTO is None, reason=NO_MOSQUITTO)
@pytest.mark.skipif(
    not _has_gstreamer(),
    reason="there is no GStreamer RTSP server (apt-get install gir1.2-gst-rtsp-server-1.0)",
)
def test_a_gateway_without_a_rig_tells_of_its_cameras_until_there_is_one(tmp_path: Path) -> None:
    rig = tmp_path / "rig.yaml"
    with live_stage(tmp_path, rig=rig, names=NAMES) as stage:

        def of_gateway() -> list[Anomaly]:
            return [alarm for _, alarm in stage.heard.alarms if alarm.kind == KIND]

        beat = stage.heard.beats[-1][1]
        assert [camera.name for camera in beat.cameras] == list(NAMES)
        assert "is not calibrated: it looks for nobody" in beat.degraded
        assert f"run `lamproom calibrate {tmp_path / 'site.yaml'}`" in beat.degraded
        assert beat.coverage == (), "what is seen must be unknown"
        assert beat.detection_age_s is None
        assert not stage.heard.positions_s, "nobody is looked for, which is not nobody there"
        stage.wait_until(lambda: bool(of_gateway()))
        first = of_gateway()[0]
        assert first.state == "active"
        assert first.evidence == beat.degraded
        cameras = [stage.pids(name) for name in NAMES]

        rig.write_text("version: 1\ncameras: []\n", encoding="utf-8")  # still being written
        stage.wait_until(lambda: f"{NOBODY}: {rig}: " in stage.heard.beats[-1][1].degraded)
        part = tmp_path / "rig.part"
        shutil.copy(RIG, part)
        part.replace(rig)
        stage.wait_until(lambda: bool(stage.heard.positions_s))
        stage.wait_until(lambda: bool(stage.heard.beats[-1][1].coverage))
        assert {alarm.id for alarm in of_gateway()} == {first.id}
        assert [stage.pids(name) for name in NAMES] == cameras
