"""What would make a calibration better: concrete advice, drawn from its figures.

Knows nothing about pages. Each rule looks at one kind of weakness; a good calibration gets none.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edge.calibration.advice_overlaps import (
    Found,
    contradictory,
    disagreeing,
    few_matches,
    small_overlap,
)
from edge.calibration.figures import AWAY_M, CameraFit, Figures
from edge.calibration.limits import LIMITS
from edge.calibration.verdict import MIDDLE
from scene.html_page import Both

FEW_POINTS = 6
"""A camera that has points of its own should have so many."""
LEAST_SPREAD = 0.35
"""Points should span so much of a picture's width and height."""
LEAST_DEPTH = 1.5
"""The farthest surveyed point of a camera should be so many times as far as its nearest."""
SUSPECT = 3.5
"""A point that misses by so many of its sigmas..."""
SUSPECT_PX = 3.0
"""... and so many pixels (1280 px wide) is to be looked at."""
LEAST_REACH = 0.6
TURN_DEG = 0.5
FOCAL_APART = 0.03
ENOUGH_PICTURES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """One thing to do."""

    rule: str
    about: str
    """The camera, `cam1-cam2`, a point, or the rig."""
    text: Both


def advice(found: Figures) -> tuple[Advice, ...]:
    """Give all that should be done, what matters most first."""
    return tuple(
        Advice(rule=name, about=about, text=text)
        for name, rule in RULES.items()
        for about, text in rule(found)
    )


def _point_misses(found: Figures) -> Found:
    for camera in found.cameras:
        for point in camera.points:
            limit = max(SUSPECT * point.expected_px, SUSPECT_PX * camera.size_px[0] / 1280)
            if point.miss_px > limit:
                u, v = point.pixel
                yield (
                    point.name,
                    (
                        f"{point.name} ({camera.name}, pixel {u:.0f}, {v:.0f}) misses by "
                        f"{point.miss_px:.1f} px ({point.miss_cm:.1f} cm): check its coordinates "
                        "and where it was clicked, or leave it out",
                        f"{point.name}（{camera.name}，像素 {u:.0f}, {v:.0f}）误差 "
                        f"{point.miss_px:.1f} px（{point.miss_cm:.1f} cm）：请核对坐标与点击位置，"
                        "或删除该点",
                    ),
                )


def _no_survey(found: Figures) -> Found:
    if not found.surveyed:
        yield (
            "rig",
            (
                "the rig hangs by its stated mount or poses: survey at least 6 points (or put up "
                "surveyed markers), so that positions are in true mine metres",
                "坐标仅依据给定的安装位置：请测量至少 6 个点（或布设已测标志），以获得真实矿井坐标",
            ),
        )


def _few_points(found: Figures) -> Found:
    for camera in found.cameras:
        count = len(camera.points)
        if not found.surveyed or count >= FEW_POINTS or (count == 0 and not found.strip):
            continue
        more = FEW_POINTS - count
        yield (
            camera.name,
            (
                f"{camera.name} has only {count} survey points: add {more}, near the corners of "
                "its picture and at different distances",
                f"{camera.name} 仅有 {count} 个测量点：请在画面四角及不同距离处再增加 {more} 个",
            ),
        )


def _lopsided(found: Figures) -> Found:
    for camera in found.cameras:
        if len(camera.points) < 3:
            continue
        share = np.array([point.pixel for point in camera.points]) / np.array(camera.size_px)
        for axis, names in ((1, VERTICAL), (0, HORIZONTAL)):
            low, high = float(share[:, axis].min()), float(share[:, axis].max())
            if low > 0.5 or high < 0.5 or high - low < LEAST_SPREAD:
                empty = names[0] if low > 1 - high else names[1]
                yield (
                    camera.name,
                    (
                        f"the survey points of {camera.name} leave the {empty[0]} part of its "
                        "picture empty: add two there",
                        f"{camera.name} 画面{empty[1]}没有测量点：请在该处增加两个",
                    ),
                )


VERTICAL: tuple[Both, Both] = (("upper", "上部"), ("lower", "下部"))
HORIZONTAL: tuple[Both, Both] = (("left", "左侧"), ("right", "右侧"))


def _one_distance(found: Figures) -> Found:
    for camera in found.cameras:
        if len(camera.points) < 3:
            continue
        away = np.array([point.mine_m for point in camera.points]) - np.array(camera.centre_m)
        reach = np.linalg.norm(away, axis=1)
        if reach.max() < LEAST_DEPTH * reach.min():
            yield (
                camera.name,
                (
                    f"all survey points of {camera.name} lie {reach.min():.1f} to "
                    f"{reach.max():.1f} m away: add some nearer or farther ones, or its place and "
                    "its lens can't be told apart",
                    f"{camera.name} 的测量点距离均为 {reach.min():.1f} 至 {reach.max():.1f} 米："
                    "请增加更近或更远的点，否则无法区分位置与镜头参数",
                ),
            )


def _place_unsure(found: Figures) -> Found:
    if not found.surveyed:
        return
    limit = LIMITS.place_sigma_cm[0]
    unsure = [camera for camera in found.cameras if camera.place_sigma_cm > limit]
    for camera in unsure if found.strip else unsure[:1]:
        who = camera.name if found.strip else "the rig"
        yield (
            camera.name if found.strip else "rig",
            (
                f"the place of {who} is only known to {camera.place_sigma_cm:.0f} cm: survey more "
                "points, some near (2 to 4 m) and some far, on both walls and the floor",
                f"{camera.name if found.strip else '整组摄像机'}的位置误差约 "
                f"{camera.place_sigma_cm:.0f} cm：请在两帮与底板上增加远近不同的测量点",
            ),
        )


def _turn_unsure(found: Figures) -> Found:
    for camera in found.cameras:
        if found.surveyed and camera.turn_sigma_deg > TURN_DEG:
            yield (
                camera.name,
                (
                    f"the direction of {camera.name} is only known to {camera.turn_sigma_deg:.1f}"
                    "°: survey points far away and near the left and right edges of its picture",
                    f"{camera.name} 的朝向误差约 {camera.turn_sigma_deg:.1f}°："
                    "请在远处及画面左右边缘增加测量点",
                ),
            )


def _floor_unsure(found: Figures) -> Found:
    limit, away = LIMITS.floor_sigma_cm[0], AWAY_M[MIDDLE]
    for camera in found.cameras:
        cm = camera.floor_cm[MIDDLE]
        if found.surveyed and cm is not None and cm > limit:
            yield (
                camera.name,
                (
                    f"{camera.name} places people {away:g} m away only to {cm:.0f} cm: survey two "
                    "points on the floor there",
                    f"{camera.name} 在 {away:g} 米处的定位误差约 {cm:.0f} cm：请在该处底板上增加"
                    "两个测量点",
                ),
            )


def _lens_guessed(found: Figures) -> Found:
    for camera in found.cameras:
        evidence = len(camera.points) + camera.matches
        if evidence and camera.reach < LEAST_REACH:
            yield (
                camera.name,
                (
                    f"no point of {camera.name} lies further out than {camera.reach:.0%} of the "
                    "way to its picture's corners, so its lens is a guess there: survey points "
                    "near the corners",
                    f"{camera.name} 的测点与匹配点最远仅到画面对角线半长的 {camera.reach:.0%}，"
                    "边角处镜头参数为推测：请在画面四角附近增加测量点",
                ),
            )


def _lens_apart(found: Figures) -> Found:
    """Look for a camera whose field of view stands out among others of the same picture size."""
    if len(found.cameras) < 3 or len({camera.size_px for camera in found.cameras}) > 1:
        return
    middle = float(np.median([_focal(camera) for camera in found.cameras]))
    for camera in found.cameras:
        if abs(_focal(camera) / middle - 1) > FOCAL_APART:
            yield (
                camera.name,
                (
                    f"{camera.name} seems to see {camera.hfov_deg:.1f}°, unlike the others: is its "
                    "zoom the same? If it is, its lens is badly known: survey more points in it",
                    f"{camera.name} 的视场角为 {camera.hfov_deg:.1f}°，与其他摄像机不同：请检查"
                    "变焦是否一致；若一致，则镜头参数不可靠，请增加测量点",
                ),
            )


def _focal(camera: CameraFit) -> float:
    return 1 / float(np.tan(np.radians(min(camera.hfov_deg, 170.0)) / 2))


def _few_pictures(found: Figures) -> Found:
    if found.pictures < ENOUGH_PICTURES:
        yield (
            "rig",
            (
                f"only {found.pictures} picture(s) per camera were taken, so whoever walks by is "
                "part of the scene: take at least 3 (--frames 5)",
                f"每台摄像机仅取了 {found.pictures} 幅画面，行人会留在背景中："
                "请至少取 3 幅（--frames 5）",
            ),
        )


RULES: dict[str, Callable[[Figures], Found]] = {
    "contradicting pair": contradictory,
    "point misses": _point_misses,
    "no survey": _no_survey,
    "few points": _few_points,
    "lopsided points": _lopsided,
    "one distance": _one_distance,
    "place unsure": _place_unsure,
    "turn unsure": _turn_unsure,
    "floor unsure": _floor_unsure,
    "small overlap": small_overlap,
    "few matches": few_matches,
    "disagreeing matches": disagreeing,
    "lens guessed": _lens_guessed,
    "lens apart": _lens_apart,
    "few pictures": _few_pictures,
}
