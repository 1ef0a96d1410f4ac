"""`make bench`: run every measurement, print one table, write `build/bench.json`.

Each module `tests/bench/*.py` with a `measure() -> Figures` is a measurement; times are ratios
taken side by side in one run. A figure is a number, or a sentence that says why there is none: it
is shown and left out of the JSON. Names are `part.what_unit`.
"""

import argparse
import importlib
import json
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Column, Table

FOLDER = Path(__file__).parent
OUT = Path("build/bench.json")
Figures = dict[str, float | str]
PARTS = {
    "stitch": "Stitching",
    "detect": "Detection",
    "locate": "Location",
    "naming": "Names from tags",
    "alarm": "Alarms",
    "gateway": "A whole gateway",
    "delivery": "Delivery",
    "viewers": "Fifty viewers beside one",
    "recording": "Recording",
    "history": "History on PostgreSQL",
}
UNITS = {
    "_px": "px",
    "_m": "m",
    "_s": "s",
    "_ms": "ms",
    "_db": "dB",
    "_mb": "MB",
    "_share": "of 1",
    "_core_share": "cores",
    "_gb_per_hour": "GB/h",
    "_recall": "of 1",
    "_precision": "of 1",
    "_ap50": "of 1",
    "_idf1": "of 1",
    "_moda": "of 1",
    "hota": "of 1",
    "_deta": "of 1",
    "_assa": "of 1",
    "_ssim": "-1..1",
    "megapixels": "MP",
    "ns_per_pixel": "ns",
    "ms_per_panorama": "ms",
    "tick_ms_median": "ms",
    "tick_ms_p95": "ms",
}
"""Unit by the end of the name; the longest that fits. Anything else is a count or a ratio."""


def main() -> int:
    """Run the measurements whose names contain the given words."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("words", nargs="*", help="only measurements whose name has one of these")
    words = parser.parse_args().words
    names = sorted(
        path.stem
        for path in FOLDER.glob("*.py")
        if not path.stem.startswith("_") and (not words or any(w in path.stem for w in words))
    )
    figures: Figures = {}
    failed = False
    for name in names:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        try:
            figures |= importlib.import_module(f"tests.bench.{name}").measure()
        except FileNotFoundError as error:
            print(f"  left out: {error}", file=sys.stderr)
        except Exception as error:
            failed = True
            print(f"  failed: {error!r}", file=sys.stderr)
    Console().print(table_of(figures))
    numbers = {key: value for key, value in figures.items() if not isinstance(value, str)}
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(numbers, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    print(f"written to {OUT}", file=sys.stderr)
    return int(failed)


def table_of(figures: Figures) -> Table:
    """Lay the figures out, part by part."""
    table = Table(Column("figure", no_wrap=True), "value", "unit")
    known = [*PARTS, *sorted({key.split(".")[0] for key in figures} - set(PARTS))]
    for part in known:
        rows = [key for key in sorted(figures) if key.split(".")[0] == part]
        if rows:
            table.add_section()
            table.add_row(f"[bold]{PARTS.get(part, part)}[/bold]", "", "")
        for key in rows:
            value = figures[key]
            shown = f"[dim]{value}[/dim]" if isinstance(value, str) else _number(value)
            table.add_row(f"  {key}", shown, "" if isinstance(value, str) else _unit(key))
    return table


def _number(value: float) -> str:
    return f"{value:g}" if float(value).is_integer() else f"{value:.4g}"


def _unit(key: str) -> str:
    fitting = [end for end in UNITS if key.endswith(end)]
    return UNITS[max(fitting, key=len)] if fitting else ""


if __name__ == "__main__":
    sys.exit(main())
