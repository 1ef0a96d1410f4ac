"""Whose public keys we know, from files named after who speaks with them; follows the files.

Knows nothing about messages. `gateway-{site}-{gateway}.pub`, `control_room.pub` (or
`control_room-{name}.pub`: each control room has a key of its own) and `mine-{site}.pub`. A hyphen
inside a name is written twice, so that no two gateways share a file name. A file may hold several
keys, one after the other, while one replaces another.
"""

import re
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from delivery.signing import PublicKey, SigningError, public_keys_of
from scene.clock import Clock
from scene.topics import TOPICS, Address

LOOK_EVERY_S = 5.0
CONTROL_ROOM = "control_room"
_GATEWAY = re.compile(r"gateway-(?P<site>(?:[^-]|--)+)-(?P<gateway>(?:[^-]|--)+)")

Stamp = tuple[tuple[str, int, int], ...]


def trust_file(topic_sender: str, site: str = "", gateway: str = "") -> str:
    """Name the file of a sender's public key: a gateway's, the control room's, the mine's.

    >>> trust_file("gateway", "roadway", "gw1")
    'gateway-roadway-gw1.pub'
    >>> trust_file("gateway", "north-7", "gw1"), trust_file("gateway", "north", "7-gw1")
    ('gateway-north--7-gw1.pub', 'gateway-north-7--gw1.pub')
    >>> trust_file("control_room"), trust_file("mine", "roadway")
    ('control_room.pub', 'mine-roadway.pub')
    """
    return f"{_sender(topic_sender, site, gateway)}.pub"


class Trust:
    """The keys in some folders and files; thread-safe.

    Files may come, change and go while it is used: within 5 s that counts. A sender whose key was
    once known stays one that must sign, also when its file is gone.
    """

    def __init__(
        self, places: Iterable[Path], clock: Clock, log: Callable[[str], None] = print
    ) -> None:
        """Read all keys; raises `SigningError` that names the file."""
        self._places = tuple(places)
        self._clock, self._log = clock, log
        self._lock = threading.Lock()
        self._stamp = _stamp_of(self._files())
        self._keys = self._read()
        if not any(self._keys.values()):
            places_named = ", ".join(str(place) for place in self._places)
            raise SigningError(
                f"{places_named}: there are no public keys (*.pub); `lamproom certs` makes them"
            )
        self._look_at_s = clock.monotonic_s() + LOOK_EVERY_S

    def keys_for(self, address: Address) -> tuple[PublicKey, ...] | None:
        """Give the keys of who speaks on a topic; none for a sender that was never known."""
        with self._lock:
            self._follow()
            sender = _sender(TOPICS[address.topic].sender, address.site, address.gateway)
            return self._keys.get(sender)

    def gateways(self) -> tuple[tuple[str, str], ...]:
        """List (site, gateway) of all gateways with a key."""
        with self._lock:
            found = [_GATEWAY.fullmatch(name) for name in sorted(self._keys)]
        return tuple(
            (one["site"].replace("--", "-"), one["gateway"].replace("--", "-"))
            for one in found
            if one is not None
        )

    def _follow(self) -> None:
        if self._clock.monotonic_s() < self._look_at_s:
            return
        self._look_at_s = self._clock.monotonic_s() + LOOK_EVERY_S
        try:
            stamp = _stamp_of(self._files())
            if stamp == self._stamp:
                return
            keys = self._read()
        except SigningError as error:
            self._log(f"{error}; the keys that were read before stay in force")
            return
        self._stamp = stamp
        self._keys = dict.fromkeys(self._keys, ()) | keys

    def _files(self) -> list[Path]:
        found: list[Path] = []
        for place in self._places:
            found += sorted(place.glob("*.pub")) if place.is_dir() else [place]
        return found

    def _read(self) -> dict[str, tuple[PublicKey, ...]]:
        keys: dict[str, tuple[PublicKey, ...]] = {}
        for path in self._files():
            name, found = path.stem, public_keys_of(path)
            if name.startswith(f"{CONTROL_ROOM}-"):
                name = CONTROL_ROOM
            if name != CONTROL_ROOM and not name.startswith("mine-") and not _is_gateway(name):
                raise SigningError(
                    f"{path}: whose key is it? Name it gateway-SITE-GATEWAY.pub (a hyphen in a "
                    "name is written twice), control_room.pub or mine-SITE.pub"
                )
            keys[name] = (*keys.get(name, ()), *found)
        return keys


def _is_gateway(name: str) -> bool:
    return _GATEWAY.fullmatch(name) is not None


def _sender(topic_sender: str, site: str, gateway: str) -> str:
    if topic_sender == CONTROL_ROOM:
        return CONTROL_ROOM
    if topic_sender == "mine":
        return f"mine-{_doubled(site)}"
    return f"gateway-{_doubled(site)}-{_doubled(gateway)}"


def _doubled(name: str) -> str:
    return name.replace("-", "--")


def _stamp_of(files: Iterable[Path]) -> Stamp:
    stamp = []
    for path in files:
        try:
            found = path.stat()
        except OSError:
            continue
        stamp.append((str(path), found.st_mtime_ns, found.st_size))
    return tuple(stamp)
