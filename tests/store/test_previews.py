"""Previews within their limits: what they wait for, what they refuse, and what moves under them while they scan."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from service import turns
from service.domain.catalogue.catalogue import Profile
from service.domain.conditions.condition import AllOf, AnyOf, Condition, Leaf, Not
from service.domain.counting.viewer import Perspective, Role, Viewer
from service.domain.tenants.view import InvalidIds, Warming
from service.domain.tickets.ticket import TicketState
from service.queries import previews as previewing
from service.queries.counts import CountQueries, UnknownTenant
from service.queries.previews import Preview, PreviewLimits, PreviewQueries, PreviewRequest, Unfinished
from service.store.ports.budgets import OverBudget
from service.store.ports.catalogue import StoredTenant
from service.store.ports.errors import StoreUnavailable
from service.store.ports.reading import CounterReader, TicketPage
from service.store.ports.steps import TicketWrite
from service.store.redis.store import RedisStore, open_store
from tests.fakes.memory_store import MemoryStore
from tests.servers.redis.redis_server import RedisServer
from tests.store.contract import (
    BUCKETS,
    NEW,
    NOW,
    TENANT,
    Store,
    applied,
    revision,
    stored,
    tenant_batch,
    ticket_state,
)
from tests.support.waiting import wait_until

TICKETS = 500
PRIORITY = Leaf("priority", "eq", "high")
"""Holds for every second ticket."""
LIMITS = PreviewLimits(tickets=10_000, deadline_s=30, at_once=2)


class SetClock:
    def now_us(self) -> int:
        return NOW


def question(where: Condition = PRIORITY, **changes: Any) -> PreviewRequest:
    asked = PreviewRequest(Viewer("ann", Role.ADMIN), Perspective.TEMPLATE, where, None, "UTC")
    return msgspec.structs.replace(asked, **changes)


def previews(reader: CounterReader, **changes: Any) -> PreviewQueries:
    limits = msgspec.structs.replace(LIMITS, **changes)
    return PreviewQueries(CountQueries(reader, SetClock()), reader, SetClock(), limits)


async def preview(made: PreviewQueries, **changes: Any) -> Preview:
    return await made.count(TENANT, "realm", question(**changes))


async def fill(store: Store, tickets: int = TICKETS) -> None:
    """Tickets with priority high and low in turn, and as many deleted ones."""
    writes = [
        TicketWrite(f"t{number}", NEW, ticket_state(priority="high" if number % 2 else "low"))
        for number in range(tickets)
    ]
    gone = [TicketWrite(f"gone{number}", NEW, TicketState(1, None, NOW)) for number in range(tickets)]
    await applied(store, tenant_batch(None, *writes, *gone))


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(previewing, "PAGE", 50)
    monkeypatch.setattr(previewing, "FIRST_PAGE", 50)


@pytest.fixture
async def memory() -> MemoryStore:
    made = MemoryStore(BUCKETS)
    await made.set_tenants_read()
    assert await made.put_tenant(TENANT, None, stored())
    await fill(made)
    return made


class Scanned(MemoryStore):
    """Does something before a page, or gives pages of its own."""

    def __init__(self) -> None:
        super().__init__(BUCKETS)
        self.cursors: list[int] = []
        self.before: Callable[[int], object] = lambda page: None

    async def ticket_states(self, tenant: str, generation: str, cursor: int, limit: int) -> TicketPage:
        self.cursors.append(cursor)
        done = self.before(len(self.cursors))
        if asyncio.iscoroutine(done):
            await done
        return await super().ticket_states(tenant, generation, cursor, limit)


@pytest.fixture
async def scanned() -> Scanned:
    made = Scanned()
    await made.set_tenants_read()
    assert await made.put_tenant(TENANT, None, stored())
    await fill(made)
    return made


async def test_live_tickets_that_fit_are_counted_on_both_stores(store: Store) -> None:
    await fill(store)
    assert await preview(previews(store)) == Preview(TICKETS // 2, NOW)
    assert (await preview(previews(store), where=AllOf(()))).count == TICKETS
    assert (await preview(previews(store), viewer=Viewer("rob", Role.USER))).count == TICKETS // 2
    assert (await preview(previews(store), viewer=Viewer("bob", Role.USER))).count == 0


async def test_a_tenant_without_tickets_counts_zero(store: Store) -> None:
    assert (await preview(previews(store))).count == 0


async def test_a_ticket_that_a_scan_comes_by_twice_counts_once(scanned: Scanned) -> None:
    twice: list[TicketPage] = []

    async def ticket_states(tenant: str, generation: str, cursor: int, limit: int) -> TicketPage:
        page = await MemoryStore.ticket_states(scanned, tenant, generation, cursor, limit)
        seen = list(page.tickets)
        twice.append(page)
        return TicketPage(page.run, page.cursor, [*seen, *seen, ("t1", ticket_state(priority="high"))])

    scanned.ticket_states = ticket_states  # type: ignore[method-assign]
    assert (await preview(previews(scanned))).count == TICKETS // 2
    assert len(twice) == 2 * TICKETS // 50


# -- who may ask ------------------------------------------------------------------------------------------------------


async def put_entries(store: MemoryStore, **changes: Any) -> None:
    """Another state of the tenant's record; what needs no column is in force at once."""
    before = await store.tenant(TENANT)
    assert before is not None
    entries = before.record.entries
    if "loading" in changes:
        loading = msgspec.structs.replace(entries.settings, loading=changes.pop("loading"))
        changes["settings"] = loading
    record = msgspec.structs.replace(before.record, entries=msgspec.structs.replace(entries, **changes))
    assert await store.put_tenant(
        TENANT, before.record_version, StoredTenant(f"{before.record_version}x", before.generation, record)
    )


async def test_a_profile_narrows_and_one_that_is_not_the_viewers_is_invalid(memory: MemoryStore) -> None:
    low = Profile("p", "Low", Leaf("priority", "eq", "low"))
    own = Profile("own", "Bob's", AllOf(()), owner="bob")
    await put_entries(memory, profiles={"p": low, "own": own})
    made = previews(memory)
    assert (await preview(made, profile_id="p")).count == 0
    assert (await preview(made, where=AllOf(()), profile_id="p")).count == TICKETS // 2
    assert (await preview(made, profile_id="own")).count == TICKETS // 2
    for name, viewer in (("own", Viewer("ann", Role.AGENT)), ("none", Viewer("ann", Role.ADMIN)), ("vip", None)):
        with pytest.raises(InvalidIds) as raised:
            await preview(made, profile_id=name, **({"viewer": viewer} if viewer else {}))
        assert raised.value.ids == (name,)


async def test_a_loading_tenant_is_warming_and_an_unknown_one_unknown(memory: MemoryStore) -> None:
    await put_entries(memory, loading=True)
    with pytest.raises(Warming):
        await preview(previews(memory))
    with pytest.raises(InvalidIds):
        await preview(previews(memory), profile_id="none")
    for tenant, realm in ((TENANT, "other"), ("nobody", "realm")):
        with pytest.raises(UnknownTenant):
            await previews(memory).count(tenant, realm, question())


# -- limits -----------------------------------------------------------------------------------------------------------


async def test_a_tenant_with_too_many_tickets_is_refused_before_the_scan(scanned: Scanned) -> None:
    assert (await preview(previews(scanned, tickets=2 * TICKETS))).count == TICKETS // 2
    scanned.cursors.clear()
    with pytest.raises(Unfinished, match="More than 999 tickets"):
        await preview(previews(scanned, tickets=2 * TICKETS - 1))
    assert scanned.cursors == []


async def test_a_scan_ends_when_more_tickets_came_meanwhile(scanned: Scanned) -> None:
    async def counted(tenant: str, generation: str) -> int:
        return 0

    scanned.ticket_count = counted  # type: ignore[method-assign]
    with pytest.raises(Unfinished, match="More than 120 tickets"):
        await preview(previews(scanned, tickets=120))
    assert scanned.cursors == [0, 50, 100]


async def test_after_the_deadline_it_is_given_up_and_its_place_is_free(scanned: Scanned) -> None:
    scanned.before = lambda page: asyncio.Event().wait() if page == 3 else None
    made = previews(scanned, deadline_s=0.05, at_once=1)
    with pytest.raises(Unfinished, match=r"longer than 0\.05 s") as raised:
        await preview(made)
    assert raised.value.retry_after_s > 0
    made._limits = LIMITS
    assert (await preview(made)).count == TICKETS // 2


async def test_a_few_wait_for_a_place_and_more_are_turned_away_at_once(
    scanned: Scanned, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(previewing, "WAITING", 1)
    assert await scanned.put_tenant("globex", None, stored("g1", tenant="globex"))
    opened = asyncio.Event()
    scanned.before = lambda page: opened.wait()
    made = previews(scanned, at_once=4)
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(preview(made, viewer=Viewer(f"u{n}", Role.ADMIN))) for n in range(3)]
        await wait_until(lambda: len(made._places._waiting) == 1, 20, "the third to wait")
        assert len(scanned.cursors) == 2
        with pytest.raises(Unfinished, match="Too many"):
            await made.count("globex", "realm", question())
        with pytest.raises(OverBudget):
            await preview(made, viewer=Viewer("u4", Role.ADMIN))
        opened.set()
    assert [one.result().count for one in asked] == [TICKETS // 2] * 3


async def test_who_asks_again_and_again_takes_one_place_and_others_have_theirs(scanned: Scanned) -> None:
    assert await scanned.put_tenant("globex", None, stored("g1", tenant="globex"))
    opened = asyncio.Event()

    def hold(page: int) -> object:
        return opened.wait() if page <= 2 else None

    scanned.before = hold
    made = previews(scanned, at_once=4)
    refused = 0
    async with asyncio.TaskGroup() as group:
        loops = [group.create_task(preview(made)) for _ in range(2)]
        await wait_until(lambda: len(made._places._waiting) == 1, 20, "the second to wait for the first")
        for _ in range(10):
            with pytest.raises(OverBudget) as over:
                await preview(made)
            refused += over.value.wait_s > 0
        another = group.create_task(preview(made, viewer=Viewer("bob", Role.ADMIN)))
        await wait_until(lambda: len(scanned.cursors) == 2, 20, "another user's preview to begin")
        assert (await made.count("globex", "realm", question())).count == 0, "another tenant's goes on"
        opened.set()
    assert refused == 10
    assert [one.result().count for one in (*loops, another)] == [TICKETS // 2] * 3


async def test_a_preview_that_is_given_up_while_it_waits_leaves_no_gap(scanned: Scanned) -> None:
    opened = asyncio.Event()
    scanned.before = lambda page: opened.wait()
    made = previews(scanned, at_once=2)
    first = asyncio.create_task(preview(made))
    waiting = [asyncio.create_task(preview(made, viewer=Viewer(name, Role.ADMIN))) for name in ("bob", "eve")]
    await wait_until(lambda: len(made._places._waiting) == 2, 20, "two to wait")
    waiting[0].cancel()
    opened.set()
    assert [(await one).count for one in (first, waiting[1])] == [TICKETS // 2] * 2
    assert (await preview(made)).count == TICKETS // 2


async def test_a_place_goes_past_who_was_given_up_at_that_very_moment(scanned: Scanned) -> None:
    opened = asyncio.Event()
    scanned.before = lambda page: opened.wait()
    made = previews(scanned, at_once=2)
    first, second, third = (
        asyncio.create_task(preview(made, viewer=Viewer(name, Role.ADMIN))) for name in ("ann", "bob", "eve")
    )
    await wait_until(lambda: len(made._places._waiting) == 2, 20, "two to wait")
    first.cancel()
    second.cancel()  # both in one turn of the loop: the place is given back before the second has heard of it
    opened.set()
    assert (await third).count == TICKETS // 2
    assert [one.cancelled() for one in (first, second)] == [True, True]


async def test_pages_shrink_to_their_bytes_where_tickets_are_large(
    redis_store: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(previewing, "FIRST_PAGE", 10)
    text = "x" * 300_000
    writes = [TicketWrite(f"t{n}", NEW, ticket_state(fields={"body": text}, priority="high")) for n in range(40)]
    await applied(redis_store, tenant_batch(None, *writes))
    await redis_store.set_tenants_read()
    pages: list[int] = []
    read = redis_store.ticket_states

    async def watched(tenant: str, generation: str, cursor: int, limit: int) -> TicketPage:
        page = await read(tenant, generation, cursor, limit)
        pages.append(page.size_bytes)
        return page

    redis_store.ticket_states = watched  # type: ignore[method-assign]
    assert (await preview(previews(redis_store))).count == 40
    assert sum(pages) >= 40 * len(text)
    assert sum(pages[1:]) <= 4 * len(text) * len(pages[1:]), "a scan may give a few more than it is asked for"


@pytest.mark.parametrize("size", [0, 20_000])
async def test_a_large_ticket_is_judged_leaf_by_leaf_and_the_same(scanned: Scanned, size: int) -> None:
    leaves = tuple(Leaf("fields.body", "contains", f"{n}") for n in range(30))
    wheres = [AllOf((PRIORITY, Not(AnyOf(leaves)))), AnyOf((Not(PRIORITY), *leaves)), Not(AllOf((PRIORITY, leaves[0])))]
    read = scanned.ticket_states

    async def sized(tenant: str, generation: str, cursor: int, limit: int) -> TicketPage:
        page = await read(tenant, generation, cursor, limit)
        return msgspec.structs.replace(page, size_bytes=size * limit)

    scanned.ticket_states = sized  # type: ignore[method-assign]
    counts = [(await preview(previews(scanned), where=where)).count for where in wheres]
    assert counts == [TICKETS // 2, TICKETS // 2, TICKETS]


async def test_others_have_their_turn_at_least_once_a_slice(
    memory: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "SLICE_S", 0)
    taken = 0

    async def others() -> None:
        nonlocal taken
        while True:
            taken += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(others())
    try:
        await preview(previews(memory))
    finally:
        other.cancel()
    assert taken >= 2 * TICKETS


async def test_others_have_their_turn_after_each_page_however_fast_it_is(
    memory: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "SLICE_S", 1_000)
    seen: list[str] = []
    asking = asyncio.create_task(preview(previews(memory)))
    while not asking.done():
        seen.append("turn")
        await asyncio.sleep(0)
    assert len(seen) >= 2 * TICKETS // 50


# -- what moves meanwhile ---------------------------------------------------------------------------------------------


async def test_another_run_of_the_store_begins_the_scan_again(scanned: Scanned) -> None:
    def another_run(page: int) -> None:
        if page == 4:
            scanned._run = "another"

    scanned.before = another_run
    assert (await preview(previews(scanned))).count == TICKETS // 2
    assert scanned.cursors[:5] == [0, 50, 100, 150, 0]


async def test_a_store_that_never_stays_the_same_is_unavailable(scanned: Scanned) -> None:
    scanned.before = lambda page: setattr(scanned, "_run", str(page))
    with pytest.raises(StoreUnavailable):
        await preview(previews(scanned))
    assert scanned.cursors == [0, 50, 0, 50]


async def test_a_rebuild_that_ends_meanwhile_begins_the_scan_again(scanned: Scanned) -> None:
    async def rebuilt(page: int) -> None:
        if page == 4:
            assert await scanned.put_tenant(TENANT, "t1", stored("t2", "g2"))

    scanned.before = rebuilt
    assert (await preview(previews(scanned))).count == TICKETS // 2
    assert scanned.cursors.count(0) == 2


async def test_a_tenant_that_is_removed_meanwhile_is_unknown(scanned: Scanned) -> None:
    async def removed(page: int) -> None:
        if page == 2:
            assert await scanned.drop_tenant(TENANT, "t1")

    scanned.before = removed
    with pytest.raises(UnknownTenant):
        await preview(previews(scanned))


async def test_tickets_that_change_meanwhile_count_once_or_not_at_all(scanned: Scanned) -> None:
    async def changed(page: int) -> None:
        if page == 12:  # "t1" was passed, "t99" not yet
            for name in ("t100", "t99"):
                write = TicketWrite(name, await revision(scanned, name), ticket_state(2, priority="low"))
                await applied(scanned, tenant_batch(None, write))

    scanned.before = changed
    found = (await preview(previews(scanned))).count
    assert found in (TICKETS // 2, TICKETS // 2 - 1)


async def test_a_restart_of_redis_between_two_pages_begins_the_scan_again(
    redis_process: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    cursors: list[int] = []
    async with open_store(redis_process.url, BUCKETS, 10) as store:
        assert await store.put_tenant(TENANT, None, stored())
        await fill(store)
        original = store.ticket_states

        async def ticket_states(tenant: str, generation: str, cursor: int, limit: int) -> TicketPage:
            cursors.append(cursor)
            page = await original(tenant, generation, cursor, limit)
            if len(cursors) == 3:
                redis_process.restart()
                with pytest.raises(StoreUnavailable):  # another request meets the lost connection
                    await store.ping()
            return page

        monkeypatch.setattr(store, "ticket_states", ticket_states)
        assert (await preview(previews(store))).count == TICKETS // 2
        assert cursors.count(0) == 2
