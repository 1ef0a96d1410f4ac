"""The truth of a rendered scene, in the field's formats; the same bytes for the same scene.

Boxes follow MOTChallenge with OpenCV pixels (integer centres). Knows nothing about light.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sample_videos.generator import GENERATOR_VERSION
from sample_videos.generator.camera import Camera
from sample_videos.generator.scene_file import Point, SceneSpec, ZoneSpec
from sample_videos.generator.script import Moment

Floats = NDArray[np.floating[Any]]
HIDDEN_BELOW = 0.1
MIN_VISIBLE_PX = 24
CLASS_PEDESTRIAN = 1
TRUTH_SCHEMA = "lamproom-sample-truth/1"


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


def scene_truth(scene: SceneSpec, cameras: Sequence[Camera]) -> dict[str, Any]:
    """Describe the site: frame, timing, zones and the cameras exactly as they deliver."""
    return {
        "schema": TRUTH_SCHEMA,
        "scene": scene.name,
        "seed": scene.seed,
        "generator_version": GENERATOR_VERSION,
        "frame": "mine: metres, x along the roadway, y left, z up; the walkway's floor is z = 0",
        "floor_z_m": 0.0,
        "fps": scene.fps,
        "frames": scene.frames,
        "zones": [
            {"id": z.id, "kind": z.kind, "polygon_m": [list(p) for p in z.polygon_m]}
            for z in scene.zones
        ],
        "miners": [
            {"id": m.id, "height_m": m.height_m, "helmet_on": m.helmet_on, "lamp_on": m.lamp_on}
            for m in scene.miners
        ],
        "cameras": [
            {
                "id": c.name,
                "size_px": [c.width_px, c.height_px],
                "K": rounded(c.k, 6),
                "dist": rounded(c.distortion, 8),
                "R": rounded(c.rotation, 12),
                "t": rounded(c.translation, 9),
                "position_m": rounded(c.centre_m, 9),
            }
            for c in cameras
        ],
    }


def world_line(frame: int, fps: int, people: list[dict[str, Any]]) -> str:
    """Write one frame of `world.jsonl`."""
    return json.dumps({"frame": frame, "t_s": round(frame / fps, 4), "people": people}) + "\n"


def inside(point: Point, polygon: Sequence[Point]) -> bool:
    """Tell whether a point is inside a polygon (even-odd rule).

    >>> inside((1.0, 1.0), [(0, 0), (2, 0), (2, 2), (0, 2)])
    True
    """
    x, y = point
    odd = False
    for (xa, ya), (xb, yb) in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
        if (ya > y) != (yb > y) and x < (xb - xa) * (y - ya) / (yb - ya) + xa:
            odd = not odd
    return odd


def find_events(
    zones: Sequence[ZoneSpec], moments: dict[int, list[Moment]], fps: int
) -> list[dict[str, Any]]:
    """Find zone entries and falls; `t_end_s` is null while it lasts at the clip's end."""
    events = []
    for person, course in moments.items():
        for zone in zones:
            within = [inside(m.xy_m, zone.polygon_m) for m in course]
            for start, end in _runs(within):
                events.append(
                    _event(
                        "zone_entry",
                        person=person,
                        zone=zone.id,
                        course=course,
                        start=start,
                        end=end,
                        fps=fps,
                    )
                )
        down = [m.state in ("fall", "lie") for m in course]
        for start, end in _runs(down):
            events.append(
                _event(
                    "fall", person=person, zone=None, course=course, start=start, end=end, fps=fps
                )
            )
    return sorted(events, key=lambda e: (e["t_start_s"], e["type"], e["id"]))


def _runs(flags: list[bool]) -> list[tuple[int, int | None]]:
    """Give first frame and first frame after (or None) of each run of True."""
    out = []
    start = None
    for i, flag in enumerate([*flags, False]):
        if flag and start is None:
            start = i
        elif not flag and start is not None:
            out.append((start, i if i < len(flags) else None))
            start = None
    return out


def _event(
    kind: str,
    *,
    person: int,
    zone: str | None,
    course: list[Moment],
    start: int,
    end: int | None,
    fps: int,
) -> dict[str, Any]:
    at = course[start] if kind != "fall" else course[-1 if end is None else end - 1]
    return {
        "type": kind,
        "id": person,
        "zone": zone,
        "t_start_s": round(start / fps, 4),
        "t_end_s": None if end is None else round(end / fps, 4),
        "xyz_m": rounded([*at.xy_m, 0.0], 3),
    }


def mot_line(
    frame: int, person: int, box: tuple[float, float, float, float], visibility: float
) -> str:
    """Write one line of gt.txt: frames count from 1, flag 0 where more than 90 % is hidden.

    The box's left and top are pixel edges as MOT has them: the first pixel's edge is 1.
    """
    x1, y1, x2, y2 = box
    flag = int(visibility >= HIDDEN_BELOW)
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
    h, w = depth.shape
    size = np.array([w, h])
    ok &= ((delivered >= margin_px) & (delivered <= size - 1 - margin_px)).all(1)
    ok &= ((plate_px >= 3) & (plate_px <= size - 4)).all(1)
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
    the pixel in each.
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
            ok &= _on_surface(first, points, depths[a], 4)
            ok &= _on_surface(second, points, depths[b], 4)
            pixels = np.zeros((len(points), 2))
            pixels[ok] = first.pixels(points[ok])
            for i in np.nonzero(ok)[0]:  # keep them some 12 px apart
                if len(chosen) == per_pair:
                    break
                if all(np.abs(pixels[i] - pixels[j]).max() > 12 for j in chosen):
                    chosen.append(int(i))
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
        h, w = depth.shape
        rows = rng.integers(4, h - 4, 6000)
        columns = rng.integers(4, w - 4, 6000)
        points = np.round(positions[i][rows, columns].astype(float), 3)
        ok = np.linalg.norm(points - camera.centre_m, axis=1) < 12.0
        ok &= _on_surface(camera, points, depth, 40)
        points = points[ok]
        pixels = camera.pixels(points)
        chosen = [int(np.linalg.norm(pixels - [0.15 * w, 0.2 * h], axis=1).argmin())]
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
