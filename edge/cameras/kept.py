"""A live camera whose process somebody else keeps going: its newest frames, out of the ring.

Knows nothing about that process. Whoever reads may die and begin anew; the camera goes on, and
neither connects again nor waits for its next key frame.
"""

from edge.frame_ring import NOTHING, FrameRing, SourceStatus
from scene.messages import Frame
from scene.site import CameraConfig

Kept = tuple[tuple[CameraConfig, FrameRing], ...]
"""Cameras that somebody keeps going, and where their frames are; pickles while one spawns."""


class KeptCamera:
    """Reads a ring from now on.

    What was in the ring before may be old, and must not pass for what the camera sees now.
    """

    def __init__(self, ring: FrameRing) -> None:
        self._ring = ring
        self._before = max((number for number, _ in ring.times()), default=NOTHING)

    @property
    def name(self) -> str:
        """The camera's name in the site file."""
        return self._ring.camera

    def start(self) -> None:
        """Do nothing: it was started."""

    def stop(self) -> None:
        """Do nothing: it goes on."""

    def times(self) -> tuple[tuple[int, int], ...]:
        """List what can be read now, oldest first: (number, captured_at_ns) each."""
        return tuple(one for one in self._ring.times() if one[0] > self._before)

    def read(self, number: int) -> Frame | None:
        """Give the frame of that number; none when it is there no more."""
        return self._ring.read(number) if number > self._before else None

    def latest(self, after: int = NOTHING) -> tuple[Frame, int] | None:
        """Give the newest frame and its number, if that is larger than `after`."""
        return self._ring.latest(max(after, self._before))

    def status(self) -> SourceStatus:
        """Tell how the source is doing."""
        return self._ring.status()
