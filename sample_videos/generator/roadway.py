"""The shape of a roadway: rock arch, steel sets and mesh, rails, belt, pipes, cables, lamps.

Mine frame: x along the roadway, y left, z up, metres; the walkway's floor is z = 0 within 2 cm.
Knows nothing about cameras or people.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sample_videos.generator.mesh import (
    Mesh,
    MeshBag,
    box,
    grid,
    grid_faces,
    rocks,
    sweep,
    tube,
    turn_z,
)
from sample_videos.generator.textures import fractal_noise

Floats = NDArray[np.float64]
NOISE_N = 512
LAMP_RADIUS_M = 0.033
LAMP_LENGTH_M = 0.62
BELT_Y_M = 1.62
TRACK_Y_M = -0.2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lamp:
    """A fluorescent tube along x: its centre (3,), metres."""

    centre_m: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layout:
    """What stands still: one mesh per material, and the lamps."""

    meshes: dict[str, Mesh]
    lamps: list[Lamp]


def arch(width_m: float, leg_m: float, n: int) -> tuple[Floats, Floats, Floats]:
    """Give n points (n, 2) y, z from right floor over crown to left, inward normals, arc length."""
    r = width_m / 2
    length = 2 * leg_m + np.pi * r
    s = np.linspace(0, length, n)
    y = np.where(s < leg_m, -r, np.where(s > length - leg_m, r, 0.0))
    z = np.where(s < leg_m, s, np.where(s > length - leg_m, length - s, 0.0))
    crown = (s >= leg_m) & (s <= length - leg_m)
    angle = np.pi - (s[crown] - leg_m) / r
    y[crown] = r * np.cos(angle)
    z[crown] = leg_m + r * np.sin(angle)
    normal = np.stack(
        [np.where(crown, -y / r, np.sign(-y)), np.where(crown, -(z - leg_m) / r, 0.0)], 1
    )
    return np.stack([y, z], 1), normal, s


def roadway(
    *, length_m: float, width_m: float, leg_m: float, lamp_every_m: float, seed: int
) -> Layout:
    """Build a roadway with its equipment; the seed changes rock, clutter and cables."""
    rng = np.random.default_rng(seed)
    relief = [
        fractal_noise(NOISE_N, 1.7, seed + 21).astype(float),
        fractal_noise(NOISE_N, 1.0, seed + 22, lowest=12).astype(float),
        fractal_noise(NOISE_N, 0.8, seed + 23, lowest=40).astype(float),
    ]
    bag = MeshBag()
    _rock(bag, relief, length_m, width_m, leg_m)
    _floor(bag, relief, length_m)
    _supports(bag, rng, length_m, width_m, leg_m)
    _track(bag, rng, length_m)
    _belt(bag, relief, length_m)
    _services(bag, rng, length_m)
    _clutter(bag, rng, length_m)
    lamps = []
    for x in np.arange(lamp_every_m / 2, length_m + 1, lamp_every_m):
        bag.add("paint_grey", *box([x, 0.3, 3.62], [0.75, 0.14, 0.07]))
        lamps.append(Lamp(centre_m=np.array([x, 0.3, 3.545])))
    return Layout(meshes=bag.merged(), lamps=lamps)


def _at(field: Floats, i: NDArray[np.floating], j: NDArray[np.floating]) -> Floats:
    """Look up a tileable field at scaled coordinates."""
    out: Floats = field[i.astype(int) % NOISE_N, j.astype(int) % NOISE_N]
    return out


def _rock(bag: MeshBag, relief: list[Floats], length: float, width: float, leg: float) -> None:
    x = np.arange(-2, length + 6.01, 0.05)
    section, normal, s = arch(width, leg, 230)
    i, j = x[:, None] / 12.8 * NOISE_N, s[None] / 12.8 * NOISE_N
    depth = 0.10 * _at(relief[0], i, j) + 0.035 * _at(relief[1], i, j)
    depth += 0.012 * _at(relief[2], i, j) - 0.12  # the rock lies behind the mesh
    points = grid(
        x[:, None],
        section[None, :, 0] + normal[None, :, 0] * depth,
        section[None, :, 1] + normal[None, :, 1] * depth,
    )
    bag.add("rock", points, grid_faces(len(x), len(s)), grid(x[:, None], s[None]))
    y, z = np.linspace(-3, 3, 60), np.linspace(-0.3, 4.4, 48)
    bump = 0.25 * _at(relief[0], y[:, None] * 40, z[None] * 40)
    for end in (-1.5, length + 5.5):
        points = grid(end + bump, y[:, None], z[None])
        bag.add("rock", points, grid_faces(60, 48, flip=end < 0), grid(y[:, None], z[None]))


def _floor(bag: MeshBag, relief: list[Floats], length: float) -> None:
    x = np.arange(-2, length + 6.01, 0.05)[:, None]
    y = np.arange(-2.8, 2.81, 0.05)[None]
    z = 0.035 * _at(relief[0], x * 30, y * 30) + 0.012 * _at(relief[1], x * 40, y * 40)
    z = z * (0.15 + 0.85 * np.clip(np.abs(y + 0.2) - 1.3, 0, 1))  # trodden flat where people walk
    bag.add("floor", grid(x, y, z), grid_faces(x.size, y.size), grid(x, y))


def _supports(
    bag: MeshBag, rng: np.random.Generator, length: float, width: float, leg: float
) -> None:
    """Add steel arches each metre, the welded mesh behind them, and tie struts."""
    beam = np.array(
        [
            [-0.05, 0], [0.05, 0], [0.05, 0.012], [0.006, 0.015], [0.006, 0.10], [0.05, 0.105],
            [0.05, 0.12], [-0.05, 0.12], [-0.05, 0.105], [-0.006, 0.10], [-0.006, 0.015],
            [-0.05, 0.012],
        ]
    )  # fmt: skip
    section, normal, _ = arch(width - 0.05, leg, 48)
    for x in np.arange(-1, length + 5, 1.0):
        path = np.c_[np.full(len(section), x + rng.normal(0, 0.02)), section]
        bag.add("steel", *sweep(path, beam[::-1], np.c_[np.zeros(len(section)), normal]))
    for k in (14, 24, 33):
        y, z = section[k] + 0.05 * normal[k]
        bag.add("steel", *tube([[-1, y, z], [length + 4, y, z]], 0.02, 6))

    wire_m, phase = 0.0035, rng.uniform(0, 6.28)

    def bulge(x: Floats | float, s: Floats | float) -> Floats:
        sag = 0.6 + 0.4 * np.sin(np.asarray(s) * 2.1 + phase)
        out: Floats = -0.055 * np.abs(np.sin(np.pi * np.asarray(x))) * sag
        return out + 0.01 * np.sin(5 * np.asarray(x) + np.asarray(s) * 7)

    section, normal, s = arch(width, leg, 80)
    for x in np.arange(-1, length + 4, 0.10):
        ring = section + normal * bulge(x, s)[:, None]
        bag.add("steel", *tube(np.c_[np.full(80, x), ring], wire_m, 4, (1, 0, 0)))
    section, normal, s = arch(width, leg, 112)
    xs = np.arange(-1, length + 4, 0.125)
    for k in range(3, 109):
        offset = bulge(xs, s[k])[:, None] + 0.007
        bag.add("steel", *tube(np.c_[xs, section[k] + normal[k] * offset], wire_m, 4))


def _track(bag: MeshBag, rng: np.random.Generator, length: float) -> None:
    rail = np.array(
        [
            [-0.055, 0], [0.055, 0], [0.055, 0.012], [0.008, 0.025], [0.008, 0.075], [0.03, 0.085],
            [0.03, 0.105], [-0.03, 0.105], [-0.03, 0.085], [-0.008, 0.075], [-0.008, 0.025],
            [-0.055, 0.012],
        ]
    )  # fmt: skip
    for y in (TRACK_Y_M - 0.45, TRACK_Y_M + 0.45):
        bag.add("steel", *sweep([[-2, y, -0.03], [length + 6, y, -0.03]], rail[::-1]))
    for x in np.arange(-1.8, length + 5, 0.7):
        centre = [x, TRACK_Y_M + rng.normal(0, 0.02), -0.038]
        bag.add("wood", *box(centre, [0.2, 1.35, 0.1], turn_z(rng.normal(0, 0.02))))


def _belt(bag: MeshBag, relief: list[Floats], length: float) -> None:
    """Add the conveyor on the left: belt, coal on it, idlers and stands."""
    y0 = BELT_Y_M
    x = np.arange(-2, length + 6.01, 0.2)
    y = np.linspace(-0.5, 0.5, 9)
    trough = 0.82 + 0.12 * (np.abs(y) / 0.5) ** 2
    points = grid(x[:, None], y0 + y[None], trough[None])
    bag.add("rubber", points, grid_faces(len(x), 9), grid(x[:, None], y[None]))
    x = np.arange(-2, length + 6, 0.06)
    y = np.linspace(-0.36, 0.36, 25)
    heap = 0.16 * np.sqrt(np.clip(1 - (y / 0.37) ** 2, 0, 1))
    heap = heap * (1 + 0.5 * _at(relief[0], x * 40, np.array(7.0)))[:, None]
    lumps = 0.025 * _at(relief[1], x[:, None] * 60, y[None] * 60 + 200)
    points = grid(x[:, None], y0 + y[None], 0.83 + heap + lumps)
    bag.add("coal", points, grid_faces(len(x), 25), grid(x[:, None], y[None]))
    stringer = np.array([[-0.03, -0.06], [0.03, -0.06], [0.03, 0.06], [-0.03, 0.06]])
    for side in (-0.58, 0.58):
        path = [[-2, y0 + side, 0.66], [length + 6, y0 + side, 0.66]]
        bag.add("paint_grey", *sweep(path, stringer))
    for x0 in np.arange(-1.5, length + 5, 1.5):
        for side in (-1, 1):
            bag.add("paint_grey", *box([x0, y0 + side * 0.58, 0.33], [0.06, 0.06, 0.66]))
            wing = [[x0 + 0.3, y0 + side * 0.18, 0.77], [x0 + 0.3, y0 + side * 0.5, 0.88]]
            bag.add("steel", *tube(wing, 0.05, 8))
        for dx, half, z in ((0.3, 0.18, 0.77), (0.8, 0.5, 0.33)):
            roller = [[x0 + dx, y0 - half, z], [x0 + dx, y0 + half, z]]
            bag.add("steel", *tube(roller, 0.05, 8))
    strip = np.array([[-0.5, -0.006], [0.5, -0.006], [0.5, 0.006], [-0.5, 0.006]])
    bag.add("rubber", *sweep([[-2, y0, 0.39], [length + 6, y0, 0.39]], strip))


def _services(bag: MeshBag, rng: np.random.Generator, length: float) -> None:
    """Add pipes on the right wall, cables on the left one, the ventilation duct overhead."""
    xs = np.arange(-2, length + 6.1, 1.0)
    pipes = (
        (0.55, 0.075, "paint_blue", -2.28),
        (0.85, 0.10, "paint_grey", -2.25),
        (1.15, 0.05, "paint_red", -2.3),
    )
    for z, radius, material, y in pipes:
        path = np.stack([xs, np.full(len(xs), y), z + 0.01 * np.sin(xs * 0.7)], 1)
        bag.add(material, *tube(path, radius, 14))
        for x in np.arange(0.7, length + 5, 6.0):
            bag.add("steel", *tube([[x - 0.03, y, z], [x + 0.03, y, z]], radius * 1.45, 14))
    for x in np.arange(-1, length + 5, 3.0):
        bag.add("steel", *box([x + 0.5, -2.3, 0.75], [0.05, 0.12, 1.1]))
    for k, radius in enumerate((0.03, 0.022, 0.018, 0.03, 0.015)):
        spans = []
        for x0 in np.arange(-2, length + 5, 2.0):
            u = np.linspace(0, 1, 12, endpoint=False)
            z = 2.05 - 0.10 * k - rng.uniform(0.06, 0.22) * 4 * u * (1 - u)
            spans.append(np.stack([x0 + 2 * u, np.full(12, 2.36 - 0.01 * k), z], 1))
        path = np.concatenate(spans)
        wall = 2.5 * np.sqrt(np.clip(1 - ((path[:, 2] - 1.5) / 2.5) ** 2, 0, 1)) - 0.14
        path[:, 1] = np.where(path[:, 2] > 1.5, wall, path[:, 1])
        bag.add("paint_red" if k == 2 else "rubber", *tube(path, radius, 8))
    for x in np.arange(-2, length + 5, 2.0):
        bag.add("paint_yellow", *box([x, 2.33, 1.83], [0.03, 0.06, 0.6]))
    x = np.arange(-2, length + 6.01, 0.1)[:, None]
    a = np.linspace(0, 2 * np.pi, 29)[None]
    fold = np.abs(np.sin(x * np.pi / 1.5))
    radius_m = 0.30 * (1 - 0.035 * fold + 0.01 * np.sin(9 * a + 3 * x))
    points = grid(x, -1.05 + radius_m * np.cos(a), 3.22 + radius_m * np.sin(a) - 0.03 * fold)
    bag.add("duct", points, grid_faces(x.size, 29, flip=True), grid(x, 0.36 * a))


def _clutter(bag: MeshBag, rng: np.random.Generator, length: float) -> None:
    """Add fallen rock and coal, cabinets, signs, fire extinguishers, a stack of props."""
    bag.add("rock", *rocks(320, rng, [-1, -2.35, 0], [length + 4, -1.65, 0.02], (0.02, 0.16)))
    bag.add("coal", *rocks(420, rng, [-1, 1.05, 0], [length + 4, 2.4, 0.02], (0.015, 0.12)))
    cabinets = (
        (6.2, "paint_red", (0.8, 0.45, 1.1)),
        (14.5, "paint_blue", (1.2, 0.5, 1.4)),
        (21.5, "paint_yellow", (0.7, 0.4, 0.9)),
        (31.0, "paint_grey", (1.6, 0.5, 1.3)),
    )
    for x, material, (sx, sy, sz) in cabinets:
        bag.add(material, *box([x, -1.95, sz / 2 + 0.1], [sx, sy, sz]))
        bag.add("steel", *box([x, -1.95, 0.06], [sx + 0.1, sy + 0.1, 0.1]))
        bag.add("white", *box([x + 0.1, -1.95 + sy / 2 + 0.004, sz * 0.75], [0.35, 0.006, 0.2]))
        bag.add("rubber", *box([x - 0.2, -1.95 + sy / 2 + 0.01, sz * 0.5], [0.05, 0.03, 0.12]))
    for x in (3.0, 12.0, 22.5, 33.0):
        bag.add("paint_green", *box([x, 2.02, 2.45], [0.6, 0.015, 0.35]))
        bag.add("white", *box([x, 2.008, 2.45], [0.42, 0.012, 0.07]))
        bag.add("paint_red", *tube([[x + 3, -2.2, 1.25], [x + 3, -2.2, 1.75]], 0.07, 12, (1, 0, 0)))
    for i in range(7):
        y, z = -2.12 + 0.17 * (i % 4), 0.1 + 0.15 * (i // 4)
        bag.add("wood", *tube([[26.0, y, z], [28.2, y - 0.03, z]], 0.08, 9))
