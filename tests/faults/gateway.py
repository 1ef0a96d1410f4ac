"""A gateway whose pipeline only raises alarms: `python -m tests.faults.gateway SITE BROKER`."""

import sys
from dataclasses import replace
from pathlib import Path

from edge.options import RunOptions
from edge.services import SERVICES, Supervisor

ROWS = {
    "sender": SERVICES["sender"],
    "pipeline": replace(
        SERVICES["pipeline"], module="tests.faults.alarm_source", ends_run=False, cameras=False
    ),
}


def main() -> int:
    """Run until a signal comes."""
    options = RunOptions(site_file=Path(sys.argv[1]), broker_url=sys.argv[2])
    return Supervisor(options, lambda text: print(text, file=sys.stderr, flush=True), ROWS).run()


if __name__ == "__main__":
    sys.exit(main())
