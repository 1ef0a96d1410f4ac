"""Lead somebody from station to station, and note when they were there.

Knows nothing about MQTT or figures: it asks, waits and remembers. Whoever sits at the terminal
speaks by radio with whoever walks.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from edge.acceptance.figures import WITHIN_M
from edge.acceptance.listener import WalkListener
from edge.acceptance.seen import seen_people
from edge.acceptance.stations import Stop
from edge.acceptance.words import kind_words
from scene.clock import Clock
from scene.html_page import Both
from scene.messages import XY, Anomaly, Positions

SETTLE_S = 1.0
"""Who has just come to a stop is still being told as walking."""
MARGIN_S = 2.0
"""So much longer than an alarm may take is waited for it."""
LOOK_EVERY_S = 1.0
Language = Literal["en", "zh"]
ACTS: dict[str, tuple[str, str]] = {
    "man_down": ("lie down", "躺倒"),
    "restricted_zone": ("step into the zone", "进入该区域"),
    "near_danger": ("step too near", "走近危险处"),
    "helmet_missing": ("take the helmet off", "摘下安全帽"),
    "immobile": ("stand still", "保持静止"),
}
"""What is to be done so that an alarm comes; else its name is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A station, and when somebody was there."""

    stop: Stop
    came_ns: int | None
    """When "ready" was said; none where nobody went."""
    began_ns: int | None
    """When standing still began, or what the alarm is for was done."""
    ended_ns: int | None


def fits(stop: Stop, alarm: Anomaly) -> bool:
    """Tell whether an alarm is what a station expects: its kind, its zone if one is given, there.

    An alarm that names no place may be about anybody anywhere.
    """
    if alarm.kind != stop.expect or stop.zone not in (None, alarm.zone):
        return False
    return alarm.xyz_m is not None and math.dist(alarm.xyz_m[:2], stop.xy_m) <= WITHIN_M


def _seen(told: Positions | None, xy_m: XY) -> Both:
    """Say how near to a place somebody is seen; who is only thought to be there is not seen."""
    if told is None:
        return ("no positions come", "没有定位消息")
    seen = seen_people(told)
    off = min((math.dist(one.xyz_m[:2], xy_m) for one in seen), default=None)
    if off is not None:
        return (f"nearest seen is {off:.2f} m off", f"最近者（可见）偏差 {off:.2f} 米")
    if told.people:
        count = len(told.people)
        return (
            f"nobody is seen now; {count} told where last seen",
            f"当前未见任何人；{count} 人仅为最后所见位置",
        )
    return ("nobody is told", "未见任何人")


class Walk:
    """One walk; `ask` shows a prompt and gives the answer, raising EOFError where none comes."""

    def __init__(
        self,
        listener: WalkListener,
        clock: Clock,
        *,
        ask: Callable[[str], str],
        say: Callable[[str], None],
        language: Language = "en",
    ) -> None:
        self._listener, self._clock = listener, clock
        self._ask, self._say, self._zh = ask, say, language == "zh"

    def go(self, stops: Sequence[Stop], alarm_within_s: Sequence[float]) -> tuple[Visit, ...]:
        """Visit every station; `alarm_within_s` is how long each alarm may take, all told.

        Answering `s` skips a station, `q` ends the walk; both leave stations that nobody visited.
        """
        visits, over = list[Visit](), False
        for number, (stop, within_s) in enumerate(zip(stops, alarm_within_s, strict=True), 1):
            visit = None if over else self._visit(stop, f"{number}/{len(stops)}", within_s)
            over = over or visit is None
            visits.append(visit or Visit(stop=stop, came_ns=None, began_ns=None, ended_ns=None))
        return tuple(visits)

    def _visit(self, stop: Stop, count: str, within_s: float) -> Visit | None:
        """Visit one station; none where the walk is over."""
        unseen = Visit(stop=stop, came_ns=None, began_ns=None, ended_ns=None)
        answer = self._answer(f"[{count}] {self._first(stop)}")
        if answer != "":
            return None if answer == "q" else unseen
        came_ns = self._clock.now_ns()
        if stop.expect is not None:
            answer = self._answer(f"[{count}] {self._now(stop)}")
            if answer != "":
                return None if answer == "q" else unseen
        began_ns = self._clock.now_ns()
        longest_s = max(stop.stay_s, within_s + MARGIN_S) if stop.expect else stop.stay_s
        self._stay(stop, began_ns, longest_s)
        ended_ns = self._clock.now_ns()
        return Visit(stop=stop, came_ns=came_ns, began_ns=began_ns, ended_ns=ended_ns)

    def _stay(self, stop: Stop, began_ns: int, longest_s: float) -> None:
        """Wait as long as the station asks for, and on for an alarm that has not come yet."""
        since_s = self._clock.monotonic_s()
        while (gone_s := self._clock.monotonic_s() - since_s) < longest_s:
            until_s = longest_s if self._awaited(stop, began_ns) else stop.stay_s
            if gone_s >= until_s:
                return
            self._clock.sleep(min(LOOK_EVERY_S, until_s - gone_s))
            self._say(self._progress(stop, began_ns, max(0.0, until_s - gone_s - LOOK_EVERY_S)))

    def _awaited(self, stop: Stop, began_ns: int) -> bool:
        """Tell whether a station's alarm is still to come."""
        if stop.expect is None:
            return False
        came = self._listener.alarms(began_ns)
        return not any(fits(stop, one.alarm) for one in came)

    def _progress(self, stop: Stop, began_ns: int, left_s: float) -> str:
        newest = self._listener.positions(self._clock.now_ns() - 1_500_000_000)
        kinds = [one.alarm.kind for one in self._listener.alarms(began_ns)]
        comma = "，" if self._zh else ", "
        came = "".join(comma + kind_words(kind)[self._zh] for kind in kinds)
        seen = _seen(newest[-1][1] if newest else None, stop.xy_m)[self._zh]
        left = f"还剩 {left_s:.0f} 秒" if self._zh else f"{left_s:.0f} s left"
        return f"    {left}{'：' if self._zh else ': '}{seen}{came}"

    def _answer(self, prompt: str) -> str:
        """Ask until the answer is one: empty for go on, `s` for skip, `q` for the end."""
        while True:
            try:
                answer = self._ask(f"{prompt} ").strip().lower()
            except EOFError:
                return "q"
            if answer in ("", "s", "q"):
                return answer

    def _first(self, stop: Stop) -> str:
        where, note = stop.where[self._zh], f" ({stop.note})" if stop.note else ""
        x, y = stop.xy_m
        keys = "（回车继续，s 跳过，q 结束）" if self._zh else "[Enter; s skips, q ends]"
        if stop.expect is None and self._zh:
            place = f"（{where}，x {x:.1f} 米，y {y:.1f} 米）"
            return f"请到站点 {stop.name}{place}站定{note}。到位后回车 {keys}"
        if stop.expect is None:
            return (
                f"Go to station {stop.name} ({where}, x {x:.1f} m, y {y:.1f} m) and stand still"
                f"{note}. Enter when there {keys}"
            )
        if self._zh:
            return f"请到站点 {stop.name}（{where}）旁等候，先不要触发告警{note}。就绪后回车 {keys}"
        return (
            f"Go beside station {stop.name} ({where}) and wait, so that no alarm is due yet{note}. "
            f"Enter when ready {keys}"
        )

    def _now(self, stop: Stop) -> str:
        kind = stop.expect or ""
        act = ACTS.get(kind, kind_words(kind))[self._zh]
        x, y = stop.xy_m
        if self._zh:
            zone = f"（{stop.zone}）" if stop.zone else ""
            return f"现在{act}{zone}，停在 x {x:.1f} 米、y {y:.1f} 米；做的同时回车"
        zone = f" ({stop.zone})" if stop.zone else ""
        return (
            f"Now: {act}{zone} at x {x:.1f} m, y {y:.1f} m and stay there. Enter at the very moment"
        )
