"""The whole page of a shift report: what is missing first, then the figures, then each part.

Knows nothing about databases.
"""

from control_room.shift_report.frame import Language, document, figure
from control_room.shift_report.gather import Gathered
from control_room.shift_report.lacks import lacks_of
from control_room.shift_report.page_alarms import acts_part, alarm_part, alarms_heard, load_part
from control_room.shift_report.page_heads import coverage_part, head_part
from control_room.shift_report.page_watched import watched_part
from control_room.shift_report.plots import PATTERNS
from control_room.shift_report.span import local, offset
from control_room.shift_report.words import long_words
from scene.html_page import Both, both, bullets

NOTHING_MISSING: Both = (
    "As far as is recorded, nothing is missing in this time",
    "就记录而言，此时段无缺失",
)


def page(found: Gathered, language: Language, software: str) -> str:
    """Give the report as one HTML file."""
    span = found.span
    en, zh = long_words(span.long_ns)
    site = found.site or ("all sites", "全部矿区")
    where: Both = (site, site) if isinstance(site, str) else site
    times = f"{local(span.from_ns)} - {local(span.to_ns)}"
    zones = sorted({offset(span.from_ns), offset(span.to_ns)})
    title: Both = (f"Shift report: {where[0]}", f"班次报告：{where[1]}")
    facts: Both = (
        f"{times}, local time {' / '.join(zones)}; {en}. Made {local(found.made_at_ns)} by "
        f"{software} from the control room's journal.",
        f"{times}，当地时间 {' / '.join(zones)}；{zh}。{software} 于 {local(found.made_at_ns)} "
        "由控制室日志生成。",
    )
    body = (
        f'{PATTERNS}<h1>{both(title)}</h1><p class="note">{both(facts)}</p>'
        + _lacks(found)
        + _figures(found)
        + head_part(found)
        + load_part(found)
        + alarm_part(found)
        + watched_part(found)
        + coverage_part(found)
        + acts_part(found)
    )
    return document(f"{title[0]} {times}", body, language)


def _lacks(found: Gathered) -> str:
    lines = lacks_of(found)
    heading = both(("What is missing in the data", "数据缺失情况"))
    colour = "amber" if lines else "green"
    return (
        f'<div class="verdict {colour}" id="lacks"><b>{heading}</b>'
        f"{bullets(lines or [NOTHING_MISSING])}</div>"
    )


def _figures(found: Gathered) -> str:
    alarms, load = found.alarms, found.load
    rate = load.per_hour
    shown = [
        figure(
            alarms_heard(found, alarms.waiting),
            ("alarms ask for somebody", "待处理报警"),
            "red" if alarms.waiting else "",
        ),
        figure(alarms_heard(found, alarms.raised), ("alarms raised", "触发报警")),
        figure(
            "–" if rate is None else f"{rate:.1f}",
            ("alarms per hour and operator", "每人每小时报警数"),
            load.verdict,
        ),
        figure(
            alarms_heard(found, load.worst_10_min),
            ("most alarms in 10 minutes", "10 分钟内最多报警数"),
            "red" if load.is_flood else "",
        ),
    ]
    for one in found.sites[:6]:
        mean = one.whole.mean()
        value = "–" if mean is None else f"{one.whole.figures.top()}"
        shown.append(figure(value, (f"most people counted, {one.site}", f"最多人数，{one.site}")))
    shown.append(_cameras(found))
    return f'<div class="figures">{"".join(shown)}</div>'


def _cameras(found: Gathered) -> str:
    """Count cameras that had an outage; where not all is known it is "at least", or nothing."""
    cameras = [lane for lane in found.watched.sorted_lanes() if lane.key[2]]
    wrong = sum(lane.was_wrong() for lane in cameras)
    unknown = any(lane.states.unknown_ns() for lane in cameras)
    value = f"{'≥ ' if unknown else ''}{wrong} / {len(cameras)}"
    if not any(lane.states.covered_ns() for lane in cameras) and not wrong:
        value = "–"
    words = ("cameras with an outage / of all known", "有故障的摄像机 / 已知全部")
    return figure(value, words, "amber" if wrong else "")
