"""Writes every truth file of a rendered scene beside its clips.

Knows nothing about how pictures are drawn; it reads what each camera noted while it filmed.
"""

# mypy: ignore-errors

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from sample_videos.generator import coco, events, tags, truth
from sample_videos.generator.clip import (
    courses,
    look_of,
    plate_file,
    pose_all,
    seen_path,
)
from sample_videos.generator.mine import phases
from sample_videos.generator.miner import build_body
from sample_videos.generator.movers import shearer_x_m
from sample_videos.generator.plates import Plate
from sample_videos.generator.roadway import BELT_Y_M
from sample_videos.generator.scene_file import SceneSpec

COCO_EVERY = 5
"""Every so many frames the COCO export says who is where: all masks would outweigh the clips."""
Seen = list[list[dict[str, Any]]]
"""Per frame, whom a camera shows and how."""


def write_truth(scene: SceneSpec, out: Path, work: Path) -> None:
    """Write every truth file; all cameras must have been filmed."""
    course = courses(scene)
    seen = {spec.id: _read_seen(seen_path(scene, spec.id, work)) for spec in scene.cameras}
    visible = {
        camera: [{p["id"]: p["visibility"] for p in people} for people in frames]
        for camera, frames in seen.items()
    }
    truth.write_json(out / "scene.json", truth.scene_truth(scene))
    truth.write_json(out / "events.json", events.find_events(scene, course, visible))
    tags.write_tags(out / "tags.jsonl", tags.tag_feed(scene, course))
    _write_world(scene, course, out / "world.jsonl")
    _write_points(scene, out, work / "plates")
    for spec in scene.cameras:
        camera = phases(scene, spec)[0].camera
        folder = out / "mot" / spec.id
        (folder / "gt").mkdir(parents=True, exist_ok=True)
        text = [
            truth.mot_line(frame, person["id"], person["full_box"], person["visibility"])
            for frame, people in enumerate(seen[spec.id])
            for person in people
        ]
        (folder / "gt" / "gt.txt").write_text("".join(text), encoding="utf-8")
        (folder / "seqinfo.ini").write_text(
            truth.seqinfo(spec.id, scene.fps, len(seen[spec.id]), spec.size_px), encoding="utf-8"
        )
        (out / "coco").mkdir(exist_ok=True)
        coco.write_coco(
            out / "coco" / f"{spec.id}.json",
            coco.coco_truth(scene, camera, seen[spec.id], COCO_EVERY),
        )


def _read_seen(path: Path) -> Seen:
    lines = path.read_text(encoding="utf-8").splitlines()[1:]
    return [json.loads(line) for line in lines]


def _write_world(scene: SceneSpec, course, path: Path) -> None:
    """Write where everybody is, frame by frame."""
    body, looks = build_body(), [look_of(m) for m in scene.miners]
    lines = []
    for frame in range(scene.frames):
        people = []
        posed = pose_all(scene, body, looks, course, frame)
        for miner, p in zip(scene.miners, posed, strict=True):
            moment = course[miner.id][frame]
            heading = moment.yaw_rad + scene.axis.heading_rad(moment.xy_m[0])
            people.append(
                {
                    "id": miner.id,
                    "xyz_m": truth.rounded(p.feet_m, 3),
                    "stands_xyz_m": truth.rounded(truth.stands_m(p, heading), 3),
                    "head_xyz_m": truth.rounded(p.head_m, 3),
                    "height_m": truth.rounded(p.height_m, 2),
                    "yaw_rad": truth.rounded(np.arctan2(np.sin(heading), np.cos(heading)), 4),
                    "state": moment.state,
                    "helmet_on": moment.helmet_on,
                    "lamp_on": p.lamp_lit,
                }
            )
        shearer = shearer_x_m(scene, frame / scene.fps)
        movers = {}
        if shearer is not None:
            place = scene.axis.mine([[shearer, events.SHEARER_LEFT_M, 0.0]])[0]
            movers["shearer_xyz_m"] = truth.rounded(place, 3)
        lines.append(truth.world_line(frame, scene.fps, people, movers))
    path.write_text("".join(lines), encoding="utf-8")


def _write_points(scene: SceneSpec, out: Path, plates_folder: Path) -> None:
    """Write tie points and survey points, from the still views of the first phase."""
    first = [phases(scene, spec)[0] for spec in scene.cameras]
    cameras = [phase.camera for phase in first]
    plates = [Plate.load(plate_file(scene, p, plates_folder)).position_m for p in first]
    positions = [_without_movers(scene, points) for points in plates]
    truth.write_json(out / "tiepoints.json", truth.tie_points(cameras, positions, scene.seed))
    truth.write_json(
        out / "survey_points.json", truth.survey_points(cameras, positions, scene.seed)
    )


def _without_movers(scene: SceneSpec, points_m):
    """Move still points (H, W, 3) that something moving may cover far away: nobody picks them."""
    low, high, left, up, radius = _swept(scene)
    if radius == 0.0:
        return points_m
    course = scene.axis.mine([[x, left, up] for x in np.arange(low, high + 0.5, 0.5)])
    distance, _ = cKDTree(course).query(points_m.reshape(-1, 3))
    covered = (distance < radius).reshape(points_m.shape[:2])
    return np.where(covered[..., None], np.float32(1e4), points_m)


def _swept(scene: SceneSpec) -> tuple[float, float, float, float, float]:
    """Give what moving things sweep: chainage from, to, left, up, and the radius round that."""
    if scene.roadway is not None:
        radius = 0.9 if scene.roadway.belt_m_s else 0.0
        return 0.0, scene.roadway.length_m, BELT_Y_M, 0.9, radius
    ends = [shearer_x_m(scene, t_s) for t_s in (0.0, scene.duration_s)]
    known = [x for x in ends if x is not None]
    if not known:
        return 0.0, 0.0, 0.0, 0.0, 0.0
    reach = events.SHEARER_LENGTH_M / 2
    return min(known) - reach, max(known) + reach, events.SHEARER_LEFT_M, 1.2, 1.5
