"""Takes frames from a camera's source, and opens it again and again where it is a live one.

Knows nothing about processes and threads, nor about other cameras.
"""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from edge.cameras.source import CameraSource, is_live
from edge.frame_ring import SourceState, SourceStatus
from scene.clock import Clock
from scene.errors import CameraError
from scene.messages import Frame
from scene.site import CameraConfig

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 3.0
"""With 1.3 s to connect, a camera that is there again is seen within 5 s."""
STEADY_S = 10.0
"""After so long without a failure the next pause is a short one again."""


class Shelf(Protocol):
    """Where a running camera puts its frames and its state."""

    def write(self, frame: Frame) -> int:
        """Put a frame there; gives its number."""
        ...

    def report(self, status: SourceStatus) -> None:
        """Say how the source is doing."""
        ...

    def alive(self) -> None:
        """Say that the camera's loop goes round."""
        ...


Opener = Callable[[], CameraSource]


def keep_going(
    config: CameraConfig,
    opener: Opener,
    shelf: Shelf,
    clock: Clock,
    stopping: threading.Event,
    *,
    trouble: str = "",
) -> None:
    """Take frames until `stopping`; a live camera is connected to again for ever.

    A file that ends leaves the state `ended`, one that can't be read `failed`. `trouble` is why
    this is not the first time; it is said until there are pictures.
    """
    pause_s = FIRST_PAUSE_S
    state: SourceState = "reconnecting" if trouble else "connecting"
    detail = trouble
    while not stopping.is_set():
        status = SourceStatus(state=state, detail=detail)
        shelf.report(status)
        started_s = clock.monotonic_s()
        try:
            note = _run_once(opener, shelf, status, stopping)
            if stopping.is_set():
                return
            shelf.report(SourceStatus(state="ended", detail=note or "the file has ended"))
            return
        except CameraError as error:
            detail = str(error)
        if not is_live(config):
            shelf.report(SourceStatus(state="failed", detail=detail))
            return
        state = "reconnecting"
        shelf.report(SourceStatus(state=state, detail=detail))
        if clock.monotonic_s() - started_s > STEADY_S:
            pause_s = FIRST_PAUSE_S
        stopping.wait(pause_s)
        pause_s = min(LONGEST_PAUSE_S, 2 * pause_s)


def _run_once(opener: Opener, shelf: Shelf, told: SourceStatus, stopping: threading.Event) -> str:
    """Take frames from one opened source until it ends; gives what it has to note.

    `told` is the state that was reported last. What comes without giving a picture is a sign of
    life, too: a camera whose pictures are damaged does not hang.
    """
    source = opener()

    def tell(now: SourceStatus) -> None:
        nonlocal told
        if now == told:
            shelf.alive()
            return
        shelf.report(now)
        told = now

    source.heard = lambda: tell(replace(told, corrupt_frames=source.corrupt_frames))
    try:
        for frame in source.frames():
            if stopping.is_set():
                break
            shelf.write(frame)
            tell(
                SourceStatus(
                    state="running",
                    detail=source.note,
                    corrupt_frames=source.corrupt_frames,
                    full_range=source.full_range,
                )
            )
        return source.note
    finally:
        source.close()
