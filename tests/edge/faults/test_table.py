"""The table of faults and the document for those who drill agree."""

import re
from pathlib import Path

from edge.faults.table import FAULTS
from scene.alarms import ALARMS

DOCUMENT = Path(__file__).parents[3] / "docs" / "drills.md"


def test_every_fault_is_in_the_document_as_it_is() -> None:
    lines = DOCUMENT.read_text(encoding="utf-8").splitlines()
    rows = {
        found[1]: line
        for line in lines
        if (found := re.match(r"\| `([a-z-]+)(?: [A-Z]+)?` ", line))
    }
    assert rows.keys() == FAULTS.keys()
    for what, fault in FAULTS.items():
        takes = f" {fault.takes.upper()}" if fault.takes else ""
        assert rows[what].startswith(f"| `{what}{takes}` |")
        limits = re.findall(r"within (\d+) s", fault.must_be_seen)
        assert all(f"within {limit} s" in rows[what] for limit in limits), what
        if fault.for_s is not None:
            assert "`--for`" in rows[what] and f"({fault.for_s:g} s" in rows[what]
        for kind in re.findall(r"alarm ([a-z_]+)", fault.must_be_seen):
            if kind in ALARMS:
                assert f'"{ALARMS[kind].english}"' in rows[what], (what, kind)
