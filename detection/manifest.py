"""A signed list of SHA-256 digests beside a model: it is the file that somebody released.

Knows nothing about what a model does. `python -m detection.manifest MODEL --key FILE` writes one.

The signature is an HMAC-SHA-256 with a key that the signer and the gateway share: the standard
library has it, and no package that signs with key pairs is among our dependencies. It protects
against a model that was cut off, mixed up or exchanged on its way or on a shared disk by somebody
who does not hold the key. It does not protect against whoever can read the key file (on any gateway
that has it: such a person can sign, so give each site a key of its own, readable by the gateway
alone), against whoever can change the site file, nor against a file that is exchanged in the moment
between this check and loading, nor does it tell who signed. Engines that TensorRT has built from a
model are not listed.
"""

import argparse
import hashlib
import hmac
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from detection.external_data import external_files
from scene.errors import LamproomError, ModelError

VERSION = 1
SHORTEST_KEY = 32
"""Bytes: as long as the digest."""
SIGNATURE = "hmac_sha256"


def manifest_beside(model: Path) -> Path:
    """Say where a model's manifest is unless the site file names another place.

    >>> manifest_beside(Path("models/mine.onnx")).name
    'mine.onnx.manifest.json'
    """
    return model.with_name(f"{model.name}.manifest.json")


def check_manifest(model: Path, *, manifest: Path | None, key: Path | None) -> None:
    """Hold a model and its external data against its manifest; raises `ModelError` if they differ.

    Without a manifest there is nothing to check, unless a key or a manifest is configured: then
    one is wanted, or whoever exchanges the model would just leave it away.
    """
    place = manifest or manifest_beside(model)
    if not place.is_file():
        if manifest is None and key is None:
            return
        raise ModelError(
            f"{place}: there is no such manifest, and the site file wants the model signed: write "
            f"one with `python -m detection.manifest {model} --key FILE`, or leave out "
            "detection.manifest and detection.manifest_key"
        )
    if key is None:
        raise ModelError(
            f"{place}: the manifest is signed, but there is no key to check it with: give its key "
            "file as detection.manifest_key"
        )
    digests = _read(place, _key(key))
    _compare(model, model, digests, place)
    for path in external_files(model):
        _compare(path, model, digests, place)


def write_manifest(model: Path, key: Path, to: Path | None = None) -> Path:
    """Write the signed manifest of a model and its external data; gives its path."""
    secret = _key(key)
    files = {_name(path, model): _digest(path) for path in (model, *external_files(model))}
    place = to or manifest_beside(model)
    content = {"version": VERSION, "files": files, SIGNATURE: _signature(files, secret)}
    try:
        place.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise ModelError(f"{place}: the manifest can't be written: {error}") from None
    return place


def _read(place: Path, secret: bytes) -> Mapping[str, str]:
    """Give the digests by file name, once the signature is known to be right."""
    try:
        content = json.loads(place.read_text(encoding="utf-8"))
        files, signature = content["files"], content[SIGNATURE]
        well_formed = (
            content["version"] == VERSION
            and isinstance(signature, str)
            and signature.isascii()
            and all(isinstance(digest, str) for digest in files.values())
        )
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError):
        well_formed = False
    if not well_formed:
        raise ModelError(
            f"{place}: not a manifest of version {VERSION}, or cut off: write it again with "
            "`python -m detection.manifest`"
        )
    if not hmac.compare_digest(signature.encode(), _signature(files, secret).encode()):
        raise ModelError(
            f"{place}: the signature is wrong: the manifest was changed, or signed with another "
            "key than detection.manifest_key; don't use this model before you know which"
        )
    digests: Mapping[str, str] = files
    return digests


def _compare(path: Path, model: Path, digests: Mapping[str, str], place: Path) -> None:
    wanted = digests.get(_name(path, model))
    if wanted is None:
        raise ModelError(f"{path}: is not listed in the manifest {place}; sign the model again")
    if not hmac.compare_digest(_digest(path).encode(), wanted.encode()):
        raise ModelError(
            f"{path}: is not the file that was signed (its SHA-256 differs from {place}): copy it "
            "again from where it was released"
        )


def _name(path: Path, model: Path) -> str:
    return Path(os.path.relpath(path, model.parent)).as_posix()


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise ModelError(f"{path}: there is no such model file (detection.model)") from None
    except OSError as error:
        raise ModelError(f"{path}: can't be read: {error}") from None


def _signature(files: Mapping[str, str], secret: bytes) -> str:
    signed = {"version": VERSION, "files": files}
    text = json.dumps(signed, sort_keys=True, separators=(",", ":"))
    return hmac.new(secret, text.encode(), "sha256").hexdigest()


def _key(path: Path) -> bytes:
    try:
        secret = path.read_bytes().rstrip(b"\r\n")
    except OSError as error:
        raise ModelError(
            f"{path}: the manifest's key can't be read (detection.manifest_key): {error.strerror}"
        ) from None
    if len(secret) < SHORTEST_KEY:
        raise ModelError(
            f"{path}: a key of {len(secret)} bytes is too short, at least {SHORTEST_KEY} are "
            f"needed: `openssl rand -hex 32 > {path.name}` makes one"
        )
    return secret


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m detection.manifest",
        description="Sign a model: write its manifest (SHA-256 of its files, HMAC-SHA-256).",
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("--key", type=Path, required=True, help="file of at least 32 secret bytes")
    parser.add_argument("--output", type=Path, help="instead of MODEL.manifest.json")
    given = parser.parse_args(arguments)
    try:
        print(write_manifest(given.model, given.key, given.output))
    except LamproomError as error:
        print(f"lamproom: {error}")
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
