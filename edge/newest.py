"""A slot between two threads that holds the newest frames only.

Knows nothing about what they are for.
"""

import threading

from edge.pipeline import Frames


class NewestFrames:
    """The taker never gets old frames, the giver never waits."""

    def __init__(self) -> None:
        self._frames: Frames | None = None
        self._filled = threading.Condition()

    def give(self, frames: Frames) -> None:
        """Put frames in the slot, over whatever is there."""
        with self._filled:
            self._frames = frames
            self._filled.notify()

    def take(self, wait_s: float) -> Frames | None:
        """Take the frames out, or nothing when none come for `wait_s`."""
        with self._filled:
            self._filled.wait_for(lambda: self._frames is not None, wait_s)
            frames, self._frames = self._frames, None
            return frames
