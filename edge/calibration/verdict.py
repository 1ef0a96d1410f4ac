"""Is a calibration good enough? One check per figure, each with its limit, in two languages.

Knows nothing about pages.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edge.calibration.figures import AWAY_M, FAR_M, Figures
from edge.calibration.limits import COLOURS, LIMITS, Colour, Limits
from edge.calibration.proof import contradicting, least_matches, unproven
from scene.html_page import Both

MIDDLE = 1
"""Of `AWAY_M`: the distance that the verdict looks at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One figure beside its limit."""

    name: Both
    value: str
    limit: str
    colour: Colour
    why: Both


def checks(found: Figures, limits: Limits = LIMITS) -> tuple[Check, ...]:
    """Look at everything that there is a limit for."""
    rows = [look(found, limits) for look in LOOKS]
    return tuple(row for row in rows if row is not None)


def worst(rows: tuple[Check, ...]) -> Colour:
    """Give the colour of the whole."""
    return COLOURS[max((COLOURS.index(row.colour) for row in rows), default=0)]


def headline(found: Figures, rows: tuple[Check, ...]) -> Both:
    """Say in plain words what the verdict is, and what it rests on."""
    colour = worst(rows)
    count = f"{len(found.cameras)}/{len(found.wanted)}"
    doubts = [row.name for row in rows if row.colour == colour]
    en = {
        "green": f"Good. {count} cameras are registered, and every figure is within its limit.",
        "amber": f"Usable, with doubts. {count} cameras are registered; look at: "
        f"{'; '.join(name[0].lower() for name in doubts)}.",
        "red": f"Not good enough. {count} cameras are registered, but these are out of their "
        f"limits: {'; '.join(name[0].lower() for name in doubts)}.",
    }[colour]
    zh = {
        "green": f"良好。已配准 {count} 台摄像机，各项指标均在限值之内。",
        "amber": f"可用，但有疑点。已配准 {count} 台摄像机；请查看："
        f"{'、'.join(name[1] for name in doubts)}。",
        "red": f"不合格。已配准 {count} 台摄像机，但以下指标超限："
        f"{'、'.join(name[1] for name in doubts)}。",
    }[colour]
    return en, zh


def spare(found: Figures) -> int:
    """Tell how many more points than the least four there are: of a strip, at its poorest camera.

    Cameras of a strip that hang by their drawn poses alone do not count.
    """
    counts = [len(camera.points) for camera in found.cameras]
    if found.strip:
        return min((count for count in counts if count), default=0) - 4
    return sum(counts) - 4


def _registered(found: Figures, limits: Limits) -> Check:
    missing = [name for name in found.wanted if name not in {c.name for c in found.cameras}]
    return Check(
        name=("Registered cameras", "已配准摄像机"),
        value=f"{len(found.cameras)}/{len(found.wanted)}",
        limit=f"{len(found.wanted)}/{len(found.wanted)}",
        colour="red" if missing else "green",
        why=(f"missing: {', '.join(missing)}", f"缺少：{'、'.join(missing)}")
        if missing
        else ("every camera of the site file has its place", "站点文件中的每台摄像机均已定位"),
    )


def _anchor(found: Figures, limits: Limits) -> Check:
    if not found.surveyed:
        why = (
            "mine metres rest on the stated mount or poses alone: nothing checks them",
            "矿井坐标仅依据给定的安装位置，未经校核",
        )
        return Check(
            name=("Anchor", "坐标基准"), value="mount", limit="survey", colour="amber", why=why
        )
    least = 4 + limits.spare_points
    count = spare(found) + 4
    few = count < least
    why = (
        ("hardly more points than unknowns: a wrong one would not be noticed", "点数过少，无法校核")
        if few
        else ("more points than unknowns: they check each other", "测点数有富余，可相互校核")
    )
    return Check(
        name=("Surveyed points of the poorest camera", "测点最少的摄像机")
        if found.strip
        else ("Surveyed points", "测量点"),
        value=str(count),
        limit=f"≥ {least}",
        colour="amber" if few else "green",
        why=why,
    )


def _matches(found: Figures, limits: Limits) -> Check | None:
    off = found.misses_px / found.scale
    if not len(off):
        return None
    median, p95 = float(np.median(off)), float(np.percentile(off, 95))
    cm = found.misses_cm
    colours = (_colour(median, limits.match_median_px), _colour(p95, limits.match_p95_px))
    where = ("at the surface", "在所视表面") if found.strip else (f"{FAR_M:g} m away", "6 米处")
    cms = f"{np.median(cm):.1f} / {np.percentile(cm, 95):.1f} cm"
    return Check(
        name=("Matched points (median / p95)", "匹配点误差（中位数 / 95%）"),
        value=f"{median * found.scale:.2f} / {p95 * found.scale:.2f} px",
        limit=_limit(limits.match_median_px, "px", found.scale)
        + " / "
        + _limit(limits.match_p95_px, "px", found.scale),
        colour=max(colours, key=COLOURS.index),
        why=(
            f"{len(off)} points that neighbours have in common; that is {cms} {where[0]}",
            f"相邻画面共有 {len(off)} 个匹配点；{where[1]}相当于 {cms}",
        ),
    )


def _agreeing(found: Figures, limits: Limits) -> Check | None:
    matches = sum(pair.matches for pair in found.pairs)
    if not matches:
        return None
    share = sum(pair.agreeing for pair in found.pairs) / matches
    good, poor = limits.agreeing_share
    return Check(
        name=("Matches that agree with the rig", "与标定一致的匹配点"),
        value=f"{share:.0%}",
        limit=f"≥ {good:.0%} (≥ {poor:.0%})",
        colour="green" if share >= good else "amber" if share >= poor else "red",
        why=(
            f"of {matches}; the others are mistakes, or things that moved",
            f"共 {matches} 个；其余为误匹配或移动物体",
        ),
    )


def _overlaps(found: Figures, limits: Limits) -> Check | None:
    pairs = [pair for pair in found.pairs if pair.neighbours]
    if not pairs:
        return None
    weak, least = unproven(found, limits), least_matches(found, limits)
    names = ", ".join(f"{pair.first}-{pair.second}" for pair in weak)
    return Check(
        name=("Overlaps proved by matches", "经匹配验证的重叠区"),
        value=f"{len(pairs) - len(weak)}/{len(pairs)}",
        limit=f"{len(pairs)}/{len(pairs)}",
        colour="amber" if weak else "green",
        why=(
            f"fewer than {least} matched points say that these agree: {names}",
            f"以下重叠区一致的匹配点不足 {least} 个：{names}",
        )
        if weak
        else (f"each by {least} points or more", f"每处至少 {least} 个匹配点"),
    )


def _contradictions(found: Figures, limits: Limits) -> Check | None:
    if found.strip or not found.pairs:
        return None
    pairs = contradicting(found, limits)
    names = ", ".join(
        f"{pair.first}-{pair.second} ({pair.agreeing} of {pair.matches} matches agree, "
        f"the middle one misses by {pair.off_px:.0f} px)"
        for pair in pairs
    )
    names_zh = "、".join(
        f"{pair.first}-{pair.second}（{pair.matches} 个匹配点中 {pair.agreeing} 个一致，"
        f"中位误差 {pair.off_px:.0f} px）"
        for pair in pairs
    )
    return Check(
        name=("Overlaps that contradict the rig", "与标定矛盾的重叠区"),
        value=str(len(pairs)),
        limit="0",
        colour="red" if pairs else "green",
        why=(f"these two do not fit the others: {names}", f"与其余摄像机不符：{names_zh}")
        if pairs
        else ("no pair with many matches is out of place", "匹配点多的重叠区均相符"),
    )


def _survey_px(found: Figures, limits: Limits) -> Check | None:
    if not found.points:
        return None
    rms = _rms([point.miss_px for point in found.points])
    top = max(found.points, key=lambda point: point.miss_px)
    return Check(
        name=("Survey points (rms in the picture)", "测量点画面误差（均方根）"),
        value=f"{rms:.2f} px",
        limit=_limit(limits.survey_rms_px, "px", found.scale),
        colour=_colour(rms / found.scale, limits.survey_rms_px),
        why=(
            f"the worst is {top.name}: {top.miss_px:.1f} px",
            f"最大为 {top.name}：{top.miss_px:.1f} px",
        ),
    )


def _survey_cm(found: Figures, limits: Limits) -> Check | None:
    if not found.points:
        return None
    rms = _rms([point.miss_cm for point in found.points])
    top = max(found.points, key=lambda point: point.miss_cm)
    return Check(
        name=("Survey points (rms where they are)", "测量点实地误差（均方根）"),
        value=f"{rms:.2f} cm",
        limit=_limit(limits.survey_rms_cm, "cm"),
        colour=_colour(rms, limits.survey_rms_cm),
        why=(
            f"by so much lines of sight pass the points; the worst is {top.name}: "
            f"{top.miss_cm:.1f} cm",
            f"视线偏离测点的距离；最大为 {top.name}：{top.miss_cm:.1f} cm",
        ),
    )


def _place(found: Figures, limits: Limits) -> Check:
    top = max(found.cameras, key=lambda camera: camera.place_sigma_cm)
    return Check(
        name=("Place of the cameras (one sigma)", "摄像机位置（一倍标准差）"),
        value=f"{top.place_sigma_cm:.1f} cm",
        limit=_limit(limits.place_sigma_cm, "cm"),
        colour=_stated(found, _colour(top.place_sigma_cm, limits.place_sigma_cm)),
        why=(f"the least sure one: {top.name}", f"最不确定：{top.name}"),
    )


def _floor(found: Figures, limits: Limits) -> Check | None:
    known = [(c.floor_cm[MIDDLE], c.name) for c in found.cameras]
    seen = [(cm, name) for cm, name in known if cm is not None]
    if not seen:
        return None
    cm, name = max(seen)
    away = AWAY_M[MIDDLE]
    return Check(
        name=(
            f"Places on the floor {away:g} m away (one sigma)",
            f"{away:g} 米处底板定位（一倍标准差）",
        ),
        value=f"{cm:.1f} cm",
        limit=_limit(limits.floor_sigma_cm, "cm"),
        colour=_stated(found, _colour(cm, limits.floor_sigma_cm)),
        why=(
            f"from the cameras' poses alone, at the worst spot of {name}; the detector adds to it",
            f"仅由位姿引起，{name} 画面最差处；检测误差另计",
        ),
    )


LOOKS: tuple[Callable[[Figures, Limits], Check | None], ...] = (
    _registered,
    _anchor,
    _matches,
    _agreeing,
    _overlaps,
    _contradictions,
    _survey_px,
    _survey_cm,
    _place,
    _floor,
)


def _colour(value: float, limit: tuple[float, float]) -> Colour:
    if not np.isfinite(value):
        return "red"
    return "green" if value <= limit[0] else "amber" if value <= limit[1] else "red"


def _stated(found: Figures, colour: Colour) -> Colour:
    """Call a stated mount no worse than a doubt: its sigmas are given, not found."""
    return "amber" if colour == "red" and not found.surveyed else colour


def _limit(limit: tuple[float, float], unit: str, scale: float = 1.0) -> str:
    return f"≤ {limit[0] * scale:.3g} (≤ {limit[1] * scale:.3g}) {unit}"


def _rms(values: list[float]) -> float:
    return float(np.sqrt(np.mean(np.square(values))))
