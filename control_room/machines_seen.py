"""Where machines are, as somebody who follows them says; told to viewers as JSON.

Knows nothing about who listens; it asks the clock that it was given.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from scene.clock import Clock
from scene.messages import Machines

MAX_MACHINES = 500
"""Of all sites together; more is a mistake or an attack."""


class MachinesSeen:
    """To be used by one thread at a time."""

    def __init__(self, clock: Clock) -> None:
        """Know of none yet."""
        self._clock = clock
        self._seen: dict[tuple[str, str], tuple[float, dict[str, Any]]] = {}
        """Of each site's machines when it was heard last, and where it is."""
        self._too_many: set[tuple[str, str]] = set()

    @property
    def passed_over(self) -> int:
        """So many are not listened to, as there are too many; no more are counted than told of."""
        return len(self._too_many)

    def hear(self, site: str, said: Machines) -> Iterator[str]:
        """Take machines' places of a site; gives what viewers are told of each."""
        for machine in said.machines:
            key = (site, machine.machine)
            if key not in self._seen and len(self._seen) >= MAX_MACHINES:
                if len(self._too_many) < MAX_MACHINES:
                    self._too_many.add(key)
                continue
            fields = {"site": site, **asdict(machine)}
            self._seen[key] = (self._clock.monotonic_s(), fields)
            yield json.dumps({"is": "machine", **fields})

    def told(self) -> list[dict[str, Any]]:
        """List them all with the age of what is known, in seconds."""
        now_s = self._clock.monotonic_s()
        return [fields | {"age_s": round(now_s - at_s, 3)} for at_s, fields in self._seen.values()]

    def clear(self) -> None:
        """Forget them all."""
        self._seen.clear()
