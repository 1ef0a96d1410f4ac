"""What a fault has done is undone whatever happens to the process that did it."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edge.faults import filler
from edge.faults.target import FaultError
from tests.delivery.parts import wait_until
from tests.edge.test_storage_watch import small_disk

SCRIPT = """
import sys, time
from pathlib import Path
from edge.faults.undo import undone
with undone(Path(sys.argv[1]).touch, after_s=float(sys.argv[2])):
    print("done", flush=True)
    time.sleep(float(sys.argv[3]))
print("over", flush=True)
"""


def script(file: Path, after_s: float, for_s: float) -> "subprocess.Popen[str]":
    words = [sys.executable, "-c", SCRIPT, str(file), str(after_s), str(for_s)]
    started = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert started.stdout is not None
    assert started.stdout.readline() == "done\n"
    assert not file.exists()
    return started


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_process_that_is_killed_leaves_nothing_behind(tmp_path: Path, number: int) -> None:
    with script(tmp_path / "undone", 600.0, 600.0) as started:
        started.send_signal(number)
    wait_until((tmp_path / "undone").exists)


def test_a_process_that_hangs_is_not_waited_for(tmp_path: Path) -> None:
    with script(tmp_path / "undone", 2.0, 600.0) as started:
        started.send_signal(signal.SIGSTOP)
        try:
            wait_until((tmp_path / "undone").exists)
        finally:
            started.kill()


def test_at_the_end_it_is_undone_at_once(tmp_path: Path) -> None:
    with script(tmp_path / "undone", 600.0, 0.1) as started:
        assert started.stdout is not None
        assert started.stdout.read() == "over\n"
        assert (tmp_path / "undone").exists()


def test_a_filler_fills_and_goes(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 90) as disk:
        size, rest = filler.size_for(disk)
        assert rest == pytest.approx(0.025 * 90 * 2**20, rel=0.01)
        filler.fill(disk, size)
        with pytest.raises(FaultError, match="little room already"):
            filler.size_for(disk)
        assert filler.remove(disk)
        assert not filler.remove(disk)


def test_a_disk_that_takes_no_filler_is_left_as_it_was(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 90) as disk:
        size, _ = filler.size_for(disk)
        for wrong, said in ((2 * size, "No space left"), (size // 2, "does not fill its disk")):
            with pytest.raises(FaultError, match=said):
                filler.fill(disk, wrong)
            assert not any(disk.iterdir())
    with (
        small_disk(tmp_path / "tiny", 20) as disk,
        pytest.raises(FaultError, match="too small for a drill"),
    ):
        filler.size_for(disk)
