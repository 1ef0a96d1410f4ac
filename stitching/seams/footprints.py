"""What there is to decide about seams: where on the panorama every camera draws everybody.

Knows nothing about how it is decided.
"""

from dataclasses import dataclass

import numpy as np

from scene.arrays import Bools, Floats, Ints
from stitching.cells import Cells
from stitching.people.bodies import Bits, Bodies
from stitching.people.whose import hidden


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Footprints:
    """Where on the panorama each camera draws each body.

    Cells in which the same bodies are drawn by the same cameras, and so on, are alike: they are
    decided together, as one of G groups.
    """

    cells: Ints
    """(A,) which cells anybody is in or near."""
    group: Ints
    """(A,) which group each of them belongs to."""
    first: Ints
    """(G,) one cell of each group, to stand for it."""
    size: Floats
    """(G,) how many cells a group has."""
    thin: Floats
    """(bits, N, G) how much of its coarse picture camera n draws of that body in each group."""
    core: Floats
    wide: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene:
    """What there is to decide: bodies, their footprints, and labels with and without them."""

    bodies: Bodies
    prints: Footprints
    seen: Bools
    """(N, G) by cameras that are present."""
    closeness: Floats
    """(N, G)."""
    base: Ints
    """(G,) labels without people."""
    labels: Ints
    """(G,) labels up to now."""
    now: Ints
    """(bits,) painters up to now, `LOOSE` for none."""
    hidden: Floats
    """(bits, N) share that is behind somebody nearer to the camera."""


def scene_of(
    bodies: Bodies, cells: Cells, present: list[bool], *, base: Ints, labels: Ints, now: Ints
) -> Scene:
    """Gather what there is to decide; labels are over all cells."""
    thin, wide = bodies.thin, bodies.wide
    taken = np.flatnonzero(
        np.bitwise_or.reduce([cells.look_up(index, small) for index, small in enumerate(wide)])
    )
    seen = cells.seen[:, taken] & np.array(present)[:, None]
    levels = [
        np.stack([cells.look_up(index, small, taken) for index, small in enumerate(pictures)])
        for pictures in (thin, bodies.core, wide)
    ]
    alike = np.concatenate([*levels, seen, base[None, taken], labels[None, taken]])
    first, group, size = _groups(alike)
    grain = np.stack([np.bincount(group, some[taken], len(first)) for some in cells.grain])
    drawn = [_unpacked(level[:, first], bodies.count) * grain for level in levels]
    return Scene(
        bodies=bodies,
        prints=Footprints(
            cells=taken,
            group=group,
            first=taken[first],
            size=size,
            thin=drawn[0],
            core=drawn[1],
            wide=drawn[2],
        ),
        seen=seen[:, first],
        closeness=cells.closeness[:, taken[first]].astype(float),
        base=base[taken[first]],
        labels=labels[taken[first]],
        now=now,
        hidden=hidden(thin, bodies.distances_m()),
    )


def _groups(columns: Ints) -> tuple[Ints, Ints, Floats]:
    """Find equal columns of (K, A): one of each kind (G,), each one's kind (A,), counts (G,)."""
    mix = np.random.default_rng(7).integers(1, 1 << 62, len(columns)) * 2 + 1
    keys = (columns.astype(np.int64) * mix[:, None]).sum(axis=0)
    _, first, group, size = np.unique(
        keys, return_index=True, return_inverse=True, return_counts=True
    )
    return first, group, size.astype(float)


def _unpacked(bits: Bits, count: int) -> Floats:
    order = np.arange(count).reshape(-1, 1, 1)
    return np.asarray(bits >> order & 1, float)
