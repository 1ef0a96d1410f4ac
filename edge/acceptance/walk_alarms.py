"""Find the alarms of a walk: those that were due, and the others.

Knows nothing about positions or limits. All times are the tester's own clock's.
"""

import math
from collections.abc import Sequence

from edge.acceptance.figures import EventFigures, FalseAlarm
from edge.acceptance.listener import AlarmCame, WalkListener
from edge.acceptance.stations import Stop
from edge.acceptance.walk import Visit, fits
from edge.acceptance.watched import delay_of_s
from edge.acceptance.words import kind_words, told_alarm
from scene.alarms import ALARMS
from scene.html_page import Both
from scene.site import Site

S = 1_000_000_000
EARLY_S = 1.0
"""Enter may be pressed so much after the act: an alarm still earlier is of something else."""


def walk_events(
    site: Site, visits: Sequence[Visit], listener: WalkListener
) -> tuple[tuple[EventFigures, ...], tuple[Both, ...], set[str]]:
    """Find each expected alarm: the first that fits between Enter and the next station.

    Gives them, those that nothing can be said of, and the ids of the alarms found.
    """
    events, untried, taken = list[EventFigures](), list[Both](), set[str]()
    starts = sorted(
        one.came_ns for v in visits for one in (v, *v.before) if one.came_ns is not None
    )
    first_ns = starts[0] if starts else 0
    for visit in visits:
        if visit.stop.expect is None:
            continue
        what = _what(visit.stop)
        taken |= _of_earlier_tries(site, visit, listener, starts)
        if visit.began_ns is None or visit.came_ns is None:
            untried.append((f"{what[0]}: nobody did it", f"{what[1]}：未进行"))
            continue
        configured_s = delay_of_s(site, visit.stop.expect, visit.stop.zone)
        until_ns = _next(starts, visit)
        due_ns = _due_ns(site, visit)
        own = _first(visit, listener, taken, due_ns, until_ns)
        if own is None and _first(visit, listener, taken, visit.came_ns, due_ns) is not None:
            untried.append(
                (
                    f"{what[0]}: its alarm came before it can have been due of this",
                    f"{what[1]}：告警早于该动作可能触发的时刻",
                )
            )
            continue
        taken |= set() if own is None else {own.alarm.id}
        events.append(_event(visit, own, configured_s, (visit.began_ns - first_ns) / S))
    return tuple(events), tuple(untried), taken


def _next(starts: Sequence[int], visit: Visit) -> int | None:
    """Tell when the next station, or try, began after this one; none where none did."""
    return next((at_ns for at_ns in starts if at_ns > (visit.came_ns or 0)), None)


def _due_ns(site: Site, visit: Visit) -> int:
    """Tell when the alarm of what was done can come at the earliest."""
    configured_s = delay_of_s(site, visit.stop.expect or "", visit.stop.zone)
    return (visit.began_ns or 0) + max(0, round((configured_s - EARLY_S) * S))


def _of_earlier_tries(
    site: Site, visit: Visit, listener: WalkListener, starts: Sequence[int]
) -> set[str]:
    """Name the alarms that were due of tries that do not count; any before is false."""
    return {
        came.alarm.id
        for one in visit.before
        for came in listener.alarms(_due_ns(site, one))
        if fits(visit.stop, came.alarm) and came.at_ns < (_next(starts, one) or math.inf)
    }


def _first(
    visit: Visit, listener: WalkListener, taken: set[str], from_ns: int, until_ns: int | None
) -> AlarmCame | None:
    for one in listener.alarms(from_ns):
        mine = fits(visit.stop, one.alarm) and one.alarm.id not in taken
        if mine and (until_ns is None or one.at_ns < until_ns):
            return one
    return None


def _what(stop: Stop) -> Both:
    en, zh = kind_words(stop.expect or "")
    zone, zone_zh = (f", {stop.zone}", f"，{stop.zone}") if stop.zone else ("", "")
    return f"{en}{zone}, station {stop.name}", f"{zh}{zone_zh}，站点 {stop.name}"


def _event(visit: Visit, own: AlarmCame | None, configured_s: float, at_s: float) -> EventFigures:
    stop = visit.stop
    delay_s, apart_m = None, None
    if own is not None:
        delay_s = (own.at_ns - (visit.began_ns or 0)) / 1e9 - configured_s
        if own.alarm.xyz_m is not None:
            apart_m = math.dist(own.alarm.xyz_m[:2], stop.xy_m)
    return EventFigures(
        kind=stop.expect or "",
        what=_what(stop),
        at_s=at_s,
        configured_s=configured_s,
        raised=own is not None,
        delay_s=delay_s,
        apart_m=apart_m,
    )


def other_alarms(
    listener: WalkListener, taken: set[str], allowed: frozenset[str], began_ns: int
) -> tuple[tuple[FalseAlarm, ...], tuple[Both, ...], tuple[Both, ...]]:
    """Part what else came into false alarms, what stood before, and troubles of the system."""
    false, troubles = list[FalseAlarm](), list[Both]()
    standing = list[Both]()
    for one in listener.alarms():
        alarm = one.alarm
        about = ALARMS[alarm.kind].about if alarm.kind in ALARMS else "system"
        if one.at_ns < began_ns:
            standing.append(told_alarm(alarm.kind, alarm.evidence))
        if alarm.id in taken or alarm.kind in allowed or alarm.kind == "drill":
            continue
        if about == "person" and one.at_ns >= began_ns:
            at_s = (one.at_ns - began_ns) / 1e9
            false.append(FalseAlarm(kind=alarm.kind, at_s=at_s, evidence=alarm.evidence))
        elif about == "system" and (one.at_ns >= began_ns or _stands(listener, alarm.id)):
            troubles.append(told_alarm(alarm.kind, alarm.evidence))
    return tuple(false), tuple(standing), tuple(troubles)


def _stands(listener: WalkListener, alarm: str) -> bool:
    return any(one.id == alarm for one in listener.active())
