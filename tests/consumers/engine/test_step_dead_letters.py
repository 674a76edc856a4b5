"""Events that a step can't apply: parked once, acknowledged before the position moves, and nothing else held up."""

import asyncio
from typing import Any

import pytest
from aiokafka.errors import KafkaError

from service.store.ports.errors import StoreUnavailable
from tests.consumers.small_world import TENANT, SmallWorld, log_of, patched, tenant_entry, told
from tests.support.pipeline import FakeProducer
from tests.support.waiting import wait_until


async def unavailable() -> None:
    raise StoreUnavailable("away")


async def test_a_patch_without_its_ticket_is_parked_once_however_often_the_step_is_tried() -> None:
    world = SmallWorld()
    consumer = await world.consumer()
    world.store.before_apply += [unavailable, unavailable]
    await consumer.consume(log_of(told(1), patched(1, "T2", status="done"), patched(2, status="done")))
    assert world.producer.places() == [(0, 1)]
    assert world.producer.reasons() == ["data: a patch, but the ticket is unknown or deleted"]
    assert await world.counts("all", "done") == (1, 1)


async def test_the_position_waits_for_the_dead_letter_to_be_acknowledged() -> None:
    acknowledgement: asyncio.Future[object] = asyncio.get_running_loop().create_future()

    class Slow(FakeProducer):
        async def send(self, *arguments: object, **more: object) -> "asyncio.Future[object]":
            return acknowledgement

    world = SmallWorld()
    world.producer = Slow()
    consumer = await world.consumer()
    work = asyncio.create_task(consumer.consume(log_of(told(1), patched(1, "T2", status="done"))))
    await wait_until(consumer.metrics.dead_letters._value.get, 20, "a letter")
    for _ in range(20):
        await asyncio.sleep(0)
    assert not work.done()
    assert world.positions == {}
    acknowledgement.set_result(None)
    await work
    assert world.positions == {0: 2}


async def test_a_bucket_waits_for_its_own_letters_whoever_else_waits_for_letters() -> None:
    first: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    done: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    done.set_result(None)

    class FirstIsSlow(FakeProducer):
        async def send(self, topic: str, value: bytes | None, key: bytes | None, **more: object) -> Any:
            if key == f"{TENANT}/T3".encode():
                for _ in range(10):  # the other bucket begins to wait for its letter meanwhile
                    await asyncio.sleep(0)
            return first if key == f"{TENANT}/T2".encode() else done

    world = SmallWorld(tenant_entry(), tenant_entry("initech"))
    assert world.store.bucket(TENANT) != world.store.bucket("initech")
    world.producer = FirstIsSlow()
    consumer = await world.consumer()
    log = [patched(1, ticket, status="done") for ticket in ("T2", "T3")]
    work = asyncio.create_task(
        consumer.consume(log_of(*log, patched(1, "T9", status="done") | {"tenantid": "initech"}))
    )
    await wait_until(lambda: consumer.metrics.dead_letters._value.get() == 3, 20, "all letters")
    for _ in range(50):
        await asyncio.sleep(0)
    assert world.positions == {}, "the first letter isn't acknowledged"
    first.set_result(None)
    await work
    assert world.positions == {0: 3}


async def test_a_dead_letter_that_can_not_be_sent_keeps_the_position() -> None:
    world = SmallWorld()
    world.producer.failure = KafkaError("no broker")
    consumer = await world.consumer()
    with pytest.raises(KafkaError):
        await consumer.consume(log_of(told(1), patched(1, "T2", status="done")))
    assert world.positions == {}
    world.producer.failure = None
    await consumer.consume(log_of(told(1), patched(1, "T2", status="done")))
    assert world.positions == {0: 2}
    assert world.producer.places() == [(0, 1)]


async def test_events_of_a_tenant_that_went_away_meanwhile_are_parked() -> None:
    world = SmallWorld(tenant_entry(), tenant_entry("globex"))
    consumer = await world.consumer()
    world.topic.append(b"tenant/globex", None)

    async def remove() -> None:
        await consumer.catch_up()

    world.store.before_load.append(remove)
    await consumer.consume(log_of(told(1), told(1, "T9", tenant="globex")))
    assert await world.counts("all") == (1,)
    assert world.producer.reasons() == ["tenantid: no such tenant in the catalogue"]
