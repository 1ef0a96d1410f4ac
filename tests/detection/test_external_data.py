from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, NodeProto, TensorProto, helper, save_model

from detection import external_data
from detection.external_data import external_files
from detection.runtime import open_session
from scene.errors import ModelError
from tests.detection.onnx_models import raw, write_model

SHAPE = (1, 3, 4, 6)
WEIGHTS = np.arange(72, dtype=np.float32).reshape(SHAPE)


def outside(location: str) -> TensorProto:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=SHAPE)
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="offset", value="0")
    tensor.external_data.add(key="location", value=location)
    return tensor


def constant(tensor: TensorProto) -> NodeProto:
    return helper.make_node("Constant", [], ["w"], value=tensor)


def model_of(*, tensors: Sequence[TensorProto] = (), nodes: Sequence[NodeProto] = ()) -> ModelProto:
    graph = helper.make_graph(
        [*nodes, helper.make_node("Add", ["images", "w"], ["output0"])],
        "external",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, SHAPE)],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, SHAPE)],
        tensors,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def saved(folder: Path, model: ModelProto) -> Path:
    folder.mkdir(exist_ok=True)
    save_model(model, str(folder / "m.onnx"))
    return folder / "m.onnx"


def test_weights_in_the_models_own_folder_work(tmp_path: Path) -> None:
    path = saved(tmp_path, model_of(tensors=[outside("parts/./w.bin")]))
    (tmp_path / "parts").mkdir()
    WEIGHTS.tofile(tmp_path / "parts" / "w.bin")
    assert external_files(path) == (tmp_path / "parts" / "w.bin",)
    session = open_session(path, providers=["cpu"], threads=1)
    (out,) = session.inner.run(None, {"images": np.ones(SHAPE, np.float32)})
    assert np.array_equal(out, WEIGHTS + 1)


def test_a_model_in_one_piece_has_no_other_files(tmp_path: Path) -> None:
    assert external_files(write_model(tmp_path / "m.onnx", raw([], classes=3))) == ()


@pytest.mark.parametrize(
    ("location", "why"),
    [
        ("../w.bin", "leaves the model's folder"),
        ("parts/../../w.bin", "leaves the model's folder"),
        ("{tmp}/w.bin", "leaves the model's folder"),
        ("{tmp}/models/w.bin", "leaves the model's folder"),  # absolute, wherever it leads
        ("link.bin", "leaves the model's folder"),
        ("away/w.bin", "leaves the model's folder"),
        ("", "is not there"),
        (".", "is not there"),
        ("none.bin", "is not there"),
        ("*/_ORT_MEM_ADDR_/*", "is not there"),  # what ONNX Runtime takes for a place in memory
        ("a\0b", "is no file name"),
        ("n" * 5000, "is no"),
    ],
)
def test_weights_elsewhere_are_refused(tmp_path: Path, location: str, why: str) -> None:
    folder = tmp_path / "models"
    WEIGHTS.tofile(tmp_path / "w.bin")
    model = model_of(tensors=[outside(location.format(tmp=tmp_path))])
    path = saved(folder, model)
    WEIGHTS.tofile(folder / "w.bin")
    (folder / "link.bin").symlink_to(tmp_path / "w.bin")
    (folder / "away").symlink_to(tmp_path)
    with pytest.raises(ModelError, match=r"m\.onnx: its weights lie in another file.* " + why):
        open_session(path, providers=["cpu"], threads=1)


def in_an_attribute() -> ModelProto:
    return model_of(nodes=[constant(outside("../w.bin"))])


def in_a_branch() -> ModelProto:
    branch = helper.make_graph([constant(outside("../w.bin"))], "b", [], [])
    return model_of(
        tensors=[],
        nodes=[helper.make_node("If", ["c"], ["w"], then_branch=branch, else_branch=branch)],
    )


def in_a_function() -> ModelProto:
    model = model_of()
    opset = [helper.make_opsetid("", 17)]
    model.functions.append(
        helper.make_function("x", "f", [], ["w"], [constant(outside("../w.bin"))], opset)
    )
    return model


def in_a_sparse_tensor() -> ModelProto:
    model = model_of()
    model.graph.sparse_initializer.add().values.CopyFrom(outside("../w.bin"))
    return model


def among_training_steps() -> ModelProto:
    model = model_of()
    model.training_info.add().algorithm.initializer.append(outside("../w.bin"))
    return model


def without_its_mark() -> ModelProto:
    tensor = outside("../w.bin")
    tensor.ClearField("data_location")
    return model_of(tensors=[tensor])


@pytest.mark.parametrize(
    "build",
    [
        in_an_attribute,
        in_a_branch,
        in_a_function,
        in_a_sparse_tensor,
        among_training_steps,
        without_its_mark,
    ],
)
def test_no_place_hides_a_path(tmp_path: Path, build: Callable[[], ModelProto]) -> None:
    with pytest.raises(ModelError, match=r"'\.\./w\.bin' leaves"):
        external_files(saved(tmp_path, build()))


def test_a_graph_given_in_two_halves_hides_nothing(tmp_path: Path) -> None:
    path = saved(tmp_path, model_of())
    more = ModelProto()
    more.graph.initializer.append(outside("../w.bin"))
    path.write_bytes(path.read_bytes() + more.SerializeToString())
    with pytest.raises(ModelError, match=r"'\.\./w\.bin' leaves"):
        external_files(path)


def test_the_field_numbers_are_those_of_onnx() -> None:
    """Every field through which a tensor can be reached, in every message, and no other."""
    fields: dict[str, dict[int, str]] = {}
    waiting = [ModelProto.DESCRIPTOR]
    while waiting:
        message = waiting.pop()
        inner = {field.number: field.message_type for field in message.fields if field.message_type}
        waiting += [kind for kind in inner.values() if kind.name not in fields]
        fields[message.name] = {number: kind.name for number, kind in inner.items()}
    leading = {"TensorProto"}
    for _ in fields:  # so many steps are enough for the longest way
        leading |= {name for name, inner in fields.items() if leading & set(inner.values())}
    external = TensorProto.DESCRIPTOR.fields_by_name["external_data"].number
    wanted = {
        name: {number: kind for number, kind in fields[name].items() if kind in leading}
        for name in leading
    }
    wanted["TensorProto"] = {external: external_data.ENTRY}
    assert wanted == external_data.INSIDE


def test_junk_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    content = model_of(tensors=[outside("none.bin")]).SerializeToString()
    random = np.random.default_rng(1)
    pieces = [content[:cut] for cut in range(len(content))]
    pieces += [random.bytes(200) for _ in range(50)]
    pieces += [b"\x3a\x00" * 10 + b"\x00", b"\xff" * 30, b"\x08"]
    for piece in pieces:
        path.write_bytes(piece)
        try:
            assert external_files(path) == ()  # cut where a field ends, or before the weights
        except ModelError as error:
            assert str(path) in str(error)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x08",  # a number that is missing
        b"\x08" + b"\xff" * 10,  # a number without end
        b"\x09\x00",  # 8 bytes of which there is one
        b"\x0d\x00",  # 4 bytes of which there is one
        b"\x3a\x05\x00",  # a graph of 5 bytes of which there is one
        b"\x02\x00",  # field 0
        b"\x0e",  # a wire type that nobody has
    ],
)
def test_what_is_no_protocol_buffer_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"m\.onnx: not an ONNX file, or cut off"):
        external_files(path)


def test_a_graph_within_a_graph_without_end(tmp_path: Path) -> None:
    def field(tag: int, content: bytes) -> bytes:
        size, length = len(content), b""
        while size > 0x7F:
            length, size = length + bytes([size & 0x7F | 0x80]), size >> 7
        return bytes([tag << 3 | 2]) + length + bytes([size]) + content

    deep = b""
    for _ in range(400):
        deep = field(1, field(5, field(6, deep)))  # a node with an attribute that holds a graph
    path = tmp_path / "m.onnx"
    path.write_bytes(field(7, deep))
    with pytest.raises(ModelError, match="not an ONNX file"):
        external_files(path)
