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
from delivery.recordings.rerun_records import read_for_a_rerun
from scene.errors import LamproomError, RecordingError
from scene.messages import PanoramaPacket
from tests.control_room.recorded_story import START_NS, everything, live_alarms, write
from tests.control_room.replay_stage import known_of
from tests.faults.mutate_recording import parts_of, recording_case
from tests.faults.size import FUZZ_CASES
from tests.faults.small_recording import small_recording

SEED = 20261130
LONGEST_S = 5.0
"""CPU time of one case; a hang would be hours."""
LONGEST_TEXT = 1000
REPLAYED_EVERY = 33
LARGE_EVERY = 10
"""Rules take far longer than reading, and a large file hides what is changed in it."""
MOST_RECORDS = 100_000
Say = Callable[[str], None]
Way = Callable[[Path, random.Random, Say], int]
MOST_GROWN_BYTES = 600_000_000
"""A bomb is 60 MB; nothing may be kept of one."""


def large_recording(path: Path) -> bytes:
    """Write some seconds of every kind of message."""
    messages = [one for one in everything(live_alarms()) if one[0] < START_NS + 3_000_000_000]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "CHUNK_BYTES", 5000)
        return write(path, *messages[::2], pictures=3).read_bytes()


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


def for_a_rerun(path: Path, dice: random.Random, say: Say) -> int:
    """Read what cameras sent and what the pipeline did."""
    count = sum(1 for _ in read_for_a_rerun(path, say))
    assert count < MOST_RECORDS
    return count


WAYS = (in_order, by_jumps, only_messages, for_a_rerun)


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
    dice, path = random.Random(SEED), tmp_path / "case.mcap"
    small, large = tmp_path / "small.mcap", tmp_path / "large.mcap"
    seeds = [parts_of(small_recording(small)), parts_of(large_recording(large))]
    for one in (small, large):
        assert in_order(one, dice, print) > 5
        assert read(one, dice, *WAYS)
    assert for_a_rerun(small, dice, print) == 11
    refused, whole, slowest_s = 0, 0, 0.0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    number = FUZZ_CASES["recording"]
    for i in range(number):
        case = recording_case(seeds[i % LARGE_EVERY == 0], dice)
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
