"""What a camera saw when it was known to hang right: still features that later looks are held to.

Knows nothing about when one looks, or what a turned camera means. Features are kept at a small
scale, as patches (to find again nearly in place, cheaply) and as descriptors (to find anywhere).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from scene.arrays import Bools, Bytes, Floats
from scene.geometry import CameraModel, undistort
from stitching.calibration.features import Features

WIDTH_PX = 640
"""Pictures are shrunk to this width: a look must cost little, and a rotation fitted to a hundred
points is ten times as fine as one of them."""
HALF = 8
"""Patches are 2 * 8 + 1 px wide, at the small scale."""
REACH = 8
"""A patch is searched for so far round its place, small px."""
CELLS, PER_CELL = (10, 6), 4
"""So many patches at most in each cell of a grid: the whole picture must have a say."""
MIN_PATCHES = 24
"""With fewer a camera can't be watched."""
MIN_LIKENESS = 0.6
"""Normalised cross-correlation from which a patch counts as found."""
UNIQUE = 0.85
"""A patch that looks as much as this like its own surroundings can't be placed."""
FEATURES = 500
BLUR_PX = 0.8
TEXTURE_BLUR_PX, TEXTURE_LEVELS = 2.0, 4.0
"""A cell of the grid shows something when its blurred luma varies by so much."""
RIM = 0.995
"""Of the lens's cone: what lies further out does not turn with the camera."""
DARK = 20.0
"""A picture whose brightest hundredth is below this shows nothing."""
CORNER_QUALITY = 0.001
"""Of the picture's best corner: a dark heading has some bright lamps and much faint rock."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reference:
    """One camera's still features."""

    camera: str
    size_px: tuple[int, int]
    """Of the camera's picture, as are all pixels here."""
    points_px: Floats
    """(N, 2) centres of the patches."""
    patches: Bytes
    """(N, 17, 17) at the small scale."""
    feature_px: Floats
    """(M, 2)."""
    descriptors: NDArray[np.float32]
    """(M, 128) RootSIFT, unit length."""
    texture: float
    """Share of the picture's cells that showed anything."""
    turn: Floats
    """(3, 3) rotation: the camera as the rig has it from the camera as it was here."""

    @property
    def features(self) -> Features:
        """The features that can be found anywhere."""
        return Features(points_px=self.feature_px, descriptors=self.descriptors)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Small:
    """A picture as looks need it."""

    luma: Bytes
    """(h, w), blurred a little against noise and compression."""
    scale: float
    """Small pixels per pixel."""


def shrink(luma: Bytes) -> Small:
    """Shrink an (H, W) luma to `WIDTH_PX`; smaller ones stay as they are."""
    scale = min(1.0, WIDTH_PX / luma.shape[1])
    small = np.ascontiguousarray(luma)
    if scale < 1:
        size = (WIDTH_PX, max(1, round(luma.shape[0] * scale)))
        small = np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_AREA), np.uint8)
    return Small(luma=np.asarray(cv2.GaussianBlur(small, (0, 0), BLUR_PX), np.uint8), scale=scale)


def is_dark(picture: Small) -> bool:
    """Tell whether a picture is too dark to show anything."""
    return float(np.percentile(picture.luma, 99)) < DARK


def texture(small: Bytes) -> float:
    """Tell the share of a small picture's cells that show anything: 0 is a covered lens."""
    columns, rows = CELLS
    blurred = cv2.GaussianBlur(small, (0, 0), TEXTURE_BLUR_PX)
    cells = [
        cell.std()
        for row in np.array_split(blurred, rows)
        for cell in np.array_split(row, columns, 1)
    ]
    return float(np.mean(np.array(cells) >= TEXTURE_LEVELS))


def small_from_px(pixels: Floats, scale: float) -> Floats:
    """Carry (N, 2) camera pixels to the small picture."""
    return np.asarray((pixels + 0.5) * scale - 0.5)


def px_from_small(small: Floats, scale: float) -> Floats:
    """Carry (N, 2) pixels of the small picture to the camera's."""
    return np.asarray((small + 0.5) / scale - 0.5)


def learn(
    camera: CameraModel,
    pictures: Sequence[Small],
    boxes_px: Sequence[Floats] = (),
    turn: Floats | None = None,
) -> Reference | None:
    """Learn a camera's still features from several pictures, some time apart.

    `boxes_px` are people, (K, 4) per picture, in camera pixels: nothing is learned where somebody
    stands in half of the pictures. What moves between the pictures is left out. `turn` is how the
    rig has the camera from how it hangs in the pictures; none means as it hangs. None when too
    little can be told apart: too dark, or a bare wall.
    """
    scale = pictures[0].scale
    if is_dark(pictures[len(pictures) // 2]):
        return None
    still = np.asarray(np.median([picture.luma for picture in pictures], axis=0), np.uint8)
    free = _free(still.shape, boxes_px, scale, len(pictures))
    corners = _corners(still, free)
    corners = corners[_in_cone(camera, px_from_small(corners.astype(float), scale))]
    corners = corners[[_is_unique(still, corner) for corner in corners]]
    patches = np.array([_patch(still, corner) for corner in corners], np.uint8)
    steady = [
        np.mean([_stays(picture.luma, corner, patch) for picture in pictures]) > 0.5
        for corner, patch in zip(corners, patches, strict=True)
    ]
    corners, patches = corners[steady], patches[steady]
    if len(corners) < MIN_PATCHES:
        return None
    features = find_features(still)
    inside = np.clip(np.rint(features.points_px), 0, np.array(still.shape[::-1]) - 1).astype(int)
    kept = free[inside[:, 1], inside[:, 0]]
    kept &= _in_cone(camera, px_from_small(features.points_px, scale))
    return Reference(
        camera=camera.name,
        size_px=camera.size_px,
        points_px=px_from_small(corners.astype(float), scale),
        patches=patches,
        feature_px=px_from_small(features.points_px[kept], scale),
        descriptors=features.descriptors[kept],
        texture=texture(still),
        turn=np.eye(3) if turn is None else turn,
    )


def find_features(small: Bytes) -> Features:
    """Find the strongest SIFT points of a small luma after CLAHE; pixels of the small picture."""
    even = cv2.createCLAHE(clipLimit=3.0, tileGridSize=(8, 8)).apply(small)
    sift = cv2.SIFT.create(nfeatures=FEATURES, contrastThreshold=0.02, enable_precise_upscale=True)
    found, descriptors = sift.detectAndCompute(even, None)
    if descriptors is None or not len(found):
        return Features(points_px=np.zeros((0, 2)), descriptors=np.zeros((0, 128), np.float32))
    root = np.sqrt(np.asarray(descriptors, np.float32))
    root /= np.maximum(np.linalg.norm(root, axis=1, keepdims=True), 1e-6)
    return Features(points_px=np.array([point.pt for point in found], float), descriptors=root)


def locate(small: Bytes, patch: Bytes, place: Floats, reach: int = REACH) -> tuple[Floats, float]:
    """Find a patch within `reach` of `place` (2,), small px; gives where, and how like it is.

    Likeness is normalised cross-correlation, which no change of brightness or contrast touches; 0
    when the search would leave the picture or ends at its own border.
    """
    x, y = (int(value) for value in np.rint(place))
    margin = HALF + reach
    height, width = small.shape
    if not (margin <= x < width - margin and margin <= y < height - margin):
        return place, 0.0
    window = small[y - margin : y + margin + 1, x - margin : x + margin + 1]
    likeness = cv2.matchTemplate(window, patch, cv2.TM_CCOEFF_NORMED)
    _, best, _, (column, row) = cv2.minMaxLoc(likeness)
    if not (0 < column < 2 * reach and 0 < row < 2 * reach) or not np.isfinite(best):
        return place, 0.0
    along = _peak(np.asarray(likeness[row, column - 1 : column + 2], float))
    down = _peak(np.asarray(likeness[row - 1 : row + 2, column], float))
    return np.array([x + column - reach + along, y + row - reach + down]), float(best)


def _in_cone(camera: CameraModel, pixels: Floats) -> Bools:
    """Tell (N,) which pixels show what the lens sees: not the rim round a fisheye's picture."""
    ahead = undistort(camera, pixels)
    off_axis = np.arctan2(np.hypot(ahead[:, 0], ahead[:, 1]), ahead[:, 2])
    return np.asarray(off_axis < RIM * camera.max_angle_rad)


def _free(shape: tuple[int, ...], boxes_px: Sequence[Floats], scale: float, count: int) -> Bools:
    """Tell (h, w) where nobody stands in half of the pictures or more."""
    taken = np.zeros(shape, int)
    for boxes in boxes_px:
        here = np.zeros(shape, bool)
        for x0, y0, x1, y1 in np.asarray(boxes, float).reshape(-1, 4) * scale:
            if np.isfinite([x0, y0, x1, y1]).all():
                left, top = max(0, int(x0) - HALF), max(0, int(y0) - HALF)
                here[top : max(0, int(y1) + HALF), left : max(0, int(x1) + HALF)] = True
        taken += here
    return np.asarray(2 * taken < max(count, 1))


def _corners(still: Bytes, free: Bools) -> NDArray[np.int64]:
    """Pick (N, 2) corners, the best few of every cell; small px, integers."""
    even = cv2.createCLAHE(clipLimit=3.0, tileGridSize=(8, 8)).apply(still)
    strength = np.asarray(cv2.cornerMinEigenVal(even, 5), float)
    height, width = still.shape
    margin = HALF + REACH + 2
    allowed = np.zeros(still.shape, bool)
    allowed[margin : height - margin, margin : width - margin] = True
    strength[~(allowed & free)] = 0
    peaks = strength >= cv2.dilate(strength, np.ones((9, 9)))
    limit = CORNER_QUALITY * strength.max(initial=0.0)
    y, x = np.nonzero(peaks & (strength > max(limit, 1e-9)))
    order = np.argsort(-strength[y, x], kind="stable")
    columns, rows = CELLS
    full: dict[int, int] = {}
    picked = []
    for index in order:
        cell = int(y[index]) * rows // height * columns + int(x[index]) * columns // width
        if full.get(cell, 0) < PER_CELL:
            full[cell] = full.get(cell, 0) + 1
            picked.append((int(x[index]), int(y[index])))
    return np.array(picked, np.int64).reshape(-1, 2)


def _patch(luma: Bytes, corner: NDArray[np.int64]) -> Bytes:
    x, y = corner
    return luma[y - HALF : y + HALF + 1, x - HALF : x + HALF + 1]


def _is_unique(still: Bytes, corner: NDArray[np.int64]) -> bool:
    """Tell whether a patch can't be mistaken for its surroundings, along an edge, say."""
    x, y = corner
    margin = HALF + REACH
    window = still[y - margin : y + margin + 1, x - margin : x + margin + 1]
    likeness = np.array(cv2.matchTemplate(window, _patch(still, corner), cv2.TM_CCOEFF_NORMED))
    likeness[REACH - 3 : REACH + 4, REACH - 3 : REACH + 4] = -1
    return bool(np.nanmax(likeness) < UNIQUE)


def _stays(luma: Bytes, corner: NDArray[np.int64], patch: Bytes) -> bool:
    place, likeness = locate(luma, patch, corner.astype(float))
    return likeness >= MIN_LIKENESS and bool(np.abs(place - corner).max() < 1.0)


def _peak(three: Floats) -> float:
    """Tell where between -0.5 and 0.5 a parabola through three values has its top."""
    low, middle, high = (float(value) for value in three)
    bend = low - 2 * middle + high
    return 0.0 if bend >= -1e-9 else float(np.clip((low - high) / (2 * bend), -0.5, 0.5))
