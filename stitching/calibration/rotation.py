"""How neighbours are turned against each other under a guessed lens, and so the whole rig.

Knows nothing about metres or the mine. Cameras share one centre, so that a pair is one rotation.
"""

from dataclasses import dataclass, replace

import numpy as np

from scene.arrays import Bools, Floats
from scene.geometry import CameraModel, Lens, undistort
from stitching.calibration.features import Matches
from stitching.calibration.loops import Link, find_loops, spread

PAIR_THRESHOLD = 0.02
"""Of the picture's width: what counts as agreeing before the lens is refined."""
MIN_AGREEING = 12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Turn:
    """How the second camera of a pair is turned against the first."""

    matches: Matches
    second_from_first: Floats
    """(3, 3) rotation."""
    agreeing: Bools
    """(M,) which matches agree with it."""

    @property
    def link(self) -> Link:
        """The two cameras."""
        return self.matches.first, self.matches.second

    @property
    def strong(self) -> bool:
        """Whether so many matches agree that it can't be chance."""
        count = int(self.agreeing.sum())
        return count >= MIN_AGREEING and count >= 8 + 0.15 * len(self.agreeing)


def ideal_camera(
    name: str, size_px: tuple[int, int], lens: Lens, hfov_deg: float, k1: float
) -> CameraModel:
    """Make a camera with a guessed lens, at the origin, looking along z."""
    width, height = size_px
    half = np.radians(hfov_deg) / 2
    edge = half if lens == "fisheye" else np.tan(half)
    bent = edge * (1 + k1 * edge**2)
    # A strongly bent barrel folds back before the picture's edge; keep the guess usable.
    focal = width / 2 / max(bent, 0.5 * edge)
    distortion = np.zeros(4 if lens == "fisheye" else 5)
    distortion[0] = k1
    return CameraModel(
        name=name,
        size_px=size_px,
        lens=lens,
        k=np.array(
            [[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]], dtype=float
        ),
        distortion=distortion,
        camera_from_mine=np.eye(4),
        pose_covariance=np.zeros((6, 6)),
        max_angle_rad=3.0 if lens == "fisheye" else 1.5,
    )


def turn_of_pair(cameras: list[CameraModel], pair: Matches) -> Turn:
    """Find the rotation that most matches of a pair agree with: 2-point RANSAC, then all agreeing.

    Two directions fix a rotation; see Brown, Hartley, Nister, "Minimal solutions for panoramic
    stitching", CVPR 2007.
    """
    rotation, _, error_px = best_turn(cameras, pair, PAIR_THRESHOLD, rounds=600)
    width = cameras[pair.second].size_px[0]
    agreeing = error_px < PAIR_THRESHOLD * width
    for _ in range(2):
        if agreeing.sum() < 2:
            break
        a = undistort(cameras[pair.first], pair.first_px)
        b = undistort(cameras[pair.second], pair.second_px)
        rotation = best_rotation(a[agreeing], b[agreeing])
        scale = _px_per_rad(cameras[pair.second], pair.second_px)
        agreeing = np.linalg.norm(a @ rotation.T - b, axis=1) * scale < PAIR_THRESHOLD * width
    return Turn(matches=pair, second_from_first=rotation, agreeing=np.asarray(agreeing))


def chain(cameras: list[CameraModel], turns: list[Turn]) -> tuple[list[CameraModel], list[int]]:
    """Turn all cameras into the first one's frame, along the strongest pairs.

    Gives the cameras and the indices of those that are linked; the largest linked group counts,
    and its best-linked camera is the origin.
    """
    strength = {(turn.matches.first, turn.matches.second): turn for turn in turns if turn.strong}
    group = _largest_group(len(cameras), list(strength))
    placed = {group[0]: np.eye(3)}
    while len(placed) < len(group):
        _, (i, j) = max(
            (int(turn.agreeing.sum()), (-i, -j))
            for (i, j), turn in strength.items()
            if (i in placed) != (j in placed)
        )
        i, j = -i, -j
        turn = strength[i, j].second_from_first
        if i in placed:
            placed[j] = turn @ placed[i]
        else:
            placed[i] = turn.T @ placed[j]
    linked = sorted(placed)
    return [
        turned(camera, placed.get(index, np.eye(3))) for index, camera in enumerate(cameras)
    ], linked


def closed(cameras: list[CameraModel], linked: list[int], turns: list[Turn]) -> list[CameraModel]:
    """Spread over a chain of cameras what it leaves over where strong pairs close a loop.

    A pair whose loop is far from closing is left aside: it, or the lens, is wrong.
    """
    known = {
        turn.link: turn
        for turn in sorted(turns, key=lambda turn: -int(turn.agreeing.sum()))
        if turn.strong
    }
    for loop in find_loops({link: turn.second_from_first for link, turn in known.items()}):
        last = cameras[loop.links[0][1]]
        if loop.each_rad * last.k[0, 0] > PAIR_THRESHOLD * last.size_px[0]:
            del known[loop.links[0]]
    rotations = {index: cameras[index].camera_from_mine[:3, :3] for index in linked}
    links = {
        link: (turn.second_from_first, float(turn.agreeing.sum())) for link, turn in known.items()
    }
    found = spread(rotations, links)
    return [
        turned(camera, found[index]) if index in found else camera
        for index, camera in enumerate(cameras)
    ]


def turned(camera: CameraModel, rotation: Floats) -> CameraModel:
    """Give the camera with a new (3, 3) rotation, its centre at the origin."""
    pose = np.eye(4)
    pose[:3, :3] = rotation
    return replace(camera, camera_from_mine=pose)


def best_rotation(a: Floats, b: Floats) -> Floats:
    """Give the (3, 3) rotation with `rotation @ a = b` in the least squares sense (Kabsch 1976)."""
    u, _, vt = np.linalg.svd(b.T @ a)
    flip = np.diag([1.0, 1.0, np.linalg.det(u @ vt)])
    return np.asarray(u @ flip @ vt)


def best_turn(
    cameras: list[CameraModel], pair: Matches, threshold: float, rounds: int
) -> tuple[Floats, float, Floats]:
    """Give the best of `rounds` rotations from two matches each, its score and all errors in px.

    `threshold`, of the picture's width, is how far off a match may be to count.
    """
    a = undistort(cameras[pair.first], pair.first_px)
    b = undistort(cameras[pair.second], pair.second_px)
    if len(a) < 2:
        return np.eye(3), 0.0, np.full(len(a), np.inf)
    scale = _px_per_rad(cameras[pair.second], pair.second_px)
    picks = np.random.default_rng(len(a)).integers(0, len(a), (rounds, 2))
    turns = _frames(b[picks[:, 0]], b[picks[:, 1]]) @ _frames(
        a[picks[:, 0]], a[picks[:, 1]]
    ).transpose(0, 2, 1)
    carried = np.einsum("hij,nj->hni", turns, a)
    errors = np.linalg.norm(carried - b[None], axis=2) * scale[None]
    limit = threshold * cameras[pair.second].size_px[0]
    scores = np.maximum(0.0, 1 - (errors / limit) ** 2).sum(axis=1)
    best = int(scores.argmax())
    return turns[best], float(scores[best]), np.asarray(errors[best])


def _frames(u: Floats, v: Floats) -> Floats:
    """Give (H, 3, 3) right-handed frames (in columns) that two directions each span."""
    middle = u + v
    side = np.cross(u, v)
    middle = middle / np.maximum(np.linalg.norm(middle, axis=1, keepdims=True), 1e-12)
    side = side / np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-12)
    return np.stack([middle, side, np.cross(middle, side)], axis=2)


def _px_per_rad(camera: CameraModel, pixels: Floats) -> Floats:
    """Tell how many pixels a small turn is worth at each of (N, 2) pixels."""
    here = undistort(camera, pixels)
    right = undistort(camera, pixels + np.array([1.0, 0.0])) - here
    down = undistort(camera, pixels + np.array([0.0, 1.0])) - here
    area = np.linalg.norm(np.cross(right, down), axis=1)
    widest = (2.0 / camera.k[0, 0]) ** 2
    return np.asarray(1 / np.sqrt(np.clip(area, widest / 400, widest)))


def _largest_group(count: int, links: list[tuple[int, int]]) -> list[int]:
    label = list(range(count))
    for i, j in links:
        low, high = sorted((label[i], label[j]))
        label = [low if x == high else x for x in label]
    groups = [[i for i in range(count) if label[i] == x] for x in sorted(set(label))]
    return max(groups, key=len)
