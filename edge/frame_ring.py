"""A ring of frames in shared memory: one process writes, others read, nobody waits for anybody.

Knows nothing about cameras, processes or why a frame is wanted. The memory has no name: it is an
anonymous file (memfd_create(2)) that the kernel takes back when the last process that holds it is
gone, however it went; so a crash leaves nothing behind, and a small /dev/shm is no limit. Space is
taken with posix_fallocate(3) before it is used: without memory there is one clear error instead
of a SIGBUS later.

Layout: a first page with the state, one row per slot, then the slots, each one I420 picture.
Whatever changes is guarded by a counter that is odd while it is written (a seqlock).
"""

import mmap
import os
import struct
import threading
import time
import weakref
from dataclasses import dataclass
from multiprocessing.reduction import DupFd
from typing import Any, Literal

import numpy as np

from scene.arrays import Bytes, read_only
from scene.errors import CameraError
from scene.messages import Frame, YuvImage

SLOTS = 8
MAX_PIXELS = 8192 * 8192
PAGE = 4096
NOTHING = 0
"""Sequence numbers of frames start with 1."""

SourceState = Literal["connecting", "running", "reconnecting", "ended", "failed"]
STATES: tuple[SourceState, ...] = ("connecting", "running", "reconnecting", "ended", "failed")

# Native order and alignment ("@"): Python then writes a counter in one piece, not byte by byte.
_HEAD = struct.Struct("@QQQQ")  # layout counter, bytes per slot, newest frame, sign of life (ns)
_NEWEST_AT, _SIGN_AT = 16, 24
_STATE = struct.Struct("@QIIII")  # counter, index into STATES, corrupt frames, flags, text bytes
_STATE_AT = 64
_TEXT_AT = _STATE_AT + 32
_TEXT_BYTES = 512
_ROW = struct.Struct("@QQqII")  # counter, frame's number, captured_at_ns, width, height
_ROWS_AT = 1024
_ROW_BYTES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceStatus:
    """How one camera's source is doing, said by itself."""

    state: SourceState
    detail: str = ""
    """Why, or what is odd; never holds a password."""
    corrupt_frames: int = 0
    full_range: bool = False


class FrameRing:
    """The newest frames of one camera; pickles into a child process while that is spawned.

    The writer calls `write` and `report`, readers everything else. A reader always gets a copy:
    0.15 ms for 1280x720, and it stays as it is.
    """

    def __init__(self, camera: str, *, fd: int | None = None) -> None:
        self.camera = camera
        self._fd = os.memfd_create(f"lamproom-{camera}", os.MFD_CLOEXEC) if fd is None else fd
        self._let_go = weakref.finalize(self, os.close, self._fd)
        self._fences = threading.Lock(), threading.Lock()
        if fd is None:
            _reserve(self._fd, PAGE, camera)
        self._memory = mmap.mmap(self._fd, os.fstat(self._fd).st_size)
        self._listed: tuple[int, tuple[tuple[int, int], ...]] = NOTHING, ()

    def __reduce__(self) -> tuple[Any, ...]:
        """Hand the memory's file descriptor to the process that is being spawned."""
        return _received, (self.camera, DupFd(self._fd))

    def close(self) -> None:
        """Let the memory go at once, rather than with the last reference."""
        self._memory.close()
        self._let_go()

    # -- the writer -----------------------------------------------------------------------------

    def write(self, frame: Frame) -> int:
        """Put a frame over the oldest one; gives its number, one more than that before.

        Raises `CameraError` when a picture is too large or there is no memory for it.
        """
        width, height = frame.image.size_px
        self._make_room(width, height)
        layout, slot_bytes, newest, _ = _HEAD.unpack_from(self._memory)
        number = int(newest) + 1
        row_at, data_at = self._places(number, slot_bytes)
        counter = _ROW.unpack_from(self._memory, row_at)[0] | 1
        _put_u64(self._memory, row_at, counter)
        self._fence()
        slot = np.frombuffer(self._memory, np.uint8, width * height * 3 // 2, data_at)
        for part, plane in zip(_planes(slot, width, height), _planes_of(frame.image), strict=True):
            np.copyto(part, plane)
        _ROW.pack_into(self._memory, row_at, counter, number, frame.captured_at_ns, width, height)
        self._fence()
        _put_u64(self._memory, row_at, counter + 1)
        self._fence()
        _HEAD.pack_into(self._memory, 0, layout, slot_bytes, number, time.monotonic_ns())
        return number

    def report(self, status: SourceStatus) -> None:
        """Say how the source is doing; this is also a sign of life."""
        text = status.detail.encode()[:_TEXT_BYTES]
        counter = _STATE.unpack_from(self._memory, _STATE_AT)[0] | 1
        _put_u64(self._memory, _STATE_AT, counter)
        self._fence()
        index, corrupt = STATES.index(status.state), min(status.corrupt_frames, 2**32 - 1)
        flags = int(status.full_range)
        _STATE.pack_into(self._memory, _STATE_AT, counter, index, corrupt, flags, len(text))
        self._memory[_TEXT_AT : _TEXT_AT + len(text)] = text
        self._fence()
        _put_u64(self._memory, _STATE_AT, counter + 1)
        self.alive()

    def alive(self) -> None:
        """Say that the writer still works."""
        _put_u64(self._memory, _SIGN_AT, time.monotonic_ns())

    def _make_room(self, width: int, height: int) -> None:
        """Make the slots large enough; growing forgets the frames in the ring."""
        if width * height > MAX_PIXELS or width < 2 or height < 2:
            raise CameraError(
                f"camera {self.camera}: a picture of {width}x{height} pixels can't be used"
            )
        layout, slot_bytes, newest, _ = _HEAD.unpack_from(self._memory)
        if width * height * 3 // 2 <= slot_bytes and not layout % 2:
            return
        slot_bytes = max(slot_bytes, -(-width * height * 3 // 2 // PAGE) * PAGE)
        _reserve(self._fd, PAGE + SLOTS * slot_bytes, self.camera)
        self._memory = mmap.mmap(self._fd, PAGE + SLOTS * slot_bytes)
        layout |= 1
        _put_u64(self._memory, 0, layout)
        self._fence()
        for slot in range(SLOTS):
            _ROW.pack_into(self._memory, _ROWS_AT + slot * _ROW_BYTES, 0, NOTHING, 0, 0, 0)
        _HEAD.pack_into(self._memory, 0, layout, slot_bytes, newest, time.monotonic_ns())
        self._fence()
        _put_u64(self._memory, 0, layout + 1)

    # -- readers --------------------------------------------------------------------------------

    def times(self) -> tuple[tuple[int, int], ...]:
        """List the frames that can be read now, oldest first: (number, captured_at_ns) each."""
        (newest,) = struct.unpack_from("@Q", self._memory, _NEWEST_AT)
        if newest != self._listed[0]:
            found = []
            for slot in range(SLOTS):
                counter, number, captured_at_ns, _, _ = self._row(slot)
                if number != NOTHING and not counter % 2:
                    found.append((number, captured_at_ns))
            self._listed = newest, tuple(sorted(found))
        return self._listed[1]

    def read(self, number: int) -> Frame | None:
        """Copy one frame out; none when it has been overwritten, even while it was copied."""
        layout, slot_bytes, _, _ = _HEAD.unpack_from(self._memory)
        if layout % 2 or slot_bytes == 0 or not self._mapped(PAGE + SLOTS * slot_bytes):
            return None
        row_at, data_at = self._places(number, slot_bytes)
        before = _ROW.unpack_from(self._memory, row_at)
        counter, found, captured_at_ns, width, height = before
        if counter % 2 or found != number or width * height * 3 // 2 > slot_bytes:
            return None
        self._fence()
        size = width * height * 3 // 2
        copy = np.frombuffer(self._memory, np.uint8, size, data_at).copy()
        self._fence()
        if _ROW.unpack_from(self._memory, row_at) != before:
            return None
        if _HEAD.unpack_from(self._memory)[:2] != (layout, slot_bytes):
            return None
        y, u, v = (read_only(plane) for plane in _planes(copy, width, height))
        image = YuvImage(y=y, u=u, v=v)
        return Frame(camera=self.camera, captured_at_ns=captured_at_ns, image=image)

    def latest(self, after: int = NOTHING) -> tuple[Frame, int] | None:
        """Copy the newest frame out, if its number is larger than `after`; gives its number too."""
        for number, _ in reversed(self.times()):
            if number <= after:
                return None
            frame = self.read(number)
            if frame is not None:
                return frame, number
        return None

    def status(self) -> SourceStatus:
        """Tell what the writer last reported."""
        for _ in range(100):
            before = _STATE.unpack_from(self._memory, _STATE_AT)
            self._fence()
            _, index, corrupt, flags, length = before
            text = bytes(self._memory[_TEXT_AT : _TEXT_AT + min(length, _TEXT_BYTES)])
            self._fence()
            if before == _STATE.unpack_from(self._memory, _STATE_AT) and not before[0] % 2:
                return SourceStatus(
                    state=STATES[index],
                    detail=text.decode(errors="replace"),
                    corrupt_frames=corrupt,
                    full_range=bool(flags & 1),
                )
            time.sleep(0.0002)
        return SourceStatus(state="reconnecting", detail="the camera's process broke off")

    def quiet_s(self) -> float:
        """Tell how long the writer has given no sign of life; 0 before its first one."""
        (sign_ns,) = struct.unpack_from("@Q", self._memory, _SIGN_AT)
        return max(0, time.monotonic_ns() - sign_ns) / 1e9 if sign_ns else 0.0

    def _row(self, slot: int) -> tuple[int, int, int, int, int]:
        at = _ROWS_AT + slot * _ROW_BYTES
        for _ in range(10):
            row: tuple[int, int, int, int, int] = _ROW.unpack_from(self._memory, at)
            self._fence()
            if row[0] % 2 or row == _ROW.unpack_from(self._memory, at):
                break
        return row

    def _places(self, number: int, slot_bytes: int) -> tuple[int, int]:
        slot = number % SLOTS
        return _ROWS_AT + slot * _ROW_BYTES, PAGE + slot * slot_bytes

    def _mapped(self, size: int) -> bool:
        """Map what the writer has added; false while it has not added it yet."""
        if size > len(self._memory):
            if os.fstat(self._fd).st_size < size:
                return False
            self._memory = mmap.mmap(self._fd, size)
        return True

    def _fence(self) -> None:
        """Keep memory accesses before it before those after it, also where the CPU reorders."""
        for lock in self._fences:  # the first one's release, then the second one's acquire
            lock.acquire()
            lock.release()


def _received(camera: str, fd: Any) -> FrameRing:
    return FrameRing(camera, fd=fd.detach())


def _reserve(fd: int, size: int, camera: str) -> None:
    try:
        os.posix_fallocate(fd, 0, size)
    except OSError as error:
        raise CameraError(
            f"camera {camera}: no shared memory for its frames ({size / 1e6:.0f} MB): "
            f"{error.strerror}; give the machine more memory, or the camera smaller pictures"
        ) from None


def _put_u64(memory: mmap.mmap, at: int, value: int) -> None:
    struct.pack_into("@Q", memory, at, value)


def _planes(flat: Bytes, width: int, height: int) -> tuple[Bytes, Bytes, Bytes]:
    luma, quarter = width * height, width * height // 4
    half_size = (height // 2, width // 2)
    return (
        flat[:luma].reshape(height, width),
        flat[luma : luma + quarter].reshape(half_size),
        flat[luma + quarter :].reshape(half_size),
    )


def _planes_of(image: YuvImage) -> tuple[Bytes, Bytes, Bytes]:
    return image.y, image.u, image.v
