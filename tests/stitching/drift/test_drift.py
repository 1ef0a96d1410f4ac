from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from scene.errors import RigError
from stitching.drift.look import Drift, measure
from stitching.drift.reference import learn, shrink
from stitching.drift.reference_file import load_references, save_references
from stitching.drift.turn import picture_shift_px, small_turn
from tests.stitching.knocks import eye, knocked, reference, seen, turn
from tests.stitching.views import room, view


def apart_deg(found: Drift, true: np.ndarray) -> float:
    return float(np.degrees(np.linalg.norm(small_turn(found.turn @ true.T))))


@pytest.mark.parametrize("lens", ["brown", "fisheye"])
@pytest.mark.parametrize("degrees", [0.3, 0.6, 1.0, 3.0, 8.0])
def test_a_turn_is_measured_whatever_its_size(lens: str, degrees: float) -> None:
    model, by = eye(lens), turn(degrees)
    found = measure(reference(model), model, seen(knocked(model, by), 9, people=2))
    assert found.verdict == "moved"
    assert apart_deg(found, by) < 0.03
    assert found.shift_px == pytest.approx(picture_shift_px(model, by), abs=0.4)
    assert found.residual_px < 0.5
    assert not found.shifted
    expected = np.sqrt(np.trace(found.covariance))
    assert 1e-5 < expected < np.radians(0.1)


@pytest.mark.parametrize("degrees", [0.0, 0.05, 0.1])
def test_what_is_no_knock_is_still(degrees: float) -> None:
    model = eye()
    found = measure(reference(model), model, seen(knocked(model, turn(degrees)), 9, people=2))
    assert found.verdict == "still"
    assert found.turn_deg == pytest.approx(degrees, abs=0.03)


@pytest.mark.parametrize("degrees", [0.5, 1.5])
def test_a_roll_is_told_though_the_middle_stays(degrees: float) -> None:
    model, by = eye(), turn(degrees, (0, 0, 1))
    found = measure(reference(model), model, seen(knocked(model, by), 9))
    assert found.verdict == "moved"
    assert small_turn(found.turn)[2] == pytest.approx(np.radians(degrees), abs=5e-4)


@pytest.mark.parametrize(
    ("gain", "people", "dust"), [(0.4, 0, 0.0), (1.3, 0, 0.0), (1.0, 12, 0.0), (1.0, 0, 0.5)]
)
def test_light_people_and_dust_are_no_turn(gain: float, people: int, dust: float) -> None:
    model = eye()
    known = reference(model)
    for seed in range(6):
        found = measure(known, model, seen(model, seed + 20, gain, people, dust))
        assert found.verdict == "still"
        assert found.shift_px < 0.5


def test_compression_is_no_turn() -> None:
    model = eye()
    _, packed = cv2.imencode(".jpg", seen(model, 9), [cv2.IMWRITE_JPEG_QUALITY, 20])
    luma = np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE), np.uint8)
    found = measure(reference(model), model, luma)
    assert (found.verdict, found.shift_px < 0.3) == ("still", True)


@pytest.mark.parametrize("step_px", [5, 7, 30])
def test_a_machine_that_passes_is_no_turn(step_px: int) -> None:
    model = eye()
    still = seen(model, 3)
    known = learn(model, [shrink(still)] * 3)
    assert known is not None
    moved = still.copy()
    # A third of the picture is carried along, as if a shearer had come by.
    moved[:, 20 + step_px : 230 + step_px] = still[:, 20:230]
    found = measure(known, model, moved)
    assert found.verdict == "still"
    assert found.shift_px < 0.5


@pytest.mark.parametrize(("until_px", "fog"), [(385, False), (150, True)])
def test_a_machine_is_no_turn_even_when_most_of_what_is_found_is_it(
    until_px: int, fog: bool
) -> None:
    model = eye()
    still = seen(model, 3)
    known = learn(model, [shrink(still)] * 3)
    assert known is not None
    moved = np.full_like(still, 120) if fog else still.copy()
    moved[:, 27 : until_px + 7] = still[:, 20:until_px]
    assert measure(known, model, moved).verdict == "unsure"


def test_what_can_not_be_told_is_never_still() -> None:
    model = eye()
    known = reference(model)
    dark = np.random.default_rng(0).integers(0, 8, (360, 640)).astype(np.uint8)
    found = measure(known, model, dark)
    assert (found.verdict, found.why) == ("unsure", "the picture is too dark")
    fog = np.full((360, 640), 120, np.uint8)
    found = measure(known, model, fog)
    assert (found.verdict, found.why) == ("unsure", "the picture is too faint")
    found = measure(known, model, np.zeros((480, 640), np.uint8))
    assert found.verdict == "unsure"
    assert "size" in found.why or "px" in found.why


def test_a_camera_that_looks_elsewhere_is_gone() -> None:
    model = eye()
    found = measure(reference(model), model, view(eye(), room(seed=5)).y)
    assert found.verdict == "gone"


def test_without_searching_far_a_large_turn_is_unsure_but_a_guess_finds_it() -> None:
    model, by = eye(), turn(6.0)
    known, luma = reference(model), seen(knocked(model, by), 9)
    assert measure(known, model, luma, anywhere=False).verdict == "unsure"
    found = measure(known, model, luma, guess=turn(6.2), anywhere=False)
    assert found.verdict == "moved"
    assert apart_deg(found, by) < 0.03
    back = measure(known, model, seen(model, 9), guess=by, anywhere=False)
    assert back.verdict == "still", "a camera that was pushed back is seen to be back"


def test_points_that_no_turn_explains_tell_of_a_shift() -> None:
    model = eye()
    luma = seen(knocked(model, turn(1.0)), 9)
    half = luma.copy()
    half[:, 330:] = luma[:, 326:-4]  # what is near moves on, as it does when the camera is shifted
    found = measure(reference(model), model, half)
    assert found.verdict == "moved"
    assert found.shifted


def test_nothing_is_learned_where_somebody_stands_nor_in_the_dark() -> None:
    model = eye()
    pictures = [shrink(seen(model, seed)) for seed in range(3)]
    box = np.array([[100.0, 40.0, 300.0, 330.0]])
    known = learn(model, pictures, [box] * 3)
    assert known is not None
    for points in (known.points_px, known.feature_px):
        inside = (points > box[0, :2]).all(axis=1) & (points < box[0, 2:]).all(axis=1)
        assert len(points) > 50
        assert not inside.any()
    assert learn(model, [shrink(np.zeros((360, 640), np.uint8))] * 3) is None


def test_the_rim_of_a_fisheye_is_not_learned() -> None:
    model = replace(eye("fisheye"), max_angle_rad=0.5)
    luma = seen(model)
    yes = np.hypot(*np.mgrid[-180:180, -320:320]) < 0.5 * model.k[0, 0]
    known = learn(model, [shrink(np.where(yes, luma, 0).astype(np.uint8))] * 3)
    assert known is not None
    for points in (known.points_px, known.feature_px):
        radius = np.linalg.norm(points - model.k[:2, 2], axis=1)
        assert 0.8 < radius.max() / (0.5 * model.k[0, 0]) < 1.0


def test_a_reference_taken_of_a_turned_camera_tells_the_same_turn() -> None:
    model, by = eye(), turn(2.0)
    away = knocked(model, by)
    later = learn(model, [shrink(seen(away, seed)) for seed in range(3)], turn=by.T)
    assert later is not None
    found = measure(later, model, seen(away, 9))
    assert found.verdict == "moved"
    assert apart_deg(found, by) < 0.03
    assert measure(later, model, seen(model, 9)).verdict == "still"


def test_large_pictures_are_measured_in_their_own_pixels() -> None:
    model = eye()
    large = replace(
        model,
        size_px=(1280, 720),
        k=np.array([[2, 0, 0.5], [0, 2, 0.5], [0, 0, 1]]) @ model.k,
    )
    by = turn(0.4)
    known = learn(large, [shrink(seen(large, seed)) for seed in range(3)])
    assert known is not None
    found = measure(known, large, seen(knocked(large, by), 9))
    assert found.shift_px == pytest.approx(picture_shift_px(large, by), abs=0.5)
    assert picture_shift_px(large, by) == pytest.approx(2 * picture_shift_px(model, by), rel=0.02)


def test_references_read_back_and_a_damaged_file_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "references" / "abc.npz"
    assert load_references(path) == {}
    model, by = eye(), turn(1.5)
    save_references({"cam1": reference(model)}, path)
    again = load_references(path)["cam1"]
    assert again.size_px == (640, 360)
    found = measure(again, model, seen(knocked(model, by), 9))
    assert apart_deg(found, by) < 0.03
    good = path.read_bytes()
    path.write_bytes(good[:300])
    with pytest.raises(RigError, match=r"abc\.npz: can't be read.*delete it"):
        load_references(path)
    rng, refused = np.random.default_rng(1), 0
    for _ in range(300):  # wherever a bit has fallen over: it is read as it was, or refused
        bad = bytearray(good)
        bad[int(rng.integers(len(bad)))] ^= 1 << int(rng.integers(8))
        path.write_bytes(bad)
        try:
            (read,) = load_references(path).values()
        except RigError as error:
            assert "\n" not in str(error)
            refused += 1
        else:
            assert np.array_equal(read.patches, again.patches)
            assert np.array_equal(read.descriptors, again.descriptors)
    assert refused > 200


def test_references_whose_arrays_do_not_fit_together_are_refused(tmp_path: Path) -> None:
    path, one = tmp_path / "abc.npz", reference(eye())
    for wrong in (
        replace(one, patches=one.patches[1:]),
        replace(one, descriptors=one.descriptors[:, 1:]),
        replace(one, turn=np.full((3, 3), np.nan)),
        replace(one, texture=float("inf")),
    ):
        save_references({"cam1": wrong}, path)
        with pytest.raises(RigError, match=r"abc\.npz: can't be read: cam1/.*delete it"):
            load_references(path)
