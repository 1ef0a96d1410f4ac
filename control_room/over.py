"""Which alarms are known to be over, kept over restarts: a broker may play old raises again.

Knows nothing about who is told of alarms. A file of lines, each [site, gateway, id]: a line is
written in one go, so that two readers may share it, and a half one after a power cut is passed by.
"""

import contextlib
import json
import os
from pathlib import Path

Alarm = tuple[str, str, str]
"""Site, gateway, id."""


class OverAlarms:
    """Alarms that have been cleared, the newest `most` of them; to be used by one thread."""

    def __init__(self, file: Path | None, *, most: int) -> None:
        """Read what an earlier run has noted; without a file there is nothing, and none is kept."""
        self._file = file
        lines = _lines_of(file) if file is not None else []
        self.before = dict.fromkeys(lines[-most:])
        """Those of earlier runs, oldest first."""
        if file is not None and len(lines) > 2 * most:
            self._shorten(file)

    def note(self, alarm: Alarm) -> None:
        """Keep that an alarm is over; a disk that does not take it makes us forgetful, not deaf."""
        if self._file is None or alarm in self.before:
            return
        with contextlib.suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("ab") as file:
                file.write(json.dumps(alarm).encode() + b"\n")

    def _shorten(self, file: Path) -> None:
        fresh = file.with_name(f"{file.name}.new")
        with contextlib.suppress(OSError):
            fresh.write_text("".join(json.dumps(one) + "\n" for one in self.before), "utf-8")
            os.replace(fresh, file)


def _lines_of(file: Path) -> list[Alarm]:
    found: list[Alarm] = []
    with contextlib.suppress(OSError):
        for line in file.read_bytes().splitlines():
            with contextlib.suppress(ValueError, TypeError, RecursionError):  # damaged
                site, gateway, id = json.loads(line)
                found.append((str(site), str(gateway), str(id)))
    return found
