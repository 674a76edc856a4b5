"""Applies tickets again through the step, as they are at the bucket's timers. Decides nothing about what is wrong."""

import asyncio
from collections.abc import Iterable, Sequence

from consumers.adoption import Adoption
from consumers.catalogue_log import CatalogueLog
from consumers.dead_letters import DeadLetters, FloodGuard
from consumers.metrics import Metrics
from consumers.step import Step
from consumers.tenants import Tenants
from service.clock import Clock
from service.store.port import CounterStore, DueTicket


class StepMender:
    """See `tenant_audit.Mender`."""

    def __init__(self, store: CounterStore, step: Step) -> None:
        self._store = store
        self._step = step

    async def mend(self, tenant: str, generation: str, tickets: Iterable[str]) -> None:
        """As if they were due: their contributions, and when they are due, are worked out and written anew."""
        due = [DueTicket(tenant, generation, ticket, 0) for ticket in tickets]
        await self._step.fire(self._store.bucket(tenant), due, 0, some_of_many=False)


def lone_step(store: CounterStore, clock: Clock, topic_id: str) -> Step:
    """A step beside the consumers, which knows the catalogue as the store has it, and takes no events."""
    metrics = Metrics()
    tenants = Tenants(Adoption(store, CatalogueLog(), metrics), _nothing_newer)
    letters = DeadLetters(_NoLetters(), "", metrics, FloodGuard(1, 1, 1.0))
    return Step(store, tenants, letters, clock, metrics, topic_id)


async def _nothing_newer() -> None:
    """The store's catalogue is all that there is to know."""


class _NoLetters:
    """Without events there is nothing to park."""

    async def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        *,
        timestamp_ms: int | None,
        headers: Sequence[tuple[str, bytes | None]],
    ) -> "asyncio.Future[object]":
        raise AssertionError("tickets that are applied again have no letters")
