import json

import pytest

from scene.errors import WireError
from scene.messages import PanoramaPacket, Positions
from scene.packet import SCHEMA, pack, split, unpack

PACKET = PanoramaPacket(
    captured_at_ns=5,
    key_frame=True,
    geometry="a",
    size_px=(4, 2),
    positions=Positions(captured_at_ns=5, people=()),
    payload=b"x",
)


AS_PACKED = (",", ":")


def with_header(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(4, "big") + data + b"x"


def header(separators: tuple[str, str] = (", ", ": "), **changes: object) -> str:
    said = pack(PACKET)
    good = json.loads(said[4 : 4 + int.from_bytes(said[:4], "big")])
    return json.dumps(good | changes, separators=separators)


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


@pytest.mark.parametrize("at_ns", [float("inf"), -1, 2**63, 10**23, "soon", None, []])
def test_an_instant_that_no_recording_can_hold_is_refused_by_whoever_reads(at_ns: object) -> None:
    for separators in ((", ", ": "), AS_PACKED):
        data = with_header(header(separators, captured_at_ns=at_ns))
        for read in (split, unpack):
            with pytest.raises(WireError, match="panorama packet"):
                read(data)


@pytest.mark.parametrize("at_ns", [0, 2**63 - 1])
def test_the_first_and_the_last_instant_are_read(at_ns: int) -> None:
    for separators in ((", ", ": "), AS_PACKED):
        data = with_header(header(separators, captured_at_ns=at_ns))
        assert split(data)[0] == unpack(data).captured_at_ns == at_ns
