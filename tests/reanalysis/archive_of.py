"""Of what the archive is made that all tests here share, and how it is run again."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge import main
from tests.sample_site import SAMPLES

FALL_S = 9.0
CUTS = (42, 56, 68)
"""Before these pictures of the clip another file begins: the first in the midst of the seconds for
which somebody must lie before it is told."""
ZONE_ENTRY, ZONE_ENTRY_S = SAMPLES / "events" / "zone_entry", 8.0


LIMIT_S = 900.0
"""Nothing here takes so long, however busy the machine is."""


def until(condition: Callable[[], bool]) -> None:
    """Wait for a state."""
    limit_s = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < limit_s, "it never happened"
        time.sleep(0.02)


def reanalyse(*arguments: object) -> int:
    """Run the command here; gives its exit code."""
    return main.main(["reanalyse", *map(str, arguments)])


def results(folder: Path) -> dict[str, bytes]:
    """Read all that a run left in its folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def told(folder: Path) -> dict[str, Any]:
    """Read the report's data."""
    found: dict[str, Any] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return found
