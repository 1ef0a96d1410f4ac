"""Cameras that go on while whoever looks at them begins anew."""

from pathlib import Path

from edge.camera_keeping import CameraKeeper
from edge.camera_kept import KeptCamera
from edge.camera_process import CameraProcess, start_cameras
from edge.frame_ring import FrameRing, SourceStatus
from scene.clock import SystemClock
from scene.messages import Frame
from scene.site import CameraConfig
from tests.edge.camera_clips import picture, write_clip
from tests.edge.processes import is_alive

NOBODY = "rtsp://127.0.0.1:9/none"


def frame(at_ns: int) -> Frame:
    return Frame(camera="left", captured_at_ns=at_ns, image=picture(64, 48, 100))


def test_what_a_camera_showed_before_does_not_pass_for_what_it_sees_now() -> None:
    ring = FrameRing("left")
    before = ring.write(frame(10))
    ring.report(SourceStatus(state="running"))
    camera = KeptCamera(ring)
    assert camera.times() == ()
    assert camera.latest() is None
    assert camera.read(before) is None
    now = ring.write(frame(20))
    assert camera.times() == ((now, 20),)
    found = camera.latest()
    assert found is not None
    assert found[0].captured_at_ns == 20
    assert camera.latest(now) is None
    assert camera.read(now) is not None
    assert camera.status().state == "running"
    camera.stop()
    assert ring.write(frame(30)) == now + 1, "it goes on"


def test_live_cameras_are_kept_as_long_as_the_site_has_them_so(tmp_path: Path) -> None:
    left = CameraConfig(name="left", url=NOBODY)
    right = CameraConfig(name="right", url=NOBODY)
    file = CameraConfig(name="file", url=str(write_clip(tmp_path / "a.mp4", frames=3)))
    keeper = CameraKeeper()
    try:
        keeper.want((left, file, right))
        assert [config.name for config, _ in keeper.kept] == ["left", "right"]
        kept = dict((config.name, ring) for config, ring in keeper.kept)
        moved = right.model_copy(update={"url": "rtsp://127.0.0.1:9/other"})
        keeper.want((left, moved))
        now = dict((config.name, ring) for config, ring in keeper.kept)
        assert now["left"] is kept["left"]
        assert now["right"] is not kept["right"], "another address is another camera"
        pids = [camera.pid for camera in keeper._cameras]
        looked_at = start_cameras((left, moved), SystemClock(), kept=keeper.kept)
        assert not [one for one in looked_at if isinstance(one, CameraProcess)]
        others = start_cameras((right,), SystemClock(), kept=keeper.kept)
        assert isinstance(others[0], CameraProcess), "nobody keeps it, so it is started"
        others[0].stop()
        for one in looked_at:
            one.stop()
        assert all(pid is not None and is_alive(pid) for pid in pids)
    finally:
        keeper.close()
    assert not [pid for pid in pids if pid is not None and is_alive(pid)]
