"""One drill: which gateway it is about, and what is seen of a fault, and when.

Knows nothing about single faults. It looks at the outbox on disk and at the record of processes,
ten times a second at most.
"""

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from delivery.outbox import Outbox, OutboxError
from edge.faults.record import GatewayRecord, running_gateway
from edge.faults.undo import undone
from scene.clock import SystemClock
from scene.messages import Anomaly
from scene.site import Site

LOOK_EVERY_S = 0.1
NEWEST = 1000
"""What is waited for is among so many alarms, newest first."""


@dataclass(slots=True, kw_only=True)
class Drill:
    """One fault from before its beginning to its end."""

    site: Site
    folder: Path
    """The gateway's state folder."""
    gateway: GatewayRecord
    """As it was before the fault."""
    within_s: float | None
    """Instead of each limit; none keeps them."""
    say: Callable[[str], None]
    begun_ns: int = field(default_factory=time.time_ns)
    begun_s: float = field(default_factory=time.monotonic)
    missed: list[str] = field(default_factory=list)
    """What was not seen within its limit."""
    _outbox: Outbox | None = None

    @property
    def outbox(self) -> Outbox:
        """The gateway's outbox; raises `OutboxError`."""
        self._outbox = self._outbox or Outbox(self.folder, SystemClock())
        return self._outbox

    def close(self) -> None:
        """Close the outbox; it opens again when it is needed."""
        outbox, self._outbox = self._outbox, None
        if outbox is not None:
            outbox.close()

    @contextmanager
    def undone(self, undo: Callable[[], None], *, after_s: float) -> Iterator[None]:
        """Run the block, then `undo`, whatever happens to this process: see `edge/faults/undo.py`.

        The outbox is closed before: SQLite's must not be carried over into a forked process.
        """
        self.close()
        with undone(undo, after_s=after_s):
            yield

    def begin(self, what: str) -> None:
        """Say what is done now, and count the time from here."""
        self.say(what)
        self.begun_ns, self.begun_s = time.time_ns(), time.monotonic()

    def wait(self, what: str, seen: Callable[[], bool], limit_s: float) -> bool:
        """Wait until something is seen, and say when it was, counted from `begin`.

        `limit_s` counts from now. What is not seen in time is said, too, and noted in `missed`.
        """
        limit_s = limit_s if self.within_s is None else self.within_s
        until_s = time.monotonic() + limit_s
        while not self._seen(seen):
            if time.monotonic() >= until_s:
                self.missed.append(what)
                self.say(f"NOT SEEN within {limit_s:g} s: {what}")
                return False
            time.sleep(LOOK_EVERY_S)
        self.say(f"{what} after {time.monotonic() - self.begun_s:.1f} s")
        return True

    def rest_until(self, after_s: float) -> None:
        """Wait until so long after `begin`."""
        time.sleep(max(0.0, self.begun_s + after_s - time.monotonic()))

    def wait_for_alarm(
        self, kinds: Collection[str], about: str, limit_s: float
    ) -> tuple[Anomaly, ...]:
        """Wait for an alarm that was raised since `begin`; gives it, or nothing if it isn't seen.

        `about` is the service's or camera's name, empty where there is none.
        """
        found: list[Anomaly] = []

        def raised() -> bool:
            found.extend(self.active(kinds, about, since_ns=self.begun_ns)[:1])
            return bool(found)

        named = " or ".join(kinds)
        if self.wait(f"alarm {named} raised", raised, limit_s):
            self.say(f'  it says: "{found[0].evidence}"')
        return tuple(found)

    def wait_for_receipt(self, alarms: Collection[Anomaly], limit_s: float) -> None:
        """Wait until the control room has said that it has stored these alarms."""
        for alarm in alarms:
            what = f"alarm {alarm.kind} in the control room's journal (receipt)"
            self.wait(what, lambda alarm=alarm: self._receipted(alarm), limit_s)  # type: ignore[misc]

    def wait_for_clearing(self, kinds: Collection[str], about: str, limit_s: float) -> None:
        """Wait until no such alarm is active any more."""
        self.wait(
            f"alarm {' or '.join(kinds)} cleared", lambda: not self.active(kinds, about), limit_s
        )

    def active(self, kinds: Collection[str], about: str, *, since_ns: int = 0) -> list[Anomaly]:
        """List the active alarms of some kinds about a service or camera, newest first."""
        # A camera may be named `cam1`, and another one `cam1-left`.
        stems = {f"{kind}-{about}" if about else kind for kind in kinds}
        return [
            alarm
            for alarm in self.outbox.active()
            if alarm.id.rpartition("-")[0] in stems and alarm.raised_at_ns >= since_ns
        ]

    def is_anew(self, service: str, before: int) -> bool:
        """Tell whether a service is up in another process than before."""
        now = running_gateway(self.folder)
        row = None if now is None else now.services.get(service)
        return row is not None and row.up and row.pid != before

    def _seen(self, seen: Callable[[], bool]) -> bool:
        try:
            return seen()
        except OutboxError:  # somebody else is writing, or its disk hangs: look again
            return False

    def _receipted(self, alarm: Anomaly) -> bool:
        if alarm.state == "cleared" and not self.outbox.is_cleared(alarm):
            return False
        waiting = self.outbox.pending(limit=NEWEST)
        return all((one.id, one.state) != (alarm.id, alarm.state) for one in waiting)
