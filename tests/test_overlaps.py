import numpy as np
import pytest

from tests.overlaps import alike_in_overlaps, one_gain_each, ssim_map
from tests.stitching.views import fan, frame, rig_of, room, view


def waves() -> tuple[np.ndarray, np.ndarray]:
    v, u = np.mgrid[0:48, 0:64].astype(float)
    first = 120 + 60 * np.sin(u / 5) * np.cos(v / 7)
    second = 110 + 50 * np.sin((u + 1) / 5) * np.cos(v / 7) + 6 * np.cos(u * v / 9)
    return first, second


def test_similarity_is_that_of_scikit_image() -> None:
    """`structural_similarity` 0.26, gaussian_weights, sigma 1.5, no sample covariance."""
    first, second = waves()
    found = ssim_map(first, second)
    inside = found[5:-5, 5:-5]
    assert inside.mean() == pytest.approx(0.8903284355, abs=2e-6)
    assert found[24, 32] == pytest.approx(0.9296141946, abs=2e-6)
    assert ssim_map(first, 0.8 * first)[5:-5, 5:-5].mean() == pytest.approx(0.9586266661, abs=2e-6)
    assert ssim_map(first, first).min() == pytest.approx(1.0)


def test_one_gain_each_evens_out_a_chain() -> None:
    gains = one_gain_each(3, [(0, 1, np.log(2.0), 50), (1, 2, np.log(0.25), 500)])
    assert gains[0] / gains[1] == pytest.approx(2.0)
    assert gains[1] / gains[2] == pytest.approx(0.25)
    assert np.log(gains).sum() == pytest.approx(0.0)


def test_cameras_without_overlap_keep_their_light() -> None:
    assert one_gain_each(2, []).tolist() == pytest.approx([1.0, 1.0])


def test_fields_do_better_than_one_gain_and_that_better_than_none() -> None:
    luma, cameras = room(1), fan()
    instants = [
        [
            frame(model.name, view(model, luma, gain, vignette=0.25))
            for model, gain in zip(cameras, (0.8, 1.0, 1.15), strict=True)
        ]
    ]
    found = alike_in_overlaps(rig_of(cameras), instants)
    assert found["fields"].psnr_db > found["one_gain"].psnr_db + 1
    assert found["one_gain"].psnr_db > found["raw"].psnr_db + 1
    assert found["raw"].ssim < found["fields"].ssim <= 1


def test_the_same_light_is_left_alone() -> None:
    luma, cameras = room(1), fan()
    found = alike_in_overlaps(rig_of(cameras), [[frame(c.name, view(c, luma)) for c in cameras]])
    assert found["raw"].psnr_db > 35
    assert found["one_gain"].psnr_db == pytest.approx(found["raw"].psnr_db, abs=0.3)
