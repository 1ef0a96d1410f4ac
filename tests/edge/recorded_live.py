"""A sample site recorded as a live gateway records it, but at no machine's pace.

What live leaves out, and how late detection comes, follows a fixed pattern here: so a test runs
through the same every time. Cameras, taps, rings, pipeline and writer are the product's own.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from delivery.recordings.writer import RecordingWriter
from edge.acceptance.filmed_camera import FilmedCamera
from edge.cameras.file import FileCamera
from edge.cameras.tap import CameraTap
from edge.description import describe
from edge.frame_ring import SourceStatus
from edge.options import RunOptions
from edge.pipeline import Frames
from edge.recorded_run import run_record
from edge.recording_intake import Intake
from edge.steps import SteppedPipeline
from edge.taps import Taps, open_taps
from edge.together import lockstep
from edge.watch_steps import open_watches
from scene.clock import Clock, ReplayClock, SystemClock
from scene.messages import Anomaly, Detections
from scene.rig import load_rig
from scene.site import Site
from scene.topics import topic_name
from scene.wire import Message, encode, type_name
from tests import sample_site
from tests.sample_site import START_AT_NS

FALL = sample_site.SAMPLES / "events" / "fall"
"""The clip of somebody who falls."""
SHOW_EVERY, SEE_EVERY, LATE = 2, 4, 3
"""Of the clip's instants these are shown and searched; what is found comes so many later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """What live had."""

    files: tuple[Path, ...]
    instants: int
    people: int
    """How many there were at most."""
    alarms: tuple[Anomaly, ...]


class Recorded:
    """One run; `Action`s may change something under way."""

    def __init__(
        self,
        folder: Path,
        out: Path,
        before: Sequence[Anomaly] = (),
        clock: Clock | None = None,
    ) -> None:
        self.options = RunOptions(
            site_file=folder / "site.yaml",
            record=out,
            record_cameras=True,
            state_folder=out.parent / "state",
        )
        self.site: Site = self.options.site()
        self.rig = load_rig(self.site.rig.file)
        self._folder, self._out, self._clock = folder, out, clock or SystemClock()
        taps = open_taps(self.options)
        assert taps is not None
        self.taps: Taps = taps
        self._intake = Intake(taps, self._clock, lambda text, level="info", **fields: None)
        self._files: list[Path] = []
        self._writer: RecordingWriter | None = None
        self.new_file()
        self.pipeline = SteppedPipeline(self.site, self.rig, taps.steps)
        self.found: tuple[Detections, ...] = ()
        self._alarms, self._seq = list[Anomaly](), 0
        self._instants = self._people = 0
        for anomaly in before:
            self._say(anomaly)
        self.pipeline.adopt(before)

    def run(
        self, seconds: float, actions: dict[int, Callable[["Recorded"], object]] | None = None
    ) -> Live:
        """Run over so much of the clip; `actions` are done before the frame of that number."""
        waiting: deque[tuple[int, Frames]] = deque()
        scene = sample_site.read(self._folder, "scene.json")
        fps, moments = scene["fps"], scene["frames"]
        for number, frames in enumerate(self._frames()):
            if number >= seconds * fps:
                break
            if actions and number in actions:
                actions[number](self)
            at_ns = max(frame.captured_at_ns for frame in frames)
            if number % fps == 0:
                for message in sample_site.told(self._folder, number % moments, at_ns, ()):
                    self.pipeline.hear(message)
                self.pipeline.kept()
            if number % SEE_EVERY == 0:
                waiting.append((number + LATE, frames))
            if waiting and waiting[0][0] <= number:
                self.found = self.pipeline.see(waiting.popleft()[1])
            if number % SHOW_EVERY == 0:
                self._show(frames)
        return self.close()

    def new_file(self) -> None:
        """Go on in another file, as each hour."""
        before = self._writer
        run = run_record(self.options, len(self._files) + 1, self._clock, tuple(self.taps.packets))
        self._writer = RecordingWriter(self._out, self._clock, run)
        self._intake.into(self._writer)
        self._files.append(self._writer.path)
        if before is not None:
            before.close()
        description = describe(self.site, self.rig, self.options.site_yaml(), "ws://nowhere")
        self._seq = 0
        self._say(description)

    def close(self) -> Live:
        """Finish."""
        self._intake.close()
        assert self._writer is not None
        self._writer.close()
        return Live(
            files=tuple(self._files),
            instants=self._instants,
            people=self._people,
            alarms=tuple(self._alarms),
        )

    def _frames(self) -> Iterator[Frames]:
        sources = [
            FileCamera(
                camera.name,
                Path(camera.url),
                self._clock,
                pace="as_fast_as_possible",
                start_at_ns=START_AT_NS,
                tap=CameraTap(self.taps.packets[camera.name]),
            )
            for camera in self.site.cameras
        ]
        try:
            yield from lockstep(sources, until="last_ends")
        finally:
            for source in sources:
                source.close()

    def _show(self, frames: Frames) -> None:
        picture = self.pipeline.show(frames)
        self._instants += 1
        self._people = max(self._people, len(picture.positions.people))
        for anomaly in picture.anomalies:
            self._alarms.append(anomaly)
            self._say(anomaly)
        self._say(picture.positions)

    def _say(self, message: Message) -> None:
        """Have the message recorded, as if it had come from the broker."""
        assert self._writer is not None
        self._seq += 1
        id = message.id if isinstance(message, Anomaly) else None
        place = {"site": self.site.site, "gateway": self.site.gateway}
        topic = topic_name(type_name(message), id=id, **place)
        now_ns = self._clock.now_ns()
        payload = encode(message, gateway=self.site.gateway, seq=self._seq, sent_at_ns=now_ns)
        self._writer.message(topic, payload, now_ns)


class WatchedCameras(Recorded):
    """A run whose cameras are watched, too, on the clip's own time."""

    def __init__(
        self,
        folder: Path,
        out: Path,
        before: Sequence[Anomaly] = (),
        clock: Clock | None = None,
    ) -> None:
        super().__init__(folder, out, clock=clock)
        self._now = ReplayClock(START_AT_NS)
        self.cameras, self.view, self.drift = open_watches(
            self.site, self.rig, self._now, self.pipeline.steps
        )
        self._films = {
            one.name: FilmedCamera(one.name, SourceStatus(state="running"))
            for one in self.site.cameras
        }
        self._spreads = self.drift.untrusted()
        for alarm in before:
            self._say(alarm)
            assert any(one.adopt(alarm) for one in (self.cameras, self.drift, self.view))

    def _frames(self) -> Iterator[Frames]:
        for frames in super()._frames():
            self._watch(frames)
            yield frames

    def _watch(self, frames: Frames) -> None:
        """Do what a live gateway does with each instant's frames before they are shown."""
        self._now.set(max(frame.captured_at_ns for frame in frames))
        for frame in frames:
            self._films[frame.camera].count(frame.captured_at_ns)
        self.cameras.look(list(self._films.values()), frames)
        self.view.look(frames)
        people = {found.camera: found for found in self.found}
        self.drift.look(frames, people, self.view.blind)
        self.pipeline.take_for_blind(self.view.blind)
        if (spreads := self.drift.untrusted()) is not self._spreads:
            self._spreads = spreads
            self.pipeline.distrust(spreads)
        for watch in (self.cameras, self.view, self.drift):
            for anomaly in watch.changes():
                self._alarms.append(anomaly)
                self._say(anomaly)


def other_rules(path: Path) -> Path:
    """Write a site file for the clip of the fall: that is told a second later, and there is a zone.

    Gives the path.
    """
    text = (FALL / "site.yaml").read_text(encoding="utf-8").replace("url: cam", f"url: {FALL}/cam")
    text = text.replace("man_down: {after_s: 3.0}", "man_down: {after_s: 4.0}")
    zone = "[[15, -2], [32, -2], [32, 2], [15, 2]]"
    path.write_text(
        f"{text}zones:\n  - {{name: all, kind: restricted, polygon_m: {zone}}}\n", encoding="utf-8"
    )
    return path
