"""What watches write down makes others say the same; and no watch suffers from writing it."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge import array_text
from edge.byte_ring import ByteRing
from edge.drift.alarms import CLEAR_AFTER_S
from edge.drift.book import keep_references
from edge.rerun_watches import WatchesAgain
from edge.step_log import StepLog
from edge.view.book import UsualViews
from edge.watch_steps import SteppedDriftWatch, SteppedViewWatch
from scene.messages import Anomaly, Detections, Frame, YuvImage
from scene.rig import load_rig
from tests.edge.knock_day import HALF, Day
from tests.stitching.knocks import seen, turn

HANG_S = 120.0
Step = dict[str, Any]


class WrittenDay(Day):
    """A day whose watch writes its steps down, from a calibration's references on."""

    def start(self) -> None:
        images = {
            one.name: [YuvImage(y=seen(one, shot), u=HALF, v=HALF) for shot in range(5)]
            for one in self.rig.cameras
        }
        keep_references(self.rig, images, self.site.rig.file)
        self.ring = ByteRing("steps", 10**7)
        self.ring.want()
        self.pictures: dict[tuple[str, int], Frame] = {}
        self.watch = SteppedDriftWatch(self.site, self.rig, self.clock, StepLog(self.ring))

    def look(
        self,
        after_s: float,
        only: Sequence[str] | None = None,
        people: Mapping[str, Detections] | None = None,
        blind: Sequence[str] = (),
    ) -> None:
        """Look once, so long after the last time."""
        self.clock.sleep(after_s)
        frames = self.frames(only=tuple(only or self.hangs))
        self.pictures |= {(one.camera, one.captured_at_ns): one for one in frames}
        self.watch.look(frames, people or {}, blind)
        self.alarms += self.watch.changes()


def steps_in(ring: ByteRing) -> list[Step]:
    return [json.loads(record) for record in ring.take()]


def asked_again(day: WrittenDay, steps: Sequence[Step], again: WatchesAgain) -> list[Anomaly]:
    """Do the steps of a watch again."""
    again.open(day.site, day.rig)
    said: list[Anomaly] = []
    for step in steps:
        keys = [(name, at_ns) for name, at_ns in step.get("frames", ())]
        said += again.do(step, tuple(day.pictures[key] for key in keys))
    return said


@pytest.fixture
def again() -> Iterator[WatchesAgain]:
    with closing(WatchesAgain()) as watches:
        yield watches


def test_an_alarm_ends_when_it_did_though_looks_in_vain_kept_it_up(
    tmp_path: Path, again: WatchesAgain
) -> None:
    before = Day(tmp_path)
    before.run(20)
    before.knock("cam2", turn(1.4))
    before.until_alarm()
    day = WrittenDay(tmp_path)
    assert day.watch.adopt(before.alarms[0])
    day.look(0.1, ["cam2"])  # it hangs as it should again, says the first look of two
    day.look(0.7, ["cam2"])  # in vain: not the next one yet
    day.look(0.1, ["cam2"])  # the second one: from here on all is well
    began_ns = day.clock.now_ns()
    day.look(CLEAR_AFTER_S - 0.5, ["cam2"])  # one more, and the alarm still stands
    assert not day.alarms
    day.look(0.5, ["cam2"])
    assert day.told() == [("cam2", "cleared")]
    steps = steps_in(day.ring)
    looks = [step for step in steps if step["do"] == "drift_look"]
    assert [look["before_s"] is None for look in looks] == [True, False, True, True]
    assert looks[1]["now_ns"] == began_ns
    assert asked_again(day, steps, again) == day.alarms
    assert "drift" not in again.why_not


def test_what_was_found_long_before_a_slow_look_is_still_known(
    tmp_path: Path, again: WatchesAgain
) -> None:
    day = WrittenDay(tmp_path)
    found = Detections(
        camera="cam1",
        captured_at_ns=1,
        boxes_px=np.zeros((0, 4)),
        kinds=np.zeros(0, np.int64),
        scores=np.zeros(0),
    )
    day.look(0.1, people={"cam1": found})
    again.saw([found])
    for number in range(2, 1000):  # the look took so long that others were searched meanwhile
        again.saw([replace(found, captured_at_ns=number)])
    asked_again(day, steps_in(day.ring), again)
    assert "drift" not in again.why_not


def test_without_a_picture_it_is_not_taken_for_1970(tmp_path: Path, again: WatchesAgain) -> None:
    """Else all that stood before would be compared as well."""
    day = WrittenDay(tmp_path)
    day.look(0.1, blind=["cam1", "cam2"])
    day.look(0.1)
    looked_ns = day.clock.now_ns()
    asked_again(day, steps_in(day.ring), again)
    assert again.from_ns == looked_ns


def test_a_reference_of_no_camera_is_refused(tmp_path: Path, again: WatchesAgain) -> None:
    """A foreign recording could have any number of them, each of many megabytes in memory."""
    day = WrittenDay(tmp_path)
    steps = steps_in(day.ring)
    (first, *_) = [step for step in steps if step["do"] == "drift_reference"]
    asked_again(day, steps, again)
    with pytest.raises(ValueError, match="no camera"):
        again.do(first | {"camera": "nobody"}, ())


def test_what_a_watch_can_not_write_down_is_a_gap_and_the_watch_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = list[str]()
    monkeypatch.setattr("edge.step_log.log.say", lambda text, level: said.append(text))
    day = WrittenDay(tmp_path)
    day.look(0.1)
    steps_in(day.ring)
    put = day.ring.put

    def full(record: bytes) -> None:
        if b"drift_look" in record:
            raise MemoryError
        put(record)

    with monkeypatch.context() as failing:
        failing.setattr(day.ring, "put", full)
        for _ in range(20):
            day.look(0.5)
        day.knock("cam2", turn(1.4))
        for _ in range(20):
            day.look(0.5)
    assert day.told() == [("cam2", "active")]
    (told,) = [text for text in said if "can't be recorded" in text]
    assert "MemoryError" in told
    with monkeypatch.context() as failing:
        failing.setattr(array_text, "written", _no_memory)
        day.watch.rehung(load_rig(day.site.rig.file))
        day.look(1.0)
    numbers = [step["number"] for step in steps_in(day.ring)]
    assert numbers[-1] - numbers[0] >= len(numbers), "a second run sees that some are missing"


def test_a_look_at_a_lens_that_broke_half_way_is_not_held_against_the_second_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, again: WatchesAgain
) -> None:
    day = WrittenDay(tmp_path)
    ring = ByteRing("steps", 10**6)
    ring.want()
    view = SteppedViewWatch(day.site, day.rig, day.clock, StepLog(ring))
    monkeypatch.setattr("edge.view.watch.view_of", _no_memory)
    frames = day.frames()
    day.pictures |= {(one.camera, one.captured_at_ns): one for one in frames}
    with pytest.raises(MemoryError):
        view.look(frames)
    monkeypatch.undo()
    asked_again(day, steps_in(ring), again)
    assert again.why_not == {"view": "that watch failed when it was live"}


def test_a_second_run_leaves_nothing_behind_though_its_disk_is_slow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = WrittenDay(tmp_path)
    ring = ByteRing("steps", 10**6)
    ring.want()
    live = SteppedViewWatch(day.site, day.rig, day.clock, StepLog(ring))
    live.rehung(day.rig)
    assert live.settle(HANG_S)
    written: list[Path] = []

    def slow(_: UsualViews, path: Path, *__: object) -> None:
        time.sleep(0.5)
        path.parent.mkdir(parents=True)
        written.append(path)

    monkeypatch.setattr(UsualViews, "_write", slow)
    with closing(WatchesAgain()) as watches:
        asked_again(day, steps_in(ring), watches)
    (path,) = written
    assert not path.parent.exists()


def _no_memory(*_: object) -> Any:
    raise MemoryError
