"""The mine's tag system, simulated: where it says that each tag is, with its usual errors.

Most places are off by Gauss's noise; some by metres (reflections), which the system does not
notice: it claims the same sigma for all. Knows nothing about cameras.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sample_videos.generator.scene_file import MinerSpec, SceneSpec
from sample_videos.generator.script import Moment

Floats = NDArray[np.float64]
GROSS_M = (2.0, 6.0)
"""How far off a reflection is."""
GOLDEN = 0.6180339887498949
"""Its multiples spread tags over a period, however many there are."""
STREAM = 41
"""Sets these random numbers apart from the scene's others."""


def tag_of(miner: MinerSpec) -> str | None:
    """Name the tag that a miner wears; None where the scene file gives them an empty one."""
    return (f"tag-{miner.id}" if miner.tag is None else miner.tag) or None


def tag_feed(scene: SceneSpec, courses: Mapping[int, Sequence[Moment]]) -> list[dict[str, Any]]:
    """Give every row that the tag system would have sent, sorted by time and tag.

    Each is `{t_s, tag, xy_m, sigma_m}`: mine metres, and one sigma per axis as the system claims
    it. A tag's rows depend on the scene's seed and its miner alone.
    """
    rows = [row for miner in scene.miners for row in _rows(scene, miner, courses[miner.id])]
    return sorted(rows, key=lambda row: (row["t_s"], row["tag"]))


def write_tags(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write `tags.jsonl`, a row a line."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def _rows(scene: SceneSpec, miner: MinerSpec, course: Sequence[Moment]) -> list[dict[str, Any]]:
    tag, spec = tag_of(miner), scene.tags
    if tag is None:
        return []
    first_s = spec.every_s * ((miner.id * GOLDEN) % 1.0)
    t_s = np.arange(first_s, scene.duration_s, spec.every_s).round(3)
    error_m, lost = _errors(scene, miner.id, len(t_s))
    heard = (scene.axis.floor_m(_places(course, scene.fps, t_s))[:, :2] + error_m).round(3) + 0.0
    return [
        {"t_s": float(t), "tag": tag, "xy_m": xy.tolist(), "sigma_m": spec.sigma_m}
        for t, xy, gone in zip(t_s, heard, lost, strict=True)
        if not gone
    ]


def _places(course: Sequence[Moment], fps: int, t_s: Floats) -> Floats:
    """Give where somebody is (along, left) at instants (n,), between frames too: (n, 2)."""
    at_s = np.arange(len(course)) / fps
    xy = np.array([m.xy_m for m in course])
    return np.column_stack([np.interp(t_s, at_s, xy[:, 0]), np.interp(t_s, at_s, xy[:, 1])])


def _errors(scene: SceneSpec, miner: int, n: int) -> tuple[Floats, NDArray[np.bool_]]:
    """Draw errors (n, 2) in metres, and which rows (n,) are lost."""
    rng = np.random.default_rng([scene.seed, STREAM, miner])
    error = rng.normal(0.0, scene.tags.sigma_m, (n, 2))
    gross, lost, turn, far = rng.random((4, n))
    reach = GROSS_M[0] + (GROSS_M[1] - GROSS_M[0]) * far
    angle = 2 * np.pi * turn
    jump = reach[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    error = np.where((gross < scene.tags.gross_share)[:, None], jump, error)
    return error, lost < scene.tags.lost_share
