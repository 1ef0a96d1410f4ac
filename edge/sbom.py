"""Write what Lamproom is made of as installed here: a CycloneDX 1.5 bill of materials (JSON).

Knows nothing about registries: all is read from the installed packages' own metadata.
`python -m edge.sbom FILE` writes one; https://cyclonedx.org/docs/1.5/json/ describes the format.
"""

import argparse
import json
import re
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

EXTRAS = ("cpu", "gpu", "postgresql", "oidc", "scale")
"""Of those only what is installed is found."""
_NAME = re.compile(r"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^\]]*)\])?")
_EXTRA = re.compile(r"""extra\s*==\s*['"]([^'"]+)['"]""")

Json = dict[str, object]


def bill(root: str = "lamproom", now: datetime | None = None) -> Json:
    """Give the bill of `root` and of all installed packages that it needs."""
    packages = needed(root)
    now = now or datetime.now(UTC)
    components = [_component(one, "library") for name, one in packages.items() if name != root]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid4()}",
        "version": 1,
        "metadata": {
            "timestamp": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": _component(packages[root], "application"),
        },
        "components": components,
        "dependencies": [
            {
                "ref": _ref(one),
                "dependsOn": sorted(_ref(packages[need]) for need in _needs(one, packages)),
            }
            for one in packages.values()
        ],
    }


def needed(root: str, *of_extras: str) -> dict[str, Distribution]:
    """Find `root` and all installed packages that it needs with `of_extras` (or all), by name."""
    found: dict[str, Distribution] = {}
    waiting, asked = [(root, frozenset(of_extras or EXTRAS))], set[tuple[str, frozenset[str]]]()
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in asked:
            continue
        asked.add((name, extras))
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:  # of another system, or an extra that nobody installed
            continue
        waiting += _requires(found[name], extras)
    return dict(sorted(found.items()))


def _requires(one: Distribution, extras: frozenset[str]) -> list[tuple[str, frozenset[str]]]:
    """Read (name, extras) of what a package asks for.

    Conditions on systems and Pythons are not judged: what they leave out is not installed, or is
    there all the same.
    """
    wanted = []
    for text in one.requires or []:
        found = _NAME.match(text)
        of_extra = _EXTRA.search(text)
        if found and (of_extra is None or of_extra[1] in extras):
            asked = frozenset(word.strip() for word in (found[2] or "").split(",") if word.strip())
            wanted.append((_plain(found[1]), asked))
    return wanted


def _needs(one: Distribution, packages: Mapping[str, Distribution]) -> set[str]:
    named = {name for name, _ in _requires(one, frozenset(EXTRAS))}
    return {name for name in named if name in packages and name != _plain(one.name)}


def _component(one: Distribution, kind: str) -> Json:
    made: Json = {
        "type": kind,
        "bom-ref": _ref(one),
        "name": one.name,
        "version": one.version,
        "purl": _ref(one),
    }
    licence = _licence(one)
    return made | ({"licenses": [licence]} if licence else {})


def _licence(one: Distribution) -> Json | None:
    """Give what the package says of its licence: an SPDX expression where it has one."""
    said = one.metadata.json
    if "license_expression" in said:
        return {"expression": said["license_expression"]}
    classified = [
        line.rpartition(" :: ")[2]
        for line in said.get("classifier", [])
        if line.startswith("License :: ") and " :: " in line.removeprefix("License :: ")
    ]
    text = str(said.get("license", "")).strip()
    short = text if text and "\n" not in text and len(text) < 100 else ""
    name = short or " AND ".join(classified)
    return {"license": {"name": name}} if name else None


def _ref(one: Distribution) -> str:
    return f"pkg:pypi/{_plain(one.name)}@{one.version}"


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m edge.sbom", description=__doc__)
    parser.add_argument("file", type=Path)
    given = parser.parse_args(arguments)
    made = bill()
    given.file.parent.mkdir(parents=True, exist_ok=True)
    given.file.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    components = made["components"]
    assert isinstance(components, list)
    print(f"wrote {given.file}: {len(components)} components")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
