"""Lead somebody from station to station, and note when they were there.

Knows nothing about MQTT or figures: it asks, waits and remembers. Whoever sits at the terminal
speaks by radio with whoever walks.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
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
EOF = "\x04"
"""What nobody types: there is no terminal any more."""
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
    broken: bool = False
    """Broken off: nothing of it counts."""
    before: tuple["Visit", ...] = ()
    """Its earlier tries."""


def fits(stop: Stop, alarm: Anomaly) -> bool:
    """Tell whether an alarm is what a station expects: its kind, its zone if one is given, there.

    An alarm that names no place may be about anybody anywhere.
    """
    if alarm.kind != stop.expect or stop.zone not in (None, alarm.zone):
        return False
    return alarm.xyz_m is not None and math.dist(alarm.xyz_m[:2], stop.xy_m) <= WITHIN_M


def _seen(told: Positions | None, xy_m: XY, people: int | None) -> Both:
    """Say how near to a place somebody is seen; who is only thought to be there is not seen.

    `people` walk; more than that are said to be too many.
    """
    if told is None:
        return ("no positions come: is the gateway running?", "没有定位消息：网关是否在运行？")
    seen = seen_people(told)
    off = min((math.dist(one.xyz_m[:2], xy_m) for one in seen), default=None)
    if off is not None:
        many = ("", "")
        if people is not None and len(seen) > people:
            many = (
                f"; {len(seen)} seen, {people} should be",
                f"；可见 {len(seen)} 人，应为 {people} 人",
            )
        return (
            f"nearest seen is {off:.2f} m off{many[0]}",
            f"最近者（可见）偏差 {off:.2f} 米{many[1]}",
        )
    if told.people:
        count = len(told.people)
        return (
            f"nobody is seen now; {count} told where last seen",
            f"当前未见任何人；{count} 人仅为最后所见位置",
        )
    return ("nobody is told", "未见任何人")


class Walk:
    """One walk; `ask` shows a prompt and gives the answer, raising EOFError where none comes.

    `people` walk, none where others are about; `told` says what came of a station.
    """

    def __init__(
        self,
        listener: WalkListener,
        clock: Clock,
        *,
        ask: Callable[[str], str],
        say: Callable[[str], None],
        told: Callable[[Visit], Both] | None = None,
        people: int | None = None,
        language: Language = "en",
    ) -> None:
        self._listener, self._clock, self._people = listener, clock, people
        self._ask, self._say, self._told = ask, say, told
        self._zh = language == "zh"

    def go(self, stops: Sequence[Stop], alarm_within_s: Sequence[float]) -> tuple[Visit, ...]:
        """Visit every station; `alarm_within_s` is how long each alarm may take, all told.

        Answering `s` skips a station, `r` repeats the one before, `q` twice ends the walk; what is
        skipped or left is a station that nobody visited. Ctrl-C breaks a station off, which is then
        asked for again, and at a prompt it is a `q`.
        """
        visits = [_unvisited(stop) for stop in stops]
        number = 0
        while number <= len(stops):
            if number == len(stops):
                answer = self._last_word() if stops else "q"
            else:
                count = f"[{number + 1}/{len(stops)}]"
                answer = self._visit(visits, number, count, alarm_within_s[number])
            if answer == "q":
                break
            number = max(0, number - 1) if answer == "r" else number + 1
        return tuple(visits)

    def _visit(self, visits: list[Visit], number: int, count: str, within_s: float) -> str:
        """Visit one station, and note it in `visits`; tells the answer that led on from there."""
        stop, whole = visits[number].stop, False
        while not whole:
            answer = self._answer(f"{count} {self._first(stop)}", again=number > 0)
            came_ns = self._clock.now_ns()
            if answer == "" and stop.expect is not None:
                answer = self._answer(f"{count} {self._now(stop)}", again=number > 0)
            if answer:
                return answer
            visits[number], whole = self._tried(visits[number], came_ns, within_s)
        if self._told is not None:
            self._say(f"    {self._told(visits[number])[self._zh]}")
        return ""

    def _tried(self, before: Visit, came_ns: int, within_s: float) -> tuple[Visit, bool]:
        """Have somebody stay, whatever was tried before; tells whether that was not broken off."""
        stop, began_ns = before.stop, self._clock.now_ns()
        longest_s = max(stop.stay_s, within_s + MARGIN_S) if stop.expect else stop.stay_s
        tries = before.before
        if before.came_ns is not None:
            tries = (*tries, replace(before, before=()))
        try:
            self._stay(stop, began_ns, longest_s)
        except KeyboardInterrupt:
            again = self._in("Broken off: this station is asked for again.", "已中断：请重做本站。")
            self._say(again)
            broken = Visit(
                stop=stop,
                came_ns=came_ns,
                began_ns=began_ns,
                ended_ns=self._clock.now_ns(),
                broken=True,
            )
            return replace(_unvisited(stop), before=(*tries, broken)), False
        visit = Visit(
            stop=stop,
            came_ns=came_ns,
            began_ns=began_ns,
            ended_ns=self._clock.now_ns(),
            before=tries,
        )
        return visit, True

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
        comma = self._in(", ", "，")
        came = "".join(comma + kind_words(kind)[self._zh] for kind in kinds)
        seen = _seen(newest[-1][1] if newest else None, stop.xy_m, self._people)[self._zh]
        return f"    {self._in(f'{left_s:.0f} s left: ', f'还剩 {left_s:.0f} 秒：')}{seen}{came}"

    def _last_word(self) -> str:
        """Let the last station be repeated, too, before the report is written."""
        prompt = self._in(
            "All stations are done. Enter writes the report, r repeats the last station: ",
            "全部站点已完成。按回车生成报告，输入 r 重做最后一站： ",
        )
        answer = self._typed(prompt)
        return answer if answer == "r" else "q"

    def _answer(self, prompt: str, *, again: bool) -> str:
        """Ask until the answer is one: empty, `s`, `r` where there is a station before, `q`."""
        known = ("", "s", "r") if again else ("", "s")
        keys = self._in(
            f" [Enter; s skips{', r repeats the one before' if again else ''}, q ends]",
            f"（回车继续，s 跳过{'，r 重做上一站' if again else ''}，q 结束）",
        )
        while True:
            answer = self._typed(f"{prompt}{keys} ")
            if answer in known:
                return answer
            if answer == EOF or (answer == "q" and self._ends()):
                return "q"

    def _ends(self) -> bool:
        """Ask whether the walk is really to end: a slip would cost all of it."""
        answer = self._typed(
            self._in(
                "End the walk? What was not done is not measured, and the site not accepted. "
                "q ends it and writes the report, Enter goes on: ",
                "确定结束？未做的站点记为未测量，验收不会合格。输入 q 结束并生成报告，回车继续：",
            )
        )
        return answer in ("q", EOF)

    def _typed(self, prompt: str) -> str:
        """Show a prompt and give the answer; Ctrl-C is a `q`, and no terminal any more is `EOF`."""
        try:
            return self._ask(prompt).strip().lower()
        except EOFError:
            return EOF
        except KeyboardInterrupt:
            self._say("")
            return "q"

    def _in(self, en: str, zh: str) -> str:
        return zh if self._zh else en

    def _first(self, stop: Stop) -> str:
        x, y = stop.xy_m
        note = self._in(f"; {stop.note}", f"；{stop.note}") if stop.note else ""
        place = self._in(
            f"{stop.name} ({stop.where[0]}; x {x:.1f} m, y {y:.1f} m{note})",
            f"{stop.name}（{stop.where[1]}；x {x:.1f} 米，y {y:.1f} 米{note}）",
        )
        if stop.expect is None:
            return self._in(
                f"Go to station {place} and stand still. Press Enter when there.",
                f"请到站点 {place}站定，到位后按回车。",
            )
        return self._in(
            f"Go near station {place}, but not so near that its alarm is due. Press Enter when "
            "ready.",
            f"请到站点 {place}旁等候，先不要触发告警，就绪后按回车。",
        )

    def _now(self, stop: Stop) -> str:
        kind = stop.expect or ""
        act = ACTS.get(kind, kind_words(kind))[self._zh]
        x, y = stop.xy_m
        return self._in(
            f"Now: {act}{f' ({stop.zone})' if stop.zone else ''} at x {x:.1f} m, y {y:.1f} m and "
            "stay there. Press Enter at the very moment.",
            f"现在{act}{f'（{stop.zone}）' if stop.zone else ''}，停在 x {x:.1f} 米、"
            f"y {y:.1f} 米；做的同时按回车。",
        )


def _unvisited(stop: Stop) -> Visit:
    return Visit(stop=stop, came_ns=None, began_ns=None, ended_ns=None)
