"""Run a session with its picture bound on the accelerator: one buffer there per shape.

Knows nothing about models. A plain run allocates and copies anew every time; here the buffer stays.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

DEVICES = {
    "TensorrtExecutionProvider": "cuda",
    "CUDAExecutionProvider": "cuda",
    "CANNExecutionProvider": "cann",
}
"""Where pictures are bound, by provider; with others there is nothing to gain."""


class BoundSession:
    """Stands for an `onnxruntime.InferenceSession` with one input and one output to run."""

    def __init__(self, inner: Any, runtime: Any, device: str) -> None:
        """Take a session, the module `onnxruntime` and a device: `cuda`, `cann` or `cpu`."""
        self._inner, self._runtime, self._device = inner, runtime, device
        self._bound: dict[tuple[Any, ...], tuple[Any, Any]] = {}
        self.trouble = ""
        """Why pictures are not bound and plain runs do it; empty while they are."""

    def __getattr__(self, name: str) -> Any:
        """Pass everything but running on to the session."""
        return getattr(self._inner, name)

    def run(self, names: Sequence[str], feed: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """Run as the session's own `run` does, and with that where binding fails."""
        if not self.trouble:
            # Falling back to another provider would take the bound buffers' device away.
            self._inner.disable_fallback()
            try:
                return self._run_bound(names, feed)
            except Exception as error:  # the runtime's exceptions have no common class of their own
                failed = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
            self._inner.enable_fallback()
            self._bound.clear()
            out = list(self._inner.run(names, feed))
            self.trouble = f"pictures are copied anew for each run, binding them failed: {failed}"
            return out
        return list(self._inner.run(names, feed))

    def _run_bound(
        self, names: Sequence[str], feed: Mapping[str, NDArray[Any]]
    ) -> list[NDArray[Any]]:
        ((name, tensor),) = feed.items()
        key = (name, tensor.shape, tensor.dtype)
        if key not in self._bound:
            buffer = self._runtime.OrtValue.ortvalue_from_shape_and_type(
                tensor.shape, tensor.dtype.type, self._device, 0
            )
            binding = self._inner.io_binding()
            binding.bind_ortvalue_input(name, buffer)
            self._bound[key] = binding, buffer
        binding, buffer = self._bound[key]
        buffer.update_inplace(tensor)
        for wanted in names:
            binding.bind_output(wanted, "cpu")  # anew: its size may depend on what is seen
        self._inner.run_with_iobinding(binding)
        return list(binding.copy_outputs_to_cpu())
