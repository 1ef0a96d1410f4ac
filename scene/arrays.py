"""Array types and sharing rules. Knows nothing about what the numbers mean."""

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

A = TypeVar("A", bound=NDArray[Any])


def read_only(array: A) -> A:
    """Give a view of `array` that can't be written through.

    >>> read_only(np.zeros(2)).flags.writeable
    False
    """
    view = array.view()
    view.flags.writeable = False
    return view
