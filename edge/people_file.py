"""Keeps who was known where, so that people keep their numbers when a gateway is started anew.

Knows nothing about tracking. The file is small, replaced as a whole once a second, and never
waited for: what a power cut loses of it is a second's walk, and a disk that hangs keeps nobody. A
file that can't be read or written is told of and done without.
"""

import os
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from delivery.aside import Aside, NewestAside, StalledError
from location.person import Kept

NAME = "people.json"
STALLED_S = 3.0
"""A disk that has not answered for so long is told of."""
PATIENCE_S = 1.0
"""So long a start waits for the disk to tell who was known."""
MAX_BYTES = 1_000_000
_KEPT: TypeAdapter[Kept] = TypeAdapter(Kept)


class PeopleFile:
    """The file `people.json` in a gateway's state folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._aside = NewestAside("people-file")
        self._trouble = ""

    @property
    def trouble(self) -> str:
        """Why it could not be read or written last; empty when it could."""
        if self._aside.busy_s > STALLED_S:
            return f"{self._path}: can't be written: its disk does not answer; mend it"
        return self._trouble

    def load(self) -> Kept | None:
        """Read what an earlier run kept; none when there was none or it makes no sense.

        None, too, when the disk does not answer within `PATIENCE_S`.
        """
        try:
            kept = Aside("people-file-read").do(self._read, PATIENCE_S)
        except StalledError:
            self._trouble = (
                f"{self._path}: can't be read: its disk does not answer; people get new numbers"
            )
            return None
        except FileNotFoundError:
            return None
        except (OSError, ValueError, ValidationError) as error:
            reason = " ".join(line.strip() for line in str(error).splitlines()[:3])
            self._trouble = f"{self._path}: can't be used: {reason}; people get new numbers"
            return None
        return kept

    def save(self, kept: Kept) -> None:
        """Have the file replaced, without waiting; of what waits only the newest is written."""
        self._aside.do(lambda: self._write(kept))

    def settle(self, limit_s: float) -> bool:
        """Wait until the newest is written; tells whether it was within `limit_s`."""
        return self._aside.settle(limit_s)

    def _read(self) -> Kept:
        if self._path.stat().st_size > MAX_BYTES:
            raise ValueError("it is far too large")
        return _KEPT.validate_json(self._path.read_bytes(), strict=False)

    def _write(self, kept: Kept) -> None:
        part = self._path.with_suffix(".part")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(_KEPT.dump_json(kept))
            os.replace(part, self._path)
        except OSError as error:
            self._trouble = f"{self._path}: can't be written: {error.strerror}"
            return
        self._trouble = ""
