"""Keeps who was known where, so that people keep their numbers when a gateway is started anew.

Knows nothing about tracking. The file is small, replaced as a whole once a second, and never
waited for: what a power cut loses of it is a second's walk. A file that can't be read or written is
told of and done without.
"""

import os
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from location.person import Kept

NAME = "people.json"
MAX_BYTES = 1_000_000
_KEPT: TypeAdapter[Kept] = TypeAdapter(Kept)


class PeopleFile:
    """The file `people.json` in a gateway's state folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self.trouble = ""
        """Why it could not be read or written last; empty when it could."""

    def load(self) -> Kept | None:
        """Read what an earlier run kept; none when there was none or it makes no sense."""
        try:
            if self._path.stat().st_size > MAX_BYTES:
                raise ValueError("it is far too large")
            kept = _KEPT.validate_json(self._path.read_bytes(), strict=False)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, ValidationError) as error:
            reason = " ".join(line.strip() for line in str(error).splitlines()[:3])
            self.trouble = f"{self._path}: can't be used: {reason}; people get new numbers"
            return None
        return kept

    def save(self, kept: Kept) -> None:
        """Replace the file."""
        part = self._path.with_suffix(".part")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(_KEPT.dump_json(kept))
            os.replace(part, self._path)
        except OSError as error:
            self.trouble = f"{self._path}: can't be written: {error.strerror}"
            return
        self.trouble = ""
