"""Measure what the product made of a labelled clip.

Knows nothing about limits or pages.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from edge.acceptance.alarm_scores import Judged, judge_events
from edge.acceptance.camera_evidence import CameraEvidence, Shown, by_survey
from edge.acceptance.clip import START_AT_NS, Instant, WholePipeline, run_clip
from edge.acceptance.excuses import HUNG, excused, going_on
from edge.acceptance.figures import (
    WITHIN_M,
    WORST,
    CameraFigures,
    CoverageFigures,
    EventFigures,
    FalseAlarm,
    Figures,
    Share,
    Station,
    share_of,
)
from edge.acceptance.people import Followed, followed, spot
from edge.acceptance.scoring import Match, score
from edge.acceptance.spells import false_spells, missed_spells
from edge.acceptance.truth import Truth, TruthError, check_all_marked
from edge.acceptance.untested import untested_in_clip
from edge.acceptance.watched import watched_delays_s
from edge.acceptance.words import kind_words, told_alarm
from edge.calibration.made_for import doubt
from edge.coverage import Roadway
from scene.alarms import ALARMS
from scene.floor import Floor
from scene.html_page import Both
from scene.messages import Anomaly, CameraHealth, Position, Positions
from scene.rig import Rig
from scene.site import Site

STRETCH_M = 5
LEAST_LOOKS = 10
"""A stretch with fewer instants of anybody is no station, and a metre with fewer is not judged."""
PICTURES_EVERY_S = 1.0
WARM_UP_S = 2.0
"""Before this no camera can be known to be well."""


class ClipRun:
    """What is kept of a run while it goes on: no pictures."""

    def __init__(self, site: Site, rig: Rig, truth: Truth, roadway: Roadway) -> None:
        self._site, self._rig, self._truth, self._roadway = site, rig, truth, roadway
        self.told: list[tuple[int, Positions]] = []
        self.raised: dict[str, tuple[float, Anomaly]] = {}
        self._evidence = CameraEvidence(rig)
        self._pictures_due_s = 0.0
        self._health: dict[str, CameraHealth] = {}
        self._judged: dict[str, int] = {}
        self._excused: dict[str, list[str]] = {}
        self._covered: list[tuple[tuple[int, ...], tuple[int, ...]]] = []
        """At each look, by how many healthy cameras each metre is seen; and by how many it would be
        without what the clip does to cameras."""
        self._times: dict[str, list[int]] = {}

    def take(self, now: Instant) -> None:
        """Take one instant in."""
        at_s = (now.at_ns - START_AT_NS) / 1e9
        self.told.append((now.frame, now.positions))
        for alarm in now.anomalies:
            if alarm.state == "active":
                self.raised.setdefault(alarm.id, (at_s, alarm))
        hung = [one.name for one in now.cameras if HUNG not in self._going(one.name, at_s)]
        shown = [one for one in now.people if one.camera in hung]
        self._evidence.add_people(self._truth.moments[now.frame].people, shown, at_s)
        for frame in now.frames:
            self._times.setdefault(frame.camera, []).append(frame.captured_at_ns)
        if at_s >= self._pictures_due_s:
            self._pictures_due_s = at_s + PICTURES_EVERY_S
            self._evidence.add_pictures(
                {frame.camera: frame.image for frame in now.frames if frame.camera in hung}
            )
        if at_s >= WARM_UP_S:
            self._note_health(now, at_s)

    def _going(self, camera: str, at_s: float) -> tuple[str, ...]:
        return going_on(self._truth.events or (), camera, at_s)

    def _note_health(self, now: Instant, at_s: float) -> None:
        healthy, hindered = list[str](), list[str]()
        for one in now.cameras:
            going = self._going(one.name, at_s)
            self._excused.setdefault(one.name, []).extend(going)
            if one.state == "ok":
                healthy.append(one.name)
            elif excused(one.state, going):
                hindered.append(one.name)
            if going and (one.state == "ok" or excused(one.state, going)):
                continue
            self._judged[one.name] = self._judged.get(one.name, 0) + 1
            before = self._health.get(one.name)
            if before is None or WORST.index(one.state) <= WORST.index(before.state):
                self._health[one.name] = one
        seen = self._roadway.covered(healthy).cameras
        without = self._roadway.covered([*healthy, *hindered]).cameras if hindered else seen
        self._covered.append((seen, without))

    def coverage(self) -> CoverageFigures | None:
        """Tell for how much of the test each metre was seen; few looks at one are none."""
        if not self._covered:
            return None
        seen, without = (np.array(one) > 0 for one in zip(*self._covered, strict=True))
        looks = (seen | ~without).sum(axis=0)
        enough = looks >= LEAST_LOOKS
        return CoverageFigures(
            from_m=round(self._roadway.covered([]).from_m),
            seen=tuple((seen.sum(axis=0) * enough).tolist()),
            looks=tuple((looks * enough).tolist()),
        )

    def unread(self) -> Share | None:
        """Tell of how many labelled frames there was no picture."""
        labelled = len(self._truth.moments)
        return share_of(labelled - len({frame for frame, _ in self.told}), labelled)

    def rate_hz(self) -> float:
        """Tell how many pictures a second there were, over the seconds that have any."""
        seconds = {int(frame / self._truth.fps) for frame, _ in self.told}
        return len(self.told) / len(seconds)

    def skew_s(self) -> float | None:
        """Tell how far apart the cameras' pictures of one instant are, the worst pair's median."""
        worst = None
        for first, second in itertools.permutations(self._times.values(), 2):
            a, b = np.array(first), np.array(second)
            at = np.clip(np.searchsorted(b, a), 1, max(len(b) - 1, 1))
            gap = np.minimum(abs(a - b[at - 1]), abs(a - b[np.minimum(at, len(b) - 1)]))
            here = gap[(a >= b[0]) & (a <= b[-1])]
            if len(here):
                worst = max(worst or 0.0, float(np.median(here)) / 1e9)
        return worst

    def cameras(self, alone: dict[str, list[float]]) -> tuple[CameraFigures, ...]:
        """Gather what speaks for and against each camera."""
        shown = self._evidence.shown()
        return tuple(
            self._camera(one.name, shown.get(one.name, Shown()), alone.get(one.name, []))
            for one in self._site.cameras
        )

    def _camera(self, name: str, shown: Shown, alone: Sequence[float]) -> CameraFigures:
        health = self._health.get(name)
        if health is not None and health.state == "ok" and self._judged[name] < LEAST_LOOKS:
            health = None
        survey = by_survey(self._rig.camera(name), self._site.rig.survey_points)
        return CameraFigures(
            name=name,
            state="" if health is None else health.state,
            detail="" if health is None else _here(health.detail),
            expected=", ".join(dict.fromkeys(self._excused.get(name, []))),
            still=False if health is not None and health.state == "moved" else None,
            survey=survey,
            people=shown.people,
            turn=shown.turn,
            overlaps=shown.overlaps,
            alone_m=float(np.median(alone)) if len(alone) >= LEAST_LOOKS else None,
            alone_looks=len(alone),
        )


def measure_clip(
    site: Site, rig: Rig, truth: Truth, scratch: Path, progress: Callable[[int, int], None]
) -> Figures:
    """Run the product over the clip and measure; `progress` is told frames done and of how many.

    `scratch` is an empty folder for what the gateway would keep. Raises `CameraError`, `RigError`
    and `TruthError`.
    """
    check_all_marked(truth, [camera.name for camera in site.cameras])
    roadway = Roadway(rig, Floor(site.floor), site.floor)
    run = ClipRun(site, rig, truth, roadway)
    stages = WholePipeline(site, rig)
    for now in run_clip(site, rig, truth, scratch=scratch, stages=stages, roadway=roadway):
        run.take(now)
        progress(now.frame + 1, len(truth.moments))
    if len(run.told) < LEAST_LOOKS:
        raise TruthError(
            f"{truth.folder}: only {len(run.told)} pictures could be read; give a longer clip"
        )
    return _figures(site, truth, run)


def _figures(site: Site, truth: Truth, run: ClipRun) -> Figures:
    people = followed(truth, run.told, WITHIN_M)
    scored = score(people.truth, people.found, WITHIN_M)
    given = sum(map(len, people.found))
    rate_hz = run.rate_hz()
    events, others, not_due = _events(site, truth, run)
    false = None if others is None else tuple(one for one in others if _about_people(one))
    stations = _stations(people, scored.matches, truth, run, Floor(site.floor))
    return Figures(
        mode="clip",
        seconds=truth.seconds,
        # An error lasts: pictures of one second say little more than one of them.
        missed_people=share_of(scored.missed, scored.wanted, scored.wanted / rate_hz),
        false_people=share_of(scored.false, given, given / rate_hz),
        events=events,
        false_alarms=false,
        stations=stations,
        cameras=run.cameras(_alone(people, scored.matches, run)),
        coverage=run.coverage(),
        position_delay_s=None,
        clock_skew_s=run.skew_s(),
        skew_of=("between the cameras' pictures of one instant", "各摄像机同一时刻画面之间"),
        missed_where=missed_spells(people, scored.matches, truth.fps),
        false_where=false_spells(people, scored.matches, truth.fps),
        rig_doubt=doubt(site.rig.file, site),
        troubles=tuple(
            told_alarm(one.kind, one.evidence, one.at_s)
            for one in others or ()
            if not _about_people(one)
        ),
        untested=(*untested_in_clip(site, truth, events, stations), *not_due),
        unread=run.unread(),
    )


def _events(
    site: Site, truth: Truth, run: ClipRun
) -> tuple[tuple[EventFigures, ...], tuple[FalseAlarm, ...] | None, tuple[Both, ...]]:
    """Give the clip's events, what other alarms were raised, and events that no alarm was due of.

    No others are told where nobody has said what happened.
    """
    if truth.events is None:
        return (), None, ()
    judged, false = judge_events(
        [asdict(event) for event in truth.events],
        list(run.raised.values()),
        watched=watched_delays_s(site),
        ends_s=truth.seconds,
        where=truth.where,
    )
    return (
        tuple(_event(one) for one in judged if one.due == "due"),
        tuple(
            FalseAlarm(kind=alarm.kind, at_s=at_s, evidence=_here(alarm.evidence))
            for at_s, alarm in false
        ),
        tuple(_not_due(_event(one), one) for one in judged if one.due != "due"),
    )


def _not_due(figures: EventFigures, one: Judged) -> Both:
    """Say of which event no alarm was due, and why: silence of it proves nothing."""
    en, zh = ("is not watched for", "站点未监视")
    if one.due == "too_short":
        en, zh = ("is too short for its alarm", "持续时间不足以触发告警")
    at = f"{figures.at_s:.1f}"
    return (
        f"The event {one.event['type']} at {at} s ({figures.what[0]}): it {en}.",
        f"事件 {one.event['type']}（{at} 秒，{figures.what[1]}）：{zh}。",
    )


def _event(one: Judged) -> EventFigures:
    event = one.event
    kind = one.alarm.kind if one.alarm is not None else one.kinds[0]
    whom = event["camera"] or (f"person {event['id']}" if event["id"] is not None else "")
    whom_zh = event["camera"] or (f"人员 {event['id']}" if event["id"] is not None else "")
    zone = event["zone"] or ""
    en, zh = kind_words(kind)
    return EventFigures(
        kind=kind,
        what=(
            ", ".join(part for part in (en, whom, zone) if part),
            "，".join(part for part in (zh, whom_zh, zone) if part),
        ),
        at_s=event["t_start_s"] if event["t_whole_s"] is None else event["t_whole_s"],
        configured_s=one.configured_s,
        raised=one.alarm is not None,
        delay_s=one.delay_s,
        apart_m=one.apart_m,
    )


def _about_people(alarm: FalseAlarm) -> bool:
    return ALARMS[alarm.kind].about == "person"


def _here(text: str) -> str:
    """Leave out what a gateway would propose and where it would write that: this one is gone."""
    return text.split("; proposed: ", maxsplit=1)[0]


def _told(run: ClipRun) -> dict[int, dict[int, Position]]:
    return {frame: {p.track: p for p in positions.people} for frame, positions in run.told}


def _alone(people: Followed, matches: Sequence[Match], run: ClipRun) -> dict[str, list[float]]:
    """List the errors, by camera, of people whom one camera alone saw."""
    found: dict[str, list[float]] = {}
    told = _told(run)
    for match in matches:
        cameras = told[people.frames[match.instant]][match.track].cameras
        if len(cameras) == 1:
            found.setdefault(cameras[0], []).append(match.error_m)
    return found


def _stations(
    people: Followed, matches: Sequence[Match], truth: Truth, run: ClipRun, floor: Floor
) -> tuple[Station, ...]:
    """Part the roadway into stretches, and measure each where somebody was for long enough."""
    told = _told(run)
    there: dict[int, list[tuple[float, float]]] = {}
    for wanted in people.truth:
        for place in wanted.values():
            there.setdefault(_stretch(floor, place), []).append(place)
    measured: dict[int, list[tuple[Match, tuple[float, float], Position]]] = {}
    for match in matches:
        place = people.truth[match.instant][match.person]
        said = told[people.frames[match.instant]][match.track]
        measured.setdefault(_stretch(floor, place), []).append((match, place, said))
    return tuple(
        _station(start, places, measured.get(start, []))
        for start, places in sorted(there.items())
        if len(places) >= LEAST_LOOKS
    )


def _stretch(floor: Floor, place: tuple[float, float]) -> int:
    return STRETCH_M * math.floor(floor.chainage_m(place) / STRETCH_M)


def _station(
    start: int,
    places: Sequence[tuple[float, float]],
    measured: Sequence[tuple[Match, tuple[float, float], Position]],
) -> Station:
    errors = np.array([match.error_m for match, _, _ in measured])
    of = [place for _, place, _ in measured] or list(places)
    true = np.mean(of, axis=0)
    told = np.mean([spot(said.xyz_m) for _, _, said in measured], axis=0) if measured else None
    name = f"{start}-{start + STRETCH_M}"
    where: Both = (f"metres {name}", f"里程 {name} 米")
    return Station(
        name=name,
        where=where,
        true_xy_m=(float(true[0]), float(true[1])),
        told_xy_m=None if told is None else (float(told[0]), float(told[1])),
        looks=len(measured),
        seen_share=len(measured) / len(places),
        median_m=float(np.median(errors)) if measured else None,
        p95_m=float(np.percentile(errors, 95)) if measured else None,
        cameras=tuple(sorted({name for _, _, said in measured for name in said.cameras})),
    )
