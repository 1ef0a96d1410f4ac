"""The truth of a rendered scene, in the field's formats; the same bytes for the same scene.

Boxes follow MOTChallenge with OpenCV pixels (integer centres). Knows nothing about light.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sample_videos.generator import GENERATOR_VERSION
from sample_videos.generator.camera import Camera
from sample_videos.generator.coco import HIDDEN_BELOW
from sample_videos.generator.mine import dead_from, phases
from sample_videos.generator.miner import Posed
from sample_videos.generator.scene_file import (
    HAPPENINGS,
    CameraSpec,
    HappeningSpec,
    MinerSpec,
    SceneSpec,
    ZoneSpec,
)
from sample_videos.generator.tags import tag_of

Floats = NDArray[np.floating[Any]]
CLASS_PEDESTRIAN = 1
LONGWALL_WALKWAY_M = (2.35, 0.9)
FEET_WITHIN_M = 0.3
"""Of a walking body just the feet and ankles are so low, of one that lies nearly all."""
TRUTH_SCHEMA = "lamproom-sample-truth/2"


def write_json(path: Path, value: object) -> None:
    """Write JSON, one item of a top-level list a line."""
    if isinstance(value, list):
        lines = ",\n".join(" " + json.dumps(item) for item in value)
        path.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    else:
        path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


def rounded(values: Any, digits: int = 4) -> Any:
    """Round an array or number to plain Python; no negative zeros."""
    return (np.round(np.asarray(values, float), digits) + 0.0).tolist()


def scene_truth(scene: SceneSpec) -> dict[str, Any]:
    """Describe the site: frame, timing, floor, zones and the cameras exactly as they deliver."""
    return {
        "schema": TRUTH_SCHEMA,
        "scene": scene.name,
        "seed": scene.seed,
        "generator_version": GENERATOR_VERSION,
        "frame": "mine: metres, x along the roadway (chainage), y left, z up",
        "floor": floor_truth(scene),
        "fps": scene.fps,
        "frames": scene.frames,
        "zones": [_zone(scene, zone) for zone in scene.zones],
        "immobile_after_s": scene.immobile_after_s,
        "miners": [_miner(miner) for miner in scene.miners],
        "tags": asdict(scene.tags),
        "happenings": [_happening(happening) for happening in scene.happenings],
        "cameras": [_camera(scene, spec) for spec in scene.cameras],
    }


def floor_truth(scene: SceneSpec) -> dict[str, Any]:
    """Describe where people can walk, as a site's `floor` has it.

    The centre line is the walkway's own middle (a longwall's lies beside the scene's line).
    """
    left, right = walkway_m(scene)
    axis = scene.axis
    middle = np.full(len(axis.chainage_m), (left + right) / 2)
    return {
        "centre_line_m": rounded(axis.floor_m(np.column_stack([axis.chainage_m, middle])), 6),
        "cross_fall": scene.cross_fall,
        "left_m": rounded((left - right) / 2),
        "right_m": rounded((left - right) / 2),
    }


def walkway_m(scene: SceneSpec) -> tuple[float, float]:
    """Tell how far left of the scene's line the walkway's left and right edges are."""
    if scene.roadway is not None:
        return scene.roadway.width_m / 2, -scene.roadway.width_m / 2
    return LONGWALL_WALKWAY_M


def _zone(scene: SceneSpec, zone: ZoneSpec) -> dict[str, Any]:
    return {
        "id": zone.id,
        "kind": zone.kind,
        "polygon_m": rounded(scene.axis.floor_m(zone.polygon_m)[:, :2]),
        "around_shearer_m": zone.around_shearer_m,
        "capacity": zone.capacity,
    }


def _miner(miner: MinerSpec) -> dict[str, Any]:
    return {
        "id": miner.id,
        "height_m": miner.height_m,
        "helmet_on": miner.helmet_on,
        "lamp_on": miner.lamp_on,
        "tag": tag_of(miner),
    }


def _happening(happening: HappeningSpec) -> dict[str, Any]:
    """Give a happening's fields, those that it has a use for."""
    fields = {
        "kind": happening.kind,
        "at_s": happening.at_s,
        **{name: getattr(happening, name) for name in HAPPENINGS[happening.kind]},
    }
    if happening.kind == "lens_dust":
        fields["over_s"] = happening.over_s
    return {name: list(v) if isinstance(v, tuple) else v for name, v in fields.items()}


def _camera(scene: SceneSpec, spec: CameraSpec) -> dict[str, Any]:
    """Describe a camera; `poses` has a row for each frame from which it looks elsewhere."""
    parts = phases(scene, spec)
    camera = parts[0].camera
    poses: list[dict[str, Any]] = []
    for phase in parts:
        pose = _pose(phase.camera)
        if not poses or any(poses[-1][name] != pose[name] for name in pose):
            poses.append({"from_frame": phase.first_frame, **pose})
    return {
        "id": camera.name,
        "size_px": [camera.width_px, camera.height_px],
        "lens": camera.lens,
        "K": rounded(camera.k, 6),
        "dist": rounded(camera.distortion, 8),
        **_pose(camera),
        "position_m": rounded(camera.centre_m, 9),
        "poses": poses,
        "dead_from_frame": dead_from(scene, camera.name),
    }


def _pose(camera: Camera) -> dict[str, Any]:
    return {"R": rounded(camera.rotation, 12), "t": rounded(camera.translation, 9)}


def world_line(
    frame: int, fps: int, people: list[dict[str, Any]], movers: Mapping[str, Any] | None = None
) -> str:
    """Write one frame of `world.jsonl`; `movers` only where something moves by itself."""
    row: dict[str, Any] = {"frame": frame, "t_s": round(frame / fps, 4), "people": people}
    if movers:
        row["movers"] = dict(movers)
    return json.dumps(row) + "\n"


def stands_m(posed: Posed, heading_rad: float) -> Floats:
    """Give the floor (3,) under the middle of what is near the floor, in mine metres.

    Half way between its ends, along where the person faces and across: the middle of the feet, or
    of the whole body of somebody who lies. This is where people who mark recordings by hand put a
    ground point; the pelvis of a walker is some 8 cm behind it, as feet point forwards.
    """
    ahead = np.array([np.cos(heading_rad), np.sin(heading_rad)])
    ways = np.stack([ahead, [-ahead[1], ahead[0]]])
    low = posed.vertices[posed.vertices[:, 2] < posed.feet_m[2] + FEET_WITHIN_M, :2]
    along = (low - posed.feet_m[:2]) @ ways.T
    off = (along.min(axis=0) + along.max(axis=0)) / 2 @ ways
    return posed.feet_m + np.array([*off, 0.0])


def mot_line(
    frame: int, person: int, box: tuple[float, float, float, float], visibility: float
) -> str:
    """Write one line of gt.txt: frames count from 1, flag 0 where more than 90 % is hidden.

    The box's left and top are pixel edges as MOT has them: the first pixel's edge is 1.
    """
    x1, y1, x2, y2 = box
    flag = int(round(visibility, 3) >= HIDDEN_BELOW)  # as it is written
    return (
        f"{frame + 1},{person},{x1 + 1.5:.2f},{y1 + 1.5:.2f},{x2 - x1:.2f},{y2 - y1:.2f},"
        f"{flag},{CLASS_PEDESTRIAN},{visibility:.3f}\n"
    )


def seqinfo(name: str, fps: int, frames: int, size_px: tuple[int, int]) -> str:
    """Write MOTChallenge's seqinfo.ini."""
    return (
        f"[Sequence]\nname={name}\nimDir={name}.mp4\nframeRate={fps}\nseqLength={frames}\n"
        f"imWidth={size_px[0]}\nimHeight={size_px[1]}\nimExt=.mp4\n"
    )


def _on_surface(camera: Camera, points: Floats, depth: Floats, margin_px: int) -> NDArray[np.bool_]:
    """Tell which mine points (n, 3) the camera sees: in the picture, nothing static before them.

    `depth` (H, W) is the plate's. A point passes where the plate's depth agrees within 1.5 cm +
    0.5 % over its neighbourhood, so points on edges are left out.
    """
    plate_px, z = camera.plate_pixels(points)
    ok = z > 0.5
    delivered = np.full((len(points), 2), -1e6)
    delivered[ok] = camera.pixels(points[ok])
    size = np.array([camera.width_px, camera.height_px])
    ok &= ((delivered >= margin_px) & (delivered <= size - 1 - margin_px)).all(1)
    ok &= ((plate_px >= 3) & (plate_px <= np.array(camera.plate_size_px) - 4)).all(1)
    index = np.round(np.where(ok[:, None], plate_px, 5)).astype(int)
    for dv in (-1, 0, 1):
        for du in (-1, 0, 1):
            there = depth[index[:, 1] + dv, index[:, 0] + du]
            slack = 0.015 + 0.005 * z + (0.03 * z if du or dv else 0)
            ok &= np.abs(there - z) < slack
    return ok


def tie_points(
    cameras: Sequence[Camera],
    positions: Sequence[Floats],
    seed: int,
    per_pair: int = 200,
    max_range_m: float = 25.0,
) -> list[dict[str, Any]]:
    """Pick static points that both cameras of a pair see, spread over the overlap.

    `positions` (H, W, 3) per camera are the plates' mine points. Each item: cameras, xyz_m, and
    the pixel in each, as they look from frame 0. A pair with fewer than 20 does not overlap.
    """
    out = []
    depths = [p.astype(float) for p in _depths(cameras, positions)]
    for a, first in enumerate(cameras):
        for b in range(a + 1, len(cameras)):
            second = cameras[b]
            rng = np.random.default_rng([seed, a, b])
            chosen: list[int] = []
            h, w = depths[a].shape
            rows = rng.integers(4, h - 4, 12000)
            columns = rng.integers(4, w - 4, 12000)
            points = np.round(positions[a][rows, columns].astype(float), 4)
            ok = np.linalg.norm(points - first.centre_m, axis=1) < max_range_m
            ok &= np.linalg.norm(points - second.centre_m, axis=1) < max_range_m
            ok &= _on_surface(first, points, depths[a], 4)
            ok &= _on_surface(second, points, depths[b], 4)
            pixels = np.zeros((len(points), 2))
            pixels[ok] = first.pixels(points[ok])
            for i in np.nonzero(ok)[0].tolist():  # keep them some 12 px apart
                if len(chosen) == per_pair:
                    break
                if all(np.abs(pixels[i] - pixels[j]).max() > 12 for j in chosen):
                    chosen.append(i)
            if len(chosen) < 20:
                continue
            other = second.pixels(points[chosen])
            for i, uv in zip(chosen, other, strict=True):
                out.append(
                    {
                        "cameras": [first.name, second.name],
                        "xyz_m": rounded(points[i]),
                        "pixels": [rounded(pixels[i], 3), rounded(uv, 3)],
                    }
                )
    return out


def survey_points(
    cameras: Sequence[Camera],
    positions: Sequence[Floats],
    seed: int,
    per_camera: int = 8,
    noise_px: float = 0.5,
) -> list[dict[str, Any]]:
    """Pick points as a surveyor would: spread over each picture, clicked to half a pixel.

    Farthest-point sampling in the picture over points within 12 m; the noise is seeded.
    """
    out = []
    for i, (camera, depth) in enumerate(zip(cameras, _depths(cameras, positions), strict=True)):
        rng = np.random.default_rng([seed, 99, i])
        h, w = depth.shape  # the plate's, larger than the picture behind a fisheye
        rows = rng.integers(4, h - 4, 6000)
        columns = rng.integers(4, w - 4, 6000)
        points = np.round(positions[i][rows, columns].astype(float), 3)
        ok = np.linalg.norm(points - camera.centre_m, axis=1) < 12.0
        ok &= _on_surface(camera, points, depth, 40)
        points = points[ok]
        pixels = camera.pixels(points)
        corner = [0.15 * camera.width_px, 0.2 * camera.height_px]
        chosen = [int(np.linalg.norm(pixels - corner, axis=1).argmin())]
        while len(chosen) < per_camera:
            gap = np.linalg.norm(pixels[:, None] - pixels[None, chosen], axis=2).min(1)
            chosen.append(int(gap.argmax()))
        noise = rng.normal(0, noise_px, (per_camera, 2))
        for k, j in enumerate(chosen):
            out.append(
                {
                    "camera": camera.name,
                    "pixel": rounded(pixels[j] + noise[k], 2),
                    "mine_m": rounded(points[j], 3),
                }
            )
    return out


def _depths(cameras: Sequence[Camera], positions: Sequence[Floats]) -> list[Floats]:
    return [
        (p.astype(float) - c.centre_m) @ c.rotation[2]
        for c, p in zip(cameras, positions, strict=True)
    ]
