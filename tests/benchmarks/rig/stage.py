"""A small system of a benchmark's own: topics, Redis, and a consumer with nothing else to do. Measures nothing."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from consumers.publish import publish
from service.clock import SystemClock
from service.domain.counting.viewer import Perspective, Role, Viewer
from service.domain.tenants.view import CountRequest, Warming
from service.queries.counts import Answer, CountQueries
from service.store.redis.store import open_store
from tests.benchmarks.rig.ground import Ground
from tests.benchmarks.rig.programs import consumers
from tests.benchmarks.rig.workload import REALM, Size
from tests.servers.kafka.topics import new_topics
from tests.support.waiting import wait_until

COUNTED_S = 300.0
"""Longest wait for what was published before to be counted."""

ADMIN = Viewer("boss", Role.ADMIN)


@dataclass(frozen=True)
class Stage:
    """The running system. `ground` has its topics, `redis` its store."""

    ground: Ground
    redis: str
    reading: CountQueries

    async def answer(self, tenant: str, *filter_ids: str) -> Answer:
        """What an administrator of the tenant sees: `all`, and these filters."""
        return await self.reading.answer(tenant, REALM, CountRequest(ADMIN, Perspective.TEMPLATE, ("all", *filter_ids)))

    async def counted(self, tenant: str, tickets: int) -> None:
        """Returns once so many tickets are in its answer."""

        async def all_counted() -> bool:
            try:
                return (await self.answer(tenant)).counts["all"] == tickets
            except Warming:  # it was loading a moment ago
                return False

        await wait_until(all_counted, COUNTED_S, "every ticket to be counted")


@asynccontextmanager
async def staged(
    ground: Ground, size: Size, entries: Sequence[Mapping[str, Any]], events: Iterable[bytes] = ()
) -> AsyncIterator[Stage]:
    """The system with these entries in its catalogue; `events` are in the topic before its consumer starts."""
    own = replace(ground, topics=new_topics(), size=size)
    await publish([msgspec.json.encode(entry) for entry in entries], own.settings, say=own.say)
    await publish(events, own.settings, say=own.say)
    with own.redis() as redis:
        consumer = consumers(own.directory, own.environ(redis.url))
        consumer.start()
        try:
            async with open_store(redis.url, own.settings.buckets, own.settings.redis_timeout_s) as store:
                yield Stage(own, redis.url, CountQueries(store, SystemClock()))
        finally:
            consumer.stop()


def whole_ticket(tenant: str, number: int, data: Mapping[str, Any], *, sequence: int = 1) -> bytes:
    """An event with all of a ticket."""
    return msgspec.json.encode(
        {
            "specversion": "1.0", "id": f"e{number}", "source": "/bench", "type": "ticket.created",
            "subject": f"T{number}", "tenantid": tenant, "sequence": sequence, "data": data,
        }
    )  # fmt: skip
