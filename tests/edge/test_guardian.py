"""A supervisor that hangs or dies is started again, and dies with its guardian."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.delivery.parts import HANG_S, wait_until
from tests.edge.processes import is_alive
from tests.sample_site import FOLDER

WORK = """
import ctypes, os, signal, sys, time
from pathlib import Path
from types import SimpleNamespace
from edge import guardian, log
from scene.errors import LamproomError

folder, script = Path(sys.argv[1]), sys.argv[2].split(",")
guardian.QUIET_LIMIT_S = 1.0
guardian.OFTEN_S = 3600.0
guardian.WORKED_S = float(os.environ.get("WORKED_S", "3600"))

def pause(duration_s):
    (folder / "paused").touch()
    time.sleep(duration_s)

guardian.time = SimpleNamespace(monotonic=time.monotonic, sleep=pause)

def work(beat, why):
    told = []
    signal.signal(signal.SIGTERM, lambda *_: told.append(1))
    with (folder / "starts").open("a") as starts:
        starts.write(f"{os.getpid()} {why}\\n")
    number = len((folder / "starts").read_text().splitlines()) - 1
    act = script[min(number, len(script) - 1)]
    beat()
    if act == "hang":
        os.kill(os.getpid(), signal.SIGSTOP)
    if act == "orphan":
        if os.fork() == 0:
            if os.fork() != 0:
                os._exit(0)
            (folder / "orphan").write_text(str(os.getpid()))
            os._exit(0)
        os.wait()
        act = "wait"
    if act == "crash":
        raise RuntimeError("as planned, rtsp://admin:secret@10.0.0.4/x")
    if act == "refuse":
        raise LamproomError("port 1 is taken; choose another")
    if act == "wait":
        while not told:
            beat()
            time.sleep(0.05)
        (folder / "told").touch()
    return 0

if "orphan" in script:
    ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER: as a container's first process
log.start("run")
sys.exit(guardian.guarded(work))
"""


@contextmanager
def guarded(folder: Path, script: str, **environment: str) -> "Iterator[subprocess.Popen[str]]":
    process = subprocess.Popen(
        [sys.executable, "-c", WORK, str(folder), script],
        env=os.environ | environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def starts(folder: Path) -> list[tuple[int, str]]:
    """List the supervisors: process, and why there was one before."""
    file = folder / "starts"
    lines = file.read_text().splitlines() if file.exists() else []
    return [(int(line.partition(" ")[0]), line.partition(" ")[2]) for line in lines]


def test_a_supervisor_that_hangs_or_crashes_is_started_again(tmp_path: Path) -> None:
    with guarded(tmp_path, "hang,crash,refuse,end") as process:
        _, said = process.communicate(timeout=HANG_S)
        assert process.returncode == 0
    assert [why for _, why in starts(tmp_path)] == [
        "",
        "has been quiet for 1 s",
        "ended with 1; its last error: supervisor: RuntimeError: as planned, rtsp://10.0.0.4/x",
        "ended with 2; its last error: port 1 is taken; choose another",
    ]
    assert "RuntimeError: as planned" in said
    assert "secret" not in said
    assert "lamproom run: port 1 is taken; choose another\n" in said
    assert "lamproom run: the supervisor has been quiet for 1 s; starting it again\n" in said


@pytest.mark.parametrize("worked", [True, False])
def test_who_worked_before_it_died_is_started_again_at_once(tmp_path: Path, worked: bool) -> None:
    with guarded(tmp_path, "crash,end", WORKED_S="0" if worked else "3600") as process:
        process.communicate(timeout=HANG_S)
        assert process.returncode == 0
    assert len(starts(tmp_path)) == 2
    assert (tmp_path / "paused").exists() != worked


@pytest.mark.parametrize("deaths", [3, 4])
def test_who_dies_again_and_again_is_not_started_without_a_pause_however_long_it_worked(
    tmp_path: Path, deaths: int
) -> None:
    with guarded(tmp_path, "crash," * deaths + "end", WORKED_S="0") as process:
        process.communicate(timeout=HANG_S)
        assert process.returncode == 0
    assert len(starts(tmp_path)) == deaths + 1
    assert (tmp_path / "paused").exists() == (deaths > 3)


def test_bad_input_at_the_first_start_is_the_end(tmp_path: Path) -> None:
    with guarded(tmp_path, "refuse") as process:
        _, said = process.communicate(timeout=HANG_S)
        assert process.returncode == 2
    assert said == "lamproom run: port 1 is taken; choose another\n"
    assert len(starts(tmp_path)) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_is_handed_on_and_is_the_end(tmp_path: Path, number: signal.Signals) -> None:
    with guarded(tmp_path, "wait") as process:
        wait_until(lambda: bool(starts(tmp_path)))
        process.send_signal(number)
        assert process.wait(timeout=HANG_S) == 0
    assert (tmp_path / "told").exists()


def test_a_signal_between_two_supervisors_is_the_end_too(tmp_path: Path) -> None:
    with guarded(tmp_path, "crash") as process:
        assert process.stderr is not None
        said = 0
        while said < 2:
            said += "starting it again" in process.stderr.readline()
        process.terminate()
        assert process.wait(timeout=HANG_S) == 0
    assert len(starts(tmp_path)) == 2, "none was started after it"


def test_nobody_is_killed_because_the_whole_machine_stood_still(tmp_path: Path) -> None:
    with guarded(tmp_path, "wait") as process:
        wait_until(lambda: bool(starts(tmp_path)))
        ((pid, _),) = starts(tmp_path)
        for one in (process.pid, pid):
            os.kill(one, signal.SIGSTOP)
        time.sleep(1.5)
        os.kill(process.pid, signal.SIGCONT)
        time.sleep(0.5)  # its guardian looks first
        os.kill(pid, signal.SIGCONT)
        process.terminate()
        assert process.wait(timeout=HANG_S) == 0
    assert (tmp_path / "told").exists()
    assert len(starts(tmp_path)) == 1


def test_the_dead_that_are_left_to_it_are_fetched(tmp_path: Path) -> None:
    with guarded(tmp_path, "orphan"):
        file = tmp_path / "orphan"
        wait_until(lambda: file.exists() and bool(file.read_text()))
        wait_until(lambda: not Path(f"/proc/{file.read_text()}").exists())


def test_a_supervisor_dies_with_its_guardian(tmp_path: Path) -> None:
    with guarded(tmp_path, "wait") as process:
        wait_until(lambda: bool(starts(tmp_path)))
        process.send_signal(signal.SIGKILL)
        process.wait()
        ((pid, _),) = starts(tmp_path)
        wait_until(lambda: not is_alive(pid))


def test_under_systemd_nobody_stands_between(tmp_path: Path) -> None:
    with guarded(tmp_path, "end", NOTIFY_SOCKET="/nowhere") as process:
        assert process.wait(timeout=HANG_S) == 0
        assert starts(tmp_path) == [(process.pid, "")]


def test_the_supervisor_is_imported_before_the_guardian_forks() -> None:
    """One that is started anew need not import it again, and is there the sooner."""
    seen = subprocess.run(
        [sys.executable, "-c", FORKS, str(FOLDER / "site.yaml")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert seen.stdout.split() == ["there"], seen.stderr


FORKS = """
import sys
from pathlib import Path
from edge import guardian, run
from edge.main import main
assert "edge.services" not in sys.modules
def guarded(work):
    print("there" if "edge.services" in sys.modules else "missing")
    return 0
guardian.guarded = guarded
sys.exit(main(["run", sys.argv[1]]))
"""
