"""Reads messages, and refuses those that are forged, altered, redirected or played again.

Knows nothing about what messages are for. Who has no key with us may speak unsigned, unless
signatures are required; who has one may not. The order of messages is watched of signed ones only:
anybody could spoil it with a number of their own choosing.
"""

import contextlib
import json
import os
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from delivery.aside import NewestAside
from delivery.signing import PublicKey, RefusedError, is_signed
from delivery.trust import Distrusted, Trust
from scene.clock import Clock, SystemClock
from scene.errors import WireError
from scene.site import SigningConfig
from scene.topics import LIVE_PREFIX, TOPICS, Address, parse_topic
from scene.wire import Envelope, decode
from scene.zones import Name

SAVE_EVERY_S = 10.0
"""After a restart no message older than this is believed to be new. A disk that hangs makes it
longer, by as long as it has hung when the restart comes: what was heard since the last numbers
that reached it can then be played again, once. That is all, and the heartbeat says that it hangs:
the outbox lies on the same one."""
PATIENCE_S = 1.5
"""A disk that does not answer within so long is not waited for: what is heard must go on."""
MOST_RECENT = 500
"""So many receipts and so many orders to each gateway are known again. A broker or bridge whose
connection came back says again whatever it does not know to have arrived: at most its
`max_inflight_messages`, and in a gateway's way are two (200 in deploy/mosquitto; 20 by default)."""

MOST_FORMER = 4
"""Of so many starts that others have followed the newest number is known."""

_NAME: TypeAdapter[str] = TypeAdapter(Name)
Place = tuple[str, str, str, str]
"""The key's id, site, gateway, topic."""
Number = tuple[int, int]
"""Run and number in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A message that is not refused."""

    address: Address
    envelope: Envelope
    signed: bool
    """Whether it is signed with a key that we know as its sender's."""
    news: bool
    """Whether it was not heard before."""


class FormerRunError(RefusedError):
    """A message that was never heard, of its sender's own key, but of a former start.

    Two speak with one key; or it was held back, and shows its age.
    """

    def __init__(self, text: str, envelope: Envelope) -> None:
        super().__init__(text, replayed=True)
        self.envelope = envelope


class Guard:
    """Looks at every message that one process hears; thread-safe."""

    def __init__(
        self,
        trust: Trust | None = None,
        *,
        required: bool | Collection[str] = False,
        memory: Path | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Without `trust` nobody's key is known. `memory` keeps the newest numbers over restarts.

        No method waits for its disk but this one and `remember`, and those only `PATIENCE_S`; what
        the disk tells later counts from then on.

        With `required` gateways and control rooms must sign, also those without a key here; the
        mine's own systems need not. It may name who must (`Topic.sender`).
        """
        self._trust = trust
        everybody = ("gateway", "control_room") if required is True else ()
        self._required = frozenset(everybody if isinstance(required, bool) else required)
        self._memory = memory
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._newest: dict[Place, Number] = {}
        self._at_start: dict[Place, Number] = {}
        self._recent: dict[Place, OrderedDict[Number, None]] = {}
        self._former: dict[Place, dict[int, int]] = {}
        """Of starts that were followed by another one: the newest number of each."""
        self._saved_at_s = self._clock.monotonic_s()
        self._disk: NewestAside | None = None
        if memory is not None:
            self._disk = NewestAside("guard-memory", first=self._look_back)
            self._disk.settle(PATIENCE_S)

    def read(
        self, topic: str, payload: bytes, *, retained: bool = False
    ) -> tuple[Address, Envelope] | None:
        """Give who says it and what; none for what was heard before and may come twice.

        Raises `RefusedError`, and `WireError` for what can't be read.
        """
        heard = self.check(topic, payload)
        return (heard.address, heard.envelope) if heard.news else None

    @property
    def checks(self) -> bool:
        """Whether anybody's key is known here."""
        return self._trust is not None

    def gateways(self) -> tuple[tuple[str, str], ...]:
        """List (site, gateway) of all gateways whose key is known by now."""
        return () if self._trust is None else self._trust.gateways()

    def distrusted(self) -> tuple[Distrusted, ...]:
        """List the files of keys that can't be used."""
        return () if self._trust is None else self._trust.distrusted()

    def remember(self, limit_s: float = PATIENCE_S) -> bool:
        """Keep now what came last, as at an end; tells whether it was kept within `limit_s`."""
        with self._lock:
            self._save(at_once=True)
        return self._disk is None or self._disk.settle(limit_s)

    def check(self, topic: str, payload: bytes) -> Heard:
        """Look at a message; raises as `read` does."""
        address = parse_topic(topic)
        _check_names(address)
        key = self._key_of(topic, address, payload)
        envelope = decode(payload)
        row = TOPICS[address.topic]
        if envelope.type != row.message:
            raise WireError(f"a message of type {envelope.type} does not belong there")
        if row.sender == "gateway" and envelope.gateway != address.gateway:
            raise WireError(f"gateway {envelope.gateway!r} speaks for another one")
        news = key is None or self._in_order(key, address, envelope)
        return Heard(address=address, envelope=envelope, signed=key is not None, news=news)

    def _key_of(self, topic: str, address: Address, payload: bytes) -> PublicKey | None:
        """Find whose key a message is signed with; none where it need not be signed."""
        if address.prefix != LIVE_PREFIX:
            return None  # nothing is done for what is replayed
        keys = None if self._trust is None else self._trust.keys_for(address)
        if keys is None:
            if TOPICS[address.topic].sender in self._required:
                raise RefusedError(
                    "there is no key of its sender here, and messages must be signed"
                )
            return None
        for key in keys:
            if key.fits(topic, payload):
                return key
        if not keys:
            raise RefusedError("its sender's key was taken away here, or its file can't be used")
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
                if newest[0] and number[0] > newest[0]:
                    self._note_former(place, newest)
                self._newest[place] = number
                self._note_recent(place, number, row.qos)
                self._save(at_once=number[0] > newest[0])
                return True
            came_twice = number == newest or self._is_recent(place, number)
        if row.retain:
            is_will = envelope.seq == 0 and envelope.run == newest[0]
            return number == newest or is_will
        if came_twice and row.qos > 0:
            return False
        text = "it is older than what was heard: somebody plays it again, or two speak with one key"
        if number[0] < newest[0] and not came_twice and self._is_news_of_its_run(place, number):
            raise FormerRunError(text, envelope)
        raise RefusedError(text, replayed=True)

    def _is_news_of_its_run(self, place: Place, number: Number) -> bool:
        with self._lock:
            if number[1] <= self._former.get(place, {}).get(number[0], 0):
                return False
            self._note_former(place, number)
            return True

    def _note_former(self, place: Place, number: Number) -> None:
        runs = self._former.setdefault(place, {})
        runs.pop(number[0], None)
        runs[number[0]] = number[1]
        if len(runs) > MOST_FORMER:
            del runs[next(iter(runs))]

    def _note_recent(self, place: Place, number: Number, qos: int) -> None:
        """Keep a number of what may come twice, though newer ones have come since."""
        if qos == 0:
            return
        recent = self._recent.setdefault(place, OrderedDict())
        recent[number] = None
        if len(recent) > MOST_RECENT:
            recent.popitem(last=False)

    def _is_recent(self, place: Place, number: Number) -> bool:
        """Tell whether a number was heard of late, by us or (as far as can be known) before us."""
        run, seq = self._at_start.get(place, (0, 0))
        before_us = number[0] == run and seq - MOST_RECENT < number[1] <= seq
        return before_us or number in self._recent.get(place, ())

    def _look_back(self) -> None:
        """Take in what those before us have heard; it may come late, from a disk that hung."""
        found = _remembered(self._memory)
        with self._lock:
            self._at_start = found
            for place, number in found.items():
                self._newest[place] = max(number, self._newest.get(place, number))

    def _save(self, *, at_once: bool) -> None:
        """Have the numbers written beside us: we are called by the thread that hears."""
        now_s = self._clock.monotonic_s()
        if self._disk is None or not (at_once or now_s - self._saved_at_s >= SAVE_EVERY_S):
            return
        self._saved_at_s = now_s
        memory, newest = self._memory, dict(self._newest)
        assert memory is not None
        self._disk.do(lambda: _keep(memory, newest))


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


def _keep(memory: Path, heard: dict[Place, Number]) -> None:
    """Write numbers to a file; what others have written there counts where it is more."""
    newest = _remembered(memory)
    for place, number in heard.items():
        newest[place] = max(number, newest.get(place, number))
    rows = [[*place, *number] for place, number in newest.items()]
    with contextlib.suppress(OSError):  # a full disk makes us forgetful, not deaf
        memory.parent.mkdir(parents=True, exist_ok=True)
        fresh = memory.with_name(f"{memory.name}.{secrets.token_hex(4)}")
        fresh.write_text(json.dumps(rows), encoding="utf-8")
        os.replace(fresh, memory)


def _remembered(memory: Path | None) -> dict[Place, Number]:
    if memory is None:
        return {}
    # Whatever a damaged disk gives back: a forgetful guard is better than none.
    with contextlib.suppress(OSError, ValueError, TypeError, OverflowError, RecursionError):
        return {
            (str(key), str(site), str(gateway), str(topic)): (int(run), int(seq))
            for key, site, gateway, topic, run, seq in json.loads(memory.read_text("utf-8"))
        }
    return {}
