"""`lamproom journal import`: the journal moves from an SQLite file to a PostgreSQL server.

Knows nothing about how rows are copied.
"""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from control_room.complaints import printable
from control_room.journal.audit import MOST_TOLD
from control_room.journal.importing import PARTS, Copied, Imported, Tell, count, import_journal
from control_room.journal.options import place_given
from scene.clock import SystemClock
from scene.errors import LamproomError

HELP = "copy an SQLite journal, with positions and conditions, to a PostgreSQL server"
_ABOUT = """\
Acts are copied first, then alarms: from then on a control room may be started with the server. It
may be cut off at any time: give the same command again. What is there already stays as it is."""
_READY = "acts and alarms are there: the control room may be started with --journal {0}"


def add_import(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `import`."""
    parser = actions.add_parser("import", help=HELP, description=f"{HELP.capitalize()}. {_ABOUT}")
    parser.add_argument(
        "source", type=Path, metavar="FILE", help="the journal, e.g. state/journal.sqlite"
    )
    parser.add_argument(
        "--journal",
        type=place_given,
        required=True,
        metavar="WHERE",
        help="to where: postgresql://user@host/name",
    )


def run_import(source: Path, target: Path | str) -> int:
    """Do it and say what was done; 1 where something was left out or the audit has faults.

    Raises `LamproomError`.
    """
    if not isinstance(target, str):
        raise LamproomError(
            f"--journal {target}: an import goes to a PostgreSQL server; give "
            "--journal postgresql://user@host/name"
        )
    if not source.is_file():
        raise LamproomError(f"{source}: there is no journal; give the SQLite file of one")
    with _bar(count(source), target) as tell:
        done = import_journal(source, target, SystemClock(), tell)
    return _say(done, target)


@contextmanager
def _bar(rows: dict[str, int], target: str) -> Iterator[Tell]:
    """Show how far it is, on stderr."""
    columns = (
        TextColumn("{task.description:>10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True) as progress:
        tasks = {part: progress.add_task(part, total=rows[part]) for part in PARTS}

        def tell(copied: Copied) -> None:
            done = rows[copied.part] if copied.is_done else copied.rows
            progress.update(tasks[copied.part], completed=done)
            if copied.is_done and copied.part == "alarms":
                progress.console.print(_READY.format(target), highlight=False, soft_wrap=True)

        yield tell


def _say(done: Imported, target: str) -> int:
    for one in done.parts:
        there = one.rows - one.new - one.left_out
        print(f"{one.part}: {one.new} copied, {there} were there, {one.left_out} left out")
        for line in one.unfit:
            print(printable(f"  {line}"), file=sys.stderr)
    for line in done.missing:
        print(printable(f"not copied: {line}"))
    for line in done.faults[:MOST_TOLD]:
        print(printable(f"TAMPERED: {line}"))
    if len(done.faults) > MOST_TOLD:
        print(f"TAMPERED: and {len(done.faults) - MOST_TOLD} more")
    print(f"{done.head.number} entries in the audit; head {done.head}")
    return 1 if done.faults or any(one.left_out for one in done.parts) else 0
