"""The part of the page on gateways and cameras: a time-line each, and how long what was wrong.

Knows nothing about how they were watched.
"""

from collections.abc import Iterator

from control_room.evidence_words import in_chinese
from control_room.shift_report.frame import note, part, table
from control_room.shift_report.gather import Gathered
from control_room.shift_report.plots import lanes, legend
from control_room.shift_report.span import Span
from control_room.shift_report.watched import OK, RANKS, Clockwork, Lane, Watched
from control_room.shift_report.words import STATE, long_words
from scene.html_page import Both, both, card, text

ALL_LANES = 60
"""Up to so many are drawn whether or not something was amiss."""
MOST_LANES = 240
LANES_A_PLOT = 30
"""So many fit on a printed page."""
MOST_NAME = 11


def watched_part(found: Gathered) -> str:
    """Give the time-lines of all gateways and cameras, those with something amiss first kept."""
    every = [*found.watched.sorted_lanes()]
    shown = _shown(every)
    used = {state for lane in shown for state in lane.states.worst()}
    inner = legend((state, STATE[state]) for state in RANKS if state in used or state == OK)
    if not every:
        inner = (
            f"<p>{both(('Nothing is known of gateways and cameras', '网关与摄像机情况不明'))}</p>"
        )
    for start in range(0, len(shown), LANES_A_PLOT):
        inner += _plot(found.span, shown[start : start + LANES_A_PLOT], every)
    inner += "".join(note(words) for words in _left_out(every, shown))
    if any(lane.by_alarm for lane in shown):
        inner += note(
            (
                "Where there is no record, an outage is drawn as far as an alarm tells of it; the "
                "rest of that time stays not known.",
                "无记录的时段按报警绘出故障，其余仍为不明。",
            )
        )
    inner += card(_table(found.watched, shown)) if shown else ""
    return part(("Gateways and cameras", "网关与摄像机"), inner)


def _shown(every: list[Lane]) -> list[Lane]:
    """Choose what is drawn: of many, those that were not well or not known, and their gateways."""
    amiss = [lane for lane in every if _is_amiss(lane)] if len(every) > ALL_LANES else every
    worst = sorted(
        amiss, key=lambda lane: (not lane.was_wrong(), -lane.wrong_ns(), -lane.states.unknown_ns())
    )
    kept = {lane.key for lane in worst[:MOST_LANES]}
    kept |= {(site, gateway, "") for site, gateway, _ in kept}
    return [lane for lane in every if lane.key in kept]


def _is_amiss(lane: Lane) -> bool:
    return lane.was_wrong() or lane.states.unknown_ns() > 0


def _left_out(every: list[Lane], shown: list[Lane]) -> Iterator[Both]:
    amiss = sum(map(_is_amiss, every)) - sum(map(_is_amiss, shown))
    well = len(every) - len(shown) - amiss
    if amiss:
        yield (
            f"{amiss} more were not well or not known for a while, and are not drawn",
            f"另有 {amiss} 项曾有异常或不明，未绘出",
        )
    if well:
        yield (
            f"{well} more were well all the time and are not drawn",
            f"另有 {well} 项全程正常，未绘出",
        )


def _plot(span: Span, some: list[Lane], every: list[Lane]) -> str:
    sites, gateways = {lane.key[0] for lane in every}, {lane.key[:2] for lane in every}
    rows = [
        (_plain_name(lane, len(sites), len(gateways)), not lane.key[2], lane.states.worst())
        for lane in some
    ]
    drawn = lanes(span, rows, title="Outages / 故障时间线")
    return f'<div class="card plot">{drawn}</div>'


def _plain_name(lane: Lane, sites: int, gateways: int) -> str:
    """Name a lane shortly: with the gateway, or its site, only where there are several."""
    site, gateway, camera = lane.key
    if not camera:
        return f"{site[:MOST_NAME]}/{gateway[:MOST_NAME]}" if sites > 1 else gateway
    return f"{gateway[:MOST_NAME]} {camera[:MOST_NAME]}" if gateways > 1 else camera


def _table(watched: Watched, shown: list[Lane]) -> str:
    heads: list[Both] = [
        ("gateway", "网关"),
        ("camera", "摄像机"),
        ("well for", "正常时长"),
        ("not well for", "异常时长"),
        ("times", "次数"),
        ("longest", "最长一次"),
        ("what", "异常类别"),
        ("not known for", "不明时长"),
    ]
    reasons = {(*place, ""): [*_also(one)] for place, one in watched.gateways.items()}
    rows = [_row(lane, reasons.get(lane.key, [])) for lane in shown]
    bad = [number for number, lane in enumerate(shown) if lane.was_wrong()]
    return table(heads, rows, figures={2, 3, 4, 5, 7}, bad=bad)


def _also(known: Clockwork) -> Iterator[Both]:
    """Tell of a gateway what is no time-line: why it was degraded, its clock."""
    yield from ((why, in_chinese(why)) for why in known.degraded)
    if not known.is_told:
        yield ("clock: not known", "时钟：不明")
    elif known.clock_off_s:
        off_s = known.clock_off_s
        yield (f"clock: off by up to {off_s} s", f"时钟：偏差最大 {off_s} 秒")
    else:
        yield ("clock: within 1 s", "时钟：偏差不超过 1 秒")


def _row(lane: Lane, reasons: list[Both]) -> list[str]:
    site, gateway, camera = lane.key
    held = lane.states.held_ns
    wrong = [state for state in RANKS if held[state] and state not in (OK, "unknown")]
    what = "; ".join(f"{both(STATE[state])} {both(long_words(held[state]))}" for state in wrong)
    what = "<br>".join([*([what] if what else []), *map(both, reasons)])
    return [
        text(f"{site}/{gateway}"),
        text(camera) if camera else both(("(the gateway)", "（网关本身）")),
        _long(held[OK]),
        _long(lane.wrong_ns()),
        str(lane.wrong_times()),
        _long(lane.longest_wrong_ns()),
        what,
        _long(lane.states.unknown_ns()),
    ]


def _long(ns: int) -> str:
    return both(long_words(ns)) if ns >= 500_000_000 else "0"
