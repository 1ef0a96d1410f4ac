"""How the tracker may mix people up between two instants: where they meet, are lost, and come anew.

Knows nothing about tags.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from location.names.places import WALK_M_S, Places, S, rows_in
from scene.arrays import Bools, Floats

NEAR_M = 0.7
"""Sigma of the distance at which the tracker mixes people up."""
SWAP_PER_S = 0.05
"""How often it does so with two people at the same place."""
LEAK_PER_S = 0.004
"""How often belief is wrong for no known reason; it ends up anywhere."""
APPEAR_PER_S = 0.05
"""How often a tag that nobody known carried turns up with somebody known."""
BORN_NEAR, BORN_AFTER, BORN_NEW = 0.02, 0.5, 0.2
"""How likely a new track is one that is still seen next to it, one lost there, or new."""
LOST_S = 0.3
"""Who has not been seen for so long may have been lost."""
REMEMBER_S = 5.0
"""So long after its end a track may go on as another one."""
MOST_STEP_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """A track that has ended."""

    track: int
    at_ns: int
    xy_m: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Moves:
    """From one instant to the next."""

    before: Places | None
    after: Places
    gone: tuple[Gone, ...]
    """Who has ended by now, and may have gone on as another track."""
    gone_ns: tuple[int, ...]
    """When those ended who were gone before already."""
    born: Bools
    """(tracks,) which of `after` are new."""
    passes: Floats
    """(old states, new states) probabilities, each row 1. States are the tracks at an instant, then
    those gone, then nobody known."""


def moves_to(after: Places, last: Moves | None) -> Moves:
    """Tell what may have become of everybody since the last instant."""
    if last is None:
        n = len(after.tracks)
        passes = np.zeros((1, n + 1))
        passes[0, -1] = 1.0
        return Moves(
            before=None, after=after, gone=(), gone_ns=(), born=np.ones(n, bool), passes=passes
        )
    before, k = last.after, len(after.tracks)
    step_s = min((after.at_ns - before.at_ns) / S, MOST_STEP_S)
    ended = (*last.gone, *_ended(before, set(after.tracks)))
    gone = tuple(
        one
        for one in ended
        if one.track not in after.tracks and after.at_ns - one.at_ns <= REMEMBER_S * S
    )
    sources = [*before.tracks, *(one.track for one in last.gone)]
    stays = rows_in(sources, [*after.tracks, *(one.track for one in gone)])
    born = rows_in(after.tracks, before.tracks) < 0
    n, m = len(sources), k + len(gone)
    passes = np.zeros((n + 1, m + 1))
    leak = LEAK_PER_S * step_s / 2
    if k:
        passes[:n, :k] = _passes(sources, ended, after, born, step_s) + leak / k
        passes[n, :k] = APPEAR_PER_S * step_s / k + born * (BORN_NEW / max(born.sum(), 1))
    passes[:n, -1] += leak
    own = np.where(stays >= 0, stays, m)
    passes[np.arange(n), own] = 0.0
    passes *= np.minimum(1.0, 0.6 / np.maximum(passes.sum(axis=1, keepdims=True), 1e-12))
    passes[np.arange(n), own] += 1 - passes[:n].sum(axis=1)
    passes[n, -1] += 1 - passes[n].sum()
    gone_ns = tuple(one.at_ns for one in last.gone)
    return Moves(before=before, after=after, gone=gone, gone_ns=gone_ns, born=born, passes=passes)


def _ended(before: Places, alive: Collection[int]) -> list[Gone]:
    return [
        Gone(track=track, at_ns=before.at_ns, xy_m=(float(x), float(y)))
        for track, (x, y) in zip(before.tracks, before.xy_m.tolist(), strict=True)
        if track not in alive
    ]


def _passes(
    sources: Sequence[int], ended: Sequence[Gone], after: Places, born: Bools, step_s: float
) -> Floats:
    """Give (old tracks and gone ones, new tracks) how likely each went on as another."""
    own = np.trace(after.covariances_m2, axis1=1, axis2=2) / 2
    now = rows_in(sources, after.tracks)
    lost = (now < 0) | (after.unseen_s[now] > LOST_S)
    weight = np.where(now < 0, 0.0, SWAP_PER_S * step_s)
    born_weight = np.where(lost, BORN_AFTER, BORN_NEAR)
    xy, spread = after.xy_m[now], own[now]
    place_of = {one.track: one for one in ended}
    for row in np.flatnonzero(now < 0).tolist():
        one = place_of[sources[row]]
        xy[row], spread[row] = one.xy_m, (WALK_M_S * (after.at_ns - one.at_ns) / S) ** 2
    square = ((xy[:, None] - after.xy_m[None]) ** 2).sum(axis=2)
    near = np.exp(-0.5 * np.minimum(square / (NEAR_M**2 + spread[:, None] + own[None]), 100.0))
    return np.asarray(np.where(born[None], born_weight[:, None], weight[:, None]) * near)
