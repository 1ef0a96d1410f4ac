"""The muster as a table to read, in English or Chinese.

Knows nothing about how it was counted.
"""

from collections.abc import Mapping
from datetime import datetime

from control_room.complaints import printable
from control_room.muster import Muster, Place, Somebody
from scene.landmarks import by_landmark

LANGUAGES = ("en", "zh")

WORDS: dict[str, tuple[str, str]] = {
    "title": ("MUSTER  {site}  {at}", "井下清点  {site}  {at}"),
    "replay": ("!! REPLAY: of a recording, not of people underground now",
               "!! 回放：清点的是录像，不是当前井下人员"),
    "total": ("In view: {count}", "当前可见：{count} 人"),
    "at_least": ("at least {n}", "至少 {n}"),
    "maybe": ("{n} (at least {least})", "{n}（至少 {least}）"),
    "unnamed": ("  without a name: {n}", "  未识别姓名：{n}"),
    "away": ("  out of view, with a name: {n}   unknown (gateway silent): {m}",
             "  已离开视野（已识别）：{n} 人   状况不明（网关无信号）：{m}"),
    "lost": ("  numbers lost, without a name: {n} (one person may be several of them)",
             "  跟踪中断的编号（未识别）：{n} 个（同一人可能占多个编号）"),
    "seen": ("Cameras see {seen} of {all} m", "摄像机可见 {all} 米中的 {seen} 米"),
    "nothing": ("NO GATEWAY SPEAKS: nobody can be counted", "没有任何网关信号：无法清点人数"),
    "silent": ("!! gateway {gateway} silent since {since}",
               "!! 网关 {gateway} 自 {since} 起无信号"),
    "never_heard": ("!! gateway {gateway} was never heard (waited for since {since})",
                    "!! 从未收到网关 {gateway} 的信号（自 {since} 起等待）"),
    "passed_over": ("!! gateway {gateway} is NOT counted: its site has too many gateways",
                    "!! 网关 {gateway} 未计入：该矿区网关过多"),
    "uncounted": ("!! gateway {gateway}: NOBODY CAN BE COUNTED: {why}",
                  "!! 网关 {gateway}：无法清点人数：{why}"),
    "left_out": ("!! site {site} speaks and is NOT in this count; to count there, give --site",
                 "!! 矿区 {site} 有信号，但未计入本次清点；要清点该处，请用 --site 指定"),
    "left_out_off": ("!! site {site} is offline and NOT in this count; to count there, give --site",
                     "!! 矿区 {site} 的网关均离线，未计入本次清点；要清点该处，请用 --site 指定"),
    "blind": ("!! cannot see x {a:g} to {b:g} m since {since}",
              "!! 看不到 x {a:g} 至 {b:g} 米，自 {since} 起"),
    "never_seen": ("!! cannot see x {a:g} to {b:g} m: never seen since the gateway started",
                   "!! 看不到 x {a:g} 至 {b:g} 米：自网关启动以来从未看到"),
    "own_clock": ("!  this computer's own clock is off by {s:g} s: most gateways' go otherwise",
                  "！ 本机时钟偏差 {s:g} 秒：多数网关的时间与之不同"),
    "clock": ("!  the clock of gateway {gateway} is off by {s:g} s",
              "!  网关 {gateway} 的时钟偏差 {s:g} 秒"),
    "zones": ("ZONE", "区域"),
    "people": ("PEOPLE", "人数"),
    "coverage": ("SEEN", "可见"),
    "names": ("WHO", "人员"),
    "elsewhere": ("(elsewhere)", "（其他位置）"),
    "more": ("{n} without a name", "{n} 人未识别"),
    "left": ("{n} last seen here", "{n} 人最后在此出现"),
    "lost_here": ("lost sight of here, without a name: {n}", "在此失去视野（未识别）：{n}"),
    "missing": ("MISSING: {n} of {all}", "未见人员：{all} 人中 {n} 人"),
    "missing_none": ("Missing: none of {all}", "未见人员：{all} 人中 0 人"),
    "by_tags": (" (by tags heard, no roster given)", "（按近期标识卡，未提供名单）"),
    "no_roster": ("No roster and no tags: who is missing can't be told",
                  "没有名单和标识卡：无法判断缺少何人"),
    "one_of": ("a missing worker may be one of {n} without a name",
               "未见人员可能在 {n} 名未识别者之中"),
    "last": ("last seen {where} at {at}", "最后出现：{where}，{at}"),
    "never": ("not seen yet (listening since {at})", "尚未出现（自 {at} 起监听）"),
    "doubtful": ("perhaps in view, {where}", "可能在视野内，{where}"),
    "tag": ("tag heard {where} at {at} (a tag is no person)",
            "标识卡：{where}，{at}（卡不等于人）"),
    "away_head": ("OUT OF VIEW", "已离开视野"),
    "lost_head": ("NUMBERS LOST, without a name (one person may be several of them)",
                  "跟踪中断的编号，未识别（同一人可能占多个编号）"),
    "in_view": ("in view", "可见"),
    "out_of_view": ("out of view", "离开视野"),
    "unknown": ("unknown", "不明"),
    "since": ("listening since {at}; what was before is not known here",
              "自 {at} 起监听；此前情况不详"),
    "unknown_time": ("an unknown time", "未知时刻"),
    "all": ("EVERYBODY ACCOUNTED FOR", "全员在场"),
    "not_all": ("NOT EVERYBODY IS ACCOUNTED FOR ({why})", "尚未全员确认（{why}）"),
    "and": ("; ", "；"),
    "why_missing": ("{n} missing", "{n} 人未见"),
    "why_no_roster": ("nobody says who should be there", "无人员名单"),
    "why_away": ("{n} out of view or unknown", "{n} 人离开视野或状况不明"),
    "why_lost": ("numbers lost: {n}", "{n} 个编号中断"),
    "why_silent": ("gateways silent: {n}", "{n} 个网关无信号"),
    "why_never_heard": ("never heard: {gateways}", "从未收到信号：{gateways}"),
    "why_passed_over": ("gateways not listened to: {n}", "{n} 个网关未计入"),
    "why_left_out": ("sites not in this count: {n}", "{n} 个矿区未计入"),
    "why_unseen": ("{n} m can't be seen", "{n} 米看不到"),
    "why_unsaid": ("a gateway has not said what it sees", "有网关尚未报告可见范围"),
}  # fmt: skip


def text_of(told: Muster, language: str = "en", left_out: Mapping[str, bool] | None = None) -> str:
    """Write the muster out; `language` is `en` or `zh`. Control characters are taken out.

    `left_out` are sites that are not in it, and whether each speaks.
    """
    return "\n".join(printable(line) for line in _Writer(language).lines(told, left_out or {}))


def left_out_text(site: str, speaks: bool, language: str = "en") -> str:
    """Say in one line that a count leaves a site out."""
    return printable(_Writer(language).left_out(site, speaks))


class _Writer:
    def __init__(self, language: str) -> None:
        self._column = 1 if language == "zh" else 0

    def lines(self, told: Muster, left_out: Mapping[str, bool]) -> list[str]:
        out = [self._say("title", site=told.site, at=_clock(told.at_ns, day=True))]
        if told.replay:
            out.append(self._say("replay"))
        for one in told.uncounted:
            why = one.why_zh if self._column else one.why
            out.append(self._say("uncounted", gateway=one.gateway, why=why))
        if not told.uncounted and (told.metres == 0 or (told.silent and told.metres_seen == 0)):
            out.append("!! " + self._say("nothing"))
        out.append(self._say("total", count=self._count(told, told.people, told.at_least)))
        out.append(self._say("unnamed", n=told.unnamed))
        named = told.out_of_view - told.lost_numbers
        out.append(self._say("away", n=named, m=told.unknown))
        if told.lost_numbers:
            out.append(self._say("lost", n=told.lost_numbers))
        out.append(self._say("seen", seen=told.metres_seen, all=told.metres))
        out += [self.left_out(*one) for one in left_out.items()]
        for gateway, since_ns in told.silent:
            word = "never_heard" if gateway in told.never_heard else "silent"
            word = "passed_over" if gateway in told.passed_over else word
            out.append(self._say(word, gateway=gateway, since=_clock(since_ns, day=True)))
        for blind in told.blind:
            since = self._since(blind.since_ns)
            word = "never_seen" if blind.never_seen else "blind"
            out.append(self._say(word, a=blind.from_x_m, b=blind.to_x_m, since=since))
        if told.own_clock_off_s:
            out.append(self._say("own_clock", s=told.own_clock_off_s))
        for gateway, off_s in told.clocks_off:
            out.append(self._say("clock", gateway=gateway, s=off_s))
        out += ["", *self._areas(told), "", *self._missing(told), *self._away(told)]
        if told.listening_since_ns is not None:
            out += ["", self._say("since", at=_clock(told.listening_since_ns, day=True))]
        out.append(self._say("all") if told.everybody else self._not_all(told, len(left_out)))
        return out

    def left_out(self, site: str, speaks: bool) -> str:
        return self._say("left_out" if speaks else "left_out_off", site=site)

    def _not_all(self, told: Muster, left_out: int) -> str:
        """Tell all that keeps the count from being one of everybody."""
        unseen = told.metres - told.metres_seen
        why = [self._say("why_missing", n=len(told.missing))] if told.missing else []
        why += [self._say("why_no_roster")] if not told.expected_by else []
        away = len(told.away) - told.lost_numbers
        why += [self._say("why_away", n=away)] if away else []
        why += [self._say("why_lost", n=told.lost_numbers)] if told.lost_numbers else []
        why += [self._say("why_left_out", n=left_out)] if left_out else []
        silent = len(told.silent) - len(told.never_heard) - len(told.passed_over)
        why += [self._say("why_silent", n=silent)] if silent else []
        never = ", ".join(told.never_heard)
        why += [self._say("why_never_heard", gateways=never)] if never else []
        over = len(told.passed_over)
        why += [self._say("why_passed_over", n=over)] if over else []
        why += [self._say("why_unseen", n=unseen)] if unseen else []
        if not (told.complete or told.silent or unseen or left_out):
            why.append(self._say("why_unsaid"))
        return self._say("not_all", why=self._say("and").join(why))

    def _areas(self, told: Muster) -> list[str]:
        rows = [tuple(self._say(word) for word in ("zones", "people", "coverage", "names"))]
        for area in told.areas:
            who = list(area.workers)
            who += [self._say("more", n=area.unnamed)] if area.unnamed else []
            left, lost = area.last_seen - area.lost_numbers, area.lost_numbers
            who += [self._say("left", n=left)] if left else []
            who += [self._say("lost_here", n=lost)] if lost else []
            blind = area.metres_seen < area.metres or not (area.metres or told.complete)
            count = self._range(area.people, area.at_least, blind=blind)
            seen = f"{area.metres_seen}/{area.metres} m" if area.metres else "-"
            rows.append((area.zone or self._say("elsewhere"), count, seen, ", ".join(who)))
        widths = [max(_width(row[n]) for row in rows) for n in range(3)]
        return [
            "  ".join([*(_padded(row[n], widths[n]) for n in range(3)), row[3]]).rstrip()
            for row in rows
        ]

    def _missing(self, told: Muster) -> list[str]:
        if not told.expected_by:
            return [self._say("no_roster")]
        word = "missing" if told.missing else "missing_none"
        head = self._say(word, n=len(told.missing), all=told.expected)
        out = [head + (self._say("by_tags") if told.expected_by == "tags" else "")]
        for one in told.missing:
            parts = []
            if one.last is not None:
                kind = "doubtful" if one.why == "in_view" else "last"
                where, at = self._where(one.last), _clock(one.last.seen_at_ns)
                parts.append(self._say(kind, where=where, at=at))
            else:
                parts.append(self._say("never", at=self._since(told.listening_since_ns)))
            if one.tag is not None:
                where, at = self._where(one.tag), _clock(one.tag.seen_at_ns)
                parts.append(self._say("tag", where=where, at=at))
            out.append(f"  {one.worker}  {'; '.join(parts)}")
        if told.missing and told.unnamed:
            out.append("  " + self._say("one_of", n=told.unnamed))
        return out

    def _away(self, told: Muster) -> list[str]:
        lost = [one for one in told.away if one.state == "out_of_view" and one.worker is None]
        rest = [one for one in told.away if one not in lost]
        return [*self._listed("away_head", rest), *self._listed("lost_head", lost)]

    def _listed(self, head: str, people: list[Somebody]) -> list[str]:
        out = ["", self._say(head)] if people else []
        for one in people:
            where, at = self._where(one.last), _clock(one.last.seen_at_ns)
            last = self._say("last", where=where, at=at)
            out.append(f"  {_name(one)}  {self._say(one.state)}; {last}")
        return out

    def _where(self, place: Place) -> str:
        x, y, _ = place.xyz_m
        along = "" if place.chainage_m is None else f"{place.chainage_m:.0f} m, "
        if place.landmark is not None and place.chainage_m is not None:
            along += by_landmark(place.landmark, place.chainage_m, LANGUAGES[self._column]) + ", "
        rest = [part for part in (place.zone, place.gateway) if part]
        return f"{along}x {x:.1f} y {y:.1f}" + (f" ({', '.join(rest)})" if rest else "")

    def _count(self, told: Muster, people: int, at_least: int) -> str:
        return self._range(people, at_least, blind=not told.complete)

    def _range(self, people: int, at_least: int, *, blind: bool) -> str:
        """Write a count: "at least" where cameras can't see or it may be one person twice."""
        if at_least < people:
            return self._say("maybe", n=people, least=at_least)
        return self._say("at_least", n=people) if blind else str(people)

    def _since(self, at_ns: int | None) -> str:
        return self._say("unknown_time") if at_ns is None else _clock(at_ns, day=True)

    def _say(self, word: str, **fields: object) -> str:
        return WORDS[word][self._column].format(**fields)


def _name(one: Somebody) -> str:
    return one.worker or f"#{one.id}"


def _clock(at_ns: int, *, day: bool = False) -> str:
    form = "%Y-%m-%d %H:%M:%S" if day else "%H:%M:%S"
    return datetime.fromtimestamp(at_ns / 1e9).astimezone().strftime(form)


def _width(text: str) -> int:
    """Tell how many columns a terminal takes: two for a Chinese sign."""
    return sum(2 if ord(letter) > 0x2E7F else 1 for letter in text)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _width(text))
