import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from delivery.outbox import BALLAST_BYTES, FILE, Outbox, OutboxError
from scene.clock import ReplayClock, SystemClock
from tests.delivery.parts import alarm

DAY_NS = 24 * 3600 * 10**9


def outbox(folder: Path) -> Outbox:
    return Outbox(folder, SystemClock())


def test_an_alarm_waits_until_its_receipt(tmp_path: Path) -> None:
    box = outbox(tmp_path / "not" / "there" / "yet")
    raised, cleared = alarm(), alarm(state="cleared", at_ns=2000)
    assert box.put(raised)
    assert box.put(cleared)
    assert box.pending() == [cleared, raised]
    assert box.pending(newest_first=False) == [raised, cleared]
    assert box.pending(limit=1) == [cleared]
    assert box.receipt("man_down-1", "active")
    assert not box.receipt("man_down-1", "active")
    assert not box.receipt("somebody-else", "active")
    assert box.pending() == [cleared]
    box.close()


def test_the_same_alarm_twice_is_one_even_after_its_receipt(tmp_path: Path) -> None:
    box = outbox(tmp_path)
    assert box.put(alarm())
    assert not box.put(alarm())
    box.receipt("man_down-1", "active")
    assert not box.put(alarm())
    assert box.pending() == []
    box.close()


def test_a_newer_word_on_an_alarm_replaces_the_older_and_waits_again(tmp_path: Path) -> None:
    box = outbox(tmp_path)
    box.put(alarm(at_ns=1000))
    box.receipt("man_down-1", "active")
    assert box.put(alarm(at_ns=1500))
    assert [one.captured_at_ns for one in box.pending()] == [1500]
    assert not box.put(alarm(at_ns=1200))
    box.close()


def test_active_and_over(tmp_path: Path) -> None:
    box = outbox(tmp_path)
    box.put(alarm("a"))
    box.put(alarm("b"))
    box.put(alarm("b", "cleared", 2000))
    assert [one.id for one in box.active()] == ["a"]
    assert box.is_cleared(alarm("b"))
    assert not box.is_cleared(alarm("a"))
    assert box.over() == []
    box.receipt("b", "cleared")
    assert box.over() == ["b"]
    box.close()


def test_two_processes_may_use_it_and_it_is_read_again(tmp_path: Path) -> None:
    one, other = outbox(tmp_path), outbox(tmp_path)
    one.put(alarm("a"))
    other.put(alarm("b"))
    assert {found.id for found in one.pending()} == {"a", "b"}
    one.close()
    other.close()
    again = outbox(tmp_path)
    assert len(again.pending()) == 2
    again.close()


def test_what_was_receipted_long_ago_is_forgotten_but_no_active_alarm(tmp_path: Path) -> None:
    clock = ReplayClock(10 * DAY_NS)
    box = Outbox(tmp_path, clock)
    for id in ("over", "still", "waiting"):
        box.put(alarm(id))
    box.put(alarm("over", "cleared", 2000))
    box.receipts([("over", "active", None), ("over", "cleared", None), ("still", "active", None)])
    clock.set(10 * DAY_NS + DAY_NS - 10**9)
    assert box.forget_old() == 0
    clock.set(12 * DAY_NS)
    assert box.forget_old() == 2
    assert {one.id for one in box.active()} == {"still", "waiting"}
    assert [one.id for one in box.pending()] == ["waiting"]
    box.close()


WRITER = """
import sys
from dataclasses import replace
from pathlib import Path
from delivery.outbox import Outbox
from scene.clock import SystemClock
from tests.delivery.parts import alarm
box = Outbox(Path(sys.argv[1]), SystemClock())
i = int(sys.argv[2])
while True:
    box.put(alarm(f"a-{i}"))
    print(i, flush=True)
    i += 1
"""


def test_nothing_that_was_put_is_lost_to_sigkill(tmp_path: Path) -> None:
    chance = random.Random(5)
    put: set[str] = set()
    for round in range(4):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(round * 1_000_000)],
            stdout=subprocess.PIPE,
        )
        assert writer.stdout is not None
        for _ in range(chance.randrange(1, 60)):
            put.add(f"a-{int(writer.stdout.readline())}")
        writer.send_signal(signal.SIGKILL)
        put |= {f"a-{int(line)}" for line in writer.stdout}
        writer.wait()
        writer.stdout.close()
    box = outbox(tmp_path)
    found = {one.id for one in box.pending()}
    assert put
    assert put <= found
    assert len(found) <= len(put) + 4
    box.close()


def test_every_put_is_synced_to_the_disk(tmp_path: Path) -> None:
    box = outbox(tmp_path)
    assert box._db.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    box.close()


@pytest.mark.parametrize("harm", ["noise", "cut", "text", "another program's", "middle"])
def test_a_damaged_outbox_is_set_aside_and_work_goes_on(
    tmp_path: Path, harm: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / FILE
    box = outbox(tmp_path)
    for i in range(200):
        box.put(alarm(f"a-{i}"))
    box.close()
    if harm == "noise":
        file.write_bytes(random.Random(1).randbytes(50_000))
    elif harm == "cut":
        file.write_bytes(file.read_bytes()[:5000])
    elif harm == "text":
        file.write_text("this is no database")
    elif harm == "middle":
        data = bytearray(file.read_bytes())
        data[20_000:26_000] = bytes(6000)
        file.write_bytes(data)
    else:
        file.unlink()
        with sqlite3.connect(file) as db:
            db.execute("CREATE TABLE alarm (colour TEXT)")
        db.close()
    before = file.read_bytes()
    box = outbox(tmp_path)
    assert box.set_aside is not None
    assert box.set_aside.read_bytes()[100:] == before[100:]
    assert "set aside" in capsys.readouterr().err
    box.put(alarm("new"))
    found = {one.id for one in box.pending()}
    assert "new" in found
    if harm == "middle":
        assert len(found) > 100  # what could still be read was carried over
    box.close()


def test_another_process_follows_when_the_file_was_set_aside(tmp_path: Path) -> None:
    old = outbox(tmp_path)
    os.rename(tmp_path / FILE, tmp_path / "aside")
    new = outbox(tmp_path)
    old.put(alarm())
    assert new.pending() == [alarm()]
    old.close()
    new.close()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutboxError, match=r"file/outbox\.sqlite: .*state_folder"):
        outbox(tmp_path / "file")


FULL = """
import sys
from dataclasses import replace
from pathlib import Path
from delivery.outbox import Outbox, OutboxError
from scene.clock import SystemClock
from tests.delivery.parts import alarm
folder = Path(sys.argv[1])
box = Outbox(folder, SystemClock())
assert (folder / "ballast").exists()
with (folder / "filler").open("wb", buffering=0) as filler:
    try:
        while filler.write(bytes(4096)):
            pass
    except OSError:
        pass
put = 0
try:
    while True:
        box.put(alarm(f"a-{put}"))
        put += 1
except OutboxError as error:
    print(put, len(box.pending()), error)
assert not (folder / "ballast").exists()
"""


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("unshare") is None, reason="needs root, to mount a small disk"
)
def test_a_full_disk_frees_the_ballast_for_alarms_and_then_says_so(tmp_path: Path) -> None:
    mount = f'mount -t tmpfs -o size=4m tmpfs "{tmp_path}" && exec "$0" -c "$1" "{tmp_path}"'
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", mount, sys.executable, FULL],
        capture_output=True,
        text=True,
        check=False,
    )
    if "mount" in done.stderr or "unshare" in done.stderr:
        pytest.skip(f"can't mount a small disk here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    put, pending, error = done.stdout.split(" ", 2)
    assert int(put) * 300 > BALLAST_BYTES / 10
    assert int(pending) >= int(put)
    assert "full" in error
    assert "free space" in error


def test_what_nobody_receipted_is_kept_for_days_and_over_restarts(tmp_path: Path) -> None:
    clock = ReplayClock(now_ns=10**18)
    box = Outbox(tmp_path, clock)
    for i in range(20):
        box.put(alarm(f"a-{i}"))
        clock.sleep(3 * 3600)
        box.forget_old()
    box.close()
    again = Outbox(tmp_path, clock)
    assert [one.id for one in again.pending()] == [f"a-{i}" for i in reversed(range(20))]
    waiting = again.waiting()
    assert (waiting.count, waiting.since_ns) == (20, 10**18)
    again.close()


def test_a_receipt_stands_for_the_word_that_was_stored_or_an_older_one(tmp_path: Path) -> None:
    box = Outbox(tmp_path, ReplayClock())
    box.put(alarm(at_ns=2000))
    assert not box.receipt("man_down-1", "active", 1000)
    assert box.receipt("man_down-1", "active", 2000)
    box.put(alarm(at_ns=3000))
    assert box.receipt("man_down-1", "active"), "an older control room does not say which"


def test_critical_alarms_that_wait_too_long_are_named(tmp_path: Path) -> None:
    clock = ReplayClock(now_ns=10**18)
    box = Outbox(tmp_path, clock)
    box.put(replace(alarm("w"), severity="warning"))
    box.put(alarm("a"))
    box.put(alarm("over"))
    box.put(alarm("over", state="cleared", at_ns=2000))
    assert box.overdue(4.0) is None
    clock.sleep(5)
    assert box.overdue(6.0) is None
    found = box.overdue(4.0)
    assert found is not None
    assert found.id == "a"
    box.receipt("a", "active")
    assert box.overdue(4.0) is None
    box.put(alarm("b"))
    clock.sleep(5)
    box.close()
    box = Outbox(tmp_path, clock)
    found = box.overdue(4.0)
    assert found is not None, "what an earlier run left has waited since then"
    assert found.id == "b"


class SetClock(ReplayClock):
    """A clock that somebody sets; intervals go on as they were."""

    set_s = 0

    def now_ns(self) -> int:
        return super().now_ns() + self.set_s * 1_000_000_000


@pytest.mark.parametrize("set_s", [-3600, 3600])
def test_a_clock_that_is_set_neither_hides_nor_ages_what_waits(tmp_path: Path, set_s: int) -> None:
    clock = SetClock(now_ns=10**18)
    box = Outbox(tmp_path, clock)
    assert box.overdue(4.0) is None
    box.put(alarm())
    assert box.overdue(4.0) is None
    assert box.waiting().since_ns == 10**18
    clock.set_s = set_s
    clock.sleep(3)
    assert box.overdue(4.0) is None
    clock.sleep(2)
    assert box.overdue(4.0) is not None
    since_ns = box.waiting().since_ns
    assert since_ns is not None
    assert clock.now_ns() - since_ns == 5_000_000_000
    box.close()


def test_a_body_that_can_not_be_read_hides_no_other_alarm(tmp_path: Path) -> None:
    clock = ReplayClock(now_ns=10**18)
    box = Outbox(tmp_path, clock)
    box.put(alarm("bad"))
    box.put(alarm("good"))
    with sqlite3.connect(tmp_path / "outbox.sqlite") as db:
        db.execute("UPDATE alarm SET body = '{' WHERE id = 'bad'")
    db.close()
    clock.sleep(5)
    found = box.overdue(4.0)
    assert found is not None
    assert found.id == "good"
    box.close()
