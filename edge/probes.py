"""Is this gateway alive, and does it do its work: what a container's probes are answered.

Knows nothing about HTTP. It is asked in the sending process, of which the supervisor looks that it
lives; so what is left to tell is whether the supervisor does, and whether the pipeline works.
"""

from collections.abc import Iterator
from pathlib import Path

from delivery.outbox import Outbox, OutboxError
from edge.outlet import DirectOutlet
from edge.storage_watch import look_at
from scene.clock import Clock

ALIVE, READY = "/healthz", "/readyz"
"""Paths: who is not alive shall be started again, who is not ready waits for somebody to look."""
SUPERVISOR = "supervisor"
"""Its row in the reports about processes."""
SUPERVISOR_LIMIT_S = 15.0
"""A supervisor that hangs for 10 s is started anew by its guardian: only then by a container's."""
LOOK_EVERY_S = 1.0
"""The outbox is tried so often at most, however often somebody asks: alarms use it, too."""
PIPELINE_LIMIT_S = 5.0
"""A heartbeat comes each second; a pipeline that hangs is started again within 3 s."""


class Probes:
    """Tells in words what is wrong; each question to be asked in one thread."""

    def __init__(self, outlet: DirectOutlet, outbox: Outbox, folder: Path, clock: Clock) -> None:
        """Ask `outlet` for what came last; `folder` is where the outbox lies."""
        self._outlet, self._outbox, self._folder, self._clock = outlet, outbox, folder, clock
        self._up_s: float | None = None
        self._turned_s = clock.monotonic_s()
        """When its age was last seen to have grown: it had come round."""
        self._looked_s, self._found = -LOOK_EVERY_S, list[str]()

    def trouble(self) -> str:
        """Say why the gateway should be started again; empty while it is alive.

        Whoever is asked again and again tells it one question late at most.
        """
        up_s = next((one.up_s for one in self._outlet.services if one.name == SUPERVISOR), None)
        if up_s is not None and up_s != self._up_s:
            self._up_s, self._turned_s = up_s, self._clock.monotonic_s()
        quiet_s = self._clock.monotonic_s() - self._turned_s
        if quiet_s <= SUPERVISOR_LIMIT_S:
            return ""
        return f"the supervisor has not come round for {quiet_s:.0f} s"

    def unready(self) -> str:
        """Say why it does not do its work now; empty while it does.

        A broker that is away is no reason: alarms wait in the outbox, and the siren sounds here.
        """
        last, reasons = self._outlet.last, [self.trouble()]
        quiet_s = self._clock.monotonic_s() - last.health_s
        if last.health is None:
            reasons.append("the pipeline has not begun")
        elif quiet_s > PIPELINE_LIMIT_S:
            reasons.append(f"the pipeline has said nothing for {quiet_s:.0f} s")
        now_s = self._clock.monotonic_s()
        if now_s - self._looked_s >= LOOK_EVERY_S:
            self._found, self._looked_s = list(self._look()), now_s
        return "; ".join(filter(None, [*reasons, *self._found]))

    def _look(self) -> Iterator[str]:
        try:
            self._outbox.receipts(())  # a write that changes nothing
        except OutboxError:
            yield "alarms can't be written to the outbox"
        if look_at(self._folder).trouble:
            yield "the disk of the state folder can't take anything"
