"""Whose turn it is among the brokers of a list, and what is wrong with each.

Knows nothing about connections.
"""

from collections.abc import Sequence

from delivery.address import Address


class Rotation:
    """Goes round a list of brokers; one broker is a round of its own. Not thread-safe."""

    def __init__(self, addresses: Sequence[Address]) -> None:
        """Begin with the first."""
        self._addresses = tuple(addresses)
        self._turn = self._tried = 0
        self._troubles: dict[Address, str] = {}

    @property
    def address(self) -> Address:
        """Whose turn it is."""
        return self._addresses[self._turn]

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._addresses)

    @property
    def rounds(self) -> int:
        """How often all were tried in vain."""
        return self._tried // len(self._addresses)

    def go_on(self) -> bool:
        """Let the next one have its turn; tells whether all had theirs, so that a pause is due."""
        self._turn = (self._turn + 1) % len(self._addresses)
        self._tried += 1
        return self._tried % len(self._addresses) == 0

    def lasted(self) -> None:
        """Note that the one whose turn it is was good: what comes now is another outage."""
        self._tried = 0
        self._troubles.clear()

    def note(self, trouble: str) -> bool:
        """Note what is wrong with the one whose turn it is; tells whether that is news."""
        news = self._troubles.get(self.address) != trouble
        self._troubles[self.address] = trouble
        return news

    def troubles(self) -> str:
        """Say what is wrong with whom; empty when nothing is known."""
        known = dict(self._troubles)  # may be asked by another thread than the one that notes
        if self.count == 1:
            return next(iter(known.values()), "")
        return "; ".join(
            f"{one.host}:{one.port}: {known[one]}" for one in self._addresses if one in known
        )
