"""A second gateway that is started by accident leaves the one that runs alone."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge import alone as alone_module
from edge.alone import alone
from scene.errors import LamproomError
from tests.delivery.parts import wait_until
from tests.edge.fake_services import log_of, pids_of
from tests.edge.processes import is_alive
from tests.edge.test_running import state_of
from tests.edge.test_services import running, supervise
from tests.faults.loop_disk import loop_disk, no_loop_disk, stalled

HOLDS = """
import os, sys, time
from pathlib import Path
from edge.alone import alone

folder, said, leaves = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:] == ["leaves"]
with alone(folder):
    if leaves and os.fork() != 0:
        os._exit(0)
    said.write_text(str(os.getpid()))
    while True:
        time.sleep(0.05)
        if said.with_name("write").exists():
            (folder / "file").write_bytes(bytes(10))
"""


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alone_module, "WAIT_S", 0.3)


@contextmanager
def holding(
    folder: Path, said: Path, *words: str
) -> "Iterator[tuple[subprocess.Popen[bytes], int]]":
    """Let a process hold a folder; gives it, and who is left over when it `leaves`."""
    process = subprocess.Popen([sys.executable, "-c", HOLDS, str(folder), str(said), *words])
    pid = 0
    try:
        wait_until(lambda: said.exists() and bool(said.read_text()))
        pid = int(said.read_text())
        yield process, pid
    finally:
        process.kill()
        if pid not in (0, process.pid):
            os.kill(pid, 9)
        process.wait()


def test_a_second_gateway_with_the_same_state_is_refused_before_it_starts_anything(
    tmp_path: Path,
) -> None:
    """It would take the broker connection of the one that runs, and say that it is gone."""
    with running(tmp_path) as process:
        with pytest.raises(LamproomError) as error:
            supervise(tmp_path, "waits", until=lambda: True)
        assert str(error.value).startswith(
            f"{tmp_path / 'state'}: another gateway (process {process.pid}) runs with this state "
        )
        assert log_of(tmp_path, "waits") == 0
        assert process.poll() is None
        assert is_alive(pids_of(tmp_path, "deaf")[-1])
    code, _ = supervise(tmp_path, "waits", until=lambda: log_of(tmp_path, "waits") == 1)
    assert code == 0, "once that one is gone, however it ended"


def test_the_folder_is_free_when_the_run_is_over(tmp_path: Path) -> None:
    for _ in range(2):
        with alone(tmp_path), pytest.raises(LamproomError), alone(tmp_path):
            pass


def test_who_is_left_over_keeps_no_gateway_from_starting(tmp_path: Path) -> None:
    """A service that can't be killed was forked out of the one that held the folder."""
    with holding(tmp_path, tmp_path / "pid", "leaves") as (process, left):
        process.wait()
        with alone(tmp_path):
            assert is_alive(left)


@pytest.mark.skipif(bool(no_loop_disk()), reason=no_loop_disk())
def test_one_that_was_killed_and_waits_for_its_disk_keeps_no_gateway_from_starting(
    tmp_path: Path,
) -> None:
    with (
        loop_disk(tmp_path) as (_, disk),
        holding(disk, tmp_path / "pid") as (process, pid),
        stalled(disk),
    ):
        (tmp_path / "write").touch()
        wait_until(lambda: state_of(pid) == "D")
        with pytest.raises(LamproomError), alone(disk):
            pass
        process.kill()
        with alone(disk):
            assert state_of(pid) == "D"


def test_where_nothing_can_be_locked_it_runs_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with alone(tmp_path / "file"), alone(tmp_path / "file" / "state"):
        pass
    with alone(tmp_path / "made" / "anew"):
        assert (tmp_path / "made" / "anew").is_dir()
