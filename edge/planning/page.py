"""The report of `lamproom plan`: one HTML file with drawing, tables and how it was computed.

Knows nothing about geometry. Nothing is loaded from elsewhere; English and Chinese are both in it.
"""

from html import escape
from math import isfinite

import yaml

from edge.planning.drawing import draw
from edge.planning.error import FLOOR_SIGMA_M, LENS_SIGMA, LOOKS_PER_S
from edge.planning.map import bends, draw_map
from edge.planning.words import (
    Answer,
    Both,
    blind_spot,
    gateway_of,
    looks,
    metre_text,
    overlap_text,
    side_of,
    verdict,
)
from location.foot import BIAS_M, PIXEL_MIN, PIXEL_SHARE

LEGEND: tuple[tuple[str, Both], ...] = (
    ("background:#bfe3da", ("one camera", "一台摄像机")),
    ("background:#7cc4b6", ("two", "两台")),
    ("background:#3f9f90", ("three or more", "三台及以上")),
    (
        "background:repeating-linear-gradient(45deg,#fbd5d5 0 4px,#e05252 4px 6px)",
        ("not seen as wished", "未按要求可见"),
    ),
    (
        "background:repeating-linear-gradient(-45deg,#fbe7bf 0 4px,#d08a10 4px 6px)",
        ("hidden by an obstacle", "被障碍物遮挡"),
    ),
    ("background:#5b6673", ("obstacle", "障碍物")),
    (
        "border:1.5px solid #111827;border-radius:50%",
        ("95 % ellipse of one look", "单次 95% 误差椭圆"),
    ),
    ("border:2px dashed #dc2626", ("no mounting", "禁止安装")),
)
STYLE = """
:root{color-scheme:light}body{margin:0;background:#f3f5f7;color:#111827;
font:15px/1.5 system-ui,"Noto Sans CJK SC","Microsoft YaHei",sans-serif}
main{max-width:1420px;margin:0 auto;padding:20px 24px 60px}h1{font-size:24px;margin:6px 0}
h2{font-size:17px;margin:26px 0 8px}.card{background:#fff;border:1px solid #d8dee5;
border-radius:10px;padding:14px 16px;overflow-x:auto}.good,.bad{padding:10px 14px;border-radius:8px;
font-weight:600}.good{background:#dcf3ec;color:#0b5345}.bad{background:#fde3e3;color:#8f1d1d}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:13px;width:100%}
th,td{padding:3px 7px;border-bottom:1px solid #e5e9ee;text-align:right}
th{color:#4b5563;font-weight:600;vertical-align:bottom}
td.t,th.t{text-align:left}tr.short td{background:#fdf0f0}
.legend{display:flex;flex-wrap:wrap;gap:4px 18px;font-size:13px;margin:6px 0 10px}
.legend i{display:inline-block;width:18px;height:12px;margin-right:6px;vertical-align:-1px}
pre{background:#f6f8fa;padding:10px;border-radius:6px;overflow-x:auto;font-size:13px}
button{float:right;font:inherit;padding:3px 12px;border:1px solid #b6c0cb;border-radius:6px;
background:#fff;cursor:pointer}svg{max-width:100%;height:auto}
html[lang=en] .zh{display:none}html[lang=zh] .en{display:none}
@media print{button{display:none}.card{break-inside:avoid;border:0}body{background:#fff}}
"""
SCRIPT = """
const root=document.documentElement;
if((navigator.language||"").startsWith("zh"))root.lang="zh";
document.querySelector("button").onclick=()=>{root.lang=root.lang==="zh"?"en":"zh"};
"""


def page(answer: Answer) -> str:
    """Give the whole report as HTML."""
    plan, judged = answer.plan, answer.judgement
    section = judged.section
    width = plan.floor.left_m + plan.floor.right_m
    title = _both((f"Camera plan: {plan.name}", f"摄像机布置方案：{plan.name}"))
    place = f"{metre_text(section.from_m)}-{metre_text(section.to_m)}"
    wide_px = answer.detector_px[0]
    facts = _both(
        (
            f"{place} m, {width:g} m wide, {plan.height_m:g} m high; {answer.detector} works on "
            f"pictures {wide_px} px wide",
            f"里程 {place} 米，宽 {width:g} 米，高 {plan.height_m:g} 米；检测器 {answer.detector} "
            f"的画面宽 {wide_px} 像素",
        )
    )
    legend = "".join(f'<span><i style="{style}"></i>{_both(w)}</span>' for style, w in LEGEND)
    parts = [
        f"<h1>{title}</h1><p>{facts}</p>",
        f'<p class="{"good" if judged.covered else "bad"}">{_both(verdict(answer))}</p>',
        _head(("Plan, unrolled along the centre line", "平面图（沿中线展开）"))
        + f'<div class="card"><div class="legend">{legend}</div>',
        draw(answer) + "</div>",
        _map(answer),
        _head(("Where to mount", "安装位置")) + _card(_cameras(answer)),
        _head(("Not seen", "盲区")) + _card(_list([blind_spot(one) for one in judged.blind])),
        _head(("Overlap of neighbours", "相邻重叠"))
        + _card(_list([overlap_text(answer, one) for one in judged.overlaps])),
        _head(("Every metre", "逐米数据")) + _card(_metres(answer)),
        _head(("How this was computed", "计算依据")) + _card(_how(answer)),
        _head(("To judge this layout again", "再次评估此布置"))
        + _card(f"<pre>{escape(layout_yaml(answer))}</pre>"),
    ]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(plan.name)}'
        f"</title><style>{STYLE}</style></head><body><main><button>English / 中文</button>"
        + "".join(parts)
        + f"</main><script>{SCRIPT}</script></body></html>\n"
    )


def _map(answer: Answer) -> str:
    if not bends(answer.judgement.section):
        return ""
    return _head(("As it lies in the mine", "实际走向")) + _card(draw_map(answer))


def layout_yaml(answer: Answer) -> str:
    """Write the layout as a plan file's `hung`, to be changed by hand and judged again."""
    rows = [one.model_dump(exclude_none=True) for one in answer.hung]
    return str(yaml.safe_dump({"hung": rows}, sort_keys=False, default_flow_style=None, width=120))


def _both(words: Both) -> str:
    en, zh = (escape(word) for word in words)
    return f'<span class="en">{en}</span><span class="zh">{zh}</span>'


def _head(words: Both) -> str:
    return f"<h2>{_both(words)}</h2>"


def _card(inner: str) -> str:
    return f'<div class="card">{inner}</div>'


def _list(lines: list[Both]) -> str:
    if not lines:
        return _both(("nothing", "无"))
    return "<ul>" + "".join(f"<li>{_both(line)}</li>" for line in lines) + "</ul>"


def _table(heads: list[Both], rows: list[tuple[str, list[str]]], texts: set[int]) -> str:
    """Write a table; each row has a class, columns in `texts` are words."""

    def cells(tag: str, values: list[str]) -> str:
        return "".join(
            f"<{tag}{' class=t' if index in texts else ''}>{value}</{tag}>"
            for index, value in enumerate(values)
        )

    body = "".join(f'<tr class="{kind}">{cells("td", values)}</tr>' for kind, values in rows)
    return f"<table><thead><tr>{cells('th', [_both(h) for h in heads])}</tr></thead>{body}</table>"


def _cameras(answer: Answer) -> str:
    heads: list[Both] = [
        ("camera", "摄像机"),
        ("gateway", "网关"),
        ("chainage m", "里程 m"),
        ("side", "位置"),
        ("left of centre m", "距中线（左）m"),
        ("height m", "高度 m"),
        ("looks", "朝向"),
        ("yaw °", "方位 °"),
        ("pitch °", "俯仰 °"),
        ("lens", "镜头"),
    ]
    rows = [
        (
            "",
            [
                escape(one.name),
                str(gateway_of(answer, index)),
                f"{one.chainage_m:.1f}",
                _both(side_of(one)),
                f"{one.left_m:.2f}",
                f"{one.height_m:.2f}",
                _both(looks(answer, one)),
                f"{one.yaw_deg:.0f}",
                f"{one.pitch_deg:.0f}",
                escape(one.lens or answer.plan.lenses[0].name),
            ],
        )
        for index, one in enumerate(answer.hung)
    ]
    return _table(heads, rows, {0, 3, 6, 9})


def _metres(answer: Answer) -> str:
    heads: list[Both] = [
        ("m", "米"),
        ("cameras", "摄像机"),
        ("seen", "可见"),
        ("twice", "双重可见"),
        ("hidden", "被遮挡"),
        ("show feet", "见脚台数"),
        ("show whole body", "见全身台数"),
        ("person px", "站立 px"),
        ("lying px", "倒地 px"),
        ("± along m", "沿巷 ± m"),
        ("± across m", "横向 ± m"),
        ("95 % one look m", "单次 95% m"),
        ("95 % followed m", "跟踪 95% m"),
    ]
    short = set(answer.judgement.short_m)
    rows = []
    for index, metre in enumerate(answer.judgement.metres):
        numbers = [
            f"{metre_text(metre.from_m)}-{metre_text(metre.to_m)}",
            escape(", ".join(metre.cameras)) or "–",
            f"{metre.seen_share:.0%}",
            f"{metre.twice_share:.0%}",
            f"{metre.hidden_share:.0%}",
            f"{metre.feet_cameras:.1f}",
            f"{metre.body_cameras:.1f}",
            _number(metre.person_px, ".0f"),
            _number(metre.lying_px, ".0f"),
            _number(metre.along_m, ".2f"),
            _number(metre.across_m, ".2f"),
            _number(metre.look_radius_m, ".2f"),
            _number(metre.followed_radius_m, ".2f"),
        ]
        rows.append(("short" if index in short else "", numbers))
    return _table(heads, rows, {1})


def _number(value: float, form: str) -> str:
    return format(value, form) if isfinite(value) else "–"


def _how(answer: Answer) -> str:
    wishes, mounts = answer.plan.wishes, answer.plan.mounts
    lines: list[Both] = [
        (
            f"A place is seen when a camera shows a standing body whole and at least "
            f"{wishes.person_px:g} px high, and one that lies along the line of sight at least "
            f"{wishes.lying_px:g} px long, both in the picture that the detector works on. A metre "
            f"is covered when {wishes.share:.0%} of its floor is.",
            f"若站立者全身入镜且高度不少于 {wishes.person_px:g} 像素、沿视线方向倒地者长度不少于 "
            f"{wishes.lying_px:g} 像素（均按检测器画面计），则该处可见；一米底板有 "
            f"{wishes.share:.0%} 可见即为覆盖。",
        ),
        (
            f"Expected error: the location stage's own model. A box's edges are uncertain by "
            f"{PIXEL_SHARE:.0%} of its longer side, at least {PIXEL_MIN:g} px; the pose by "
            f"{mounts.sigma_m:g} m and {mounts.sigma_deg:g}° (or as the rig file says); "
            f"{BIAS_M:g} m stays whatever the camera; and the floor's height by "
            f"{FLOOR_SIGMA_M:g} m and the focal length by {LENS_SIGMA:.1%}. "
            f"Followed: after 2 s with {LOOKS_PER_S:g} looks a second.",
            f"预期误差采用定位模块自身的模型：检测框边缘误差为长边的 {PIXEL_SHARE:.0%}（至少 "
            f"{PIXEL_MIN:g} 像素）；位姿误差 {mounts.sigma_m:g} 米、{mounts.sigma_deg:g}°（或按标定"
            f"文件）；固有偏差 {BIAS_M:g} 米；底板高程误差 {FLOOR_SIGMA_M:g} 米；焦距误差 "
            f"{LENS_SIGMA:.1%}。“跟踪”指每秒 {LOOKS_PER_S:g} 次检测、持续 2 秒之后。",
        ),
        (
            "Light, dust and dirt on the lens are not in these figures; people hide each other.",
            "未计入照明、粉尘与镜头污损；人员相互遮挡亦未计入。",
        ),
    ]
    return _list(lines)
