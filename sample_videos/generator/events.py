"""What happens in a sample mine and when: every event's first and last instant, exactly.

People's places are (along, left) on the scene's line, as the scene file has them; what comes out
is in mine metres. Knows nothing about pictures, and nothing about when an alarm ought to sound.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sample_videos.generator.movers import shearer_x_m
from sample_videos.generator.scene_file import Point, SceneSpec, ZoneSpec
from sample_videos.generator.script import Moment

Courses = Mapping[int, Sequence[Moment]]
"""Per miner, a moment per frame."""
Visible = Mapping[str, Sequence[Mapping[int, float]]]
"""Per camera and frame, the visibility (0 to 1) of each miner who is in the picture.

A dead camera's frames end where it died.
"""
Event = dict[str, Any]

SEEN_FROM = 0.1
"""Who shows less of themselves to every camera is not seen."""
UNSEEN_FOR_S = 1.5
"""So long nobody must see a miner for it to count as leaving the coverage."""
ONCE = ("lens_dust", "camera_dead")
"""What happens to a camera but once: a dusty lens stays dusty, a dead camera dead."""
STILL_WITHIN_M = 0.25
STILL_STATES = ("stand", "crouch", "lie")
DOWN_STATES = ("fall", "lie")
SHEARER_LENGTH_M = 13.0
SHEARER_LEFT_M = 3.25


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Story:
    """All that events are found in."""

    scene: SceneSpec
    courses: Courses
    visible: Visible

    def place_m(self, spots: Sequence[Point]) -> list[float]:
        """Carry the middle of some places (along, left) to the floor in mine metres."""
        return _plain(self.scene.axis.floor_m(np.asarray(spots, float)).mean(axis=0))


def find_events(scene: SceneSpec, courses: Courses, visible: Visible) -> list[Event]:
    """Find all events, sorted by start, type and miner.

    Each is `{type, id, camera, zone, t_start_s, t_end_s, xyz_m}`. `id` is the miner, null where it
    is about none. `t_end_s` is null where it lasts to the clip's end. `xyz_m` is in mine metres:
    where it began, for a fall where it ended, for a camera where that hangs, null where it has no
    place. What comes slowly has `t_whole_s` too: until then there is only a part of it.
    """
    story = Story(scene=scene, courses=courses, visible=visible)
    events = [event for find in KINDS.values() for event in find(story)]
    return sorted(events, key=_order)


def _order(event: Event) -> tuple[float, str, int, str, str]:
    person = -1 if event["id"] is None else event["id"]
    return event["t_start_s"], event["type"], person, event["zone"] or "", event["camera"] or ""


def falls(story: Story) -> Iterator[Event]:
    """Find who falls; it lasts until they get up."""
    for person, course in story.courses.items():
        for start, end in runs([m.state in DOWN_STATES for m in course]):
            lies_at = course[-1 if end is None else end - 1].xy_m
            yield _event(story, "fall", start, end, person=person, spots=[lies_at])


def immobile(story: Story) -> Iterator[Event]:
    """Find who keeps still for long; it starts when the stillness began."""
    for person, course in story.courses.items():
        for start, end in still_runs(course, story.scene.immobile_after_s * story.scene.fps):
            at = course[start].xy_m
            yield _event(story, "immobile", start, end, person=person, spots=[at])


def zone_entries(story: Story) -> Iterator[Event]:
    """Find who is in a restricted zone."""
    for zone in (z for z in story.scene.zones if z.kind == "restricted"):
        for person, course in story.courses.items():
            flags = [inside(m.xy_m, zone.polygon_m) for m in course]
            yield from _personal(story, "zone_entry", person, flags, zone=zone.id)


def near_danger(story: Story) -> Iterator[Event]:
    """Find who is in a danger zone, one that moves with the shearer too."""
    for zone in (z for z in story.scene.zones if z.kind == "danger"):
        for person, course in story.courses.items():
            flags = [
                endangered(story.scene, zone, m.xy_m, frame / story.scene.fps)
                for frame, m in enumerate(course)
            ]
            yield from _personal(story, "near_danger", person, flags, zone=zone.id)


def over_capacity(story: Story) -> Iterator[Event]:
    """Find when more people are in a capacity zone than may be."""
    for zone in (z for z in story.scene.zones if z.kind == "capacity"):
        within = [
            [c[frame].xy_m for c in story.courses.values() if inside(c[frame].xy_m, zone.polygon_m)]
            for frame in range(story.scene.frames)
        ]
        for start, end in runs([len(spots) > (zone.capacity or 0) for spots in within]):
            yield _event(story, "over_capacity", start, end, zone=zone.id, spots=within[start])


def helmets_off(story: Story) -> Iterator[Event]:
    """Find who is bare-headed."""
    for person, course in story.courses.items():
        yield from _personal(story, "helmet_off", person, [not m.helmet_on for m in course])


def left_coverage(story: Story) -> Iterator[Event]:
    """Find who was seen and then is seen by no camera; `camera` saw most of them last."""
    at_least = UNSEEN_FOR_S * story.scene.fps - 1e-9
    for person in story.courses:
        best = [_best_view(story, person, frame) for frame in range(story.scene.frames)]
        for start, end in runs([camera is None for camera in best]):
            long = (len(best) if end is None else end) - start
            if start > 0 and long >= at_least:
                at = story.courses[person][start].xy_m
                yield _event(
                    story, "left_coverage", start, end,
                    person=person, camera=best[start - 1], spots=[at],
                )  # fmt: skip


def _best_view(story: Story, person: int, frame: int) -> str | None:
    """Name the camera that shows most of somebody, or None where none shows enough."""
    views = [
        (round(frames[frame].get(person, 0.0), 3), camera)  # as the truth files have it
        for camera, frames in story.visible.items()
        if frame < len(frames)
    ]
    most, camera = max(views, key=lambda view: view[0], default=(0.0, None))
    return camera if most >= SEEN_FROM else None


def happenings(story: Story) -> Iterator[Event]:
    """Give what happens to lenses, cameras and lamps; all of it lasts to the clip's end."""
    places = {c.id: c.at_m for c in story.scene.cameras}
    before: set[tuple[str, str | None, float]] = set()
    for happening in sorted(story.scene.happenings, key=lambda h: h.at_s):
        kind, camera, at_s = happening.kind, happening.camera, happening.at_s
        dead = ("camera_dead", camera, 0.0) in before
        row = (kind, camera, 0.0 if kind in ONCE else at_s)
        if dead or row in before:
            continue
        before.add(row)
        event = _blank(kind, at_s)
        if kind == "lens_dust":
            event["t_whole_s"] = round(at_s + happening.over_s, 4)
        if camera is not None:
            event["camera"] = camera
            event["xyz_m"] = _plain(story.scene.axis.mine([places[camera]])[0])
        yield event


def belt(story: Story) -> Iterator[Event]:
    """Tell from when on the belt runs."""
    road = story.scene.roadway
    if road is not None and road.belt_m_s and road.belt_from_s < story.scene.duration_s:
        yield _blank("belt_moving", road.belt_from_s)


KINDS: dict[str, Callable[[Story], Iterator[Event]]] = {
    "fall": falls,
    "immobile": immobile,
    "zone_entry": zone_entries,
    "near_danger": near_danger,
    "over_capacity": over_capacity,
    "helmet_off": helmets_off,
    "left_coverage": left_coverage,
    "lens_dust, camera_knock, camera_dead, lamp_outage": happenings,
    "belt_moving": belt,
}
"""The kinds of events, and what finds them. A new kind is a new row."""


def endangered(scene: SceneSpec, zone: ZoneSpec, spot: Point, t_s: float) -> bool:
    """Tell whether a place (along, left) is in a danger zone at an instant.

    The shearer counts as a line 13 m long, so a zone around it is a capsule.
    """
    if zone.around_shearer_m is None:
        return inside(spot, zone.polygon_m)
    middle_m = shearer_x_m(scene, t_s)
    if middle_m is None:
        return False
    beyond = max(abs(spot[0] - middle_m) - SHEARER_LENGTH_M / 2, 0.0)
    return math.hypot(beyond, spot[1] - SHEARER_LEFT_M) <= zone.around_shearer_m


def inside(point: Point, polygon: Sequence[Point]) -> bool:
    """Tell whether a point is inside a polygon (even-odd rule).

    >>> inside((1.0, 1.0), [(0, 0), (2, 0), (2, 2), (0, 2)])
    True
    """
    x, y = point
    odd = False
    for (xa, ya), (xb, yb) in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
        if (ya > y) != (yb > y) and x < (xb - xa) * (y - ya) / (yb - ya) + xa:
            odd = not odd
    return odd


def runs(flags: Sequence[bool]) -> list[tuple[int, int | None]]:
    """Give first frame and first frame after (or None) of each run of True.

    >>> runs([False, True, True, False, True])
    [(1, 3), (4, None)]
    """
    out: list[tuple[int, int | None]] = []
    start = None
    for i, flag in enumerate([*flags, False]):
        if flag and start is None:
            start = i
        elif not flag and start is not None:
            out.append((start, i if i < len(flags) else None))
            start = None
    return out


def still_runs(course: Sequence[Moment], at_least: float) -> list[tuple[int, int | None]]:
    """Give the runs of `at_least` frames in which somebody stays within 0.25 m of its start."""
    out: list[tuple[int, int | None]] = []
    start = 0
    while start < len(course):
        end = start
        while end < len(course) and _still(course[start], course[end]):
            end += 1
        if end - start >= max(at_least - 1e-9, 1):
            out.append((start, end if end < len(course) else None))
            start = end
        else:
            start += 1
    return out


def _still(first: Moment, now: Moment) -> bool:
    return now.state in STILL_STATES and math.dist(first.xy_m, now.xy_m) < STILL_WITHIN_M


def _personal(
    story: Story, kind: str, person: int, flags: Sequence[bool], zone: str | None = None
) -> Iterator[Event]:
    """Make an event of each run of True, at the place where it began."""
    for start, end in runs(flags):
        at = story.courses[person][start].xy_m
        yield _event(story, kind, start, end, person=person, zone=zone, spots=[at])


def _event(
    story: Story,
    kind: str,
    start: int,
    end: int | None,
    *,
    spots: Sequence[Point],
    person: int | None = None,
    camera: str | None = None,
    zone: str | None = None,
) -> Event:
    fps = story.scene.fps
    return {
        **_blank(kind, start / fps),
        "id": person,
        "camera": camera,
        "zone": zone,
        "t_end_s": None if end is None else round(end / fps, 4),
        "xyz_m": story.place_m(spots),
    }


def _plain(xyz_m: NDArray[np.float64]) -> list[float]:
    """Round to millimetres; no negative zeros."""
    return [float(v) + 0.0 for v in xyz_m.round(3)]


def _blank(kind: str, at_s: float) -> Event:
    """Make an event that is about nobody, has no place and lasts to the end."""
    return {
        "type": kind,
        "id": None,
        "camera": None,
        "zone": None,
        "t_start_s": round(at_s, 4),
        "t_end_s": None,
        "xyz_m": None,
    }
