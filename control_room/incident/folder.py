"""Make an incident export: one folder, whole and signed, or none at all.

Knows nothing about the command line or HTTP. Everything is written into a hidden folder beside the
wanted one, which gets its name when all is done; no name of a file comes from the recording.
"""

import contextlib
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from control_room.incident.archive import pack, pieces
from control_room.incident.error import IncidentError
from control_room.incident.gather import Gathered, gather
from control_room.incident.instants import AROUND_NS
from control_room.incident.lacks import lacks_of
from control_room.incident.lives import ActsOf, Life, as_plain, in_span, lives_of
from control_room.incident.manifest import Listed, seal, written
from control_room.incident.models import models_of
from control_room.incident.names import (
    ALARMS_CSV,
    ALARMS_JSON,
    HEALTH,
    MANIFEST,
    SUMMARY,
)
from control_room.incident.neighbours import files_round
from control_room.incident.outages import outages_of
from control_room.incident.showing import Shown, show
from control_room.incident.span import BEFORE_NS, MOST_AROUND_NS, Span, span_of
from control_room.incident.summary import Told, page
from control_room.incident.tables import write_alarms, write_health
from control_room.incident.tags import site_at
from control_room.journal.export import moment
from delivery.recordings.run_record import read_run
from delivery.signing import PublicKey
from scene.clock import Clock
from scene.errors import printable
from scene.html_page import Both

MOST_SITES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be exported."""

    recording: Path
    from_ns: int | None = None
    to_ns: int | None = None
    alarm: str | None = None
    """Id of the alarm that it is about; sets the times that are not given."""
    raised_at_ns: int | None = None
    """When that was raised; None: as the recording says."""
    folder: Path | None = None
    """None: `incident-` and its first instant, here."""
    zip: bool = False
    """Whether a .zip is written beside the folder."""
    key: Ed25519PrivateKey | None = None
    acts_of: Callable[[str, str], ActsOf] | None = None
    """Gives what people did with alarms, for a site and gateway."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was made."""

    folder: Path
    archive: Path | None
    span: Span
    lacks: tuple[Both, ...]
    signed_by: str
    """The key (hexadecimal); empty: nobody."""
    files: int


def export(
    wanted: Wanted, clock: Clock, tell: Callable[[float], None] = lambda _: None
) -> Exported:
    """Make it; `tell` is told the share (0 to 1) that is done.

    Raises `IncidentError`, `RecordingError`, `JournalError`; nothing is left behind then, and
    nothing that was there is ever written over.
    """
    try:
        return _export(wanted, clock, tell)
    except ArithmeticError:  # of its site, perhaps: whoever wrote that is not our gateway
        raise IncidentError(f"{wanted.recording}: has figures that no mine has") from None


def _export(wanted: Wanted, clock: Clock, tell: Callable[[float], None]) -> Exported:
    found = _gathered(wanted)
    tell(0.1)
    acts = None if wanted.acts_of is None else wanted.acts_of(found.site, found.gateway)
    lives = lives_of(found, acts)
    about = _about(lives, wanted)
    name = str(wanted.recording)
    span = span_of(found, wanted.from_ns, wanted.to_ns, about, name)
    folder = wanted.folder or Path(f"incident-{_stamp(span.from_ns)}")
    archive = folder.with_name(f"{folder.name}.zip") if wanted.zip else None
    with _new_folder(folder, archive) as part:
        within = in_span(lives, span.from_ns, span.to_ns)
        shown = show(
            found,
            span,
            lives,
            folder=part,
            tell=lambda share: tell(0.1 + 0.8 * share),
        )
        about_it = _write_all(part, wanted, found, span, within, shown=shown, clock=clock)
        lacks, manifest = about_it
        files = _listed(part)
        sealed = written(manifest, files)
        (part / MANIFEST).write_bytes(sealed)
        seal_name, seal_bytes = seal(sealed, wanted.key)
        (part / seal_name).write_bytes(seal_bytes)
        if archive is not None:
            names = [MANIFEST, seal_name, *(one.path for one in files)]
            pack(part, names, part.with_name(f"{part.name}.zip"), lambda: tell(0.95))
        _sync(part)
    tell(1.0)
    return Exported(
        folder=folder,
        archive=archive,
        span=span,
        lacks=tuple(lacks),
        signed_by=_key_id(wanted.key),
        files=len(files),
    )


def _gathered(wanted: Wanted) -> Gathered:
    """Gather from the recording, and those beside it that have something of the wanted time."""
    found, raised_ns = None, wanted.raised_at_ns
    if wanted.alarm is not None and raised_ns is None:
        found = gather(wanted.recording)
        about = _about(lives_of(found, None), wanted)
        raised_ns = None if about is None else about.raised_at_ns
    from_ns, to_ns = wanted.from_ns, wanted.to_ns
    if raised_ns is not None:
        from_ns = raised_ns - BEFORE_NS if from_ns is None else from_ns
        to_ns = raised_ns + MOST_AROUND_NS if to_ns is None else to_ns
    files = [wanted.recording]
    if from_ns is not None and to_ns is not None:
        files = files_round(wanted.recording, from_ns - AROUND_NS, to_ns + AROUND_NS)
    return gather(*files) if found is None or len(files) > 1 else found


def _about(lives: tuple[Life, ...], wanted: Wanted) -> Life | None:
    if wanted.alarm is None:
        return None
    for one in lives:
        if one.first.id == wanted.alarm:
            return one
    known = ", ".join(printable(one.first.id, 60) for one in lives[:20]) or "none"
    raise IncidentError(
        f"--alarm: {printable(wanted.alarm, 80)} is not in {wanted.recording}; there are: {known}",
        f"录像中没有报警 {printable(wanted.alarm, 80)}",
    )


def _write_all(
    part: Path,
    wanted: Wanted,
    found: Gathered,
    span: Span,
    lives: tuple[Life, ...],
    *,
    shown: Shown,
    clock: Clock,
) -> tuple[list[Both], dict[str, Any]]:
    """Write all files but film, pictures and tracks; gives what is missing, and the manifest."""
    outages = outages_of(found, span)
    acts_known = wanted.acts_of is not None
    run = read_run(wanted.recording)
    models = models_of(found, span, run)
    more_sites = _write_sites(part, found, span)
    lacks = lacks_of(
        *(found, span, shown, outages, lives),
        acts_known=acts_known,
        models=models,
        more_sites=more_sites,
    )
    write_alarms(part / ALARMS_CSV, lives)
    plain = json.dumps([as_plain(one) for one in lives], indent=1)
    (part / ALARMS_JSON).write_text(plain + "\n", encoding="utf-8")
    write_health(part / HEALTH, outages)
    if run is not None and run.rig_yaml:
        _write_text(part / "rig.yaml", run.rig_yaml)
    now_ns = clock.now_ns()
    paths = [one.path for one in found.files]
    sources = [_digest(one, printable(one.name)) for one in paths]
    software = f"lamproom {version('lamproom')}"
    recorded_by = site_at(found, span.from_ns).software
    told = Told(
        site=found.site,
        gateway=found.gateway,
        software=software,
        recorded_by=recorded_by,
        models=models,
        sources=tuple(sources),
        span=span,
        made_at_ns=now_ns,
        key=_key_id(wanted.key),
        about=wanted.alarm or "",
        lives=lives,
        outages=outages,
        lacks=lacks,
        shown=shown,
    )
    (part / SUMMARY).write_text(page(told), encoding="utf-8")
    begins_ns = shown.film_begins_ns
    manifest: dict[str, Any] = {
        "kind": "incident",
        "software": software,
        "made_at": moment(now_ns),
        "recording": {
            **_as_source(sources[paths.index(wanted.recording)]),
            "recorded_by": printable(recorded_by),
        },
        "models": [asdict(one) for one in models],
        "recordings": [_as_source(one) for one in sources],
        "site": printable(found.site),
        "gateway": printable(found.gateway),
        "alarm": None if wanted.alarm is None else printable(wanted.alarm),
        "span": {
            "from": moment(span.from_ns),
            "from_ns": span.from_ns,
            "to": moment(span.to_ns),
            "to_ns": span.to_ns,
        },
        "film_begins_at_ns": begins_ns,
        "lacks": [english for english, _ in lacks],
    }
    return lacks, manifest


def _as_source(one: Listed) -> dict[str, Any]:
    return {"name": one.path, "bytes": one.bytes, "sha256": one.sha256}


def _write_sites(part: Path, found: Gathered, span: Span) -> int:
    """Write the site file as it was in force, and each that came into force within the span.

    Gives how many of these are left out.
    """
    texts = [site_at(found, span.from_ns).site_yaml]
    texts += [one.body.site_yaml for one in found.sites if span.has(one.at_ns)]
    each = list(dict.fromkeys(texts))
    for number, text in enumerate(each[:MOST_SITES], 1):
        name = "site.yaml" if number == 1 else f"site-{number}.yaml"
        _write_text(part / name, text)
    return max(0, len(each) - MOST_SITES)


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", errors="replace", newline="")


@contextlib.contextmanager
def _new_folder(folder: Path, archive: Path | None) -> Iterator[Path]:
    """Give a hidden folder to write into, which is called `folder` once all went well."""
    _refuse_to_overwrite(folder, archive)
    part = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    packed = part.with_name(f"{part.name}.zip")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        part.mkdir()
        yield part
        _refuse_to_overwrite(folder, archive)  # as of one that came meanwhile
        part.rename(folder)
        if archive is not None:
            packed.rename(archive)
    except OSError as error:
        raise IncidentError(f"{folder}: can't be written: {error.strerror or error}") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
        packed.unlink(missing_ok=True)


def _refuse_to_overwrite(*places: Path | None) -> None:
    for place in places:
        if place is not None and os.path.lexists(place):
            raise IncidentError(f"{place}: is there already, and is never written over; give -o")


def _listed(part: Path) -> list[Listed]:
    files = sorted(one for one in part.rglob("*") if one.is_file())
    listed = [_digest(one, str(one.relative_to(part).as_posix())) for one in files]
    return sorted(listed, key=lambda one: one.path)


def _digest(path: Path, name: str = "") -> Listed:
    whole, size = hashlib.sha256(), 0
    try:
        with path.open("rb") as file:
            for piece in pieces(file):
                whole.update(piece)
                size += len(piece)
    except OSError as error:
        raise IncidentError(f"{path}: can't be read: {error.strerror}") from None
    return Listed(path=name, bytes=size, sha256=whole.hexdigest())


def _sync(part: Path) -> None:
    """Have all of it on the disk before it is called by its name."""
    for path in (*part.rglob("*"), part):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _stamp(at_ns: int) -> str:
    """Write an instant for a file's name: `20261130T100312Z`."""
    letters = "".join(one for one in moment(at_ns).split(".")[0] if one.isalnum())
    return f"{letters}Z"


def _key_id(key: Ed25519PrivateKey | None) -> str:
    return "" if key is None else PublicKey(key.public_key()).id
