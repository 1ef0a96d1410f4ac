"""A process that not even SIGKILL ends: the kernel waits for a disk that hangs."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from edge import running, services
from edge.byte_ring import ByteRing
from edge.cameras import process as camera_process
from edge.cameras.process import CameraProcess
from edge.frame_ring import FrameRing, SourceStatus
from edge.options import RunOptions
from edge.services import Service, Supervisor
from scene.site import CameraConfig
from tests.delivery.parts import HANG_S, SITE, wait_until
from tests.edge.fake_services import log_of, pids_of
from tests.edge.processes import is_alive
from tests.edge.test_running import state_of
from tests.edge.test_services import supervisor_alarms
from tests.faults.loop_disk import loop_disk, no_loop_disk, stalled

pytestmark = pytest.mark.skipif(bool(no_loop_disk()), reason=no_loop_disk())


def row(name: str, quiet_limit_s: float = 60.0, *, needed: bool = True) -> Service:
    return Service(
        module=f"tests.edge.fake_service_{name}",
        wanted=lambda options: True,
        quiet_limit_s=quiet_limit_s,
        severity="warning",
        needed=needed,
        spare=False,
    )


def supervise(
    folder: Path, needed: bool, play: Callable[[list[str]], Iterator[None]]
) -> tuple[int, list[str]]:
    said: list[str] = []
    steps, until_s = play(said), time.monotonic() + 2 * HANG_S

    def over() -> bool:
        assert time.monotonic() < until_s, said
        return next(steps, "over") == "over"

    (folder / "site.yaml").write_text(SITE, encoding="utf-8")
    rows = {"freezes": row("freezes", 3.0, needed=needed), "knows": row("knows")}
    options = RunOptions(site_file=folder / "site.yaml")
    return Supervisor(options, said.append, rows).run(over), said


@pytest.fixture(autouse=True)
def from_the_first_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "REGULAR_SIGNS", 1)
    monkeypatch.setattr(running, "REGULAR_S", 0.0)


@pytest.fixture(name="manager")
def _manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Play systemd, which kills the gateway when it hears nothing for a second."""
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "1000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)
        yield manager


def heard(manager: socket.socket) -> list[bytes]:
    found: list[bytes] = []
    with suppress(BlockingIOError):
        while True:
            found.append(manager.recv(100))
    return found


@pytest.mark.parametrize("needed", [False, True], ids=["recorder", "sender"])
def test_a_process_that_cannot_be_killed_ends_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, manager: socket.socket, needed: bool
) -> None:
    monkeypatch.setattr(services, "UNKILLABLE_S", 1.0)
    with loop_disk(tmp_path) as (_, disk), ExitStack() as frozen:

        def play(said: list[str]) -> Iterator[None]:
            while not log_of(tmp_path, "freezes"):
                yield
            frozen.enter_context(stalled(disk))
            (tmp_path / "write").touch()
            while "freezes has been quiet for 3 s and can't be killed; leaving it" not in said:
                yield
            heard(manager)
            pings: list[bytes] = []
            while pings.count(b"WATCHDOG=1") < 5 or not supervisor_alarms(tmp_path):
                pings += heard(manager)
                yield
            while needed and log_of(tmp_path, "freezes") < 2:
                yield
            assert log_of(tmp_path, "freezes") == (2 if needed else 1)
            assert is_alive(pids_of(tmp_path, "freezes")[0])
            if not needed:  # it comes back by itself once the disk does
                frozen.close()
                while log_of(tmp_path, "freezes") < 2:
                    yield

        code, _said = supervise(tmp_path, needed, play)
        assert code == 0
        stuck = pids_of(tmp_path, "freezes")[0]
        assert is_alive(stuck) is needed, "the run ends all the same"
        (alarm,) = supervisor_alarms(tmp_path)
        assert alarm.evidence.startswith("freezes: it has been quiet for 3 s and can't be killed")
        assert log_of(tmp_path, "knows") == 1


def test_of_those_who_would_hang_the_same_way_not_more_and_more_are_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "UNKILLABLE_S", 0.5)
    monkeypatch.setattr(services, "MOST_LEFT", 0)
    with loop_disk(tmp_path) as (_, disk), ExitStack() as frozen:

        def play(said: list[str]) -> Iterator[None]:
            while not log_of(tmp_path, "freezes"):
                yield
            frozen.enter_context(stalled(disk))
            (tmp_path / "write").touch()
            while not any("can't be killed" in text for text in said):
                yield
            for _ in range(20):
                yield
            assert log_of(tmp_path, "freezes") == 1
            frozen.close()
            while log_of(tmp_path, "freezes") < 2:
                yield

        code, _ = supervise(tmp_path, True, play)
        assert code == 0


def caught(folder: Path, number: int) -> list[int]:
    file = folder / f"caught-{number}"
    return [int(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_who_follows_a_reader_that_cannot_be_killed_gets_all_that_is_said_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the sender's: the dead one has its end of the line still, and never reads."""
    monkeypatch.setattr(services, "UNKILLABLE_S", 1.0)
    took_s = list[float]()
    with loop_disk(tmp_path) as (_, disk), ExitStack() as frozen:
        (tmp_path / "site.yaml").write_text(SITE, encoding="utf-8")

        def steps() -> Iterator[None]:
            while len(caught(tmp_path, 1)) < 5:
                yield
            frozen.enter_context(stalled(disk))
            (tmp_path / "write").touch()
            while log_of(tmp_path, "catches") < 2:
                yield
            began_s = time.monotonic()
            while not caught(tmp_path, 2):
                yield
            took_s.append(time.monotonic() - began_s)
            while len(caught(tmp_path, 2)) < 50:
                yield
            assert is_alive(pids_of(tmp_path, "catches")[0])

        playing, until_s = steps(), time.monotonic() + 2 * HANG_S

        def over() -> bool:
            assert time.monotonic() < until_s
            return next(playing, "over") == "over"

        rows = {"catches": row("catches", 3.0), "counts": row("counts")}
        options = RunOptions(site_file=tmp_path / "site.yaml")
        assert Supervisor(options, lambda _text: None, rows).run(over) == 0
    first, second = caught(tmp_path, 1), caught(tmp_path, 2)
    print(f"the next one had the first word {took_s[0]:.2f} s after its start")
    assert first == list(range(1, len(first) + 1))
    assert second == list(range(second[0], second[0] + len(second)))
    assert second[0] == first[-1] + 1, "none is lost, and none of those that were dealt with again"


def test_the_end_of_a_run_does_not_wait_for_a_process_that_cannot_be_killed(
    tmp_path: Path,
) -> None:
    """In a process of its own, for it is at its exit that Python would wait."""
    (tmp_path / "site.yaml").write_text(SITE, encoding="utf-8")
    (tmp_path / "run.py").write_text(RUN, encoding="utf-8")
    with (
        loop_disk(tmp_path) as (_, disk),
        ExitStack() as frozen,
        subprocess.Popen(
            [sys.executable, str(tmp_path / "run.py"), str(tmp_path / "site.yaml")],
            env=os.environ | {"PYTHONPATH": os.getcwd()},
            stdout=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        while not log_of(tmp_path, "freezes"):
            assert process.poll() is None
            time.sleep(0.05)
        frozen.enter_context(stalled(disk))
        (tmp_path / "write").touch()
        for line in process.stdout:
            if "can't be killed" in line:
                break
        process.terminate()
        try:
            assert process.wait(HANG_S) == 0
        finally:
            process.kill()


RUN = """
import sys
from pathlib import Path
from edge import running, services
from edge.cameras import process as camera_process
from edge.cameras.process import CameraProcess
from edge.frame_ring import FrameRing, SourceStatus
from edge.options import RunOptions
from edge.services import Supervisor
from tests.edge.test_unkillable import row
services.UNKILLABLE_S, running.REGULAR_SIGNS, running.REGULAR_S = 0.5, 1, 0.0
def say(text):
    print(text, flush=True)
if __name__ == "__main__":
    rows = {"freezes": row("freezes", 3.0, needed=False)}
    sys.exit(Supervisor(RunOptions(site_file=Path(sys.argv[1])), say, rows).run())
"""


def freezing_camera(
    config: CameraConfig,
    ring: FrameRing,
    _hold: Connection,
    _loop: bool,
    _at_ns: int | None,
    *,
    packets: ByteRing | None,
) -> None:
    """Give signs of life; write to the disk, for ever once that hangs, if we are the first."""
    folder = Path(config.url)
    with (folder / "camera").open("a", encoding="utf-8") as log:
        log.write(f"{os.getpid()}\n")
    first = len(pids_of(folder, "camera")) == 1
    ring.report(SourceStatus(state="running"))
    while True:
        ring.alive()
        if first and (folder / "write").exists():
            (folder / "disk" / "file").write_bytes(bytes(10))
        time.sleep(0.05)


def frozen_camera(folder: Path, put: Callable[[object, str, object], None]) -> CameraProcess:
    """Start one with `put`, that is `setattr`; it hangs once there is a file `write`."""
    put(camera_process, "main", freezing_camera)
    put(camera_process, "is_live", lambda config: True)
    camera = CameraProcess(CameraConfig.model_construct(name="left", url=str(folder)))
    camera.start()
    wait_until(lambda: camera.status().state == "running")
    return camera


@pytest.mark.parametrize("most_left", [0, 3])
def test_another_one_does_the_work_of_a_camera_that_cannot_be_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most_left: int
) -> None:
    monkeypatch.setattr(camera_process, "RUNNING_QUIET_LIMIT_S", 2.0)
    monkeypatch.setattr(camera_process, "MOST_LEFT", most_left)
    with loop_disk(tmp_path) as (_, disk), ExitStack() as frozen:
        camera = frozen_camera(tmp_path, monkeypatch.setattr)
        first = camera.pid
        assert first is not None
        frozen.enter_context(stalled(disk))
        (tmp_path / "write").touch()
        wait_until(lambda: "can't be killed" in camera.status().detail)
        if not most_left:
            for _ in range(5):
                camera._checked_s = 0.0
                camera.look_after()
            assert camera.pid == first, "the next one would hang, too"
            assert camera.status().detail.endswith("can't be killed; none is started")
            frozen.close()
        wait_until(lambda: camera.status().state == "running" and camera.pid != first)
        assert is_alive(first) is bool(most_left)
        camera.stop()
        assert pids_of(tmp_path, "camera") == [first, camera.pid]


CAMERA = """
import sys
from pathlib import Path
from tests.edge.test_unkillable import frozen_camera
if __name__ == "__main__":
    camera = frozen_camera(Path(sys.argv[1]), setattr)
    print("up", flush=True)
    sys.stdin.readline()
    camera.stop()
"""


def test_the_end_does_not_wait_for_a_camera_that_cannot_be_killed(tmp_path: Path) -> None:
    """As above, in a process of its own."""
    (tmp_path / "run.py").write_text(CAMERA, encoding="utf-8")
    with (
        loop_disk(tmp_path) as (_, disk),
        ExitStack() as frozen,
        subprocess.Popen(
            [sys.executable, str(tmp_path / "run.py"), str(tmp_path)],
            env=os.environ | {"PYTHONPATH": os.getcwd()},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None and process.stdin is not None
        assert process.stdout.readline() == "up\n"
        frozen.enter_context(stalled(disk))
        (tmp_path / "write").touch()
        (pid,) = pids_of(tmp_path, "camera")
        try:
            wait_until(lambda: state_of(pid) == "D")
            print(file=process.stdin, flush=True)
            assert process.wait(HANG_S) == 0
            assert is_alive(pid)
        finally:
            process.kill()
