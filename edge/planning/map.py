"""Draw a roadway that bends as it lies in the mine, with cameras and what each one covers.

Knows nothing about the unrolled plan beside it, but for the colours and outlines that both show.
"""

from collections.abc import Callable
from html import escape

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from edge.planning.section import Section
from edge.planning.view import View
from edge.planning.words import Answer
from scene.arrays import Floats

COLOURS = ("#1368aa", "#c2410c", "#6d28d9", "#0f766e", "#b91c8c", "#4d7c0f", "#92400e", "#475569")
CAMERA = "M0 -6 H13 V6 H0 Z M13 -3 L20 -7 V7 L13 3 Z"
"""A camera that looks to the right, hung at 0, 0."""
WIDTH_PX, HIGHEST_PX, MARGIN_PX = 1360, 620, 30
BENDS_FROM_DEG = 2.0
"""Roadways that turn by less have no map of their own."""


Sheet = Callable[[Floats], Floats]
"""Carries mine metres (N, 2) to the sheet's pixels (N, 2)."""


def colour_of(index: int) -> str:
    """Give a camera's colour."""
    return COLOURS[index % len(COLOURS)]


def outline(section: Section, view: View) -> Floats | None:
    """Give the corners (N, 2), chainage and left, round all that a camera covers."""
    places = section.places
    inside = np.column_stack([places.chainage_m, places.left_m])[view.seen]
    if len(inside) < 3:
        return None
    try:
        return np.asarray(inside[ConvexHull(inside).vertices])
    except QhullError:  # all on one line
        return None


def bends(section: Section) -> bool:
    """Tell whether the roadway turns so much that its unrolled plan misleads."""
    at_m = np.linspace(section.from_m, section.to_m, 50)
    headings = np.unwrap([np.radians(section.heading_deg(chainage)) for chainage in at_m])
    return bool(np.degrees(np.ptp(headings)) > BENDS_FROM_DEG)


def draw_map(answer: Answer) -> str:
    """Give the map as one `<svg>`, x to the right and y upwards, to scale."""
    section = answer.judgement.section
    floor = answer.plan.floor
    along = np.linspace(section.from_m, section.to_m, 200)
    ribs = [
        section.floor.at(along, np.full(200, left))[:, :2]
        for left in (floor.left_m, -floor.right_m)
    ]
    low, high = np.vstack(ribs).min(axis=0), np.vstack(ribs).max(axis=0)
    size = np.maximum(high - low, 1e-6)
    scale = float(min((WIDTH_PX - 2 * MARGIN_PX) / size[0], (HIGHEST_PX - 2 * MARGIN_PX) / size[1]))
    height = 2 * MARGIN_PX + size[1] * scale

    def sheet(xy_m: Floats) -> Floats:
        flipped = (np.asarray(xy_m, float) - low) * scale
        return np.column_stack([MARGIN_PX + flipped[:, 0], height - MARGIN_PX - flipped[:, 1]])

    parts = [
        _polygon(sheet(np.vstack([ribs[0], ribs[1][::-1]])), 'fill="#eef1f4" stroke="#1f2937"')
    ]
    for block in section.blocks:
        parts.append(_polygon(sheet(block.corners_m), 'fill="#5b6673" fill-opacity=".8"'))
    for index, view in enumerate(answer.judgement.views):
        parts.append(_covered(section, view, sheet, colour_of(index)))
    for index, one in enumerate(answer.hung):
        x, y = sheet(section.point(one.chainage_m, one.left_m, 0.0)[None, :2])[0]
        parts.append(
            f'<g transform="translate({x:.1f} {y:.1f}) rotate({-one.yaw_deg:.1f})">'
            f'<path d="{CAMERA}" fill="{colour_of(index)}" stroke="#fff" stroke-width="1.4"/></g>'
        )
        parts.append(
            f'<text x="{min(x + 9, WIDTH_PX - 50):.1f}" y="{y - 9:.1f}" font-size="12" '
            'font-weight="600" '
            f'fill="{colour_of(index)}" paint-order="stroke" stroke="#fff" stroke-width="3">'
            f"{escape(one.name)}</text>"
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH_PX} {height:.0f}" '
        f'width="{WIDTH_PX}" height="{height:.0f}" role="img" font-family="sans-serif">'
        + "".join(parts)
        + "</svg>"
    )


def _polygon(points_px: Floats, style: str) -> str:
    text = " ".join(f"{x:.1f},{y:.1f}" for x, y in points_px)
    return f'<polygon points="{text}" {style}/>'


def _covered(section: Section, view: View, sheet: Sheet, colour: str) -> str:
    corners = outline(section, view)
    if corners is None:
        return ""
    # Straight lines of the unrolled plan bend here: carry points along them.
    ends = np.roll(corners, -1, axis=0)
    share = np.linspace(0, 1, 20, endpoint=False)[None, :, None]
    along = (corners[:, None] + share * (ends - corners)[:, None]).reshape(-1, 2)
    xy = section.floor.at(along[:, 0], along[:, 1])[:, :2]
    style = f'fill="{colour}" fill-opacity=".08" stroke="{colour}" stroke-dasharray="7 4"'
    return _polygon(sheet(xy), style)
