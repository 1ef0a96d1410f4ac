"""Which metres of a mine's roadways its gateways see between them, and since when the rest not.

Knows nothing about people.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from control_room.whole_mine import MineGateway
from scene.messages import XY

SAME_FLOOR_M = 3.0
"""Metres of two gateways with the same x and this near across are the same metre."""
SAME_TIME_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Blind:
    """A stretch that no camera sees: nobody knows who is there."""

    from_x_m: float
    to_x_m: float
    gateways: tuple[str, ...]
    """Whose cameras should see it."""
    since_ns: int | None
    """None where that is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metre:
    """One metre of roadway, from `x_m` on."""

    x_m: int
    y_m: float
    """Of the roadway's middle."""
    gateways: tuple[str, ...]
    seen: bool
    since_ns: int | None
    """Since when it is not seen; none while it is, and where that is not known."""


def metres_of(gateways: Sequence[MineGateway]) -> tuple[Metre, ...]:
    """Tell of every metre whether any gateway sees it, along each roadway."""
    found: dict[int, list[Metre]] = {}
    for gateway in gateways:
        for metre in _of_one(gateway):
            row = found.setdefault(metre.x_m, [])
            for index, other in enumerate(row):
                if abs(other.y_m - metre.y_m) <= SAME_FLOOR_M:
                    row[index] = _both(other, metre)
                    break
            else:
                row.append(metre)
    return tuple(metre for x_m in sorted(found) for metre in found[x_m])


def blind_stretches(metres: Iterable[Metre]) -> tuple[Blind, ...]:
    """Put neighbouring unseen metres together that went blind at the same time."""
    stretches: list[Blind] = []
    ends: dict[int, float] = {}
    for metre in metres:
        if metre.seen:
            continue
        for index, stretch in enumerate(stretches):
            beside = stretch.to_x_m == metre.x_m and stretch.gateways == metre.gateways
            if (
                beside
                and abs(ends[index] - metre.y_m) <= SAME_FLOOR_M
                and _same_time(stretch.since_ns, metre.since_ns)
            ):
                stretches[index] = Blind(
                    from_x_m=stretch.from_x_m,
                    to_x_m=metre.x_m + 1.0,
                    gateways=stretch.gateways,
                    since_ns=stretch.since_ns,
                )
                ends[index] = metre.y_m
                break
        else:
            ends[len(stretches)] = metre.y_m
            stretches.append(
                Blind(
                    from_x_m=float(metre.x_m),
                    to_x_m=metre.x_m + 1.0,
                    gateways=metre.gateways,
                    since_ns=metre.since_ns,
                )
            )
    return tuple(stretches)


def seen_within(metres: Iterable[Metre], polygon_m: Sequence[XY]) -> tuple[int, int]:
    """Count the metres that an area touches: seen ones, and all."""
    xs, ys = [x for x, _ in polygon_m], [y for _, y in polygon_m]
    here = [
        metre
        for metre in metres
        if metre.x_m + 1 > min(xs)
        and metre.x_m < max(xs)
        and min(ys) - SAME_FLOOR_M <= metre.y_m <= max(ys) + SAME_FLOOR_M
    ]
    return sum(metre.seen for metre in here), len(here)


def _of_one(gateway: MineGateway) -> list[Metre]:
    """Tell of one gateway's metres; all are unseen while it is silent or tells of none."""
    description, health = gateway.description, gateway.health
    given = description.centre_line_m if description else ()
    line = np.array(given or ((0.0, 0.0, 0.0),))
    line = line[np.argsort(line[:, 0])]
    if health is not None and health.coverage:
        first, counts = round(health.coverage_from_x_m), list(health.coverage)
    elif description is not None:
        first = int(np.floor(line[0, 0]))
        counts = [0] * max(0, int(np.ceil(line[-1, 0])) - first)
    else:
        return []
    since = list(health.coverage_unseen_since_ns) if health is not None else []
    if len(since) != len(counts):
        since = [None] * len(counts)
    if gateway.silent_since_ns is not None:
        silent_ns = gateway.silent_since_ns
        since = [silent_ns if count else one for one, count in zip(since, counts, strict=True)]
        counts = [0] * len(counts)
    return [
        Metre(
            x_m=first + index,
            y_m=float(np.interp(first + index + 0.5, line[:, 0], line[:, 1])),
            gateways=(gateway.gateway,),
            seen=count > 0,
            since_ns=None if count > 0 else since_ns,
        )
        for index, (count, since_ns) in enumerate(zip(counts, since, strict=True))
    ]


def _both(one: Metre, two: Metre) -> Metre:
    seen = one.seen or two.seen
    known = one.since_ns is not None and two.since_ns is not None
    return Metre(
        x_m=one.x_m,
        y_m=one.y_m,
        gateways=tuple(sorted({*one.gateways, *two.gateways})),
        seen=seen,
        since_ns=max(one.since_ns or 0, two.since_ns or 0) if known and not seen else None,
    )


def _same_time(one: int | None, two: int | None) -> bool:
    if one is None or two is None:
        return one is two
    return abs(one - two) <= SAME_TIME_S * 1e9
