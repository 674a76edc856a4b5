"""Records that are bad, large or dear, among another tenant's: the neighbour's events are counted all the while."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from itertools import count, cycle
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from tests.hostile.attacker import attacker
from tests.hostile.neighbour import beside, neighbour_of
from tests.journeys.programs import sending
from tests.journeys.programs.asking import Question, admin, realm
from tests.journeys.programs.catalogue_lines import event, saved_filter, tenant
from tests.journeys.programs.system import System, _packed, running_system
from tests.servers.choice import Choice
from tests.servers.kafka.topics import Topics
from tests.support.waiting import wait_until

CALM = "calm"
"""The neighbour's tenant."""

BAD = 900
"""Bad records: a hundred more in a row would be a flood, which stops the consumer by design."""

TICKETS, FILTERS = 3_000, 40
WAITS = 100
"""Of a phase: each is a record on its way through everything."""

ATTACKED, OTHERS = (0, 1), (2, 3)
"""Partitions of the events: those that hostile records are written to, and the rest."""


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
    """Publishes one event after another into some of the partitions, and waits until each is counted."""

    def __init__(self, system: System, producer: AIOKafkaProducer, partitions: Sequence[int]) -> None:
        self._system, self._producer = system, producer
        self._partitions = cycle(partitions)
        self._numbers = count(1)

    async def counted(self) -> None:
        number = next(self._numbers)
        line = event(CALM, f"C{number}", 1)
        packed, key = _packed(line), f"{CALM}/C{number}".encode()
        await self._producer.send_and_wait(
            self._system.topics.events, packed, key=key, partition=next(self._partitions)
        )
        question = Question(CALM, admin())

        async def is_counted() -> bool:
            answer = await self._system.ask.count(question)
            assert answer.counts["all"] <= number
            return answer.counts["all"] == number

        await wait_until(is_counted, 30, f"event {number} to be counted")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("partitions", [OTHERS, ATTACKED], ids=["in other partitions", "in the same partitions"])
async def test_hostile_records_hold_up_nobody(system: System, partitions: Sequence[int]) -> None:
    records = attacker("records", system.kafka, topic=system.topics.events, bad=BAD, partitions=len(ATTACKED))
    async with (
        records as sends,
        sending.opened(system.kafka) as producer,
        neighbour_of(Calm(system, producer, partitions).counted) as other,
    ):

        async def attack() -> None:
            await sends.begin()
            expected: int = await sends.report()

            async def parked() -> bool:
                return await asyncio.to_thread(system.consumers[0].metric, "dead_letters_total") >= expected

            await wait_until(parked, 120, f"{expected} dead letters")

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

    async with sending.opened(system.kafka) as producer, neighbour_of(Calm(system, producer, OTHERS).counted) as other:
        await beside(other, attack, WAITS)
