"""Cameras that go on while whoever looks at them begins anew."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from edge import services
from edge.cameras import process as camera_process
from edge.cameras.keeping import CameraKeeper
from edge.cameras.kept import KeptCamera
from edge.cameras.process import CameraProcess, start_cameras
from edge.frame_ring import FrameRing, SourceStatus
from edge.options import RunOptions
from edge.services import Service, Supervisor
from scene.clock import SystemClock
from scene.messages import Frame
from scene.site import CameraConfig
from tests.delivery.parts import HANG_S, SITE
from tests.edge.camera_clips import picture, write_clip
from tests.edge.fake_services import log_of, pids_of
from tests.edge.processes import below, is_alive, name_of

NOBODY = "rtsp://127.0.0.1:9/none"
ROW = Service(
    module="tests.edge.fake_service_waits",
    wanted=lambda options: True,
    quiet_limit_s=30.0,
    severity="warning",
    spare=False,
    cameras=True,
)


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


def test_one_that_is_wanted_no_more_and_hangs_does_not_outlive_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(camera_process, "STOP_LIMIT_S", 0.1)
    keeper = CameraKeeper()
    keeper.want((CameraConfig(name="left", url=NOBODY),))
    (pid,) = [camera.pid for camera in keeper._cameras]
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    keeper.want(())
    assert keeper.kept == ()
    keeper.close()
    assert not is_alive(pid)


def supervise(
    folder: Path, rows: dict[str, Service], play: Callable[[], Iterator[None]]
) -> tuple[int, list[str]]:
    """Supervise services while a play goes on, a step each look; gives code and what was said."""
    said: list[str] = []
    steps, until_s = play(), time.monotonic() + HANG_S

    def over() -> bool:
        assert time.monotonic() < until_s, "it never happened"
        return next(steps, "over") == "over"

    options = RunOptions(site_file=folder / "site.yaml")
    return Supervisor(options, said.append, rows).run(over), said


def called_c1() -> list[int]:
    """List the camera processes of that name that run; they take it once they are up."""
    return [pid for pid in below(os.getpid()) if name_of(pid) == "c1" and is_alive(pid)]


def test_a_file_that_the_site_names_and_is_gone_ends_no_run(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", frames=3)
    text = SITE.replace("cameras: [", "cameras: [{name: c2, url: a.mp4}, ")
    (tmp_path / "site.yaml").write_text(text, encoding="utf-8")
    kept: list[list[int]] = []

    def play() -> Iterator[None]:
        while not (log_of(tmp_path, "knows") and (named := called_c1())):
            yield
        kept.append(named)
        clip.unlink()
        os.kill(pids_of(tmp_path, "knows")[-1], signal.SIGKILL)
        while log_of(tmp_path, "knows") < 2:
            yield
        kept.append(called_c1())

    rows = {"knows": replace(ROW, module="tests.edge.fake_service_knows")}
    code, said = supervise(tmp_path, rows, play)
    assert code == 0
    assert any("the cameras stay as they are: " in text and "a.mp4" in text for text in said)
    assert len(kept[0]) == 1
    assert kept[1] == kept[0]


def rings_of(pid: int) -> set[str]:
    """List the cameras' memories that a process holds."""
    found = set()
    for file in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.add(os.readlink(file).partition(" ")[0])
        except OSError:  # the one that lists them
            continue
    return {one for one in found if one.startswith("/memfd:lamproom-")}


def test_who_looks_at_no_camera_can_write_into_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "SPARE_AFTER_S", 0.0)
    (tmp_path / "site.yaml").write_text(SITE, encoding="utf-8")
    held: dict[str, set[str]] = {}

    def play() -> Iterator[None]:
        while len(held) < 3:
            for pid in below(os.getpid()):
                name = name_of(pid)
                if name in ("looks", "knows", "knows-spare"):
                    held[name] = rings_of(pid)
            yield

    looks = replace(ROW, module="tests.edge.fake_service_waits")
    knows = replace(ROW, module="tests.edge.fake_service_knows", cameras=False, spare=True)
    assert supervise(tmp_path, {"knows": knows, "looks": looks}, play)[0] == 0
    assert held == {"looks": {"/memfd:lamproom-c1"}, "knows": set(), "knows-spare": set()}


def spawned() -> set[int]:
    """List the processes that were started from here and run."""
    found = set()
    for pid in below(os.getpid()):
        with suppress(OSError):  # it has just ended
            if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes() and is_alive(pid):
                found.add(pid)
    return found


def test_cameras_end_with_a_run_that_ends_before_anybody_looks_at_them(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(SITE, encoding="utf-8")
    before = spawned()
    refuses = replace(ROW, module="tests.edge.fake_service_refuses", cameras=False)
    code, _ = supervise(tmp_path, {"refuses": refuses, "waits": ROW}, lambda: iter(()))
    assert code == 2
    assert log_of(tmp_path, "waits") == 0
    assert spawned() <= before
