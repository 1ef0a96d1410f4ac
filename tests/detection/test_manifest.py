import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from detection.detector import open_detector
from detection.manifest import check_manifest, main, manifest_beside, write_manifest
from scene.errors import ModelError
from scene.site import DetectionConfig
from tests.detection.onnx_models import raw, write_model
from tests.detection.test_external_data import WEIGHTS, model_of, outside, saved


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "site.key"
    path.write_text("0123456789abcdef" * 4 + "\n")
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "m.onnx", raw([], classes=3))


def test_a_signed_model_opens(model: Path, key: Path) -> None:
    assert main([str(model), "--key", str(key)]) == 0
    content = json.loads((model.parent / "m.onnx.manifest.json").read_text())
    assert content["files"] == {"m.onnx": hashlib.sha256(model.read_bytes()).hexdigest()}
    assert open_detector(DetectionConfig(model=model, manifest_key=key)).degraded == ""


def test_the_manifest_may_lie_elsewhere(model: Path, key: Path, tmp_path: Path) -> None:
    place = tmp_path / "signed.json"
    assert main([str(model), "--key", str(key), "--output", str(place)]) == 0
    assert not manifest_beside(model).exists()
    check_manifest(model, manifest=place, key=key)
    model.write_bytes(model.read_bytes() + b"x")
    with pytest.raises(ModelError, match="is not the file that was signed"):
        open_detector(DetectionConfig(model=model, manifest=place, manifest_key=key))


def test_without_a_manifest_and_a_key_nothing_is_asked(model: Path) -> None:
    check_manifest(model, manifest=None, key=None)


def test_a_site_with_a_key_wants_the_model_signed(model: Path, key: Path) -> None:
    with pytest.raises(ModelError, match=r"m\.onnx\.manifest\.json: there is no such manifest"):
        open_detector(DetectionConfig(model=model, manifest_key=key))


def test_a_manifest_that_the_site_names_must_be_there(model: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"gone\.json: there is no such manifest"):
        check_manifest(model, manifest=tmp_path / "gone.json", key=None)


def test_a_manifest_without_a_key_can_t_be_checked(model: Path, key: Path) -> None:
    write_manifest(model, key)
    with pytest.raises(ModelError, match=r"give its key file as detection\.manifest_key"):
        open_detector(DetectionConfig(model=model))


def test_another_model_is_refused(model: Path, key: Path) -> None:
    write_manifest(model, key)
    write_model(model, raw([(10, 8, 30, 56, 0.9, 0)], classes=3))
    with pytest.raises(ModelError, match=r"m\.onnx: is not the file that was signed"):
        check_manifest(model, manifest=None, key=key)


def test_another_key_is_refused(model: Path, key: Path, tmp_path: Path) -> None:
    write_manifest(model, key)
    other = tmp_path / "other.key"
    other.write_text("f" * 64)
    with pytest.raises(ModelError, match="the signature is wrong"):
        check_manifest(model, manifest=None, key=other)


def test_a_digest_that_was_changed_with_the_model_is_refused(model: Path, key: Path) -> None:
    place = write_manifest(model, key)
    model.write_bytes(model.read_bytes() + b"x")
    content = json.loads(place.read_text())
    content["files"]["m.onnx"] = hashlib.sha256(model.read_bytes()).hexdigest()
    place.write_text(json.dumps(content))
    with pytest.raises(ModelError, match="the signature is wrong"):
        check_manifest(model, manifest=None, key=key)


def test_a_model_of_another_name_is_not_the_signed_one(model: Path, key: Path) -> None:
    place = write_manifest(model, key)
    other = model.rename(model.with_name("other.onnx"))
    with pytest.raises(ModelError, match=r"other\.onnx: is not listed in the manifest"):
        check_manifest(other, manifest=place, key=key)


def broken(change: Callable[[dict[str, Any]], object]) -> Callable[[str], str]:
    def apply(text: str) -> str:
        content = json.loads(text)
        change(content)
        return json.dumps(content)

    return apply


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: "[]",
        lambda text: '"text"',
        lambda text: "[" * 100_000,
        lambda text: "\ud800",
        broken(lambda content: content.pop("files")),
        broken(lambda content: content.pop("hmac_sha256")),
        broken(lambda content: content.update(version=2)),
        broken(lambda content: content.update(files=["m.onnx"])),
        broken(lambda content: content.update(files={"m.onnx": 1})),
        broken(lambda content: content.update(hmac_sha256=None)),
        broken(lambda content: content.update(hmac_sha256="矿灯\ud800")),
    ],
)
def test_a_manifest_that_is_none(model: Path, key: Path, change: Callable[[str], str]) -> None:
    place = write_manifest(model, key)
    place.write_bytes(change(place.read_text()).encode("utf-8", "surrogatepass"))
    with pytest.raises(ModelError, match=r"m\.onnx\.manifest\.json: not a manifest of version 1"):
        check_manifest(model, manifest=None, key=key)


def test_weights_beside_the_model_are_signed_too(tmp_path: Path, key: Path) -> None:
    WEIGHTS.tofile(tmp_path / "w.bin")
    model = saved(tmp_path, model_of(tensors=[outside("w.bin")]))
    place = write_manifest(model, key)
    assert set(json.loads(place.read_text())["files"]) == {"m.onnx", "w.bin"}
    check_manifest(model, manifest=None, key=key)
    (WEIGHTS + 1).tofile(tmp_path / "w.bin")
    with pytest.raises(ModelError, match=r"w\.bin: is not the file that was signed"):
        check_manifest(model, manifest=None, key=key)


def test_a_key_that_is_missing_or_short(
    model: Path, key: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_manifest(model, key)
    with pytest.raises(ModelError, match=r"none\.key: the manifest's key can't be read"):
        check_manifest(model, manifest=None, key=key.with_name("none.key"))
    key.write_text("secret\n")
    with pytest.raises(ModelError, match="a key of 6 bytes is too short"):
        check_manifest(model, manifest=None, key=key)
    assert main([str(model), "--key", str(key)]) == 2
    assert capsys.readouterr().out.startswith("lamproom: ")


def test_a_missing_model_is_named(model: Path, key: Path) -> None:
    write_manifest(model, key)
    model.unlink()
    with pytest.raises(ModelError, match=r"m\.onnx: there is no such model file"):
        open_detector(DetectionConfig(model=model, manifest_key=key))
