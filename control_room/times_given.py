"""Times as somebody types them on a command line: ISO 8601, or a bare time of the day.

Knows nothing about what is asked for.
"""

import argparse
import re
import sys
from datetime import datetime, time, timedelta

from control_room.journal.query import time_ns
from scene.errors import LamproomError

TIMES = (
    "2026-11-29T08:00 (local time), 2026-11-29T08:00Z, or 08:00, which is the last time that it was"
)
BARE = re.compile(r"\d{1,2}:\d{2}(:\d{2})?")


def given_time(text: str) -> int:
    """Read a time as UTC nanoseconds; for `argparse`, so it raises its own error."""
    if BARE.fullmatch(text.strip()):
        return _last_time_ns(text.strip())
    try:
        return time_ns(text)
    except LamproomError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _last_time_ns(text: str) -> int:
    """Give the last time that a clock here showed this, and say which that is."""
    now = datetime.now()
    try:
        moment = datetime.combine(now, time.fromisoformat(text.zfill(5)))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is no time of the day: {error}") from None
    if moment > now:
        moment -= timedelta(days=1)
    print(f"lamproom: {text} is taken as {moment.isoformat()}", file=sys.stderr)
    return time_ns(moment.isoformat())
