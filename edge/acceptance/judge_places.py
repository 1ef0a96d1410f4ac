"""Judge where people were told to be, and which metres were seen.

Knows nothing about cameras or alarms.
"""

from collections.abc import Sequence

from edge.acceptance.check import NOT_MEASURED, Check, Verdict, left_out
from edge.acceptance.figures import Figures
from edge.html_page import Both
from scene.acceptance_config import AcceptanceConfig
from scene.floor import Floor
from scene.site import Site


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
    """Judge which metres of roadway were seen."""
    name, what = "coverage", ("roadway seen", "覆盖率")
    limits = site.acceptance
    wanted_m = wanted_stretch(site)
    metres = [] if figures.coverage is None else figures.coverage.within(wanted_m)
    seen = sum(count > 0 for _, count in metres)
    measured = NOT_MEASURED
    if metres:
        measured = (
            f"{seen / len(metres):.0%} ({seen} of {len(metres)} m)",
            f"{seen / len(metres):.0%}（{len(metres)} 米中 {seen} 米）",
        )
    if limits.coverage_share is None:
        return left_out(name, what, measured)
    low, high = wanted_m
    limit = (
        f"at least {limits.coverage_share:.0%} of {low:g} to {high:g} m",
        f"里程 {low:g} 至 {high:g} 米不低于 {limits.coverage_share:.0%}",
    )
    if not metres:
        return Check(name=name, what=what, verdict="not_measured", measured=measured, limit=limit)
    bad = seen < limits.coverage_share * len(metres) - 1e-9
    holes = ", ".join(_runs([metre for metre, count in metres if not count]))
    why: list[Both] = []
    if holes:
        why.append((f"Seen by no camera: metres {holes}.", f"无摄像机可见：里程 {holes} 米。"))
    if bad and limits.coverage_m is None:
        why.append(
            (
                "Is less to be watched than the whole floor? Then say so: acceptance.coverage_m.",
                "若并非全部巷道都需监视，请在站点文件中设置 acceptance.coverage_m。",
            )
        )
    verdict: Verdict = "failed" if bad else "passed"
    return Check(
        name=name, what=what, verdict=verdict, measured=measured, limit=limit, why=tuple(why)
    )


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
