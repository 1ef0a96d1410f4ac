"""What happened in each bin of a span: the most, the least, the worst state, how long each held.

Knows nothing about what is counted. A bin that was not looked at all the time is "unknown".
"""

from array import array
from collections import Counter
from collections.abc import Iterator, Sequence

from control_room.shift_report.span import Span

UNKNOWN = "unknown"


class States:
    """The worst state of each bin; states that come later in `ranks` are worse."""

    def __init__(self, span: Span, ranks: Sequence[str]) -> None:
        """`ranks` must hold `UNKNOWN`."""
        self._span, self._ranks = span, tuple(ranks)
        self._worst = bytearray([255]) * span.bins
        self._covered_ns = array("q", [0]) * span.bins
        self.held_ns = Counter[str]()
        """How long each state held."""
        self.times = Counter[str]()
        """How often each began."""
        self.longest_ns = Counter[str]()
        self._last: tuple[str, int, int] | None = None

    def add(self, state: str, from_ns: int, until_ns: int) -> None:
        """Take a stretch; they come in order and nowhere twice."""
        for index, part_ns in self._span.parts(from_ns, until_ns):
            self._covered_ns[index] += part_ns
            self._worsen(index, state)
        self.held_ns[state] += until_ns - from_ns
        last = self._last
        if last is not None and last[0] == state and last[2] == from_ns:
            from_ns = last[1]
        else:
            self.times[state] += 1
        self._last = (state, from_ns, until_ns)
        self.longest_ns[state] = max(self.longest_ns[state], until_ns - from_ns)

    def hint(self, state: str, from_ns: int, until_ns: int) -> None:
        """Take what something else tells: it holds only where nobody has looked all the time."""
        for index, _ in self._span.parts(from_ns, until_ns):
            if not self._is_covered(index):
                self._worsen(index, state)

    def covered_ns(self) -> int:
        """Tell for how long anything is known."""
        return sum(self.held_ns.values()) - self.held_ns[UNKNOWN]

    def unknown_ns(self) -> int:
        """Tell for how long nothing is known."""
        return self._span.long_ns - self.covered_ns()

    def worst(self) -> list[str]:
        """Give the worst state of each bin."""
        unknown = self._ranks.index(UNKNOWN)
        found = []
        for index, rank in enumerate(self._worst):
            if not self._is_covered(index):
                rank = unknown if rank == 255 else max(rank, unknown)  # noqa: PLW2901
            found.append(self._ranks[rank])
        return found

    def _is_covered(self, index: int) -> bool:
        return self._covered_ns[index] >= self._span.bin_long_ns(index)

    def _worsen(self, index: int, state: str) -> None:
        rank, before = self._ranks.index(state), self._worst[index]
        self._worst[index] = rank if before == 255 else max(before, rank)


class Figures:
    """The most and the least of a figure in each bin; none where there is none."""

    def __init__(self, span: Span) -> None:
        self._span = span
        self.most: list[int | None] = [None] * span.bins
        self.least: list[int | None] = [None] * span.bins

    def add(self, least: int, most: int, from_ns: int, until_ns: int) -> None:
        """Take figures of a time."""
        for index, _ in self._span.parts(from_ns, until_ns):
            self.add_at(index, least, most)

    def add_at(self, index: int, least: int, most: int) -> None:
        """Take figures of a bin."""
        before = self.most[index]
        self.most[index] = most if before is None else max(before, most)
        before = self.least[index]
        self.least[index] = least if before is None else min(before, least)

    def top(self) -> int:
        """Give the largest figure; 0 without any."""
        return max((one for one in self.most if one is not None), default=0)


def runs(values: Sequence[object]) -> Iterator[tuple[int, int, object]]:
    """Give runs of equal values: first, one past the last, the value.

    >>> [*runs("aab")]
    [(0, 2, 'a'), (2, 3, 'b')]
    """
    start = 0
    for index in range(1, len(values) + 1):
        if index == len(values) or values[index] != values[start]:
            yield start, index, values[start]
            start = index
