"""Makes broken files and messages out of good ones, knowing how such texts are built.

A good text is a tree of objects, lists and values. Most cases change the tree in a few places and
write it as text again, so that they get past the first checks; some damage the text itself.
"""

import copy
import json
import random
import re
from collections.abc import Callable
from typing import Any

NASTY: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    2**31,
    2**63,
    -(2**63) - 1,
    2**64,
    10**400,
    0.0,
    -0.0,
    1e-320,
    1e308,
    -1e308,
    float("nan"),
    float("inf"),
    float("-inf"),
    "",
    " ",
    "0",
    "1e400",
    ".nan",
    "null",
    "x" * 5000,
    "\x00",
    "\u202e\ud7ff\U0001f480",
    "../../etc/passwd",
    "rtsp://user:secret@host/x",
    "<script>alert(1)</script>",
    "${HOME} %s {0} {x}",
    [],
    {},
    [[]],
    [0] * 3000,
    {"x": 1},
)
DEPTH = 2000


class Raw(str):
    """Text that goes into the output as it is."""


def cases(seeds: list[Any], dice: random.Random) -> str:
    """Make one case from one of the good trees."""
    tree = copy.deepcopy(dice.choice(seeds))
    for _ in range(dice.choice((1, 1, 1, 2, 3, 8))):
        tree = dice.choice(CHANGES)(tree, dice)
    if dice.random() < 0.003:
        tree = RARE(tree, dice)
    text = written(tree)
    return damaged(text, dice) if dice.random() < 0.15 else text


def written(tree: Any) -> str:
    """Write a tree as JSON, which is YAML as well; repeated keys and raw text are possible."""
    if isinstance(tree, Raw):
        return str(tree)
    if isinstance(tree, dict):
        inside = ", ".join(f"{written(str(key))}: {written(value)}" for key, value in tree.items())
        return f"{{{inside}}}"
    if isinstance(tree, list | tuple):
        return f"[{', '.join(written(item) for item in tree)}]"
    if isinstance(tree, int) and abs(tree) > 10**300:
        return ("-" if tree < 0 else "") + "9" * 5000
    if isinstance(tree, float):
        return re.sub(r"^(-?\d+)e", r"\1.0e", repr(tree))  # YAML takes 2e-05 for a word
    return json.dumps(tree)


def damaged(text: str, dice: random.Random) -> str:
    """Damage a text: cut, doubled, with signs that mean something changed or put in."""
    at, kind = dice.randrange(len(text) + 1), dice.randrange(5)
    if kind == 0:
        return text[:at]
    if kind == 1:
        return text[:at] + dice.choice("{}[]\":,'\\\n\t#&*!|>%@`\x00\ufeff") + text[at:]
    if kind == 2:
        return text[:at] + text[at + dice.randrange(1, 20) :]
    if kind == 3:
        return text + text
    return text[:at] + chr(dice.randrange(0xD800)) + text[at + 1 :]


def _places(tree: Any, holder: Any = None, key: Any = None) -> list[tuple[Any, Any]]:
    """List (holder, key) of everything in a tree."""
    found = [] if holder is None else [(holder, key)]
    if isinstance(tree, dict):
        for name, value in tree.items():
            found += _places(value, tree, name)
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            found += _places(value, tree, index)
    return found


def _change_one(change: Callable[[Any, random.Random], Any]) -> Callable[[Any, random.Random], Any]:
    def changed(tree: Any, dice: random.Random) -> Any:
        places = _places(tree)
        if not places:
            return change(tree, dice)
        holder, key = dice.choice(places)
        holder[key] = change(holder[key], dice)
        return tree

    return changed


def _nasty(value: Any, dice: random.Random) -> Any:
    return copy.deepcopy(dice.choice(NASTY))


def _near(value: Any, dice: random.Random) -> Any:
    """Change a value a little: another number, sign, type or letter."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        value = value if abs(value) < 1e300 else 7
        return dice.choice((value + 1, -value, value * 1000, str(value)[:5000], [value], 0.3))
    if isinstance(value, str):
        return dice.choice((value + "x", value[1:], value.upper(), value[::-1], [value], 5))
    if isinstance(value, list):
        return dice.choice(
            (value[:-1], value + value[:1], value[::-1], value * 2, dict.fromkeys("ab"))
        )
    return list(value.values()) if isinstance(value, dict) else value


def _drop(tree: Any, dice: random.Random) -> Any:
    places = _places(tree)
    if places:
        holder, key = dice.choice(places)
        del holder[key]
    return tree


def _rename(tree: Any, dice: random.Random) -> Any:
    places = [(holder, key) for holder, key in _places(tree) if isinstance(holder, dict)]
    if places:
        holder, key = dice.choice(places)
        holder[dice.choice((key + "s", key[:-1], key.upper(), "", "__class__"))] = holder.pop(key)
    return tree


def _swap(tree: Any, dice: random.Random) -> Any:
    """Put a copy of one part where another is."""
    places = _places(tree)
    if places:
        (holder, key), (other, place) = dice.choice(places), dice.choice(places)
        if key in holder if isinstance(holder, dict) else key < len(holder):
            holder[key] = copy.deepcopy(other[place])
    return tree


def _twice(tree: Any, dice: random.Random) -> Any:
    """Give a key twice."""
    places = [(holder, key) for holder, key in _places(tree) if isinstance(holder, dict)]
    if places:
        holder, key = dice.choice(places)
        holder[key] = Raw(f"{written(holder[key])}, {written(str(key))}: {written(holder[key])}")
    return tree


def _deep(value: Any, dice: random.Random) -> Any:
    opening, closing = dice.choice((("[", "]"), ('{"a": ', "}")))
    return Raw(opening * DEPTH + "1" + closing * DEPTH)


CHANGES: tuple[Callable[[Any, random.Random], Any], ...] = (
    _change_one(_nasty),
    _change_one(_nasty),
    _change_one(_near),
    _change_one(_near),
    _drop,
    _rename,
    _swap,
    _twice,
    *(() if DEPTH == 0 else (_swap, _change_one(_near))),
)
RARE = _change_one(_deep)
