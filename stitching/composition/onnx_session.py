"""An ONNX Runtime session that runs where it was told to, or not at all.

Knows nothing about what the graph computes. ONNX Runtime quietly gives to the CPU what a GPU can't
do, or everything where a library of the GPU's is missing: the session is made so that it must not,
and the nodes of a first run are looked through.
"""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from stitching.composition.backend import BackendError

Device = Literal["cuda", "cpu"]
PROVIDERS: dict[Device, str] = {"cuda": "CUDAExecutionProvider", "cpu": "CPUExecutionProvider"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Session:
    """A session and the memory of its device."""

    inner: Any
    """The `onnxruntime.InferenceSession`."""
    runtime: Any
    """The module `onnxruntime`."""
    device: Device

    def upload(self, array: NDArray[Any]) -> Any:
        """Give a tensor in the device's memory with a copy of an array."""
        tensor = self.runtime.OrtValue.ortvalue_from_shape_and_type(
            array.shape, array.dtype.type, self.device, 0
        )
        tensor.update_inplace(np.ascontiguousarray(array))
        return tensor

    def run(self, inputs: Mapping[str, Any], outputs: Mapping[str, NDArray[Any]]) -> None:
        """Run the graph on tensors; it writes straight into the arrays, which lie on the CPU."""
        binding = self.inner.io_binding()
        for name, tensor in inputs.items():
            binding.bind_ortvalue_input(name, tensor)
        for name, array in outputs.items():
            target = self.runtime.OrtValue.ortvalue_from_numpy(array)
            binding.bind_ortvalue_output(name, target)
        self.inner.run_with_iobinding(binding)
        binding.synchronize_outputs()


def open_session(model: bytes, device: Device) -> Session:
    """Load a model; raises `BackendError` where a node of it would not run on the device."""
    try:
        import onnxruntime
    except ImportError as error:
        raise BackendError(
            "panorama.backend: onnx needs ONNX Runtime: run `make setup RUNTIME=gpu`, or set "
            f"`backend: opencv` ({error})"
        ) from None
    provider = PROVIDERS[device]
    if provider not in onnxruntime.get_available_providers():
        raise BackendError(
            "panorama.backend: this ONNX Runtime was built without CUDA: run "
            "`make setup RUNTIME=gpu`, or set `backend: opencv`, which is quicker on a CPU"
        )
    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # what matters of it is in our own errors
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        if device != "cpu":
            # Creating the session fails if any node has no kernel on the device.
            options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "first_run")
        try:
            inner = onnxruntime.InferenceSession(model, options, providers=[provider])
            inner.disable_fallback()
            inner.run(None, {given.name: _zeros(given) for given in inner.get_inputs()})
        except Exception as error:  # the runtime's exceptions have no common class of their own
            first = (str(error).splitlines() or ["unknown error"])[0][:200]
            raise BackendError(
                f"panorama.backend: {provider} can't paint the panorama here; `lamproom doctor` "
                f"shows what works ({first})"
            ) from None
        check_places(places(Path(inner.end_profiling())), provider)
    return Session(inner=inner, runtime=onnxruntime, device=device)


def places(profile: Path) -> dict[str, str]:
    """Read from ONNX Runtime's profile which provider ran each node, by node."""
    events = json.loads(profile.read_text(encoding="utf-8"))
    return {
        event["name"].removesuffix("_kernel_time"): event["args"]["provider"]
        for event in events
        if event.get("cat") == "Node" and "provider" in event.get("args", {})
    }


def check_places(found: Mapping[str, str], provider: str) -> None:
    """Raise `BackendError` unless all nodes, and any, ran on the provider.

    >>> check_places({"luma_0_found": "CPUExecutionProvider"}, "CUDAExecutionProvider")
    Traceback (most recent call last):
    ...
    stitching.composition.backend.BackendError: panorama.backend: ran luma_0_found on ...
    """
    astray = {node: place for node, place in found.items() if place != provider}
    if astray:
        node, place = next(iter(astray.items()))
        raise BackendError(
            f"panorama.backend: ran {node} on {place} instead of {provider}, and so "
            f"{len(astray)} of {len(found)} nodes; `lamproom doctor` shows what works"
        )
    if not found:
        raise BackendError(
            f"panorama.backend: ONNX Runtime does not tell where it ran; {provider} is not proven"
        )


def _zeros(given: Any) -> NDArray[Any]:
    dtype = np.uint8 if given.type == "tensor(uint8)" else np.float32
    return np.zeros(given.shape, dtype)
