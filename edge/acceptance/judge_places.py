"""Judge where people were told to be, and which metres were seen.

Knows nothing about cameras or alarms.
"""

import math
from collections.abc import Sequence

from edge.acceptance.check import NOT_MEASURED, Check, Verdict, left_out
from edge.acceptance.figures import Figures
from scene.acceptance_config import AcceptanceConfig
from scene.floor import Floor
from scene.html_page import Both
from scene.site import Site

SEEN_TIME = 0.95
"""A metre that cameras see for less of the time is none that they see. Whatever takes a camera's
sight for a moment speaks against that camera's health, not against where cameras look."""


def judge_positions(figures: Figures, limits: AcceptanceConfig) -> Check:
    """Judge where people were told to be, station by station."""
    name, what = "position", ("position error, station by station", "各站点定位误差")
    known = [(one.median_m, one) for one in figures.stations if one.median_m is not None]
    worst = max((error for error, _ in known), default=None)
    measured = NOT_MEASURED
    if worst is not None:
        measured = (
            f"worst station {worst:.2f} m (of {len(known)})",
            f"最差站点 {worst:.2f} 米（共 {len(known)} 个）",
        )
    if limits.position_m is None:
        return left_out(name, what, measured)
    limit, why, left = limits.position_m, list[Both](), list[Both]()
    for one in figures.stations:
        en, zh = one.where
        if one.seen_share is None:
            left.append((f"{en}: nobody went there", f"{zh}：未前往"))
        elif one.median_m is None:
            why.append((f"{en}: nobody was told there", f"{zh}：未测得任何位置"))
        elif one.median_m > limit:
            why.append(
                (
                    f"{en}: {one.median_m:.2f} m off (cameras {', '.join(one.cameras)})",
                    f"{zh}：偏差 {one.median_m:.2f} 米（摄像机 {'、'.join(one.cameras)}）",
                )
            )
    return Check(
        name=name,
        what=what,
        verdict="failed" if why else "not_measured" if left or worst is None else "passed",
        measured=measured,
        limit=(
            f"median at most {limit:g} m at each station",
            f"每个站点中位数不超过 {limit:g} 米",
        ),
        why=(*why, *left),
    )


def judge_coverage(figures: Figures, site: Site) -> Check:
    """Judge which metres of roadway cameras see; a moment without one takes no metre away."""
    name, what = "coverage", ("roadway seen", "覆盖率")
    limits = site.acceptance
    wanted_m = wanted_stretch(site)
    metres = [] if figures.coverage is None else figures.coverage.within(wanted_m)
    known = [(metre, share) for metre, share in metres if share is not None]
    seen = sum(share >= SEEN_TIME for _, share in known)
    measured = NOT_MEASURED
    if known:
        measured = (
            f"{seen / len(metres):.0%} ({seen} of {len(metres)} m)",
            f"{seen / len(metres):.0%}（{len(metres)} 米中 {seen} 米）",
        )
    if limits.coverage_share is None:
        return left_out(name, what, measured)
    low, high = wanted_m
    limit = (
        f"at least {limits.coverage_share:.0%} of {low:g} to {high:g} m, each for "
        f"{SEEN_TIME:.0%} of the time",
        f"里程 {low:g} 至 {high:g} 米不低于 {limits.coverage_share:.0%}，每米可见时间不低于 "
        f"{SEEN_TIME:.0%}",
    )
    if not known:
        return Check(name=name, what=what, verdict="not_measured", measured=measured, limit=limit)
    unknown = [metre for metre, share in metres if share is None]
    wanted = limits.coverage_share * len(metres) - 1e-9
    bad = seen + len(unknown) < wanted
    why = _unseen(known)
    if unknown:
        runs = ", ".join(_runs(unknown))
        why.append(
            (
                f"Not judged, for the test itself kept their cameras from seeing: metres {runs}.",
                f"测试本身使摄像机无法看到，未评判：里程 {runs} 米。",
            )
        )
    if bad and limits.coverage_m is None:
        why.append(
            (
                "Is less to be watched than the whole floor? Then say so: acceptance.coverage_m.",
                "若并非全部巷道都需监视，请在站点文件中设置 acceptance.coverage_m。",
            )
        )
    verdict: Verdict = "failed" if bad else "passed" if seen >= wanted else "not_measured"
    return Check(
        name=name, what=what, verdict=verdict, measured=measured, limit=limit, why=tuple(why)
    )


def _unseen(known: Sequence[tuple[int, float]]) -> list[Both]:
    """Name the metres that no camera saw: never, too seldom, and for moments."""
    found: list[Both] = []
    if never := ", ".join(_runs([metre for metre, share in known if not share])):
        found.append((f"Seen by no camera: metres {never}.", f"无摄像机可见：里程 {never} 米。"))
    for least, most, en, zh in (
        (0.0, SEEN_TIME, "Seen too seldom", "可见时间不足"),
        (SEEN_TIME, 1.0, "Not seen for a moment, which takes none away", "短暂不可见，不扣除"),
    ):
        some = [(m, share) for m, share in known if share and least <= share < most]
        if some:
            runs, worst = ", ".join(_runs([m for m, _ in some])), min(share for _, share in some)
            found.append(
                (
                    f"{en}: metres {runs} (at worst {_most(worst)} of the time).",
                    f"{zh}：里程 {runs} 米（最差为 {_most(worst)} 的时间）。",
                )
            )
    return found


def _most(share: float) -> str:
    """Write a share of time, rounded down, so that none looks like more than it is.

    >>> _most(0.9996), _most(0.9496)
    ('99.9%', '94.9%')
    """
    return f"{math.floor(share * 1000 + 1e-9) / 1000:.1%}"


def wanted_stretch(site: Site) -> tuple[float, float]:
    """Tell from which to which chainage the roadway must be seen."""
    if site.acceptance.coverage_m is not None:
        return site.acceptance.coverage_m
    low, high = sorted(Floor(site.floor).chainages_m)
    return low, high


def _runs(metres: Sequence[int]) -> list[str]:
    """Write metres as stretches.

    >>> _runs([3, 4, 5, 9])
    ['3-6', '9-10']
    """
    found: list[list[int]] = []
    for metre in metres:
        if found and found[-1][1] == metre:
            found[-1][1] = metre + 1
        else:
            found.append([metre, metre + 1])
    return [f"{first}-{last}" for first, last in found]
