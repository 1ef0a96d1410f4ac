"""Write files that others depend on: whole or not at all, secrets for their owner only.

Knows nothing about what is in them.
"""

from pathlib import Path

from scene.errors import CertificateError
from scene.whole_file import write_whole

SECRET = 0o600
PUBLIC = 0o644


def refuse_to_overwrite(*paths: Path) -> None:
    """Raise `CertificateError` when a file is there already: a key that is gone is gone."""
    for path in paths:
        if path.exists():
            raise CertificateError(
                f"{path}: is there already, and is never overwritten by accident; "
                "give --replace to make a new one in its place"
            )


def write_file(path: Path, content: bytes, mode: int = PUBLIC) -> None:
    """Write a file so that a cut leaves the former one or the new one, never a part.

    `mode` counts from the first byte on. Raises `CertificateError` where it can't be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content, mode=mode)
    except OSError as error:
        raise CertificateError(f"{path}: can't be written: {error.strerror}") from None


def remove_file(path: Path) -> None:
    """Remove a file, if it is there; raises `CertificateError`."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise CertificateError(f"{path}: can't be removed: {error.strerror}") from None


def make_secret_folder(path: Path) -> None:
    """Make a folder that only its owner may look into."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise CertificateError(f"{path}: can't be made: {error.strerror}") from None


def read_file(path: Path, what: str) -> bytes:
    """Read a file; raises `CertificateError` that says what is missing."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise CertificateError(f"{path}: there is no such file; it should be {what}") from None
    except OSError as error:
        raise CertificateError(f"{path}: can't be read: {error.strerror}") from None
