"""One identity over two views that really overlap: the CAMPUS "Auditorium" recording.

Hand-drawn boxes of two calibrated cameras, five pictures a second, go into our tracker without
their numbers; the score is whether people keep one number, over time and over both views. It says
nothing about a detector, nor about positions: who stands where is known from the same boxes. Over
three minutes people leave the pictures and come back; by place alone nobody can know them again, so
identity is scored twice, once by the recording's own numbers (`_idf1`) and once by visits
(`_visit_idf1`). `_feet_*` and `_stature_m` tell how good the published calibration is: feet of one
person must meet in both views, and people must be as high as people are. The data is not part of
this project: without it, left out.
"""

from collections.abc import Sequence
from itertools import groupby

import numpy as np
from scipy.optimize import linear_sum_assignment

from edge.acceptance.scoring import score
from scene.arrays import Floats
from scene.geometry import rays
from scene.messages import Position
from tests import campus

NEAR_M = 1.5
GONE_S = 10.0
"""Who is in no picture for longer than any track lives unseen starts another visit."""
UPRIGHT_M = 1.0
"""Whose top is lower sits: two sit for nearly the whole recording."""

Box = tuple[int, int, int, int | None]
"""Instant, view, person, and the track that this view's box went into."""


def measure() -> dict[str, float | str]:
    """Follow everybody once; score identity over boxes, over people and over views."""
    if not campus.DATA.exists():
        raise FileNotFoundError(f"no recordings in {campus.DATA}")
    found = campus.follow()
    truth = campus.truth()
    boxes = carried(found)
    whole = score(
        truth, [{p.track: p.xyz_m[:2] for p in people} for people in found], radius_m=NEAR_M
    )
    visits = {(at, who): visit for at, who, visit in _visits(boxes)}
    named: dict[tuple[int, int], dict[int, int | None]] = {}
    for at, view, person, track in boxes:
        named.setdefault((at, person), {})[view] = track
    pairs = [tracks for tracks in named.values() if len(tracks) == 2]
    one = [t[0] is not None and t[0] == t[1] for t in pairs]
    switched, back = switches(boxes)
    feet = _feet_apart_m()
    return {
        "locate.campus_idf1": idf1([(who, track) for *_, who, track in boxes]),
        "locate.campus_visit_idf1": idf1([(visits[at, who], t) for at, _, who, t in boxes]),
        "locate.campus_people_idf1": whole.idf1,
        "locate.campus_people_moda": whole.moda,
        "locate.campus_one_track_in_both_views_share": float(np.mean(one)),
        "locate.campus_people_in_both_views": len({p for (_, p), t in named.items() if len(t) > 1}),
        "locate.campus_switches": switched,
        "locate.campus_new_numbers_after_absence": back,
        "locate.campus_boxes": len(boxes),
        "locate.campus_boxes_followed_share": float(np.mean([b[3] is not None for b in boxes])),
        "locate.campus_feet_apart_median_m": float(np.median(feet)),
        "locate.campus_feet_apart_p95_m": float(np.percentile(feet, 95)),
        "locate.campus_stature_m": float(np.median(_heights_m())),
    }


def carried(found: Sequence[tuple[Position, ...]]) -> list[Box]:
    """Tell for each true box with feet the nearest track that this very view saw at this instant.

    None lies within `NEAR_M`: no track. A position that only lives on unseen takes no box.
    """
    boxes: list[Box] = []
    for at, (views, people) in enumerate(zip(campus.views(), found, strict=True)):
        for number, view in enumerate(views):
            seen = [
                person
                for person in people
                if person.seen_at_ns == campus.at_ns(at) and view.camera in person.cameras
            ]
            for who, xy in zip(view.people, view.xy_m, strict=True):
                if np.isfinite(xy).all():
                    boxes.append((at, number, who, _nearest(xy, seen)))
    return boxes


def idf1(pairs: Sequence[tuple[int, int | None]]) -> float:
    """Tell IDF1 (Ristani et al., 2016) over boxes: true numbers and the tracks given to them.

    >>> round(idf1([(1, 7), (1, 7), (1, 8), (2, None)]), 3)
    0.571
    """
    people, tracks = sorted({p for p, _ in pairs}), sorted({t for _, t in pairs if t is not None})
    counts = np.zeros((len(people), len(tracks)))
    for person, track in pairs:
        if track is not None:
            counts[people.index(person), tracks.index(track)] += 1
    best = linear_sum_assignment(-counts)
    return float(2 * counts[best].sum() / (len(pairs) + counts.sum()))


def switches(boxes: Sequence[Box]) -> tuple[int, int]:
    """Count changes of a person's track: while in the pictures, and after an absence.

    Who has two tracks at once, one by view, keeps the earlier one: that is told by the share of
    those who carry one track in both views.
    """
    switched = back = 0
    last: dict[int, tuple[int, int]] = {}
    for (at, person), together in groupby(_by_person(boxes), key=lambda box: (box[0], box[2])):
        tracks = [box[3] for box in together if box[3] is not None]
        if not tracks:
            continue
        before, track = last.get(person, (at, tracks[0]))
        if track not in tracks:
            absent = _seconds(at - before) > GONE_S
            back, switched = back + absent, switched + (not absent)
            track = tracks[0]
        last[person] = (at, track)
    return switched, back


def _by_person(boxes: Sequence[Box]) -> list[Box]:
    return sorted(boxes, key=lambda box: (box[0], box[2], box[1]))


def _visits(boxes: Sequence[Box]) -> list[tuple[int, int, int]]:
    """Number people anew each time they come: instant, person, visit."""
    visits: list[tuple[int, int, int]] = []
    last: dict[int, tuple[int, int]] = {}
    count = 0
    for at, _, person, _ in boxes:
        before, visit = last.get(person, (None, 0))
        if before is None or _seconds(at - before) > GONE_S:
            count += 1
            visit = count
        last[person] = (at, visit)
        visits.append((at, person, visit))
    return visits


def _nearest(xy_m: Floats, people: Sequence[Position]) -> int | None:
    if not people:
        return None
    apart = [float(np.hypot(*np.subtract(person.xyz_m[:2], xy_m))) for person in people]
    nearest = int(np.argmin(apart))
    return people[nearest].track if apart[nearest] <= NEAR_M else None


def _feet_apart_m() -> Floats:
    """Tell how far apart both views say that one person's feet are, at each instant of both."""
    apart = []
    for views in campus.views():
        first, second = (dict(zip(view.people, view.xy_m, strict=True)) for view in views)
        apart += [float(np.hypot(*(first[who] - second[who]))) for who in first.keys() & second]
    known = np.array(apart)
    return known[np.isfinite(known)]


def _heights_m() -> Floats:
    """Tell how high everybody who does not sit seems to be by the published calibration."""
    heights = []
    for camera, views in zip(campus.cameras(), zip(*campus.views(), strict=True), strict=True):
        for view in views:
            middle = (view.boxes_px[:, 0] + view.boxes_px[:, 2]) / 2
            ray = rays(camera, np.column_stack([middle, view.boxes_px[:, 1]]))
            far = np.hypot(*(view.xy_m - camera.centre_m[:2]).T)
            heights.append(camera.centre_m[2] + ray[:, 2] * far / np.hypot(ray[:, 0], ray[:, 1]))
    known = np.concatenate(heights)
    return known[known > UPRIGHT_M]


def _seconds(instants: int) -> float:
    return instants * campus.EVERY / campus.FRAMES_PER_S
