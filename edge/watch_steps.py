"""The watches over cameras, writing down what they went by, so that they can be asked again.

Knows nothing about files or recorders. What depends on that day's clocks and threads (which picture
was looked at, and when) is written down with each look that told something; pictures are not: they
are in the cameras' packets. How often people look in vain is left out.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np

from edge import array_text
from edge.cameras.process import CameraHandle
from edge.cameras.watch import NO_PROBLEMS, CameraWatch
from edge.drift.notes import noted_fields
from edge.drift.watch import NOBODY, DriftWatch
from edge.held_clock import HeldClock
from edge.step_log import StepLog
from edge.steps import ALARM
from edge.view.watch import ViewWatch
from scene.clock import Clock
from scene.limits import CameraLimits
from scene.messages import Anomaly, CameraState, Detections, Frame
from scene.rig import Rig
from scene.site import Site
from stitching.drift.reference import Reference

CAMERA_LOOKS_EVERY_S = 0.5
"""So often it is written down how long each camera has been silent, also while all is well: other
limits may ask."""


class SteppedCameraWatch(CameraWatch):
    """Writes down by what cameras were judged: at every change, and now and then."""

    def __init__(self, limits: CameraLimits, clock: Clock, steps: StepLog) -> None:
        self._held = HeldClock(clock)
        super().__init__(limits, self._held)
        self._steps = steps
        self._states: tuple[CameraState, ...] = ()
        self._before_s: float | None = None
        self._written_s = -float("inf")
        steps.put("camera_begin")

    def adopt(self, alarm: Anomaly) -> bool:
        """Carry on an alarm of the run before."""
        taken = super().adopt(alarm)
        if taken:
            self._steps.tell("camera_adopt", lambda: {"alarm": _text(alarm)})
        return taken

    def look(
        self,
        cameras: Sequence[CameraHandle],
        frames: Sequence[Frame],
        unfit: Mapping[str, str] = NO_PROBLEMS,
    ) -> None:
        """Note what has come, and judge."""
        self._held.hold()
        said = len(self._changes)
        super().look(cameras, frames, unfit)
        now_s, states, self._states = self._held.monotonic_s(), self._states, self.states
        changed = states != self._states or said != len(self._changes)
        if changed or now_s - self._written_s >= CAMERA_LOOKS_EVERY_S:
            self._steps.tell("camera_look", self._gone_by)
            self._written_s = now_s
        self._before_s = now_s

    def _gone_by(self) -> dict[str, Any]:
        facts = {name: asdict(one) for name, one in self.facts.items()}
        return {**_times(self._held), "before_s": self._before_s, "facts": facts}


class SteppedViewWatch(ViewWatch):
    """Writes down which picture was looked at when, and what was known at the start."""

    def __init__(self, site: Site, rig: Rig, clock: Clock, steps: StepLog) -> None:
        self._held = HeldClock(clock)
        super().__init__(site, rig, self._held)
        self._steps = steps
        steps.tell("view_begin", lambda: {"known": self._known()})

    def adopt(self, alarm: Anomaly) -> bool:
        """Carry on an alarm of the run before."""
        taken = super().adopt(alarm)
        if taken:
            self._steps.tell("view_adopt", lambda: {"alarm": _text(alarm)})
        return taken

    def look(self, frames: Sequence[Frame]) -> None:
        """Look, if it is time."""
        self._held.hold()
        super().look(frames)

    def look_at(self, frame: Frame) -> None:
        """Look at a picture; what fails half-way can't be done again, and is said."""
        self._steps.put("view_look", frames=[_name(frame)], **_times(self._held))
        try:
            super().look_at(frame)
        except Exception:
            self._steps.put("view_broke")
            raise

    def rehung(self, rig: Rig) -> None:
        """Go over to another rig; what is known under it may come from the disk."""
        super().rehung(rig)
        self._steps.tell("view_rehang", lambda: {"rig": rig.id, "known": self._known()})

    def _known(self) -> dict[str, Any]:
        return {
            name: {
                "detail": array_text.written(usual.detail),
                "light": array_text.written(usual.light),
                "looks": looks,
            }
            for name, (usual, looks) in self.known.items()
            if usual is not None
        }


class SteppedDriftWatch(DriftWatch):
    """Writes down the pictures that told something, and what was known at the start."""

    def __init__(self, site: Site, rig: Rig, clock: Clock, steps: StepLog) -> None:
        self._held = HeldClock(clock)
        super().__init__(site, rig, self._held)
        self._steps = steps
        self._unwritten: tuple[float, int] | None = None
        """Of the newest look in vain: until then an alarm may have stood."""
        self._blind: list[str] = []
        steps.put("drift_begin")
        self._put_known()

    def adopt(self, alarm: Anomaly) -> bool:
        """Carry on an alarm of the run before."""
        self._held.hold()
        taken = super().adopt(alarm)
        if taken:
            self._steps.tell("drift_adopt", lambda: {"alarm": _text(alarm), **_times(self._held)})
        return taken

    def look(
        self,
        frames: Sequence[Frame],
        people: Mapping[str, Detections] = NOBODY,
        blind: Collection[str] = (),
    ) -> frozenset[str]:
        """Look, if it is time; what fails half-way can't be done again, and is said."""
        self._held.hold()
        said, now_blind = self.said, sorted(blind)
        try:
            used = super().look(frames, people, blind)
        except Exception:
            self._steps.put("drift_broke")
            raise
        at = self._held.monotonic_s(), self.newest_ns
        if not used and said == self.said and now_blind == self._blind:
            self._unwritten = at
            return used
        before_s, before_ns = self._unwritten or (None, None)
        self._steps.put(
            "drift_look",
            frames=[_name(frame) for frame in frames if frame.camera in used],
            people={name: found.captured_at_ns for name, found in people.items()},
            blind=now_blind,
            before_s=before_s,
            before_ns=before_ns,
            now_s=at[0],
            now_ns=at[1],
        )
        self._unwritten, self._blind = None, now_blind
        return used

    def go_over(self) -> bool:
        """Go over to another rig; what is known under it may come from the disk."""
        gone = super().go_over()
        if gone:
            self._steps.put("drift_rehang", rig=self.rig_id)
            self._put_known()
        return gone

    def _put_known(self) -> None:
        references, noted = self.known
        for name, one in references.items():  # one each: all together could be too much at once
            self._steps.tell("drift_reference", partial(_reference, name, one))
        self._steps.tell("drift_known", lambda: {"noted": noted_fields(noted)})


def _reference(camera: str, one: Reference) -> dict[str, Any]:
    short = one.descriptors.astype(np.float16)  # as in a file, where that is all there is to it
    same = np.array_equal(short.astype(one.descriptors.dtype), one.descriptors)
    reference = {
        "size_px": one.size_px,
        "points_px": array_text.written(one.points_px),
        "patches": array_text.written(one.patches),
        "feature_px": array_text.written(one.feature_px),
        "descriptors": array_text.written(short if same else one.descriptors),
        "texture": one.texture,
        "turn": array_text.written(one.turn),
    }
    return {"camera": camera, "reference": reference}


def _name(frame: Frame) -> tuple[str, int]:
    return frame.camera, frame.captured_at_ns


def _times(clock: HeldClock) -> dict[str, Any]:
    return {"now_s": clock.monotonic_s(), "now_ns": clock.now_ns()}


def _text(alarm: Anomaly) -> Any:
    return ALARM.dump_python(alarm, mode="json")


def open_watches(
    site: Site, rig: Rig, clock: Clock, steps: StepLog | None
) -> tuple[CameraWatch, ViewWatch, DriftWatch]:
    """Begin to watch cameras; with `steps` it is written down there by what they are judged."""
    limits = site.limits.camera
    if steps is None:
        return CameraWatch(limits, clock), ViewWatch(site, rig, clock), DriftWatch(site, rig, clock)
    return (
        SteppedCameraWatch(limits, clock, steps),
        SteppedViewWatch(site, rig, clock, steps),
        SteppedDriftWatch(site, rig, clock, steps),
    )
