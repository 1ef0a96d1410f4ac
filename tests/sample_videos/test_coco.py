"""COCO export: run lengths, keypoint flags, and files that field tools can read."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sample_videos.generator.camera import Camera, make_camera
from sample_videos.generator.coco import (
    KEYPOINTS,
    SKELETON,
    coco_truth,
    encode_rle,
    keypoints_seen,
    write_coco,
)
from sample_videos.generator.scene_file import RoadwaySpec, SceneSpec
from sample_videos.generator.truth import mot_line

SIZE = (320, 180)
SCENE = SceneSpec(
    schema="",
    name="test",
    seed=3,
    fps=10,
    duration_s=1.0,
    cameras=(),
    miners=(),
    roadway=RoadwaySpec(),
)


def decode_rle(text: str, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Undo the encoding, as the reference does (`rleFrString` of cocoapi)."""
    counts: list[int] = []
    at = 0
    while at < len(text):
        value, shift, more = 0, 0, True
        while more:
            c = ord(text[at]) - 48
            value |= (c & 31) << shift
            more = bool(c & 32)
            at, shift = at + 1, shift + 5
            if not more and c & 16:
                value |= -1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
    flags = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    return flags.reshape(size, order="F")


def blob(h: int, w: int, seed: int) -> NDArray[np.bool_]:
    rng = np.random.default_rng(seed)
    return np.asarray(rng.random((h, w)) < rng.random())


def bars() -> NDArray[np.bool_]:
    mask = np.zeros((720, 1280), bool)
    mask[100:400, 300:303] = True
    mask[50:450, 303] = True
    return mask


# Written by pycocotools 2.0.11, `mask.encode`.
VECTORS = [
    (np.zeros((720, 1280), bool), "PPTl0"),
    (np.ones((3, 2), bool), "06"),
    (np.array([[0, 1], [0, 1]], bool), "22"),
    (blob(6, 9, 1), "112020N071JO<0K"),
    (bars(), "TQc6\\9T=000^NT3lT^e0"),
]


@pytest.mark.parametrize(("mask", "text"), VECTORS)
def test_run_lengths_are_as_pycocotools_writes_them(mask: NDArray[np.bool_], text: str) -> None:
    assert encode_rle(mask) == text


@pytest.mark.parametrize("seed", range(40))
def test_run_lengths_go_there_and_back(seed: int) -> None:
    rng = np.random.default_rng(1000 + seed)
    h, w = (int(v) for v in rng.integers(1, 70, 2))
    mask = blob(h, w, seed)
    assert (decode_rle(encode_rle(mask), (h, w)) == mask).all()


@pytest.mark.parametrize("lens", ["brown", "fisheye"])
def test_keypoint_flags(lens: str) -> None:
    camera = make_camera(
        "cam1",
        (0.0, 0.0, 1.5),
        yaw_deg=0,
        pitch_deg=0,
        hfov_deg=90,
        size_px=SIZE,
        lens=lens,
        distortion=(-0.18, 0.04, 0.0, 0.0, 0.0) if lens == "brown" else (0.02, 0.0, 0.0, 0.0),
    )
    points = np.array(
        [
            [4.0, 0.0, 1.5],  # the middle: shown
            [4.0, 1.0, 1.5],  # shown by the pixel beside it
            [4.0, -1.0, 1.5],  # hidden: that pixel is two away
            [4.0, 6.0, 1.5],  # left of the picture
            [-4.0, 0.0, 1.5],  # behind the camera
            [0.5, 0.0, 9.0],  # far above, where the lens's polynomial means nothing
        ]
    )
    expected = camera.pixels(points[:3])
    mask = np.zeros((SIZE[1], SIZE[0]), bool)
    mask[round(expected[0, 1]), round(expected[0, 0])] = True
    mask[round(expected[1, 1]) - 1, round(expected[1, 0]) + 1] = True
    mask[round(expected[2, 1]), round(expected[2, 0]) + 2] = True
    found = keypoints_seen(camera, points, mask)
    assert [flag for _, _, flag in found] == [2, 2, 1, 0, 0, 0]
    assert np.array(found)[:3, :2] == pytest.approx(expected, abs=0.051)
    assert found[3:] == ((0.0, 0.0, 0),) * 3


def test_what_the_lens_folds_back_is_outside() -> None:
    """Brown's polynomial brings a point 80 degrees off the axis back into the picture."""
    camera = make_camera(
        "cam1", (0.0, 0.0, 0.0), yaw_deg=0, pitch_deg=0, hfov_deg=60, size_px=SIZE,
        distortion=(-0.18, 0.0, 0.0, 0.0, 0.0),
    )  # fmt: skip
    far = np.array([[1.0, 2.36, 0.0]])
    assert 0 < camera.pixels(far)[0, 0] < SIZE[0]
    everywhere = np.ones((SIZE[1], SIZE[0]), bool)
    assert keypoints_seen(camera, far, everywhere)[0][2] == 0


def make_cocofile(every: int = 1) -> tuple[dict[str, Any], NDArray[np.bool_]]:
    camera: Camera = make_camera(
        "cam1", (0.0, 0.0, 1.5), yaw_deg=0, pitch_deg=0, hfov_deg=90, size_px=SIZE
    )
    mask = np.zeros((SIZE[1], SIZE[0]), bool)
    mask[40:60, 100:110] = True
    mask[50:60, 110:115] = True
    person = {
        "id": 7,
        "full_box": (99.5, 39.5, 119.5, 80.25),
        "visible_box": (100, 40, 115, 60),
        "visible_px": int(mask.sum()),
        "visibility": 0.6127,
        "mask_rle": encode_rle(mask),
        "keypoints": [[100.0, 41.5, 2], [0.0, 0.0, 0], [110.2, 70.0, 1]] + [[0.0, 0.0, 0]] * 14,
    }
    hidden = {**person, "id": 8, "visibility": 0.0994, "visible_px": 24}
    specks = {**person, "id": 9, "visibility": 0.5, "visible_px": 23, "visible_box": None}
    return coco_truth(SCENE, camera, [[person], [], [specks, hidden, person]], every), mask


def test_an_annotation_has_what_coco_wants() -> None:
    told, mask = make_cocofile()
    first, hidden, third = told["annotations"]
    assert first["bbox"] == [100, 40, 15, 20]
    assert first["amodal_bbox"] == [100, 40, 20, 40.8]
    assert first["area"] == 250
    shown = decode_rle(first["segmentation"]["counts"], tuple(first["segmentation"]["size"]))
    assert (shown == mask).all()
    assert first["keypoints"][:9] == [100, 41.5, 2, 0, 0, 0, 110.2, 70, 1]
    assert (len(first["keypoints"]), first["num_keypoints"]) == (51, 2)
    assert (first["track_id"], first["visibility"]) == (7, 0.613)
    assert (first["iscrowd"], first["ignore"]) == (0, 0)
    assert mot_line(0, 7, (0, 0, 1, 1), 0.0996).endswith(",1,1,0.100\n")  # and so in MOT
    assert (hidden["track_id"], hidden["iscrowd"], hidden["ignore"]) == (8, 1, 1)
    assert [a["id"] for a in told["annotations"]] == [1, 2, 3]  # never 0
    assert [a["image_id"] for a in told["annotations"]] == [1, 3, 3]
    assert third["track_id"] == 7


def test_images_are_the_clips_frames() -> None:
    told, _ = make_cocofile()
    assert [i["file_name"] for i in told["images"]] == [f"cam1/00000{k}" for k in range(3)]
    assert told["images"][2] == {
        "id": 3, "file_name": "cam1/000002", "camera": "cam1", "frame": 2,
        "width": SIZE[0], "height": SIZE[1],
    }  # fmt: skip
    rarer, _ = make_cocofile(every=2)
    assert [i["frame"] for i in rarer["images"]] == [0, 2]
    assert {a["image_id"] for a in rarer["annotations"]} == {i["id"] for i in rarer["images"]}


def test_category_has_seventeen_points() -> None:
    told, _ = make_cocofile()
    (category,) = told["categories"]
    assert len(category["keypoints"]) == len(KEYPOINTS) == 17
    assert {n for pair in SKELETON for n in pair} == set(range(1, 18))


def test_file_is_json_and_the_same_again(tmp_path: Path) -> None:
    told, _ = make_cocofile()
    write_coco(tmp_path / "a.json", told)
    write_coco(tmp_path / "b.json", make_cocofile()[0])
    assert json.loads((tmp_path / "a.json").read_text()) == json.loads(json.dumps(told))
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert len((tmp_path / "a.json").read_text().splitlines()) == 14
