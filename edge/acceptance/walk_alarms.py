"""Find the alarms of a walk: those that were due, and the others.

Knows nothing about positions or limits. All times are the tester's own clock's.
"""

import math
from collections.abc import Sequence

from edge.acceptance.figures import EventFigures, FalseAlarm
from edge.acceptance.listener import AlarmCame, WalkListener
from edge.acceptance.walk import Visit, fits
from edge.acceptance.watched import delay_of_s
from edge.acceptance.words import kind_words
from edge.html_page import Both
from scene.alarms import ALARMS
from scene.site import Site

S = 1_000_000_000


def walk_events(
    site: Site, visits: Sequence[Visit], listener: WalkListener
) -> tuple[tuple[EventFigures, ...], set[str]]:
    """Find each expected alarm: the first of its kind between "ready" and the next station."""
    events, taken = list[EventFigures](), set[str]()
    first_ns = next((v.came_ns for v in visits if v.came_ns is not None), 0)
    for number, visit in enumerate(visits):
        if visit.stop.expect is None or visit.began_ns is None or visit.came_ns is None:
            continue
        later = [v.came_ns for v in visits[number + 1 :] if v.came_ns is not None]
        until_ns = later[0] if later else None
        own = _own(visit, listener, taken, until_ns)
        taken |= set() if own is None else {own.alarm.id}
        events.append(_event(site, visit, own, (visit.began_ns - first_ns) / S))
    return tuple(events), taken


def _own(
    visit: Visit, listener: WalkListener, taken: set[str], until_ns: int | None
) -> AlarmCame | None:
    for one in listener.alarms(visit.came_ns or 0):
        mine = fits(visit.stop, one.alarm) and one.alarm.id not in taken
        if mine and (until_ns is None or one.at_ns < until_ns):
            return one
    return None


def _event(site: Site, visit: Visit, own: AlarmCame | None, at_s: float) -> EventFigures:
    stop, began_ns = visit.stop, visit.began_ns or 0
    kind = stop.expect or ""
    configured_s = delay_of_s(site, kind, stop.zone)
    en, zh = kind_words(kind)
    delay_s, apart_m, note = None, None, None
    if own is not None and own.at_ns < began_ns:
        note = (
            "it came before Enter was pressed: how late it was is not known",
            "告警早于按下回车，无法得知延迟",
        )
    elif own is not None:
        delay_s = (own.at_ns - began_ns) / 1e9 - configured_s
    if own is not None and own.alarm.xyz_m is not None:
        x, y = own.alarm.xyz_m[:2]
        apart_m = math.hypot(x - stop.xy_m[0], y - stop.xy_m[1])
    zone = f", {stop.zone}" if stop.zone else ""
    return EventFigures(
        kind=kind,
        what=(f"{en}{zone}, station {stop.name}", f"{zh}{zone}，站点 {stop.name}"),
        at_s=at_s,
        configured_s=configured_s,
        raised=own is not None,
        delay_s=delay_s,
        apart_m=apart_m,
        note=note,
    )


def other_alarms(
    listener: WalkListener, taken: set[str], allowed: frozenset[str], began_ns: int
) -> tuple[tuple[FalseAlarm, ...], tuple[str, ...], tuple[Both, ...]]:
    """Part what else came into false alarms, what stood before, and troubles of the system."""
    false, troubles = list[FalseAlarm](), list[Both]()
    standing = []
    for one in listener.alarms():
        alarm = one.alarm
        about = ALARMS[alarm.kind].about if alarm.kind in ALARMS else "system"
        en, zh = kind_words(alarm.kind)
        if one.at_ns < began_ns:
            standing.append(f"{en} / {zh}: {alarm.evidence}")
        if alarm.id in taken or alarm.kind in allowed or alarm.kind == "drill":
            continue
        if about == "person" and one.at_ns >= began_ns:
            at_s = (one.at_ns - began_ns) / 1e9
            false.append(FalseAlarm(kind=alarm.kind, at_s=at_s, evidence=alarm.evidence))
        elif about == "system" and (one.at_ns >= began_ns or _stands(listener, alarm.id)):
            troubles.append((f"{en}: {alarm.evidence}", f"{zh}：{alarm.evidence}"))
    return tuple(false), tuple(standing), tuple(troubles)


def _stands(listener: WalkListener, alarm: str) -> bool:
    return any(one.id == alarm for one in listener.active())
