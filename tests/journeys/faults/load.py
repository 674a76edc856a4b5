"""A seeded load that never ends: random histories of several tenants as records, and edits of their catalogue.

What comes in which order is the seed's; how much of it is sent is the clock's. Never says what the counts are.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaProducer

from tests.journeys import sending
from tests.journeys.asking import Question
from tests.oracle.bad_records import bad_record
from tests.oracle.choices import Choices, SeededChoices
from tests.oracle.log import as_record
from tests.oracle.random_conditions import condition
from tests.oracle.random_histories import History
from tests.oracle.random_tickets import Shape, whole_ticket
from tests.oracle.records import MAX_SEQUENCE, LogItem
from tests.oracle.worlds import pools_of, saved, tenant_asks, tenant_entry

SHAPE = Shape(language="full", shadows=True)
TICKETS = 40
"""Tickets of a tenant that something happens to at any time; few, so that their records follow each other closely."""

BAD_PERCENT = 1
PACE_S = 0.02
"""How often records are sent; what a delay cost is made up."""


class Tenant:
    """One tenant's entries, what is asked about it, and its tickets' histories so far."""

    def __init__(self, choices: Choices, name: str) -> None:
        self._choices = choices
        self.name = name
        self.entry = tenant_entry(choices, name)
        self._pools = pools_of(choices, self.entry)
        self._saved = saved(choices, SHAPE, name, self._pools)
        self.entries = [{"kind": "tenant", "value": self.entry}, *self._saved]
        self.questions = [
            Question(name, ask.viewer, ask.perspective, ask.filter_ids, ask.profile_id)
            for ask in tenant_asks(choices, name, self._pools, self.entries)
        ]
        self._told = 0
        self._histories: list[History] = []

    def happening(self) -> list[LogItem]:
        """What one of its tickets tells next: nothing, a record, or some."""
        if len(self._histories) < TICKETS:
            self._histories.append(self._new())
            return list(self._histories[-1].items)
        chosen = self._choices.integer(0, TICKETS - 1)
        history = self._histories[chosen]
        before = len(history.items)
        history.step()
        told = history.items[before:]
        if history.sequence == MAX_SEQUENCE:  # nothing can happen to it any more
            self._histories[chosen] = self._new()
            told += self._histories[chosen].items
        if self._choices.chance(BAD_PERCENT):
            told = [*told, bad_record(self._choices, self.name, history.ticket)]
        return told

    def edited(self) -> dict[str, Any]:
        """A filter or profile of its with another condition, or a status that is closed now and wasn't, or back."""
        if self._saved and self._choices.chance(70):
            index = self._choices.integer(0, len(self._saved) - 1)
            where = condition(self._choices, SHAPE, self._pools)
            value = {**self._saved[index]["value"], "where": where}
            self._saved[index] = {**self._saved[index], "value": value}
            return self._saved[index]
        status = self._choices.pick(self.entry["statuses"])
        status["closed"] = not status["closed"]
        return {"kind": "tenant", "value": self.entry}

    def _new(self) -> History:
        history = History(self._choices, SHAPE, self._pools, self.name, f"INC/{self._told}")
        history.write("ticket.created", whole_ticket(self._choices, SHAPE, self._pools))
        self._told += 1
        return history


class Load:
    """Publishes what happens, in order and at a rate, until it is told to stop; the last tenant may stay idle."""

    def __init__(self, producer: AIOKafkaProducer, events_topic: str, seed: int, tenants: int) -> None:
        choices = SeededChoices(seed)
        self._choices = choices
        self._producer = producer
        self._topic = events_topic
        self.tenants = [Tenant(choices, f"tenant-{number}") for number in range(tenants)]
        self.busy = list(self.tenants)
        """Those that something happens to; take one out to leave it idle."""
        self.rate = 300.0
        """Records a second."""
        self.sent = 0

    @property
    def entries(self) -> list[dict[str, Any]]:
        """The catalogue to begin with, but for the realm."""
        return [entry for tenant in self.tenants for entry in tenant.entries]

    def edited(self) -> dict[str, Any]:
        """An entry of one of the busy tenants, changed."""
        return self._choices.pick(self.busy).edited()

    async def run(self) -> None:
        """Sends for ever; cancel it, then `flush`."""
        loop = asyncio.get_running_loop()
        happening = self._happening()
        due, last = 0.0, loop.time()
        while True:
            await asyncio.sleep(PACE_S)
            now = loop.time()
            due += (now - last) * self.rate
            last = now
            while due >= 1:
                await self._send(next(happening))
                due -= 1

    async def burst(self, records: int) -> None:
        """Sends so many at once: a backlog."""
        happening = self._happening()
        for _ in range(records):
            await self._send(next(happening))

    async def flush(self) -> None:
        """Returns when everything sent is in the topic."""
        await self._producer.flush()

    def _happening(self) -> Iterator[LogItem]:
        while True:
            yield from self._choices.pick(self.busy).happening()

    async def _send(self, item: LogItem) -> None:
        record = as_record(item, binary=self._choices.chance(30))
        key = b"" if record.value is None and record.key is None else record.key  # the client wants either; as bad
        await self._producer.send(self._topic, record.value, key, headers=list(record.headers))
        self.sent += 1


@asynccontextmanager
async def opened(kafka: str, events_topic: str, seed: int, tenants: int) -> AsyncIterator[Load]:
    """A load with a producer of its own."""
    async with sending.opened(kafka) as producer:
        yield Load(producer, events_topic, seed, tenants)
