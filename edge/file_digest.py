"""The SHA-256 of a file, as `sha256sum` prints it. Knows nothing about what is in it."""

import hashlib
from pathlib import Path


def sha256_of(path: Path) -> str:
    """Compute it; empty when the file can't be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
