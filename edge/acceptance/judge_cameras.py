"""Judge whether cameras were well and look where the rig has them look; say which is not, and why.

Knows nothing about people missed or alarms.
"""

from collections.abc import Sequence

from control_room.evidence_words import in_chinese
from edge.acceptance.check import NOT_MEASURED, Check, Verdict, left_out
from edge.acceptance.figures import CameraFigures, Figures, Turn
from edge.acceptance.words import said, state_words
from scene.acceptance_config import AcceptanceConfig
from scene.html_page import Both
from scene.site import Site

OK_STATE = "ok"
MOST_TURNED_DEG = 1.5
"""What people and neighbours show of a camera acquits it only where the turn that they tell, and
how unsure they are about any axis, together are no more: one that was turned by 2° could pass."""


def judge_health(figures: Figures, limits: AcceptanceConfig) -> Check:
    """Judge the health of cameras and gateway."""
    name, what = "cameras_well", ("camera and gateway health", "摄像机与网关状态")
    cameras = figures.cameras
    unknown = [one for one in cameras if not one.state]
    ill = [one for one in cameras if one.state not in (OK_STATE, "")]
    well = len(cameras) - len(ill) - len(unknown)
    measured: Both = (
        f"{well} of {len(cameras)} well throughout",
        f"{len(cameras)} 台中 {well} 台始终正常",
    )
    if figures.troubles:
        measured = (f"{measured[0]}, the gateway not", f"{measured[1]}，网关异常")
    if not limits.cameras_well:
        return left_out(name, what, measured)
    why = [_ill(one) for one in ill]
    why += [
        (f"{one.name}: nothing was said of it", f"{one.name}：无任何状态信息")
        for one in unknown
        if not one.expected
    ]
    why += [_excuse(one) for one in cameras if one.expected]
    bad = bool(ill or figures.troubles)
    why += figures.troubles
    verdict: Verdict = "failed" if bad else "not_measured" if unknown or not cameras else "passed"
    return Check(
        name=name,
        what=what,
        verdict=verdict,
        measured=measured,
        limit=("every camera and the gateway, all the time", "每台摄像机与网关全程正常"),
        why=tuple(why),
    )


def _ill(camera: CameraFigures) -> Both:
    (en, zh), (detail, detail_zh) = state_words(camera.state), said(camera.detail)
    return (
        f"{camera.name}: {en}; {detail}".removesuffix("; "),
        f"{camera.name}：{zh}；{detail_zh}".removesuffix("；"),
    )


def _excuse(camera: CameraFigures) -> Both:
    """Say what was not judged: all of a camera's time, or that of an event."""
    if not camera.state:
        return (
            f"{camera.name}: not judged, the truth says {camera.expected} nearly all the time",
            f"{camera.name}：未评判，真值注明几乎全程 {camera.expected}",
        )
    return (
        f"{camera.name}: what comes of {camera.expected} is not judged while that lasts",
        f"{camera.name}：{camera.expected} 期间由其引起的状态不评判",
    )


def judge_hanging(figures: Figures, site: Site) -> Check:
    """Judge whether each camera looks where the rig has it look, and say which does not."""
    name, what = "cameras_hang", ("cameras look where the rig says", "摄像机朝向与标定一致")
    limit_deg = site.acceptance.camera_deg
    cameras = figures.cameras
    known = [(off, one) for one in cameras if (off := off_deg(one)) is not None]
    worst = max((off for off, _ in known), default=None)
    measured = NOT_MEASURED
    if worst is not None:
        measured = (f"worst {worst:.2f}° off", f"最差偏差 {worst:.2f}°")
    still = [one for one in cameras if one.still]
    if still and len(still) == len(cameras) and (worst or 0.0) <= (limit_deg or 0.0):
        measured = ("the gateway finds none moved", "网关未发现移动")
    if limit_deg is None:
        return left_out(name, what, measured)
    why = [_turned(one, off) for off, one in known if off > limit_deg]
    accused = {one.name for off, one in known if off > limit_deg}
    accused |= {one.name for one in cameras if one.still is False}
    why += _apart(cameras, accused, limit_deg)
    why += [
        (
            f"{one.name}: the gateway finds that it has moved: {one.detail}",
            f"{one.name}：网关判定其已移动：{in_chinese(one.detail)}",
        )
        for one in cameras
        if one.still is False
    ]
    if figures.rig_doubt:
        why.append((figures.rig_doubt, figures.rig_doubt))
    shown = _shown_to_hang(cameras, limit_deg)
    unknown = [one for one in cameras if one.name not in shown | accused]
    verdict: Verdict = "failed" if why else "not_measured" if unknown or not cameras else "passed"
    why += [_unknown(one, figures.mode) for one in unknown]
    return Check(
        name=name,
        what=what,
        verdict=verdict,
        measured=measured,
        limit=(f"at most {limit_deg:g}° each", f"每台不超过 {limit_deg:g}°"),
        why=tuple(why),
    )


def _unknown(camera: CameraFigures, mode: str) -> Both:
    """Say that nobody can tell how a camera hangs, and how unsure what was seen leaves it."""
    if mode == "walk":
        return (
            f"{camera.name}: the gateway did not say throughout that it hangs as it did: "
            f"{camera.detail or 'it can not tell'}",
            f"{camera.name}：网关未能全程确认其未移动：{in_chinese(camera.detail) or '无法判断'}",
        )
    seen, seen_zh = "nothing that it shows now tells how it hangs", "当前画面无法判断其朝向"
    most_deg = None if camera.turn is None else camera.turn.most_deg
    if camera.people is not None and most_deg is not None:
        seen = f"by what it shows now it may be turned by up to {most_deg:.1f}°"
        seen_zh = f"按当前画面，其转动可能达 {most_deg:.1f}°"
    return (
        f"{camera.name}: {seen} (survey points are the rig's own, and neighbours may have been "
        "turned together): have people walk before it, near and far, left and right",
        f"{camera.name}：{seen_zh}（测量点属于标定本身，相邻摄像机可能一同转动）："
        "请安排人员在其前方远近左右行走",
    )


def off_deg(camera: CameraFigures) -> float | None:
    """Tell the largest turn that any evidence gives of a camera; none without any.

    Of what people and neighbours tell, only what is more than may be chance counts.
    """
    own = [] if camera.survey is None else [camera.survey.deg]
    if camera.turn is not None:
        own.append(max(0.0, camera.turn.deg - camera.turn.sigma_deg))
    return max(own, default=None)


def _shown_to_hang(cameras: Sequence[CameraFigures], limit_deg: float) -> set[str]:
    """Name the cameras of which something that they show now says that they hang as in the rig.

    Survey points were clicked when the rig was made: they may accuse and never acquit.
    """
    told = [one for one in cameras if one.still is True or _tells(one.turn)]
    return {one.name for one in told if (off_deg(one) or 0.0) <= limit_deg}


def _tells(turn: Turn | None) -> bool:
    """Tell whether what is shown of a camera is exact enough to acquit it."""
    return turn is not None and turn.most_deg is not None and turn.most_deg <= MOST_TURNED_DEG


def _turned(camera: CameraFigures, off: float) -> Both:
    """Say which camera looks elsewhere, and what says so."""
    en, zh = [], []
    if (survey := camera.survey) is not None:
        en.append(
            f"its {survey.looks} survey points lie {survey.deg:.2f}° ({survey.px:.1f} px) beside "
            "where the rig shows them"
        )
        zh.append(
            f"{survey.looks} 个测量点与标定位置相差 {survey.deg:.2f}°（{survey.px:.1f} 像素）"
        )
    if (turn := camera.turn) is not None:
        en.append(
            f"people and neighbours together say {turn.deg:.2f}°, good to {turn.sigma_deg:.1f}°"
        )
        zh.append(f"人员与相邻画面综合为 {turn.deg:.2f}°，误差约 {turn.sigma_deg:.1f}°")
    if (people := camera.people) is not None:
        en.append(
            f"people are seen {people.deg:.2f}° ({people.px:.1f} px, itself good to "
            f"{people.sigma_deg:.1f}°) beside their true places ({people.looks} looks)"
        )
        zh.append(
            f"人员与真实位置相差 {people.deg:.2f}°（{people.px:.1f} 像素，自身误差约 "
            f"{people.sigma_deg:.1f}°，{people.looks} 次）"
        )
    for miss in camera.overlaps:
        en.append(f"it and {miss.other} miss each other by {miss.px:.1f} px ({miss.deg:.2f}°)")
        zh.append(f"与 {miss.other} 的重叠处相差 {miss.px:.1f} 像素（{miss.deg:.2f}°）")
    if camera.alone_m is not None:
        en.append(f"people whom it alone sees are {camera.alone_m:.2f} m off")
        zh.append(f"仅由其可见的人员偏差 {camera.alone_m:.2f} 米")
    return (
        f"{camera.name} looks {off:.2f}° beside where the rig file has it look: " + "; ".join(en),
        f"{camera.name} 的朝向与标定文件相差 {off:.2f}°：" + "；".join(zh),
    )


def _apart(cameras: Sequence[CameraFigures], accused: set[str], limit_deg: float) -> list[Both]:
    """Name neighbours that miss each other, where nothing of their own explains it."""
    found: list[Both] = []
    far = {one.name for one in cameras if one.turn is not None and one.turn.deg > limit_deg}
    for one in cameras:
        for miss in one.overlaps:
            pair = {one.name, miss.other}
            if pair & accused or one.name > miss.other or miss.deg <= limit_deg:
                continue
            which: Both = ("nothing tells which of them is wrong", "无法判断是哪一台")
            if len(pair & far) == 1:
                (name,) = pair & far
                which = (f"it is rather {name} that is wrong", f"较可能是 {name}")
            found.append(
                (
                    f"{one.name} and {miss.other} miss each other by {miss.px:.1f} px "
                    f"({miss.deg:.2f}°) where they overlap; {which[0]}",
                    f"{one.name} 与 {miss.other} 的重叠处相差 {miss.px:.1f} 像素"
                    f"（{miss.deg:.2f}°），{which[1]}",
                )
            )
    return found
