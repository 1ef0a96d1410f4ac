"""Whose a recording is and from when to when, told in a moment however long it is.

Knows nothing about messages. A finished file says it at its end; only of one that was cut off, or
is being written just now, the chunks are looked over.
"""

import os
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

from mcap.opcode import Opcode

from delivery.recordings.chunk import RECORD
from delivery.recordings.reader import RecordingFile
from delivery.recordings.run_record import read_run
from delivery.recordings.survey import MAX_SUMMARY_BYTES, MOST_NS, records_in
from scene.errors import RecordingError
from scene.messages import SiteDescription

_MAGIC = b"\x89MCAP0\r\n"
_FOOTER = struct.Struct("<QQI")
"""Where the index begins, where its own index begins, check sum of all before that."""
_STATISTICS = struct.Struct("<QHIIIIQQ")
"""Messages; schemas, channels, attachments, metadata, chunks; the first and the last time."""


def span_of(path: Path) -> tuple[int, int] | None:
    """Tell when the first and the last thing in a file was received; none where nothing can be.

    Raises `RecordingError`.
    """
    try:
        with path.open("rb", buffering=0) as file:
            span = _span_in(file.fileno())
    except OSError as error:
        raise RecordingError(f"{path}: can't be read: {error}") from None
    return RecordingFile(path).span_ns() if span is None else span


def is_finished(path: Path) -> bool:
    """Tell whether a file has its end, as one whose recorder is still at it has not."""
    with path.open("rb", buffering=0) as file:
        return _span_in(file.fileno()) is not None


def place_of(path: Path) -> tuple[str, str] | None:
    """Tell of which site and gateway a recording is; raises `RecordingError`."""
    run = read_run(path)
    if run is not None:
        return run.site, run.gateway
    records = RecordingFile(path).records(wanted=lambda one: one.topic.endswith("/site"))
    body = next((one.body for one in records if isinstance(one.body, SiteDescription)), None)
    return None if body is None else (body.site, body.gateway)


def refuse_strangers(places: Sequence[tuple[Path, tuple[str, str] | None]], what: str) -> None:
    """Refuse recordings of several gateways: nobody may take one's people for another's.

    Each comes with its `place_of`; `what` says what to do instead. Raises `RecordingError`, which
    names the first two that differ, and whose they are.
    """
    for path, place in places[1:]:
        if place != places[0][1]:
            raise RecordingError(
                f"{path}: is of {_named(place)}, and {places[0][0]} of {_named(places[0][1])}: "
                f"{what}"
            )


def _named(place: tuple[str, str] | None) -> str:
    return "nobody knows which gateway" if place is None else f"{place[0]} / {place[1]}"


def _span_in(handle: int) -> tuple[int, int] | None:
    """Read the span from a file's index; none where that is not whole."""
    footer_at = os.fstat(handle).st_size - len(_MAGIC) - RECORD.size - _FOOTER.size
    if footer_at < 0:
        return None
    footer = os.pread(handle, RECORD.size + _FOOTER.size, footer_at)
    begins_at, _, crc = _FOOTER.unpack_from(footer, RECORD.size)
    is_footer = RECORD.unpack_from(footer) == (Opcode.FOOTER, _FOOTER.size)
    if not is_footer or not 0 < footer_at - begins_at <= MAX_SUMMARY_BYTES:
        return None
    index = os.pread(handle, footer_at - begins_at, begins_at)
    if zlib.crc32(footer[: RECORD.size + 16], zlib.crc32(index)) != crc:
        return None
    for opcode, content in records_in(index):
        if opcode == Opcode.STATISTICS and len(content) >= _STATISTICS.size:
            said = _STATISTICS.unpack_from(content)
            count, first_ns, last_ns = said[0], said[-2], said[-1]
            return (first_ns, last_ns) if count and 0 < first_ns <= last_ns < MOST_NS else None
    return None
