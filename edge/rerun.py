"""`lamproom rerun`: run the pipeline again over what cameras sent, and say what is different.

Knows nothing about how steps are repeated or results compared.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from itertools import chain
from pathlib import Path

from control_room.judge import about_people, active_at, judge, once_each
from delivery.recordings.format import Record
from delivery.recordings.outline import place_of, refuse_strangers
from delivery.recordings.reader import read_recording
from delivery.recordings.rerun_records import read_for_a_rerun
from delivery.recordings.run_record import RunRecord, read_run
from edge.file_digest import sha256_of
from edge.rerun_compare import (
    Results,
    Watched,
    cameras_unequal,
    compared,
    figures_apart,
    otherwise,
    people_text,
    unequal,
)
from edge.rerun_otherwise import CONTRADICTS, differences_of
from edge.rerun_pipeline import ELSEWHERE, TAKEN_FROM_SITE, Beginning, Rerun, Variant
from edge.rerun_progress import RerunProgress, rerun_progress
from edge.rerun_recorded import read_live
from edge.rerun_steps import Recorded
from edge.rerun_watches import KINDS_OF, WatchesAgain
from edge.rerun_writer import RerunWriter
from scene.errors import LamproomError, RecordingError, printable
from scene.messages import Anomaly, PanoramaPacket, Positions
from scene.rig import load_rig, parse_rig
from scene.site import Site, load_site, parse_site
from scene.wire import Message

HELP = """\
Run the pipeline again over a recording that was made with --record-cameras: the same pictures, in
the same order, through the same detection, tracking and rules. Positions and alarms must be those
that were recorded, ids included; what differs is printed.

  lamproom rerun run.mcap                      must be equal
  lamproom rerun run.mcap run-2.mcap           a run of several files, in their order
  lamproom rerun run.mcap --model new.onnx     what this model would have done otherwise
  lamproom rerun run.mcap --site new.yaml      what these zones, gates, limits and detection would
                                               have done otherwise
  lamproom rerun run.mcap --rig turned.yaml    where people would have been, had cameras hung so
  lamproom rerun run.mcap -o again.mcap        record it anew, for `lamproom replay`

Without recorded packets --site judges the recorded positions by the other rules. Compared are all
alarms about people and cameras (lost, stalled, frozen, covered, dark, dusty, moved, too little
light). Those about the gateway itself (storage, services, ...) are of that day's clocks and
processes: they are not compared, and it says which there were. On a terminal a bar shows how far it
is.

exit codes: 0 nothing is different; 1 something is; 2 it can't be run again, or hardly
anything of it can be compared."""


OTHER_DIGITS = "hardware decoded their pictures, or it is another processor"
LONGEST_LINE = 1000
OF_THAT_DAY = "they come of that day's clocks and processes"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `lamproom rerun`."""
    parser.add_argument("recordings", type=Path, nargs="+", help="a run's files, in their order")
    parser.add_argument(
        "--site", type=Path, metavar="FILE", help="take zones, gates, limits, detection from there"
    )
    parser.add_argument("--model", type=Path, metavar="FILE", help="search with this model")
    parser.add_argument(
        "--rig", type=Path, metavar="FILE", help="place people as if cameras hung as in this file"
    )
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="record what comes out (.mcap)"
    )


def run(args: argparse.Namespace) -> int:
    """Run again and compare; gives the exit code. Raises `LamproomError`."""
    site = load_site(args.site) if args.site else None
    if args.model is not None and not args.model.exists():
        raise LamproomError(f"--model {args.model}: there is no such file")
    rig = load_rig(args.rig) if args.rig else None
    if rig is not None and args.output:
        raise LamproomError("--rig can't be recorded: leave out --output")
    args.recordings = _in_order(args.recordings)
    first = read_run(args.recordings[0])
    with rerun_progress(args.recordings) as shown, closing(WatchesAgain()) as watches:
        live = read_live(shown.files("reading what live had"))
        recorded = live.results
        if first is None or not first.cameras:
            alarms = _rejudged(args, recorded, live.other, site, shown)
            found = Results(alarms=list(alarms), places=recorded.places)
            watches.lose("cameras' packets are not in the recording")
            again = writer = None
        else:
            again = Rerun(
                shown.records("running it again", _records(args.recordings)),
                Variant(site=site, model=args.model, rig=rig),
                _beginning(first, recorded),
                paints=bool(args.output),
                watches=watches,
            )
            rules = (site, args.site.read_text(encoding="utf-8")) if site is not None else None
            writer = (
                RerunWriter(args.output, args.recordings, first, rules) if args.output else None
            )
            found = _gone_through(again, writer)
            found.alarms = [one for one in found.alarms if one.id not in live.left]
    count = _compared(args.recordings[0], recorded, found)
    if site is not None and first is not None and first.site_yaml:
        _print(_what_counts(args.site, first))
    if again is None:
        return _say_otherwise(recorded, found, count, watches)
    for doubt in again.doubts:
        _tell(doubt)
    if writer is not None:
        _tell(f"recorded into {writer.path}")
    assert first is not None
    same_model = args.model is None or sha256_of(args.model) == first.model_sha256
    if site is None and rig is None and same_model:
        lines = unequal(recorded, found, from_start=not again.began_in_the_midst)
        lines += cameras_unequal(recorded, found, _watched(watches))
        if few := figures_apart(recorded, found, _watched(watches)):
            _tell(f"in the words of {few} alarms of cameras figures are others: {OTHER_DIGITS}")
        verdict = "different" if lines else "equal to live"
        summary = f"{_summary(found, count, watches)}: {verdict}"
        _print([*lines, *_left_out(recorded, watches), summary])
        return 1 if lines else 0
    print(people_text(recorded.places, found.places))
    return _say_otherwise(recorded, found, count, watches)


def _gone_through(again: Rerun, writer: RerunWriter | None) -> Results:
    """Run it again, and record what comes out where that is wanted."""
    found = Results()
    try:
        for instant in again.instants():
            found.add(instant.positions)
            found.alarms += instant.anomalies
            if writer is not None:
                writer.add(instant)
    finally:
        if writer is not None:
            writer.close()
    found.alarms += again.last_anomalies
    return found


def _compared(recording: Path, recorded: Results, found: Results) -> int:
    """Count the instants that are compared; raises `RecordingError` for hardly any."""
    count = compared(recorded, found)
    if not count:
        raise RecordingError(
            f"{recording}: of {len(found.places)} instants that were run again hardly any is among "
            f"the {len(recorded.places)} whose positions were recorded: nothing can be compared; "
            "give all files of the run"
        )
    return count


def _say_otherwise(recorded: Results, found: Results, count: int, watches: WatchesAgain) -> int:
    """Print which alarms are different; gives the exit code."""
    lines = otherwise(recorded, found, _watched(watches))
    different = f"{_alarms(len(lines)) if lines else 'no alarms'} would have been different"
    summary = f"{_summary(found, count, watches)}: {different}"
    _print([*lines, *_left_out(recorded, watches, tried=True), summary])
    return 1 if lines else 0


def _what_counts(path: Path, first: RunRecord) -> list[str]:
    """Say in what another site file differs from the recorded one, and what of it is tried."""
    was, now = (
        parse_site(text, name=name, folder=ELSEWHERE, check_files=False)
        for text, name in (
            (first.site_yaml, "the recording's site"),
            (path.read_text(encoding="utf-8"), str(path)),
        )
    )
    changed = differences_of(was, now, TAKEN_FROM_SITE) or ["nothing is another"]
    left = [name for name in CONTRADICTS if differences_of(was, now, (name,))]
    lines = [f"with {', '.join(TAKEN_FROM_SITE)} of {path}:", *(f"  {line}" for line in changed)]
    if left:
        lines.append(
            f"  not tried, though another there than when it was recorded: {', '.join(left)} "
            "(--rig tries another rig file)"
        )
    return lines


def _watched(watches: WatchesAgain) -> Watched:
    return Watched(kinds=watches.kinds, from_ns=watches.from_ns or 0)


def _summary(found: Results, count: int, watches: WatchesAgain) -> str:
    people = len({one.id for one in found.alarms if about_people(one)})
    text = f"{count} of {len(found.places)} instants compared, {_alarms(people)} about people"
    if not watches.kinds:
        return text
    return (
        f"{text}, {len({one.id for one in found.alarms if one.kind in watches.kinds})} of cameras"
    )


def _alarms(count: int) -> str:
    return f"{count} alarm{'' if count == 1 else 's'}"


def _left_out(recorded: Results, watches: WatchesAgain, *, tried: bool = False) -> list[str]:
    """Say which alarms were recorded and not compared, and why.

    Where something else was `tried` also of which there were none: there might have been.
    """
    raised = {
        (one.id, one.kind)
        for one in recorded.alarms
        if not about_people(one) and one.kind not in watches.kinds
    }
    why = {kind: why for name, why in watches.why_not.items() for kind in KINDS_OF[name]}
    reasons: dict[str, Counter[str]] = {}
    for kind in why if tried else ():
        reasons.setdefault(why[kind], Counter())[kind] += 0
    for _, kind in raised:
        reasons.setdefault(why.get(kind, OF_THAT_DAY), Counter())[kind] += 1
    return [
        f"not compared, as {reason}: "
        + ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
        for reason, kinds in sorted(reasons.items())
    ]


def _in_order(paths: Sequence[Path]) -> list[Path]:
    """Put a run's files in their order: `run-2.mcap` sorts before `run.mcap`.

    Raises `RecordingError`, also where they are of several gateways.
    """
    places = [(path, place_of(path)) for path in paths]
    refuse_strangers(places, "run one gateway's recordings again at a time")
    runs = [(read_run(path), path) for path in paths]
    return [path for run, path in sorted(runs, key=lambda one: one[0].started_at if one[0] else "")]


def _records(paths: Sequence[Path]) -> Iterator[Recorded]:
    return chain.from_iterable(read_for_a_rerun(path, _tell) for path in paths)


def _beginning(run: RunRecord, recorded: Results) -> Beginning | None:
    """Give what a recording that begins in the midst of a run says of that moment."""
    if not run.rig_yaml or not run.site_yaml:
        return None
    first_ns = min(recorded.places, default=0)
    return Beginning(
        site=parse_site(
            run.site_yaml, name="the recording's site", folder=ELSEWHERE, check_files=False
        ),
        rig=parse_rig(run.rig_yaml, name="the recording's rig"),
        model_sha256=run.model_sha256,
        alarms=active_at(first_ns, filter(about_people, recorded.alarms)),
    )


def _rejudged(
    args: argparse.Namespace,
    recorded: Results,
    other: list[Message],
    site: Site | None,
    shown: RerunProgress,
) -> tuple[Anomaly, ...]:
    """Judge the recorded positions by another site's rules, where no packets were recorded."""
    if site is None or args.model or args.rig or args.output:
        raise RecordingError(
            f"{args.recordings[0]}: cameras' packets are not in it (`lamproom run --record FILE "
            "--record-cameras`): only other rules can be tried, with --site"
        )
    _tell("without cameras' packets, the recorded positions are judged by the other rules")
    positions = _positions(shown.records("reading positions", _read(args.recordings)))
    shown.busy("judging them by the other rules")
    return judge(site, positions, once_each(recorded.alarms), other)


def _read(paths: Sequence[Path]) -> Iterator[Record]:
    return chain.from_iterable(
        read_recording(path, on_missing=lambda _text: None) for path in paths
    )


def _positions(records: Iterable[Record]) -> list[Positions]:
    bodies = (one.body for one in records)
    return [
        body.positions if isinstance(body, PanoramaPacket) else body
        for body in bodies
        if isinstance(body, PanoramaPacket | Positions)
    ]


def _print(lines: Iterable[str]) -> None:
    """Print results; names and words in them are the recording's, and may be anybody's."""
    print("\n".join(printable(line, LONGEST_LINE) for line in lines))


def _tell(text: str) -> None:
    print(f"lamproom rerun: {text}", file=sys.stderr, flush=True)
