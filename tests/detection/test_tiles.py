from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from onnx import TensorProto, helper, numpy_helper, save_model

from detection.detector import Detector, open_detector
from detection.model import load_model
from detection.tiles import Finds, Tile, cut, merged, tiles_of
from scene.messages import Detections, Frame
from scene.site import DetectionConfig, TilesConfig
from tests.detection.onnx_models import METADATA, Rows, frame, raw, write_model

TILES = TilesConfig()
SIZE = (1280, 720)
Pixels = tuple[int, int, int, int]
Box = tuple[float, float, float, float]


def finder_of_light(path: Path, batch: int | str = "batch") -> Path:
    """Save a model that frames all that is bright in a picture: a person without end or legs."""
    nodes = [
        helper.make_node("ReduceMax", ["images"], ["grey"], axes=[1], keepdims=0),
        helper.make_node("Greater", ["grey", "limit"], ["bright"]),
        helper.make_node("Cast", ["bright"], ["light"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMax", ["light"], ["columns"], axes=[1], keepdims=0),
        helper.make_node("ReduceMax", ["light"], ["rows"], axes=[2], keepdims=0),
        helper.make_node("ReduceMax", ["rows"], ["any"], axes=[1], keepdims=1),
        helper.make_node("Mul", ["any", "sure"], ["score"]),
        helper.make_node("Mul", ["any", "nothing"], ["class"]),
    ]
    for axis, name in (("columns", "x"), ("rows", "y")):
        for last in (0, 1):
            at = f"{name}{last}"
            nodes += [
                helper.make_node(
                    "ArgMax", [axis], [f"{at}i"], axis=1, keepdims=1, select_last_index=last
                ),
                helper.make_node("Cast", [f"{at}i"], [f"{at}f"], to=TensorProto.FLOAT),
                helper.make_node("Add", [f"{at}f", "one" if last else "nothing"], [at]),
            ]
    nodes += [
        helper.make_node("Concat", ["x0", "y0", "x1", "y1", "score", "class"], ["row"], axis=1),
        helper.make_node("Unsqueeze", ["row", "axis"], ["output0"]),
    ]
    numbers = {"limit": 0.7, "sure": 0.9, "nothing": 0.0, "one": 1.0}
    constants = [numpy_helper.from_array(np.array(v, np.float32), k) for k, v in numbers.items()]
    constants.append(numpy_helper.from_array(np.array([1], np.int64), "axis"))
    graph = helper.make_graph(
        nodes,
        "light",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [batch, 3, 640, 640])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, None)],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, {**METADATA, "imgsz": "[640, 640]"})
    save_model(model, str(path))
    return path


def lit(*boxes: Pixels, camera: str = "cam1", size: tuple[int, int] = SIZE) -> Frame:
    """Make a dark frame with bright boxes `x1 y1 x2 y2`, pixel edges."""
    made = frame(camera, size, light=20)
    for x1, y1, x2, y2 in boxes:
        made.image.y[y1:y2, x1:x2] = 230
    return made


def detector_of(path: Path, tiles: TilesConfig | None = TILES) -> Detector:
    return Detector(load_model(path), score_threshold=0.25, iou_threshold=0.6, tiles=tiles)


def boxes_of(found: Detections) -> list[list[float]]:
    return sorted((found.boxes_px + 0.5).tolist())


@pytest.mark.parametrize("batch", ["batch", 1, 2])
@pytest.mark.parametrize(
    "box",
    [
        (680, 300, 740, 460),  # over the left tile's right border, whole in the right one
        (540, 300, 600, 460),  # over the right tile's left border
        (600, 300, 660, 460),  # whole in both
        (100, 300, 160, 460),  # in one only
        (400, 300, 900, 460),  # whole in none: the whole picture has it
        (1220, 300, 1280, 460),  # at the picture's border, which cuts nobody off
        (0, 0, 60, 720),
    ],
)
def test_somebody_comes_out_once_and_whole(tmp_path: Path, batch: int | str, box: Pixels) -> None:
    detector = detector_of(finder_of_light(tmp_path / "m.onnx", batch))
    (found,) = detector.detect([lit(box)])
    assert_allclose(boxes_of(found), [box], atol=1.5)


def test_all_tiles_of_all_cameras_keep_to_their_camera(tmp_path: Path) -> None:
    detector = detector_of(finder_of_light(tmp_path / "m.onnx"))
    places: dict[str, Pixels] = {f"cam{i}": (80 * i, 200, 80 * i + 60, 400) for i in range(8)}
    frames = [lit(box, camera=name) for name, box in places.items()]  # 24 views: two batches
    found = detector.detect(frames)
    assert [each.camera for each in found] == list(places)
    for each in found:
        assert_allclose(boxes_of(each), [places[each.camera]], atol=1.5)


def test_one_in_each_tile_are_two(tmp_path: Path) -> None:
    detector = detector_of(finder_of_light(tmp_path / "m.onnx"))
    (found,) = detector.detect([lit((100, 300, 160, 460), (1000, 300, 1060, 460))])
    # In the whole picture this model frames both as one; that is no part of either.
    boxes = [box for box in boxes_of(found) if box[2] - box[0] < 900]
    assert_allclose(boxes, [(100, 300, 160, 460), (1000, 300, 1060, 460)], atol=1.5)


def test_only_the_cameras_that_are_named_are_cut(tmp_path: Path) -> None:
    rows: Rows = [(30, 8, 50, 56, 0.9, 0)]
    path = write_model(tmp_path / "m.onnx", raw(rows, classes=3))
    section = {"model": path, "tiles": {"size_px": 96, "cameras": ["a"]}}
    detector = open_detector(DetectionConfig.model_validate(section))
    found = {each.camera: each for each in detector.detect([frame("a"), frame("b")])}
    assert len(found["a"].scores) > 1
    assert len(found["b"].scores) == 1


def test_one_tile_without_numbers_leaves_the_camera_out(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.onnx", raw([], classes=3), nan_when_dark=True)
    half_dark = frame("half", (192, 128))
    half_dark.image.y[:, :90] = 20
    detector = detector_of(path, TilesConfig(size_px=96))
    found = detector.detect([half_dark, frame("bright")])
    assert [each.camera for each in found] == ["bright"]
    assert "NaN" in detector.problems["half"]
    assert len(detector_of(path, None).detect([half_dark])) == 1  # as a whole it is light enough


def test_a_picture_that_one_tile_holds_is_not_cut() -> None:
    assert tiles_of((704, 704), (640, 640), size_px=704, overlap=0.2) == ()
    assert tiles_of((640, 480), (640, 640), size_px=704, overlap=0.2) == ()


@pytest.mark.parametrize("input_size", [(640, 640), (512, 288), (288, 512)])
@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080), (2592, 1944), (3840, 2160), (706, 2)])
@pytest.mark.parametrize("overlap", [0.0, 0.2, 0.49])
def test_tiles_cover_the_picture_and_overlap(
    size: tuple[int, int], input_size: tuple[int, int], overlap: float
) -> None:
    tiles = tiles_of(size, input_size, size_px=704, overlap=overlap)
    if not tiles:
        assert max(size) <= 704 * 1.1 + 1
        return
    for axis, length in enumerate(size):
        spans = sorted(
            {(t.left, t.width) if axis == 0 else (t.top, t.height) for t in tiles},
        )
        assert spans[0][0] == 0
        assert sum(spans[-1]) == length
        for (start, span), (following, _) in pairwise(spans):
            assert start + span - following >= overlap * span - 2
        assert all(s % 2 == 0 and n % 2 == 0 for s, n in spans)
        assert max(n for _, n in spans) <= 704 * input_size[axis] / max(input_size) * 1.1 + 2


def test_cutting_takes_the_same_place_of_all_planes() -> None:
    whole = frame("a", (64, 32)).image
    whole.y[10, 20], whole.u[5, 10], whole.v[5, 10] = 1, 2, 3
    part = cut(whole, Tile(left=18, top=8, width=20, height=12))
    assert (part.size_px, part.u.shape, part.v.shape) == ((20, 12), (6, 10), (6, 10))
    assert (part.y[2, 2], part.u[1, 1], part.v[1, 1]) == (1, 2, 3)


LEFT = Tile(left=0, top=0, width=60, height=100)
RIGHT = Tile(left=40, top=0, width=60, height=100)


def finds(*boxes: Box, kind: int = 0, score: float = 0.9) -> Finds:
    return Finds(
        boxes_px=np.array(boxes, np.float64).reshape(-1, 4),
        scores=np.full(len(boxes), score),
        kinds=np.full(len(boxes), kind),
    )


def boxes_of_views(*views: tuple[Tile | None, Finds]) -> list[list[float]]:
    found: list[list[float]] = merged(views, (100, 100)).boxes_px.tolist()
    return sorted(found)


def test_a_part_is_dropped_even_if_it_is_surer_than_the_whole() -> None:
    part: Box = (50, 20, 59.4, 80)
    whole: Box = (50, 20, 75, 80)
    assert boxes_of_views((LEFT, finds(part)), (RIGHT, finds(whole, score=0.3))) == [list(whole)]
    part, whole = (39.6, 20, 50, 80), (20, 20, 50, 80)
    assert boxes_of_views((LEFT, finds(whole, score=0.3)), (RIGHT, finds(part))) == [list(whole)]


def test_two_parts_of_one_are_both_dropped_and_the_whole_picture_has_the_whole() -> None:
    parts = (LEFT, finds((10, 20, 59.4, 80))), (RIGHT, finds((39.6, 20, 75, 80)))
    whole = (10, 20, 75, 80)
    assert boxes_of_views((None, finds(whole, score=0.3)), *parts) == [list(whole)]


def test_tiles_one_above_the_other_cut_too() -> None:
    above = Tile(left=0, top=0, width=100, height=60)
    below = Tile(left=0, top=40, width=100, height=60)
    whole = (20, 30, 40, 57)
    views = (above, finds(whole, score=0.3)), (below, finds((20, 39.6, 40, 57)))
    assert boxes_of_views(*views) == [list(whole)]
    whole = (20, 45, 40, 70)
    views = (above, finds((20, 45, 40, 59.4))), (below, finds(whole, score=0.3))
    assert boxes_of_views(*views) == [list(whole)]


def test_the_pictures_own_border_cuts_nobody() -> None:
    aside: list[Box] = [(-0.5, -0.5, 20, 80), (70, 50, 99.5, 99.5)]
    assert boxes_of_views((LEFT, finds(aside[0])), (RIGHT, finds(aside[1]))) == [
        list(box) for box in aside
    ]


def test_a_person_and_a_helmet_in_one_place_are_two() -> None:
    box = (10, 20, 30, 80)
    assert boxes_of_views((None, finds(box)), (LEFT, finds(box, kind=1))) == [list(box)] * 2


def test_of_two_views_of_one_person_the_surer_stays() -> None:
    sure, unsure = (10, 20, 30, 80), (12, 20, 32, 80)
    for views in (
        ((None, finds(sure)), (LEFT, finds(unsure, score=0.5))),
        ((None, finds(unsure, score=0.5)), (LEFT, finds(sure))),
    ):
        assert boxes_of_views(*views) == [list(sure)]


def test_two_close_people_of_one_view_stay_two() -> None:
    close = finds((10, 20, 30, 80), (16, 20, 36, 80))  # they share more than half
    assert len(boxes_of_views((None, close), (LEFT, finds()))) == 2
    assert len(boxes_of_views((None, close), (LEFT, close))) == 2
