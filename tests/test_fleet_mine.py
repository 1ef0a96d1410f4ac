"""What the simulated mine says is what real gateways would say, byte by byte."""

import importlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from control_room.told import message_text, together
from scene.messages import Positions
from scene.topics import topic_name
from scene.wire import Envelope, decode, encode
from tests.bench._fleet_costs import positions_of
from tests.bench._fleet_gateways import Line
from tests.bench._fleet_mine import IN_A_DRIFT, SITE, Drift, Gateway
from tests.delivery.keys import Keys


@pytest.fixture
def broker_port() -> Iterator[int]:
    """A port at which somebody says yes to whoever connects, and hears no more."""
    server = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        line, _ = server.accept()
        with line:
            line.recv(65536)
            line.sendall(b"\x20\x02\x00\x00")
            while line.recv(65536):
                pass

    answering = threading.Thread(target=answer)
    answering.start()
    yield int(server.getsockname()[1])
    answering.join(timeout=20)
    server.close()


def test_simulated_positions_are_written_and_signed_as_real_ones(
    broker_port: int, tmp_path: Path
) -> None:
    keys = Keys(tmp_path)
    signer = keys.add("gateway", SITE, "gw001")
    line = Line(broker_port, Gateway(0, Drift(0, 15 * IN_A_DRIFT), 8), signer)

    payload = line.positions(time.time_ns())

    read = decode(payload)
    assert isinstance(read.body, Positions)
    assert 10 <= len(read.body.people) <= 20
    assert {one.worker is None for one in read.body.people} == {True, False}
    written = encode(
        read.body, gateway="gw001", run=read.run, seq=read.seq, sent_at_ns=read.sent_at_ns
    )
    topic = topic_name("positions", site=SITE, gateway="gw001")
    assert payload == signer.sign(topic, written)
    line.line.close()


def test_people_walk_from_one_gateway_to_the_next_and_get_new_numbers() -> None:
    drift = Drift(0, 15 * IN_A_DRIFT)
    first, second = Gateway(0, drift, 8), Gateway(1, drift, 8)
    seen: list[set[str]] = [set(), set()]
    tracks: list[int] = []
    for at_s in range(60):
        for names, gateway in zip(seen, (first, second), strict=True):
            body = positions_of(gateway, at_s * 10**9)
            names |= {one.worker for one in body.people if one.worker is not None}
            tracks += [max((one.track for one in body.people), default=0)]
    assert len(seen[0] & seen[1]) > 3
    assert max(tracks) > 25


def test_the_viewer_reads_what_the_control_room_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "bench"))
    viewer = importlib.import_module("_fleet_viewer")
    texts, at_ns = [], 10**18
    for number in range(3):
        gateway = Gateway(number, Drift(0, 30), 8)
        body = positions_of(gateway, at_ns + number)
        said = Envelope(type="positions", gateway=gateway.name, seq=1, sent_at_ns=1, body=body)
        texts.append(message_text(SITE, gateway.name, "positions", said))
    for told in ([together(texts)], texts):
        found = [one for text in told for one in viewer.TOLD.findall(text.encode())]
        assert found == [(f"gw00{n + 1}".encode(), str(at_ns + n).encode()) for n in range(3)]
    kinds = [viewer.KIND.match(one.encode()).groups() for one in (together(texts), texts[0])]
    assert kinds == [(b"several", b"positions"), (b"message", b"positions")]
