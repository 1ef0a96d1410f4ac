"""Which part of a gateway's positions is lost on the way: they are sent once and never again.

Knows nothing about MQTT; it asks the clock that it was given.
"""

from collections import deque

from scene.clock import Clock

OVER_S = 60.0
Place = tuple[str, str]
"""Site and gateway."""


class LossRate:
    """Counts over the last minute; to be used by one thread at a time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._counts: dict[Place, deque[tuple[float, int, int]]] = {}
        """When, heard, lost; one entry a second."""

    def note(self, place: Place, *, heard: int = 0, lost: int = 0) -> None:
        """Note messages that were heard, or numbers that were jumped."""
        now_s = self._clock.monotonic_s()
        counts = self._counts.setdefault(place, deque(maxlen=round(OVER_S)))
        if counts and now_s - counts[-1][0] < 1.0:
            at_s, heard_before, lost_before = counts.pop()
            counts.append((at_s, heard_before + heard, lost_before + lost))
        else:
            counts.append((now_s, heard, lost))

    def forget(self, place: Place) -> None:
        """Know nothing of a gateway."""
        self._counts.pop(place, None)

    def shares(self) -> dict[Place, float]:
        """Tell 0..1 for every gateway that has lost some within the last minute."""
        since_s, found = self._clock.monotonic_s() - OVER_S, {}
        for place, counts in self._counts.items():
            recent = [(heard, lost) for at_s, heard, lost in counts if at_s >= since_s]
            lost = sum(one for _, one in recent)
            if lost:
                found[place] = lost / (lost + sum(heard for heard, _ in recent))
        return found
