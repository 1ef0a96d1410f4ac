"""The file with the audit's heads, a line after each act: what the chain itself can't tell.

Knows nothing about entries, or who signs. A line is `TIME NUMBER:HASH`, and a signature where the
control room has a key.
"""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from control_room.journal.audit import Head, head_from, moment
from control_room.journal.database import JournalError


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptHead:
    """A head as a second place has it."""

    head: Head
    moment: str = ""
    """When the entry was written, ISO 8601; empty where only the head was written down."""
    signature: str = ""
    """Of the control room on `line`, in base64; empty without."""

    @property
    def line(self) -> str:
        """What is signed."""
        return f"{self.moment} {self.head}"

    def __str__(self) -> str:
        """Write it as the file has it."""
        return f"{self.line} {self.signature}".strip()


class Heads:
    """A file with the head after each act, a line each; best on another disk than the journal."""

    def __init__(self, file: Path, sign: Callable[[str], str] | None = None) -> None:
        """`sign` gives the signature of a line; without it lines have none."""
        self.file, self._sign = file, sign

    def keep(self, heads: Iterable[tuple[int, Head]], *, found: bool = False) -> None:
        """Add a line for each, with its time, for good; raises OSError.

        One that was `found` is not signed: we didn't write that entry just now, so we can't vouch
        for it.
        """
        kept = [KeptHead(head=head, moment=moment(at_ns)) for at_ns, head in heads]
        lines = [f"{one if found else self._signed(one)}\n" for one in kept]
        self.file.parent.mkdir(parents=True, exist_ok=True)
        if self.file.is_file():
            with self.file.open("r+b") as file:
                _drop_half_line(file)
        with self.file.open("a", encoding="ascii") as text:
            text.write("".join(lines))
            text.flush()
            os.fsync(text.fileno())

    def _signed(self, kept: KeptHead) -> KeptHead:
        return kept if self._sign is None else replace(kept, signature=self._sign(kept.line))

    def read(self) -> tuple[list[KeptHead], list[str]]:
        """Give what was kept, and what is wrong with the file; raises `JournalError`."""
        heads, faults = [], []
        try:
            text = self.file.read_text(encoding="ascii", errors="replace")
        except FileNotFoundError:
            return [], []
        except OSError as error:
            raise JournalError(f"{self.file}: can't be read: {error.strerror}") from None
        whole = text[: text.rfind("\n") + 1]  # the last line may be half: the power failed
        for i, line in enumerate(whole.splitlines(), 1):
            try:
                heads.append(kept_from(line))
            except ValueError:
                faults.append(f"{self.file}, line {i}: is no head of the chain")
        return heads, faults


def kept_from(text: str) -> KeptHead:
    """Read a line as the file has it, or a head alone; raises ValueError."""
    parts = text.split(" ")
    if len(parts) > 3:
        raise ValueError(f"{text[:80]!r} is no head; give NUMBER:HASH, or a line as it was kept")
    at, head, signature = ("", *parts, "") if len(parts) == 1 else (*parts, "")[:3]
    return KeptHead(head=head_from(head), moment=at, signature=signature)


def _drop_half_line(file: BinaryIO) -> None:
    """Cut off what a power failure left of a last line: the next one would be spoilt by it."""
    end = file.seek(0, os.SEEK_END)
    begin = file.seek(max(0, end - 65_536))
    tail = file.read()
    if not tail.endswith(b"\n"):
        file.truncate(begin + tail.rfind(b"\n") + 1)
