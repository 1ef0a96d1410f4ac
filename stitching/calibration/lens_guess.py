"""First guess of a rig's lens: how wide it is, and how much it bends.

Knows nothing about metres or the mine. Two cameras alone tell it poorly where they hang a little
apart, for a longer lens hides the parallax; a ring of cameras that has to close tells it well.
"""

from dataclasses import dataclass, replace

import numpy as np

from scene.geometry import CameraModel, Lens, undistort
from stitching.calibration.features import Matches
from stitching.calibration.loops import Link, find_loops
from stitching.calibration.rotation import Turn, best_rotation, best_turn, ideal_camera

HFOV_GUESSES_DEG = (30.0, 38.0, 46.0, 54.0, 62.0, 70.0, 78.0, 88.0, 98.0, 110.0)
FISHEYE_GUESSES_DEG = (60.0, 75.0, 90.0, 105.0, 120.0, 140.0, 160.0, 180.0)
BROWN_K1_GUESSES = (0.0, -0.15, -0.3)
FINER = (0.92, 0.94, 0.96, 0.98, 1.0, 1.02, 1.04, 1.06, 1.08)
"""Shares of the first guess at which a rig with loops is looked at again."""
GUESS_THRESHOLD = 0.01
"""Of the picture's width: what counts as agreeing while only the lens is guessed."""
COARSE_GAP, FINE_GAP = 0.1, 0.02
"""Of the picture's width: a loop is open whose gap is so large for each of its pairs.

The finer one is twice `GUESS_THRESHOLD`, the coarser one what two neighbouring guesses differ by.
"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Guess:
    hfov_deg: float
    k1: float
    cameras: list[CameraModel]
    score: float
    ajar: bool
    """Whether some loop closes only more or less."""


def guess_lens(
    names: list[str],
    sizes_px: list[tuple[int, int]],
    pairs: list[Matches],
    lens: Lens,
    hfov_deg: float | None,
) -> list[CameraModel]:
    """Guess one lens for all cameras: the one under which most matches agree on rotations.

    Pairs whose loop closes count twice: a wrong lens can please every pair alone, but hardly all
    of a ring. A known `hfov_deg` lies across the width of every picture; a guessed angle along the
    longer side, for one camera model hung lying and upright has one focal length.
    """
    camera_of = _of_long_side if hfov_deg is None else ideal_camera
    sample = [_thinned(pair, 250) for pair in pairs]

    def guess(hfov: float, k1: float, open_gap: float) -> _Guess:
        cameras = [
            camera_of(name, size, lens, hfov, k1)
            for name, size in zip(names, sizes_px, strict=True)
        ]
        score, ajar = _score(cameras, sample, open_gap)
        return _Guess(hfov_deg=hfov, k1=k1, cameras=cameras, score=score, ajar=ajar)

    first = [guess(hfov, k1, COARSE_GAP) for hfov, k1 in _guesses(lens, hfov_deg)]
    best = max(first, key=lambda one: one.score)
    if best.ajar and hfov_deg is None:
        finer = [guess(share * best.hfov_deg, best.k1, FINE_GAP) for share in FINER]
        best = max(finer, key=lambda one: one.score)
    return best.cameras


def _score(cameras: list[CameraModel], pairs: list[Matches], open_gap: float) -> tuple[float, bool]:
    """Tell how well pairs, and the loops they make, agree with guessed lenses.

    A loop does not count from `open_gap`, of the picture's width, on. Gives also whether some
    loop is less open than that and yet more than `FINE_GAP`.
    """
    scores: dict[Link, float] = {}
    strong: list[Turn] = []
    for pair in pairs:
        rotation, score, errors_px = best_turn(cameras, pair, GUESS_THRESHOLD, rounds=120)
        scores[pair.first, pair.second] = score
        agreeing = errors_px < GUESS_THRESHOLD * cameras[pair.second].size_px[0]
        turn = Turn(matches=pair, second_from_first=rotation, agreeing=np.asarray(agreeing))
        if turn.strong:
            strong.append(_polished(cameras, turn))
    strong.sort(key=lambda turn: -scores[turn.link])
    closing: dict[Link, float] = {}
    ajar = False
    for loop in find_loops({turn.link: turn.second_from_first for turn in strong}):
        last = cameras[loop.links[0][1]]
        gap = loop.each_rad * last.k[0, 0] / last.size_px[0]
        ajar |= FINE_GAP < gap < open_gap
        for link in loop.links:
            closing[link] = max(closing.get(link, 0.0), 1 - (gap / open_gap) ** 2)
    extra = sum(scores[link] * closeness for link, closeness in closing.items())
    return sum(scores.values()) + extra, ajar


def _polished(cameras: list[CameraModel], turn: Turn) -> Turn:
    a = undistort(cameras[turn.matches.first], turn.matches.first_px)[turn.agreeing]
    b = undistort(cameras[turn.matches.second], turn.matches.second_px)[turn.agreeing]
    return Turn(matches=turn.matches, second_from_first=best_rotation(a, b), agreeing=turn.agreeing)


def _of_long_side(
    name: str, size_px: tuple[int, int], lens: Lens, angle_deg: float, k1: float
) -> CameraModel:
    """Make an ideal camera that sees `angle_deg` along the longer side of its picture."""
    width, height = size_px
    lying = ideal_camera(name, (max(size_px), min(size_px)), lens, angle_deg, k1)
    k = lying.k.copy()
    k[:2, 2] = (width - 1) / 2, (height - 1) / 2
    return replace(lying, size_px=size_px, k=k)


def _guesses(lens: Lens, hfov_deg: float | None) -> list[tuple[float, float]]:
    k1s = (0.0,) if lens == "fisheye" else BROWN_K1_GUESSES
    if hfov_deg is not None:
        hfovs: tuple[float, ...] = (hfov_deg,)
    else:
        hfovs = FISHEYE_GUESSES_DEG if lens == "fisheye" else HFOV_GUESSES_DEG
    return [(hfov, k1) for hfov in hfovs for k1 in k1s]


def _thinned(pair: Matches, count: int) -> Matches:
    if len(pair.first_px) <= count:
        return pair
    keep = np.linspace(0, len(pair.first_px) - 1, count).astype(int)
    return replace(pair, first_px=pair.first_px[keep], second_px=pair.second_px[keep])
