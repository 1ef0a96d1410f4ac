"""The addresses of MQTT brokers: what a URL says, of one broker or of a cluster's several.

Knows nothing about connections.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

from scene.errors import BrokerError
from scene.site import BROKER_FORMS


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a broker is, and whether one speaks TLS there."""

    url: str
    host: str
    port: int
    tls: bool


def addresses_of(url: str) -> tuple[Address, ...]:
    """Read `mqtts://a:8883,b:8883`: one broker or several, in the order in which they are tried.

    Raises `BrokerError` that names what is wrong with which of them.

    >>> [(one.host, one.port) for one in addresses_of("mqtts://a.mine,10.0.0.5:8884")]
    [('a.mine', 8883), ('10.0.0.5', 8884)]
    """
    scheme, sign, rest = url.partition("://")
    hosts = rest.split(",")
    if "@" in url:
        shown = f"{scheme}://..." if sign else "..."
        raise BrokerError(
            f"broker.url: {shown}@{url.rpartition('@')[2]}: give the name as "
            "broker.username and the password as broker.password_file; a URL ends up in logs"
        )
    if scheme not in ("mqtt", "mqtts") or not sign:
        raise BrokerError(f"broker.url: {url}: give {BROKER_FORMS}")
    if any("://" in host for host in hosts):
        raise BrokerError(
            f"broker.url: {url}: {scheme}:// stands once, before the first of several brokers: "
            f"{scheme}://a:{_PORTS[scheme]},b:{_PORTS[scheme]}"
        )
    found = tuple(_address(scheme, host.strip(), url) for host in hosts)
    seen = set[tuple[str, int]]()
    for one in found:
        if (one.host, one.port) in seen:
            raise BrokerError(f"broker.url: {url}: {one.host}:{one.port} stands there twice")
        seen.add((one.host, one.port))
    return found


def address_of(url: str) -> Address:
    """Read the address of one broker; raises `BrokerError`, also where there are several."""
    first, *others = addresses_of(url)
    if others:
        raise BrokerError(f"broker.url: {url}: give one broker here, not {len(others) + 1}")
    return first


_PORTS = {"mqtt": 1883, "mqtts": 8883}


def _address(scheme: str, host: str, url: str) -> Address:
    which = "" if host == url.partition("://")[2] else f"{host}: "
    if not host:
        raise BrokerError(
            f"broker.url: {url}: between two commas there is no host; give {BROKER_FORMS}"
        )
    try:
        parts = urlsplit(f"{scheme}://{host}")
    except ValueError as error:  # half a pair of brackets
        raise BrokerError(f"broker.url: {url}: {which}no address: {error}") from None
    try:
        port = parts.port or _PORTS[scheme]
    except ValueError:
        raise BrokerError(f"broker.url: {url}: {which}the port is no number up to 65535") from None
    extra = parts.path or parts.query or parts.fragment
    if not parts.hostname or extra or any(letter.isspace() for letter in host):
        raise BrokerError(f"broker.url: {url}: {which}give {BROKER_FORMS}")
    return Address(url=f"{scheme}://{host}", host=parts.hostname, port=port, tls=scheme == "mqtts")
