"""Judge a layout of cameras: coverage and expected error per metre, blind spots, overlaps.

Knows nothing about how the layout came about, or how the judgement is shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge.planning.error import LOOKS_PER_S, expected, radius_m
from edge.planning.gaps import (
    BlindSpot,
    Overlap,
    blind_by_metre,
    blind_spots,
    counts,
    overlaps_of,
)
from edge.planning.section import Section
from edge.planning.view import Postures, View, postures, shrunk, views
from scene.arrays import Bools, Floats, Ints
from scene.geometry import CameraModel

LANES = 3
"""Lanes on which the expected error is computed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metre:
    """One metre of roadway; shares are of the floor that nothing stands on, 0..1."""

    from_m: float
    to_m: float
    open_share: float
    """Share of the floor that nothing stands on; where it is 0 the others mean nothing."""
    seen_share: float
    """Some camera sees a standing and a lying body, whole and large enough."""
    standing_share: float
    """Some camera sees a standing body as wished."""
    lying_share: float
    """Some camera, perhaps another one, sees a lying body as wished."""
    blind: tuple[BlindSpot, ...]
    """What it lacks, and why; empty where it is covered."""
    twice_share: float
    hidden_share: float
    """Nobody sees it, but would if nothing stood in the way."""
    feet_cameras: float
    """How many cameras show a place's feet, on average."""
    body_cameras: float
    """How many show a standing body whole."""
    cameras: tuple[str, ...]
    """Those that cover at least half of it."""
    person_px: float
    """Height of a standing person in the best camera, in pixels of the picture that the detector
    works on, median over the metre; NaN: in none."""
    lying_px: float
    along_m: float
    """Expected error of one look, one sigma along the roadway; NaN where nobody can be placed."""
    across_m: float
    look_radius_m: float
    """95 % of single looks are nearer than this."""
    followed_radius_m: float
    """The same for the published position of somebody followed for two seconds."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ellipse:
    """An expected error on the plan."""

    chainage_m: float
    left_m: float
    covariance_m2: Floats
    """(2, 2) along and across: one look."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judgement:
    """All that is said about a layout."""

    section: Section
    cameras: tuple[CameraModel, ...]
    views: tuple[View, ...]
    metres: tuple[Metre, ...]
    blind: tuple[BlindSpot, ...]
    overlaps: tuple[Overlap, ...]
    ellipses: tuple[Ellipse, ...]
    short_m: tuple[int, ...]
    """Metres, from 0, that are not covered as wished (once, or twice where that is wished)."""

    @property
    def covered(self) -> bool:
        """Whether every metre is covered as wished."""
        return not self.short_m

    @property
    def seen_share(self) -> float:
        """Share of the open floor that some camera covers."""
        open_places = ~self.section.places.taken
        return float(counts(self.views)[open_places].clip(max=1).mean()) if open_places.any() else 0


def judge(
    section: Section,
    cameras: Sequence[CameraModel],
    detector_px: tuple[int, int],
    looks_per_s: float = LOOKS_PER_S,
) -> Judgement:
    """Judge cameras that hang in a section of roadway."""
    seen = views(section, cameras, section.plan, detector_px)
    closely = postures(section, cameras, section.plan, detector_px)
    errors, ellipses = _errors(section, cameras, seen, looks_per_s)
    scales = [shrunk(camera.size_px, detector_px) for camera in cameras]
    names = [camera.name for camera in cameras]
    blind = blind_by_metre(section, cameras, closely)
    metres = tuple(
        _metre(
            section,
            index,
            names,
            seen=seen,
            closely=closely,
            scales=scales,
            blind=blind[index],
            error=errors.get(index),
        )
        for index in range(section.metres)
    )
    return Judgement(
        section=section,
        cameras=tuple(cameras),
        views=tuple(seen),
        metres=metres,
        blind=tuple(blind_spots(blind)),
        overlaps=tuple(overlaps_of(section, cameras, seen)),
        ellipses=tuple(ellipses),
        short_m=tuple(short_metres(section, counts(seen))),
    )


def short_metres(section: Section, count: Ints) -> list[int]:
    """List the metres of which less than the wished share is covered as often as wished."""
    twice = wished_twice(section)
    return _lacking(section, count >= np.where(twice, 2, 1))


def broken_walks(section: Section, walked: Ints) -> list[int]:
    """List the metres in which walkers too often leave one camera before the next has them.

    `walked` counts, per place, the cameras in which somebody walks on for `wishes.overlap_m`.
    """
    return _lacking(section, walked > 0)


def _lacking(section: Section, good: Bools) -> list[int]:
    """List the metres of whose open floor less than the wished share is good."""
    places, metres = section.places, section.metres
    open_floor = np.bincount(places.metre, ~places.taken, minlength=metres)
    fine = np.bincount(places.metre, good & ~places.taken, minlength=metres)
    short = fine < (section.plan.wishes.share - 1e-9) * open_floor
    return [int(index) for index in np.flatnonzero(short)]


def wished_twice(section: Section) -> Bools:
    """Tell which places (N,) two cameras must see."""
    at_m = section.places.chainage_m
    twice = np.zeros(len(at_m), bool)
    for low, high in section.plan.wishes.twice_m:
        twice |= (at_m >= low) & (at_m <= high)
    return twice


def _metre(
    section: Section,
    index: int,
    names: list[str],
    *,
    seen: list[View],
    closely: list[Postures],
    scales: list[float],
    blind: list[BlindSpot],
    error: tuple[float, float, float, float] | None,
) -> Metre:
    places = section.places
    all_here = places.metre == index
    here = np.flatnonzero(all_here & ~places.taken)
    some = len(here) > 0
    count = counts(seen)[here]
    hidden = np.any([view.hidden[here] for view in seen], axis=0) & (count == 0)
    tall = np.max([v.standing_px[here] / n for v, n in zip(seen, scales, strict=True)], axis=0)
    long = np.max([v.lying_px[here] / n for v, n in zip(seen, scales, strict=True)], axis=0)
    stands = np.any([one.standing.seen[here] for one in closely], axis=0)
    lies = np.any([one.lying.seen[here] for one in closely], axis=0)
    along, across, look, followed = error or (np.nan,) * 4
    from_m, to_m = section.metre_m(index)
    return Metre(
        from_m=from_m,
        to_m=to_m,
        open_share=len(here) / max(1, int(all_here.sum())),
        seen_share=float((count >= 1).mean()) if some else 0.0,
        standing_share=float(stands.mean()) if some else 0.0,
        lying_share=float(lies.mean()) if some else 0.0,
        blind=tuple(blind),
        twice_share=float((count >= 2).mean()) if some else 0.0,
        hidden_share=float(hidden.mean()) if some else 0.0,
        feet_cameras=float(np.sum([v.feet[here] for v in seen], axis=0).mean()) if some else 0.0,
        body_cameras=float(np.sum([v.whole[here] for v in seen], axis=0).mean()) if some else 0.0,
        cameras=tuple(
            name
            for name, view in zip(names, seen, strict=True)
            if some and view.seen[here].mean() >= 0.5
        ),
        person_px=float(np.median(tall[tall > 0])) if (tall > 0).any() else float("nan"),
        lying_px=float(np.median(long[long > 0])) if (long > 0).any() else float("nan"),
        along_m=float(along),
        across_m=float(across),
        look_radius_m=float(look),
        followed_radius_m=float(followed),
    )


def _errors(
    section: Section, cameras: Sequence[CameraModel], seen: list[View], looks_per_s: float
) -> tuple[dict[int, tuple[float, float, float, float]], list[Ellipse]]:
    """Give by metre sigma along, across, 95 % radius of one look and followed; and ellipses."""
    places = section.places
    _, lanes = places.shape
    lane = np.unique(np.linspace(0, lanes - 1, LANES + 2).round().astype(int)[1:-1])
    step = np.unique([_middle_step(section, index) for index in range(section.metres)])
    chosen = (step[:, None] * lanes + lane).ravel()
    chosen = chosen[~places.taken[chosen]]
    looks = np.full((len(chosen), 2, 2), np.nan)
    followed = looks.copy()
    for row, place in enumerate(chosen.tolist()):
        able = [c for c, view in zip(cameras, seen, strict=True) if view.whole[place]]
        if able:
            feet = places.feet_m[place : place + 1]
            found = expected(able, section.floor, feet, looks_per_s=looks_per_s)
            looks[row], followed[row] = found.look_m2[0], found.followed_m2[0]
    turned = _along_across(section, places.feet_m[chosen], looks)
    radii, followed_radii = radius_m(looks, 0.95), radius_m(followed, 0.95)
    errors, ellipses = {}, []
    for index in range(section.metres):
        here = (places.metre[chosen] == index) & np.isfinite(radii)
        if here.any():
            sigma = np.sqrt(turned[here][:, [0, 1], [0, 1]].mean(axis=0))
            errors[index] = (
                float(sigma[0]),
                float(sigma[1]),
                float(radii[here].mean()),
                float(followed_radii[here].mean()),
            )
        ellipses += [
            Ellipse(
                chainage_m=float(places.chainage_m[chosen[row]]),
                left_m=float(places.left_m[chosen[row]]),
                covariance_m2=turned[row],
            )
            for row in np.flatnonzero(here)
        ]
    return errors, ellipses


def _middle_step(section: Section, index: int) -> int:
    here = np.flatnonzero(section.places.metre == index)
    return int(section.places.step[here[len(here) // 2]])


def _along_across(section: Section, feet_m: Floats, covariance_m2: Floats) -> Floats:
    heading = np.radians([section.heading_deg(c) for c in section.floor.place(feet_m[:, :2])[:, 0]])
    cos, sin = np.cos(heading), np.sin(heading)
    turn = np.stack([np.stack([cos, sin], axis=-1), np.stack([-sin, cos], axis=-1)], axis=-2)
    return np.asarray(turn @ covariance_m2 @ turn.transpose(0, 2, 1))
