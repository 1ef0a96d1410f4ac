"""The shape of a longwall face: powered supports, conveyor, coal face, roof, floor, lamps.

Straight and level: x along the face, y left towards the coal, z up, metres; people walk at y 0.9
to 2.35 m, where the floor is z = 0 within 2 cm. Knows nothing about the shearer, cameras or people.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sample_videos.generator.mesh import MeshBag, box, grid, grid_faces, rocks, sweep, tube, turn_z
from sample_videos.generator.roadway import Lamp, Layout
from sample_videos.generator.scene_file import LongwallSpec
from sample_videos.generator.textures import cells, fractal_noise

Floats = NDArray[np.float64]
NOISE_N = 512
BEYOND_M = 3.0
"""How far everything goes on at either end."""
FACE_Y_M = 4.35
WALKWAY_M = (0.9, 2.35)
SPILL_Y_M = 2.72
PAN_M = (2.75, 3.69)
LAMP_Y_M = 0.95
PAN_LENGTH_M = 1.5


class _Relief:
    """Noise fields by which rock and coal are rough."""

    def __init__(self, seed: int) -> None:
        self.broad = fractal_noise(NOISE_N, 1.7, seed + 31).astype(float)
        self.middle = fractal_noise(NOISE_N, 1.0, seed + 32, lowest=12).astype(float)
        self.fine = fractal_noise(NOISE_N, 0.8, seed + 33, lowest=40).astype(float)
        edge, index = cells(NOISE_N, 700, seed + 34)
        self.block = np.random.default_rng(seed + 35).random(700)[index] - 0.5
        self.crack = np.clip(1 - edge * 60, 0, 1)

    @staticmethod
    def at(field: Floats, i: ArrayLike, j: ArrayLike) -> Floats:
        """Look up a field, which repeats, at scaled coordinates."""
        rows, columns = (np.floor(np.asarray(k)).astype(int) % NOISE_N for k in (i, j))
        out: Floats = field[rows, columns]
        return out


def longwall(spec: LongwallSpec, seed: int) -> Layout:
    """Build a longwall face with its equipment; the seed changes rock, clutter and hoses."""
    rng = np.random.default_rng([seed, 41])
    relief = _Relief(seed)
    bag = MeshBag()
    _coal_face(bag, relief, spec)
    _roof_and_floor(bag, relief, spec)
    lamps = []
    for k in range(spec.supports):
        x = (k + 0.5) * spec.pitch_m
        _support(bag, rng, x, spec)
        if k % 2:
            z = spec.height_m
            bag.add("paint_grey", *box([x, LAMP_Y_M, z - 0.07], [0.75, 0.16, 0.08]))
            for end in (-0.36, 0.36):  # the caps keep the glare from who looks along the face
                bag.add("paint_grey", *box([x + end, LAMP_Y_M, z - 0.145], [0.03, 0.13, 0.13]))
            lamps.append(Lamp(centre_m=np.array([x, LAMP_Y_M, z - 0.145])))
    _hoses(bag, rng, spec)
    _conveyor(bag, rng, spec)
    _conveyor_coal(bag, rng, relief, spec)
    _clutter(bag, rng, spec)
    return Layout(meshes=bag.merged(), lamps=lamps)


def _along(spec: LongwallSpec, step_m: float) -> Floats:
    out: Floats = np.arange(-BEYOND_M, spec.length_m + BEYOND_M + 0.01, step_m)
    return out


def _coal_face(bag: MeshBag, relief: _Relief, spec: LongwallSpec) -> None:
    """Add the cut coal: upright cleats break it into blocks, a band of shale runs through it."""
    x = _along(spec, 0.05)[:, None]
    z = np.arange(-0.1, spec.height_m + 0.42, 0.04)[None]
    i, j = x / 9 * NOISE_N, z / 9 * NOISE_N
    depth = 0.09 * relief.at(relief.broad, i, j) + 0.03 * relief.at(relief.middle, i, j)
    depth += 0.20 * relief.at(relief.block, x / 7 * NOISE_N, z / 14 * NOISE_N)  # tall blocks
    depth += 0.05 * relief.at(relief.crack, x / 7 * NOISE_N, z / 14 * NOISE_N)
    depth += 0.012 * relief.at(relief.fine, x * 60, z * 60) + 0.10 * np.sin(z * 2.2)
    band = 0.46 * spec.height_m + 0.05 * relief.at(relief.broad, x * 20, 9.0)
    inside = np.abs(z - band) < 0.06 + 0.02 * relief.at(relief.middle, x * 30, 90.0)
    y = FACE_Y_M + depth + 0.04 * inside
    points, uv = grid(x, y, z), grid(x, z)
    faces = grid_faces(x.size, z.size)
    shale = inside.ravel()[faces].all(1)
    bag.add("coal_face", points, faces[~shale], uv)
    bag.add("shale", points, faces[shale], uv)


def _roof_and_floor(bag: MeshBag, relief: _Relief, spec: LongwallSpec) -> None:
    """Add the bare roof before the canopies, the floor, the caved rock behind, and both ends."""
    x = _along(spec, 0.05)[:, None]
    y = np.arange(-2.9, 4.9, 0.05)[None]
    z = 0.03 * relief.at(relief.broad, x * 30, y * 30)
    z += 0.015 * relief.at(relief.middle, x * 40, y * 40)
    off = np.maximum(WALKWAY_M[0] - 0.25 - y, y - WALKWAY_M[1]) / 0.3
    z = z * (0.12 + 0.88 * np.clip(off, 0, 1))  # trodden flat where people walk
    spilt = np.clip((y - 2.25) / 0.4, 0, 1) * (1 + 0.5 * relief.at(relief.broad, x * 25, 3.0))
    z = z + 0.09 * np.where(y < 3.0, np.maximum(spilt, 0), 0)
    bag.add("floor", grid(x, y, z), grid_faces(x.size, y.size), grid(x, y))
    y = np.arange(3.5, 4.95, 0.05)[None]
    z = spec.height_m + 0.25 + 0.05 * relief.at(relief.broad, x * 30, y * 30)
    z += 0.02 * relief.at(relief.middle, x * 30, y * 30)
    bag.add("rock", grid(x, y, z), grid_faces(x.size, y.size, flip=True), grid(x, y))
    z = np.arange(-0.1, spec.height_m + 0.6, 0.08)[None]
    y = -2.75 + 0.35 * (z - 1) + 0.12 * relief.at(relief.broad, x * 40, z * 40)
    bag.add("rock", grid(x, y, z), grid_faces(x.size, z.size, flip=True), grid(x, z))
    y, z = np.linspace(-3.2, 5, 80)[:, None], np.linspace(-0.2, spec.height_m + 0.5, 40)[None]
    bump = 0.15 * relief.at(relief.broad, y * 40, z * 40)
    for end, flip in ((-BEYOND_M + 0.3, True), (spec.length_m + BEYOND_M - 0.3, False)):
        bag.add("rock", grid(end + bump, y, z), grid_faces(80, 40, flip=flip), grid(y, z))


def _support(bag: MeshBag, rng: np.random.Generator, x: float, spec: LongwallSpec) -> None:
    """Add one powered support: base, two legs, canopy, rear shield, valves and hoses."""
    back, z = rng.normal(0, 0.03), spec.height_m + rng.normal(0, 0.012)
    tilt = rng.normal(0, 0.008)
    half = spec.pitch_m / 2 - 0.03
    _base(bag, x, back, half)
    c, s = np.cos(tilt), np.sin(tilt)
    turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    canopy = (([1.35, 0.12], [5.0, 0.20]), ([3.95, 0.06], [0.5, 0.08]))
    for (y, up), (deep, thick) in canopy:
        bag.add("paint_blue", *box([x, y + back, z + up], [2 * half, deep, thick], turn))
    for rib in (-0.78, -0.3, 0.3, 0.78):
        at = rib * half / 0.845
        bag.add("paint_blue", *box([x + at, 1.35 + back, z - 0.02], [0.04, 4.2, 0.10]))
    for y in (-0.9, 1.9, 3.3):
        bag.add("paint_blue", *box([x, y + back, z - 0.0], [2 * half - 0.1, 0.05, 0.07]))
    for side in (-1, 1):
        _leg(bag, rng, [x + side * 0.45, back, z], side)
    shield = np.array([[-1.15, z + 0.1], [-1.15, z - 0.06], [-2.4, 0.32], [-2.48, 0.42]])
    outline = shield + np.array([back, 0])
    bag.add("paint_blue", *_prism(outline, x - half, x + half))
    for left in (-0.5, 0.5):  # lemniscate links between base and shield
        for foot, head in ((-1.0, -1.75), (-1.35, -2.0)):
            ends = [[x + left, foot + back, 0.45], [x + left, head + back, 1.05]]
            bag.add("paint_grey", *tube(ends, 0.07, 8))
    _valves(bag, rng, x, back)


def _prism(outline: Floats, low: float, high: float) -> tuple[Floats, NDArray[np.int64]]:
    """Draw a convex outline (k, 2) in y, z out along x, with its lids."""
    k = len(outline)
    v = np.concatenate([np.insert(outline, 0, x, 1) for x in (low, high)])
    i = np.arange(k)
    j = (i + 1) % k
    fan = np.stack([0 * i[1:-1], i[1:-1], i[2:]], 1)
    sides = [np.stack([i, j, k + j], 1), np.stack([i, k + j, k + i], 1)]
    return v, np.concatenate([*sides, fan, k + fan])


def _base(bag: MeshBag, x: float, back: float, half: float) -> None:
    """Add the two pontoons, the ram between them, and what a boot finds on top."""
    outline = np.array(
        [[-2.0, -0.05], [0.83, -0.05], [0.83, 0.07], [0.62, 0.26], [0.3, 0.34], [-2.0, 0.34]]
    ) + np.array([back, 0])
    for side in (-1, 1):
        inner, outer = sorted((x + side * 0.16, x + side * (half - 0.06)))
        bag.add("paint_blue", *_prism(outline, inner, outer))
        plate = [x + side * 0.45, 0.12 + back, 0.352]
        bag.add("steel", *box(plate, [0.34, 0.42, 0.024]))
        bag.add("paint_blue", *box([x + side * 0.45, -0.45 + back, 0.42], [0.46, 0.5, 0.16]))
    bag.add("paint_grey", *tube([[x, -1.2, 0.13], [x, 0.35, 0.10]], 0.085, 12))
    bag.add("chrome", *tube([[x, 0.35, 0.10], [x, 0.78, 0.06]], 0.05, 10))
    for y, deep in ((0.88, 0.2), (2.5, 0.5)):  # the relay bar: under rubble where people walk
        bag.add("steel", *box([x, y, 0.01], [0.2, deep, 0.06]))


def _leg(bag: MeshBag, rng: np.random.Generator, head: list[float], side: int) -> None:
    """Add one hydraulic leg, leaning forward, with the hose that feeds it."""
    x, back, z = head
    foot, top = np.array([x, -0.45 + back, 0.45]), np.array([x, 0.30 + back, z])
    joint = foot + 0.56 * (top - foot)
    way = top - foot
    bag.add("paint_grey", *tube([foot, joint], 0.145, 18))
    bag.add("steel", *tube([joint - 0.05 * way, joint], 0.16, 18))
    bag.add("steel", *_cap(joint, way, 0.16))
    bag.add("chrome", *tube([joint, top], 0.115, 18))
    bag.add("paint_blue", *tube([top - 0.06 * way, top + 0.02 * way], 0.17, 14))
    start = joint + np.array([-0.1 * side, 0.12, -0.12])
    sag = [rng.uniform(-0.05, 0.05) + 0.12 * side, 0.12, -0.28]
    end = [x - 0.25 * side, 0.62 + back, z - 0.12]
    _hang(bag, "rubber", (start, end), sag, 0.018)


def _cap(centre: Floats, way: Floats, radius: float) -> tuple[Floats, NDArray[np.int64]]:
    """Close a tube's end with a disc across `way`."""
    way = way / np.linalg.norm(way)
    first = np.cross(way, [1.0, 0.0, 0.0])
    first /= np.linalg.norm(first)
    second = np.cross(way, first)
    a = np.linspace(0, 2 * np.pi, 18, endpoint=False)[:, None]
    ring = centre + radius * (np.cos(a) * first + np.sin(a) * second)
    i = np.arange(18)
    faces = np.stack([np.full(18, 18), i, (i + 1) % 18], 1)
    return np.vstack([ring, centre]), faces


def _hang(
    bag: MeshBag, material: str, ends: tuple[ArrayLike, ArrayLike], bow: ArrayLike, radius: float
) -> None:
    """Add a hose between two ends (3,) that bows by (3,) in its middle."""
    t = np.linspace(0, 1, 14)[:, None]
    a, b = (np.asarray(end, float) for end in ends)
    path = a + t * (b - a) + np.asarray(bow, float) * np.sin(np.pi * t)
    bag.add(material, *tube(path, radius, 7))


def _valves(bag: MeshBag, rng: np.random.Generator, x: float, back: float) -> None:
    """Add the control valves beside the walkway and the hoses that leave them."""
    bag.add("steel", *box([x + 0.1, 0.56 + back, 1.72], [0.42, 0.14, 0.26]))
    bag.add("paint_grey", *box([x + 0.1, 0.60 + back, 1.92], [0.30, 0.10, 0.14]))
    lid = "paint_yellow" if rng.random() < 0.25 else "paint_red"
    bag.add(lid, *box([x + 0.1, 0.64 + back, 1.76], [0.28, 0.03, 0.07]))
    for i in range(5):
        lever = [x - 0.02 + 0.06 * i, 0.66 + back, 1.66]
        bag.add("chrome", *box(lever, [0.015, 0.05, 0.09]))
    for i in range(4):
        start = [x - 0.02 + 0.07 * i, 0.58 + back, 1.6]
        end = [x - 0.3 + 0.2 * i, 0.1 + back, 0.5]
        bow = [rng.uniform(-0.2, 0.2), 0.16, -0.1]
        _hang(bag, "rubber", (start, end), bow, 0.013)
    for i in range(2):
        start = [x + 0.05 + 0.1 * i, 0.56 + back, 1.98]
        end = [x - 0.2 + 0.4 * i, 0.7, 2.2]
        _hang(bag, "rubber", (start, end), [0.05, 0.06, -0.04], 0.014)


def _hoses(bag: MeshBag, rng: np.random.Generator, spec: LongwallSpec) -> None:
    """Add the hoses and cables that hang along the face from support to support."""
    kinds = (
        ("rubber", 0.035), ("rubber", 0.028), ("paint_red", 0.016), ("rubber", 0.022),
        ("rubber", 0.030), ("paint_yellow", 0.012),
    )  # fmt: skip
    t = np.linspace(0, 1, 10, endpoint=False)
    high = spec.height_m - 0.5
    for k, (material, radius) in enumerate(kinds):
        spans = []
        for x in np.arange(-spec.pitch_m, spec.length_m + spec.pitch_m, spec.pitch_m):
            z = high - 0.085 * k - rng.uniform(0.06, 0.2) * 4 * t * (1 - t)
            y = 0.70 + 0.05 * (k % 2) + 0.02 * np.sin(5 * t + k)
            spans.append(np.stack([x + spec.pitch_m * t, y, z], 1))
        bag.add(material, *tube(np.concatenate(spans), radius, 8))
    for x in np.arange(0, spec.length_m + 0.01, spec.pitch_m):
        bag.add("steel", *box([x, 0.66, high - 0.2], [0.04, 0.02, 0.62]))
        bag.add("steel", *tube([[x, 0.66, high + 0.08], [x, 0.66, spec.height_m]], 0.012, 6))


def _conveyor(bag: MeshBag, rng: np.random.Generator, spec: LongwallSpec) -> None:
    """Add the armoured face conveyor: pans, flight bars, spill plate, cable tray and cables."""
    low, high = PAN_M
    pan = np.array(
        [
            [low, 0.30], [low, 0.62], [low + 0.03, 0.62], [low + 0.07, 0.42], [low + 0.07, 0.36],
            [high - 0.07, 0.36], [high - 0.07, 0.42], [high - 0.03, 0.60], [high, 0.60],
            [high, 0.28],
        ]
    )  # fmt: skip
    profile = (np.c_[-pan[:, 0], pan[:, 1]])[::-1]
    for x in np.arange(-BEYOND_M, spec.length_m + BEYOND_M, PAN_LENGTH_M):
        ends = [[x, 0, 0], [x + PAN_LENGTH_M - 0.015, 0, 0]]
        bag.add("steel", *sweep(ends, profile))
        _spill_plate(bag, rng, x)
    middle = (low + high) / 2
    for x in np.arange(-BEYOND_M, spec.length_m + BEYOND_M, 0.9):
        bag.add("steel", *box([x, middle, 0.40], [0.07, 0.74, 0.07]))
    xs = _along(spec, 0.25)
    for k, radius in enumerate((0.032, 0.032, 0.026)):
        lie = np.stack(
            [
                xs,
                2.47 + 0.07 * k + 0.008 * np.sin(1.3 * xs + 2 * k),
                0.675 + 0.012 * np.sin(2 * xs + k),
            ],
            1,
        )
        bag.add("rubber", *tube(lie, radius, 8))
    lie = np.stack([xs, 2.56 + 0.02 * np.sin(0.9 * xs), 0.73 + 0.01 * np.sin(1.7 * xs)], 1)
    bag.add("paint_yellow", *tube(lie, 0.014, 6))


def _spill_plate(bag: MeshBag, rng: np.random.Generator, x: float) -> None:
    """Add one pan's spill plate with its ribs, and the cable tray on the walkway's side."""
    long = PAN_LENGTH_M - 0.02
    middle = x + PAN_LENGTH_M / 2
    y, z = SPILL_Y_M + rng.normal(0, 0.006), rng.normal(0, 0.006)
    turn = turn_z(rng.normal(0, 0.004))
    bag.add("steel", *box([middle, y, 0.76 + z], [long, 0.025, 0.88], turn))
    bag.add("steel", *box([middle, y - 0.03, 1.195 + z], [long, 0.08, 0.02], turn))
    for dx in (-0.70, -0.25, 0.25, 0.70):
        bag.add("steel", *box([middle + dx, y - 0.04, 1.0 + z], [0.02, 0.06, 0.38]))
    bag.add("steel", *box([middle, 2.55, 0.615 + z], [long, 0.30, 0.025], turn))
    bag.add("steel", *box([middle, 2.405, 0.70 + z], [long, 0.02, 0.20], turn))
    for dx in (-0.5, 0.5):
        bag.add("steel", *box([middle + dx, 2.56, 0.40 + z], [0.025, 0.28, 0.42]))


def _conveyor_coal(
    bag: MeshBag, rng: np.random.Generator, relief: _Relief, spec: LongwallSpec
) -> None:
    """Add the coal on the conveyor: a heap that swells and thins, and single lumps."""
    x = _along(spec, 0.05)[:, None]
    y = np.linspace(PAN_M[0] + 0.09, PAN_M[1] - 0.07, 22)[None]
    amount = (
        0.25
        + 0.55 * (0.5 + 0.5 * np.sin(x * 0.35 + 1))
        + 0.1 * relief.at(relief.broad, x * 40, 5.0)
    )
    arc = np.sqrt(np.clip(1 - ((y - (PAN_M[0] + PAN_M[1]) / 2) / 0.44) ** 2, 0, 1))
    rough = relief.at(relief.middle, x * 70, y * 70)
    z = 0.36 + amount * (0.24 * arc + 0.03 * rough)
    bag.add("coal", grid(x, y, z), grid_faces(x.size, y.size), grid(x, y))
    ends = (-2.0, spec.length_m + 2)
    count = int(12 * spec.length_m)
    lumps = rocks(count, rng, [ends[0], 2.98, 0.42], [ends[1], 3.5, 0.54], (0.025, 0.16))
    bag.add("coal", *lumps)


def _clutter(bag: MeshBag, rng: np.random.Generator, spec: LongwallSpec) -> None:
    """Add spilt coal and rock: fine where people walk, in lumps along the edges."""
    low, high = -2.0, spec.length_m + 2
    length = spec.length_m
    for count, y, top, sizes in (
        (26, (0.9, 2.3), -0.003, (0.006, 0.024)),
        (14, (2.34, 2.55), 0.07, (0.02, 0.10)),
        (9, (0.83, 0.90), 0.0, (0.015, 0.06)),
        (6, (3.72, 4.2), 0.1, (0.05, 0.30)),
        (22, (-0.4, 0.3), 0.335, (0.01, 0.05)),
        (8, (0.3, 0.6), 0.26, (0.01, 0.04)),
    ):
        lumps = rocks(int(count * length), rng, [low, y[0], top - 0.01], [high, y[1], top], sizes)
        bag.add("coal", *lumps)
    behind = rocks(int(6 * length), rng, [low, -2.9, 0.0], [high, -2.3, 0.3], (0.05, 0.4))
    bag.add("rock", *behind)
