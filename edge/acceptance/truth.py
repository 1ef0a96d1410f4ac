"""A labelled clip: who was where at every frame, and what happened, as a folder of files tells it.

Knows nothing about what the product makes of it. The files are those of the sample mine
(`sample_videos/README.md`): `scene.json` and `world.jsonl` must be there; without `events.json`
no alarm can be judged, and without `mot/` everybody counts as visible at every frame.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeVar

import numpy as np
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from edge.acceptance.alarm_scores import ALARMS_OF_EVENT
from scene.arrays import Floats, Ints
from scene.errors import LamproomError, printable, why_unreadable
from scene.messages import XY, XYZ

SEEN = 0.5
"""Who shows less of the body need not be found, and may be."""
HEIGHT_PX = 60.0
"""Smaller people need not be located."""
MOST_BYTES = 200_000_000
SLACK_S = 1.0
"""An event may be said to end so much after the last frame: times are rounded."""
LINE = ConfigDict(extra="ignore", allow_inf_nan=False)
T = TypeVar("T")


class TruthError(LamproomError):
    """The labels of a clip can't be used; names the file, the line and the field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Someone:
    """One person at one frame."""

    __pydantic_config__ = LINE

    id: int
    xyz_m: XYZ
    """The floor under the pelvis."""
    stands_xyz_m: XYZ
    """The floor under the middle of the feet, or of who lies: what positions are measured by."""
    height_m: float
    """Top of the body above the floor, now."""
    head_xyz_m: XYZ | None = None
    """The middle of the head."""
    state: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One frame."""

    __pydantic_config__ = LINE

    frame: int
    t_s: float
    people: tuple[Someone, ...]
    movers: dict[str, XYZ | None] = field(default_factory=dict)
    """Where machines are; `shearer_xyz_m` is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scene:
    __pydantic_config__ = LINE

    fps: Annotated[float, Field(gt=0, le=240)]
    frames: Annotated[int, Field(ge=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened, of which an alarm may be due."""

    __pydantic_config__ = LINE

    type: str
    t_start_s: float
    t_end_s: float | None = None
    """None lasts to the end."""
    t_whole_s: float | None = None
    """When something that comes slowly is wholly there."""
    id: int | None = None
    """The person."""
    camera: str | None = None
    zone: str | None = None
    xyz_m: XYZ | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Boxes:
    """The people in one picture, hidden ones too."""

    people: Ints
    """(N,) ids."""
    edges_px: Floats
    """(N, 4) whole bodies cut at the picture's border, `x1 y1 x2 y2` in OpenCV pixels."""
    visibility: Floats
    """(N,) 0..1."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Truth:
    """All that is known of a clip."""

    folder: Path
    fps: float
    moments: tuple[Moment, ...]
    """One a frame, from frame 0 on."""
    events: tuple[Event, ...] | None
    """None: nobody has said what happened."""
    boxes: Mapping[str, tuple[Boxes, ...]]
    """By camera, one a frame; empty where nobody has marked who is visible."""

    @property
    def seconds(self) -> float:
        """How long the clip is."""
        return len(self.moments) / self.fps

    def near(self, at_s: float) -> Moment:
        """Give the moment nearest to a time."""
        return min(self.moments, key=lambda moment: abs(moment.t_s - at_s))

    def where(self, person: int, at_s: float) -> XY:
        """Tell where the floor is, or last was, under somebody's pelvis; raises `TruthError`."""
        frame = self.near(at_s).frame
        for moment in (*reversed(self.moments[: frame + 1]), *self.moments[frame + 1 :]):
            for one in moment.people:
                if one.id == person:
                    return one.xyz_m[0], one.xyz_m[1]
        raise TruthError(f"{self.folder / 'world.jsonl'}: id: person {person} is never there")


def read_truth(folder: Path) -> Truth:
    """Read a labelled clip's truth; raises `TruthError`."""
    scene = _parsed(_Scene, _text(folder / "scene.json"), folder / "scene.json")
    moments = _moments(folder / "world.jsonl")
    if len(moments) != scene.frames:
        raise TruthError(
            f"{folder / 'world.jsonl'}: has {len(moments)} lines, but scene.json says frames: "
            f"{scene.frames}; give one line a frame"
        )
    for moment in moments:
        if abs(moment.t_s - moment.frame / scene.fps) > 1.5 / scene.fps:
            raise TruthError(
                f"{folder / 'world.jsonl'}:{moment.frame + 1}: t_s: {moment.t_s:g}, where "
                f"scene.json's fps give {moment.frame / scene.fps:g}; give seconds from frame 0 on"
            )
    return Truth(
        folder=folder,
        fps=scene.fps,
        moments=moments,
        events=_events(folder / "events.json", moments, len(moments) / scene.fps),
        boxes=read_boxes(folder, len(moments)),
    )


def _events(path: Path, moments: Sequence[Moment], ends_s: float) -> tuple[Event, ...] | None:
    if not path.exists():
        return None
    events = _parsed(tuple[Event, ...], _text(path), path)
    ids = {one.id for moment in moments for one in moment.people}
    for number, event in enumerate(events):
        wrong = _wrong(event, ids, ends_s)
        if wrong:
            raise TruthError(f"{path}: {number}.{printable(wrong)}")
    return events


def _wrong(event: Event, ids: Collection[int], ends_s: float) -> str:
    """Say what of an event can't be so, with its field; empty where nothing is."""
    start_s, whole_s, end_s = event.t_start_s, event.t_whole_s, event.t_end_s
    if event.type not in ALARMS_OF_EVENT:
        return f"type: {event.type!r} is not known; give one of {', '.join(ALARMS_OF_EVENT)}"
    if not 0 <= start_s < ends_s:
        return f"t_start_s: {start_s:g} lies outside the clip; give 0 to less than {ends_s:g} s"
    if end_s is not None and not start_s <= end_s <= ends_s + SLACK_S:
        return f"t_end_s: {end_s:g} is not between t_start_s and the clip's end at {ends_s:g} s"
    if whole_s is not None and not start_s <= whole_s <= (ends_s if end_s is None else end_s):
        return f"t_whole_s: {whole_s:g} is not between the event's start and end"
    if event.id is not None and event.id not in ids:
        return f"id: person {event.id} is never in world.jsonl; give events the ids that it has"
    return ""


def read_boxes(folder: Path, frames: int) -> dict[str, tuple[Boxes, ...]]:
    """Read every camera's boxes, one item a frame; raises `TruthError`.

    MOTChallenge: frame, id, left, top, width, height, flag, class, visibility.
    """
    return {
        path.parents[1].name: _boxes(path, frames)
        for path in sorted(folder.glob("mot/*/gt/gt.txt"))
    }


def check_all_marked(truth: Truth, cameras: Sequence[str]) -> None:
    """Refuse marks of some cameras only: whom the others show would count as hidden.

    Raises `TruthError`.
    """
    lacking = [name for name in cameras if truth.boxes and name not in truth.boxes]
    if lacking:
        raise TruthError(
            f"{truth.folder / 'mot' / lacking[0] / 'gt' / 'gt.txt'}: there is no such file, but "
            "other cameras have one: whom only this one shows would count as hidden; give every "
            "camera's, an empty one if it shows nobody, or leave mot/ out"
        )


def hidden_looks(truth: Truth) -> tuple[int, int]:
    """Count (person, frame) pairs that are marked as hidden from all cameras, and all of them."""
    there = [{one.id for one in moment.people} for moment in truth.moments]
    if not truth.boxes:
        return 0, sum(map(len, there))
    seen = visible_people(len(there), truth.boxes)
    hidden = sum(len(ids - shown) for ids, shown in zip(there, seen, strict=True))
    return hidden, sum(map(len, there))


def visible_people(moments: int, boxes: Mapping[str, tuple[Boxes, ...]]) -> list[set[int]]:
    """Tell by frame who shows at least half of the body to some camera, not too small."""
    seen = [set[int]() for _ in range(moments)]
    for pictures in boxes.values():
        for frame, there in enumerate(pictures):
            sides = there.edges_px[:, 2:] - there.edges_px[:, :2]
            clear = (there.visibility >= SEEN) & (sides.max(axis=1, initial=0) >= HEIGHT_PX)
            seen[frame] |= set(there.people[clear].tolist())
    return seen


def _boxes(path: Path, frames: int) -> tuple[Boxes, ...]:
    try:
        # A camera that shows nobody has an empty file, of which numpy would warn.
        lines = path.read_text(encoding="utf-8").splitlines()
        rows = np.array([[float(one) for one in line.split(",")] for line in lines if line.strip()])
        rows = rows.reshape(-1, 9)
        if not np.isfinite(rows).all():
            raise ValueError("a number is not finite")
        if not ((rows[:, 0] >= 1) & (rows[:, 0] <= frames)).all():
            raise ValueError(f"a frame is not one of 1 to {frames}")
        if not ((rows[:, 8] >= 0) & (rows[:, 8] <= 1)).all():
            raise ValueError("a visibility is not 0 to 1: who is not marked would count as hidden")
    except (OSError, ValueError) as error:
        raise TruthError(f"{path}: is no MOTChallenge file of 9 columns: {error}") from None
    # MOTChallenge counts pixel edges from 1, OpenCV pixel centres from 0.
    left_top = rows[:, 2:4] - 1.5
    edges = np.hstack([left_top, left_top + rows[:, 4:6]])
    return tuple(
        Boxes(people=rows[now, 1].astype(np.int64), edges_px=edges[now], visibility=rows[now, 8])
        for now in (rows[:, 0] == frame + 1 for frame in range(frames))
    )


def _moments(path: Path) -> tuple[Moment, ...]:
    found = []
    for number, line in enumerate(_text(path).splitlines()):
        moment = _parsed(Moment, line, path, f":{number + 1}")
        if len({one.id for one in moment.people}) < len(moment.people):
            raise TruthError(
                f"{path}:{number + 1}: people: an id stands there twice; ids are one's own"
            )
        if moment.frame != number:
            raise TruthError(
                f"{path}:{number + 1}: frame: {moment.frame}, where {number} should be; give every "
                "frame one line, in order, from 0 on"
            )
        found.append(moment)
    return tuple(found)


def _parsed(kind: type[T], text: str, path: Path, line: str = "") -> T:
    try:
        content: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TruthError(f"{path}{line}: is no JSON: {printable(str(error), 120)}") from None
    try:
        read: T = TypeAdapter(kind).validate_json(json.dumps(content))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise TruthError(f"{path}{line}: {place}: {printable(first['msg'])}") from None
    return read


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise TruthError(f"{path}: is larger than {MOST_BYTES:,} bytes: not a clip's labels")
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise TruthError(
            f"{path}: there is no such file; a labelled clip has scene.json and world.jsonl "
            "(docs/acceptance.md)"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise TruthError(f"{path}: can't be read: {why_unreadable(error)}") from None
