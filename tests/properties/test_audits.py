"""Audits beside writers in random interleavings: never a false alarm, and one wrong cell is found in one audit.

`TICKET_COUNTS_TEST_WORLDS` says how many worlds each property draws.
"""

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.audit import tenant_audit
from consumers.audit.cycle import stored_counters
from consumers.audit.tenant_audit import TenantAudit, TenantReport, Unproven
from consumers.engine.reevaluation import Reevaluation
from consumers.engine.tenants import Tenants
from consumers.metrics import ConsumerMetrics
from service.domain.counting.scopes import EVERYONE
from tests.consumers.audit.drift import spoil
from tests.oracle.generated.choices import SeededChoices
from tests.oracle.generated.worlds import World, worlds
from tests.properties.driving import Drive, InterleavedStore
from tests.properties.test_worlds import TIMED, large, limit, many, small_bites
from tests.support.pipeline import TOPIC_ID

__all__ = ["small_bites"]


@pytest.fixture(autouse=True, scope="module")
def small_reads() -> Iterator[None]:
    """An audit takes many reads even of a few tickets, and rests for nobody."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tenant_audit, "PAGE", 2)
        patch.setattr(tenant_audit, "COUNTERS", 2)
        patch.setattr(tenant_audit, "REST_SHARE", 0.0)
        patch.setattr(tenant_audit, "AGAIN_S", 0.0)
        yield


@limit
@large
@many
@given(worlds(TIMED), st.integers(0, 2**32))
def test_no_audit_beside_writers_raises_a_false_alarm_and_each_finds_one_wrong_cell(world: World, seed: int) -> None:
    asyncio.run(audit_all_along(world, seed))


async def audit_all_along(world: World, seed: int) -> None:
    choices = SeededChoices(seed)
    store = InterleavedStore(choices, choices.integer(1, 2))
    run = Drive(world, store, choices)
    run.prepare()
    spoilt: str | None = None
    while not run.done:
        report, _ = await asyncio.gather(audited(run, store), some_steps(run))
        assert drift_of(report) <= {spoilt}, report
        if spoilt is None and choices.chance(30):
            spoilt = await spoil_one(run, store)
        elif spoilt is not None and choices.chance(50):
            repaired, _ = await asyncio.gather(audited(run, store, spoilt, repair=True), run.some_steps())
            assert repaired is None or repaired.repaired
            spoilt = None if repaired is not None else spoilt
    await run.finish()
    for tenant in list(store._tenants):
        report = await audited(run, store, tenant)
        assert report is not None
        assert bool(report.drift) == (tenant == spoilt), report


async def some_steps(run: Drive) -> None:
    for _ in range(3):
        if not run.done:
            await run.some_steps()


def drift_of(report: TenantReport | None) -> set[str | None]:
    """The tenant, if anything is wrong with it."""
    return {report.tenant} if report is not None and report.drift else set()


async def spoil_one(run: Drive, store: InterleavedStore) -> str | None:
    """One too many, or too few, in one counter of one tenant, or a counter that nobody has."""
    tenants = sorted(store._tenants)
    if not tenants:
        return None
    tenant = run.choices.pick(tenants)
    counter, part = run.choices.pick(((EVERYONE, ""), ("a:nobody", ""), ("t:nowhere", "")))
    if run.choices.chance(30):
        await spoil(store, tenant, None, {counter: {part: {(3, 1_994_780): 1}}})
    else:
        await spoil(store, tenant, {counter: {part: {1 << run.choices.integer(0, 3): 1}}})
    return tenant


async def audited(
    run: Drive, store: InterleavedStore, tenant: str | None = None, *, repair: bool = False
) -> TenantReport | None:
    """None where nothing could be proven."""
    tenants = sorted(store._tenants)
    if not tenants:
        return None
    name = tenant or run.choices.pick(tenants)
    counters = await stored_counters(store)
    clock = run.workers[0].clock
    mender = Reevaluation(store, Tenants(store.tenant), clock, ConsumerMetrics(), TOPIC_ID) if repair else None
    try:
        return await TenantAudit(store, clock, mender).run(name, counters.get(name, ()))
    except Unproven:
        return None
