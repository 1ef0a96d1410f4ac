"""Notices that a rig file has been replaced, and gets the new tables ready aside.

Knows nothing about who replaced it, or what is done with the new rig. The running panorama goes on
meanwhile; the file is looked at, not waited for.
"""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from scene.errors import RigError
from scene.rig import Rig, load_rig

Ready = TypeVar("Ready")
Stamp = tuple[int, int, int]


class RigWatch(Generic[Ready]):
    """`poll` now and then, from one thread; it never waits."""

    def __init__(self, path: Path, rig: Rig, prepare: Callable[[Rig], Ready]) -> None:
        """`prepare` makes what a rig needs; it runs in a thread of its own."""
        self.trouble = ""
        """Why a changed rig file is not taken over; empty when nothing is wrong."""
        self._path, self._prepare = path, prepare
        self._rig = rig
        # Not the stamp of now: the file may have changed since the rig was read.
        self._stamp: Stamp | None = None
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
        if stamp is None or stamp == self._stamp:
            return None
        self._stamp = stamp
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
            self.trouble = f"{error}; the rig that was in force goes on"
        except Exception as error:  # the panorama goes on with the old rig, and says so
            self.trouble = f"{self._path}: can't be taken over: {error}; the old rig goes on"


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
