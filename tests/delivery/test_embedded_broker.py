"""Our own broker listens where it is told to, or says why it can't."""

import socket

import pytest

from delivery.broker import EmbeddedBroker
from scene.errors import BrokerError


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_it_listens_where_the_address_says(host: str) -> None:
    port = free_port()
    with EmbeddedBroker.at(f"mqtt://{host}:{port}") as broker:
        assert broker.url == f"mqtt://127.0.0.1:{port}"
        socket.create_connection((host, port), 5).close()


def test_it_listens_at_an_ipv6_address() -> None:
    with EmbeddedBroker.at(f"mqtt://[::1]:{free_port()}") as broker:
        assert broker.url == f"mqtt://[::1]:{broker.port}"
        socket.create_connection(("::1", broker.port), 5).close()


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid", "a..b"])
def test_it_cannot_be_at_another_machines_address(host: str) -> None:
    with pytest.raises(BrokerError, match=f"mqtt://{host}:1883.*no address of this machine.*leave"):
        EmbeddedBroker.at(f"mqtt://{host}").__enter__()


def test_it_does_not_encrypt() -> None:
    with pytest.raises(BrokerError, match=r"mqtts://127.0.0.1:8883.*does not encrypt"):
        EmbeddedBroker.at("mqtts://127.0.0.1:8883")


def test_half_an_address_is_said() -> None:
    with pytest.raises(BrokerError, match=r"broker.url: mqtt://\[::1: no address: "):
        EmbeddedBroker.at("mqtt://[::1")


@pytest.mark.parametrize(("host", "is_open"), [("0.0.0.0", True), ("127.0.0.1", False)])
def test_it_knows_whether_the_network_reaches_it(host: str, is_open: bool) -> None:
    assert EmbeddedBroker.at(f"mqtt://{host}").is_open is is_open


def test_a_busy_port_is_said() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(BrokerError, match=rf"{port}.*the port is in use; stop what uses it"):
            EmbeddedBroker.at(f"mqtt://127.0.0.1:{port}").__enter__()
