"""Deletes a recorder's oldest files, so that the newest have room.

Knows nothing about what is recorded. Deleted is only what this recorder's family wrote: regular
files `NAME.mcap`, `NAME-2.mcap`, … in one folder that begin as Lamproom's recordings do. Links are
never followed. A file beside which there is `NAME.mcap.keep` stays, whatever the limits say.
"""

import contextlib
import os
import re
import stat
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from delivery.recordings.format import PROFILE
from delivery.recordings.keep import Keep

KEEP_SUFFIX = ".keep"
BUSY_S = 60.0
"""A file that was written to so lately may be another recorder's, at work."""
_MAGIC = b"\x89MCAP0\r\n"
_HEADER = _MAGIC + b"\x01"
_HEADER_LENGTH = len(_HEADER) + 8
_PROFILE = len(PROFILE).to_bytes(4, "little") + PROFILE.encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class OldFile:
    """One file of the family."""

    name: str
    size_bytes: int
    """What it takes on the disk."""
    written_s: float
    """When something was last written to it, on the system's clock."""
    protected: bool


class Retention:
    """Watches over one family of recordings; for one thread."""

    def __init__(self, path: Path, keep: Keep, say: Callable[[str], None]) -> None:
        """`path` is what the recorder was told to write; `say` is told of each deletion."""
        self._path, self._keep, self._say = path, keep, say
        self._ours: dict[tuple[str, int], bool] = {}
        self._name = re.compile(re.escape(path.stem) + r"(-[1-9]\d*)?" + re.escape(path.suffix))

    def tend(
        self,
        now_s: float,
        writing: Collection[Path],
        has_room: Callable[[], bool] = lambda: True,
    ) -> int:
        """Delete what is beyond the limits, and more while there is no room; gives how many.

        The oldest goes first; those that are being written, or protected, stay. Raises nothing:
        what can't be deleted is said and passed over.
        """
        if not self._keep.wanted:
            return 0
        try:
            folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            return 0  # nothing has been recorded there yet
        try:
            files = self._files(folder)
            total = sum(file.size_bytes for file in files)
            busy = {path.name for path in writing}
            deleted = 0
            for file in sorted(files, key=lambda file: file.written_s):
                why = self._why(file, total, now_s, has_room)
                if not why or file.name in busy or file.protected:
                    continue
                if self._delete(folder, file, why):
                    total -= file.size_bytes
                    deleted += 1
            return deleted
        finally:
            os.close(folder)

    def _why(self, file: OldFile, total: float, now_s: float, has_room: Callable[[], bool]) -> str:
        """Say why a file is to go; empty when it may stay."""
        keep = self._keep
        if abs(now_s - file.written_s) < BUSY_S:
            return ""
        if keep.age_s is not None and now_s - file.written_s > keep.age_s:
            return f"older than {keep.age_s / 86_400:g} days"
        if keep.size_bytes is not None and total > keep.size_bytes:
            return f"recordings took {total / 1e9:.1f} of {keep.size_bytes / 1e9:g} GB"
        return "" if has_room() else "the disk was nearly full"

    def _files(self, folder: int) -> list[OldFile]:
        """List the family; each file is looked into once."""
        found, known = [], {}
        try:
            names = os.listdir(folder)
        except OSError:
            return []
        for name in filter(self._name.fullmatch, names):
            with contextlib.suppress(OSError):  # it is gone, or can't be read: not ours
                status = os.stat(name, dir_fd=folder, follow_symlinks=False)
                if not stat.S_ISREG(status.st_mode):
                    continue
                key = name, status.st_ino
                known[key] = self._ours.get(key) or _is_ours(name, folder)
                if known[key]:
                    found.append(
                        OldFile(
                            name=name,
                            size_bytes=status.st_blocks * 512,
                            written_s=status.st_mtime,
                            protected=_is_there(f"{name}{KEEP_SUFFIX}", folder),
                        )
                    )
        self._ours = known
        return found

    def _delete(self, folder: int, file: OldFile, why: str) -> bool:
        place = self._path.with_name(file.name)
        try:
            os.unlink(file.name, dir_fd=folder)
        except OSError as error:
            self._say(f"{place}: can't be deleted ({why}): {error.strerror}")
            return False
        self._say(f"{place}: deleted ({file.size_bytes / 1e6:.0f} MB): {why}")
        return True


def _is_ours(name: str, folder: int) -> bool:
    """Tell whether a file begins as one of our recordings; links are not followed."""
    file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    try:
        begin = os.read(file, _HEADER_LENGTH + len(_PROFILE))
    finally:
        os.close(file)
    return begin.startswith(_HEADER) and begin[_HEADER_LENGTH:] == _PROFILE


def _is_there(name: str, folder: int) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    except OSError:
        return True  # who can't tell deletes nothing
    return True
