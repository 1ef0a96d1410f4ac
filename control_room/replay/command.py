"""`lamproom replay`: play a recording into the page, check it, or make it whole again."""

import argparse
import contextlib
import os
import sys
import tempfile
import threading
import webbrowser
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from control_room.broker_options import add_broker_arguments, broker_of
from control_room.incident.api import Exports
from control_room.incident.jobs import Jobs
from control_room.incident.neighbours import files_round
from control_room.judge import about_people, once_each
from control_room.panorama import Viewer
from control_room.replay.as_recorded import unlike
from control_room.replay.background import judging
from control_room.replay.joined import BOTH_NS, Tell
from control_room.replay.judging import judged
from control_room.replay.known import Known
from control_room.replay.outlets import Outlet, PageOutlet, broker_outlet, page_outlet
from control_room.replay.player import Player
from control_room.replay.recorded_clock import RecordedClock
from control_room.replay.recording import Recording, open_recording
from control_room.replay.times import TIMES, time_in
from control_room.replay.wishes import wish_of
from control_room.server import ServerError, bind, serving
from delivery.recordings.format import time_text
from delivery.recordings.outline import span_of
from delivery.recordings.repair import repair
from delivery.stream import stream_packets
from scene.clock import SystemClock
from scene.errors import RecordingError

HELP = """\
Play a recording into the control room's page: panorama, positions and health as they were; the
alarms are raised anew by the rules in the site file that were in force. The page says REPLAY, and
has a bar with a time line: go anywhere, play, stand still, step picture by picture, 0.1 to 32 times
as fast, loop, jump from alarm to alarm. Of long recordings the alarms are shown as they were
recorded until they have been raised anew; the bar says so, and how far that is.

What is acknowledged or shelved in a replay is forgotten at the next jump.

Each hour of a run is a file. Of one FILE those of its run beside it are played as well, from an
hour before it begins to 12 hours after (--only: it alone); name several for another time line. What
was not recorded between two files, or is deleted, is hatched on the time line, and passed over.

With --broker all is also published there, under the prefix `replay`.

With --check nothing is shown: the replayed alarms are compared with the recorded ones. They may
differ where the pipeline was started anew while it was recorded.

With --repair a new file is written of all that can be read of one that is cut off or damaged, and
what is missing is said; the old file stays as it is.

exit codes: 0 played, equal, or repaired; 1 --check found a difference; 2 the recording can't be
read."""

DEFAULT_PORT = 8080
EXPORTS = "exports"
BEFORE_NS, AFTER_NS = 3_600_000_000_000, 12 * 3_600_000_000_000
"""Of one file's run so much before and after its beginning is played as well. Alarms are worked out
from the first instant on: what comes long before keeps those that were asked for waiting."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `lamproom replay`."""
    parser.add_argument(
        "recordings",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="what `lamproom run --record` wrote; several files of one gateway are one time line",
    )
    parser.add_argument(
        "--only", action="store_true", help="of one FILE: without those of its run beside it"
    )
    add_broker_arguments(parser, default=None)
    parser.add_argument(
        "--speed", type=_speed, default=1.0, metavar="X", help="times as fast as it was (default 1)"
    )
    parser.add_argument("--at", metavar="TIME", help=f"begin there: {TIMES}")
    parser.add_argument(
        "--from", dest="since", metavar="TIME", help="play only what is from then on"
    )
    parser.add_argument("--to", dest="until", metavar="TIME", help="play only what is up to then")
    parser.add_argument("--loop", action="store_true", help="start over at the end")
    parser.add_argument(
        "--port", type=int, help=f"of the page (default {DEFAULT_PORT}, or any free one)"
    )
    parser.add_argument("--no-browser", action="store_true", help="don't open a browser")
    parser.add_argument(
        "--exit", action="store_true", help="stop at the end instead of waiting for Ctrl-C"
    )
    parser.add_argument(
        "--signing-key",
        type=Path,
        metavar="FILE",
        help="private key that alarms' minutes are signed with which are exported on the page",
    )
    parser.add_argument(
        "--exports",
        type=Path,
        metavar="FOLDER",
        help="where what is exported on the page is kept (default: exports, beside the recording)",
    )
    other = parser.add_mutually_exclusive_group()
    other.add_argument(
        "--check", action="store_true", help="only compare the alarms; exit code 1 on a difference"
    )
    other.add_argument(
        "--repair", action="store_true", help="only write a whole file of what can be read"
    )


def run(args: argparse.Namespace) -> int:
    """Replay, check or repair; gives the exit code. Raises `RecordingError`, `BrokerError`."""
    if args.repair:
        for path in args.recordings:
            _repair(path)
        return 0
    paths = _files(args, _Telling(args.recordings))
    tell = _Telling(paths)
    recording = open_recording(paths[0], tell, *paths[1:])
    if args.check:
        return _check(recording, tell)
    span_ns, at_ns = _times_of(args, recording)
    _say_what(recording, tell)
    known, recorded = Known(recording.from_ns), RecordedClock(at_ns)
    with contextlib.ExitStack() as stack:
        page = stack.enter_context(page_outlet(recording, recorded))
        outlets: list[Outlet] = [page]
        if args.broker is not None:
            outlets.append(stack.enter_context(broker_outlet(recording, broker_of(args), tell)))
        player = Player(
            recording,
            known,
            outlets,
            SystemClock(),
            recorded,
            span_ns=span_ns,
            at_ns=at_ns,
            speed=args.speed,
            loop=args.loop,
        )
        stack.enter_context(judging(recording, known, tell))
        port = _free_port() if args.port is None else args.port
        stack.callback(recording.file.close)
        exports = Exports(
            recordings=args.recordings[0],
            key_file=args.signing_key,
            jobs=stack.enter_context(_exporting(args, tell)),
            file_at=lambda at_ns: recording.file.part_at(at_ns).path,
        )
        steered = Steered(page, player)
        url = stack.enter_context(
            serving(page.room, stream_packets, port=port, played=steered, exports=exports)
        )
        print(f"The replay is at {url}   (Ctrl-C stops it)", flush=True)
        if not args.no_browser and (os.environ.get("DISPLAY") or sys.platform != "linux"):
            webbrowser.open(url)
        with contextlib.suppress(KeyboardInterrupt):
            player.run(exit_at_end=args.exit)
            print("The recording has ended.", flush=True)
    return 0


class Steered:
    """A replay as its page's server sees it (`control_room.server.Played`)."""

    def __init__(self, page: PageOutlet, player: Player) -> None:
        self._page, self._player = page, player

    def watch(self) -> AbstractAsyncContextManager[Viewer]:
        """Join as a viewer of the pictures."""
        return self._page.pictures.watch()

    def hear(self, text: str) -> None:
        """Do what a page asks for; nonsense is passed over."""
        wish = wish_of(text)
        if wish is not None:
            self._player.wish(wish)


@contextlib.contextmanager
def _exporting(args: argparse.Namespace, tell: Tell) -> Iterator[Jobs]:
    """Have exports made, and say where they are kept; raises `RecordingError`."""
    kept = args.exports or args.recordings[0].parent / EXPORTS
    with contextlib.ExitStack() as stack:
        if lasting := _can_be_written(kept):
            print(f"What is exported on its page is kept in {kept}", flush=True)
        elif args.exports is not None:
            raise RecordingError(f"--exports {kept}: can't be written; give another folder")
        else:
            tell(
                f"{kept}: can't be written: what is exported on the page is gone when this ends; "
                "fetch it there, or give --exports FOLDER"
            )
            made = tempfile.TemporaryDirectory(prefix="lamproom-exports-")
            kept = Path(stack.enter_context(made))
        yield stack.enter_context(contextlib.closing(Jobs(tell, kept, lasting=lasting)))


def _can_be_written(folder: Path) -> bool:
    """Tell whether files can be put into a folder, which need not be there yet."""
    there = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def _files(args: argparse.Namespace, tell: Tell) -> list[Path]:
    """List what is played: of one file those of its run beside it as well; it comes first."""
    first = args.recordings[0]
    if len(args.recordings) > 1 or args.only or args.check:
        return list(args.recordings)
    span = span_of(first)
    if span is None:
        return [first]
    beside = files_round(first, span[0] - BEFORE_NS, span[0] + AFTER_NS)
    return [first, *(one for one in beside if one != first and _is_beside(one, span, tell))]


def _is_beside(path: Path, named_ns: tuple[int, int], tell: Tell) -> bool:
    """Tell whether a file's time fits beside that of the one that was named, which counts."""
    try:
        span = span_of(path)
    except RecordingError:  # deleted just now
        return False
    if span is None:
        return False
    both_ns = min(span[1], named_ns[1]) - max(span[0], named_ns[0])
    fits = both_ns <= BOTH_NS and span[1] - span[0] <= AFTER_NS
    if not fits:
        tell(
            f"{path}: goes from {time_text(span[0])} to {time_text(span[1])}, which does not fit "
            "beside it (a clock that was set?): it is left out; name both to play both"
        )
    return fits


def _say_what(recording: Recording, tell: Tell) -> None:
    """Say which files are one time line, and where it has gaps."""
    parts = recording.file.parts
    if len(parts) > 1:
        tell(
            f"played as one, from {time_text(recording.from_ns)} to {time_text(recording.to_ns)}: "
            f"{parts[0].path.name} to {parts[-1].path.name}"
        )
    for gap in recording.gaps:
        tell(f"there is no recording from {time_text(gap.from_ns)} to {time_text(gap.to_ns)}")


def _times_of(args: argparse.Namespace, recording: Recording) -> tuple[tuple[int, int], int]:
    """Tell from when to when is played, and where it begins: in one file that was named, there."""
    whole_ns = (recording.from_ns, recording.to_ns)
    from_ns, to_ns = whole_ns
    begin_ns = from_ns
    if len(args.recordings) == 1:
        named = (one for one in recording.file.parts if one.path == args.recordings[0])
        begin_ns = next((one.since_ns for one in named), from_ns)
    if args.since is not None:
        from_ns = time_in(args.since, whole_ns, begin_ns, option="--from")
    if args.until is not None:
        to_ns = time_in(args.until, whole_ns, begin_ns, option="--to")
    if from_ns > to_ns:
        raise RecordingError(f"--from {args.since}: is later than --to {args.until}")
    at_ns = min(max(begin_ns, from_ns), to_ns)
    if args.at is not None:
        at_ns = time_in(args.at, whole_ns, begin_ns, option="--at")
        if not from_ns <= at_ns <= to_ns:
            raise RecordingError(f"--at {args.at}: is not between --from and --to")
    return (from_ns, to_ns), at_ns


def _check(recording: Recording, tell: "_Telling") -> int:
    raised, first_ns = [], 0
    for progress in judged(recording):
        first_ns = progress.first_ns or first_ns
        raised += [mark.anomaly for mark in progress.marks if mark.judged]
        for text in progress.told:
            tell(text)
    recorded = recording.alarms(recording.from_ns, recording.to_ns)
    lines = unlike(recording, recorded, raised, first_ns)
    people = sum(about_people(one) for one in once_each(recorded))
    for line in lines:
        print(line)
    if lines:
        print(f"{recording.path}: {len(lines)} differences, {people} recorded changes of alarms")
        return 1
    print(f"{recording.path}: equal; {people} changes of alarms about people, raised again")
    return 0


def _repair(path: Path) -> None:
    whole, missing = repair(path)
    for text in missing:
        print(text, file=sys.stderr)
    what = "all that could be read" if missing else "all of it: nothing was missing"
    print(f"{whole}: {what}")


def _speed(text: str) -> float:
    speed = float(text)
    if not 0.01 <= speed <= 1000:
        raise argparse.ArgumentTypeError("give a number from 0.01 to 1000")
    return speed


def _free_port() -> int:
    try:
        with contextlib.closing(bind("127.0.0.1", DEFAULT_PORT)):
            return DEFAULT_PORT
    except ServerError:
        return 0


class _Telling:
    """Tells each thing once on stderr, with what it is of; from several threads."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = tuple(map(str, paths))
        self._of = self._paths[0] if len(paths) == 1 else f"{len(paths)} files"
        self._told = set[str]()
        self._lock = threading.Lock()

    def __call__(self, text: str) -> None:
        text = text if text.startswith(self._paths) else f"{self._of}: {text}"
        with self._lock:
            if text not in self._told:
                self._told.add(text)
                print(f"lamproom replay: {text}", file=sys.stderr, flush=True)
