"""Write a file whole: whoever reads it finds the former one or the new one, never a part.

Knows nothing about what is in it.
"""

import contextlib
import glob
import os
import secrets
import time
from pathlib import Path

ABANDONED_AFTER_S = 3600.0
"""Nobody writes at one file for so long: a part this old is of somebody who was killed."""


def write_whole(path: Path, content: bytes, *, mode: int | None = None) -> None:
    """Write a file so that a crash or a power cut leaves it as it was, or as it is to be.

    Once this returns, the new one is on the disk, so it takes as long as the disk takes. `mode` are
    its permissions from the first byte on; none leaves them to the umask. Raises `OSError`, and
    then leaves nothing unfinished behind. Who is killed while it writes leaves a part behind,
    which a later one removes.
    """
    _remove_parts(path)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        handle = os.open(
            part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else mode
        )
        with os.fdopen(handle, "wb") as file:
            if mode is not None:  # whatever the umask is
                os.fchmod(handle, mode)
            file.write(content)
            file.flush()
            os.fsync(handle)
        part.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise
    with contextlib.suppress(OSError):  # a folder nobody may list, a file system without it
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # its new name, too
        finally:
            os.close(folder)


def _remove_parts(path: Path) -> None:
    """Remove what those left who were killed while they wrote this file."""
    for part in path.parent.glob(f".{glob.escape(path.name)}.{'[0-9a-f]' * 8}"):
        with contextlib.suppress(OSError):
            if time.time() - part.lstat().st_mtime > ABANDONED_AFTER_S:
                part.unlink()
