"""All that the control room watches of gateways by itself: silence, refused and missing messages.

Knows nothing about MQTT, journals or pages: it hands over alarms of the control room's own.
"""

from collections.abc import Iterable, Iterator

from control_room.clock_watch import ClockWatch
from control_room.completeness import CompletenessWatch
from control_room.heartbeat import HeartbeatWatch
from control_room.lifecycle import Entry
from control_room.own_alarms import CLOCK, MISSING, REFUSED, SILENT, TWINS, cleared
from control_room.refusals import RefusalWatch
from control_room.twins import TwinWatch
from delivery.guard import FormerRunError
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
        self._twins = TwinWatch(clock)
        self._clocks = ClockWatch(clock)
        self._beat_due_s = clock.monotonic_s()

    def carry_on(self, entries: Iterable[Entry]) -> list[Own]:
        """Take over the alarms of our own that an earlier run raised and nobody has cleared.

        Gives those, cleared, that have been raised anew before the journal could be read.
        """
        on: dict[
            str, HeartbeatWatch | RefusalWatch | CompletenessWatch | TwinWatch | ClockWatch
        ] = {
            SILENT: self._heartbeats,
            REFUSED: self._refusals,
            MISSING: self._completeness,
            TWINS: self._twins,
            CLOCK: self._clocks,
        }
        over = list[Own]()
        for entry in entries:
            place, last = (entry.key.site, entry.key.gateway), entry.last
            if entry.cleared_at_ns is not None or last.kind not in on:
                continue
            anew = on[last.kind].carry_on(*place, last)
            if anew.id != last.id:
                text = f"The control room was started again and tells of it as {anew.id}."
                over.append((*place, cleared(last, self._clock.now_ns(), text)))
        return over

    def expect(self, site: str, gateway: str) -> None:
        """Wait for a gateway from now on."""
        self._heartbeats.expect(site, gateway)

    def forget(self, place: Place) -> None:
        """Wait for a gateway no more; who is refused in its name is refused all the same."""
        for watch in (self._heartbeats, self._completeness, self._twins, self._clocks):
            watch.forget(*place)

    def hear(self, place: Place, envelope: Envelope) -> Iterator[Own]:
        """Take what a gateway says of itself; gives what that raises or clears."""
        body, found = envelope.body, [self._twins.hear(*place, envelope)]
        if isinstance(body, GatewayHealth):
            found += [
                self._heartbeats.beat(*place),
                self._completeness.hear(*place, body),
                self._clocks.hear(*place, envelope),
            ]
        elif isinstance(body, GatewayState):
            found += [self._heartbeats.hear(*place, body)]
        for anomaly in found:
            if anomaly is not None:
                yield (*place, anomaly)

    def refuse(self, address: Address, error: RefusedError) -> Iterator[Own]:
        """Take note of a message that was refused; gives the alarm about it, if it is new."""
        place = (address.site, address.gateway)
        what = address.topic if address.id is None else f"{address.topic}/{address.id}"
        if isinstance(error, FormerRunError) and self._twins.is_now(*place, error.envelope):
            anomaly = self._twins.hear(*place, error.envelope)
        else:
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
        return [*self._refusals.check(), *self._completeness.check(), *self._twins.check()]

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
