"""All that the control room watches by itself: silence, refused and missing messages, clocks.

Knows nothing about MQTT, journals or pages: it hands over alarms of the control room's own.
"""

from collections.abc import Iterable, Iterator
from typing import Protocol

from control_room.clock_watch import ClockWatch
from control_room.completeness import CompletenessWatch
from control_room.heartbeat import HeartbeatWatch
from control_room.lifecycle import Entry, Key
from control_room.own_alarms import CLOCK, MISSING, REFUSED, SILENT, TROUBLE, TWINS, cleared
from control_room.own_trouble import OwnTrouble
from control_room.own_word import OwnWord
from control_room.refusals import RefusalWatch
from control_room.twins import TwinWatch
from delivery.guard import FormerRunError
from delivery.signing import RefusedError
from delivery.trust import Distrusted
from scene.clock import Clock
from scene.messages import Anomaly, ControlRoomBeat, GatewayHealth, GatewayState
from scene.topics import HEARTBEAT_S, Address
from scene.wire import Envelope

_Watch = HeartbeatWatch | RefusalWatch | CompletenessWatch | TwinWatch | ClockWatch | OwnTrouble


class Raised(Protocol):
    """Whatever remembers the alarm that it has raised."""

    raised: Anomaly | None


Own = tuple[str, str, Anomaly]
"""Site, gateway, and the alarm about it."""
Place = tuple[str, str]
"""Site and gateway."""


class Watches:
    """The watches on all gateways; to be used by one thread at a time."""

    def __init__(self, clock: Clock, host: str | None = None) -> None:
        """Start; `host` is what this machine is called, should several have a control room."""
        self._clock = clock
        self._heartbeats = HeartbeatWatch(clock)
        self._refusals = RefusalWatch(clock)
        self._completeness = CompletenessWatch(clock)
        self._twins = TwinWatch(clock)
        self._clocks = ClockWatch(clock, host)
        self._trouble = OwnTrouble(clock, host)
        self._beat_due_s = clock.monotonic_s()

    def carry_on(self, entries: Iterable[Entry]) -> list[Own]:
        """Take over the alarms of our own that an earlier run raised and nobody has cleared.

        Gives those, cleared, that have been raised anew before the journal could be read.
        """
        on: dict[str, _Watch] = {
            SILENT: self._heartbeats,
            REFUSED: self._refusals,
            MISSING: self._completeness,
            TWINS: self._twins,
            CLOCK: self._clocks,
            TROUBLE: self._trouble,
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

    def raised(self) -> dict[Key, Raised]:
        """Give what has an alarm that is raised, by that alarm."""
        watches: tuple[_Watch, ...] = (
            *(self._heartbeats, self._refusals, self._completeness),
            *(self._twins, self._clocks, self._trouble),
        )
        return {
            Key(site=place[0], gateway=place[1], alarm=one.raised.id): one
            for watch in watches
            for place, one in watch.raised()
            if one.raised is not None
        }

    def is_over(self, entry: Entry) -> None:
        """Take it that an alarm of ours is over by somebody else's doing.

        What an operator has ended is not said again for the same reason; what another control room
        has cleared, which took it for its own, is raised anew if it is still so here.
        """
        one = self.raised().get(entry.key)
        if one is None or entry.cleared_at_ns is None:
            return
        if entry.ending is None:
            one.raised = None
        elif isinstance(one, OwnWord):
            one.end()

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
            ]
            self._clocks.hear(*place, envelope)
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
        watches = (self._refusals, self._completeness, self._twins, self._clocks)
        return [one for watch in watches for one in watch.check()]

    def trouble(self, *, connected: bool, broker: str, journal: str) -> Iterable[Own]:
        """Give what there is to say of the control room itself, told what is wrong with what."""
        return self._trouble.check(connected=connected, broker=broker, journal=journal)

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
