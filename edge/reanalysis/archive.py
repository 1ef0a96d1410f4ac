"""Which recordings there are: one gateway's files in their order, told by what they say themselves.

Knows nothing about what is done with them. A segment is a file: how work is shared out among
processes or machines never decides where one begins.
"""

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from delivery.recordings.run_record import RunRecord, read_run
from scene.errors import LamproomError, RecordingError

ENDING = ".mcap"
BEGINNING_BYTES, END_BYTES = 65_536, 1_000_000
"""What of a file is looked at: at its end lie the check sums of all that is in it."""
REACH_S = 2 * 3600.0
"""Files that were begun within so long before may lead up to one: none is much longer than an hour,
but there are shorter ones, where a recorder was started anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One file of a gateway, and those before it, where what happens in this one may begin."""

    path: Path
    run: RunRecord
    began_s: float
    """UTC, as the recorder's clock had it."""
    size_bytes: int
    identity: str
    """Changes with the file's content, not with its name."""
    before: tuple[Path, ...] = ()
    """The nearest last."""
    before_identities: tuple[str, ...] = ()

    @property
    def gateway(self) -> tuple[str, str]:
        """Site and gateway."""
        return self.run.site, self.run.gateway


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """What was found."""

    segments: tuple[Segment, ...]
    """By gateway, then by time."""
    left_out: tuple[tuple[Path, str], ...]
    """Files that can't be used, and why."""


@dataclass(slots=True, kw_only=True)
class _Found:
    segments: list[Segment] = field(default_factory=list)
    left_out: list[tuple[Path, str]] = field(default_factory=list)


def find(places: Sequence[Path]) -> Archive:
    """Look for recordings in files and folders, and below these; raises `LamproomError`."""
    found = _Found()
    for path in _files(places, found.left_out):
        try:
            found.segments.append(_segment(path))
        except RecordingError as error:
            found.left_out.append((path, str(error)))
        except OSError as error:
            found.left_out.append((path, f"{path}: can't be read: {error.strerror or error}"))
    by_gateway = defaultdict[tuple[str, str], list[Segment]](list)
    for one in found.segments:
        by_gateway[one.gateway].append(one)
    segments = [
        one for name in sorted(by_gateway) for one in _in_order(by_gateway[name], found.left_out)
    ]
    return Archive(segments=tuple(segments), left_out=tuple(found.left_out))


def _files(places: Sequence[Path], left_out: list[tuple[Path, str]]) -> Iterator[Path]:
    seen = set[Path]()
    for place in places:
        if not place.exists():
            raise LamproomError(f"{place}: there is no such file or folder")
        for path in _below(place, left_out) if place.is_dir() else (place,):
            if path.resolve() not in seen:
                seen.add(path.resolve())
                yield path


def _below(folder: Path, left_out: list[tuple[Path, str]]) -> Iterator[Path]:
    """Give the recordings below a folder, links too, each folder once."""

    def unread(error: OSError) -> None:
        where = Path(error.filename)
        left_out.append((where, f"{where}: this folder can't be read: {error.strerror}"))

    seen = set[str]()
    for place, folders, names in os.walk(folder, onerror=unread, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:  # a link that leads back
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        for name in sorted(names):
            if name.endswith(ENDING) and not name.startswith("."):
                yield Path(place, name)


def _segment(path: Path) -> Segment:
    run = read_run(path)
    if run is None:
        raise RecordingError(f"{path}: does not say what was run: of which gateway it is")
    try:
        began_s = datetime.fromisoformat(run.started_at).timestamp()
    except (ValueError, OverflowError):
        raise RecordingError(f"{path}: does not say when it was begun") from None
    size_bytes, identity = _identity(path)
    return Segment(path=path, run=run, began_s=began_s, size_bytes=size_bytes, identity=identity)


def _identity(path: Path) -> tuple[int, str]:
    """Give a file's size, and what changes with its content.

    The time of its last change is in it: one that was damaged and fetched anew has its old size
    and end.
    """
    with path.open("rb") as file:
        state = os.fstat(file.fileno())
        digest = hashlib.sha256(f"{state.st_size} {state.st_mtime_ns} ".encode())
        digest.update(file.read(BEGINNING_BYTES))
        file.seek(max(state.st_size - END_BYTES, 0))
        digest.update(file.read(END_BYTES))
    return state.st_size, digest.hexdigest()


def _in_order(segments: Iterable[Segment], left_out: list[tuple[Path, str]]) -> Iterator[Segment]:
    """Give a gateway's segments by time, each once, with those that lead up to it."""
    before: list[Segment] = []
    for one in sorted(segments, key=lambda one: (one.began_s, -one.size_bytes, str(one.path))):
        if before and before[-1].began_s == one.began_s:
            left_out.append((one.path, f"{one.path}: is there twice: {before[-1].path} is used"))
            continue
        before = [other for other in before if one.began_s - other.began_s <= REACH_S]
        yield replace(
            one,
            before=tuple(other.path for other in before),
            before_identities=tuple(other.identity for other in before),
        )
        before.append(one)
