"""The control room's own life: when it ran, when it heard nothing, when it could not write.

Knows nothing about gateways.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from control_room.shift_report.series import UNKNOWN, States
from control_room.shift_report.span import Span
from control_room.shift_report.told import RoomTold, Stretch

RUNS, NO_BROKER = "runs", "no_broker"
MOST_TOLD = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Lack:
    """A time in which something was amiss."""

    from_ns: int
    until_ns: int
    why: str = ""


@dataclass(slots=True)
class Lacks:
    """Such times; the first ones each, and how long all together."""

    first: list[Lack] = field(default_factory=list)
    times: int = 0
    held_ns: int = 0

    def add(self, from_ns: int, until_ns: int, why: str = "") -> None:
        """Take one more; one that goes on with the last one is that one."""
        self.held_ns += until_ns - from_ns
        if self.first and self.times == len(self.first):
            last = self.first[-1]
            if last.until_ns == from_ns and last.why == why:
                self.first[-1] = Lack(from_ns=last.from_ns, until_ns=until_ns, why=why)
                return
        self.times += 1
        if len(self.first) < MOST_TOLD:
            self.first.append(Lack(from_ns=from_ns, until_ns=until_ns, why=why))


class RoomLife:
    """What is known of the control room itself."""

    def __init__(self, span: Span) -> None:
        self._span = span
        self.states = States(span, (RUNS, NO_BROKER, UNKNOWN))
        self.unknown = Lacks()
        """When it did not run, or nothing was written down."""
        self.deaf = Lacks()
        """When it had no broker."""
        self.trouble = Lacks()
        """When the journal could not be written or read."""
        self.operators: int | None = None
        """How many shared the alarms, at last."""

    def add_all(self, found: Iterable[Stretch[RoomTold]]) -> None:
        """Take all that was told."""
        at_ns = self._span.from_ns
        for one in found:
            if one.from_ns > at_ns:
                self.unknown.add(at_ns, one.from_ns)
            at_ns = one.until_ns
            self.states.add(RUNS if one.told.broker else NO_BROKER, one.from_ns, one.until_ns)
            if not one.told.broker:
                self.deaf.add(one.from_ns, one.until_ns)
            if one.told.trouble:
                self.trouble.add(one.from_ns, one.until_ns, one.told.trouble)
            self.operators = max(1, one.told.operators)
        if at_ns < self._span.to_ns:
            self.unknown.add(at_ns, self._span.to_ns)

    @property
    def is_told(self) -> bool:
        """Whether anything is known of it at all."""
        return self.operators is not None

    @property
    def heard_ns(self) -> int:
        """For how long it is known that it ran and alarms could come in."""
        return self.states.held_ns[RUNS]

    def known(self) -> Iterator[int]:
        """Give the bins of which it is known all the time that it ran and heard."""
        return (index for index, state in enumerate(self.states.worst()) if state == RUNS)
