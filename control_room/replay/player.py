"""Plays a recording: forwards at any speed, from any instant, picture by picture.

Knows nothing about pages or brokers: it tells outlets. One thread plays; wishes may come from any.
"""

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from control_room.replay.judging import FED
from control_room.replay.known import How, Known
from control_room.replay.moments import moment_at, picture_before
from control_room.replay.outlets import Outlet
from control_room.replay.recorded_clock import RecordedClock
from control_room.replay.recording import Recording, is_message, is_of, is_picture
from control_room.replay.wishes import Loop, Play, Seek, Speed, Step, Wish
from delivery.recordings.format import PANORAMA, Record
from scene.clock import Clock
from scene.messages import PanoramaPacket, Positions
from scene.topics import parse_topic

TELL_S = 0.25
"""So often pages are told where it is."""
LATE_S = 0.5
"""A computer that is further behind than this plays slower than asked for, rather than in jumps."""
MOST_PICTURES_S, MOST_KEYS_S = 40.0, 12.0
"""More pictures a second than this nobody sees: then only key frames are shown, and not all."""


class Player:
    """Plays to its outlets until it is closed."""

    def __init__(
        self,
        recording: Recording,
        known: Known,
        outlets: Sequence[Outlet],
        clock: Clock,
        recorded: RecordedClock,
        *,
        span_ns: tuple[int, int] | None = None,
        at_ns: int | None = None,
        speed: float = 1.0,
        loop: bool = False,
        playing: bool = True,
    ) -> None:
        """Be ready to play `span_ns`, all of it by default, from `at_ns` on.

        `recorded` is set to the recording's time as it goes on.
        """
        self._recording, self._known, self._outlets = recording, known, outlets
        self._clock, self._recorded = clock, recorded
        self._from_ns, self._to_ns = span_ns or (recording.from_ns, recording.to_ns)
        self._at_ns = self._inside(self._from_ns if at_ns is None else at_ns)
        self._speed, self._loop, self._playing, self._ended = speed, loop, playing, False
        self._wishes: deque[Wish] = deque()
        self._some = threading.Condition()
        self._closed = False
        self._records: Iterator[Record] = iter(())
        self._next: Record | None = None
        self._anchor_s, self._anchor_ns = 0.0, self._at_ns
        self._heard_ns: dict[str, int] = {}
        """When each topic was heard last, on the recorder's clock; `picture` for pictures."""
        self._said_ns = -1
        """Up to here words on alarms have been said."""
        self._how = How.UNKNOWN
        """How the alarms were known that have been said."""
        self._heads_are_whole = False
        self._sending = _Thinning()
        self._told_s = -TELL_S
        self._told_marks: object = None

    def wish(self, wish: Wish) -> None:
        """Ask for something; it is done soon, of several jumps that wait only the last."""
        with self._some:
            if isinstance(wish, Seek) and self._wishes and isinstance(self._wishes[-1], Seek):
                self._wishes.pop()
            self._wishes.append(wish)
            self._some.notify()

    def close(self) -> None:
        """Have `run` return."""
        with self._some:
            self._closed = True
            self._some.notify()

    def run(self, *, exit_at_end: bool = False) -> None:
        """Play until it is closed; raises `RecordingError`, and what outlets raise."""
        self._go(self._at_ns)
        while not self._closed and not (exit_at_end and self._ended):
            with self._some:
                wish = self._wishes.popleft() if self._wishes else None
            if wish is not None:
                self._obey(wish)
            else:
                self._go_on()
            self._tell()

    def _obey(self, wish: Wish) -> None:
        if isinstance(wish, Seek):
            self._go(wish.at_ns)
        elif isinstance(wish, Step):
            self._step(forward=wish.forward)
        elif isinstance(wish, Play):
            if wish.on and self._ended:
                self._go(self._from_ns)
            elif not wish.on and self._sending.skips:
                self._go(self._at_ns)  # what is shown is the picture of this very instant
            self._playing = wish.on
        elif isinstance(wish, Speed):
            self._speed = wish.times
        elif isinstance(wish, Loop):
            self._loop = wish.on
        self._anchor()
        self._told_s = -TELL_S

    def _go(self, at_ns: int) -> None:
        """Go to an instant: everything is as if it had been played up to there."""
        self._at_ns = at_ns = self._inside(at_ns)
        self._begin(pictures=True)
        self._records = self._recording.file.records(
            from_ns=at_ns + 1,
            to_ns=self._to_ns,
            wanted=lambda one: is_message(one) or is_picture(one),
        )
        self._next, self._ended = None, False
        self._sending = _Thinning()
        self._anchor()
        self._told_s = -TELL_S

    def _begin(self, *, pictures: bool) -> None:
        moment = moment_at(self._recording, self._known, self._at_ns, pictures=pictures)
        self._heard_ns = {"picture": self._heard_ns.get("picture", 0)} if not pictures else {}
        for record in moment.said:
            topic = parse_topic(record.topic).topic
            self._heard_ns[topic] = max(record.at_ns, self._heard_ns.get(topic, 0))
        if moment.group:
            self._heard_ns["picture"] = moment.group[-1].at_ns
        self._said_ns = self._at_ns
        self._how, self._heads_are_whole = moment.how, moment.heads_are_whole
        self._recorded.set(self._at_ns)
        self._tell_marks()
        for outlet in self._outlets:
            outlet.begin(moment, self.status())

    def _go_on(self) -> None:
        """Say the next thing if it is due, or wait for it a little."""
        if not self._playing:
            self._wait(TELL_S)
            return
        record = self._peek()
        if record is None:
            self._reach_end()
            return
        if self._passed_gap(record):
            return
        now_s = self._clock.monotonic_s()
        wait_s = self._anchor_s + (record.at_ns - self._anchor_ns) / 1e9 / self._speed - now_s
        if wait_s > 0:
            gone_ns = round((now_s - self._anchor_s) * 1e9 * self._speed)
            self._set(min(record.at_ns - 1, max(self._at_ns, self._anchor_ns + gone_ns)))
            self._wait(min(wait_s, TELL_S))
            return
        self._feed(record)
        if wait_s < -LATE_S:
            self._anchor()

    def _feed(self, record: Record) -> None:
        self._next = None
        self._set(record.at_ns)
        was, self._how = self._how, min(self._how, self._known.how_at(record.at_ns))
        if was is How.JUDGED and self._how is not was:
            self._begin(pictures=False)  # what stands here may be another thing as recorded
        for mark in self._known.words(self._how, record.at_ns, after_ns=self._said_ns):
            for outlet in self._outlets:
                outlet.raise_alarm(mark)
        self._said_ns = record.at_ns
        if record.topic == PANORAMA:
            self._heard_ns["picture"] = record.at_ns
            if self._sending.is_wanted(record, self._speed, self._clock.monotonic_s()):
                for outlet in self._outlets:
                    outlet.show(record)
            return
        topic = parse_topic(record.topic).topic
        if topic in FED and is_of(record, self._recording):
            if topic != "tags":  # nothing on a page grows old for want of tags
                self._heard_ns[topic] = record.at_ns
            for outlet in self._outlets:
                outlet.say(record)

    def _step(self, *, forward: bool) -> None:
        self._playing = False
        if not forward:
            shown_ns = self._heard_ns.get("picture", self._at_ns)
            before_ns = picture_before(self._recording, shown_ns)
            self._go(self._end_before(shown_ns) if before_ns is None else before_ns)
            return
        if self._sending.skips:
            self._go(self._at_ns)
        while (record := self._peek()) is not None:
            if self._passed_gap(record):
                if "picture" in self._heard_ns:
                    return  # there is one of that very instant
                continue
            self._feed(record)
            if record.topic == PANORAMA or (
                isinstance(record.body, Positions) and not self._recording.has_pictures
            ):
                return
        self._reach_end()

    def _passed_gap(self, following: Record) -> bool:
        """Go to what follows at once where nothing was recorded: nobody may take that for quiet."""
        gap = self._recording.file.gap_at(self._at_ns)
        if gap is None or following.at_ns < gap.to_ns:
            return False
        self._go(gap.to_ns)
        return True

    def _end_before(self, at_ns: int) -> int:
        """Tell where the recording ended before the last gap, or else where it begins."""
        ends = [one.from_ns for one in self._recording.gaps if one.to_ns <= at_ns]
        return ends[-1] if ends else self._from_ns

    def _reach_end(self) -> None:
        if self._loop and self._playing and self._to_ns > self._from_ns:
            self._go(self._from_ns)
            return
        if self._sending.skips:
            self._go(self._to_ns)  # the last picture is shown, too
        self._set(self._to_ns)
        self._playing, self._ended = False, True
        for outlet in self._outlets:
            outlet.end()
        self._told_s = -TELL_S

    def _peek(self) -> Record | None:
        if self._next is None:
            self._next = next(self._records, None)
        return self._next

    def _inside(self, at_ns: int) -> int:
        return min(max(at_ns, self._from_ns), self._to_ns)

    def _set(self, at_ns: int) -> None:
        self._at_ns = at_ns
        self._recorded.set(at_ns)

    def _anchor(self) -> None:
        self._anchor_s, self._anchor_ns = self._clock.monotonic_s(), self._at_ns

    def _wait(self, wait_s: float) -> None:
        with self._some:
            if not self._wishes and not self._closed:
                self._some.wait(wait_s)

    def _tell(self) -> None:
        now_s = self._clock.monotonic_s()
        if now_s - self._told_s < TELL_S:
            return
        self._told_s = now_s
        self._catch_up()
        self._tell_marks()
        status = self.status()
        for outlet in self._outlets:
            outlet.tell(status)

    def _tell_marks(self) -> None:
        """Tell when alarms are raised, where more has been found."""
        marks = self._known.marks
        if marks is not self._told_marks:
            self._told_marks = marks
            for outlet in self._outlets:
                outlet.mark(self._raised())

    def _catch_up(self) -> None:
        """Say anew how it stands where more is known now about what was played."""
        how = self._known.how_at(self._at_ns)
        if how > self._how or (how is How.JUDGED and not self._heads_are_whole):
            self._begin(pictures=False)

    def _raised(self) -> list[dict[str, Any]]:
        """List when each alarm is raised, for a time line."""
        found: dict[str, dict[str, Any]] = {}
        for mark in self._known.marks:
            one = mark.anomaly
            if one.state == "active" and self._from_ns <= mark.at_ns <= self._to_ns:
                found.setdefault(
                    one.id,
                    {
                        "at_ns": mark.at_ns,
                        "id": one.id,
                        "kind": one.kind,
                        "severity": one.severity,
                        "site": self._recording.site,
                        "gateway": self._recording.gateway,
                    },
                )
        return list(found.values())

    def status(self) -> dict[str, Any]:
        """Tell how the replay stands; `quiet_s`: for how long nothing has been said on a topic."""
        return {
            "from_ns": self._from_ns,
            "to_ns": self._to_ns,
            "at_ns": self._at_ns,
            "playing": self._playing,
            "ended": self._ended,
            "speed": self._speed,
            "loop": self._loop,
            "alarms": {How.JUDGED: "judged", How.RECORDED: "recorded"}.get(self._how, ""),
            "judged_to_ns": min(self._known.judged_to_ns, self._to_ns),
            "recorded_to_ns": min(self._known.recorded_to_ns, self._to_ns),
            "unlike": self._known.unlike,
            "trouble": self._known.trouble,
            "gaps": [
                {"from_ns": one.from_ns, "to_ns": one.to_ns}
                for one in self._recording.gaps
                if one.to_ns > self._from_ns and one.from_ns < self._to_ns
            ],
            "quiet_s": {
                topic: round((self._at_ns - heard_ns) / 1e9, 3)
                for topic, heard_ns in self._heard_ns.items()
            },
        }


class _Thinning:
    """Leaves out pictures of which there are too many a second, so that all others can be shown."""

    def __init__(self) -> None:
        self.skips = False
        """Whether the pictures that follow can't be shown before the next key frame."""
        self._last_ns: int | None = None
        self._every_s = 0.0
        self._key_s = 0.0

    def is_wanted(self, record: Record, speed: float, now_s: float) -> bool:
        """Tell whether to send this picture."""
        assert isinstance(record.body, PanoramaPacket)
        if self._last_ns is not None:
            step_s = (record.at_ns - self._last_ns) / 1e9
            self._every_s = 0.9 * self._every_s + 0.1 * step_s if self._every_s else step_s
        self._last_ns = record.at_ns
        many = self._every_s > 0 and speed / self._every_s > MOST_PICTURES_S
        if record.body.key_frame:
            self.skips = many and now_s - self._key_s < 1 / MOST_KEYS_S
            if not self.skips:
                self._key_s = now_s
        elif many:
            self.skips = True
        return not self.skips
