"""Alarms that every disk and every broker can take: text that is no Unicode is mended.

Knows nothing about where alarms go. A file's name in a text can hold half characters.
"""

from dataclasses import fields, replace
from typing import Any

from scene.messages import Anomaly


def sayable(alarm: Anomaly) -> Anomaly:
    """Give the alarm with `?` for what UTF-8 can't hold; the same one where there is nothing."""
    mended: dict[str, Any] = {}
    for field in fields(alarm):
        value = getattr(alarm, field.name)
        if isinstance(value, str) and not value.isascii():
            fit = value.encode("utf-8", "replace").decode()
            if fit != value:
                mended[field.name] = fit
    return replace(alarm, **mended) if mended else alarm
