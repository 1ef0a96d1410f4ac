import importlib.metadata
import sys
from types import SimpleNamespace

import pytest

from detection import runtime
from detection.runtime import load_runtime, wanted_providers, why_degraded
from scene.errors import ModelError

KNOWN = [f"{name}ExecutionProvider" for name in ("Tensorrt", "CUDA", "OpenVINO", "CPU", "Azure")]


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
