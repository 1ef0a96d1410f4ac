"""Which files beside it an ONNX model reads its weights from, told before ONNX Runtime opens it.

Knows nothing about what the weights are. A model may come from anywhere: one that names
`../../etc/passwd`, an absolute path or a link out of its folder is refused. Field numbers are those
of `onnx/onnx.proto`; the package `onnx` reads the same, but a gateway need not have it.
"""

import mmap
import os
from collections.abc import Iterator
from pathlib import Path

from scene.errors import ModelError

INSIDE = {
    "ModelProto": {7: "GraphProto", 20: "TrainingInfoProto", 25: "FunctionProto"},
    "GraphProto": {1: "NodeProto", 5: "TensorProto", 15: "SparseTensorProto"},
    "TrainingInfoProto": {1: "GraphProto", 2: "GraphProto"},
    "FunctionProto": {7: "NodeProto", 11: "AttributeProto"},
    "NodeProto": {5: "AttributeProto"},
    "AttributeProto": {
        5: "TensorProto",
        6: "GraphProto",
        10: "TensorProto",
        11: "GraphProto",
        22: "SparseTensorProto",
        23: "SparseTensorProto",
    },
    "SparseTensorProto": {1: "TensorProto", 2: "TensorProto"},
    "TensorProto": {13: "StringStringEntryProto"},
}
"""The messages on the way to a tensor's external data, by field number."""
ENTRY = "StringStringEntryProto"
KEY, VALUE = 1, 2
DEEPEST = 100
"""Protocol buffers go no deeper either."""
UNREADABLE = "not an ONNX file, or cut off; copy or export it again"


class _UnreadableError(Exception):
    """The bytes are no protocol buffer."""


def external_files(model: Path) -> tuple[Path, ...]:
    """List the files that a model's tensors point to, each inside the model's folder and there.

    Raises `ModelError` for one that isn't, or when the model can't be read. It tells of now:
    whoever can write into the folder can still change it before the model is loaded.
    """
    folder = model.parent
    return tuple(_checked(model, folder, location) for location in _locations_of(model))


def _checked(model: Path, folder: Path, location: str) -> Path:
    why = ""
    try:
        if os.path.isabs(location) or not (folder / location).resolve().is_relative_to(
            folder.resolve()
        ):
            why = "leaves the model's folder"
        elif not (folder / location).is_file():
            why = "is not there"
    except (ValueError, OSError, RuntimeError):  # a NUL, too long, links in a circle
        why = "is no file name"
    if why:
        raise ModelError(
            f"{model}: its weights lie in another file that can't be used: {location[:200]!r} "
            f"{why}; put the weights beside the model, or export one single file"
        )
    return folder / os.path.normpath(location)


def _locations_of(model: Path) -> list[str]:
    try:
        with model.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return sorted(set(_locations(data, 0, len(data), "ModelProto", 0)))
    except (_UnreadableError, UnicodeDecodeError, ValueError):  # `ValueError`: an empty file
        raise ModelError(f"{model}: {UNREADABLE}") from None
    except OSError as error:
        raise ModelError(f"{model}: can't be read: {error}") from None


def _locations(data: mmap.mmap, start: int, end: int, message: str, depth: int) -> Iterator[str]:
    """Yield every `location` within a message, whether or not `data_location` says to heed it.

    A field that is given twice is merged by protocol buffers; here each is looked at, so nothing
    hides in a second one.
    """
    if depth > DEEPEST:
        raise _UnreadableError
    inside = INSIDE[message]
    for number, first, last in _fields(data, start, end):
        kind = inside.get(number)
        if kind == ENTRY:
            entry = {field: data[a:b] for field, a, b in _fields(data, first, last)}
            if entry.get(KEY) == b"location":
                yield entry.get(VALUE, b"").decode()
        elif kind is not None:
            yield from _locations(data, first, last, kind, depth + 1)


def _fields(data: mmap.mmap, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield number, start and end of the fields that hold bytes; skip the others."""
    while at < end:
        tag, at = _varint(data, at, end)
        number, wire = (tag & 0xFFFF_FFFF) >> 3, tag & 7
        if number == 0:
            raise _UnreadableError
        if wire == 0:
            _, at = _varint(data, at, end)
        elif wire in (1, 5):
            at += 8 if wire == 1 else 4
        elif wire == 2:
            size, at = _varint(data, at, end)
            if at + size > end:
                raise _UnreadableError
            yield number, at, at + size
            at += size
        elif wire > 5:
            raise _UnreadableError
        # wire 3 and 4 begin and end a group, which ONNX never has; its fields are looked at too
    if at > end:
        raise _UnreadableError


def _varint(data: mmap.mmap, at: int, end: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= end:
            break
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise _UnreadableError
