"""All that the control room watches of gateways by itself: silence, refused and missing messages.

Knows nothing about MQTT, journals or pages: it hands over alarms of the control room's own.
"""

from collections.abc import Iterable, Iterator

from control_room.completeness import CompletenessWatch
from control_room.heartbeat import HeartbeatWatch
from control_room.lifecycle import Entry
from control_room.own_alarms import MISSING, REFUSED, SILENT
from control_room.refusals import RefusalWatch
from delivery.signing import RefusedError
from delivery.trust import Distrusted
from scene.clock import Clock
from scene.messages import Anomaly, ControlRoomBeat, GatewayHealth, GatewayState
from scene.topics import HEARTBEAT_S, Address
from scene.wire import Envelope

Own = tuple[str, str, Anomaly]
"""Site, gateway, and the alarm about it."""
Place = tuple[str, str]
"""Site and gateway."""


class Watches:
    """The watches on all gateways; to be used by one thread at a time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heartbeats = HeartbeatWatch(clock)
        self._refusals = RefusalWatch(clock)
        self._completeness = CompletenessWatch(clock)
        self._beat_due_s = clock.monotonic_s()

    def carry_on(self, entries: Iterable[Entry]) -> None:
        """Take over the alarms of our own that an earlier run raised and nobody has cleared."""
        for entry in entries:
            place, last = (entry.key.site, entry.key.gateway), entry.last
            if entry.cleared_at_ns is not None:
                continue
            if last.kind == SILENT:
                self._heartbeats.expect(*place, already_raised=last)
            elif last.kind == REFUSED:
                self._refusals.carry_on(*place, last)
            elif last.kind == MISSING:
                self._completeness.carry_on(*place, last)

    def expect(self, site: str, gateway: str) -> None:
        """Wait for a gateway from now on."""
        self._heartbeats.expect(site, gateway)

    def hear(self, place: Place, envelope: Envelope) -> Iterator[Own]:
        """Take what a gateway says of itself; gives what that raises or clears."""
        body, found = envelope.body, list[Anomaly | None]()
        if isinstance(body, GatewayHealth):
            found = [self._heartbeats.beat(*place), self._completeness.hear(*place, body)]
        elif isinstance(body, GatewayState):
            found = [self._heartbeats.hear(*place, body)]
        for anomaly in found:
            if anomaly is not None:
                yield (*place, anomaly)

    def refuse(self, address: Address, error: RefusedError) -> Iterator[Own]:
        """Take note of a message that was refused; gives the alarm about it, if it is new."""
        place = (address.site, address.gateway)
        what = address.topic if address.id is None else f"{address.topic}/{address.id}"
        anomaly = self._refusals.refuse(*place, what, error)
        if anomaly is not None:
            yield (*place, anomaly)

    def distrust(self, files: Iterable[Distrusted]) -> list[Own]:
        """Take note of files of keys that can't be used now; gives the alarms that are new."""
        return self._refusals.distrust(files)

    def miss(self, place: Place, jumped: int) -> None:
        """Take note that so many alarm messages were sent and not heard."""
        self._completeness.gap(*place, jumped)

    def silent(self) -> list[Own]:
        """Give an alarm for every gateway that has fallen silent."""
        return self._heartbeats.check()

    def check(self) -> list[Own]:
        """Give what else has changed since last time."""
        return [*self._refusals.check(), *self._completeness.check()]

    def beats(
        self, healths: Iterable[tuple[Place, Envelope | None]], trouble: str
    ) -> Iterator[tuple[str, str, ControlRoomBeat]]:
        """Give the heartbeats to all gateways, if they are due; each echoes its gateway's last."""
        now_s, now_ns = self._clock.monotonic_s(), self._clock.now_ns()
        if now_s < self._beat_due_s:
            return
        self._beat_due_s = max(self._beat_due_s + HEARTBEAT_S, now_s + HEARTBEAT_S / 2)
        self._completeness.beat(now_ns)
        for place, heard in healths:
            beat = ControlRoomBeat(
                said_at_ns=now_ns,
                trouble=trouble,
                heard_run=0 if heard is None else heard.run,
                heard_seq=0 if heard is None else heard.seq,
            )
            yield (*place, beat)
