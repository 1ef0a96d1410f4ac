"""Notices that a rig file has been replaced, and gets the new tables ready aside.

Knows nothing about who replaced it, or what is done with the new rig. The running panorama goes on
meanwhile; the file is looked at, not waited for.
"""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from scene.clock import Clock
from scene.errors import RigError
from scene.rig import Rig, load_rig

Ready = TypeVar("Ready")
Stamp = tuple[int, int, int]
RETRY_S = 10.0
"""A file that could not be read or prepared is tried again after so long: a disk may have been
full, or a folder not there for a moment."""


class RigWatch(Generic[Ready]):
    """`poll` now and then, from one thread; it never waits."""

    def __init__(self, path: Path, rig: Rig, prepare: Callable[[Rig], Ready], clock: Clock) -> None:
        """`prepare` makes what a rig needs; it runs in a thread of its own."""
        self.trouble = ""
        """Why a changed rig file is not taken over; empty when nothing is wrong."""
        self._path, self._prepare, self._clock = path, prepare, clock
        self._rig = rig
        # Not the stamp of now: the file may have changed since the rig was read.
        self._stamp: Stamp | None = None
        self._retry_s = float("inf")
        self._work: threading.Thread | None = None
        self._ready: Ready | None = None

    @property
    def busy(self) -> bool:
        """Whether a changed file is being looked into, or its result has not been taken yet."""
        return self._work is not None

    def poll(self) -> Ready | None:
        """Give what a new rig needs, once it is ready; begin to make it when the file changed."""
        if self._work is not None:
            if self._work.is_alive():
                return None
            self._work, ready, self._ready = None, self._ready, None
            return ready
        stamp = _stamp(self._path)
        if stamp is None:
            return None
        if stamp == self._stamp and self._clock.monotonic_s() < self._retry_s:
            return None
        self._stamp, self._retry_s = stamp, float("inf")
        self._work = threading.Thread(target=self._make, name="new-rig", daemon=True)
        self._work.start()
        return None

    def _make(self) -> None:
        try:
            rig = load_rig(self._path)
            if rig.id == self._rig.id:
                self.trouble = ""
                return
            problem = misfit(self._rig, rig)
            if problem:
                self.trouble = f"{self._path}: {problem}"
                return
            self._ready = self._prepare(rig)
            self._rig, self.trouble = rig, ""
        except RigError as error:
            self._failed(f"{error}; the rig that was in force goes on")
        except Exception as error:  # the panorama goes on with the old rig, and says so
            self._failed(f"{self._path}: can't be taken over: {error}; the old rig goes on")

    def _failed(self, trouble: str) -> None:
        self.trouble, self._retry_s = trouble, self._clock.monotonic_s() + RETRY_S


def misfit(old: Rig, new: Rig) -> str:
    """Say why a running gateway can't go over to another rig; empty when it can."""
    if [camera.name for camera in old.cameras] != [camera.name for camera in new.cameras]:
        return "holds other cameras than before; start the gateway again to take it over"
    if old.surface.size_px != new.surface.size_px:
        return "makes a panorama of another size; start the gateway again to take it over"
    return ""


def _stamp(path: Path) -> Stamp | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
