"""What the control room's option `--recordings` makes possible. Knows nothing about HTTP."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from control_room.incident.api import Exports
from control_room.incident.jobs import Jobs


@contextlib.contextmanager
def exports_of(
    recordings: Path | None, key_file: Path | None, say: Callable[[str], None]
) -> Iterator[Exports | None]:
    """Give what exports need for as long as the block lasts; none without recordings.

    A folder that is not there is only said: alarms must be taken whatever becomes of it.
    """
    if recordings is None:
        yield None
        return
    if not recordings.exists():
        say(f"--recordings {recordings}: there is no such folder now; nothing can be exported")
    if key_file is None:
        say("--recordings without --signing-key: nobody vouches for what is exported")
    with contextlib.closing(Jobs(say)) as jobs:
        yield Exports(recordings=recordings, key_file=key_file, jobs=jobs)
