"""The ONNX backend beside its pictures: the model it writes, and where its nodes run."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from scene.site import PanoramaConfig
from stitching.composition import onnx_graph
from stitching.composition.backend import Backend, BackendError
from stitching.composition.backends import open_backend
from stitching.composition.compose import OpenCvBackend
from stitching.composition.layer import plane_maps
from stitching.composition.onnx_compose import OnnxBackend
from stitching.composition.onnx_graph import CHROMA, LUMA
from stitching.composition.onnx_model import Graph
from stitching.composition.onnx_session import Session, check_places, open_session, places
from tests.stitching.scenes import Scene
from tests.stitching.views import fan

runtime = pytest.importorskip("onnxruntime")
WITHOUT_CUDA = "CUDAExecutionProvider" not in runtime.get_available_providers()


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene(fan(), max_width_px=600)


def opened(scene: Scene, backend: str) -> Backend:
    config = PanoramaConfig.model_validate({"backend": backend})
    return open_backend(config, scene.maps, scene.gains, scene.sizes_px, scene.size_px)


def graph_of(scene: Scene) -> Graph:
    luma, chroma = plane_maps(scene.maps, scene.gains, scene.sizes_px)
    width, height = scene.size_px
    sizes_px = {LUMA: (width, height), CHROMA: (width // 2, height // 2)}
    return onnx_graph.build({LUMA: luma, CHROMA: chroma}, sizes_px)


def test_a_model_of_every_kind_of_field_is_loaded_and_run() -> None:
    graph = Graph()
    given = graph.input("given", "float32", (1, 300))
    alpha = graph.node("LeakyRelu", [given], "leaky", alpha=0.25)
    shift = graph.constant("shift", np.linspace(-1, 1, 300, dtype=np.float32)[None])
    total = graph.node("Add", [alpha, shift], "total")
    axes = graph.constant("axes", np.array([0, 1, 0, 2], np.int64))
    graph.node("Pad", [total, axes], "wide", mode="edge")
    graph.output("wide", "float32", (1, 303))
    session = runtime.InferenceSession(graph.model(), providers=["CPUExecutionProvider"])
    values = np.linspace(-9, 9, 300, dtype=np.float32)[None]
    (found,) = session.run(None, {"given": values})
    expected = np.where(values < 0, values * 0.25, values) + np.linspace(-1, 1, 300)
    assert np.allclose(found, np.pad(expected, ((0, 0), (1, 2)), mode="edge"), atol=1e-6)


def test_the_package_onnx_reads_the_same_model(scene: Scene) -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load_from_string(graph_of(scene).model())
    onnx.checker.check_model(model, full_check=True)
    assert [entry.version for entry in model.opset_import] == [16]
    assert {node.op_type for node in model.graph.node} == {
        "Cast", "Clip", "GridSample", "Mul", "Pad", "Round", "Sum",
    }  # fmt: skip
    (shape,) = [i.type.tensor_type.shape for i in model.graph.input if i.name == "luma_grid_1"]
    x0, y0, x1, y1 = scene.maps[1].box
    assert [d.dim_value for d in shape.dim] == [1, y1 - y0, x1 - x0, 2]


def test_seams_and_gains_are_inputs_so_that_the_graph_stays_small(scene: Scene) -> None:
    graph = graph_of(scene)
    assert len(graph.model()) < 10_000
    names = {value.name for value in graph.inputs}
    for kind in (LUMA, CHROMA):
        assert {onnx_graph.share(kind, 2), onnx_graph.rest(kind)} <= names


def test_moved_seams_are_sent_only_for_cameras_that_see_them(scene: Scene) -> None:
    backend = OnnxBackend(scene.maps, scene.gains, scene.sizes_px, scene.size_px, "cpu")
    recipe = backend.recipe(scene.weights({0, 1, 2}))
    recipe.paint(scene.images)
    x1 = min(one.box[0] for one in scene.maps[1:])
    sent: list[tuple[int, ...]] = []
    upload = Session.upload

    def counted(self: Session, array: NDArray[Any]) -> Any:
        sent.append(array.shape)
        return upload(self, array)

    moved = recipe.moved(scene.weights({0, 1, 2}), [(0, 0, x1, 20)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Session, "upload", counted)
        moved.paint(scene.images)
        moved.paint(scene.images)
    # Camera 0 and the rest, of luma and of chroma, once.
    assert len(sent) == 4


@pytest.mark.skipif(not WITHOUT_CUDA, reason="this machine has CUDA")
def test_without_cuda_opencv_paints_and_says_why(scene: Scene) -> None:
    instead = opened(scene, "onnx")
    assert isinstance(instead, OpenCvBackend)
    assert "built without CUDA" in instead.degraded and "OpenCV paints" in instead.degraded
    assert "\n" not in instead.degraded
    with pytest.raises(BackendError, match="RUNTIME=gpu"):
        OnnxBackend(scene.maps, scene.gains, scene.sizes_px, scene.size_px, "cuda")


@pytest.mark.skipif(WITHOUT_CUDA, reason="this machine has no CUDA")
def test_with_cuda_every_node_runs_there(scene: Scene) -> None:
    backend = opened(scene, "onnx")
    assert not backend.degraded and "CUDA" in backend.runs_on
    weights = scene.weights({0, 1, 2}, wave=0.1)
    scene.check(backend.recipe(weights).paint(scene.images), weights, {0, 1, 2})


def test_on_the_cpu_only_when_asked_and_it_says_so(scene: Scene) -> None:
    backend = opened(scene, "onnx-cpu")
    assert isinstance(backend, OnnxBackend)
    assert "CPUExecutionProvider" in backend.runs_on and not backend.degraded
    assert isinstance(opened(scene, "opencv"), OpenCvBackend)


def test_nodes_that_ran_elsewhere_are_found_out(scene: Scene, tmp_path: Path) -> None:
    graph = graph_of(scene)
    options = runtime.SessionOptions()
    options.enable_profiling = True
    options.profile_file_prefix = str(tmp_path / "run")
    session = runtime.InferenceSession(graph.model(), options, providers=["CPUExecutionProvider"])
    types = {"uint8": np.uint8, "float32": np.float32}
    session.run(None, {v.name: np.zeros(v.shape, types[v.dtype]) for v in graph.inputs})
    found = places(Path(session.end_profiling()))
    assert len(found) >= 2 * 3 * 3
    check_places(found, "CPUExecutionProvider")
    with pytest.raises(BackendError, match="instead of CUDAExecutionProvider"):
        check_places(found, "CUDAExecutionProvider")
    with pytest.raises(BackendError, match="not proven"):
        check_places({}, "CUDAExecutionProvider")


def test_a_model_that_cannot_be_loaded_is_one_clear_line() -> None:
    graph = Graph()
    graph.node("NoSuchNode", [graph.input("a", "float32", (1,))], "b")
    graph.output("b", "float32", (1,))
    with pytest.raises(BackendError, match=r"panorama\.backend: .*lamproom doctor") as caught:
        open_session(graph.model(), "cpu")
    assert "\n" not in str(caught.value)
