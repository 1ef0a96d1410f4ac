"""The report's plots as SVG: curves and strips over time, each state with a pattern of its own.

Knows nothing about alarms or heads. What is not known is hatched over the whole height of a plot:
it never looks like nought, and never like "all is well".
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from control_room.shift_report.series import Figures, runs
from control_room.shift_report.span import Span, local
from scene.html_page import Both, both, text

WIDTH_PX, LEFT_PX, RIGHT_PX = 1360, 150, 44
HEIGHT_PX, TOP_PX, AXIS_PX, STRIP_PX = 150, 8, 24, 10
LANE_PX = 17
INK, GRID, QUIET = "#111827", "#d8dee5", "#4b5563"
MOST_GRID = 5


def _hatch(name: str, ground: str, ink: str, *, angle: int, size: float, thick: float) -> str:
    return (
        f'<pattern id="{name}" width="{size:g}" height="{size:g}" patternUnits="userSpaceOnUse" '
        f'patternTransform="rotate({angle})"><rect width="{size:g}" height="{size:g}" '
        f'fill="{ground}"/><rect width="{thick:g}" height="{size:g}" fill="{ink}"/></pattern>'
    )


def _dots(name: str, ground: str, ink: str) -> str:
    return (
        f'<pattern id="{name}" width="5" height="5" patternUnits="userSpaceOnUse"><rect width="5" '
        f'height="5" fill="{ground}"/><circle cx="2.5" cy="2.5" r="1.2" fill="{ink}"/></pattern>'
    )


def _grid(name: str, ground: str, ink: str) -> str:
    return (
        f'<pattern id="{name}" width="6" height="6" patternUnits="userSpaceOnUse" '
        f'patternTransform="rotate(45)"><rect width="6" height="6" fill="{ground}"/><path '
        f'd="M0 0H6M0 0V6" stroke="{ink}" stroke-width="1.2"/></pattern>'
    )


PATTERNS = (
    '<svg width="0" height="0" style="position:absolute" aria-hidden="true"><defs>'
    + _grid("p-unknown", "#eceff2", "#9aa4af")
    + _hatch("p-nobody", "#fbd5d5", "#e05252", angle=45, size=7, thick=2.6)
    + _dots("p-least", "#fff8e6", "#d08a10")
    + _hatch("p-degraded", "#fbe7bf", "#d08a10", angle=-45, size=7, thick=2.6)
    + _hatch("p-dark", "#4b5563", "#1f2937", angle=45, size=6, thick=3)
    + _hatch("p-obscured", "#e6d9c8", "#8a6a43", angle=90, size=5, thick=2.4)
    + _hatch("p-moved", "#e9d8fd", "#7c3aed", angle=0, size=6, thick=2.4)
    + _dots("p-stalled", "#fecaca", "#b91c1c")
    + _hatch("p-frozen", "#dbeafe", "#1d4ed8", angle=90, size=6, thick=2)
    + _hatch("p-other", "#f5d0fe", "#a21caf", angle=45, size=5, thick=1.4)
    + "</defs></svg>"
)
FILL: dict[str, str] = {
    "ok": "#cfe9dd",
    "whole": "#cfe9dd",
    "runs": "#cfe9dd",
    "unknown": "url(#p-unknown)",
    "at_least": "url(#p-least)",
    "nobody_counted": "url(#p-nobody)",
    "no_broker": "url(#p-nobody)",
    "silent": "#7f1d1d",
    "degraded": "url(#p-degraded)",
    "other": "url(#p-other)",
    "moved": "url(#p-moved)",
    "dark": "url(#p-dark)",
    "obscured": "url(#p-obscured)",
    "frozen": "url(#p-frozen)",
    "stalled": "url(#p-stalled)",
    "lost": "#dc2626",
    "critical": "#b91c1c",
    "warning": "#e0a020",
    "notice": "#7aa2c8",
}


def legend(entries: Iterable[tuple[str, Both]]) -> str:
    """Explain fills; each entry names one and says what it is."""
    shown = "".join(
        f'<span><svg viewBox="0 0 22 12"><rect width="22" height="12" fill="{FILL.get(k, k)}" '
        f'stroke="{QUIET}" stroke-width=".6"/></svg>{both(words)}</span>'
        for k, words in entries
    )
    return f'<div class="legend">{shown}</div>'


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A figure over time."""

    figures: Figures
    colour: str
    dashed: bool = False
    band: bool = False
    """Whether the space between least and most is filled."""
    lowest: bool = False
    """Whether the line is the least, not the most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Axes:
    """Where things lie in a plot."""

    span: Span
    height_px: float
    top: float
    """The figure at the upper edge."""

    def x(self, index: float) -> float:
        """Place a bin's beginning."""
        ns = min(index * self.span.bin_ns, self.span.long_ns)
        return LEFT_PX + (WIDTH_PX - LEFT_PX - RIGHT_PX) * ns / self.span.long_ns

    def y(self, figure: float) -> float:
        """Place a figure."""
        return TOP_PX + self.height_px * (1 - min(figure / self.top, 1.0))


def svg(height_px: float, inner: str, title: str) -> str:
    """Give a whole drawing; `title` is plain text for who can't see it."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH_PX} {height_px:.0f}" '
        f'width="{WIDTH_PX}" height="{height_px:.0f}" role="img" font-family="sans-serif" '
        f'aria-label="{text(title)}">{inner}</svg>'
    )


def curves(
    span: Span,
    drawn: Sequence[Curve],
    states: Sequence[str],
    *,
    unit: Both,
    title: str,
    hidden: Sequence[str] = (),
    top: float = 0.0,
) -> str:
    """Draw curves above a strip of states; bins in a `hidden` state are hatched all over.

    `unit` is the figures'.
    """
    highest = max([top, 1.0, *(curve.figures.top() for curve in drawn)])
    step, highest = grid_step(highest)
    axes = Axes(span=span, height_px=HEIGHT_PX, top=highest)
    foot = TOP_PX + HEIGHT_PX
    inner = _bars(axes, states, TOP_PX, HEIGHT_PX, only=hidden)
    inner += _grid_lines(axes, step) + _unit(axes, unit)
    doubtful = [state in hidden for state in states]
    inner += "".join(_curve(axes, curve, doubtful) for curve in drawn)
    inner += _bars(axes, states, foot + 3, STRIP_PX)
    inner += _outline(axes, foot + 3, STRIP_PX) + time_axis(axes, foot + 3 + STRIP_PX)
    return svg(foot + 3 + STRIP_PX + AXIS_PX, inner, title)


def stacks(
    span: Span,
    columns: Sequence[Mapping[str, int]],
    column_ns: int,
    states: Sequence[str],
    *,
    limits: Sequence[tuple[float, str, Both]],
    order: Sequence[str],
    unit: Both,
    title: str,
) -> str:
    """Draw stacked columns of `column_ns` each, and limits: height, colour, words."""
    tallest = max(
        [1.0, *(sum(one.values()) for one in columns), *(1.15 * one[0] for one in limits)]
    )
    step, tallest = grid_step(tallest)
    axes = Axes(span=span, height_px=HEIGHT_PX, top=tallest)
    foot = TOP_PX + HEIGHT_PX
    unknown = [state for state in set(states) if state != "runs"]
    inner = _bars(axes, states, TOP_PX, HEIGHT_PX, only=unknown)
    inner += _grid_lines(axes, step) + _unit(axes, unit)
    per_bin = column_ns / span.bin_ns
    for number, column in enumerate(columns):
        left, right = axes.x(number * per_bin), axes.x((number + 1) * per_bin)
        below = 0
        for name in order:
            if not column.get(name):
                continue
            high, low = axes.y(below + column[name]), axes.y(below)
            below += column[name]
            wide = max(right - left - 0.6, 0.6)
            inner += (
                f'<rect x="{left + 0.3:.1f}" y="{high:.1f}" width="{wide:.1f}" '
                f'height="{low - high:.1f}" fill="{FILL[name]}" stroke="#fff" stroke-width=".3"/>'
            )
    for figure, colour, words in limits:
        y = axes.y(figure)
        inner += (
            f'<line x1="{LEFT_PX}" x2="{WIDTH_PX - RIGHT_PX}" y1="{y:.1f}" y2="{y:.1f}" '
            f'stroke="{colour}" stroke-dasharray="7 4" stroke-width="1.4"/>'
            + _label(WIDTH_PX - RIGHT_PX - 3, y - 3, both_svg(words), colour, "end")
        )
    inner += time_axis(axes, foot)
    return svg(foot + AXIS_PX, inner, title)


def lanes(span: Span, rows: Sequence[tuple[str, bool, Sequence[str]]], *, title: str) -> str:
    """Draw a strip per row: its name, whether it is bold, the state of each bin."""
    axes = Axes(span=span, height_px=LANE_PX * len(rows), top=1.0)
    inner = ""
    for number, (name, bold, states) in enumerate(rows):
        y = TOP_PX + number * LANE_PX
        weight = ' font-weight="700"' if bold else ""
        inner += (
            f'<text x="{LEFT_PX - 6}" y="{y + LANE_PX - 6:.1f}" font-size="10.5" fill="{INK}" '
            f'text-anchor="end"{weight}>{text(name, 22)}</text>'
            + _bars(axes, states, y + 1, LANE_PX - 4)
            + _outline(axes, y + 1, LANE_PX - 4)
        )
    foot = TOP_PX + LANE_PX * len(rows)
    return svg(foot + AXIS_PX, inner + time_axis(axes, foot), title)


def grid_step(highest: float) -> tuple[float, float]:
    """Give the distance of grid lines, a plain number, and the top line.

    >>> grid_step(23)
    (5, 25)
    """
    size = 1
    while True:
        for step in (size, 2 * size, 5 * size):
            lines = -int(-highest // step)
            if lines <= MOST_GRID:
                return step, step * max(lines, 1)
        size *= 10


def time_axis(axes: Axes, y_px: float) -> str:
    """Draw the hours below a plot, with thin lines up through it."""
    inner, last_day = "", ""
    for at_ns in axes.span.ticks():
        x = axes.x((at_ns - axes.span.from_ns) / axes.span.bin_ns)
        day = local(at_ns, "%m-%d")
        words = local(at_ns, "%H:%M") if day == last_day else local(at_ns, "%m-%d %H:%M")
        last_day = day
        inner += (
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP_PX}" y2="{y_px + 4:.1f}" stroke="{INK}" '
            f'stroke-opacity=".13"/>' + _label(x, y_px + 16, words, QUIET, "middle")
        )
    return inner


def _label(x: float, y: float, words: str, colour: str, anchor: str) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="10.5" fill="{colour}" text-anchor="{anchor}" '
        f'paint-order="stroke" stroke="#fff" stroke-width="2.5">{words}</text>'
    )


def both_svg(words: Both) -> str:
    """Write a text in both languages; the page shows one of them."""
    en, zh = (text(word) for word in words)
    return f'<tspan class="en">{en}</tspan><tspan class="zh"> {zh}</tspan>'


def _grid_lines(axes: Axes, step: float) -> str:
    inner, figure = "", 0.0
    while figure <= axes.top + 1e-9:
        y = axes.y(figure)
        inner += (
            f'<line x1="{LEFT_PX}" x2="{WIDTH_PX - RIGHT_PX}" y1="{y:.1f}" y2="{y:.1f}" '
            f'stroke="{GRID}"/>' + _label(LEFT_PX - 6, y + 4, f"{figure:g}", QUIET, "end")
        )
        figure += step
    return inner


def _unit(axes: Axes, unit: Both) -> str:
    """Say beside the axis, half-way up, what its figures count."""
    middle = TOP_PX + axes.height_px / 2
    return _label(LEFT_PX - 40, middle + 4, both_svg(unit), INK, "end")


def _outline(axes: Axes, y: float, height: float) -> str:
    return (
        f'<rect x="{axes.x(0):.1f}" y="{y:.1f}" width="{axes.x(axes.span.bins) - axes.x(0):.1f}" '
        f'height="{height:.1f}" fill="none" stroke="{QUIET}" stroke-width=".5"/>'
    )


def _bars(
    axes: Axes, states: Sequence[str], y: float, height: float, only: Sequence[str] | None = None
) -> str:
    """Draw runs of states as bars; an instant is never too short to be seen."""
    inner = ""
    for first, end, state in runs(states):
        if only is not None and state not in only:
            continue
        left, right = axes.x(first), axes.x(end)
        inner += (
            f'<rect x="{left:.1f}" y="{y:.1f}" width="{max(right - left, 1.0):.1f}" '
            f'height="{height:.1f}" fill="{FILL[str(state)]}"/>'
        )
    return inner


def _curve(axes: Axes, curve: Curve, doubtful: Sequence[bool]) -> str:
    inner = ""
    for first, end in _known(curve.figures, doubtful):
        most = _steps(axes, curve.figures.most, first, end)
        least = _steps(axes, curve.figures.least, first, end)
        if curve.band:
            around = " ".join(f"{x:.1f},{y:.1f}" for x, y in [*most, *reversed(least)])
            inner += f'<polygon points="{around}" fill="{curve.colour}" fill-opacity=".22"/>'
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in (least if curve.lowest else most))
        dashes = ' stroke-dasharray="2 3"' if curve.dashed else ""
        inner += (
            f'<polyline points="{line}" fill="none" stroke="{curve.colour}" stroke-width="1.6"'
            f"{dashes}/>"
        )
    return inner


def _known(figures: Figures, doubtful: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """Give the runs of bins that have a figure: of doubtful ones, any but 0."""
    known = [
        one is not None and (one > 0 or not doubt)
        for one, doubt in zip(figures.most, doubtful, strict=True)
    ]
    return ((first, end) for first, end, is_known in runs(known) if is_known)


def _steps(
    axes: Axes, values: Sequence[int | None], first: int, end: int
) -> list[tuple[float, float]]:
    found = []
    for index in range(first, end):
        y = axes.y(values[index] or 0)
        found += [(axes.x(index), y), (axes.x(index + 1), y)]
    return found
