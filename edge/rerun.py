"""`lamproom rerun`: run the pipeline again over what cameras sent, and say what is different.

Knows nothing about how steps are repeated or results compared.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from control_room.judge import about_people, active_at, judge, once_each
from delivery.recordings.format import Record
from delivery.recordings.reader import read_recording
from delivery.recordings.rerun_records import read_for_a_rerun
from delivery.recordings.run_record import RunRecord, read_run
from edge.file_digest import sha256_of
from edge.rerun_compare import Results, compared, otherwise, people_text, unequal
from edge.rerun_pipeline import ELSEWHERE, Beginning, Rerun, Variant
from edge.rerun_progress import RerunProgress, rerun_progress
from edge.rerun_recorded import read_live
from edge.rerun_steps import Recorded
from edge.rerun_writer import RerunWriter
from scene.errors import LamproomError, RecordingError
from scene.messages import Anomaly, PanoramaPacket, Positions
from scene.rig import parse_rig
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
  lamproom rerun run.mcap -o again.mcap        record it anew, for `lamproom replay`

Without recorded packets --site judges the recorded positions by the other rules. Compared are all
alarms about people. Those about cameras and the gateway itself (lost, frozen, dark, moved, storage,
services) are of that day's clocks and processes: they are not compared, and it says which there
were. On a terminal a bar shows how far it is.

exit codes: 0 nothing is different; 1 something is; 2 it can't be run again, or hardly
anything of it can be compared."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `lamproom rerun`."""
    parser.add_argument("recordings", type=Path, nargs="+", help="a run's files, in their order")
    parser.add_argument(
        "--site", type=Path, metavar="FILE", help="take zones, gates, limits, detection from there"
    )
    parser.add_argument("--model", type=Path, metavar="FILE", help="search with this model")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="record what comes out (.mcap)"
    )


def run(args: argparse.Namespace) -> int:
    """Run again and compare; gives the exit code. Raises `LamproomError`."""
    site = load_site(args.site) if args.site else None
    if args.model is not None and not args.model.exists():
        raise LamproomError(f"--model {args.model}: there is no such file")
    args.recordings = _in_order(args.recordings)
    first = read_run(args.recordings[0])
    with rerun_progress(args.recordings) as shown:
        live = read_live(shown.files("reading what live had"))
        recorded = live.results
        if first is None or not first.cameras:
            alarms = _rejudged(args, recorded, live.other, site, shown)
            found = Results(alarms=list(alarms), places=recorded.places)
            again = writer = None
        else:
            again = Rerun(
                shown.records("running it again", _records(args.recordings)),
                Variant(site=site, model=args.model),
                _beginning(first, recorded),
                paints=bool(args.output),
            )
            rules = (site, args.site.read_text(encoding="utf-8")) if site is not None else None
            writer = (
                RerunWriter(args.output, args.recordings, first, rules) if args.output else None
            )
            found = _gone_through(again, writer)
    if first is None or again is None:
        return _say_otherwise(recorded, found, _compared(args.recordings[0], recorded, found))
    for doubt in again.doubts:
        _tell(doubt)
    if writer is not None:
        _tell(f"recorded into {writer.path}")
    count = _compared(args.recordings[0], recorded, found)
    same_model = args.model is None or sha256_of(args.model) == first.model_sha256
    if site is None and same_model:
        lines = unequal(recorded, found, from_start=not again.began_in_the_midst)
        verdict = "different" if lines else "equal to live"
        print("\n".join([*lines, *_left_out(recorded), f"{_summary(found, count)}: {verdict}"]))
        return 1 if lines else 0
    print(people_text(recorded.places, found.places))
    return _say_otherwise(recorded, found, count)


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


def _say_otherwise(recorded: Results, found: Results, count: int) -> int:
    """Print which alarms are different; gives the exit code."""
    lines = otherwise(recorded, found)
    summary = f"{_summary(found, count)}: {len(lines) or 'no'} alarms would have been different"
    print("\n".join([*lines, *_left_out(recorded), summary]))
    return 1 if lines else 0


def _summary(found: Results, count: int) -> str:
    alarms = len({one.id for one in found.alarms if about_people(one)})
    return f"{count} of {len(found.places)} instants compared, {alarms} alarms about people"


def _left_out(recorded: Results) -> list[str]:
    """Say which alarms were recorded and not compared: those that no second run can raise."""
    raised = {(one.id, one.kind) for one in recorded.alarms if not about_people(one)}
    kinds = Counter(kind for _, kind in raised)
    if not kinds:
        return []
    each = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    return [f"not compared, as they come of that day's clocks and processes: {each}"]


def _in_order(paths: Sequence[Path]) -> list[Path]:
    """Put a run's files in their order: `run-2.mcap` sorts before `run.mcap`."""
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
    if site is None or args.model or args.output:
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


def _tell(text: str) -> None:
    print(f"lamproom rerun: {text}", file=sys.stderr, flush=True)
