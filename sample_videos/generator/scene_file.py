"""The scene file: a YAML description of a sample mine, checked field by field.

Knows nothing about rendering; needs only PyYAML.
"""

# ruff: noqa: PLR0911, PLR0912

from __future__ import annotations

import difflib
import types
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import yaml

SCHEMA = "lamproom-sample-scene/1"
Point = tuple[float, float]
Point3 = tuple[float, float, float]


class SceneError(Exception):
    """A mistake in a scene file: says which file, which field, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoadwaySpec:
    """The roadway: an arch of this length and width on straight legs, and its lamps' spacing."""

    length_m: float = 40.0
    width_m: float = 5.0
    leg_m: float = 1.5
    lamp_every_m: float = 10.0
    lamp_power: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraSpec:
    """One camera: where, whither (yaw from x towards y, pitch up), field of view as delivered."""

    id: str
    at_m: Point3
    yaw_deg: float
    pitch_deg: float
    hfov_deg: float
    roll_deg: float = 0.0
    size_px: tuple[int, int] = (1280, 720)
    distortion: tuple[float, float, float, float, float] = (-0.18, 0.04, 0.0, 0.0, 0.0)
    exposure: float = 1.0
    white_balance: Point3 = (1.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneSpec:
    """A named area of the floor, its corners in mine metres."""

    id: str
    kind: str
    polygon_m: tuple[Point, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSpec:
    """One line of a miner's script: exactly one of `walk_to`, `stand_s`, `crouch_s`, `fall_s`.

    After a fall the miner lies still until the clip ends. `face_deg` turns a standing miner.
    """

    walk_to: Point | None = None
    speed_m_s: float = 1.0
    stand_s: float | None = None
    crouch_s: float | None = None
    fall_s: float | None = None
    face_deg: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MinerSpec:
    """One miner: looks, where they start, and what they do."""

    id: int
    at_m: Point
    face_deg: float = 0.0
    height_m: float = 1.78
    suit: Point3 = (0.02, 0.03, 0.075)
    helmet: Point3 = (0.7, 0.7, 0.66)
    stripe: Point3 = (0.55, 0.6, 0.06)
    vest: Point3 | None = None
    helmet_on: bool = True
    lamp_on: bool = True
    dirt: float = 0.35
    script: tuple[StepSpec, ...] = field(default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneSpec:
    """A whole scene file."""

    schema: str
    name: str
    seed: int
    fps: int
    duration_s: float
    roadway: RoadwaySpec
    cameras: tuple[CameraSpec, ...]
    miners: tuple[MinerSpec, ...]
    zones: tuple[ZoneSpec, ...] = ()
    dust_per_m: float = 0.012
    samples_per_pixel: int = 48
    crf: int = 30

    @property
    def frames(self) -> int:
        """How many frames each clip has."""
        return round(self.duration_s * self.fps)


def load_scene(path: Path) -> SceneSpec:
    """Read and check a scene file; raises `SceneError` that names file, field and remedy."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SceneError(f"{path}: cannot be read: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise SceneError(f"{path}: not YAML: {error}") from None
    scene: SceneSpec = _build(SceneSpec, data, str(path), "")
    _check(scene, str(path))
    return scene


def _build(kind: Any, value: Any, file: str, where: str) -> Any:
    """Make `kind` from plain YAML data, refusing what does not fit."""
    place = f"{file}: {where or 'the file'}"
    if is_dataclass(kind):
        if not isinstance(value, dict):
            raise SceneError(f"{place}: must be a mapping of fields, is {value!r}")
        known = {f.name: f for f in fields(kind)}
        hints = get_type_hints(kind)
        for key in value:
            if key not in known:
                near = difflib.get_close_matches(str(key), known, 1)
                hint = f"did you mean {near[0]}?" if near else f"fields are {', '.join(known)}"
                raise SceneError(f"{_dot(file, where, key)}: not a field; {hint}")
        out = {}
        for name, spec in known.items():
            if name in value:
                out[name] = _build(hints[name], value[name], file, f"{where}.{name}".lstrip("."))
            elif spec.default is MISSING and spec.default_factory is MISSING:
                raise SceneError(f"{_dot(file, where, name)}: missing; add it")
        return kind(**out)
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        if value is None:
            return None
        return _build(next(a for a in args if a is not type(None)), value, file, where)
    if origin is tuple:
        if not isinstance(value, list):
            raise SceneError(f"{place}: must be a list, is {value!r}")
        if len(args) == 2 and args[1] is Ellipsis:
            return tuple(_build(args[0], v, file, f"{where}[{i}]") for i, v in enumerate(value))
        if len(value) != len(args):
            raise SceneError(f"{place}: must have {len(args)} values, has {len(value)}")
        pairs = zip(args, value, strict=True)
        return tuple(_build(a, v, file, f"{where}[{i}]") for i, (a, v) in enumerate(pairs))
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise SceneError(f"{place}: must be {kind.__name__}, is {value!r}")
    return value


def _dot(file: str, where: str, key: object) -> str:
    return f"{file}: {where}.{key}" if where else f"{file}: {key}"


def _check(scene: SceneSpec, file: str) -> None:
    """Refuse what no renderer could do."""
    if scene.schema != SCHEMA:
        raise SceneError(f"{file}: schema: is {scene.schema!r}; this generator reads {SCHEMA!r}")
    for name, low in (("fps", 1), ("duration_s", 0.1), ("samples_per_pixel", 1)):
        if getattr(scene, name) < low:
            raise SceneError(f"{file}: {name}: must be at least {low}")
    for name, items in (
        ("cameras", scene.cameras),
        ("miners", scene.miners),
        ("zones", scene.zones),
    ):
        ids = [item.id for item in items]
        for i, value in enumerate(ids):
            if value in ids[:i]:
                raise SceneError(f"{file}: {name}[{i}].id: {value!r} is used twice; rename one")
    half, top = scene.roadway.width_m / 2, scene.roadway.leg_m + scene.roadway.width_m / 2
    for i, camera in enumerate(scene.cameras):
        x, y, z = camera.at_m
        if not (0 <= x <= scene.roadway.length_m and abs(y) < half and 0 < z < top):
            raise SceneError(f"{file}: cameras[{i}].at_m: {camera.at_m} is outside the roadway")
        if not 10 <= camera.hfov_deg <= 120:
            raise SceneError(f"{file}: cameras[{i}].hfov_deg: must be within 10..120")
    for i, zone in enumerate(scene.zones):
        if len(zone.polygon_m) < 3:
            raise SceneError(f"{file}: zones[{i}].polygon_m: needs at least 3 corners")
    for i, miner in enumerate(scene.miners):
        where = f"{file}: miners[{i}]"
        if not 1.2 <= miner.height_m <= 2.2:
            raise SceneError(f"{where}.height_m: must be within 1.2..2.2")
        for j, step in enumerate(miner.script):
            actions = (step.walk_to, step.stand_s, step.crouch_s, step.fall_s)
            if sum(a is not None for a in actions) != 1:
                raise SceneError(
                    f"{where}.script[{j}]: give exactly one of walk_to, stand_s, crouch_s, fall_s"
                )
            if step.speed_m_s <= 0:
                raise SceneError(f"{where}.script[{j}].speed_m_s: must be above 0")
            if step.fall_s is not None and j + 1 < len(miner.script):
                raise SceneError(
                    f"{where}.script[{j}]: nothing can follow a fall; make it the last"
                )
        spots = [miner.at_m, *(s.walk_to for s in miner.script if s.walk_to is not None)]
        for x, y in spots:
            if not (0 <= x <= scene.roadway.length_m and abs(y) < half):
                raise SceneError(f"{where}: the point [{x}, {y}] is outside the roadway")
