"""`lamproom journal`: was the audit tampered with; what happened; who was where.

Knows nothing about MQTT or pages.
"""

import argparse
import contextlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from control_room.complaints import printable
from control_room.heads_file import Heads, KeptHead, kept_from
from control_room.journal.audit import MOST_TOLD, faults_of
from control_room.journal.database import beside
from control_room.journal.export import FORMATS, written
from control_room.journal.import_command import add_import, run_import
from control_room.journal.options import add_journal_argument
from control_room.journal.query import (
    EARLIEST_NS,
    LATEST_NS,
    WHATS,
    Cursor,
    Found,
    Question,
    answer,
    columns_of,
    open_for,
)
from control_room.journal.reading import open_to_read
from control_room.journal.schema import check
from control_room.journal.where import COLUMNS, in_words, last_places
from control_room.lifecycle import SEVERITIES
from control_room.signed_heads import Signed, check_signed, unproven
from control_room.times_given import TIMES, given_time
from delivery.signing import public_keys_of
from scene.alarms import ALARMS
from scene.errors import LamproomError

MOST_MINUTES = 1440.0
HELP = """\
Look into the control room's journal, also while it runs.

  lamproom journal verify      has anybody changed what was written down of people's acts?
  lamproom journal export      alarms, acts or positions as CSV or JSON, on the standard output
  lamproom journal where       who was where at 10:32: everybody's last place at or before then
  lamproom journal import      copy it from an SQLite file to a PostgreSQL server

The journal of `lamproom demo` is build/demo/journal.sqlite.

exit codes: 0 all is well, 1 `verify` found tampering, or with --key entries that nobody vouches
for, 2 bad input, or no journal there."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `lamproom journal`."""
    actions = parser.add_subparsers(
        dest="action", metavar="verify|export|where|import", required=True
    )
    verify = actions.add_parser("verify", help="go through the audit, and print its head")
    add_journal_argument(verify)
    verify.add_argument(
        "--head",
        action="append",
        type=_head,
        default=[],
        metavar="HEAD",
        help="a head that was printed before, NUMBER:HASH or the whole line with its signature: it "
        "must still be there; may be given several times",
    )
    verify.add_argument(
        "--heads",
        type=Path,
        metavar="FILE",
        help="where the control room kept the heads (default: the journal's name with .heads)",
    )
    verify.add_argument(
        "--key",
        action="append",
        type=Path,
        default=[],
        metavar="FILE",
        help="public key of the control room (control_room.pub): heads must be signed with it; "
        "may be given several times, for a key that was changed",
    )
    export = actions.add_parser("export", help="write what happened, oldest first")
    add_journal_argument(export)
    export.add_argument("--what", choices=WHATS, default="alarms", help="(default alarms)")
    export.add_argument(
        "--from", dest="begin", type=given_time, metavar="TIME", default=EARLIEST_NS
    )
    export.add_argument(
        "--to",
        dest="end",
        type=given_time,
        metavar="TIME",
        default=LATEST_NS,
        help=f"{TIMES}; --from included, --to not",
    )
    export.add_argument("--person", help="a worker's name, or '#12' for track 12; of acts, who")
    for name in ("site", "gateway", "zone"):
        export.add_argument(f"--{name}", help="only of this one")
    export.add_argument("--kind", help=f"of alarm: {', '.join(ALARMS)}; of acts, what was done")
    export.add_argument("--severity", choices=SEVERITIES)
    export.add_argument("--format", choices=FORMATS, default="csv", help="(default csv)")
    where = actions.add_parser("where", help="who was where: a line a person, the newest first")
    add_journal_argument(where)
    where.add_argument("--at", type=given_time, metavar="TIME", required=True, help=TIMES)
    where.add_argument(
        "--within",
        type=_minutes,
        metavar="MIN",
        default=10.0,
        help="whose last place is older than this is left out (default 10)",
    )
    where.add_argument("--person", help="a worker's name, or '#12' for track 12")
    where.add_argument("--site", help="only of this one")
    where.add_argument("--zone", help="only whose last place was in it")
    where.add_argument("--format", choices=("text", *FORMATS), default="text")
    where.add_argument("--language", choices=("en", "zh"), default="en", help="of text")
    add_import(actions)


def run(args: argparse.Namespace) -> int:
    """Do it; gives the exit code. Raises `JournalError` and `QuestionError`."""
    if args.action == "import":
        return run_import(args.source, args.journal)
    if isinstance(args.journal, Path) and not args.journal.is_file():
        raise LamproomError(
            f"{args.journal}: there is no journal; give --journal FILE (build/demo/journal.sqlite "
            "is the demo's)"
        )
    return {"verify": _verify, "export": _export, "where": _where}[args.action](args)


def _verify(args: argparse.Namespace) -> int:
    file = args.heads or beside(args.journal, ".heads")
    assert file is not None
    if args.heads and not file.is_file():
        raise LamproomError(f"{file}: there is no such file of heads")
    keys = [key for one in args.key for key in public_keys_of(one)]
    heads, faults = Heads(file).read()
    with contextlib.closing(open_to_read(args.journal, check, any_text=True)) as database:
        head, found = faults_of(database, [one.head for one in (*heads, *args.head)])
    faults += found
    signed = check_signed(heads, keys) if keys else None
    if signed is not None:
        printed = [one for one in args.head if one.signature]
        faults += [*signed.faults, *check_signed(printed, keys).faults]
    _tell("TAMPERED", faults)
    doubts = [] if signed is None else _doubts(signed, args.head, head.number)
    _tell("UNPROVEN", doubts)
    kept = max((one.head.number for one in heads), default=0)
    print(f"{head.number} entries; head {head}")
    if heads:
        print(f"{len(heads)} heads kept in {file}, the last of entry {kept}")
        _tell_signed(heads, signed, head.number)
    elif not args.head:
        print(
            f"no heads in {file}, and no --head: that nobody cut off the end or wrote all anew "
            "can't be told"
        )
    return 1 if faults or doubts else 0


def _tell(word: str, sentences: Sequence[str]) -> None:
    for sentence in sentences[:MOST_TOLD]:
        print(printable(f"{word}: {sentence}"))
    if len(sentences) > MOST_TOLD:
        print(f"{word}: and {len(sentences) - MOST_TOLD} more")


def _doubts(signed: Signed, printed: Sequence[KeptHead], entries: int) -> list[str]:
    """Tell what neither a signed head in the file nor one that was given vouches for."""
    if not signed.numbers and not printed:
        return ["there is no head that is signed with that key, and no --head"]
    known = max((one.head.number for one in printed), default=0)
    return unproven(signed.numbers, known, entries)


def _tell_signed(heads: Sequence[KeptHead], signed: Signed | None, entries: int) -> None:
    """Tell what is signed, and what nobody vouches for yet."""
    if signed is None:
        count = sum(bool(one.signature) for one in heads)
        if count:
            print(f"{count} of them are signed; nobody looked at that: give --key control_room.pub")
        return
    print(f"{signed.count} of them are signed with that key")
    if signed.last is not None:
        print(f"signed head: {signed.last}")
        if signed.last.head.number < entries:
            print(f"entries after {signed.last.head.number} have no signed head")


def _where(args: argparse.Namespace) -> int:
    within_s = 60 * args.within
    with contextlib.closing(open_for(args.journal, "positions")) as database:
        rows = last_places(database, args.at, within_s=within_s, site=args.site)
    if args.person is not None:
        wanted = args.person
        rows = [row for row in rows if wanted in (row["worker"], f"#{row['track']}")]
    if args.zone is not None:
        rows = [row for row in rows if args.zone in row["zones"].split(",")]
    if args.format == "text":
        for line in in_words(rows, within_s, args.language):
            print(printable(line))
    else:
        for piece in written(rows, COLUMNS, args.format):
            sys.stdout.write(piece)
    return 0


def _export(args: argparse.Namespace) -> int:
    if args.begin == args.end:
        raise LamproomError(
            "--from and --to are one instant; give a later --to, or ask who was where then: "
            "lamproom journal where --at TIME"
        )
    question = Question(
        what=args.what,
        from_ns=args.begin,
        to_ns=args.end,
        person=args.person,
        site=args.site,
        gateway=args.gateway,
        zone=args.zone,
        kind=args.kind,
        severity=args.severity,
    )
    count = 0

    def counted(rows: Iterable[tuple[Cursor, Found]]) -> Iterator[Found]:
        nonlocal count
        for _, row in rows:
            count += 1
            yield row

    with contextlib.closing(open_for(args.journal, question.what)) as database:
        rows = counted(answer(database, question))
        for piece in written(rows, columns_of(question.what), args.format):
            sys.stdout.write(piece)
    if count == 0:  # a name that is written otherwise in the journal looks just like that
        print("lamproom journal: 0 rows", file=sys.stderr)
    return 0


def _minutes(text: str) -> float:
    try:
        minutes = float(text)
    except ValueError:
        minutes = float("nan")
    if not 0 < minutes <= MOST_MINUTES:
        raise argparse.ArgumentTypeError(f"{text}: give minutes, up to {MOST_MINUTES:g}")
    return minutes


def _head(text: str) -> KeptHead:
    try:
        return kept_from(" ".join(text.split()))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
