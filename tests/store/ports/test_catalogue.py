"""What both stores promise of the catalogue: compare-and-set, never older over newer, nothing left of the removed."""

from service.domain.catalogue.catalogue import Realm
from service.store.ports.reading import CountQuery
from service.store.ports.steps import StaleCatalogue, TicketWrite
from tests.store.contract import (
    ELSEWHERE,
    NEIGHBOUR,
    NEW,
    TENANT,
    Store,
    applied,
    batch,
    by_column,
    collected,
    everyone,
    snapshot,
    stored,
    tenant_batch,
    ticket_state,
)
from tests.support.waiting import wait_until


async def test_a_tenant_is_found_as_it_was_put(store: Store) -> None:
    assert await store.tenant(TENANT) == stored()
    assert await store.tenant(NEIGHBOUR) is None
    assert await store.tenants(store.bucket(TENANT)) == [TENANT]
    assert await store.tenants(store.bucket(ELSEWHERE)) == []


async def test_a_record_is_replaced_only_by_who_names_its_token(store: Store) -> None:
    assert not await store.put_tenant(TENANT, None, stored("t2"))
    assert not await store.put_tenant(TENANT, "t0", stored("t2"))
    assert not await store.put_tenant(NEIGHBOUR, "t1", stored("t2", tenant=NEIGHBOUR))
    assert await store.tenant(TENANT) == stored()
    assert await store.tenant(NEIGHBOUR) is None
    assert await store.put_tenant(TENANT, "t1", stored("t2", version=9))
    assert await store.tenant(TENANT) == stored("t2", version=9)


async def test_a_new_record_keeps_the_counts_and_raises_the_version(store: Store) -> None:
    await applied(store, tenant_batch(everyone(c0=3), TicketWrite("t", NEW, ticket_state())))
    before = await snapshot(store)
    assert await store.put_tenant(TENANT, "t1", stored("t2"))
    after = await snapshot(store, record_version="t2")
    assert (after.columns, after.epoch) == ((3,), before.epoch)
    assert after.version > before.version


async def test_a_removed_tenant_is_gone_at_once_and_its_tickets_are_orphans(store: Store) -> None:
    await applied(store, tenant_batch(everyone(c0=1), TicketWrite("t", NEW, ticket_state())))
    assert not await store.drop_tenant(TENANT, "t0")
    assert await store.drop_tenant(TENANT, "t1")
    assert not await store.drop_tenant(TENANT, "t1")
    assert await store.tenant(TENANT) is None
    assert await store.tenants(store.bucket(TENANT)) == []
    assert await store.snapshot(CountQuery(TENANT, "t1", "g1", (0,), (), 0)) is None
    assert list(await store.orphans()) == [(TENANT, "g1")]
    late = tenant_batch(everyone(c0=1), TicketWrite("u", NEW, ticket_state()))
    assert await store.apply(batch(late)) == StaleCatalogue((TENANT,))


async def test_a_tenant_that_comes_again_starts_at_zero_beside_its_orphans(store: Store) -> None:
    await applied(
        store,
        tenant_batch(by_column({"*": {"": {0: 1}}, "a:ann": {"": {0: 1}}}), TicketWrite("t", NEW, ticket_state())),
    )
    first = await snapshot(store)
    assert await store.drop_tenant(TENANT, "t1")
    assert await store.put_tenant(TENANT, None, stored("t2", "g2", version=5))
    again = await snapshot(store, (0,), ("a:ann",), record_version="t2", generation="g2")
    assert (again.columns, again.counters, again.as_of) == ((0,), ({},), None)
    assert again.epoch != first.epoch
    assert list(await store.orphans()) == [(TENANT, "g1")]
    await applied(
        store, tenant_batch(everyone(c0=2), TicketWrite("t", NEW, ticket_state()), record_version="t2", generation="g2")
    )
    await collected(store, "g1")
    assert list(await store.orphans()) == []
    assert (await snapshot(store, record_version="t2", generation="g2")).columns == (2,)
    assert await store.scan(TENANT, "g2", 0, 10) == (0, ["t"])


async def test_a_scan_sees_every_ticket(store: Store) -> None:
    names = {f"INC{n}" for n in range(700)}
    await applied(store, tenant_batch(None, *(TicketWrite(name, NEW, ticket_state()) for name in sorted(names))))
    seen: list[str] = []
    cursor, bites = 0, 0
    while True:
        cursor, found = await store.scan(TENANT, "g1", cursor, 50)
        seen += found
        bites += 1
        if cursor == 0:
            break
    assert set(seen) == names
    assert bites > 3
    assert await store.scan(TENANT, "g0", 0, 50) == (0, [])
    assert await store.scan(NEIGHBOUR, "g1", 0, 50) == (0, [])


async def test_a_realm_is_never_older_than_one_that_was_stored(store: Store) -> None:
    old, new = Realm("r", "https://old"), Realm("r", "https://new", {"keys": []}, audience=("a",))
    assert await store.realm("r") is None
    assert await store.put_realm("r", 5, new)
    assert not await store.put_realm("r", 4, old)
    assert not await store.put_realm("r", 4, None)
    assert not await store.put_realm("r", 5, old)
    assert await store.realm("r") == new
    await store.put_realm("r", 6, None)
    assert await store.realm("r") is None
    await store.put_realm("r", 5, new)
    assert await store.realm("r") is None, "a removal keeps its place in the order"
    await store.put_realm("r", 10, old)
    assert await store.realm("r") == old


async def test_a_new_catalogue_topic_may_say_at_any_offset_what_the_old_one_said_at_higher_ones(store: Store) -> None:
    assert await store.catalogue_topic() == ""
    await store.set_catalogue_topic("old")
    older, newer = Realm("r", "https://old.example", None), Realm("r", "https://new.example", None)
    await store.put_realm("r", 90, older)
    await store.set_validated_offset(91)
    await store.put_realm("r", 3, newer)
    assert await store.realm("r") == older
    await store.forget_catalogue_offsets()
    await store.set_catalogue_topic("new")
    assert await store.catalogue_topic() == "new"
    assert await store.realm("r") == older, "it stays until something is said of it"
    assert not await store.catalogue_read()
    await store.put_realm("r", 3, newer)
    assert await store.realm("r") == newer
    await store.set_validated_offset(4)
    assert await store.validated_offset() == 4


async def test_judged_is_zero_at_first_and_only_rises(store: Store) -> None:
    assert await store.validated_offset() == 0
    assert not await store.catalogue_read()
    await store.set_validated_offset(0)
    assert await store.catalogue_read(), "an empty catalogue is read to its end too"
    for position in (7, 3):
        await store.set_validated_offset(position)
    assert await store.validated_offset() == 7


async def test_every_bucket_says_that_its_tenants_were_stored(store: Store) -> None:
    tenants = ["acme", *(f"t{number}" for number in range(20))]
    assert {store.bucket(tenant) for tenant in tenants} == set(range(store.buckets))
    assert not any([await store.tenants_read(tenant) for tenant in tenants])
    await store.set_tenants_read()
    assert all([await store.tenants_read(tenant) for tenant in tenants])


async def test_a_lease_has_one_holder_who_may_renew_it(store: Store) -> None:
    assert await store.lease(1, "a", 60_000)
    assert not await store.lease(1, "b", 60_000)
    assert await store.lease(1, "a", 60_000)
    assert await store.lease(2, "b", 60_000)


async def test_a_lease_that_is_given_back_is_free_at_once_and_nobody_elses_is(store: Store) -> None:
    assert await store.lease(1, "a", 60_000)
    await store.give_back(1, "b")
    assert not await store.lease(1, "b", 60_000), "it isn't b's to give back"
    await store.give_back(1, "a")
    assert await store.lease(1, "b", 60_000)
    await store.give_back(1, "a")
    assert not await store.lease(1, "a", 60_000)
    await store.give_back(2, "a")
    assert await store.lease(2, "b", 60_000), "nothing to give back, nothing done"


async def test_a_lease_that_is_not_renewed_passes_on(store: Store) -> None:
    assert await store.lease(1, "a", 60)
    await wait_until(lambda: store.lease(1, "b", 60_000), 20, "the lease to end")
    assert not await store.lease(1, "a", 60)
