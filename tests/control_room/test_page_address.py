"""Two control rooms that start at once on one port: one serves, the other takes no alarm."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.delivery.parts import HANG_S, free_port, wait_until

PAIRS = 10
AT_ONCE = """
import sys
from edge.main import main, _module

_module("control-room")  # all that takes long, before either begins
print("ready", flush=True)
sys.stdin.readline()
sys.exit(main())
"""
Room = subprocess.Popen[str]


@contextmanager
def room_at(port: int, journal: Path) -> Iterator[Room]:
    words = ["control-room", "--broker", "mqtt://127.0.0.1:1", "--port", str(port)]
    process = subprocess.Popen(
        [sys.executable, "-c", AT_ONCE, *words, "--journal", str(journal)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_one_of_two_that_start_at_once_has_the_port_and_the_other_takes_no_alarm(
    tmp_path: Path,
) -> None:
    """Until one listens both could be bound to it; and who has no page shows alarms to nobody."""
    for number in range(PAIRS):
        port = free_port()
        files = [tmp_path / f"{number}-{name}" / "journal.sqlite" for name in "ab"]
        with room_at(port, files[0]) as first, room_at(port, files[1]) as second:
            rooms = (first, second)
            for room in rooms:
                assert room.stdout is not None and room.stdout.readline() == "ready\n"
            for room in rooms:
                assert room.stdin is not None
                room.stdin.write("\n")
                room.stdin.flush()
            wait_until(lambda rooms=rooms: any(room.poll() is not None for room in rooms))  # type: ignore[misc]
            one, other = rooms if first.poll() is None else rooms[::-1]
            other_file = files[rooms.index(other)]
            assert other.returncode == 2
            assert f"127.0.0.1:{port}" in other.communicate(timeout=HANG_S)[1]
            assert not other_file.exists()
            assert one.stdout is not None
            assert f":{port}/" in one.stdout.readline()
            one.terminate()
            assert one.wait(HANG_S) == 0
