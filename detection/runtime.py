"""ONNX Runtime: whether it can be used here, and on what it really runs.

Knows nothing about models' classes or boxes. `onnxruntime` is imported only when it is asked for.
"""

import importlib.metadata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scene.errors import ModelError

WHEELS = ("onnxruntime", "onnxruntime-gpu")
PREFERRED = (
    "CUDAExecutionProvider",
    "CANNExecutionProvider",
    "OpenVINOExecutionProvider",
    "CPUExecutionProvider",
)
"""What is taken where the site file names no provider. TensorRT builds for minutes: ask for it."""
CPU = "CPUExecutionProvider"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Session:
    """A loaded ONNX graph and what runs it."""

    inner: Any
    """The `onnxruntime.InferenceSession`."""
    provider: str
    """The first provider that the session really uses."""
    degraded: str
    """Why that is not the one asked for; empty when it is."""


def installed_wheels() -> dict[str, str]:
    """Give the versions of the ONNX Runtime wheels that are installed, by name."""
    found = {}
    for name in WHEELS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def load_runtime() -> Any:
    """Import `onnxruntime`; raises `ModelError` if it is missing, broken or there twice."""
    wheels = installed_wheels()
    if len(wheels) > 1:
        raise ModelError(
            "onnxruntime and onnxruntime-gpu are both installed and overwrite each other: "
            "run `pip uninstall onnxruntime onnxruntime-gpu`, then install one of them again"
        )
    try:
        import onnxruntime

        onnxruntime.get_available_providers()
    except (ImportError, AttributeError) as error:
        raise ModelError(
            "detection needs ONNX Runtime, which is "
            + ("broken" if wheels else "not installed")
            + f": run `pip install --force-reinstall onnxruntime` ({error})"
        ) from None
    return onnxruntime


def full_name(provider: str, known: Sequence[str]) -> str:
    """Complete a provider's name: `cuda` is `CUDAExecutionProvider`; `ModelError` if unknown.

    >>> full_name("cuda", ["CUDAExecutionProvider"])
    'CUDAExecutionProvider'
    """
    short = {name.removesuffix("ExecutionProvider").lower(): name for name in known}
    name = short.get(provider.removesuffix("ExecutionProvider").lower())
    if name is None:
        raise ModelError(
            f"detection.providers: {provider!r} is no provider of ONNX Runtime; "
            f"it knows {', '.join(sorted(short))}"
        )
    return name


def wanted_providers(
    asked: Sequence[str], available: Sequence[str], known: Sequence[str]
) -> tuple[str, ...]:
    """Put the providers in order of choice: as asked, else the best that is installed."""
    if asked:
        return tuple(dict.fromkeys(full_name(name, known) for name in asked))
    return tuple(name for name in PREFERRED if name in available) or (CPU,)


def why_degraded(wanted: Sequence[str], available: Sequence[str], real: Sequence[str]) -> str:
    """Compare the first provider wanted with the one in use; empty if they are the same.

    >>> why_degraded(["CUDAExecutionProvider"], ["CPUExecutionProvider"], ["CPUExecutionProvider"])
    'wanted CUDA, runs on CPU: this ONNX Runtime was built without CUDA'
    """
    if real and real[0] == wanted[0]:
        return ""
    want, have = (
        name.removesuffix("ExecutionProvider") for name in (wanted[0], real[0] if real else "none")
    )
    if wanted[0] not in available:
        return f"wanted {want}, runs on {have}: this ONNX Runtime was built without {want}"
    return f"wanted {want}, runs on {have}: {want} could not be started on this machine"


def open_session(path: Path, *, providers: Sequence[str], threads: int) -> Session:
    """Load an ONNX file; raises `ModelError` that says what is wrong with it.

    Asking for a provider that can't be had is no error: the session falls back and is `degraded`.
    """
    if not path.is_file():
        raise ModelError(f"{path}: there is no such model file (detection.model)")
    runtime = load_runtime()
    available = list(runtime.get_available_providers())
    wanted = wanted_providers(providers, available, list(runtime.get_all_providers()))
    usable = [name for name in wanted if name in available]
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what matters of it is in our own errors
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    try:
        inner = runtime.InferenceSession(
            str(path), options, providers=list(dict.fromkeys([*usable, CPU]))
        )
    except Exception as error:  # the runtime's exceptions have no common class of their own
        raise ModelError(f"{path}: {_remedy(str(error))}") from None
    real = list(inner.get_providers())
    return Session(
        inner=inner,
        provider=real[0] if real else "none",
        degraded=why_degraded(wanted, available, real),
    )


def _remedy(message: str) -> str:
    first = message.splitlines()[0][:300] if message else "unknown error"
    if "xternal data" in message or "external_data" in message:
        return (
            f"its weights lie in another file that can't be used: export one single file ({first})"
        )
    if "INVALID_PROTOBUF" in message or "ModelProto does not have a graph" in message:
        return "not an ONNX file, or cut off; copy or export it again"
    if "opset" in message.lower() or "ir version" in message.lower():
        return f"too new for this ONNX Runtime; update it or export with an older opset ({first})"
    return f"ONNX Runtime can't load it: {first}"
