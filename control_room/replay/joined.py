"""Several recordings of one gateway, read as if they were one: a recorder begins a new file hourly.

Knows nothing about how they are played. Which file has what time is known at once, each is opened
when something in it is asked for, and the next one beforehand, so that playing on never waits.
"""

import heapq
import os
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from mcap.records import Channel
from mcap.records import Message as McapMessage

from delivery.recordings.format import FOR_A_RERUN, FRAME_TOPIC, VIDEO_TOPIC, Record, time_text
from delivery.recordings.outline import is_finished, place_of, refuse_strangers, span_of
from delivery.recordings.reader import KEY_WITHIN_NS, RecordingFile, Wanted
from delivery.recordings.survey import END_MISSING
from scene.errors import RecordingError
from scene.messages import PanoramaPacket

Tell = Callable[[str], None]
Channelled = tuple[Channel, McapMessage]
T = TypeVar("T")

GAP_NS = 10_000_000_000
"""Where nothing was recorded for longer, between two files, it is a gap."""
BOTH_NS = 90_000_000_000
"""At a change of files two recorders write the same for some moments, no longer than this."""
SEAM_NS = 2_000_000_000
"""The later file's pictures may begin so long after the end of the one before."""
WRITTEN_S = 5.0
"""A recorder writes every second."""
MOST_OPEN = 4
"""The index of an hour's file takes some 20 MB of memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """There is no recording between two files; recorder's clock, UTC ns."""

    from_ns: int
    to_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One file of several."""

    path: Path
    from_ns: int
    to_ns: int
    since_ns: int
    """From here on it is read: what came before is another file's."""

    @property
    def is_cut(self) -> bool:
        """Whether some of its beginning is left out."""
        return self.since_ns > self.from_ns


class Joined:
    """Reads from anywhere in several files; to be used by one thread at a time."""

    def __init__(self, paths: Sequence[Path], tell: Tell) -> None:
        """Look from when to when each file is; `tell` is told what is missing, once it is seen.

        Of several those that can't be read are left out. Raises `RecordingError` where none can
        be, and where the files are of different gateways.
        """
        self._tell = tell
        self._opener = ThreadPoolExecutor(1, thread_name_prefix="open-recording")
        self._opened: OrderedDict[Path, Future[RecordingFile]] = OrderedDict()
        self._seams: dict[int, _Seam | None] = {}
        self.parts = _in_line(_of_one_place(paths, tell), tell)
        """By time; never empty."""
        self._gone = set[int]()
        """Which of them can't be opened any more."""
        self.gaps = self._gaps()
        """Where there is no recording, by time; a file that is deleted meanwhile becomes one."""
        self._grows = _is_being_written(self.parts[-1].path)
        if self._grows:
            tell(
                f"{self.parts[-1].path}: is being written just now, or was cut off: it is played "
                f"up to {time_text(self.parts[-1].to_ns)}"
            )

    def span_ns(self) -> tuple[int, int]:
        """Tell when the first and the last thing in them was received."""
        return self.parts[0].from_ns, self.parts[-1].to_ns

    def gap_at(self, at_ns: int) -> Gap | None:
        """Give the gap that an instant is in, its first one included."""
        return next((one for one in self.gaps if one.from_ns <= at_ns < one.to_ns), None)

    def part_at(self, at_ns: int) -> Part:
        """Give the file that has an instant; in a gap the one before, before all the first."""
        return self.parts[self._index_at(at_ns)]

    def records(
        self, *, from_ns: int | None = None, to_ns: int | None = None, wanted: Wanted | None = None
    ) -> Iterator[Record]:
        """Give records by time, each once, as `RecordingFile.records` does."""

        def of(index: int, low_ns: int | None) -> Iterator[tuple[int, Record]]:
            seam, file = self._seam(index), self._file(index)
            awaits_key = self.parts[index].is_cut and low_ns == self.parts[index].since_ns
            for record in file.records(from_ns=low_ns, to_ns=to_ns, wanted=wanted):
                body = record.body
                if isinstance(body, PanoramaPacket):
                    awaits_key = awaits_key and not body.key_frame
                    captured_ns = body.positions.captured_at_ns
                    if awaits_key or (seam and seam.has_picture(record.at_ns, captured_ns)):
                        continue
                elif seam and seam.has_word(record.at_ns, record.payload):
                    continue
                yield record.at_ns, record

        return self._by_time(from_ns, to_ns, of)

    def messages(
        self, *, wanted: Wanted | None = None, check_sums: bool = False
    ) -> Iterator[Channelled]:
        """Give all messages as they lie in the files, by time, each once.

        With `check_sums` all bytes of each file are checked as it ends, and what is wrong is told.
        """

        def of(index: int, _low_ns: int | None) -> Iterator[tuple[int, Channelled]]:
            seam, file = self._seam(index), self._file(index)
            for channel, message in file.messages(wanted=wanted):
                at_ns = message.log_time
                if at_ns < self.parts[index].since_ns:
                    continue
                if seam is not None:
                    again = (
                        seam.has_picture(at_ns, message.publish_time)
                        if channel.topic in (FRAME_TOPIC, VIDEO_TOPIC)
                        else seam.has_word(at_ns, message.data)
                    )
                    if again:
                        continue
                yield at_ns, (channel, message)
            if check_sums:
                file.check_sum()

        return self._by_time(None, None, of)

    def last(self, wanted: Wanted, at_ns: int) -> Record | None:
        """Give the last record at or before a time that can be understood.

        Looked for is in two files at most, and never across a gap; none where there is none.
        """
        index = self._index_at(at_ns)
        for one in (index, index - 1):
            if one < 0 or (one < index and self._is_gap_before(index)):
                break
            found = self._last_in(one, wanted, at_ns)
            if found is not None:
                return found
        return None

    def key_frame_before(self, at_ns: int) -> int | None:
        """Tell when the last key frame up to a time was received; none within two minutes.

        Nor across a gap: what was to be seen before it is not how it stands after it.
        """
        index = self._index_at(at_ns)
        part, seam = self.parts[index], self._seam(index)
        found = self._key_in(index, at_ns)
        if found is not None and found < part.since_ns:
            found = None  # it is left out
        repeats = found is not None and seam is not None and self._repeats(index, found, seam)
        if (found is not None and not repeats) or index == 0 or part.is_cut:
            return found
        if self._is_gap_before(index) or at_ns - self.parts[index - 1].to_ns > KEY_WITHIN_NS:
            return found
        earlier = self._key_in(index - 1, at_ns)
        return found if earlier is None else earlier

    def close(self) -> None:
        """Open nothing any more."""
        self._opener.shutdown(wait=True, cancel_futures=True)

    def _gaps(self) -> tuple[Gap, ...]:
        left = [part for index, part in enumerate(self.parts) if index not in self._gone]
        ends = [self.parts[0].from_ns, *(part.to_ns for part in left)]
        begins = [*(part.since_ns for part in left), self.parts[-1].to_ns]
        return tuple(
            Gap(from_ns=ended_ns, to_ns=begun_ns)
            for ended_ns, begun_ns in zip(ends, begins, strict=True)
            if begun_ns - ended_ns > GAP_NS
        )

    def _is_gap_before(self, index: int) -> bool:
        return self.parts[index].since_ns - self.parts[index - 1].to_ns > GAP_NS

    def _index_at(self, at_ns: int) -> int:
        return max(0, sum(one.since_ns <= at_ns for one in self.parts) - 1)

    def _by_time(
        self,
        from_ns: int | None,
        to_ns: int | None,
        of: Callable[[int, int | None], Iterator[tuple[int, T]]],
    ) -> Iterator[T]:
        """Merge what files give, each of which is begun when its time comes."""
        waiting = deque(
            index
            for index, part in enumerate(self.parts)
            if (from_ns is None or part.to_ns >= from_ns)
            and (to_ns is None or part.since_ns <= to_ns)
        )
        heads: list[tuple[int, int, T, Iterator[tuple[int, T]]]] = []

        def push(index: int, stream: Iterator[tuple[int, T]]) -> None:
            head = self._or(index, lambda: next(stream, None), None)
            if head is not None:
                heapq.heappush(heads, (head[0], index, head[1], stream))

        while heads or waiting:
            while waiting and (not heads or self.parts[waiting[0]].since_ns <= heads[0][0]):
                index = waiting.popleft()
                part = self.parts[index]
                low_ns = part.since_ns if part.is_cut else None
                if from_ns is not None:
                    low_ns = max(from_ns, low_ns or 0)
                push(index, of(index, low_ns))
                if waiting:
                    self._open(waiting[0])
            if heads:
                _, index, item, stream = heapq.heappop(heads)
                yield item
                push(index, stream)

    def _seam(self, index: int) -> "_Seam | None":
        """Tell what the file before has of a file's beginning; none where nothing."""
        if index not in self._seams:
            part = self.parts[index]
            before = self.parts[index - 1] if index else None
            near = before is not None and part.since_ns <= before.to_ns + SEAM_NS
            self._seams[index] = None
            if near and before is not None and not part.is_cut:
                low_ns = min(part.from_ns, before.to_ns) - SEAM_NS
                until_ns = before.to_ns + SEAM_NS
                self._seams[index] = self._or(
                    index - 1, lambda: _Seam(self._file(index - 1), low_ns, until_ns), None
                )
        return self._seams[index]

    def _last_in(self, index: int, wanted: Wanted, at_ns: int) -> Record | None:
        return self._or(index, lambda: self._file(index).last(wanted, at_ns), None)

    def _key_in(self, index: int, at_ns: int) -> int | None:
        return self._or(index, lambda: self._file(index).key_frame_before(at_ns), None)

    def _repeats(self, index: int, at_ns: int, seam: "_Seam") -> bool:
        """Tell whether the picture of that very instant is left out, as the file before has it."""

        def is_again() -> bool:
            frames = self._file(index).messages(from_ns=at_ns, to_ns=at_ns, wanted=_is_frame)
            return any(seam.has_picture(at_ns, frame.publish_time) for _, frame in frames)

        return self._or(index, is_again, False)

    def _or(self, index: int, ask: Callable[[], T], nothing: T) -> T:
        """Ask a file; one of several that is gone meanwhile, deleted say, is told of and a gap."""
        try:
            return ask()
        except RecordingError as error:
            if len(self.parts) == 1:
                raise
            self._tell(f"{error}; it is passed over")
            if not os.access(self.parts[index].path, os.R_OK):
                self._gone.add(index)
                self.gaps = self._gaps()
            return nothing

    def _file(self, index: int) -> RecordingFile:
        return self._open(index).result()

    def _open(self, index: int) -> "Future[RecordingFile]":
        """Have a file opened by another thread; those not used for longest are forgotten."""
        path = self.parts[index].path
        future = self._opened.pop(path, None)
        if future is None:
            future = self._opener.submit(RecordingFile, path, on_missing=self._missed)
        self._opened[path] = future
        while len(self._opened) > MOST_OPEN:
            self._opened.popitem(last=False)
        return future

    def _missed(self, text: str) -> None:
        """Tell what is missing, but of a file that is being written that it has no end yet."""
        last = str(self.parts[-1].path)
        if not (self._grows and text.startswith(f"{last}: {END_MISSING}")):
            self._tell(text)


class _Seam:
    """What one file has of the moments for which the next one has the same."""

    def __init__(self, file: RecordingFile, low_ns: int, until_ns: int) -> None:
        self.until_ns = until_ns
        self._words, self._picture_ns = set[bytes](), 0
        for channel, message in file.messages(from_ns=low_ns, to_ns=until_ns, wanted=_is_compared):
            if channel.topic == FRAME_TOPIC:
                self._picture_ns = max(self._picture_ns, message.publish_time)
            else:
                self._words.add(message.data)

    def has_picture(self, at_ns: int, captured_ns: int) -> bool:
        """Tell whether a picture of the later file is in the earlier one."""
        return at_ns <= self.until_ns and captured_ns <= self._picture_ns

    def has_word(self, at_ns: int, payload: bytes) -> bool:
        """Tell whether a message of the later file is in the earlier one."""
        return at_ns <= self.until_ns and payload in self._words


def _is_frame(channel: Channel) -> bool:
    return channel.topic == FRAME_TOPIC


def _is_compared(channel: Channel) -> bool:
    return channel.metadata.get("kind") not in FOR_A_RERUN and channel.topic != VIDEO_TOPIC


def _is_being_written(path: Path) -> bool:
    """Tell whether a file has no end yet, but was written to some seconds ago."""
    try:
        return time.time() - path.stat().st_mtime < WRITTEN_S and not is_finished(path)
    except OSError:
        return False


def _of_one_place(paths: Sequence[Path], tell: Tell) -> list[Path]:
    """Leave out what can't be read; refuse files of several gateways (`RecordingError`)."""
    if len(paths) < 2:
        return list(paths)
    places = list[tuple[Path, tuple[str, str] | None]]()
    wrong: RecordingError | None = None
    for path in dict.fromkeys(paths):
        try:
            span_of(path)  # which tells what is no recording at all
            places.append((path, place_of(path)))
        except RecordingError as error:
            wrong = wrong or error
            tell(f"{error}; it is left out")
    if wrong is not None and not places:
        raise wrong
    refuse_strangers(places, "replay one gateway's files at a time")
    return [path for path, _ in places]


def _in_line(paths: Sequence[Path], tell: Tell) -> tuple[Part, ...]:
    """Put files in the order of time; raises `RecordingError` where nothing can be read."""
    spans = list[tuple[int, int, Path]]()
    for path in dict.fromkeys(paths):
        span = span_of(path)
        if span is not None:
            spans.append((*span, path))
        elif len(paths) > 1:
            tell(f"{path}: nothing in it can be read; it is left out")
    if not spans:
        raise RecordingError(
            f"{paths[0]}: nothing in it can be read; it was cut off before the first message"
        )
    parts = list[Part]()
    for from_ns, to_ns, path in sorted(spans):
        since_ns = from_ns
        before = parts[-1] if parts else None
        if before is not None and to_ns <= before.to_ns:
            tell(f"{path}: {before.path} has all of its time as well; it is left out (--only FILE)")
            continue
        if before is not None and from_ns < before.to_ns - BOTH_NS:
            since_ns = before.to_ns + 1
            tell(
                f"{path}: {before.path} has some of its time as well (a copy, or a clock that was "
                f"set back): what it has before {time_text(since_ns)} is left out (--only FILE)"
            )
        parts.append(Part(path=path, from_ns=from_ns, to_ns=to_ns, since_ns=since_ns))
    return tuple(parts)
