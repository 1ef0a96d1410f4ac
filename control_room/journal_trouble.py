"""What is wrong with the journal, by who writes alarms and by who tries now and then.

Knows nothing about journals; it asks the clock that it was given.
"""

import math

from scene.clock import Clock

SAID_AGAIN_S = 3.0
"""What could not be stored is said again after 2 s: what is older was not, or was stored."""


class JournalTrouble:
    """May be used from several threads."""

    def __init__(self, clock: Clock) -> None:
        """Know of none."""
        self._clock = clock
        self._said = self._found = ""
        self._said_s = -math.inf

    @property
    def text(self) -> str:
        """Say what is wrong; empty when nothing is."""
        return self._said or self._found

    @property
    def said(self) -> str:
        """Say what went wrong for who writes alarms."""
        return self._said

    def note(self, error: Exception) -> None:
        """Take what went wrong when something was to be stored or read."""
        self._said, self._said_s = str(error), self._clock.monotonic_s()

    def end(self) -> None:
        """Take it that something was stored or read."""
        self._said = ""

    def tried(self, found: str) -> None:
        """Take what was found wrong by who tries now and then; empty when it can be written.

        Of a word that was refused once, and is never said again, nobody else tells that it is over.
        """
        self._found = found
        if not found and self._clock.monotonic_s() - self._said_s > SAID_AGAIN_S:
            self._said = ""
