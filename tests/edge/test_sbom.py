import json
import tomllib
from pathlib import Path

import jsonschema

from edge.sbom import EXTRAS, bill, main

COMPONENT = {
    "type": "object",
    "required": ["type", "name"],
    "additionalProperties": False,
    "properties": {
        "type": {"enum": ["application", "library"]},
        "bom-ref": {"type": "string", "minLength": 1},
        "name": {"type": "string", "minLength": 1},
        "version": {"type": "string", "minLength": 1},
        "purl": {"type": "string", "pattern": r"^pkg:pypi/[a-z0-9-]+@\S+$"},
        "licenses": {
            "type": "array",
            "maxItems": 1,
            "items": {
                "oneOf": [
                    {"required": ["expression"]},
                    {
                        "required": ["license"],
                        "properties": {
                            "license": {"type": "object", "oneOf": [{"required": ["name"]}]}
                        },
                    },
                ]
            },
        },
    },
}
# The part of CycloneDX 1.5 (bom-1.5.schema.json) that is used.
SCHEMA = {
    "type": "object",
    "required": ["bomFormat", "specVersion"],
    "additionalProperties": False,
    "properties": {
        "bomFormat": {"const": "CycloneDX"},
        "specVersion": {"const": "1.5"},
        "serialNumber": {
            "pattern": "^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
        },
        "version": {"type": "integer", "minimum": 1},
        "metadata": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "timestamp": {"pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"},
                "component": COMPONENT,
            },
        },
        "components": {"type": "array", "items": COMPONENT, "uniqueItems": True},
        "dependencies": {
            "type": "array",
            "uniqueItems": True,
            "items": {
                "type": "object",
                "required": ["ref"],
                "additionalProperties": False,
                "properties": {
                    "ref": {"type": "string"},
                    "dependsOn": {"type": "array", "uniqueItems": True},
                },
            },
        },
    },
}


def test_the_bill_has_the_structure_of_cyclonedx(tmp_path: Path) -> None:
    assert main([str(tmp_path / "build" / "sbom.json")]) == 0
    made = json.loads((tmp_path / "build" / "sbom.json").read_text())
    jsonschema.validate(made, SCHEMA)
    refs = [component["bom-ref"] for component in made["components"]]
    refs.append(made["metadata"]["component"]["bom-ref"])
    assert len(refs) == len(set(refs))
    for one in made["dependencies"]:
        assert {one["ref"], *one["dependsOn"]} <= set(refs)


def test_all_extras_that_a_run_may_need_are_looked_at() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    extras = set(project["project"]["optional-dependencies"])
    assert set(EXTRAS) == extras - {"train", "samples"}


def test_everything_that_runs_is_in_it_and_nothing_else() -> None:
    made = bill()
    components = made["components"]
    assert isinstance(components, list)
    names = {component["name"].lower() for component in components}
    assert {"numpy", "paho-mqtt", "cryptography", "av"} <= names
    assert names & {"onnxruntime", "onnxruntime-gpu"}, "what an extra brings"
    assert not names & {"pytest", "mypy", "ruff", "playwright", "lamproom"}
    assert all(component.get("licenses") for component in components)
    lock = (Path(__file__).parents[2] / "requirements.lock").read_text()
    pinned = dict(line.split("==", 1) for line in lock.splitlines())
    for component in components:
        name = component["purl"].partition("/")[2].partition("@")[0]
        assert component["version"] == pinned.get(name, component["version"])
