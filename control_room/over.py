"""Which alarms are known to be over, kept over restarts: a broker may play old raises again.

Knows nothing about who is told of alarms. A file of lines, each [site, gateway, id]: a line is
written in one go, so that two readers may share it, and a half one after a power cut is passed by.
"""

import contextlib
import json
import os
import threading
from collections import deque
from pathlib import Path
from typing import IO

from delivery.aside import Aside

Alarm = tuple[str, str, str]
"""Site, gateway, id."""
SETTLE_S = 1.0
"""So long a disk is waited for at the end."""


class OverAlarms:
    """Alarms that have been cleared, the newest `most` of them; thread-safe."""

    def __init__(self, file: Path | None, *, most: int) -> None:
        """Read what an earlier run has noted; without a file there is nothing, and none is kept."""
        self._file, self._most = file, most
        lines = _lines_of(file) if file is not None else []
        self.before = dict.fromkeys(lines[-most:])
        """Those of earlier runs, oldest first."""
        self._lines = len(lines)
        self._lock = threading.Lock()
        self._waiting: deque[Alarm] = deque(maxlen=most)
        """What the disk has not taken yet."""
        self._disk = Aside("over-alarms") if file is not None else None
        if self._disk is not None:
            self._disk.later(self._shorten_if_long)

    def note(self, alarm: Alarm) -> None:
        """Keep that an alarm is over, soon; nobody waits for the disk.

        A disk that does not take it makes us forgetful, not deaf.
        """
        if self._disk is None or alarm in self.before:
            return
        with self._lock:
            begun = bool(self._waiting)
            self._waiting.append(alarm)
        if not begun:
            self._disk.later(self._write)

    def settle(self, limit_s: float = SETTLE_S) -> bool:
        """Wait for the disk, so long at most; tells whether it has answered."""
        return self._disk is None or self._disk.settle(limit_s)

    # ---- the thread that may hang ----

    def _write(self) -> None:
        assert self._file is not None
        with self._lock:
            waiting = list(self._waiting)
            self._waiting.clear()
        with contextlib.suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("a+b", buffering=0) as file:
                for alarm in waiting:
                    file.write(_newline_if_cut_off(file) + json.dumps(alarm).encode() + b"\n")
        self._lines += len(waiting)
        self._shorten_if_long()

    def _shorten_if_long(self) -> None:
        if self._file is None or self._lines <= 2 * self._most:
            return
        with contextlib.suppress(OSError):
            lines = _lines_of(self._file)[-self._most :]  # those of another reader of it, too
            fresh = self._file.with_name(f"{self._file.name}.new")
            fresh.write_text("".join(json.dumps(one) + "\n" for one in lines), "utf-8")
            os.replace(fresh, self._file)
            self._lines = len(lines)


def _newline_if_cut_off(file: IO[bytes]) -> bytes:
    """Give a line's end where the last line, half written at a power cut, has none."""
    if file.seek(0, os.SEEK_END) == 0:
        return b""
    file.seek(-1, os.SEEK_END)
    return b"" if file.read(1) == b"\n" else b"\n"


def _lines_of(file: Path) -> list[Alarm]:
    found: list[Alarm] = []
    with contextlib.suppress(OSError):
        for line in file.read_bytes().splitlines():
            with contextlib.suppress(ValueError, TypeError, RecursionError):  # damaged
                site, gateway, id = json.loads(line)
                found.append((str(site), str(gateway), str(id)))
    return found
