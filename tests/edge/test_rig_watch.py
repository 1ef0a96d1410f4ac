import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from edge.pipeline import Frames, Hanging, Pipeline
from edge.rig_watch import RETRY_S, RigWatch, misfit
from scene.clock import ReplayClock
from scene.errors import RigError
from scene.geometry import project
from scene.messages import Detections, Frame, YuvImage
from scene.rig import Rig, load_rig, save_rig
from scene.rig_history import replace_rig, roll_back
from scene.site import Site, parse_site
from stitching.drift.proposal import spread_of
from tests.edge.knock_day import HALF, SITE, two_cameras
from tests.stitching.knocks import knocked, seen, turn

HANG_S = 60.0
BY = turn(1.4, (0.3, 1.0, -0.4))


@pytest.fixture
def site(tmp_path: Path) -> Site:
    found = parse_site(SITE, name="site.yaml", folder=tmp_path)
    save_rig(two_cameras(), found.rig.file)
    return found


def turned() -> Rig:
    first, second = two_cameras().cameras
    return replace(two_cameras(), cameras=(first, knocked(second, BY)))


@cache
def images() -> dict[str, YuvImage]:
    return {
        model.name: YuvImage(y=seen(model, 1), u=HALF, v=HALF) for model in two_cameras().cameras
    }


def frames(at_ns: int) -> Frames:
    return tuple(
        Frame(camera=name, captured_at_ns=at_ns, image=image) for name, image in images().items()
    )


def poll(watch: "RigWatch[str]") -> str | None:
    """Poll until the work under way is done."""
    until_s = time.monotonic() + HANG_S
    found = watch.poll()
    while watch.busy:
        assert time.monotonic() < until_s, "it never ended"
        time.sleep(0.005)
        found = found or watch.poll()
    return found


def test_a_replaced_rig_is_made_ready_once(site: Site) -> None:
    watch = RigWatch(site.rig.file, two_cameras(), lambda rig: rig.id, ReplayClock())
    assert poll(watch) is None
    assert watch.poll() is None
    replace_rig(turned(), site.rig.file)
    assert poll(watch) == turned().id
    assert watch.poll() is None
    os.utime(site.rig.file, ns=(1, 1))
    assert poll(watch) is None, "the same rig in a touched file"
    roll_back(site.rig.file)
    assert poll(watch) == two_cameras().id
    assert watch.trouble == ""


def test_a_rig_replaced_between_reading_and_watching_is_not_missed(site: Site) -> None:
    rig = load_rig(site.rig.file)
    replace_rig(turned(), site.rig.file)
    assert poll(RigWatch(site.rig.file, rig, lambda new: new.id, ReplayClock())) == turned().id


def test_a_rig_that_can_not_be_taken_over_is_said_and_the_old_one_goes_on(site: Site) -> None:
    watch = RigWatch(site.rig.file, two_cameras(), lambda rig: rig.id, ReplayClock())
    poll(watch)
    good = site.rig.file.read_text()
    site.rig.file.write_text("rubbish: [")
    assert poll(watch) is None
    assert "rig that was in force goes on" in watch.trouble
    site.rig.file.write_text(good.replace("name: cam2", "name: cam9"))
    assert poll(watch) is None
    assert "other cameras" in watch.trouble
    site.rig.file.unlink()
    assert poll(watch) is None
    site.rig.file.write_text(good)
    assert poll(watch) is None
    assert watch.trouble == ""

    def fail(rig: Rig) -> str:
        raise ValueError("no room")

    failing = RigWatch(site.rig.file, turned(), fail, ReplayClock())
    assert poll(failing) is None
    assert "no room" in failing.trouble


def test_what_failed_is_tried_again_after_a_while(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, failures = ReplayClock(), ["unread", "no room"]

    def load(path: Path) -> Rig:
        if failures[:1] == ["unread"]:
            raise RigError(failures.pop(0))
        return load_rig(path)

    def prepare(rig: Rig) -> str:
        if failures:
            raise ValueError(failures.pop(0))
        return rig.id

    monkeypatch.setattr("edge.rig_watch.load_rig", load)
    replace_rig(turned(), site.rig.file)
    watch = RigWatch(site.rig.file, two_cameras(), prepare, clock)
    for why in ("unread", "no room"):
        assert poll(watch) is None
        assert why in watch.trouble
        clock.sleep(RETRY_S - 0.1)
        watch.poll()
        assert not watch.busy, "not again and again"
        clock.sleep(0.1)
    assert poll(watch) == turned().id
    assert watch.trouble == ""
    clock.sleep(2 * RETRY_S)
    watch.poll()
    assert not watch.busy, "it is in force"


def test_a_panorama_of_another_size_needs_a_new_start() -> None:
    rig = two_cameras()
    larger = replace(rig, surface=replace(rig.surface, size_px=(64, 32)))
    assert "another size" in misfit(rig, larger)
    assert misfit(rig, turned()) == ""


def test_the_panorama_goes_on_while_new_tables_are_made_and_changes_between_two(
    site: Site,
) -> None:
    pipeline = Pipeline(site, two_cameras())
    go_on, begun = threading.Event(), threading.Event()

    def prepare(rig: Rig) -> Hanging:
        begun.set()
        assert go_on.wait(HANG_S)
        return pipeline.prepare(rig, frames(1))

    watch = RigWatch(site.rig.file, two_cameras(), prepare, ReplayClock())
    shown: list[tuple[int, str, tuple[int, int]]] = []

    def show() -> None:
        hanging = watch.poll()
        if hanging is not None:
            pipeline.rehang(hanging)
        at_ns = 1_000_000_000 + 100_000_000 * len(shown)
        panorama = pipeline.show(frames(at_ns)).panorama
        shown.append((panorama.captured_at_ns, panorama.geometry, panorama.image.size_px))

    def show_until_free() -> None:
        until_s = time.monotonic() + HANG_S
        while watch.busy:
            assert time.monotonic() < until_s
            show()

    show()
    show_until_free()
    for change in (lambda: replace_rig(turned(), site.rig.file), lambda: roll_back(site.rig.file)):
        go_on.clear()
        begun.clear()
        change()
        show()
        assert begun.wait(HANG_S)
        before = shown[-1][1]
        for _ in range(5):
            show()
        assert {geometry for _, geometry, _ in shown[-5:]} == {before}
        go_on.set()
        show_until_free()
    show()
    order = [geometry for _, geometry, _ in shown]
    runs = [a for a, b in zip(order, [*order[1:], ""], strict=True) if a != b]
    assert runs == [two_cameras().id, turned().id, two_cameras().id]
    assert [at_ns for at_ns, _, _ in shown] == [
        1_000_000_000 + 100_000_000 * index for index in range(len(shown))
    ], "every instant has its panorama"
    assert {size for _, _, size in shown} == {two_cameras().surface.size_px}


@contextmanager
def somebody_seen_by(pipeline: Pipeline, rig: Rig, camera: str) -> Iterator[None]:
    """Let a camera find somebody who stands at (26, -4)."""
    middle, width = np.array([[26.0, -4.0, 0.0], [26.0, -4.0, 1.75]]), 0.5
    (foot, head), inside = project(rig.camera(camera), middle)
    assert inside.all()
    half = width / 2 * (foot[1] - head[1]) / 1.75
    box = np.array([[foot[0] - half, head[1], foot[0] + half, foot[1]]])

    def detect(given: list[Frame]) -> tuple[Detections, ...]:
        return tuple(
            Detections(
                camera=frame.camera,
                captured_at_ns=frame.captured_at_ns,
                boxes_px=box if frame.camera == camera else np.zeros((0, 4)),
                scores=np.array([0.9] if frame.camera == camera else []),
                kinds=np.array([0] if frame.camera == camera else [], dtype=np.int64),
            )
            for frame in given
        )

    pipeline.detector.detect = detect  # type: ignore[method-assign, assignment]
    yield


def test_whom_only_a_knocked_camera_sees_is_there_possibly_and_less_surely(site: Site) -> None:
    rig = two_cameras()
    pipeline = Pipeline(site, rig)
    with somebody_seen_by(pipeline, rig, "cam2"):
        step_ns = 100_000_000
        for index in range(1, 11):
            pipeline.see(frames(index * step_ns))
        (person,) = pipeline.locate(10 * step_ns).people
        assert person.certainty == "certainly"
        assert person.xyz_m[:2] == pytest.approx((26.0, -4.0), abs=0.3)
        pipeline.distrust({"cam2": spread_of(turn(3.0))})
        assert pipeline.locate(10 * step_ns).people[0].certainty == "possibly", "at once"
        for index in range(11, 41):
            pipeline.see(frames(index * step_ns))
        (doubted,) = pipeline.locate(40 * step_ns).people
        assert doubted.track == person.track, "nobody vanishes silently"
        assert doubted.certainty == "possibly"
        assert np.trace(doubted.covariance_m2) > 1.5 * np.trace(person.covariance_m2)
        pipeline.rehang(pipeline.prepare(rig))
        assert pipeline.locate(40 * step_ns).people[0].certainty == "possibly", "not by itself"
        pipeline.distrust({})
        for index in range(41, 61):
            pipeline.see(frames(index * step_ns))
        assert pipeline.locate(60 * step_ns).people[0].certainty == "certainly"
        pipeline.distrust({"cam2": None})
        for index in range(61, 200):
            pipeline.see(frames(index * step_ns))
        assert not pipeline.locate(199 * step_ns).people, "nobody can say where it looks"
