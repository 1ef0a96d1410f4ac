"""What was run when something was recorded: software, site file, rig file, model, and since when.

Knows nothing about where these come from. It is the file's first record after its header, an MCAP
`Metadata` record that field tools list.
"""

import struct
from dataclasses import asdict, dataclass, fields
from io import BytesIO
from pathlib import Path
from typing import IO

from mcap.data_stream import ReadDataStream
from mcap.opcode import Opcode
from mcap.records import Metadata

from delivery.recordings.format import RUN
from scene.errors import RecordingError

_MAGIC_BYTES = 8
_FIRST_RECORDS = 20
_MOST_BYTES = 20_000_000
_FARTHEST_BYTES = 2**60
"""No file is so long: what follows is no record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One run, as a file of its recording tells it; all texts, without passwords."""

    site: str
    gateway: str
    software: str
    started_at: str
    """When this file was begun, UTC, ISO 8601."""
    file_number: str
    """1 for the first file of a run, or since the recorder was started anew."""
    site_yaml: str
    rig_yaml: str
    model: str
    """Name of the model's file."""
    model_sha256: str
    cameras: str = ""
    """Names of the cameras whose packets are recorded, with spaces between; empty for none."""

    @property
    def number(self) -> int:
        """Which file of its run it is."""
        return int(self.file_number) if self.file_number.isdecimal() else 1

    def texts(self) -> dict[str, str]:
        """Give the record's fields."""
        return asdict(self)


def read_run(path: Path) -> RunRecord | None:
    """Read what was run; none where a recording does not say. Raises `RecordingError`."""
    try:
        with path.open("rb") as file:
            return run_in(file)
    except FileNotFoundError:
        raise RecordingError(f"{path}: there is no such recording") from None
    except OSError as error:
        raise RecordingError(f"{path}: can't be read: {error}") from None


def run_in(file: IO[bytes]) -> RunRecord | None:
    """Read what was run from a file that is open; raises `OSError`."""
    file.seek(_MAGIC_BYTES)
    for _ in range(_FIRST_RECORDS):
        head = file.read(9)
        if len(head) < 9:
            return None
        opcode, length = struct.unpack("<BQ", head)
        if opcode == Opcode.METADATA and length < _MOST_BYTES:
            found = _run_in(file.read(length))
            if found is not None:
                return found
        elif opcode == Opcode.CHUNK or length > _FARTHEST_BYTES:
            return None
        else:
            file.seek(length, 1)
    return None


def _run_in(data: bytes) -> RunRecord | None:
    try:
        record = Metadata.read(ReadDataStream(BytesIO(data)))
        names = {field.name for field in fields(RunRecord)}
        given = {name: text for name, text in record.metadata.items() if name in names}
        return RunRecord(**given) if record.name == RUN else None
    except Exception:  # whatever the bytes make of it
        return None
