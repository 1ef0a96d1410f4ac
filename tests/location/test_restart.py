"""People keep their numbers when the process is started anew."""

from dataclasses import replace

import numpy as np
import pytest
from pydantic import TypeAdapter

from location.person import Kept
from location.tracker import Tracker
from scene.arrays import Floats
from scene.floor import Floor
from scene.messages import Position
from scene.rig import Rig
from scene.surface import Cylinder
from tests.location import mine

WALKS = ((8.0, -1.2, 1.2), (24.0, 0.0, -1.1), (14.0, 1.2, 0.9), (25.0, 1.6, 0.0), (28.0, -1.4, 0.0))
"""x and y at 0 s, and the speed along the roadway."""
FLOOR = Floor(mine.FLOOR)


def tracker() -> Tracker:
    surface = Cylinder(
        centre_m=mine.RIG_M, azimuth_left_rad=3.5, tan_top=0.3, px_per_rad=700, size_px=(2800, 700)
    )
    return Tracker(Rig(cameras=mine.fan(), surface=surface, anchor="survey", quality={}), FLOOR)


def feet(t: float) -> Floats:
    xy = np.array([(x + v * t, y) for x, y, v in WALKS])
    return np.column_stack([xy, FLOOR.z_m(xy)])


def see(who: Tracker, from_s: float, to_s: float, shift_s: float = 0.0) -> tuple[Position, ...]:
    """Show the walks; `shift_s` is how far the cameras' clocks have jumped."""
    rng = np.random.default_rng(round(from_s * 10))
    at_ns = 0
    for step in range(round(from_s * 10), round(to_s * 10)):
        at_ns = round((step / 10 + 100 + shift_s) * 1e9)
        bodies = [mine.standing() + foot for foot in feet(step / 10)]
        who.update(tuple(mine.detections(c, at_ns, bodies, rng=rng) for c in mine.fan()))
    return who.positions(at_ns)


def numbers(people: tuple[Position, ...], t: float) -> dict[int, int]:
    """Tell by walk the number of whoever is within a metre."""
    found = {}
    for index, foot in enumerate(feet(t)):
        near = [p.track for p in people if np.hypot(*np.subtract(p.xyz_m[:2], foot[:2])) < 1.0]
        assert len(near) == 1
        found[index] = near[0]
    return found


@pytest.mark.parametrize("gap_s", [1.0, 5.0])
def test_everybody_keeps_the_number_over_a_restart(gap_s: float) -> None:
    first = tracker()
    before = numbers(see(first, 0, 4), 3.9)
    second = tracker()
    second.take_back(first.kept())
    again = second.positions(round(104e9))
    assert again == ()  # nothing is said before anybody looks
    people = see(second, 4 + gap_s, 5 + gap_s)
    assert numbers(people, 4.9 + gap_s) == before


def test_numbers_are_never_given_again() -> None:
    first = tracker()
    before = numbers(see(first, 0, 4), 3.9)
    for shift_s, kept in ((60.0, first.kept()), (-60.0, first.kept())):
        second = tracker()
        second.take_back(kept)
        after = numbers(see(second, 4, 5, shift_s), 4.9)
        assert not set(after.values()) & set(before.values())
        assert min(after.values()) > max(before.values())


def test_who_does_not_come_back_is_waited_for_and_then_given_up() -> None:
    first = tracker()
    see(first, 0, 4)
    kept = first.kept()
    ghost = replace(kept.people[0], track=77, xy_m=(16.0, -1.0), steady_m_s=(0.0, 0.0))
    second = tracker()
    second.take_back(replace(kept, people=(*kept.people, ghost)))
    soon = see(second, 4.5, 5.5)
    assert [p.certainty for p in soon if p.track == 77] == ["possibly"]
    assert not [p for p in see(second, 5.5, 14) if p.track == 77]


def test_the_note_survives_being_written_down() -> None:
    first = tracker()
    see(first, 0, 2)
    adapter: TypeAdapter[Kept] = TypeAdapter(Kept)
    assert adapter.validate_json(adapter.dump_json(first.kept()), strict=False) == first.kept()


def test_how_far_looks_err_is_known_again_and_soon_learned_anew() -> None:
    first = tracker()
    see(first, 0, 4)
    kept = replace(first.kept(), error_factor=2.5, error_looks=1200.0)
    second = tracker()
    second.take_back(kept)
    again = second.kept()
    assert again.error_factor == 2.5
    assert again.error_looks < 100, "the cameras or the model may be others by now"


def test_a_note_from_before_errors_were_learned_is_read() -> None:
    adapter: TypeAdapter[Kept] = TypeAdapter(Kept)
    old = adapter.validate_json('{"at_ns": 1, "tracks": 3, "people": []}')
    assert old == Kept(at_ns=1, tracks=3, people=())
    with pytest.raises(ValueError, match="error_factor"):
        adapter.validate_json('{"at_ns": 1, "tracks": 3, "people": [], "error_factor": 0}')
