"""Two hours of alarms that waited on a gateway (72,000 words at 10 a second) drain.

Knows nothing about how. Real Mosquitto, everything signed, a live alarm every 0.2 s meanwhile.
"""

import tempfile
from pathlib import Path

import numpy as np

from tests.backlog import drain
from tests.delivery.parts import MOSQUITTO, NO_MOSQUITTO

ROWS = 72_000


def measure() -> dict[str, float | str]:
    """Drain once."""
    if MOSQUITTO is None:
        raise FileNotFoundError(NO_MOSQUITTO)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        found = drain(Path(folder), ROWS, live_every_s=0.2)
    return {
        "delivery.backlog_rows": ROWS,
        "delivery.backlog_drained_s": found.seconds,
        "delivery.backlog_lost_or_doubled": abs(found.said - found.journal_rows),
        "delivery.backlog_live_alarms": len(found.live_s),
        "delivery.backlog_live_p50_s": float(np.quantile(found.live_s, 0.5)),
        "delivery.backlog_live_p99_s": float(np.quantile(found.live_s, 0.99)),
        "delivery.backlog_live_worst_s": max(found.live_s),
    }
