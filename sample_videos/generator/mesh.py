"""Triangle meshes: boxes, tubes, sweeps, rocks, and a bag that gathers them by material.

Knows nothing about mines, lamps or cameras.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Mesh = tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.float32]]
"""Vertices (n, 3) in metres, faces (m, 3), texture coordinates (n, 2) in metres."""


class MeshBag:
    """Gathers meshes by material."""

    def __init__(self) -> None:
        self._parts: dict[str, list[Mesh]] = {}

    def add(
        self, material: str, vertices: ArrayLike, faces: ArrayLike, uv: ArrayLike | None = None
    ) -> None:
        """Add one mesh; without `uv` it is mapped along each face's main axis, in metres."""
        v = np.asarray(vertices, np.float32)
        f = np.asarray(faces, np.int32)
        if uv is None:
            corners = v[f]
            normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
            main = np.abs(normal).argmax(1)
            first = np.where(main == 0, 1, 0)[:, None, None].repeat(3, 1)
            second = np.where(main == 2, 1, 2)[:, None, None].repeat(3, 1)
            uv = np.concatenate(
                [np.take_along_axis(corners, first, 2), np.take_along_axis(corners, second, 2)], -1
            ).reshape(-1, 2)
            v = corners.reshape(-1, 3)
            f = np.arange(len(v), dtype=np.int32).reshape(-1, 3)
        self._parts.setdefault(material, []).append((v, f, np.asarray(uv, np.float32)))

    def merged(self) -> dict[str, Mesh]:
        """Give one mesh per material."""
        out = {}
        for material, parts in self._parts.items():
            offsets = np.cumsum([0] + [len(v) for v, _, _ in parts])
            out[material] = (
                np.concatenate([v for v, _, _ in parts]),
                np.concatenate(
                    [f + np.int32(o) for (_, f, _), o in zip(parts, offsets, strict=False)]
                ),
                np.concatenate([u for _, _, u in parts]),
            )
        return out


def grid(*coordinates: ArrayLike) -> Floats:
    """Stack broadcast coordinates into points (n, len(coordinates))."""
    arrays = np.broadcast_arrays(*[np.asarray(c, float) for c in coordinates])
    return np.stack(arrays, -1).reshape(-1, len(arrays))


def grid_faces(rows: int, columns: int, flip: bool = False) -> NDArray[np.int64]:
    """Give the two triangles of every cell of a rows x columns grid of vertices."""
    corner = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)[None]).ravel()
    across = corner + columns
    faces = np.concatenate(
        [np.stack([corner, across, across + 1], 1), np.stack([corner, across + 1, corner + 1], 1)]
    )
    return faces[:, ::-1] if flip else faces


def turn_z(angle: float) -> Floats:
    """Rotate about z by `angle` radians."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def box(
    centre: Sequence[float], size: Sequence[float], rotation: Floats | None = None
) -> tuple[Floats, NDArray[np.int64]]:
    """Make a box of the given size (3,) about its centre."""
    signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    v = signs * np.asarray(size, float) / 2
    if rotation is not None:
        v = v @ rotation.T
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = [t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))]
    return v + np.asarray(centre, float), np.array(faces)


def sweep(
    path: ArrayLike, profile: ArrayLike, up: ArrayLike = (0, 0, 1)
) -> tuple[Floats, NDArray[np.int64], Floats]:
    """Sweep a closed 2-D profile (m, 2) along a path (n, 3)."""
    p = np.asarray(path, float)
    outline = np.asarray(profile, float)
    outline = np.vstack([outline, outline[:1]])
    tangent = np.gradient(p, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    side = np.cross(tangent, np.broadcast_to(np.asarray(up, float), p.shape))
    side[np.linalg.norm(side, axis=1) < 1e-3] = [1, 0, 0]
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    normal = np.cross(side, tangent)
    v = p[:, None] + outline[None, :, :1] * side[:, None] + outline[None, :, 1:] * normal[:, None]
    along = np.r_[0, np.cumsum(np.linalg.norm(np.diff(p, axis=0), axis=1))]
    around = np.r_[0, np.cumsum(np.linalg.norm(np.diff(outline, axis=0), axis=1))]
    return (
        v.reshape(-1, 3),
        grid_faces(len(p), len(outline)),
        grid(along[:, None], around[None]),
    )


def tube(
    path: ArrayLike, radius: float, sides: int = 10, up: ArrayLike = (0, 0, 1)
) -> tuple[Floats, NDArray[np.int64], Floats]:
    """Sweep a circle along a path (n, 3)."""
    a = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    return sweep(path, radius * np.stack([np.cos(a), np.sin(a)], 1), up)


def rocks(
    count: int,
    rng: np.random.Generator,
    low: Sequence[float],
    high: Sequence[float],
    sizes: tuple[float, float],
) -> tuple[Floats, NDArray[np.int64]]:
    """Scatter convex lumps in the box low..high; small ones are more frequent."""
    from scipy.spatial import ConvexHull

    polar = np.linspace(0, np.pi, 6)[1:-1]
    turn = np.linspace(0, 2 * np.pi, 8, endpoint=False)
    rings = grid(
        np.sin(polar)[:, None] * np.cos(turn),
        np.sin(polar)[:, None] * np.sin(turn),
        np.cos(polar)[:, None] + 0 * turn,
    )
    sphere = np.concatenate([[[0, 0, 1]], rings, [[0, 0, -1]]])
    all_vertices, all_faces = [], []
    for i in range(count):
        v = sphere * rng.uniform(0.65, 1.15, (len(sphere), 1)) * rng.uniform(0.6, 1.2, 3)
        hull = ConvexHull(v)
        f = hull.simplices.copy()
        normal = np.cross(v[f[:, 1]] - v[f[:, 0]], v[f[:, 2]] - v[f[:, 0]])
        inward = (normal * hull.equations[:, :3]).sum(1) < 0
        f[inward] = f[inward][:, ::-1]
        size = sizes[0] * (sizes[1] / sizes[0]) ** rng.random() ** 1.8
        turned = v @ turn_z(rng.uniform(0, 6.28)).T * size
        all_vertices.append(turned + rng.uniform(low, high) + [0, 0, size * 0.3])
        all_faces.append(f + i * len(sphere))
    return np.concatenate(all_vertices), np.concatenate(all_faces)
