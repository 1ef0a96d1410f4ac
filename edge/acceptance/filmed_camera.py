"""A camera as its handle shows it, for somebody who has its frames already: it only counts them.

Knows nothing about pictures or processes.
"""

from edge.frame_ring import SourceStatus
from scene.messages import Frame


class FilmedCamera:
    """A `CameraHandle` that is told of its frames."""

    def __init__(self, name: str, said: SourceStatus) -> None:
        self.name = name
        self.said = said
        """What it says of itself."""
        self._count = 0
        self._captured_at_ns = 0

    def count(self, captured_at_ns: int) -> int:
        """Count one more frame; gives its number."""
        self._count, self._captured_at_ns = self._count + 1, captured_at_ns
        return self._count

    def start(self) -> None:
        """Nothing is to be started."""

    def stop(self) -> None:
        """Nothing is to be stopped."""

    def times(self) -> tuple[tuple[int, int], ...]:
        """Give the newest frame's number and time."""
        return ((self._count, self._captured_at_ns),) if self._count else ()

    def read(self, number: int) -> Frame | None:
        """Not to be asked: the frames are elsewhere."""
        raise NotImplementedError

    def latest(self, after: int = 0) -> tuple[Frame, int] | None:
        """Not to be asked: the frames are elsewhere."""
        raise NotImplementedError

    def status(self) -> SourceStatus:
        """Give what it says of itself."""
        return self.said
