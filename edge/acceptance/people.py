"""Lay the people that were told beside those who were truly there, instant by instant.

Knows nothing about pictures or what a good figure is.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from edge.acceptance.scoring import Instant, pair_up
from edge.acceptance.truth import Truth, visible_people
from scene.arrays import Floats
from scene.messages import XY, Positions

WARM_UP_S = 1.0
"""Nobody can be known in the first second: a person is confirmed by several frames."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Followed:
    """Who was where and who was said to be where, at the same instants."""

    frames: list[int]
    truth: list[Instant]
    found: list[Instant]
    covariances_m2: list[dict[int, Floats]]
    """(2, 2) by track."""


def spot(xyz_m: Sequence[float]) -> XY:
    """Leave out the height."""
    return float(xyz_m[0]), float(xyz_m[1])


def followed(
    truth: Truth, told: Iterable[tuple[int, Positions]], radius_m: float = 1.0
) -> Followed:
    """List true and found places, after the warm-up, of those whom the cameras can see.

    `told` are frames and their positions. True is the middle of the feet, or of the body of
    somebody who lies, where people who mark recordings by hand put it. Who is there but hidden may
    be followed or not; neither counts, and takes nobody's track who stands beside. Where nobody has
    marked who is visible, all count.
    """
    visible = visible_people(len(truth.moments), truth.boxes) if truth.boxes else None
    people = Followed(frames=[], truth=[], found=[], covariances_m2=[])
    last: dict[int, int] = {}
    for frame, positions in told:
        moment = truth.moments[frame]
        if moment.t_s < WARM_UP_S:
            continue
        everybody = {one.id: spot(one.stands_xyz_m) for one in moment.people}
        seen = set(everybody) if visible is None else visible[frame]
        people.frames.append(frame)
        people.truth.append({who: place for who, place in everybody.items() if who in seen})
        tracks = {p.track: spot(p.xyz_m) for p in positions.people}
        people.found.append(_of_the_seen(tracks, everybody, people.truth[-1], radius_m, last))
        people.covariances_m2.append(
            {p.track: np.array(p.covariance_m2, float) for p in positions.people}
        )
    return people


def _of_the_seen(
    told: Instant, everybody: Instant, seen: Instant, radius_m: float, last: dict[int, int]
) -> Instant:
    """Leave out one track of each who is hidden: such as `score` gives nobody who is seen.

    `last` is whose track was which when they were seen, as `score` has it; it is kept up here.
    """
    rest = dict(told)
    for person, track, _ in pair_up(seen, told, radius_m, last):
        last[person] = track
        del rest[track]
    hidden = {who: at for who, at in everybody.items() if who not in seen}
    theirs = {track for _, track, _ in pair_up(hidden, rest, radius_m, last)}
    return {track: at for track, at in told.items() if track not in theirs}
