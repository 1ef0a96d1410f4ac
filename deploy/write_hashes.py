#!/usr/bin/env python3
"""Write deploy/requirements*.hashes: what gateway and control room run, with their files' SHA-256.

    .venv/bin/python deploy/write_hashes.py       after every change of requirements.lock

Versions are those of requirements.lock; hashes are those that pip's registry tells now, for the
Linux machines and Pythons below. No registry's name is written. On a gateway:

    pip install --require-hashes --no-deps -r requirements.hashes
    pip install --no-deps lamproom-*.whl

requirements-gpu.hashes is the same with onnxruntime-gpu instead of onnxruntime, and NVIDIA's
libraries that it brings: Python 3.11 on x86_64, as in deploy/Containerfile.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement

HERE = Path(__file__).resolve().parent
LOCK, HASHES = HERE.parent / "requirements.lock", HERE / "requirements.hashes"
GPU_HASHES = HERE / "requirements-gpu.hashes"
PYTHONS = ("3.11", "3.12", "3.13")
MACHINES = ("x86_64", "aarch64")
GLIBCS = ("2_28", "2_27", "2_26", "2_24", "2_17", "2_12")
"""Debian 12 has 2.36: newer wheels than these would run there, but not on older systems."""
HEAD = """\
# What a gateway or control room (lamproom[cpu,postgresql,oidc]) runs, with the SHA-256 of each file
# that pip may take for it: Linux on x86_64 and aarch64, Python 3.11 to 3.13. Written by
# deploy/write_hashes.py; versions are those of requirements.lock. Use:
#     pip install --require-hashes --no-deps -r requirements.hashes
"""
ONNXRUNTIME_GPU = "1.31.1"
"""The newest there is: it comes later than onnxruntime."""
GPU_HEAD = """\
# What a gateway with an NVIDIA GPU (lamproom[gpu,postgresql,oidc]) runs, with the SHA-256 of each
# file that pip may take for it: Linux on x86_64, Python 3.11. Written by deploy/write_hashes.py;
# versions are those of requirements.lock where that has them. Use:
#     pip install --require-hashes --no-deps -r requirements-gpu.hashes
"""


def main() -> int:
    """Ask pip for each kind of machine and write the files."""
    pins = pinned()
    names = sorted(needed("lamproom", "cpu", "postgresql", "oidc"))
    found: dict[str, set[str]] = {name: set() for name in names}
    for python in PYTHONS:
        for machine in MACHINES:
            wanted = [f"{name}=={pins[name]}" for name in names]
            for name, _, digest in ask(wanted, python, machine):
                found[name].add(digest)
    write(HASHES, HEAD, {name: (pins[name], found[name]) for name in names})
    wanted = [f"{name}=={pins[name]}" for name in names if name != "onnxruntime"]
    wanted.append(f"onnxruntime-gpu[cuda,cudnn]=={ONNXRUNTIME_GPU}")
    with_gpu: dict[str, tuple[str, set[str]]] = {}
    for name, version, digest in ask(wanted, "3.11", "x86_64", also_needed=True):
        with_gpu[name] = version, {digest}
    write(GPU_HASHES, GPU_HEAD, with_gpu)
    return 0


def write(file: Path, head: str, found: dict[str, tuple[str, set[str]]]) -> None:
    """Write one list: versions and hashes by name."""
    lines = [head]
    for name, (version, all_digests) in sorted(found.items()):
        digests = " \\\n".join(f"    --hash=sha256:{digest}" for digest in sorted(all_digests))
        lines.append(f"{name}=={version} \\\n{digests}\n")
    file.write_text("".join(lines), encoding="utf-8")
    print(f"wrote {file}: {len(found)} packages")


def pinned() -> dict[str, str]:
    """Give the versions in requirements.lock by name."""
    lines = (line.strip() for line in LOCK.read_text(encoding="utf-8").splitlines())
    return dict(line.split("==", 1) for line in lines if line and not line.startswith("#"))


def needed(name: str, *extras: str) -> set[str]:
    """Name all packages that one needs, as installed here, without itself."""
    seen: dict[str, set[str]] = {}

    def walk(name: str, extras: set[str]) -> None:
        if name in seen and extras <= seen[name]:
            return
        seen[name] = seen.get(name, set()) | extras
        for text in requires(name) or []:
            one = Requirement(text)
            wanted = one.marker is None or any(
                one.marker.evaluate({"extra": extra}) for extra in (*seen[name], "")
            )
            if wanted:
                walk(re.sub(r"[-_.]+", "-", one.name).lower(), set(one.extras))

    walk(name, set(extras))
    return set(seen) - {name}


def ask(
    pins: list[str], python: str, machine: str, *, also_needed: bool = False
) -> Iterator[tuple[str, str, str]]:
    """Let pip choose each package's file for one kind of machine, without installing it.

    Gives name, version and SHA-256; of what the packages need themselves, too, if `also_needed`.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run"]
        command += ["--ignore-installed", "--only-binary=:all:", "-c", str(LOCK)]
        command += [] if also_needed else ["--no-deps"]
        command += ["--target", folder, "--report", str(report), "--python-version", python]
        for glibc in GLIBCS:
            command += ["--platform", f"manylinux_{glibc}_{machine}"]
        subprocess.run([*command, *pins], check=True)
        for package in json.loads(report.read_text(encoding="utf-8"))["install"]:
            name = re.sub(r"[-_.]+", "-", package["metadata"]["name"]).lower()
            digest = package["download_info"]["archive_info"]["hashes"]["sha256"]
            yield name, package["metadata"]["version"], digest


if __name__ == "__main__":
    sys.exit(main())
