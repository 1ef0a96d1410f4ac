import itertools
import os
import random
import threading
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from edge.cameras.file import FileCamera
from edge.cameras.source import CameraSource, Pace, open_source
from scene.clock import ReplayClock, SystemClock
from scene.errors import CameraError
from scene.site import CameraConfig
from tests.edge.camera_clips import shade_in, write_clip

SECOND = 1_000_000_000


def opened(
    path: Path | str,
    *,
    pace: Pace = "as_fast_as_possible",
    loop: bool = False,
    start_at_ns: int = 0,
    fps: float | None = None,
    clock: ReplayClock | None = None,
) -> CameraSource:
    config = CameraConfig.model_construct(name="left", url=str(path), transport="tcp", fps=fps)
    clock = clock or ReplayClock()
    return open_source(config, clock, pace=pace, loop=loop, start_at_ns=start_at_ns)


def test_a_video_gives_every_frame_at_its_time(tmp_path: Path) -> None:
    source = opened(write_clip(tmp_path / "a.mp4"), start_at_ns=5 * SECOND)
    frames = list(source.frames())
    assert [f.captured_at_ns for f in frames] == [5 * SECOND + i * SECOND // 10 for i in range(20)]
    shades = [shade_in(f.image) for f in frames]
    assert np.allclose(shades, [40 + 5 * i for i in range(20)], atol=2.5)
    assert {f.image.size_px for f in frames} == {(64, 48)}
    assert not frames[0].image.y.flags.writeable
    assert (source.corrupt_frames, source.note) == (0, "")


def test_frames_stay_as_they_are_while_others_are_decoded(tmp_path: Path) -> None:
    first, *rest = opened(write_clip(tmp_path / "a.mp4")).frames()
    assert len(rest) == 19
    assert shade_in(first.image) == pytest.approx(40, abs=2.5)


def test_a_loop_goes_on_one_step_after_the_last_frame(tmp_path: Path) -> None:
    source = opened(write_clip(tmp_path / "a.mp4", frames=5), loop=True)
    frames = list(itertools.islice(source.frames(), 13))
    source.close()
    assert [f.captured_at_ns for f in frames] == [i * SECOND // 10 for i in range(13)]
    assert shade_in(frames[5].image) == pytest.approx(shade_in(frames[0].image), abs=1)


def test_a_real_time_file_waits_for_each_frame_and_starts_when_told(tmp_path: Path) -> None:
    clock = ReplayClock(now_ns=100 * SECOND)
    path = write_clip(tmp_path / "a.mp4", frames=4)
    source = opened(path, pace="real_time", clock=clock, start_at_ns=103 * SECOND)
    for index, frame in enumerate(source.frames()):
        assert frame.captured_at_ns == 103 * SECOND + index * SECOND // 10
        assert clock.now_ns() == pytest.approx(frame.captured_at_ns, abs=1000)


def test_a_real_time_file_that_is_held_up_goes_on_where_a_camera_would_be(tmp_path: Path) -> None:
    clock = ReplayClock()
    source = opened(write_clip(tmp_path / "a.mp4"), pace="real_time", clock=clock, loop=True)
    frames = source.frames()
    next(frames)
    clock.sleep(0.95)
    assert next(frames).captured_at_ns < SECOND  # something is shown even on a slow machine
    assert next(frames).captured_at_ns == pytest.approx(0.8 * SECOND, abs=0.11 * SECOND)
    clock.sleep(60.0)
    late = list(itertools.islice(frames, 3))
    source.close()
    assert late[-1].captured_at_ns >= 60 * SECOND


def test_a_loop_that_was_held_up_for_long_does_not_decode_what_it_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ReplayClock()
    source = opened(write_clip(tmp_path / "a.mp4"), pace="real_time", clock=clock, loop=True)
    frames = source.frames()
    next(frames)
    passes = 0
    open_video = FileCamera._open_video

    def count(self: FileCamera) -> "av.container.InputContainer":
        nonlocal passes
        passes += 1
        return open_video(self)

    monkeypatch.setattr(FileCamera, "_open_video", count)
    clock.sleep(36_000.0)
    while next(frames).captured_at_ns < 36_000 * SECOND:
        pass
    source.close()
    assert passes <= 3


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuvj420p", "yuv422p", "yuv444p", "yuvj444p"])
def test_any_pixel_format_becomes_420_and_keeps_its_range(tmp_path: Path, pix_fmt: str) -> None:
    path = write_clip(
        tmp_path / "a.mkv", pix_fmt=pix_fmt, frames=3, size_px=(66, 48), shade_of=lambda index: 255
    )
    source = opened(path)
    image = next(iter(source.frames())).image
    assert source.full_range == pix_fmt.startswith("yuvj")
    assert image.y.shape == (48, 66)
    assert image.u.shape == image.v.shape == (24, 33)
    assert all(plane.flags.c_contiguous for plane in (image.y, image.u, image.v))
    white = float(image.y[8:24, 8:24].mean())
    assert white == pytest.approx(255 if source.full_range else 235, abs=3)


def test_an_odd_size_is_cut_to_an_even_one(tmp_path: Path) -> None:
    path = write_clip(
        tmp_path / "a.mkv", size_px=(65, 49), codec="ffv1", pix_fmt="yuv444p", frames=2
    )
    image = next(iter(opened(path).frames())).image
    assert image.size_px == (64, 48)
    assert image.u.shape == (24, 32)


def test_a_folder_of_pictures_is_played_in_order(tmp_path: Path) -> None:
    for index in (10, 2, 1):
        bgr = np.full((49, 65, 3), 10 * index, np.uint8)
        cv2.imwrite(str(tmp_path / f"{index}.png"), bgr)
    (tmp_path / "notes.txt").write_text("not a picture")
    frames = list(opened(tmp_path).frames())
    assert [round(shade_in(f.image)) for f in frames] == [10, 20, 100]
    assert [f.captured_at_ns for f in frames] == [0, SECOND // 5, 2 * SECOND // 5]
    assert frames[0].image.size_px == (64, 48)
    timed = [f.captured_at_ns for f in opened(tmp_path, fps=2.0).frames()]
    assert timed == [0, SECOND // 2, SECOND]


def test_a_broken_picture_in_a_folder_is_left_out(tmp_path: Path) -> None:
    for index in range(3):
        cv2.imwrite(str(tmp_path / f"{index}.jpg"), np.full((48, 64, 3), 99, np.uint8))
    (tmp_path / "1.jpg").write_bytes(b"\xff\xd8 broken")
    source = opened(tmp_path)
    assert [f.captured_at_ns for f in source.frames()] == [0, 2 * SECOND // 5]
    assert source.corrupt_frames == 1
    assert "1.jpg" in source.note


def _empty_folder(folder: Path) -> Path:
    (folder / "empty").mkdir()
    return folder / "empty"


def _text(folder: Path) -> Path:
    (folder / "a.mp4").write_text("this is not a video\n" * 50)
    return folder / "a.mp4"


def _cut_before_the_index(folder: Path) -> Path:
    path = write_clip(folder / "a.mp4", frames=40)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def _only_sound(folder: Path) -> Path:
    with av.open(str(folder / "a.wav"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
    return folder / "a.wav"


def _unknown_codec(folder: Path) -> Path:
    path = write_clip(folder / "a.mp4")
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzzz"))
    return path


def _pipe(folder: Path) -> Path:
    os.mkfifo(folder / "a.mp4")
    return folder / "a.mp4"


def _all_broken(folder: Path) -> Path:
    (folder / "all").mkdir()
    (folder / "all" / "0.jpg").write_bytes(b"no")
    return folder / "all"


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda folder: folder / "missing.mp4", "no such file"),
        (_empty_folder, r"no \.jpg or \.png"),
        (_text, "can't be read as a video"),
        (_cut_before_the_index, "can't be read as a video"),
        (_only_sound, "there is no video in it"),
        (_unknown_codec, "coded in a way that is not known"),
        (_pipe, "neither a file nor a folder"),
        (_all_broken, r"0\.jpg is not a picture"),
    ],
)
def test_what_can_not_be_played_is_one_clear_error(
    tmp_path: Path, make: Callable[[Path], Path], why: str
) -> None:
    path = make(tmp_path)
    with pytest.raises(CameraError, match=why) as error:
        list(opened(path, loop=True).frames())
    assert "camera left" in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_an_address_of_another_kind_is_refused() -> None:
    with pytest.raises(CameraError, match="rtsp") as error:
        opened("http://admin:secret@10.0.0.4/video")
    assert "secret" not in str(error.value)


def test_a_file_that_is_cut_ends_early_and_says_so(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", frames=40, movflags="+faststart")
    whole = path.read_bytes()
    assert whole.index(b"moov") < whole.index(b"mdat")
    path.write_bytes(whole[: len(whole) * 6 // 10])
    source = opened(path)
    frames = list(source.frames())
    assert 5 < len(frames) < 40
    assert source.note.startswith("ended early")


def test_damaged_frames_are_left_out_and_the_rest_is_shown(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", frames=40, options={"g": "5"})
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 1500] = bytes(1500)
    path.write_bytes(content)
    source = opened(path)
    frames = list(source.frames())
    assert source.corrupt_frames > 0
    assert len(frames) + source.corrupt_frames == pytest.approx(40, abs=3)
    assert frames[-1].captured_at_ns == 39 * SECOND // 10
    assert shade_in(frames[-1].image) == pytest.approx(40 + 5 * 39, abs=3)


def _leaps_ahead(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for index in range(20):
            frame = av.VideoFrame(64, 48, "yuvj420p")
            for plane in frame.planes:
                plane.update(bytes([128]) * plane.buffer_size)
            frame.pts = index
            for packet in stream.encode(frame):
                if index >= 10 and packet.pts is not None and packet.time_base is not None:
                    packet.pts = packet.dts = packet.pts + round(10_000 / packet.time_base)
                container.mux(packet)
    return path


def _goes_back(path: Path) -> Path:
    part = write_clip(path.with_suffix(".ts"), frames=10)
    path.write_bytes(2 * part.read_bytes())
    return path


@pytest.mark.parametrize("make", [_leaps_ahead, _goes_back])
def test_times_that_jump_are_not_believed(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    source = opened(make(tmp_path / "a.mkv"))
    times = [f.captured_at_ns for f in source.frames()]
    assert len(times) == 20
    assert np.allclose(np.diff(times), SECOND / 10, atol=2e6)
    assert "jump" in source.note


def test_closing_ends_a_camera_that_waits(tmp_path: Path) -> None:
    config = CameraConfig(name="left", url=str(write_clip(tmp_path / "a.mp4")))
    clock = SystemClock()
    source = open_source(config, clock, start_at_ns=clock.now_ns() + 3600 * SECOND)
    got: list[int] = []
    thread = threading.Thread(target=lambda: got.extend(f.captured_at_ns for f in source.frames()))
    thread.start()
    source.close()
    thread.join(timeout=30)
    assert not thread.is_alive()
    assert not got


@pytest.mark.parametrize("seed", range(40))
def test_damage_of_any_kind_is_one_clear_error_or_frames_in_order(
    tmp_path: Path, seed: int
) -> None:
    rng = random.Random(seed)
    name = rng.choice(["a.mp4", "index_first.mp4", "c.ts", "d.avi"])
    movflags = "+faststart" if name == "index_first.mp4" else ""
    path = write_clip(tmp_path / name, frames=12, movflags=movflags)
    content = bytearray(path.read_bytes())
    for _ in range(rng.choice([1, 3, 20])):
        at = rng.randrange(len(content)) if rng.random() < 0.5 else rng.randrange(1500)
        length = rng.randrange(1, 2000)
        content[at : at + length] = rng.choice(
            [b"", rng.randbytes(length), rng.randbytes(3), bytes(content[at : at + length]) * 2]
        )
    path.write_bytes(content)
    try:
        source = opened(path)
        times = [frame.captured_at_ns for frame in itertools.islice(source.frames(), 1000)]
    except CameraError as error:
        assert "camera left" in str(error)
        assert "\n" not in str(error)
    else:
        assert times == sorted(set(times))
