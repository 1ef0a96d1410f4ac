"""Whether a name alone tells whom an alarm is about, or two people have borne it at one time.

A gateway that loses somebody gives a new number later, and the name stays. But a name may be wrong
for a while: whom a gateway follows at once are two people, whatever they are called.
"""

from scene.messages import Anomaly, Positions

FRESH_S = 2.0
"""Positions further from an alarm's own instant say nothing of it."""
MOST_NAMES, MOST_TRACKS = 2000, 1000
"""Of so many names, and so many numbers of each, it is known; names are free to invent."""

_Name = tuple[str, str, str]
"""Site, gateway, worker."""


class Namesakes:
    """To be told of alarms as they come; to be used by one thread at a time."""

    def __init__(self) -> None:
        """Start knowing nothing: no alarm from before goes by its name."""
        self._tracks: dict[_Name, dict[int, bool]] = {}
        """Which numbers bore a name in an alarm, and whether it tells who that is."""

    def note(self, site: str, gateway: str, anomaly: Anomaly, positions: Positions | None) -> None:
        """Take a word on an alarm, and whom its gateway followed at the time."""
        if anomaly.track is None or anomaly.worker is None or positions is None:
            return
        if abs(anomaly.captured_at_ns - positions.captured_at_ns) > FRESH_S * 1e9:
            return
        name = (site, gateway, anomaly.worker)
        if name not in self._tracks and len(self._tracks) >= MOST_NAMES:
            del self._tracks[next(iter(self._tracks))]
        tracks = self._tracks.setdefault(name, {})
        tracks.setdefault(anomaly.track, True)
        here = {person.track for person in positions.people} | {anomaly.track}
        together = [track for track in tracks if track in here]
        if len(together) > 1:
            tracks.update(dict.fromkeys(together, False))
        if len(tracks) > MOST_TRACKS:
            del tracks[next(iter(tracks))]

    def goes_by_name(self, site: str, gateway: str, anomaly: Anomaly) -> bool:
        """Tell whether who has this name in another alarm is surely the same person."""
        if anomaly.track is None or anomaly.worker is None:
            return False
        return self._tracks.get((site, gateway, anomaly.worker), {}).get(anomaly.track, False)
