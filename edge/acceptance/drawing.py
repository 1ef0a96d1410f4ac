"""Draw an acceptance test as SVG: the plan with its stations, errors and delays as bars.

Knows nothing about the page around it. Stations are where the truth has them; the line
from each leads to where it was told to be, drawn longer than it is where it would not be seen.
"""

import math
from collections.abc import Sequence
from html import escape

import numpy as np

from edge.acceptance.figures import CoverageFigures, Figures, Station
from edge.acceptance.judge_places import SEEN_TIME
from scene.arrays import Floats
from scene.floor import Floor
from scene.html_page import Both
from scene.messages import XY
from scene.rig import Rig
from scene.site import Site

WIDTH_PX, MARGIN_PX = 1200.0, 40.0
LEAST_HEIGHT_PX = 120.0
BESIDE_M = 3.0
"""So much roadway is drawn beyond what was tested."""
MOST_MARKS = 20
LONGER = (1, 2, 5, 10)
LONGEST_M = 1.0
"""Lines are drawn so many times longer that none is longer than this."""
CAMERA_PX = 60.0
"""So far from the left edge cameras' names stand at least."""
BAR_PX, LABEL_PX, BAR_WIDTH_PX = 22.0, 340.0, 560.0
GREEN, RED, GREY, BLUE, INK = "#12855f", "#c62828", "#9aa5b1", "#1d4ed8", "#111827"


def plan(figures: Figures, site: Site, rig: Rig | None) -> str:
    """Give the plan to scale, of the roadway that was tested: zones, cameras, stations."""
    floor = Floor(site.floor)
    stretch = _stretch(figures, site, floor)
    edges = _edges(floor, site, stretch)
    view = _View(np.concatenate(edges))
    times = longer(figures.stations)
    body = [
        _line(view.px(np.concatenate([edges[0], edges[1][::-1]])), "#e8edf2", GREY, closed=True)
    ]
    for zone in site.zones:
        if zone.polygon_m:
            corners = view.px(np.array(zone.polygon_m, float))
            body.append(_line(corners, "#fbd5d5", RED, closed=True, opacity=0.6))
            body.append(_text(corners.mean(axis=0), zone.name, RED, size=11))
    body += [_unseen(figures, floor, site, view, stretch), _ruler(floor, view, stretch)]
    body += _cameras(rig, view)
    body += [_station(one, view, times) for one in figures.stations]
    return _svg(WIDTH_PX, view.height_px, "".join(body))


def longer(stations: Sequence[Station]) -> int:
    """Tell how many times longer than they are the plan's lines are drawn."""
    errors = [
        float(np.hypot(one.told_xy_m[0] - one.true_xy_m[0], one.told_xy_m[1] - one.true_xy_m[1]))
        for one in stations
        if one.told_xy_m is not None
    ]
    most = max(errors, default=0.0)
    return max((times for times in LONGER if times * most <= LONGEST_M), default=1)


def bars(rows: Sequence[tuple[Both, float | None, bool]], limit: float | None, unit: str) -> str:
    """Give horizontal bars, one a row: label, value (none: not measured), whether it is well.

    The limit is a dashed line.
    """
    known = [value for _, value, _ in rows if value is not None]
    most = max([*known, limit or 0.0, 1e-9]) * 1.1
    scale = BAR_WIDTH_PX / most
    body = []
    for index, (label, value, well) in enumerate(rows):
        y = index * BAR_PX
        at = np.array([LABEL_PX - 8, y + 15])
        for words, language in zip(label, ("en", "zh"), strict=True):
            body.append(_text(at, words, INK, anchor="end", language=language))
        if value is None:
            body.append(_text(np.array([LABEL_PX + 4, y + 15]), "–", RED, anchor="start"))
            continue
        wide = max(1.0, max(value, 0.0) * scale)
        colour = GREEN if well else RED
        body.append(
            f'<rect x="{LABEL_PX:g}" y="{y + 4:.0f}" width="{wide:.1f}" height="{BAR_PX - 8:.0f}" '
            f'fill="{colour}"/>'
        )
        told = f"{value:.2f} {unit}"
        body.append(_text(np.array([LABEL_PX + wide + 6, y + 15]), told, INK, anchor="start"))
    height = max(1, len(rows)) * BAR_PX
    if limit is not None:
        x = LABEL_PX + limit * scale
        body.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{height:.0f}" stroke="{RED}" '
            'stroke-dasharray="5 4"/>'
        )
        body.append(_text(np.array([x, height + 14]), f"≤ {limit:g} {unit}", RED))
    return _svg(LABEL_PX + BAR_WIDTH_PX + 120, height + 20, "".join(body))


class _View:
    """From mine metres to pixels of the drawing, y up."""

    def __init__(self, points_m: Floats) -> None:
        low, high = points_m.min(axis=0), points_m.max(axis=0)
        self.scale = (WIDTH_PX - 2 * MARGIN_PX) / max(float(high[0] - low[0]), 1.0)
        self._low = low
        tall = float(high[1] - low[1]) * self.scale
        self.height_px = max(LEAST_HEIGHT_PX, tall + 2 * MARGIN_PX)
        self._bottom_px = (self.height_px + tall) / 2

    def px(self, points_m: Floats) -> Floats:
        x = MARGIN_PX + (points_m[:, 0] - self._low[0]) * self.scale
        y = self._bottom_px - (points_m[:, 1] - self._low[1]) * self.scale
        return np.column_stack([x, y])


def _stretch(figures: Figures, site: Site, floor: Floor) -> tuple[float, float]:
    """Tell from which to which chainage is drawn: what must be seen, and all stations."""
    low, high = sorted(floor.chainages_m)
    first, last = site.acceptance.coverage_m or (low, high)
    places = [floor.chainage_m(one.true_xy_m) for one in figures.stations]
    return max(low, min([first, *places]) - BESIDE_M), min(high, max([last, *places]) + BESIDE_M)


def _edges(floor: Floor, site: Site, stretch: tuple[float, float]) -> list[Floats]:
    low, high = stretch
    along = np.linspace(low, high, max(2, round(high - low) + 1))
    sides = (site.floor.left_m, -site.floor.right_m)
    return [floor.at(along, np.full(len(along), side))[:, :2] for side in sides]


def _unseen(
    figures: Figures, floor: Floor, site: Site, view: _View, stretch: tuple[float, float]
) -> str:
    """Draw red edges along metres that cameras see too seldom, grey ones where nobody can tell."""
    drawn = ""
    coverage = figures.coverage or _unknown(stretch)
    for metre, share in coverage.within(stretch):
        if share is not None and share >= SEEN_TIME:
            continue
        ends = np.clip(np.array([metre, metre + 1.0]), *stretch)
        for side in (site.floor.left_m, -site.floor.right_m):
            (x1, y1), (x2, y2) = view.px(floor.at(ends, np.full(2, side))[:, :2])
            drawn += (
                f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
                f'stroke="{GREY if share is None else RED}" stroke-width="5"/>'
            )
    return drawn


def _unknown(stretch: tuple[float, float]) -> CoverageFigures:
    """Give what is known where nobody told anything: no metre was looked at."""
    first, end = math.floor(stretch[0]), math.ceil(stretch[1])
    return CoverageFigures(from_m=first, seen=(0,) * (end - first), looks=(0,) * (end - first))


def _ruler(floor: Floor, view: _View, stretch: tuple[float, float]) -> str:
    low, high = stretch
    step = next(m for m in (1, 5, 10, 50, 100, 1000, 10**6) if (high - low) / m <= MOST_MARKS)
    marks = np.arange(np.ceil(low / step) * step, high + 1e-6, step)
    spots = view.px(floor.at(marks, np.zeros(len(marks)))[:, :2])
    return "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="1.5" fill="{GREY}"/>'
        + _text(np.array([x, view.height_px - 6]), f"{mark:g} m", "#4b5563", size=11)
        for (x, y), mark in zip(spots, marks, strict=True)
    )


def _station(one: Station, view: _View, times: int) -> str:
    true = view.px(np.array([one.true_xy_m]))[0]
    dot = f'<circle cx="{true[0]:.1f}" cy="{true[1]:.1f}" r="5" fill="none" stroke="{INK}"/>'
    label = _text(true - np.array([0.0, 9.0]), one.name, INK, size=11)
    if one.told_xy_m is None:
        cross = _cross(true, RED)
        return dot + cross + label
    off: XY = (one.told_xy_m[0] - one.true_xy_m[0], one.told_xy_m[1] - one.true_xy_m[1])
    end = true + np.array([off[0], -off[1]]) * view.scale * times
    return (
        f'<line x1="{true[0]:.1f}" y1="{true[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}" '
        f'stroke="{GREEN}" stroke-width="2"/>'
        f'<circle cx="{end[0]:.1f}" cy="{end[1]:.1f}" r="3.5" fill="{GREEN}"/>' + dot + label
    )


def _cameras(rig: Rig | None, view: _View) -> list[str]:
    """Draw where cameras hang; those that hang in one place share a label."""
    named: dict[tuple[int, int], list[str]] = {}
    for camera in () if rig is None else rig.cameras:
        x, y = view.px(camera.centre_m[None, :2])[0]
        if not 0 <= x <= WIDTH_PX:
            continue
        named.setdefault((round(x), round(y)), []).append(camera.name)
    return [
        f'<circle cx="{x}" cy="{y}" r="4" fill="{BLUE}"/>'
        + _text(np.array([max(x, CAMERA_PX), y - 9]), ", ".join(names), BLUE, size=11)
        for (x, y), names in named.items()
    ]


def _cross(at: Floats, colour: str) -> str:
    x, y = at
    return (
        f'<path d="M{x - 5:.1f} {y - 5:.1f}L{x + 5:.1f} {y + 5:.1f}M{x - 5:.1f} {y + 5:.1f}'
        f'L{x + 5:.1f} {y - 5:.1f}" stroke="{colour}" stroke-width="2"/>'
    )


def _line(points: Floats, fill: str, stroke: str, *, closed: bool, opacity: float = 1.0) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    kind = "polygon" if closed else "polyline"
    return f'<{kind} points="{path}" fill="{fill}" fill-opacity="{opacity:g}" stroke="{stroke}"/>'


def _text(
    at: Floats,
    text: str,
    colour: str,
    *,
    size: int = 12,
    anchor: str = "middle",
    language: str = "",
) -> str:
    of = f' class="{language}"' if language else ""
    return (
        f'<text{of} x="{at[0]:.1f}" y="{at[1]:.1f}" fill="{colour}" font-size="{size}" '
        f'text-anchor="{anchor}" paint-order="stroke" stroke="#fff" stroke-width="2.5">'
        f"{escape(text)}</text>"
    )


def _svg(width: float, height: float, body: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" role="img" font-family="sans-serif">'
        f"{body}</svg>"
    )
