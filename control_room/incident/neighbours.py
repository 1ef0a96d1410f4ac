"""Find the files beside a recording that have minutes of the same gateway, for one hour is a file.

Knows nothing about exports. A recorder's files are `NAME.mcap`, `NAME-2.mcap`, …, by time.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from delivery.recordings.format import number_in
from delivery.recordings.outline import place_of, span_of
from scene.errors import RecordingError


def files_round(path: Path, from_ns: int, to_ns: int) -> list[Path]:
    """Give a recording and those of its family that have something of a time, the oldest first.

    Looks from file to file, to both sides, until one has nothing of it. Those that can't be read,
    or are another gateway's, are passed over; of `path` nothing is asked.
    """
    try:
        place = place_of(path)
        number, family = _family_of(path)
    except (OSError, RecordingError):
        return [path]  # whoever reads it says what is wrong
    older = sorted((one for one in family if one < number), reverse=True)
    newer = sorted(one for one in family if one > number)
    before, behind = (
        _while_in((family[one] for one in side), place, from_ns, to_ns) for side in (older, newer)
    )
    return [*reversed(before), path, *behind]


def _family_of(path: Path) -> tuple[int, dict[int, Path]]:
    """Give the number of a file, and the files of its family by theirs; raises `OSError`."""
    first = path.with_name(re.sub(r"-[0-9]+$", "", path.stem) + path.suffix)
    number = number_in(path.name, first)
    if number is None:  # it is called so
        first, number = path, 1
    family = dict[int, Path]()
    for one in path.parent.iterdir():
        found = number_in(one.name, first)
        if found is not None and one.is_file():
            family[found] = one
    return number, family


def _while_in(
    files: Iterable[Path], place: tuple[str, str] | None, from_ns: int, to_ns: int
) -> list[Path]:
    taken = list[Path]()
    for file in files:
        try:
            bounds = span_of(file)
            if bounds is None or place_of(file) != place:
                continue
        except RecordingError:
            continue
        if bounds[1] < from_ns or bounds[0] > to_ns:
            break
        taken.append(file)
    return taken
