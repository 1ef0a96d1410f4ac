"""`lamproom train`, in small: it trains, is cut, goes on, starts from its own export."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from detection.detector import Detector
from detection.model import load_model
from edge.main import main
from tests.detection.onnx_models import frame


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name in ("images", "labels"):
        (tmp_path / "set" / name).mkdir(parents=True)
    for number in range(6):
        picture = rng.integers(0, 255, (96, 128, 3)).astype(np.uint8)
        cv2.imwrite(str(tmp_path / "set" / "images" / f"{number}.png"), picture)
        (tmp_path / "set" / "labels" / f"{number}.txt").write_text("0 0.5 0.5 0.2 0.5\n")
    return tmp_path / "set"


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (["--size", "650x384"], "--size: '650x384' is no size"),
        (["--sizes", "64x64,9"], "--sizes: '9' is no size"),
        (["--minutes", "0"], "--minutes: must be more than 0"),
        (["--from", "nowhere.onnx"], "--from: nowhere.onnx: there is no such file"),
        (["--set", "x:hat"], "'hat' is not one of"),
    ],
)
def test_errors_are_one_line(
    folder: Path, asked: list[str], answer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["train", "--set", str(folder), "--out", str(folder / "m.onnx")]
    assert main([*common, *asked]) == 2
    error = capsys.readouterr().err
    assert error.startswith("lamproom train: ") and answer in error
    assert error.count("\n") == 1


def asked(folder: Path, out: Path, minutes: str, *more: str) -> list[str]:
    small = ["--size", "96x64", "--sizes", "64x64,96x64", "--batch", "2"]
    sets = ["--set", str(folder), "--out", str(out), "--minutes", minutes]
    return ["train", *sets, *small, *more]


@pytest.mark.filterwarnings("default")
def test_a_moment_of_training_gives_a_model_that_loads_and_goes_on(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch = pytest.importorskip("torch", reason="needs the extra `train`")
    pytest.importorskip("ultralytics", reason="needs the extra `train`")
    out = tmp_path / "out" / "tiny.onnx"
    assert main(asked(folder, out, "0.02", "--val", str(folder), "--int8", "--fixed")) == 0
    card = out.with_suffix(".md").read_text()
    assert "| Start | random weights |" in card and "| set (tiny-int8) | person |" in card
    loaded = load_model(out)
    assert (loaded.names, loaded.input_size) == (("person", "helmet", "head"), (96, 64))
    assert (loaded.batch, loaded.stride) == (None, None)
    for model in (loaded, load_model(out.with_name("tiny-int8.onnx"))):
        detector = Detector(model, score_threshold=0.25, iou_threshold=0.6)
        assert len(detector.detect([frame("a"), frame("b")])) == 2
    checkpoint = out.with_suffix(".pt")
    first = torch.load(checkpoint, weights_only=True)["pictures"]
    assert main(asked(folder, out, "0.02")) == 0  # its time is over: nothing is trained
    assert torch.load(checkpoint, weights_only=True)["pictures"] == first
    assert main(asked(folder, out, "0.06")) == 0
    assert load_model(out).stride == 32  # any size, now
    assert torch.load(checkpoint, weights_only=True)["pictures"] > first
    checkpoint.write_bytes(b"cut off")
    capsys.readouterr()
    assert main(asked(folder, out, "0.06")) == 2
    assert "tiny.pt: not a checkpoint of `lamproom train`" in capsys.readouterr().err


@pytest.mark.filterwarnings("default")
def test_an_export_can_be_trained_on(tmp_path: Path, folder: Path) -> None:
    """Its normalisations are unfolded: the network says what the file says, and can learn."""
    torch = pytest.importorskip("torch", reason="needs the extra `train`")
    pytest.importorskip("ultralytics", reason="needs the extra `train`")
    from detection.model import SHIPPED
    from detection.training.network import from_onnx, new_network

    torch.manual_seed(0)
    network = new_network()
    from_onnx(SHIPPED, network, [torch.rand(2, 3, 64, 96) for _ in range(3)])
    model = load_model(SHIPPED)
    width, height = model.input_size
    picture = torch.rand(1, 3, height, width)
    with torch.no_grad():
        ours = network(picture)[0].numpy()
    theirs = model.run(picture.numpy())
    assert np.abs(ours - theirs).max() < 0.05
    assert np.abs(ours[:, 4:] - theirs[:, 4:]).max() < 1e-3
    norms = [one for one in network.modules() if isinstance(one, torch.nn.BatchNorm2d)]
    assert all(float((one.running_var - 1).abs().max()) > 1e-3 for one in norms)


@pytest.mark.filterwarnings("default")
def test_an_export_with_other_layers_is_refused(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch", reason="needs the extra `train`")
    pytest.importorskip("ultralytics", reason="needs the extra `train`")
    from tests.detection.onnx_models import raw, write_model

    other = write_model(tmp_path / "other.onnx", raw([], classes=3))
    assert main(asked(folder, tmp_path / "m.onnx", "0.02", "--from", str(other))) == 2
    assert "its layers are not those of lamproom-m.yaml" in capsys.readouterr().err


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    out = capsys.readouterr().out
    assert "class cx cy w h" in out and "--teacher yolo11n.onnx" in out


@pytest.mark.filterwarnings("default")
def test_other_layers_can_be_trained_and_wrong_ones_are_refused(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch", reason="needs the extra `train`")
    pytest.importorskip("ultralytics", reason="needs the extra `train`")
    from detection.training.network import LAYERS

    wider = tmp_path / "wider.yaml"
    wider.write_text(LAYERS.read_text().replace("n: [0.50, 0.25, 1024]", "n: [0.50, 0.30, 1024]"))
    out = tmp_path / "wide.onnx"
    assert main(asked(folder, out, "0.02", "--layers", str(wider), "--int8")) == 0
    assert load_model(out).names == ("person", "helmet", "head")
    assert main(asked(folder, out, "0.04")) == 2  # the checkpoint beside it has other layers
    assert "wide.pt: its layers are not those of lamproom-m.yaml" in capsys.readouterr().err
    for text, answer in (
        (wider.read_text().replace("nc: 3", "nc: 80"), "nc is 80, not 3"),
        ("layers: none", "no network can be built of it"),
    ):
        wrong = tmp_path / "wrong.yaml"
        wrong.write_text(text)
        assert main(asked(folder, tmp_path / "m.onnx", "0.02", "--layers", str(wrong))) == 2
        assert answer in capsys.readouterr().err
    assert main(asked(folder, tmp_path / "m.onnx", "0.02", "--layers", "nowhere.yaml")) == 2
    assert "nowhere.yaml: there is no such file of layers" in capsys.readouterr().err
