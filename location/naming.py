"""Names for people, from the places of the tags they carry: who moves as a tag moves is its wearer.

Knows nothing about cameras, MQTT or clocks: time is what the positions say. A tag never changes a
position. The same sequence of calls gives the same names. No name is better than a wrong one.

Tags' places come late and in any order, so the last seconds are gone through again whenever one
comes (`location.names.belief`). Then tags and people are paired, each once, at the highest joint
probability; how sure a pair is says the best pairing without it.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import exp

import numpy as np
from scipy.optimize import linear_sum_assignment

from location.names.belief import Belief, likelihoods, nothing, step
from location.names.moves import Moves, moves_to
from location.names.places import Places, S, places_of, usable
from scene.arrays import Floats
from scene.limits import TagLimits
from scene.messages import Positions, TagFix, Tags

STEP_S = 0.19
"""So often is belief brought up to date: with every other of ten positions a second."""
LATE_S = 3.0
"""A tag's place that comes later than this is left out..."""
AHEAD_S = 5.0
"""... as is one further in the future: its clock is wrong."""
RESTART_S = 5.0
"""Positions older than the last ones by more than this mean that time starts anew."""
MOST_KEPT = 20_000
"""So many places may wait; the oldest make room."""
FAINT = 1e-4
"""A pair less likely than this is none."""
SUREST = 0.999

Named = dict[int, tuple[str, float]]
"""Tag and probability by track."""


@dataclass(slots=True)
class _Step:
    """One instant: the tags' places since the one before, and what is believed."""

    moves: Moves
    belief: Belief
    fixes: list[TagFix] = field(default_factory=list)
    each: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    """`likelihoods` of the fixes."""

    @property
    def at_ns(self) -> int:
        return self.moves.after.at_ns


class Naming:
    """Hears tags, and names people; `hear` may be called from another thread."""

    def __init__(self, limits: TagLimits | None) -> None:
        self._limits = limits
        self._inbox: deque[TagFix] = deque(maxlen=MOST_KEPT)
        self._workers: dict[str, str] = {}
        """What the tag system calls a tag's wearer."""
        self._start()

    def _start(self) -> None:
        self._steps: list[_Step] = []
        self._waiting: list[TagFix] = []
        """Places of instants that positions have not reached yet."""
        self._known: set[tuple[str, int]] = set()
        """Tag and instant of every place that is in `_steps` or `_waiting`."""
        self._named: Named = {}

    def hear(self, tags: Tags) -> None:
        """Take in tags' places, in any order, also twice; those without a sigma are left out."""
        self._inbox.extend(fix for fix in tags.fixes if usable(fix))

    def named(self, positions: Positions) -> Positions:
        """Name the people of one instant; instants come in their order.

        Whoever nobody can name for sure comes back with no name. Positions up to `RESTART_S` older
        than the last ones get the names of those; even older ones mean that time starts anew.
        """
        if self._limits is None:
            return positions
        now_ns = positions.captured_at_ns
        last_ns = self._steps[-1].at_ns if self._steps else None
        if last_ns is not None and now_ns < last_ns - RESTART_S * S:
            self._start()
            last_ns = None
        if last_ns is None or now_ns - last_ns >= STEP_S * S:
            self._advance(self._limits, places_of(positions))
        return self._with_names(positions)

    def _advance(self, limits: TagLimits, places: Places) -> None:
        last = self._steps[-1] if self._steps else None
        moves = moves_to(places, last.moves if last else None)
        self._steps.append(_Step(moves=moves, belief=nothing()))
        first = min(self._sort_in(places.at_ns), len(self._steps) - 1)
        for number in range(first, len(self._steps)):
            now = self._steps[number]
            believed = self._steps[number - 1].belief if number else nothing()
            if len(now.each) != len(now.fixes):
                now.each = likelihoods(now.moves, now.fixes)
            now.belief = step(believed, now.moves, now.fixes, now.each, keep_s=limits.keep_s)
        self._named = _paired(self._steps[-1].belief, self._named, limits)
        while self._steps[0].at_ns < places.at_ns - LATE_S * S:
            self._known -= {(fix.tag, fix.at_ns) for fix in self._steps.pop(0).fixes}

    def _sort_in(self, now_ns: int) -> int:
        """Lay new places to the step that they belong to; tells the first step that got one."""
        coming, self._waiting = [*self._waiting], []
        for _ in range(len(self._inbox)):
            fix = self._inbox.popleft()
            if (fix.tag, fix.at_ns) not in self._known:
                self._known.add((fix.tag, fix.at_ns))
                coming.append(fix)
        ends_ns = np.array([one.at_ns for one in self._steps], np.int64)
        first = len(self._steps)
        for fix in coming:
            if fix.at_ns > now_ns and fix.at_ns <= now_ns + AHEAD_S * S:
                self._waiting.append(fix)
                continue
            number = int(np.searchsorted(ends_ns, fix.at_ns)) if fix.at_ns <= now_ns else 0
            # The first step's belief stands: what came before it is forgotten.
            if number == 0:
                self._known.discard((fix.tag, fix.at_ns))
                continue
            if fix.worker is not None:
                self._workers[fix.tag] = fix.worker
            self._steps[number].fixes.append(fix)
            first = min(first, number)
        return first

    def _with_names(self, positions: Positions) -> Positions:
        if not self._named:
            return positions
        given: Mapping[int, tuple[str, float]] = self._named
        names: dict[str, int] = {}
        for track, (tag, _) in sorted(given.items(), key=lambda one: (-one[1][1], one[0])):
            # Of two tags with one worker's name only the surer one counts.
            names.setdefault(self._workers.get(tag, tag), track)
        by_track = {track: name for name, track in names.items()}
        people = tuple(
            replace(one, worker=name, worker_probability=round(given[one.track][1], 3))
            if (name := by_track.get(one.track)) is not None
            else one
            for one in positions.people
        )
        return replace(positions, people=people)


def _paired(belief: Belief, before: Named, limits: TagLimits) -> Named:
    """Pair tags and tracks; who had a name keeps it until another pairing is sure."""
    k = len(belief.tracks)
    rows = np.flatnonzero(belief.shares[:, :k].max(axis=1, initial=0.0) > FAINT)
    if not k or not len(rows):
        return {}
    # Every tag has a column of its own for "nobody known", so that it need not take anybody.
    worth = np.log(np.maximum(belief.shares[rows], 1e-12))
    worth = np.hstack([worth[:, :k], np.where(np.eye(len(rows)) > 0, worth[:, -1:], -1e4)])
    best, columns = _best(worth)
    tags = [belief.tags[row] for row in rows]
    named: Named = {}
    for row, column in enumerate(columns):
        if column < k:
            without = worth.copy()
            without[row, column] = -1e4
            sure = _odds(best - _best(without)[0])
            if sure >= limits.name_probability:
                named[belief.tracks[column]] = (tags[row], sure)
    taken = {tag for tag, _ in named.values()}
    for track, (tag, _) in sorted(before.items()):
        if track in named or tag in taken or track not in belief.tracks or tag not in tags:
            continue
        row, column = tags.index(tag), belief.tracks.index(track)
        rest, without = worth.copy(), worth.copy()
        rest[:, column] = -1e4
        without[row, column] = -1e4
        kept = worth[row, column] + _best(np.delete(rest, row, axis=0))[0]
        sure = _odds(kept - _best(without)[0])
        if sure >= limits.keep_probability:
            named[track], taken = (tag, sure), taken | {tag}
    return named


def _best(worth: Floats) -> tuple[float, list[int]]:
    """Give the highest total worth of giving every row its own column, and the columns."""
    rows, columns = linear_sum_assignment(worth, maximize=True)
    return float(worth[rows, columns].sum()), columns.tolist()


def _odds(difference: float) -> float:
    return min(1 / (1 + exp(-min(max(difference, -50.0), 50.0))), SUREST)
