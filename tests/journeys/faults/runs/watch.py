"""Keeps what the service says while faults happen: some 20 snapshots a second. Judges nothing."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import cycle

import httpx

from tests.journeys.programs.asking import Asking, NotCounted, Question, Snapshot

EVERY_S = 0.05
"""Between two snapshots, of all tenants together."""


class Watch:
    """Asks about each tenant one thing after another, so its snapshots are in the order in which they were taken.

    Tenants don't wait for each other: where one has to wait for what is missing of it, the others go on.
    """

    def __init__(self, asking: Asking, by_tenant: Sequence[Sequence[Question]]) -> None:
        self._asking = asking
        self._by_tenant = by_tenant
        self.snapshots: list[Snapshot] = []
        self.refusals: Counter[str] = Counter()
        """What was said instead of a snapshot, by code."""

    async def run(self) -> None:
        """Asks for ever; cancel it."""
        async with asyncio.TaskGroup() as tasks:
            for questions in self._by_tenant:
                tasks.create_task(self._follow(cycle(questions)))

    async def take(self, question: Question) -> None:
        """One more snapshot, or one more refusal."""
        try:
            self.snapshots.append(await self._asking.count(question))
        except NotCounted as refusal:
            self.refusals[refusal.code] += 1
        except httpx.TransportError as error:
            self.refusals[type(error).__name__] += 1

    async def _follow(self, questions: Iterable[Question]) -> None:
        for question in questions:
            await self.take(question)
            await asyncio.sleep(EVERY_S * len(self._by_tenant))
