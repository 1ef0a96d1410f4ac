"""Sets the clock of a Python process: its start-up looks here when the folder is on PYTHONPATH.

The file named by CLOCK_STEP_FILE holds the seconds by which the clock has been set; the monotonic
clock goes on as it does when a real clock is set.
"""

import os
import time

_time_ns = time.time_ns
_file = os.environ["CLOCK_STEP_FILE"]


def _set_ns() -> int:
    with open(_file, encoding="utf-8") as file:
        return int(float(file.read() or 0) * 1e9)


def _stepped_ns() -> int:
    return _time_ns() + _set_ns()


time.time_ns = _stepped_ns
time.time = lambda: _stepped_ns() / 1e9
