"""Gives events and due tickets priority over backfills and audits of the same process. Never delays live work."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

LONGEST_WAIT_S = 0.5
"""Longest wait of a backfill or an audit before its next batch: under constant load it still does some hundred tickets
a second."""


class LiveWork:
    """Counts the live work of one process. Other processes' load makes batches slower, and so smaller (`PageSize`)."""

    def __init__(self) -> None:
        self._under_way = 0
        self._quiet = asyncio.Event()
        self._quiet.set()

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Marks live work as running while the context is open."""
        self._under_way += 1
        self._quiet.clear()
        try:
            yield
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._quiet.set()

    async def give_way(self) -> None:
        """Waits until no live work is running, for at most `LONGEST_WAIT_S`."""
        try:
            async with asyncio.timeout(LONGEST_WAIT_S):
                await self._quiet.wait()
        except TimeoutError:
            pass
