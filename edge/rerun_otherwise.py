"""Says in what another site file differs from the recorded one, and what of that counts.

Knows nothing about what comes of it.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from edge.steps import site_fields
from scene.site import Site

CONTRADICTS = ("cameras", "rig", "floor", "supports", "marks", "panorama")
"""Sections that could change what comes out, and are always the recording's."""
MOST_CHARS = 60
MOST_LINES = 30


def differences_of(was: Site, now: Site, sections: Sequence[str]) -> list[str]:
    """Tell what is another in some sections, one line each: `limits.lone.within_m: 30 became 20`.

    Both are to be read with the same folder: files are compared by their names.
    """
    before, after = site_fields(was, sections), site_fields(now, sections)
    lines = [line for name in sections for line in _apart(before[name], after[name], name)]
    if len(lines) > MOST_LINES:
        lines[MOST_LINES:] = [f"… and {len(lines) - MOST_LINES} more"]
    return lines


def _apart(was: Any, now: Any, at: str) -> Iterator[str]:
    if was == now:
        return
    was, now = _by_name(was, or_none=now), _by_name(now, or_none=was)
    if not isinstance(was, dict) or not isinstance(now, dict):
        yield f"{at}: {_short(was)} became {_short(now)}"
        return
    for name in dict.fromkeys((*was, *now)):
        if name not in was or name not in now:
            yield f"{at}.{name}: {'new' if name in now else 'gone'}"
        else:
            yield from _apart(was[name], now[name], f"{at}.{name}")


def _by_name(given: Any, *, or_none: Any = None) -> Any:
    """Give a list of things that have names as what lies under each name.

    One that is empty may be of such things, if the other one, `or_none`, is.
    """
    if given == [] and isinstance(_by_name(or_none), dict):
        return {}
    if given and isinstance(given, list) and all(isinstance(one, dict) for one in given):
        names = [one.get("name") for one in given]
        if None not in names and len(set(names)) == len(names):
            return dict(zip(names, given, strict=True))
    return given


def _short(given: Any) -> str:
    text = "none" if given is None else str(given)
    return text if len(text) <= MOST_CHARS else f"{text[: MOST_CHARS - 1]}…"
