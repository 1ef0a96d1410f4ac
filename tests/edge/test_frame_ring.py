import multiprocessing
import os
import resource
import threading
import time
from multiprocessing.synchronize import Event
from pathlib import Path

import numpy as np
import pytest

from edge import frame_ring
from edge.frame_ring import SLOTS, FrameRing, SourceStatus
from scene.errors import CameraError
from scene.messages import Frame
from tests.edge.camera_clips import picture


def frame(number: int, width: int = 64, height: int = 48) -> Frame:
    shade = number % 200
    image = picture(width, height, shade)
    return Frame(camera="left", captured_at_ns=number * 1000, image=image)


def test_the_newest_frame_comes_out_as_it_went_in() -> None:
    ring = FrameRing("left")
    assert ring.latest() is None
    assert ring.times() == ()
    noise = np.random.default_rng(0).integers(0, 256, (48, 64), np.uint8)
    given = frame(1)
    ring.write(frame(0))
    image = type(given.image)(y=noise, u=noise[::2, ::2], v=noise[1::2, ::2])
    number = ring.write(Frame(camera="left", captured_at_ns=-5, image=image))
    found = ring.latest()
    assert found is not None
    assert found[1] == number == 2
    assert found[0].captured_at_ns == -5
    assert found[0].camera == "left"
    assert np.array_equal(found[0].image.y, image.y)
    assert np.array_equal(found[0].image.u, image.u)
    assert np.array_equal(found[0].image.v, image.v)
    assert not found[0].image.y.flags.writeable
    assert ring.latest(after=number) is None


def test_only_the_last_frames_are_there_and_older_ones_are_none() -> None:
    ring = FrameRing("left")
    for number in range(20):
        ring.write(frame(number))
    numbers = [number for number, _ in ring.times()]
    assert numbers == list(range(20 - SLOTS + 1, 21))
    assert ring.times()[-1] == (20, 19_000)
    assert ring.read(20 - SLOTS) is None
    assert ring.read(21) is None
    old = ring.read(20 - SLOTS + 1)
    assert old is not None
    assert old.image.y[0, 0] == 20 - SLOTS


def test_a_frame_once_read_is_not_changed_by_later_ones() -> None:
    ring = FrameRing("left")
    ring.write(frame(7))
    found = ring.latest()
    for number in range(50, 80):
        ring.write(frame(number))
    assert found is not None
    assert (found[0].image.y == 7).all()


def test_a_larger_picture_makes_the_ring_grow_and_a_smaller_one_fits() -> None:
    ring = FrameRing("left")
    for number, (width, height) in enumerate([(64, 48), (640, 480), (32, 16), (1280, 720)]):
        ring.write(frame(number, width, height))
        found = ring.latest()
        assert found is not None
        assert found[1] == number + 1
        assert found[0].image.size_px == (width, height)
        assert (found[0].image.y == number).all()


def test_a_picture_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame_ring, "MAX_PIXELS", 1000)
    with pytest.raises(CameraError, match="camera left: a picture of 64x48"):
        FrameRing("left").write(frame(0))


def test_memory_is_taken_before_it_is_used_so_that_no_write_can_fail() -> None:
    ring = FrameRing("left")
    ring.write(frame(0, 640, 480))
    assert os.fstat(ring._fd).st_blocks * 512 >= SLOTS * 640 * 480 * 3 // 2


def test_without_memory_there_is_one_clear_error() -> None:
    ring = FrameRing("left")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (128 * 1024, before[1]))
    try:
        with pytest.raises(CameraError, match=r"camera left: no shared memory.*more memory"):
            ring.write(frame(0, 640, 480))
        ring.write(frame(1, 64, 48))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    found = ring.latest()
    assert found is not None
    assert (found[0].image.y == 1).all()


def test_the_state_is_told_with_its_text_cut_to_what_fits() -> None:
    ring = FrameRing("left")
    assert ring.status().state == "connecting"
    status = SourceStatus(
        state="reconnecting", detail="gone: пожар", corrupt_frames=3, full_range=True
    )
    ring.report(status)
    assert ring.status() == status
    ring.report(SourceStatus(state="failed", detail="é" * 1000))
    assert ring.status().detail.startswith("ééé")
    assert len(ring.status().detail) < 300


def test_the_sign_of_life_grows_old() -> None:
    ring = FrameRing("left")
    assert ring.quiet_s() == 0.0
    ring.alive()
    time.sleep(0.02)
    assert 0.02 <= ring.quiet_s() < 60


def _write_until_told(ring: FrameRing, enough: Event) -> None:
    number = 0
    while not enough.is_set():
        size = (640, 480) if number % 500 < 400 else (320, 240)
        ring.write(frame(number, *size))
        number += 1


def test_another_process_writes_and_no_torn_frame_is_ever_read() -> None:
    spawn = multiprocessing.get_context("spawn")
    ring, enough = FrameRing("left"), spawn.Event()
    writer = spawn.Process(target=_write_until_told, args=(ring, enough), daemon=True)
    writer.start()
    good, gone, last = 0, 0, 0
    deadline_s = time.monotonic() + 60
    try:
        while good < 300 and time.monotonic() < deadline_s:
            times = ring.times()
            if not times or times[-1][0] == last:
                time.sleep(0.0005)
                continue
            # The oldest one is the one about to be overwritten: the hardest to read whole.
            for number, captured_at_ns in (times[0], times[-1]):
                found = ring.read(number)
                if found is None:
                    gone += 1
                    continue
                shade = (number - 1) % 200
                assert found.captured_at_ns == captured_at_ns == (number - 1) * 1000
                assert (found.image.y == shade).all()
                assert number >= last
                good += 1
            last = times[0][0]
    finally:
        enough.set()
        writer.join(10)
    assert good >= 300
    assert writer.exitcode == 0


def test_a_frame_overwritten_while_it_is_copied_is_not_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ring = FrameRing("left")
    for number in range(SLOTS):
        ring.write(frame(number))
    fences = 0
    real_fence = FrameRing._fence

    def fence(self: FrameRing) -> None:
        nonlocal fences
        fences += 1
        real_fence(self)
        if fences == 2:  # between the copy and the second look at the row
            monkeypatch.setattr(FrameRing, "_fence", real_fence)
            ring.write(frame(100))

    monkeypatch.setattr(FrameRing, "_fence", fence)
    assert ring.read(1) is None


def test_a_writer_that_died_in_the_middle_is_followed_by_one_that_works() -> None:
    ring = FrameRing("left")
    ring.write(frame(0))
    row_at, _ = ring._places(2, 0)
    frame_ring._put_u64(ring._memory, row_at, 1)  # it died while it wrote frame 2
    assert [number for number, _ in ring.times()] == [1]
    assert ring.read(2) is None
    ring.write(frame(1))
    found = ring.read(2)
    assert found is not None
    assert (found.image.y == 1).all()


def test_nothing_is_left_in_the_file_system_and_no_descriptor_leaks() -> None:
    def open_files() -> int:
        return len(os.listdir("/proc/self/fd"))

    def shared() -> set[str]:
        return set(os.listdir("/dev/shm")) if Path("/dev/shm").exists() else set()

    files, names = open_files(), shared()
    for _ in range(5):
        ring = FrameRing("left")
        ring.write(frame(0))
        ring.close()
        FrameRing("right").write(frame(0))
    del ring
    assert open_files() <= files
    assert not [name for name in shared() - names if "lamproom" in name]


def test_readers_in_several_threads_do_not_disturb_each_other() -> None:
    ring = FrameRing("left")
    wrong: list[object] = []
    enough = threading.Event()

    def read() -> None:
        while not enough.is_set():
            try:
                found = ring.latest()
                if found and not (found[0].image.y == (found[1] - 1) % 200).all():
                    wrong.append(found[1])
            except Exception as error:
                wrong.append(error)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(300):
        ring.write(frame(number))
    enough.set()
    for thread in threads:
        thread.join(30)
    assert not wrong
