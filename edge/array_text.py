"""Arrays of numbers as JSON, to the last digit; foreign ones are read with a limit.

Knows nothing about what they mean.
"""

import base64
import binascii
import math
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

TYPES = ("<f8", "<f4", "<f2", "|u1")
MOST_BYTES = 4_000_000
"""A larger array is nobody's."""


def written(array: NDArray[Any]) -> dict[str, Any]:
    """Write an array down; of a type that is none of `TYPES` as float64."""
    if array.dtype.str not in TYPES:
        array = array.astype("<f8")
    packed = zlib.compress(np.ascontiguousarray(array).tobytes(), 1)
    text = base64.b64encode(packed).decode()
    return {"type": array.dtype.str, "shape": list(array.shape), "zlib": text}


def read(said: Any) -> NDArray[Any]:
    """Read it again; raises `ValueError`, `TypeError` or `LookupError` for what is none."""
    shape = tuple(int(length) for length in said["shape"])
    if said["type"] not in TYPES or any(length < 0 for length in shape):
        raise ValueError("array: type or shape")
    kind = np.dtype(said["type"])
    size = math.prod(shape) * kind.itemsize
    if size > MOST_BYTES:
        raise ValueError("array: too large")
    try:
        packed = base64.b64decode(said["zlib"], validate=True)
        data = zlib.decompressobj().decompress(packed, size + 1)
    except (binascii.Error, zlib.error) as error:
        raise ValueError(f"array: {error}") from None
    if len(data) != size:
        raise ValueError("array: another size than its shape says")
    return np.frombuffer(data, kind).reshape(shape)
