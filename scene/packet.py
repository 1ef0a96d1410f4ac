"""One panorama frame and the people on it, as one binary message.

Knows nothing about sockets. Layout: four bytes, big-endian, the length of a JSON header in UTF-8;
the header; the H.264 access unit (Annex B). Picture and people travel together, so a tag can't
drift from its miner.
"""

import json
import re
from typing import Any

from pydantic import TypeAdapter, ValidationError

from scene.errors import WireError
from scene.messages import PanoramaPacket, Positions

SCHEMA = "lamproom/panorama/1"
MAX_BYTES = 16_000_000

_BEGINNING = re.compile(
    rb'\{"schema":"' + SCHEMA.encode() + rb'","captured_at_ns":(0|[1-9][0-9]{0,18}),"'
)
"""How `pack` begins a header: so its instant is found without reading all of it."""
_POSITIONS: TypeAdapter[Any] = TypeAdapter(Positions)


def pack(packet: PanoramaPacket) -> bytes:
    """Write a packet as bytes.

    >>> people = Positions(captured_at_ns=5, people=())
    >>> unpack(pack(PanoramaPacket(captured_at_ns=5, key_frame=True, geometry="a", size_px=(4, 2),
    ...     positions=people, payload=b"x"))).payload
    b'x'
    """
    header = json.dumps(
        {
            "schema": SCHEMA,
            "captured_at_ns": packet.captured_at_ns,
            "key_frame": packet.key_frame,
            "geometry": packet.geometry,
            "size_px": packet.size_px,
            "positions": _POSITIONS.dump_python(packet.positions, mode="json"),
        },
        separators=(",", ":"),
        ensure_ascii=False,
        allow_nan=False,
    ).encode()
    return len(header).to_bytes(4, "big") + header + packet.payload


def split(data: bytes) -> tuple[int, bytes, bytes]:
    """Give a packet's capture time in ns (UTC), its header and its picture, hardly looked at.

    Raises `WireError` for what is no packet; `unpack` reads its people, too.
    """
    length = int.from_bytes(data[:4], "big")
    if len(data) > MAX_BYTES or length < 2 or 4 + length > len(data):
        raise WireError(f"panorama packet of {len(data)} bytes is cut short or too large")
    head = data[4 : 4 + length]
    try:
        if begins := _BEGINNING.match(head):
            return _instant(begins[1]), head, data[4 + length :]
        said = json.loads(head)
        if said["schema"] != SCHEMA:
            raise WireError(f"panorama packet: schema {said['schema']!r}, expected {SCHEMA!r}")
        return _instant(said["captured_at_ns"]), head, data[4 + length :]
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
        raise WireError(f"panorama packet: {type(error).__name__} in its header") from None


def unpack(data: bytes) -> PanoramaPacket:
    """Read a packet; raises `WireError` that says what is wrong with it."""
    length = int.from_bytes(data[:4], "big")
    if len(data) > MAX_BYTES or length < 2 or 4 + length > len(data):
        raise WireError(f"panorama packet of {len(data)} bytes is cut short or too large")
    try:
        header = json.loads(data[4 : 4 + length])
        if header.get("schema") != SCHEMA:
            raise WireError(
                f"panorama packet: schema {header.get('schema')!r}, expected {SCHEMA!r}"
            )
        width, height = header["size_px"]
        positions: Positions = _POSITIONS.validate_json(
            json.dumps(header["positions"]), strict=True
        )
        return PanoramaPacket(
            captured_at_ns=_instant(header["captured_at_ns"]),
            key_frame=bool(header["key_frame"]),
            geometry=str(header["geometry"]),
            size_px=(int(width), int(height)),
            positions=positions,
            payload=data[4 + length :],
        )
    except (
        *(ValidationError, ValueError, KeyError, TypeError, AttributeError),
        *(RecursionError, OverflowError),  # nested without end; a number that is infinite
    ) as error:
        raise WireError(f"panorama packet: {str(error).splitlines()[0]}") from None


def _instant(said: Any) -> int:
    """Read an instant in ns (UTC); raises `ValueError` where recordings could not hold it."""
    at_ns = int(said)
    if not 0 <= at_ns < 2**63:
        raise ValueError(f"captured_at_ns {at_ns} is no instant")
    return at_ns
