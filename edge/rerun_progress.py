"""A bar on the terminal that says what a second run is doing, how far it is, and how long it takes.

Knows nothing about what is run again. Where the standard error is no terminal nothing is shown.
"""

import contextlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from delivery.recordings.outline import span_of

SHOW_EVERY = 50
"""After so many records it is shown how far one is."""


class Timed(Protocol):
    """Something recorded."""

    @property
    def at_ns(self) -> int:
        """When, by the recorder's clock."""


T = TypeVar("T", bound=Timed)


class RerunProgress:
    """Follows a run's recordings as they are gone through; once for each thing that is done."""

    def __init__(self, progress: Progress, paths: Sequence[Path]) -> None:
        """Look from when to when the recordings are; raises `RecordingError`."""
        self._progress, self._paths = progress, paths
        self._task: TaskID | None = None
        spans = [span for path in paths if (span := span_of(path)) is not None]
        self._from_ns = min((first for first, _ in spans), default=0)
        self._to_ns = max((last for _, last in spans), default=0)

    def files(self, what: str) -> Iterator[Path]:
        """Give the files one after the other; of a single one only what is done with it is said."""
        self._begin(what, len(self._paths) if len(self._paths) > 1 else None)
        for number, path in enumerate(self._paths):
            self._show(number)
            yield path

    def records(self, what: str, records: Iterable[T]) -> Iterator[T]:
        """Give records, and show how far in time they are."""
        self._begin(what, (self._to_ns - self._from_ns) / 1e9)
        for number, record in enumerate(records):
            if number % SHOW_EVERY == 0:
                self._show((record.at_ns - self._from_ns) / 1e9)
            yield record

    def busy(self, what: str) -> None:
        """Say what is done of which nobody knows how long it takes."""
        self._begin(what, None)

    def end(self) -> None:
        """Take the bar away: it is done."""
        if self._task is not None:
            self._progress.remove_task(self._task)
            self._task = None

    def _begin(self, what: str, total: float | None) -> None:
        self.end()
        self._task = self._progress.add_task(what, total=total)

    def _show(self, completed: float) -> None:
        if self._task is not None:
            self._progress.update(self._task, completed=completed)


@contextlib.contextmanager
def rerun_progress(paths: Sequence[Path]) -> Iterator[RerunProgress]:
    """Show a bar for as long as the block lasts; raises `RecordingError`."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns,
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,  # results may go into a file
        disable=not sys.stderr.isatty(),
    ) as progress:
        yield RerunProgress(progress, paths)
