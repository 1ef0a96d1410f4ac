"""Procedural surface textures of the mine: rock, floor, coal, steel, paint, wood, dust.

Knows nothing about shapes, lamps or cameras.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Texture:
    """A square tileable texture: albedo (n, n, 3), roughness and height (n, n), linear light."""

    albedo: Floats
    roughness: Floats
    height: Floats
    size_m: float


def fractal_noise(
    n: int, falloff: float, seed: int, lowest: int = 1, stretch: tuple[float, float] = (1, 1)
) -> Floats:
    """Make (n, n) tileable noise with spectrum f^-falloff, zero mean, unit deviation."""
    fx = np.fft.fftfreq(n) * n * stretch[0]
    fy = np.fft.fftfreq(n) * n * stretch[1]
    frequency = np.hypot(*np.meshgrid(fx, fy))
    frequency[0, 0] = 1
    amplitude = np.where(frequency < lowest, 0, frequency**-falloff)
    amplitude[0, 0] = 0
    white = np.random.default_rng(seed).standard_normal((n, n))
    noise = np.fft.ifft2(np.fft.fft2(white) * amplitude).real
    return ((noise - noise.mean()) / noise.std()).astype(np.float32)


def cells(n: int, count: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Make tileable Worley cells: (n, n) distance to the cell's edge, and the cell's index."""
    from scipy.spatial import cKDTree

    points = np.random.default_rng(seed).random((count, 2))
    tiled = np.concatenate([points + np.array([i, j]) for i in (-1, 0, 1) for j in (-1, 0, 1)])
    grid = (np.arange(n) + 0.5) / n
    distance, index = cKDTree(tiled).query(
        np.stack(np.meshgrid(grid, grid), -1).reshape(-1, 2), k=2, workers=1
    )
    return (distance[:, 1] - distance[:, 0]).reshape(n, n), (index[:, 0] % count).reshape(n, n)


def ramp(x: Floats, stops: list[tuple[float, tuple[float, float, float]]]) -> Floats:
    """Colour a scalar field by linear interpolation between (value, rgb) stops."""
    values = [value for value, _ in stops]
    colours = np.array([colour for _, colour in stops])
    return np.stack([np.interp(x, values, colours[:, i]) for i in range(3)], -1).astype(np.float32)


def sigmoid(x: Floats) -> Floats:
    """Squash to 0..1."""
    return (1 / (1 + np.exp(-x))).astype(np.float32)


def make_textures(n: int, seed: int) -> dict[str, Texture]:
    """Make every material of the mine at n x n texels."""
    broad = fractal_noise(n, 1.6, seed + 1)
    middle = fractal_noise(n, 1.1, seed + 2, lowest=6)
    fine = fractal_noise(n, 0.6, seed + 3, lowest=40)
    strata = 0.55 * broad + 0.4 * middle + 0.3 * fine
    out: dict[str, Texture] = {}

    def add(
        name: str,
        albedo: NDArray[np.floating],
        roughness: NDArray[np.floating] | float,
        height: NDArray[np.floating],
        size_m: float,
    ) -> None:
        out[name] = Texture(
            albedo=np.clip(albedo, 0.004, 0.9).astype(np.float32),
            roughness=np.broadcast_to(np.float32(roughness), height.shape).astype(np.float32),
            height=height.astype(np.float32),
            size_m=size_m,
        )

    rock_stops = [
        (-2.2, (0.03, 0.03, 0.033)),
        (-0.8, (0.10, 0.098, 0.095)),
        (0.4, (0.20, 0.195, 0.185)),  # stone dust over dark strata
        (1.8, (0.34, 0.33, 0.31)),
    ]
    add(
        "rock",
        ramp(strata, rock_stops),
        np.clip(0.85 + 0.05 * middle, 0.6, 1),
        0.02 * broad + 0.012 * middle + 0.004 * fine,
        4.0,
    )

    wetness = fractal_noise(n, 1.9, seed + 5)
    gravel = fractal_noise(n, 0.9, seed + 6, lowest=10)
    wet = sigmoid(6 * (-wetness - 0.55))
    floor_stops = [
        (-2.0, (0.018, 0.016, 0.014)),
        (0.0, (0.062, 0.055, 0.047)),
        (2.0, (0.145, 0.132, 0.115)),
    ]
    add(
        "floor",
        ramp(0.6 * wetness + 0.5 * gravel + 0.25 * fine, floor_stops) * (1 - 0.55 * wet[..., None]),
        np.clip(0.92 - 0.72 * wet, 0.12, 1),
        (0.03 * wetness + 0.008 * gravel + 0.003 * fine) * (1 - 0.7 * wet),
        5.0,
    )

    edge, cell = cells(n, 900, seed + 8)
    lump = np.random.default_rng(seed + 9).random(900)[cell].astype(np.float32)
    coal_stops = [
        (-1.0, (0.008, 0.008, 0.009)),
        (1.2, (0.03, 0.03, 0.032)),
        (2.5, (0.07, 0.07, 0.07)),
    ]
    add(
        "coal",
        ramp(lump + 0.5 * fine, coal_stops),
        np.clip(0.25 + 0.5 * lump, 0.2, 0.9),
        0.04 * np.minimum(edge * 30, 1) + 0.02 * lump + 0.004 * fine,
        2.0,
    )

    stain = fractal_noise(n, 1.2, seed + 11)
    grain = fractal_noise(n, 0.7, seed + 12, lowest=20)
    rust = sigmoid(5 * (stain + 0.3 * grain))
    dirt = sigmoid(4 * (stain - 0.2))
    rust_colour = ramp(grain, [(-2.0, (0.06, 0.032, 0.02)), (2.0, (0.17, 0.085, 0.045))])
    bare = np.float32([0.17, 0.17, 0.175])
    add(
        "steel",
        (1 - rust[..., None]) * bare + rust[..., None] * rust_colour,
        np.clip(0.45 + 0.4 * rust, 0.3, 1),
        0.002 * grain,
        1.5,
    )

    paints = {
        "paint_red": ((0.42, 0.05, 0.035), 0.55),
        "paint_blue": ((0.05, 0.13, 0.30), 0.5),
        "paint_yellow": ((0.55, 0.38, 0.04), 0.5),
        "paint_grey": ((0.27, 0.28, 0.28), 0.6),
        "paint_green": ((0.05, 0.25, 0.12), 0.4),
        "white": ((0.6, 0.6, 0.57), 0.45),
    }
    grime = np.float32([0.10, 0.095, 0.085])
    for name, (colour, share) in paints.items():
        clean = np.float32(colour) * (1 + 0.10 * grain[..., None]) * (1 - share * dirt[..., None])
        add(
            name,
            clean + share * dirt[..., None] * grime,
            np.clip(0.4 + 0.45 * dirt, 0.3, 1),
            0.001 * grain,
            1.5,
        )
    add(
        "rubber",
        np.float32([0.022, 0.022, 0.024]) * (1 + 0.2 * grain[..., None]) + 0.02 * dirt[..., None],
        np.clip(0.6 + 0.1 * grain, 0.3, 1),
        0.001 * grain,
        1.0,
    )
    add(
        "duct",
        np.float32([0.50, 0.30, 0.06])
        * (1 + 0.06 * stain[..., None])
        * (1 - 0.45 * dirt[..., None]),
        0.6,
        0.004 * stain,
        2.0,
    )
    # A coal face: bright and dull bands, upright cleats, glossy where it broke.
    bands = fractal_noise(n, 1.3, seed + 17, lowest=3, stretch=(5, 1))
    edge, cell = cells(n, 1400, seed + 18)
    block = np.random.default_rng(seed + 19).random(1400)[cell].astype(np.float32)
    gloss = sigmoid(np.asarray(4 * (bands + 1.2 * block - 1.0), np.float32))
    face_stops = [
        (-2.0, (0.010, 0.010, 0.011)),
        (0.2, (0.032, 0.032, 0.033)),
        (2.2, (0.085, 0.083, 0.080)),  # dust on the ledges
    ]
    add(
        "coal_face",
        ramp(0.7 * bands + 0.9 * (block - 0.5) + 0.5 * fine, face_stops),
        np.clip(0.85 - 0.6 * gloss, 0.2, 0.9),
        0.03 * np.minimum(edge * 25, 1) + 0.03 * block + 0.006 * bands + 0.003 * fine,
        2.4,
    )
    shale_stops = [(-2.0, (0.022, 0.022, 0.023)), (2.0, (0.10, 0.098, 0.095))]
    add("shale", ramp(strata, shale_stops), 0.9, 0.02 * middle + 0.006 * fine, 2.0)
    add(
        "chrome",
        np.array([0.36, 0.36, 0.37]) * (1 + 0.05 * grain[..., None]),
        np.clip(0.18 + 0.3 * dirt, 0.15, 0.6),
        0.0005 * grain,
        1.0,
    )
    fibres = fractal_noise(n, 1.0, seed + 15, stretch=(1, 12))
    wood = ramp(fibres, [(-2.0, (0.05, 0.035, 0.022)), (2.0, (0.20, 0.145, 0.09))])
    add("wood", wood, 0.85, 0.003 * grain, 1.0)
    return out


BLACK = ("coal", "coal_face", "shale")


def dusty(textures: dict[str, Texture], share: float = 0.65, seed: int = 0) -> dict[str, Texture]:
    """Cover all but coal with coal dust: thinly all over, thick in patches.

    `share` (0..1) is how much of the dust's colour shows on average.
    """
    out = dict(textures)
    for name, texture in textures.items():
        if name in BLACK:
            continue
        n = len(texture.height)
        patches = sigmoid(np.asarray(2.5 * fractal_noise(n, 1.3, seed + 61, lowest=2), np.float32))
        cover = np.clip(share * (0.55 + 0.9 * patches), 0, 1)
        dust = np.array([0.040, 0.038, 0.036], np.float32)
        albedo = texture.albedo + cover[..., None] * (dust - texture.albedo)
        out[name] = Texture(
            albedo=albedo.astype(np.float32),
            roughness=(texture.roughness + cover * (0.9 - texture.roughness)).astype(np.float32),
            height=texture.height,
            size_m=texture.size_m,
        )
    return out
