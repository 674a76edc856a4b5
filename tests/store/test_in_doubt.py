"""A call that timed out was perhaps carried out: whatever became of it, each event counts once."""

import asyncio
import time
from collections.abc import Callable

import pytest

from service.store.client.pipelined_connection import PipelinedConnection
from service.store.ports.errors import StoreUnavailable
from service.store.ports.steps import Applied, Conflict, TicketWrite
from service.store.redis.store import open_store
from tests.oracle.published.records import Record
from tests.store.contract import (
    BUCKETS,
    NEW,
    NOW,
    TENANT,
    applied,
    batch,
    everyone,
    reaching,
    snapshot,
    stored,
    tenant_batch,
    ticket_state,
)
from tests.store.proxy import Proxy, proxied
from tests.support.pipeline import FakeProducer, Pipeline, published
from tests.support.waiting import wait_until

SHORT_S = 0.3
"""A time-out that a healthy server on loopback never meets."""

LONG_S = 30.0
"""Longer than this test has patience."""

TENANT_ENTRY = {
    "kind": "tenant",
    "value": {"id": TENANT, "name": "Acme", "realm": "r", "statuses": [], "priorities": [], "teams": []},
}


def created(offset: int) -> Record:
    value = (
        b'{"specversion":"1.0","id":"e","source":"/s","type":"ticket.created","subject":"T%d","tenantid":"%s",'
        b'"sequence":1,"data":{"status":"1","createdAt":"2026-11-21T08:00:00Z"}}' % (offset, TENANT.encode())
    )
    return Record(value, None, (), 0, offset)


async def test_a_lost_reply_of_an_apply_is_unavailable_and_may_have_been_written(redis_db: str) -> None:
    async with proxied(redis_db) as proxy, open_store(proxy.url, BUCKETS, SHORT_S) as store:
        assert await store.put_tenant(TENANT, None, stored())
        await applied(store, progress=reaching(1))  # the script is known now
        proxy.lose_next_reply(b"EVALSHA")
        write = tenant_batch(everyone(c0=1), TicketWrite("t", NEW, ticket_state()))
        with pytest.raises(StoreUnavailable):
            await store.apply(batch(write, progress=reaching(2, known=1)))
        assert proxy.lost == 1
        assert (await snapshot(store)).columns == (1,), "it was carried out"
        assert await store.apply(batch(write, progress=reaching(2, known=1))) == Conflict(((TENANT, "t"),))
        assert (await snapshot(store)).columns == (1,)


async def test_a_request_that_arrives_after_its_repetition_is_refused(redis_db: str) -> None:
    async with proxied(redis_db) as proxy, open_store(proxy.url, BUCKETS, SHORT_S) as store:
        assert await store.put_tenant(TENANT, None, stored())
        await applied(store, progress=reaching(1))
        proxy.hold_next(b"EVALSHA")
        write = tenant_batch(everyone(c0=1), TicketWrite("t", NEW, ticket_state()))
        with pytest.raises(StoreUnavailable):
            await store.apply(batch(write, progress=reaching(2, known=1)))
        assert (await snapshot(store)).columns == (0,), "it has not arrived yet"
        assert isinstance(await store.apply(batch(write, progress=reaching(2, known=1))), Applied)
        version = (await snapshot(store)).version
        proxy.release()
        await wait_until(lambda: proxy.lost, 20, "the late reply")
        assert proxy.held == 1
        assert ((await snapshot(store)).columns, (await snapshot(store)).version) == ((1,), version)


async def test_a_request_that_arrives_late_claims_no_freshness_of_its_arrival(redis_db: str) -> None:
    async with proxied(redis_db) as proxy, open_store(proxy.url, BUCKETS, SHORT_S) as store:
        assert await store.put_tenant(TENANT, None, stored())
        await store.time_us()
        await applied(store, progress=reaching(1))
        proxy.hold_next(b"EVALSHA")
        sent_at = time.monotonic()
        with pytest.raises(StoreUnavailable):
            await store.apply(batch(progress=reaching(2, known=1)))
        await wait_until(lambda: time.monotonic() >= sent_at + 1.0, 20, "a second to pass")
        held_ms = (time.monotonic() - sent_at) * 1000
        proxy.release()
        await wait_until(lambda: proxy.lost, 20, "the late reply")
        read = await snapshot(store)
        assert read.positions == {0: 2}, "it was carried out"
        assert read.lags_ms[0] >= held_ms - 1


@pytest.mark.parametrize("fault", [Proxy.lose_next_reply, Proxy.hold_next], ids=["lost reply", "late request"])
async def test_the_step_counts_an_in_doubt_batch_once(redis_db: str, fault: Callable[[Proxy, bytes], None]) -> None:
    async with proxied(redis_db) as proxy, open_store(proxy.url, BUCKETS, SHORT_S) as store:
        pipeline = Pipeline(store, published([TENANT_ENTRY]), FakeProducer(), NOW)
        await pipeline.catch_up()
        await pipeline.consume([created(0)])
        fault(proxy, b"\r\n$2\r\nT1\r\n")
        await pipeline.consume([created(1)])  # its load is in doubt
        fault(proxy, b"\r\n$2\r\nT2\r\n$0\r\n")  # a write of a ticket that was never written
        await pipeline.consume([created(2), created(3)])  # its apply is in doubt
        proxy.release()
        await wait_until(lambda: proxy.lost, 20, "the late reply")
        assert pipeline.metrics.store_failures._value.get() == 2
        tenant = await store.tenant(TENANT)
        assert tenant is not None
        counts = await snapshot(store, record_version=tenant.record_version, generation=tenant.generation)
        assert (counts.columns, counts.positions) == ((4,), {0: 4})


async def test_a_wire_that_is_given_up_tells_all_who_wait_for_it_and_cancels_none(redis_db: str) -> None:
    async with proxied(redis_db) as proxy:
        async with PipelinedConnection(proxy.url, LONG_S) as client:
            await client.call("PING")
            proxy.hold_next(b"first")
            under_way = asyncio.create_task(client.call("GET", "first"))
            await wait_until(lambda: proxy.held, 20, "the request to be held")
            waiting = asyncio.create_task(client.call("GET", "second"))
            await asyncio.sleep(0)
        said = await asyncio.gather(under_way, waiting, return_exceptions=True)
        assert [type(one) for one in said] == [StoreUnavailable, StoreUnavailable]


async def test_nobody_there_is_unavailable_and_the_store_comes_back(redis_db: str) -> None:
    async with proxied(redis_db) as proxy:
        url = proxy.url
    async with open_store(url, BUCKETS, SHORT_S) as store:
        with pytest.raises(StoreUnavailable):
            await store.ping()
        with pytest.raises(StoreUnavailable):
            await store.states([0, 1])
