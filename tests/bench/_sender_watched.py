"""The sender's process of `sender_memory`, which writes down what it takes.

A file of its own, as a service is: a process is told a module that has `main`.
"""

import ctypes
import os
import sys
import threading
import time
from pathlib import Path

from edge import sender
from edge.service import Context

FILE = "LAMPROOM_BENCH_FILE"
EVERY_S = 2.0
_IN_USE, _FIELDS = 7, 10
"""Of mallinfo2(3): `uordblks`, the bytes that are handed out, and how many fields there are."""


class _MallInfo(ctypes.Structure):
    _fields_ = tuple((f"field_{one}", ctypes.c_size_t) for one in range(_FIELDS))


def main(context: Context) -> None:
    """Send until the run ends."""
    threading.Thread(target=_watch, args=(Path(os.environ[FILE]),), daemon=True).start()
    sender.main(context)


def _watch(file: Path) -> None:
    tell = ctypes.CDLL(None).mallinfo2
    tell.restype = _MallInfo
    while True:
        lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
        rss_kb = next(int(line.split()[1]) for line in lines if line.startswith("Rss:"))
        in_use = getattr(tell(), f"field_{_IN_USE}")
        text = f"{rss_kb * 1024 / 1e6:.2f} {sys.getallocatedblocks()} {in_use / 1e6:.1f}"
        file.with_suffix(".new").write_text(text)
        file.with_suffix(".new").replace(file)
        time.sleep(EVERY_S)
