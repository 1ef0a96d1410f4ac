"""Where a pipeline's results go: straight out, or to the process that sends them.

Knows nothing about how results come about. Under overload the panorama is shed first, then
positions and health; alarms never are: they go on disk (`edge/alarm_keeper.py`) and out at once.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from delivery.outbox import Outbox
from delivery.sayable import sayable
from edge.alarm_keeper import AlarmKeeper
from edge.line import LineIn, LineOut
from scene.messages import (
    Anomaly,
    GatewayHealth,
    PanoramaPacket,
    Positions,
    ServiceHealth,
)

if TYPE_CHECKING:  # the supervisor imports this module, and needs neither
    from delivery.publisher import Publisher
    from delivery.stream import StreamServer


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceReport:
    """How the gateway's processes are doing, for the next heartbeats."""

    services: tuple[ServiceHealth, ...]


@dataclass(slots=True, kw_only=True)
class Last:
    """What was sent last, and when by the monotonic clock; none before the first."""

    health: GatewayHealth | None = None
    health_s: float = 0.0
    people: int | None = None
    people_s: float | None = None
    panorama_s: float | None = None


Result = PanoramaPacket | Positions | Anomaly | GatewayHealth | ServiceReport

NOT_THE_PIPELINES = frozenset(
    {"service_failing", "storage", "delivery_trouble", "messages_missing", "message_refused"}
)
"""Kinds of alarms that the supervisor and the sender watch: a pipeline that is started again must
neither carry them on nor clear them."""
OLD_REPORT_S = 5.0
"""An older report about the processes is not repeated: its supervisor hangs."""

ALARMS, MESSAGES, PICTURES = range(3)
"""The lanes to the sending process, most urgent first."""
LIMITS = (10_000, 64, 8)
"""So many of each lane may wait; of alarms as many as could be raised in days."""


CRITICAL_WAIT_S = 0.05
"""Whoever raises a critical alarm waits so long for the disk: who is killed by force in the instant
after it must not take it along. A disk that hangs is waited for once, not for every alarm."""


class Outlet(Protocol):
    """Takes results; never waits for longer than a frame may take."""

    def send(self, result: Result) -> None:
        """Pass one result on."""
        ...


class DirectOutlet:
    """Sends from this very process."""

    def __init__(
        self,
        publisher: "Publisher",
        stream: "StreamServer",
        follow: Callable[[str], None] = lambda geometry: None,
    ) -> None:
        """`follow` is told each panorama's geometry before it is sent."""
        self._publisher = publisher
        self._stream = stream
        self._follow = follow
        self._services: tuple[ServiceHealth, ...] = ()
        self._reported_s = 0.0
        self.last = Last()

    @property
    def services(self) -> tuple[ServiceHealth, ...]:
        """How the gateway's processes are doing; empty when nobody tells any more."""
        return self._services if time.monotonic() - self._reported_s < OLD_REPORT_S else ()

    def send(self, result: Result) -> None:
        """Pass one result on, by its type."""
        now_s = time.monotonic()
        if isinstance(result, PanoramaPacket):
            self.last.panorama_s = now_s
            self._follow(result.geometry)
            self._stream.send(result)
        elif isinstance(result, Positions):
            self.last.people, self.last.people_s = len(result.people), now_s
            self._publisher.positions(result)
        elif isinstance(result, ServiceReport):
            self._services, self._reported_s = result.services, now_s
        elif isinstance(result, GatewayHealth):
            self.last.health, self.last.health_s = result, now_s
            health = replace(result, services=self.services) if self.services else result
            self._publisher.health(with_trouble(health, self._publisher.trouble))
        else:
            self._publisher.alarm(result)


class LineOutlet:
    """Hands results to the sending process, and alarms to the disk as well.

    A disk that hangs stops nothing: the alarm goes out all the same, and the heartbeat says that
    it is not safe. Who sends it puts it on the disk, too.

    What SIGKILL or a power cut can take along: an alarm that is not critical, within the
    milliseconds that the disk takes for it; and any alarm while the disk takes longer than
    `CRITICAL_WAIT_S` and the sender has not got it yet. A pipeline that is started again raises
    what still holds anew.
    """

    def __init__(self, line: LineOut, open_outbox: Callable[[], Outbox]) -> None:
        self._line = line
        self._keeper = AlarmKeeper(open_outbox, LIMITS[ALARMS])
        self._waits_for_key = False

    @property
    def trouble(self) -> str:
        """Why alarms are not safe on disk now; empty when they are. The heartbeat says it."""
        return self._keeper.trouble

    def active(self, *, of_supervisor: bool = False) -> list[Anomaly]:
        """List the alarms that are active on the disk; none when it can't be read.

        Those that the pipeline watches, or the others (`NOT_THE_PIPELINES`).
        """
        found = self._keeper.active()
        return [one for one in found if (one.kind in NOT_THE_PIPELINES) == of_supervisor]

    def reopen(self) -> None:
        """Open the outbox anew; opening it takes its reserve on the disk."""
        self._keeper.reopen()

    def settle(self, limit_s: float) -> bool:
        """Wait for the disk, so long at most; tells whether all alarms are safe on it."""
        return self._keeper.settle(limit_s)

    def send(self, result: Result) -> None:
        """Pass one result on; picture and positions are dropped when the other side is behind."""
        if isinstance(result, Anomaly):
            result = sayable(result)
            self._keeper.put(result)
            self._line.put(ALARMS, result)
            if result.severity == "critical":
                self._keeper.settle(CRITICAL_WAIT_S)
        elif isinstance(result, PanoramaPacket):
            self._show(result)
        elif isinstance(result, Positions):
            self._line.put(MESSAGES, result)
        else:
            self._keeper.try_again()
            if isinstance(result, GatewayHealth):
                result = with_trouble(result, self.trouble)
            self._line.put(MESSAGES, result)

    def _show(self, packet: PanoramaPacket) -> None:
        """Send a picture; after one that was shed only a key frame can be shown again."""
        behind = self._line.waiting(PICTURES) >= LIMITS[PICTURES]
        self._waits_for_key = behind or (self._waits_for_key and not packet.key_frame)
        if not self._waits_for_key:
            self._line.put(PICTURES, packet)


def with_trouble(health: GatewayHealth, trouble: str) -> GatewayHealth:
    """Say in a heartbeat that alarms are not safe on disk."""
    if not trouble or trouble in health.degraded:
        return health
    text = f"alarms are kept in memory only: {trouble}"
    return replace(health, degraded=f"{health.degraded}; {text}" if health.degraded else text)


def pass_on(line: LineIn, outlet: Outlet, wait_s: float) -> bool:
    """Carry one result to the outlet, alarms first; tells whether one came within `wait_s`."""
    result: Result | None = line.take(wait_s)
    if result is None:
        return False
    outlet.send(result)
    return True
