"""How often something may be tried: buckets of tokens that fill up again, of bounded number.

Knows nothing about HTTP. Whoever guesses passwords is slowed down, and nobody is locked out by
somebody else's guesses: a browser from which a user has logged in before has a bucket of its own.
That is the method of "device cookies"
(https://owasp.org/www-community/Slow_Down_Online_Guessing_Attacks_with_Device_Cookies).
"""

import ipaddress
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

from scene.clock import Clock

MOST_KEYS = 10_000


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at_s: float


class Buckets:
    """A bucket per key; holds at most `most` of them, the longest untouched goes first."""

    def __init__(self, clock: Clock, *, burst: float, per_s: float, most: int = MOST_KEYS) -> None:
        self._clock = clock
        self._burst, self._per_s, self._most = burst, per_s, most
        self._buckets: OrderedDict[Hashable, _Bucket] = OrderedDict()

    def __len__(self) -> int:
        """Tell how many keys are remembered."""
        return len(self._buckets)

    def wait_s(self, key: Hashable) -> float:
        """Tell after how many seconds there will be a token; 0: now."""
        bucket = self._buckets.get(key)  # asking makes none: made-up keys would push out others
        tokens = self._burst if bucket is None else self._tokens(bucket)
        return max(0.0, (1.0 - tokens) / self._per_s)

    def take(self, key: Hashable) -> None:
        """Take a token, to be called when there is one."""
        self._filled(key).tokens -= 1.0

    def give_back(self, key: Hashable) -> None:
        """Put a token back: it was no guess."""
        bucket = self._filled(key)
        bucket.tokens = min(self._burst, bucket.tokens + 1.0)

    def _tokens(self, bucket: _Bucket) -> float:
        passed_s = self._clock.monotonic_s() - bucket.at_s
        return min(self._burst, bucket.tokens + passed_s * self._per_s)

    def _filled(self, key: Hashable) -> _Bucket:
        now_s = self._clock.monotonic_s()
        bucket = self._buckets.pop(key, None) or _Bucket(self._burst, now_s)
        bucket.tokens, bucket.at_s = self._tokens(bucket), now_s
        self._buckets[key] = bucket
        while len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        return bucket


class LoginPace:
    """Limits guesses: per browser that is known, else per address, per user there, per user."""

    def __init__(self, clock: Clock) -> None:
        self._devices = Buckets(clock, burst=10, per_s=1 / 10)
        self._addresses = Buckets(clock, burst=20, per_s=1 / 3)
        self._pairs = Buckets(clock, burst=5, per_s=1 / 10)
        self._strangers = Buckets(clock, burst=30, per_s=1 / 12)
        self._seen: OrderedDict[tuple[str, str], None] = OrderedDict()

    def begin(self, user: str, address: str, device: str | None) -> float:
        """Take tokens for one try; gives how many seconds to wait instead where there are none."""
        keys = self._keys(user, address, device)
        wait_s = max(buckets.wait_s(key) for buckets, key in keys)
        if wait_s == 0.0:
            for buckets, key in keys:
                buckets.take(key)
        return wait_s

    def succeed(self, user: str, address: str, device: str | None) -> None:
        """Note that it was no guess; others' guesses elsewhere no longer count for this address."""
        for buckets, key in self._keys(user, address, device):
            buckets.give_back(key)
        self._seen[user, network_of(address)] = None
        while len(self._seen) > MOST_KEYS:
            self._seen.popitem(last=False)

    def begin_elsewhere(self, address: str) -> float:
        """Take a token for a login at the OpenID provider."""
        wait_s = self._addresses.wait_s(network_of(address))
        if wait_s == 0.0:
            self._addresses.take(network_of(address))
        return wait_s

    def _keys(self, user: str, address: str, device: str | None) -> list[tuple[Buckets, Hashable]]:
        if device is not None:
            return [(self._devices, device)]
        network = network_of(address)
        keys: list[tuple[Buckets, Hashable]] = [
            (self._addresses, network),
            (self._pairs, (user, network)),
        ]
        if (user, network) not in self._seen:
            keys.append((self._strangers, user))
        return keys


def network_of(address: str) -> str:
    """Give what one caller can't change at will: an IPv4 address, the /64 of an IPv6 one.

    >>> network_of("10.0.0.5"), network_of("2001:db8::5")
    ('10.0.0.5', '2001:db8::/64')
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return "?"
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)
