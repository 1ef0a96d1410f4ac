"""Whatever cameras send, and whenever: the tracker tells finite places, each person once."""

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from location.tracker import Tracker
from scene.floor import Floor
from scene.geometry import CameraModel
from scene.messages import KINDS, Detections, Position
from scene.rig import Rig
from scene.surface import Cylinder
from tests.location import mine

FLOOR = Floor(mine.FLOOR)
STEP_NS = 200_000_000
HOUR_NS = 3600 * mine.SECOND_NS
START_NS = 2 * HOUR_NS
WALKS = ((12.5, 0.8, 0.7), (18.0, -0.8, -0.6), (16.0, 1.6, 0.0))
"""x and y at the start, and the speed along the roadway."""
FASTEST_M_S = 4.0
"""Nobody here walks faster than 0.7 m/s; a filter that begins with 1 m/s of doubt may."""

Frames = Sequence[tuple[Detections, ...]]


def tracker(cameras: Sequence[CameraModel]) -> Tracker:
    surface = Cylinder(
        centre_m=mine.RIG_M, azimuth_left_rad=3.5, tan_top=0.3, px_per_rad=700, size_px=(2800, 700)
    )
    return Tracker(Rig(cameras=tuple(cameras), surface=surface, anchor="survey", quality={}), FLOOR)


def look(cameras: Sequence[CameraModel], t_s: float, seed: int) -> tuple[Detections, ...]:
    """What the cameras see of the walks at one instant, some of it missed, some clutter."""
    rng = np.random.default_rng([seed, round(t_s * 1000)])
    xy = np.array([(x + v * t_s, y) for x, y, v in WALKS])
    feet = np.column_stack([xy, FLOOR.z_m(xy)])
    bodies = [mine.standing() + foot for foot in feet]
    at_ns = START_NS + round(t_s * mine.SECOND_NS)
    return tuple(
        mine.detections(c, at_ns, bodies, rng=rng, missed=0.15, clutter=0.2) for c in cameras
    )


def walk(cameras: Sequence[CameraModel], steps: int, seed: int, step_ns: int = STEP_NS) -> Frames:
    """What all cameras see, instant by instant."""
    return [look(cameras, n * step_ns / mine.SECOND_NS, seed) for n in range(steps)]


def check(people: Sequence[Position]) -> None:
    """What must hold of every answer."""
    tracks = [person.track for person in people]
    assert len(set(tracks)) == len(tracks), "somebody is in two places"
    for person in people:
        assert person.seen_xy_m is not None
        numbers = (*person.xyz_m, *person.velocity_m_s, *person.seen_xy_m, person.height_m)
        assert np.isfinite(numbers).all()
        for covariance in (person.covariance_m2, person.seen_covariance_m2):
            spread = np.array(covariance)
            assert np.isfinite(spread).all()
            assert (spread == spread.T).all()
            assert np.linalg.eigvalsh(spread)[0] > 0
        assert person.track > 0


def feed(who: Tracker, frames: Frames) -> list[tuple[Position, ...]]:
    """Give frames; every answer is checked, also at odd instants, and so is every number."""
    found = []
    known: set[int] = set()
    gone: set[int] = set()
    for frame in frames:
        given_before = who.kept().tracks
        who.update(frame)
        newest = max(item.captured_at_ns for item in frame)
        for at_ns in (newest - mine.SECOND_NS, newest + mine.SECOND_NS, newest):
            people = who.positions(at_ns)
            check(people)
        found.append(people)
        note = who.kept()
        numbers = {person.track for person in note.people}
        assert not numbers & gone, "a number is used again"
        assert all(number > given_before for number in numbers - known if known)
        assert note.tracks >= max(numbers, default=given_before)
        gone |= known - numbers
        known = numbers
    return found


seeds = st.integers(0, 1000)
NUMBERS = st.one_of(
    st.sampled_from([np.nan, np.inf, -np.inf, 0.0, -1.0, 1e300, -1e300, 1e5, 719.0, 1279.0]),
    st.floats(-200, 1500),
)
BOXES = st.tuples(
    NUMBERS,
    NUMBERS,
    NUMBERS,
    NUMBERS,
    st.sampled_from([0.9, 0.5, 0.1, 0.0, np.nan, np.inf, -1.0, 2.0]),
    st.integers(0, len(KINDS) - 1),
)


def with_boxes(item: Detections, rows: list[tuple[float, ...]]) -> Detections:
    """Add boxes to what a camera saw."""
    more = np.array(rows, float).reshape(-1, 6)
    return replace(
        item,
        boxes_px=np.concatenate([item.boxes_px, more[:, :4]]),
        scores=np.concatenate([item.scores, more[:, 4]]),
        kinds=np.concatenate([item.kinds, more[:, 5].astype(np.int64)]),
    )


@settings(max_examples=30, deadline=None)
@given(rows=st.lists(BOXES, max_size=8), seed=seeds)
@example(rows=[(np.inf, 5.0, np.inf, 9.0, 0.9, KINDS.index("helmet"))], seed=1)
@example(rows=[(-1e300, -1e300, 1e300, 1e300, 0.9, KINDS.index("head"))], seed=1)
def test_no_box_whatever_upsets_the_answers(rows: list[tuple[float, ...]], seed: int) -> None:
    cameras = mine.fan()[:2]
    # The same odd boxes again and again would make a person, if anything does.
    frames = [
        (with_boxes(one, rows[::2]), with_boxes(other, rows[1::2]))
        for one, other in walk(cameras, 6, seed)
    ]
    feed(tracker(cameras), frames)


@settings(max_examples=20, deadline=None)
@given(
    seed=seeds,
    order=st.permutations(range(24)),
    twice=st.lists(st.integers(0, 23), max_size=8),
    lost=st.sets(st.integers(0, 23), max_size=12),
    cut=st.lists(st.integers(1, 35), max_size=20),
)
def test_any_order_of_frames_with_duplicates_gaps_and_unknown_cameras(
    seed: int, order: list[int], twice: list[int], lost: set[int], cut: list[int]
) -> None:
    cameras = mine.corners()[:3]
    items = [item for frame in walk(cameras, 8, seed) for item in frame]
    given_in = [items[n] for n in (*order, *twice) if n not in lost]
    given_in += [replace(item, camera="nobody's") for item in given_in[:3]]
    edges = sorted({0, *(edge for edge in cut if edge < len(given_in)), len(given_in)})
    frames = [tuple(given_in[a:b]) for a, b in itertools.pairwise(edges)]
    first, second = tracker(cameras), tracker(cameras)
    assert feed(first, frames) == feed(second, frames), "the same input, another answer"
    assert first.kept() == second.kept()


def jumps(found: list[tuple[Position, ...]], step_s: float) -> list[float]:
    """How fast each track moved from one answer to the next while cameras saw it, m/s."""
    speeds = []
    for before, after in itertools.pairwise(found):
        was = {p.track: p for p in before}
        for person in after:
            if person.track not in was or person.seen_at_ns == was[person.track].seen_at_ns:
                continue
            earlier = was[person.track]
            sigma = np.sqrt(np.linalg.eigvalsh(np.array(earlier.covariance_m2))[1])
            moved = np.hypot(*np.subtract(person.xyz_m[:2], earlier.xyz_m[:2]))
            speeds.append(max(0.0, float(moved) - 3 * float(sigma)) / step_s)
    return speeds


@settings(max_examples=15, deadline=None)
@given(seed=seeds, order=st.permutations(range(4)))
def test_the_order_within_one_instant_does_not_matter(seed: int, order: list[int]) -> None:
    cameras = mine.corners()
    frames = walk(cameras, 8, seed)
    mixed = [(*(frame[n] for n in order), frame[order[0]]) for frame in frames]
    found = feed(tracker(cameras), frames)
    assert found == feed(tracker(cameras), mixed)
    assert sees_everybody(found[-1], frames[-1][0].captured_at_ns)
    assert max(jumps(found, STEP_NS / 1e9)) < FASTEST_M_S


@settings(max_examples=20, deadline=None)
@given(
    seed=seeds,
    offset_s=st.one_of(st.sampled_from([3600.0, -3600.0, 3.0, -3.0]), st.floats(-8, 8)),
    wrong=st.integers(0, 3),
)
@example(seed=1, offset_s=3600.0, wrong=0)
@example(seed=1, offset_s=-3600.0, wrong=1)
@example(seed=1, offset_s=3.0, wrong=0)
def test_one_wrong_clock_among_four_takes_nobody_away(
    seed: int, offset_s: float, wrong: int
) -> None:
    cameras = mine.corners()
    frames = walk(cameras, 10, seed)
    who = tracker(cameras)
    found = []
    for frame in frames:
        at_ns = frame[0].captured_at_ns
        off = replace(frame[wrong], captured_at_ns=at_ns + round(offset_s * mine.SECOND_NS))
        who.update((*frame[:wrong], off, *frame[wrong + 1 :]))
        found.append(who.positions(at_ns))
        check(found[-1])
        check(who.positions(off.captured_at_ns))
    assert sees_everybody(found[-1], at_ns)
    assert max(jumps(found, STEP_NS / 1e9)) < FASTEST_M_S
    if abs(offset_s) > 1.5:
        right = {camera.name for n, camera in enumerate(cameras) if n != wrong}
        used = {name for person in found[-1] for name in person.cameras}
        assert used & right, "the three cameras whose clocks agree are not heard"


def sees_everybody(people: tuple[Position, ...], true_ns: int, *, sure: bool = True) -> bool:
    """Whether everybody is found within a metre."""
    t = (true_ns - START_NS) / mine.SECOND_NS
    return all(
        any(
            np.hypot(p.xyz_m[0] - x - v * t, p.xyz_m[1] - y) < 1.0
            and (p.certainty == "certainly" or not sure)
            for p in people
        )
        for x, y, v in WALKS
    )


@pytest.mark.parametrize("period_s", [0.2, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("stopped", [1, 2])
def test_cameras_that_stop_blind_no_other(period_s: float, stopped: int) -> None:
    """Half of them stop after a while: the others' pictures are used, every one of them."""
    cameras = mine.corners()[:: 3 if stopped == 1 else 1]
    who = tracker(cameras)
    bodies = [
        mine.standing() + np.array([x, y, FLOOR.z_m(np.array([[x, y]]))[0]]) for x, y, _ in WALKS
    ]
    for n in range(round(12 / period_s) + 8):
        at_ns = START_NS + round(n * period_s * mine.SECOND_NS)
        living = cameras if n < 5 else cameras[: len(cameras) - stopped]
        who.update(tuple(mine.detections(camera, at_ns, bodies) for camera in living))
        people = who.positions(at_ns)
        check(people)
        if n >= 5:
            assert {p.track for p in people} == {1, 2, 3}
            assert all(p.seen_at_ns == at_ns and p.certainty == "certainly" for p in people)


@settings(max_examples=15, deadline=None)
@given(
    seed=seeds,
    at=st.integers(3, 8),
    jump_s=st.one_of(st.floats(-8, 8), st.floats(-7200, 7200)),
    one_by_one=st.booleans(),
)
@example(seed=1, at=8, jump_s=5.5, one_by_one=True)
@example(seed=1, at=8, jump_s=-5.5, one_by_one=True)
@example(seed=1, at=8, jump_s=-5.1, one_by_one=False)
def test_who_is_there_is_known_again_soon_after_all_clocks_jump(
    seed: int, at: int, jump_s: float, one_by_one: bool
) -> None:
    cameras = mine.corners()[::3]
    # A step back by less than the limit `jump_s`, 5 s, is waited out.
    steps = at + (30 if -5.5 < jump_s < 0 else 8)
    shift_ns = round(jump_s * mine.SECOND_NS)
    true = walk(cameras, steps, seed)
    frames: Frames = [
        tuple(replace(i, captured_at_ns=i.captured_at_ns + shift_ns * (n >= at)) for i in frame)
        for n, frame in enumerate(true)
    ]
    if one_by_one:
        frames = [(item,) for frame in frames for item in frame]
    found = feed(tracker(cameras), frames)
    assert sees_everybody(found[-1], true[-1][0].captured_at_ns, sure=False)


@settings(max_examples=20, deadline=None)
@given(
    seed=seeds,
    at=st.integers(0, 8),
    gap_s=st.one_of(st.floats(0, 20), st.sampled_from([-3600.0, -3.0, 3600.0])),
)
def test_a_restart_at_any_moment_gives_no_number_again(seed: int, at: int, gap_s: float) -> None:
    cameras = mine.corners()[::3]
    frames = walk(cameras, 8, seed)
    first, second = tracker(cameras), tracker(cameras)
    if at:
        feed(first, frames[:at])
    note = first.kept()
    second.take_back(note)
    assert second.kept().tracks == note.tracks
    shift_ns = at * STEP_NS + round(gap_s * mine.SECOND_NS)
    later = [
        tuple(replace(i, captured_at_ns=i.captured_at_ns + shift_ns) for i in frame)
        for frame in frames
    ]
    found = feed(second, later)
    waited_for = {person.track for person in note.people}
    for people in found:
        assert all(p.track in waited_for or p.track > note.tracks for p in people)
    if not 0 <= gap_s <= 15:
        assert not waited_for & {p.track for people in found for p in people}
