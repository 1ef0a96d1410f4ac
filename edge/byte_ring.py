"""A ring of byte records in shared memory: one process writes, another reads, nobody waits.

Knows nothing about what the records say. Who writes never blocks and never fails: what the reader
is too late for is written over, and counted. Up to where the reader has safely got lies in the
memory, too, so that one that is started again goes on from there. Either side may be killed in the
midst of anything: each record carries its number and a check sum, and what does not fit is passed
over.

The memory is an anonymous file, as in `edge/frame_ring.py`, and is taken before it is used.
"""

import mmap
import os
import struct
import threading
import weakref
import zlib
from dataclasses import dataclass, replace
from multiprocessing.reduction import DupFd
from typing import Any

from scene.errors import RecordingError

PAGE = 4096
_WANTED_AT, _RESERVED_AT, _HEAD_AT, _WRITTEN_AT, _OLDEST_AT = 0, 8, 16, 24, 32
"""Whether somebody reads; up to where is being written; up to where is whole; records so far; where
the oldest record begins that is not written over."""
_TAIL_AT, _NUMBER_AT, _LOST_AT = 64, 72, 80
"""The reader's, see `Place`."""
_U64 = struct.Struct("@Q")
_SEED = 0x4C616D70
_RECORD = struct.Struct("@IIQ")  # check sum, bytes, number


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a reader has got to."""

    tail: int
    """Up to where it has read."""
    number: int
    """The last record up to there."""
    lost: int
    """How many records it never got."""


class ByteRing:
    """Records of one writer for one reader; pickles into a child process while that is spawned."""

    def __init__(self, name: str, size_bytes: int, *, fd: int | None = None) -> None:
        """Take `size_bytes` of memory; raises `RecordingError` when there is not so much."""
        self.name, self._size = name, size_bytes
        self._fd = os.memfd_create(f"lamproom-{name}", os.MFD_CLOEXEC) if fd is None else fd
        self._let_go = weakref.finalize(self, os.close, self._fd)
        self._fences = threading.Lock(), threading.Lock()
        if fd is None:
            _reserve(self._fd, PAGE + size_bytes, name)
        self._memory = mmap.mmap(self._fd, PAGE + size_bytes)
        self._place: Place | None = None
        """The reader's own; none in whoever does not read."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Hand the memory's file descriptor to the process that is being spawned."""
        return _received, (self.name, self._size, DupFd(self._fd))

    # -- the writer -----------------------------------------------------------------------------

    @property
    def wanted(self) -> bool:
        """Whether anybody reads; until then nothing is written."""
        return self._get(_WANTED_AT) != 0

    @property
    def lost(self) -> int:
        """How many records the reader never got, so far."""
        return self._get(_LOST_AT) if self._place is None else self._place.lost

    def put(self, record: bytes) -> None:
        """Write a record over the oldest ones; one that is far too large counts as lost."""
        if not self.wanted:
            return
        number = self._get(_WRITTEN_AT) + 1
        length = _RECORD.size + len(record)
        if length <= self._size // 2:
            head = self._get(_HEAD_AT)
            end = head + length
            # A writer that died may have spoilt more than this one will.
            reserved = max(end, self._get(_RESERVED_AT))
            self._set(_OLDEST_AT, self._oldest(reserved - self._size, head))
            self._set(_RESERVED_AT, reserved)
            self._fence()
            self._write(head, _RECORD.pack(_sum_of(record, number), len(record), number))
            self._write(head + _RECORD.size, record)
            self._fence()
            self._set(_HEAD_AT, end)
        self._set(_WRITTEN_AT, number)

    def _oldest(self, spoilt: int, head: int) -> int:
        """Find the first record behind what is spoilt up to a place; `head` where none can be."""
        at = self._get(_OLDEST_AT)
        while at < spoilt and head - at >= _RECORD.size:
            _, length, _ = _RECORD.unpack(self._read(at, _RECORD.size))
            at += _RECORD.size + int(length)
        return at if spoilt <= at <= head else head

    # -- the reader -----------------------------------------------------------------------------

    def want(self) -> None:
        """Have records written from now on."""
        self._set(_WANTED_AT, 1)

    @property
    def place(self) -> Place:
        """Where the reader has got to."""
        if self._place is None:
            tail, number, lost = map(self._get, (_TAIL_AT, _NUMBER_AT, _LOST_AT))
            self._place = Place(tail=tail, number=number, lost=lost)
        return self._place

    def commit(self, place: Place) -> None:
        """Have the next reader go on from there, should this one die."""
        self._set(_LOST_AT, place.lost)
        self._set(_NUMBER_AT, place.number)
        self._set(_TAIL_AT, place.tail)

    def take(self, most: int = 1000) -> list[bytes]:
        """Take up to `most` records, oldest first; what is lost is only counted."""
        taken: list[bytes] = []
        lapped = False
        while len(taken) < most:
            written = self._get(_WRITTEN_AT)
            self._fence()
            head, tail = self._get(_HEAD_AT), self.place.tail
            if head <= tail:
                self._go_on(tail, written + 1)
                break
            found = self._record(tail, head)
            if found is None:  # written over, or a writer died in it: the next one is whole again
                oldest = self._get(_OLDEST_AT)
                if tail < oldest < head and not lapped:  # once: the writer may be the faster one
                    lapped, self._place = True, replace(self.place, tail=oldest)
                else:
                    self._go_on(head, written + 1)
                continue
            number, record = found
            self._go_on(tail + _RECORD.size + len(record), number, got=True)
            taken.append(record)
        return taken

    def pass_over(self) -> None:
        """Leave out all that is there, as nothing is to be read now; it is not counted as lost."""
        number = self._get(_WRITTEN_AT)
        self._fence()
        self._place = replace(self.place, tail=self._get(_HEAD_AT), number=number)
        self.commit(self._place)

    def _go_on(self, tail: int, number: int, *, got: bool = False) -> None:
        """Go on to a place, before the record of that number or, if it was got, behind it.

        Those that should have come before it, and did not, are lost.
        """
        before = self.place
        missing = max(0, number - 1 - before.number)
        last = number if got else max(before.number, number - 1)
        self._place = Place(tail=tail, number=last, lost=before.lost + missing)

    def _record(self, tail: int, head: int) -> tuple[int, bytes] | None:
        """Copy the record that begins at `tail`; none when it is not whole (any more)."""
        if head - tail < _RECORD.size:
            return None
        sum_, length, number = _RECORD.unpack(self._read(tail, _RECORD.size))
        if length > min(self._size, head - tail - _RECORD.size):
            return None
        record = self._read(tail + _RECORD.size, length)
        self._fence()
        if self._get(_RESERVED_AT) - self._size > tail:
            return None
        return (number, record) if _sum_of(record, number) == sum_ else None

    # -- memory ---------------------------------------------------------------------------------

    def _write(self, at: int, data: bytes) -> None:
        begin = at % self._size
        first = min(len(data), self._size - begin)
        self._memory[PAGE + begin : PAGE + begin + first] = data[:first]
        self._memory[PAGE : PAGE + len(data) - first] = data[first:]

    def _read(self, at: int, length: int) -> bytes:
        begin = at % self._size
        first = min(length, self._size - begin)
        return (
            self._memory[PAGE + begin : PAGE + begin + first]
            + self._memory[PAGE : PAGE + length - first]
        )

    def _get(self, at: int) -> int:
        return int(_U64.unpack_from(self._memory, at)[0])

    def _set(self, at: int, value: int) -> None:
        _U64.pack_into(self._memory, at, value)

    def _fence(self) -> None:
        """Keep memory accesses before it before those after it, also where the CPU reorders."""
        for lock in self._fences:  # the first one's release, then the second one's acquire
            lock.acquire()
            lock.release()


def _sum_of(record: bytes, number: int) -> int:
    """Compute a check sum that no memory full of zeros has."""
    return zlib.crc32(record, zlib.crc32(struct.pack("@IQ", len(record), number), _SEED))


def _received(name: str, size_bytes: int, fd: Any) -> ByteRing:
    return ByteRing(name, size_bytes, fd=fd.detach())


def _reserve(fd: int, size: int, name: str) -> None:
    try:
        os.posix_fallocate(fd, 0, size)
    except OSError as error:
        raise RecordingError(
            f"no shared memory to record {name} through ({size / 1e6:.0f} MB): {error.strerror}; "
            "give the machine more memory, or leave out --record-cameras"
        ) from None
