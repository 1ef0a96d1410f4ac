import importlib.metadata
import sys
from pathlib import Path
from types import SimpleNamespace

import onnxruntime
import pytest

from detection import runtime
from detection.runtime import (
    Session,
    load_runtime,
    open_session,
    wanted_providers,
    why_degraded,
    with_options,
)
from scene.errors import ModelError
from tests.detection.onnx_models import raw, write_model

KNOWN = [f"{name}ExecutionProvider" for name in ("Tensorrt", "CUDA", "OpenVINO", "CPU", "Azure")]
CPU, AZURE = KNOWN[3:]


def test_both_wheels_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "1.32.0")
    with pytest.raises(ModelError, match="onnxruntime and onnxruntime-gpu are both installed"):
        load_runtime()


def test_a_missing_runtime_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "installed_wheels", dict)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ModelError, match="not installed: run `pip install"):
        load_runtime()


def test_a_broken_runtime_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "installed_wheels", lambda: {"onnxruntime": "1.32.0"})
    monkeypatch.setitem(sys.modules, "onnxruntime", SimpleNamespace())
    with pytest.raises(ModelError, match="broken: run `pip install"):
        load_runtime()


def test_the_best_installed_provider_is_taken() -> None:
    assert wanted_providers((), KNOWN, KNOWN)[0] == "CUDAExecutionProvider"
    assert wanted_providers((), KNOWN[-2:], KNOWN) == ("CPUExecutionProvider",)


def test_the_order_of_the_site_file_holds() -> None:
    asked = ("tensorrt", "CUDAExecutionProvider", "cpu")
    assert wanted_providers(asked, KNOWN[-2:], KNOWN) == (KNOWN[0], KNOWN[1], KNOWN[3])


def test_a_silent_fallback_is_said() -> None:
    cuda, cpu = KNOWN[1], KNOWN[3]
    assert "could not be started" in why_degraded([cuda, cpu], [cuda, cpu], [cpu])
    assert why_degraded([cuda], [cuda], [cuda, cpu]) == ""


def test_tensorrt_keeps_what_it_has_built_per_weights(tmp_path: Path) -> None:
    model = tmp_path / "m.onnx"
    folders = []
    for content in (b"old weights", b"new weights"):
        model.write_bytes(content)
        (tensorrt, cuda), note = with_options(KNOWN[:2], tmp_path / "engines", [model])
        name, options = tensorrt
        assert (name, cuda, note) == (KNOWN[0], KNOWN[1], "")
        assert options["trt_engine_cache_enable"] is True
        folders.append(Path(options["trt_engine_cache_path"]))
    assert folders[0] != folders[1]
    assert all(folder.is_dir() and folder.parent == tmp_path / "engines" for folder in folders)


def test_tensorrt_runs_without_a_place_for_its_engines_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "engines").write_text("a file is in the way")
    (tensorrt,), note = with_options(KNOWN[:1], tmp_path / "engines", [])
    assert tensorrt == (KNOWN[0], {})
    assert "builds its engines anew at each start" in note


def test_other_providers_get_no_folder(tmp_path: Path) -> None:
    assert with_options(KNOWN[1:], tmp_path / "engines", []) == (KNOWN[1:], "")
    assert not (tmp_path / "engines").exists()


@pytest.mark.skipif(AZURE not in onnxruntime.get_available_providers(), reason="no idle provider")
def test_a_provider_that_starts_and_runs_nothing_is_said(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.onnx", raw([], classes=3))
    session = open_session(path, providers=["azure", "cpu"], threads=1)
    assert session.inner.get_providers()[0] == AZURE
    assert session.provider == CPU
    assert session.degraded == "wanted Azure, runs on CPU: Azure can run no part of this model"


@pytest.mark.skipif(AZURE not in onnxruntime.get_available_providers(), reason="one provider only")
def test_a_fallback_in_the_midst_of_running_is_seen(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.onnx", raw([], classes=3))
    inner = onnxruntime.InferenceSession(str(path), providers=[AZURE, CPU])  # records nothing
    session = Session(inner=inner, wanted=(AZURE, CPU), available=(AZURE, CPU))
    assert (session.provider, session.degraded) == (AZURE, "")
    inner.set_providers([CPU])  # what ONNX Runtime does by itself when a provider fails
    assert session.provider == CPU
    assert session.degraded.startswith("wanted Azure, runs on CPU")


def test_threads_never_spin(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.onnx", raw([], classes=3))
    options = open_session(path, providers=["cpu"], threads=2).inner.get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (2, 1)
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    assert options.get_session_config_entry("session.inter_op.allow_spinning") == "0"
