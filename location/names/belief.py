"""Who carries which tag, as probabilities that tags' places change and meetings blur.

Knows nothing about names, thresholds or alarms. A hidden Markov model per tag: its state is the
track that carries it, or nobody known. A track is a person for as long as the tracker did not mix
people up, which happens where they meet, or where it lost one and began anew: only there does
belief pass from one track to another ("identity mixing": Shin, Guibas, Zhao 2003, "A distributed
algorithm for managing multi-target identities in wireless ad-hoc sensor networks"). So a name
stays sure while its tag is silent, and is doubted after a meeting until the tag has told.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from location.names.moves import Moves
from location.names.places import S, log_likelihood, misfit, places_at, rows_in
from scene.arrays import Floats
from scene.messages import TagFix

BEFORE_S = 2.0
"""A new track is compared with what each tag said so long before it."""
NOBODY_FIRST = 0.3
"""How likely a tag that is heard for the first time is with nobody known."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Belief:
    """What is believed at one instant."""

    tags: tuple[str, ...] = ()
    tracks: tuple[int, ...] = ()
    shares: Floats
    """(tags, states) probabilities, each row 1; states as in `Moves.passes`."""
    heard: Mapping[str, TagFix]
    """Each tag's newest place."""


def nothing() -> Belief:
    """Begin."""
    return Belief(shares=np.zeros((0, 1)), heard={})


def likelihoods(moves: Moves, fixes: Sequence[TagFix]) -> Floats:
    """Tell how well each place of a tag since the last instant fits each track: (fixes, tracks)."""
    at_ns = np.array([fix.at_ns for fix in fixes], np.int64)
    xy, doubt = places_at(moves.before, moves.after, at_ns)
    return log_likelihood(*misfit(fixes, xy, doubt, moves.after.speeds_m_s))


def step(
    belief: Belief, moves: Moves, fixes: Sequence[TagFix], each: Floats, *, keep_s: float
) -> Belief:
    """Go on by one instant, with the tags' places since the last one and their `likelihoods`.

    Tags that have not been heard for `keep_s` are forgotten. Fixes may be of any order; several
    of one tag count as one, since their errors are of one kind.
    """
    after_ns = moves.after.at_ns
    heard = {t: fix for t, fix in belief.heard.items() if after_ns - fix.at_ns <= keep_s * S}
    earlier = [fix for fix in heard.values() if after_ns - fix.at_ns <= BEFORE_S * S]
    heard |= {fix.tag: fix for fix in sorted(fixes, key=lambda fix: fix.at_ns)}
    tags = tuple(sorted(heard))
    old = _rows(belief, tags)
    shares = old @ moves.passes
    row_of = {tag: row for row, tag in enumerate(tags)}
    if earlier and moves.before is not None and moves.born.any():
        rows = np.array([row_of[fix.tag] for fix in earlier])
        shares[np.ix_(rows, np.flatnonzero(moves.born))] += _before_birth(old[rows], moves, earlier)
    if tags and moves.after.tracks:
        if fixes:
            rows = np.array([row_of[fix.tag] for fix in fixes])
            counts = np.bincount(rows, minlength=len(tags))
            told = np.zeros((len(tags), len(moves.after.tracks)))
            np.add.at(told, rows, each / counts[rows][:, None])
            shares[:, : told.shape[1]] *= np.exp(told)
        shares /= shares.sum(axis=1, keepdims=True)
    return Belief(tags=tags, tracks=moves.after.tracks, shares=shares, heard=heard)


def _rows(belief: Belief, tags: Sequence[str]) -> Floats:
    """Give (tags, states) what was believed; of a tag heard for the first time, nothing much."""
    if tags == belief.tags:
        return belief.shares
    k = len(belief.tracks)
    first = np.zeros(belief.shares.shape[1])
    first[:k] = (1 - NOBODY_FIRST) / max(k, 1)
    first[-1] = 1 - first[:-1].sum()
    old = rows_in(tags, belief.tags)
    if not len(belief.tags):
        return np.tile(first, (len(tags), 1))
    return np.where(old[:, None] >= 0, belief.shares[old], first)


def _before_birth(old: Floats, moves: Moves, fixes: Sequence[TagFix]) -> Floats:
    """Give (fixes, new tracks) how much more of `old` (fixes, states) goes over to the new tracks.

    What a tag said last, while nobody known was with it, tells whether it came with them. To
    tracks that were known then it has been told already.
    """
    assert moves.before is not None
    at_ns = np.array([fix.at_ns for fix in fixes], np.int64)
    xy, doubt = places_at(None, moves.after, at_ns)
    each = log_likelihood(*misfit(fixes, xy, doubt, moves.after.speeds_m_s))[:, moves.born]
    n = len(moves.before.tracks)
    ended_ns = np.array([*moves.gone_ns, np.iinfo(np.int64).min], np.int64)
    unknown = old[:, n:] * (at_ns[:, None] > ended_ns)
    passes = moves.passes[n:, : len(moves.born)][:, moves.born]
    return np.asarray((unknown @ passes) * (np.exp(each) - 1))
