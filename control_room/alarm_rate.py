"""How many alarms an operator gets: the load by which alarm systems are judged.

Knows nothing about the journal or pages. Every alarm raised counts, also where several stand in one
line of the page: grouping must not make the figures look better than the system is.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from control_room.lifecycle import SEVERITIES, Key
from scene.messages import Severity

# ISA-18.2 / IEC 62682 / EEMUA 191, as read at
# https://glama.ai/mcp/servers/industrial-aiops/industrial-aiops-energy/tools/alarm_bad_actors
# (secondary; the standard itself: https://scribd.com/document/599893328/ANSI-ISA-18-2-2016).
ACCEPTABLE_PER_HOUR = 6
"""An operator can deal with so many."""
MOST_PER_HOUR = 12
"""So many are just manageable."""
# From the same standards, not read again at the source.
FLOOD_PER_10_MIN = 10
"""More than so many in 10 minutes are a flood: an operator begins to miss alarms."""

TEN_MIN_S, HOUR_S, SHIFT_S, STANDING_S = 600, 3600, 8 * 3600, 24 * 3600
OFFENDERS = 5
"""So many of those that alarm most are named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Raise:
    """One alarm as it came in."""

    key: Key
    kind: str
    severity: Severity
    """The worst so far or, once cleared, the last."""
    place: str
    """Its camera, else its zone; empty without either."""
    stored_at_ns: int
    """When the control room first heard of it: by its own clock, which is one for all gateways."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offender:
    """One of those that alarm most."""

    kind: str
    site: str
    gateway: str
    place: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmRate:
    """The load of one operator position; rates are alarms per operator."""

    operators: int
    last_hour: float
    last_10_min: float
    shift_per_hour: float
    """Mean over the last 8 h."""
    worst_10_min: float
    """The most in any 10 minutes of the last 8 h."""
    flood: bool
    """Whether the last 10 minutes are one."""
    share: dict[Severity, float]
    """By severity over the last 8 h, sums to 1; all 0 without alarms."""
    offenders: tuple[Offender, ...]
    """Over the last 8 h, the worst first."""
    standing: tuple[Raise, ...]
    """Active for more than 24 h, the oldest first: nobody looks at them any more."""
    acceptable_per_hour: int = ACCEPTABLE_PER_HOUR
    most_per_hour: int = MOST_PER_HOUR
    flood_per_10_min: int = FLOOD_PER_10_MIN


def alarm_rate(
    raised: Iterable[Raise], active: Iterable[Raise], *, now_ns: int, operators: int = 1
) -> AlarmRate:
    """Work out the load from what was `raised` in the last shift and what is `active` now.

    Alarms from before the last 8 h, or with a time to come, are passed over.
    """
    shift = sorted(
        (one for one in raised if 0 <= _age_s(one, now_ns) < SHIFT_S),
        key=lambda one: one.stored_at_ns,
    )
    ages_s = [_age_s(one, now_ns) for one in shift]
    last_10_min = sum(age_s < TEN_MIN_S for age_s in ages_s) / operators
    worst = Counter(
        (one.kind, one.key.site, one.key.gateway, one.place) for one in shift
    ).most_common(OFFENDERS)
    standing = [one for one in active if _age_s(one, now_ns) > STANDING_S]
    return AlarmRate(
        operators=operators,
        last_hour=sum(age_s < HOUR_S for age_s in ages_s) / operators,
        last_10_min=last_10_min,
        shift_per_hour=len(shift) / (SHIFT_S / HOUR_S) / operators,
        worst_10_min=_most_within(TEN_MIN_S, ages_s[::-1]) / operators,
        flood=last_10_min > FLOOD_PER_10_MIN,
        share={
            severity: sum(one.severity == severity for one in shift) / max(1, len(shift))
            for severity in SEVERITIES
        },
        offenders=tuple(
            Offender(kind=kind, site=site, gateway=gateway, place=place, count=count)
            for (kind, site, gateway, place), count in worst
        ),
        standing=tuple(sorted(standing, key=lambda one: one.stored_at_ns)),
    )


def _age_s(one: Raise, now_ns: int) -> float:
    return (now_ns - one.stored_at_ns) / 1e9


def _most_within(window_s: float, ages_s: Sequence[float]) -> int:
    """Count the most ages in any window; they come smallest first."""
    most = first = 0
    for last, age_s in enumerate(ages_s):
        while age_s - ages_s[first] >= window_s:
            first += 1
        most = max(most, last - first + 1)
    return most
