"""Look whether the other brokers of a list could take over, while one of them is used.

Knows nothing about how one is looked at. Without it a cluster that has lost two of its three nodes'
certificates is noticed when the third one fails.
"""

import threading
from collections.abc import Callable, Sequence

from delivery.address import Address

LOOK_EVERY_S = 30.0
IN_A_ROW = 2
"""A broker that fails so many looks is told of: one that is just started anew is not."""


class Spares:
    """Looks at the brokers that are not in use, one after the other, in a thread of its own."""

    def __init__(
        self,
        addresses: Sequence[Address],
        in_use: Callable[[], Address | None],
        look: Callable[[Address], str],
        log: Callable[[str], None],
    ) -> None:
        """Prepare; `in_use` is the one that is connected to, `look` says what is wrong with one."""
        self._addresses = tuple(addresses)
        self._in_use, self._look, self._log = in_use, look, log
        self._failed: dict[Address, int] = {}
        self._troubles: dict[Address, str] = {}
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mqtt-spares", daemon=True)

    @property
    def trouble(self) -> str:
        """Which brokers could not take over, and why; empty when all could."""
        return "; ".join(tuple(self._troubles.values()))

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def close(self) -> None:
        """Look no more; who is being looked at is not waited for."""
        self._closing.set()

    def _run(self) -> None:
        while not self._closing.wait(LOOK_EVERY_S):
            self._look_round()

    def _look_round(self) -> None:
        for address in self._addresses:
            used = self._in_use()
            if used is None or self._closing.is_set():
                return  # the connection itself says what is wrong with whom
            if address == used:
                self._found(address, "")
            else:
                self._found(address, self._wrong_with(address))

    def _wrong_with(self, address: Address) -> str:
        try:
            return self._look(address)
        except Exception as error:  # no thread to be had, for instance: the next look may work
            return f"{address.url}: can't be looked at: {type(error).__name__}: {error}"

    def _found(self, address: Address, trouble: str) -> None:
        self._failed[address] = self._failed.get(address, 0) + 1 if trouble else 0
        told = address in self._troubles
        if not trouble:
            self._troubles.pop(address, None)
            if told:
                self._log(f"{address.url}: could take over again")
        elif self._failed[address] >= IN_A_ROW:
            self._troubles[address] = f"{trouble}; it could not take over"
            if not told:
                self._log(self._troubles[address])
