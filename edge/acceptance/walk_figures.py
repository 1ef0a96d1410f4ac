"""Measure a walk: what a running gateway told while somebody was known to be somewhere.

Knows nothing about terminals or limits. All times are the tester's own clock's.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from edge.acceptance.figures import (
    WITHIN_M,
    EventFigures,
    Figures,
    Share,
    Station,
    share_of,
)
from edge.acceptance.listener import WalkListener
from edge.acceptance.seen import seen_people
from edge.acceptance.untested import not_raised, not_walked
from edge.acceptance.walk import SETTLE_S, Visit
from edge.acceptance.walk_alarms import other_alarms, walk_events
from edge.acceptance.walk_gateway import (
    degraded_of,
    differs_of,
    model_told,
    silences_of,
    walk_cameras,
    walk_coverage,
)
from edge.acceptance.words import kind_words
from edge.model_file import ModelFile, model_file
from scene.html_page import Both
from scene.messages import Position, Positions
from scene.rig import Rig
from scene.site import Site

S = 1_000_000_000
_Told = tuple[int, Positions, Position | None, float]
"""When it came, what was told, who was nearest of those seen, and how far off."""


def measure_walk(
    site: Site,
    rig: Rig | None,
    visits: Sequence[Visit],
    listener: WalkListener,
    *,
    began_ns: int,
    ended_ns: int,
    people: int | None,
    allowed: frozenset[str],
    site_file: Path,
) -> Figures:
    """Measure; `people` walk at most, none where others were about, so that none is false.

    Alarms of the kinds `allowed` come of the walk itself and are not judged.
    """
    visits = tries_that_count(site, visits, listener)
    stations = tuple(_station(visit, listener) for visit in visits)
    events, untried, taken = walk_events(site, visits, listener)
    false, standing, troubles = other_alarms(listener, taken, allowed, began_ns)
    health = [beat for _, beat in listener.health(began_ns)]
    seen = [_seconds_seen(visit, listener) for visit in visits]
    cameras = walk_cameras(site, rig, health)
    uncompared = _uncompared(site, model_told(health))
    return Figures(
        mode="walk",
        seconds=(ended_ns - began_ns) / S,
        missed_people=share_of(sum(sum(not one for one in s) for s in seen), sum(map(len, seen))),
        false_people=_false_people(visits, listener, began_ns, ended_ns, people),
        false_where=_too_many(visits, listener, people),
        events=events,
        false_alarms=false,
        stations=stations,
        cameras=cameras,
        coverage=walk_coverage(
            health, sum(gap_s for _, gap_s in listener.silences(began_ns, ended_ns))
        ),
        position_delay_s=_delay_s(listener.positions(began_ns)),
        clock_skew_s=listener.skew_s(),
        skew_of=(
            "gateway's clock against this machine's, way of the message included",
            "网关时钟与本机时钟之间，含消息传输时间",
        ),
        untried=untried,
        untested=(
            *uncompared,
            *_untested(site, events, stations, people=people, allowed=allowed),
        ),
        standing=standing,
        troubles=(*troubles, *silences_of(listener, began_ns, ended_ns), *degraded_of(health)),
        differs=differs_of(site, rig, listener, health, site_file),
        uncompared=uncompared,
    )


def tries_that_count(
    site: Site, visits: Sequence[Visit], listener: WalkListener
) -> tuple[Visit, ...]:
    """List all tries of all stations but those broken off, at a wrong place or acted too soon.

    Who repeats a station until it passes measures nothing: what an earlier try showed counts, too.
    """
    found: list[Visit] = []
    for visit in visits:
        void: list[Visit] = []
        for number, one in enumerate(visit.before, 1):
            after = (*visit.before, visit)[number]
            if one.broken or _elsewhere(one, listener) or _too_soon(site, one, after, listener):
                void.append(one)
            else:
                name = f"{visit.stop.name} (try {number})"
                found.append(replace(one, stop=replace(one.stop, name=name)))
        found.append(replace(visit, before=tuple(void)))
    return tuple(found)


def _too_soon(site: Site, visit: Visit, after: Visit, listener: WalkListener) -> bool:
    """Tell whether an alarm came of what was done before Enter."""
    plain = replace(after, stop=replace(after.stop, expect=None), before=())
    _, untried, _ = walk_events(site, [visit, plain], listener)
    return bool(untried)


def _elsewhere(visit: Visit, listener: WalkListener) -> bool:
    """Tell whether somebody was seen, and always at another place than the station."""
    offs = [off for _, _, _, off in _told_at(visit, listener) if off < math.inf]
    return bool(offs) and min(offs) > WITHIN_M


def told_of(site: Site, visit: Visit, listener: WalkListener) -> Both:
    """Say in one line what came of a station, as the report will have it."""
    station, limit_m = _station(visit, listener), site.acceptance.position_m
    seconds = _seconds_seen(visit, listener)
    en, zh = f"station {visit.stop.name}: ", f"站点 {visit.stop.name}："
    if not _told_at(visit, listener):
        en += "no positions came: the gateway or the broker is gone"
        zh += "没有收到定位消息：网关或消息服务器已断开"
    elif station.median_m is None:
        off_m = min((off for _, _, _, off in _told_at(visit, listener)), default=math.inf)
        near = ("nobody was seen anywhere", "任何地方都未见人员")
        if off_m < math.inf:
            near = (f"nearest seen was {off_m:.1f} m off", f"最近者（可见）偏差 {off_m:.1f} 米")
        en += f"NOT SEEN; {near[0]}. Is this the right place?"
        zh += f"未见；{near[1]}。位置是否正确？"
    else:
        en += f"seen {sum(seconds)} of {len(seconds)} s, {station.median_m:.2f} m off"
        zh += f"{len(seconds)} 秒中可见 {sum(seconds)} 秒，偏差 {station.median_m:.2f} 米"
        if limit_m is not None and station.median_m > limit_m:
            en += f" (OVER the limit of {limit_m:g} m)"
            zh += f"（超出限值 {limit_m:g} 米）"
    if visit.stop.expect is not None:
        alarm = _alarm_words(site, visit, listener)
        en, zh = f"{en}; {alarm[0]}", f"{zh}；{alarm[1]}"
    return en, zh


def _alarm_words(site: Site, visit: Visit, listener: WalkListener) -> Both:
    events, _, _ = walk_events(site, [visit], listener)
    if not events:
        return ("its alarm came BEFORE it was due", "告警早于该动作可能触发的时刻")
    delay_s = events[0].delay_s
    if delay_s is None:
        return ("NO ALARM came", "没有告警")
    total_s = delay_s + events[0].configured_s
    return (f"alarm after {total_s:.1f} s", f"{total_s:.1f} 秒后告警")


def _told_at(visit: Visit, listener: WalkListener) -> list[_Told]:
    """List what was told of a station while somebody stood there."""
    if visit.began_ns is None or visit.ended_ns is None:
        return []
    found = []
    x, y = visit.stop.xy_m
    from_ns = visit.began_ns + round(SETTLE_S * S)
    for at_ns, told in listener.positions(from_ns):
        if at_ns > visit.ended_ns:
            break
        offs = [(math.hypot(p.xyz_m[0] - x, p.xyz_m[1] - y), p) for p in seen_people(told)]
        off, person = min(offs, key=lambda pair: pair[0], default=(math.inf, None))
        found.append((at_ns, told, person if off <= WITHIN_M else None, off))
    return found


def _seconds_seen(visit: Visit, listener: WalkListener) -> list[bool]:
    """Tell second by second whether who stood there was told; silence is not seen."""
    if visit.began_ns is None or visit.ended_ns is None:
        return []
    start_ns = visit.began_ns + round(SETTLE_S * S)
    whole = max(1, (visit.ended_ns - start_ns) // S)
    told: list[list[bool]] = [[] for _ in range(whole)]
    for at_ns, _, person, _ in _told_at(visit, listener):
        second = (at_ns - start_ns) // S
        if second < whole:
            told[second].append(person is not None)
    return [bool(one) and sum(one) * 2 >= len(one) for one in told]


def _station(visit: Visit, listener: WalkListener) -> Station:
    stop, seconds = visit.stop, _seconds_seen(visit, listener)
    told = _told_at(visit, listener)
    near = [(person, off) for _, _, person, off in told if person is not None]
    places = np.array([person.xyz_m[:2] for person, _ in near]).reshape(-1, 2)
    errors = np.array([off for _, off in near])
    middle = places.mean(axis=0) if near else None
    note: Both | None = None
    tries = len(visit.before)
    if visit.began_ns is None:
        note = ("nobody went there", "未前往")
    elif tries:
        note = (
            f"repeated; tries broken off, elsewhere or too soon, not counted: {tries}",
            f"重做；已中断、位置不符或动作过早的 {tries} 次不计",
        )
    return Station(
        name=stop.name,
        where=(f"station {stop.name}, {stop.where[0]}", f"站点 {stop.name}，{stop.where[1]}"),
        true_xy_m=stop.xy_m,
        told_xy_m=None if middle is None else (float(middle[0]), float(middle[1])),
        looks=len(near),
        seen_share=sum(seconds) / len(seconds) if seconds else None,
        median_m=float(np.median(errors)) if near else None,
        p95_m=float(np.percentile(errors, 95)) if near else None,
        cameras=tuple(sorted({name for person, _ in near for name in person.cameras})),
        delay_s=_delay_s([(at_ns, told) for at_ns, told, _, _ in told]),
        note=note,
    )


def _delay_s(told: Sequence[tuple[int, Positions]]) -> float | None:
    """Tell within what 95 % of positions came, from the picture to here."""
    delays = [(at_ns - positions.captured_at_ns) / 1e9 for at_ns, positions in told]
    return float(np.percentile(delays, 95)) if delays else None


def _false_people(
    visits: Sequence[Visit],
    listener: WalkListener,
    from_ns: int,
    to_ns: int,
    people: int | None,
) -> Share | None:
    """Count, second by second, whom more were told than there were; not in tries broken off."""
    if people is None:
        return None
    tries = [(v.came_ns or 0, v.ended_ns or 0) for one in visits for v in one.before if v.broken]
    by_second: dict[int, list[int]] = {}
    for at_ns, told in listener.positions(from_ns):
        if at_ns <= to_ns and not any(began <= at_ns <= ended for began, ended in tries):
            by_second.setdefault((at_ns - from_ns) // S, []).append(_sure(told))
    counts = [round(float(np.median(one))) for one in by_second.values()]
    return share_of(sum(max(0, count - people) for count in counts), sum(counts))


def _too_many(
    visits: Sequence[Visit], listener: WalkListener, people: int | None
) -> tuple[Both, ...]:
    """Say at which stations more people were told for certain than walk."""
    found: list[Both] = []
    for visit in visits:
        if people is None or visit.began_ns is None or visit.ended_ns is None:
            continue
        most = max(
            (
                _sure(told)
                for at_ns, told in listener.positions(visit.began_ns + round(SETTLE_S * S))
                if at_ns <= visit.ended_ns
            ),
            default=0,
        )
        if most > people:
            name = visit.stop.name
            found.append(
                (
                    f"station {name}: up to {most} people told, where {people} should be; was "
                    "somebody else about (--people, --others)?",
                    f"站点 {name}：最多测得 {most} 人，应为 {people} 人；现场是否有其他人"
                    "（--people、--others）？",
                )
            )
    return tuple(found)


def _sure(told: Positions) -> int:
    return sum(person.certainty == "certainly" for person in told.people)


def _uncompared(site: Site, told: ModelFile | None) -> tuple[Both, ...]:
    """Say what is not known of the model that the gateway searched with."""
    if told is None:
        return (
            (
                "Which model file the gateway really runs: it does not say.",
                "网关实际使用的模型文件：网关未说明。",
            ),
        )
    if not model_file(site).sha256:
        return (
            (
                "Whether the gateway's model is the one that is meant: its file is not on this "
                "machine. Compare the hash above.",
                "网关所用模型是否正确：本机没有该文件，请核对上列哈希值。",
            ),
        )
    return ()


def _untested(
    site: Site,
    events: Sequence[EventFigures],
    stations: Sequence[Station],
    *,
    people: int | None,
    allowed: frozenset[str],
) -> tuple[Both, ...]:
    found: list[Both] = [
        (
            "Exact delays: the moment of an act is when Enter was pressed, good to about half a "
            "second.",
            "精确延迟：动作时刻以按下回车为准，误差约半秒。",
        ),
    ]
    if people is None:
        found.append(
            (
                "False people: others were about (--others).",
                "误报人员：现场有其他人（--others）。",
            )
        )
    if allowed:
        kinds = [kind_words(kind) for kind in sorted(allowed)]
        found.append(
            (
                f"Alarms that the walk itself brings (--allow): {', '.join(k[0] for k in kinds)}.",
                f"行走本身引起的告警（--allow）：{'、'.join(k[1] for k in kinds)}。",
            )
        )
    found += not_raised(site, {event.kind for event in events})
    return (*found, *not_walked(site, stations))
