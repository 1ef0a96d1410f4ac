"""The list of those who are underground: read from a file, one worker a line.

Knows nothing about who has been seen.
"""

import csv
import re
from dataclasses import dataclass
from pathlib import Path

from scene.errors import LamproomError

HEADS = {"worker", "name", "tag", "姓名", "标识卡"}
MOST = 10_000
SEPARATORS = ",;，；、\t"
"""Between a name and its tags: whichever a spreadsheet or a keyboard gives."""


class RosterError(LamproomError):
    """A roster can't be read; names the file and the line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """Somebody who is underground."""

    name: str
    also: tuple[str, ...] = ()
    """What else the mine's systems may call them, the tag's number for one."""

    @property
    def names(self) -> frozenset[str]:
        """All that they may be called."""
        return frozenset((self.name, *self.also))


def read_roster(path: Path) -> tuple[Worker, ...]:
    """Read a roster: `name` or `name,tag` a line; `#` begins a comment, a head is passed over.

    Instead of the comma any of `SEPARATORS` may stand, one kind in a line; between quotation marks
    they separate nothing. Raises `RosterError`.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "is not UTF-8 text; save it as such"
        raise RosterError(f"{path}: {why}") from None
    workers: list[Worker] = []
    used: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        fields = _fields(line.partition("#")[0].strip(), f"{path}:{number}")
        if not any(fields) or (not workers and fields[0].casefold() in HEADS):
            continue
        if not fields[0]:
            raise RosterError(f"{path}:{number}: no name before the tag; give name,tag")
        also = tuple(field for field in fields[1:] if field)
        for name in (fields[0], *also):
            if used.setdefault(name, number) != number:
                raise RosterError(
                    f"{path}:{number}: {name} stands in line {used[name]} already; take one out"
                )
        workers.append(Worker(name=fields[0], also=also))
    if not workers or len(workers) > MOST:
        raise RosterError(f"{path}: {len(workers)} workers; give 1 to {MOST}, one a line")
    return tuple(workers)


def _fields(line: str, place: str) -> list[str]:
    """Split a line at its separator; raises `RosterError` where nobody can say which that is."""
    bare = re.sub(r'"[^"]*"', "", line)  # what is quoted may hold any sign
    used = [sign for sign in SEPARATORS if sign in bare]
    if len(used) > 1 and "\t" in used:  # beside another one it is a blank
        used.remove("\t")
    if len(used) > 1:
        signs = " and ".join(used)
        raise RosterError(f"{place}: {signs} in one line; give name,tag with commas only")
    separator = used[0] if used else ","
    return [field.strip() for field in next(csv.reader([line], delimiter=separator), [])]
