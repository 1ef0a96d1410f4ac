"""Write `docs/wire/*.schema.json` from the message types."""

import json
from pathlib import Path

from scene.wire import MESSAGES, json_schema

FOLDER = Path(__file__).parents[1] / "docs" / "wire"

for kind in MESSAGES:
    text = json.dumps(json_schema(kind), indent=2, ensure_ascii=False) + "\n"
    (FOLDER / f"{kind}.schema.json").write_text(text, encoding="utf-8")
