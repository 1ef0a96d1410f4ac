"""Where people were when a tag was heard, and how well the tag's place fits each of them.

Knows nothing about names or alarms: tags' places and people's places, nothing remembered.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TypeVar

import numpy as np

from scene.arrays import Floats, Ints
from scene.messages import Position, Positions, TagFix

Name = TypeVar("Name", int, str)
S = 1_000_000_000
WALK_M_S = 1.0
"""So fast does the doubt grow where a place is not known, before a track began, say."""
NEAR_S = 0.25
"""So near to a known place in time a place is as good as known."""
BODY_M = 0.15
"""Sigma between a tag on belt or helmet and the feet."""
CLOCK_S = 0.1
"""Sigma between the clocks of tags and cameras."""
LEAST_SIGMA_M, MOST_SIGMA_M = 0.05, 100.0
"""No tag system is better, whatever it claims; of a worse one it makes no difference."""
FURTHEST_M = 1e6
GROSS_SHARE = 0.05
"""Of a tag's places that are anywhere (reflections): it does not say which."""
ANYWHERE_M2 = 100.0
"""The area over which those are spread, and in which a person nobody sees may be."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Places:
    """Everybody's place at one instant, as arrays."""

    at_ns: int
    tracks: tuple[int, ...]
    """Ascending, each once."""
    xy_m: Floats
    """(N, 2) mine metres."""
    covariances_m2: Floats
    """(N, 2, 2)."""
    speeds_m_s: Floats
    """(N,)."""
    unseen_s: Floats
    """(N,) how long ago a camera last saw each."""


def places_of(positions: Positions) -> Places:
    """Take people's places out of a message; those with no finite place are left out."""
    by_track = {one.track: one for one in positions.people if _finite(one)}
    people = [by_track[track] for track in sorted(by_track)]
    n = len(people)
    return Places(
        at_ns=positions.captured_at_ns,
        tracks=tuple(one.track for one in people),
        xy_m=np.array([one.xyz_m[:2] for one in people], float).reshape(n, 2),
        covariances_m2=np.array([one.covariance_m2 for one in people], float).reshape(n, 2, 2),
        speeds_m_s=np.hypot(*np.array([one.velocity_m_s for one in people]).reshape(n, 2).T),
        unseen_s=np.array([(positions.captured_at_ns - one.seen_at_ns) / S for one in people]),
    )


def _finite(person: Position) -> bool:
    numbers = (*person.xyz_m[:2], *person.covariance_m2[0], *person.covariance_m2[1])
    return all(isfinite(number) and abs(number) < FURTHEST_M for number in numbers) and all(
        isfinite(speed) for speed in person.velocity_m_s
    )


def usable(fix: TagFix) -> bool:
    """Tell whether a tag's place can be used: a sigma above 0, and on earth."""
    return fix.sigma_m > 0 and all(abs(number) < FURTHEST_M for number in fix.xy_m)


def rows_in(wanted: Sequence[Name], names: Sequence[Name]) -> Ints:
    """Give (wanted,) the index of each track or tag; -1 for those that are not there."""
    rows: Mapping[Name, int] = {name: row for row, name in enumerate(names)}
    return np.array([rows.get(name, -1) for name in wanted], np.int64)


def places_at(before: Places | None, after: Places, at_ns: Ints) -> tuple[Floats, Floats]:
    """Tell where the people of `after` were at instants (F,): (F, N, 2) and (F, N, 2, 2).

    Between two known places on the straight line; who was not there before stays where they were
    first known, with a doubt of `WALK_M_S`.
    """
    to_after_s = (after.at_ns - at_ns)[:, None] / S
    if before is None or not before.tracks or after.at_ns <= before.at_ns:
        share, rows = np.zeros_like(to_after_s), np.full(len(after.tracks), -1)
        return _spread(after.xy_m[None] + 0 * share[..., None], after.covariances_m2, to_after_s)
    rows = rows_in(after.tracks, before.tracks)
    known = rows >= 0
    share = to_after_s * S / (after.at_ns - before.at_ns)
    share = np.where(known, np.clip(share, 0.0, 1.0), 0.0)
    xy = after.xy_m + share[..., None] * (before.xy_m[rows] - after.xy_m)
    doubt = after.covariances_m2 + share[..., None, None] * (
        before.covariances_m2[rows] - after.covariances_m2
    )
    from_before_s = (at_ns - before.at_ns)[:, None] / S
    away_s = np.where(known, np.minimum(to_after_s, np.abs(from_before_s)), to_after_s)
    return _spread(xy, doubt, away_s)


def _spread(xy_m: Floats, covariances_m2: Floats, away_s: Floats) -> tuple[Floats, Floats]:
    wider = (WALK_M_S * np.maximum(np.abs(away_s) - NEAR_S, 0.0)) ** 2
    return xy_m, covariances_m2 + wider[..., None, None] * np.eye(2)


def misfit(
    fixes: Sequence[TagFix], xy_m: Floats, covariances_m2: Floats, speeds_m_s: Floats
) -> tuple[Floats, Floats]:
    """Compare tags' places (F) with people's (F, N, 2): Mahalanobis² and log det, each (F, N)."""
    apart = np.array([fix.xy_m for fix in fixes], float).reshape(-1, 1, 2) - xy_m
    sigma = np.clip([fix.sigma_m for fix in fixes], LEAST_SIGMA_M, MOST_SIGMA_M)[:, None]
    more = sigma**2 + BODY_M**2 + (CLOCK_S * np.minimum(speeds_m_s, 3.0)) ** 2
    a, b = covariances_m2[..., 0, 0] + more, covariances_m2[..., 0, 1]
    d = covariances_m2[..., 1, 1] + more
    det = np.maximum(a * d - b**2, 1e-9)
    dx, dy = apart[..., 0], apart[..., 1]
    return (d * dx**2 - 2 * b * dx * dy + a * dy**2) / det, np.log(det)


def log_likelihood(square: Floats, log_det: Floats) -> Floats:
    """Tell how much likelier a tag's place is with a person there than with nobody known there.

    A Gauss with a share of gross errors that are anywhere: so one of them can't ruin a name.
    """
    gauss = np.exp(-0.5 * np.minimum(square + log_det, 600.0)) / (2 * np.pi)
    return np.asarray(np.log((1 - GROSS_SHARE) * gauss * ANYWHERE_M2 + GROSS_SHARE))
