"""Whether the control room is there and hears us: its silence must be known at the gateway, too.

Knows nothing about MQTT or about what is done then.
"""

import threading
from collections import deque
from pathlib import Path

from delivery.aside import NewestAside
from scene.clock import Clock
from scene.messages import ControlRoomBeat
from scene.topics import SILENT_AFTER_S

UNHEARD_AFTER_S = 6.0
"""A control room that has not echoed our heartbeat for so long does not hear us: a beat each way,
and the usual patience."""
STOPPED_S = 10.0
"""A newer start of our name that the control room has heard, and that has been silent for so long,
is over."""
MOST_RUN = 2**62
"""No start has such a number before the year 2116; who is not signed may say any."""
PATIENCE_S = 0.5
"""A disk that does not tell within so long whether there is a control room is not waited for."""
MOST_UNECHOED = 100
MOST_ROOMS = 4
"""Of so many control rooms the heartbeats are echoed."""


class Attendance:
    """Watches the control room's heartbeats; thread-safe."""

    def __init__(
        self, clock: Clock, *, run: int, expected: bool = False, memory: Path | None = None
    ) -> None:
        """Silence counts only once a control room was heard, or if one is `expected`.

        `run` is that of our own messages; `memory` is a file that remembers over restarts that a
        control room was heard. A crash before a disk that hangs has taken that costs no more than
        that: until one is heard again it counts as never heard.
        """
        self._clock, self._run, self._memory = clock, run, memory
        self._lock = threading.Lock()
        self._known = expected
        self._heard_at_s = clock.monotonic_s()
        self._present = False
        self._beats: dict[int, tuple[int, float]] = {}
        """By the control room's run: its newest beat, and when it was heard."""
        self._unechoed: deque[tuple[int, float]] = deque()
        self._newer: dict[int, tuple[tuple[int, int], float]] = {}
        """By the control room's run: run and number of what it last heard under our name, if that
        is newer than we are, and since when it was no other."""
        self.trouble = ""
        """Why the control room can't store alarms, by its own words."""
        self._disk: NewestAside | None = None
        if memory is not None:
            self._disk = NewestAside("attendance-memory", first=self._look_back)
            self._disk.settle(PATIENCE_S)

    def _look_back(self) -> None:
        """See whether a control room was heard before us; a disk that hung tells it late."""
        if self._memory is not None and self._memory.exists():
            self._known = True

    @property
    def known(self) -> bool:
        """Whether there is a control room at all, as far as is known."""
        return self._known

    def said(self, seq: int) -> None:
        """Note that a heartbeat of ours went out."""
        with self._lock:
            if len(self._unechoed) < MOST_UNECHOED:
                self._unechoed.append((seq, self._clock.monotonic_s()))

    def beats_ns(self) -> tuple[int, ...]:
        """Give the newest heartbeat of each control room that is heard now."""
        since_s = self._clock.monotonic_s() - SILENT_AFTER_S
        with self._lock:
            return tuple(said_ns for said_ns, at_s in self._beats.values() if at_s >= since_s)

    def beat(self, beat: ControlRoomBeat, run: int = 0) -> None:
        """Note a heartbeat of the control room; `run` is the number of its start."""
        with self._lock:
            self._beats.pop(run, None)
            self._beats[run] = (beat.said_at_ns, self._clock.monotonic_s())
            while len(self._beats) > MOST_ROOMS:
                del self._beats[next(iter(self._beats))]
            came_back = not self._present or self._is_silent()
            if came_back:
                self._unechoed.clear()
            self._note_newer(beat, run)
            if beat.heard_run == self._run:
                while self._unechoed and self._unechoed[0][0] <= beat.heard_seq:
                    self._unechoed.popleft()
            self._heard_at_s = self._clock.monotonic_s()
            self._present = True
            self.trouble = beat.trouble
            if not self._known:
                self._known = True
                if self._disk is not None and self._memory is not None:
                    self._disk.do(self._memory.touch)

    def silence(self) -> str:
        """Say why nobody is there who could act on an alarm; empty when somebody is."""
        with self._lock:
            if self._known and self._is_silent():
                silent_s = self._clock.monotonic_s() - self._heard_at_s
                return f"nothing heard from the control room for {silent_s:.1f} s"
        return self.unheard()

    def unheard(self) -> str:
        """Say that a control room speaks that does not hear us; empty when it does, or is silent.

        A broker says nothing when it drops heartbeats (QoS 0): this shows it.
        """
        with self._lock:
            if not self._present or self._is_silent() or not self._unechoed:
                return ""
            waited_s = self._clock.monotonic_s() - self._unechoed[0][1]
            if waited_s <= UNHEARD_AFTER_S:
                return ""
            return f"the control room has not heard our heartbeat for {waited_s:.1f} s"

    def outlived(self) -> int:
        """Give the number of a newer start of our name that is over; 0 where there is none.

        The control room believes the newest start only. Another gateway of our name (a copied disk,
        a spare) was switched off again; or our clock was set back and our last number was lost.
        """
        with self._lock:
            if not self._newer or self._is_silent():
                return 0
            last_s = max(since_s for _, since_s in self._newer.values())
            if self._clock.monotonic_s() - last_s < STOPPED_S:
                return 0
            return max(heard[0] for heard, _ in self._newer.values())

    def speak_anew(self, run: int) -> None:
        """Note that what we say has this number from now on."""
        with self._lock:
            self._run = run
            self._newer.clear()
            self._unechoed.clear()

    def _note_newer(self, beat: ControlRoomBeat, run: int) -> None:
        heard = beat.heard_run, beat.heard_seq
        if not self._run < beat.heard_run < MOST_RUN:
            self._newer.pop(run, None)
        elif run not in self._newer or self._newer[run][0] != heard:
            self._newer[run] = heard, self._clock.monotonic_s()
        self._newer = {room: one for room, one in self._newer.items() if room in self._beats}

    def _is_silent(self) -> bool:
        return self._clock.monotonic_s() - self._heard_at_s > SILENT_AFTER_S
