import json
import os
import random
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard
from google.protobuf import (  # type: ignore[import-untyped]
    descriptor_pb2,
    descriptor_pool,
    message_factory,
)
from mcap.data_stream import ReadDataStream
from mcap.reader import make_reader
from mcap.records import Chunk
from mcap.records import Message as McapMessage
from mcap.stream_reader import breakup_chunk
from mcap.writer import Writer

from delivery.recordings import writer as writer_module
from delivery.recordings.compressed_video import SCHEMA, video_message
from delivery.recordings.format import FRAME_TOPIC, PANORAMA, Record, time_text
from delivery.recordings.reader import read_recording
from delivery.recordings.refused_record import Refused
from delivery.recordings.repair import repair
from delivery.recordings.survey import survey
from delivery.recordings.writer import RecordingWriter
from scene.clock import ReplayClock
from scene.errors import LamproomError, RecordingError
from scene.messages import (
    ControlRoomBeat,
    GatewayHealth,
    GatewayState,
    MachinePlace,
    Machines,
    Order,
    PanoramaPacket,
    Receipt,
    TagFix,
    Tags,
)
from scene.packet import pack
from scene.topics import TOPICS, topic_name
from scene.wire import Message, encode
from tests.delivery.parts import alarm, packet, people, wait_until

START_NS = 1_700_000_000_000_000_000
STEP_NS = 100_000_000
POSITIONS = topic_name("positions", site="roadway", gateway="gw1")


def payload(i: int) -> bytes:
    return encode(people(i, count=3), gateway="gw1", seq=i, sent_at_ns=i)


def write(path: Path, frames: int = 100, size: int = 5000) -> Path:
    clock = ReplayClock(START_NS)
    writer = RecordingWriter(path, clock)
    for i in range(frames):
        clock.set(START_NS + i * STEP_NS)
        writer.packet(packet(i, size=size))
        writer.message(POSITIONS, payload(i), clock.now_ns())
        if i % 20 == 0:
            topic = topic_name("alarm", site="roadway", gateway="gw1", id=f"a-{i}")
            body = encode(alarm(f"a-{i}"), gateway="gw1", seq=i, sent_at_ns=i)
            writer.message(topic, body, clock.now_ns())
    writer.close()
    return writer.path


def read(path: Path) -> tuple[list[Record], list[str]]:
    missing: list[str] = []
    return list(read_recording(path, on_missing=missing.append)), missing


def keys(records: list[Record]) -> list[tuple[int, str, bytes]]:
    return [(one.at_ns, one.topic, one.payload) for one in records]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("recording") / "run.mcap")


def test_what_was_recorded_is_read_back_byte_for_byte(whole: Path) -> None:
    records, missing = read(whole)
    assert missing == []
    assert [one.at_ns for one in records] == sorted(one.at_ns for one in records)
    pictures = [one for one in records if one.topic == PANORAMA]
    assert [one.payload for one in pictures] == [pack(packet(i, size=5000)) for i in range(100)]
    assert isinstance(pictures[0].body, PanoramaPacket)
    said = [one for one in records if one.topic == POSITIONS]
    assert [one.payload for one in said] == [payload(i) for i in range(100)]
    assert said[7].body == people(7, count=3)
    alarms = [one for one in records if "/alarm/" in one.topic]
    assert [one.topic.rpartition("/")[2] for one in alarms] == [f"a-{i}" for i in range(0, 100, 20)]
    assert [one.body for one in alarms] == [alarm(f"a-{i}") for i in range(0, 100, 20)]


def test_the_field_tools_own_reader_opens_it(whole: Path) -> None:
    with whole.open("rb") as file:
        reader = make_reader(file, validate_crcs=True)
        summary = reader.get_summary()
        found = list(reader.iter_messages())
    assert summary is not None and summary.statistics is not None
    assert summary.statistics.message_count == 100 + 2 * 100 + 5 == len(found)
    topics = {channel.topic for channel in summary.channels.values()}
    assert topics == {"panorama/frame", "panorama/video", POSITIONS, "mine/roadway/gw/gw1/alarm"}
    encodings = {schema.name: schema.encoding for schema in summary.schemas.values()}
    assert encodings["foxglove.CompressedVideo"] == "protobuf"
    assert encodings["lamproom.positions"] == "jsonschema"


def test_the_panorama_is_a_compressed_video_to_protobufs_own_library() -> None:
    files = descriptor_pb2.FileDescriptorSet.FromString(SCHEMA)
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    kind = message_factory.GetMessageClass(pool.FindMessageTypeByName("foxglove.CompressedVideo"))
    read = kind.FromString(video_message(START_NS + 7, b"picture"))
    assert (read.timestamp.seconds, read.timestamp.nanos) == divmod(START_NS + 7, 10**9)
    assert (read.data, read.format, read.frame_id) == (b"picture", "h264", "panorama")


def test_messages_that_came_out_of_order_are_put_in_order(tmp_path: Path) -> None:
    writer = RecordingWriter(tmp_path / "a.mcap", ReplayClock(START_NS))
    order = list(range(400))
    random.Random(3).shuffle(order)
    for i in order:
        writer.message(POSITIONS, payload(i), START_NS + i)
    writer.close()
    records, missing = read(writer.path)
    assert [one.at_ns - START_NS for one in records] == list(range(400))
    assert missing == []


def test_nothing_is_written_over(tmp_path: Path) -> None:
    first = write(tmp_path / "run.mcap", 3)
    before = first.read_bytes()
    second = write(tmp_path / "run.mcap", 3)
    assert second == tmp_path / "run-2.mcap"
    assert first.read_bytes() == before


def test_what_is_not_ours_is_passed_over(tmp_path: Path) -> None:
    writer = RecordingWriter(tmp_path / "a.mcap", ReplayClock(START_NS))
    other = encode(alarm("b"), gateway="gw1", seq=1, sent_at_ns=1)
    alarms = topic_name("alarm", site="roadway", gateway="gw1", id="a")
    writer.message("zigbee/lamp", b"on", START_NS)
    writer.message(alarms, other, START_NS)
    writer.message(alarms, b"", START_NS)  # ends a retained message
    writer.message(POSITIONS, bytes(2_000_000), START_NS)
    writer.message(POSITIONS, b"not JSON", START_NS)  # kept as it came, told when read
    writer.message(POSITIONS, payload(1), START_NS)
    writer.close()
    assert writer.skipped == 3
    records, missing = read(writer.path)
    assert [one.payload for one in records] == [payload(1)]
    assert len(missing) == 1
    assert "1 messages can't be understood" in missing[0]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of many small chunks, quick to read a thousand times."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer_module, "CHUNK_BYTES", 3000)
        return write(tmp_path_factory.mktemp("small") / "run.mcap", frames=16, size=200)


def test_a_recording_cut_at_any_byte_gives_everything_up_to_its_last_chunk(
    small: Path, tmp_path: Path
) -> None:
    """Of 1,000 cuts; where chunks end, and how much is in each, the field tool's reader says."""
    data = small.read_bytes()
    all_records, _ = read(small)
    ends = list(records_by_chunk(small))
    assert len(ends) > 10
    cut = tmp_path / "cut.mcap"
    for at in random.Random(11).sample(range(len(data)), 1000):
        cut.write_bytes(data[:at])
        count, last_ns = max(((count, ns) for end, count, ns in ends if end <= at), default=(0, 0))
        try:
            records, missing = read(cut)
        except RecordingError as error:
            assert at < 50, "only without its first record it is none"
            assert "cut.mcap" in str(error)
            continue
        assert keys(records) == keys(all_records[:count])
        [told] = missing
        if at < chunks_end(data):
            assert "the end is missing" in told
            assert f"after {time_text(last_ns)}" in told if last_ns else "after" not in told
        else:
            assert "only its index is cut off" in told


def records_by_chunk(path: Path) -> Iterator[tuple[int, int, int]]:
    """Tell with the field tool's reader where each chunk ends, how many records there are by then,
    and when the last one came."""
    count = 0
    with path.open("rb") as file:
        summary = make_reader(file).get_summary()
        assert summary is not None
        for one in sorted(summary.chunk_indexes, key=lambda one: one.chunk_start_offset):
            file.seek(one.chunk_start_offset + 9)
            chunk = Chunk.read(ReadDataStream(file))
            found = [one for one in breakup_chunk(chunk) if isinstance(one, McapMessage)]
            count += sum(summary.channels[one.channel_id].topic != FRAME_TOPIC for one in found)
            yield one.chunk_start_offset + one.chunk_length, count, one.message_end_time


def chunks_end(data: bytes) -> int:
    """Find where the record that ends all messages ends; its check sum is none, or 4 bytes."""
    return data.rindex(struct.pack("<BQ", 0x0F, 4)) + 13


def test_a_damaged_byte_is_found_and_costs_only_its_chunk(small: Path, tmp_path: Path) -> None:
    data = small.read_bytes()
    all_records, _ = read(small)
    harmed = tmp_path / "harmed.mcap"
    chance = random.Random(12)
    for at in chance.sample(range(len(data)), 1000):
        spoilt = bytearray(data)
        spoilt[at] ^= 1 << chance.randrange(8)
        harmed.write_bytes(spoilt)
        try:
            records, missing = read(harmed)
        except RecordingError as error:
            assert at < 50, f"{error}: byte {at}"
            continue
        assert set(keys(records)) <= set(keys(all_records))
        assert missing, f"byte {at} was not found"
        assert all("harmed.mcap" in text for text in missing)
        lost = len(all_records) - len(records)
        assert lost <= 8, f"byte {at} costs {lost} of {len(all_records)}: {missing}"


def test_a_damaged_byte_in_a_recording_that_is_also_cut_costs_only_its_chunk(
    small: Path, tmp_path: Path
) -> None:
    """There is no index then that says where the next chunk is."""
    data = small.read_bytes()
    places = survey(small).places
    cut = data[: places[-1].offset]
    all_records, _ = read(small)
    count = list(records_by_chunk(small))[-2][1]
    harmed = tmp_path / "harmed.mcap"
    for place in places[4:-2]:  # those before say what channels there are
        for at in (-9, -8, -3, 0, 17, 28, 33, 40):  # opcode, length, time, size, name, lengths
            spoilt = bytearray(cut)
            spoilt[place.offset + at] ^= 0x40
            harmed.write_bytes(spoilt)
            records, missing = read(harmed)
            assert keys(records)[-1] == keys(all_records)[count - 1], "goes on behind it"
            assert len(records) >= count - 8
            assert any(": damaged" in text for text in missing), (place.offset, at, missing)
        for at in (0, 1, 9, 11, 15, 23):  # of its first index: kind, length, whose, when, where
            spoilt = bytearray(cut)
            spoilt[place.offset + place.length + at] ^= 0x04
            harmed.write_bytes(spoilt)
            records, missing = read(harmed)
            assert keys(records) == keys(all_records)[:count], "no message is lost"
            assert any(": damaged" in text for text in missing), (place.offset, at, missing)


def test_repair_writes_a_whole_new_file_and_leaves_the_old_one(whole: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.mcap"
    cut.write_bytes(whole.read_bytes()[:30_000])
    records, missing = read(cut)
    mended, told = repair(cut)
    assert mended == tmp_path / "cut-repaired.mcap"
    assert told == tuple(missing)
    again, still_missing = read(mended)
    assert keys(again) == keys(records)
    assert still_missing == []
    assert cut.read_bytes() == whole.read_bytes()[:30_000]
    with mended.open("rb") as file:
        assert sum(1 for _ in make_reader(file).iter_messages()) > len(records)


WRITER = """
import random, sys
from dataclasses import replace
from pathlib import Path
from delivery.recordings.writer import RecordingWriter
from scene.clock import SystemClock
from tests.delivery.parts import packet
writer = RecordingWriter(Path(sys.argv[1]), SystemClock())
i = 0
while True:
    writer.packet(replace(packet(i), payload=random.randbytes(20_000)))
    print(i, flush=True)
    i += 1
"""


def test_sigkill_costs_at_most_the_last_chunk(tmp_path: Path) -> None:
    path = tmp_path / "killed.mcap"
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    written = -1
    while written < 300:
        written = int(writer.stdout.readline())
    os.kill(writer.pid, signal.SIGKILL)
    written = max([written, *(int(line) for line in writer.stdout)])
    writer.wait()
    writer.stdout.close()
    records, missing = read(path)
    assert len(missing) == 1
    instants = [one.body.captured_at_ns for one in records if isinstance(one.body, PanoramaPacket)]
    assert instants == list(range(len(instants)))
    assert written - instants[-1] <= 8  # a chunk of 64 KB, and what the file's buffer holds


def test_while_it_is_written_everything_comes_to_the_disk_by_itself(tmp_path: Path) -> None:
    writer = RecordingWriter(tmp_path / "a.mcap", ReplayClock(START_NS))
    writer.packet(packet(1))
    writer.message(POSITIONS, payload(1), START_NS)
    wait_until(lambda: len(read(writer.path)[0]) == 2)
    writer.close()


def test_a_disk_that_refuses_stops_the_recording_and_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = RecordingWriter(tmp_path / "a.mcap", ReplayClock(START_NS))

    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(writer._mcap, "add_message", refuse)
        with pytest.raises(RecordingError, match=r"a\.mcap: .*No space left.*free space"):
            writer.packet(packet(1))
    with pytest.raises(RecordingError, match="No space left"):
        writer.packet(packet(2))
    writer.close()


def test_places_that_cannot_be_written_or_read(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"none/a\.mcap"):
        RecordingWriter(tmp_path / "none" / "a.mcap", ReplayClock(0))
    with pytest.raises(RecordingError, match="there is no such recording"):
        read_recording(tmp_path / "none.mcap")
    with pytest.raises(RecordingError, match="can't be read"):
        read_recording(tmp_path)


def mcap_of_others(path: Path, profile: str = "") -> None:
    with path.open("wb") as file:
        writer = Writer(file)
        writer.start(profile=profile)
        schema = writer.register_schema("x", "jsonschema", b"{}")
        channel = writer.register_channel("/x", "json", schema)
        writer.add_message(channel, 1, b"{}", 1)
        writer.finish()  # type: ignore[no-untyped-call]


def test_foreign_files_are_refused_by_name(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.mcap"
    for content in (b"", b"SQLite format 3\0", bytes(1000), b"\x89MCAP0\r\n"):
        foreign.write_bytes(content)
        with pytest.raises(RecordingError, match=r"foreign\.mcap"):
            read_recording(foreign)
    mcap_of_others(foreign)
    with pytest.raises(RecordingError, match="not recorded by Lamproom"):
        read_recording(foreign)
    mcap_of_others(foreign, profile="lamproom")  # claims to be ours
    assert read(foreign)[0] == []
    assert f"{foreign}: 1 messages can't be understood and were passed over" in read(foreign)[1]


def record_bytes(opcode: int, content: bytes, length: int | None = None) -> bytes:
    return struct.pack("<BQ", opcode, len(content) if length is None else length) + content


def chunk_bytes(data: bytes, size: int, compression: bytes = b"zstd") -> bytes:
    head = struct.pack("<QQQI", 1, 2, size, 0) + struct.pack("<I", len(compression)) + compression
    return record_bytes(6, head + struct.pack("<Q", len(data)) + data)


def test_bombs_and_lies_cost_nothing(tmp_path: Path, whole: Path) -> None:
    head = whole.read_bytes()[:8] + record_bytes(1, struct.pack("<I8sI0s", 8, b"lamproom", 0, b""))
    bomb = zstandard.compress(bytes(500_000_000), 3)
    lies = [
        chunk_bytes(bomb, 500_000_000),
        chunk_bytes(bomb, 1000),
        chunk_bytes(b"x", 2**63),
        chunk_bytes(b"x" * 100, 100, b"lz4"),
        record_bytes(6, b"x" * 40, 2**62),
        record_bytes(4, b"\xff" * 30),
        record_bytes(0x42, b"unknown"),
        record_bytes(6, b""),
        record_bytes(2, b"\xff" * 20),
    ]
    evil = tmp_path / "evil.mcap"
    for lie in lies:
        evil.write_bytes(head + lie)
        records, missing = read(evil)
        assert records == []
        assert missing


def test_mutated_recordings_give_records_or_one_clear_error(whole: Path, tmp_path: Path) -> None:
    data = whole.read_bytes()[:20_000]
    chance = random.Random(13)
    evil = tmp_path / "evil.mcap"
    for _ in range(300):
        spoilt = bytearray(data)
        for _ in range(chance.randrange(1, 6)):
            at = chance.randrange(len(spoilt))
            kind = chance.randrange(4)
            if kind == 0:
                spoilt[at] = chance.randrange(256)
            elif kind == 1:
                spoilt[at : at + 8] = struct.pack("<Q", chance.choice([0, 1, 2**31, 2**63]))
            elif kind == 2:
                del spoilt[at : at + chance.randrange(1, 200)]
            else:
                spoilt[at:at] = chance.randbytes(chance.randrange(1, 50))
        evil.write_bytes(spoilt)
        try:
            read(evil)
        except LamproomError as error:
            assert "evil.mcap" in str(error)


@pytest.mark.parametrize("kind", sorted({row.message for row in TOPICS.values()}))
def test_every_kind_of_message_comes_back(tmp_path: Path, kind: str) -> None:
    said: dict[str, Message] = {
        "alarm": alarm("a-1"),
        "control_room": ControlRoomBeat(said_at_ns=1, heard_run=2, heard_seq=3),
        "health": GatewayHealth(
            captured_at_ns=1,
            cameras=(),
            panorama_fps=10.0,
            detection_fps=5.0,
            detection_age_s=None,
            detection_provider="CPUExecutionProvider",
        ),
        "machines": Machines(
            captured_at_ns=1, machines=(MachinePlace(machine="m1", xy_m=(1.0, 2.0), at_ns=1),)
        ),
        "order": Order(alarm="a-1", action="end", by="Li", reason="done", ordered_at_ns=1),
        "positions": people(1),
        "receipt": Receipt(alarm="a-1", state="active", stored_at_ns=1),
        "state": GatewayState(online=True, since_ns=1),
        "tags": Tags(
            captured_at_ns=1, fixes=(TagFix(tag="t1", xy_m=(1.0, 2.0), sigma_m=0.3, at_ns=1),)
        ),
    }
    if kind not in said:
        assert kind == "site", "a new kind of message: say one here"
        return
    row = next(name for name, row in TOPICS.items() if row.message == kind)
    topic = topic_name(row, site="roadway", gateway="gw1", id="a-1")
    writer = RecordingWriter(tmp_path / "a.mcap", ReplayClock(START_NS))
    writer.message(topic, encode(said[kind], gateway="gw1", seq=1, sent_at_ns=1), START_NS)
    writer.close()
    records, missing = read(tmp_path / "a.mcap")
    assert missing == []
    assert [(one.topic, one.body) for one in records] == [(topic, said[kind])]


def test_what_was_believed_is_marked_and_what_was_not_lies_apart(tmp_path: Path) -> None:
    writer = RecordingWriter(tmp_path / "a.mcap", ReplayClock(START_NS))
    writer.message(POSITIONS, payload(1), START_NS + 1, "signed")
    writer.message(POSITIONS, payload(2), START_NS + 2, "unsigned")
    writer.message(POSITIONS, payload(3), START_NS + 3)
    forged = [(POSITIONS, payload(4), "its signature is wrong"), ("x/y", b"\xff\x00", "nonsense")]
    for i, (topic, data, why) in enumerate(forged):
        writer.refused(topic, data, why, START_NS + 4 + i)
    writer.close()
    records, missing = read(writer.path)
    assert [(one.payload, one.trust) for one in records] == [
        (payload(1), "signed"),
        (payload(2), "unsigned"),
        (payload(3), "unchecked"),
    ]
    assert len(missing) == 1
    assert "2 messages were refused when they came" in missing[0]
    # To any field tool, too.
    with writer.path.open("rb") as file:
        found = [(channel, one) for _, channel, one in make_reader(file).iter_messages()]
    by_topic = [(channel.topic, channel.metadata.get("trust")) for channel, _ in found]
    assert by_topic == [
        (POSITIONS, "signed"),
        (POSITIONS, "unsigned"),
        (POSITIONS, "unchecked"),
        ("refused", None),
        ("refused", None),
    ]
    assert json.loads(found[3][1].data)["why"] == "its signature is wrong"


def test_a_repaired_recording_keeps_marks_and_what_was_refused(tmp_path: Path) -> None:
    writer = RecordingWriter(tmp_path / "a.mcap", ReplayClock(START_NS))
    writer.message(POSITIONS, payload(1), START_NS, "signed")
    for data in (payload(2), b"\xff"):
        writer.refused(POSITIONS, data, "played again", START_NS)
    writer.close()
    whole = writer.path.read_bytes()
    (tmp_path / "cut.mcap").write_bytes(whole[:-40])
    repaired, _ = repair(tmp_path / "cut.mcap")
    apart: list[Refused] = []
    [record] = read_recording(repaired, on_refused=apart.append)
    assert record.trust == "signed"
    assert [(one.topic, one.payload, one.why, one.at_ns) for one in apart] == [
        (POSITIONS, payload(2), "played again", START_NS),
        (POSITIONS, b"\xff", "played again", START_NS),
    ]


def test_nothing_that_comes_over_mqtt_gets_among_what_was_refused(tmp_path: Path) -> None:
    writer = RecordingWriter(tmp_path / "a.mcap", ReplayClock(START_NS))
    writer.message("refused", b'{"topic":"x","why":"y","text":"z"}', START_NS)
    writer.close()
    apart: list[Refused] = []
    assert list(read_recording(writer.path, on_refused=apart.append)) == []
    assert apart == []
    assert writer.skipped == 1
