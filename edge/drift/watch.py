"""Watches whether the cameras still hang as the rig has them, and proposes how to hang them anew.

Knows nothing about processes, the panorama or people's positions; it is told where people stand in
the pictures. One camera at a time is looked at, for about one per cent of a core. Intervals come
from the monotonic clock only.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from edge.drift.alarms import MovedAlarms
from edge.drift.book import ReferenceBook
from edge.drift.notes import DriftNotes, Noted, noted_of, recall
from edge.drift.overlaps import OverlapLooks
from edge.drift.proposer import Proposer
from edge.drift.state import CameraDrift
from edge.drift.unplaced import NOT_PLACED, PEOPLE, shown, unplaced
from scene.arrays import Bytes, Floats
from scene.clock import Clock
from scene.messages import Anomaly, CameraHealth, Detections, Frame
from scene.rig import Rig
from scene.site import Site
from stitching.drift.look import measure
from stitching.drift.reference import Reference

LOOK_EVERY_S = 1.2
"""Between two looks, whichever camera they are at."""
SUSPECT_EVERY_S = 0.75
"""Between two looks at a camera that seems to have moved."""
FEW = 0.5
"""A reference of which less than this is found again has aged and is learned anew..."""
FEW_LOOKS, RENEW_EVERY_S = 10, 600.0
"""... when so many looks in a row say so, but not more often than this."""
NOBODY: Mapping[str, Detections] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Said:
    """What others may read at any time; replaced as a whole after each look."""

    moved: Mapping[str, str]
    """Why, by camera."""
    spreads: Mapping[str, Floats | None]
    remarks: Mapping[str, str]
    """On cameras that have not moved, or of which nobody can tell."""


class DriftWatch:
    """`look` is to be called from one thread; what it finds may be asked from any, without waiting.

    References are read from `site.state_folder` or beside the rig file, or learned; the proposal is
    written beside the rig file.
    """

    def __init__(self, site: Site, rig: Rig, clock: Clock) -> None:
        self._file, self._clock = site.rig.file, clock
        self._alarms = MovedAlarms()
        self.newest_ns = 0
        """When the newest picture was taken that came to a look."""
        self._new_rig: Rig | None = None
        self._book = ReferenceBook(rig, site.rig.file, site.state_folder)
        self._notes = DriftNotes(self._book.folder, [camera.name for camera in rig.cameras])
        self._cameras = {camera.name: CameraDrift(camera) for camera in rig.cameras}
        recall(self._cameras, self._notes.of(rig.id) or Noted(unproven=self._unproven_before()))
        self._hang(rig)
        self._said = _Said(moved={}, spreads={}, remarks={})
        self._said = self._sayings()

    def _hang(self, rig: Rig) -> None:
        self._overlaps = OverlapLooks(rig)
        self._looked_s: dict[str, float] = {}
        self._due_s = -float("inf")
        self._few: dict[str, int] = {}
        self._renewed_s: dict[str, float] = {}
        self.proposer = Proposer(rig, self._file)

    def adopt(self, alarm: Anomaly) -> bool:
        """Carry on an alarm of the run before, before `look`; tells whether it is one of these.

        Its camera is not trusted until looks have shown it still.
        """
        state = self._cameras.get(alarm.camera or "")
        if state is None or not self._alarms.adopt(alarm, self._clock.monotonic_s()):
            return False
        state.doubt(placed_nobody=NOT_PLACED in alarm.evidence)
        self._said = self._sayings()
        return True

    def look(
        self,
        frames: Sequence[Frame],
        people: Mapping[str, Detections] = NOBODY,
        blind: Collection[str] = (),
    ) -> frozenset[str]:
        """Look at one camera of an instant's frames, if it is time, and decide.

        Tells the cameras whose frames were looked at or learned from: often none. `people` are the
        newest finds by camera; where somebody stands nothing is learned. Of the `blind` cameras
        nothing is: what covers them is not how they hang, printed cloth neither.
        """
        now_s = self._clock.monotonic_s()
        self.go_over()
        for covered in self._cameras.keys() & set(blind):
            self._cameras[covered].cover()
            self._book.drop_lesson(covered)
        there = {one.camera: one for one in frames if self._fits(one) and one.camera not in blind}
        self.newest_ns = max([self.newest_ns, *(one.captured_at_ns for one in there.values())])
        used = frozenset(
            frame.camera
            for frame in there.values()
            if self._learn(frame, people.get(frame.camera), now_s)
        )
        name = self._next(list(there), now_s)
        if name is not None:
            lumas = {camera: frame.image.y for camera, frame in there.items()}
            used = frozenset(there)  # an overlap, or a proposal, is of several
            self._measure(there[name], now_s)
            self._overlap(lumas, now_s)
            self._propose(lumas, now_s)
            self._notes.keep(self._book.rig.id, noted_of(self._cameras))
        self._said = self._sayings()
        for name, state in self._cameras.items():
            text = self._said.moved.get(name, "")
            if state.places_nobody:
                text = f"{unplaced(people.get(name), self.newest_ns, lasting=True)}; {text}"
            self._alarms.update(name, state, text, self.newest_ns, now_s)
        return used

    @property
    def said(self) -> int:
        """How many alarms have been raised, cleared or said anew so far."""
        return self._alarms.said

    @property
    def rig_id(self) -> str:
        """Which rig the cameras are held against."""
        return self._book.rig.id

    @property
    def known(self) -> tuple[Mapping[str, Reference], Noted]:
        """What each camera showed when it hung right, and how far that can be believed."""
        return self._book.references, noted_of(self._cameras)

    def know(self, references: Mapping[str, Reference], noted: Noted) -> None:
        """Take that from elsewhere, before any look under this rig."""
        self._book.references = dict(references)
        recall(self._cameras, noted)
        self._said = self._sayings()

    def changes(self) -> tuple[Anomaly, ...]:
        """Take the alarms that were raised or cleared since the last call."""
        return self._alarms.changes()

    def judged(
        self, cameras: Sequence[CameraHealth], people: Mapping[str, Detections] = NOBODY
    ) -> tuple[CameraHealth, ...]:
        """Give the cameras' health with what is known here: `moved` is said of those that film.

        `people` are the newest finds by camera; of a camera that places nobody they are counted.
        """
        said = self._said
        return tuple(_judged(health, said, people.get(health.name)) for health in cameras)

    def untrusted(self) -> Mapping[str, Floats | None]:
        """Tell which cameras' poses are wrong: (3, 3) rad2 of turn, or none: nobody knows how.

        The same object until something changes.
        """
        return self._said.spreads

    def rehung(self, rig: Rig) -> None:
        """Go over to another rig of the same cameras, with the next look."""
        self._new_rig = rig

    def go_over(self) -> bool:
        """Go over to another rig, if there is one that is waiting; tells so."""
        rig, self._new_rig = self._new_rig, None
        if rig is None:
            return False
        was = noted_of(self._cameras).unproven
        # What was stored under a rig came with its calibration, unless notes say it was learned.
        unproven = was - self._book.rehung(rig)
        self._hang(rig)
        for camera in rig.cameras:
            self._cameras[camera.name].rehung(camera)
        recall(self._cameras, self._notes.of(rig.id) or Noted(unproven=unproven))
        return True

    def _unproven_before(self) -> frozenset[str]:
        """Tell who was unproven under the rig that references are carried over from, at a start."""
        before = self._notes.of(self._book.carried_from) if self._book.carried_from else None
        return frozenset() if before is None else before.unproven

    def _fits(self, frame: Frame) -> bool:
        camera = self._cameras.get(frame.camera)
        return camera is not None and frame.image.size_px == camera.camera.size_px

    # ---- learning ----

    def _learn(self, frame: Frame, people: Detections | None, now_s: float) -> bool:
        """Take a picture for a reference that is wanted, of a camera that hangs still.

        Tells whether the picture was looked at.
        """
        name, state = frame.camera, self._cameras[frame.camera]
        known = name in self._book.references
        still = state.last is not None and state.last.verdict == "still" and not state.moved
        if not (still if known else state.may_learn):
            self._book.drop_lesson(name)
            return False
        if not self._book.wants(name, now_s):
            return False
        turn = None
        if known:
            look = measure(self._book.references[name], state.camera, frame.image.y, anywhere=False)
            if look.verdict != "still":
                return True
            turn = look.turn
        elif not state.unproven:
            # Noted before anything is learned: there may be no time afterwards.
            state.unproven = True
            self._notes.keep(self._book.rig.id, noted_of(self._cameras))
        boxes = [] if people is None else [people.boxes_px[np.isin(people.kinds, PEOPLE)]]
        self._book.note(frame, boxes, turn, now_s)
        return True

    def _age(self, name: str, now_s: float) -> None:
        """Have a reference renewed of which too little is found again."""
        look = self._cameras[name].last
        if look is None or look.verdict != "still":
            return
        few = look.agreeing < FEW * look.compared
        self._few[name] = self._few.get(name, 0) + 1 if few else 0
        since_s = now_s - self._renewed_s.get(name, -RENEW_EVERY_S)
        if self._few[name] >= FEW_LOOKS and since_s >= RENEW_EVERY_S:
            self._renewed_s[name], self._few[name] = now_s, 0
            self._book.renew(name)

    # ---- looking ----

    def _next(self, there: Sequence[str], now_s: float) -> str | None:
        """Choose the camera to look at now: a suspect, else whoever waits longest."""
        known = [name for name in there if name in self._book.references]
        looked_s = {name: self._looked_s.get(name, -float("inf")) for name in known}
        suspects = [
            name
            for name in known
            if self._cameras[name].suspect and now_s - looked_s[name] >= SUSPECT_EVERY_S
        ]
        if suspects:
            return min(suspects, key=lambda name: looked_s[name])
        if not known or now_s < self._due_s:
            return None
        self._due_s = now_s + LOOK_EVERY_S
        return min(known, key=lambda name: looked_s[name])

    def _measure(self, frame: Frame, now_s: float) -> None:
        name, state = frame.camera, self._cameras[frame.camera]
        self._looked_s[name] = now_s
        look = measure(
            self._book.references[name],
            state.camera,
            frame.image.y,
            guess=None if state.turned is None else state.turned.turn,
            anywhere=state.wants_far,
        )
        state.add(look, now_s)
        self._age(name, now_s)

    def _overlap(self, lumas: Mapping[str, Bytes], now_s: float) -> None:
        """Compare two neighbours now and then; it decides where their own pictures can't."""
        found = self._overlaps.look(lumas, now_s)
        if found is None:
            return
        first, second = self._cameras[found.first], self._cameras[found.second]
        known = first.known_to_have_moved or second.known_to_have_moved
        miss = None if known else found.miss  # what is known to have moved explains it
        first.add_overlap(found.second, miss, found.from_start)
        second.add_overlap(found.first, miss, found.from_start)

    def _propose(self, lumas: Mapping[str, Bytes], now_s: float) -> None:
        """Have a proposal written, or deleted once it is certain that none is called for."""
        known = [name for name in lumas if name in self._book.references]
        cameras = [self._cameras[name] for name in known]
        turned = {n: one.turned for n, one in self._cameras.items() if one.turned is not None}
        if turned or not any(one.last is None or one.suspect for one in cameras):
            self.proposer.update(turned, lumas, self.newest_ns, now_s)

    # ---- telling ----

    def _sayings(self) -> _Said:
        """Write down what others may know; the spreads stay one object while they are the same."""
        spreads = {name: one.spread for name, one in self._cameras.items() if one.moved}
        before = self._said.spreads
        same = spreads.keys() == before.keys() and all(
            one is before[name] for name, one in spreads.items()
        )
        return _Said(
            moved={name: self._text(name) for name in spreads},
            spreads=before if same else spreads,
            remarks={name: self._remark(name) for name in self._cameras},
        )

    def _remark(self, name: str) -> str:
        known = name in self._book.references
        learning = "" if known else "whether it has moved can't be told yet: it is being learned"
        trouble = self._book.trouble or self._notes.trouble
        said = [self._cameras[name].detail(), learning, trouble if known else ""]
        return "; ".join(one for one in said if one)

    def _text(self, name: str) -> str:
        state = self._cameras[name]
        said = [state.detail(), "its positions are not trusted"]
        if state.turned is not None and self.proposer.said:
            said.append(self.proposer.said)
        if name not in self._book.references and not state.may_learn:
            said.append("how it hung is known no more: run `lamproom calibrate`")
        return "; ".join(said)


def _judged(health: CameraHealth, said: _Said, found: Detections | None) -> CameraHealth:
    if health.state != "ok":
        return health
    if health.name in said.moved:
        text = said.moved[health.name]
        if said.spreads[health.name] is not None:
            return replace(health, state="moved", detail=text)
        at_ns = health.last_frame_at_ns
        text = f"{unplaced(found, at_ns, lasting=False)}; {text}"
        return replace(health, state="moved", detail=text, unplaced=shown(found, at_ns))
    details = (health.detail, said.remarks.get(health.name, ""))
    return replace(health, detail="; ".join(one for one in details if one))
