"""What comes over MQTT is read in large pieces, and nothing of it is lost or out of order."""

import fcntl
import socket
import struct
import termios
import threading
from pathlib import Path

import paho.mqtt.client as paho
import pytest

from delivery.mqtt import Connection
from delivery.read_ahead import PIECE_BYTES
from scene.site import BrokerConfig
from tests.delivery.parts import HANG_S, MOSQUITTO, NO_MOSQUITTO, mosquitto, wait_until

pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason=NO_MOSQUITTO)


def waiting_bytes(connection: Connection) -> int:
    """So many bytes lie in the kernel that the connection has not read."""
    client = connection._client
    line = None if client is None else client.socket()
    assert isinstance(line, socket.socket)
    (count,) = struct.unpack("i", fcntl.ioctl(line, termios.FIONREAD, b"\0" * 4))
    return int(count)


class Pair:
    """One who says, and one who hears; the first that is heard holds it up until `go_on`."""

    def __init__(self, url: str) -> None:
        self.heard: list[bytes] = []
        self.go_on, self.holds = threading.Event(), threading.Event()
        self.ear = Connection(BrokerConfig(url=url), "ear", log=lambda _: None)
        self.mouth = Connection(BrokerConfig(url=url), "mouth", log=lambda _: None)
        self.ear.subscribe("said/#", 0, self._hear)
        for one in (self.ear, self.mouth):
            one.connect(HANG_S, wait=True)

    def _hear(self, _topic: str, payload: bytes, _retained: bool) -> None:
        self.heard.append(payload)
        self.holds.set()
        self.go_on.wait(HANG_S)

    def say(self, payload: bytes) -> None:
        assert self.mouth.publish("said/it", payload, qos=0, retain=False)

    def close(self) -> None:
        self.go_on.set()
        self.ear.close()
        self.mouth.close()


def test_many_messages_that_wait_are_read_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[int]()
    ask = paho.Client._sock_recv

    def counted(client: paho.Client, size: int) -> bytes:
        asked.append(size)
        return ask(client, size)

    with mosquitto(tmp_path) as broker:
        pair = Pair(broker.url)
        try:
            pair.say(b"first")
            assert pair.holds.wait(HANG_S)
            texts = [f"{n:04}".encode() * 10 for n in range(500)]
            for text in texts:
                pair.say(text)
            wait_until(lambda: waiting_bytes(pair.ear) >= sum(map(len, texts)))
            monkeypatch.setattr(paho.Client, "_sock_recv", counted)
            pair.go_on.set()
            wait_until(lambda: len(pair.heard) == 1 + len(texts))
            assert pair.heard[1:] == texts
            assert len(asked) < 20, "paho alone asks at least thrice for each"
        finally:
            pair.close()


def test_messages_of_all_sizes_come_whole_and_in_order(tmp_path: Path) -> None:
    near = [PIECE_BYTES + off for off in range(-12, 3)]
    sizes = [0, 1, 126, 127, 128, 16_383, 16_384, *near, 2 * PIECE_BYTES, 300_000, 5]
    with mosquitto(tmp_path) as broker:
        pair = Pair(broker.url)
        try:
            pair.go_on.set()
            for n, size in enumerate(sizes):
                pair.say(bytes([n % 251]) * size)
            wait_until(lambda: len(pair.heard) == len(sizes))
            assert pair.heard == [bytes([n % 251]) * size for n, size in enumerate(sizes)]
            assert pair.ear.connected
        finally:
            pair.close()
