"""Writes steps down, numbered, for the recorder: what was done, in the order it took effect.

Knows nothing about what steps say or who does them.
"""

import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from edge import log
from edge.byte_ring import ByteRing


class StepLog:
    """The steps of one start of the pipeline; may be used from several threads."""

    def __init__(self, ring: ByteRing) -> None:
        self._ring, self._writing = ring, threading.Lock()
        self._begun_ns, self._count = time.time_ns(), 0
        self._told = False

    def put(self, do: str, **fields: Any) -> None:
        """Write one down, as JSON; nobody is waited for, and nobody fails for it."""
        self.tell(do, lambda: fields)

    def tell(self, do: str, fields: Callable[[], Mapping[str, Any]]) -> None:
        """Write one down whose fields are still to be put together; that may fail as well.

        Whoever watches over people goes on then. The step's number is missing, and a second run
        notices that.
        """
        trouble: Exception | None = None
        said: Mapping[str, Any] = {}
        try:
            said = fields()  # it may take long: others need not wait for it
        except Exception as error:
            trouble = error
        with self._writing:
            self._count += 1
            step = {"do": do, "pipeline": self._begun_ns, "number": self._count, **said}
            try:
                if trouble is None:
                    self._ring.put(json.dumps(step, separators=(",", ":")).encode())
            except Exception as error:
                trouble = error
        if trouble is not None and not self._told:
            self._told = True
            log.say(
                f"a step can't be recorded ({do}), and maybe further ones: {trouble!r}", "warning"
            )
