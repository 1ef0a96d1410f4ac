"""A gateway whose cameras hang and are not calibrated: it is heard of, and says so."""

import shutil
from pathlib import Path

import pytest

from edge.no_rig import NOBODY
from tests.bench.gateway_load import _has_gstreamer
from tests.delivery.parts import MOSQUITTO, NO_MOSQUITTO
from tests.faults.live_stage import NAMES, RIG, live_stage

pytestmark = [
    pytest.mark.skipif(MOSQUITTO is None, reason=NO_MOSQUITTO),
    pytest.mark.skipif(
        not _has_gstreamer(),
        reason="there is no GStreamer RTSP server (apt-get install gir1.2-gst-rtsp-server-1.0)",
    ),
]


def test_a_gateway_without_a_rig_tells_of_its_cameras_until_there_is_one(tmp_path: Path) -> None:
    rig = tmp_path / "rig.yaml"
    with live_stage(tmp_path, rig=rig) as stage:
        beat = stage.heard.beats[-1][1]
        assert [camera.name for camera in beat.cameras] == list(NAMES)
        assert "is not calibrated: it looks for nobody" in beat.degraded
        assert f"run `lamproom calibrate {tmp_path / 'site.yaml'}`" in beat.degraded
        assert beat.coverage == (), "what is seen must be unknown"
        assert beat.detection_age_s is None
        assert not stage.heard.positions_s, "nobody is looked for, which is not nobody there"
        stage.wait_until(lambda: bool(stage.heard.alarms))
        (alarm,) = {one.id: one for _, one in stage.heard.alarms}.values()
        assert (alarm.kind, alarm.state) == ("gateway_trouble", "active")
        assert alarm.evidence == beat.degraded
        cameras = [stage.pids(name) for name in NAMES]

        rig.write_text("version: 1\ncameras: []\n", encoding="utf-8")  # still being written
        stage.wait_until(lambda: f"{NOBODY}: {rig}: " in stage.heard.beats[-1][1].degraded)
        part = tmp_path / "rig.part"
        shutil.copy(RIG, part)
        part.replace(rig)
        stage.wait_until(lambda: len(stage.heard.positions_s) > 3)
        stage.wait_until(lambda: stage.heard.alarms[-1][1].state == "cleared")
        assert stage.heard.alarms[-1][1].id == alarm.id
        assert stage.heard.beats[-1][1].coverage
        assert [stage.pids(name) for name in NAMES] == cameras
