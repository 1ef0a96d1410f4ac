"""Endless scenes: a seed becomes a mine, its cameras, and people who do something.

The same seed gives the same scene. Knows nothing about rendering.
"""

from __future__ import annotations

from dataclasses import MISSING, fields, is_dataclass
from typing import Any

import numpy as np
import yaml

from sample_videos.generator.scene_file import (
    SCHEMA,
    CameraSpec,
    LongwallSpec,
    MinerSpec,
    Point3,
    RoadwaySpec,
    SceneSpec,
    StepSpec,
)

SUITS: tuple[Point3, ...] = (
    (0.020, 0.030, 0.075),
    (0.50, 0.13, 0.02),
    (0.028, 0.028, 0.030),
    (0.03, 0.05, 0.10),
    (0.16, 0.14, 0.10),
    (0.05, 0.10, 0.22),
    (0.35, 0.30, 0.05),
    (0.10, 0.10, 0.11),
    (0.45, 0.06, 0.04),
)
HELMETS: tuple[Point3, ...] = (
    (0.70, 0.70, 0.66),
    (0.62, 0.42, 0.03),
    (0.45, 0.04, 0.03),
    (0.03, 0.10, 0.35),
    (0.55, 0.18, 0.02),
    (0.06, 0.25, 0.07),
)
VESTS: tuple[Point3, ...] = ((0.42, 0.55, 0.03), (0.6, 0.2, 0.02))
LONGWALL_SHARE = 0.3
FISHEYE_SHARE = 0.2
LANE_M = 0.55
"""Miners walk in lanes of their own, so that nobody walks through another."""


def random_scene(seed: int, *, size_px: tuple[int, int] = (1280, 720)) -> SceneSpec:
    """Draw a scene: a roadway with a fan of cameras, or a longwall with a string of them.

    >>> random_scene(3) == random_scene(3), random_scene(3) == random_scene(4)
    (True, False)
    """
    rng = np.random.default_rng([seed, 1])
    longwall = bool(rng.random() < LONGWALL_SHARE)
    roadway_spec = None if longwall else _roadway(rng)
    longwall_spec = _longwall(rng) if longwall else None
    length_m = longwall_spec.length_m if longwall_spec else 40.0
    cameras = _string(rng, length_m, size_px) if longwall else _fan(rng, length_m, size_px)
    return SceneSpec(
        schema=SCHEMA,
        name=f"random-{seed}",
        seed=seed,
        fps=10,
        duration_s=10.0,
        roadway=roadway_spec,
        longwall=longwall_spec,
        line_m=_line(rng, length_m),
        cross_fall=_rounded(rng.uniform(-0.04, 0.04)),
        cameras=cameras,
        miners=_miners(rng, longwall, cameras[0].at_m[0], length_m),
        dust_per_m=_rounded(np.exp(rng.uniform(np.log(0.004), np.log(0.05))), 4),
        samples_per_pixel=32,
    )


def random_miner(rng: np.random.Generator, number: int) -> MinerSpec:
    """Draw a miner's size, clothes and helmet; 15 % go bare-headed."""
    suit = np.clip(np.array(SUITS[rng.integers(len(SUITS))]) * rng.uniform(0.6, 1.5), 0.01, 0.7)
    own = (_rounded(suit[0], 4), _rounded(suit[1], 4), _rounded(suit[2], 4))
    stripes: tuple[Point3, ...] = ((0.55, 0.60, 0.06), (0.6, 0.3, 0.05), own)
    return MinerSpec(
        id=number,
        at_m=(0.0, 0.0),
        height_m=_rounded(rng.uniform(1.60, 1.92), 2),
        suit=own,
        helmet=HELMETS[rng.integers(len(HELMETS))],
        stripe=stripes[rng.integers(3)],
        vest=VESTS[rng.integers(2)] if rng.random() < 0.35 else None,
        helmet_on=bool(rng.random() > 0.15),
        lamp_on=bool(rng.random() < 0.8),
        dirt=_rounded(rng.uniform(0.1, 0.6), 2),
    )


def random_camera(
    rng: np.random.Generator, longwall: bool, length_m: float, size_px: tuple[int, int]
) -> CameraSpec:
    """Draw one fixed camera: on a rib or near the roof, looking along or across."""
    if longwall:
        return CameraSpec(
            id="view",
            at_m=(
                _rounded(rng.uniform(4, length_m - 10)),
                _rounded(rng.uniform(1.3, 1.7)),
                2.35,
            ),
            yaw_deg=_rounded(rng.choice([0, 180]) + rng.choice([-1, 1]) * rng.uniform(4, 22)),
            pitch_deg=_rounded(rng.uniform(-24, -12)),
            **_lens(rng, rng.uniform(65, 92)),
            size_px=size_px,
        )
    lefts = [-2.0, rng.uniform(-1.8, 0.5), rng.uniform(-1.0, 0.5), 2.0]
    left = float(rng.choice(lefts, p=[0.4, 0.3, 0.1, 0.2]))
    if rng.random() < 0.6 or abs(left) < 1:
        yaw = rng.choice([0, 180]) + rng.normal(0, 14)
    else:
        yaw = (90 if left < 0 else -90) + rng.uniform(-60, 60)
    return CameraSpec(
        id="view",
        at_m=(_rounded(rng.uniform(8, length_m - 8)), _rounded(left), _rounded(rng.uniform(2, 3))),
        yaw_deg=_rounded(yaw),
        pitch_deg=_rounded(rng.uniform(-30, -10)),
        **_lens(rng, rng.uniform(60, 90)),
        size_px=size_px,
    )


def _roadway(rng: np.random.Generator) -> RoadwaySpec:
    return RoadwaySpec(
        length_m=40.0,
        lamp_every_m=float(rng.choice([6.0, 8.0, 10.0])),
        lamp_power=_rounded(rng.uniform(0.6, 1.4)),
        belt_m_s=float(rng.choice([0.0, 1.6, 2.4])),
    )


def _longwall(rng: np.random.Generator) -> LongwallSpec:
    return LongwallSpec(
        height_m=_rounded(rng.uniform(2.65, 3.1)),
        lamp_power=_rounded(rng.uniform(0.6, 1.4)),
        shearer_at_m=_rounded(rng.uniform(10, 60)),
        shearer_m_s=_rounded(rng.uniform(-0.15, 0.15)),
    )


def _line(rng: np.random.Generator, length_m: float) -> tuple[Point3, ...]:
    """Draw a line of three stretches that climbs, falls and bends a little."""
    turn, grade = np.radians(rng.normal(0, 3, 3)).cumsum(), rng.normal(0, 0.04, 3)
    corners = [np.zeros(3)]
    for i in range(3):
        way = np.array([np.cos(turn[i]), np.sin(turn[i]), grade[i]])
        corners.append(corners[-1] + way * (length_m + 1) / 3)
    return tuple((_rounded(x), _rounded(y), _rounded(z)) for x, y, z in corners)


def _lens(rng: np.random.Generator, hfov_deg: float) -> dict[str, Any]:
    """Draw a lens: Brown's, or a fisheye that sees some more."""
    if rng.random() < FISHEYE_SHARE:
        bend = (_rounded(rng.uniform(-0.02, 0.03)), _rounded(rng.uniform(-0.01, 0.01)), 0.0, 0.0)
        return {"lens": "fisheye", "hfov_deg": _rounded(hfov_deg + 20, 1), "distortion": bend}
    k1 = rng.uniform(-0.22, -0.05) * min(1.0, 70 / hfov_deg)
    bent = (_rounded(k1), _rounded(rng.uniform(0.01, 0.05)), 0.0, 0.0, 0.0)
    return {"hfov_deg": _rounded(hfov_deg, 1), "distortion": bent}


def _fan(
    rng: np.random.Generator, length_m: float, size_px: tuple[int, int]
) -> tuple[CameraSpec, ...]:
    """Hang two to four cameras on one spot of a rib, fanned with 15 to 25 degrees of overlap."""
    count, hfov = int(rng.integers(2, 5)), float(rng.uniform(62, 78))
    step = hfov - rng.uniform(15, 25)
    side = float(rng.choice([-1, 1]))
    spot = (_rounded(rng.uniform(14, length_m - 14)), 2.05 * side, _rounded(rng.uniform(2.3, 2.7)))
    first = -90 * side + (count - 1) * step / 2
    lens = _lens(rng, hfov)
    return tuple(
        CameraSpec(
            id=f"cam{i + 1}",
            at_m=spot,
            yaw_deg=_rounded(first - i * step),
            pitch_deg=_rounded(rng.uniform(-20, -14)),
            size_px=size_px,
            exposure=_rounded(rng.uniform(0.85, 1.15)),
            **lens,
        )
        for i in range(count)
    )


def _string(
    rng: np.random.Generator, length_m: float, size_px: tuple[int, int]
) -> tuple[CameraSpec, ...]:
    """Hang three to six cameras along a face, all looking the same way."""
    count, yaw = int(rng.integers(3, 7)), float(rng.uniform(10, 16))
    step_m = float(rng.uniform(6, 7.5))
    first = float(rng.uniform(1.5, max(2.0, length_m - (count - 1) * step_m - 5)))
    lens = _lens(rng, 84.0)
    return tuple(
        CameraSpec(
            id=f"cam{i + 1}",
            at_m=(_rounded(first + i * step_m), 1.55, 2.38),
            yaw_deg=_rounded(yaw),
            pitch_deg=_rounded(rng.uniform(-19, -15)),
            size_px=size_px,
            exposure=_rounded(rng.uniform(0.85, 1.15)),
            **lens,
        )
        for i in range(count)
    )


def _miners(
    rng: np.random.Generator, longwall: bool, middle_m: float, length_m: float
) -> tuple[MinerSpec, ...]:
    lanes = np.arange(1.4, 2.3, LANE_M) if longwall else np.arange(-1.45, 0.9, LANE_M)
    chosen = rng.permutation(lanes)[: rng.integers(1, len(lanes) + 1)]
    out = []
    for number, lane in enumerate(chosen, start=1):
        low, high = max(1.0, middle_m - 9), min(length_m - 1.0, middle_m + 13)
        spots = rng.uniform(low, high, 3)
        miner = random_miner(rng, number)
        values = {f.name: getattr(miner, f.name) for f in fields(MinerSpec)}
        values["at_m"] = (_rounded(spots[0]), _rounded(lane))
        values["script"] = _script(rng, [(_rounded(s), _rounded(lane)) for s in spots[1:]])
        out.append(MinerSpec(**values))
    return tuple(out)


def _script(rng: np.random.Generator, spots: list[tuple[float, float]]) -> tuple[StepSpec, ...]:
    """Draw what a miner does at and between two spots; one in six falls."""
    speed = _rounded(rng.uniform(0.7, 1.4), 2)
    pauses = {
        "stand_s": rng.uniform(0.5, 3),
        "crouch_s": rng.uniform(2, 4),
        "work_s": float(rng.choice([1.6, 3.2])),
    }
    name = str(rng.choice(list(pauses)))
    steps = [StepSpec(walk_to=spots[0], speed_m_s=speed)]
    steps.append(StepSpec(**{name: _rounded(pauses[name], 1)}))
    if rng.random() < 1 / 6:
        return (steps[1], StepSpec(fall_s=0.9))
    return (*steps, StepSpec(walk_to=spots[1], speed_m_s=speed))


def _rounded(value: Any, digits: int = 3) -> float:
    return round(float(value), digits) + 0.0


def as_yaml(scene: SceneSpec) -> str:
    """Write a scene as a scene file, without the fields that have their default."""
    return yaml.safe_dump(_plain(scene), sort_keys=False, default_flow_style=None, width=100)


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        out = {}
        for spec in fields(value):
            given = getattr(value, spec.name)
            default = spec.default if spec.default is not MISSING else None
            if given not in (default, ()):
                out[spec.name] = _plain(given)
        return out
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value
