"""Writes the site file of an event's clip, and the zones of any scene as a site file has them.

Knows nothing about pictures: the survey points are given.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from sample_videos.generator.events import SHEARER_LENGTH_M
from sample_videos.generator.scene_file import Point, SceneSpec, ZoneSpec
from sample_videos.generator.truth import rounded

SHEARER = "shearer"
"""The name under which the shearer's place is told."""
WORKPLACE_HALF_M, WORKPLACE_IMMOBILE_S = 0.7, 60
ROUND_CORNERS = 8
"""Of half a circle."""
KINDS = {"restricted": "restricted", "danger": "danger", "capacity": "area"}
LOST = {"left_coverage": "{after_s: 3.5, exit_m: 0}"}
"""Where nobody may walk out of view; elsewhere people may."""


def event_site(scene: SceneSpec, about: str, points: Sequence[Mapping[str, Any]]) -> str:
    """Write `site.yaml` for an event's clip; `about` says in a sentence what happens.

    `points` are the survey points of the rig that all clips share.
    """
    line = f"[[0, 0, 0], [{scene.mine.length_m:g}, 0, 0]]"
    zones = zone_lines(scene)
    return "\n".join(
        [
            f"# {about}",
            "version: 1",
            f"site: event-{scene.name.replace('_', '-')}",
            "gateway: gw1",
            "cameras:",
            *(f"  - {{name: {c.id}, url: {c.id}.mp4}}" for c in scene.cameras),
            "rig:",
            "  kind: rotation",
            "  file: ../rig.yaml             # one rig file for all event clips",
            f"  lens: {{hfov_deg: {scene.cameras[0].hfov_deg:g}}}",
            "  survey_points:",
            *(
                f"    - {{camera: {p['camera']}, pixel: {p['pixel']}, mine_m: {p['mine_m']}}}"
                for p in points
            ),
            "floor:",
            f"  centre_line_m: {line}",
            "  left_m: 2.3",
            "  right_m: 2.3",
            *(["zones:", *zones] if zones else []),
            "limits:",
            "  zone: {enter_after_s: 1.0, leave_after_s: 2.0}",
            "  man_down: {after_s: 3.0}",
            f"  immobile: {{after_s: {scene.immobile_after_s:g}}}",
            f"  lost: {LOST.get(scene.name, '{after_s: 3.5}')}",
            "  helmet: {after_s: 2.0}",
            "acceptance: {coverage_m: [23, 40]}   # what these two cameras look at",
            "",
        ]
    )


def zone_lines(scene: SceneSpec) -> list[str]:
    """Write the zones, a line each: the scene's own, and where its people stand at work."""
    return [*(_zone_line(scene, zone) for zone in scene.zones), *_workplaces(scene)]


def _zone_line(scene: SceneSpec, zone: ZoneSpec) -> str:
    corners: object = list(map(list, zone.polygon_m))
    more = ""
    if zone.around_shearer_m is not None:
        corners, more = shearer_corners_m(zone.around_shearer_m), f", follows: {SHEARER}"
    elif scene.line_m:
        corners = rounded(scene.axis.floor_m(zone.polygon_m)[:, :2])
    if zone.capacity is not None:
        more += f", capacity: {zone.capacity}"
    return f"  - {{name: {zone.id}, kind: {KINDS[zone.kind]}{more}, polygon_m: {corners}}}"


def shearer_corners_m(around_m: float) -> list[list[float]]:
    """Outline the capsule round a shearer that lies along x, from its middle."""
    half = SHEARER_LENGTH_M / 2
    turns = [math.pi * (i / ROUND_CORNERS - 0.5) for i in range(ROUND_CORNERS + 1)]
    ends = [(half, turn) for turn in turns] + [(-half, turn + math.pi) for turn in turns]
    return [
        rounded([middle + around_m * math.cos(turn), around_m * math.sin(turn)], 3)
        for middle, turn in ends
    ]


def _workplaces(scene: SceneSpec) -> list[str]:
    """Where somebody stands at work nobody is alarmed about who stays: as a mine would say it."""
    lines = []
    for spot in dict.fromkeys(_work_spots(scene)):
        x, y = spot
        half = WORKPLACE_HALF_M
        corners = [[x - half, y - half], [x + half, y - half], [x + half, y + half],
                   [x - half, y + half]]  # fmt: skip
        place = rounded(scene.axis.floor_m(corners)[:, :2], 2)
        lines.append(
            f"  - {{name: work-{len(lines) + 1}, kind: area, "
            f"immobile_after_s: {WORKPLACE_IMMOBILE_S}, polygon_m: {place}}}"
        )
    return lines


def _work_spots(scene: SceneSpec) -> list[Point]:
    spots = []
    for miner in scene.miners:
        here = miner.at_m
        for step in miner.script:
            here = step.walk_to or here
            if step.work_s is not None:
                spots.append(here)
    return spots
