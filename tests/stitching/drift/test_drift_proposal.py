from dataclasses import replace

import numpy as np
import pytest

from scene.rig import Rig
from stitching.drift.look import measure
from stitching.drift.overlap import miss_of, overlap_view
from stitching.drift.proposal import (
    carried,
    combined,
    distrusted,
    overlap_px,
    reregistered,
    spread_of,
)
from stitching.drift.turn import small_turn
from tests.stitching.knocks import eye, knocked, reference, seen, turn
from tests.stitching.views import rig_of


def pair() -> Rig:
    cameras = [eye(name="cam1", yaw_deg=20.0), eye(name="cam2", yaw_deg=-20.0)]
    spread = np.diag([4e-6, 1e-6, 2e-6, 1e-4, 2e-4, 3e-4])
    return rig_of([replace(camera, pose_covariance=spread) for camera in cameras])


BY = turn(1.4, (0.3, 1.0, -0.4))


def test_neighbours_meet_in_their_overlap_until_one_is_knocked() -> None:
    rig = pair()
    first, second = rig.cameras
    view = overlap_view(first, second, rig.surface)
    assert view is not None
    miss = miss_of(view, seen(first, 1, gain=0.7), seen(second, 2))
    assert miss is not None
    assert miss.size_px < 0.3
    assert miss.points > 30
    away = knocked(second, turn(0.5, (0, 1, 0)))
    off = miss_of(view, seen(first, 1), seen(away, 2))
    assert off is not None
    assert off.size_px == pytest.approx(np.radians(0.5) * second.k[0, 0], rel=0.2)
    far = miss_of(view, seen(first, 1), seen(knocked(second, turn(2.5, (0, 1, 0))), 2))
    assert far is not None
    assert far.size_px == pytest.approx(np.radians(2.5) * second.k[0, 0], rel=0.2)
    assert miss_of(view, seen(first, 1), np.zeros((360, 640), np.uint8)) is None
    back = eye(name="cam3", yaw_deg=180.0)
    assert overlap_view(first, back, rig.surface) is None


def test_a_knocked_camera_is_hung_anew_where_it_looks() -> None:
    rig = pair()
    before, true = rig.cameras[1], knocked(rig.cameras[1], BY)
    known = reference(before)
    looks = [measure(known, before, seen(true, seed, people=2)) for seed in (11, 12, 13)]
    found = combined(before, looks)
    assert (found.camera, found.shifted) == ("cam2", False)
    assert found.turn_deg == pytest.approx(1.4, abs=0.02)
    assert found.old_px > 10
    assert found.new_px < 0.4
    new = reregistered(rig, [found])
    after = new.camera("cam2")
    off = after.camera_from_mine[:3, :3] @ true.camera_from_mine[:3, :3].T
    assert np.degrees(np.linalg.norm(small_turn(off))) < 0.02
    assert after.centre_m == pytest.approx(before.centre_m, abs=1e-9)
    assert new.id != rig.id
    assert new.surface is rig.surface
    assert new.camera("cam1") is rig.camera("cam1")
    assert new.quality["cam2_before_px"] > 10 * new.quality["cam2_after_px"]
    assert new.quality.keys() - rig.quality.keys() == {"cam2_before_px", "cam2_after_px"}
    lumas = {"cam1": seen(rig.cameras[0], 14), "cam2": seen(true, 15)}
    assert overlap_px(rig, "cam2", lumas)["cam1"] > 8
    assert overlap_px(new, "cam2", lumas)["cam1"] < 0.5


def test_the_covariance_after_is_never_smaller_in_any_direction() -> None:
    rig = pair()
    before = rig.cameras[1]
    known = reference(before)
    found = combined(before, [measure(known, before, seen(knocked(before, BY), 11))] * 3)
    after = reregistered(rig, [found]).camera("cam2").pose_covariance
    both = np.zeros((6, 6))
    both[:3, :3] = both[3:, 3:] = found.turn
    grown = after - both @ before.pose_covariance @ both.T
    assert np.linalg.eigvalsh(grown).min() > -1e-15
    assert np.trace(grown) > 0
    assert np.array_equal(after, after.T)


def test_looks_that_differ_are_less_sure_together() -> None:
    model = eye()
    known = reference(model)
    one = measure(known, model, seen(knocked(model, turn(1.4)), 11))
    other = measure(known, model, seen(knocked(model, turn(1.6)), 12))
    apart, alike = combined(model, [one, other]), combined(model, [one, one])
    assert apart.turn_deg == pytest.approx(1.5, abs=0.03)
    assert np.trace(apart.covariance) > 5 * np.trace(alike.covariance)


def test_references_are_carried_to_a_rig_whose_cameras_are_only_turned() -> None:
    rig = pair()
    before, true = rig.cameras[1], knocked(rig.cameras[1], BY)
    known = {camera.name: reference(camera) for camera in rig.cameras}
    found = combined(before, [measure(known["cam2"], before, seen(true, 11))] * 3)
    new = reregistered(rig, [found])
    carry = carried(known, rig, new)
    now = measure(carry["cam2"], new.camera("cam2"), seen(true, 12))
    assert (now.verdict, now.shift_px < 0.3) == ("still", True)
    assert measure(carry["cam1"], new.camera("cam1"), seen(rig.cameras[0], 12)).verdict == "still"
    rolled_back = carried(carry, new, rig)
    assert measure(rolled_back["cam2"], before, seen(true, 12)).verdict == "moved"
    other_lens = replace(before, k=before.k * np.array([[1.01, 1, 1], [1, 1.01, 1], [1, 1, 1]]))
    changed = replace(rig, cameras=(rig.cameras[0], other_lens))
    assert carried(known, rig, changed).keys() == {"cam1"}


def test_a_knocked_camera_is_as_unsure_as_it_was_turned() -> None:
    rig, by = pair(), turn(2.0, (0, 1, 0))
    less = distrusted(rig, {"cam2": spread_of(by)})
    sigma = np.sqrt(np.diag(less.camera("cam2").pose_covariance)[:3])
    assert sigma[1] > np.radians(2.0)
    assert (sigma[[0, 2]] > np.radians(0.9)).all()
    assert np.array_equal(less.camera("cam1").pose_covariance, rig.camera("cam1").pose_covariance)
    assert np.array_equal(less.camera("cam2").camera_from_mine, rig.camera("cam2").camera_from_mine)
    without = distrusted(rig, {"cam2": None})
    assert [camera.name for camera in without.cameras] == ["cam1"]
