"""Asks the watches over cameras again, by what live wrote down: alarms of cameras come about anew.

Knows nothing about people or files of recordings. Where something is missing (older software, a
beginning in the midst of a run, lost steps or pictures) what a watch would say is not known any
more, and it is not asked: nothing may look different for that.
"""

import tempfile
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from pydantic import TypeAdapter

from edge import array_text
from edge.cameras.watch import ALARM_OF, CameraWatch, Facts
from edge.drift.alarms import KIND as MOVED
from edge.drift.notes import read_noted
from edge.drift.watch import DriftWatch
from edge.held_clock import HeldClock
from edge.steps import ALARM
from edge.view.alarms import KINDS as VIEW_KINDS
from edge.view.watch import ViewWatch
from scene.messages import Anomaly, Detections, Frame
from scene.rig import Rig
from scene.site import Site
from stitching.drift.reference import Reference
from stitching.drift.reference_file import what_is_wrong
from stitching.view import CELLS, Usual

KINDS_OF: Mapping[str, tuple[str, ...]] = {
    "camera": tuple(dict.fromkeys(ALARM_OF.values())),
    "view": VIEW_KINDS,
    "drift": (MOVED,),
}
"""What each watch says, by the first word of its steps."""
LOOKS = ("view_look", "drift_look")
"""Steps that speak of pictures."""
NOT_GIVEN = "what cameras' watches went by is not in the recording"
MIDST = "the recording begins in the midst of a run"
SETTLE_LIMIT_S = 10.0
MOST_FINDS = 2000
"""So many pictures' finds are kept until a watch asks for them: 8 cameras, searched 10 times a
second, for 25 s. A look asks for those from before it began, and may take seconds."""

FACTS: TypeAdapter[Facts] = TypeAdapter(Facts)
ARRAYS = ("points_px", "patches", "feature_px", "descriptors", "turn")
"""Of a reference."""
Fields = Mapping[str, Any]
Finds = OrderedDict[tuple[str, int], Detections]


class FailedError(Exception):
    """A watch has failed: what it would say from now on is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """What the watches of one start of the pipeline share."""

    site: Site
    rig: Rig
    finds: Finds
    clock: HeldClock = field(default_factory=HeldClock)
    rigs: dict[str, Rig] = field(default_factory=dict)
    """Those that were in force, by id."""


class _Watch(Protocol):
    def do(self, do: str, fields: Fields, frames: tuple[Frame, ...]) -> tuple[Anomaly, ...]:
        """Do a step; gives what is new about alarms."""
        ...


class WatchesAgain:
    """The three watches, at each start of the pipeline anew; `close` when done."""

    def __init__(self) -> None:
        self._scratch = tempfile.TemporaryDirectory(
            prefix="lamproom-rerun-", ignore_cleanup_errors=True
        )
        self._finds: Finds = OrderedDict()
        self._opened: _Opened | None = None
        self._starts = 0
        self._begun: dict[str, _Watch] = {}
        """The watches that have begun since the pipeline's last start."""
        self.why_not: dict[str, str] = {}
        """Of each watch whose alarms can't be known, why."""
        self.from_ns: int | None = None
        """Since when there was a look (UTC)."""

    def close(self) -> None:
        """Leave nothing behind on the disk."""
        self._settle()
        self._scratch.cleanup()

    def open(self, site: Site, rig: Rig) -> None:
        """Begin with a pipeline: its watches come next."""
        self._settle()
        self._look_who_is_missing()
        # What watches would keep is nobody's here, and what they would read was written down.
        self._starts += 1
        folder = Path(self._scratch.name) / str(self._starts)
        kept = site.rig.model_copy(update={"file": folder / "rig.yaml"})
        aside = site.model_copy(update={"rig": kept, "state_folder": folder})
        self._opened = _Opened(site=aside, rig=rig, finds=self._finds, rigs={rig.id: rig})
        self._begun = {}

    def end(self) -> None:
        """There are no more steps."""
        self._look_who_is_missing()
        if self.from_ns is None:
            self.lose(NOT_GIVEN)

    @property
    def kinds(self) -> frozenset[str]:
        """Which kinds of alarms have come about anew, all of them."""
        known = KINDS_OF.keys() - self.why_not.keys()
        return frozenset(kind for name in known for kind in KINDS_OF[name])

    def rehung(self, rig: Rig) -> None:
        """Note a rig that the watches will go over to."""
        if self._opened is not None:
            self._opened.rigs[rig.id] = rig

    def saw(self, people: Sequence[Detections]) -> None:
        """Note whom the search has found."""
        for found in people:
            self._finds[found.camera, found.captured_at_ns] = found
        while len(self._finds) > MOST_FINDS:
            self._finds.popitem(last=False)

    def lose(self, why: str, *watches: str) -> None:
        """Know no more what these watches would say; without any named, all of them."""
        for name in watches or KINDS_OF:
            self.why_not.setdefault(name, why)

    def do(self, fields: Fields, frames: tuple[Frame, ...]) -> tuple[Anomaly, ...]:
        """Do a step of one of them; gives what is new about alarms.

        Raises ValueError, LookupError or TypeError where a step makes no sense.
        """
        name, _, do = str(fields["do"]).partition("_")
        if name in self.why_not or self._opened is None:
            return ()
        if fields["do"] in LOOKS and len(frames) < len(fields["frames"]):
            self.lose("pictures that it went by are missing in the recording", name)
            return ()
        if do == "broke":
            self.lose("that watch failed when it was live", name)
            return ()
        if do == "begin":
            self._begun[name] = _OPEN[name](self._opened)
        elif do == "look" and (at_ns := int(fields["now_ns"])):  # 0 while no picture was taken
            self.from_ns = at_ns if self.from_ns is None else min(self.from_ns, at_ns)
        try:
            return self._begun[name].do(do, fields, frames)
        except FailedError as error:
            self.lose(str(error), name)
            return ()

    def _settle(self) -> None:
        """Wait until nothing is written any more: it would be in the way of deleting it."""
        view = self._begun.get("view")
        if isinstance(view, _View):
            view.settle(SETTLE_LIMIT_S)

    def _look_who_is_missing(self) -> None:
        if self._opened is not None:
            for name in KINDS_OF.keys() - self._begun.keys():
                self.lose(NOT_GIVEN, name)


class _Camera:
    def __init__(self, opened: _Opened) -> None:
        self._clock = opened.clock
        self._watch = CameraWatch(opened.site.limits.camera, opened.clock)
        self._names = {camera.name for camera in opened.site.cameras}

    def do(self, do: str, fields: Fields, frames: tuple[Frame, ...]) -> tuple[Anomaly, ...]:
        if do == "adopt":
            self._watch.adopt(_alarm(fields))
        elif do == "look":
            facts = {str(name): _facts(one) for name, one in fields["facts"].items()}
            if not facts.keys() <= self._names:  # a foreign recording could have any number
                raise ValueError("what a camera is judged by that there is not")
            now_s, now_ns, before_s = _times(fields)
            if before_s is not None:  # until then all stood as at the look before
                self._clock.set(before_s, now_ns)
                _ask(self._watch.stand)
            self._clock.set(now_s, now_ns)
            _ask(lambda: self._watch.judge(facts))
        elif do != "begin":
            raise ValueError(do)
        return self._watch.changes()


class _View:
    def __init__(self, opened: _Opened) -> None:
        self._opened, self._clock = opened, opened.clock
        self._watch = ViewWatch(opened.site, opened.rig, opened.clock)
        self.settle = self._watch.settle

    def do(self, do: str, fields: Fields, frames: tuple[Frame, ...]) -> tuple[Anomaly, ...]:
        if do == "adopt":
            self._watch.adopt(_alarm(fields))
        elif do == "look":
            now_s, now_ns, _ = _times(fields)
            self._clock.set(now_s, now_ns)
            _ask(lambda: self._watch.look(frames))
        elif do == "rehang":
            rig, known = self._opened.rigs[fields["rig"]], _known_views(fields)
            _ask(lambda: self._watch.rehung(rig))
            self._watch.know(known)
        elif do == "begin":
            self._watch.know(_known_views(fields))
        else:
            raise ValueError(do)
        return self._watch.changes()


class _Drift:
    def __init__(self, opened: _Opened) -> None:
        self._opened, self._clock = opened, opened.clock
        self._watch = DriftWatch(opened.site, opened.rig, opened.clock)
        self._names = {camera.name for camera in opened.rig.cameras}
        self._references: dict[str, Reference] = {}
        self._blind: frozenset[str] = frozenset()

    def do(self, do: str, fields: Fields, frames: tuple[Frame, ...]) -> tuple[Anomaly, ...]:
        if do == "adopt":
            now_s, now_ns, _ = _times(fields)
            self._clock.set(now_s, now_ns)
            self._watch.adopt(_alarm(fields))
        elif do == "look":
            self._look(fields, frames)
        elif do == "rehang":
            self._watch.rehung(self._opened.rigs[fields["rig"]])
            _ask(self._watch.go_over)
        elif do == "reference":
            one = _reference(fields)
            if one.camera not in self._names:  # a foreign recording could have any number
                raise ValueError("a reference of no camera")
            self._references[one.camera] = one
        elif do == "known":
            self._watch.know(self._references, read_noted(fields["noted"]))
            self._references = {}
        elif do == "begin":
            return ()
        else:
            raise ValueError(do)
        return self._watch.changes()

    def _look(self, fields: Fields, frames: tuple[Frame, ...]) -> None:
        now_s, now_ns, before_s = _times(fields)
        finds = {str(name): (str(name), int(at_ns)) for name, at_ns in fields["people"].items()}
        blind = frozenset(map(str, fields["blind"]))
        if not all(key in self._opened.finds for key in finds.values()):
            raise FailedError("whom the search had found then is not known")
        people = {name: self._opened.finds[key] for name, key in finds.items()}
        if before_s is not None:
            self._clock.set(before_s, now_ns)
            self._watch.newest_ns = int(fields["before_ns"])
            _ask(lambda: self._watch.look((), {}, self._blind))
        self._clock.set(now_s, now_ns)
        self._watch.newest_ns, self._blind = now_ns, blind
        _ask(lambda: self._watch.look(frames, people, blind))


_OPEN: Mapping[str, Callable[[_Opened], _Watch]] = {
    "camera": _Camera,
    "view": _View,
    "drift": _Drift,
}


def _ask(ask: Callable[[], object]) -> None:
    try:
        ask()
    except Exception as error:
        raise FailedError(f"it fails here: {error!r}") from error


def _alarm(fields: Fields) -> Anomaly:
    return ALARM.validate_python(fields["alarm"], strict=False)


def _times(fields: Fields) -> tuple[float, int, float | None]:
    before_s = fields.get("before_s")
    return float(fields["now_s"]), int(fields["now_ns"]), before_s


def _facts(said: Any) -> Facts:
    return FACTS.validate_python(said)


def _known_views(fields: Fields) -> dict[str, tuple[Usual, int]]:
    found = {}
    for name, one in fields["known"].items():
        detail, light = array_text.read(one["detail"]), array_text.read(one["light"])
        if (detail.shape, light.shape) != ((2, *CELLS[::-1]), CELLS[::-1]):
            raise ValueError("what a camera usually shows")
        if not (np.isfinite(detail).all() and np.isfinite(light).all()):
            raise ValueError("what a camera usually shows")
        found[str(name)] = Usual(detail=detail, light=light), int(one["looks"])
    return found


def _reference(fields: Fields) -> Reference:
    said = fields["reference"]
    width, height = (int(value) for value in said["size_px"])
    arrays = {name: array_text.read(said[name]) for name in ARRAYS}
    found = Reference(
        camera=str(fields["camera"]),
        size_px=(width, height),
        texture=float(said["texture"]),
        **{**arrays, "descriptors": arrays["descriptors"].astype(np.float32)},
    )
    wrong = what_is_wrong(found)
    if wrong:
        raise ValueError(wrong)
    return found
