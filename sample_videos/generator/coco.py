"""COCO export: every person in every frame with boxes, mask and 17 keypoints, for field tools.

Who is hidden by more than 90 % is `iscrowd` 1 and `ignore` 1: the reference evaluation
(pycocotools) ignores by `iscrowd` alone and overwrites `ignore`; others read `ignore`. Knows
nothing about how a picture is drawn.

Coordinates: boxes are pixel *edges*, the picture's corner is (0, 0), as masks and COCO have them
(add -0.5 for OpenCV); keypoints are OpenCV pixels, integers in the centre, as COCO's are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sample_videos.generator.camera import Camera
from sample_videos.generator.scene_file import SceneSpec

HIDDEN_BELOW = 0.1
MIN_VISIBLE_PX = 24
PERSON = 1
OUTSIDE, HIDDEN, VISIBLE = 0, 1, 2
Keypoint = tuple[float, float, int]
KEYPOINTS = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder",
    "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip",
    "left_knee", "right_knee", "left_ankle", "right_ankle",
)  # fmt: skip
SKELETON = (
    (16, 14), (14, 12), (17, 15), (15, 13), (12, 13), (6, 12), (7, 13), (6, 7), (6, 8), (7, 9),
    (8, 10), (9, 11), (2, 3), (1, 2), (1, 3), (2, 4), (3, 5), (4, 6), (5, 7),
)  # fmt: skip


def coco_truth(
    scene: SceneSpec,
    camera: Camera,
    seen: Sequence[Sequence[Mapping[str, Any]]],
    every: int = 1,
) -> dict[str, Any]:
    """Export one camera's clip; `seen` has per frame the people in it, as `seen-*.jsonl` does.

    `every` above 1 leaves frames out. A frame that shows nobody is an image without annotations.
    Images are the clip's frames, `file_name` is camera and frame (from 0).
    """
    size = (camera.height_px, camera.width_px)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for frame, people in list(enumerate(seen))[::every]:
        images.append(_image(camera, frame))
        for person in people:
            if person["visible_px"] >= MIN_VISIBLE_PX:
                number = len(annotations) + 1  # pycocotools takes 0 for "no match"
                annotations.append(_annotation(person, number, frame + 1, size))
    return {
        "info": {
            "description": f"Lamproom sample mine {scene.name}, {camera.name}: rendered",
            "seed": scene.seed,
            "fps": scene.fps,
        },
        "categories": [
            {
                "id": PERSON,
                "name": "person",
                "supercategory": "person",
                "keypoints": list(KEYPOINTS),
                "skeleton": [list(pair) for pair in SKELETON],
            }
        ],
        "images": images,
        "annotations": annotations,
    }


def write_coco(path: Path, truth: Mapping[str, Any]) -> None:
    """Write a COCO file without blanks, one image or annotation a line."""
    parts = []
    for name, value in truth.items():
        rows = value if isinstance(value, list) else None
        text = "[\n" + ",\n".join(map(_dump, rows)) + "\n]" if rows is not None else _dump(value)
        parts.append(f"{_dump(name)}:{text}")
    path.write_text("{" + ",\n".join(parts) + "}\n", encoding="utf-8")


def _dump(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _image(camera: Camera, frame: int) -> dict[str, Any]:
    return {
        "id": frame + 1,
        "file_name": f"{camera.name}/{frame:06d}",
        "camera": camera.name,
        "frame": frame,
        "width": camera.width_px,
        "height": camera.height_px,
    }


def _annotation(
    person: Mapping[str, Any], number: int, image: int, size: tuple[int, int]
) -> dict[str, Any]:
    x1, y1, x2, y2 = person["visible_box"]
    ax1, ay1, ax2, ay2 = person["full_box"]
    visibility = round(person["visibility"], 3)
    hidden = int(visibility < HIDDEN_BELOW)
    return {
        "id": number,
        "image_id": image,
        "category_id": PERSON,
        "track_id": person["id"],
        "bbox": [x1, y1, x2 - x1, y2 - y1],
        "amodal_bbox": [_tenth(v) for v in (ax1 + 0.5, ay1 + 0.5, ax2 - ax1, ay2 - ay1)],
        "area": person["visible_px"],
        "visibility": visibility,
        "iscrowd": hidden,
        "ignore": hidden,
        "segmentation": {"size": list(size), "counts": person["mask_rle"]},
        "keypoints": [_short(v) for point in person["keypoints"] for v in point],
        "num_keypoints": sum(point[2] != OUTSIDE for point in person["keypoints"]),
    }


def _tenth(value: float) -> float | int:
    return _short(round(value, 1))


def _short(value: float) -> float | int:
    """Give whole numbers as such: they are shorter in a file."""
    return int(value) if value == int(value) else value


def keypoints_seen(
    camera: Camera, points_m: ArrayLike, mask: NDArray[np.bool_]
) -> tuple[Keypoint, ...]:
    """Say where each keypoint (n, 3) is in the picture: u, v (to 0.1 px) and COCO's flag.

    0 outside the picture (u = v = 0), 1 hidden, 2 visible: the person's mask (H, W) has a pixel
    within one of it. What their own body hides counts as visible.
    """
    plate, depth = camera.plate_pixels(points_m)
    pixels = camera.delivered_from_plate(plate)  # as `pixels`, but nothing far outside folds back
    h, w = mask.shape
    within = (depth > 0.2) & ((pixels >= -0.5) & (pixels < np.array([w, h]) - 0.5)).all(axis=1)
    return tuple(
        _flagged(float(u), float(v), mask) if ok else (0.0, 0.0, OUTSIDE)
        for (u, v), ok in zip(pixels, within, strict=True)
    )


def _flagged(u: float, v: float, mask: NDArray[np.bool_]) -> Keypoint:
    column, row = round(u), round(v)
    near = mask[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
    return round(u, 1) + 0.0, round(v, 1) + 0.0, VISIBLE if near.any() else HIDDEN


def encode_rle(mask: ArrayLike) -> str:
    """Encode a mask (H, W) as COCO's compressed run lengths, exactly as pycocotools does.

    Runs down the columns, first of what is not in the mask; from the fourth on the difference to
    the last but one, in groups of 5 bits, low ones first (`rleToString` of cocoapi).

    >>> encode_rle([[0, 1], [0, 1]])
    '22'
    """
    flat = np.asarray(mask).astype(bool).ravel(order="F")
    edges = np.flatnonzero(np.diff(flat, prepend=False))
    counts = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()
    steps = [n - counts[i - 2] if i > 2 else n for i, n in enumerate(counts)]
    return "".join(_characters(step) for step in steps)


def _characters(value: int) -> str:
    out = ""
    while True:
        low, value = value & 31, value >> 5
        done = value == (-1 if low & 16 else 0)
        out += chr(low + (0 if done else 32) + 48)
        if done:
            return out
