"""What moves in the mine besides people: a longwall's shearer, the coal on a running belt.

Everything is a pure function of time. Knows nothing about cameras, light or pictures.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sample_videos.generator.axis import Axis
from sample_videos.generator.mesh import box, grid, grid_faces, rocks, sweep, tube
from sample_videos.generator.roadway import BELT_Y_M
from sample_videos.generator.scene_file import LongwallSpec, RoadwaySpec, SceneSpec
from sample_videos.generator.textures import fractal_noise

Floats = NDArray[np.float64]
PAINT, STEEL, COAL, RUBBER = range(7, 11)
"""Part codes, after the miner's own 0 to 6; `raster` colours them."""
YELLOW = (0.42, 0.28, 0.035)
NOISE_N = 512
PERIOD_M = 12.8
"""After so many metres the coal on the belt repeats; its texture does not."""
BELT_ENDS_M = (-2.0, 6.0)
"""How far the belt goes on before the roadway's first metre and after its last."""
LUMPS = 90
"""Single lumps of coal per period."""
DRUM_X_M = 4.9
DRUM_Y_M = (3.62, 4.3)
DRUM_RADIUS_M = 0.7
DRUM_TURNS_S = 0.5
REACH_M = 5.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Moved:
    """A mover at one instant, in mine metres; n vertices, m triangles, k stations along it.

    `rest` has the places to which texture sticks, `part` a code per vertex, `look` the row (14,)
    that `raster` reads as a miner's. Light is asked for at `stations_m` (k, s, 3), s places each;
    `station` (n,) says where a vertex is among them, 0 to k - 1. Its shadow is that of `capsules`,
    groups (c, 7) no longer than 2 m: end, end, radius.
    """

    vertices: NDArray[np.float32]
    normals: NDArray[np.float32]
    faces: NDArray[np.int32]
    rest: NDArray[np.float32]
    part: NDArray[np.int32]
    look: NDArray[np.float32]
    station: NDArray[np.float32]
    stations_m: Floats
    capsules: tuple[NDArray[np.float32], ...]


class Mover(Protocol):
    """Something that moves as one rigid thing, or as a few."""

    name: str

    def at(self, t_s: float) -> Moved:
        """Tell where it is at `t_s` seconds after the clip's start."""


def movers(scene: SceneSpec) -> list[Mover]:
    """Give all that moves in the scene besides its people."""
    out: list[Mover] = []
    if scene.longwall is not None and shearer_x_m(scene, 0.0) is not None:
        out.append(Shearer(scene.longwall, scene.axis))
    if scene.roadway is not None and scene.roadway.belt_m_s != 0:
        out.append(BeltCoal(scene.roadway, scene.axis, scene.seed))
    return out


def shearer_x_m(scene: SceneSpec, t_s: float) -> float | None:
    """Give the chainage of the shearer's middle, or None where the scene has no shearer."""
    wall = scene.longwall
    if wall is None or not 0 <= wall.shearer_at_m <= wall.length_m:
        return None
    return wall.shearer_at_m + wall.shearer_m_s * t_s


def _look(paint: tuple[float, float, float], dust: float) -> NDArray[np.float32]:
    """Give the row that the shader reads: paint first, dust last."""
    out = np.zeros(14, np.float32)
    out[:3], out[13] = paint, dust
    return out


def _along(metres: float) -> Floats:
    return np.array([metres, 0.0, 0.0])


def _bend(axis: Axis, places: Floats, normals: Floats) -> tuple[Floats, Floats]:
    """Carry places and the normals there (n, 3) from along-left-up into the mine."""
    if axis.straight:
        return places, normals
    at = axis.mine(places)
    step = axis.mine(places + 0.01 * normals) - at
    return at, step / np.linalg.norm(step, axis=1, keepdims=True)


@dataclass(slots=True, eq=False)
class _Solid:
    """Gathers rigid pieces with their normals and part codes."""

    vertices: list[Floats] = field(default_factory=list)
    normals: list[Floats] = field(default_factory=list)
    faces: list[NDArray[np.int64]] = field(default_factory=list)
    part: list[NDArray[np.int64]] = field(default_factory=list)

    def add(self, part: int, vertices: ArrayLike, faces: ArrayLike, normals: Floats) -> None:
        """Add a piece with a normal per vertex."""
        v = np.asarray(vertices, float)
        self.faces.append(np.asarray(faces, np.int64) + sum(len(p) for p in self.vertices))
        self.vertices.append(v)
        self.normals.append(normals)
        self.part.append(np.full(len(v), part))

    def flat(self, part: int, vertices: ArrayLike, faces: ArrayLike) -> None:
        """Add a piece with hard edges; its triangles are turned away from its middle."""
        corners = np.asarray(vertices, float)[np.asarray(faces)]
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        area = np.linalg.norm(normal, axis=1)
        corners, normal, area = corners[area > 1e-9], normal[area > 1e-9], area[area > 1e-9]
        normal /= area[:, None]
        outward = corners.mean(1) - corners.reshape(-1, 3).mean(0)
        normal[(normal * outward).sum(1) < 0] *= -1
        rows = np.arange(3 * len(corners)).reshape(-1, 3)
        self.add(part, corners.reshape(-1, 3), rows, normal.repeat(3, 0))

    def prism(self, part: int, outline: ArrayLike, low_m: float, high_m: float, axis: int) -> None:
        """Add a convex outline (k, 2) drawn out along `axis`, with its lids."""
        ring = np.asarray(outline, float)
        k = len(ring)
        v = np.concatenate([np.insert(ring, axis, low_m, 1), np.insert(ring, axis, high_m, 1)])
        i = np.arange(k)
        j = (i + 1) % k
        fan = np.stack([0 * i[1:-1], i[1:-1], i[2:]], 1)
        sides = [np.stack([i, j, k + j], 1), np.stack([i, k + j, k + i], 1)]
        self.flat(part, v, np.concatenate([*sides, fan, k + fan]))

    def pipe(self, part: int, path: ArrayLike, radius_m: float, sides: int) -> None:
        """Add a round pipe along a path (n, 3); its ends stay open."""
        p = np.asarray(path, float)
        v, f, _ = tube(p, radius_m, sides)
        middle = p.repeat(sides + 1, 0)
        self.add(part, v, f, (v - middle) / radius_m)

    def rows(self) -> tuple[Floats, Floats, NDArray[np.int32], NDArray[np.int32]]:
        """Give all vertices, normals, faces and part codes."""
        return (
            np.concatenate(self.vertices),
            np.concatenate(self.normals),
            np.concatenate(self.faces).astype(np.int32),
            np.concatenate(self.part).astype(np.int32),
        )


class Shearer:
    """The coal-winning machine of a longwall: it rides on the conveyor, its two drums spin."""

    name = "shearer"

    def __init__(self, spec: LongwallSpec, axis: Axis) -> None:
        self.spec, self.axis = spec, axis
        self.ahead = -1 if spec.shearer_m_s < 0 else 1
        self.body = shearer_body(self.drum_centres_m()).rows()
        self.drum = shearer_drum().rows()

    def drum_centres_m(self) -> list[tuple[float, float]]:
        """Give (along from the middle, up) of each drum: the leading one cuts under the roof."""
        high = self.spec.height_m - 0.15 - DRUM_RADIUS_M
        low = DRUM_RADIUS_M + 0.02
        return [(s * DRUM_X_M, high if s == self.ahead else low) for s in (-1, 1)]

    def at(self, t_s: float) -> Moved:
        """Tell where the shearer is; its drums turn while it travels."""
        middle = self.spec.shearer_at_m + self.spec.shearer_m_s * t_s
        turned = 2 * np.pi * DRUM_TURNS_S * t_s * (self.spec.shearer_m_s != 0)
        vertices, normals, faces, part = self.body
        places, ways, rest = [vertices], [normals], [vertices]
        triangles, parts = [faces], [part]
        for (along, up), sign in zip(self.drum_centres_m(), (-1, 1), strict=True):
            v, n, f, p = self.drum
            c, s = np.cos(sign * turned), np.sin(sign * turned)
            turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
            centre = np.array([along, 0, up])
            triangles.append(f + np.int32(sum(len(v) for v in places)))
            places.append(v @ turn.T + centre)
            ways.append(n @ turn.T)
            rest.append(v + centre)
            parts.append(p)
        at = np.concatenate(places)
        station = np.clip((at[:, 0] + REACH_M) / (REACH_M / 2), 0, 4)
        vertices, normals = _bend(self.axis, at + _along(middle), np.concatenate(ways))
        return Moved(
            vertices=vertices.astype(np.float32),
            normals=normals.astype(np.float32),
            faces=np.concatenate(triangles),
            rest=np.concatenate(rest).astype(np.float32),
            part=np.concatenate(parts),
            look=_look(YELLOW, 0.92),
            station=station.astype(np.float32),
            stations_m=self._stations(middle),
            capsules=self._capsules(middle),
        )

    def _stations(self, middle: float) -> Floats:
        asked = np.array([[2.95, 1.75], [3.4, 1.7], [3.8, 1.5]])  # on top, and over the drums
        x = middle + np.linspace(-REACH_M, REACH_M, 5)
        places = grid(x[:, None], asked[None, :, 0], asked[None, :, 1])
        return self.axis.mine(places).reshape(5, len(asked), 3)

    def _capsules(self, middle: float) -> tuple[NDArray[np.float32], ...]:
        ends = [([x - 0.7, 3.27, 1.27], [x + 0.7, 3.27, 1.27], 0.38) for x in (-2.1, 0.0, 2.1)]
        for along, up in self.drum_centres_m():
            ends.append(([along, 3.8, up], [along, 4.1, up], DRUM_RADIUS_M - 0.1))
        out = []
        for a, b, radius in ends:
            pair = self.axis.mine(np.array([a, b]) + _along(middle))
            out.append(np.array([[*pair[0], *pair[1], radius]], np.float32))
        return tuple(out)


def shearer_body(drums_m: list[tuple[float, float]]) -> _Solid:
    """Build the shearer without its drums about x = 0: frame, housings, covers, shoes, arms."""
    s = _Solid()
    s.flat(STEEL, *box([0, 3.26, 0.98], [6.1, 0.74, 0.2]))
    outline = [
        (2.90, 1.06), (3.64, 1.06), (3.70, 1.15), (3.70, 1.48), (3.60, 1.62), (3.02, 1.62),
        (2.90, 1.50),
    ]  # fmt: skip
    for low, high in ((-3.05, -1.13), (-1.09, 1.09), (1.13, 3.05)):
        s.prism(PAINT, outline, low, high, 0)
    for x, wide in ((-2.5, 0.7), (-1.6, 0.7), (-0.55, 0.9), (0.55, 0.9), (1.6, 0.7), (2.5, 0.7)):
        s.flat(PAINT, *box([x, 3.31, 1.635], [wide, 0.46, 0.04]))  # lids, and doors in the flank
        s.flat(PAINT, *box([x, 2.885, 1.28], [wide, 0.04, 0.30]))
        for dx in (-0.4, 0.4):
            s.flat(STEEL, *box([x + dx * wide, 3.31, 1.665], [0.07, 0.36, 0.025]))
            s.flat(STEEL, *box([x + dx * wide, 2.868, 1.28], [0.05, 0.02, 0.2]))
    for x in (-2.75, -0.95, 0.95, 2.75):  # lifting lugs
        s.prism(STEEL, [(3.0, 1.6), (3.16, 1.6), (3.12, 1.74), (3.04, 1.74)], x - 0.02, x + 0.02, 0)
    s.flat(RUBBER, *box([0.0, 2.87, 1.36], [0.5, 0.06, 0.22]))  # the driver's panel
    for x in np.linspace(-0.18, 0.18, 5):
        s.flat(STEEL, *box([x, 2.835, 1.36], [0.035, 0.03, 0.035]))
    for left, high in ((3.08, 0.05), (3.14, 0.035), (3.55, 0.045)):  # hoses over the housings
        along = np.linspace(-2.9, 2.9, 40)
        up = 1.655 + high * (1 + np.sin(3.1 * along + 9 * left)) / 2
        side = left + 0.02 * np.sin(2.3 * along + left)
        s.pipe(RUBBER, np.stack([along, side, up], 1), 0.022, 6)
    for x in (-2.55, 2.55):  # shoes down to the pan
        s.flat(STEEL, *box([x, 2.86, 0.80], [0.55, 0.09, 0.42]))
        s.flat(STEEL, *box([x, 3.62, 0.78], [0.6, 0.12, 0.42]))
        shoe = np.array([(x - 0.4, 0.60), (x + 0.4, 0.60), (x + 0.3, 0.70), (x - 0.3, 0.70)])
        s.prism(STEEL, shoe, 3.5, 3.68, 1)
    for centre in drums_m:
        _arm(s, *centre)
    return s


def _arm(s: _Solid, along: float, up: float) -> None:
    """Add one ranging arm from the body's end to a drum's centre."""
    side = np.sign(along)
    pivot, end = np.array([side * 3.02, 1.25]), np.array([along, up])
    way = (end - pivot) / np.linalg.norm(end - pivot)
    heading = np.arctan2(way[1], way[0])
    around = np.linspace(-np.pi / 2, np.pi / 2, 8)
    nose = heading + around
    tail = heading + np.pi + around
    outline = np.concatenate(
        [
            end + 0.30 * np.stack([np.cos(nose), np.sin(nose)], 1),
            pivot + 0.36 * np.stack([np.cos(tail), np.sin(tail)], 1),
        ]
    )
    s.prism(PAINT, outline, 3.24, 3.60, 1)
    a = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    ring = np.stack([np.cos(a), np.sin(a)], 1)
    s.prism(STEEL, pivot + 0.24 * ring, 3.18, 3.66, 1)
    s.prism(STEEL, end + 0.20 * ring, 3.20, 3.64, 1)
    s.prism(STEEL, end + 0.26 * ring, 3.60, 3.72, 1)
    middle = (pivot + end) / 2
    s.prism(PAINT, middle + 0.17 * ring, 3.14, 3.30, 1)  # the cutter's motor
    below = np.array([[-0.1 * side, -0.32], [0.0, -0.2]])
    rod = np.array([pivot, pivot + 0.6 * (end - pivot)]) + below
    s.pipe(STEEL, np.insert(rod, 1, 3.32, 1), 0.05, 10)


def shearer_drum() -> _Solid:
    """Build one drum about its axis (x = z = 0): barrel, face plate, three vanes with picks."""
    s = _Solid()
    low, high = DRUM_Y_M
    a = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    ring = np.stack([np.cos(a), np.sin(a)], 1)
    s.prism(STEEL, 0.36 * ring, low, high, 1)
    s.prism(STEEL, 0.52 * ring, high - 0.05, high, 1)
    for start in np.arange(3) * 2 * np.pi / 3:
        angle = start + np.linspace(0, 1.6 * np.pi, 30)
        y = np.linspace(low + 0.03, high - 0.06, 30)
        out = np.stack([np.cos(angle), 0 * y, np.sin(angle)], 1)
        path = 0.47 * out + np.stack([0 * y, y, 0 * y], 1)
        flat = np.array([[-0.025, -0.14], [0.025, -0.14], [0.025, 0.13], [-0.025, 0.13]])
        v, f, _ = sweep(path, flat, out)
        for i in range(29):  # segment by segment, so that each is turned outwards
            near = (f // 5 >= i).all(1) & (f // 5 <= i + 1).all(1)
            s.flat(STEEL, v, f[near])
        for i in range(2, 29, 3):
            _pick(s, out[i], path[i, 1], np.cross(out[i], [0.0, 1.0, 0.0]))
    for angle in np.arange(10) * 2 * np.pi / 10:
        out = np.array([np.cos(angle), 0, np.sin(angle)])
        _pick(s, out, high - 0.04, np.cross(out, [0.0, 1.0, 0.0]))
    return s


def _pick(s: _Solid, out: Floats, y: float, round_m: Floats) -> None:
    """Add a pick in its holder on a drum's rim, leaning into the cut."""
    across = np.array([0.0, 1.0, 0.0])
    foot, lean = 0.575 * out + y * across, 0.06 * round_m
    tip = (DRUM_RADIUS_M - 0.01) * out + y * across + lean
    corners = [
        foot + 0.05 * u * across + 0.06 * w * round_m
        for u, w in ((-1, -1), (1, -1), (1, 1), (-1, 1))
    ]
    waist = [0.45 * c + 0.55 * (tip - 0.4 * (tip - foot)) for c in corners]
    v = np.array([*corners, *waist, tip])
    quads = [(0, 1, 5, 4), (1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7)]
    faces = [t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))]
    faces += [(4, 5, 8), (5, 6, 8), (6, 7, 8), (7, 4, 8)]
    s.flat(STEEL, v, faces)


class BeltCoal:
    """The coal that a running belt carries: a heap with lumps that goes on for ever."""

    name = "belt coal"

    def __init__(self, spec: RoadwaySpec, axis: Axis, seed: int) -> None:
        self.spec, self.axis = spec, axis
        self.low_m, self.high_m = BELT_ENDS_M[0], spec.length_m + BELT_ENDS_M[1]
        self.periods = int(np.ceil((self.high_m - self.low_m) / PERIOD_M)) + 1
        self.vertices, self.normals, self.faces = belt_heap(self.periods, spec.length_m, seed)
        x = np.arange(self.low_m, self.high_m + 2.5, 2.5)
        places = grid(x[:, None], BELT_Y_M + np.array([[-0.25, 0.25]]), 1.5)
        self.stations_m = axis.mine(places).reshape(len(x), 2, 3)

    def travelled_m(self, t_s: float) -> float:
        """Tell how far the belt has run."""
        return self.spec.belt_m_s * max(0.0, t_s - self.spec.belt_from_s)

    def at(self, t_s: float) -> Moved:
        """Tell where the coal is; what has left the belt is folded flat at its ends."""
        run = self.travelled_m(t_s)
        shift = self.low_m - PERIOD_M + run % PERIOD_M
        places = self.vertices + _along(shift)
        rest = places - _along(run)
        places[:, 0] = np.clip(places[:, 0], self.low_m, self.high_m)
        station = (places[:, 0] - self.low_m) / 2.5
        vertices, normals = _bend(self.axis, places, self.normals)
        return Moved(
            vertices=vertices.astype(np.float32),
            normals=normals.astype(np.float32),
            faces=self.faces,
            rest=rest.astype(np.float32),
            part=np.full(len(vertices), COAL, np.int32),
            look=_look((0.03, 0.03, 0.032), 0.1),
            station=station.astype(np.float32),
            stations_m=self.stations_m,
            capsules=(),
        )


def _relief(seed: int) -> tuple[Floats, Floats]:
    """Give the two fields of noise that shape the still coal in `roadway`."""
    return (
        fractal_noise(NOISE_N, 1.7, seed + 21).astype(float),
        fractal_noise(NOISE_N, 1.0, seed + 22, lowest=12).astype(float),
    )


def still_heap_m(length_m: float, seed: int) -> tuple[Floats, Floats]:
    """Give places across the belt (25,) and the highest that its still coal reaches there."""
    broad, lumps = _relief(seed)
    x = np.arange(BELT_ENDS_M[0], length_m + BELT_ENDS_M[1], 0.06)
    y = np.linspace(-0.36, 0.36, 25)
    across = 0.16 * np.sqrt(np.clip(1 - (y / 0.37) ** 2, 0, 1))
    heap = across * (1 + 0.5 * broad[(x * 40).astype(int) % NOISE_N, 7])[:, None]
    i, j = (x * 60).astype(int) % NOISE_N, (y * 60 + 200).astype(int) % NOISE_N
    return y, (0.83 + heap + 0.025 * lumps[i[:, None], j]).max(0)


def belt_heap(periods: int, length_m: float, seed: int) -> tuple[Floats, Floats, NDArray[np.int32]]:
    """Build the heap over the belt, x from 0: vertices, normals (n, 3), faces (m, 3).

    It is nowhere lower than the still coal of a roadway of that length and seed.
    """
    broad, lumps = _relief(seed)
    columns = round(PERIOD_M / 0.08)
    step = PERIOD_M / columns
    x = np.arange(periods * columns + 1)
    y = np.linspace(-0.45, 0.45, 25)
    rise = np.clip(1 - (y / 0.46) ** 2, 0, 1) ** 0.75
    still_y, still_z = still_heap_m(length_m, seed)
    need = (still_z + 0.012 - 0.90) / np.interp(still_y, y, rise)
    # Rows of the noise repeat after NOISE_N of them, which is one period.
    row = np.round((x % columns) * NOISE_N / columns).astype(int) % NOISE_N
    wave = broad[row, 7]
    rough = lumps[row[:, None], (y * 60 + 200).astype(int) % NOISE_N]
    height = need.max() * (1 + 0.04 * (wave - broad[:, 7].min()))[:, None]
    z = 0.90 + rise * (height + 0.014 * (rough - lumps.min()))
    along, across = np.gradient(z, step, y[1] - y[0])
    normals = np.stack([-along, -across, np.ones_like(z)], -1).reshape(-1, 3)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    vertices = grid(step * x[:, None], BELT_Y_M + y[None], z)
    faces = grid_faces(len(x), len(y))
    solid = _Solid()
    solid.add(COAL, vertices, faces, normals)
    for v, f in _lumps(seed):
        left = v[:, 1].mean()
        top = np.interp(left, y, z[round(v[:, 0].mean() / step) % columns])
        for k in range(periods):
            solid.flat(COAL, v + np.array([k * PERIOD_M, BELT_Y_M, top]), f)
    vertices, normals, triangles, _ = solid.rows()
    return vertices, normals, triangles


def _lumps(seed: int) -> list[tuple[Floats, NDArray[np.int64]]]:
    """Make single lumps for one period, y from the belt's middle, z from the heap's top."""
    rng = np.random.default_rng([seed, 51])
    out = []
    for _ in range(LUMPS):
        left = float(np.clip(rng.normal(0, 0.17), -0.34, 0.34))
        at = [float(rng.uniform(0, PERIOD_M)), left, -0.02]
        out.append(rocks(1, rng, at, at, (0.03, 0.11)))
    return out
