"""Drawings over the report's pictures, as SVG: points, residual vectors, rulers.

Knows nothing about how pictures or figures came about. Coordinates are the pictures' own pixels
(centres at integers); vectors are magnified, and every drawing says how much.
"""

from collections.abc import Sequence
from html import escape

import numpy as np

from edge.calibration.figures import CameraFit, PairFit
from edge.calibration.ruler import Mark
from scene.arrays import Bytes, Floats
from scene.messages import XY

MAGNIFICATIONS = (1, 2, 5, 10, 20, 50, 100, 200)
VECTOR_SHARE = 0.04
"""Nineteen of twenty vectors are drawn no longer than this share of the picture's width."""
MOST_VECTORS = 300
SEEN, LANDED, MATCH = "#25e08a", "#ff3fa4", "#ffe14d"
RULER_PX = 46
LEAST_PAINTED = 400


def camera_drawing(camera: CameraFit, uri: str) -> tuple[str, int]:
    """Draw a camera's survey points over its picture; gives the SVG and the magnification."""
    width, height = camera.size_px
    times = _magnification(np.array([point.miss_px for point in camera.points]), width)
    unit = width / 100
    parts = []
    for point in camera.points:
        (u, v), (x, y) = point.pixel, point.landed
        end = u + (x - u) * times, v + (y - v) * times
        text = f"{point.label}: {point.miss_px:.1f} px, {point.miss_cm:.1f} cm"
        right = u < 0.68 * width
        down = v < 0.1 * height
        parts.append(
            f"<g><title>{escape(point.name)} {escape(text)}</title>"
            f'<circle cx="{u:.2f}" cy="{v:.2f}" r="{unit:.2f}" fill="none" stroke="{SEEN}" '
            f'stroke-width="{unit / 5:.2f}"/>'
            f'<circle cx="{x:.2f}" cy="{y:.2f}" r="{unit / 4:.2f}" fill="{LANDED}"/>'
            + _vector((u, v), end, LANDED, unit / 4)
            + _text(
                (u + (1.5 if right else -1.5) * unit, v + (2.8 if down else -1.0) * unit),
                text,
                size=2.1 * unit,
                anchor="start" if right else "end",
            )
            + "</g>"
        )
    return _svg((-0.5, -0.5, width, height), uri, "".join(parts)), times


def pair_drawing(
    pair: PairFit, box: tuple[int, int, int, int], uri: str, width_px: int
) -> tuple[str, int]:
    """Draw what agreeing matches miss by on the panorama; gives the SVG and the magnification."""
    x0, y0, x1, y1 = box
    shift = pair.second_xy - pair.first_xy
    times = _magnification(np.linalg.norm(shift, axis=1), width_px)
    good = np.flatnonzero(np.isfinite(shift).all(axis=1))
    if len(good) > MOST_VECTORS:
        good = good[np.linspace(0, len(good) - 1, MOST_VECTORS).astype(int)]
    unit = width_px / 300
    ends = pair.first_xy + times * shift
    parts = [
        _vector(_xy(pair.first_xy[index]), _xy(ends[index]), MATCH, unit / 2)
        + f'<circle cx="{pair.first_xy[index, 0]:.2f}" cy="{pair.first_xy[index, 1]:.2f}" '
        f'r="{unit * 0.8:.2f}" fill="{MATCH}"/>'
        for index in good
    ]
    return _svg((x0 - 0.5, y0 - 0.5, x1 - x0, y1 - y0), uri, "".join(parts)), times


def panorama_drawing(
    *,
    size_px: tuple[int, int],
    uri: str,
    painter: Bytes,
    names: Sequence[str],
    marks: Sequence[Mark],
    floor: Sequence[tuple[XY, str]],
) -> str:
    """Draw the panorama with its ruler below, the cameras' names, and metres of floor in it."""
    width, height = size_px
    parts = [f'<rect x="-0.5" y="{height}" width="{width}" height="{RULER_PX}" fill="#fff"/>']
    for mark in marks:
        long = 16 if mark.text else 8
        parts.append(_line((mark.x, height), (mark.x, height + long), "#374151", 1.5))
        if mark.text and 20 < mark.x < width - 20:
            parts.append(
                f'<text x="{mark.x:.1f}" y="{height + 40}" font-size="22" text-anchor="middle" '
                f'fill="#111827">{escape(mark.text)}</text>'
            )
    for (x, y), metre in floor:
        parts.append(_line((x, y - 7), (x, y + 7), SEEN, 3))
        parts.append(_text((x, y - 12), f"{metre} m", size=20, anchor="middle"))
    for index, name in enumerate(names):
        rows, columns = np.nonzero(painter == index)
        if len(rows) >= LEAST_PAINTED:
            middle = float(np.median(columns)), float(np.median(rows))
            parts.append(_text(middle, name, size=26, anchor="middle"))
    return _svg((-0.5, -0.5, width, height), uri, "".join(parts), below_px=RULER_PX)


def _magnification(misses_px: Floats, width_px: float) -> int:
    finite = misses_px[np.isfinite(misses_px)]
    if not len(finite):
        return 1
    typical = max(float(np.percentile(finite, 95)), 1e-3)
    fitting = [times for times in MAGNIFICATIONS if times * typical <= VECTOR_SHARE * width_px]
    return fitting[-1] if fitting else 1


def _svg(view: tuple[float, float, float, float], uri: str, inner: str, below_px: float = 0) -> str:
    x, y, width, height = view
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{x:g} {y:g} {width:g} '
        f'{height + below_px:g}" role="img" font-family="sans-serif"><image href="{uri}" '
        f'x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" preserveAspectRatio="none"/>'
        f"{inner}</svg>"
    )


def _vector(start: XY, end: XY, colour: str, wide: float) -> str:
    return _line(start, end, "#000", 2.4 * wide) + _line(start, end, colour, wide)


def _line(start: XY, end: XY, colour: str, wide: float) -> str:
    return (
        f'<line x1="{start[0]:.2f}" y1="{start[1]:.2f}" x2="{end[0]:.2f}" y2="{end[1]:.2f}" '
        f'stroke="{colour}" stroke-width="{wide:.2f}"/>'
    )


def _text(place: XY, text: str, *, size: float, anchor: str) -> str:
    return (
        f'<text x="{place[0]:.1f}" y="{place[1]:.1f}" font-size="{size:.1f}" fill="#fff" '
        f'stroke="#000" stroke-width="{size / 8:.2f}" paint-order="stroke" '
        f'text-anchor="{anchor}">{escape(text)}</text>'
    )


def _xy(point: Floats) -> XY:
    return float(point[0]), float(point[1])
