"""The image: what gets in, and as whom it runs."""

import fnmatch
import re
import tomllib

import yaml

from tests.deploy.container_files import COMPOSE, DEPLOY, DOCS, EXAMPLES, KUBERNETES, ROOT
from tests.deploy.test_hashes import pinned

FILE = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]


def lines(word: str) -> list[list[str]]:
    joined = FILE.replace("\\\n", " ")
    return [line.split()[1:] for line in joined.splitlines() if line.startswith(f"{word} ")]


def test_all_that_is_copied_is_let_in_and_nothing_else() -> None:
    rules = [
        line
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    assert rules[0] == "*"
    let_in = {rule.removeprefix("!") for rule in rules[1:]}
    copied = [words[:-1] for words in lines("COPY") if not words[0].startswith("--from")]
    assert {source for sources in copied for source in sources} == let_in
    for name in let_in - {"dist/lamproom-*.whl"}:
        assert (ROOT / name).is_file(), name
    assert fnmatch.fnmatch(f"dist/lamproom-{VERSION}-py3-none-any.whl", "dist/lamproom-*.whl")


def test_it_runs_as_a_user_without_rights() -> None:
    (user,) = lines("USER")
    assert user == ["10001:10001"]
    last_stage = FILE[FILE.rindex("\nFROM ") :]
    assert "USER" in last_stage
    assert "pip install" not in last_stage


def test_packages_are_taken_by_their_hashes_and_no_registry_is_named() -> None:
    installs = re.findall(r"pip install [^\n]*", FILE)
    assert len(installs) == 2
    assert "--require-hashes --no-deps" in installs[0]
    assert "--no-deps --no-index" in installs[1]
    for path in (DEPLOY / "Containerfile", *COMPOSE.iterdir(), *KUBERNETES.rglob("*.yaml")):
        named = re.findall(r"\w+://[^\s\"']+", path.read_text(encoding="utf-8"))
        ours = re.compile(
            r"(mqtts|https?|postgresql)://(broker|nats-1|127\.0\.0\.1|lamproom@postgres)\b"
        )
        assert all(ours.match(one) for one in named), (path, named)


def test_the_gpus_list_is_the_other_with_its_runtime() -> None:
    def listed(name: str) -> dict[str, str]:
        text = (DEPLOY / name).read_text(encoding="utf-8")
        return dict(re.findall(r"^([a-z0-9-]+)==(\S+) ", text, re.MULTILINE))

    cpu, gpu = listed("requirements.hashes"), listed("requirements-gpu.hashes")
    assert set(cpu) - set(gpu) == {"onnxruntime"}
    assert "onnxruntime-gpu" in gpu
    more = {name for name in gpu if name not in cpu}
    assert all(name.startswith(("onnxruntime-gpu", "nvidia-")) for name in more), more
    assert {name: gpu[name] for name in cpu if name in gpu} == {
        name: pinned()[name] for name in cpu if name in gpu
    }
    assert "://" not in (DEPLOY / "requirements-gpu.hashes").read_text(encoding="utf-8")


def test_everybody_means_this_version_and_this_probe() -> None:
    compose = yaml.safe_load((COMPOSE / "compose.yaml").read_text(encoding="utf-8"))
    named = re.findall(r"lamproom:(\d[\w.]*)", FILE + DOCS)
    for path in (*COMPOSE.iterdir(), *KUBERNETES.rglob("*.yaml")):
        named += re.findall(r"lamproom:(\d[\w.]*)", path.read_text(encoding="utf-8"))
    for folder in EXAMPLES:
        text = (folder / "kustomization.yaml").read_text(encoding="utf-8")
        named += re.findall(r"newTag: (\S+?)\}", text)
    assert set(named) == {VERSION}
    (copied,) = [words for words in lines("COPY") if words[0] == "deploy/probe.py"]
    for name in ("control-room", "gateway"):
        assert compose["services"][name]["healthcheck"]["test"][3] == copied[1]
