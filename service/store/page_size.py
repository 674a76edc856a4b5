"""Adapts the page size of a scan to the cost of the last page: some tickets are a thousand times larger. Pure."""


class PageSize:
    """A page size: starts small, doubles while a page costs less than half of `target`, shrinks when one costs more."""

    def __init__(self, first: int, most: int, target: float) -> None:
        self._most = most
        self._target = target
        self.tickets = min(first, most)

    def note(self, cost: float) -> None:
        """Reports the cost of the last page, in the unit of `target` (seconds or bytes)."""
        if cost > self._target:
            self.tickets = max(1, int(self.tickets * self._target / cost))
        elif 2 * cost < self._target:
            self.tickets = min(self._most, 2 * self.tickets)
