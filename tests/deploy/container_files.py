"""The container files, and what a newcomer has made who follows docs/containers.md."""

import contextlib
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml

from edge.main import main

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = DEPLOY / "compose"
KUBERNETES = DEPLOY / "kubernetes"
EXAMPLES = (KUBERNETES / "example" / "surface", KUBERNETES / "example" / "gw1")
DOCS = (ROOT / "docs" / "containers.md").read_text(encoding="utf-8")
KUBECTL = shutil.which("kubectl")
Json = dict[str, Any]


def commands(program: str) -> list[list[str]]:
    """Give the words of each command of this program that the page tells."""
    blocks = re.findall(r"```sh\n(.*?)```", DOCS, re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True) for line in lines if line.startswith(f"{program} ")]


def make_certificates(folder: Path) -> None:
    """Run what the page tells of `lamproom certs`, for real; also the files that it has made."""
    with contextlib.chdir(folder):
        for words in commands("lamproom"):
            assert main(words[1:]) == 0
    for number in re.findall(r"`nats/(\d)`", DOCS):
        (folder / "nats" / number).mkdir(parents=True)
    (folder / "secrets").mkdir()
    for name in re.findall(r"`secrets/([a-z.-]+)`", DOCS):
        (folder / "secrets" / name).touch()
    (folder / "secrets" / "page.key").touch()
    shutil.copytree(folder / "certs" / "gateways" / "gw1", folder / "gateway" / "certs")


def made_for_kubernetes(folder: Path) -> dict[str, set[str]]:
    """Tell what is in each secret and config map that the page has one make."""
    found: dict[str, set[str]] = {}
    for words in commands("kubectl"):
        if "create" not in words or words[words.index("create") + 1] == "namespace":
            continue
        name = words[words.index("create") + 2 + ("secret" in words)]
        if "tls" in words:
            found[name] = {"tls.crt", "tls.key"}
            continue
        files = [word.partition("=")[2] for word in words if word.startswith("--from-file=")]
        found[name] = {key for file in files for key in _keys(folder, file)}
    return found


def _keys(folder: Path, file: str) -> set[str]:
    if "=" in file:
        return {file.partition("=")[0]}
    path = folder / file
    if path.is_dir():
        return {one.name for one in path.iterdir() if one.is_file()}
    trusted = path.parent == folder / "certs" / "trusted" and path.is_file()
    assert trusted or path.is_file() or file == "site.yaml", f"{file}: nothing made it"
    return {path.name}


def compose() -> Json:
    found: Json = yaml.safe_load((COMPOSE / "compose.yaml").read_text(encoding="utf-8"))
    return found


def manifests(folder: Path) -> list[Json]:
    """Give all manifests of a kustomization, as they are written, with what it builds on."""
    found: list[Json] = []
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8"))
    for name in kustomization["resources"]:
        place = folder / name
        if place.is_dir():
            found += manifests(place)
        else:
            found += yaml.safe_load_all(place.read_text(encoding="utf-8"))
    return found


def rendered(folder: Path) -> list[Json]:
    """Give what kubectl would apply."""
    assert KUBECTL is not None
    done = subprocess.run(
        [KUBECTL, "kustomize", str(folder)], stdout=subprocess.PIPE, text=True, check=True
    )
    return list(yaml.safe_load_all(done.stdout))
