"""What the control room's option `--recordings` makes possible. Knows nothing about HTTP."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from control_room.incident.api import Exports
from control_room.incident.jobs import Jobs

FOLDER = "exports"
"""Of the control room's state."""


@contextlib.contextmanager
def exports_of(
    recordings: Path | None, key_file: Path | None, state: Path, say: Callable[[str], None]
) -> Iterator[Exports | None]:
    """Give what exports need for as long as the block lasts; none without recordings.

    They are written in the folder `state`, for others clean up /tmp. Recordings that are not there
    are only said: alarms must be taken whatever becomes of them.
    """
    if recordings is None:
        yield None
        return
    if not recordings.exists():
        say(f"--recordings {recordings}: there is no such folder now; nothing can be exported")
    if key_file is None:
        say("--recordings without --signing-key: nobody vouches for what is exported")
    with contextlib.closing(Jobs(say, state / FOLDER)) as jobs:
        yield Exports(recordings=recordings, key_file=key_file, jobs=jobs)
