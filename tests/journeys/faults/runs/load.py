"""A seeded load that never ends: random histories of several tenants as records, and edits of their catalogue.

What comes in which order is the seed's; how much of it is sent is the clock's. Never says what the counts are.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from aiokafka import AIOKafkaProducer

from tests.journeys.faults.runs.publisher import Publisher
from tests.journeys.programs.asking import Question
from tests.oracle.generated.bad_records import bad_record
from tests.oracle.generated.choices import Choices, SeededChoices
from tests.oracle.generated.random_conditions import condition
from tests.oracle.generated.random_histories import History
from tests.oracle.generated.random_tickets import Shape, whole_ticket
from tests.oracle.generated.worlds import pools_of, saved, tenant_asks, tenant_entry
from tests.oracle.published.log import as_record
from tests.oracle.published.records import MAX_SEQUENCE, MERGE_PATCH, LogItem, Record

SHAPE = Shape(language="full", shadows=True)
TIMED = replace(SHAPE, times=True, filters=10, least_filters=10)
TIMED_WHERES: tuple[dict[str, Any], ...] = (
    {"field": "dueAt", "op": "within", "value": "today"},
    {"all": [{"field": "state", "op": "eq", "value": "open"}, {"field": "dueAt", "op": "before", "value": "@now"}]},
)
"""Filters that every timed tenant has beside its ten random ones."""

TICKETS = 40
"""Tickets of a tenant that something happens to at any time; few, so that their records follow each other closely."""

BAD_PERCENT = 1
PACE_S = 0.02
"""How often records are sent; what a delay cost is made up."""


class Tenant:
    """One tenant's entries, what is asked about it, and its tickets' histories so far."""

    def __init__(self, choices: Choices, name: str, shape: Shape) -> None:
        self._choices = choices
        self._shape = shape
        self.name = name
        self.entry = tenant_entry(choices, name)
        self._pools = pools_of(choices, self.entry)
        self._saved = saved(choices, shape, name, self._pools)
        self.entries = [{"kind": "tenant", "value": self.entry}, *self._saved]
        if shape.times:
            self.entries += [_timed_filter(name, number, where) for number, where in enumerate(TIMED_WHERES)]
        self.questions = [
            Question(name, ask.viewer, ask.perspective, ask.filter_ids, ask.profile_id, ask.timezone)
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
            where = condition(self._choices, self._shape, self._pools)
            value = {**self._saved[index]["value"], "where": where}
            self._saved[index] = {**self._saved[index], "value": value}
            return self._saved[index]
        status = self._choices.pick(self.entry["statuses"])
        status["closed"] = not status["closed"]
        return {"kind": "tenant", "value": self.entry}

    def _new(self) -> History:
        history = History(self._choices, self._shape, self._pools, self.name, f"INC/{self._told}")
        history.write("ticket.created", whole_ticket(self._choices, self._shape, self._pools))
        self._told += 1
        return history


class Load:
    """Publishes what happens, in order and at a rate, until it is told to stop; the last tenant may stay idle."""

    def __init__(self, publisher: Publisher, seed: int, shapes: list[Shape]) -> None:
        choices = SeededChoices(seed)
        self._choices = choices
        self.publisher = publisher
        self.tenants = [Tenant(choices, f"tenant-{number}", shape) for number, shape in enumerate(shapes)]
        self.busy = list(self.tenants)
        """Those that something happens to; take one out to leave it idle."""
        self.rate = 300.0
        """Records a second."""
        self.shuffled = 0
        """Events sent out of their order, so far."""

    @property
    def entries(self) -> list[dict[str, Any]]:
        """The catalogue to begin with, but for the realm."""
        return [entry for tenant in self.tenants for entry in tenant.entries]

    def edited(self) -> dict[str, Any]:
        """An entry of one of the busy tenants, changed."""
        return self._choices.pick(self.busy).edited()

    @contextmanager
    def idle(self) -> Iterator[Tenant]:
        """Nothing happens to the last busy tenant meanwhile."""
        tenant = self.busy.pop()
        try:
            yield tenant
        finally:
            self.busy.append(tenant)

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
                await self.publisher.send(self._record(next(happening)))
                due -= 1

    async def burst(self, records: int) -> None:
        """Sends so many at once: a backlog."""
        happening = self._happening()
        for _ in range(records):
            await self.publisher.send(self._record(next(happening)))

    async def shuffle(self, records: int) -> None:
        """Sends so many at once, the whole-ticket events among them in any order; the others keep their places."""
        happening = self._happening()
        items = [next(happening) for _ in range(records)]
        whole = [place for place, item in enumerate(items) if _is_whole(item)]
        for place, item in zip(whole, self._choices.shuffled([items[place] for place in whole]), strict=True):
            self.shuffled += items[place] is not item
            items[place] = item
        for item in items:
            await self.publisher.send(self._record(item))

    async def flush(self) -> None:
        """Returns when everything sent is in the topic."""
        await self.publisher.flush()

    def _happening(self) -> Iterator[LogItem]:
        while True:
            yield from self._choices.pick(self.busy).happening()

    def _record(self, item: LogItem) -> Record:
        return as_record(item, binary=self._choices.chance(30))


def plain(tenants: int) -> list[Shape]:
    """Tenants whose counts only events change."""
    return [SHAPE] * tenants


def timed(tenants: int, seconds: float) -> list[Shape]:
    """Tenants with twelve filters whose deadlines fall into the next seconds, each tenant's around one instant."""
    now = datetime.now(UTC)
    instants = (now + timedelta(seconds=seconds * (number + 0.5) / tenants) for number in range(tenants))
    return [replace(TIMED, now=instant.isoformat().replace("+00:00", "Z")) for instant in instants]


@asynccontextmanager
async def opened(producer: AIOKafkaProducer, events_topic: str, seed: int, shapes: list[Shape]) -> AsyncIterator[Load]:
    """A load that sends by this producer."""
    publisher = Publisher(producer, events_topic)
    yield Load(publisher, seed, shapes)
    publisher.close()


def _timed_filter(tenant: str, number: int, where: dict[str, Any]) -> dict[str, Any]:
    value = {"id": f"timed {number}", "tenant": tenant, "name": f"Timed {number}", "type": "time", "where": where}
    return {"kind": "filter", "value": value}


def _is_whole(item: LogItem) -> bool:
    if isinstance(item, Record) or item.get("type") == "ticket.deleted":
        return False
    return not str(item.get("datacontenttype")).startswith(MERGE_PATCH)
