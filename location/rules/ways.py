"""Rules about where people go: through a gate the wrong way, or out of sight.

Knows nothing about how long: the watch keeps time.
"""

from dataclasses import replace
from math import erf, sqrt

from location.rules.crossings import beside_line
from location.rules.moment import NEITHER, Judgement, Moment
from scene.messages import Position
from scene.site import Site
from scene.zones import GateConfig

HEARTBEAT_S = 1.0
LOST_LATER_S = 1.5 * HEARTBEAT_S
"""A camera that died is known to have died so long after `camera.stalled_after_s`."""


def wrong_way(gate: GateConfig, person: Position, moment: Moment) -> Judgement:
    """Judge whether a person went through a gate against the way, and is still beyond it."""
    wrong = moment.crossings.wrong(gate.name, person.track)
    beyond_m, sigma_m = beside_line(gate, person)
    beyond_m *= -1 if gate.way == "to_left" else 1
    probability = 0.5 * (1 + erf(beyond_m / max(sigma_m, 0.05) / sqrt(2)))
    side = "beyond" if beyond_m >= 0 else "on the right side of"
    return Judgement(
        raises=wrong,
        clears=not wrong,
        probability=probability,
        what=f"{abs(beyond_m):.1f} m {side} {gate.name}, gone through against its way,"
        if wrong
        else f"back through {gate.name}",
    )


def missing_people(moment: Moment) -> tuple[Position, ...]:
    """Give those who are not seen any more, each where last seen; not seeing them is a look."""
    return tuple(
        replace(absence.person, seen_at_ns=moment.at_ns) for absence in moment.absences.absent()
    )


def worker_lost(site: Site, person: Position, moment: Moment) -> Judgement:
    """Judge whether somebody vanished where healthy cameras look, and nobody like that came."""
    absence = moment.absences.of(person.track)
    if absence is None:
        return NEITHER
    found = absence.found_by
    what = "not seen any more, though healthy cameras look there,"
    if found == person.track:
        what = "seen again"
    elif found is not None:
        what = f"may be person {found}, who has been seen since"
    return Judgement(
        raises=absence.why == "watched" and person.track not in moment.down,
        clears=found is not None,
        probability=0.0 if found is not None else 0.9,
        what=what,
        before_s=max(absence.coasted_s, 0.0),
        # Somebody may have walked out while no camera looked.
        doubtful=absence.blind_s > 0,
    )


def lost_after_s(site: Site) -> float:
    """Tell after how long somebody is lost: no sooner than a dead camera is known to be dead."""
    assert site.limits.lost is not None
    return max(site.limits.lost.after_s, site.limits.camera.stalled_after_s + LOST_LATER_S)
