"""What an acceptance test is about and what came of it, as one record: the report's own data.

Knows nothing about pages. Hashes are SHA-256 of files as they are now.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from control_room.incident.names import ACCEPTANCE
from edge.acceptance.check import Check, passed
from edge.acceptance.figures import Figures
from edge.model_file import ModelFile, model_file
from scene.errors import LamproomError
from scene.rig import Rig
from scene.site import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """What a running gateway says that it runs."""

    software: str
    model: ModelFile | None
    """None where it does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What was tested, by whom and when."""

    site: str
    gateway: str
    tester: str
    began_at_ns: int
    ended_at_ns: int
    software: str
    """Of this command."""
    gateway_software: str | None
    """Of the running gateway; none of a clip, which this command runs itself."""
    model: str
    model_sha256: str | None
    """Of the model that pictures were searched with; none where a running gateway does not say."""
    rig_id: str | None
    rig_sha256: str | None
    site_sha256: str
    truth: str
    """The clip's folder, or the file of stations."""
    truth_sha256: str


def subject_of(
    site: Site,
    site_file: Path,
    rig: Rig | None,
    *,
    tester: str,
    truth: Path,
    began_at_ns: int,
    ended_at_ns: int,
    gateway: Gateway | None = None,
) -> Subject:
    """Gather it; `gateway` is none of a clip. Raises `LamproomError` for a file that is gone."""
    model = model_file(site)
    if gateway is not None:
        model = gateway.model or ModelFile(name=model.name, sha256="")
    return Subject(
        site=site.site,
        gateway=site.gateway,
        tester=tester,
        began_at_ns=began_at_ns,
        ended_at_ns=ended_at_ns,
        software=f"lamproom {version('lamproom')}",
        gateway_software=None if gateway is None else gateway.software,
        model=model.name,
        model_sha256=model.sha256 or None,
        rig_id=None if rig is None else rig.id,
        rig_sha256=sha256_of(site.rig.file) if site.rig.file.exists() else None,
        site_sha256=sha256_of(site_file),
        truth=truth.name,
        truth_sha256=sha256_of(truth) if truth.is_file() else _folder_sha256(truth),
    )


def record(
    subject: Subject, figures: Figures, checks: Sequence[Check], site: Site
) -> dict[str, Any]:
    """Write all of it as plain values."""
    return {
        "schema": ACCEPTANCE,
        "passed": passed(checks),
        "subject": asdict(subject),
        "limits": site.acceptance.model_dump(mode="json"),
        "checks": [asdict(check) for check in checks],
        "figures": asdict(figures),
    }


def as_json(content: dict[str, Any]) -> bytes:
    """Write a record as a file."""
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def sha256_of(path: Path) -> str:
    """Give a file's hash; raises `LamproomError`."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise LamproomError(f"{path}: can't be read: {error.strerror}") from None


def _folder_sha256(folder: Path) -> str:
    """Hash a clip's folder: the list of its files, each with its own hash, as `sha256sum` has it.

    So that `find -type f | LC_ALL=C sort | xargs sha256sum | sha256sum` there tells the same.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    names = sorted(f"./{path.relative_to(folder).as_posix()}".encode() for path in files)
    lines = [f"{sha256_of(folder / name.decode())}  ".encode() + name + b"\n" for name in names]
    return hashlib.sha256(b"".join(lines)).hexdigest()
