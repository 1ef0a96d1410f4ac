"""The drift thread: what it applies by itself, and how it is noticed that it hangs or has died."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from edge.drift.loop import AUTO_APPLY_AFTER_S, LOOK_LIMIT_S, NOT_WATCHED, DriftLoop
from edge.drift.unplaced import NOT_PLACED
from scene.clock import ReplayClock
from scene.messages import CameraHealth, Detections
from scene.rig import load_rig
from scene.rig_history import apply_proposal, proposal_file, roll_back, rolled_back_from
from scene.site import parse_site
from tests.edge.knock_day import SITE, Day
from tests.stitching.knocks import turn

HANG_S = 60.0
START_NS = 1_700_000_000_000_000_000


class LoopClock(ReplayClock):
    """Counts the rounds of the drift thread: it sleeps after each."""

    rounds = 0

    def sleep(self, duration_s: float) -> None:
        super().sleep(duration_s)
        self.rounds += threading.current_thread().name == "drift"


def until(true: Callable[[], bool]) -> None:
    until_s = time.monotonic() + HANG_S
    while not true():
        assert time.monotonic() < until_s, "it never came"
        time.sleep(0.002)


class Run:
    """A day's cameras under a running drift thread."""

    def __init__(self, folder: Path) -> None:
        self.day = Day(folder)
        self.file = self.day.site.rig.file
        self.clock = LoopClock(START_NS)
        self.day.clock = self.clock
        text = SITE.replace("rig: {", "rig: {auto_apply: true, ")
        site = parse_site(text, name="site.yaml", folder=folder)
        assert site.rig.auto_apply
        self.loop = DriftLoop(site, self.day.rig, self.clock)
        self.loop.start()

    def run(self, seconds: float) -> None:
        for _ in range(round(2 * seconds)):
            before = self.clock.rounds
            self.clock.sleep(0.4)
            self.loop.give(self.day.frames())
            until(lambda before=before: self.clock.rounds > before)  # type: ignore[misc]

    def take_over(self) -> str:
        self.loop.watch.rehung(load_rig(self.file))
        return load_rig(self.file).id

    def details(self) -> list[str]:
        ok = [
            CameraHealth(name=name, state="ok", fps=2.0, last_frame_at_ns=1)
            for name in ("cam1", "cam2")
        ]
        return [one.detail for one in self.loop.judged(ok, "")]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Run]:
    run = Run(tmp_path)
    yield run
    run.loop.stop(HANG_S)


def test_what_somebody_took_back_is_not_applied_by_itself_again(running: Run) -> None:
    first = running.day.rig.id
    running.run(6)
    running.day.knock("cam2", turn(1.4))
    running.run(AUTO_APPLY_AFTER_S + 10)
    second = running.take_over()
    assert second != first, "a site may want it applied by itself"
    running.run(6)
    assert running.details() == ["", ""]
    assert roll_back(running.file) == (second, first)
    running.take_over()
    running.run(2 * AUTO_APPLY_AFTER_S + 10)
    assert load_rig(running.file).id == first
    assert f"not applied by itself: somebody took {second} back" in running.details()[1]
    assert proposal_file(running.file).exists()
    apply_proposal(running.file)
    assert load_rig(running.file).id != first
    assert rolled_back_from(running.file) is None


def test_a_thread_that_hangs_is_told_for_every_camera(
    running: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    running.run(6)
    look, begun, go_on = running.loop.watch.look, threading.Event(), threading.Event()

    def hang(*_: object) -> None:
        begun.set()
        assert go_on.wait(HANG_S)

    monkeypatch.setattr(running.loop.watch, "look", hang)
    running.loop.give(running.day.frames())
    assert begun.wait(HANG_S)
    running.clock.sleep(LOOK_LIMIT_S - 1)
    assert running.details() == ["", ""]
    running.clock.sleep(2)
    assert all(NOT_WATCHED in detail for detail in running.details())
    monkeypatch.setattr(running.loop.watch, "look", look)
    go_on.set()
    until(lambda: running.details() == ["", ""])


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_has_died_is_told(running: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    running.run(6)

    def die(*_: object) -> None:
        raise SystemExit

    monkeypatch.setattr(running.loop.watch, "look", die)
    running.loop.give(running.day.frames())
    until(lambda: not any(one.name == "drift" for one in threading.enumerate()))
    running.clock.sleep(LOOK_LIMIT_S + 1)
    assert all(NOT_WATCHED in detail for detail in running.details())
    running.clock.sleep(LOOK_LIMIT_S)
    assert all("for 31 s now" in detail for detail in running.details())


def test_people_before_a_camera_turned_away_are_counted_by_the_newest_finds(running: Run) -> None:
    running.run(8)
    running.day.knock("cam2", turn(80.0, (0, 1, 0)))
    running.run(45)
    running.loop.people = {
        "cam2": Detections(
            camera="cam2",
            captured_at_ns=running.clock.now_ns(),
            boxes_px=np.array([[100.0, 100.0, 140.0, 220.0]]),
            scores=np.array([0.9]),
            kinds=np.array([0]),
        )
    }
    first, second = running.details()
    assert NOT_PLACED not in first
    assert NOT_PLACED in second and "1 person was found in its picture just now" in second
