"""Rules about how many are together: too many in a zone, or one alone.

Knows nothing about how long: the watch keeps time.
"""

from dataclasses import replace
from math import erf, hypot, sqrt

import numpy as np

from location.rules.moment import NEITHER, Judgement, Moment
from location.rules.places import apart_m, at_look, sigma_m
from scene.messages import Position
from scene.site import Site
from scene.zones import ZoneConfig

ZONE = 0
"""The track of what stands for a zone: nobody's."""
LATE_S = 0.25
HIDDEN_S = 60.0
"""So long whoever vanished counts where last seen."""
SURELY, MAYBE = 0.9, 0.1


def zone_itself(site: Site, zone: ZoneConfig, moment: Moment) -> tuple[Position, ...]:
    """Give what stands for a zone: where its people are on average, seen when anybody last was."""
    polygon = moment.machines.polygon_m(zone, site.limits.danger.place_age_s)
    if polygon is None:
        return ()
    people = _seen(moment)
    shares = np.array([moment.inside(person, polygon) for person in people])
    if shares.sum() > MAYBE:
        places = np.array([person.xyz_m for person in people])
        x, y, z = (shares @ places / shares.sum()).tolist()
        sigma = sqrt(shares @ [sigma_m(p.covariance_m2) ** 2 for p in people] / shares.sum())
    else:
        (x, y), z, sigma = np.mean(polygon, axis=0).tolist(), 0.0, 0.0
    inside = [person for person, share in zip(people, shares, strict=True) if share > MAYBE]
    sure = all(person.certainty == "certainly" for person in inside)
    return (
        Position(
            track=ZONE,
            xyz_m=(x, y, z),
            covariance_m2=((sigma**2, 0.0), (0.0, sigma**2)),
            velocity_m_s=(0.0, 0.0),
            height_m=0.0,
            posture="upright",
            certainty="certainly" if sure else "possibly",
            # Nobody anywhere is evidence too, at any time.
            seen_at_ns=max((person.seen_at_ns for person in people), default=moment.at_ns),
            cameras=(),
        ),
    )


def over_capacity(site: Site, zone: ZoneConfig, itself: Position, moment: Moment) -> Judgement:
    """Judge whether more people are in a zone than may be; not over while a part is blind.

    Who vanished there and has not been found again still counts: hidden is not gone.
    """
    polygon = moment.machines.polygon_m(zone, site.limits.danger.place_age_s)
    if polygon is None or zone.capacity is None:
        return NEITHER
    limits = site.limits.capacity
    shares = [moment.inside(person, polygon) for person in _seen(moment)]
    more = probability_more_than(zone.capacity, shares)
    surely = sum(share >= SURELY for share in shares)
    maybe = sum(share >= MAYBE for share in shares)
    count = f"{surely}" if surely == maybe else f"certainly {surely}, possibly {maybe}"
    return Judgement(
        raises=more > limits.probability,
        clears=more < limits.clear_probability and not moment.coverage.blind_in(polygon),
        probability=more,
        what=f"{count} people in {zone.name}, where {zone.capacity} may be,",
    )


def lone_worker(site: Site, zone: ZoneConfig, person: Position, moment: Moment) -> Judgement:
    """Judge whether a person in a zone is alone.

    Where cameras don't see all around, somebody unseen may be near: the alarm says `possibly`.
    """
    limits = site.limits.zone
    within_m = site.limits.lone.within_m
    polygon = moment.machines.polygon_m(zone, site.limits.danger.place_age_s)
    if polygon is None:
        return NEITHER
    here = moment.inside(person, polygon)
    if here < limits.leave_probability:
        return Judgement(
            raises=False, clears=True, probability=0.0, what=f"{here:.0%} likely inside {zone.name}"
        )
    others = [other for other in moment.people if other.track != person.track]
    alone = 1.0
    for other in others:
        alone *= 1 - _probability_within(person, other, within_m)
    nearest = min((apart_m(person, other) for other in others), default=None)
    what = f"alone in {zone.name}: " + (
        "nobody else is seen" if nearest is None else f"the nearest is {nearest:.0f} m off"
    )
    return Judgement(
        raises=here * alone > limits.enter_probability,
        clears=here * alone < limits.leave_probability,
        probability=here * alone,
        what=what,
        doubtful=not moment.coverage.covers_around(person.xyz_m, within_m),
    )


def probability_more_than(capacity: int, shares: list[float]) -> float:
    """Tell P(more than `capacity`) of independent chances: the Poisson binomial, exactly.

    >>> round(probability_more_than(1, [0.5, 0.5, 1.0]), 3)
    0.75
    """
    counts = np.array([1.0])
    for share in shares:
        counts = np.convolve(counts, [1 - share, share])
    return float(np.clip(counts[capacity + 1 :].sum(), 0.0, 1.0))


def _seen(moment: Moment) -> list[Position]:
    """List everybody, late looks where they were made, and who is hidden where last seen."""
    here = [
        at_look(person) if moment.at_ns - person.seen_at_ns > LATE_S * 1e9 else person
        for person in moment.people
    ]
    return here + [
        replace(absence.person, certainty="possibly")
        for absence in moment.absences.absent()
        if absence.why in ("watched", "blind") and absence.hidden_s(moment.at_ns) <= HIDDEN_S
    ]


def _probability_within(one: Position, other: Position, within_m: float) -> float:
    spread = hypot(sigma_m(one.covariance_m2), sigma_m(other.covariance_m2))
    return 0.5 * (1 + erf((within_m - apart_m(one, other)) / max(spread, 0.05) / sqrt(2)))
