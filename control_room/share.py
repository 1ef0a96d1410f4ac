"""How the threads of a control room share the one core that Python keeps them on.

Knows nothing about what they do.
"""

import gc
import sys

SWITCH_S = 0.001
"""A thread that waits for the interpreter's lock gets it after so long, where another one computes:
an alarm crosses four threads, and each message is read by one that gives the lock away."""
YOUNG, MIDDLE, OLD = 20_000, 10, 5
"""So many new objects are looked through for cycles together, and of these so many times before
older ones are. A count of 1,500 heads makes 30,000 objects and lets them go again: by Python's 700
that was 30 searches each, 4 % of the core, and every few seconds a stop of 70 ms for everybody."""


def share_the_core() -> None:
    """Set the interpreter up; to be called once all is imported that is needed for good."""
    sys.setswitchinterval(SWITCH_S)
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
