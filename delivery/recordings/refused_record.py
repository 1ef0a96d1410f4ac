"""How a recording keeps a message that was not believed: apart, so that it can't look genuine.

Knows nothing about why messages are refused. One channel holds them all, each as a JSON object with
its topic, its exact bytes and the reason; nothing that reads messages finds one among them.
"""

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

from scene.errors import WireError

REFUSED_TOPIC = "refused"
"""No MQTT topic of Lamproom's is called so."""
SCHEMA = json.dumps(
    {
        "title": "lamproom/refused/1",
        "type": "object",
        "properties": {
            "topic": {"type": "string"},
            "why": {"type": "string"},
            "text": {"type": "string"},
            "base64": {"type": "string"},
        },
        "required": ["topic", "why"],
    }
).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A message that was refused when it came: forged, altered, played again, or nonsense."""

    at_ns: int
    """When it was received, by the recorder's clock."""
    topic: str
    """The MQTT topic that it came on."""
    payload: bytes
    """Exactly as it was received."""
    why: str


def pack_refused(topic: str, payload: bytes, why: str) -> bytes:
    """Write it; bytes that are no text go as base64."""
    said: dict[str, Any] = {"topic": topic, "why": why}
    try:
        said["text"] = payload.decode("utf-8")
    except UnicodeDecodeError:
        said["base64"] = base64.b64encode(payload).decode()
    return json.dumps(said).encode()


def unpack_refused(data: bytes, at_ns: int) -> Refused:
    """Read it again; raises `WireError` for what is none."""
    try:
        said = json.loads(data)
        topic, why, text = str(said["topic"]), str(said["why"]), said.get("text")
        whole = base64.b64decode(said["base64"], validate=True) if text is None else text.encode()
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, binascii.Error):
        raise WireError("no refused message") from None
    return Refused(at_ns=at_ns, topic=topic, payload=whole, why=why)
