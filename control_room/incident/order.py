"""What the control room's server tells the process that makes an export. Knows nothing else."""

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to export."""

    recordings: str
    """The folder, or one recording."""
    site: str
    gateway: str
    alarm: str
    """Its id; empty for an alarm of the control room's own, of which no recording knows."""
    raised_at_ns: int
    cleared_at_ns: int | None
    journal: str | None
    """An SQLite file or a PostgreSQL address."""
    key_file: str | None
    folder: str
    """Where to put the result: this folder, and a .zip beside it."""


def line_of(order: Order) -> str:
    """Write an order as a line of JSON."""
    return json.dumps(asdict(order)) + "\n"
