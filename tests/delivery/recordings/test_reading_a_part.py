"""A part of a recording is what the whole has there, whether or not the file has its index."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from mcap.records import Channel

from delivery.recordings import chunk, reader, writer
from delivery.recordings.format import PANORAMA, Record
from delivery.recordings.reader import RecordingFile, read_recording
from delivery.recordings.survey import survey
from scene.clock import ReplayClock
from scene.messages import PanoramaPacket
from tests.delivery.recordings.test_recording import POSITIONS, STEP_NS, payload, write

START_NS = 1_700_000_000_000_000_000


@pytest.fixture(scope="module", params=["whole", "cut"])
def path(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "CHUNK_BYTES", 5000)
        found = write(tmp_path_factory.mktemp("part") / "run.mcap", frames=60, size=400)
    if request.param == "cut":
        places = survey(found).places
        found.write_bytes(found.read_bytes()[: places[-1].offset + 100])
    yield found


def same(a: list[Record], b: list[Record]) -> bool:
    return [(one.at_ns, one.topic, one.payload) for one in a] == [
        (one.at_ns, one.topic, one.payload) for one in b
    ]


def test_a_part_is_what_the_whole_has_there(path: Path) -> None:
    whole, dice = list(read_recording(path)), random.Random(1)
    first, last = whole[0].at_ns, whole[-1].at_ns
    for _ in range(60):
        a, b = sorted(dice.randrange(first - STEP_NS, last + STEP_NS) for _ in range(2))
        a, b = dice.choice(((a, b), (whole[30].at_ns, b), (a, whole[30].at_ns), (a, a)))
        part = list(read_recording(path, from_ns=a, to_ns=b))
        assert same(part, [one for one in whole if a <= one.at_ns <= b]), (a, b)
    assert same(list(read_recording(path, to_ns=last)), whole)


def test_a_part_for_the_eye_begins_at_a_key_frame(path: Path) -> None:
    whole, dice = list(read_recording(path)), random.Random(2)
    pictures = [one for one in whole if one.topic == PANORAMA]
    for _ in range(40):
        at_ns = dice.randrange(pictures[0].at_ns, whole[-1].at_ns)
        keys = [one.at_ns for one in pictures if is_key(one) and one.at_ns <= at_ns]
        part = list(read_recording(path, from_ns=at_ns, from_key_frame=True))
        early = [one for one in pictures if keys[-1] <= one.at_ns < at_ns]
        assert same(part, early + [one for one in whole if one.at_ns >= at_ns])
        assert RecordingFile(path).key_frame_before(at_ns) == keys[-1]
    assert RecordingFile(path).key_frame_before(pictures[0].at_ns - 1) is None


def is_key(record: Record) -> bool:
    assert isinstance(record.body, PanoramaPacket)
    return record.body.key_frame


def test_the_last_word_before_an_instant_is_found(path: Path) -> None:
    whole, dice = list(read_recording(path)), random.Random(3)
    alarms = [one for one in whole if "/alarm/" in one.topic]

    def wanted(channel: Channel) -> bool:
        return channel.topic.endswith("/alarm")

    file = RecordingFile(path)
    for _ in range(40):
        at_ns = dice.randrange(whole[0].at_ns - 5, whole[-1].at_ns)
        expected = [one for one in alarms if one.at_ns <= at_ns]
        assert file.last(wanted, at_ns) == (expected[-1] if expected else None)
    assert file.last(lambda channel: channel.topic == "nobody", whole[-1].at_ns) is None


def test_only_the_chunks_that_are_asked_for_are_unpacked(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, opened = RecordingFile(path), list[chunk.Place]()
    unpack = chunk.unpack_chunk

    def noted(raw: bytes, place: chunk.Place) -> chunk.Unpacked:
        opened.append(place)
        return unpack(raw, place)

    monkeypatch.setattr(reader, "unpack_chunk", noted)
    assert file.chunks > 20
    middle_ns = START_NS + 30 * STEP_NS
    assert len(list(file.records(from_ns=middle_ns, to_ns=middle_ns))) >= 2
    assert 0 < len(opened) <= 4
    opened.clear()
    assert len(list(file.records(wanted=lambda one: one.topic.endswith("/alarm")))) >= 2
    assert 0 < len(opened) <= 6, "its index says where alarms are"
    opened.clear()
    assert file.key_frame_before(middle_ns) is not None
    assert 0 < len(opened) <= 4


def test_a_file_says_from_when_to_when_it_is_and_believes_no_lying_chunk(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mcap", frames=12, size=300)
    assert RecordingFile(path).span_ns() == (START_NS, START_NS + 11 * STEP_NS)
    data, told = bytearray(path.read_bytes()), list[str]()
    place = survey(path).places[0]
    data[place.offset + 15] = 0x7F  # its last time: in the year 2262
    path.write_bytes(data)
    file = RecordingFile(path, on_missing=told.append)
    assert file.span_ns() is None or file.span_ns() == (START_NS, START_NS + 11 * STEP_NS)
    assert any(": damaged" in text for text in told)


def test_what_a_second_run_needs_is_passed_over_silently(tmp_path: Path) -> None:
    made = writer.RecordingWriter(tmp_path / "a.mcap", ReplayClock(START_NS))
    made.step(b'{"step": 1}')
    made.message(POSITIONS, payload(1), START_NS)
    made.lost("camera", 3)
    made.close()
    told: list[str] = []
    assert [one.payload for one in read_recording(made.path, on_missing=told.append)] == [
        payload(1)
    ]
    assert told == []
