"""A live run in threads, with a real camera file, stitcher and model."""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from detection.detector import Detector
from edge import detection_watch, live
from edge.drift.book import ReferenceBook
from edge.drift.notes import DriftNotes, Noted
from edge.fast import run_fast
from edge.main import main
from edge.options import RunOptions
from edge.outlet import Result
from edge.people_file import PeopleFile
from edge.view.book import UsualViews
from scene.arrays import Bools, Floats
from scene.errors import RigError
from scene.geometry import CameraModel, project
from scene.messages import Anomaly, Detections, Frame, GatewayHealth, Positions
from scene.rig import load_rig
from scene.rig_history import replace_rig
from tests.delivery.parts import alarm
from tests.edge.camera_clips import write_clip
from tests.edge.test_bad_input import SITE
from tests.edge.test_people_file import KEPT
from tests.stitching.knocks import knocked, turn

HANG_S = 60.0


@pytest.fixture
def site_file(tmp_path: Path) -> Path:
    write_clip(tmp_path / "cam1.mp4", frames=30, size_px=(320, 240))
    path = tmp_path / "site.yaml"
    path.write_text(SITE, encoding="utf-8")
    assert main(["calibrate", str(path)]) == 0
    return path


class Taken:
    """Takes results until the test has seen enough."""

    def __init__(self) -> None:
        self.results: list[Result] = []

    def send(self, result: Result) -> None:
        self.results.append(result)

    def alarms(self) -> list[Anomaly]:
        return [one for one in self.results if isinstance(one, Anomaly)]

    def degraded(self) -> list[Anomaly]:
        return [one for one in self.alarms() if one.kind == "degraded_inference"]

    def beats(self) -> list[GatewayHealth]:
        return [one for one in self.results if isinstance(one, GatewayHealth)]

    def run(
        self,
        site_file: Path,
        enough: Callable[[], bool],
        before: list[Anomaly] | None = None,
    ) -> None:
        until_s = time.monotonic() + HANG_S

        def stopped() -> bool:
            assert time.monotonic() < until_s, "it never happened"
            return enough()

        options = RunOptions(site_file=site_file, loop=True)
        live.run_cameras(
            options, self, lambda: None, stopped, in_processes=False, before=before or ()
        )


def test_what_is_searched_is_covered(site_file: Path) -> None:
    taken = Taken()
    taken.run(site_file, lambda: any(any(beat.coverage) for beat in taken.beats()))
    assert taken.beats()[-1].degraded == ""
    assert [camera.state for camera in taken.beats()[-1].cameras] == ["ok"]


@pytest.mark.parametrize("starts_well", [True, False])
def test_a_detection_that_hangs_is_an_alarm_and_nothing_counts_as_covered(
    site_file: Path, monkeypatch: pytest.MonkeyPatch, starts_well: bool
) -> None:
    monkeypatch.setattr(detection_watch, "START_LIMIT_S", 1.0)
    monkeypatch.setattr(live, "STOP_LIMIT_S", 0.1)
    detect, taken = Detector.detect, Taken()

    def hang(self: Detector, frames: list[Frame]) -> tuple[Detections, ...]:
        if starts_well and not any(any(beat.coverage) for beat in taken.beats()):
            return detect(self, frames)
        while not taken.degraded():
            time.sleep(0.05)
        time.sleep(3.0)
        return ()

    monkeypatch.setattr(Detector, "detect", hang)
    taken.run(site_file, lambda: bool(taken.degraded()))
    assert [one.state for one in taken.degraded()] == ["active"]
    beat = taken.beats()[-1]
    assert "nobody has been looked for" in beat.degraded
    assert not any(beat.coverage)


def test_a_camera_that_changes_its_picture_size_is_an_alarm_and_finds_nobody(
    site_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_clip(site_file.parent / "cam1.mp4", frames=30, size_px=(640, 480))
    monkeypatch.setattr(detection_watch, "START_LIMIT_S", 1.0)

    def find(self: Detector, frames: list[Frame]) -> tuple[Detections, ...]:
        self.problems = {}
        return tuple(
            Detections(
                camera=frame.camera,
                captured_at_ns=frame.captured_at_ns,
                boxes_px=np.array([[140.0, 150.0, 170.0, 236.0]]),
                scores=np.array([0.9]),
                kinds=np.array([0]),
            )
            for frame in frames
        )

    monkeypatch.setattr(Detector, "detect", find)
    taken = Taken()
    taken.run(site_file, lambda: bool(taken.degraded()) and len(taken.beats()) > 3)
    (lost,) = (one for one in taken.alarms() if one.kind == "camera_lost")
    assert "its picture is 640 x 480, the rig was calibrated at 320 x 240" in lost.evidence
    assert "lost" in {camera.state for beat in taken.beats() for camera in beat.cameras}
    assert not any(any(beat.coverage) for beat in taken.beats())
    assert not any(one.people for one in taken.results if isinstance(one, Positions))


def test_alarms_of_the_run_before_are_taken_over_or_cleared(
    site_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.cameras.watch.CLEAR_AFTER_S", 1.0)
    monkeypatch.setattr("edge.health.CLEAR_AFTER_S", 1.0)
    down = alarm("man_down-7-1")

    def system(kind: str, camera: str | None) -> Anomaly:
        return replace(down, id=f"{kind}-{camera}", kind=kind, camera=camera, xyz_m=None)

    gone, lost = system("camera_lost", "cam9"), system("camera_lost", "cam1")
    slow = system("degraded_inference", None)
    nowhere = replace(down, id="man_down-8-1", xyz_m=None)
    taken = Taken()
    taken.run(site_file, lambda: len(taken.alarms()) >= 4, [down, nowhere, gone, lost, slow])
    assert [one.id for one in taken.alarms()[:2]] == [gone.id, nowhere.id]
    assert {(one.id, one.state) for one in taken.alarms()} == {
        (one.id, "cleared") for one in (gone, nowhere, lost, slow)
    }, "somebody who was down is not cleared by starting anew"
    assert "started anew" in taken.alarms()[0].evidence


def test_a_start_without_pictures_forgets_nobody(
    site_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "STOP_LIMIT_S", 0.1)
    over = threading.Event()

    def hang(self: Detector, frames: list[Frame]) -> tuple[Detections, ...]:
        over.wait(HANG_S)
        return ()

    monkeypatch.setattr(Detector, "detect", hang)
    folder = RunOptions(site_file=site_file).site().state_folder
    file = PeopleFile(folder)
    file.save(KEPT)
    assert file.settle(HANG_S)
    taken = Taken()
    taken.run(site_file, lambda: len(taken.beats()) >= 2)
    over.set()
    assert PeopleFile(folder).load() == KEPT


def test_a_start_waits_for_no_disk_that_hangs(
    site_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("view.book", "drift.book", "drift.notes"):
        monkeypatch.setattr(f"edge.{module}.PATIENCE_S", 0.1)
    site = RunOptions(site_file=site_file).site()
    rig = load_rig(site.rig.file)
    folder = site.state_folder / "references"
    folder.mkdir(parents=True)
    for ending in ("npz", "views.npz", "notes.json"):
        os.mkfifo(folder / f"{rig.id}.{ending}")  # who reads it waits for a writer
    stalled = "can't be read, and is learned anew: its disk does not answer"
    assert stalled in UsualViews(rig, site.rig.file, site.state_folder).trouble
    book = ReferenceBook(rig, site.rig.file, site.state_folder)
    assert "can't be read: its disk does not answer" in book.trouble
    worst = Noted(unproven=frozenset(["cam1"]))
    assert DriftNotes(folder, ["cam1"]).of(rig.id) == worst
    live_run = Taken()
    live_run.run(site_file, lambda: bool(live_run.beats()))
    assert stalled in live_run.beats()[0].degraded


def edited(site_file: Path, *changes: tuple[str, str]) -> None:
    text = site_file.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    site_file.write_text(text, encoding="utf-8")


def test_a_rig_that_is_older_than_the_site_file_runs_and_says_so(site_file: Path) -> None:
    edited(site_file, ("[0, 0, 2.5]", "[0, 0, 2.8]"))
    taken = Taken()
    taken.run(site_file, lambda: bool(taken.beats()))
    said = taken.beats()[-1].degraded
    assert "is older than the site file" in said and "mount or poses" in said


def test_the_rig_of_another_site_is_not_run_with(site_file: Path) -> None:
    edited(site_file, ("site: tiny", "site: other"), ("[0, 0, 2.5]", "[0, 0, 2.8]"))
    taken = Taken()
    with pytest.raises(RigError, match="is the rig of site tiny"):
        taken.run(site_file, lambda: bool(taken.results))
    said: list[str] = []
    with pytest.raises(RigError, match="is the rig of site tiny"):
        run_fast(RunOptions(site_file=site_file), said.append)


def test_going_through_files_says_that_the_rig_is_old(site_file: Path) -> None:
    edited(site_file, ("[0, 0, 2.5]", "[0, 0, 2.8]"))
    said: list[str] = []
    assert run_fast(RunOptions(site_file=site_file), said.append) == 0
    assert said[0].startswith("degraded: ") and "is older than the site file" in said[0]


def test_sites_that_hang_alike_may_share_a_rig(site_file: Path) -> None:
    edited(site_file, ("site: tiny", "site: other"))
    taken = Taken()
    taken.run(site_file, lambda: bool(taken.beats()))
    assert taken.beats()[-1].degraded == ""


def test_what_a_rig_hung_anew_covers_is_worked_out_aside(
    site_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pictures are shown meanwhile, so never in the thread that shows them."""
    where = []

    def noted(camera: CameraModel, points_m: Floats) -> tuple[Floats, Bools]:
        where.append(threading.current_thread().name)
        return project(camera, points_m)

    monkeypatch.setattr("edge.coverage.project", noted)
    taken, file = Taken(), site_file.with_name("rig.yaml")
    rig = load_rig(file)
    turned = replace(rig, cameras=(knocked(rig.cameras[0], turn(0.3)),))
    changed: list[object] = []

    def enough() -> bool:
        shown = [getattr(one, "geometry", "") for one in taken.results]
        if rig.id in shown and not changed:
            changed.append(replace_rig(turned, file))
        after = shown.index(turned.id) if turned.id in shown else len(shown)
        return any(isinstance(one, GatewayHealth) for one in taken.results[after:])

    taken.run(site_file, enough)
    assert where == [threading.main_thread().name, "new-rig"], "at the start, and aside"
