"""Results lie whole in their folder or not at all."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge.reanalysis.store import LEFT_OVER_S, Store, StoreError
from tests.edge.test_storage_watch import fill, small_disk

KEY = "k" * 64


def body(text: str = "") -> bytes:
    return json.dumps({"key": KEY, "text": text}).encode()


def test_what_was_kept_is_there_and_nothing_else_beside_it(tmp_path: Path) -> None:
    store = Store(tmp_path / "deep" / "out")
    assert store.read("one", KEY) is None
    store.keep("one", body("a"))
    store.keep("one", body("b"))
    assert Store(store.folder).read("one", KEY) == {"key": KEY, "text": "b"}
    assert store.read("one", "another") is None
    assert [path.name for path in (store.folder / "segments").iterdir()] == ["one.json"]


@pytest.mark.parametrize("at", [0, 30, 64, 65, -1])
def test_a_damaged_result_is_none(tmp_path: Path, at: int) -> None:
    store = Store(tmp_path)
    store.keep("one", body("whole"))
    path = tmp_path / "segments" / "one.json"
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(bytes(data))
    assert store.read("one", KEY) is None
    assert store.has_file("one")
    path.write_bytes(bytes(data)[:40])
    assert store.read("one", KEY) is None
    path.write_bytes(b"")
    assert store.read("one", KEY) is None


def test_what_a_killed_run_left_half_written_is_taken_away(tmp_path: Path) -> None:
    store = Store(tmp_path)
    old, new = (tmp_path / "segments" / f".x.{name}.part" for name in ("old", "new"))
    old.write_bytes(b"half")
    new.write_bytes(b"half")
    before_s = time.time() - LEFT_OVER_S - 60
    os.utime(old, (before_s, before_s))
    Store(store.folder)
    assert not old.exists()
    assert new.exists(), "another run may be writing it"


def test_a_full_disk_is_one_clear_error_and_leaves_what_is_done(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 2) as disk:
        store = Store(disk)
        store.keep("one", body())
        fill(disk / "filling")
        with pytest.raises(
            StoreError, match=r"two\.json: .* the disk is full.* is kept: make room"
        ):
            store.keep("two", body("x" * 100_000))
        assert store.read("one", KEY) is not None
        assert store.read("two", KEY) is None
        assert not list(disk.rglob("*.part"))
        (disk / "filling").unlink()
        store.keep("two", body("x" * 100_000))
        assert store.read("two", KEY) is not None


def test_a_folder_that_can_not_be_one_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="can't be used"):
        Store(tmp_path / "file")


WRITING = """
import sys
from pathlib import Path
from edge.reanalysis.store import Store
store = Store(Path(sys.argv[1]))
print("ready", flush=True)
while True:
    store.keep("one", sys.argv[2].encode() * 200_000)
"""


def test_whoever_is_killed_while_writing_and_two_at_once_leave_only_whole_results(
    tmp_path: Path,
) -> None:
    """Whatever is there at any moment has its right digest."""
    Store(tmp_path)
    path = tmp_path / "segments" / "one.json"
    for _ in range(5):
        writers = [
            subprocess.Popen(
                [sys.executable, "-c", WRITING, str(tmp_path), letter],
                stdout=subprocess.PIPE,
                text=True,
            )
            for letter in "ab"
        ]
        try:
            for writer in writers:
                assert writer.stdout is not None
                assert writer.stdout.readline() == "ready\n"
            seen = {path.read_bytes()[65:66] for _ in range(50) if path.exists()}
            assert seen <= {b"a", b"b"}
            assert all(writer.poll() is None for writer in writers), "both go on"
        finally:
            for writer in writers:
                writer.send_signal(signal.SIGKILL)
                writer.wait()
                assert writer.stdout is not None
                writer.stdout.close()
        data = path.read_bytes()
        assert len(data) == 65 + 200_000
        assert len(set(data[65:])) == 1
