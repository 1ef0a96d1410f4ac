"""`make bench`: run every measurement, print one table, write `build/bench.json`.

Each module `tests/bench/*.py` with a `measure() -> dict[str, float]` is a measurement; times are
ratios taken side by side in one run. One that lacks its data says why and is left out.
"""

import argparse
import importlib
import json
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

FOLDER = Path(__file__).parent
OUT = Path("build/bench.json")


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
    figures: dict[str, float] = {}
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
    table = Table("figure", "value")
    for key, value in sorted(figures.items()):
        table.add_row(key, f"{value:.4g}")
    Console().print(table)
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(figures, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    print(f"written to {OUT}", file=sys.stderr)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
