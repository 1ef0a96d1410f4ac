"""Deletes a recorder's oldest files, so that the newest have room.

Knows nothing about what is recorded. Deleted is only what this gateway's recorder wrote: regular
files `NAME.mcap`, `NAME-2.mcap`, … in one folder that begin as Lamproom's recordings do and say in
their `lamproom.run` record that they are of this site and gateway. Links are never followed. A file
beside which there is `NAME.mcap.keep` stays, whatever the limits say, and counts to none.

The lowest number is the oldest file, whatever clocks said. Clocks are believed as to its age only
once they have gone evenly for a while, and by age one file goes at a time.
"""

import contextlib
import os
import stat
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from delivery.recordings.format import PROFILE, number_in
from delivery.recordings.keep import Keep
from delivery.recordings.run_record import run_in

KEEP_SUFFIX = ".keep"
BUSY_S = 60.0
"""A file that was written to so lately may be another recorder's, at work."""
ROOM_EVERY_S = 60.0
"""For want of room a file goes no sooner after another: a disk may give room back late."""
EVEN_FOR_S = 3600.0
"""Nothing goes by age until the wall clock has kept step with the monotonic one for so long."""
JUMP_S = 60.0
CLOCKS_SET_SINCE_S = 1_577_836_800.0
"""2020-01-01. What is dated earlier was written before the clock was set."""
_MAGIC = b"\x89MCAP0\r\n"
_HEADER = _MAGIC + b"\x01"
_HEADER_LENGTH = len(_HEADER) + 8
_PROFILE = len(PROFILE).to_bytes(4, "little") + PROFILE.encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class OldFile:
    """One file of the family that is not protected."""

    name: str
    number: int
    """Counts up in the order in which they were begun."""
    size_bytes: int
    """What it takes on the disk."""
    written_s: float
    """When something was last written to it, on the system's clock."""


class Retention:
    """Watches over one family of recordings; for one thread."""

    def __init__(
        self, path: Path, keep: Keep, say: Callable[[str], None], *, site: str, gateway: str
    ) -> None:
        """`path` is what the gateway's recorder was told to write; `say` is told of deletions."""
        self._path, self._keep, self._say = path, keep, say
        self._owner = site, gateway
        self._ours: dict[tuple[str, int], bool] = {}
        self._clocks_apart_s: float | None = None
        self._even_from_s = 0.0
        self._room_again_s = float("-inf")

    def tend(
        self, now_s: float, monotonic_s: float, writing: Collection[Path], *, has_room: bool = True
    ) -> int:
        """Delete what is beyond the limits, the oldest first; gives how many.

        For age one file goes at most, and one where there is no room. Those that are being written,
        or protected, stay. Raises nothing: what can't be deleted is said and passed over.
        """
        believed = self._clocks_are_even(now_s, monotonic_s)
        if not self._keep.wanted:
            return 0
        try:
            folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            return 0  # nothing has been recorded there yet
        try:
            files = self._files(folder)
            ages_s = _ages_s(files, now_s)
            total = sum(file.size_bytes for file in files)
            busy = {path.name for path in writing}
            by_age, by_room = believed, not has_room and monotonic_s >= self._room_again_s
            deleted = 0
            for file in files:
                if file.name in busy or abs(now_s - file.written_s) < BUSY_S:
                    continue
                why = self._too_large(total)
                if not why and by_age:
                    why = self._too_old(ages_s[file.number])
                    by_age = bool(why)
                if not why and by_room:
                    why = "the disk was nearly full"
                if not why or not self._delete(folder, file, why):
                    continue
                total -= file.size_bytes
                deleted += 1
                by_age = by_room = False
                if not has_room:  # first see what that gave
                    self._room_again_s = monotonic_s + ROOM_EVERY_S
            return deleted
        finally:
            os.close(folder)

    def _clocks_are_even(self, now_s: float, monotonic_s: float) -> bool:
        """Tell whether the wall clock has not jumped for long enough that ages are believed."""
        before_s, self._clocks_apart_s = self._clocks_apart_s, now_s - monotonic_s
        if before_s is None or abs(self._clocks_apart_s - before_s) > JUMP_S:
            self._even_from_s = monotonic_s + EVEN_FOR_S
        return monotonic_s >= self._even_from_s

    def _too_large(self, total: float) -> str:
        limit = self._keep.size_bytes
        if limit is None or total <= limit:
            return ""
        return f"recordings took {total / 1e9:.1f} of {limit / 1e9:g} GB"

    def _too_old(self, age_s: float) -> str:
        limit_s = self._keep.age_s
        if limit_s is None or age_s <= limit_s:
            return ""
        return f"older than {limit_s / 86_400:g} days"

    def _files(self, folder: int) -> list[OldFile]:
        """List the family but what is protected, the oldest first; each is looked into once."""
        found, known = [], {}
        try:
            names = os.listdir(folder)
        except OSError:
            return []
        for name in names:
            number = number_in(name, self._path)
            if number is None or _is_there(f"{name}{KEEP_SUFFIX}", folder):
                continue
            with contextlib.suppress(OSError):  # it is gone, or can't be read: not ours
                status = os.stat(name, dir_fd=folder, follow_symlinks=False)
                if not stat.S_ISREG(status.st_mode):
                    continue
                key = name, status.st_ino
                known[key] = self._ours.get(key) or _is_of(self._owner, name, folder)
                if known[key]:
                    found.append(
                        OldFile(
                            name=name,
                            number=number,
                            size_bytes=status.st_blocks * 512,
                            written_s=status.st_mtime,
                        )
                    )
        self._ours = known
        return sorted(found, key=lambda file: file.number)

    def _delete(self, folder: int, file: OldFile, why: str) -> bool:
        place = self._path.with_name(file.name)
        try:
            os.unlink(file.name, dir_fd=folder)
        except OSError as error:
            self._say(f"{place}: can't be deleted ({why}): {error.strerror}")
            return False
        self._say(f"{place}: deleted ({file.size_bytes / 1e6:.0f} MB): {why}")
        return True


def _ages_s(files: Collection[OldFile], now_s: float) -> dict[int, float]:
    """Tell how old each file is, by its number, given the oldest first.

    Dated in the future or before clocks were set, it is as old as the one after it.
    """
    ages_s, later_s = {}, now_s
    for file in reversed(list(files)):
        if CLOCKS_SET_SINCE_S < file.written_s <= now_s:
            later_s = file.written_s
        ages_s[file.number] = now_s - later_s
    return ages_s


def _is_of(owner: tuple[str, str], name: str, folder: int) -> bool:
    """Tell whether a file is a recording of this site's gateway; links are not followed."""
    number = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    with os.fdopen(number, "rb") as file:
        begin = file.read(_HEADER_LENGTH + len(_PROFILE))
        if not begin.startswith(_HEADER) or begin[_HEADER_LENGTH:] != _PROFILE:
            return False
        run = run_in(file)
    return run is not None and (run.site, run.gateway) == owner


def _is_there(name: str, folder: int) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    except OSError:
        return True  # who can't tell deletes nothing
    return True
