"""The parts of the page on head-counts and on what cameras saw.

Knows nothing about how they were counted.
"""

from collections.abc import Iterator

from control_room.shift_report.frame import note, part, table
from control_room.shift_report.gather import Gathered
from control_room.shift_report.heads import (
    AT_LEAST,
    NOBODY_COUNTED,
    Counted,
    SiteHeads,
    Unseen,
)
from control_room.shift_report.plots import Curve, curves, legend
from control_room.shift_report.series import UNKNOWN
from control_room.shift_report.span import Span
from control_room.shift_report.words import COUNTED, OUTSIDE, WHOLE_SITE, long_words
from scene.html_page import Both, both, card, text

COUNT, FOLLOWED, SEEN, METRES = "#1d4ed8", "#4b5563", "#12855f", "#111827"
HIDDEN = (NOBODY_COUNTED, UNKNOWN)
MOST_PLOTS = 12
"""Zones with a plot of their own, all sites together; all are in the table."""


def head_part(found: Gathered) -> str:
    """Give the head-counts of all sites."""
    entries: list[tuple[str, Both]] = [
        (
            COUNT,
            (
                "counted; the band goes down to those who are certainly there",
                "人数；色带下缘为确定在场者",
            ),
        ),
        *COUNTED.items(),
    ]
    if any(one.followed.top() for one in found.sites):
        entries.append(
            (
                FOLLOWED,
                (
                    "dashes: names and numbers with a place in the journal, a minute each: no "
                    "head-count",
                    "虚线：日志中每分钟有位置记录的姓名和编号，并非人数",
                ),
            )
        )
    inner = legend(entries)
    left = MOST_PLOTS
    for one in found.sites:
        inner += _site_heads(found.span, one, left)
        left -= len(one.areas)
    if not found.sites:
        inner += f"<p>{both(('No head-count is known', '没有人数记录'))}</p>"
    return part(("Head-counts", "井下人数"), inner)


def _site_heads(span: Span, one: SiteHeads, plots_left: int) -> str:
    inner = f"<h3>{text(one.site)}: {both(WHOLE_SITE)}</h3>" + _plot(span, one.whole, one)
    zones = [*one.shown_areas()]
    # Those with most people are shown first where there is no room for all.
    shown = sorted(zones, key=lambda zone: -zone.figures.top())[: max(0, plots_left)]
    for zone in zones:
        if zone in shown:
            inner += f'<div class="plot"><h3>{_name(zone)}</h3>{_plot(span, zone, None)}</div>'
    return card(inner) + card(_head_table(span, one, zones))


def _plot(span: Span, counted: Counted, site: SiteHeads | None) -> str:
    drawn = [Curve(figures=counted.figures, colour=COUNT, band=True)]
    if site is not None:
        drawn.append(Curve(figures=site.followed, colour=FOLLOWED, dashed=True))
    name = counted.name if site is None else site.site
    return curves(
        span,
        drawn,
        counted.states.worst(),
        unit=("people", "人"),
        title=f"Head-count / 人数: {name}",
        hidden=HIDDEN,
    )


def _name(counted: Counted) -> str:
    return both(OUTSIDE) if counted.name is None else text(counted.name)


def _head_table(span: Span, one: SiteHeads, zones: list[Counted]) -> str:
    heads: list[Both] = [
        ("where", "地点"),
        ("most", "最多"),
        ("mean while counted", "清点期间平均"),
        ("counted for", "可清点时长"),
        ("of that only at least", "其中仅为“至少”"),
        ("nobody could be counted", "无法清点时长"),
        ("not known", "不明时长"),
    ]
    rows = [[both(WHOLE_SITE), *_cells(span, one.whole)]]
    rows += [[_name(zone), *_cells(span, zone)] for zone in zones]
    return table(heads, rows, figures=range(1, 7))


def _cells(span: Span, counted: Counted) -> Iterator[str]:
    held = counted.states.held_ns
    mean = counted.mean()
    yield "–" if mean is None else f"{counted.figures.top()}"
    yield "–" if mean is None else f"{mean:.1f}"
    for ns in (counted.counted_ns(), held[AT_LEAST], held[NOBODY_COUNTED]):
        yield _long(ns)
    yield _long(counted.states.unknown_ns())


def _long(ns: int) -> str:
    return both(long_words(ns)) if ns >= 500_000_000 else "0"


def coverage_part(found: Gathered) -> str:
    """Give what cameras saw of the roadways."""
    entries: list[tuple[str, Both]] = [
        (METRES, ("roadway that gateways should see", "网关应见巷道")),
        (SEEN, ("seen: the least in each interval", "可见：各时段内最少")),
        ("unknown", COUNTED[UNKNOWN]),
    ]
    inner = legend(entries)
    for one in found.sites:
        inner += _coverage(found.span, one)
    if not found.sites:
        inner += f"<p>{both(('What cameras saw is not known', '可见范围不明'))}</p>"
    return part(("Roadway seen, metres", "可见巷道（米）"), inner)


def _coverage(span: Span, one: SiteHeads) -> str:
    drawn = [
        Curve(figures=one.metres, colour=METRES, dashed=True),
        Curve(figures=one.seen, colour=SEEN, band=True, lowest=True),
    ]
    known = [UNKNOWN if figure is None else "ok" for figure in one.metres.most]
    partly = one.whole.states.worst()
    states = [UNKNOWN if UNKNOWN in pair else "ok" for pair in zip(known, partly, strict=True)]
    plot = curves(
        span,
        drawn,
        states,
        unit=("metres", "米"),
        title=f"Metres seen / 可见米数: {one.site}",
        hidden=(UNKNOWN,),
    )
    share = one.seen_share()
    words: Both = (
        ("What was seen is not known", "可见范围不明")
        if share is None
        else (
            f"Seen: {_percent(share)} of all metres over the time of which there is a record",
            f"可见：有记录时段内全部米数的 {_percent(share)}",
        )
    )
    unseen = one.unseen()
    return card(
        f'<div class="plot"><h3>{text(one.site)}</h3>{plot}</div><p>{both(words)}</p>'
        + (_unseen_table(unseen) if unseen else "")
    )


def _percent(share: float) -> str:
    """Write a share; only all is 100 %."""
    return "100 %" if share == 1.0 else f"{min(share * 100, 99.9):.1f} %"


def _unseen_table(unseen: list[Unseen]) -> str:
    heads: list[Both] = [
        ("chainage not seen, m", "看不到的里程，米"),
        ("gateways", "网关"),
        ("not seen for, in all", "累计看不到时长"),
    ]
    rows = [
        [f"{one.from_m:g}-{one.to_m:g}", text(one.gateways), both(long_words(one.held_ns))]
        for one in unseen
    ]
    words = (
        "The longest unseen stretches, of the time with a record:",
        "看不到时间最长的巷道段（有记录的时间内）：",
    )
    return note(words) + table(heads, rows)
