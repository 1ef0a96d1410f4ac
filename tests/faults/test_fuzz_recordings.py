"""Broken and hostile recordings by the thousand: each is read as far as it goes, or refused."""

import itertools
import random
import resource
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from control_room.replay.moments import moment_at
from control_room.replay.recording import open_recording
from delivery.recordings import writer
from delivery.recordings.reader import RecordingFile, read_messages, read_recording
from scene.errors import LamproomError, RecordingError
from scene.messages import PanoramaPacket
from tests.control_room.recorded_story import START_NS, everything, live_alarms, write
from tests.control_room.replay_stage import known_of
from tests.faults.mutate_recording import parts_of, recording_case
from tests.faults.size import FUZZ_CASES

SEED = 20261130
LONGEST_S = 5.0
"""CPU time of one case; a hang would be hours."""
LONGEST_TEXT = 1000
REPLAYED_EVERY = 20
"""The rules take far longer than reading."""
MOST_RECORDS = 100_000
Say = Callable[[str], None]
Way = Callable[[Path, random.Random, Say], int]
MOST_GROWN_BYTES = 600_000_000
"""A bomb is 60 MB; nothing may be kept of one."""


def good(folder: Path) -> bytes:
    """A recording with every kind of message that there is, and little of each."""
    messages = [one for one in everything(live_alarms()) if one[0] < START_NS + 3_000_000_000]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "CHUNK_BYTES", 5000)
        return write(folder / "good.mcap", *messages[::2], pictures=3).read_bytes()


def in_order(path: Path, dice: random.Random, say: Say) -> int:
    """Read a file from its beginning to its end."""
    count = 0
    for record in itertools.islice(read_recording(path, on_missing=say), MOST_RECORDS):
        count += 1
        assert record.topic
        assert isinstance(record.body, PanoramaPacket) or record.payload
    return count


def by_jumps(path: Path, dice: random.Random, say: Say) -> int:
    """Go somewhere by the index, or by what stands for it."""
    file = RecordingFile(path, on_missing=say)
    span_ns = file.span_ns()
    if span_ns is None:
        assert in_order(path, dice, say) == 0
        return 0
    first_ns, last_ns = span_ns
    at_ns = dice.randint(first_ns, last_ns)
    file.key_frame_before(at_ns)
    file.last(lambda channel: "positions" in channel.topic, at_ns)
    part = file.records(from_ns=at_ns, to_ns=last_ns, from_key_frame=True)
    assert sum(1 for _ in part) < MOST_RECORDS
    return 1


def only_messages(path: Path, dice: random.Random, say: Say) -> int:
    """Read what was said, without pictures."""
    count = sum(1 for _ in read_messages(path))
    assert count < MOST_RECORDS
    return count


WAYS = (in_order, by_jumps, only_messages)


def read(path: Path, dice: random.Random, *ways: Way) -> bool:
    """Read a file in some ways; tells whether anything was in it."""
    told: list[str] = []
    found = [way(path, dice, told.append) for way in ways]
    for text in told:
        assert len(text) < LONGEST_TEXT, text[:200]
        assert text.isprintable(), repr(text)
        assert path.name in text
    return any(found)


def replay(path: Path, dice: random.Random) -> None:
    """Judge a file as a replay does, and jump into it."""
    recording = open_recording(path, lambda _text: None)
    known = known_of(recording)
    moment_at(recording, known, dice.randint(recording.from_ns, recording.to_ns))


def test_every_recording_is_read_or_refused_clearly(tmp_path: Path) -> None:
    data = good(tmp_path)
    seed, dice, path = parts_of(data), random.Random(SEED), tmp_path / "case.mcap"
    assert in_order(tmp_path / "good.mcap", dice, print) > 15
    assert read(tmp_path / "good.mcap", dice, *WAYS)
    refused, whole, slowest_s = 0, 0, 0.0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    number = FUZZ_CASES["recording"]
    for i in range(number):
        case = recording_case(seed, dice)
        path.write_bytes(case)
        started_s = time.process_time()
        try:
            whole += read(path, dice, dice.choice(WAYS))
            if i % REPLAYED_EVERY == 0:
                replay(path, dice)
        except LamproomError as error:
            refused += isinstance(error, RecordingError)
            text = str(error)
            assert path.name in text
            assert 0 < len(text) < LONGEST_TEXT
            assert text.isprintable(), repr(text)
        except Exception as error:
            (tmp_path / f"bad-{i}.mcap").write_bytes(case)
            raise AssertionError(f"case {i}: {error!r}") from error
        slowest_s = max(slowest_s, time.process_time() - started_s)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
    print(
        f"recording: {number} cases, {refused} refused, {whole} gave records, slowest "
        f"{1000 * slowest_s:.0f} ms, {grown / 1e6:.0f} MB more memory"
    )
    assert 0.02 < refused / number < 0.6, "the cases are too tame, or all alike"
    assert whole / number > 0.3, "the cases never get past the first check"
    assert slowest_s < LONGEST_S
    assert grown < MOST_GROWN_BYTES
