"""What is wrong with a Compose file beyond its schema: said in lines, none where all is well."""

import argparse
import contextlib
import io
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from edge import log
from edge.guardian import STOP_LIMIT_S
from edge.main import _parser

Json = dict[str, Any]
OURS = "lamproom"
THREADS = {"OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "PYTHONUNBUFFERED"}
KNOWN = {
    OURS: THREADS | {log.VARIABLE, "PGPASSFILE", "PGPASSWORD", "NVIDIA_DRIVER_CAPABILITIES", "TZ"},
    "postgres": {
        "POSTGRES_USER",
        "POSTGRES_DB",
        "POSTGRES_PASSWORD_FILE",
        "POSTGRES_INITDB_ARGS",
        "PGDATA",
    },
    "eclipse-mosquitto": set[str](),
    "nats": set[str](),
}
"""What may be said in the environment of an image."""
SECRETS = PurePosixPath("/run/secrets")
PROBES = ("/healthz", "/readyz")
_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")
_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "KI": 2**10, "MI": 2**20, "GI": 2**30}


def filled(text: str, values: dict[str, str]) -> str:
    """Put variables in, as Compose does: their value, else what stands after `:-`."""
    return _VARIABLE.sub(lambda found: values.get(found[1], found[2] or ""), text)


def bytes_of(size: str) -> int:
    """Read `500M`, `4Gi` or plain bytes."""
    found = re.fullmatch(r"(\d+)([KMG]?i?)", str(size), re.IGNORECASE)
    assert found, size
    return int(found[1]) * _UNITS[found[2].upper()]


def seconds_of(text: str) -> float:
    """Read `90s` or `2m`."""
    found = re.fullmatch(r"(\d+)(s|m)", text)
    assert found, text
    return int(found[1]) * {"s": 1, "m": 60}[found[2]]


def name_of(image: str) -> str:
    """Give an image's name without its tag."""
    return image.rpartition(":")[0] or image


def parsed(words: list[str]) -> argparse.Namespace | str:
    """Read a command line of ours with the real options; gives what is wrong with it instead."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return _parser(words).parse_args(words)
    except SystemExit:
        return said.getvalue().strip().splitlines()[-1]


def command_faults(words: list[str]) -> Iterator[str]:
    """Look at a command line of `lamproom`."""
    found = parsed(words)
    if isinstance(found, str):
        yield f"{' '.join(words)}: {found}"
    elif not found.command:
        yield f"{' '.join(words)}: no command"


def files_in(words: list[str]) -> Iterator[PurePosixPath]:
    """List the files that a command line names."""
    for word in words:
        value = word.partition("=")[2] if word.startswith("--") else word
        if value.startswith("/"):
            yield PurePosixPath(value)


def environment_faults(image: str, names: set[str]) -> Iterator[str]:
    """Look whether anybody reads these variables."""
    for name in sorted(names - KNOWN.get(name_of(image), names)):
        yield f"{name}: nobody in {image} reads it"


def image_faults(image: str) -> Iterator[str]:
    """Look at an image's name: from no registry by name, and of a version."""
    host = image.partition("/")[0]
    if "/" in image and ("." in host or ":" in host or host == "localhost"):
        yield f"{image}: names a registry"
    if not image.rpartition(":")[2][:1].isdigit():
        yield f"{image}: has no version"
    if name_of(image) not in KNOWN:
        yield f"{image}: is not known"


def faults(compose: Json, folder: Path, values: dict[str, str]) -> list[str]:
    """Look at a whole file that lies in `folder`; `values` are what its variables are."""
    found: list[str] = []
    for name, service in compose["services"].items():
        found += [f"{name}: {fault}" for fault in _service(service, compose, folder, values)]
    for kind in ("secrets", "volumes", "networks"):
        used = {one for service in compose["services"].values() for one in _used(service, kind)}
        found += [f"{kind}: {one}: is not there" for one in sorted(used - set(compose[kind]))]
        found += [f"{kind}: {one}: nobody uses it" for one in sorted(set(compose[kind]) - used)]
    for name, secret in compose["secrets"].items():
        if not (folder / filled(secret["file"], values)).is_file():
            found.append(f"secrets: {name}: there is no file {secret['file']}")
    return found


def _used(service: Json, kind: str) -> set[str]:
    said = service.get(kind, ())
    if kind != "volumes":
        return set(said)
    return {one.partition(":")[0] for one in said if isinstance(one, str)}


def _service(service: Json, compose: Json, folder: Path, values: dict[str, str]) -> Iterator[str]:
    image = filled(service["image"], values)
    yield from image_faults(image)
    yield from environment_faults(image, set(service.get("environment", {})))
    yield from _rights(service, image)
    yield from _life(service)
    words = [filled(word, values) for word in service.get("command", [])]
    if name_of(image) == OURS:
        yield from command_faults(words)
    yield from _mounts(service, words, folder, values)
    yield from _ports(service, words, values)


def _rights(service: Json, image: str) -> Iterator[str]:
    if service.get("read_only") is not True:
        yield "its root can be written"
    if service.get("cap_drop") != ["ALL"] or service.get("cap_add"):
        yield "it has capabilities"
    if "no-new-privileges:true" not in service.get("security_opt", ()):
        yield "it may get new privileges"
    if service.get("privileged") or service.get("pid") == "host":
        yield "it is privileged"
    user = str(service.get("user", "10001" if name_of(image) == OURS else "0"))
    if user.partition(":")[0] in ("0", "root"):
        yield "it runs as root"


def _life(service: Json) -> Iterator[str]:
    if service.get("restart") != "always":
        yield "it is not started again"
    if "test" not in service.get("healthcheck", {}):
        yield "nobody looks whether it lives"
    limits = service.get("deploy", {}).get("resources", {}).get("limits", {})
    if "memory" not in limits:
        yield "its memory has no limit"
    if "pids_limit" not in service:
        yield "its processes have no limit"
    grace_s = seconds_of(service.get("stop_grace_period", "10s"))
    if service.get("command", [""])[0] == "run" and grace_s < STOP_LIMIT_S:
        yield f"a gateway may take {STOP_LIMIT_S:.0f} s to end"


def _mounts(service: Json, words: list[str], folder: Path, values: dict[str, str]) -> Iterator[str]:
    mounted, writable = [], []
    for one in service.get("volumes", ()):
        if isinstance(one, str):
            writable.append(PurePosixPath(one.split(":")[1]))
            continue
        mounted.append(PurePosixPath(one["target"]))
        if not one.get("read_only") and not one["target"].startswith("/var/lib/"):
            yield f"{one['target']}: can be written"
        if not (folder / filled(one["source"], values)).is_dir():
            yield f"{one['source']}: there is no such folder"
    secrets = {SECRETS / name for name in service.get("secrets", ())}
    said = [str(value) for value in service.get("environment", {}).values()]
    for file in (*files_in(words), *files_in(said)):
        if file.is_relative_to("/usr"):
            continue
        in_folder = any(file.is_relative_to(one) for one in (*mounted, *writable))
        if file not in secrets and not in_folder:
            yield f"{file}: nothing is mounted there"
    asked = {file for file in (*files_in(words), *files_in(said)) if file in secrets}
    for secret in sorted(secrets - asked):
        yield f"{secret}: nothing reads it"


def _ports(service: Json, words: list[str], values: dict[str, str]) -> Iterator[str]:
    given = parsed(words) if words and name_of(filled(service["image"], values)) == OURS else None
    served = getattr(given, "port", None)
    for one in service.get("ports", ()):
        inside = int(filled(one, values).rpartition(":")[2])
        if served is not None and inside != served:
            yield f"port {inside}: it serves at {served}"
    test = service.get("healthcheck", {}).get("test", [])
    asked = test[-1] if test and "://" in str(test[-1]) else ""
    if asked and not asked.endswith(PROBES):  # NATS calls its own the same
        yield f"{asked}: is no probe"
    if asked and served is not None and f":{served}/" not in asked:
        yield f"{asked}: it serves at {served}"
