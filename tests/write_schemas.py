"""Write what others read: `docs/wire/` from the messages, `docs/http/openapi.json` from the API."""

import json
from pathlib import Path

import yaml

from control_room.open_api import open_api
from scene.async_api import async_api
from scene.wire import MESSAGES, json_schema

DOCS = Path(__file__).parents[1] / "docs"


def as_file(document: object) -> str:
    """Write a document as it is committed."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for kind in MESSAGES:
        text = as_file(json_schema(kind))
        (DOCS / "wire" / f"{kind}.schema.json").write_text(text, encoding="utf-8")
    text = yaml.safe_dump(async_api(), sort_keys=False, allow_unicode=True, width=100)
    (DOCS / "wire" / "asyncapi.yaml").write_text(text, encoding="utf-8")
    (DOCS / "http").mkdir(exist_ok=True)
    (DOCS / "http" / "openapi.json").write_text(as_file(open_api()), encoding="utf-8")
