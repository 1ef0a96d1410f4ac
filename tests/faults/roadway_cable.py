"""A cable between a gateway and the surface that can be cut: packets vanish, nobody says so.

The gateway runs in a network name space of its own.
"""

import itertools
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

IP = shutil.which("ip", path="/usr/sbin:/sbin:/usr/bin:/bin")
NFT = shutil.which("nft", path="/usr/sbin:/sbin:/usr/bin:/bin")
NUMBERS = itertools.count()
"""The kernel takes a while to forget a cable; the next one has another name."""
SURFACE, GATEWAY = "10.213.7.1", "10.213.7.2"


def no_cable() -> str:
    """Say why no such cable can be laid here; empty when it can."""
    if os.geteuid() != 0 or IP is None or NFT is None:
        return "a network of its own needs root, iproute2 and nftables"
    name = f"lr{os.getpid()}-test"
    made = subprocess.run([IP, "netns", "add", name], capture_output=True, check=False)
    if made.returncode:
        return "there are no network name spaces here"
    filters = subprocess.run(
        [IP, "netns", "exec", name, NFT, "list", "ruleset"], capture_output=True, check=False
    )
    subprocess.run([IP, "netns", "del", name], capture_output=True, check=False)
    return "nftables does not work here" if filters.returncode else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cable:
    """A cable that is whole at first."""

    inside: tuple[str, ...]
    """Words before a command that shall run at the gateway's end."""

    def cut(self) -> None:
        """Let every packet vanish, both ways."""
        self._nft("add table inet cable")
        for hook in ("input", "output"):
            self._nft(f"add chain inet cable {hook} {{ type filter hook {hook} priority 0; }}")
            self._nft(f"add rule inet cable {hook} drop")

    def lose(self, percent: int) -> None:
        """Let so many packets of a hundred vanish on the way up."""
        self._nft("add table inet cable")
        self._nft("add chain inet cable output { type filter hook output priority 0; }")
        self._nft(f"add rule inet cable output numgen random mod 100 < {percent} drop")

    def mend(self) -> None:
        """Let everything through again."""
        self._nft("delete table inet cable")

    def _nft(self, words: str) -> None:
        assert NFT is not None
        subprocess.run([*self.inside, NFT, words], check=True, capture_output=True)


@contextmanager
def cable() -> Iterator[Cable]:
    """Lay a cable: the surface is `SURFACE`, the gateway's end `GATEWAY`."""
    assert IP is not None
    name = f"lr{os.getpid()}-{next(NUMBERS)}"
    _ip("netns", "add", name)
    try:
        near, far = f"{name}a", f"{name}b"
        _ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", name)
        _ip("addr", "add", f"{SURFACE}/24", "dev", near)
        _ip("link", "set", near, "up")
        _ip("-n", name, "addr", "add", f"{GATEWAY}/24", "dev", far)
        _ip("-n", name, "link", "set", far, "up")
        _ip("-n", name, "link", "set", "lo", "up")
        yield Cable(inside=(IP, "netns", "exec", name))
    finally:
        _ip("netns", "del", name)


def _ip(*words: str) -> None:
    assert IP is not None
    subprocess.run([IP, *words], check=True, capture_output=True)
