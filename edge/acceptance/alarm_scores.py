"""How events and alarms fit together: raised or not, how late, how far off, what was false.

Knows nothing about rules: it is told which kinds are watched, and after how long each may sound.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from scene.alarms import ALARMS
from scene.messages import XY, Anomaly

ALARMS_OF_EVENT: dict[str, tuple[str, ...]] = {
    "fall": ("man_down",),
    "zone_entry": ("restricted_zone",),
    "immobile": ("immobile",),
    "near_danger": ("near_danger",),
    "over_capacity": ("over_capacity",),
    "helmet_off": ("helmet_missing",),
    "left_coverage": ("worker_lost",),
    "lens_dust": ("camera_obscured",),
    "camera_knock": ("camera_moved",),
    "camera_dead": ("camera_stalled", "camera_lost"),
    "lamp_outage": ("light_lost", "camera_dark"),
    "belt_moving": (),
}
"""The alarms that may tell of each kind of event; none where nobody need be alarmed. An event of a
kind that is not here is not watched."""
WITHIN_M = 2.0
"""An alarm further from the event's person than this is about something else."""
AFTER_S = 2.0
"""An alarm that comes so long after an event's end still belongs to it."""
SAME_CAUSE: dict[str, tuple[str, str]] = {
    "immobile": ("fall", "id"),
    "left_coverage": ("camera_dead", "camera"),
}
"""Events that have the cause of another one of the same person or camera that has begun by then and
goes on: one cause is one alarm, and the other one's tells of it."""
WHERE_IT_BEGAN = ("left_coverage",)
"""Where the person is by then nobody can see."""
EARLY_S = {"near_danger": 2.0}
"""An alarm so long before its event is no false one: who stands at a moving edge is a few cm, and
so seconds, sooner inside by what cameras see, and a warning of danger is none the worse for it."""
MARGIN_S = 1.0
"""An event must last so much longer than the configured delay before an alarm is due."""


@dataclass(slots=True, kw_only=True)
class KindScore:
    """All events of one kind."""

    events: int = 0
    """Those that last long enough for an alarm to be due."""
    too_short: int = 0
    """Those that do not: an alarm is welcome, none is no fault."""
    not_watched: int = 0
    """Those that the product has no rule for."""
    raised: int = 0
    false: int = 0
    """Alarms of this kind that fit no event, or repeat one."""
    delays_s: list[float] = field(default_factory=list)
    """From when the event was wholly there to the alarm, less the configured delay."""
    places_m: list[float] = field(default_factory=list)
    """How far the alarm is from where the person truly was then."""

    def __add__(self, other: "KindScore") -> "KindScore":
        """Put two clips together."""
        return KindScore(
            **{
                part.name: getattr(self, part.name) + getattr(other, part.name)
                for part in fields(self)
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One event, and the alarm that told of it."""

    event: Mapping[str, Any]
    due: Literal["due", "too_short", "not_watched"]
    """Whether an alarm must come of it: only of what is watched and lasts long enough."""
    kinds: tuple[str, ...]
    """The alarms that may tell of it."""
    configured_s: float = 0.0
    """After how long an alarm of it may sound."""
    alarm: Anomaly | None = None
    """The first that told of it; none where none did."""
    raised_s: float | None = None
    delay_s: float | None = None
    """From when the event was wholly there to the alarm, less `configured_s`."""
    apart_m: float | None = None
    """How far the alarm is from where the person truly was then."""


def judge_events(
    events: Sequence[Mapping[str, Any]],
    alarms: Sequence[tuple[float, Anomaly]],
    *,
    watched: Mapping[str, float],
    ends_s: float,
    where: Callable[[int, float], XY],
) -> tuple[tuple[Judged, ...], tuple[tuple[float, Anomaly], ...]]:
    """Lay a clip's events and alarms beside each other; gives the events and the false alarms.

    `alarms` are (when raised, alarm); `watched` has by alarm kind the delay that it is configured
    to have; `where` tells where a person truly is. The earliest alarm that fits is an event's own;
    it may have one of each of its kinds (a camera stalls, then is lost). Events of which nobody
    need be alarmed, and those that have the cause of another one, are left out.
    """
    found = []
    left = sorted(alarms, key=lambda item: (item[0], item[1].id))
    for event in sorted(events, key=lambda event: event["t_start_s"]):
        kinds = ALARMS_OF_EVENT.get(event["type"], (event["type"],))
        if not kinds or any(_same_cause(event, other) for other in events):
            continue
        delays_s = [watched[name] for name in kinds if name in watched]
        if not delays_s:
            found.append(Judged(event=event, due="not_watched", kinds=kinds))
            continue
        own = _own(event, kinds, left, ends_s, where)
        taken = {alarm.id for (_, alarm), _ in own}
        left = [item for item in left if item[1].id not in taken]
        end_s = ends_s if event["t_end_s"] is None else event["t_end_s"]
        whole_s = event.get("t_whole_s")
        began_s = event["t_start_s"] if whole_s is None else whole_s
        (at_s, alarm), apart_m = own[0] if own else ((None, None), None)
        short = end_s - began_s < min(delays_s) + MARGIN_S
        found.append(
            Judged(
                event=event,
                due="too_short" if short else "due",
                kinds=kinds,
                configured_s=min(delays_s),
                alarm=alarm,
                raised_s=at_s,
                delay_s=None if at_s is None else at_s - began_s - min(delays_s),
                apart_m=apart_m,
            )
        )
    return tuple(found), tuple(left)


def score_alarms(
    events: Sequence[Mapping[str, Any]],
    alarms: Sequence[tuple[float, Anomaly]],
    *,
    watched: Mapping[str, float],
    ends_s: float,
    where: Callable[[int, float], XY],
) -> dict[str, KindScore]:
    """Score one clip, by the events' kind; what is given is as `judge_events` has it."""
    judged, false = judge_events(events, alarms, watched=watched, ends_s=ends_s, where=where)
    scores: dict[str, KindScore] = {}
    for one in judged:
        kind = scores.setdefault(one.event["type"], KindScore())
        kind.not_watched += one.due == "not_watched"
        kind.too_short += one.due == "too_short"
        if one.due != "due":
            continue
        kind.events += 1
        if one.delay_s is not None:
            kind.raised += 1
            kind.delays_s.append(one.delay_s)
            kind.places_m += [] if one.apart_m is None else [one.apart_m]
    for _, alarm in false:
        scores.setdefault(event_of(alarm.kind), KindScore()).false += 1
    return scores


def _own(
    event: Mapping[str, Any],
    kinds: Sequence[str],
    alarms: Sequence[tuple[float, Anomaly]],
    ends_s: float,
    where: Callable[[int, float], XY],
) -> list[tuple[tuple[float, Anomaly], float | None]]:
    """Find an event's alarms, the first of each kind, each with how far off it is, metres."""
    end_s = ends_s if event["t_end_s"] is None else event["t_end_s"] + AFTER_S
    found: dict[str, tuple[tuple[float, Anomaly], float | None]] = {}
    for at_s, alarm in alarms:
        if alarm.kind not in kinds or alarm.kind in found:
            continue
        start_s = event["t_start_s"] - EARLY_S.get(event["type"], 0.0)
        if not start_s <= at_s <= end_s or (event["zone"] or "") != (alarm.zone or ""):
            continue
        apart_m = _apart(event, at_s, alarm, where)
        another = alarm.camera is not None and alarm.camera != event["camera"]
        another = another or _is_nowhere(alarm)
        if another or (apart_m or 0.0) > WITHIN_M:
            continue
        found[alarm.kind] = (at_s, alarm), apart_m
    return list(found.values())


def _is_nowhere(alarm: Anomaly) -> bool:
    """Tell whether an alarm about somebody does not say where: it may be about anybody."""
    about = ALARMS[alarm.kind].about if alarm.kind in ALARMS else "system"
    return about == "person" and alarm.xyz_m is None


def _same_cause(event: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    kind, field = SAME_CAUSE.get(event["type"], ("", ""))
    if other["type"] != kind or other[field] != event[field]:
        return False
    ended = other["t_end_s"] is not None and other["t_end_s"] <= event["t_start_s"]
    return bool(other["t_start_s"] <= event["t_start_s"] and not ended)


def _apart(
    event: Mapping[str, Any], at_s: float, alarm: Anomaly, where: Callable[[int, float], XY]
) -> float | None:
    if alarm.xyz_m is None or (event["id"] is None and event["xyz_m"] is None):
        return None
    began = event["id"] is None or event["type"] in WHERE_IT_BEGAN
    x, y = event["xyz_m"][:2] if began else where(event["id"], at_s)
    return float(((alarm.xyz_m[0] - x) ** 2 + (alarm.xyz_m[1] - y) ** 2) ** 0.5)


def event_of(alarm: str) -> str:
    """Name the kind of event that an alarm tells of; the alarm's own name where there is none."""
    for event, kinds in ALARMS_OF_EVENT.items():
        if alarm in kinds:
            return event
    return alarm
