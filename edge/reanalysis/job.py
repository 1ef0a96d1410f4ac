"""What is to be done with one segment, and the name of what comes out: a hash of all it depends on.

Knows nothing about who does it. A job is data: it may be sent to another process or machine.
"""

import hashlib
import json
import platform
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from detection.model import SHIPPED
from detection.runtime import open_session
from edge.file_digest import sha256_of
from edge.reanalysis.archive import Segment
from edge.rerun_pipeline import TAKEN_FROM_SITE
from edge.steps import site_fields
from scene.errors import ModelError
from scene.site import Site

FORMAT = 1
"""Changes with what a result is made of."""
CODE = ("scene", "stitching", "detection", "location", "delivery/recordings", "edge")
JUDGE = "control_room/judge.py"
"""All code on which a result may depend; pages and brokers are none of it."""
CALCULATING = ("av", "numpy", "onnxruntime", "onnxruntime-gpu", "opencv-python", "scipy")
"""Packages on whose version figures may depend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One segment to run again."""

    path: str
    before: tuple[str, ...]
    identities: tuple[str, ...]
    """What `path` and `before` were when the job was given."""
    site: str | None
    """The other site file's sections that count (`edge/steps.py`), JSON; none for the recorded."""
    model: str | None
    searched_with: str
    """SHA-256 of the model's file that a result must come of."""
    software: str
    searches_on: str
    """What searches for people, as `searches_on` names it."""
    key: str
    """Hash of all that the result depends on."""
    name: str
    """Of the result's file, without ending."""
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What shall be otherwise than it was."""

    sites: Mapping[tuple[str, str], Site]
    """Other site files, by site and gateway."""
    model: Path | None


def job_of(segment: Segment, trial: Trial, on: str | None = None) -> Job:
    """Say what is to be done with a segment, `on` what (else what is here); raises `ModelError`."""
    on = searches_on() if on is None else on
    site = trial.sites.get(segment.gateway)
    fields = None if site is None else json.dumps(site_fields(site), sort_keys=True)
    searched_with = _model_sha256(segment, site, trial.model)
    parts = {
        "format": FORMAT,
        "recording": segment.identity,
        "before": segment.before_identities,
        "site": None if site is None else _counting(site),
        "model": searched_with,
        "software": software(),
        "searches_on": on,
    }
    key = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    began = re.sub(r"[^0-9T]", "", segment.run.started_at[:19])
    words = (*segment.gateway, began, key[:32])
    return Job(
        path=str(segment.path.resolve()),
        before=tuple(str(path.resolve()) for path in segment.before),
        identities=(segment.identity, *segment.before_identities),
        site=fields,
        model=None if trial.model is None else str(trial.model.resolve()),
        searched_with=searched_with,
        software=software(),
        searches_on=on,
        key=key,
        name="-".join(re.sub(r"[^\w.]", "_", word)[:60] for word in words),
        size_bytes=segment.size_bytes,
    )


def _counting(site: Site) -> dict[str, Any]:
    """Give what of another site file counts; where the model lies does not, its hash does."""
    fields = site_fields(site, TAKEN_FROM_SITE)
    return fields | {"detection": {**fields["detection"], "model": None}}


def _model_sha256(segment: Segment, site: Site | None, model: Path | None) -> str:
    path = model_of(model, site)
    return hash_of(path) if path else segment.run.model_sha256  # any other is refused


def model_of(model: Path | None, site: Site | None) -> Path | None:
    """Say which file's model searches; none for the recorded one."""
    return model or (None if site is None else site.detection.model or SHIPPED)


def hash_of(model: Path) -> str:
    """Give the SHA-256 of a model's file, read once as long as it is not changed."""
    try:
        state = model.stat()
    except OSError as error:
        raise ModelError(f"{model}: this model can't be read: {error.strerror}") from None
    return _hash_of(model, state.st_size, state.st_mtime_ns)


@cache
def _hash_of(model: Path, _size_bytes: int, _changed_ns: int) -> str:
    found = sha256_of(model)
    if not found:
        raise ModelError(f"{model}: this model can't be read")
    return found


@cache
def software() -> str:
    """Name the software that runs here: version, code and what it calculates with."""
    digest = hashlib.sha256()
    root = Path(__file__).parents[2]
    for path in sorted(_code(root)):
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(path.read_bytes())
    words = [f"lamproom {_version('lamproom')} ({digest.hexdigest()[:16]})"]
    words += [f"{name} {found}" for name in CALCULATING if (found := _version(name))]
    return ", ".join(words)


@cache
def searches_on() -> str:
    """Name what calculates here where a site file does not ask for anything: machine, provider.

    Another provider, CUDA instead of CPU, moves a score in its last digits.
    """
    try:
        provider = open_session(SHIPPED, providers=(), threads=1).provider
    except ModelError:  # rules alone can be tried without
        provider = "no ONNX Runtime"
    return f"{platform.machine()}, {provider.removesuffix('ExecutionProvider')}"


def _code(root: Path) -> Iterable[Path]:
    return (root / JUDGE, *(path for name in CODE for path in (root / name).rglob("*.py")))


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
