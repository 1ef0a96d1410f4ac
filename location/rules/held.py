"""For how long something has held, counted by looks.

Knows nothing about what it is.
"""

from dataclasses import dataclass

GRACE_S = 0.5
"""A condition that breaks for no longer than this, or for one look, counts as unbroken."""
S = 1_000_000_000


@dataclass(slots=True)
class Held:
    """For how long a condition has held by looks, short breaks forgiven. Nanoseconds."""

    looked_ns: int = 0
    """Between looks that showed it."""
    waited_ns: int = 0
    """Since the last of them came, while predictions still show it."""
    broken_ns: int = 0
    breaks: int = 0
    """Looks since then that did not show it."""
    holds: bool = False
    """It has begun to hold."""

    @property
    def held_s(self) -> float:
        """Prediction counts no longer than what looks have shown."""
        return (self.looked_ns + min(self.waited_ns, self.looked_ns)) / S

    def look(self, shows: bool, step_ns: int) -> None:
        """Take a new look, so long after the last one."""
        if shows:
            if self.holds and (not self.breaks or step_ns <= GRACE_S * S):
                self.looked_ns += step_ns
            self.waited_ns, self.broken_ns, self.breaks, self.holds = 0, 0, 0, True
        elif self.holds:
            self.waited_ns, self.broken_ns = 0, self.broken_ns + step_ns
            self.breaks += 1
            if self.breaks > 1 and self.broken_ns > GRACE_S * S:
                self.looked_ns, self.broken_ns, self.breaks, self.holds = 0, 0, 0, False

    def wait(self, shows: bool, step_ns: int) -> None:
        """Take a prediction from the same look, so long after the last message."""
        if shows and self.holds and not self.breaks:
            self.waited_ns += step_ns
