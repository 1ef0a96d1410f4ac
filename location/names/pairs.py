"""Two tags that are with one person.

Knows nothing about time or alarms.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from location.names.looks import MOST_SHARE, Window
from scene.messages import Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two tags and whom they are with."""

    tags: tuple[str, str]
    """In their alphabet's order: which of them is one too many nobody knows."""
    person: Position
    share: float
    """Of both tags' looks, the smaller share that fits the person."""


def pairs_of(
    people: Sequence[Position], windows: Mapping[str, Window], names: Mapping[str, str]
) -> list[Pair]:
    """Find tags for which no person is left when each person has one, whoever is near them.

    So two who walk together with a tag each are no pair, however near. `names` says what the tag
    system calls a tag's wearer; a person's own name goes first to that tag.
    """
    people = sorted(people, key=lambda one: one.track)
    tags = sorted(tag for tag, window in windows.items() if window.share("with") > 0)
    worn = {one.worker for one in people}
    if not people or len(tags) < 2 or all(names.get(tag, tag) in worn for tag in tags):
        return []
    fits = np.array([[windows[tag].fit(one.track) for one in people] for tag in tags])
    fits[fits < MOST_SHARE] = 0.0
    own = np.array([[names.get(tag, tag) == one.worker for one in people] for tag in tags])
    rows, columns = linear_sum_assignment(fits + own * (fits > 0), maximize=True)
    tag_of = {
        int(column): int(row)
        for row, column in zip(rows, columns, strict=True)
        if fits[row, column] > 0
    }
    found = []
    for row in sorted({*range(len(tags))} - {*tag_of.values()}):
        column = int(fits[row].argmax())
        other = tag_of.get(column)
        if other is not None and fits[row, column] > 0:
            first, second = sorted((tags[row], tags[other]))
            share = float(min(fits[row, column], fits[other, column]))
            found.append(Pair(tags=(first, second), person=people[column], share=share))
    return found
