"""Recall by what makes somebody hard to find: size, light, pose.

Knows nothing about how they were looked for.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from detection.evaluate import Looked
from scene.arrays import Bools

SMALL, LARGE = 0.1, 0.3
"""Height of the box by the picture's: below it is small, above it large."""
DARK, BRIGHT = 60.0, 140.0
"""Mean luma within the box."""
LYING = 1.2
"""Width by height from which somebody counts as lying."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    """How many of a group are found."""

    found: int
    labelled: int

    @property
    def share(self) -> float:
        """Give the share that is found, 0..1."""
        return self.found / max(self.labelled, 1)


def by_size(one: Looked) -> list[str]:
    """Name the group of each labelled box."""
    heights = (one.truth_px[:, 3] - one.truth_px[:, 1]) / one.size_px[1]
    return ["small" if h < SMALL else "large" if h > LARGE else "middle" for h in heights.tolist()]


def by_light(one: Looked) -> list[str]:
    """Name the group of each labelled box."""
    return ["dark" if v < DARK else "bright" if v > BRIGHT else "dim" for v in one.light.tolist()]


def by_pose(one: Looked) -> list[str]:
    """Name the group of each labelled box: lying by label, or by its shape."""
    extent = one.truth_px[:, 2:] - one.truth_px[:, :2]
    flat: Bools = extent[:, 0] > LYING * extent[:, 1]
    return [
        "lying" if lies or wide else "upright"
        for lies, wide in zip(one.fallen, flat.tolist(), strict=True)
    ]


GROUPINGS: Mapping[str, Callable[[Looked], list[str]]] = {
    "size": by_size,
    "light": by_light,
    "pose": by_pose,
}


def recalls(
    looked: Sequence[Looked], threshold: float, group_of: Callable[[Looked], list[str]]
) -> dict[str, Recall]:
    """Count who is found at the working threshold, by group."""
    found: dict[str, list[int]] = {}
    for one in looked:
        for group, is_found in zip(group_of(one), one.found(threshold).tolist(), strict=True):
            counts = found.setdefault(group, [0, 0])
            counts[0] += is_found
            counts[1] += 1
    return {group: Recall(found=a, labelled=b) for group, (a, b) in sorted(found.items())}
