"""Clocks that don't agree are an alarm: counts put times right, recordings and evidence can't.

Knows nothing about MQTT; it asks the clock that it was given. Told by heartbeats, which are never
sent late. Whose clock is wrong is put to the vote (`clock_majority.py`): where it is this control
room's, that is one alarm of its own and none of any gateway.
"""

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from socket import gethostname

from control_room import clock_words
from control_room.clock_majority import AGREE_S, OFF_S, Majority, majority
from control_room.complaints import printable
from control_room.own_alarms import CLOCK, OURSELVES
from control_room.own_word import OwnWord
from scene.clock import Clock
from scene.messages import Anomaly
from scene.wire import Envelope

BEATS = 9
"""The middle one of so many heartbeats decides, so that a network that stalls for some seconds, and
then hands everything on at once, is no clock."""
HEARD_S = 5.0
"""Who has not been heard for so long has no vote: how its clock is now nobody knows. With what is
heard then it begins anew: a line that is cut first hands on what waited, and that looks like a
clock that is slow. Half of `HOLD_S`, so that this is over before it is said."""
HOLD_S = 10.0
"""So long it must be so before it is said. A clock that is set shows in one gateway's heartbeats
after the other's, and meanwhile looks like another one's fault."""
SET_TOLD_S = 60.0
"""For so long it is part of what is said that our own clock was set."""

Place = tuple[str, str]
"""Site and gateway."""


@dataclass(slots=True, kw_only=True)
class _Gateway:
    word: OwnWord
    heard_s: float = -math.inf
    off_s: deque[float] = field(default_factory=lambda: deque(maxlen=BEATS))

    @property
    def middle_s(self) -> float:
        return sorted(self.off_s)[BEATS // 2]


class ClockWatch:
    """Raises `clock_off`; to be used by one thread at a time."""

    def __init__(self, clock: Clock, host: str | None = None) -> None:
        """Start; `host` is what this machine is called, should several have a control room."""
        self._clock = clock
        self._host = printable(host or gethostname())[:60]
        self._gateways: dict[Place, _Gateway] = {}
        self._ours = OwnWord(clock, CLOCK, self._host, hold_s=HOLD_S)
        self._ahead_s = self._wall_ahead_s()
        self._set: tuple[float, float] | None = None
        """By how much our own clock was set last, and when."""

    def carry_on(self, site: str, gateway: str, alarm: Anomaly) -> Anomaly:
        """Go on with an alarm that an earlier run raised; gives it, or what was raised anew.

        One about another control room, which shares our journal, is left to that one.
        """
        if (site, gateway) != OURSELVES:
            return self._of(site, gateway).word.carry_on(alarm)
        return self._ours.carry_on(alarm) if self._ours.is_ours(alarm) else alarm

    def raised(self) -> Iterator[tuple[Place, OwnWord]]:
        """Give what has an alarm that is raised."""
        words = [(place, one.word) for place, one in self._gateways.items()]
        for place, word in [(OURSELVES, self._ours), *words]:
            if word.raised is not None:
                yield place, word

    def forget(self, site: str, gateway: str) -> None:
        """Know nothing of a gateway."""
        self._gateways.pop((site, gateway), None)

    def hear(self, site: str, gateway: str, envelope: Envelope) -> None:
        """Take a heartbeat."""
        found, now_s = self._of(site, gateway), self._clock.monotonic_s()
        if now_s - found.heard_s > HEARD_S:
            found.off_s.clear()
        found.heard_s = now_s
        found.off_s.append((self._clock.now_ns() - envelope.sent_at_ns) / 1e9)

    def check(self) -> Iterator[tuple[str, str, Anomaly]]:
        """Give (site, gateway, alarm) where something is to be said that was not so before."""
        now_s = self._clock.monotonic_s()
        was_set = self._note_set(now_s)
        live = {
            place: one
            for place, one in self._gateways.items()
            if len(one.off_s) == BEATS and now_s - one.heard_s <= HEARD_S
        }
        for place, one in self._gateways.items():
            if place not in live:
                one.word.pause()
        if not live:
            self._ours.pause()
            return
        off_s = {place: one.middle_s for place, one in live.items()}
        most = majority(list(off_s.values()), doubted=self._ours.raised is not None)
        yield from self._about_us(most, was_set)
        for place, one in live.items():
            why = _why(off_s[place], most, told=one.word.raised is not None)
            if why:
                text = clock_words.of_gateway(off_s[place], most, was_set)
            else:
                text = clock_words.gateway_is_right(off_s[place], most)
            if (changed := one.word.say(why, text)) is not None:
                yield (*place, changed)

    def _about_us(self, most: Majority, was_set: str) -> Iterator[tuple[str, str, Anomaly]]:
        if most.ours_is_off:
            why = "outvoted" if most.is_sure else "in doubt"
            changed = self._ours.say(why, clock_words.of_ours(self._host, most, was_set))
        else:
            changed = self._ours.say("", clock_words.ours_is_right(self._host, most))
        if changed is not None:
            yield (*OURSELVES, changed)

    def _note_set(self, now_s: float) -> str:
        """Notice that our own clock was set; gives how that is said, while it is news."""
        before_s, self._ahead_s = self._ahead_s, self._wall_ahead_s()
        if abs(self._ahead_s - before_s) > OFF_S:
            self._set = self._ahead_s - before_s, now_s
        if self._set is None or now_s - self._set[1] > SET_TOLD_S:
            return ""
        return clock_words.our_set(self._set[0], now_s - self._set[1])

    def _wall_ahead_s(self) -> float:
        return self._clock.now_ns() / 1e9 - self._clock.monotonic_s()

    def _of(self, site: str, gateway: str) -> _Gateway:
        place = (site, gateway)
        if place not in self._gateways:
            word = OwnWord(self._clock, CLOCK, gateway, hold_s=HOLD_S)
            self._gateways[place] = _Gateway(word=word)
        return self._gateways[place]


def _why(off_s: float, most: Majority, *, told: bool) -> str:
    """Tell why a gateway's clock is to be told of; empty where it is not."""
    by_s = abs(off_s - most.off_s)
    if most.ours_is_off:  # who goes by ours, or by most, is not the one to be told of
        by_s = min(by_s, abs(off_s))
    if by_s <= (AGREE_S if told else OFF_S):
        return ""
    return "outvoted" if most.gateways else "in doubt"
