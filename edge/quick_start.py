"""Imports without looking for garbage in between: that takes a seventh of the time.

Knows nothing about what is imported.
"""

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def importing(*, for_good: bool = True) -> Iterator[None]:
    """Look for no garbage in the block, as nothing that is imported is.

    What is there after it, a process that does it `for_good` never looks through again: each time
    would hold up all its threads for some hundredths of a second.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if for_good:
            gc.freeze()
        if was_enabled:
            gc.enable()
