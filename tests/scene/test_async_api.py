import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from scene.async_api import async_api
from scene.topics import TOPICS
from scene.wire import MESSAGES

WIRE = Path(__file__).parents[2] / "docs" / "wire"
META = json.loads((Path(__file__).parent / "asyncapi-3.0.0.schema.json").read_text())


def published() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((WIRE / "asyncapi.yaml").read_text(encoding="utf-8"))
    return document


def faults(document: dict[str, Any]) -> list[str]:
    return [error.message for error in jsonschema.Draft7Validator(META).iter_errors(document)]


def test_the_published_document_is_current() -> None:
    assert published() == async_api(), "run `make schemas`"


def test_it_is_an_async_api_document() -> None:
    assert faults(published()) == []


@pytest.mark.parametrize("spoil", ["asyncapi", "action", "parameters"])
def test_the_schema_finds_faults(spoil: str) -> None:
    document = published()
    if spoil == "asyncapi":
        document["asyncapi"] = "2.6.0"
    elif spoil == "action":
        document["operations"]["say_alarm"]["action"] = "publish"
    else:
        document["channels"]["alarm"]["parameters"] = ["id"]
    assert faults(document)


def test_every_topic_and_message_is_in_it_and_every_reference_leads_somewhere() -> None:
    document = published()
    assert set(document["channels"]) == set(TOPICS)
    assert set(document["components"]["messages"]) == set(MESSAGES)

    def references(part: Any) -> list[str]:
        if isinstance(part, dict):
            own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
            return own + [one for value in part.values() for one in references(value)]
        return (
            [one for value in part for one in references(value)] if isinstance(part, list) else []
        )

    found = references(document)
    assert len(found) > 3 * len(TOPICS)
    for reference in found:
        if reference.startswith("./"):
            assert (WIRE / reference).is_file(), reference
            continue
        part: Any = document
        for step in reference.removeprefix("#/").split("/"):
            part = part[step]
