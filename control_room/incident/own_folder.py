"""A folder of this process's own, that goes with the process: at the latest when another begins.

Knows nothing about what is written there. Several processes may share the place: each holds a lock
on its own folder for as long as it lives, and removes those that nobody holds.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path

PREFIX = "of-"


class OwnFolder:
    """Made when it is first wanted, and again whenever somebody removed it; for one thread."""

    def __init__(self, place: Path) -> None:
        """Remove from `place` what ended processes left there, as far as that can be."""
        self._place = place
        self._own: Path | None = None
        self._handle: int | None = None
        for left in place.glob(f"{PREFIX}*"):
            _remove_unless_held(left)

    def made(self) -> Path:
        """Give the folder, which is there now and which only its owner can read; or `OSError`."""
        if self._own is None or not self._own.is_dir():
            self.close()
            self._place.mkdir(parents=True, exist_ok=True)
            self._own = Path(tempfile.mkdtemp(prefix=PREFIX, dir=self._place))
            self._handle = os.open(self._own, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(self._handle, fcntl.LOCK_SH)
        return self._own

    def drop(self, name: str) -> None:
        """Remove something in it, if it is there."""
        if self._own is not None:
            shutil.rmtree(self._own / name, ignore_errors=True)

    def close(self) -> None:
        """Remove it."""
        if self._own is not None:
            shutil.rmtree(self._own, ignore_errors=True)
        if self._handle is not None:
            os.close(self._handle)
        self._own = self._handle = None


def _remove_unless_held(left: Path) -> None:
    with contextlib.suppress(OSError):  # held, gone, or not ours to remove
        handle = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left, ignore_errors=True)
        finally:
            os.close(handle)
