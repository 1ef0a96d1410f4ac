"""Which recordings there are: one gateway's files in their order, told by what they say themselves.

Knows nothing about what is done with them. A segment is a file: how work is shared out among
processes or machines never decides where one begins.
"""

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from sys import intern

from mcap.writer import MCAP0_MAGIC

from delivery.recordings.run_record import RunRecord, read_run
from scene.clock import Clock, SystemClock
from scene.errors import LamproomError, RecordingError

ENDING = ".mcap"
BEGINNING_BYTES, END_BYTES = 65_536, 1_000_000
"""What of a file is looked at: at its end lie the check sums of all that is in it."""
LOOKERS = 16
"""So many files are looked at at once: on a server far away each takes its time."""
WRITTEN_S = 60.0
"""A recording that has no end yet and was changed so lately is still being written to."""
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


Tell = Callable[[str], None]


def unheard(_text: str) -> None:
    """Show nobody how far a search is."""


def find(places: Sequence[Path], tell: Tell = unheard, clock: Clock | None = None) -> Archive:
    """Look for recordings in files and folders, and below these; raises `LamproomError`.

    `tell` is told, after each file, how far that is: there may be a hundred thousand.
    """
    left_out: list[tuple[Path, str]] = []
    by_gateway = defaultdict[tuple[str, str], list[Segment]](list)
    for path, found in _looked_at(list(_files(places, left_out, tell)), tell, clock):
        if isinstance(found, str):
            left_out.append((path, found))
        else:
            by_gateway[found.gateway].append(found)
    segments = [one for name in sorted(by_gateway) for one in _in_order(by_gateway[name], left_out)]
    return Archive(segments=tuple(segments), left_out=tuple(left_out))


def _looked_at(
    paths: Sequence[Path], tell: Tell, clock: Clock | None
) -> Iterator[tuple[Path, Segment | str]]:
    """Look at files, several at once; gives what each is, or why it can't be used."""
    now_s = (clock or SystemClock()).now_ns() / 1e9

    def look(path: Path) -> Segment | str:
        try:
            return _segment(path, now_s)
        except RecordingError as error:
            return str(error)
        except OSError as error:
            return f"{path}: can't be read: {error.strerror or error}"

    lookers = ThreadPoolExecutor(LOOKERS)
    try:
        for number, (path, found) in enumerate(zip(paths, lookers.map(look, paths), strict=True)):
            tell(f"{number + 1} of {len(paths)} recordings looked at")
            yield path, found
    finally:
        lookers.shutdown(cancel_futures=True)


def _files(places: Sequence[Path], left_out: list[tuple[Path, str]], tell: Tell) -> Iterator[Path]:
    seen = set[Path]()
    for place in places:
        if not place.exists():
            raise LamproomError(f"{place}: there is no such file or folder")
        for path in _below(place, left_out) if place.is_dir() else (place,):
            if (real := path.resolve()) not in seen:
                seen.add(real)
                tell(f"{len(seen)} recordings found")
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


def _segment(path: Path, now_s: float) -> Segment:
    run = read_run(path)
    if run is None:
        raise RecordingError(f"{path}: does not say what was run: of which gateway it is")
    try:
        began_s = datetime.fromisoformat(run.started_at).timestamp()
    except (ValueError, OverflowError):
        raise RecordingError(f"{path}: does not say when it was begun") from None
    size_bytes, identity, written_s = _looked_into(path)
    if written_s is not None and abs(now_s - written_s) < WRITTEN_S:
        raise RecordingError(f"{path}: is still being written to: run it again when it is finished")
    # The same in many thousand files: once in memory.
    run = replace(run, site_yaml=intern(run.site_yaml), rig_yaml=intern(run.rig_yaml))
    return Segment(path=path, run=run, began_s=began_s, size_bytes=size_bytes, identity=identity)


def identity_of(path: Path) -> str:
    """Give what changes with a file's content, and not with its name; raises `OSError`.

    The time of its last change is in it, in whole seconds, as not every copy has more: a file that
    was damaged and fetched anew has its old size and end.
    """
    return _looked_into(path)[1]


def _looked_into(path: Path) -> tuple[int, str, float | None]:
    """Give size and identity, and when it was written to last if it has no end yet."""
    with path.open("rb") as file:
        state = os.fstat(file.fileno())
        digest = hashlib.sha256(f"{state.st_size} {int(state.st_mtime)} ".encode())
        digest.update(file.read(BEGINNING_BYTES))
        file.seek(max(state.st_size - END_BYTES, 0))
        end = file.read(END_BYTES)
        digest.update(end)
    written_s = None if end.endswith(MCAP0_MAGIC) else state.st_mtime
    return state.st_size, digest.hexdigest(), written_s


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
