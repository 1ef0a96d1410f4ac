"""Whether a name alone tells whom an alarm is about, or two people have borne it.

A gateway that loses somebody gives a new number later, and the name stays. But a name may be wrong
for a while: whom a gateway follows at once are two people, whatever they are called.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from scene.messages import Anomaly, Positions

FRESH_S = 2.0
"""Positions further from an alarm's own instant say nothing of it."""
MOST_NAMES, MOST_TRACKS = 2000, 500
"""Of so many names, and so many numbers of each, it is known; names are free to invent."""

_Name = tuple[str, str, str]
"""Site, gateway, worker."""


@dataclass(slots=True)
class _Numbers:
    """Of one name."""

    bore_it: dict[int, None] = field(default_factory=dict)
    """In an alarm, or while one was raised."""
    others: dict[int, None] = field(default_factory=dict)
    """Who were followed beside the one whom an alarm was about, or were called otherwise."""
    doubtful: bool = False
    """Whether somebody is in both, or has another name, too: then it says nothing of anybody."""


class Namesakes:
    """To be told of alarms as they come; to be used by one thread at a time."""

    def __init__(self) -> None:
        """Start knowing nothing: no alarm from before goes by its name."""
        self._names: dict[_Name, _Numbers] = {}

    def note(self, site: str, gateway: str, anomaly: Anomaly, positions: Positions | None) -> None:
        """Take a word on an alarm, and whom its gateway followed at the time."""
        if anomaly.track is None or anomaly.worker is None or positions is None:
            return
        if abs(anomaly.captured_at_ns - positions.captured_at_ns) > FRESH_S * 1e9:
            return
        called = {person.track: person.worker for person in positions.people}
        alike = {track for track, worker in called.items() if worker == anomaly.worker}
        if called.get(anomaly.track) in (None, anomaly.worker):
            called.pop(anomaly.track, None)
        name = (site, gateway, anomaly.worker)
        known = self._names.pop(name, None) or _Numbers()
        self._names[name] = known  # as the newest
        if len(self._names) > MOST_NAMES:
            del self._names[next(iter(self._names))]
        _add(known.bore_it, alike | {anomaly.track})
        _add(known.others, called)
        if known.bore_it.keys() & known.others.keys():
            known.doubtful = True
        self._doubt_who_has_two_names(site, gateway, anomaly.track)

    def goes_by_name(self, site: str, gateway: str, anomaly: Anomaly) -> bool:
        """Tell whether who has this name in another alarm is surely the same person."""
        if anomaly.track is None or anomaly.worker is None:
            return False
        known = self._names.get((site, gateway, anomaly.worker))
        return known is not None and not known.doubtful and anomaly.track in known.bore_it

    def _doubt_who_has_two_names(self, site: str, gateway: str, track: int) -> None:
        """Doubt all the names of a number that has borne several: one of them is another's."""
        names = [
            known
            for name, known in self._names.items()
            if name[:2] == (site, gateway) and track in known.bore_it
        ]
        for known in names if len(names) > 1 else ():
            known.doubtful = True


def _add(known: dict[int, None], tracks: Iterable[int]) -> None:
    """Note numbers as the newest; those that have not come for longest go."""
    for track in sorted(tracks):
        known.pop(track, None)
        known[track] = None
    for track in list(known)[: max(0, len(known) - MOST_TRACKS)]:
        del known[track]
