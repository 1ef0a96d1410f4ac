"""The report of an acceptance test: one HTML file to read, print and sign.

Knows nothing about how anything was measured or judged. Nothing is loaded from elsewhere; English
and Chinese are both in it.
"""

from collections.abc import Sequence
from html import escape

from control_room.journal.export import moment
from edge.acceptance.check import Check, Verdict, passed
from edge.acceptance.drawing import bars, longer, plan
from edge.acceptance.figures import CameraFigures, Figures, Station, Turn
from edge.acceptance.judge_cameras import MOST_TURNED_DEG
from edge.acceptance.judge_places import SEEN_TIME
from edge.acceptance.record import Subject
from edge.acceptance.words import said, state_words, told_alarm
from scene.html_page import Both, both, bullets, card, document, head, table
from scene.rig import Rig
from scene.site import Site

VERDICTS: dict[Verdict, Both] = {
    "passed": ("passed", "合格"),
    "failed": ("FAILED", "不合格"),
    "not_measured": ("NOT MEASURED", "未测量"),
    "left_out": ("left out", "不要求"),
}
MODES: dict[str, Both] = {
    "clip": ("labelled clip, every frame of it", "带标注录像，逐帧处理"),
    "walk": ("scripted walk before a running gateway", "在运行中的网关前按预定站点行走"),
}
STILL: tuple[Both, Both] = (("moved", "已移动"), ("in place", "未移动"))
STYLE = """
.facts{display:grid;grid-template-columns:max-content 1fr;gap:2px 16px;font-size:13px;margin:0}
.facts dt{color:#4b5563}.facts dd{margin:0;overflow-wrap:anywhere}
td.n .en,td.n .zh{white-space:normal}td ul{padding-left:16px}
.sign{display:flex;gap:32px;margin-top:36px}.sign>span{flex:1;border-top:1px solid #111827;
padding-top:4px;font-size:13px}
@media print{.facts,.sign>span{font-size:10px}.sign{break-inside:avoid}}
"""


def page(
    subject: Subject, figures: Figures, checks: Sequence[Check], site: Site, rig: Rig | None
) -> str:
    """Give the whole report as HTML."""
    title: Both = (f"Acceptance test: {subject.site}", f"验收测试：{subject.site}")
    body = [
        f"<h1>{both(title)}</h1>",
        _verdict(checks),
        card(_facts(subject, figures)),
        head(("Point by point", "逐项结果")) + card(_checks(checks)),
        head(("Plan", "平面图")) + card(plan(figures, site, rig) + _legend(figures)),
        head(("Position error at each station", "各站点定位误差"))
        + card(_errors(figures, site) + _stations(figures)),
        head(("Alarms", "告警")) + card(_alarms(figures, site)),
        head(("Cameras", "摄像机")) + card(_cameras(figures.cameras)),
        head(("Not tested", "未测试内容")) + card(bullets(figures.untested)),
        head(("How this was measured", "测量方法")) + card(bullets(HOW)),
        _signatures(subject),
    ]
    return document(title[0], "".join(body), STYLE)


def _verdict(checks: Sequence[Check]) -> str:
    if passed(checks):
        left = sum(check.verdict == "left_out" for check in checks)
        words: Both = ("PASSED", "合格")
        if left:
            words = (
                f"PASSED, with {left} points left out by the site file",
                f"合格（站点文件不要求其中 {left} 项）",
            )
        return f'<div class="verdict green"><p>{both(words)}</p></div>'
    failed = [check for check in checks if check.verdict == "failed"]
    missing = [check for check in checks if check.verdict == "not_measured"]
    en = [f"failed: {', '.join(c.what[0] for c in failed)}"] if failed else []
    zh = [f"不合格项：{'、'.join(c.what[1] for c in failed)}"] if failed else []
    en += [f"not measured: {', '.join(c.what[0] for c in missing)}"] if missing else []
    zh += [f"未测量项：{'、'.join(c.what[1] for c in missing)}"] if missing else []
    words = ("NOT PASSED; " + "; ".join(en), "不合格；" + "；".join(zh))
    return f'<div class="verdict red"><p>{both(words)}</p></div>'


def _facts(subject: Subject, figures: Figures) -> str:
    nobody: Both = ("not on this machine", "本机没有该文件")
    unsaid: Both = ("the gateway does not say which file", "网关未说明所用文件")
    rows: list[tuple[Both, str]] = [
        (("site, gateway", "站点，网关"), escape(f"{subject.site}, {subject.gateway}")),
        (("test", "测试方式"), both(MODES[figures.mode])),
        (
            ("when", "时间"),
            escape(f"{moment(subject.began_at_ns)} – {moment(subject.ended_at_ns)}"),
        ),
        (("tester", "测试人"), escape(subject.tester)),
        (("software", "软件"), escape(subject.software)),
    ]
    if subject.gateway_software is not None:
        rows.append((("gateway's software", "网关软件"), escape(subject.gateway_software)))
    rows += [
        (
            ("model", "检测模型"),
            escape(subject.model) + " " + (_hash(subject.model_sha256) or both(unsaid)),
        ),
        (
            ("rig", "标定文件"),
            escape(subject.rig_id or "") + " " + (_hash(subject.rig_sha256) or both(nobody)),
        ),
        (("site file", "站点文件"), _hash(subject.site_sha256)),
        (
            ("clip or stations", "录像或站点表"),
            escape(subject.truth) + " " + _hash(subject.truth_sha256),
        ),
        (("footage", "时长"), f"{figures.seconds:.0f} s"),
    ]
    listed = "".join(f"<dt>{both(name)}</dt><dd>{value}</dd>" for name, value in rows)
    return f'<dl class="facts">{listed}</dl>'


def _hash(digest: str | None) -> str:
    return "" if digest is None else f"SHA-256 {digest}"


def _checks(checks: Sequence[Check]) -> str:
    heads: list[Both] = [
        ("point", "项目"),
        ("result", "结果"),
        ("measured", "实测"),
        ("limit", "限值"),
        ("why", "说明"),
    ]
    rows = [
        [
            both(check.what),
            f"<b>{both(VERDICTS[check.verdict])}</b>",
            both(check.measured),
            both(check.limit),
            bullets(check.why) if check.why else "",
        ]
        for check in checks
    ]
    bad = [i for i, check in enumerate(checks) if check.verdict in ("failed", "not_measured")]
    return table(heads, rows, {0, 1, 2, 3, 4}, bad=bad)


def _legend(figures: Figures) -> str:
    times = longer(figures.stations)
    words: Both = (
        "Circle: where people truly were. Line and dot: where they were told to be"
        + (f", {times} times as far off as they were." if times > 1 else ".")
        + " Red cross: nobody was told there. Red edges: roadway that cameras do not see."
        + (" Grey edges: not judged." if _is_unknown(figures) else ""),
        "圆圈为真实位置；线与圆点为测得位置"
        + (f"，偏差放大 {times} 倍。" if times > 1 else "。")
        + "红叉表示未测得。红色边线：摄像机看不到的巷道。"
        + ("灰色边线：未评判。" if _is_unknown(figures) else ""),
    )
    return f'<p class="note">{both(words)}</p>'


def _is_unknown(figures: Figures) -> bool:
    """Tell whether there are metres of which nobody can say whether they are seen."""
    return figures.coverage is None or 0 in figures.coverage.looks


def _errors(figures: Figures, site: Site) -> str:
    limit = site.acceptance.position_m
    return bars(
        [(one.where, one.median_m, _within(one.median_m, limit)) for one in figures.stations],
        limit,
        "m",
    )


def _within(value: float | None, limit: float | None) -> bool:
    return value is not None and (limit is None or value <= limit)


def _stations(figures: Figures) -> str:
    heads: list[Both] = [
        ("station", "站点"),
        ("place", "位置"),
        ("true x, y m", "真实 x, y 米"),
        ("told x, y m", "测得 x, y 米"),
        ("median m", "中位误差 米"),
        ("95 % m", "95% 误差 米"),
        ("seen", "可见时间"),
        ("looks", "次数"),
        ("delay s (95 %)", "延迟 秒（95%）"),
        ("cameras", "摄像机"),
        ("note", "备注"),
    ]
    rows = [_row(one) for one in figures.stations]
    bad = [i for i, one in enumerate(figures.stations) if one.median_m is None]
    return table(heads, rows, {0, 1, 9, 10}, bad=bad)


def _row(one: Station) -> list[str]:
    told = "–" if one.told_xy_m is None else f"{one.told_xy_m[0]:.2f}, {one.told_xy_m[1]:.2f}"
    return [
        escape(one.name),
        both(one.where),
        f"{one.true_xy_m[0]:.2f}, {one.true_xy_m[1]:.2f}",
        told,
        _number(one.median_m),
        _number(one.p95_m),
        "–" if one.seen_share is None else f"{one.seen_share:.0%}",
        str(one.looks),
        _number(one.delay_s),
        escape(", ".join(one.cameras)),
        "" if one.note is None else both(one.note),
    ]


def _number(value: float | None, form: str = ".2f") -> str:
    return "–" if value is None else format(value, form)


def _alarms(figures: Figures, site: Site) -> str:
    heads: list[Both] = [
        ("event", "事件"),
        ("at s", "时刻 秒"),
        ("own delay s", "自身延时 秒"),
        ("alarm", "告警"),
        ("late by s", "迟到 秒"),
        ("place off m", "位置偏差 米"),
    ]
    came: tuple[Both, Both] = (("NO ALARM", "无告警"), ("came", "已告警"))
    rows = [
        [
            both(one.what),
            f"{one.at_s:.1f}",
            f"{one.configured_s:.1f}",
            both(came[one.raised]),
            _number(one.delay_s, ".1f"),
            _number(one.apart_m),
        ]
        for one in figures.events
    ]
    bad = [i for i, one in enumerate(figures.events) if not one.raised]
    limit = site.acceptance.delay_s
    drawn = bars(
        [(one.what, one.delay_s, _within(one.delay_s, limit)) for one in figures.events], limit, "s"
    )
    none: Both = ("No event was tested.", "未测试任何事件。")
    first = drawn + table(heads, rows, {0, 3}, bad=bad) if rows else f"<p>{both(none)}</p>"
    return first + _false_alarms(figures) + _standing(figures)


def _false_alarms(figures: Figures) -> str:
    if figures.false_alarms is None:
        return f"<p>{both(('Whether any was false is not known.', '是否存在误报未知。'))}</p>"
    if not figures.false_alarms:
        return f"<p>{both(('No alarm was false.', '无误报。'))}</p>"
    lines = [told_alarm(one.kind, one.evidence, one.at_s) for one in figures.false_alarms]
    return f"<h3>{both(('Alarms of nothing', '误报'))}</h3>{bullets(lines)}"


def _standing(figures: Figures) -> str:
    if not figures.standing:
        return ""
    words: Both = ("Stood already when the test began", "测试开始前已存在的告警")
    return f"<h3>{both(words)}</h3>{bullets(figures.standing)}"


def _cameras(cameras: Sequence[CameraFigures]) -> str:
    heads: list[Both] = [
        ("camera", "摄像机"),
        ("worst state", "最差状态"),
        ("by survey points", "按测量点"),
        ("by people", "按人员"),
        ("by neighbours", "按相邻重叠"),
        ("by people and neighbours together", "人员与相邻综合"),
        ("the gateway finds it", "网关判断"),
        ("it alone sees people off by m", "单独可见人员误差 米"),
        ("said of it", "说明"),
    ]
    rows = [
        [
            escape(one.name),
            both(state_words(one.state)) if one.state else "–",
            _turn(one.survey),
            _turn(one.people),
            "<br>".join(
                escape(f"{miss.other}: {miss.deg:.2f}° ({miss.px:.1f} px)") for miss in one.overlaps
            )
            or "–",
            _together(one.turn),
            "–" if one.still is None else both(STILL[one.still]),
            _number(one.alone_m),
            "; ".join(part for part in (escape(one.expected), both(said(one.detail))) if part),
        ]
        for one in cameras
    ]
    bad = [i for i, one in enumerate(cameras) if one.state != "ok"]
    return table(heads, rows, {0, 1, 8}, bad=bad)


def _turn(turn: Turn | None) -> str:
    if turn is None:
        return "–"
    about = f" ± {turn.sigma_deg:.1f}" if turn.sigma_deg else ""
    return f"{turn.deg:.2f}°{about} ({turn.px:.1f} px, n {turn.looks})"


def _together(turn: Turn | None) -> str:
    """Say a turn, how sure that is, and how far it may be at most."""
    if turn is None or turn.most_deg is None:
        return "–"
    unseen: Both = (f"may be up to {turn.most_deg:.1f}°", f"可能达 {turn.most_deg:.1f}°")
    return f"{turn.deg:.2f}° ± {turn.sigma_deg:.1f} ({both(unseen)})"


def _signatures(subject: Subject) -> str:
    places: list[Both] = [
        (f"Tester: {subject.tester}", f"测试人：{subject.tester}"),
        ("Accepted by", "验收人"),
        ("Date", "日期"),
    ]
    return '<div class="sign">' + "".join(f"<span>{both(one)}</span>" for one in places) + "</div>"


HOW: tuple[Both, ...] = (
    (
        "People: each instant's told places are laid beside the true ones, within 2 m. Who is not "
        "told is missed; who is told where nobody is, is false. Nobody is judged in the first "
        "second, nor whoever all cameras hide.",
        "人员：逐时刻将测得位置与真实位置在 2 米内匹配。未测得为漏检，无人处测得为误报。"
        "首秒及被遮挡者不评判。",
    ),
    (
        "Shares stand with their 95 % interval (Wilson). Of people it counts seconds, not "
        "pictures: what goes wrong lasts, and pictures of one second say much the same.",
        "比例附 95% 置信区间（Wilson 法）。人员按秒计数而非按画面：同一秒内的画面并非独立样本。",
    ),
    (
        "The delay of an alarm is told beyond the delay that the site file itself asks for.",
        "告警延迟指超出站点文件中该告警自身延时的部分。",
    ),
    (
        "A camera is held against the survey points of the site file, and against people whose "
        "places are known and its neighbours' pictures: one turn for each camera, that fits all of "
        "that best, and how sure it is. Neighbours that agree prove nothing by themselves: they "
        "may have been turned together. Passed is only a camera that can't have been turned by "
        f"more than {MOST_TURNED_DEG:g}°, about any axis. Of a walk the gateway's own watch "
        "says whether cameras hang as they did.",
        "每台摄像机以站点文件的测量点校核，并以位置已知的人员与相邻摄像机画面综合求出各台的转角"
        "及其误差。相邻画面一致本身不足为证：它们可能一同转动。任一轴上可能有超过 "
        f"{MOST_TURNED_DEG:g}° 的转动未被发现的摄像机不予合格。实地行走时以网关自身的监视为准。",
    ),
    (
        f"Roadway counts as seen, metre by metre, where healthy cameras saw it for at least "
        f"{SEEN_TIME:.0%} of the time. While the test itself keeps a camera from seeing, what that "
        "camera would have seen is not judged. A moment without a camera speaks against the "
        "camera's health, and is named.",
        f"巷道逐米评判：健康摄像机可见时间不低于 {SEEN_TIME:.0%} 即为可见。测试本身使某摄像机"
        "无法看到时，其本应可见的部分不评判。短暂失去画面计入摄像机状态，并列出。",
    ),
    (
        "Not measured is not passed.",
        "未测量的项目不视为合格。",
    ),
)
