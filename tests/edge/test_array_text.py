"""Arrays come back to the last digit; what claims to be one and is none is refused."""

import base64
import json
import zlib
from typing import Any

import numpy as np
import pytest

from edge.array_text import MOST_BYTES, read, written


@pytest.mark.parametrize("kind", ["<f8", "<f4", "<f2", "|u1"])
def test_an_array_comes_back_to_the_last_digit(kind: str) -> None:
    array = np.random.default_rng(1).normal(100, 30, (3, 4, 5)).astype(kind)
    again = read(json.loads(json.dumps(written(array))))
    assert again.dtype == array.dtype and np.array_equal(again, array)
    empty = read(written(array[:0]))
    assert (empty.shape, empty.dtype) == ((0, 4, 5), array.dtype)


def test_other_numbers_are_written_as_floats() -> None:
    assert read(written(np.array([1, 2], np.int64))).tolist() == [1.0, 2.0]


def zipped(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data)).decode()


@pytest.mark.parametrize(
    "said",
    [
        {"type": "<f8", "shape": [2], "zlib": zipped(b"\0" * 15)},
        {"type": "<f8", "shape": [2], "zlib": zipped(b"\0" * 17)},
        {"type": "<f8", "shape": [1], "zlib": zipped(b"\0" * 10**8)},
        {"type": "<f8", "shape": [MOST_BYTES], "zlib": ""},
        {"type": "<f8", "shape": [-1], "zlib": ""},
        {"type": "object", "shape": [1], "zlib": zipped(b"\0" * 8)},
        {"type": "<f8", "shape": [1], "zlib": "!"},
        {"type": "<f8", "shape": [1], "zlib": base64.b64encode(b"none").decode()},
        {"type": "<f8", "shape": ["x"], "zlib": ""},
        {"shape": [1]},
        [],
        None,
    ],
)
def test_what_is_no_array_is_refused(said: Any) -> None:
    with pytest.raises((ValueError, TypeError, LookupError)):
        read(said)
