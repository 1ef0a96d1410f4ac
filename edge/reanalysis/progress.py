"""Shows how far it is: a bar in a terminal, a line for each segment anywhere else.

Knows nothing about segments but how large they are. Time left goes by bytes, as what a file lasts
is known only when it is done.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from scene.clock import Clock

TELL_EVERY_S = 10.0
"""How often a line says how far a search is."""


class Shown:
    """Counts what is done; `tell` says a line of its own."""

    def __init__(self, total: int, total_bytes: int, clock: Clock) -> None:
        self._total, self._total_bytes, self._clock = total, total_bytes, clock
        self._began_s = clock.monotonic_s()
        self._done = self._bytes = 0
        self._recorded_s = 0.0

    def done(self, size_bytes: int, recorded_s: float) -> str:
        """Count one segment; gives in words how far it is."""
        self._done, self._bytes = self._done + 1, self._bytes + size_bytes
        self._recorded_s += recorded_s
        gone_s = max(self._clock.monotonic_s() - self._began_s, 1e-6)
        left_s = gone_s * (self._total_bytes - self._bytes) / max(self._bytes, 1)
        return (
            f"{self._done}/{self._total} segments, {self._recorded_s / 3600:.2f} h recorded, "
            f"{self._recorded_s / gone_s:.1f} h per hour, {duration(left_s)} left"
        )


class Telling:
    """Says lines on stderr, one each."""

    def done(self, text: str, name: str) -> None:
        """Say that a segment is done."""
        self.tell(f"{name}: {text}")

    def tell(self, text: str) -> None:
        """Say a line."""
        print(f"lamproom reanalyse: {text}", file=sys.stderr, flush=True)


class Bar(Telling):
    """Shows a bar on stderr, and lines above it."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._task = progress.add_task("segments", total=total, far="")

    def done(self, text: str, name: str) -> None:
        """Move the bar on."""
        far = text.partition(", ")[2]
        self._progress.update(self._task, advance=1, far=far)

    def tell(self, text: str) -> None:
        """Say a line above the bar."""
        self._progress.console.print(Text(f"lamproom reanalyse: {text}"), soft_wrap=True)


@contextmanager
def showing(total: int) -> Iterator[Telling]:
    """Show a bar where stderr is a terminal, lines elsewhere."""
    if not sys.stderr.isatty() or not total:
        yield Telling()
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[far]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield Bar(progress, total)


@contextmanager
def searching(clock: Clock) -> Iterator[Callable[[str], None]]:
    """Give what shows how far a search is: in one line of a terminal, now and then elsewhere."""
    if sys.stderr.isatty():
        with Console(stderr=True).status("", refresh_per_second=4) as status:
            yield status.update
        return
    telling, told_s = Telling(), clock.monotonic_s()

    def tell(text: str) -> None:
        nonlocal told_s
        if clock.monotonic_s() - told_s >= TELL_EVERY_S:
            told_s = clock.monotonic_s()
            telling.tell(text)

    yield tell


def duration(seconds: float) -> str:
    """Say a duration.

    >>> duration(42), duration(600), duration(90_000)
    ('42 s', '10 min', '25.0 h')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
