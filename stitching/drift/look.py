"""Measure how far a camera has turned away from how it hung when its reference was learned.

Knows nothing about when one looks, alarms or files. One picture in, one verdict out; the turn is
about the camera's own centre, which no picture of one camera contradicts while it is small.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from scene.arrays import Bools, Bytes, Floats
from scene.geometry import CameraModel, distort, undistort
from stitching.calibration import features
from stitching.drift.reference import (
    MIN_LIKENESS,
    REACH,
    Reference,
    Small,
    find_features,
    is_dark,
    locate,
    px_from_small,
    shrink,
    small_from_px,
    texture,
)
from stitching.drift.turn import (
    AGREE_PX,
    Fit,
    picture_shift_px,
    refined,
    small_turn,
    turn_covariance,
    two_point,
)

Verdict = Literal["still", "moved", "gone", "unsure"]

MOVED_DEG = 1.0
MOVED_PX = 2.0
"""A turn by more than this, or a picture whose outer parts, where neighbours overlap, shift by more
than this, is a knock."""
OUTER = 0.9
"""The share of the picture that shifts by no more than its outer parts."""
AGREE_FAR_PX = 2.0
"""The same for points found anywhere: they are placed less finely."""
MIN_AGREEING, MIN_SHARE = 14, 0.12
"""So many points must agree on a turn, and such a share of those looked for: a moving machine or
chance brings less together."""
MIN_CELLS = 5
"""Of a grid of 4 x 3, in which agreeing points must lie: a machine fills a corner."""
STAYING = 0.25
"""A turn is not believed when, against those that agree with it, this share of points is still in
place."""
MOST = 0.6
"""Where so many points agree at once no other turn is sought."""
SAME_TEXTURE = 0.7
"""A picture in which this share as much can be seen as in the reference should show the reference;
one that can't show it is dim, dusty or half covered."""
SHIFTED_PX, SHIFTED_SHARE = 2.0, 0.2
"""Points that are found well but miss the turn by more than this, in such a share: the camera has
been shifted, not only turned."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Drift:
    """One look at one camera."""

    camera: str
    verdict: Verdict
    """`still`, `moved`, `gone` (a rich picture that shows nothing of the reference) or `unsure`."""
    turn: Floats
    """(3, 3) rotation: the camera as it is from the camera as the rig has it."""
    covariance: Floats
    """(3, 3) of a small turn on top of it, rad2."""
    turn_deg: float
    shift_px: float
    """By how much the turn moves the picture, the median over it, camera px."""
    residual_px: float
    """Median miss of the agreeing points after the turn, camera px."""
    agreeing: int
    compared: int
    """How many points of the reference should have been in the picture."""
    shifted: bool
    """Whether many points are found off where any turn would put them."""
    why: str
    """For `unsure` and `gone`."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Search:
    good: Bools
    """(N,) which of the reference's points were found."""
    looked_for: int
    found_px: Floats
    """(N, 2)."""
    places: Floats
    """(N, 2) where they were searched for, small px."""
    fit: Fit


def measure(
    reference: Reference,
    camera: CameraModel,
    luma: Bytes,
    *,
    guess: Floats | None = None,
    anywhere: bool = True,
) -> Drift:
    """Hold one (H, W) luma against a camera's reference.

    `camera` gives the lens. First every patch is searched for around its place, to a fraction of a
    pixel. Where these don't agree the features are matched anywhere in the picture, which finds
    turns of any size and takes some six times as long; `anywhere=False` does without. A `guess`,
    the last turn (3, 3), saves that for a camera known to have moved. Rotations come from two
    points each (RANSAC), then all that agree (Gauss-Newton, Huber weights).
    """
    if luma.shape != (reference.size_px[1], reference.size_px[0]):
        return _unsure(reference, f"its picture is not {reference.size_px} px as its reference's")
    small = shrink(luma)
    ahead = undistort(camera, reference.points_px) @ reference.turn.T
    for turn in (np.eye(3),) if guess is None else (guess, np.eye(3)):
        near = _near(reference, camera, small, ahead, turn)
        if near is not None and _convinces(near, camera, ahead, small.scale):
            if picture_shift_px(camera, near.fit.turn @ turn.T) > MOVED_PX:
                # Again from there: what has moved on further was out of reach.
                near = _near(reference, camera, small, ahead, near.fit.turn) or near
            return _told(reference, camera, small, ahead, near)
    if is_dark(small):
        return _unsure(reference, "the picture is too dark")
    if not anywhere:
        return _unsure(reference, "too few of its features are in place")
    return _far(reference, camera, small, ahead)


def _far(reference: Reference, camera: CameraModel, small: Small, ahead: Floats) -> Drift:
    """Look for the reference all over the picture."""
    rough = _anywhere(reference, camera, small)
    if rough is None:
        if texture(small.luma) >= SAME_TEXTURE * reference.texture:
            return _unsure(reference, "nothing of its reference is in the picture", gone=True)
        return _unsure(reference, "the picture is too faint")
    fine = _near(reference, camera, small, ahead, rough)
    if fine is not None and _convinces(fine, camera, ahead, small.scale):
        return _told(reference, camera, small, ahead, fine)
    return _unsure(reference, "too few of its features agree")


def _near(
    reference: Reference, camera: CameraModel, small: Small, ahead: Floats, turn: Floats
) -> _Search | None:
    """Search for the patches around where a turn would put them; None when too few are there."""
    places = small_from_px(distort(camera, ahead @ turn.T), small.scale)
    height, width = small.luma.shape
    forward = (ahead @ turn.T)[:, 2] > 0.05
    inside = forward & (places > 0).all(axis=1) & (places < [width, height]).all(axis=1)
    indices = np.flatnonzero(inside)
    found = np.full((len(ahead), 2), np.nan)
    likeness = np.zeros(len(ahead))
    for index in indices:
        found[index], likeness[index] = locate(small.luma, reference.patches[index], places[index])
    good = likeness >= MIN_LIKENESS
    if good.sum() < MIN_AGREEING:
        return None
    found_px = px_from_small(found, small.scale)
    fit = refined(camera, ahead[good], found_px[good], turn, small.scale)
    if fit.agreeing.sum() < MOST * good.sum():
        seen = undistort(camera, found_px[good])
        best = two_point(ahead[good], seen, AGREE_PX / (small.scale * camera.k[0, 0]))
        fit = refined(camera, ahead[good], found_px[good], best, small.scale)
    return _Search(
        good=np.asarray(good), looked_for=len(indices), found_px=found_px, places=places, fit=fit
    )


def _convinces(search: _Search, camera: CameraModel, ahead: Floats, scale: float) -> bool:
    """Tell whether so many points, so widely spread, agree that it can't be chance or a machine."""
    count = int(search.fit.agreeing.sum())
    if count < max(MIN_AGREEING, MIN_SHARE * search.looked_for):
        return False
    width, height = camera.size_px
    spots = search.found_px[search.good][search.fit.agreeing]
    cells = (spots[:, 0] * 4 // width) + 4 * (spots[:, 1] * 3 // height)
    if len(np.unique(cells)) < MIN_CELLS:
        return False
    # Points that are where they should be speak against any turn that would have moved them.
    home = small_from_px(distort(camera, ahead[search.good]), scale)
    now = small_from_px(search.found_px[search.good], scale)
    turned = small_from_px(distort(camera, ahead[search.good] @ search.fit.turn.T), scale)
    at_home = np.linalg.norm(now - home, axis=1) < AGREE_PX
    away = np.linalg.norm(turned - home, axis=1) > 2 * AGREE_PX
    return bool((at_home & away).sum() < STAYING * count)


def _told(
    reference: Reference, camera: CameraModel, small: Small, ahead: Floats, search: _Search
) -> Drift:
    fit = search.fit
    turn_deg = float(np.degrees(np.linalg.norm(small_turn(fit.turn))))
    shift_px, outer_px = (picture_shift_px(camera, fit.turn, share) for share in (0.5, OUTER))
    residual = float(np.median(fit.miss_px[fit.agreeing])) / small.scale
    return Drift(
        camera=reference.camera,
        verdict="moved" if turn_deg >= MOVED_DEG or outer_px > MOVED_PX else "still",
        turn=fit.turn,
        covariance=turn_covariance(camera, ahead[search.good], fit, small.scale),
        turn_deg=turn_deg,
        shift_px=shift_px,
        residual_px=residual,
        agreeing=int(fit.agreeing.sum()),
        compared=search.looked_for,
        shifted=_is_shifted(search),
        why="",
    )


def _is_shifted(search: _Search) -> bool:
    """Tell whether many points miss the turn, each as its neighbour does: not by mistake, then."""
    off = (search.fit.miss_px > SHIFTED_PX) & (search.fit.miss_px < REACH)
    if off.sum() < MIN_AGREEING:
        return False
    places, misses = search.places[search.good][off], search.fit.off_px[off]
    apart = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    nearest = apart.argmin(axis=1)
    alike = np.linalg.norm(misses - misses[nearest], axis=1) < AGREE_PX
    return bool(alike.sum() > SHIFTED_SHARE * len(search.fit.miss_px))


def _unsure(reference: Reference, why: str, *, gone: bool = False) -> Drift:
    return Drift(
        camera=reference.camera,
        verdict="gone" if gone else "unsure",
        turn=np.eye(3),
        covariance=np.eye(3),
        turn_deg=0.0,
        shift_px=0.0,
        residual_px=0.0,
        agreeing=0,
        compared=len(reference.points_px),
        shifted=False,
        why=why,
    )


def _anywhere(reference: Reference, camera: CameraModel, small: Small) -> Floats | None:
    """Find a turn of any size by matching features all over the picture; None when none holds."""
    now = find_features(small.luma)
    was_px, is_small = features.match(reference.features, now)
    if len(was_px) < MIN_AGREEING:
        return None
    was = undistort(camera, was_px) @ reference.turn.T
    seen = undistort(camera, px_from_small(is_small, small.scale))
    limit = AGREE_FAR_PX / (small.scale * camera.k[0, 0])
    turn = two_point(was, seen, limit)
    agreeing = np.linalg.norm(was @ turn.T - seen, axis=1) < 1.5 * limit
    return turn if agreeing.sum() >= MIN_AGREEING else None
