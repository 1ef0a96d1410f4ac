"""Gathers where people were found in pictures, and where the rig would show them.

Knows nothing about limits, or what else tells how cameras hang. Who is whom is not asked one by
one: a turned camera moves everybody alike, so whatever turn most people agree with tells it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge.acceptance.truth import Someone
from scene.arrays import Bools, Floats, Ints
from scene.geometry import CameraModel, distort, undistort
from scene.messages import Detections
from scene.rig import Rig

FEWEST_LOOKS = 20
"""Fewer looks at people prove little."""
NEAR_RAD = np.radians(5.0)
"""A box further from where the rig shows somebody is another's."""
SAME_RAD, SAME_SHARE = np.radians(0.3), 0.06
"""Boxes that agree on a turn do so to this, and a share of somebody's height."""
SIZE = 1.35
"""A box so many times as high, or as low, as a body is another's or cut."""
LEAST_SHOWN = 0.4
"""Of a body that the picture's lower border cuts."""
UPRIGHT = ("walk", "stand", "")
UPRIGHT_M = 1.2
"""Of who bends or lies, feet and head don't tell the box."""
HEAD_M = 0.12
"""From the middle of a head to the helmet's top."""
BORDER_PX = 2.0
MOST_TRIED = 400
ALONG = 13
"""Points along a body, head and feet among them."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sights:
    """Where one camera shows people: directions in its own frame, by the rig and as found."""

    expected: Floats
    """(N, 3) unit."""
    found: Floats
    """(N, 3) unit."""
    heights_rad: Floats
    """(N,) of whole bodies."""
    tops: Bools
    """(N,) whether the tops of bodies are compared, for the picture's border cuts them below; else
    their middles."""
    independent: Floats
    """(N,) shares that add up to the seconds of people: pictures of one second tell the same."""
    px: float
    """Median offset, px."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Pair:
    """Somebody, and a box that may be theirs."""

    person: tuple[int, int]
    """Instant and id."""
    box: tuple[int, int]
    upright: bool
    expected_px: Floats
    found_px: Floats
    off_rad: Floats
    """(2,) to the right and down."""
    height_rad: float
    top: bool


class PeopleLooks:
    """Gathers, per camera, who may be which box."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._pairs: dict[str, list[_Pair]] = {}
        self._seconds: dict[int, int] = {}
        self._instants = 0

    def add(self, people: Sequence[Someone], found: Sequence[Detections], at_s: float) -> None:
        """Take one instant: who was truly where, and what was found in the pictures."""
        self._instants += 1
        self._seconds[self._instants] = int(at_s)
        for finds in found:
            camera = self._rig.camera(finds.camera)
            boxes_px = finds.of_kind("person").boxes_px
            pairs = self._pairs.setdefault(camera.name, [])
            for one in people if len(boxes_px) else ():
                pairs += self._near(camera, one, boxes_px)

    def _near(self, camera: CameraModel, one: Someone, boxes_px: Floats) -> list[_Pair]:
        body = _body(camera, one)
        if body is None:
            return []
        found = []
        upright = one.state in UPRIGHT and one.height_m >= UPRIGHT_M
        for number, box_px in enumerate(boxes_px):
            places = _compared(camera, body, box_px)
            if places is None:
                continue
            expected_px, found_px, top = places
            off_rad = _off_rad(camera, expected_px, found_px)
            if np.linalg.norm(off_rad) <= NEAR_RAD:
                found.append(
                    _Pair(
                        person=(self._instants, one.id),
                        box=(self._instants, number),
                        upright=upright,
                        expected_px=expected_px,
                        found_px=found_px,
                        off_rad=off_rad,
                        height_rad=body.height_rad,
                        top=top,
                    )
                )
        return found

    def of(self, camera: str) -> Sights | None:
        """Give what a camera shows of people; none for too few looks."""
        pairs = _agreeing(self._pairs.get(camera, []))
        if len(pairs) < FEWEST_LOOKS:
            return None
        model = self._rig.camera(camera)
        expected_px = np.array([pair.expected_px for pair in pairs])
        found_px = np.array([pair.found_px for pair in pairs])
        spells = [(pair.person[1], self._seconds[pair.person[0]]) for pair in pairs]
        return Sights(
            expected=undistort(model, expected_px),
            found=undistort(model, found_px),
            heights_rad=np.array([pair.height_rad for pair in pairs]),
            tops=np.array([pair.top for pair in pairs]),
            independent=np.array([1 / spells.count(spell) for spell in spells]),
            px=float(np.linalg.norm(np.median(found_px - expected_px, axis=0))),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Body:
    """Somebody as the rig would show them."""

    axis_px: Floats
    """(N, 2) from the top of the head down, as far as the lens shows it."""
    whole: bool
    """Whether that is down to the feet."""
    height_rad: float


def _body(camera: CameraModel, one: Someone) -> _Body | None:
    """Tell where the rig would show somebody; none where not even the head."""
    feet = np.array(one.stands_xyz_m, float)
    head = feet + np.array([0.0, 0.0, one.height_m])
    if one.head_xyz_m is not None:
        head = np.array(one.head_xyz_m) + np.array([0.0, 0.0, HEAD_M])
    pose = camera.camera_from_mine
    axis = np.linspace(head, feet, ALONG) @ pose[:3, :3].T + pose[:3, 3]
    sights = axis / np.linalg.norm(axis, axis=1, keepdims=True)
    in_cone = np.arccos(np.clip(sights[:, 2], -1, 1)) <= camera.max_angle_rad
    shown = ALONG if in_cone.all() else int(np.argmin(in_cone))
    if shown < 2:
        return None
    return _Body(
        axis_px=distort(camera, axis[:shown]),
        whole=shown == ALONG,
        height_rad=float(np.arccos(np.clip(sights[0] @ sights[-1], -1, 1))),
    )


def _compared(
    camera: CameraModel, body: _Body, box_px: Floats
) -> tuple[Floats, Floats, bool] | None:
    """Give where a body's middle should be and the box's is; of one cut below, the top, and True.

    None where the box can't be that body's, or too little is seen of it.
    """
    (left, top, right, bottom), (width, height) = box_px, camera.size_px
    if left <= BORDER_PX or top <= BORDER_PX or right >= width - 1 - BORDER_PX:
        return None
    middle_x = (left + right) / 2
    head_px, tall_px = body.axis_px[0], max(1.0, body.height_rad * float(camera.k[0, 0]))
    if bottom < height - 1 - BORDER_PX:
        if not body.whole or not 1 / SIZE <= (bottom - top) / tall_px <= SIZE:
            return None
        middle = np.array([middle_x, (top + bottom) / 2])
        return (head_px + body.axis_px[-1]) / 2, middle, False
    if not LEAST_SHOWN <= (bottom - top) / tall_px <= SIZE:
        return None
    lowest = body.axis_px[body.axis_px[:, 1] <= height - 1]
    if len(lowest) < 2:
        return None
    expected_px = np.array([(head_px[0] + lowest[-1, 0]) / 2, head_px[1]])
    return expected_px, np.array([middle_x, top]), True


def _off_rad(camera: CameraModel, expected_px: Floats, found_px: Floats) -> Floats:
    (ax, ay, az), (bx, by, bz) = undistort(camera, np.array([expected_px, found_px]))
    # On the sphere, so that a wide lens's edge counts as its middle does.
    return np.array([np.arctan2(bx, bz) - np.arctan2(ax, az), np.arcsin(by) - np.arcsin(ay)])


def _agreeing(pairs: Sequence[_Pair]) -> list[_Pair]:
    """Choose the pairs that most people agree with: one box each, and nobody's nearer."""
    if not pairs:
        return []
    offs = np.array([pair.off_rad for pair in pairs])
    slack = SAME_RAD + SAME_SHARE * np.array([pair.height_rad for pair in pairs])
    keys = {key: index for index, key in enumerate(dict.fromkeys(p.person for p in pairs))}
    people: Ints = np.array([keys[pair.person] for pair in pairs])
    tried = offs[:: max(1, len(offs) // MOST_TRIED)]
    counts = [_count(np.linalg.norm(offs - one, axis=1) <= slack, people) for one in tried]
    middle = tried[int(np.argmax(counts))]
    for _ in range(3):
        near = np.linalg.norm(offs - middle, axis=1) <= slack
        middle = np.median(offs[near], axis=0)
    apart = np.linalg.norm(offs - middle, axis=1) / slack
    best: dict[tuple[str, int, int], int] = {}
    for index, pair in enumerate(pairs):
        for key in (("person", *pair.person), ("box", *pair.box)):
            if key not in best or apart[index] < apart[best[key]]:
                best[key] = index
    return [
        pair
        for index, pair in enumerate(pairs)
        if pair.upright
        and apart[index] <= 2
        and best["person", *pair.person] == index == best["box", *pair.box]
    ]


def _count(agree: Floats, people: Ints) -> int:
    return len(np.unique(people[agree]))
