"""Rules about a person's body: down, immobile, bare-headed.

Knows nothing about how long: the watch keeps time.
"""

from math import inf

from location.man_down import SLOW_M_S, height_age_s, probability_lower, speed_m_s
from location.rules.moment import NEITHER, Judgement, Moment
from scene.messages import Position
from scene.site import Site
from scene.zones import ZoneConfig

HEIGHT_UP_S, HEIGHT_DOWN_S = 1.0, 5.0
"""A height measured so long before the look is no sign of somebody up, or down."""
HERE = 0.5
"""From this P(inside) on, a zone's own limits are taken for a person."""


def man_down(site: Site, person: Position, moment: Moment) -> Judgement:
    """Judge whether a person is down: low and slow, where nobody works low.

    A height that no look has shown for a while says nothing; being up needs the fresher one.
    """
    limits = site.limits.man_down
    speed, low = speed_m_s(person), _low(site, person)
    down = low and speed < SLOW_M_S
    return Judgement(
        raises=down and not _works_low(site, person, moment),
        clears=person.height_m > limits.up_height_m and height_age_s(person) <= HEIGHT_UP_S,
        probability=probability_lower(person, limits.height_m),
        what=f"{person.height_m:.2f} m high, moving at {speed:.1f} m/s",
    )


def immobile(site: Site, person: Position, moment: Moment) -> Judgement:
    """Judge whether a person has stayed on one spot; who is down has that one alarm only."""
    limits, rest = site.limits.immobile, moment.rests.of(person.track)
    if limits is None or rest is None:
        return NEITHER
    down = person.track in moment.down
    falling = _low(site, person) and not _works_low(site, person, moment)
    what = f"moved {rest.apart_m:.1f} m, less than {rest.limit_m:.1f} m,"
    if down:
        what = "is down, which has an alarm of its own"
    elif rest.moved:
        what = f"moved {rest.apart_m:.1f} m"
    return Judgement(
        raises=not (rest.moved or down or falling),
        clears=rest.moved or down,
        probability=rest.probability,
        what=what,
        anew=rest.moved or down,
        # A look elsewhere may be wrong and ends nothing; nor is it one to raise an alarm on.
        after_s=inf if rest.away else _rest_after_s(site, person, moment, limits.after_s),
    )


def helmet_missing(site: Site, person: Position, moment: Moment) -> Judgement:
    """Judge whether a head is bare; a head that no look has shown says nothing."""
    limits = site.limits.helmet
    if limits is None or person.helmet is None:
        return NEITHER
    bare = 1 - person.helmet
    return Judgement(
        raises=bare > limits.bare_probability,
        clears=person.helmet > limits.worn_probability,
        probability=bare,
        what=f"{bare:.0%} likely without a helmet",
    )


def _low(site: Site, person: Position) -> bool:
    low = person.height_m < site.limits.man_down.height_m
    return low and height_age_s(person) <= HEIGHT_DOWN_S


def _works_low(site: Site, person: Position, moment: Moment) -> bool:
    return any(zone.low_work and _here(site, zone, person, moment) for zone in site.zones)


def _rest_after_s(site: Site, person: Position, moment: Moment, after_s: float) -> float:
    """Give the zone's own time, the longest of several; else the site's."""
    own = [
        zone.immobile_after_s
        for zone in site.zones
        if zone.immobile_after_s is not None and _here(site, zone, person, moment)
    ]
    return max(own, default=after_s)


def _here(site: Site, zone: ZoneConfig, person: Position, moment: Moment) -> bool:
    polygon = moment.machines.polygon_m(zone, site.limits.danger.place_age_s)
    return polygon is not None and moment.inside(person, polygon) > HERE
