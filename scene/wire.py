"""Messages to JSON and back, strictly; and the published JSON Schema.

Knows nothing about MQTT. Every message travels in one envelope::

    {"schema": "lamproom/positions/1", "gateway": "gw1", "run": 5, "seq": 17, "sent_at_ns": 1,
     "body": {}, "signature": "…"}

`run` tells one start of the sender from the next and only ever grows; `seq` counts up from 1 per
run and message type, so that a reader sees a gap. `signature` comes last, if at all; it is written
and checked by `delivery.signing`. Readers ignore fields they do not know (a newer gateway may send
more), and refuse a version they do not know.
"""

import json
from dataclasses import dataclass, make_dataclass
from functools import cache
from typing import Any, TypeGuard

from pydantic import TypeAdapter, ValidationError

from scene.errors import WireError, printable
from scene.messages import (
    Anomaly,
    ControlRoomBeat,
    GatewayHealth,
    GatewayState,
    Machines,
    Order,
    Positions,
    Receipt,
    SiteDescription,
    Tags,
)

VERSION = 1
MAX_BYTES = 1_000_000

MESSAGES: dict[str, Any] = {
    "positions": Positions,
    "alarm": Anomaly,
    "health": GatewayHealth,
    "state": GatewayState,
    "site": SiteDescription,
    "receipt": Receipt,
    "order": Order,
    "control_room": ControlRoomBeat,
    "tags": Tags,
    "machines": Machines,
}

Message = (
    Positions
    | Anomaly
    | GatewayHealth
    | GatewayState
    | SiteDescription
    | Receipt
    | Order
    | ControlRoomBeat
    | Tags
    | Machines
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A decoded message and who sent it."""

    type: str
    gateway: str
    seq: int
    sent_at_ns: int
    body: Message
    run: int = 0
    """0 where the sender gives none, as the mine's own systems may."""


def encode(message: Message, *, gateway: str, seq: int, sent_at_ns: int, run: int = 0) -> bytes:
    """Write a message as JSON bytes, without a signature; `run` 0 leaves that field out.

    >>> from scene.messages import GatewayState
    >>> encode(GatewayState(online=True, since_ns=5), gateway="gw1", seq=1, sent_at_ns=6)[:40]
    b'{"schema":"lamproom/state/1","gateway":"'
    """
    kind = type_name(message)
    body = _adapter(kind).dump_python(message, mode="json")
    return json.dumps(
        {
            "schema": f"lamproom/{kind}/{VERSION}",
            "gateway": gateway,
            **({"run": run} if run else {}),
            "seq": seq,
            "sent_at_ns": sent_at_ns,
            "body": body,
        },
        separators=(",", ":"),
        ensure_ascii=False,
        allow_nan=False,
    ).encode()


def decode(payload: bytes) -> Envelope:
    """Read a message; raises `WireError` that says what is wrong with it."""
    if len(payload) > MAX_BYTES:
        raise WireError(f"message of {len(payload)} bytes; at most {MAX_BYTES} are read")
    try:
        raw = json.loads(payload, object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise WireError(f"not a JSON message: {printable(str(error), 200)}") from None
    if not isinstance(raw, dict):
        raise WireError("not a message: the JSON is no object")
    kind = _kind_of(raw.get("schema"))
    gateway, seq, sent_at_ns = raw.get("gateway"), raw.get("seq"), raw.get("sent_at_ns")
    if not _is_text(gateway) or not _is_count(seq) or not _is_count(sent_at_ns):
        raise WireError(
            f"{kind}: envelope needs gateway (text), seq and sent_at_ns (whole numbers)"
        )
    run = raw.get("run", 0)
    if not _is_count(run):
        raise WireError(f"{kind}: envelope: run is no whole number")
    return Envelope(
        type=kind,
        gateway=gateway,
        run=run,
        seq=seq,
        sent_at_ns=sent_at_ns,
        body=_body(kind, raw, payload),
    )


def type_name(message: Message) -> str:
    """Tell the wire name of a message's type."""
    for name, kind in MESSAGES.items():
        if isinstance(message, kind):
            return name
    raise WireError(f"{type(message).__name__} is not sent on the wire")


def json_schema(kind: str) -> dict[str, Any]:
    """Give the JSON Schema of a whole message of this type, envelope included."""
    body = _adapter(kind).json_schema(mode="serialization")
    definitions = body.pop("$defs", {})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"lamproom/{kind}/{VERSION}",
        "type": "object",
        "required": ["schema", "gateway", "seq", "sent_at_ns", "body"],
        "properties": {
            "schema": {"const": f"lamproom/{kind}/{VERSION}"},
            "gateway": {"type": "string"},
            "run": {"type": "integer", "minimum": 0},
            "seq": {"type": "integer", "minimum": 0},
            "sent_at_ns": {"type": "integer", "minimum": 0},
            "body": body,
            "signature": {"type": "string", "pattern": "^[A-Za-z0-9+/]{86}==$"},
        },
        "$defs": definitions,
    }


@cache
def _adapter(kind: str) -> TypeAdapter[Any]:
    return TypeAdapter(MESSAGES[kind])


@cache
def _whole(kind: str) -> TypeAdapter[Any]:
    """Give what reads the body out of a whole message and passes over all else."""
    return TypeAdapter(make_dataclass("Whole", [("body", MESSAGES[kind])]))


def _kind_of(schema: object) -> str:
    parts = schema.split("/") if isinstance(schema, str) else []
    if len(parts) != 3 or parts[0] != "lamproom" or parts[1] not in MESSAGES:
        raise WireError(f"schema {str(schema)[:60]!r}: expected lamproom/<type>/{VERSION}")
    if parts[2] != str(VERSION):
        raise WireError(
            f"{parts[1]}: version {printable(parts[2], 20)}, but this reader knows {VERSION}"
        )
    return parts[1]


def _body(kind: str, raw: dict[str, Any], payload: bytes) -> Message:
    try:
        # Out of the message as it came: to write the body again takes longer than to read it.
        body: Message = _whole(kind).validate_json(payload, strict=True).body
    except ValueError:
        return _body_alone(kind, raw)
    return body


def _body_alone(kind: str, raw: dict[str, Any]) -> Message:
    """Read a body that has mistakes, and say which, or that is in another encoding than UTF-8."""
    try:
        # JSON mode: lists may become tuples, but a number in quotes stays a mistake.
        body: Message = _adapter(kind).validate_json(json.dumps(raw.get("body")), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "body"
        raise WireError(printable(f"{kind}: {place}: {first['msg']}")) from None
    except ValueError as error:  # pydantic-core refuses numbers of thousands of digits this way
        raise WireError(f"{kind}: {printable(str(error), 200)}") from None
    return body


def _is_text(value: object) -> TypeGuard[str]:
    """Tell whether a value is text that can be written again; half a surrogate pair can't."""
    return isinstance(value, str) and not any("\ud800" <= sign <= "\udfff" for sign in value)


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number")
