"""Search for the fewest cameras that cover a roadway as wished.

Knows nothing about optics: it chooses among candidates, then shifts and turns the chosen ones.

What is best, in this order: (1) places covered once; (2) half as much: places covered twice where
that is wished; (3) a quarter as much: places at which a walker stays in one camera for the wished
overlap, so that neighbours share it; (4) larger people, who are placed better. The number of
cameras is the smallest with which every metre is covered as wished. Greedy choice, then exchange
of one camera at a time until none gains (Nemhauser, Wolsey, Fisher 1978 bound the greedy choice
at 63 % of the best; the exchange does better). The same plan gives the same layout: nothing is
random and nothing depends on the time it takes.
"""

from dataclasses import dataclass

import numpy as np

from edge.planning.candidates import Candidates, Report, fans, may_hang, runs, single_cameras
from edge.planning.file import PER_GATEWAY, HungCamera, Side
from edge.planning.gaps import counts
from edge.planning.judge import broken_walks, short_metres, wished_twice
from edge.planning.optics import Optics
from edge.planning.score import WALK, Score, twins, worth
from edge.planning.section import Section
from scene.arrays import Bools, Ints

MOST = 64
"""More cameras than this are never proposed at once."""
PASSES = 8
SHIFTS_M = (0.5, -0.5)
TURNS_DEG = (3.0, -3.0, 8.0, -8.0)
NODS_DEG = (2.0, -2.0, 5.0, -5.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What the search found."""

    hung: tuple[HungCamera, ...]
    """Named in order of chainage."""
    enough: bool
    """Every metre is covered as wished."""
    needed: int | None
    """How many cameras it would take without a limit; none: no number of them does."""
    unreachable_m: tuple[int, ...]
    """Metres, from 0, that no camera at all could cover as wished from where one may mount."""


def search(section: Section, detector_px: tuple[int, int], report: Report) -> Layout:
    """Find a layout; it is the best found where nothing covers everything."""
    optics = Optics(section, detector_px)
    limit = min(section.plan.cameras or MOST, MOST)
    if section.plan.rig == "rotation":
        return _search_fans(optics, limit, report)
    score = Score(section, single_cameras(optics, report))
    report("choosing", 0.0)
    free = _fewest(score, MOST)
    enough = score.enough(free)
    chosen = free if len(free) <= limit else _exchange(score, _greedy(score, limit))
    hung = [score.candidates.hung[index] for index in chosen]
    hung = _fewer(optics, _refine(optics, hung, report), report)
    needed = min(len(free), len(hung)) if _enough(optics, hung) else len(free) if enough else None
    return Layout(
        hung=_named(hung),
        enough=_enough(optics, hung),
        needed=needed,
        unreachable_m=_unreachable(section, score.candidates),
    )


def _search_fans(optics: Optics, limit: int, report: Report) -> Layout:
    """Try fans of each size; every gateway has one."""
    section = optics.section
    best: tuple[tuple[bool, int, int, float], list[tuple[HungCamera, ...]]] | None = None
    needed: int | None = None
    reachable = np.zeros(len(section.places.taken), np.int8)
    for size in range(min(2, limit), min(PER_GATEWAY, limit) + 1):
        if best is not None and best[0][0] and size > -best[0][1]:
            break  # even one larger fan is more cameras
        score = Score(section, fans(optics, size, report))
        reachable = np.maximum(reachable, score.candidates.counts.max(axis=0, initial=0))
        free = _fewest(score, MOST // size)
        if score.enough(free):
            needed = min(needed or MOST, size * len(free))
        most = limit // size
        chosen = free if len(free) <= most else _exchange(score, _greedy(score, most))
        enough, total = score.enough(chosen), size * len(chosen)
        # Enough before not enough; then fewer cameras, fewer gateways, or else more coverage.
        fewer = (-total, -len(chosen)) if enough else (0, 0)
        rank = (enough, *fewer, score.value(chosen))
        if best is None or rank > best[0]:
            best = rank, [score.candidates.hung[index] for index in chosen]
    hung = _refine(optics, best[1] if best else [], report)
    candidates = Candidates(hung=(), counts=reachable[None], quality=np.zeros(1))
    return Layout(
        hung=_named(hung),
        enough=_enough(optics, hung),
        needed=needed,
        unreachable_m=_unreachable(section, candidates),
    )


def _fewest(score: Score, most: int) -> list[int]:
    """Cover all that can be, going along the roadway, then try to do with fewer."""
    ways = [_exchange(score, _sweep(score, most, backward=way)) for way in (False, True)]
    best = min(ways, key=lambda one: (not score.done(one), len(one), -score.value(one)))
    while len(best) > 1 and score.done(best):
        fewer = _exchange(score, _without_least(score, best))
        if not score.done(fewer):
            break
        best = fewer
    return best


def _without_least(score: Score, chosen: list[int]) -> list[int]:
    rest = [chosen[:i] + chosen[i + 1 :] for i in range(len(chosen))]
    return max(rest, key=score.value)


def _greedy(score: Score, most: int) -> list[int]:
    chosen: list[int] = []
    while len(chosen) < most and not (chosen and score.done(chosen)):
        gains = score.gains(chosen)
        if not len(gains) or gains.max() < WALK:
            break
        chosen.append(int(gains.argmax()))
    return chosen


def _sweep(score: Score, most: int, *, backward: bool) -> list[int]:
    """Go along the roadway from one end: whoever brings the covered part furthest is next."""
    chosen: list[int] = []
    while len(chosen) < most and not (chosen and score.done(chosen)):
        gains, reached = score.gains(chosen), score.reached(chosen, backward=backward)
        if not len(gains) or gains.max() < WALK:
            break
        mends = score.mends(chosen, score.metres - 1 - reached if backward else reached)
        these = np.flatnonzero(mends)
        if not len(these):
            break
        frontier = score.frontier(chosen, these, backward=backward)
        if frontier.max() > reached:
            far = these[frontier == frontier.max()]
            chosen.append(int(far[gains[far].argmax()]))
        else:  # it takes two to cover this metre
            chosen.append(int((mends + 1e-4 * gains).argmax()))
    return chosen


def _exchange(score: Score, chosen: list[int]) -> list[int]:
    """Replace one at a time by whatever is worth more, until nothing is."""
    chosen = list(chosen)
    for _ in range(PASSES):
        changed = False
        for place in range(len(chosen)):
            rest = chosen[:place] + chosen[place + 1 :]
            gains = score.gains(rest)
            better = int(gains.argmax())
            if gains[better] > gains[chosen[place]] + 1e-9:
                chosen = [*rest[:place], better, *rest[place:]]
                changed = True
        if not changed:
            break
    return chosen


def _refine(
    optics: Optics, hung: list[tuple[HungCamera, ...]], report: Report
) -> list[tuple[HungCamera, ...]]:
    """Shift and turn each chosen camera or fan by small steps as long as the layout gains."""
    section = optics.section
    target = np.where(section.places.taken, 0, np.where(wished_twice(section), 2, 1))
    parts = [_part(optics, group) for group in hung]
    for done in range(3):
        changed = False
        for index, group in enumerate(hung):
            report("adjusting", (done + index / max(1, len(hung))) / 3)
            others = parts[:index] + parts[index + 1 :]
            best, best_part = group, parts[index]
            best_worth = _together(target, [*others, best_part])
            beside = [one[0] for one in hung[:index] + hung[index + 1 :]]
            for moved in _moves(section, group):
                if any(twins(moved[0], one) for one in beside):
                    continue
                part = _part(optics, moved)
                value = _together(target, [*others, part])
                if value > best_worth + 1e-9:
                    best, best_part, best_worth = moved, part, value
            if best is not group:
                hung = [*hung[:index], best, *hung[index + 1 :]]
                parts[index] = best_part
                changed = True
        if not changed:
            break
    return hung


def _fewer(
    optics: Optics, hung: list[tuple[HungCamera, ...]], report: Report
) -> list[tuple[HungCamera, ...]]:
    """Leave one out as long as the others, adjusted, are enough without it."""
    target = np.where(optics.section.places.taken, 0, np.where(wished_twice(optics.section), 2, 1))
    while len(hung) > 1 and _enough(optics, hung):
        parts = [_part(optics, group) for group in hung]
        rest = [_together(target, parts[:i] + parts[i + 1 :]) for i in range(len(parts))]
        least = int(np.argmax(rest))
        fewer = _refine(optics, hung[:least] + hung[least + 1 :], report)
        if not _enough(optics, fewer):
            break
        hung = fewer
    return hung


_Part = tuple[Ints, Bools, float]
"""Counts (N,), walks (N,), tie-breaking quality."""


def _part(optics: Optics, group: tuple[HungCamera, ...]) -> _Part:
    at = optics.spot(group[0])
    seen = [optics.view(one, at) for one in group]
    count = counts(seen)
    tall = np.max([np.where(view.seen, view.standing_px, 0) for view in seen], axis=0)
    return count, runs(optics.section, (count >= 1)[None])[0], float(np.minimum(tall, 400).sum())


def _together(target: Ints, parts: list[_Part]) -> float:
    count = np.sum([part[0] for part in parts], axis=0)
    walked = np.sum([part[1] for part in parts], axis=0)
    return worth(target, count, walked) + 1e-7 * sum(part[2] for part in parts)


def _moves(section: Section, group: tuple[HungCamera, ...]) -> list[tuple[HungCamera, ...]]:
    changes: list[dict[str, float]] = [{"chainage_m": step} for step in SHIFTS_M]
    changes += [{"yaw_deg": step} for step in TURNS_DEG]
    changes += [{"pitch_deg": step} for step in NODS_DEG]
    side = _side(section, group[0])
    found = []
    for change in changes:
        moved = tuple(
            one.model_copy(update={name: getattr(one, name) + by for name, by in change.items()})
            for one in group
        )
        if may_hang(section, side, moved[0].chainage_m) and -85 <= moved[0].pitch_deg <= 0:
            found.append(moved)
    return found


def _side(section: Section, hung: HungCamera) -> Side:
    if abs(hung.left_m) < 1e-9 and "roof" in section.plan.mounts.sides:
        return "roof"
    return "left" if hung.left_m > 0 else "right"


def _enough(optics: Optics, hung: list[tuple[HungCamera, ...]]) -> bool:
    parts = [_part(optics, group) for group in hung]
    count = np.sum([part[0] for part in parts], axis=0)
    walked = np.sum([part[1] for part in parts], axis=0)
    return not (short_metres(optics.section, count) or broken_walks(optics.section, walked))


def _unreachable(section: Section, candidates: Candidates) -> tuple[int, ...]:
    """List the metres that are short even when everything hangs at once."""
    return tuple(short_metres(section, np.asarray(candidates.counts.sum(axis=0))))


def _named(hung: list[tuple[HungCamera, ...]]) -> tuple[HungCamera, ...]:
    order = sorted(hung, key=lambda group: group[0].chainage_m)
    flat = [one for group in order for one in group]
    return tuple(
        one.model_copy(
            update={
                "name": f"cam{index + 1}",
                "chainage_m": round(one.chainage_m, 2),
                "yaw_deg": round((one.yaw_deg + 180) % 360 - 180, 1),
                "pitch_deg": round(one.pitch_deg, 1),
                "left_m": round(one.left_m, 2),
                "height_m": round(one.height_m, 2),
            }
        )
        for index, one in enumerate(flat)
    )
