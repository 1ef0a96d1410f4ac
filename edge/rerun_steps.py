"""Gives a recorded run's steps in order, each with the frames that it worked on.

Knows nothing about what steps do. Packets and steps are read some seconds ahead, so that only those
pictures are kept that a step will ask for, and those only until then: of an hour of four cameras a
few dozen pictures are in memory.
"""

from collections import Counter, deque
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from delivery.recordings.rerun_records import Gap, RecordedPacket, RecordedStep
from edge.rerun_frames import Redecoder, frame_of
from edge.steps import SEE, SHOW
from scene.errors import RecordingError
from scene.messages import Frame

AHEAD_NS = 10_000_000_000
"""No step comes so long after its pictures: detection that slow follows nobody..."""
AHEAD_RECORDS = 400
"""... but where a machine is so slow that it does little, so much is always read ahead."""
LATE_NS = 5_000_000_000
"""A step that was recorded before its pictures' packets waits for them so long..."""
LATE_STEPS = 100
"""... and on a machine that is so slow until so many steps wait."""

Key = tuple[str, int]
"""A picture: its camera and capture time."""
Recorded = RecordedPacket | RecordedStep | Gap


class StepsInOrder:
    """Goes over a recording once."""

    def __init__(
        self, records: Iterable[Recorded], *, paints: bool, also: Collection[str] = ()
    ) -> None:
        """Pictures are decoded for what is searched; with `paints` also for what is shown.

        `also` names more steps that speak of pictures.
        """
        self._records = records
        self._wants = {SEE, *also, *((SHOW,) if paints else ())}
        self._needed: Counter[Key] = Counter()
        self._frames: dict[Key, Frame] = {}
        self._cameras: dict[str, Redecoder] = {}
        self._waiting: deque[RecordedStep] = deque()
        self._last: dict[int, int] = {}
        """The last step of each pipeline."""
        self.missing_pictures = 0
        """Pictures that live worked on and that can't be had again."""
        self.gaps: Counter[str] = Counter()
        """What was not recorded, by camera; `steps` are the pipeline's."""

    def __iter__(self) -> Iterator[tuple[RecordedStep, tuple[Frame, ...]]]:
        """Give each step with its frames, in the order in which live had them."""
        ahead: deque[Recorded] = deque()
        for record in self._records:
            if isinstance(record, RecordedStep):
                if not self._is_new(record):
                    continue
                self._needed.update(self._keys(record))
            ahead.append(record)
            while len(ahead) > AHEAD_RECORDS and ahead[0].at_ns + AHEAD_NS < record.at_ns:
                yield from self._take(ahead.popleft())
        for record in ahead:
            yield from self._take(record)
        while self._waiting:
            yield self._give(self._waiting.popleft())
        for camera in self._cameras.values():
            self.gaps[camera.camera] = max(self.gaps[camera.camera], camera.missing)

    def _is_new(self, step: RecordedStep) -> bool:
        """Tell that a step was not there before.

        What a recorder that died had not surely written is recorded again by the next.
        """
        pipeline, number = step.fields.get("pipeline"), step.fields.get("number")
        if not isinstance(pipeline, int) or not isinstance(number, int):
            raise RecordingError("the recording's steps make no sense: they have no number")
        new = number > self._last.get(pipeline, 0)
        self._last[pipeline] = max(number, self._last.get(pipeline, 0))
        return new

    def _take(self, record: Recorded) -> Iterator[tuple[RecordedStep, tuple[Frame, ...]]]:
        if isinstance(record, RecordedPacket):
            self._decode(record)
        elif isinstance(record, Gap):
            self.gaps[record.of] += record.records
        else:
            self._waiting.append(record)
        while self._waiting and self._is_ready(self._waiting[0], record.at_ns):
            yield self._give(self._waiting.popleft())

    def _decode(self, record: RecordedPacket) -> None:
        name = record.packet.stream.camera
        camera = self._cameras.setdefault(name, Redecoder(name))
        for captured_at_ns, picture in camera.decoded(record.packet):
            if self._needed[name, captured_at_ns]:
                frame = frame_of(name, captured_at_ns, picture)
                self._frames[name, captured_at_ns] = frame

    def _is_ready(self, step: RecordedStep, now_ns: int) -> bool:
        waited = step.at_ns + LATE_NS < now_ns and len(self._waiting) > LATE_STEPS
        return waited or all(key in self._frames for key in self._keys(step))

    def _give(self, step: RecordedStep) -> tuple[RecordedStep, tuple[Frame, ...]]:
        keys = self._keys(step)
        frames = tuple(self._frames[key] for key in keys if key in self._frames)
        self.missing_pictures += len(keys) - len(frames)
        for key in keys:
            self._needed[key] -= 1
            if self._needed[key] <= 0:
                del self._needed[key]
                self._frames.pop(key, None)
        return step, frames

    def _keys(self, step: RecordedStep) -> list[Key]:
        return frame_keys(step.fields) if str(step.fields.get("do")) in self._wants else []


def frame_keys(fields: dict[str, Any]) -> list[Key]:
    """Read which pictures a step worked on; raises `RecordingError`."""
    try:
        return [(str(camera), int(at_ns)) for camera, at_ns in fields["frames"]]
    except (KeyError, TypeError, ValueError):
        raise RecordingError("a step of the recording names no pictures") from None
