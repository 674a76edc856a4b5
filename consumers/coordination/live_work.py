"""Whether events or deadlines are being applied just now: backfills and audits give way, whoever's they are."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

LONGEST_WAIT_S = 0.5
"""Longest wait of a backfill or an audit for its next bite: under a load without end it does some hundred tickets a
second."""


class LiveWork:
    """Of one process. The store tells of others' by being slower: bites shrink then."""

    def __init__(self) -> None:
        self._under_way = 0
        self._quiet = asyncio.Event()
        self._quiet.set()

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Around the work."""
        self._under_way += 1
        self._quiet.clear()
        try:
            yield
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._quiet.set()

    async def give_way(self) -> None:
        """Returns when nothing live is under way, after `LONGEST_WAIT_S` at the latest."""
        try:
            async with asyncio.timeout(LONGEST_WAIT_S):
                await self._quiet.wait()
        except TimeoutError:
            pass
