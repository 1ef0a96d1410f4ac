"""A clock that shows what it was set to."""


class SetClock:
    """Stands still until it is set."""

    at_ns = 0

    def now_ns(self) -> int:
        return self.at_ns

    def monotonic_s(self) -> float:
        return self.at_ns / 1e9

    def sleep(self, duration_s: float) -> None:
        pass
