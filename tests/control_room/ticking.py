"""Do something again and again beside a test."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def ticking(call: Callable[[], object], every_s: float) -> Iterator[None]:
    """Call in a thread of its own until the block ends."""
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(every_s):
            call()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
