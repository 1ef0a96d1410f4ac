"""Brings frames of one instant together, from cameras that each go at their own pace.

Knows nothing about how frames are taken or what they show.
"""

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from edge.cameras.process import OVER, CameraHandle
from edge.cameras.source import CameraSource
from edge.frame_ring import NOTHING, SLOTS
from scene.messages import Frame

PATIENCE_S = 0.25
"""So long a picture waits for a camera that is late; then it is shown without."""
LONGEST_PATIENCE_S = 0.5
FIRST_REST_S = 2.0
LONGEST_REST_S = 30.0
"""A camera that was waited for in vain is not waited for again for so long, growing; until it is
silent and comes back."""
LOCKSTEP_SKEW_S = 0.02
UNKNOWN_PERIOD_S = 0.2
CLOCK_SET_NS = 1_000_000_000


class Together:
    """Gives the newest set of frames of one instant, again and again.

    An instant is the capture time of some camera's frame. To it belongs each camera's frame
    nearest in time, if that is within `max_skew_s`; a camera without one is left out, so that the
    panorama shows a hole there and never an old picture. A camera that is a little late is waited
    for, one that is dead holds the others up once for a moment and then no more.
    """

    def __init__(
        self,
        cameras: Sequence[CameraHandle],
        max_skew_s: float,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cameras = [_Follower(camera) for camera in cameras]
        self._skew_ns = round(max_skew_s * 1e9)
        self._monotonic_s = monotonic_s
        self._last_ns = 0
        self._waiting_since_s: float | None = None

    def newest(self) -> tuple[Frame, ...]:
        """Give the newest instant's frames in the order of the cameras; empty when none is new."""
        now_s = self._monotonic_s()
        for camera in self._cameras:
            camera.look(now_s)
        newest_ns = self._newest_ns(now_s)
        self._note_lags(newest_ns)
        self._follow_clock_back(newest_ns)
        instants = self._new_instants()
        if not instants:
            self._waiting_since_s = None
            return ()
        if self._waiting_since_s is None:
            self._waiting_since_s = now_s
        # Frames further back than this are no longer there to be shown with a late one.
        longest_lag_s = (SLOTS - 2) * min(camera.period_s for camera in self._cameras)
        awaited = [camera for camera in self._cameras if camera.is_awaited(now_s, longest_lag_s)]
        for instant_ns in reversed(instants):
            if all(camera.is_there(instant_ns, self._skew_ns) for camera in awaited):
                return self._take(instant_ns)
        longest_s = max((camera.period_s for camera in awaited), default=0.0)
        patience_s = min(LONGEST_PATIENCE_S, max(PATIENCE_S, 1.5 * longest_s))
        if now_s - self._waiting_since_s < patience_s:
            return ()
        best_ns = max(instants, key=lambda instant_ns: (self._count(instant_ns), instant_ns))
        for camera in awaited:
            if camera.nearest(best_ns, self._skew_ns) is None:
                camera.rest(now_s)
        return self._take(best_ns)

    def ended(self) -> bool:
        """Tell whether all cameras have come to their end and every frame has been given."""
        if not all(camera.handle.status().state in OVER for camera in self._cameras):
            return False
        for camera in self._cameras:
            camera.look(self._monotonic_s())
        return not self._new_instants()

    def _newest_ns(self, now_s: float) -> int | None:
        """Find the newest capture time; what a silent camera left behind says nothing of now."""
        found = [c.times[-1][1] for c in self._cameras if c.times and not c.is_silent(now_s)]
        return max(found, default=None)

    def _note_lags(self, newest_ns: int | None) -> None:
        """Note how far behind the newest picture of all each camera's newest one came."""
        for camera in self._cameras:
            if camera.is_fresh and newest_ns is not None:
                camera.lag_s = (newest_ns - camera.times[-1][1]) / 1e9

    def _follow_clock_back(self, newest_ns: int | None) -> None:
        """Begin anew when all capture times have gone back, as they do when a clock is set."""
        if newest_ns is not None and newest_ns < self._last_ns - CLOCK_SET_NS:
            self._last_ns = 0
            for camera in self._cameras:
                camera.forget_later_than(newest_ns + CLOCK_SET_NS)

    def _new_instants(self) -> list[int]:
        """List capture times later than the last set, oldest first."""
        shortest_s = min(camera.period_s for camera in self._cameras)
        from_ns = self._last_ns + round(0.7e9 * shortest_s) if self._last_ns else 0
        return sorted(
            {at_ns for camera in self._cameras for _, at_ns in camera.times if at_ns > from_ns}
        )

    def _count(self, instant_ns: int) -> int:
        return sum(
            camera.nearest(instant_ns, self._skew_ns) is not None for camera in self._cameras
        )

    def _take(self, instant_ns: int) -> tuple[Frame, ...]:
        self._last_ns, self._waiting_since_s = instant_ns, None
        frames = []
        for camera in self._cameras:
            number = camera.nearest(instant_ns, self._skew_ns)
            frame = None if number is None else camera.handle.read(number)
            if frame is not None:
                frames.append(frame)
                camera.misses = 0
        return tuple(frames)


class _Follower:
    """What is known of one camera's timing."""

    def __init__(self, handle: CameraHandle) -> None:
        self.handle = handle
        self.times: tuple[tuple[int, int], ...] = ()
        self.period_s = UNKNOWN_PERIOD_S
        self._half_step_ns = 0
        self.misses = 0
        self.is_fresh = False
        self.lag_s = 0.0
        self._came_s: float | None = None
        self._forgotten = NOTHING
        self._rests_until_s = -float("inf")

    def look(self, now_s: float) -> None:
        """Note what has come."""
        times = tuple(one for one in self.handle.times() if one[0] > self._forgotten)
        self.is_fresh = bool(times) and times[-1] != (self.times or (None,))[-1]
        if self.is_fresh:
            if self.is_silent(now_s):  # it comes back: it gets a new chance
                self._rests_until_s, self.misses = -float("inf"), 0
            self._came_s = now_s
            if len(times) > 1:
                steps_ns = sorted(b[1] - a[1] for a, b in itertools.pairwise(times))
                middle_ns = steps_ns[len(steps_ns) // 2]
                self._half_step_ns = middle_ns // 2
                self.period_s = max(0.001, middle_ns / 1e9)
        self.times = times

    def is_awaited(self, now_s: float, longest_lag_s: float) -> bool:
        """Tell whether a picture should wait for this camera."""
        if now_s < self._rests_until_s or self.lag_s > longest_lag_s:
            return False
        state = self.handle.status().state
        if self._came_s is None:
            return state in ("connecting", "running")
        return state not in OVER and not self.is_silent(now_s)

    def forget_later_than(self, at_ns: int) -> None:
        """Pass over pictures of a future that a clock set back has taken away."""
        later = [number for number, time_ns in self.times if time_ns > at_ns]
        self._forgotten = max(later, default=self._forgotten)
        self.times = tuple(one for one in self.times if one[0] > self._forgotten)

    def is_silent(self, now_s: float) -> bool:
        """Tell whether its next picture is long overdue."""
        return self._came_s is not None and now_s - self._came_s > PATIENCE_S + 2 * self.period_s

    def is_there(self, instant_ns: int, skew_ns: int) -> bool:
        """Tell whether the frame nearest to an instant is here, and no nearer one is to come."""
        if not self.times:
            return False
        caught_up = self.times[-1][1] + self._half_step_ns >= instant_ns
        return caught_up and self.nearest(instant_ns, skew_ns) is not None

    def nearest(self, instant_ns: int, skew_ns: int) -> int | None:
        """Give the number of the frame nearest to an instant, if that is near enough."""
        if not self.times:
            return None
        number, at_ns = min(self.times, key=lambda known: abs(known[1] - instant_ns))
        return number if abs(at_ns - instant_ns) <= skew_ns else None

    def rest(self, now_s: float) -> None:
        """Don't wait for it for a while."""
        self._rests_until_s = now_s + min(LONGEST_REST_S, FIRST_REST_S * 2**self.misses)
        self.misses = min(self.misses + 1, 10)


def lockstep(
    sources: Sequence[CameraSource],
    *,
    until: Literal["first_ends", "last_ends"] = "first_ends",
    max_skew_s: float = LOCKSTEP_SKEW_S,
) -> Iterator[tuple[Frame, ...]]:
    """Go through files side by side: one tuple per instant, in order, nothing dropped.

    Frames within `max_skew_s` of the earliest one make one tuple, in the order of `sources`. One
    that has no frame then (left out because it was damaged, or a slower camera) is not in it. Ends
    when the first source ends, or with `until="last_ends"` when all have.
    """
    iterators = [source.frames() for source in sources]
    heads: dict[int, Frame] = {}
    going = set(range(len(sources)))
    with contextlib.suppress(_OneEnded):
        while True:
            for index in sorted(going - set(heads)):
                frame = next(iterators[index], None)
                if frame is not None:
                    heads[index] = frame
                    continue
                going.discard(index)
                if until == "first_ends":
                    raise _OneEnded
            if not heads:
                return
            limit_ns = min(f.captured_at_ns for f in heads.values()) + round(max_skew_s * 1e9)
            now = [i for i in sorted(heads) if heads[i].captured_at_ns <= limit_ns]
            yield tuple(heads.pop(index) for index in now)


class _OneEnded(Exception):
    """A source has come to its end."""
