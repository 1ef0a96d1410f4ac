"""Who was where at an instant: everybody's last place that the journal has at or before it.

Knows nothing about databases or formats. Positions are thinned, so that at the instant itself
hardly anybody has a row.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from control_room.journal.database import Database
from control_room.journal.query import Found, Question, answer

Language = Literal["en", "zh"]
COLUMNS = (
    *("worker", "track", "site", "gateway", "zones", "x_m", "y_m", "sigma_m"),
    *("posture", "certainty", "at_ns", "age_s", "seen_at_ns"),
)
UNSEEN_S = 2.0
"""A place this much older than its row was said of somebody whom no camera saw then."""
_NS = 1_000_000_000

_WORDS = {
    "nobody": (
        "Nobody has a place in the journal then or up to {0} before: nobody was seen, or nothing "
        "was written down",
        "日志中该时刻及之前 {0} 内没有任何人的位置：无人被看到，或当时没有记录",
    ),
    "place": ("x {0:.1f} m, y {1:.1f} m ± {2:.1f} m", "x {0:.1f} 米，y {1:.1f} 米 ± {2:.1f} 米"),
    "age": ("{0} ({1} before)", "{0}（{1}前）"),
    "unseen": ("not seen since {0}", "自 {0} 起未被看到"),
    "s": ("{0:.0f} s", "{0:.0f} 秒"),
    "min": ("{0:.0f} min", "{0:.0f} 分钟"),
    "upright": ("upright", "站立"),
    "crouching": ("crouching", "蹲下"),
    "lying": ("lying", "躺倒"),
}


@dataclass(slots=True)
class _Followed:
    """One number of a gateway, as far as it had its newest name."""

    newest: Found
    first_ns: int


def last_places(
    database: Database, at_ns: int, *, within_s: float, site: str | None = None
) -> list[Found]:
    """Give everybody's last place in the `within_s` up to `at_ns`, the newest first.

    Rows have `COLUMNS`, metres in mine coordinates. Several numbers of one name are one person,
    but where one gateway followed them at the same time: those are two, whatever they are called.
    Raises `JournalError`.
    """
    since_ns = at_ns - round(within_s * _NS)
    question = Question(
        what="positions", from_ns=since_ns, to_ns=at_ns + 1, site=site, newest_first=True
    )
    numbers: dict[tuple[str, str, int], dict[str | None, _Followed]] = {}
    for _, row in answer(database, question):
        _note(numbers.setdefault((row["site"], row["gateway"], row["track"]), {}), row)
    found = [one for names in numbers.values() for one in names.values()]
    found.sort(key=lambda one: one.newest["at_ns"], reverse=True)
    rows = [one.newest for one in _once_each(found)]
    ages = [{**row, "age_s": round((at_ns - row["at_ns"]) / _NS, 1)} for row in rows]
    return [{name: row[name] for name in COLUMNS} for row in ages]


def _note(names: dict[str | None, _Followed], row: Found) -> None:
    """Take note of a row of one number, the newest first: a number may go over to another worker.

    Where a number has lost its name, it is whoever had it last.
    """
    name, at_ns = row["worker"], row["at_ns"]
    if name is None and names:
        return
    if list(names) == [None] and name is not None:
        unnamed = names.pop(None)
        names[name] = _Followed({**unnamed.newest, "worker": name}, at_ns)
    names.setdefault(name, _Followed(row, at_ns)).first_ns = at_ns


def _once_each(tracks: Iterable[_Followed]) -> Iterator[_Followed]:
    """Pass over older numbers of somebody who is there already; `tracks` come newest first."""
    kept: dict[tuple[str, str], list[_Followed]] = {}
    for one in tracks:
        row = one.newest
        if row["worker"] is not None:
            same = kept.setdefault((row["site"], row["worker"]), [])
            if same and not any(_beside(one, other) for other in same):
                continue
            same.append(one)
        yield one


def _beside(earlier: _Followed, later: _Followed) -> bool:
    """Tell whether one gateway followed both at one time."""
    here = earlier.newest["gateway"] == later.newest["gateway"]
    return here and bool(earlier.newest["at_ns"] >= later.first_ns)


def in_words(rows: Iterable[Found], within_s: float, language: Language = "en") -> Iterator[str]:
    """Write a line a person, or one that says that there is nobody; times are this computer's."""

    def say(word: str, *values: object) -> str:
        return _WORDS[word][language == "zh"].format(*values) if word in _WORDS else word

    def span(s: float) -> str:
        return say("s", s) if s < 120 else say("min", s / 60)

    none = True
    for row in rows:
        none = False
        number = f"#{row['track']}"
        who = f"{row['worker']} ({number})" if row["worker"] else number
        parts = [
            who,
            say("place", row["x_m"], row["y_m"], row["sigma_m"]),
            *([row["zones"].replace(",", ", ")] if row["zones"] else []),
            say(row["posture"]),
            say("age", _local(row["at_ns"]), span(row["age_s"])),
        ]
        if row["at_ns"] - row["seen_at_ns"] > UNSEEN_S * _NS:
            parts.append(say("unseen", _local(row["seen_at_ns"])))
        yield "   ".join([*parts, f"{row['site']}/{row['gateway']}"])
    if none:
        yield say("nobody", span(within_s))


def _local(at_ns: int) -> str:
    return datetime.fromtimestamp(at_ns // _NS).astimezone().strftime("%H:%M:%S")
