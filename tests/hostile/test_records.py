"""Records that are bad, large or dear, among another tenant's: the neighbour's events are counted all the while."""

from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from tests.hostile.neighbour import beside, neighbour_of
from tests.journeys import sending
from tests.journeys.asking import Question, admin, realm
from tests.journeys.catalogue_lines import event, saved_filter, tenant
from tests.journeys.raw_producing import send_raw
from tests.journeys.system import System, _packed, running_system
from tests.journeys.test_hostile_records import HOSTILE
from tests.servers.choice import Choice
from tests.servers.topics import Topics
from tests.waiting import wait_until

CALM = "calm"
"""The neighbour's tenant."""

BAD = 900
"""Bad records: a hundred more in a row would be a flood, which stops the consumer by design."""

TICKETS, FILTERS = 3_000, 40
WAITS = 40
"""Of a phase: each is a record on its way through everything."""


@pytest.fixture
async def system(
    kafka: str, kafka_choice: Choice, redis_db: str, topics: Topics, tmp_path: Path
) -> AsyncIterator[System]:
    if kafka_choice.way == "embedded":
        pytest.skip("needs Apache Kafka: the embedded broker refuses some of these bytes")
    async with running_system(kafka, redis_db, topics, tmp_path) as running:
        await running.start()
        await running.publish(realm("helpdesk"), tenant("acme"), tenant(CALM))
        yield running
        await running.stop()


class Calm:
    """Publishes one event after another, and waits until each is counted."""

    def __init__(self, system: System, producer: AIOKafkaProducer) -> None:
        self._system, self._producer = system, producer
        self._numbers = count(1)

    async def counted(self) -> None:
        number = next(self._numbers)
        line = event(CALM, f"C{number}", 1)
        packed = _packed(line)
        await self._producer.send_and_wait(self._system.topics.events, packed, key=f"{CALM}/C{number}".encode())
        question = Question(CALM, admin())

        async def is_counted() -> bool:
            answer = await self._system.ask.count(question)
            assert answer.counts["all"] <= number
            return answer.counts["all"] == number

        await wait_until(is_counted, 30, f"event {number} to be counted")


@pytest.mark.timeout(300)
async def test_hostile_records_hold_up_nobody(system: System) -> None:
    async def attack() -> None:
        async with sending.opened(system.kafka) as producer:
            for number in range(BAD):
                await producer.send(system.topics.events, b"{" * (number % 500), key=b"acme/B")
        for partition in range(2):
            for raw in HOSTILE.values():
                await send_raw(system.kafka, system.topics.events, partition, raw)

    async with sending.opened(system.kafka) as producer, neighbour_of(Calm(system, producer).counted) as other:
        await beside(other, attack, WAITS)


@pytest.mark.exhaustive
@pytest.mark.timeout(300)
async def test_another_tenants_backfills_hold_up_nobody(system: System) -> None:
    await system.publish(*(event("acme", f"T{n}", 1, category=f"c{n % 7}") for n in range(TICKETS)))
    await system.settled("acme", within_s=60)
    names = [f"f{n}" for n in range(FILTERS)]

    async def attack() -> None:
        lines = [
            saved_filter("acme", f"f{n}", {"field": "category", "op": "eq", "value": f"c{n % 7}"})
            for n in range(FILTERS)
        ]
        for line in lines:
            await system.publish(line)

        async def filled() -> bool:
            found = await system.asked(Question("acme", admin(), filter_ids=tuple(names)))
            return found is not None and sum(found.counts.values()) > 0

        await wait_until(filled, 120, "all filters to be filled")

    async with sending.opened(system.kafka) as producer, neighbour_of(Calm(system, producer).counted) as other:
        await beside(other, attack, WAITS)
