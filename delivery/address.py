"""The address of an MQTT broker: what a URL of it says.

Knows nothing about connections.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

from scene.errors import BrokerError


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a broker is, and whether one speaks TLS there."""

    url: str
    host: str
    port: int
    tls: bool


def address_of(url: str) -> Address:
    """Read `mqtt://host:port` or `mqtts://host:port`; raises `BrokerError`."""
    try:
        parts = urlsplit(url)
    except ValueError as error:  # half a pair of brackets
        raise BrokerError(f"broker.url: {url}: no address: {error}") from None
    if parts.username is not None or parts.password is not None:
        host = url.rpartition("@")[2]
        raise BrokerError(
            f"broker.url: {parts.scheme}://...@{host}: give the name as broker.username and the "
            "password as broker.password_file; a URL ends up in logs"
        )
    tls = parts.scheme == "mqtts"
    try:
        port = parts.port or (8883 if tls else 1883)
    except ValueError:
        raise BrokerError(f"broker.url: {url}: the port is no number up to 65535") from None
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
        raise BrokerError(f"broker.url: {url}: give mqtt://host:port or mqtts://host:port")
    return Address(url=url, host=parts.hostname, port=port, tls=tls)
