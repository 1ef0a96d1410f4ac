"""Makes broken recordings out of a good one, knowing how such files are built.

A good file is a list of records, some of which are chunks of records. Most cases change what lies
deep inside and put right lengths and check sums round it, so that they get past the first checks.
"""

import json
import random
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import zstandard
from mcap.opcode import Opcode

from tests.faults.mutate import NASTY, cases

MAGIC = b"\x89MCAP0\r\n"
NUMBERS = (0, 1, 7, 2**15, 2**16 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1)
BOMB_BYTES = 60_000_000
_HEAD, _LENGTH = struct.Struct("<BQ"), struct.Struct("<I")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A record; of a chunk also what is in it."""

    opcode: int
    content: bytes
    inside: tuple["Part", ...] = ()
    length: int | None = None
    """What it says that it has; none for the truth."""
    times: tuple[int, int] | None = None
    """What a chunk says; none for the truth."""


def parts_of(data: bytes) -> tuple[Part, ...]:
    """Take a good file apart."""
    return tuple(
        replace(one, inside=_inside(one.content)) if one.opcode == Opcode.CHUNK else one
        for one in _records(data[len(MAGIC) : -len(MAGIC)])
    )


def recording_case(seed: tuple[Part, ...], dice: random.Random) -> bytes:
    """Make one case."""
    parts = list(seed)
    for _ in range(dice.choice((1, 1, 1, 2, 3, 8))):
        parts = dice.choice(CHANGES)(parts, dice)
    data = MAGIC + b"".join(map(_written, parts)) + MAGIC
    return _damaged(data, dice) if dice.random() < 0.3 else data


def _records(data: bytes) -> list[Part]:
    found, at = [], 0
    while at < len(data):
        opcode, length = _HEAD.unpack_from(data, at)
        at += _HEAD.size + length
        found.append(Part(opcode=opcode, content=data[at - length : at]))
    return found


def _inside(chunk: bytes) -> tuple[Part, ...]:
    (name_bytes,) = _LENGTH.unpack_from(chunk, 28)
    return tuple(_records(zstandard.decompress(chunk[32 + name_bytes + 8 :])))


def _written(part: Part) -> bytes:
    content = _chunk(part) if part.opcode == Opcode.CHUNK and part.inside else part.content
    length = len(content) if part.length is None else part.length
    return _HEAD.pack(part.opcode & 0xFF, length & 2**64 - 1) + content


def _chunk(part: Part) -> bytes:
    """Pack a chunk whose times, sizes and check sum are right, unless told otherwise."""
    data = b"".join(map(_written, part.inside))
    times = [
        struct.unpack_from("<Q", one.content, 6)[0]
        for one in part.inside
        if one.opcode == Opcode.MESSAGE and len(one.content) >= 22
    ] or [0]
    first, last = part.times or (min(times), max(times))
    packed = zstandard.compress(data)
    head = struct.pack("<QQQI", first, last, len(data), zlib.crc32(data))
    return head + _LENGTH.pack(4) + b"zstd" + struct.pack("<Q", len(packed)) + packed


def _damaged(data: bytes, dice: random.Random) -> bytes:
    spoilt = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 5))):
        at, kind = dice.randrange(len(spoilt) + 1), dice.randrange(6)
        if kind == 0 and spoilt:
            spoilt[at % len(spoilt)] ^= 1 << dice.randrange(8)
        elif kind == 1:
            spoilt[at : at + 8] = struct.pack("<Q", dice.choice(NUMBERS))
        elif kind == 2:
            del spoilt[at : at + dice.randrange(1, 200)]
        elif kind == 3:
            spoilt[at:at] = dice.randbytes(dice.randrange(1, 60))
        elif kind == 4:
            return bytes(spoilt[:at])
        else:
            spoilt[at:at] = spoilt[: dice.randrange(1, 2000)]
    return bytes(spoilt)


Parts = list[Part]
Change = Callable[[Parts, random.Random], Parts]


def _in_a_chunk(change: Change) -> Change:
    def changed(parts: Parts, dice: random.Random) -> Parts:
        chunks = [i for i, one in enumerate(parts) if one.inside]
        if not chunks:
            return parts
        i = dice.choice(chunks)
        inside = change(list(parts[i].inside), dice)
        return [*parts[:i], replace(parts[i], inside=tuple(inside)), *parts[i + 1 :]]

    return changed


def _drop(parts: Parts, dice: random.Random) -> Parts:
    i = dice.randrange(len(parts) + 1)
    return [*parts[:i], *parts[i + 1 :]]


def _twice(parts: Parts, dice: random.Random) -> Parts:
    return [*parts, *([dice.choice(parts)] * dice.choice((1, 1, 50)) if parts else [])]


def _swap(parts: Parts, dice: random.Random) -> Parts:
    return dice.sample(parts, len(parts)) if dice.random() < 0.3 else parts[::-1]


def _one(change: Callable[[Part, random.Random], Part], opcode: int | None = None) -> Change:
    def changed(parts: Parts, dice: random.Random) -> Parts:
        places = [i for i, one in enumerate(parts) if opcode in (None, one.opcode)]
        if not places:
            return parts
        i = dice.choice(places)
        return [*parts[:i], change(parts[i], dice), *parts[i + 1 :]]

    return changed


def _other_kind(part: Part, dice: random.Random) -> Part:
    return replace(part, opcode=dice.choice((*range(18), 0x7F, 0x80, 0xFF)))


def _lying_length(part: Part, dice: random.Random) -> Part:
    near = len(part.content) + dice.choice((-1, 1, 9, -8))
    return replace(part, length=dice.choice((*NUMBERS, near, near)))


def _lying_times(part: Part, dice: random.Random) -> Part:
    return replace(part, times=(dice.choice(NUMBERS), dice.choice(NUMBERS)))


def _number_in(part: Part, dice: random.Random) -> Part:
    """Put a lying number where a number stands: channel, sequence, times, lengths."""
    size, form = dice.choice(((1, "<B"), (2, "<H"), (4, "<I"), (8, "<Q")))
    at = dice.randrange(min(len(part.content), 40) + 1)
    value = struct.pack(form, dice.choice(NUMBERS) % 2 ** (8 * size))
    return replace(part, content=part.content[:at] + value + part.content[at + size :])


def _other_words(part: Part, dice: random.Random) -> Part:
    """Change what a message says; it is JSON, or stays as it is."""
    try:
        tree = json.loads(part.content[22:])
    except (ValueError, RecursionError):  # as an earlier change made it
        return _number_in(part, dice)
    said = cases([tree], dice).encode("utf-8", "surrogatepass")
    return replace(part, content=part.content[:22] + said)


def _other_name(part: Part, dice: random.Random) -> Part:
    """Give a channel a hostile name, or hostile words."""
    id, schema = struct.unpack("<HH", part.content[:4].ljust(4, b"\0"))
    texts = [str(one) for one in NASTY if isinstance(one, str)]
    real = [
        "panorama/frame",
        "panorama/video",
        "refused",
        "mine/roadway/gw/gw1/alarm",
        "mine/x/tags",
    ]
    words: dict[str, str] = {dice.choice(("trust", "kind", "x")): dice.choice((*texts, "camera"))}
    return replace(part, content=channel(id, schema, dice.choice((*texts, *real)), words))


def _many_channels(parts: Parts, dice: random.Random) -> Parts:
    many = dice.choice((10, 300))
    made = [channel(i * 7 % 65_536, 0, f"x{i}", {}) for i in range(many)]
    return [*[Part(opcode=Opcode.CHANNEL, content=one) for one in made], *parts]


def _bomb(part: Part, dice: random.Random) -> Part:
    """A chunk that unpacks to far more than it says, or says that it does."""
    says = dice.choice((BOMB_BYTES, 1000, 0, 2**40))
    head = struct.pack("<QQQI", 1, 2, says, 0) + _LENGTH.pack(4) + b"zstd"
    return Part(opcode=Opcode.CHUNK, content=head + struct.pack("<Q", len(BOMB)) + BOMB)


def channel(id: int, schema: int, topic: str, words: dict[str, str]) -> bytes:
    """Write a channel's record."""

    def text(said: str) -> bytes:
        data = said.encode("utf-8", "surrogatepass")
        return _LENGTH.pack(len(data)) + data

    pairs = b"".join(text(name) + text(value) for name, value in words.items())
    head = struct.pack("<HH", id, schema) + text(topic) + text("json")
    return head + _LENGTH.pack(len(pairs)) + pairs


BOMB = zstandard.compress(bytes(BOMB_BYTES), 3)
_MESSAGE: Any = Opcode.MESSAGE
CHANGES: tuple[Change, ...] = (
    *(_drop, _twice, _swap),
    *(_one(_other_kind), _one(_lying_length), _one(_number_in)),
    *(_one(_lying_times, Opcode.CHUNK), _one(_number_in, Opcode.MESSAGE_INDEX)),
    *(_one(_number_in, Opcode.FOOTER), _one(_number_in, Opcode.METADATA)),
    *(_in_a_chunk(one) for one in (_drop, _twice, _swap, _many_channels)),
    *(_in_a_chunk(_one(one)) for one in (_other_kind, _lying_length, _number_in)),
    *(_in_a_chunk(_one(one, _MESSAGE)) for one in (_number_in, _other_words, _other_words)),
    *(_in_a_chunk(_one(one, Opcode.CHANNEL)) for one in (_other_name, _other_name)),
    _one(_bomb, Opcode.CHUNK),
)
