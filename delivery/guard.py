"""Reads messages, and refuses those that are forged, altered, redirected or played again.

Knows nothing about what messages are for. Who has no key with us may speak unsigned, unless
signatures are required; who has one may not. The order of messages is watched of signed ones only:
anybody could spoil it with a number of their own choosing.
"""

import contextlib
import json
import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from delivery.signing import PublicKey, RefusedError, is_signed
from delivery.trust import Trust
from scene.clock import Clock, SystemClock
from scene.errors import WireError
from scene.site import SigningConfig
from scene.topics import LIVE_PREFIX, TOPICS, Address, parse_topic
from scene.wire import Envelope, decode
from scene.zones import Name

SAVE_EVERY_S = 10.0
"""After a restart no message older than this is believed to be new."""

_NAME: TypeAdapter[str] = TypeAdapter(Name)
Place = tuple[str, str, str, str]
"""The key's id, site, gateway, topic."""


class Guard:
    """Looks at every message that one process hears; thread-safe."""

    def __init__(
        self,
        trust: Trust | None = None,
        *,
        required: bool = False,
        memory: Path | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Without `trust` nobody's key is known. `memory` keeps the newest numbers over restarts.

        With `required` gateways and control rooms must sign, also those without a key here; the
        mine's own systems need not.
        """
        self._trust = trust
        self._required = required
        self._memory = memory
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._newest = _remembered(memory)
        self._saved_at_s = self._clock.monotonic_s()

    def read(
        self, topic: str, payload: bytes, *, retained: bool = False
    ) -> tuple[Address, Envelope] | None:
        """Give who says it and what; none for what was heard before and may come twice.

        Raises `RefusedError`, and `WireError` for what can't be read.
        """
        address = parse_topic(topic)
        _check_names(address)
        key = self._key_of(topic, address, payload)
        envelope = decode(payload)
        row = TOPICS[address.topic]
        if envelope.type != row.message:
            raise WireError(f"a message of type {envelope.type} does not belong there")
        if row.sender == "gateway" and envelope.gateway != address.gateway:
            raise WireError(f"gateway {envelope.gateway!r} speaks for another one")
        if key is not None and not self._in_order(key, address, envelope):
            return None
        return address, envelope

    def _key_of(self, topic: str, address: Address, payload: bytes) -> PublicKey | None:
        """Find whose key a message is signed with; none where it need not be signed."""
        if address.prefix != LIVE_PREFIX:
            return None  # nothing is done for what is replayed
        keys = None if self._trust is None else self._trust.keys_for(address)
        if keys is None:
            if self._required and TOPICS[address.topic].sender != "mine":
                raise RefusedError(
                    "there is no key of its sender here, and messages must be signed"
                )
            return None
        for key in keys:
            if key.fits(topic, payload):
                return key
        if not keys:
            raise RefusedError("its sender's key was taken away here")
        if not is_signed(payload):
            raise RefusedError("it is not signed, though its sender signs")
        raise RefusedError(
            "its signature is wrong: it was altered, redirected, or signed with another key"
        )

    def _in_order(self, key: PublicKey, address: Address, envelope: Envelope) -> bool:
        """Tell whether a message is news; raises `RefusedError` where an old one can't be honest.

        Alarms are sent again and again and are known by their id. A last will (number 0) is said by
        the broker at any time, and counts while nothing newer has begun.
        """
        row = TOPICS[address.topic]
        if address.topic == "alarm":
            return True
        place = (key.id, address.site, address.gateway, address.topic)
        number = (envelope.run, envelope.seq)
        with self._lock:
            newest = self._newest.get(place, (0, 0))
            if number > newest:
                self._newest[place] = number
                self._save(at_once=number[0] > newest[0])
                return True
        if row.retain:
            is_will = envelope.seq == 0 and envelope.run == newest[0]
            return number == newest or is_will
        if number == newest and row.qos > 0:
            return False
        raise RefusedError(
            "it is older than what was heard: somebody plays it again, or two speak with one key",
            replayed=True,
        )

    def _save(self, *, at_once: bool) -> None:
        now_s = self._clock.monotonic_s()
        if self._memory is None or not (at_once or now_s - self._saved_at_s >= SAVE_EVERY_S):
            return
        self._saved_at_s = now_s
        rows = [[*place, *number] for place, number in self._newest.items()]
        with contextlib.suppress(OSError):  # a full disk makes us forgetful, not deaf
            self._memory.parent.mkdir(parents=True, exist_ok=True)
            fresh = self._memory.with_name(f"{self._memory.name}.new")
            fresh.write_text(json.dumps(rows), encoding="utf-8")
            os.replace(fresh, self._memory)


def _check_names(address: Address) -> None:
    """Refuse names that no site file can give: nobody could acknowledge an alarm under them."""
    try:
        _NAME.validate_python(address.site)
        if TOPICS[address.topic].of_gateway:
            _NAME.validate_python(address.gateway)
    except ValidationError:
        raise WireError("no site or gateway can have such a name") from None


def guard_of(
    signing: SigningConfig | None, clock: Clock, memory: Path, log: Callable[[str], None]
) -> Guard:
    """Build a gateway's guard from its site file; raises `SigningError`."""
    if signing is None or not signing.trusted:
        return Guard(clock=clock)
    return open_guard(signing.trusted, clock, log, required=signing.required, memory=memory)


def open_guard(
    places: Iterable[Path],
    clock: Clock,
    log: Callable[[str], None],
    *,
    required: bool = False,
    memory: Path | None = None,
) -> Guard:
    """Build a guard that knows the keys in some folders and files; raises `SigningError`."""
    return Guard(Trust(places, clock, log), required=required, memory=memory, clock=clock)


def _remembered(memory: Path | None) -> dict[Place, tuple[int, int]]:
    if memory is None:
        return {}
    # Whatever a damaged disk gives back: a forgetful guard is better than none.
    with contextlib.suppress(OSError, ValueError, TypeError, OverflowError, RecursionError):
        return {
            (str(key), str(site), str(gateway), str(topic)): (int(run), int(seq))
            for key, site, gateway, topic, run, seq in json.loads(memory.read_text("utf-8"))
        }
    return {}
