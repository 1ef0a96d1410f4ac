"""A small ext4 disk in a file, whose state at an instant can be taken as a power cut leaves it.

What was written but not flushed is in the kernel's memory only, and not in the file.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SIZE_MB = 48
MKFS = shutil.which("mkfs.ext4", path="/usr/sbin:/sbin:/usr/bin")


def no_loop_disk() -> str:
    """Say why no such disk can be made here; empty when it can."""
    if os.geteuid() != 0 or MKFS is None:
        return "a disk of its own needs root and mkfs.ext4"
    if subprocess.run(["losetup", "--find"], capture_output=True, check=False).returncode:
        return "there are no loop devices here"
    return ""


@contextmanager
def loop_disk(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Make and mount a disk; gives the file that holds it and where it is mounted."""
    image, mounted = folder / "disk.img", folder / "disk"
    with image.open("wb") as file:
        file.truncate(SIZE_MB << 20)
    assert MKFS is not None
    subprocess.run([MKFS, "-q", "-F", str(image)], check=True, capture_output=True)
    with mount(image, mounted):
        yield image, mounted


@contextmanager
def mount(image: Path, at: Path) -> Iterator[Path]:
    """Mount a disk's file; the disk's own journal is replayed, as after a power cut."""
    at.mkdir(exist_ok=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(at)], check=True, capture_output=True)
    try:
        yield at
    finally:
        subprocess.run(["umount", "-l", str(at)], check=True, capture_output=True)


@contextmanager
def stalled(disk: Path) -> Iterator[None]:
    """Let whoever writes to a disk wait until this is over, as flash that is full or old does."""
    subprocess.run(["fsfreeze", "--freeze", str(disk)], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["fsfreeze", "--unfreeze", str(disk)], check=True, capture_output=True)
