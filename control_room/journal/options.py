"""The options that say where the journal is and how long it keeps what.

Knows nothing about what is in it.
"""

import argparse
import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from control_room.journal.conditions import KEEP_DAYS as KEEP_CONDITIONS_DAYS
from control_room.journal.conditions import Condition, ConditionLog
from control_room.journal.database import JournalError, place_of
from control_room.journal.journal import Journal
from control_room.journal.positions import KEEP_DAYS, PositionLog
from control_room.journal.schema import make_fit_for_search
from control_room.journal.thinning import EVERY_S
from scene.clock import Clock
from scene.topics import Address
from scene.wire import Envelope

if TYPE_CHECKING:
    from control_room.conditions import Looks, Watched

Hear = Callable[[Address, Envelope], None]
DAY_NS = 86_400_000_000_000
DEFAULT = Path("state/journal.sqlite")


def add_journal_argument(parser: argparse.ArgumentParser) -> None:
    """Add `--journal`."""
    parser.add_argument(
        "--journal",
        type=place_given,
        metavar="WHERE",
        default=DEFAULT,
        help="where alarms are stored for good: an SQLite file, or a database on a PostgreSQL "
        f"server, postgresql://user@host/name (default {DEFAULT})",
    )


def add_keeping_arguments(parser: argparse.ArgumentParser) -> None:
    """Add how long what is kept."""
    parser.add_argument(
        "--keep-alarms",
        type=_days,
        metavar="DAYS",
        help="forget alarms that have been over and seen for so long (default: never)",
    )
    parser.add_argument(
        "--keep-positions",
        type=_days,
        metavar="DAYS",
        default=KEEP_DAYS,
        help=f"for how long to know where people were; 0: not at all (default {KEEP_DAYS:g})",
    )
    parser.add_argument(
        "--position-every",
        type=_seconds,
        metavar="S",
        default=EVERY_S,
        help=f"write down where each person is so often, and at changes (default {EVERY_S:g})",
    )
    parser.add_argument(
        "--keep-conditions",
        type=_days,
        metavar="DAYS",
        default=KEEP_CONDITIONS_DAYS,
        help="for how long to know head-counts, coverage, and how gateways and cameras were, for "
        f"`lamproom report`; 0: not at all (default {KEEP_CONDITIONS_DAYS:g})",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """How long what is kept."""

    alarms_days: float | None = None
    """None: for ever."""
    positions_days: float = KEEP_DAYS
    """0: positions are not written down."""
    position_every_s: float = EVERY_S
    conditions_days: float = KEEP_CONDITIONS_DAYS
    """0: conditions are not written down."""


def keeping_of(args: argparse.Namespace) -> Keeping:
    """Give what the options say."""
    return Keeping(
        alarms_days=args.keep_alarms,
        positions_days=args.keep_positions,
        position_every_s=args.position_every,
        conditions_days=args.keep_conditions,
    )


@contextlib.contextmanager
def positions_kept(
    keeping: Keeping | None, journal: Journal, clock: Clock, say: Callable[[str], None]
) -> Iterator[Callable[[Hear], Hear]]:
    """Write positions down, and forget what is old, for as long as the block lasts.

    Gives what makes of one who hears messages one after whom the log hears them. Without
    `keeping` nothing is done. Where positions can't be kept that is said, and all else goes on.
    """
    if keeping is None:
        yield lambda hear: hear
        return

    def prune_more() -> None:
        with contextlib.suppress(JournalError):  # where it may not be done all goes on without
            make_fit_for_search(journal.place)
        if keeping.alarms_days is not None:
            now_ns = clock.now_ns()
            journal.forget(now_ns - round(keeping.alarms_days * DAY_NS), now_ns=now_ns)

    every_s = keeping.position_every_s if keeping.positions_days else None
    days = keeping.positions_days
    try:
        log = PositionLog(
            journal.place, clock, say, every_s=every_s, keep_days=days, prune_more=prune_more
        )
    except JournalError as error:  # alarms count; old ones are still forgotten
        why = str(error).removesuffix("; give another --journal")
        say(f"positions are not written down: {why}; move it away and start again")
        log = PositionLog(None, clock, say, every_s=None, keep_days=days, prune_more=prune_more)

    def also(hear: Hear) -> Hear:
        def both(address: Address, envelope: Envelope) -> None:
            hear(address, envelope)
            log.hear(address, envelope)

        return both

    with contextlib.closing(log):
        yield also


@contextlib.contextmanager
def conditions_kept(
    keeping: Keeping | None,
    journal: Journal,
    clock: Clock,
    say: Callable[[str], None],
    room: "Watched",
) -> Iterator[None]:
    """Write down how a control room and its gateways are, for as long as the block lasts.

    Without `keeping` nothing is done. Where it can't be done that is said, and all else goes on.
    """
    if keeping is None:
        yield
        return
    days = keeping.conditions_days
    looks: list[Looks] = []

    def look() -> Iterable[Condition]:
        if not days:  # old ones are forgotten all the same
            return ()
        if not looks:  # in the log's own thread: it takes long to import, and alarms come first
            from control_room.conditions import Looks

            looks.append(Looks(room))
        return looks[0].now(clock)

    try:
        log = ConditionLog(journal.place, clock, say, look, keep_days=days)
    except JournalError as error:
        why = str(error).removesuffix("; give another --journal")
        say(f"conditions are not written down: {why}; move it away and start again")
        yield
        return
    with contextlib.closing(log):
        yield


def place_given(text: str) -> Path | str:
    """Read where a journal is; for `argparse`."""
    try:
        return place_of(text)
    except JournalError as error:
        raise argparse.ArgumentTypeError(str(error).removeprefix("--journal: ")) from None


def _days(text: str) -> float:
    return _number(text, least=0.0, most=36_500.0, unit="days")


def _seconds(text: str) -> float:
    return _number(text, least=1.0, most=3600.0, unit="seconds")


def _number(text: str, *, least: float, most: float, unit: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not least <= value <= most:
        raise argparse.ArgumentTypeError(f"{text}: give {unit}, {least:g} to {most:g}")
    return value
