from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from onnx import TensorProto, helper, save_model

from detection.detector import Detector
from detection.model import load_model
from scene.errors import ModelError
from scene.messages import Detections
from tests.detection.onnx_models import METADATA, Rows, final, frame, raw, write_model

# In a 96x64 input; the camera has 192x128 pixels, so everything doubles, and edges lie half a
# pixel before centres.
ROWS: Rows = [(10, 8, 30, 56, 0.9, 0), (11, 8, 30, 57, 0.6, 0), (14, 8, 22, 16, 0.8, 1)]
SUPPRESSED: Rows = [ROWS[0], ROWS[2]]
BOXES_PX = [[19.5, 15.5, 59.5, 111.5], [27.5, 15.5, 43.5, 31.5]]


def detect(path: Path, **options: object) -> Detections:
    model = load_model(path, **options)  # type: ignore[arg-type]
    detector = Detector(model, score_threshold=0.25, iou_threshold=0.6)
    (found,) = detector.detect([frame()])
    assert not detector.problems
    return found


def assert_right(found: Detections) -> None:
    assert found.camera == "cam1"
    assert found.captured_at_ns == 5
    assert_allclose(found.boxes_px, BOXES_PX, atol=0.1)
    assert_allclose(found.scores, [0.9, 0.8], atol=0.001)
    assert found.kinds.tolist() == [0, 1]


def test_raw(tmp_path: Path) -> None:
    assert_right(detect(write_model(tmp_path / "m.onnx", raw(ROWS, classes=3))))


def test_raw_with_one_picture_at_a_time(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.onnx", raw(ROWS, classes=3), shape=(1, 3, 64, 96))
    assert_right(detect(path))


def test_raw_with_dynamic_size(tmp_path: Path) -> None:
    path = write_model(
        tmp_path / "m.onnx", raw(ROWS, classes=3), shape=("batch", 3, "height", "width")
    )
    assert load_model(path).stride == 32
    assert_right(detect(path))


def test_end_to_end(tmp_path: Path) -> None:
    metadata = {**METADATA, "end2end": "True"}
    assert_right(detect(write_model(tmp_path / "m.onnx", final(SUPPRESSED), metadata=metadata)))


def test_with_suppression_inside(tmp_path: Path) -> None:
    metadata = {**METADATA, "args": "{'nms': True}"}
    path = write_model(
        tmp_path / "m.onnx", final(SUPPRESSED), metadata=metadata, shape=(1, 3, 64, 96)
    )
    assert_right(detect(path))


@pytest.mark.parametrize(
    ("more", "batch"),
    [
        ({"args": "{'nms': True}"}, 1),
        ({"args": "{'nms': True}", "batch": "4"}, 4),
        ({"end2end": "False", "batch": "2"}, 2),
        ({"end2end": "True", "batch": "1"}, None),
    ],
)
def test_suppression_inside_is_run_on_as_many_pictures_as_it_was_traced_for(
    tmp_path: Path, more: dict[str, str], batch: int | None
) -> None:
    path = write_model(tmp_path / "m.onnx", final(SUPPRESSED), metadata={**METADATA, **more})
    assert load_model(path).batch == batch
    bare = write_model(tmp_path / "bare.onnx", final(SUPPRESSED), metadata={})
    assert load_model(bare, class_names=("person", "helmet", "head")).batch == 1


def test_raw_takes_any_number_of_pictures(tmp_path: Path) -> None:
    metadata = {**METADATA, "batch": "1"}
    path = write_model(tmp_path / "m.onnx", raw(ROWS, classes=3), metadata=metadata)
    assert load_model(path).batch is None


def test_half_precision(tmp_path: Path) -> None:
    assert_right(detect(write_model(tmp_path / "m.onnx", raw(ROWS, classes=3), half=True)))


@pytest.mark.parametrize("layout", ["raw", "final"])
def test_two_classes_make_both_layouts_six_wide(tmp_path: Path, layout: str) -> None:
    metadata = {**METADATA, "names": "{0: 'person', 1: 'helmet'}"}
    answer = raw(ROWS, classes=2) if layout == "raw" else final(SUPPRESSED)
    path = write_model(tmp_path / "m.onnx", answer, metadata=metadata)
    assert load_model(path).layout == layout
    assert_right(detect(path))


@pytest.mark.parametrize("layout", ["raw", "final"])
def test_pose_gives_its_boxes(tmp_path: Path, layout: str) -> None:
    metadata = {**METADATA, "task": "pose", "kpt_shape": "[17, 3]"}
    answer = raw(ROWS, classes=3, extra=51) if layout == "raw" else final(SUPPRESSED, extra=51)
    assert_right(detect(write_model(tmp_path / "m.onnx", answer, metadata=metadata)))


def test_old_export_with_little_metadata(tmp_path: Path) -> None:
    metadata = {"names": METADATA["names"]}
    assert_right(detect(write_model(tmp_path / "m.onnx", raw(ROWS, classes=3), metadata=metadata)))


def test_no_metadata_needs_class_names(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.onnx", raw(ROWS, classes=3), metadata={})
    with pytest.raises(ModelError, match=r"m\.onnx: has no metadata.*detection\.class_names"):
        load_model(path)
    assert_right(detect(path, class_names=("person", "helmet", "head")))


def test_wrong_number_of_class_names(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.onnx", raw(ROWS, classes=3), metadata={})
    with pytest.raises(ModelError, match=r"does not fit 2 class\(es\)"):
        load_model(path, class_names=("person", "helmet"))


def test_class_names_against_metadata(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.onnx", raw(ROWS, classes=3))
    with pytest.raises(ModelError, match="leave them out"):
        load_model(path, class_names=("head", "helmet", "person"))


@pytest.mark.parametrize("task", ["segment", "classify", "obb"])
def test_other_tasks_are_refused(tmp_path: Path, task: str) -> None:
    path = write_model(
        tmp_path / "m.onnx", raw(ROWS, classes=3), metadata={**METADATA, "task": task}
    )
    with pytest.raises(ModelError, match=f"this is a {task} model"):
        load_model(path)


def test_two_outputs_are_refused(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.onnx", raw(ROWS, classes=3), outputs=2)
    with pytest.raises(ModelError, match=r"2 output\(s\)"):
        load_model(path)


@pytest.mark.parametrize("classes", [1, 80])
def test_yolox_is_refused(tmp_path: Path, classes: int) -> None:
    answer = np.zeros((1, 3549, 5 + classes), np.float32)
    path = write_model(tmp_path / "yolox.onnx", answer, metadata={})
    names = ("person", *(f"c{n}" for n in range(1, classes)))
    with pytest.raises(ModelError, match=r"yolox\.onnx: .*(YOLOX|does not fit)"):
        load_model(path, class_names=names)


def test_boxes_in_parts_of_the_picture_are_refused(tmp_path: Path) -> None:
    rows: Rows = [(0.5, 0.5, 1.0, 0.9, 0.9, 0), (0.1, 0.2, 0.1, 0.2, 0.6, 1)]
    path = write_model(tmp_path / "rtdetr.onnx", final(rows, boxes=2))
    with pytest.raises(ModelError, match=r"rtdetr\.onnx: .*parts of the picture.*RT-DETR"):
        load_model(path)


def test_probabilities_in_place_of_class_numbers_are_refused(tmp_path: Path) -> None:
    answer = final(SUPPRESSED)
    answer[0, :, 5] = 0.7
    metadata = {**METADATA, "names": "{0: 'person'}"}
    path = write_model(tmp_path / "yolov5.onnx", answer, metadata=metadata)
    with pytest.raises(ModelError, match=r"yolov5\.onnx: .*no class numbers"):
        load_model(path)


def test_grey_models_are_refused(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.onnx", raw(ROWS, classes=3), shape=("batch", 1, 64, 96))
    with pytest.raises(ModelError, match="1 colour channels"):
        load_model(path)


@pytest.mark.parametrize("key", ["names", "imgsz"])
def test_unreadable_metadata(tmp_path: Path, key: str) -> None:
    path = write_model(
        tmp_path / "m.onnx",
        raw(ROWS, classes=3),
        metadata={**METADATA, key: "{0: 'person'"},
        shape=("batch", 3, "height", "width"),
    )
    with pytest.raises(ModelError, match=f"metadata {key} can't be read"):
        load_model(path)


@pytest.mark.parametrize(
    ("key", "value"),
    [("stride", "[32]"), ("stride", "0"), ("imgsz", "['a', 'b']"), ("batch", "'many'")],
)
def test_metadata_of_the_wrong_kind(tmp_path: Path, key: str, value: str) -> None:
    path = write_model(
        tmp_path / "m.onnx",
        final(SUPPRESSED),
        metadata={**METADATA, key: value},
        shape=("batch", 3, "height", "width"),
    )
    with pytest.raises(ModelError, match=rf"m\.onnx: metadata {key} is .*, not "):
        load_model(path)


def test_metadata_is_never_run(tmp_path: Path) -> None:
    metadata = {**METADATA, "names": "__import__('os').getcwd()"}
    path = write_model(tmp_path / "m.onnx", raw(ROWS, classes=3), metadata=metadata)
    with pytest.raises(ModelError, match="can't be read"):
        load_model(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none\.onnx: there is no such model file"):
        load_model(tmp_path / "none.onnx")


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_truncated_file(tmp_path: Path, share: float) -> None:
    path = write_model(tmp_path / "m.onnx", raw(ROWS, classes=3))
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ModelError, match=r"m\.onnx: "):
        load_model(path)


def test_not_a_model(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a model")
    with pytest.raises(ModelError, match=r"notes\.txt: not an ONNX file, or cut off"):
        load_model(path)


@pytest.mark.parametrize("location", ["../weights.bin", "missing.bin"])
def test_weights_outside_the_folder_or_missing(tmp_path: Path, location: str) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    shape = (1, 3, 64, 96)
    weights = np.zeros(shape, np.float32)
    weights.tofile(tmp_path / "weights.bin")
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=shape)
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    tensor.external_data.add(key="length", value=str(weights.nbytes))
    graph = helper.make_graph(
        [helper.make_node("Add", ["images", "w"], ["output0"])],
        "external",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, shape)],
        [tensor],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    save_model(model, str(folder / "m.onnx"))
    with pytest.raises(ModelError, match=r"m\.onnx: its weights lie in another file"):
        load_model(folder / "m.onnx")
