"""The shipped sites agree with themselves: truth against truth, clips against truth."""

import configparser
import itertools
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from sample_videos.generator.events import find_events
from sample_videos.generator.scene_file import SceneSpec, load_scene
from sample_videos.generator.script import Moment, play
from sample_videos.generator.tags import tag_feed
from sample_videos.generator.truth import scene_truth

ROOT = Path(__file__).parents[2] / "sample_videos"
SIZE_LIMIT_BYTES = 12_000_000
SCENE_FILES = sorted((ROOT / "scenes").rglob("*.yaml"))
EVENTS = sorted(path.stem for path in (ROOT / "scenes" / "events").glob("*.yaml"))
Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shipped:
    """One site: its folder, its scene file, and what the two say."""

    folder: Path
    scene: SceneSpec
    truth: dict[str, Any]

    def read(self, name: str) -> Any:
        return json.loads((self.folder / name).read_text(encoding="utf-8"))

    def rows(self, name: str) -> list[dict[str, Any]]:
        lines = (self.folder / name).read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]

    def mot(self, camera: str) -> Array:
        path = self.folder / "mot" / camera / "gt" / "gt.txt"
        return np.loadtxt(path, delimiter=",", ndmin=2).reshape(-1, 9)

    def course(self) -> dict[int, list[Moment]]:
        scene = self.scene
        return {m.id: play(m, scene.fps, scene.frames) for m in scene.miners}

    def frames_of(self, camera: dict[str, Any]) -> int:
        dead = camera["dead_from_frame"]
        return int(self.truth["frames"] if dead is None else dead)


@cache
def shipped(scene_file: Path) -> Shipped:
    folder = ROOT / scene_file.relative_to(ROOT / "scenes").with_suffix("")
    truth = json.loads((folder / "scene.json").read_text(encoding="utf-8"))
    return Shipped(folder=folder, scene=load_scene(scene_file), truth=truth)


@pytest.fixture(params=SCENE_FILES, ids=lambda path: path.stem)
def site(request: pytest.FixtureRequest) -> Shipped:
    return shipped(request.param)


@pytest.fixture
def roadway() -> Shipped:
    return shipped(ROOT / "scenes" / "roadway.yaml")


def event_site(name: str) -> Shipped:
    return shipped(ROOT / "scenes" / "events" / f"{name}.yaml")


def pose_at(camera: dict[str, Any], frame: int) -> dict[str, Any]:
    return max(
        (pose for pose in camera["poses"] if pose["from_frame"] <= frame),
        key=lambda pose: int(pose["from_frame"]),
    )


def project(camera: dict[str, Any], xyz_m: Any, frame: int = 0) -> Array:
    """Project by OpenCV alone, from what is shipped: (n, 2) pixels."""
    pose = pose_at(camera, frame)
    rotation, _ = cv2.Rodrigues(np.array(pose["R"]))
    points = np.asarray(xyz_m, float).reshape(-1, 1, 3)
    k, t, dist = np.array(camera["K"]), np.array(pose["t"]), np.array(camera["dist"])
    if camera["lens"] == "fisheye":
        return np.asarray(cv2.fisheye.projectPoints(points, rotation, t, k, dist)[0]).reshape(-1, 2)
    return np.asarray(cv2.projectPoints(points, rotation, t, k, dist)[0]).reshape(-1, 2)


def test_all_sites_together_are_small() -> None:
    files = [p for scene in SCENE_FILES for p in shipped(scene).folder.rglob("*") if p.is_file()]
    assert sum(p.stat().st_size for p in set(files)) <= SIZE_LIMIT_BYTES


def test_site_is_complete(site: Shipped) -> None:
    names = {p.relative_to(site.folder).as_posix() for p in site.folder.rglob("*") if p.is_file()}
    wanted = {"scene.json", "world.jsonl", "events.json", "tiepoints.json", "survey_points.json"}
    wanted |= {"tags.jsonl"}
    for camera in site.truth["cameras"]:
        name = camera["id"]
        wanted |= {f"{name}.mp4", f"mot/{name}/gt/gt.txt", f"mot/{name}/seqinfo.ini"}
        wanted |= {f"coco/{name}.json"}
    assert wanted <= names


def test_clips_have_the_frames_that_truth_says(site: Shipped) -> None:
    for camera in site.truth["cameras"]:
        with av.open(str(site.folder / f"{camera['id']}.mp4")) as clip:
            stream = clip.streams.video[0]
            assert [stream.width, stream.height] == camera["size_px"]
            assert stream.average_rate == site.truth["fps"]
            assert stream.codec_context.name == "h264"
            packets = [p for p in clip.demux(stream) if p.dts is not None]
            assert len(packets) == site.frames_of(camera)
            keys = [i for i, p in enumerate(packets) if p.is_keyframe]
            assert keys[0] == 0
            assert max(np.diff([*keys, len(packets)])) <= 4 * site.truth["fps"]
        with av.open(str(site.folder / f"{camera['id']}.mp4")) as clip:
            first = next(clip.decode(video=0))
            assert first.format.name == "yuv420p"
            assert 20 < first.to_ndarray(format="gray").mean() < 200


def test_seqinfo_agrees(site: Shipped) -> None:
    for camera in site.truth["cameras"]:
        info = configparser.ConfigParser()
        info.read(site.folder / "mot" / camera["id"] / "seqinfo.ini")
        sequence = info["Sequence"]
        assert sequence.getint("seqLength") == site.frames_of(camera)
        assert [sequence.getint("imWidth"), sequence.getint("imHeight")] == camera["size_px"]


def test_truth_comes_out_of_the_scene_file_again(site: Shipped) -> None:
    assert json.loads(json.dumps(scene_truth(site.scene))) == site.truth
    assert site.rows("tags.jsonl") == tag_feed(site.scene, site.course())


def test_world_and_events_come_out_of_the_scene_file_again(site: Shipped) -> None:
    scene, course, world = site.scene, site.course(), site.rows("world.jsonl")
    assert len(world) == scene.frames
    ahead_m: list[float] = []
    for frame, line in enumerate(world):
        assert line["frame"] == frame
        assert line["t_s"] == pytest.approx(frame / scene.fps)
        for person in line["people"]:
            moment = course[person["id"]][frame]
            place = scene.axis.floor_m([moment.xy_m])[0]
            assert person["xyz_m"] == pytest.approx(place.tolist(), abs=1e-3)
            off_m = np.subtract(person["stands_xyz_m"], person["xyz_m"])
            assert off_m[2] == 0 and np.hypot(*off_m[:2]) < 0.45
            if person["state"] == "walk":
                ahead_m.append(off_m[:2] @ [np.cos(person["yaw_rad"]), np.sin(person["yaw_rad"])])
            assert (person["state"], person["helmet_on"]) == (moment.state, moment.helmet_on)
    assert 0.05 < np.median(ahead_m) < 0.10, "feet point forwards"
    assert site.read("events.json") == find_events(scene, course, visibility(site))


def visibility(site: Shipped) -> dict[str, list[dict[int, float]]]:
    """Read by camera and frame how much of whom is seen."""
    out = {}
    for camera in site.truth["cameras"]:
        frames: list[dict[int, float]] = [{} for _ in range(site.frames_of(camera))]
        for row in site.mot(camera["id"]):
            frames[int(row[0]) - 1][int(row[1])] = float(row[8])
        out[camera["id"]] = frames
    return out


def test_tie_points_project_to_their_pixels(site: Shipped) -> None:
    cameras = {c["id"]: c for c in site.truth["cameras"]}
    points = site.read("tiepoints.json")
    pairs = {tuple(p["cameras"]) for p in points}
    assert set(itertools.pairwise(cameras)) <= pairs
    for pair in pairs:
        mine = [p for p in points if tuple(p["cameras"]) == pair]
        for side, name in enumerate(pair):
            error = project(cameras[name], [p["xyz_m"] for p in mine])
            error -= np.array([p["pixels"][side] for p in mine])
            assert np.abs(error).max() < 0.05


def test_survey_points_are_half_a_pixel_off(site: Shipped) -> None:
    points = site.read("survey_points.json")
    errors = []
    for camera in site.truth["cameras"]:
        mine = [p for p in points if p["camera"] == camera["id"]]
        assert len(mine) >= 8
        pixels = np.array([p["pixel"] for p in mine])
        assert (np.ptp(pixels, axis=0) > np.array(camera["size_px"]) * 0.5).all()
        errors.append(project(camera, [p["mine_m"] for p in mine]) - pixels)
    rms = float(np.sqrt((np.concatenate(errors) ** 2).mean()))
    assert 0.2 < rms < 0.9


def test_people_are_in_their_boxes(site: Shipped) -> None:
    world, checked = site.rows("world.jsonl"), 0
    for camera in site.truth["cameras"]:
        width, height = camera["size_px"]
        for frame, person_id, left, top, w, h, flag, _, visible in site.mot(camera["id"]):
            assert 0 <= visible <= 1
            assert flag == (visible >= 0.1)
            x1, y1 = left - 1.5, top - 1.5
            assert x1 >= -0.51 and y1 >= -0.51
            assert x1 + w <= width - 0.49 and y1 + h <= height - 0.49
            person = next(p for p in world[int(frame) - 1]["people"] if p["id"] == person_id)
            if visible < 0.97 or person["state"] not in ("walk", "stand"):
                continue
            index = int(frame) - 1
            head = project(camera, person["head_xyz_m"], index)[0]
            feet = project(camera, person["xyz_m"], index)[0]
            assert x1 <= head[0] <= x1 + w and y1 <= head[1] <= y1 + h
            assert head[1] - y1 < 0.2 * h
            assert x1 - 0.05 * h <= feet[0] <= x1 + w + 0.05 * h
            assert abs(y1 + h - feet[1]) < 0.17 * h  # the lower edge is where they stand
            checked += 1
    assert checked > 8


def test_coco_agrees_with_mot(site: Shipped) -> None:
    for camera in site.truth["cameras"]:
        coco = site.read(f"coco/{camera['id']}.json")
        assert [image["id"] for image in coco["images"]] == [
            frame + 1 for frame in range(0, site.frames_of(camera), 5)
        ]
        boxes = {(int(row[0]), int(row[1])): row for row in site.mot(camera["id"])}
        for one in coco["annotations"]:
            row = boxes[one["image_id"], one["track_id"]]
            left, top, width, height = one["amodal_bbox"]
            assert [left + 1, top + 1, width, height] == pytest.approx(row[2:6].tolist(), abs=0.11)
            assert one["ignore"] == 1 - row[6]
            x, y, w, h = one["bbox"]
            assert x >= left - 2.5 and y >= top - 2.5
            assert x + w <= left + width + 2.5 and y + h <= top + height + 2.5
            assert 0 < one["area"] <= w * h


@pytest.mark.parametrize("name", EVENTS)
def test_each_event_clip_shows_its_event(name: str) -> None:
    types = {event["type"] for event in event_site(name).read("events.json")}
    if name == "quiet":
        assert types == set()
    else:
        assert name.replace("near_belt", "near_danger") in types


def test_the_loop_closes(roadway: Shipped) -> None:
    first, last = (roadway.rows("world.jsonl")[i]["people"] for i in (0, -1))
    for before, after in zip(first, last, strict=True):
        assert after["xyz_m"] == pytest.approx(before["xyz_m"], abs=0.05)
        assert abs(np.sin((after["yaw_rad"] - before["yaw_rad"]) / 2)) < 0.1
        assert after["state"] == "stand"


def test_the_story_is_told(roadway: Shipped) -> None:
    events = {e["type"]: e for e in roadway.read("events.json")}
    entry, fall = events["zone_entry"], events["fall"]
    assert entry["t_end_s"] - entry["t_start_s"] >= 3
    assert fall["t_end_s"] - fall["t_start_s"] >= 5
    for line in roadway.rows("world.jsonl"):
        for person in line["people"]:
            assert (person["state"] == "lie") <= (person["id"] == fall["id"])
            if person["state"] == "lie":
                assert person["height_m"] < 0.55


def test_people_cross_every_overlap(roadway: Shipped) -> None:
    names = [c["id"] for c in roadway.truth["cameras"]]
    for a, b in itertools.pairwise(names):
        rows_a, rows_b = roadway.mot(a), roadway.mot(b)
        seen_a = {(int(r[0]), int(r[1])) for r in rows_a if r[8] > 0.3}
        seen_b = {(int(r[0]), int(r[1])) for r in rows_b if r[8] > 0.3}
        assert len(seen_a & seen_b) >= 10


def test_in_the_crossing_most_are_seen_twice_or_more() -> None:
    site = shipped(ROOT / "scenes" / "crossing.yaml")
    by = [visibility(site)[c["id"]] for c in site.truth["cameras"]]
    views = [
        sum(frames[frame].get(person["id"], 0) > 0.5 for frames in by)
        for frame, line in enumerate(site.rows("world.jsonl"))
        for person in line["people"]
    ]
    assert np.mean(np.array(views) >= 2) > 0.7


@pytest.mark.parametrize("name", ["roadway", "longwall"])
def test_rigs_hang_as_their_names_say(name: str) -> None:
    site = shipped(ROOT / "scenes" / f"{name}.yaml")
    centres = np.array([c["position_m"] for c in site.truth["cameras"]])
    steps = np.linalg.norm(np.diff(centres, axis=0), axis=1)
    assert steps == pytest.approx(np.full(len(steps), 0.0 if name == "roadway" else 7.0), abs=0.05)
