"""Draw what is below the plan: ruler, and of each metre what is seen, people's size, the error.

Knows nothing about the plan above them.
"""

from collections.abc import Callable
from html import escape
from math import ceil, isfinite

from edge.planning.judge import Metre
from edge.planning.view import Needs
from edge.planning.words import Answer
from scene.html_page import Both

BAR_PX, GAP_PX = 34, 12
STRIPS_PX = 4 * (BAR_PX + GAP_PX)
SEEN = ("#f8b4b4", "#bfe3da", "#7cc4b6", "#3f9f90")
"""By how many cameras cover a place: none, one, two, more."""
ERROR_SCALE_M = 2.0
"""The error strip's full height."""
SIZE_SCALE = 4.0
"""Sizes fill their strip at so many times what is needed."""
SMALLEST_TEXT_PX = 22
"""Metres narrower than this have no figures."""

Bar = tuple[float, str, str]
"""Share of the strip's height, colour, text."""


def strips(
    answer: Answer, scale: float, left_px: float, top_px: float, stretch_m: tuple[float, float]
) -> str:
    """Draw the four strips of a stretch, `scale` pixels a metre."""
    wishes = answer.plan.wishes
    need = Needs(person_px=wishes.person_px, lying_px=wishes.lying_px)
    found = []
    for number, (title, bar) in enumerate(_kinds(need)):
        y = top_px + number * (BAR_PX + GAP_PX)
        right_px = left_px + (stretch_m[1] - stretch_m[0]) * scale
        found.append(
            f'<text x="{left_px - 8:.1f}" y="{y + BAR_PX / 2 + 4:.1f}" font-size="11" '
            f'fill="#374151" text-anchor="end">{both(title)}</text>'
            f'<line x1="{left_px:.1f}" x2="{right_px:.1f}" y1="{y + BAR_PX:.1f}" '
            f'y2="{y + BAR_PX:.1f}" stroke="#9ca3af"/>'
        )
        for metre in answer.judgement.metres:
            if stretch_m[0] - 1e-6 <= metre.from_m < stretch_m[1] - 1e-6:
                x = left_px + (metre.from_m - stretch_m[0]) * scale
                found.append(_bar(x, y, (metre.to_m - metre.from_m) * scale, bar(metre)))
    return "".join(found)


def ruler(scale: float, left_px: float, y_px: float, stretch_m: tuple[float, float]) -> str:
    """Draw the chainages of a stretch, `scale` pixels a metre."""
    step = 1 if scale > 24 else 2 if scale > 14 else 5
    found = []
    for metre in range(ceil(stretch_m[0]), int(stretch_m[1]) + 1):
        x, labelled = left_px + (metre - stretch_m[0]) * scale, metre % step == 0
        found.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y_px - 4:.1f}" '
            f'y2="{y_px + (4 if labelled else 1):.1f}" stroke="#6b7280"/>'
        )
        if labelled:
            found.append(
                f'<text x="{x:.1f}" y="{y_px + 16:.1f}" font-size="11" fill="#374151" '
                f'text-anchor="middle">{metre}</text>'
            )
    return "".join(found)


def both(words: Both) -> str:
    """Write a text in both languages; the page shows one of them."""
    return (
        f'<tspan class="en">{escape(words[0])}</tspan><tspan class="zh">{escape(words[1])}</tspan>'
    )


def _kinds(need: Needs) -> list[tuple[Both, Callable[[Metre], Bar]]]:
    return [
        (("seen %", "可见 %"), _seen),
        (("standing px", "站立 px"), lambda metre: _size(metre.person_px, need.person_px)),
        (("lying px", "倒地 px"), lambda metre: _size(metre.lying_px, need.lying_px)),
        (("error 95 % m", "95% 误差 m"), _error),
    ]


def _bar(x: float, y: float, width_px: float, bar: Bar) -> str:
    share, colour, text = bar
    height = BAR_PX * min(max(share, 0.0), 1.0)
    words = ""
    if width_px >= SMALLEST_TEXT_PX:
        words = (
            f'<text x="{x + width_px / 2:.1f}" y="{y + BAR_PX - 4:.1f}" font-size="9.5" '
            f'fill="#111827" text-anchor="middle" paint-order="stroke" stroke="#fff" '
            f'stroke-opacity=".7" stroke-width="2">{text}</text>'
        )
    return (
        f'<rect x="{x + 0.8:.1f}" y="{y + BAR_PX - height:.1f}" '
        f'width="{max(width_px - 1.6, 0.5):.1f}" height="{height:.1f}" fill="{colour}"/>{words}'
    )


def _seen(metre: Metre) -> Bar:
    if metre.open_share == 0:
        return 1.0, "#9aa4af", "▪"
    if metre.seen_share < 0.005:
        return 1.0, "url(#hidden)" if metre.hidden_share > 0.5 else "url(#nobody)", "0"
    colour = SEEN[2] if metre.twice_share >= 0.9 else SEEN[1]
    return metre.seen_share, colour, f"{100 * metre.seen_share:.0f}"


def _size(size_px: float, need_px: float) -> Bar:
    if not isfinite(size_px):
        return 1.0, "url(#nobody)", "–"
    colour = "#a7c7e7" if size_px >= need_px else "#f5a3a3"
    return size_px / (SIZE_SCALE * need_px), colour, f"{size_px:.0f}"


def _error(metre: Metre) -> Bar:
    if not isfinite(metre.look_radius_m):
        return 1.0, "url(#nobody)", "–"
    return metre.look_radius_m / ERROR_SCALE_M, "#d9c7ee", f"{metre.look_radius_m:.1f}"
