"""The report of an archive run again: one HTML file to read and print, English and Chinese.

Knows nothing about how anything came about. What could not be read comes first.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence, Sized
from typing import Any

from edge.acceptance.words import kind_words
from edge.reanalysis.words import said
from scene.html_page import Both, both, bullets, card, document, head, table, text

MOST_ROWS = 500
"""More than this nobody reads; all of them are in the data file."""
WHATS: tuple[tuple[str, Both], ...] = (
    ("gained", ("gained", "新增")),
    ("lost", ("lost", "消失")),
    ("moved", ("moved", "时间变化")),
    ("same", ("same", "不变")),
)
BEGINS: dict[str, Both] = {
    "start": ("begin where the gateway was started", "从网关启动处开始"),
    "run_in": ("begin with a run-in from the file before", "借前一文件预热后开始"),
    "midst": ("begin in the midst of a run", "从运行中途开始"),
}
STYLE = """
.facts{display:grid;grid-template-columns:max-content 1fr;gap:2px 16px;font-size:13px;margin:0}
.facts dt{color:#4b5563}.facts dd{margin:0;overflow-wrap:anywhere}
code{font-size:12px;overflow-wrap:anywhere}
.doubt{border:1px solid #d08a10;border-radius:4px;padding:0 4px;font-size:11px;white-space:nowrap}
b.at{font-weight:400}
@media print{code{font-size:8px}}
"""
PLOT_PX, PLOT_HIGH_PX, BAR_PX = 1200, 90, 12


def page(found: Mapping[str, Any]) -> str:
    """Give the whole report as HTML."""
    title: Both = ("An archive run again", "录像重新分析报告")
    body = [
        f"<h1>{both(title)}</h1>",
        _verdict(found),
        head(("What could not be read, and limits", "无法读取的内容与限制")) + card(_limits(found)),
        head(("What was run again", "重新分析的内容")) + card(_facts(found)),
        head(("Alarms", "告警")) + card(_counts(found["alarms"])),
        head(("Alarms that would have been different", "会有变化的告警"))
        + card(_changed(found["alarms"]["changed"])),
        head(("People", "人员")) + card(_people(found["people"]["hours"])),
        head(("When people differ the most", "人员差异最大的时刻"))
        + card(_moments(found["people"]["moments"])),
        head(("How this was found out", "方法")) + card(bullets(HOW)),
    ]
    return document(title[0], "".join(body), STYLE)


def _verdict(found: Mapping[str, Any]) -> str:
    changed = found["alarms"]["changed"]
    count = len(changed)
    words: Both = ("No alarm would be different", "没有告警会有变化")
    if count:
        of = Counter(one["what"] for one in changed)
        words = (
            f"{count} {'alarm' if count == 1 else 'alarms'} would have been different: "
            + ", ".join(f"{of[what]} {name[0]}" for what, name in WHATS[:-1]),
            f"{count} 条告警会有变化："
            + "，".join(f"{name[1]} {of[what]}" for what, name in WHATS[:-1]),
        )
    lines = [words]
    kind = "amber" if count or found["limits"] else "green"
    if not found["complete"]:
        kind = "red"
        unread, in_part = len(found["not_read"]), found["in_part"]
        lines.append(
            (
                f"NOT THE WHOLE ARCHIVE: {unread} files could not be used, {in_part} only in part",
                f"并非全部录像：{unread} 个文件无法使用，{in_part} 个文件只能部分使用",
            )
        )
    inner = "".join(f"<p>{both(line)}</p>" for line in lines)
    return f'<div class="verdict {kind}">{inner}</div>'


def _limits(found: Mapping[str, Any]) -> str:
    unread = found["not_read"]
    reasons = _by_reason(unread)
    rows = [
        [str(len(paths)), both(said(why)), text(paths[0])]
        for why, paths in list(reasons.items())[:MOST_ROWS]
    ]
    parts = []
    if rows:
        heads: list[Both] = [
            ("files not used", "未使用的文件数"),
            ("why", "原因"),
            ("first", "首个"),
        ]
        parts.append(table(heads, rows, {1, 2}, bad=range(len(rows))) + _more(reasons))
    lines: list[Both] = [
        (
            f"{one['text']} ({one['segments']} files; first {one['files'][0]})",
            f"{said(one['text'])[1]}（{one['segments']} 个文件；首个 {one['files'][0]}）",
        )
        for one in found["limits"]
    ]
    borders = found["borders"]
    lines.append(
        (
            f"Alarms at borders of files: {borders['alarms_differ']} of {borders['all']} borders "
            "do not agree on what stood; alarms that hang on it are marked “border”",
            f"文件交界处：{borders['all']} 处中有 {borders['alarms_differ']} 处两侧告警不一致，"
            "相关告警标记为“交界”",
        )
    )
    return "".join(parts) + bullets(lines)


def _by_reason(unread: Sequence[Sequence[str]]) -> dict[str, list[str]]:
    """Put together what could not be used for the same reason: it may be all of a gateway."""
    found = defaultdict[str, list[str]](list)
    for path, why in unread:
        found[why.removeprefix(f"{path}: ")].append(path)
    return dict(found)


def _facts(found: Mapping[str, Any]) -> str:
    archive, given = found["archive"], found["with"]
    begins = ", ".join(f"{n} {BEGINS[how][0]}" for how, n in sorted(archive["begins"].items()))
    begins_zh = "，".join(f"{n} 个{BEGINS[how][1]}" for how, n in sorted(archive["begins"].items()))
    recorded: Both = ("as recorded", "按录像")
    facts: list[tuple[Both, str]] = [
        (("gateways", "网关"), text(", ".join(archive["gateways"]), 2000)),
        (("from, to", "起止"), text(f"{archive['from']} – {archive['to']}")),
        (("recorded", "录像时长"), text(f"{archive['recorded_h']:.2f} h")),
        (("files", "文件"), text(archive["segments"]) + ": " + both((begins, begins_zh))),
        (
            ("instants compared", "比较的时刻"),
            text(f"{archive['compared']} / {archive['instants']}"),
        ),
        (
            ("rules", "规则"),
            text(", ".join(given["sites"]), 2000) if given["sites"] else both(recorded),
        ),
        (("model", "模型"), text(given["model"]) if given["model"] else both(recorded)),
        (("software", "软件"), text(given["software"], 500)),
        (("searched on", "检测所用"), text(given["searches_on"])),
    ]
    inner = "".join(f"<dt>{both(name)}</dt><dd>{value}</dd>" for name, value in facts)
    return f'<dl class="facts">{inner}</dl>'


def _counts(alarms: Mapping[str, Any]) -> str:
    names: tuple[tuple[str, Both], ...] = (
        ("by_kind", ("kind", "类型")),
        ("by_gateway", ("gateway", "网关")),
        ("by_day", ("day (UTC)", "日期 (UTC)")),
    )
    parts = []
    for name, words in names:
        rows = [
            [
                both(kind_words(one)) if name == "by_kind" else text(one),
                *(str(counts[what]) for what, _ in WHATS),
            ]
            for one, counts in alarms[name].items()
        ]
        if rows:
            parts.append(table([words, *(what for _, what in WHATS)], rows, {0}))
    return "<br>".join(parts) or both(("No alarms about people, then or now", "前后均无人员告警"))


def _changed(changed: Sequence[Mapping[str, Any]]) -> str:
    if not changed:
        return both(("none", "无"))
    whats = dict(WHATS)
    rows = []
    for one in changed[:MOST_ROWS]:
        mark = ' <span class="doubt">' + both(("border", "交界")) + "</span>"
        rows.append(
            [
                f"<b class=at>{text(one['at'])}</b>",
                both(whats[one["what"]]) + (mark if one["doubtful"] else ""),
                both(kind_words(one["kind"])) + (f" {text(one['zone'])}" if one["zone"] else ""),
                text(one["gateway"]),
                ""
                if one["xyz_m"] is None
                else text(f"{one['xyz_m'][0]:.1f} {one['xyz_m'][1]:.1f}"),
                _moved(one),
                f"<code>{text(one['replay'], 1000)}</code>",
            ]
        )
    heads: list[Both] = [
        ("raised (UTC)", "触发 (UTC)"),
        ("what", "变化"),
        ("alarm", "告警"),
        ("gateway", "网关"),
        ("x y (m)", "x y (m)"),
        ("by how much", "变化量"),
        ("see it", "查看"),
    ]
    return table(heads, rows, {0, 1, 2, 3, 5, 6}) + _more(changed)


def _more(found: Sized) -> str:
    """Say of how many there was no room."""
    more = len(found) - MOST_ROWS
    note: Both = (f"… and {more} more, see report.json", f"……另有 {more} 条，见 report.json")
    return f'<p class="note">{both(note)}</p>' if more > 0 else ""


def _moved(one: Mapping[str, Any]) -> str:
    """Say how much earlier or later an alarm was raised and ended."""
    parts_en, parts_zh = [], []
    for name, zh, value in (
        ("raised", "触发", one["raised_later_s"]),
        ("ended", "结束", one["ended_later_s"]),
    ):
        if value:
            parts_en.append(f"{name} {abs(value):.2f} s {'later' if value > 0 else 'earlier'}")
            parts_zh.append(f"{zh}{'晚' if value > 0 else '早'} {abs(value):.2f} s")
    was, now = one["ended"] or (None, None)
    if (was is None) != (now is None):
        parts_en.append("never ended" if now is None else "ended, and was not before")
        parts_zh.append("未结束" if now is None else "已结束，原先未结束")
    return both((", ".join(parts_en), "，".join(parts_zh))) if parts_en else ""


def _people(hours: Sequence[Mapping[str, Any]]) -> str:
    if not hours:
        return both(("No positions could be compared", "没有可比较的位置"))
    by_gateway = defaultdict[str, list[Mapping[str, Any]]](list)
    for one in hours:
        by_gateway[one["gateway"]].append(one)
    heads: list[Both] = [
        ("hour (UTC)", "小时 (UTC)"),
        ("instants", "时刻数"),
        ("people recorded", "录像人数"),
        ("people now", "现在人数"),
        ("recorded only", "仅录像"),
        ("now only", "仅现在"),
        ("apart, median (m)", "位置差中位数 (m)"),
        ("95 % (m)", "95 % (m)"),
    ]
    parts = []
    for gateway, own in by_gateway.items():
        rows = [
            [
                text(one["hour"][:16]),
                str(one["instants"]),
                *(f"{one[name]:.2f}" for name in ("recorded", "now", "only_recorded", "only_now")),
                *([f"{m:.2f}" for m in one["apart_m"]] if one["apart_m"] else ["", ""]),
            ]
            for one in sorted(own, key=lambda one: (-_apart(one), one["hour"]))[:MOST_ROWS]
        ]
        parts.append(f"<h3>{text(gateway)}</h3>{_plot(own)}{table(heads, rows, {0})}")
    note: Both = (
        "People on average over the instants compared; the hours that differ the most come first. "
        "Grey: as recorded. Blue line: now.",
        "人数为所比较时刻的平均值；差异最大的小时排在前面。灰色：录像；蓝线：现在。",
    )
    return f'<p class="note">{both(note)}</p>' + "".join(parts)


def _apart(hour: Mapping[str, Any]) -> float:
    return float(hour["only_recorded"] + hour["only_now"])


def _plot(hours: Sequence[Mapping[str, Any]]) -> str:
    """Draw people by hour: recorded as bars, now as a line across each; at most 100 hours a row."""
    drawn = list(hours)[-PLOT_PX // BAR_PX :]
    most = max(1.0, *(max(one["recorded"], one["now"]) for one in drawn))
    inner = ""
    for number, one in enumerate(drawn):
        x, was, now = number * BAR_PX, one["recorded"] / most, one["now"] / most
        inner += (
            f'<rect x="{x + 1}" y="{PLOT_HIGH_PX * (1 - was):.1f}" width="{BAR_PX - 2}" '
            f'height="{PLOT_HIGH_PX * was:.1f}" fill="#c3cad2"/>'
            f'<path d="M{x} {PLOT_HIGH_PX * (1 - now) + 1:.1f}h{BAR_PX}" stroke="#1d4ed8" '
            'stroke-width="2"/>'
        )
    last, high = len(drawn) * BAR_PX, PLOT_HIGH_PX + 16
    wide = max(last, 300)
    label = f"people by hour, at most {most:.1f}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" '
        f'width="{wide}" height="{high}" role="img" '
        f'aria-label="{text(label)}">{inner}<path d="M0 {PLOT_HIGH_PX}H{last}" stroke="#4b5563"/>'
        f'<text x="0" y="{PLOT_HIGH_PX + 13}" font-size="11" fill="#4b5563">'
        f"{text(drawn[0]['hour'][:16])} – {text(drawn[-1]['hour'][:16])}, "
        f"0 – {most:.1f}</text></svg>"
    )


def _moments(moments: Sequence[Mapping[str, Any]]) -> str:
    if not moments:
        return both(("nowhere by a whole person", "无处相差一人以上"))
    heads: list[Both] = [
        ("time (UTC)", "时间 (UTC)"),
        ("gateway", "网关"),
        ("recorded only", "仅录像"),
        ("now only", "仅现在"),
        ("see it", "查看"),
    ]
    order = sorted(
        moments,
        key=lambda one: (-one["only_recorded"] - one["only_now"], one["at"], one["gateway"]),
    )
    rows = [
        [
            text(one["at"]),
            text(one["gateway"]),
            f"{one['only_recorded']:.1f}",
            f"{one['only_now']:.1f}",
            f"<code>{text(one['replay'], 1000)}</code>",
        ]
        for one in order[:MOST_ROWS]
    ]
    return table(heads, rows, {0, 1, 4})


HOW: tuple[Both, ...] = (
    (
        "Each file was run again by itself, over the same pictures, searches and messages as live. "
        "One from the midst of a run begins a while before, in the file before it, from what live "
        "knew then.",
        "每个文件独立地重新分析，使用与实时相同的图像、检测与消息。运行中途的文件从前一文件的末尾、"
        "按当时网关所知开始预热。",
    ),
    (
        "Alarms are taken for the same if kind and zone are the same and they were raised within "
        "30 s and 3 m of each other; people if they are within 1.5 m.",
        "类型与区域相同、触发时间相差 30 秒以内且位置相差 3 米以内的告警视为同一告警；"
        "相距 1.5 米以内视为同一人。",
    ),
    (
        "Alarms about cameras are not compared here (`lamproom rerun` does so for a run); those "
        "about the gateway itself come of that day's clocks and processes.",
        "关于摄像机的告警此处不作比较（可用 `lamproom rerun` 对单次运行比较）；"
        "关于网关自身的告警取决于当天的时钟与进程。",
    ),
    (
        "Compared is with what live said, not with what was true: neither is right by that.",
        "比较对象是当时的实时结果，而非真值：两者都不因此而正确。",
    ),
)
