"""Numbers and signs what one process says, so that readers see gaps and know who spoke.

Knows nothing about MQTT.
"""

import contextlib
import threading
from pathlib import Path

from delivery.aside import Aside, StalledError
from delivery.signing import Signer
from scene.clock import Clock
from scene.whole_file import write_whole
from scene.wire import Message, encode, type_name

PATIENCE_S = 1.5
"""A disk that does not answer within so long is not waited for: alarms must go out."""


def next_run(file: Path, clock: Clock, *, after: int = 0) -> int:
    """Give the number of this start: the time in UTC ns, but always more than the one before.

    And more than `after`, which others were heard under.

    That one is kept in `file`; a disk that hangs or does not take it costs only that a clock which
    is set back over a restart is taken for somebody who plays old messages.
    """
    runs: list[int] = []

    def count() -> None:
        before = 0
        with contextlib.suppress(OSError, ValueError):
            before = int(file.read_text(encoding="ascii"))
        run = max(clock.now_ns(), before + 1, after + 1)
        runs.append(run)
        with contextlib.suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(file, f"{run}\n".encode())

    with contextlib.suppress(StalledError):
        Aside("run-number").do(count, PATIENCE_S)
    return runs[0] if runs else max(clock.now_ns(), after + 1)


class Voice:
    """Writes messages of one start; thread-safe."""

    def __init__(self, clock: Clock, *, run: int, signer: Signer | None = None) -> None:
        self._clock = clock
        self.run = run
        self._signer = signer
        self._lock = threading.Lock()
        self._seq: dict[str, int] = {}

    def write(self, topic: str, message: Message, *, gateway: str) -> tuple[int, bytes]:
        """Give a message's number and its bytes for this topic."""
        kind = type_name(message)
        with self._lock:
            run, seq = self.run, self._seq.get(kind, 0) + 1
            self._seq[kind] = seq
        return seq, self._bytes(topic, message, gateway, run, seq)

    def renew(self, run: int) -> None:
        """Go on as after another start, whose number is higher: everything counts from 1 again."""
        with self._lock:
            self.run = run
            self._seq.clear()

    def last_will(self, topic: str, message: Message, *, gateway: str) -> bytes:
        """Give the bytes that a broker shall say when we vanish: number 0, as it may come late."""
        return self._bytes(topic, message, gateway, self.run, 0)

    def unsaid(self, kind: str) -> None:
        """Take the last number of a type back: the message did not go out, nothing was missed."""
        with self._lock:
            self._seq[kind] = max(0, self._seq.get(kind, 0) - 1)

    def _bytes(self, topic: str, message: Message, gateway: str, run: int, seq: int) -> bytes:
        payload = encode(
            message, gateway=gateway, run=run, seq=seq, sent_at_ns=self._clock.now_ns()
        )
        return payload if self._signer is None else self._signer.sign(topic, payload)
