"""A file that is written whole is the former one or the new one, whatever happens meanwhile."""

import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scene.whole_file import write_whole


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_it_replaces_what_was_there_and_leaves_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "rig.yaml"
    for content in (b"one", b"two"):
        write_whole(file, content)
        assert file.read_bytes() == content
    assert list(tmp_path.iterdir()) == [file]


def test_permissions_are_those_asked_for_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        write_whole(tmp_path / "public", b"", mode=0o644)
        write_whole(tmp_path / "usual", b"")
    finally:
        os.umask(before)
    write_whole(tmp_path / "secret", b"", mode=0o600)
    modes = [mode_of(tmp_path / name) for name in ("public", "usual", "secret")]
    assert modes == [0o644, 0o600, 0o600]


def test_what_can_not_be_written_leaves_the_former_one(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError):
        write_whole(tmp_path / "taken", b"new")
    with pytest.raises(FileNotFoundError):
        write_whole(tmp_path / "nowhere" / "file", b"new")
    assert [one.name for one in tmp_path.iterdir()] == ["taken"]


def test_parts_of_those_who_were_killed_long_ago_are_removed(tmp_path: Path) -> None:
    file = tmp_path / "file[1]"
    old, new, other = (tmp_path / f".{name}" for name in ("file[1].0badcafe", "file[1].deadbeef",
                                                          "file[2].0badcafe"))  # fmt: skip
    for part in (old, new, other):
        part.write_bytes(b"half")
    for part in (old, other):
        os.utime(part, (time.time() - 7200,) * 2)
    write_whole(file, b"whole")
    assert {*tmp_path.iterdir()} == {file, new, other}


def test_a_full_disk_leaves_the_former_one_and_nothing_unfinished(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"old")
    code = (
        "import resource, signal, sys; from pathlib import Path; "
        "from scene.whole_file import write_whole; "
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)); "
        "write_whole(Path(sys.argv[1]), bytes(5000))"
    )
    done = subprocess.run([sys.executable, "-c", code, file], check=False, capture_output=True)
    assert b"OSError" in done.stderr and b"File too large" in done.stderr
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]
