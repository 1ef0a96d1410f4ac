"""Write an ONNX model, byte by byte: the few messages of its protocol buffer that a graph needs.

Knows nothing about what a graph computes. Field numbers are those of `onnx/onnx.proto`; the package
`onnx` writes the same, but a gateway need not have it.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

IR_VERSION, OPSET = 8, 16
"""Of 2021: old enough for every ONNX Runtime that we allow, new enough for GridSample."""
TYPES = {"float32": 1, "uint8": 2, "int64": 7}
FLOAT, INT, STRING = 1, 2, 3
"""Kinds of attribute."""

Attribute = float | int | str


@dataclass(frozen=True, slots=True)
class Value:
    """An input or output: name, element type (a key of `TYPES`) and fixed shape."""

    name: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(slots=True)
class Graph:
    """A graph that is being built, node by node, in the order of computation."""

    inputs: list[Value] = field(default_factory=list)
    outputs: list[Value] = field(default_factory=list)
    _nodes: list[bytes] = field(default_factory=list)
    _constants: list[bytes] = field(default_factory=list)

    def input(self, name: str, dtype: str, shape: tuple[int, ...]) -> str:
        """Add an input; gives its name."""
        self.inputs.append(Value(name, dtype, shape))
        return name

    def output(self, name: str, dtype: str, shape: tuple[int, ...]) -> None:
        """Say that a value is an output."""
        self.outputs.append(Value(name, dtype, shape))

    def constant(self, name: str, array: NDArray[Any]) -> str:
        """Add a constant; gives its name."""
        dims = b"".join(_int(1, size) for size in array.shape)
        kind = _int(2, TYPES[array.dtype.name])
        self._constants.append(dims + kind + _text(8, name) + _bytes(9, array.tobytes()))
        return name

    def node(self, op: str, inputs: Sequence[str], output: str, **attributes: Attribute) -> str:
        """Add a node with one output, which gives the node its name; gives it back."""
        parts = [_text(1, name) for name in inputs]
        parts += [_text(2, output), _text(3, output), _text(4, op)]
        parts += [_bytes(5, _attribute(name, value)) for name, value in attributes.items()]
        self._nodes.append(b"".join(parts))
        return output

    def model(self) -> bytes:
        """Give the whole model, as a file would hold it."""
        graph = [_bytes(1, node) for node in self._nodes]
        graph += [_text(2, "lamproom")]
        graph += [_bytes(5, constant) for constant in self._constants]
        graph += [_bytes(11, _value(value)) for value in self.inputs]
        graph += [_bytes(12, _value(value)) for value in self.outputs]
        opset = _text(1, "") + _int(2, OPSET)
        return (
            _int(1, IR_VERSION)
            + _text(2, "lamproom")
            + _bytes(7, b"".join(graph))
            + _bytes(8, opset)
        )


def _value(value: Value) -> bytes:
    shape = b"".join(_bytes(1, _int(1, size)) for size in value.shape)
    tensor = _int(1, TYPES[value.dtype]) + _bytes(2, shape)
    return _text(1, value.name) + _bytes(2, _bytes(1, tensor))


def _attribute(name: str, value: Attribute) -> bytes:
    head = _text(1, name)
    if isinstance(value, str):
        return head + _text(4, value) + _int(20, STRING)
    if isinstance(value, int):
        return head + _int(3, value) + _int(20, INT)
    return head + _varint(2 << 3 | 5) + struct.pack("<f", value) + _int(20, FLOAT)


def _int(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _text(number: int, value: str) -> bytes:
    return _bytes(number, value.encode())


def _bytes(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    """Write seven bits a byte, the lowest first; negative numbers as 64-bit two's complement.

    >>> _varint(300).hex()
    'ac02'
    >>> len(_varint(-1))
    10
    """
    value &= 0xFFFF_FFFF_FFFF_FFFF
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
