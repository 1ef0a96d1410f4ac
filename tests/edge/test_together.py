import itertools
from collections.abc import Callable, Iterable

import pytest

from edge.cameras.process import CameraHandle
from edge.frame_ring import SLOTS, SourceState, SourceStatus
from edge.together import Together, lockstep
from scene.messages import Frame
from tests.edge.camera_clips import picture

MS = 1_000_000
IMAGE = picture(16, 16, 0)


class Camera:
    """A camera whose frames come when the test says so."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.state: SourceState = "running"
        self.frames: dict[int, int] = {}

    def shoot(self, at_ms: float) -> None:
        self.frames[len(self.frames) + 1] = round(at_ms * MS)

    def start(self) -> None: ...
    def stop(self) -> None: ...

    def times(self) -> tuple[tuple[int, int], ...]:
        return tuple(self.frames.items())[-SLOTS:]

    def read(self, number: int) -> Frame | None:
        if number not in dict(self.times()):
            return None
        return Frame(camera=self.name, captured_at_ns=self.frames[number], image=IMAGE)

    def latest(self, after: int = 0) -> tuple[Frame, int] | None:
        raise NotImplementedError

    def status(self) -> SourceStatus:
        return SourceStatus(state=self.state)


class Play:
    """Cameras shoot at their times, pictures come after a delay; asks `Together` every 2 ms."""

    def __init__(self, names: str, max_skew_s: float = 0.05) -> None:
        self.cameras = {name: Camera(name) for name in names}
        self.now_ms = 0.0
        handles: list[CameraHandle] = list(self.cameras.values())
        self.together = Together(handles, max_skew_s, lambda: self.now_ms / 1000)
        self.coming: list[tuple[float, str, float]] = []
        self.sets: list[tuple[float, dict[str, float]]] = []

    def film(
        self, name: str, every_ms: float, *, start: float = 0, end: float, delay: float = 5
    ) -> None:
        at_ms = start
        while at_ms < end:
            self.coming.append((at_ms + delay, name, at_ms))
            at_ms += every_ms

    def run(self, until_ms: float, step_ms: float = 2) -> None:
        while self.now_ms < until_ms:
            for item in sorted(self.coming):
                if item[0] <= self.now_ms:
                    self.cameras[item[1]].shoot(item[2])
                    self.coming.remove(item)
            frames = self.together.newest()
            if frames:
                self.sets.append((self.now_ms, {f.camera: f.captured_at_ns / MS for f in frames}))
            self.now_ms += step_ms

    def names(self, from_ms: float = 0, to_ms: float = 1e9) -> list[str]:
        return ["".join(s) for now, s in self.sets if from_ms <= now < to_ms]

    def instants(self) -> list[float]:
        return [max(s.values()) for _, s in self.sets]


def test_synchronous_cameras_give_every_instant_whole() -> None:
    play = Play("abcd")
    for delay, name in enumerate("abcd"):
        play.film(name, 40, start=1000, end=2000, delay=5 + 3 * delay)
    play.run(2100)
    assert play.names() == ["abcd"] * 25
    assert all(len(set(s.values())) == 1 for _, s in play.sets)
    assert play.instants() == [1000 + 40 * i for i in range(25)]


def test_one_instant_never_mixes_neighbouring_frames() -> None:
    play = Play("ab")  # 40 ms apart is within the skew, but the right frame is about to come
    play.film("a", 40, start=1000, end=2000, delay=5)
    play.film("b", 40, start=1000, end=2000, delay=25)
    play.run(2100)
    assert all(s["a"] == s["b"] for _, s in play.sets)
    assert len(play.sets) == 25


def test_cameras_out_of_step_are_shown_within_the_skew_at_their_own_rate() -> None:
    play = Play("abcd")
    for offset, name in zip((0, 11, 19, 33), "abcd", strict=True):
        play.film(name, 40, start=1000 + offset, end=3000)
    play.run(3100)
    settled = [s for now, s in play.sets if now > 1200]
    assert all(len(s) == 4 for s in settled)
    assert all(max(s.values()) - min(s.values()) <= 100 for s in settled)
    assert 44 <= len(settled) <= 50
    assert play.instants() == sorted(play.instants())


def test_a_slow_reader_gets_the_newest_and_leaves_out_what_is_old() -> None:
    play = Play("ab")
    for name in "ab":
        play.film(name, 40, start=1000, end=4000)
    play.run(4100, step_ms=130)
    settled = [(now, s) for now, s in play.sets if 1200 < now < 4000]
    assert len(settled) >= 20
    assert all(now - s["a"] < 60 and len(s) == 2 for now, s in settled)


def test_a_dead_camera_holds_the_others_up_once_and_then_no_more() -> None:
    play = Play("abc")
    for name, end in (("a", 9000), ("b", 9000), ("c", 3000)):
        play.film(name, 40, start=1000, end=end)
    play.run(9000)
    assert set(play.names(1100, 3000)) == {"abc"}
    after = [now for now, s in play.sets if now > 3020]
    gaps = [b - a for a, b in itertools.pairwise(after)]
    assert set(play.names(3400)) == {"ab"}
    assert max(gaps) < 400
    assert sum(gap > 60 for gap in gaps) <= 1
    assert len(play.names(4000, 9000)) == pytest.approx(125, abs=2)


def test_a_camera_that_comes_back_is_shown_again() -> None:
    play = Play("ab")
    play.film("a", 40, start=1000, end=9000)
    play.film("b", 40, start=1000, end=3000)
    play.film("b", 40, start=5000, end=9000)
    play.run(9000)
    assert set(play.names(3400, 5000)) == {"a"}
    assert set(play.names(5600)) == {"ab"}


def test_a_camera_that_comes_back_soon_is_waited_for_at_once() -> None:
    play = Play("ab")
    play.film("a", 100, start=1000, end=9000)
    play.film("b", 100, start=1000, end=3000, delay=25)  # always a little late
    play.film("b", 100, start=4000, end=9000, delay=25)
    play.run(6000)
    assert "a" in play.names(3400, 4000)
    assert set(play.names(4400)) == {"ab"}


def test_a_camera_that_catches_up_is_shown_again() -> None:
    play = Play("ab")
    play.film("a", 40, start=1000, end=30_000)
    play.film("b", 40, start=1000, end=15_000, delay=3000)
    play.film("b", 40, start=18_000, end=30_000, delay=20)
    play.run(22_000)
    assert set(play.names(8000, 18_000)) == {"a"}
    assert all(s["a"] == s["b"] for now, s in play.sets if now > 19_000)
    assert max(b - a for a, b in itertools.pairwise(now for now, _ in play.sets)) < 600


def test_a_camera_that_never_came_is_not_waited_for() -> None:
    play = Play("ab")
    play.cameras["b"].state = "reconnecting"
    play.film("a", 40, start=1000, end=2000)
    play.run(2100)
    assert play.names() == ["a"] * 25


def test_a_camera_far_behind_is_left_out_but_the_others_run_on() -> None:
    play = Play("ab")
    play.film("a", 40, start=1000, end=20_000)
    play.film("b", 40, start=1000, end=20_000, delay=3000)
    play.run(20_000)
    assert len(play.names(10_000)) > 200
    assert set(play.names(10_000)) == {"a"}


def test_a_slower_camera_sets_the_pace_rather_than_blink() -> None:
    play = Play("ab")
    play.film("a", 40, start=1000, end=5000)
    play.film("b", 200, start=1000, end=5000)
    play.run(5000)
    assert set(play.names(1500, 4900)) == {"ab"}
    assert len(play.names(1500, 4900)) >= 17


def test_two_slow_cameras_a_second_apart_each_stay_together() -> None:
    play = Play("ab")
    play.film("a", 1000, start=1000, end=20_000, delay=5)
    play.film("b", 1000, start=1000, end=20_000, delay=60)
    play.run(20_500)
    assert set(play.names(3000, 19_500)) == {"ab"}
    assert len(play.names(3000, 19_500)) >= 15


def test_pictures_further_apart_than_the_skew_are_not_one_instant() -> None:
    play = Play("ab", max_skew_s=0.01)
    play.film("a", 100, start=1000, end=5000)
    play.film("b", 100, start=1050, end=5000)
    play.run(5000)
    assert play.sets
    assert all(len(s) == 1 for _, s in play.sets)


@pytest.mark.parametrize("step_ms", [-3_600_000, 3_600_000])
def test_a_clock_that_is_set_stops_nothing(step_ms: float) -> None:
    play = Play("ab")
    start = 10_000_000.0
    play.now_ms = start
    for name in "ab":
        play.film(name, 40, start=start, end=start + 2000)
        for index in range(50):
            at_ms = start + 2000 + 40 * index
            play.coming.append((at_ms + 5, name, at_ms + step_ms))
    play.run(start + 4000)
    late = play.names(start + 2500, start + 4000)
    new = [max(s.values()) - step_ms for now, s in play.sets if now > start + 2040]
    assert new == sorted(new)
    assert all(start + 2000 <= at_ms < start + 4000 for at_ms in new)
    assert set(late) == {"ab"}
    assert len(late) >= 35


@pytest.mark.parametrize("every_ms", [40, 100])
@pytest.mark.parametrize("off_ms", [-200, -100, 100, 200])
def test_clocks_as_far_apart_as_believed_ones_can_be_blind_nobody(
    off_ms: float, every_ms: float
) -> None:
    """See `edge.cameras.rtsp.CLOCK_OFF_NS`."""
    play = Play("abc")
    for name in "ab":
        play.film(name, every_ms, start=1000, end=6000)
    play.film("c", every_ms, start=1000 + off_ms, end=6000 + off_ms, delay=5 - off_ms)
    play.run(5500)
    assert set(play.names(2000, 5400)) == {"abc"}
    assert len(play.names(2000, 5400)) >= 0.8 * 3400 / every_ms


@pytest.mark.parametrize("dead", ["", "b"])
def test_a_clock_set_back_while_a_camera_is_dead_stops_nothing(dead: str) -> None:
    play = Play("ab")
    play.now_ms = start = 1_000_000.0
    for name in "ab":
        play.film(name, 100, start=start, end=start + (3000 if name == dead else 4000))
        if name != dead:
            for index in range(1000):
                at_ms = start + 4000 + 100 * index
                play.coming.append((at_ms + 5, name, at_ms - 60_000))
    play.run(start + 70_000, step_ms=20)
    alive = "a" if dead else "ab"
    assert set(play.names(start + 5000)) == {alive}, "what the dead one left is never shown again"
    assert len(play.names(start + 5000)) >= 0.9 * 650


def test_the_end_comes_after_the_last_frame_was_given() -> None:
    play = Play("ab")
    play.film("a", 40, start=1000, end=1200)
    play.film("b", 40, start=1000, end=1160)
    play.run(1300)
    assert not play.together.ended()
    play.cameras["a"].shoot(1300)
    for camera in play.cameras.values():
        camera.state = "ended"
    assert not play.together.ended()
    assert [f.camera for f in play.together.newest()] == ["a"]
    assert play.together.ended()


class Source:
    """A file, for lockstep."""

    note, corrupt_frames, full_range = "", 0, False
    heard: Callable[[], None]

    def __init__(self, name: str, times_ms: Iterable[float]) -> None:
        self.name = name
        self.times_ms = list(times_ms)

    def frames(self) -> "itertools.chain[Frame]":
        return itertools.chain(
            Frame(camera=self.name, captured_at_ns=round(at * MS), image=IMAGE)
            for at in self.times_ms
        )

    def close(self) -> None: ...


def names(sets: Iterable[tuple[Frame, ...]]) -> list[str]:
    return ["".join(frame.camera for frame in frames) for frames in sets]


def test_lockstep_gives_everything_in_order_and_ends_with_the_first() -> None:
    sources = [Source("a", range(0, 400, 40)), Source("b", range(0, 320, 40))]
    sets = list(lockstep(sources))
    assert names(sets) == ["ab"] * 8
    assert all(len({frame.captured_at_ns for frame in frames}) == 1 for frames in sets)


def test_lockstep_goes_on_to_the_last_when_told() -> None:
    sources = [Source("a", range(0, 400, 40)), Source("b", range(0, 320, 40))]
    assert names(lockstep(sources, until="last_ends")) == ["ab"] * 8 + ["a"] * 2


def test_lockstep_goes_on_without_a_frame_that_is_missing() -> None:
    sources = [Source("a", (0, 40, 80, 120)), Source("b", (0, 80, 120))]
    assert names(lockstep(sources)) == ["ab", "a", "ab", "ab"]
