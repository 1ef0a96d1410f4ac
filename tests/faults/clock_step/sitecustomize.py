"""Sets the clock of a Python process: its start-up looks here when the folder is on PYTHONPATH.

The file named by CLOCK_STEP_FILE holds the seconds by which the clock has been set; the monotonic
clock goes on as it does when a real clock is set.
"""

import os
import time


def set_the_clock(step_file: str) -> None:
    """Let this process see the clock as the file says."""
    true_ns = time.time_ns

    def stepped_ns() -> int:
        with open(step_file, encoding="utf-8") as file:
            return true_ns() + int(float(file.read() or 0) * 1e9)

    time.time_ns = stepped_ns
    time.time = lambda: stepped_ns() / 1e9


if "CLOCK_STEP_FILE" in os.environ:
    set_the_clock(os.environ["CLOCK_STEP_FILE"])
