"""When and where people were missed, or told where nobody was: the longest spells of it.

Knows nothing about limits.
"""

from collections.abc import Sequence

import numpy as np

from edge.acceptance.people import Followed
from edge.acceptance.scoring import Instant, Match
from scene.html_page import Both
from scene.messages import XY

GAP_S = 1.0
"""Spells with less between them are one."""
MOST = 6
"""So many are told, the longest ones."""


def missed_spells(people: Followed, matches: Sequence[Match], fps: float) -> tuple[Both, ...]:
    """Tell when and where somebody who can be seen was told nowhere near."""
    known = {(match.instant, match.person) for match in matches}
    return tuple(
        (f"person {who} missed {en}", f"人员 {who} 漏检{zh}")
        for who, (en, zh) in _spells(people.truth, known, people.frames, fps)
    )


def false_spells(people: Followed, matches: Sequence[Match], fps: float) -> tuple[Both, ...]:
    """Tell when and where somebody was told and nobody was, or another track had them already."""
    known = {(match.instant, match.track) for match in matches}
    return tuple(
        (f"track {who} told for nobody {en}", f"轨迹 {who} 无对应人员{zh}")
        for who, (en, zh) in _spells(people.found, known, people.frames, fps)
    )


def _spells(
    instants: Sequence[Instant],
    known: set[tuple[int, int]],
    frames: Sequence[int],
    fps: float,
) -> list[tuple[int, Both]]:
    """List whose places are not known, as (id, words), the longest spells first."""
    at: dict[int, list[tuple[float, XY]]] = {}
    for number, there in enumerate(instants):
        for who, place in there.items():
            if (number, who) not in known:
                at.setdefault(who, []).append((frames[number] / fps, place))
    found = [(who, part) for who, times in at.items() for part in _parted(times)]
    found.sort(key=lambda one: (-len(one[1]), one[0], one[1][0][0]))
    return [(who, _words(part)) for who, part in found[:MOST]]


def _parted(times: Sequence[tuple[float, XY]]) -> list[list[tuple[float, XY]]]:
    parts: list[list[tuple[float, XY]]] = []
    for one in times:
        if parts and one[0] - parts[-1][-1][0] <= GAP_S:
            parts[-1].append(one)
        else:
            parts.append([one])
    return parts


def _words(part: Sequence[tuple[float, XY]]) -> Both:
    x, y = np.median([place for _, place in part], axis=0)
    first, last, looks = part[0][0], part[-1][0], len(part)
    return (
        f"at {first:.1f}-{last:.1f} s about x {x:.1f}, y {y:.1f} m ({looks} looks)",
        f"：{first:.1f}-{last:.1f} 秒，x {x:.1f}、y {y:.1f} 米附近（{looks} 次）",
    )
