"""What cameras show of people: bodies as solids, drawn into coarse pictures, one bit per person.

Knows nothing about seams. A body is drawn three times: thin, where it surely is; as large as it may
be with its arms and with how unsure its place is (`core`); and wide, with room to move in.
"""

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from scene.arrays import Bools, Floats, Ints
from scene.geometry import CameraModel, distort
from scene.messages import KINDS, Detections, Position
from stitching.maps import Maps
from stitching.seams.cells import SMALL, Cells

Bits = NDArray[np.int64]
"""Who is in each place, a bit per person."""

View = tuple[Floats, Bools]
"""(P, K, 2) pixels, some of them outside the picture, and (P, K) which mean anything."""

MOST = 60
"""Bodies that fit into the bits; more are not looked after."""
THIN_M = {"upright": 0.2, "crouching": 0.25, "lying": 0.4}
RADIUS_M = {"upright": 0.38, "crouching": 0.5, "lying": 1.05}
"""Shoulders with an arm held away; someone lying may lie any way round."""
HEAD_SHARE = 0.6
"""Of the radius, at the top of the body."""
MIN_HEIGHT_M = 0.5
HEADROOM_M = 0.12
"""Helmets and lamps above the measured height."""
MARGIN_M = 0.25
AHEAD_S = 0.8
"""The wide body reaches to where the person will be by then."""
MOST_SIGMA_M = 0.3
TURNS = 6
LEVELS, SHOULDER_M = 9, 0.2
BORDER_PX = 3.0
AT_BORDER = 0.8
"""Share of the body that a find at the picture's border is taken to show."""
BOX_AGE_NS = 500_000_000
"""Older finds are no longer where their boxes are."""
BOX_MARGINS = (-0.12, -0.02), (0.0, 0.0), (0.15, 0.06)
"""Of a find's width and height: of the thin, the whole and the wide body on each side."""
CUT_TOP, CUT_FOOT, CUT_SIDE = 0.3, 0.2, 0.3
"""Nobody fills the corners of their box: so much of its upper and lower edge, at each end, and of
its height shows what is behind them."""
SAME = 0.15
"""A box is that person's when it and their body share so much of both (intersection over union)."""
PERSON_KINDS = (KINDS.index("person"), KINDS.index("fallen"))
NEAREST_M = 0.2
"""What is nearer to a lens than this has no place in its picture."""


class Bodies:
    """Who is where in all cameras' pictures. Bit by bit: first people, then loose finds.

    Loose finds belong to nobody whose place is known yet; only one camera shows each.
    """

    def __init__(
        self,
        cameras: Sequence[CameraModel],
        cells: Cells,
        people: Sequence[Position],
        finds: Iterable[Detections] = (),
        at_ns: int = 0,
    ) -> None:
        """Take `people` predicted to `at_ns`, and the latest `finds`.

        Finds show exactly what a camera shows of somebody, and whom nobody has located yet.
        """
        self._cameras, self._cells, self._people = cameras, cells, people[:MOST]
        fresh = [found for found in finds if abs(at_ns - found.captured_at_ns) <= BOX_AGE_NS]
        self._boxes = [_person_boxes(fresh, camera.name) for camera in cameras]
        core_m = _core(self._people)
        self._views = [_in_picture(camera, core_m) for camera in cameras]
        self._whose = [
            _matched(*view, boxes) for view, boxes in zip(self._views, self._boxes, strict=True)
        ]
        self._loose = [
            (index, box)
            for index, whose in enumerate(self._whose)
            for box in np.flatnonzero(whose < 0).tolist()
        ][: MOST - len(self._people)]
        self.tracks = tuple(person.track for person in self._people)
        """Whose bit is which."""
        self.owners = (-1,) * len(self._people) + tuple(index for index, _ in self._loose)
        """(bits,) the only camera that shows it, for loose finds; -1 for people."""
        self.core: list[Bits] = self._drawn(1, self._views)
        """Per camera (rows, columns): where they may be."""

    def loose(self) -> list[tuple[int, Floats]]:
        """Give the finds that show nobody who is located: camera and box (4,)."""
        return [(index, self._boxes[index][box]) for index, box in self._loose]

    @property
    def count(self) -> int:
        """How many bits are taken."""
        return len(self.owners)

    def thin(self) -> list[Bits]:
        """Draw where they surely are."""
        return self._drawn(0, self._seen(_thin(self._people)))

    def wide(self) -> list[Bits]:
        """Draw where they may be in a moment, with a margin."""
        return self._drawn(2, self._seen(_wide(self._people)))

    def complete(self) -> Floats:
        """Give (bits, N) the share of each body that is in a camera's picture and on the panorama.

        Of loose finds nothing is known but whether their box ends at the picture's border.
        """
        shares = np.ones((self.count, len(self._cameras)))
        if self._people:
            points_m = _axes(self._people)
            for index, camera in enumerate(self._cameras):
                drawn = self._cells.drawn[index]
                shares[: len(self._people), index] = _complete(camera, points_m, drawn)
        for number, (index, box) in enumerate(self._loose):
            if _at_border(self._boxes[index][box], self._cameras[index].size_px):
                shares[len(self._people) + number] = AT_BORDER
        return shares

    def distances_m(self) -> Floats:
        """Give (bits, N) how far off everybody is; infinite for loose finds."""
        found = np.full((self.count, len(self._cameras)), np.inf)
        for bit, person in enumerate(self._people):
            for index, camera in enumerate(self._cameras):
                found[bit, index] = np.linalg.norm(np.array(person.xyz_m) - camera.centre_m)
        return found

    def _seen(self, solids_m: Floats) -> list[View]:
        return [_in_picture(camera, solids_m) for camera in self._cameras]

    def _drawn(self, level: int, views: list[View]) -> list[Bits]:
        pictures = [np.zeros(size, np.int64) for size in self._cells.small_px]
        for picture, (pixels, good), whose, boxes in zip(
            pictures, views, self._whose, self._boxes, strict=True
        ):
            for bit in range(len(self._people)):
                outlines = [_outline(box, level) for box in boxes[whose == bit]]
                # A find is better than a guess at where arms are; the wide body covers both.
                if level == 2 or not outlines:
                    outlines.append(pixels[bit][good[bit]])
                _draw(picture, outlines, bit)
        for number, (index, box) in enumerate(self._loose):
            outline = _outline(self._boxes[index][box], level)
            _draw(pictures[index], [outline], len(self._people) + number)
        return pictures


def _thin(people: Sequence[Position]) -> Floats:
    return _solids(people, [THIN_M[person.posture] for person in people], -HEADROOM_M, 0.0)


def _core(people: Sequence[Position]) -> Floats:
    return _solids(people, [RADIUS_M[p.posture] + _sigma_m(p) for p in people], 0.0, 0.0)


def _wide(people: Sequence[Position]) -> Floats:
    radii = [RADIUS_M[person.posture] + _sigma_m(person) + MARGIN_M for person in people]
    now, soon = (_solids(people, radii, MARGIN_M / 2, ahead_s) for ahead_s in (0.0, AHEAD_S))
    return np.concatenate([now, soon], axis=1)


def _sigma_m(person: Position) -> float:
    sigma_m = float(np.sqrt(max(np.trace(np.array(person.covariance_m2)) / 2, 0)))
    return min(sigma_m, MOST_SIGMA_M)


def _solids(
    people: Sequence[Position], radii_m: list[float], above_m: float, ahead_s: float
) -> Floats:
    """Give (P, K, 3) points whose hull holds each body, `ahead_s` from now."""
    turn = np.arange(TURNS) * 2 * np.pi / TURNS
    round_m = np.column_stack([np.cos(turn), np.sin(turn), np.zeros(TURNS)])
    solids = []
    for person, radius_m in zip(people, radii_m, strict=True):
        top_m = max(person.height_m, MIN_HEIGHT_M) + HEADROOM_M + above_m
        rings = [
            scale * radius_m * round_m + [0, 0, up]
            for scale, up in ((0.8, -above_m / 2), (1.0, 0.6 * top_m), (HEAD_SHARE, top_m))
        ]
        moved = np.array([*person.velocity_m_s, 0.0]) * ahead_s
        solids.append(np.array(person.xyz_m) + moved + np.concatenate(rings))
    return np.array(solids).reshape(-1, 3 * TURNS, 3)


def _in_picture(camera: CameraModel, points_m: Floats) -> View:
    """Give (P, K, 2) pixels, some outside the picture, and which of them mean anything."""
    pose = camera.camera_from_mine
    flat = points_m.reshape(-1, 3) @ pose[:3, :3].T + pose[:3, 3]
    off_axis = np.arctan2(np.hypot(flat[:, 0], flat[:, 1]), flat[:, 2])
    good = (off_axis <= camera.max_angle_rad) & (np.linalg.norm(flat, axis=1) > NEAREST_M)
    pixels = np.zeros((len(flat), 2))
    if good.any():
        pixels[good] = distort(camera, flat[good])
    shape = points_m.shape[:2]
    return pixels.reshape(*shape, 2), good.reshape(shape)


def _complete(camera: CameraModel, points_m: Floats, drawn: Maps) -> Floats:
    """Give the share of each body's points (P, K, 3) that the panorama shows (P,)."""
    pixels, good = _in_picture(camera, points_m)
    held = good & (pixels >= 0).all(axis=2) & (pixels <= np.array(camera.size_px) - 1).all(axis=2)
    rows, columns = drawn.shape
    spots = np.clip(pixels / SMALL, 0, [columns - 1, rows - 1]).astype(np.int64)
    return np.asarray((held * drawn[spots[..., 1], spots[..., 0]]).mean(axis=1), float)


def _at_border(box: Floats, size_px: tuple[int, int]) -> bool:
    far = np.array(size_px) - 1 - BORDER_PX
    return bool((box[:2] <= BORDER_PX).any() or (box[2:] >= far).any())


def _axes(people: Sequence[Position]) -> Floats:
    """Give (P, K, 3) points along each body's axis and as far beside it as shoulders are."""
    sides = SHOULDER_M * np.array([[0, 0, 0], [1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]])
    axes = []
    for person in people:
        up = np.linspace(0, 1, LEVELS)[:, None] * [0, 0, max(person.height_m, MIN_HEIGHT_M)]
        axes.append((np.array(person.xyz_m) + up[:, None] + sides).reshape(-1, 3))
    return np.array(axes)


def _person_boxes(finds: Iterable[Detections], camera: str) -> Floats:
    boxes = [
        found.boxes_px[np.isin(found.kinds, PERSON_KINDS)]
        for found in finds
        if found.camera == camera
    ]
    return np.concatenate(boxes) if boxes else np.empty((0, 4))


def _matched(pixels: Floats, good: Bools, boxes: Floats) -> Ints:
    """Say whom each box (B,) shows: the body that it overlaps most, -1 for none."""
    if not len(boxes) or not len(pixels):
        return np.full(len(boxes), -1)
    low = np.where(good[..., None], pixels, np.inf).min(axis=1)
    high = np.where(good[..., None], pixels, -np.inf).max(axis=1)
    size = np.maximum(np.minimum(boxes[:, None, 2:], high) - np.maximum(boxes[:, None, :2], low), 0)
    shared = np.prod(size, axis=2)
    both = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)[:, None]
    both = both + np.prod(np.maximum(high - low, 0), axis=1) - shared
    share = shared / np.maximum(both, 1.0)
    return np.where(share.max(axis=1) > SAME, share.argmax(axis=1), -1)


def _outline(box: Floats, level: int) -> Floats:
    """Give the outline (8 or 4, 2) of whom a box shows: thin, as they are, or with a margin."""
    size = box[2:] - box[:2]
    margin = np.array(BOX_MARGINS[level]) * size
    (x0, y0), (x1, y1) = box[:2] - margin, box[2:] + margin
    # Somebody lying may lie from corner to corner; and the wide body is to have room.
    if level == 2 or size[0] > size[1]:
        return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
    head, foot = CUT_TOP * (x1 - x0), CUT_FOOT * (x1 - x0)
    upper, lower = y0 + CUT_SIDE * (y1 - y0), y1 - CUT_SIDE * (y1 - y0)
    right = [[x1 - head, y0], [x1, upper], [x1, lower], [x1 - foot, y1]]
    left = [[x0 + foot, y1], [x0, lower], [x0, upper], [x0 + head, y0]]
    return np.array(right + left)


def _draw(picture: Bits, outlines: list[Floats], bit: int) -> None:
    """Set a bit wherever the hull of any of some outlines, in pixels, covers."""
    rows, columns = picture.shape
    for outline in outlines:
        if len(outline) < 3:
            continue
        kept = np.clip(outline / SMALL - 0.5, -columns, 2 * columns)
        hull = cv2.convexHull(np.rint(kept).astype(np.int32))
        x, y, w, h = cv2.boundingRect(hull)
        x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + w, columns), min(y + h, rows)
        if x0 >= x1 or y0 >= y1:
            continue
        covered = np.zeros((y1 - y0, x1 - x0), np.uint8)
        cv2.fillConvexPoly(covered, hull - np.array([[x0, y0]], np.int32), 1)
        picture[y0:y1, x0:x1] |= covered.astype(np.int64) << bit
