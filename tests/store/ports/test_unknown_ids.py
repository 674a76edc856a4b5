"""What both stores promise of ids that the catalogue doesn't know: the newest few, of tenants that there are."""

from service.store.ports.unknown_ids import KEPT_S, MOST_KEPT, UnknownId
from service.store.redis.store import RedisStore
from tests.servers.redis.redis_server import closing_client
from tests.store.contract import NEIGHBOUR, ODD_IDS, TENANT, Store

AT = 1_795_256_100_123_000


async def test_ids_are_kept_with_the_ticket_they_were_last_met_in(store: Store) -> None:
    assert await store.unknown_ids(TENANT) == []
    await store.note_unknown_ids(TENANT, [UnknownId("status", "nwe", "INC1", AT), UnknownId("team", "nwe", "INC1", AT)])
    await store.note_unknown_ids(TENANT, [UnknownId("status", "nwe", "INC2", AT + 1_000)])
    assert await store.unknown_ids(TENANT) == [
        UnknownId("status", "nwe", "INC2", AT + 1_000),
        UnknownId("team", "nwe", "INC1", AT),
    ]


async def test_ids_of_any_characters_come_back(store: Store) -> None:
    met = [UnknownId("priority", id_, id_, AT) for id_ in ODD_IDS]
    await store.note_unknown_ids(TENANT, met)
    assert set(await store.unknown_ids(TENANT)) == set(met)


async def test_of_too_many_those_met_last_are_kept(store: Store) -> None:
    met = [UnknownId("status", f"s{number}", "INC1", AT + number * 1_000) for number in range(3 * MOST_KEPT)]
    for start in range(0, len(met), 70):
        await store.note_unknown_ids(TENANT, met[start : start + 70])
    assert await store.unknown_ids(TENANT) == met[: -MOST_KEPT - 1 : -1]


async def test_nothing_is_kept_of_a_tenant_that_is_not_there_or_is_removed(store: Store) -> None:
    await store.note_unknown_ids(NEIGHBOUR, [UnknownId("status", "nwe", "INC1", AT)])
    assert await store.unknown_ids(NEIGHBOUR) == []
    await store.note_unknown_ids(TENANT, [UnknownId("status", "nwe", "INC1", AT)])
    assert await store.drop_tenant(TENANT, "t1")
    await store.note_unknown_ids(TENANT, [UnknownId("status", "late", "INC1", AT)])
    assert await store.unknown_ids(TENANT) == []


async def test_redis_forgets_them_by_itself(redis_store: RedisStore, redis_db: str) -> None:
    await redis_store.note_unknown_ids(TENANT, [UnknownId("status", "nwe", "INC1", AT)])
    with closing_client(redis_db) as client:
        (key,) = client.keys("tc:*unknown*")
        assert 0 < client.ttl(key) <= KEPT_S
