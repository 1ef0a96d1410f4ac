"""Fill in the templates of `deploy/`: `@NAME@` stands for what only a site knows.

Knows nothing about what is in them.
"""

import re
import sys
from collections.abc import Mapping
from pathlib import Path

from scene.errors import LamproomError


def fill(template: str, values: Mapping[str, str]) -> str:
    """Fill in a template, a path below `deploy/`; raises `LamproomError` where one is missing."""
    text = template_text(template)

    def value(found: re.Match[str]) -> str:
        return values[found[1]]

    return re.sub(r"@([A-Z_]+)@", value, text)


def template_text(template: str) -> str:
    """Give a template as it is."""
    checkout = Path(__file__).resolve().parents[2] / "deploy"
    for folder in (checkout, Path(sys.prefix) / "share" / "lamproom"):
        path = folder / template
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise LamproomError(f"deploy/{template}: is missing from this installation; install it again")
