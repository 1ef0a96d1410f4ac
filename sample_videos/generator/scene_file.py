"""The scene file: a YAML description of a sample mine, checked field by field.

Knows nothing about rendering.
"""

# ruff: noqa: PLR0911, PLR0912

from __future__ import annotations

import difflib
import math
import types
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import yaml

from sample_videos.generator.axis import Axis, make_axis
from sample_videos.generator.camera import make_camera

SCHEMA = "lamproom-sample-scene/2"
Point = tuple[float, float]
Point3 = tuple[float, float, float]
LENS_COEFFICIENTS = {"brown": 5, "fisheye": 4}
ZONE_KINDS = ("restricted", "danger", "capacity")


class SceneError(Exception):
    """A mistake in a scene file: says which file, which field, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoadwaySpec:
    """A roadway: an arch of this length and width on straight legs, its lamps, its belt."""

    length_m: float = 40.0
    width_m: float = 5.0
    leg_m: float = 1.5
    lamp_every_m: float = 10.0
    lamp_power: float = 1.0
    belt_m_s: float = 0.0
    """Speed of the coal on the belt, along the line; 0 stands still."""
    belt_from_s: float = 0.0
    """When it starts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LongwallSpec:
    """A longwall face: powered supports side by side along the line, conveyor, coal, shearer."""

    supports: int = 24
    pitch_m: float = 1.75
    height_m: float = 2.75
    lamp_power: float = 1.0
    shearer_at_m: float = 33.0
    """Chainage of the shearer's middle at the start; to have none, put it beyond the face."""
    shearer_m_s: float = 0.0
    """Along the line, negative goes back."""

    @property
    def length_m(self) -> float:
        """How long the face is."""
        return self.supports * self.pitch_m


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraSpec:
    """One camera: where, whither (yaw from the line's direction to the left, pitch up), lens.

    `distortion` has Brown's k1 k2 p1 p2 k3, or four Kannala-Brandt coefficients for a `fisheye`.
    `hfov_deg` is the field of view as delivered.
    """

    id: str
    at_m: Point3
    yaw_deg: float
    pitch_deg: float
    hfov_deg: float
    roll_deg: float = 0.0
    size_px: tuple[int, int] = (1280, 720)
    lens: str = "brown"
    distortion: tuple[float, ...] = (-0.18, 0.04, 0.0, 0.0, 0.0)
    exposure: float = 1.0
    white_balance: Point3 = (1.0, 1.0, 1.0)
    vignette: float = 0.35


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneSpec:
    """A named area of the floor: `restricted`, `danger`, or `capacity` with its limit.

    Its corners are [along, left]; a danger zone may instead move with the shearer, `around` it.
    """

    id: str
    kind: str
    polygon_m: tuple[Point, ...] = ()
    around_shearer_m: float | None = None
    capacity: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSpec:
    """One line of a miner's script: exactly one of the `ACTIONS`.

    After a fall the miner lies still, until the clip ends or for `lie_s`; then they get up.
    `face_deg` turns a standing or working miner, against the line's direction.
    """

    walk_to: Point | None = None
    speed_m_s: float = 1.0
    stand_s: float | None = None
    crouch_s: float | None = None
    work_s: float | None = None
    fall_s: float | None = None
    lie_s: float | None = None
    rise_s: float | None = None
    helmet_on: bool | None = None
    face_deg: float | None = None


ACTIONS = (
    "walk_to", "stand_s", "crouch_s", "work_s", "fall_s", "lie_s", "rise_s", "helmet_on",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class MinerSpec:
    """One miner: looks, where they start, and what they do. `tag` is the tag that they wear."""

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
    tag: str | None = None
    script: tuple[StepSpec, ...] = field(default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class HappeningSpec:
    """Something that happens to the equipment at `at_s`.

    `lens_dust` covers a camera's lens within `over_s`; `camera_knock` turns one by `turn_deg`
    (yaw, pitch, roll); `camera_dead` ends one's pictures; `lamp_outage` puts `lamps` out (counted
    from 0 along the line).
    """

    kind: str
    at_s: float
    camera: str | None = None
    over_s: float = 3.0
    turn_deg: Point3 | None = None
    lamps: tuple[int, ...] = ()


HAPPENINGS = {
    "lens_dust": ("camera",),
    "camera_knock": ("camera", "turn_deg"),
    "camera_dead": ("camera",),
    "lamp_outage": ("lamps",),
}
"""What happens, and the fields that each kind needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TagSpec:
    """The mine's tag system (UWB): how often it tells places, and how wrong they are."""

    every_s: float = 0.5
    sigma_m: float = 0.3
    gross_share: float = 0.02
    """Share of the places that are off by metres (reflections)."""
    lost_share: float = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneSpec:
    """A whole scene file; exactly one of `roadway` and `longwall`.

    `line_m` is where it lies in the mine: corners of the floor's middle. Without it the line is
    straight and level along x. Every other place is [along, left(, up)] on that line.
    """

    schema: str
    name: str
    seed: int
    fps: int
    duration_s: float
    cameras: tuple[CameraSpec, ...]
    miners: tuple[MinerSpec, ...]
    roadway: RoadwaySpec | None = None
    longwall: LongwallSpec | None = None
    line_m: tuple[Point3, ...] = ()
    cross_fall: float = 0.0
    zones: tuple[ZoneSpec, ...] = ()
    happenings: tuple[HappeningSpec, ...] = ()
    tags: TagSpec = TagSpec()
    immobile_after_s: float = 5.0
    """Who keeps still for so long is an event."""
    dust_per_m: float = 0.012
    samples_per_pixel: int = 48
    crf: int = 30

    @property
    def frames(self) -> int:
        """How many frames each clip has."""
        return round(self.duration_s * self.fps)

    @property
    def mine(self) -> RoadwaySpec | LongwallSpec:
        """The one geometry that the scene has."""
        geometry = self.roadway or self.longwall
        assert geometry is not None
        return geometry

    @property
    def axis(self) -> Axis:
        """Where it lies in the mine."""
        line = self.line_m or ((0.0, 0.0, 0.0), (self.mine.length_m, 0.0, 0.0))
        return make_axis(line, self.cross_fall)


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
    if isinstance(value, float) and not math.isfinite(value):
        raise SceneError(f"{place}: must be a finite number, is {value!r}")
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
    if (scene.roadway is None) == (scene.longwall is None):
        raise SceneError(f"{file}: roadway: give exactly one of roadway and longwall")
    for name, items in (
        ("cameras", scene.cameras),
        ("miners", scene.miners),
        ("zones", scene.zones),
    ):
        ids = [item.id for item in items]
        for i, value in enumerate(ids):
            if value in ids[:i]:
                raise SceneError(f"{file}: {name}[{i}].id: {value!r} is used twice; rename one")
    if not scene.cameras:
        raise SceneError(f"{file}: cameras: must have at least one")
    _check_line(scene, file)
    for i, camera in enumerate(scene.cameras):
        _check_camera(scene, camera, f"{file}: cameras[{i}]")
    for i, zone in enumerate(scene.zones):
        _check_zone(scene, zone, f"{file}: zones[{i}]")
    for i, miner in enumerate(scene.miners):
        _check_miner(scene, miner, f"{file}: miners[{i}]")
    for i, happening in enumerate(scene.happenings):
        _check_happening(scene, happening, f"{file}: happenings[{i}]")


def _check_line(scene: SceneSpec, file: str) -> None:
    try:
        axis = scene.axis
    except ValueError as error:
        raise SceneError(f"{file}: line_m: {error}") from None
    if len(scene.line_m) == 1:
        raise SceneError(f"{file}: line_m: needs at least 2 corners")
    if axis.chainage_m[-1] < scene.mine.length_m - 0.01:
        raise SceneError(
            f"{file}: line_m: ends at {axis.chainage_m[-1]:.1f} m, but the mine is "
            f"{scene.mine.length_m:g} m long; add a corner"
        )
    if abs(scene.cross_fall) > 0.2:
        raise SceneError(f"{file}: cross_fall: must be within -0.2..0.2")


def _inside(scene: SceneSpec, along_m: float, left_m: float) -> bool:
    """Tell whether somebody could stand there."""
    if scene.roadway is not None:
        return 0 <= along_m <= scene.roadway.length_m and abs(left_m) < scene.roadway.width_m / 2
    return 0 <= along_m <= scene.mine.length_m and 0.9 <= left_m <= 2.35


def _check_camera(scene: SceneSpec, camera: CameraSpec, where: str) -> None:
    x, y, z = camera.at_m
    if scene.roadway is not None:
        half = scene.roadway.width_m / 2
        fits = abs(y) < half and 0 < z < scene.roadway.leg_m + half
    else:
        assert scene.longwall is not None
        fits = 0.0 < y < 4.0 and 0 < z < scene.longwall.height_m
    if not (fits and 0 <= x <= scene.mine.length_m):
        raise SceneError(f"{where}.at_m: {camera.at_m} is outside the mine")
    if camera.lens not in LENS_COEFFICIENTS:
        raise SceneError(f"{where}.lens: is {camera.lens!r}; give brown or fisheye")
    wanted = LENS_COEFFICIENTS[camera.lens]
    if len(camera.distortion) != wanted:
        raise SceneError(
            f"{where}.distortion: a {camera.lens} lens has {wanted} coefficients, "
            f"not {len(camera.distortion)}"
        )
    widest = 125 if camera.lens == "fisheye" else 110
    if not 10 <= camera.hfov_deg <= widest:
        raise SceneError(f"{where}.hfov_deg: must be within 10..{widest} for a {camera.lens} lens")
    if not -80 <= camera.pitch_deg <= 80:
        raise SceneError(f"{where}.pitch_deg: must be within -80..80")
    if any(v < 64 or v % 4 for v in camera.size_px):
        raise SceneError(f"{where}.size_px: must be multiples of 4, at least 64")
    try:
        make_camera(
            camera.id,
            camera.at_m,
            yaw_deg=camera.yaw_deg,
            pitch_deg=camera.pitch_deg,
            hfov_deg=camera.hfov_deg,
            size_px=camera.size_px,
            lens=camera.lens,
            distortion=camera.distortion,
        )
    except ValueError as error:
        raise SceneError(f"{where}.distortion: {error}") from None


def _check_zone(scene: SceneSpec, zone: ZoneSpec, where: str) -> None:
    if zone.kind not in ZONE_KINDS:
        raise SceneError(f"{where}.kind: is {zone.kind!r}; give one of {', '.join(ZONE_KINDS)}")
    if zone.around_shearer_m is not None:
        if scene.longwall is None or zone.kind != "danger" or zone.polygon_m:
            raise SceneError(
                f"{where}.around_shearer_m: only for a danger zone of a longwall, without polygon_m"
            )
        if zone.around_shearer_m <= 0:
            raise SceneError(f"{where}.around_shearer_m: must be above 0")
    elif len(zone.polygon_m) < 3:
        raise SceneError(f"{where}.polygon_m: needs at least 3 corners")
    if (zone.kind == "capacity") != (zone.capacity is not None):
        raise SceneError(f"{where}.capacity: goes with kind capacity, and only with it")


def _check_miner(scene: SceneSpec, miner: MinerSpec, where: str) -> None:
    if not 1.2 <= miner.height_m <= 2.2:
        raise SceneError(f"{where}.height_m: must be within 1.2..2.2")
    before: str | None = None
    for j, step in enumerate(miner.script):
        place = f"{where}.script[{j}]"
        given = [name for name in ACTIONS if getattr(step, name) is not None]
        if len(given) != 1:
            raise SceneError(f"{place}: give exactly one of {', '.join(ACTIONS)}")
        action = given[0]
        if step.speed_m_s <= 0:
            raise SceneError(f"{place}.speed_m_s: must be above 0")
        if action.endswith("_s") and getattr(step, action) <= 0:
            raise SceneError(f"{place}.{action}: must be above 0")
        follows = {"lie_s": "fall_s", "rise_s": "lie_s"}
        if action in follows and before != follows[action]:
            raise SceneError(f"{place}: {action} only follows {follows[action]}")
        if before in follows.values() and follows.get(action) != before:
            raise SceneError(f"{place}: who lies must first lie_s, then rise_s")
        before = action
    spots = [miner.at_m, *(s.walk_to for s in miner.script if s.walk_to is not None)]
    for x, y in spots:
        if not _inside(scene, x, y):
            raise SceneError(f"{where}: the point [{x}, {y}] is outside the walkway")
    _check_reached(scene, miner, where)


def _check_reached(scene: SceneSpec, miner: MinerSpec, where: str) -> None:
    """Refuse a script whose fall or bare head never comes before the clip ends."""
    at_s, here = 0.0, miner.at_m
    for j, step in enumerate(miner.script):
        if (step.fall_s is not None or step.helmet_on is not None) and at_s >= scene.duration_s:
            raise SceneError(
                f"{where}.script[{j}]: is not reached before {at_s:.1f} s, the clip ends after "
                f"{scene.duration_s:g} s"
            )
        if step.walk_to is not None:
            at_s += math.hypot(step.walk_to[0] - here[0], step.walk_to[1] - here[1]) / (
                step.speed_m_s
            )
            here = step.walk_to
        for name in ("stand_s", "crouch_s", "work_s", "fall_s", "lie_s", "rise_s"):
            at_s += getattr(step, name) or 0.0


def _check_happening(scene: SceneSpec, happening: HappeningSpec, where: str) -> None:
    if happening.kind not in HAPPENINGS:
        raise SceneError(
            f"{where}.kind: is {happening.kind!r}; give one of {', '.join(HAPPENINGS)}"
        )
    for name in HAPPENINGS[happening.kind]:
        if not getattr(happening, name):
            raise SceneError(f"{where}.{name}: missing; {happening.kind} needs it")
    if happening.camera is not None and happening.camera not in [c.id for c in scene.cameras]:
        raise SceneError(f"{where}.camera: there is no camera {happening.camera!r}")
    if not 0 < happening.at_s < scene.duration_s:
        raise SceneError(
            f"{where}.at_s: is {happening.at_s:g}, but the clip lasts {scene.duration_s:g} s: "
            "it never happens"
        )
