"""Runs one segment again and gives what came out, the same bytes wherever and whenever it is done.

Knows nothing about who asks, or what becomes of it.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from control_room.judge import Judge, about_people, active_at
from delivery.recordings.reader import RecordingFile
from delivery.recordings.run_record import RunRecord, read_run
from edge.reanalysis.archive import identity_of
from edge.reanalysis.job import FORMAT, Job, hash_of, model_of, searches_on, software
from edge.reanalysis.run_in import SETTLE_S, Entry, alarms_in, enter, recorded_site, run_in_s
from edge.reanalysis.tally import Tally
from edge.rerun_compare import LEAST_COMPARED
from edge.rerun_pipeline import IN_THE_MIDST, Rerun, Variant, read_site
from edge.rerun_recorded import Live, read_live
from edge.steps import ALARM
from scene.errors import LamproomError, ModelError, RecordingError
from scene.messages import Anomaly
from scene.site import Site

Said = list[tuple[int, Anomaly]]
"""Alarms, each with the time at which it was recorded, or came about in the run again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Recording:
    path: Path
    before: tuple[Path, ...]
    """The files before it, the nearest last."""
    run: RunRecord
    live: Live
    missing: list[str]
    """What can't be read of it."""


@dataclass(slots=True, kw_only=True)
class _Found:
    tally: Tally
    begins: str
    run_in_s: float
    said: Said = field(default_factory=list)
    stand: dict[str, Anomaly] = field(default_factory=dict)
    """Alarms that were active where the segment begins."""
    adopted: frozenset[str] = frozenset()
    """Those of them that live had, and that were taken as they were."""
    limits: list[str] = field(default_factory=list)


def reanalysed(job: Job) -> bytes:
    """Run a segment again; gives its result as JSON. Raises `LamproomError`.

    Nothing in it depends on time, place or machine.
    """
    if job.software != software():
        raise LamproomError(
            f"other software than where the job was given ({software()} and not {job.software}): "
            "install the same everywhere; if it was changed meanwhile give the same command again"
        )
    if job.searches_on != searches_on():
        raise LamproomError(
            f"searches on {searches_on()} here and not on {job.searches_on} as the others: what "
            "comes out may differ in its last digits and is not mixed"
        )
    path = Path(job.path)
    before = tuple(map(Path, job.before))
    variant = _variant(job)
    run = read_run(path)
    if run is None:
        raise RecordingError(f"{path}: does not say what was run")
    missing = list[str]()
    live = read_live([path], whole=not run.cameras, on_missing=missing.append)
    recording = _Recording(path=path, before=before, run=run, live=live, missing=missing)
    try:
        found = _found(recording, variant)
    except RecordingError as error:
        why = f" ({missing[0]})" if missing else ""
        raise RecordingError(f"{error}{why}") from None
    body = encoded(_body(job, recording, found))
    _look_for_change(job)
    return body


def _look_for_change(job: Job) -> None:
    """Refuse what came of a file that is not the one any more by which the result is named."""
    for path, identity in zip((job.path, *job.before), job.identities, strict=True):
        try:
            changed = "changed" if identity_of(Path(path)) != identity else ""
        except OSError:
            changed = "taken away"
        if changed:
            raise RecordingError(
                f"{path}: was {changed} while {job.path} was run again: give the same command again"
            )


def _variant(job: Job) -> Variant:
    """Read what is to be otherwise; raises `ModelError` where here the model is another one."""
    site = None if job.site is None else read_site(json.loads(job.site))
    variant = Variant(site=site, model=Path(job.model) if job.model else None)
    model = model_of(variant.model, site)
    if model and hash_of(model) != job.searched_with:
        raise ModelError(
            f"{model}: was changed since the command began, or is another one on this machine: put "
            "the same file everywhere and give the command again"
        )
    return variant


def _found(recording: _Recording, variant: Variant) -> _Found:
    """Run again what can be."""
    if recording.run.cameras:
        return _searched(recording, variant)
    if variant.site is not None and variant.model is None:
        return _judged(recording, variant.site)
    raise RecordingError(
        f"{recording.path}: cameras' packets are not in it (`lamproom run --record-cameras`): only "
        "other rules can be tried on it, with a site file of this gateway"
    )


def standing(before: Iterable[Anomaly], said: Iterable[Anomaly]) -> dict[str, Anomaly]:
    """Tell which alarms stand after what was said of them."""
    stand = {one.id: one for one in before}
    for one in said:
        stand[one.id] = one
    return {id: one for id, one in stand.items() if one.state == "active"}


def encoded(body: dict[str, Any]) -> bytes:
    """Write it down; the same body gives the same bytes."""
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def _searched(recording: _Recording, variant: Variant) -> _Found:
    """Run cameras' packets through the whole pipeline again."""
    path, before, run, live = recording.path, recording.before, recording.run, recording.live
    run_in = run_in_s(variant.site or recorded_site(run))
    entry = enter(path, before, run, run_in, recording.missing.append)
    again = Rerun(entry.records, variant, entry.beginning)
    run_in_said: list[Anomaly] = []
    places = {**_overlap(entry, before), **live.results.places}
    found = _Found(tally=Tally(places), begins=entry.begins, run_in_s=entry.run_in_s)
    for instant in again.instants():
        if instant.recorded_at_ns < entry.border_ns:
            run_in_said += instant.anomalies
            continue
        found.said += [(instant.recorded_at_ns, anomaly) for anomaly in instant.anomalies]
        found.tally.add(instant.positions, instant.recorded_at_ns)
    found.stand = standing(entry.stand, run_in_said)
    found.adopted = frozenset(one.id for one in entry.stand)
    last_ns = found.said[-1][0] if found.said else entry.border_ns
    found.said += [(last_ns, anomaly) for anomaly in again.last_anomalies]
    if not found.tally.instants:
        raise RecordingError(f"{path}: nothing in it can be run again: its steps show no instant")
    found.limits += [one for one in again.doubts if one != IN_THE_MIDST]
    return found


def _overlap(entry: Entry, before: Sequence[Path]) -> dict[int, dict[int, Any]]:
    """Read what was recorded in the file before of instants whose steps are in this one."""
    if not before or entry.begins == "start":
        return {}
    try:
        from_ns = entry.border_ns - round(SETTLE_S * 1e9)
        return read_live(before[-1:], from_ns=from_ns).results.places
    except RecordingError:
        return {}


def _judged(recording: _Recording, site: Site) -> _Found:
    """Judge the recorded positions by other rules, where no packets were recorded."""
    path, before, live = recording.path, recording.before, recording.live
    own_ns = min(live.results.places, default=None)
    if own_ns is None:
        raise RecordingError(f"{path}: no positions are in it: there is nothing to judge")
    run_in = run_in_s(site)
    earlier = _earlier(path, before, run_in)
    lead = {at: one for at, one in earlier.positions.items() if own_ns - run_in * 1e9 <= at}
    fresh = {at: one for at, one in live.positions.items() if at not in lead}
    begin_ns = min((*lead, *fresh), default=own_ns)
    alarms = (*earlier.results.alarms, *live.results.alarms)
    adopted = active_at(begin_ns, filter(about_people, alarms))
    found = _Found(
        tally=Tally(live.results.places),
        begins="run_in" if lead else "start" if recording.run.number == 1 else "midst",
        run_in_s=run_in if lead else 0.0,
        adopted=frozenset(one.id for one in adopted),
    )
    judge = Judge(site, adopted)
    for message in (*earlier.other, *live.other):
        judge.hear(message)
    said = [anomaly for at_ns in sorted(lead) for anomaly in judge.see(lead[at_ns])]
    found.stand = standing(adopted, said)
    for at_ns in sorted(fresh):
        heard_ns = live.heard_at_ns[at_ns]
        found.said += [(heard_ns, anomaly) for anomaly in judge.see(fresh[at_ns])]
        found.tally.add(fresh[at_ns], heard_ns)
    found.limits.append(
        "cameras' packets are not in it: the recorded positions are judged by the other rules"
    )
    return found


def _earlier(path: Path, before: Sequence[Path], run_in: float) -> Live:
    """Read what live had before a file: all alarms, and what else was in the run-in.

    Files further back than one that can't be read lead up to nothing.
    """
    span = RecordingFile(path).span_ns()
    from_ns = 0 if span is None else span[0] - round(run_in * 1e9)
    found = Live()
    for other in reversed(before):
        try:
            live = read_live([other], from_ns=from_ns, whole=True)
            found.results.alarms[:0] = alarms_in(other)
        except RecordingError:
            break
        found.positions.update(live.positions)
        found.other.extend(live.other)
    return found


def _body(job: Job, recording: _Recording, found: _Found) -> dict[str, Any]:
    """Put the result together."""
    tally, run, live = found.tally, recording.run, recording.live
    limits = [*dict.fromkeys(recording.missing), *found.limits]
    if tally.compared < LEAST_COMPARED * tally.instants:
        limits.append(
            f"positions of {tally.compared} of {tally.instants} instants were recorded: what is "
            "different about people can hardly be told"
        )
    if lost := tally.not_again():
        limits.append(f"{lost} recorded instants did not come about again")
    if found.begins == "midst":
        limits.append(
            "it begins in the midst of a run, and no file before it leads up to it: who was there, "
            "and for how long, is taken from live's first second"
        )
    begun_ns, ended_ns = RecordingFile(Path(job.path)).span_ns() or (0, 0)
    from_ns, to_ns = tally.span_ns()
    names = {str(path): Path(path).name for path in (job.path, *job.before)}
    return {
        "format": FORMAT,
        "key": job.key,
        "software": job.software,
        "searches_on": job.searches_on,
        "site": run.site,
        "gateway": run.gateway,
        "started_at": run.started_at,
        "begins": found.begins,
        "run_in_s": found.run_in_s,
        "recorded_ns": [begun_ns, ended_ns],
        "captured_ns": [from_ns, to_ns],
        "instants": tally.instants,
        "compared": tally.compared,
        "recorded": _texts(live.said),
        "again": _texts(found.said),
        "stand": [_text(one) for one in found.stand.values()],
        "adopted": sorted(found.adopted & found.stand.keys()),
        "hours": {str(at): hour.as_json() for at, hour in sorted(tally.hours.items())},
        "moments": tally.moments(),
        "limits": [_with(names, text) for text in limits],
        "whole": not recording.missing and tally.compared >= LEAST_COMPARED * tally.instants,
    }


def _texts(said: Said) -> list[list[Any]]:
    return [[at_ns, _text(one)] for at_ns, one in said if about_people(one)]


def _text(anomaly: Anomaly) -> Any:
    return ALARM.dump_python(anomaly, mode="json")


def _with(names: dict[str, str], text: str) -> str:
    """Name files without their folders: an archive may lie elsewhere the next time."""
    for path, name in names.items():
        text = text.replace(path, name)
    return text
