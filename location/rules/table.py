"""The table of rules about people: a new kind of alarm is a new row.

Knows nothing about how they are applied: `location.watch` does.
"""

from collections.abc import Callable
from functools import partial

from location.rules.areas import forbidden_zone, over_time
from location.rules.body import helmet_missing, immobile, man_down
from location.rules.company import lone_worker, over_capacity, zone_itself
from location.rules.moment import Rule
from location.rules.ways import lost_after_s, missing_people, worker_lost, wrong_way
from scene.alarms import ALARMS
from scene.site import Site

GONE_S = 30.0
"""A person's alarm clears so long after the person was last known, where cameras look."""
TAKEN_OVER_S = 10.0
"""Long times outlive so long an interruption."""


def _man_down(site: Site) -> tuple[Rule, ...]:
    limits = site.limits.man_down
    return (
        Rule(
            kind="man_down",
            judge=partial(man_down, site),
            raise_after_s=limits.after_s,
            clear_after_s=limits.up_after_s,
            gone_after_s=None,
            severity=ALARMS["man_down"].severity,
        ),
    )


def _restricted_zone(site: Site) -> tuple[Rule, ...]:
    return _forbidden(site, "restricted_zone", "restricted")


def _near_danger(site: Site) -> tuple[Rule, ...]:
    return _forbidden(site, "near_danger", "danger")


def _forbidden(site: Site, kind: str, zone_kind: str) -> tuple[Rule, ...]:
    limits = site.limits.danger if zone_kind == "danger" else site.limits.zone
    return tuple(
        Rule(
            kind=kind,
            judge=partial(forbidden_zone, site, limits, zone),
            raise_after_s=limits.enter_after_s,
            clear_after_s=limits.leave_after_s,
            gone_after_s=GONE_S,
            severity=zone.severity,
            zone=zone.name,
        )
        for zone in site.zones
        if zone.kind == zone_kind
    )


def _immobile(site: Site) -> tuple[Rule, ...]:
    limits = site.limits.immobile
    if limits is None:
        return ()
    return (
        Rule(
            kind="immobile",
            judge=partial(immobile, site),
            raise_after_s=limits.after_s,
            clear_after_s=0.0,
            gone_after_s=GONE_S,
            severity=ALARMS["immobile"].severity,
            forgotten_after_s=TAKEN_OVER_S,
        ),
    )


def _over_capacity(site: Site) -> tuple[Rule, ...]:
    limits = site.limits.capacity
    return tuple(
        Rule(
            kind="over_capacity",
            judge=partial(over_capacity, site, zone),
            whom=partial(zone_itself, site, zone),
            raise_after_s=limits.after_s,
            clear_after_s=limits.clear_after_s,
            gone_after_s=None,
            severity=ALARMS["over_capacity"].severity,
            zone=zone.name,
        )
        for zone in site.zones
        if zone.capacity is not None
    )


def _over_time(site: Site) -> tuple[Rule, ...]:
    return tuple(
        Rule(
            kind="over_time",
            judge=partial(over_time, site, zone),
            raise_after_s=zone.longest_s,
            clear_after_s=site.limits.zone.leave_after_s,
            gone_after_s=GONE_S,
            severity=ALARMS["over_time"].severity,
            zone=zone.name,
            forgotten_after_s=TAKEN_OVER_S,
        )
        for zone in site.zones
        if zone.longest_s is not None
    )


def _lone_worker(site: Site) -> tuple[Rule, ...]:
    return tuple(
        Rule(
            kind="lone_worker",
            judge=partial(lone_worker, site, zone),
            raise_after_s=zone.lone_after_s,
            clear_after_s=site.limits.lone.clear_after_s,
            gone_after_s=GONE_S,
            severity=ALARMS["lone_worker"].severity,
            zone=zone.name,
            forgotten_after_s=TAKEN_OVER_S,
        )
        for zone in site.zones
        if zone.lone_after_s is not None
    )


def _helmet_missing(site: Site) -> tuple[Rule, ...]:
    limits = site.limits.helmet
    if limits is None:
        return ()
    return (
        Rule(
            kind="helmet_missing",
            judge=partial(helmet_missing, site),
            raise_after_s=limits.after_s,
            clear_after_s=limits.worn_after_s,
            gone_after_s=GONE_S,
            severity=ALARMS["helmet_missing"].severity,
        ),
    )


def _worker_lost(site: Site) -> tuple[Rule, ...]:
    if site.limits.lost is None:
        return ()
    return (
        Rule(
            kind="worker_lost",
            judge=partial(worker_lost, site),
            whom=missing_people,
            raise_after_s=lost_after_s(site),
            clear_after_s=0.0,
            gone_after_s=None,
            severity=ALARMS["worker_lost"].severity,
        ),
    )


def _wrong_way(site: Site) -> tuple[Rule, ...]:
    return tuple(
        Rule(
            kind="wrong_way",
            judge=partial(wrong_way, gate),
            raise_after_s=0.0,
            clear_after_s=0.0,
            gone_after_s=GONE_S,
            severity=gate.severity,
            zone=gate.name,
        )
        for gate in site.gates
    )


KINDS: dict[str, Callable[[Site], tuple[Rule, ...]]] = {
    "man_down": _man_down,
    "restricted_zone": _restricted_zone,
    "near_danger": _near_danger,
    "immobile": _immobile,
    "over_capacity": _over_capacity,
    "over_time": _over_time,
    "lone_worker": _lone_worker,
    "helmet_missing": _helmet_missing,
    "worker_lost": _worker_lost,
    "wrong_way": _wrong_way,
}
"""By kind of alarm, the rules that a site has of it, judged in this order."""


def rules(site: Site) -> tuple[Rule, ...]:
    """List the rules in force."""
    return tuple(rule for make in KINDS.values() for rule in make(site))
