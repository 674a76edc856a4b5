"""Audits, rebuilds and writers of the same tenants at once: no false alarm, and what was wrong is right in the end."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from consumers.audit.tenant_audit import TenantReport
from tests.oracle.generated.choices import SeededChoices
from tests.oracle.generated.worlds import World, worlds
from tests.oracle.recount import Recount
from tests.properties.driving import Drive, InterleavedStore
from tests.properties.test_audits import audited, drift_of, small_reads, some_steps, spoil_one
from tests.properties.test_rebuilds import TIMED, Rebuilds, large, limit, many, small_bites
from tests.properties.test_worlds import accepted, compare, want_all_profiles

__all__ = ["small_bites", "small_reads"]

REBUILD_STEPS = 3
"""A rebuild of a few tickets takes some five; now and then one is killed."""


@limit
@large
@many
@given(worlds(TIMED), st.integers(0, 2**32), st.booleans())
def test_what_is_audited_and_rebuilt_at_once_is_neither_accused_nor_spoilt(
    world: World, seed: int, from_store: bool
) -> None:
    asyncio.run(audited_and_rebuilt(world, seed, from_store))


async def writers_and_rebuilds(run: Drive, rebuilds: Rebuilds) -> None:
    """Long enough for a swap in the middle of audits."""
    for _ in range(REBUILD_STEPS):
        await asyncio.gather(some_steps(run), rebuilds.some_steps())


async def audits_beside(work: asyncio.Task[None], run: Drive, store: InterleavedStore) -> list[TenantReport]:
    """One after another until the work is done, some of them with repairs."""
    reports = []
    while not work.done():
        await asyncio.sleep(0)  # there may be no tenant yet
        report = await audited(run, store, repair=run.choices.chance(50))
        reports += [] if report is None else [report]
    await work
    return reports


async def audited_and_rebuilt(world: World, seed: int, from_store: bool) -> None:
    choices = SeededChoices(seed)
    store = InterleavedStore(choices, choices.integer(1, 2))
    run = Drive(world, store, choices)
    run.prepare()
    await asyncio.gather(*(worker.catch_up() for worker in run.workers))  # so that every tenant is there
    rebuilds = Rebuilds(run, store, choices, from_store)
    spoilt: set[str | None] = set()
    while not run.done:
        work = asyncio.create_task(writers_and_rebuilds(run, rebuilds))
        for report in await audits_beside(work, run, store):
            assert drift_of(report) <= spoilt, report
            if report.repaired:
                spoilt.discard(report.tenant)  # whatever is found of it from now on was done by the repair
        if choices.chance(30):
            spoilt.add(await spoil_one(run, store))
    await run.finish()
    await rebuilds.finish()
    for tenant in rebuilds.tenants:
        last = await audited(run, store, tenant)
        assert last is not None, "nobody else is at it now"
        assert not last.drift, last
    oracle = Recount(accepted(run))
    oracle.feed(run.log)
    await run.settle()
    await want_all_profiles(run, oracle)
    for ask in world.requests:
        assert await compare(run, oracle, ask)
