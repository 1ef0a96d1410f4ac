"""One alarm of the control room's own, which stands as long as there is a reason for it.

Knows nothing about what the reasons are; it asks the clock that it was given.
"""

from dataclasses import replace

from control_room.own_alarms import cleared, raised
from scene.clock import Clock
from scene.messages import Anomaly


class OwnWord:
    """Raises it, says it anew when the reason becomes another one, and clears it."""

    def __init__(self, clock: Clock, kind: str, about: str, *, hold_s: float) -> None:
        """Say nothing yet; what is so for less than `hold_s` is not said."""
        self._clock = clock
        self._kind, self._about, self._hold_s = kind, about, hold_s
        self.raised: Anomaly | None = None
        """The alarm as it stands."""
        self._why = ""
        self._is_ended = False
        """Whether somebody has ended it as it stands."""
        self._other_since_s: float | None = None
        """Since when something else should be said."""

    def carry_on(self, alarm: Anomaly) -> Anomaly:
        """Go on with an alarm that an earlier run raised; gives it, or what was raised anew."""
        if self.raised is None:
            self.raised, self._why = alarm, "an earlier run's"
        return self.raised

    def is_ours(self, alarm: Anomaly) -> bool:
        """Tell whether an alarm is one of this kind and about the same."""
        named = raised(self._kind, self._about, 0, "").id
        return alarm.id.rpartition("-")[0] == named.rpartition("-")[0]

    def end(self) -> None:
        """Take it that somebody has ended it: for another reason it is raised anew."""
        self.raised, self._is_ended = None, True

    def pause(self) -> None:
        """Take it that nobody knows now: what was so before says nothing of how long it lasts."""
        self._other_since_s = None

    def say(self, why: str, text: str) -> Anomaly | None:
        """Take the reason (none: empty) and how that is said; gives the alarm where it is news."""
        now_s, now_ns = self._clock.monotonic_s(), self._clock.now_ns()
        if self.raised is None and not self._is_ended:
            self._why = ""  # another control room may have cleared what it took for its own
        if why == self._why:
            self._other_since_s = None
            return None
        if self._other_since_s is None:
            self._other_since_s = now_s
        if now_s - self._other_since_s < self._hold_s:
            return None
        before, self._why, self._other_since_s = self.raised, why, None
        self._is_ended = False
        if not why:
            self.raised = None
            return None if before is None else cleared(before, now_ns, text)
        if before is None:
            self.raised = raised(self._kind, self._about, now_ns, text)
        else:
            at_ns = max(now_ns, before.captured_at_ns + 1)
            self.raised = replace(before, captured_at_ns=at_ns, evidence=text)
        return self.raised
