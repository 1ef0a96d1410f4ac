import json

import pytest

from scene.errors import WireError
from scene.messages import PanoramaPacket, Positions
from scene.packet import SCHEMA, pack, unpack

PACKET = PanoramaPacket(
    captured_at_ns=5,
    key_frame=True,
    geometry="a",
    size_px=(4, 2),
    positions=Positions(captured_at_ns=5, people=()),
    payload=b"x",
)


def with_header(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(4, "big") + data + b"x"


def header(**changes: object) -> str:
    said = pack(PACKET)
    good = json.loads(said[4 : 4 + int.from_bytes(said[:4], "big")])
    return json.dumps(good | changes)


def test_what_is_packed_is_unpacked() -> None:
    again = unpack(pack(PACKET))
    assert (again.positions, again.payload, again.size_px) == (PACKET.positions, b"x", (4, 2))


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
        header(captured_at_ns=float("inf")),
        header(size_px=[1, float("inf")]),
        header(positions=None),
        header(schema="other"),
        "7",
        "",
    ],
)
def test_a_header_that_makes_no_sense_is_one_clear_error(text: str) -> None:
    assert SCHEMA in header()
    with pytest.raises(WireError, match="panorama packet"):
        unpack(with_header(text))
