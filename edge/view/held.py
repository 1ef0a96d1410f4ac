"""A state that begins after some time of bad looks and ends after some time of good ones.

Knows nothing about what is looked at.
"""

GAP_S = 5.0
"""Looks further apart than this say nothing about the time between them."""


class Held:
    """`on` after looks have been bad for `after_s` on end, off after being good for `clear_s`.

    A look may be neither: it ends both runs.
    """

    def __init__(self, clear_s: float) -> None:
        self.on = False
        self.bad_since_s: float | None = None
        """When the present run of bad looks began; none in no such run."""
        self._clear_s = clear_s
        self._good_since_s: float | None = None
        self._looked_s = -float("inf")

    @property
    def suspect(self) -> bool:
        """Whether it may soon be on."""
        return not self.on and self.bad_since_s is not None

    def look(self, *, bad: bool, good: bool, after_s: float, now_s: float) -> bool:
        """Take a look; tells whether it has just become on."""
        if now_s - self._looked_s > GAP_S:
            self.bad_since_s = self._good_since_s = None
        self._looked_s = now_s
        self.bad_since_s = since(self.bad_since_s, now_s, bad)
        self._good_since_s = since(self._good_since_s, now_s, good)
        if self.on and self._good_since_s is not None:
            self.on = now_s - self._good_since_s < self._clear_s
        elif not self.on and self.bad_since_s is not None:
            self.on = now_s - self.bad_since_s >= after_s
            return self.on
        return False


def since(before_s: float | None, now_s: float, goes_on: bool) -> float | None:
    """Tell since when something goes on, given since when it did before; none when it does not."""
    if not goes_on:
        return None
    return now_s if before_s is None else before_s
