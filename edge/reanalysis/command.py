"""`lamproom reanalyse`: run an archive of recordings again, and say what would have been otherwise.

Knows nothing about how a segment is run or what a report looks like.
"""

import argparse
import json
import os
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from edge.file_digest import sha256_of
from edge.reanalysis.archive import Archive, Segment, find
from edge.reanalysis.job import Job, Trial, job_of, searches_on, software
from edge.reanalysis.joined import Done
from edge.reanalysis.on_ray import on_ray, searches_on_ray
from edge.reanalysis.page import page
from edge.reanalysis.progress import Shown, Telling, searching, showing
from edge.reanalysis.report import Given, report
from edge.reanalysis.segment import reanalysed
from edge.reanalysis.store import Store
from edge.reanalysis.workers import Outcome, in_processes
from scene.clock import SystemClock
from scene.errors import LamproomError
from scene.site import Site, load_site

HELP = """\
Run months of recordings again, of many gateways, with another model or other rules, and write a
report of what that would have changed: alarms gained, lost and moved, people, positions.

  lamproom reanalyse /archive --model new.onnx -o trial       every recording below a folder
  lamproom reanalyse /archive --site gw1.yaml --site gw2.yaml -o trial
                                                              other zones, gates, limits, detection
  lamproom reanalyse /archive --site gw1.yaml --ray head:6379 -o trial
                                                              on a Ray cluster (extra `scale`)

A segment is a file of a gateway. What is done is kept in the folder: given again, the same command
goes on where it was stopped, and does nothing where all is done. A site file counts for the gateway
that it names; other gateways keep the recorded rules with --model, and are left out without. Where
a recording has no cameras' packets, only other rules can be tried.

exit codes: 0 the report is whole; 1 a file or a part of one could not be read or run again, the
report says which; 2 bad input, a full disk, no Ray there, or nothing could be run again."""
REPORT, DATA = "report.html", "report.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `lamproom reanalyse`."""
    parser.add_argument("recordings", type=Path, nargs="+", help="recordings, or folders of them")
    parser.add_argument(
        "--site",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="take zones, gates, limits, detection from there for its gateway; may be repeated",
    )
    parser.add_argument("--model", type=Path, metavar="FILE", help="search with this model")
    parser.add_argument(
        "--ray", metavar="ADDRESS", help="do it on this Ray cluster (host:port, auto, local)"
    )
    parser.add_argument(
        "--jobs",
        type=_at_least_one,
        metavar="N",
        help="without Ray: so many segments at once (default: one for each core)",
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FOLDER", help="results and report"
    )


def run(args: argparse.Namespace) -> int:
    """Run what is not done yet, and report; gives the exit code. Raises `LamproomError`."""
    try:
        return _run(args)
    except KeyboardInterrupt:
        Telling().tell("stopped. What is done is kept: give the same command again to go on")
        raise


def _run(args: argparse.Namespace) -> int:
    trial = Trial(sites=_sites(args.site), model=args.model)
    if args.model is not None and not args.model.is_file():
        raise LamproomError(f"--model {args.model}: there is no such file")
    with searching(SystemClock()) as tell:
        archive = find(args.recordings, tell)
    if not archive.segments:
        raise LamproomError(_nothing(archive))
    archive = _counting(archive, trial)
    store = Store(args.output)
    on = searches_on_ray(args.ray) if args.ray else searches_on()
    jobs = {job_of(one, trial, on): one for one in archive.segments}
    done, failed = _done(args, store, jobs)
    if not done:
        raise LamproomError(f"nothing could be run again; first: {failed[0][1]}")
    found = report(archive, done, failed, _given(trial, on))
    store.write(DATA, (json.dumps(found, indent=1, ensure_ascii=False) + "\n").encode())
    where = store.write(REPORT, page(found).encode())
    print(f"{_in_words(found, len(jobs))}\n{where}")
    return 0 if found["complete"] else 1


def _in_words(found: Mapping[str, Any], segments: int) -> str:
    archive, changed = found["archive"], len(found["alarms"]["changed"])
    unread, in_part = len(found["not_read"]), found["in_part"]
    used = "every file could be used"
    if unread or in_part:
        used = f"{unread} files could not be used, {in_part} only in part: the report says which"
    return (
        f"{archive['segments']} of {segments} segments, {archive['recorded_h']:.2f} h recorded: "
        f"{changed or 'no'} alarm{'' if changed == 1 else 's'} would have been different; {used}"
    )


def _done(
    args: argparse.Namespace, store: Store, jobs: dict[Job, Segment]
) -> tuple[list[Done], list[tuple[Path, str]]]:
    """Do what is not done; gives results in the archive's order, and what has none."""
    bodies = _done_before(store, jobs)
    todo = [job for job in jobs if job not in bodies]
    with showing(len(todo)) as telling:
        if bodies:
            telling.tell(f"{len(bodies)} of {len(jobs)} segments were done before")
        for job in todo:
            if store.has_file(job.name):
                telling.tell(f"{job.name}: its result is damaged; it is done again")
        failed = dict(_kept(_outcomes(args, todo), store, todo, telling))
    done = []
    for job, segment in jobs.items():
        if job not in failed:
            body = bodies.get(job) or store.read(job.name, job.key)
            if body is None:
                failed[job] = f"{store.folder}: the result {job.name} was taken away or damaged"
                continue
            done.append(Done(segment=segment, body=body))
    return done, [(jobs[job].path, failed[job]) for job in jobs if job in failed]


def _done_before(store: Store, jobs: Iterable[Job]) -> dict[Job, Mapping[str, Any]]:
    """Read the results that are there."""
    found: dict[Job, Mapping[str, Any]] = {}
    with searching(SystemClock()) as tell:
        for number, job in enumerate(jobs):
            body = store.read(job.name, job.key)
            if body is not None:
                found[job] = body
            tell(f"{number + 1} segments looked for, {len(found)} of them were done before")
    return found


def _kept(
    outcomes: Generator[Outcome], store: Store, todo: Sequence[Job], telling: Telling
) -> Iterator[tuple[Job, str]]:
    """Keep each result as it comes; gives the jobs without one, and why."""
    shown = Shown(len(todo), sum(job.size_bytes for job in todo), SystemClock())
    with closing(outcomes):
        for one in outcomes:
            recorded_s = 0.0
            if one.body is None:
                telling.tell(f"left out: {one.trouble}")
                yield one.job, one.trouble
            else:
                store.keep(one.job.name, one.body)
                from_ns, to_ns = json.loads(one.body)["recorded_ns"]
                recorded_s = (to_ns - from_ns) / 1e9
            telling.done(shown.done(one.job.size_bytes, recorded_s), Path(one.job.path).name)


def _outcomes(args: argparse.Namespace, todo: Sequence[Job]) -> Generator[Outcome]:
    at_once = args.jobs or len(os.sched_getaffinity(0))
    if not todo:
        return
    if args.ray:
        yield from on_ray(reanalysed, todo, args.ray)
    else:
        yield from in_processes(reanalysed, todo, at_once)


def _counting(archive: Archive, trial: Trial) -> Archive:
    """Leave out gateways for which nothing would be otherwise; raises for a site file of none."""
    there = {one.gateway for one in archive.segments}
    for name in trial.sites.keys() - there:
        raise LamproomError(f"--site: no recording is of {'/'.join(name)}, as the site file says")
    if not trial.sites or trial.model is not None:
        return archive
    others = [one for one in archive.segments if one.gateway not in trial.sites]
    left_out = [
        (one.path, f"{one.path}: no --site FILE is of its gateway, {'/'.join(one.gateway)}")
        for one in others
    ]
    return Archive(
        segments=tuple(one for one in archive.segments if one.gateway in trial.sites),
        left_out=(*archive.left_out, *left_out),
    )


def _sites(paths: Sequence[Path]) -> dict[tuple[str, str], Site]:
    sites: dict[tuple[str, str], Site] = {}
    for path in paths:
        site = load_site(path)
        name = (site.site, site.gateway)
        if name in sites:
            raise LamproomError(f"--site {path}: another file is of {'/'.join(name)} already")
        sites[name] = site
    return sites


def _nothing(archive: Archive) -> str:
    first = f"; first: {archive.left_out[0][1]}" if archive.left_out else ""
    return f"there is no recording that could be run again{first}"


def _given(trial: Trial, on: str) -> Given:
    model = "" if trial.model is None else f"{trial.model.name} ({sha256_of(trial.model)[:16]})"
    sites = tuple("/".join(name) for name in sorted(trial.sites))
    return Given(sites=sites, model=model, software=software(), searches_on=on)


def _at_least_one(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text}: give a number of processes, 1 or more")
    return number
