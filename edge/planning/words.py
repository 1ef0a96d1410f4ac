"""What `lamproom plan` says, in English and Chinese: verdict, blind spots, tables, JSON.

Knows nothing about pages or drawings.
"""

from dataclasses import asdict, dataclass
from math import ceil, isfinite
from typing import Any, Literal

from rich.box import SIMPLE
from rich.table import Column, Table

from edge.planning.file import PER_GATEWAY, HungCamera, PlanConfig
from edge.planning.gaps import BlindSpot, Cause, Overlap, Stance, Where
from edge.planning.judge import Judgement, Metre
from edge.planning.search import Layout
from scene.html_page import Both

SIDES: dict[str, Both] = {
    "left": ("left rib", "左帮"),
    "right": ("right rib", "右帮"),
    "roof": ("roof", "顶板"),
}
WHERE: dict[Where, Both] = {
    "whole": ("whole width", "全宽"),
    "left": ("left part", "左侧"),
    "middle": ("middle", "中部"),
    "right": ("right part", "右侧"),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """What was asked, what was found, and how good it is."""

    plan: PlanConfig
    hung: tuple[HungCamera, ...]
    judgement: Judgement
    layout: Layout | None
    """None where a given layout was judged."""
    detector: str
    """Which detector the sizes are for."""
    detector_px: tuple[int, int]


def verdict(answer: Answer) -> Both:
    """Say in one sentence whether it is good enough, and if not, why not."""
    judged, layout = answer.judgement, answer.layout
    n, share = len(judged.cameras), f"{100 * judged.seen_share:.0f}"
    short = stretches(answer)
    if judged.covered:
        en, zh = f"{n} cameras cover every metre", f"{n} 台摄像机覆盖每一米"
        gateways = ceil(n / PER_GATEWAY)
        if gateways > 1 or (layout and answer.plan.rig == "rotation"):
            gateways = _gateways(answer)
            en += f"; {gateways} gateways, at most {PER_GATEWAY} cameras each"
            zh += f"；需 {gateways} 台网关（每台至多 {PER_GATEWAY} 台摄像机）"
        return en, zh
    if layout is None:
        return (
            f"this layout of {n} cameras covers {share} % of the floor; short at {short}",
            f"此布置（{n} 台）覆盖 {share}% 的底板；不足处：{short}",
        )
    limit = f" of up to {answer.plan.cameras} cameras" if answer.plan.cameras else ""
    limit_zh = f"至多 {answer.plan.cameras} 台的" if answer.plan.cameras else ""
    if layout.unreachable_m:
        where = runs_text(answer, layout.unreachable_m)
        why = f"because nothing that may be mounted sees enough of {where}"
        why_zh = f"因为允许的安装位置看不到 {where}"
    elif layout.needed is not None:
        why = (
            f"because it takes {layout.needed} cameras, that is "
            f"{ceil(layout.needed / PER_GATEWAY)} gateways"
        )
        why_zh = f"因为需要 {layout.needed} 台（{ceil(layout.needed / PER_GATEWAY)} 台网关）"
    else:
        why, why_zh = "because the wished overlaps can't all be had", "因为无法满足全部重叠要求"
    return (
        f"no layout{limit} covers every metre as wished, {why}; best found: {n} cameras, "
        f"{share} % of the floor, short at {short}",
        f"没有{limit_zh}布置能按要求覆盖每一米，{why_zh}；最佳方案：{n} 台，"
        f"覆盖 {share}%，不足处：{short}",
    )


def _gateways(answer: Answer) -> int:
    if answer.plan.rig == "rotation":
        return len({(one.chainage_m, one.left_m) for one in answer.hung})
    return ceil(len(answer.judgement.cameras) / PER_GATEWAY)


def gateway_of(answer: Answer, index: int) -> int:
    """Tell which gateway, from 1, the camera of that place in the order belongs to."""
    if answer.plan.rig == "rotation":
        spots = list(dict.fromkeys((one.chainage_m, one.left_m) for one in answer.hung))
        return spots.index((answer.hung[index].chainage_m, answer.hung[index].left_m)) + 1
    count = len(answer.judgement.cameras)
    return index * _gateways(answer) // count + 1


def stretches(answer: Answer) -> str:
    """List the metres that are short, e.g. `3-5, 17-18 m`."""
    return runs_text(answer, answer.judgement.short_m)


def runs_text(answer: Answer, metres: tuple[int, ...]) -> str:
    """Write metres, counted from 0, as stretches of chainage; the first six of them."""
    runs: list[list[int]] = []
    for index in metres:
        if runs and runs[-1][1] == index:
            runs[-1][1] = index + 1
        else:
            runs.append([index, index + 1])
    section = answer.judgement.section
    said = [
        f"{metre_text(section.metre_m(low)[0])}-{metre_text(section.metre_m(high - 1)[1])}"
        for low, high in runs
    ]
    return ", ".join(said[:6]) + (" …" if len(said) > 6 else "") + " m"


def metre_text(value: float) -> str:
    """Write a chainage, to a tenth of a metre where it is not a whole one."""
    return f"{round(value, 1):g}"


WHO: dict[Stance, Both] = {
    "standing": ("who stands", "站立者"),
    "lying": ("who lies", "倒地者"),
    "both": ("who stands or lies", "站立者和倒地者"),
}
SHORT: dict[Cause, Both] = {
    "outside": ("no view", "无视野"),
    "hidden": ("hidden", "被遮挡"),
    "cut": ("cut", "被截"),
    "small": ("small", "过小"),
    "apart": ("apart", "分属两台"),
}
"""The same reasons as in `blind_spot`, for tables."""


def blind_spot(spot: BlindSpot) -> Both:
    """Say where who is not seen as wished, and why."""
    en, zh = WHERE[spot.where]
    share = f"{100 * spot.share:.0f}"
    reasons: dict[Cause, Both] = {
        "outside": ("no camera looks there", "没有摄像机朝向那里"),
        "hidden": (f"{spot.by} hides it", f"被 {spot.by} 遮挡"),
        "cut": (
            "cut off by the edge of the picture, seen in part only",
            "被画面边缘截去，只见一部分",
        ),
        "small": ("too small for the detector", "人像太小，检测器难以发现"),
        "apart": (
            "apart: one camera shows who stands, another who lies, and none both",
            "分属两台：一台可见站立者，另一台可见倒地者，没有一台两者皆可见",
        ),
    }
    (who, who_zh), (why, why_zh) = WHO[spot.stance], reasons[spot.cause]
    place = f"{metre_text(spot.from_m)}-{metre_text(spot.to_m)}"
    return (
        f"{place} m, {en} ({share} %), {who}: {why}",
        f"{place} m，{zh}（{share}%），{who_zh}：{why_zh}",
    )


def shown(metre: Metre, stance: Literal["standing", "lying"]) -> Both:
    """Say which share of a metre shows who stands, or who lies, and if too little, why."""
    share = metre.standing_share if stance == "standing" else metre.lying_share
    why = why_blind(metre, stance) or why_blind(metre, "both")
    en, zh = SHORT[why] if why else ("", "")
    return f"{share:.0%} {en}".strip(), f"{share:.0%} {zh}".strip()


def why_blind(metre: Metre, stance: Stance) -> Cause | None:
    """Give why a metre is short of who stands, or lies, or of one camera for both, if it is."""
    return next((spot.cause for spot in metre.blind if spot.stance == stance), None)


def side_of(hung: HungCamera) -> Both:
    """Name the side on which a camera hangs."""
    if abs(hung.left_m) < 0.05:
        return SIDES["roof"]
    return SIDES["left" if hung.left_m > 0 else "right"]


def looks(answer: Answer, hung: HungCamera) -> Both:
    """Say where a camera looks: along the roadway to more or less chainage, and how far off that.

    Left or right is as the camera sees it.
    """
    off = (hung.yaw_deg - answer.judgement.section.heading_deg(hung.chainage_m) + 180) % 360 - 180
    ahead = abs(off) <= 90
    turn = off if ahead else (180 - abs(off)) * (-1 if off > 0 else 1)
    way, way_zh = ("→ more m", "→ 里程增大") if ahead else ("← less m", "← 里程减小")
    if abs(turn) < 0.5:
        return way, way_zh
    hand, hand_zh = ("left", "偏左") if turn > 0 else ("right", "偏右")
    return f"{way}, {abs(turn):.0f}° {hand}", f"{way_zh}，{hand_zh} {abs(turn):.0f}°"


def camera_table(answer: Answer) -> Table:
    """List where each camera hangs."""
    texts = ("camera", "side", "looks", "lens")
    names = ("camera", "gw", "at m", "side", "high m", "looks", "yaw°", "pitch°", "lens")
    table = Table(*(_column(name, text=name in texts) for name in names), **STYLE)
    for index, one in enumerate(answer.hung):
        table.add_row(
            one.name,
            str(gateway_of(answer, index)),
            f"{one.chainage_m:.1f}",
            side_of(one)[0],
            f"{one.height_m:.2f}",
            looks(answer, one)[0],
            f"{one.yaw_deg:.0f}",
            f"{one.pitch_deg:.0f}",
            one.lens or answer.plan.lenses[0].name,
        )
    return table


def metre_table(answer: Answer, *, each: bool) -> Table:
    """Show coverage and expected error: each metre, or stretches that the same cameras cover."""
    twice = bool(answer.plan.wishes.twice_m)
    names = ["metres", "cameras", "seen", *["twice"] * twice, "stand", "px", "lie", "px"]
    names += ["95 %", "foll."]
    texts = ("cameras", "stand", "lie")
    table = Table(*(_column(name, text=name in texts) for name in names), **STYLE)
    rows = [[metre] for metre in answer.judgement.metres]
    if not each:
        rows = _alike(answer.judgement.metres)
    for row in rows:
        table.add_row(*_cells(row, twice=twice))
    return table


STYLE: dict[str, Any] = {"box": SIMPLE, "padding": (0, 1, 0, 0), "pad_edge": False}
CAMERA_LEGEND = (
    "at m: chainage; high m: above the floor; looks: along the roadway, to more (→) or less (←) "
    "chainage, and turned from it so far to the camera's left or right; yaw°: from the mine's x "
    "axis to the left; pitch°: up"
)
METRE_LEGEND = (
    "seen: share of the floor where one camera shows who stands and who lies as wished; stand, "
    "lie: the share for each, and if it is too little, why (no view; hidden; cut: by the edge of "
    "the picture; small: for the detector; apart: each by another camera); px: their size in the "
    "best camera, in the detector's picture; 95 %: of looks are nearer, m; foll(owed): the same "
    "for published positions; -: nobody is shown. Of a stretch the worst"
)


def _column(name: str, *, text: bool) -> Column:
    return Column(
        name,
        justify="left" if text else "right",
        no_wrap=name != "cameras",
        min_width=11 if name == "cameras" else None,
    )


def _alike(metres: tuple[Metre, ...]) -> list[list[Metre]]:
    """Part metres into stretches that the same cameras show, with the same to say of each."""
    rows: list[list[Metre]] = []
    for metre in metres:
        if rows and _said(rows[-1][-1]) == _said(metre):
            rows[-1].append(metre)
        else:
            rows.append([metre])
    return rows


def _said(metre: Metre) -> tuple[object, ...]:
    figures = (metre.person_px, metre.lying_px, metre.look_radius_m)
    why = [(spot.stance, spot.cause) for spot in metre.blind]
    return metre.cameras, why, [isfinite(figure) for figure in figures]


def _cells(row: list[Metre], *, twice: bool) -> list[str]:
    """Write some metres as one line: of every figure the worst."""

    def worst(name: str, pick: Any, form: str) -> str:
        values = [getattr(metre, name) for metre in row]
        # Where one of them shows nobody, that is the worst.
        return format(pick(values), form) if all(map(isfinite, values)) else "-"

    stand = min(row, key=lambda metre: metre.standing_share)
    lie = min(row, key=lambda metre: metre.lying_share)
    return [
        f"{metre_text(row[0].from_m)}-{metre_text(row[-1].to_m)}",
        " ".join(row[0].cameras) or "-",
        worst("seen_share", min, ".0%"),
        *([worst("twice_share", min, ".0%")] if twice else []),
        shown(stand, "standing")[0],
        worst("person_px", min, ".0f"),
        shown(lie, "lying")[0],
        worst("lying_px", min, ".0f"),
        worst("look_radius_m", max, ".2f"),
        worst("followed_radius_m", max, ".2f"),
    ]


def overlap_text(answer: Answer, one: Overlap) -> Both:
    """Say what two neighbours share."""
    en = f"{one.first} + {one.second}: {one.metres:.1f} m of roadway, {one.turn_deg:.0f}° apart"
    zh = f"{one.first} + {one.second}：巷道 {one.metres:.1f} 米，方向相差 {one.turn_deg:.0f}°"
    if one.picture_share > 0 and one.degrees > 0:
        en += f"; {one.degrees:.0f}° of the picture, {100 * one.picture_share:.0f} % of its width"
        zh += f"；画面重叠 {one.degrees:.0f}°，占宽度 {100 * one.picture_share:.0f}%"
    return en, zh


def as_json(answer: Answer) -> dict[str, Any]:
    """Give everything as plain values; what can't be said is null."""
    judged, layout = answer.judgement, answer.layout
    return {
        "name": answer.plan.name,
        "covered": judged.covered,
        "verdict": verdict(answer)[0],
        "seen_share": round(judged.seen_share, 4),
        "needed": layout.needed if layout else None,
        "gateways": _gateways(answer),
        "detector": {"name": answer.detector, "size_px": list(answer.detector_px)},
        "cameras": [
            {"gateway": gateway_of(answer, index), **one.model_dump()}
            for index, one in enumerate(answer.hung)
        ],
        "metres": [_metre_json(metre) for metre in judged.metres],
        "blind_spots": [
            {**_plain(asdict(spot)), "text": blind_spot(spot)[0]} for spot in judged.blind
        ],
        "overlaps": [_plain(asdict(one)) for one in judged.overlaps],
    }


def _metre_json(metre: Metre) -> dict[str, Any]:
    fields = _plain(asdict(metre))
    fields["blind"] = [{"stance": spot.stance, "cause": spot.cause} for spot in metre.blind]
    return fields


def _plain(fields: dict[str, Any]) -> dict[str, Any]:
    return {
        name: (round(value, 4) if isfinite(value) else None) if isinstance(value, float) else value
        for name, value in fields.items()
    }
