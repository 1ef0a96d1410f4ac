"""`lamproom report`: a shift as one page to print.

Knows nothing about how it is gathered or written.
"""

import argparse
import os
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from control_room.complaints import printable
from control_room.journal.options import add_journal_argument
from control_room.journal.query import QuestionError, can_be_stored
from control_room.shift_report.frame import LANGUAGES
from control_room.shift_report.gather import gather
from control_room.shift_report.lacks import lacks_of
from control_room.shift_report.page import page
from control_room.shift_report.span import NS, Span, SpanError, local
from control_room.times_given import TIMES, given_time
from scene.clock import SystemClock
from scene.errors import LamproomError

SHIFT_NS = 8 * 3600 * NS
LONG = re.compile(r"(\d+(?:\.\d+)?)\s*(h|min|m|d)")
UNITS_S = {"h": 3600, "min": 60, "m": 60, "d": 86400}
HELP = """\
Write a shift report: head-counts, alarms and their load, outages of gateways and cameras, roadway
seen, what people did, and first of all what is missing in the data. One HTML page with plots, in
English and Chinese, that prints and needs neither script nor network.

  lamproom report                                the last 8 hours
  lamproom report --shift 12h --to 06:00         a night shift
  lamproom report --from 2026-11-29T06:00 --to 2026-11-29T14:00 --site north-gate -o shift.html

It reads the control room's journal (--journal), also while the control room runs. What nobody
wrote down is hatched, never 0. The journal of `lamproom demo` is build/demo/journal.sqlite.

exit codes: 0 written, 2 bad input, a site that the journal does not know, a FILE that is there
already, or no journal there."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `lamproom report`."""
    add_journal_argument(parser)
    parser.add_argument("--from", dest="begin", type=given_time, metavar="TIME", help=TIMES)
    parser.add_argument(
        "--to", dest="end", type=given_time, metavar="TIME", help="(default now) not included"
    )
    parser.add_argument(
        "--shift",
        type=_long,
        metavar="LONG",
        help="how long, ending at --to: 8h, 90min, 2d (default 8h where no --from is given)",
    )
    parser.add_argument("--site", help="only of this one; the load of alarms, too, is then its own")
    parser.add_argument(
        "--operators",
        type=_some,
        metavar="N",
        help="how many people shared the alarms (default: as the control room was told)",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="a new one (default shift-report- and the first instant, .html)",
    )
    parser.add_argument(
        "--language",
        choices=LANGUAGES,
        default="en",
        help="which is shown when it is opened; all are in it (default en)",
    )


def run(args: argparse.Namespace) -> int:
    """Write it; gives the exit code. Raises `JournalError`, `SpanError`, `LamproomError`."""
    now_ns = SystemClock().now_ns()
    if isinstance(args.journal, Path) and not args.journal.is_file():
        raise LamproomError(
            f"{args.journal}: there is no journal; give --journal FILE (build/demo/journal.sqlite "
            "is the demo's)"
        )
    if args.site is not None and not can_be_stored(args.site):
        raise QuestionError("site: is no text that can be stored")
    span = span_of(args.begin, args.end, args.shift, now_ns)
    file = args.output or Path(f"shift-report-{local(span.from_ns, '%Y%m%d-%H%M')}.html")
    _check_free(file)
    found = gather(args.journal, span, site=args.site, operators=args.operators, now_ns=now_ns)
    if args.site is not None and not found.sites and not found.watched.lanes:
        print(printable(f"nothing is known of a site {args.site!r} in this time"))
    html = page(found, args.language, _software())
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(html)
    except OSError as error:
        raise LamproomError(f"{file}: can't be written: {error.strerror or error}") from None
    for english, _ in lacks_of(found):
        print(printable(f"MISSING: {english}"))
    print(
        f"wrote {file}: {local(span.from_ns)} to {local(span.to_ns)}, {found.alarms.count} alarms, "
        f"{found.alarms.waiting} of them ask for somebody"
    )
    return 0


def _check_free(file: Path) -> None:
    """Refuse at once what would be written over: it may be a shift that was signed, or a journal.

    Raises `LamproomError`.
    """
    if os.path.lexists(file):
        raise LamproomError(
            f"{file}: is there already, and is never written over; give another -o FILE"
        )


def span_of(begin: int | None, end: int | None, shift_ns: int | None, now_ns: int) -> Span:
    """Give the span that was asked for; raises `SpanError`.

    What is yet to come is left out: nobody knows it.
    """
    if begin is not None and shift_ns is not None:
        if end is not None:
            raise SpanError("--from, --to and --shift: give only two of them")
        end = begin + shift_ns
    end = now_ns if end is None else end
    if begin is None:
        begin = end - (SHIFT_NS if shift_ns is None else shift_ns)
    if begin >= now_ns:
        raise SpanError(f"{local(begin)} is yet to come; nothing is known of it")
    return Span(from_ns=begin, to_ns=min(end, now_ns))


def _software() -> str:
    try:
        return f"lamproom {version('lamproom')}"
    except PackageNotFoundError:
        return "lamproom"


def _long(text: str) -> int:
    found = LONG.fullmatch(text.strip())
    if found is None or float(found[1]) == 0:
        raise argparse.ArgumentTypeError(f"{text}: give e.g. 8h, 90min or 2d")
    return round(float(found[1]) * UNITS_S[found[2]] * NS)


def _some(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text[:9]) <= 10_000:
        raise argparse.ArgumentTypeError(f"{text}: give a whole number, at least 1")
    return int(text)
