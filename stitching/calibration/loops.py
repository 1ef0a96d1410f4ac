"""Loops of cameras that are turned against each other: whether they close, and the error spread.

Knows nothing about lenses, matches or pictures. Turns that lead from camera to camera and back to
the first one must undo each other; what is left over is the loop's gap.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from scene.arrays import Floats

Link = tuple[int, int]
"""The indices of two cameras."""
SPREAD_ROUNDS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """A way from a camera through others back to itself."""

    links: tuple[Link, ...]
    """As the turns name them, the one that closes the loop first."""
    gap_rad: float
    """How far the turns are from undoing each other, 0 to pi."""

    @property
    def each_rad(self) -> float:
        """The gap's share of each link."""
        return self.gap_rad / len(self.links)


def find_loops(turns: Mapping[Link, Floats]) -> tuple[Loop, ...]:
    """Give one loop for each link beyond those that join all cameras as a tree.

    `turns` holds (3, 3) rotations `second_from_first`, the surest first: the tree is made of the
    first links that join anything new (Kruskal 1956).
    """
    tree: dict[int, list[Link]] = {}
    loops = []
    for link in turns:
        way = _way(tree, link[0], link[1])
        if way is None:
            for end in link:
                tree.setdefault(end, []).append(link)
            continue
        around, here = np.eye(3), link[0]
        for step in way:
            around = (turns[step] if step[0] == here else turns[step].T) @ around
            here = step[0] + step[1] - here
        loops.append(Loop(links=(link, *way), gap_rad=angle_rad(turns[link].T @ around)))
    return tuple(loops)


def spread(
    rotations: Mapping[int, Floats], turns: Mapping[Link, tuple[Floats, float]]
) -> dict[int, Floats]:
    """Spread what is left over of loops evenly: turn cameras to where all their neighbours agree.

    Takes (3, 3) rotations of cameras from the rig by index, and each link's `second_from_first`
    with its weight. Chordal averaging, camera by camera in turn (Hartley, Trumpf, Dai, Li,
    "Rotation averaging", IJCV 2013). The first camera given keeps its rotation.
    """
    result = dict(rotations)
    links: dict[int, list[tuple[int, Floats]]] = {index: [] for index in result}
    for (i, j), (turn, weight) in turns.items():
        links[j].append((i, weight * turn))
        links[i].append((j, weight * turn.T))
    free = [index for index in list(result)[1:] if links[index]]
    for _ in range(SPREAD_ROUNDS):
        for index in free:
            wanted = sum((turn @ result[other] for other, turn in links[index]), np.zeros((3, 3)))
            u, _, vt = np.linalg.svd(wanted)
            result[index] = np.asarray(u @ np.diag([1.0, 1.0, np.linalg.det(u @ vt)]) @ vt)
    return result


def angle_rad(rotation: Floats) -> float:
    """Give the angle of a (3, 3) rotation, 0 to pi.

    >>> round(angle_rad(np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])), 4)
    1.5708
    """
    return float(np.arccos(np.clip((np.trace(rotation) - 1) / 2, -1, 1)))


def _way(tree: Mapping[int, list[Link]], start: int, end: int) -> list[Link] | None:
    """Give the links of the tree that lead from one camera to another, if any do."""
    ways: dict[int, list[Link]] = {start: []}
    heads = [start]
    while heads:
        here = heads.pop()
        if here == end:
            return ways[here]
        for link in tree.get(here, []):
            there = link[0] + link[1] - here
            if there not in ways:
                ways[there] = [*ways[here], link]
                heads.append(there)
    return None
