"""What lies in files beside a journal goes along when that moves to a server.

Knows nothing about databases. On a server's side these files lie in `state/` of this computer.
"""

import shutil
from pathlib import Path

from control_room.journal.database import beside
from scene.whole_file import write_whole

ENDINGS = (".heard.json", ".run", ".home_assistant")
"""Of those that are copied as they are, where there are none yet."""


def copy_beside(source: Path, target: str) -> None:
    """Copy the audit's heads, before those that the target has, and what else lies beside it.

    Raises OSError.
    """
    for ending in ENDINGS:
        file, new = beside(source, ending), beside(target, ending)
        assert file is not None and new is not None
        if file.is_file() and not new.exists():
            new.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, new)
    theirs, ours = (_lines(file) for file in (heads_of(source), heads_of(target)))
    heads = {line.split(" ")[1] for line in theirs}
    whole = [*theirs, *(line for line in ours if line.split(" ")[1] not in heads)]
    if whole != ours:
        heads_of(target).parent.mkdir(parents=True, exist_ok=True)
        write_whole(heads_of(target), "".join(f"{line}\n" for line in whole).encode())


def _lines(heads: Path) -> list[str]:
    """Read the whole lines of a file of heads, in which the last one may be half."""
    try:
        text = heads.read_text(encoding="ascii")
    except FileNotFoundError:
        return []
    return [line for line in text[: text.rfind("\n") + 1].splitlines() if " " in line]


def heads_of(journal: Path | str) -> Path:
    """Name the file with the audit's heads."""
    file = beside(journal, ".heads")
    assert file is not None
    return file
