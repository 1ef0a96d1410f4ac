"""The page of an export to read and print: what happened, in pictures, and what is not known.

Knows nothing about how files are made. English and Chinese stand side by side, for a page on paper
has no switch. Nothing on it is loaded from elsewhere or runs, and what was recorded is only text.
"""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from control_room.evidence_words import in_chinese
from control_room.incident.lives import Event, Life
from control_room.incident.manifest import Listed
from control_room.incident.models import Model
from control_room.incident.names import ALARMS_CSV, ALARMS_JSON, FILM, HEALTH, TRACKS
from control_room.incident.outages import Outage
from control_room.incident.showing import KeyPicture, Shown
from control_room.incident.span import Span
from control_room.journal.export import moment
from scene import html_page
from scene.alarms import ALARMS
from scene.errors import printable
from scene.html_page import Both

STYLE = """
body{background:#fff;font-size:14px}main{max-width:1200px}h2{border-bottom:2px solid #d8dee5}
h3{margin:14px 0 4px}[lang=zh]{color:#374151}table{font-size:12px}
th,td{text-align:left;overflow-wrap:anywhere}td:first-child{white-space:nowrap}
.lacks{border:2px solid #c62828;padding:8px 14px;background:#fff5f5}.lacks li{margin:3px 0}
.loud{border:4px solid #c62828;color:#8f1d1d;font-weight:700;padding:8px 14px;margin:10px 0}
img{max-width:100%;border:1px solid #d8dee5}figure{margin:10px 0}
figcaption{font-size:12px;color:#374151}.sha{font-family:monospace;font-size:11px}
@media print{body{font-size:11px}table{font-size:9px}}
"""
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
MOST_ALARMS = 200
EVENTS: dict[str, Both] = {
    "raised": ("raised", "触发"),
    "told again": ("told again", "再次通报"),
    "cleared": ("cleared", "解除"),
    "stored": ("stored in the journal", "已存入日志"),
    "order": ("order to end it", "结束指令"),
    "acknowledge": ("acknowledged", "已确认"),
    "shelve": ("shelved", "已搁置"),
    "unshelve": ("brought back", "已恢复"),
    "end": ("ended", "已结束"),
}
WHATS: dict[str, Both] = {
    "gateway": ("gateway", "网关"),
    "camera": ("camera", "摄像机"),
    "detection": ("detection", "检测"),
}
STATES: dict[str, Both] = {
    "lost": ("lost", "离线"),
    "stalled": ("stalled", "卡顿"),
    "obscured": ("can't see", "被遮挡"),
    "dark": ("in the dark", "全黑"),
    "moved": ("moved", "被移动"),
    "frozen": ("frozen", "画面冻结"),
    "unknown": ("not known", "不明"),
    "offline": ("offline", "离线"),
    "degraded": ("degraded", "降级"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the page tells of."""

    site: str
    gateway: str
    software: str
    recorded_by: str
    models: tuple[Model, ...]
    sources: tuple[Listed, ...]
    """The recordings, by time."""
    span: Span
    made_at_ns: int
    key: str
    """Of whoever signs it (hexadecimal); empty: it is not signed."""
    about: str
    """The alarm that was asked for; empty for none."""
    lives: tuple[Life, ...]
    outages: tuple[Outage, ...]
    lacks: Sequence[Both]
    shown: Shown


def page(told: Told) -> str:
    """Give the whole page."""
    title = f"{printable(told.site, 80)} / {printable(told.gateway, 80)}"
    body = "".join(
        (
            f"<h1>{both(('Incident export', '事件导出'))} · {escape(title)}</h1>",
            _head(told),
            *(_section(("What is missing or not proven", "缺失或无法证实的内容"), _lacks(told)),),
            _section(("Alarms", "报警"), _alarms(told)),
            _section(("Pictures", "画面"), _pictures(told.shown)),
            _section(("Gateway and cameras", "网关与摄像机"), _outages(told.outages)),
            _section(("Names on the film", "视频中的姓名编号"), _legend(told.shown)),
            _section(("Files", "文件"), _files(told)),
        )
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f"<title>{escape(title)}</title><style>{html_page.STYLE}{STYLE}</style></head>"
        f"<body><main>{body}</main></body></html>\n"
    )


def both(words: Both) -> str:
    """Give words in both languages."""
    return f'{escape(words[0])} · <span lang="zh">{escape(words[1])}</span>'


def _head(told: Told) -> str:
    rows: list[tuple[Both, str]] = [
        (("From", "开始"), moment(told.span.from_ns)),
        (("To", "结束"), moment(told.span.to_ns)),
        *(
            row
            for one in told.sources
            for row in (
                (("Recording", "录像"), one.path),
                (("Its SHA-256", "录像 SHA-256"), one.sha256),
            )
        ),
        (("Recorded by", "录制软件"), told.recorded_by),
        *(
            row
            for model in told.models
            for row in (
                (("Detection model", "检测模型"), model.name),
                (("Its SHA-256", "模型 SHA-256"), model.sha256),
            )
        ),
        (("Exported by", "导出软件"), told.software),
        (("Exported at", "导出时间"), moment(told.made_at_ns)),
        (("Signed with the key", "签名密钥"), told.key or "-"),
    ]
    if told.about:
        rows.append((("About the alarm", "相关报警"), told.about))
    cells = "".join(
        f'<tr><th>{both(name)}</th><td class="sha">{_text(value)}</td></tr>' for name, value in rows
    )
    unsigned = both(
        (
            "NOT SIGNED: nobody vouches for this export, and whoever changed it can't be found out",
            "未签名：无人为此导出作证，被篡改也无法发现",
        )
    )
    loud = "" if told.key else f'<p class="loud">{unsigned}</p>'
    return f"{loud}<table>{cells}</table>"


def _section(words: Both, inner: str) -> str:
    return f"<h2>{both(words)}</h2>{inner}"


def _lacks(told: Told) -> str:
    items = "".join(f"<li>{both(one)}</li>" for one in told.lacks)
    return f'<div class="lacks"><ul>{items}</ul></div>'


def _alarms(told: Told) -> str:
    if not told.lives:
        return f"<p>{both(('No alarm was active in this time', '此时间内没有报警'))}</p>"
    shown = "".join(_alarm(one) for one in told.lives[:MOST_ALARMS])
    more = len(told.lives) - MOST_ALARMS
    if more > 0:
        shown += (
            f"<p>{both((f'and {more} more in {ALARMS_CSV}', f'另有 {more} 条见 {ALARMS_CSV}'))}</p>"
        )
    return shown


def _alarm(life: Life) -> str:
    kind = ALARMS.get(life.first.kind)
    name: Both = (kind.english, kind.chinese) if kind else (_plain(life.first.kind), "未知类型")
    over: Both = ("not cleared in this recording", "本录像中未解除")
    cleared = both(over) if life.cleared_at_ns is None else moment(life.cleared_at_ns)
    rows = "".join(_event(one) for one in life.events)
    heads: tuple[Both, ...] = (
        *(("when", "时间"), ("what", "事件"), ("who", "人员")),
        ("place, evidence, reason", "位置、依据、原因"),
    )
    top = "".join(f"<th>{both(one)}</th>" for one in heads)
    begun = moment(life.raised_at_ns)
    return (
        f"<h3>{both(name)}</h3><p>{_text(life.first.id)} · {begun} – {cleared}</p>"
        f"<table><tr>{top}</tr>{rows}</table>"
    )


def _event(event: Event) -> str:
    word, parts = event.word, list[str]()
    who = _text(event.by)
    if word is not None:
        number = "" if word.track is None else f"#{word.track}"
        who = _text(" ".join(part for part in (word.worker or "", number) if part))
        if word.xyz_m is not None:
            x, y, z = word.xyz_m
            parts.append(f"x {x:.1f} m, y {y:.1f} m, z {z:.1f} m")
        parts += [_text(one) for one in (word.zone, word.camera) if one]
        if word.evidence:
            parts.append(_in_both(word.evidence))
    if event.reason:
        parts.append(_text(event.reason))
    if event.until_ns is not None:
        parts.append(f"→ {moment(event.until_ns)}")
    return (
        f"<tr><td>{moment(event.at_ns)}</td><td>{both(EVENTS[event.what])}</td><td>{who}</td>"
        f"<td>{'<br>'.join(parts)}</td></tr>"
    )


def _pictures(shown: Shown) -> str:
    if not shown.pictures:
        return f"<p>{both(('There is no picture', '没有画面'))}</p>"
    ordered = sorted(shown.pictures, key=lambda one: one.at_ns)
    return "".join(_figure(one) for one in ordered)


def _figure(picture: KeyPicture) -> str:
    coded = base64.b64encode(picture.thumb).decode()
    said: list[Both] = []
    if picture.of is None:
        said.append(
            ("first picture", "首幅画面")
            if "first" in picture.name
            else ("last picture", "末幅画面")
        )
    else:
        kind = ALARMS.get(picture.of.first.kind)
        off = (picture.at_ns - picture.of.raised_at_ns) / 1e9
        said.append((kind.english, kind.chinese) if kind else ("alarm", "报警"))
        said.append((f"{off:+.2f} s from its raise", f"距触发 {off:+.2f} 秒"))
        if not picture.boxed:
            said.append(
                (
                    "nobody is framed: it is about no person on the picture",
                    "未框出人员：报警与画面中人员无关",
                )
            )
    words = "; ".join(both(one) for one in said)
    alarm = "" if picture.of is None else f"{_text(picture.of.first.id)} · "
    return (
        f'<figure><img alt="" src="data:image/jpeg;base64,{coded}"><figcaption>{alarm}{words} · '
        f"{moment(picture.at_ns)} · {escape(picture.name)}</figcaption></figure>"
    )


def _outages(outages: Iterable[Outage]) -> str:
    rows = "".join(
        f"<tr><td>{moment(one.from_ns)}</td><td>{moment(one.to_ns)}</td>"
        f"<td>{both(WHATS[one.what])}</td><td>{_text(one.name)}</td>"
        f"<td>{both(STATES.get(one.state, (_plain(one.state), '')))}</td>"
        f"<td>{_in_both(one.detail)}</td></tr>"
        for one in outages
    )
    if not rows:
        nothing = ("Nothing was out of order, as far as is recorded", "就记录而言无异常")
        return f"<p>{both(nothing)}</p>"
    heads: tuple[Both, ...] = (
        *(("from", "开始"), ("to", "结束"), ("what", "对象"), ("name", "名称")),
        *(("state", "状态"), ("detail", "说明")),
    )
    return f"<table><tr>{''.join(f'<th>{both(one)}</th>' for one in heads)}</tr>{rows}</table>"


def _legend(shown: Shown) -> str:
    if not shown.legend.numbers:
        return f"<p>{both(('All names are written out', '所有姓名均已写出'))}</p>"
    rows = "".join(
        f"<tr><td>{escape(tag)}</td><td>{_text(name)}</td></tr>"
        for name, tag in shown.legend.numbers.items()
    )
    return f"<table>{rows}</table>"


def _files(told: Told) -> str:
    shown = told.shown
    begins = "-" if shown.film_begins_ns is None else moment(shown.film_begins_ns)
    lines: list[tuple[str, Both]] = [
        (
            FILM,
            (
                f"{shown.frames} pictures; second 0 is {begins}",
                f"{shown.frames} 幅画面；第 0 秒为 {begins}",
            ),
        ),
        (
            TRACKS,
            (f"who was where at {shown.instants} instants", f"{shown.instants} 个时刻的人员位置"),
        ),
        (f"{ALARMS_CSV}, {ALARMS_JSON}", ("every alarm's life", "每条报警的全过程")),
        (HEALTH, ("when the gateway or a camera was out of order", "网关与摄像机异常时段")),
    ]
    items = "".join(f"<li>{escape(name)}: {both(words)}</li>" for name, words in lines)
    how = both(
        (
            "Check it with: lamproom verify FOLDER --trusted KEY",
            "校验：lamproom verify 文件夹 --trusted 公钥",
        )
    )
    return f"<ul>{items}</ul><p>{how}</p>"


def _in_both(english: str) -> str:
    """Give a gateway's sentence, and in Chinese as far as it has been worded."""
    chinese = in_chinese(english)
    worded = f'<br><span lang="zh">{_text(chinese)}</span>' if chinese != english else ""
    return f"{_text(english)}{worded}"


def _text(text: str) -> str:
    return escape(printable(text, 500))


def _plain(text: str) -> str:
    return printable(text, 80)
