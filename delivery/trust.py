"""Whose public keys we know, from files named after who speaks with them; follows the files.

Knows nothing about messages. `gateway-{site}-{gateway}.pub`, `control_room.pub` (or
`control_room-{name}.pub`: each control room has a key of its own) and `mine-{site}.pub`. A hyphen
inside a name is written twice, so that no two gateways share a file name. A file may hold several
keys, one after the other, while one replaces another.
"""

import contextlib
import os
import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from delivery.signing import PublicKey, Signer, SigningError, public_keys_of
from scene.clock import Clock
from scene.topics import TOPICS, Address

LOOK_EVERY_S = 5.0
COPYING_S = 2 * LOOK_EVERY_S
"""A file that can't be used for so long is not just being copied."""
CONTROL_ROOM = "control_room"
_GATEWAY = re.compile(r"gateway-(?P<site>(?:[^-]|--)+)-(?P<gateway>(?:[^-]|--)+)")

Stamp = tuple[tuple[str, int, int, int], ...]


def trust_file(topic_sender: str, site: str = "", gateway: str = "") -> str:
    """Name the file of a sender's public key: a gateway's, the control room's, the mine's.

    >>> trust_file("gateway", "roadway", "gw1")
    'gateway-roadway-gw1.pub'
    >>> trust_file("gateway", "north-7", "gw1"), trust_file("gateway", "north", "7-gw1")
    ('gateway-north--7-gw1.pub', 'gateway-north-7--gw1.pub')
    >>> trust_file("control_room"), trust_file("mine", "roadway")
    ('control_room.pub', 'mine-roadway.pub')
    """
    return f"{sender_name(topic_sender, site, gateway)}.pub"


@dataclass(frozen=True, slots=True, kw_only=True)
class Distrusted:
    """A file of keys that can't be used, so that who should be trusted may not be."""

    text: str
    """Names the file, and what to do."""
    site: str = ""
    gateway: str = ""
    """Whose key it should be; empty where it is no gateway's, or its name does not tell."""


class Trust:
    """The keys in some folders and files; thread-safe.

    Files may come, change and go while it is used: within 5 s that counts. A sender whose key was
    once known, or whose file is there and can't be used, must sign all the same. One file that
    can't be used makes no other worthless; what was read of it before stays in force.
    """

    def __init__(
        self,
        places: Iterable[Path],
        clock: Clock,
        log: Callable[[str], None] = print,
        *,
        own: tuple[str, Path] | None = None,
    ) -> None:
        """Read all keys; raises `SigningError` that names the files where not one can be used.

        `own` is how we are called ourselves (`sender_name`), and our private key: what we said
        comes back to us, and our public key need not lie in any folder.
        """
        self._places, self._own = tuple(places), own
        self._clock, self._log = clock, log
        self._lock = threading.Lock()
        self._own_keys: dict[str, PublicKey] = {}
        self._by_file: dict[Path, tuple[PublicKey, ...]] = {}
        self._keys: dict[str, tuple[PublicKey, ...]] = {}
        self._distrusted: dict[Distrusted, float] = {}
        """Since when."""
        self._stamp = self._new_stamp()
        new = self._read()
        self._distrusted = dict.fromkeys(self._distrusted, -COPYING_S)  # told from the start
        if not any(self._keys.values()):
            raise SigningError("; ".join(one.text for one in self._distrusted))
        self._tell(new)
        self._look_at_s = clock.monotonic_s() + LOOK_EVERY_S

    def keys_for(self, address: Address) -> tuple[PublicKey, ...] | None:
        """Give the keys of who speaks on a topic; none for a sender that was never known."""
        with self._lock:
            self._follow()
            sender = sender_name(TOPICS[address.topic].sender, address.site, address.gateway)
            return self._keys.get(sender)

    def distrusted(self) -> tuple[Distrusted, ...]:
        """List the files that can't be used, and are not just being copied."""
        with self._lock:
            self._follow()
            since_s = self._clock.monotonic_s() - COPYING_S
            return tuple(one for one, at_s in self._distrusted.items() if at_s <= since_s)

    def gateways(self) -> tuple[tuple[str, str], ...]:
        """List (site, gateway) of all gateways with a key, or with a file that can't be used."""
        with self._lock:
            return tuple(place for name in sorted(self._keys) if (place := _place_of(name)))

    def _follow(self) -> None:
        if self._clock.monotonic_s() < self._look_at_s:
            return
        self._look_at_s = self._clock.monotonic_s() + LOOK_EVERY_S
        stamp = self._new_stamp()
        if stamp != self._stamp:
            self._stamp = stamp
            self._tell(self._read())

    def _tell(self, found: Iterable[Distrusted]) -> None:
        for one in found:
            self._log(one.text)

    def _read(self) -> list[Distrusted]:
        """Read all files; gives those that can't be used now and could before."""
        found = self._read_files()
        keys: dict[str, tuple[PublicKey, ...]] = {}
        for path, read in self._by_file.items():
            if owner := _owner_of(path):
                keys[owner] = (*keys.get(owner, ()), *read)
        self._add_own(keys, found)
        if not any(keys.values()) and not found:
            named = ", ".join(str(place) for place in self._places)
            text = f"{named}: there are no public keys (*.pub); `lamproom certs` makes them"
            found.append(Distrusted(text=text))
        now_s = self._clock.monotonic_s()
        new = [one for one in found if one not in self._distrusted]
        self._distrusted = {one: self._distrusted.get(one, now_s) for one in found}
        self._keys = dict.fromkeys(self._keys, ()) | keys
        return new

    def _read_files(self) -> list[Distrusted]:
        """Read all files into `_by_file`; gives those that can't be used."""
        before, self._by_file, found = self._by_file, {}, list[Distrusted]()
        for place in self._places:
            try:
                files = _files_in(place)
            except SigningError as error:  # a folder that is away says nothing about anybody's key
                found.append(Distrusted(text=str(error)))
                kept = {path: keys for path, keys in before.items() if place in (path, path.parent)}
                self._by_file |= kept
                continue
            for path in files:
                try:
                    self._by_file[path] = _keys_in(path)
                except SigningError as error:
                    self._by_file[path] = former = before.get(path, ())
                    text = f"{error}; the keys read before stay in force" if former else str(error)
                    site, gateway = _place_of(_owner_of(path)) or ("", "")
                    found.append(Distrusted(text=text, site=site, gateway=gateway))
        return found

    def _add_own(self, keys: dict[str, tuple[PublicKey, ...]], found: list[Distrusted]) -> None:
        """Add our own keys: the former one, too, as another process may sign with it still."""
        if self._own is None:
            return
        name, path = self._own
        try:
            key = Signer.from_file(path).public_key()
            self._own_keys[key.id] = key
        except SigningError as error:
            found.append(Distrusted(text=str(error)))
        keys[name] = (*keys.get(name, ()), *self._own_keys.values())

    def _new_stamp(self) -> Stamp:
        files = [] if self._own is None else [self._own[1]]
        for place in self._places:
            with contextlib.suppress(SigningError):
                files += _files_in(place)
        return _stamp_of(files)


def sender_name(topic_sender: str, site: str = "", gateway: str = "") -> str:
    """Name who speaks (a gateway, any control room, the mine's systems) as its file is named."""
    if topic_sender == CONTROL_ROOM:
        return CONTROL_ROOM
    if topic_sender == "mine":
        return f"mine-{_doubled(site)}"
    return f"gateway-{_doubled(site)}-{_doubled(gateway)}"


def _files_in(place: Path) -> list[Path]:
    """List the files of keys in a folder; a file stands for itself. Raises `SigningError`."""
    if place.is_file():
        return [place]
    try:
        names = sorted(os.listdir(place))
    except FileNotFoundError:
        raise SigningError(
            f"{place}: there is no such key file or folder; `lamproom certs` makes them"
        ) from None
    except OSError as error:
        raise SigningError(f"{place}: can't be read: {error.strerror}") from None
    return [place / name for name in names if name.endswith(".pub") and name[0] != "."]


def _keys_in(path: Path) -> tuple[PublicKey, ...]:
    if not _owner_of(path):
        raise SigningError(
            f"{path}: whose key is it? Name it gateway-SITE-GATEWAY.pub (a hyphen in a name is "
            "written twice), control_room.pub, control_room-NAME.pub or mine-SITE.pub"
        )
    return public_keys_of(path)


def _owner_of(path: Path) -> str:
    """Name the sender whose keys are in a file; empty where its name does not tell."""
    name = path.stem
    if name == CONTROL_ROOM or name.startswith(f"{CONTROL_ROOM}-"):
        return CONTROL_ROOM
    return name if name.startswith("mine-") or _GATEWAY.fullmatch(name) else ""


def _place_of(sender: str) -> tuple[str, str] | None:
    """Give a gateway's site and name; none for any other sender."""
    found = _GATEWAY.fullmatch(sender)
    if found is None:
        return None
    return found["site"].replace("--", "-"), found["gateway"].replace("--", "-")


def _doubled(name: str) -> str:
    return name.replace("-", "--")


def _stamp_of(files: Iterable[Path]) -> Stamp:
    stamp = []
    for path in files:
        try:
            found = path.stat()
        except OSError:
            continue
        stamp.append((str(path), found.st_mtime_ns, found.st_ctime_ns, found.st_size))
    return tuple(stamp)
