"""Rules about a person in a zone: restricted, near danger, too long.

Knows nothing about how long: the watch keeps time.
"""

from datetime import time

from location.rules.moment import NEITHER, Judgement, Moment
from location.who import surely
from scene.limits import ZoneLimits
from scene.messages import Position
from scene.site import Site
from scene.zones import ZoneConfig, hours_of


def forbidden_zone(
    site: Site, limits: ZoneLimits, zone: ZoneConfig, person: Position, moment: Moment
) -> Judgement:
    """Judge whether a person is inside a restricted zone, or near a danger.

    A zone that follows a machine is nowhere while the machine's place is not known: that is no
    evidence, neither for nor against.
    """
    age_s = site.limits.danger.place_age_s
    polygon = moment.machines.polygon_m(zone, age_s)
    if polygon is None:
        return NEITHER
    off = _why_not(zone, person, moment, age_s)
    if off:
        return Judgement(raises=False, clears=True, probability=0.0, what=off)
    inside = moment.inside(person, polygon)
    return Judgement(
        raises=inside > limits.enter_probability,
        clears=inside < limits.leave_probability,
        probability=inside,
        what=f"{inside:.0%} likely inside {zone.name}",
    )


def over_time(site: Site, zone: ZoneConfig, person: Position, moment: Moment) -> Judgement:
    """Judge whether a person is in a zone where nobody may stay for long."""
    limits = site.limits.zone
    polygon = moment.machines.polygon_m(zone, site.limits.danger.place_age_s)
    if polygon is None:
        return NEITHER
    inside = moment.inside(person, polygon)
    return Judgement(
        raises=inside > limits.enter_probability,
        clears=inside < limits.leave_probability,
        probability=inside,
        what=f"{inside:.0%} likely inside {zone.name}",
    )


def in_force(hours: tuple[str, ...], now: time) -> bool:
    """Tell whether a time of day is within hours, which may pass midnight; none is always.

    >>> in_force(("22:00-06:00",), time(23, 30)), in_force(("22:00-06:00",), time(6, 0))
    (True, False)
    """
    spans = [hours_of(text) for text in hours]
    return not spans or any(
        first <= now < last if first < last else now >= first or now < last for first, last in spans
    )


def _why_not(zone: ZoneConfig, person: Position, moment: Moment, age_s: float) -> str:
    """Say why a person may be in a zone now; empty where nobody may."""
    if not in_force(zone.hours, moment.local.time()):
        return f"{zone.name} is not watched at {moment.local:%H:%M}"
    if moment.machines.at_rest(zone, age_s):
        return f"{zone.follows} is at rest"
    if surely(person) in zone.exempt:
        return f"{person.worker} may be in {zone.name}"
    return ""
