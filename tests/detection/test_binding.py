from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, save_model

from detection.binding import DEVICES, BoundSession
from detection.detector import open_detector
from detection.runtime import Session
from scene.site import DetectionConfig
from tests.detection.onnx_models import frame, raw, write_model

CPU = "CPUExecutionProvider"


def session_of(tmp_path: Path) -> Any:
    """Open a model that gives twice the picture, and one row per pixel that is not black."""
    graph = helper.make_graph(
        [
            helper.make_node("Add", ["images", "images"], ["twice"]),
            helper.make_node("NonZero", ["images"], ["places"]),
        ],
        "tiny",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 3, 4, 6])],
        [
            helper.make_tensor_value_info("twice", TensorProto.FLOAT, None),
            helper.make_tensor_value_info("places", TensorProto.INT64, None),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    save_model(model, str(tmp_path / "m.onnx"))
    return onnxruntime.InferenceSession(str(tmp_path / "m.onnx"), providers=[CPU])


def picture(count: int, seed: int) -> Any:
    return np.random.default_rng(seed).integers(0, 2, (count, 3, 4, 6)).astype(np.float32)


def test_a_bound_run_gives_what_a_plain_one_does(tmp_path: Path) -> None:
    plain = session_of(tmp_path)
    bound = BoundSession(plain, onnxruntime, "cpu")
    for seed, count in enumerate((2, 1, 2, 2)):
        given = picture(count, seed)
        for a, b in zip(
            bound.run(["twice", "places"], {"images": given}),
            plain.run(["twice", "places"], {"images": given}),
            strict=True,
        ):
            assert np.array_equal(a, b)
    assert bound.trouble == ""
    assert bound.get_inputs()[0].name == "images"


def test_an_answer_stays_when_the_next_one_comes(tmp_path: Path) -> None:
    bound = BoundSession(session_of(tmp_path), onnxruntime, "cpu")
    (first,) = bound.run(["twice"], {"images": np.ones((1, 3, 4, 6), np.float32)})
    bound.run(["twice"], {"images": np.zeros((1, 3, 4, 6), np.float32)})
    assert (first == 2).all()


def test_where_binding_fails_plain_runs_go_on_and_it_is_said(tmp_path: Path) -> None:
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("binding works here")
    plain = session_of(tmp_path)
    session = Session(
        inner=BoundSession(plain, onnxruntime, "cuda"), wanted=(CPU,), available=(CPU,)
    )
    assert session.degraded == ""
    for seed in (1, 2):
        given = picture(1, seed)
        (out,) = session.inner.run(["twice"], {"images": given})
        assert np.array_equal(out, 2 * given)
    assert "binding them failed: Can't allocate" in session.degraded


def test_a_run_that_fails_either_way_is_no_fault_of_binding(tmp_path: Path) -> None:
    bound = BoundSession(session_of(tmp_path), onnxruntime, "cpu")
    with pytest.raises(Exception, match=r"(?i)invalid"):
        bound.run(["twice"], {"images": np.zeros((1, 3, 5, 6), np.float32)})
    assert bound.trouble == ""


def test_a_detector_runs_bound_where_its_provider_has_a_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_model(tmp_path / "m.onnx", raw([(10, 8, 30, 56, 0.9, 0)], classes=3))
    config = DetectionConfig(model=path, providers=("cpu",))
    plain = open_detector(config)
    monkeypatch.setitem(DEVICES, CPU, "cpu")
    bound = open_detector(config)
    assert not isinstance(plain.model.session.inner, BoundSession)
    assert isinstance(bound.model.session.inner, BoundSession)
    for count in (2, 1, 3):
        frames = [frame(f"cam{i}") for i in range(count)]
        for a, b in zip(bound.detect(frames), plain.detect(frames), strict=True):
            assert np.array_equal(a.boxes_px, b.boxes_px)
    assert bound.degraded == ""
