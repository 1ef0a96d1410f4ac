"""`lamproom export`: some minutes of a recording as files that anybody opens and verifies.

Knows nothing about how they are made.
"""

import argparse
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from control_room.incident.folder import Exported, Wanted, export
from control_room.incident.journal import acts_in
from control_room.incident.manifest import short
from control_room.journal.options import place_given
from control_room.times_given import TIMES, given_time
from delivery.signing import read_private_key
from scene.clock import SystemClock
from scene.errors import printable

HELP = """\
Export some minutes of a recording: film with everybody's tag burnt in (MP4), who was where (CSV),
the life of each alarm, outages of cameras, pictures of each raise, the site file, a summary to
read and print in English and Chinese, and a manifest with the hash of each file, signed.

  lamproom export run.mcap --from 10:32 --to 10:34 --key-file certs/control_room/signing.key
  lamproom export run.mcap --alarm man_down-3-1795939200123 --zip
  lamproom verify incident-20261130T103200Z --trusted certs/trusted/control_room.pub

`lamproom certs control-room` makes such a key.

What the recording lacks (gaps, refused or unsigned messages) stands on the summary's first page.

exit codes: 0 exported, 2 nothing was exported."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `lamproom export`."""
    parser.add_argument("recording", type=Path, help="a file that `lamproom run --record` wrote")
    parser.add_argument("--from", dest="begin", type=given_time, metavar="TIME", help=TIMES)
    parser.add_argument(
        "--to", dest="end", type=given_time, metavar="TIME", help="--from included, --to not"
    )
    parser.add_argument(
        "--alarm",
        metavar="ID",
        help="the alarm that it is about: without times from 30 s before its raise to 30 s after "
        "its end, or to the end of the recording, 10 min at most",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FOLDER",
        help="a new folder (default incident- and the first instant)",
    )
    parser.add_argument("--zip", action="store_true", help="write a .zip beside the folder, too")
    parser.add_argument(
        "--key-file",
        type=Path,
        metavar="FILE",
        help="private key (Ed25519, PEM) to sign with; without it nobody vouches for the export",
    )
    parser.add_argument(
        "--journal",
        type=place_given,
        metavar="WHERE",
        help="the control room's journal: who acknowledged, shelved and ended each alarm",
    )


def run(args: argparse.Namespace) -> int:
    """Export; gives the exit code. Raises `IncidentError`, `RecordingError`, `SigningError`."""
    key = None if args.key_file is None else read_private_key(args.key_file)
    with contextlib.ExitStack() as stack:
        acts_of = None
        if args.journal is not None:
            acts_of = stack.enter_context(acts_in(args.journal))
        wanted = Wanted(
            recording=args.recording,
            from_ns=args.begin,
            to_ns=args.end,
            alarm=args.alarm,
            folder=args.output,
            zip=args.zip,
            key=key,
            acts_of=acts_of,
        )
        with _progress() as tell:
            made = export(wanted, SystemClock(), tell)
    _report(made)
    return 0


def _report(made: Exported) -> None:
    for english, _ in made.lacks:
        print(printable(f"MISSING OR NOT PROVEN: {english}"))
    if made.signed_by:
        print(f"signed with the key {short(made.signed_by)}")
    else:
        print(
            "NOT SIGNED: nobody vouches for this export, and whoever changes it can't be found "
            "out; give --key-file",
            file=sys.stderr,
        )
    packed = "" if made.archive is None else f" and {made.archive}"
    print(f"wrote {made.folder}{packed}: {made.files} files, {made.span.long_s:.1f} s")


@contextlib.contextmanager
def _progress() -> Iterator["_Progress"]:
    progress = _Progress()
    try:
        yield progress
    finally:
        progress.end()


class _Progress:
    """A line on a terminal that says how far it is; elsewhere nothing."""

    def __init__(self) -> None:
        self._shown = -1
        self._on = sys.stderr.isatty()

    def __call__(self, share: float) -> None:
        """Show the share that is done."""
        percent = int(100 * share)
        if self._on and percent != self._shown:
            self._shown = percent
            print(f"\rexporting {percent} %", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Leave the terminal at the start of a line."""
        if self._shown >= 0:
            print(file=sys.stderr)
