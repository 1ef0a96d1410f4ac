"""An alarm's evidence in Chinese: the English sentence, worded anew with the same figures.

Knows nothing about alarms: what there is to word stands in `evidence_table.py`. Evidence travels as
one English sentence, put together from parts; here it is taken apart again. What nobody has worded,
an error's own text for instance, stays in English: nothing is left out.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from control_room.evidence_table import ROWS

LONGEST, DEEPEST = 1200, 12
"""Longer texts are none of ours, and patterns could take long over them."""
NUMBER = r"-?[\d.]+(?:e[+-]?\d+)?|-?inf|nan|\?"
PLACE = r"x -?[\d.]+ m, y -?[\d.]+ m(?: ± [\d.]+ m)?"
HOLES = {
    "": r"(?:(?!; ).)+?",
    ",": r"(?:(?!; ).)+?",
    "#": NUMBER,
    "@": PLACE,
    "*": r".+",
    "~": r".+",
    "!": r".+",
}
"""What a `{name}` in the table takes: a text within one part, `,` several such, `#` a number, `@` a
place, `*` what is worded in its turn, `~` what may have words of its own, as an error has, `!`
somebody's words, which stay as they are."""
HAN = re.compile(r"[\u4e00-\u9fff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    pattern: re.Pattern[str]
    needle: str
    """Its longest fixed part: without that it can't fit."""
    chinese: str
    kinds: dict[str, str]
    """What each of its holes takes."""


def in_chinese(evidence: str) -> str:
    """Word an alarm's evidence in Chinese, as far as it has been worded.

    >>> in_chinese("No heartbeat for 4.1 s; at most 4 s is well. What its cameras see is unknown.")
    '4.1 秒无心跳（最多允许 4 秒）。其摄像机所见情况不明。'
    """
    return _worded(evidence)[0]


def unworded(evidence: str) -> tuple[str, ...]:
    """List the parts of an alarm's evidence that stay in English for want of a wording."""
    return _worded(evidence)[1]


_Said = tuple[str, tuple[str, ...]]
"""The Chinese, and which parts of the English are still in it."""


@lru_cache(maxsize=4096)
def _worded(evidence: str) -> _Said:
    if not evidence or len(evidence) > LONGEST:
        return evidence, (evidence,) if evidence else ()
    return _say(evidence, 0)


def _say(text: str, depth: int) -> _Said:
    text = text.strip().rstrip(",")
    if depth > DEEPEST or not text:
        return text, (text,) if text else ()
    for row in _rows():
        if row.needle in text.casefold() and (found := row.pattern.fullmatch(text)):
            return _filled(row, found, depth)
    for split in (_sentences, _parts, _bilingual, _subject):
        said = split(text, depth)
        if said is not None:
            return said
    return text, (text,)


def _filled(row: _Row, found: re.Match[str], depth: int) -> _Said:
    left: tuple[str, ...] = ()
    values = {}
    for name, text in found.groupdict().items():
        kind, value = row.kinds[name], text
        if kind == "@":
            value = text.replace(" m", " 米").replace(", ", "，")
        elif kind == ",":
            value = text.replace(", ", "、")
        elif kind in ("*", "~"):
            value, more = _say(text, depth + 1)
            left += more if kind == "*" else ()
        values[name] = value
    return row.chinese.format(**values), left


def _sentences(text: str, depth: int) -> _Said | None:
    parts = re.split(r"(?<=\.) (?=[A-Z])", text)
    if len(parts) == 1:
        return None if not text.endswith(".") else _joined([text[:-1]], depth, "", end="。")
    return _joined(parts, depth, "")


def _parts(text: str, depth: int) -> _Said | None:
    parts = text.split("; ")
    return None if len(parts) == 1 else _joined(parts, depth, "；")


def _bilingual(text: str, depth: int) -> _Said | None:
    """Take the Chinese of a text that has both."""
    _, slash, chinese = text.partition(" / ")
    return (chinese, ()) if slash and HAN.search(chinese) else None


def _subject(text: str, depth: int) -> _Said | None:
    """Keep a name before a colon, where the rest has words."""
    name, colon, rest = text.partition(": ")
    if not colon:
        return None
    chinese, left = _say(rest, depth + 1)
    return None if left else (f"{name}：{chinese}", ())


def _joined(parts: list[str], depth: int, by: str, *, end: str = "") -> _Said:
    said = [_say(part, depth + 1) for part in parts]
    left = tuple(part for _, more in said for part in more)
    return by.join(chinese for chinese, _ in said) + end, left


@lru_cache(maxsize=1)
def _rows() -> tuple[_Row, ...]:
    return tuple(_row(english, chinese) for english, chinese in ROWS)


def _row(english: str, chinese: str) -> _Row:
    holes = re.compile(r"\{(\w+)([#@*~!,]?)\}")
    kinds: dict[str, str] = {name: kind for name, kind in holes.findall(english)}
    fixed = [part for part in re.split(r"\{\w+[#@*~!,]?\}", english) if part]
    pattern = _between(english, holes, lambda name, kind: f"(?P<{name}>{HOLES[kind]})")
    return _Row(
        pattern=re.compile(pattern, re.IGNORECASE | re.DOTALL),
        needle=max(fixed, key=len).casefold(),
        chinese=chinese,
        kinds=kinds,
    )


def _between(text: str, holes: re.Pattern[str], fill: Callable[[str, str], str]) -> str:
    """Escape what stands between the holes of a text, and fill those."""
    out, at = "", 0
    for hole in holes.finditer(text):
        out += re.escape(text[at : hole.start()]) + fill(hole[1], hole[2])
        at = hole.end()
    return out + re.escape(text[at:])
