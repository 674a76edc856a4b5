"""Keeps what the service says while faults happen: a snapshot every 100 ms. Judges nothing."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import count

import httpx

from tests.journeys.asking import Asking, NotCounted, Question, Snapshot

EVERY_S = 0.1
AT_ONCE = 2
"""Snapshots each time, of tenants in turn: some 20 a second."""


class Watch:
    """Asks one after another, so that the snapshots are in the order in which they were taken."""

    def __init__(self, asking: Asking, by_tenant: Sequence[Sequence[Question]]) -> None:
        self._asking = asking
        self._questions = _in_turn(by_tenant)
        self.snapshots: list[Snapshot] = []
        self.refusals: Counter[str] = Counter()
        """What was said instead of a snapshot, by code."""

    async def run(self) -> None:
        """Asks for ever; cancel it."""
        while True:
            for _ in range(AT_ONCE):
                await self.take(next(self._questions))
            await asyncio.sleep(EVERY_S)

    async def take(self, question: Question) -> None:
        """One more snapshot, or one more refusal."""
        try:
            self.snapshots.append(await self._asking.count(question))
        except NotCounted as refusal:
            self.refusals[refusal.code] += 1
        except httpx.TransportError as error:
            self.refusals[type(error).__name__] += 1


def _in_turn(by_tenant: Sequence[Sequence[Question]]) -> Iterator[Question]:
    for turn in count():
        for questions in by_tenant:
            yield questions[turn % len(questions)]
