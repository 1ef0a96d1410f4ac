"""A gateway whose pipeline only raises alarms: `python -m tests.faults.gateway SITE BROKER`."""

import sys
from dataclasses import replace
from pathlib import Path


def main() -> int:
    """Run until a signal comes."""
    # Only here: a process that is spawned imports this module once more.
    import edge.main  # noqa: F401 (what it sets for all commands)
    from edge.quick_start import importing

    with importing():
        from edge.options import RunOptions
        from edge.services import SERVICES, Supervisor

    rows = {
        "sender": SERVICES["sender"],
        "pipeline": replace(
            SERVICES["pipeline"], module="tests.faults.alarm_source", ends_run=False, cameras=False
        ),
    }
    options = RunOptions(site_file=Path(sys.argv[1]), broker_url=sys.argv[2])

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    return Supervisor(options, say, rows, fresh=True).run()


if __name__ == "__main__":
    sys.exit(main())
