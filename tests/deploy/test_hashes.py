"""The hashes that a gateway is installed with, and the versions that everything is tested with."""

import re
from pathlib import Path

from edge.sbom import needed

ROOT = Path(__file__).parents[2]
HASHES = (ROOT / "deploy" / "requirements.hashes").read_text()
AGAIN = "write it anew: make hashes"


def pinned() -> dict[str, str]:
    return dict(
        line.split("==", 1) for line in (ROOT / "requirements.lock").read_text().splitlines()
    )


def hashed() -> dict[str, tuple[str, int]]:
    found = {}
    joined = HASHES.replace("\\\n", " ")
    for line in joined.splitlines():
        if line and not line.startswith("#"):
            name, _, rest = line.partition("==")
            version, *digests = rest.split()
            assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", digest) for digest in digests)
            found[name] = (version, len(digests))
    return found


def test_versions_are_those_of_the_lock() -> None:
    versions = {name: version for name, (version, _) in hashed().items()}
    assert versions == {name: pinned()[name] for name in versions}, AGAIN


def test_all_that_runs_is_there_with_a_hash() -> None:
    running = set(needed("lamproom", "cpu", "gpu", "postgresql", "oidc")) - {
        "lamproom",
        "onnxruntime-gpu",
    }
    assert running - {"onnxruntime"} <= set(hashed()), AGAIN
    assert "onnxruntime" in hashed()
    assert all(count >= 1 for _, count in hashed().values())
    # Compiled ones differ by machine.
    for name in ("numpy", "opencv-python", "av"):
        assert hashed()[name][1] >= 2, AGAIN


def test_no_registry_is_named() -> None:
    assert "://" not in HASHES
    assert "--index" not in HASHES
