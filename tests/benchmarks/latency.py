"""How long one event takes at low load: from its publishing to the snapshot that has it. Never two at a time."""

import asyncio
import random
import time
from dataclasses import replace
from functools import partial

import msgspec
from aiokafka import AIOKafkaProducer

from service.store.ports.reading import CountQuery
from service.store.redis.store import RedisStore, open_store
from tests.benchmarks.rig.figures import Figure
from tests.benchmarks.rig.ground import Ground
from tests.benchmarks.rig.programs import consumers
from tests.benchmarks.rig.workload import Size, events, tenant_ids
from tests.servers.kafka.topics import new_topics
from tests.support.waiting import wait_until

SAMPLES = 300
PAUSE_S = 0.03
"""Between two events, on average."""

LOOK_S = 0.0005
VISIBLE_S = 10.0


async def measured(ground: Ground) -> list[Figure]:
    """Over topics of its own, with a consumer that has nothing else to do."""
    size = Size(events=SAMPLES, tickets=SAMPLES, tenants=4)
    quiet = replace(ground, topics=new_topics(), size=size)
    await quiet.publish_catalogue()
    with quiet.redis() as redis:
        consumer = consumers(quiet.directory, quiet.environ(redis.url))
        consumer.start()
        try:
            async with open_store(redis.url, quiet.settings.buckets, quiet.settings.redis_timeout_s) as store:
                waits = await _sampled(quiet, store)
        finally:
            consumer.stop()
    quiet.say(f"latency: {len(waits)} events")
    places = sorted(1e3 * wait for wait in waits)
    return [
        Figure("publish to snapshot, p50", "ms", (places[len(places) // 2],)),
        Figure("publish to snapshot, p99", "ms", (places[len(places) * 99 // 100],)),
        Figure("publish to snapshot, longest", "ms", (places[-1],)),
    ]


async def _sampled(ground: Ground, store: RedisStore) -> list[float]:
    queries = {}
    for tenant in tenant_ids(ground.size):
        stored = await wait_until(partial(store.tenant, tenant), VISIBLE_S, f"the record of {tenant}")
        assert stored is not None
        queries[tenant] = CountQuery(tenant, stored.record_version, stored.generation, (0,), (), 0)
    counts = dict.fromkeys(queries, 0)
    chance = random.Random(ground.size.seed)
    waits = []
    producer = AIOKafkaProducer(bootstrap_servers=ground.bootstrap, acks="all")
    await producer.start()
    try:
        for line in events(ground.size):
            event = msgspec.json.decode(line)
            tenant = event["tenantid"]
            counts[tenant] += 1
            began = time.perf_counter()
            await producer.send(ground.topics.events, line, f"{tenant}/{event['subject']}".encode())
            await _visible(store, queries[tenant], counts[tenant])
            waits.append(time.perf_counter() - began)
            await asyncio.sleep(PAUSE_S * chance.uniform(0.5, 1.5))
    finally:
        await producer.stop()
    return waits


async def _visible(store: RedisStore, query: CountQuery, count: int) -> None:
    async with asyncio.timeout(VISIBLE_S):
        while True:
            snapshot = await store.snapshot(query)
            if snapshot is not None and snapshot.columns[0] >= count:
                return
            await asyncio.sleep(LOOK_S)
