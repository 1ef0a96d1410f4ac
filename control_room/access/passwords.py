"""Passwords: argon2id, the same time for unknown users, and never more of it than one processor.

Knows nothing about users or files. Parameters are those of the OWASP Password Storage Cheat Sheet
(https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html): 19 MiB, two
passes, one lane.
"""

import asyncio
import contextlib
import unicodedata
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import Type

from control_room.access.roles import AccessError

MIN_LENGTH, MAX_LENGTH = 12, 256
"""Characters. NIST SP 800-63B asks for length and for nothing else."""
MAX_WAITING = 20
"""So many logins may wait for their turn; of known browsers twice as many."""

_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1, type=Type.ID)


class BusyError(Exception):
    """Too many logins at once."""


def hash_of(password: str) -> str:
    """Give the argon2id hash of a new password; raises `AccessError` for one that won't do."""
    length = len(password)
    if not MIN_LENGTH <= length <= MAX_LENGTH:
        raise AccessError(
            f"the password has {length} characters; give {MIN_LENGTH} to {MAX_LENGTH}, "
            "some words that nobody else would put together"
        )
    try:
        return _HASHER.hash(_normal(password))
    except UnicodeEncodeError:
        raise AccessError("the password is no readable text; is the input UTF-8?") from None


def fits(hashed: str, password: str) -> bool:
    """Tell whether a password is the one that was hashed; a hash that can't be read fits none."""
    with contextlib.suppress(VerificationError, InvalidHashError, UnicodeEncodeError):
        return len(password) <= MAX_LENGTH and _HASHER.verify(hashed, _normal(password))
    return False


def is_hash(text: str) -> bool:
    """Tell whether this is an argon2id hash."""
    with contextlib.suppress(InvalidHashError):
        return text.startswith("$argon2id$") and _HASHER.check_needs_rehash(text) is not None
    return False


def needs_new_hash(hashed: str) -> bool:
    """Tell whether a hash was made with other parameters than ours."""
    return _HASHER.check_needs_rehash(hashed)


class Checker:
    """Looks at passwords one after the other in a thread of its own, beside the event loop."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="passwords")
        self._waiting = 0
        self._nobodys = _HASHER.hash("nobody has this password")

    async def fits(self, hashed: str | None, password: str, *, known: bool) -> bool:
        """Tell whether it fits; for nobody's hash (none) it takes as long. Raises `BusyError`."""
        if self._waiting >= MAX_WAITING * (2 if known else 1):
            raise BusyError
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            found = await loop.run_in_executor(
                self._thread, fits, hashed or self._nobodys, password
            )
        finally:
            self._waiting -= 1
        return found and hashed is not None

    def close(self) -> None:
        """Stop."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def _normal(password: str) -> str:
    """Two input methods may write one letter in two ways."""
    return unicodedata.normalize("NFKC", password)
