"""The report of `lamproom calibrate` as one HTML file: verdict, advice, tables, pictures.

Knows nothing about how figures and pictures came about.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from edge.calibration.advice import Advice
from edge.calibration.figures import AWAY_M, FAR_M, CameraFit, Figures, PairFit
from edge.calibration.limits import COLOURS
from edge.calibration.verdict import Check, headline, worst
from scene.arrays import Floats
from scene.html_page import Both, both, card, document, head, table

COLOUR_WORDS: dict[str, Both] = dict(
    zip(COLOURS, (("good", "良好"), ("doubt", "存疑"), ("bad", "超限")), strict=True)
)
STYLE = """
.dot{display:inline-block;min-width:52px;padding:0 6px;border-radius:9px;color:#fff;font-size:12px;
text-align:center}.dot.green{background:#12855f}.dot.amber{background:#b26a00}
.dot.red{background:#c62828}svg{background:#30343a}
.two{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,460px),1fr));gap:12px}
.three{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,380px),1fr));gap:12px}
.two .card,.three .card{margin:0}
@media print{.dot{font-size:9px;min-width:36px}
.two{grid-template-columns:1fr 1fr}.three{grid-template-columns:1fr 1fr 1fr}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """One drawing, how many times its vectors are magnified, and what it shows."""

    of: str
    """The camera, or `cam1-cam2`."""
    svg: str
    times: int


def page(
    *,
    found: Figures,
    rows: tuple[Check, ...],
    advices: tuple[Advice, ...],
    panorama_svg: str,
    cameras: Sequence[Drawing],
    pairs: Sequence[Drawing],
) -> str:
    """Give the whole report."""
    title = f"Calibration of {found.site}"
    facts = (
        f"{'Strip' if found.strip else 'Rotation'} rig {found.rig.id}, anchored by "
        f"{found.rig.anchor}. Mine metres: x along the roadway, y left, z up."
    )
    facts_zh = f"{'沿巷布置' if found.strip else '同点扇形布置'}，标定编号 {found.rig.id}。"
    facts_zh += "矿井坐标：x 沿巷道，y 向左，z 向上（米）。"
    body = [
        f"<h1>{both((title, f'标定报告：{found.site}'))}</h1>"
        f'<p class="note">{both((facts, facts_zh))}</p>',
        _verdict(found, rows),
        head(("What to improve", "改进建议")) + card(_advice(advices)),
        head(("Checks", "检查项")) + card(_checks(rows)),
        head(("Panorama of the still pictures", "静态全景图"))
        + card(f"{panorama_svg}<p class=note>{both(_panorama_note(found))}</p>"),
        head(("Cameras", "摄像机")) + card(_cameras(found)),
        head(("Overlaps", "重叠区")) + card(_pairs(found)) + _pair_cards(found, pairs),
        head(("Survey points in the pictures", "画面中的测量点")) + _camera_cards(found, cameras),
    ]
    return document(title, "".join(body), STYLE)


def _verdict(found: Figures, rows: tuple[Check, ...]) -> str:
    lines = headline(found, rows)
    key = "; ".join(f"{row.name[0].lower()} {row.value}" for row in rows)
    key_zh = "；".join(f"{row.name[1]} {row.value}" for row in rows)
    return (
        f'<div class="verdict {worst(rows)}"><p>{escape(lines[0])}</p>'
        f'<p lang="zh">{escape(lines[1])}</p><div class="note">{both((key, key_zh))}</div></div>'
    )


def _advice(advices: tuple[Advice, ...]) -> str:
    if not advices:
        return both(("Nothing: every figure is well within its limit.", "无：各项指标均良好。"))
    return "<ol>" + "".join(f"<li>{both(one.text)}</li>" for one in advices) + "</ol>"


def _checks(rows: tuple[Check, ...]) -> str:
    heads: list[Both] = [
        ("", ""),
        ("what", "项目"),
        ("measured", "实测"),
        ("good (still usable)", "良好（可用）"),
        ("why it counts, where it is worst", "说明"),
    ]
    cells = [
        [
            f'<span class="dot {row.colour}">{both(COLOUR_WORDS[row.colour])}</span>',
            both(row.name),
            escape(row.value),
            escape(row.limit),
            both(row.why),
        ]
        for row in rows
    ]
    return table(heads, cells, {0, 1, 4})


def _panorama_note(found: Figures) -> Both:
    if found.strip:
        return (
            "The ruler counts metres of chainage. Hard seams on purpose: steps show where two "
            "cameras do not agree, or where something stands in front of wall and floor.",
            "标尺为里程（米）。有意使用硬接缝：台阶表示两台摄像机不一致，或有物体位于巷帮与底板之前。",
        )
    return (
        "The ruler counts degrees to the left of the mine's x axis, as yaw does in the site file; "
        "green marks are metres of chainage on the floor's centre line. Hard seams on purpose: "
        "steps show where two cameras do not agree.",
        "标尺为相对矿井 x 轴向左的方位角（度）；绿色标记为底板中线里程（米）。有意使用硬接缝："
        "台阶表示两台摄像机不一致。",
    )


def _cameras(found: Figures) -> str:
    heads: list[Both] = [
        ("camera", "摄像机"),
        ("lens", "镜头"),
        ("field of view °", "视场角 °"),
        ("x, y, z m", "x, y, z 米"),
        ("heading, pitch °", "方位, 俯仰 °"),
        ("place ± cm", "位置 ± cm"),
        ("turn ± °", "朝向 ± °"),
        *((f"floor {away:g} m ± cm", f"{away:g} 米处底板 ± cm") for away in AWAY_M),
        ("survey points", "测量点"),
        ("matches", "匹配点"),
        ("worst point", "最大测点误差"),
    ]
    return table(heads, [_camera_row(camera) for camera in found.cameras], {0, 1})


def _camera_row(camera: CameraFit) -> list[str]:
    top = max(camera.points, key=lambda point: point.miss_px, default=None)
    return [
        escape(camera.name),
        f"{camera.lens} {camera.size_px[0]}x{camera.size_px[1]}",
        f"{camera.hfov_deg:.1f} x {camera.vfov_deg:.1f}",
        ", ".join(f"{value:.2f}" for value in camera.centre_m),
        f"{camera.heading_deg:.1f}, {camera.pitch_deg:.1f}",
        f"{camera.place_sigma_cm:.1f}",
        f"{camera.turn_sigma_deg:.2f}",
        *("–" if cm is None else f"{cm:.1f}" for cm in camera.floor_cm),
        str(len(camera.points)),
        str(camera.matches),
        "–" if top is None else f"{top.label}: {top.miss_px:.1f} px, {top.miss_cm:.1f} cm",
    ]


def _pairs(found: Figures) -> str:
    if not found.pairs:
        return both(("No two cameras overlap.", "没有重叠的画面。"))
    where = ("at the surface", "于所视表面") if found.strip else (f"{FAR_M:g} m away", "6 米处")
    heads: list[Both] = [
        ("pair", "摄像机对"),
        ("overlap", "重叠"),
        ("matches", "匹配点"),
        ("agreeing", "一致"),
        ("median / p95 px", "中位数 / 95% px"),
        (f"median / p95 cm, {where[0]}", f"中位数 / 95% cm（{where[1]}）"),
    ]
    rows = [
        [
            escape(_name(pair)),
            f"{pair.overlap:.0%}",
            str(pair.matches),
            str(pair.agreeing),
            _spread(pair.misses_px, ".2f"),
            _spread(pair.misses_cm, ".1f"),
        ]
        for pair in found.pairs
    ]
    return table(heads, rows, {0})


def _pair_cards(found: Figures, drawings: Sequence[Drawing]) -> str:
    by_name = {_name(pair): pair for pair in found.pairs}
    cards = []
    for drawing in drawings:
        pair = by_name[drawing.of]
        long = f"{drawing.times} times as long" if drawing.times > 1 else "in their own length"
        long_zh = f"放大 {drawing.times} 倍" if drawing.times > 1 else "按原长绘制"
        vectors = (
            f"{pair.agreeing} agreeing of {pair.matches} matches, {_spread(pair.misses_px, '.2f')} "
            f"px; vectors from {pair.first} to {pair.second} are drawn {long}.",
            f"{pair.matches} 个匹配点中 {pair.agreeing} 个一致，{_spread(pair.misses_px, '.2f')} "
            f"px；向量（{pair.first} 至 {pair.second}）{long_zh}。",
        )
        nothing = (
            "No agreeing matches: only survey points or poses say that these two fit.",
            "没有一致的匹配点：仅由测量点或给定位姿保证。",
        )
        cards.append(
            card(
                f"<h3>{escape(drawing.of)}</h3>{drawing.svg}<p class=note>"
                + both(vectors if pair.agreeing else nothing)
                + "</p>"
            )
        )
    left_out = len(found.pairs) - len(drawings)
    note = (
        "Red is the first camera, cyan the second, grey where both show the same; dark is what "
        "only one of them sees.",
        "红色为第一台，青色为第二台，两者一致处为灰色；暗处仅一台可见。",
    )
    if found.strip:
        note = (
            f"{note[0]} Pixels tell how far the two lines of sight pass each other; vectors also "
            "show how far what was matched stands off walls and floor.",
            f"{note[1]}像素误差为两条视线之间的距离；向量还包含匹配物体偏离巷帮与底板的影响。",
        )
    if left_out:
        note = (
            f"{note[0]} {left_out} more pairs are in the table only.",
            f"{note[1]}另有 {left_out} 对仅列于表中。",
        )
    return f"<p class=note>{both(note)}</p><div class=three>{''.join(cards)}</div>"


def _camera_cards(found: Figures, drawings: Sequence[Drawing]) -> str:
    by_name = {camera.name: camera for camera in found.cameras}
    note = (
        "Green rings: where points were clicked (or markers found). Pink dots: where the "
        "calibrated camera puts their mine coordinates. Lines: from one to the other, "
        "magnified.",
        "绿圈：点击位置（或识别的标志）；粉点：按标定投影的位置；线段：两者之差（放大）。",
    )
    return (
        f"<p class=note>{both(note)}</p><div class=two>"
        + "".join(card(_camera_card(by_name[drawing.of], drawing)) for drawing in drawings)
        + "</div>"
    )


def _camera_card(camera: CameraFit, drawing: Drawing) -> str:
    times = (f"lines magnified {drawing.times} times", f"线段放大 {drawing.times} 倍")
    top = f"<h3>{escape(camera.name)} <span class=note>{both(times)}</span></h3>{drawing.svg}"
    if not camera.points:
        nothing = ("No survey points in this picture.", "此画面中没有测量点。")
        return top + f"<p class=note>{both(nothing)}</p>"
    heads: list[Both] = [
        ("point", "测点"),
        ("mine x, y, z m", "矿井坐标 米"),
        ("clicked px", "点击 px"),
        ("misses px", "误差 px"),
        ("misses cm", "误差 cm"),
        ("expected px", "预期 px"),
    ]
    rows = [
        [
            escape(point.label),
            ", ".join(f"{value:.2f}" for value in point.mine_m),
            f"{point.pixel[0]:.1f}, {point.pixel[1]:.1f}",
            f"{point.miss_px:.2f}",
            f"{point.miss_cm:.2f}",
            f"{point.expected_px:.2f}",
        ]
        for point in camera.points
    ]
    return top + table(heads, rows, {0})


def _name(pair: PairFit) -> str:
    return f"{pair.first}-{pair.second}"


def _spread(values: Floats, form: str) -> str:
    if not len(values):
        return "–"
    return f"{np.median(values):{form}} / {np.percentile(values, 95):{form}}"
