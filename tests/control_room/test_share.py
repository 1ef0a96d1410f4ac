import subprocess
import sys

LOOK = """
import gc, sys
from control_room.share import share_the_core
share_the_core()
before = gc.get_stats()[0]["collections"]
kept = [[n] for n in range(10_000)]  # some fifteen collections by Python's own measure
print(gc.get_stats()[0]["collections"] - before, gc.get_freeze_count() > 0)
print(gc.isenabled(), sys.getswitchinterval() < 0.002)
"""


def test_what_lasts_is_not_looked_through_for_every_few_messages() -> None:
    """In a process of its own: it holds for all that is in one."""
    told = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["0", "True", "True", "True"]
