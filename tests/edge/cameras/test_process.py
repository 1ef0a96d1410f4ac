import contextlib
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.cameras import process as camera_process
from edge.cameras.going import keep_going
from edge.cameras.process import CameraHandle, CameraProcess, failures, start_cameras
from edge.cameras.source import CameraSource
from edge.cameras.thread import CameraThread
from edge.frame_ring import FrameRing, SourceStatus
from edge.together import Together
from scene.clock import SystemClock
from scene.errors import CameraError
from scene.messages import Frame
from scene.site import CameraConfig
from tests.edge.camera_clips import picture, shade_in, write_clip

SLACK_S = 60.0
"""How long a busy machine may take for anything."""


def config(name: str, path: Path, fps: float | None = None) -> CameraConfig:
    return CameraConfig.model_construct(name=name, url=str(path), transport="tcp", fps=fps)


def wait_for(what: Callable[[], bool]) -> bool:
    deadline_s = time.monotonic() + SLACK_S
    while time.monotonic() < deadline_s:
        if what():
            return True
        time.sleep(0.02)
    return what()


@contextlib.contextmanager
def started(*configs: CameraConfig, in_processes: bool, loop: bool) -> Iterator[list[CameraHandle]]:
    handles = start_cameras(configs, SystemClock(), loop=loop, in_processes=in_processes)
    try:
        yield list(handles)
    finally:
        for handle in handles:
            handle.stop()


@pytest.mark.parametrize("in_processes", [False, True])
def test_files_run_side_by_side_and_their_end_is_told(tmp_path: Path, in_processes: bool) -> None:
    paths = [write_clip(tmp_path / f"{name}.mp4", frames=15) for name in "ab"]
    cameras = [config(path.stem, path) for path in paths]
    sets = []
    with started(*cameras, in_processes=in_processes, loop=False) as handles:
        together = Together(handles, 0.05)
        deadline_s = time.monotonic() + SLACK_S
        while not together.ended() and time.monotonic() < deadline_s:
            frames = together.newest()
            if frames:
                sets.append(frames)
            time.sleep(0.005)
        assert [handle.status().state for handle in handles] == ["ended", "ended"]
        assert [handle.name for handle in handles] == ["a", "b"]
        assert failures(handles) == ()
    whole = [frames for frames in sets if len(frames) == 2]
    assert whole
    for a, b in whole:
        assert a.captured_at_ns == b.captured_at_ns
        assert shade_in(a.image) == pytest.approx(shade_in(b.image), abs=1)


@pytest.mark.parametrize("in_processes", [False, True])
def test_a_file_that_can_not_be_played_is_failed_with_the_reason(
    tmp_path: Path, in_processes: bool
) -> None:
    (tmp_path / "a.mp4").write_text("no video")
    camera = config("left", tmp_path / "a.mp4")
    with started(camera, in_processes=in_processes, loop=True) as (handle,):
        assert wait_for(lambda: handle.status().state == "failed")
        assert "camera left" in handle.status().detail
        assert "a.mp4" in handle.status().detail
        assert failures([handle]) == (handle.status().detail,)
        assert handle.latest() is None
        assert Together([handle], 0.05).ended()


def test_a_process_that_is_killed_is_started_again_and_frames_go_on(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4")
    with started(config("left", path), in_processes=True, loop=True) as (camera,):
        assert isinstance(camera, CameraProcess)
        assert wait_for(lambda: camera.latest() is not None)
        killed, seen = camera.pid, camera.times()[-1]
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        assert wait_for(lambda: camera.status().state == "reconnecting")
        assert "ended with -9" in camera.status().detail
        assert wait_for(lambda: camera.times()[-1][0] > seen[0] + 2)
        assert wait_for(lambda: camera.times()[-1][1] > seen[1])
        assert camera.pid != killed
        assert wait_for(lambda: camera.status().state == "running")


@pytest.mark.parametrize("limit", ["QUIET_LIMIT_S", "RUNNING_QUIET_LIMIT_S"])
def test_a_process_that_hangs_is_killed_and_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    for name in ("QUIET_LIMIT_S", "RUNNING_QUIET_LIMIT_S"):
        monkeypatch.setattr(camera_process, name, 1.0 if name == limit else 1e6)
    monkeypatch.setattr(camera_process, "is_live", lambda config: True)
    path = write_clip(tmp_path / "a.mp4")
    with started(config("left", path), in_processes=True, loop=True) as (camera,):
        assert isinstance(camera, CameraProcess)
        assert wait_for(lambda: camera.latest() is not None)
        hung, seen = camera.pid, camera.times()[-1]
        assert hung is not None
        os.kill(hung, signal.SIGSTOP)
        assert wait_for(lambda: "hung" in camera.status().detail)
        assert wait_for(lambda: camera.times()[-1][0] > seen[0] + 2)
        assert camera.pid != hung
        with pytest.raises(ProcessLookupError):
            os.kill(hung, 0)


def test_nobody_is_killed_because_the_whole_machine_stood_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a virtual machine that is paused, or Ctrl-Z: who could not look can't tell."""
    monkeypatch.setattr(camera_process, "is_live", lambda config: True)
    monkeypatch.setattr(camera_process, "RUNNING_QUIET_LIMIT_S", 2.0)
    path = write_clip(tmp_path / "a.mp4")
    with started(config("left", path), in_processes=True, loop=True) as (camera,):
        assert isinstance(camera, CameraProcess)
        assert wait_for(lambda: camera.status().state == "running")
        pid = camera.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        time.sleep(2.2)  # we stand still, too
        camera.look_after()
        assert (camera.ring.status().state, camera.pid) == ("running", pid)
        os.kill(pid, signal.SIGCONT)
        seen = camera.ring.times()[-1][0]
        assert wait_for(lambda: camera.ring.times()[-1][0] > seen + 2)
        camera.look_after()
        assert (camera.status().state, camera.pid) == ("running", pid)


@contextlib.contextmanager
def room_for(files: int) -> Iterator[None]:
    """Let this process open so many files more and not one besides."""
    free = [fd for fd in range(4096) if not _is_open(fd)]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free[files], hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


@pytest.mark.parametrize("files", [0, 2])
def test_a_process_for_which_there_is_no_room_is_started_later(tmp_path: Path, files: int) -> None:
    path = write_clip(tmp_path / "a.mp4")
    with started(config("left", path), in_processes=True, loop=True) as (camera,):
        assert isinstance(camera, CameraProcess)
        assert wait_for(lambda: camera.status().state == "running")
        assert camera.pid is not None and camera._process is not None
        os.kill(camera.pid, signal.SIGKILL)
        camera._process.join()
        camera._started_s -= 100.0  # it worked for long, so the next one is started at once
        camera._checked_s = 0.0
        with room_for(files):
            camera.look_after()
        status = camera.ring.status()
        assert status.state == "reconnecting"
        assert "it can't be started: " in status.detail
        assert "Too many open files" in status.detail
        assert wait_for(lambda: camera.status().state == "running")


def test_one_for_which_there_was_no_room_can_be_stopped() -> None:
    camera = CameraProcess(config("left", Path("a.mp4")))
    with room_for(2), pytest.raises(OSError, match="Too many open files"):
        camera.start()
    camera.stop()
    assert camera.pid is None


def test_a_process_that_dies_again_and_again_is_given_growing_pauses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(camera_process, "FIRST_PAUSE_S", 0.1)
    path = write_clip(tmp_path / "a.mp4")
    with started(config("left", path), in_processes=True, loop=True) as (camera,):
        assert isinstance(camera, CameraProcess)
        camera._pause_s = 0.1
        for _ in range(3):
            assert wait_for(lambda: camera.status().state == "running")
            assert camera.pid is not None
            os.kill(camera.pid, signal.SIGKILL)
            assert wait_for(lambda: camera.status().state == "reconnecting")
        assert camera._pause_s == pytest.approx(0.8)


def test_stopping_ends_the_process_and_can_be_done_twice(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4")
    with started(config("left", path), in_processes=True, loop=True) as (camera,):
        assert isinstance(camera, CameraProcess)
        assert wait_for(lambda: camera.latest() is not None)
        pid = camera.pid
        assert pid is not None
        camera.stop()
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        camera.stop()
        assert camera.latest() is not None  # the last frames can still be read


def test_a_thread_that_waits_for_its_next_picture_stops_at_once(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.mp4")
    clock = SystemClock()
    camera = CameraThread(
        config("left", tmp_path / "a.mp4"), clock, start_at_ns=clock.now_ns() + 3600 * 10**9
    )
    camera.start()
    camera.stop()
    assert not camera._thread.is_alive()


PARENT = """
import sys, time
from pathlib import Path
from edge.cameras.process import CameraProcess
from scene.site import CameraConfig
if __name__ == "__main__":
    camera = CameraProcess(CameraConfig(name="left", url=sys.argv[1]), loop=True)
    camera.start()
    while camera.latest() is None:
        time.sleep(0.02)
    print(camera.pid, flush=True)
    time.sleep(600)
"""


def test_a_camera_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4")
    (tmp_path / "parent.py").write_text(PARENT)
    shared = set(os.listdir("/dev/shm"))
    with subprocess.Popen(
        [sys.executable, str(tmp_path / "parent.py"), str(path)], stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert _is_running(pid)
        parent.kill()
    assert wait_for(lambda: not _is_running(pid))
    assert not [name for name in set(os.listdir("/dev/shm")) - shared if "lamproom" in name]


def _is_running(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


class Flaky:
    """A live camera that fails now and then; closes are counted."""

    note, corrupt_frames, full_range, name = "", 0, False, "left"
    heard: Callable[[], None]

    def __init__(self, frames: int) -> None:
        self._frames = frames
        self.closed = 0

    def frames(self) -> Iterator[Frame]:
        for index in range(self._frames):
            yield Frame(camera="left", captured_at_ns=index, image=picture(16, 16, index))
        raise CameraError("camera left: it does not answer")

    def close(self) -> None:
        self.closed += 1


class Pauses(threading.Event):
    """Notes how long it was waited for, and says stop in the end."""

    def __init__(self, enough: int) -> None:
        super().__init__()
        self.pauses: list[float] = []
        self._enough = enough

    def wait(self, timeout: float | None = None) -> bool:
        self.pauses.append(timeout or 0.0)
        if len(self.pauses) >= self._enough:
            self.set()
        return self.is_set()


def test_a_live_camera_is_tried_for_ever_with_growing_pauses() -> None:
    live = CameraConfig(name="left", url="rtsp://10.0.0.4/x")
    ring, stopping, sources = FrameRing("left"), Pauses(7), list[Flaky]()

    def opener() -> CameraSource:
        if len(sources) == 2:
            sources.append(Flaky(0))
            raise CameraError("camera left: can't connect: Connection refused")
        sources.append(Flaky(3))
        return sources[-1]

    keep_going(live, opener, ring, SystemClock(), stopping)
    assert stopping.pauses == [0.5, 1, 2, 3, 3, 3, 3]
    assert ring.status().state == "reconnecting"
    assert ring.times()[-1][0] == 18
    assert [source.closed for source in sources] == [1, 1, 0, 1, 1, 1, 1]


def test_a_file_is_not_tried_again() -> None:
    ring, stopping = FrameRing("left"), Pauses(5)
    keep_going(config("left", Path("a.mp4")), lambda: Flaky(1), ring, SystemClock(), stopping)
    assert not stopping.pauses
    assert ring.status() == SourceStatus(state="failed", detail="camera left: it does not answer")


def test_a_picture_without_room_is_an_error_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.frame_ring.MAX_PIXELS", 100)
    ring = FrameRing("left")
    keep_going(config("l", Path("a")), lambda: Flaky(1), ring, SystemClock(), threading.Event())
    assert ring.status().state == "failed"
    assert "16x16" in ring.status().detail


class Signs(FrameRing):
    """Counts the signs of life that say nothing else."""

    count = 0

    def alive(self) -> None:
        super().alive()
        self.count += 1


class Damaged:
    """A camera whose pictures are damaged after so many good ones; packets go on coming."""

    note, full_range, name = "", False, "left"
    heard: Callable[[], None]

    def __init__(self, good: int, ring: Signs) -> None:
        self.corrupt_frames = 0
        self._good, self._ring = good, ring
        self.told: list[tuple[str, int]] = []

    def frames(self) -> Iterator[Frame]:
        for index in range(self._good):
            yield Frame(camera="left", captured_at_ns=index, image=picture(16, 16, index))
        for index in range(4):
            self.corrupt_frames += index % 2  # some packets are the half of a picture
            before = self._ring.count
            self.heard()
            assert self._ring.count > before, "a sign of life"
            status = self._ring.status()
            self.told.append((status.state, status.corrupt_frames))

    def close(self) -> None: ...


@pytest.mark.parametrize(("good", "state"), [(0, "connecting"), (3, "running")])
def test_damaged_pictures_are_signs_of_life_and_are_told(good: int, state: str) -> None:
    ring = Signs("left")
    source = Damaged(good, ring)
    live = CameraConfig(name="left", url="rtsp://10.0.0.4/x")
    keep_going(live, lambda: source, ring, SystemClock(), threading.Event())
    assert source.told == [(state, 0), (state, 1), (state, 1), (state, 2)]
