"""Ends that cost no time, in real processes."""

import atexit
import multiprocessing
import sys
import threading
from pathlib import Path

from edge.cameras.process import CameraHandle, stop_cameras
from edge.quick_end import end_quickly
from tests.delivery.parts import HANG_S


def works(folder: Path, *, quickly: bool) -> None:
    atexit.register((folder / "took down").touch)
    sys.stdout = (folder / "said").open("w", encoding="utf-8")
    sys.stdout.write("goodbye")
    if quickly:
        end_quickly()


def end_of(folder: Path, *, quickly: bool) -> int | None:
    spawn = multiprocessing.get_context("spawn")
    process = spawn.Process(target=works, args=(folder,), kwargs={"quickly": quickly})
    process.start()
    process.join(HANG_S)
    assert (folder / "said").read_text(encoding="utf-8") == "goodbye"
    return process.exitcode


def test_nothing_is_taken_down_and_what_was_said_is_there(tmp_path: Path) -> None:
    assert end_of(tmp_path, quickly=False) == 0
    assert (tmp_path / "took down").exists()
    (tmp_path / "took down").unlink()
    assert end_of(tmp_path, quickly=True) == 0
    assert not (tmp_path / "took down").exists()


class Slow:
    """A camera that ends only when all are told to."""

    def __init__(self, together: threading.Barrier) -> None:
        self._together = together

    def stop(self) -> None:
        self._together.wait(HANG_S / 4)


def test_cameras_are_stopped_at_the_same_time() -> None:
    together = threading.Barrier(3, action=None)
    slow = [Slow(together) for _ in range(3)]
    handles: list[CameraHandle] = slow  # type: ignore[assignment]
    stop_cameras(handles)
    assert not together.broken
