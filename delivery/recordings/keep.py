"""How much of recordings is kept, as the command line says it.

Knows nothing about files. Imports nothing heavy: every process reads its options.
"""

import re
from dataclasses import dataclass

from scene.errors import RecordingError

_UNITS = {
    "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "h": 3600.0, "d": 86_400.0, "w": 604_800.0
}  # fmt: skip
_BYTES = ("KB", "MB", "GB", "TB")


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """How much of recordings is kept; without any limit nothing is ever deleted."""

    size_bytes: float | None = None
    """All files together take no more."""
    age_s: float | None = None
    """No file is older, counted from its last byte."""

    @property
    def wanted(self) -> bool:
        """Whether anything may be deleted at all."""
        return self.size_bytes is not None or self.age_s is not None


def read_keep(text: str) -> Keep:
    """Read a limit or two from the command line; raises `RecordingError`.

    >>> read_keep("200GB,30d")
    Keep(size_bytes=200000000000.0, age_s=2592000.0)
    """
    size_bytes = age_s = None
    for part in text.split(","):
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(KB|MB|GB|TB|h|d|w)", part.strip())
        value = float(found[1]) * _UNITS[found[2]] if found else 0.0
        is_bytes = found is not None and found[2] in _BYTES
        if not value or (size_bytes if is_bytes else age_s) is not None:
            raise RecordingError(
                f"--record-keep {text}: give a size, an age or both, such as 200GB,30d "
                "(KB, MB, GB, TB; h, d, w)"
            )
        if is_bytes:
            size_bytes = value
        else:
            age_s = value
    return Keep(size_bytes=size_bytes, age_s=age_s)
