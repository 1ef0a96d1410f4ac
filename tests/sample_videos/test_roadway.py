"""The shipped roadway site agrees with itself: truth against truth, clips against truth."""

import configparser
import itertools
import json
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from sample_videos.generator.render import camera_of
from sample_videos.generator.scene_file import SceneSpec, load_scene
from sample_videos.generator.script import Moment, play
from sample_videos.generator.truth import find_events, scene_truth

ROOT = Path(__file__).parents[2] / "sample_videos"
SITE = ROOT / "roadway"
SIZE_LIMIT_BYTES = 5_000_000


@pytest.fixture(scope="module")
def scene() -> SceneSpec:
    return load_scene(ROOT / "scenes" / "roadway.yaml")


@pytest.fixture(scope="module")
def truth() -> dict[str, Any]:
    return dict(json.loads((SITE / "scene.json").read_text()))


@pytest.fixture(scope="module")
def world() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (SITE / "world.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def cameras(truth: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {c["id"]: c for c in truth["cameras"]}


def project(camera: dict[str, Any], xyz_m: Any) -> np.ndarray[Any, Any]:
    """Project by OpenCV alone, from what is shipped: (n, 2) pixels."""
    rotation, _ = cv2.Rodrigues(np.array(camera["R"]))
    points = np.asarray(xyz_m, float).reshape(-1, 1, 3)
    k, t, dist = (np.array(camera[name]) for name in ("K", "t", "dist"))
    return np.asarray(cv2.projectPoints(points, rotation, t, k, dist)[0]).reshape(-1, 2)


def mot(name: str) -> np.ndarray[Any, Any]:
    return np.loadtxt(SITE / "mot" / name / "gt" / "gt.txt", delimiter=",", ndmin=2)


@pytest.mark.xfail(strict=False, reason="open: the clips weigh 6.8 MB")
def test_site_is_small_and_complete(truth: dict[str, Any]) -> None:
    files = [p for p in SITE.rglob("*") if p.is_file()]
    assert sum(p.stat().st_size for p in files) <= SIZE_LIMIT_BYTES
    names = {p.relative_to(SITE).as_posix() for p in files}
    wanted = {"scene.json", "world.jsonl", "events.json", "tiepoints.json", "survey_points.json"}
    for camera in truth["cameras"]:
        name = camera["id"]
        wanted |= {f"{name}.mp4", f"mot/{name}/gt/gt.txt", f"mot/{name}/seqinfo.ini"}
    assert wanted <= names


def test_clips_have_the_frames_that_truth_says(truth: dict[str, Any]) -> None:
    for camera in truth["cameras"]:
        with av.open(str(SITE / f"{camera['id']}.mp4")) as clip:
            stream = clip.streams.video[0]
            assert [stream.width, stream.height] == camera["size_px"]
            assert stream.average_rate == truth["fps"]
            assert stream.codec_context.name == "h264"
            packets = [p for p in clip.demux(stream) if p.dts is not None]
            assert len(packets) == truth["frames"]
            keys = [i for i, p in enumerate(packets) if p.is_keyframe]
            assert keys == list(range(0, truth["frames"], truth["fps"]))
        with av.open(str(SITE / f"{camera['id']}.mp4")) as clip:
            first = next(clip.decode(video=0))
            assert first.format.name == "yuv420p"
            assert 20 < first.to_ndarray(format="gray").mean() < 200


def test_seqinfo_agrees(truth: dict[str, Any]) -> None:
    for camera in truth["cameras"]:
        info = configparser.ConfigParser()
        info.read(SITE / "mot" / camera["id"] / "seqinfo.ini")
        sequence = info["Sequence"]
        assert sequence.getint("seqLength") == truth["frames"]
        assert [sequence.getint("imWidth"), sequence.getint("imHeight")] == camera["size_px"]


def test_truth_comes_out_of_the_scene_file_again(scene: SceneSpec, truth: dict[str, Any]) -> None:
    again = scene_truth(scene, [camera_of(c) for c in scene.cameras])
    assert json.loads(json.dumps(again)) == truth


def test_world_and_events_come_out_of_the_scene_file_again(
    scene: SceneSpec, world: list[dict[str, Any]]
) -> None:
    course: dict[int, list[Moment]] = {m.id: play(m, scene.fps, scene.frames) for m in scene.miners}
    assert len(world) == scene.frames
    for frame, line in enumerate(world):
        assert line["frame"] == frame
        assert line["t_s"] == pytest.approx(frame / scene.fps)
        for person in line["people"]:
            moment = course[person["id"]][frame]
            assert person["xyz_m"] == pytest.approx([*moment.xy_m, 0.0], abs=1e-3)
            assert person["state"] == moment.state
    events = json.loads((SITE / "events.json").read_text())
    assert events == find_events(scene.zones, course, scene.fps)


@pytest.mark.xfail(strict=False, reason="open: the clip and its test disagree")
def test_the_story_is_told(truth: dict[str, Any], world: list[dict[str, Any]]) -> None:
    events = {e["type"]: e for e in json.loads((SITE / "events.json").read_text())}
    entry, fall = events["zone_entry"], events["fall"]
    assert 3 <= entry["t_start_s"] <= 5
    assert entry["t_end_s"] - entry["t_start_s"] >= 3
    assert 5 <= fall["t_start_s"] <= 6
    assert fall["t_end_s"] is None
    for person in world[-1]["people"]:
        assert (person["state"] == "lie") == (person["id"] == fall["id"])
        assert (person["height_m"] < 0.8) == (person["id"] == fall["id"])
    for camera in truth["cameras"]:
        rows = mot(camera["id"])
        assert (rows[:, 8] > 0.8).any()


def test_tie_points_project_to_their_pixels(cameras: dict[str, dict[str, Any]]) -> None:
    points = json.loads((SITE / "tiepoints.json").read_text())
    pairs = {tuple(p["cameras"]) for p in points}
    assert {("cam1", "cam2"), ("cam2", "cam3"), ("cam3", "cam4")} <= pairs
    for pair in pairs:
        mine = [p for p in points if tuple(p["cameras"]) == pair]
        assert len(mine) >= 100
        for side, name in enumerate(pair):
            error = project(cameras[name], [p["xyz_m"] for p in mine])
            error -= np.array([p["pixels"][side] for p in mine])
            assert np.abs(error).max() < 0.05


def test_survey_points_are_half_a_pixel_off(cameras: dict[str, dict[str, Any]]) -> None:
    points = json.loads((SITE / "survey_points.json").read_text())
    errors = []
    for name, camera in cameras.items():
        mine = [p for p in points if p["camera"] == name]
        assert len(mine) >= 8
        pixels = np.array([p["pixel"] for p in mine])
        assert (np.ptp(pixels, axis=0) > np.array(camera["size_px"]) * 0.6).all()
        errors.append(project(camera, [p["mine_m"] for p in mine]) - pixels)
    rms = float(np.sqrt((np.concatenate(errors) ** 2).mean()))
    assert 0.2 < rms < 0.9


def test_people_are_in_their_boxes(
    cameras: dict[str, dict[str, Any]], world: list[dict[str, Any]]
) -> None:
    checked = 0
    for name, camera in cameras.items():
        width, height = camera["size_px"]
        for frame, person_id, left, top, w, h, flag, _, visibility in mot(name):
            assert 0 <= visibility <= 1
            assert flag == (visibility >= 0.1)
            x1, y1 = left - 1.5, top - 1.5
            assert x1 >= -0.51 and y1 >= -0.51
            assert x1 + w <= width - 0.49 and y1 + h <= height - 0.49
            person = next(p for p in world[int(frame) - 1]["people"] if p["id"] == person_id)
            if visibility < 0.97 or person["state"] not in ("walk", "stand"):
                continue
            head = project(camera, person["head_xyz_m"])[0]
            feet = project(camera, person["xyz_m"])[0]
            assert x1 <= head[0] <= x1 + w and y1 <= head[1] <= y1 + h
            assert head[1] - y1 < 0.2 * h
            assert x1 <= feet[0] <= x1 + w
            assert abs(y1 + h - feet[1]) < 0.12 * h  # the lower edge is where they stand
            checked += 1
    assert checked > 100


def test_people_cross_every_overlap(truth: dict[str, Any]) -> None:
    names = [c["id"] for c in truth["cameras"]]
    for a, b in itertools.pairwise(names):
        rows_a, rows_b = mot(a), mot(b)
        seen_a = {(int(r[0]), int(r[1])) for r in rows_a if r[8] > 0.3}
        seen_b = {(int(r[0]), int(r[1])) for r in rows_b if r[8] > 0.3}
        assert len(seen_a & seen_b) >= 10


def test_rig_is_a_pure_rotation(cameras: dict[str, dict[str, Any]]) -> None:
    centres = [-np.array(c["R"]).T @ np.array(c["t"]) for c in cameras.values()]
    assert np.ptp(np.array(centres), axis=0).max() < 1e-6
