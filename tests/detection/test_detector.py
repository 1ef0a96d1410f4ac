from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from onnx import TensorProto, helper, numpy_helper, save_model

from detection.detector import Detector, open_detector
from detection.model import load_model
from scene.errors import ModelError
from scene.messages import KINDS, Frame, YuvImage
from scene.site import DetectionConfig
from tests.detection.onnx_models import METADATA, Rows, final, frame, raw, write_model

ROWS: Rows = [(10, 8, 30, 56, 0.9, 0)]


def detector_of(path: Path, **options: object) -> Detector:
    model = load_model(path, **options)  # type: ignore[arg-type]
    return Detector(model, score_threshold=0.25, iou_threshold=0.6)


@pytest.mark.parametrize("batch", ["batch", 1, 2, 4])
def test_cameras_of_any_size_in_one_call(tmp_path: Path, batch: int | str) -> None:
    path = write_model(tmp_path / "m.onnx", raw(ROWS, classes=3), shape=(batch, 3, 64, 96))
    sizes = {"a": (192, 128), "b": (96, 64), "c": (192, 256)}
    found = detector_of(path).detect([frame(name, size) for name, size in sizes.items()])
    assert [each.camera for each in found] == ["a", "b", "c"]
    assert_allclose(found[0].boxes_px, [[19.5, 15.5, 59.5, 111.5]], atol=0.1)
    assert_allclose(found[1].boxes_px, [[9.5, 7.5, 29.5, 55.5]], atol=0.1)
    # 192x256 shrinks by 4 to 48x64 with 24 columns of grey on the left: box cut at the border
    assert_allclose(found[2].boxes_px, [[-0.5, 31.5, 23.5, 223.5]], atol=0.1)


def test_dynamic_size_takes_no_more_than_a_camera_needs(tmp_path: Path) -> None:
    path = write_model(
        tmp_path / "m.onnx",
        raw(ROWS, classes=3),
        shape=("batch", 3, "height", "width"),
        metadata={**METADATA, "imgsz": "[96, 96]"},
    )
    detector = detector_of(path)
    found = detector.detect([frame("wide"), frame("tall", (128, 192))])
    assert [each.camera for each in found] == ["wide", "tall"]
    assert_allclose(found[0].boxes_px, [[19.5, 15.5, 59.5, 111.5]], atol=0.1)


def test_nothing_found_is_empty_not_missing(tmp_path: Path) -> None:
    (found,) = detector_of(write_model(tmp_path / "m.onnx", raw([], classes=3))).detect([frame()])
    assert found.boxes_px.shape == (0, 4)
    assert found.of_kind("person").scores.shape == (0,)


def test_no_frames(tmp_path: Path) -> None:
    assert detector_of(write_model(tmp_path / "m.onnx", raw(ROWS, classes=3))).detect([]) == ()


def test_nan_leaves_only_that_camera_out(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.onnx", raw(ROWS, classes=3), nan_when_dark=True)
    detector = detector_of(path)
    found = detector.detect([frame("bright"), frame("dark", light=20)])
    assert [each.camera for each in found] == ["bright"]
    assert list(detector.problems) == ["dark"]
    assert "NaN" in detector.problems["dark"]
    assert len(detector.detect([frame("bright"), frame("dark")])) == 2
    assert detector.problems == {}


def test_frame_without_pixels_is_left_out(tmp_path: Path) -> None:
    detector = detector_of(write_model(tmp_path / "m.onnx", raw(ROWS, classes=3)))
    found = detector.detect([frame("none", (0, 0)), frame("good")])
    assert [each.camera for each in found] == ["good"]
    assert "0x0" in detector.problems["none"]


def test_classes_that_nobody_asked_for_are_dropped(tmp_path: Path) -> None:
    rows: Rows = [*ROWS, (40, 8, 60, 56, 0.8, 1), (70, 8, 90, 56, 0.7, 2)]
    metadata = {**METADATA, "names": "['worker', 'forklift', 'lying']"}
    path = write_model(tmp_path / "m.onnx", raw(rows, classes=3), metadata=metadata)
    (found,) = detector_of(path).detect([frame()])
    assert [KINDS[kind] for kind in found.kinds] == ["person", "fallen"]


def test_configuration_says_what_a_class_is(tmp_path: Path) -> None:
    rows: Rows = [*ROWS, (40, 8, 60, 56, 0.8, 1)]
    metadata = {**METADATA, "names": "['kumpel', 'person', 'x']"}
    path = write_model(tmp_path / "m.onnx", raw(rows, classes=3), metadata=metadata)
    (found,) = detector_of(path, kinds={"kumpel": "person", "person": "ignore"}).detect([frame()])
    assert found.scores.round(2).tolist() == [0.9]


@pytest.mark.parametrize("layout", ["raw", "final"])
def test_two_classes_of_one_kind_are_one_person(tmp_path: Path, layout: str) -> None:
    rows: Rows = [*ROWS, (10, 9, 30, 56, 0.8, 1)]
    metadata = {**METADATA, "names": "['person', 'miner', 'x']"}
    answer = raw(rows, classes=3) if layout == "raw" else final(rows)
    path = write_model(tmp_path / "m.onnx", answer, metadata=metadata)
    (found,) = detector_of(path).detect([frame()])
    assert found.scores.round(2).tolist() == [0.9]


def test_class_numbers_out_of_range_are_dropped(tmp_path: Path) -> None:
    rows: Rows = [*ROWS, (40, 8, 60, 56, 0.8, 99), (60, 8, 80, 56, 0.8, -3)]
    (found,) = detector_of(write_model(tmp_path / "m.onnx", final(rows))).detect([frame()])
    assert found.kinds.tolist() == [0]


def test_thresholds_come_from_the_site_file(tmp_path: Path) -> None:
    rows: Rows = [*ROWS, (12, 8, 30, 56, 0.3, 0)]
    path = write_model(tmp_path / "m.onnx", raw(rows, classes=3))
    few = open_detector(DetectionConfig(model=path, score_threshold=0.5, iou_threshold=0.99))
    all_of_them = open_detector(DetectionConfig(model=path, iou_threshold=0.99))
    assert len(few.detect([frame()])[0].scores) == 1
    assert len(all_of_them.detect([frame()])[0].scores) == 2


def test_provider_that_is_not_there_is_said(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.onnx", raw(ROWS, classes=3))
    detector = open_detector(DetectionConfig(model=path, providers=("rknpu", "cpu")))
    assert detector.provider == "CPUExecutionProvider"
    assert detector.degraded.startswith("wanted Rknpu, runs on CPU")
    assert len(detector.detect([frame()])) == 1
    assert open_detector(DetectionConfig(model=path, providers=("cpu",))).degraded == ""


def test_unknown_provider_is_an_error(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.onnx", raw(ROWS, classes=3))
    with pytest.raises(ModelError, match=r"detection\.providers: 'cudda' is no provider"):
        open_detector(DetectionConfig(model=path, providers=("cudda",)))


def test_many_boxes_end_soon(tmp_path: Path) -> None:
    answer = np.full((1, 7, 8400), 0.9, np.float32)
    (found,) = detector_of(write_model(tmp_path / "m.onnx", answer)).detect([frame()])
    assert len(found.scores) <= 300


def test_huge_frames_are_named_and_the_others_go_on(tmp_path: Path) -> None:
    detector = detector_of(write_model(tmp_path / "m.onnx", raw(ROWS, classes=3)))
    nothing = np.broadcast_to(np.uint8(0), (16384, 16384))
    huge = Frame(
        camera="huge",
        captured_at_ns=5,
        image=YuvImage(y=nothing, u=nothing[::2, ::2], v=nothing[::2, ::2]),
    )
    found = detector.detect([huge, frame("good")])
    assert [each.camera for each in found] == ["good"]
    assert "16384x16384" in detector.problems["huge"]


@pytest.mark.parametrize("batch", ["batch", 1])
def test_planes_that_don_t_belong_together_are_named(tmp_path: Path, batch: int | str) -> None:
    path = write_model(tmp_path / "m.onnx", raw(ROWS, classes=3), shape=(batch, 3, 64, 96))
    detector = detector_of(path)
    bad = replace(frame("bad"), image=replace(frame().image, u=np.zeros((0, 0), np.uint8)))
    for frames in ([bad, frame("good")], [frame("good"), bad], [bad]):
        found = detector.detect(frames)
        assert [each.camera for each in found] == ["good"] * (len(frames) - 1)
        assert list(detector.problems) == ["bad"]
        assert "planes" in detector.problems["bad"]


def test_a_run_that_fails_names_its_cameras_and_the_next_one_goes_on(tmp_path: Path) -> None:
    detector = detector_of(fails_when_bright(tmp_path / "m.onnx"))
    assert detector.detect([frame("a", light=255), frame("b")]) == ()
    assert list(detector.problems) == ["a", "b"]  # one batch: nothing is known of either
    assert "inference failed" in detector.problems["b"]
    assert len(detector.detect([frame("a"), frame("b")])) == 2


def fails_when_bright(path: Path) -> Path:
    """Save a model that looks for an answer beyond its table when a picture is all white."""
    tables = {
        "answers": raw(ROWS, classes=3),
        "limit": np.array(0.9, np.float32),
    }
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["light"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Greater", ["light", "limit"], ["bright"]),
        helper.make_node("Cast", ["bright"], ["row"], to=TensorProto.INT64),
        helper.make_node("Gather", ["answers", "row"], ["output0"], axis=0),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 3, 64, 96])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in tables.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, dict(METADATA))
    save_model(model, str(path))
    return path
