"""Write `docs/wire/*.schema.json` and `docs/wire/asyncapi.yaml` from the message types."""

import json
from pathlib import Path

import yaml

from scene.async_api import async_api
from scene.wire import MESSAGES, json_schema

FOLDER = Path(__file__).parents[1] / "docs" / "wire"

for kind in MESSAGES:
    text = json.dumps(json_schema(kind), indent=2, ensure_ascii=False) + "\n"
    (FOLDER / f"{kind}.schema.json").write_text(text, encoding="utf-8")
text = yaml.safe_dump(async_api(), sort_keys=False, allow_unicode=True, width=100)
(FOLDER / "asyncapi.yaml").write_text(text, encoding="utf-8")
