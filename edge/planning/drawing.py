"""Draw a judged layout to scale as SVG: plan, fields of view, coverage, error ellipses, strips.

Knows nothing about the page around it. The roadway is unrolled along its centre line, rising
chainage to the right and left upwards, in rows that fit a sheet.
"""

from html import escape
from math import ceil

import numpy as np

from edge.planning.gaps import counts
from edge.planning.judge import Ellipse
from edge.planning.map import CAMERA, colour_of, outline
from edge.planning.section import Section
from edge.planning.strips import SEEN, STRIPS_PX, both, ruler, strips
from edge.planning.words import Answer, metre_text

WIDTH_PX, MARGIN_PX = 1360, 86
ROW_M = 40.0
"""So much roadway fits in one row at most."""
LARGEST_SCALE = 64.0
LABEL_PX = 100
"""Labels of cameras nearer than this are one."""
P95 = 5.991**0.5
"""Half axes of a 95 % ellipse, in sigmas."""


def draw(answer: Answer) -> str:
    """Give the whole drawing as one `<svg>`."""
    section = answer.judgement.section
    length = section.to_m - section.from_m
    rows = ceil(length / ROW_M - 1e-9)
    row_m = ceil(length / rows)
    scale = min((WIDTH_PX - 2 * MARGIN_PX) / row_m, LARGEST_SCALE)
    row_px = _Row(answer, section.from_m, scale, 0.0, row_m).height_px
    parts = [
        _Row(answer, section.from_m + index * row_m, scale, index * row_px, row_m).draw()
        for index in range(rows)
    ]
    height = rows * row_px
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH_PX} {height:.0f}" '
        f'width="{WIDTH_PX}" height="{height:.0f}" role="img" font-family="sans-serif">'
        + PATTERNS
        + "".join(parts)
        + "</svg>"
    )


PATTERNS = (
    '<defs><pattern id="nobody" width="7" height="7" patternUnits="userSpaceOnUse" '
    'patternTransform="rotate(45)"><rect width="7" height="7" fill="#fbd5d5"/>'
    '<rect width="2.6" height="7" fill="#e05252"/></pattern>'
    '<pattern id="hidden" width="7" height="7" patternUnits="userSpaceOnUse" '
    'patternTransform="rotate(-45)"><rect width="7" height="7" fill="#fbe7bf"/>'
    '<rect width="2.6" height="7" fill="#d08a10"/></pattern></defs>'
)


class _Row:
    """One row of the sheet: a stretch of roadway and the strips below it."""

    def __init__(
        self, answer: Answer, from_m: float, scale: float, top_px: float, row_m: float
    ) -> None:
        self.answer, self.judged = answer, answer.judgement
        self.section: Section = answer.judgement.section
        self.from_m, self.to_m = from_m, min(from_m + row_m, self.section.to_m)
        self.scale, self.top_px = scale, top_px
        config = answer.plan.floor
        self._left, self._right = config.left_m, config.right_m
        self._plan_px = (self._left + self._right) * scale
        self._y0 = top_px + 46

    @property
    def height_px(self) -> float:
        """Height of the whole row."""
        return 46 + self._plan_px + 46 + STRIPS_PX + 14

    def draw(self) -> str:
        """Give the row's elements."""
        parts = [self._clip(), self._ground(), self._cells(), self._views()]
        parts += [self._obstacles(), self._ellipses(), self._walls(), self._cameras()]
        below, stretch = self._y0 + self._plan_px, (self.from_m, self.to_m)
        marks = ruler(self.scale, MARGIN_PX, below + 22, stretch)
        bars = strips(self.answer, self.scale, MARGIN_PX, below + 46, stretch)
        return "<g>" + "".join(parts) + self._beside() + marks + bars + "</g>"

    def x(self, chainage_m: float) -> float:
        """Place a chainage on the sheet."""
        return MARGIN_PX + (chainage_m - self.from_m) * self.scale

    def y(self, left_m: float) -> float:
        """Place metres left of the centre line on the sheet."""
        return self._y0 + (self._left - left_m) * self.scale

    def _inside(self, chainage_m: float, margin_m: float = 0.0) -> bool:
        return self.from_m - margin_m <= chainage_m <= self.to_m + margin_m

    def _clip(self) -> str:
        self._clip_id = f"row{self.from_m:g}".replace(".", "_").replace("-", "m")
        width = (self.to_m - self.from_m) * self.scale
        return (
            f'<clipPath id="{self._clip_id}"><rect x="{MARGIN_PX}" y="{self._y0:.1f}" '
            f'width="{width:.1f}" height="{self._plan_px:.1f}"/></clipPath>'
        )

    def _ground(self) -> str:
        return self._rect(self.from_m, self.to_m, -self._right, self._left, 'fill="#eef1f4"')

    def _cells(self) -> str:
        """Colour each place by how many cameras cover it."""
        places = self.section.places
        count = counts(self.judged.views)
        hidden = np.any([view.hidden for view in self.judged.views], axis=0) & (count == 0)
        steps, lanes = places.shape
        pitch = (self.section.to_m - self.section.from_m) / steps
        lefts = places.left_m[:lanes]
        edges = np.concatenate([[-self._right], (lefts[1:] + lefts[:-1]) / 2, [self._left]])
        found = []
        for index in np.flatnonzero(~places.taken).tolist():
            at, lane = float(places.chainage_m[index]), int(places.lane[index])
            if not self._inside(at):
                continue
            seen = min(int(count[index]), 3)
            fill = SEEN[seen] if seen else "url(#hidden)" if hidden[index] else "url(#nobody)"
            ends = at - pitch / 2, at + pitch / 2
            # A little wider than it is: else thin gaps show between cells.
            ends = ends[0], ends[1] + 0.4 / self.scale
            found.append(self._rect(*ends, edges[lane], edges[lane + 1], f'fill="{fill}"'))
        return (
            f'<g shape-rendering="crispEdges" clip-path="url(#{self._clip_id})">'
            f"{''.join(found)}</g>"
        )

    def _views(self) -> str:
        """Outline what each camera covers."""
        found = []
        for index, view in enumerate(self.judged.views):
            corners = outline(self.section, view)
            if corners is None:
                continue
            points = " ".join(f"{self.x(c):.1f},{self.y(left):.1f}" for c, left in corners)
            colour = colour_of(index)
            found.append(
                f'<polygon points="{points}" fill="{colour}" fill-opacity=".05" '
                f'stroke="{colour}" stroke-width="1.6" stroke-dasharray="7 4"/>'
            )
        return f'<g clip-path="url(#{self._clip_id})">{"".join(found)}</g>'

    def _obstacles(self) -> str:
        found = []
        for one in self.answer.plan.obstacles:
            if one.along_m[1] < self.from_m or one.along_m[0] > self.to_m:
                continue
            style = 'fill="#5b6673" fill-opacity=".82" stroke="#2b333b"'
            if one.bottom_m >= 1.0:
                style = 'fill="#5b6673" fill-opacity=".25" stroke="#2b333b" stroke-dasharray="4 3"'
            found.append(self._rect(*one.along_m, *one.across_m, style))
            middle = self.x(sum(one.along_m) / 2), self.y(sum(one.across_m) / 2)
            found.append(
                f'<text x="{middle[0]:.1f}" y="{middle[1] + 4:.1f}" font-size="11" fill="#fff" '
                'text-anchor="middle" paint-order="stroke" stroke="#2b333b" stroke-width="2.5">'
                f"{escape(one.name)}</text>"
            )
        return f'<g clip-path="url(#{self._clip_id})">{"".join(found)}</g>'

    def _ellipses(self) -> str:
        """Draw 95 % ellipses of one look, to scale, so far apart that they stay apart."""
        found, last = [], -1e9
        step = max(3.0, ceil(80 / self.scale))
        covered = counts(self.judged.views) > 0
        places = self.section.places
        for one in self.judged.ellipses:
            near_line = abs(one.left_m - (self._left - self._right) / 2) < 0.45
            if not near_line or not self._inside(one.chainage_m) or one.chainage_m - last < step:
                continue
            off = np.hypot(places.chainage_m - one.chainage_m, places.left_m - one.left_m)
            if not covered[off.argmin()]:
                continue
            last = one.chainage_m
            found.append(self._ellipse(one))
        return f'<g clip-path="url(#{self._clip_id})">{"".join(found)}</g>'

    def _ellipse(self, one: Ellipse) -> str:
        values, axes = np.linalg.eigh(one.covariance_m2)
        large, small = P95 * np.sqrt(values[::-1]) * self.scale
        # The sheet's y runs down, so the angle turns over.
        angle = -np.degrees(np.arctan2(axes[1, 1], axes[0, 1]))
        x, y = self.x(one.chainage_m), self.y(one.left_m)
        return (
            f'<g transform="translate({x:.1f} {y:.1f}) rotate({angle:.1f})">'
            f'<ellipse rx="{large:.1f}" ry="{small:.1f}" fill="#fff" fill-opacity=".45" '
            'stroke="#111827" stroke-width="1.1"/><circle r="1.8" fill="#111827"/></g>'
        )

    def _walls(self) -> str:
        x0, x1 = self.x(self.from_m), self.x(self.to_m)
        lines = [
            f'<line x1="{x0:.1f}" x2="{x1:.1f}" y1="{self.y(at):.1f}" y2="{self.y(at):.1f}" '
            'stroke="#1f2937" stroke-width="2.5"/>'
            for at in (self._left, -self._right)
        ]
        middle = self.y(0)
        lines.append(
            f'<line x1="{x0:.1f}" x2="{x1:.1f}" y1="{middle:.1f}" y2="{middle:.1f}" '
            'stroke="#1f2937" stroke-opacity=".35" stroke-dasharray="14 5 2 5"/>'
        )
        for one in self.answer.plan.no_mounts:
            for side, at in (("left", self._left), ("right", -self._right)):
                if side in one.sides and one.along_m[0] < self.to_m > self.from_m:
                    a, b = max(one.along_m[0], self.from_m), min(one.along_m[1], self.to_m)
                    if a < b:
                        lines.append(
                            f'<line x1="{self.x(a):.1f}" x2="{self.x(b):.1f}" '
                            f'y1="{self.y(at):.1f}" y2="{self.y(at):.1f}" stroke="#dc2626" '
                            'stroke-width="6" stroke-dasharray="3 3"/>'
                        )
        return "".join(lines)

    def _cameras(self) -> str:
        """Draw cameras where they hang, those of one spot as a fan."""
        found: list[str] = []
        shown: list[int] = []
        for index, one in enumerate(self.answer.hung):
            last = self.to_m >= self.section.to_m and one.chainage_m >= self.to_m
            first = self.from_m <= self.section.from_m and one.chainage_m < self.from_m
            if not (self.from_m <= one.chainage_m < self.to_m or last or first):
                continue
            turn = one.yaw_deg - self.section.heading_deg(one.chainage_m)
            x, y = self._hangs_at(index)
            found.append(
                f'<g transform="translate({x:.1f} {y:.1f}) rotate({-turn:.1f})">'
                f'<path d="{CAMERA}" fill="{colour_of(index)}" '
                'stroke="#fff" stroke-width="1.4"/></g>'
            )
            shown.append(index)
        return "".join(found) + "".join(self._label(who) for who in self._neighbours(shown))

    def _neighbours(self, shown: list[int]) -> list[list[int]]:
        """Put cameras together whose labels would lie on each other."""
        groups: list[list[int]] = []
        for index in sorted(shown, key=lambda i: (self.answer.hung[i].left_m >= 0, self._x_of(i))):
            last = groups[-1][-1] if groups else None
            if last is not None:
                same = (self.answer.hung[index].left_m >= 0) == (self.answer.hung[last].left_m >= 0)
                if same and self._x_of(index) - self._x_of(last) < LABEL_PX:
                    groups[-1].append(index)
                    continue
            groups.append([index])
        return groups

    def _x_of(self, index: int) -> float:
        return self._hangs_at(index)[0]

    def _hangs_at(self, index: int) -> tuple[float, float]:
        one = self.answer.hung[index]
        edge = 10 / self.scale
        chainage = min(max(one.chainage_m, self.from_m - edge), self.to_m + edge)
        return self.x(chainage), self.y(one.left_m)

    def _label(self, who: list[int]) -> str:
        """Name cameras that hang close together, and say where each spot is."""
        hung = [self.answer.hung[index] for index in who]
        middle = float(np.mean([self._x_of(index) for index in who]))
        y = self.y(self._left) - 9 if hung[0].left_m >= 0 else self.y(-self._right) + 17
        spots: dict[str, list[str]] = {}
        for index, one in zip(who, hung, strict=True):
            name = f'<tspan fill="{colour_of(index)}">{escape(one.name)}</tspan>'
            spots.setdefault(metre_text(one.chainage_m), []).append(name)
        text = " ".join(f"{' '.join(names)} · {at} m" for at, names in spots.items())
        return (
            f'<text x="{middle:.1f}" y="{y:.1f}" font-size="12.5" font-weight="600" '
            f'fill="#374151" text-anchor="middle">{text}</text>'
        )

    def _beside(self) -> str:
        """Say beside the plan which way is left."""
        x, middle = MARGIN_PX - 26, self._y0 + self._plan_px / 2
        return (
            f'<text transform="translate({x} {middle:.0f}) rotate(-90)" font-size="11" '
            f'fill="#374151" text-anchor="middle">{both(("left ↑", "左 ↑"))}</text>'
        )

    def _rect(self, a_m: float, b_m: float, right_m: float, left_m: float, style: str) -> str:
        x0, y0 = self.x(a_m), self.y(left_m)
        return (
            f'<rect x="{x0:.1f}" y="{y0:.1f}" width="{self.x(b_m) - x0:.1f}" '
            f'height="{self.y(right_m) - y0:.1f}" {style}/>'
        )
