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
    blind_spot,
    gateway_of,
    looks,
    metre_text,
    overlap_text,
    shown,
    side_of,
    verdict,
)
from location.foot import BIAS_M, PIXEL_MIN, PIXEL_SHARE
from scene.html_page import Both, both, bullets, card, document, head, table

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
.legend{display:flex;flex-wrap:wrap;gap:4px 18px;font-size:13px;margin:0 0 10px}
.legend i{display:inline-block;width:18px;height:12px;margin-right:6px;vertical-align:-1px}
pre{background:#f6f8fa;padding:10px;border-radius:6px;overflow-x:auto;font-size:13px;margin:0}
@media print{.legend,pre{font-size:9px}pre{white-space:pre-wrap}}
"""


def page(answer: Answer) -> str:
    """Give the whole report as HTML."""
    plan, judged = answer.plan, answer.judgement
    section = judged.section
    width = plan.floor.left_m + plan.floor.right_m
    place = f"{metre_text(section.from_m)}-{metre_text(section.to_m)}"
    wide_px = answer.detector_px[0]
    facts = both(
        (
            f"{place} m, {width:g} m wide, {plan.height_m:g} m high; {answer.detector} works on "
            f"pictures {wide_px} px wide",
            f"里程 {place} 米，宽 {width:g} 米，高 {plan.height_m:g} 米；检测器 {answer.detector} "
            f"的画面宽 {wide_px} 像素",
        )
    )
    title = f"Camera plan: {plan.name}"
    colour = "green" if judged.covered else "red"
    body = [
        f"<h1>{both((title, f'摄像机布置方案：{plan.name}'))}</h1>"
        f'<p class="note">{facts}</p>'
        f'<div class="verdict {colour}"><p>{both(verdict(answer))}</p></div>',
        head(("Plan, unrolled along the centre line", "平面图（沿中线展开）"))
        + card(_legend() + draw(answer)),
        _map(answer),
        head(("Where to mount", "安装位置")) + card(_cameras(answer)),
        head(("Not seen", "盲区")) + card(bullets([blind_spot(one) for one in judged.blind])),
        head(("Overlap of neighbours", "相邻重叠"))
        + card(bullets([overlap_text(answer, one) for one in judged.overlaps])),
        head(("Every metre", "逐米数据")) + card(_metres(answer)),
        head(("How this was computed", "计算依据")) + card(_how(answer)),
        head(("To judge this layout again", "再次评估此布置"))
        + card(f"<pre>{escape(layout_yaml(answer))}</pre>"),
    ]
    return document(title, "".join(body), STYLE)


def _legend() -> str:
    signs = (f'<span><i style="{style}"></i>{both(words)}</span>' for style, words in LEGEND)
    return f'<div class="legend">{"".join(signs)}</div>'


def _map(answer: Answer) -> str:
    if not bends(answer.judgement.section):
        return ""
    return head(("As it lies in the mine", "实际走向")) + card(draw_map(answer))


def layout_yaml(answer: Answer) -> str:
    """Write the layout as a plan file's `hung`, to be changed by hand and judged again."""
    rows = [one.model_dump(exclude_none=True) for one in answer.hung]
    return str(yaml.safe_dump({"hung": rows}, sort_keys=False, default_flow_style=None, width=120))


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
        [
            escape(one.name),
            str(gateway_of(answer, index)),
            f"{one.chainage_m:.1f}",
            both(side_of(one)),
            f"{one.left_m:.2f}",
            f"{one.height_m:.2f}",
            both(looks(answer, one)),
            f"{one.yaw_deg:.0f}",
            f"{one.pitch_deg:.0f}",
            escape(one.lens or answer.plan.lenses[0].name),
        ]
        for index, one in enumerate(answer.hung)
    ]
    return table(heads, rows, {0, 3, 6, 9})


def _metres(answer: Answer) -> str:
    heads: list[Both] = [
        ("m", "米"),
        ("cameras", "摄像机"),
        ("seen", "可见"),
        ("who stands", "站立者"),
        ("who lies", "倒地者"),
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
    rows = [
        [
            f"{metre_text(metre.from_m)}-{metre_text(metre.to_m)}",
            escape(", ".join(metre.cameras)) or "–",
            f"{metre.seen_share:.0%}",
            both(shown(metre, "standing")),
            both(shown(metre, "lying")),
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
        for metre in answer.judgement.metres
    ]
    return table(heads, rows, {1}, bad=answer.judgement.short_m)


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
    return bullets(lines)
