"""Hold what was measured against the site's limits: point by point, passed or not, and why.

Knows nothing about how anything was measured or is shown. What was not measured has not passed; a
point whose limit the site file sets to null is left out, and said to be.
"""

from collections.abc import Sequence

from edge.acceptance.check import NOT_MEASURED, Check, at_most, left_out, seconds
from edge.acceptance.figures import Figures, Share, Station, share_of
from edge.acceptance.judge_cameras import judge_hanging, judge_health
from edge.acceptance.judge_places import judge_coverage, judge_positions
from edge.acceptance.words import told_alarm
from scene.acceptance_config import AcceptanceConfig
from scene.html_page import Both
from scene.site import Site

MOST_UNREAD = 0.01
"""Of a clip's labelled frames: what its cameras do not show is not tested."""


def judge(figures: Figures, site: Site) -> tuple[Check, ...]:
    """Judge every point."""
    limits = site.acceptance
    raised = sum(event.raised for event in figures.events)
    missed = share_of(len(figures.events) - raised, len(figures.events))
    false = figures.false_alarms
    ghosts = None if false is None else share_of(len(false), len(false) + raised)
    checks = [
        _share(
            "missed_people",
            ("people missed", "人员漏检"),
            figures.missed_people,
            limits.missed_share,
            limits.certain,
            [*_unseen(figures.stations), *figures.missed_where],
            [_nobody_there(one.where) for one in figures.stations if one.seen_share is None],
        ),
        _share(
            "false_people",
            ("people told where nobody was", "误报人员"),
            figures.false_people,
            limits.false_share,
            limits.certain,
            figures.false_where,
        ),
        _share(
            "missed_alarms",
            ("events without an alarm", "告警漏报"),
            missed,
            limits.missed_share,
            limits.certain,
            [_no_alarm(event.what) for event in figures.events if not event.raised],
            figures.untried,
        ),
        _share(
            "false_alarms",
            ("alarms of nothing", "告警误报"),
            ghosts,
            limits.false_share,
            limits.certain,
            [told_alarm(one.kind, one.evidence, one.at_s) for one in false or ()],
        ),
        _alarm_delay(figures, limits),
        *_position_delay(figures, limits),
        judge_positions(figures, limits),
        judge_coverage(figures, site),
        judge_health(figures, limits),
        judge_hanging(figures, site),
        _skew(figures, limits),
        *_labels(figures),
        *_same_files(figures),
    ]
    return tuple(checks)


def _share(  # noqa: PLR0917
    name: str,
    what: Both,
    share: Share | None,
    limit: float | None,
    certain: bool,
    why: Sequence[Both] = (),
    left: Sequence[Both] = (),
) -> Check:
    """Judge a share; `left` is what should have been counted and was not."""
    if limit is None:
        return left_out(name, what, _none_measured(share))
    wanted: Both = (f"at most {limit:.0%}", f"不超过 {limit:.0%}")
    if share is None:
        return Check(
            name=name,
            what=what,
            verdict="not_measured",
            measured=NOT_MEASURED,
            limit=wanted,
            why=tuple(left),
        )
    bad = (share.high if certain else share.share) > limit
    notes = list(why) if bad else []
    if not bad and share.high > limit:
        notes.append(
            (
                f"With so few, up to {_percent(share.high)} can't be ruled out (95 %).",
                f"样本较少，不能排除高达 {_percent(share.high)} 的可能（95% 置信）。",
            )
        )
    if bad and share.share <= limit:
        notes.append(
            (
                "The share itself is within the limit, but `certain` asks for the whole interval.",
                "比例本身未超限，但站点文件（certain）要求整个置信区间均不超限。",
            )
        )
    return Check(
        name=name,
        what=what,
        verdict="failed" if bad else "not_measured" if left else "passed",
        measured=_none_measured(share),
        limit=wanted,
        why=(*notes, *left),
    )


def _none_measured(share: Share | None) -> Both:
    if share is None:
        return NOT_MEASURED
    low, high = _percent(share.low), _percent(share.high)
    text = f"{share.share:.1%} ({share.count} / {share.of}; 95 %: {low}-{high})"
    return text, text.replace("95 %", "95% 区间")


def _percent(share: float) -> str:
    """Write a share as finely as limits of a few per cent ask for.

    >>> _percent(0.0), _percent(0.053), _percent(0.66)
    ('0%', '5.3%', '66%')
    """
    return f"{share:.0%}" if share >= 0.1 or not share else f"{share:.1%}"


def _unseen(stations: Sequence[Station]) -> list[Both]:
    found: list[Both] = []
    for one in stations:
        if one.seen_share is not None and one.seen_share < 1:
            en, zh = one.where
            share = 1 - one.seen_share
            found.append((f"{en}: missed {share:.0%} of the time", f"{zh}：{share:.0%} 时间漏检"))
    return found


def _nobody_there(where: Both) -> Both:
    return f"{where[0]}: nobody went there", f"{where[1]}：未前往"


def _no_alarm(what: Both) -> Both:
    return f"{what[0]}: no alarm came", f"{what[1]}：没有告警"


def _alarm_delay(figures: Figures, limits: AcceptanceConfig) -> Check:
    name, what = "alarm_delay", ("delay of alarms", "告警延迟")
    late = [(one.delay_s, one) for one in figures.events if one.delay_s is not None]
    worst = max((delay for delay, _ in late), default=None)
    measured = seconds(worst, f"worst of {len(late)}", f"{len(late)} 次中最差")
    if limits.delay_s is None:
        return left_out(name, what, measured)
    limit = limits.delay_s
    over = [(delay, one) for delay, one in late if delay > limit]
    why: list[Both] = [
        (f"{one.what[0]}: {delay:.1f} s late", f"{one.what[1]}：迟到 {delay:.1f} 秒")
        for delay, one in over
    ]
    wanted = (
        f"at most {limit:g} s after the alarm's own delay",
        f"超出告警自身延时不超过 {limit:g} 秒",
    )
    return Check(
        name=name,
        what=what,
        verdict="not_measured" if worst is None else "failed" if over else "passed",
        measured=measured,
        limit=wanted,
        why=tuple(why),
    )


def _position_delay(figures: Figures, limits: AcceptanceConfig) -> list[Check]:
    if figures.mode == "clip":
        return []  # a file has no delay that means anything; `untested` says so
    name, what = "position_delay", ("delay of positions", "定位延迟")
    measured = seconds(figures.position_delay_s, "95 % within", "95% 在此以内")
    if limits.delay_s is None:
        return [left_out(name, what, measured)]
    return [
        Check(
            name=name,
            what=what,
            verdict=at_most(figures.position_delay_s, limits.delay_s),
            measured=measured,
            limit=(f"at most {limits.delay_s:g} s", f"不超过 {limits.delay_s:g} 秒"),
        )
    ]


def _skew(figures: Figures, limits: AcceptanceConfig) -> Check:
    name, what = "clock_skew", ("clocks apart", "时钟偏差")
    measured = seconds(figures.clock_skew_s, *figures.skew_of, digits=3)
    if limits.clock_skew_s is None:
        return left_out(name, what, measured)
    return Check(
        name=name,
        what=what,
        verdict=at_most(figures.clock_skew_s, limits.clock_skew_s),
        measured=measured,
        limit=(f"at most {limits.clock_skew_s:g} s", f"不超过 {limits.clock_skew_s:g} 秒"),
    )


def _labels(figures: Figures) -> list[Check]:
    """See that there was a picture of nearly all that is labelled: else little was tested."""
    if figures.mode == "walk":
        return []
    unread = figures.unread
    measured: Both = NOT_MEASURED
    if unread is not None:
        measured = (
            f"{unread.count} of {unread.of} without a picture",
            f"{unread.of} 帧中 {unread.count} 帧没有画面",
        )
    return [
        Check(
            name="labels_read",
            what=("labelled frames have pictures", "标注帧均有画面"),
            verdict="passed"
            if unread is not None and unread.share <= MOST_UNREAD
            else "not_measured",
            measured=measured,
            limit=(f"at most {MOST_UNREAD:.0%} without", f"缺画面不超过 {MOST_UNREAD:.0%}"),
        )
    ]


def _same_files(figures: Figures) -> list[Check]:
    """See that the gateway runs what was given to this command: else something else was tested."""
    if figures.differs is None:
        return []
    same: Both = ("the same", "一致")
    if figures.uncompared:
        same = ("the same, as far as can be compared", "可核对的部分一致")
    return [
        Check(
            name="same_files",
            what=("the gateway runs these files", "网关使用相同文件"),
            verdict="failed" if figures.differs else "passed",
            measured=("differs", "不一致") if figures.differs else same,
            limit=(
                "site file, rig and detection model are the same",
                "站点文件、标定文件与检测模型一致",
            ),
            why=(*figures.differs, *figures.uncompared),
        )
    ]
