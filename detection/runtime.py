"""ONNX Runtime: whether it can be used here, and on what it really runs.

Knows nothing about models' classes or boxes. `onnxruntime` is imported only when it is asked for.
"""

import hashlib
import importlib.metadata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detection.binding import DEVICES, BoundSession
from detection.external_data import external_files
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
TENSORRT = "TensorrtExecutionProvider"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Session:
    """A loaded ONNX graph and what runs it."""

    inner: Any
    """The `onnxruntime.InferenceSession`, or a `BoundSession` round it."""
    wanted: tuple[str, ...]
    """Providers in order of choice."""
    available: tuple[str, ...]
    """What this ONNX Runtime was built with."""
    note: str = ""
    """What else is not as it should be; mostly empty."""

    @property
    def provider(self) -> str:
        """The first provider that really runs a part of the graph, as of now.

        ONNX Runtime may fall back in the midst of a run, so this is asked anew each time.
        """
        return next(iter(busy_providers(self.inner)), "none")

    @property
    def degraded(self) -> str:
        """Why inference does not run as it was asked for; empty when it does."""
        real = busy_providers(self.inner)
        idle = [name for name in self.inner.get_providers() if name not in real]
        why = why_degraded(self.wanted, self.available, real, idle)
        reasons = (why, getattr(self.inner, "trouble", ""), self.note)
        return "; ".join(reason for reason in reasons if reason)


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


def why_degraded(
    wanted: Sequence[str], available: Sequence[str], real: Sequence[str], idle: Sequence[str] = ()
) -> str:
    """Compare the first provider wanted with the one in use; empty if they are the same.

    `idle` ones have started and yet run nothing.

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
    if wanted[0] in idle:
        return f"wanted {want}, runs on {have}: {want} can run no part of this model"
    return f"wanted {want}, runs on {have}: {want} could not be started on this machine"


def busy_providers(inner: Any) -> list[str]:
    """List the providers that a session uses, in its order, less those that run no node.

    A provider may be there and yet leave the whole graph to the next one. Before ONNX Runtime 1.24
    nobody can tell: then all of them count.
    """
    names = list(inner.get_providers())
    try:
        busy = {part.ep_name for part in inner.get_provider_graph_assignment_info()}
    except Exception:  # not known, or not recorded: the runtime has no class of its own for that
        return names
    return [name for name in names if name in busy] or names


def with_options(
    providers: Sequence[str], engines: Path, files: Sequence[Path]
) -> tuple[list[Any], str]:
    """Give TensorRT a place below `engines` for what it builds, and say why if that can't be.

    It builds for minutes; what it has built is ready at once. It knows an engine by the names in
    the graph and not by the weights: so each content of `files` gets a folder of its own, or a
    model that was trained anew would run with the old weights.
    """
    if TENSORRT not in providers:
        return list(providers), ""
    options: dict[str, Any] = {}
    note = ""
    try:
        folder = engines / _fingerprint(files)
        folder.mkdir(parents=True, exist_ok=True)
        options = {
            "trt_engine_cache_enable": True,
            "trt_engine_cache_path": str(folder),
            "trt_timing_cache_enable": True,
            "trt_timing_cache_path": str(folder),
        }
    except OSError as error:
        note = f"TensorRT builds its engines anew at each start: {engines}: {error.strerror}"
    return [(name, options) if name == TENSORRT else name for name in providers], note


def _fingerprint(files: Sequence[Path]) -> str:
    whole = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            whole.update(hashlib.file_digest(file, "sha256").digest())
    return whole.hexdigest()[:16]


def open_session(path: Path, *, providers: Sequence[str], threads: int) -> Session:
    """Load an ONNX file; raises `ModelError` that says what is wrong with it.

    Asking for a provider that can't be had is no error: the session falls back and is `degraded`.
    What TensorRT has built is kept beside the model, in a folder `<model>.engines`.
    """
    if not path.is_file():
        raise ModelError(f"{path}: there is no such model file (detection.model)")
    runtime = load_runtime()
    files = (path, *external_files(path))
    available = list(runtime.get_available_providers())
    wanted = wanted_providers(providers, available, list(runtime.get_all_providers()))
    usable = [name for name in wanted if name in available]
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what matters of it is in our own errors
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    chosen, note = with_options(
        list(dict.fromkeys([*usable, CPU])),
        path.with_name(f"{path.name}.engines"),
        files,
    )
    try:
        inner = runtime.InferenceSession(str(path), options, providers=chosen)
    except Exception as error:  # the runtime's exceptions have no common class of their own
        raise ModelError(f"{path}: {_remedy(str(error))}") from None
    device = DEVICES.get(next(iter(busy_providers(inner)), ""))
    return Session(
        inner=BoundSession(inner, runtime, device) if device else inner,
        wanted=wanted,
        available=tuple(available),
        note=note,
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
