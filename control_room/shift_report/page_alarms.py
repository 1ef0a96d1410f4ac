"""The parts of the page on alarms: their load, their table, and what people did.

Knows nothing about how they were counted.
"""

from collections.abc import Mapping
from typing import Any

from control_room.alarm_rate import ACCEPTABLE_PER_HOUR, FLOOD_PER_10_MIN, MOST_PER_HOUR
from control_room.evidence_words import in_chinese
from control_room.lifecycle import SEVERITIES
from control_room.shift_report.alarm_table import (
    Alarm,
    AlarmRow,
    Done,
    acknowledged_after_s,
    place_of,
    waits,
)
from control_room.shift_report.frame import note, part, table
from control_room.shift_report.gather import Gathered
from control_room.shift_report.load import MOST_COUNTED, MOST_STANDING, TEN_MIN_NS, Load, Offender
from control_room.shift_report.plots import legend, stacks
from control_room.shift_report.span import NS, local
from control_room.shift_report.words import (
    COUNTED,
    SEVERITY,
    action_words,
    kind_words,
    long_words,
)
from scene.html_page import Both, both, card, text

MOST_COLUMNS = 400
MOST_EVIDENCE = 300
HEARD_AT_ONCE_NS = 5 * NS
OPEN: Both = ("not acknowledged", "未确认")


def alarms_heard(found: Gathered, count: int) -> str:
    """Write a count of alarms: "at least" where nobody listened for some of the time.

    None is only a nought where somebody listened all the time; else it is not known.
    """
    if found.room.heard_ns >= found.span.long_ns:
        return str(count)
    return f"≥ {count}" if count or found.room.heard_ns else "–"


def load_part(found: Gathered) -> str:
    """Give the load of alarms: the plot of every 10 minutes, the figures, who alarmed most."""
    load = found.load
    # As many neighbours become one column as it takes; it shows the worst of them.
    each = -(-len(load.tens) // MOST_COLUMNS)
    columns = [
        max(load.tens[start : start + each], key=lambda one: one.total())
        for start in range(0, len(load.tens), each)
    ]
    per = load.operators
    limits: list[tuple[float, str, Both]] = [
        (
            FLOOD_PER_10_MIN * per,
            "#b91c1c",
            (
                f"more is a flood: {FLOOD_PER_10_MIN * per}",
                f"超过即为报警洪流：{FLOOD_PER_10_MIN * per}",
            ),
        ),
        (
            MOST_PER_HOUR * per / 6,
            "#92600a",
            (
                f"just manageable: {MOST_PER_HOUR * per} an hour",
                f"勉强可处理：每小时 {MOST_PER_HOUR * per}",
            ),
        ),
    ]
    plot = stacks(
        found.span,
        columns,
        each * TEN_MIN_NS,
        found.room.states.worst(),
        limits=limits,
        order=SEVERITIES,
        unit=("alarms", "条"),
        title="Alarms per 10 minutes / 每 10 分钟报警数",
    )
    entries: list[tuple[str, Both]] = [(name, SEVERITY[name]) for name in SEVERITIES]
    entries.append(("unknown", COUNTED["unknown"]))
    entries.append(("no_broker", ("no gateway could be heard", "无法收到网关消息")))
    words = "" if each == 1 else _grouped(each)
    inner = legend(entries) + f'<div class="card plot">{plot}</div>{words}'
    return part(("Alarms per 10 minutes", "每 10 分钟报警数"), inner + card(_load_table(found)))


def _grouped(each: int) -> str:
    return note(
        (
            f"Each column is the worst 10 minutes of {each * 10}",
            f"每一柱为 {each * 10} 分钟内最多的 10 分钟",
        )
    )


def _load_table(found: Gathered) -> str:
    load, rate = found.load, found.load.per_hour
    listened = load.rated_s > 0
    rows: list[tuple[Both, str]] = [
        (("operators", "值班人数"), str(load.operators)),
        (
            ("alarms per hour and operator", "每人每小时报警数"),
            "–" if rate is None else f"{rate:.1f}",
        ),
        (
            ("that is acceptable / just manageable up to", "可接受 / 勉强可处理上限"),
            f"{ACCEPTABLE_PER_HOUR} / {MOST_PER_HOUR}",
        ),
        (("taken over", "计算时长"), both(long_words(load.rated_s * 1e9)) if listened else "–"),
        (
            ("most in any 10 minutes, all operators", "任意 10 分钟内最多（全体）"),
            _worst(found),
        ),
        (
            (
                f"10 minutes of flood (more than {FLOOD_PER_10_MIN} per operator)",
                f"报警洪流的 10 分钟数（每人多于 {FLOOD_PER_10_MIN} 条）",
            ),
            f"{load.floods} / {len(load.tens)}" if listened or load.floods else "–",
        ),
        (("by severity", "按级别"), _shares(load) if listened or load.count else "–"),
        (("who alarmed most", "报警最多"), _offenders(load)),
        (
            ("active for more than 24 h at the end", "结束时已持续 24 小时以上"),
            _standing(load),
        ),
    ]
    cells = [[both(words), value] for words, value in rows]
    source = note(
        (
            "Limits as in ISA-18.2, IEC 62682 and EEMUA 191; every alarm counts, grouped on the "
            "page or not, when the control room heard of it.",
            "限值依据 ISA-18.2、IEC 62682 与 EEMUA 191；每条报警均计入，以控制室收到时刻为准。",
        )
    )
    return table([("figure", "指标"), ("value", "数值")], cells) + source


def _worst(found: Gathered) -> str:
    load, most = found.load, alarms_heard(found, found.load.worst_10_min)
    if not load.count:
        return most
    return f"{most} ({text(local(load.worst_at_ns))})"


def _shares(load: Load) -> str:
    total = {name: sum(one[name] for one in load.tens) for name in SEVERITIES}
    parts = [f"{both(SEVERITY[name])} {total[name]}" for name in SEVERITIES]
    return ", ".join(parts)


def _offenders(load: Load) -> str:
    lines = [f"{count} × {_offender(one)}" for one, count in load.offenders.most_common()]
    return "<br>".join(lines) or "–"


def _standing(load: Load) -> str:
    lines = [f"{_offender(one)}, {text(local(since))}" for one, since in load.standing]
    if load.more_standing:
        at_least = "≥ " if load.more_standing + MOST_STANDING >= MOST_COUNTED else ""
        lines.append(f"+ {at_least}{load.more_standing}")
    return "<br>".join(lines) or "–"


def _offender(one: Offender) -> str:
    kind, site, gateway, place = one
    where = "/".join(part for part in (site, gateway, place) if part)
    return f"{both(kind_words(kind))}, {text(where)}"


def alarm_part(found: Gathered) -> str:
    """Give the counts by kind, and the table of alarms."""
    if not found.alarms.count:
        nothing = (
            "No alarm that the journal has was active, heard or waiting in this time",
            "日志中此时间内没有报警，也没有待处理的报警",
        )
        return part(("Alarms", "报警"), f"<p>{both(nothing)}</p>")
    return part(("Alarms", "报警"), card(_kinds(found)) + card(_rows(found)))


def _kinds(found: Gathered) -> str:
    heads: list[Both] = [
        ("kind", "类别"),
        ("raised in this time", "本时段触发"),
        ("from before", "此前触发"),
        ("ask for somebody", "待处理"),
        ("never acknowledged", "从未确认"),
        ("active", "未结束"),
        ("on the shelf", "搁置中"),
        ("acknowledged after (median)", "确认用时（中位数）"),
        ("longest", "最长"),
    ]
    kinds = sorted(found.alarms.kinds.values(), key=lambda one: (-one.waiting, -one.raised))
    rows = []
    for one in kinds:
        median_s = one.median_ack_s()
        rows.append(
            [
                both(kind_words(one.kind)),
                *(str(n) for n in (one.raised, one.before, one.waiting, one.untouched)),
                *(str(n) for n in (one.active, one.shelved)),
                "–" if median_s is None else both(long_words(median_s * 1e9)),
                "–" if median_s is None else both(long_words(max(one.ack_s) * 1e9)),
            ]
        )
    bad = [number for number, one in enumerate(kinds) if one.waiting]
    return table(heads, rows, figures=range(1, 9), bad=bad)


def _rows(found: Gathered) -> str:
    heads: list[Both] = [
        ("raised", "触发"),
        ("kind, severity", "类别、级别"),
        ("where", "地点"),
        ("who", "人员"),
        ("acknowledged", "确认"),
        ("over", "结束"),
        ("what was done", "处理"),
        ("why it was raised", "依据"),
    ]
    rows = [_row(one) for one in found.alarms.rows]
    bad = [number for number, one in enumerate(found.alarms.rows) if waits(one.alarm)]
    words = (
        "As the journal has it when this report was made; red rows still ask for somebody.",
        "以报告生成时的日志为准；红色行仍待处理。",
    )
    return note(words) + table(heads, rows, bad=bad)


def _row(row: AlarmRow) -> list[str]:
    alarm = row.alarm
    return [
        _raised(alarm),
        f"<b>{both(kind_words(alarm['kind']))}</b><br>{both(SEVERITY[alarm['severity']])}",
        _where(row),
        _who(alarm),
        _acknowledged(alarm),
        _over(alarm),
        _done(row),
        _evidence(alarm["raised_evidence"] or alarm["evidence"]),
    ]


def _raised(alarm: Alarm) -> str:
    """Say when it was raised, by its gateway's clock, and when it was heard if that is another."""
    raised, late_ns = (
        text(local(alarm["raised_at_ns"])),
        alarm["stored_at_ns"] - alarm["raised_at_ns"],
    )
    if abs(late_ns) <= HEARD_AT_ONCE_NS:
        return raised
    at, (en, zh) = local(alarm["stored_at_ns"]), long_words(abs(late_ns))
    if late_ns > 0:
        return f"{raised}<br>" + both((f"heard {at}, {en} later", f"{at} 收到，迟 {zh}"))
    ahead = (f"heard {at}, {en} before: its clock is ahead", f"{at} 收到，早 {zh}：其时钟偏快")
    return f"{raised}<br>{both(ahead)}"


def _where(row: AlarmRow) -> str:
    alarm, place = row.alarm, place_of(row.alarm)
    parts = []
    if row.landmark is not None:
        parts.append(both(row.landmark))
    parts += [text(alarm[name]) for name in ("zone", "camera") if alarm[name]]
    if place is not None:
        parts.append(f"x {place[0]:.1f} m, y {place[1]:.1f} m")
    parts.append(text(f"{alarm['site']}/{alarm['gateway']}"))
    return "<br>".join(parts)


def _who(alarm: Alarm) -> str:
    track = "" if alarm["track"] is None else f"#{alarm['track']}"
    return text(" ".join(one for one in (alarm["worker"] or "", track) if one)) or "–"


def _acknowledged(alarm: Alarm) -> str:
    if alarm["acknowledged_at_ns"] is None:
        words = both(OPEN)
        return f"<b>{words}</b>" if waits(alarm) else words
    after = long_words(acknowledged_after_s(alarm) * 1e9)
    return (
        f"{text(alarm['acknowledged_by'])}<br>"
        + both((f"after {after[0]}", f"{after[1]} 后"))
        + f"<br>{text(local(alarm['acknowledged_at_ns'], '%H:%M:%S'))}"
    )


def _over(alarm: Alarm) -> str:
    if alarm["cleared_at_ns"] is None:
        return f"<b>{both(('active', '未结束'))}</b>"
    lasted = long_words(max(0, alarm["cleared_at_ns"] - alarm["raised_at_ns"]))
    return f"{text(local(alarm['cleared_at_ns']))}<br>" + both(
        (f"lasted {lasted[0]}", f"持续 {lasted[1]}")
    )


def _done(row: AlarmRow) -> str:
    lines = [_act(one) for one in row.acts]
    if row.more_acts:
        lines.append(f"+ {row.more_acts}")
    return "<br>".join(lines) or "–"


def _act(act: Done) -> str:
    until = f" → {text(local(act.until_ns, '%H:%M'))}" if act.until_ns is not None else ""
    reason = f": {text(act.reason)}" if act.reason else ""
    at = text(local(act.at_ns, "%H:%M:%S"))
    return f"{at} {both(action_words(act.action))}, {text(act.by)}{until}{reason}"


def _evidence(english: str) -> str:
    cut = english[:MOST_EVIDENCE]
    return both((english, in_chinese(english))) if cut == english else text(cut, MOST_EVIDENCE)


def acts_part(found: Gathered) -> str:
    """Give what people did: counts and the table."""
    acts = found.acts
    if not acts.count:
        nothing = ("The audit has no entry of this time", "此时间内没有审计记录")
        return part(("What people did", "操作记录"), f"<p>{both(nothing)}</p>")
    counts = [
        [text(who), both(action_words(what)), str(times)]
        for (who, what), times in sorted(acts.by_whom.items())
    ]
    count_heads: list[Both] = [("who", "人员"), ("what", "操作"), ("times", "次数")]
    heads: list[Both] = [
        ("no.", "编号"),
        ("when", "时间"),
        ("who", "人员"),
        ("what", "操作"),
        ("about", "对象"),
        ("more", "说明"),
    ]
    rows = [
        [
            str(row["number"]),
            text(local(row["at_ns"])),
            text(row["who"]),
            both(action_words(row["what"])),
            text(row["about"]),
            _body(row["body"]),
        ]
        for row in acts.rows
    ]
    words = (
        "From the audit; `lamproom journal verify` tells whether anybody has changed it.",
        "来自审计记录；可用 lamproom journal verify 检查是否被篡改。",
    )
    inner = card(table(count_heads, counts, figures={2})) + card(
        note(words) + table(heads, rows, figures={0})
    )
    return part(("What people did", "操作记录"), inner)


def _body(body: Mapping[str, Any]) -> str:
    told = []
    for name, value in body.items():
        if value in (None, ""):
            continue
        is_time = name.endswith("_ns") and isinstance(value, int)
        told.append(f"{name.removesuffix('_ns')}: {local(value) if is_time else value}")
    return text("; ".join(told), 400)
