"""One audit of one tenant: every kind of drift is found in it, nothing else is, and it is put right when asked."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest

from consumers.audit.cycle import AuditSchedule, stored_counters
from consumers.audit.tenant_audit import TenantAudit, TenantReport, Unproven
from consumers.engine.reevaluation import Reevaluation
from consumers.engine.tenants import Tenants
from consumers.metrics import ConsumerMetrics
from service.domain.counting.contributions import Deltas, TimeBuckets
from service.store.ports.auditing import AuditAsk, AuditedStore
from tests.consumers.audit.conftest import TICKETS
from tests.consumers.audit.drift import spoil, spoil_due, spoil_ticket
from tests.consumers.small_world import NOW_US, TENANT, counts, filter_entry, log_of, told
from tests.fakes.memory_store import MemoryStore
from tests.support.pipeline import TOPIC_ID, CatalogueTopic, FakeProducer, Pipeline, SetClock
from tests.support.waiting import wait_until

DAY_US = 24 * 3_600 * 1_000_000
EVERYBODY = ("all", "vip", "late", "week", "open", "done")


def store_of(consumer: Pipeline) -> AuditedStore:
    store: AuditedStore = consumer.store  # type: ignore[assignment]  # both stores can be audited
    return store


async def audited(consumer: Pipeline, *, repair: bool = False) -> TenantReport:
    store = store_of(consumer)
    mender = Reevaluation(store, Tenants(store.tenant), consumer.clock, ConsumerMetrics(), TOPIC_ID) if repair else None
    counters = await stored_counters(store)
    return await TenantAudit(store, consumer.clock, mender).run(TENANT, counters.get(TENANT, ()))


async def test_a_sound_tenant_has_nothing_wrong(consumer: Pipeline) -> None:
    report = await audited(consumer)
    assert (report.cells, report.wrong_tickets, report.drift) == ([], {}, 0)
    assert (report.tickets, report.counters) == (TICKETS, 1 + 4 + 5 + 2)


CELLS: dict[str, tuple[Deltas, TimeBuckets]] = {
    "one too many of everybody's": ({"*": {"": {1: 1}}}, {}),
    "one too few of everybody's": ({"*": {"": {1: -1}}}, {}),
    "one too many of a person's": ({"a:u1": {"t:t1": {1: 1}}}, {}),
    "a missing cell": ({"t:t0": {"": {1: -15}}}, {}),
    "an extra part": ({"r:u1": {"t:elsewhere": {1: 1}}}, {}),
    "an extra counter": ({"a:nobody": {"t:t0": {0b101: 2}}}, {}),
    "an extra column": ({"t:t1": {"": {1 << 40: 1}}}, {}),
    "a timed cell of everybody's": ({}, {"*": {"": {(2, 1_994_780): 1}}}),
    "a timed cell of a person's": ({}, {"a:u1": {"t:t1": {(2, 1_994_780): -1}}}),
    "an extra timed counter": ({}, {"t:elsewhere": {"": {(2, 7): 1}}}),
}


@pytest.mark.parametrize("kind", CELLS)
async def test_an_injected_drift_is_found_in_one_audit_and_repaired_exactly(consumer: Pipeline, kind: str) -> None:
    before = await counts(consumer.store, EVERYBODY)
    await spoil(consumer.store, TENANT, *CELLS[kind])
    (counter,) = {**CELLS[kind][0], **CELLS[kind][1]}
    found = await audited(consumer)
    assert found.cells
    assert {cell.counter for cell in found.cells} == {counter}
    assert found.wrong_tickets == {}
    repaired = await audited(consumer, repair=True)
    assert (repaired.cells, repaired.repaired) == (found.cells, True)
    assert (await audited(consumer)).drift == 0
    assert await counts(consumer.store, EVERYBODY) == before
    await consumer.consume(log_of(*(told(2, f"T{n}", assignee="u9", requester="u9") for n in range(TICKETS))))
    assert (await audited(consumer)).drift == 0, "what was repaired goes on counting rightly"


async def test_a_ticket_that_counts_otherwise_than_its_filters_say_is_found_and_applied_again(
    consumer: Pipeline,
) -> None:
    before = await counts(consumer.store, EVERYBODY)
    await spoil_ticket(consumer.store, TENANT, "T5", mask=1)
    found = await audited(consumer)
    assert set(found.wrong_tickets) == {"T5"}
    assert found.cells, "what the ticket no longer says it counts in is still counted"
    await audited(consumer, repair=True)
    assert (await audited(consumer)).drift == 0
    assert await counts(consumer.store, EVERYBODY) == before


@pytest.mark.parametrize("due_at", [None, NOW_US + DAY_US * 9])
async def test_a_ticket_that_is_due_at_another_time_than_it_should_be(consumer: Pipeline, due_at: int | None) -> None:
    await spoil_ticket(consumer.store, TENANT, "T5", next_change_at=due_at)
    assert set((await audited(consumer)).wrong_tickets) == {"T5"}
    await audited(consumer, repair=True)
    assert (await audited(consumer)).drift == 0


async def test_a_ticket_missing_from_the_due_set_is_found_and_fires_after_its_repair(consumer: Pipeline) -> None:
    await spoil_due(consumer.store, TENANT, "T5")
    assert "is due never in the due set" in (await audited(consumer)).wrong_tickets["T5"]
    await audited(consumer, repair=True)
    assert (await audited(consumer)).drift == 0
    before = (await counts(consumer.store, ["late"]))[0]
    consumer.clock.now = NOW_US + 2 * DAY_US

    async def fired() -> bool:
        await consumer.timers.look()
        return before != (await counts(consumer.store, ["late"]))[0]

    await wait_until(fired, 5.0, "the deadline")
    assert (await audited(consumer)).drift == 0


async def test_what_a_backfill_is_still_at_is_no_drift_but_what_it_is_not_at_is(consumer: Pipeline) -> None:
    consumer._topic.publish(filter_entry("new", {"field": "category", "op": "ne", "value": "vip"}))
    await consumer.catch_up()
    assert consumer.catalogue_sync.to_backfill
    assert (await audited(consumer)).drift == 0
    await spoil_ticket(consumer.store, TENANT, "T5", mask=1)
    assert set((await audited(consumer)).wrong_tickets) == {"T5"}


async def test_a_tenant_that_is_gone_has_nothing_wrong(consumer: Pipeline) -> None:
    assert (await TenantAudit(store_of(consumer), consumer.clock).run("nobody")).drift == 0


async def test_an_audit_beside_another_one_is_unproven_and_leaves_that_alone(consumer: Pipeline) -> None:
    store = store_of(consumer)
    stored = await store.tenant(TENANT)
    assert stored is not None
    ask = AuditAsk(TENANT, stored.generation, "other", begin=True)
    assert await store.audit(ask) is not None
    with pytest.raises(Unproven, match="another audit"):
        await audited(consumer)
    assert await store.audit(AuditAsk(TENANT, stored.generation, "other")) is not None


async def test_the_schedule_measures_drift_and_when_it_was_last_proven(consumer: Pipeline) -> None:
    store = store_of(consumer)
    schedule = AuditSchedule(store, consumer.leases, consumer.clock, consumer.metrics, range(4), 0.01)
    await schedule.look()
    finished = consumer.metrics.audit_finished._value.get()
    assert finished > 0
    assert consumer.metrics.audit_drift._value.get() == 0
    await spoil(store, TENANT, {"*": {"": {1: 1}}})
    running = asyncio.create_task(schedule.run())

    async def found() -> bool:
        return bool(consumer.metrics.audit_drift._value.get())

    await wait_until(found, 5.0, "the drift to be found")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert consumer.metrics.audit_drift._value.get() == 1
    assert consumer.metrics.audit_finished._value.get() > finished


async def test_buckets_of_other_consumers_are_not_looked_at() -> None:
    store = MemoryStore(1)
    other = Pipeline(store, CatalogueTopic(), FakeProducer(), NOW_US)
    assert await other.leases.take(0)
    mine = Pipeline(store, CatalogueTopic(), FakeProducer(), NOW_US)
    looked: list[int] = []
    store.tenants = _noting(looked)  # type: ignore[method-assign, assignment]
    await AuditSchedule(store, mine.leases, SetClock(NOW_US), mine.metrics, range(1), 1.0).look()
    assert looked == []
    await AuditSchedule(store, other.leases, SetClock(NOW_US), other.metrics, range(1), 1.0).look()
    assert looked == [0]


def _noting(looked: list[int]) -> Callable[[int], Coroutine[Any, Any, Sequence[str]]]:
    async def tenants(bucket: int) -> list[str]:
        looked.append(bucket)
        return []

    return tenants
