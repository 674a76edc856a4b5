"""The wire over a real cluster: every command to the master that has its slot, also while slots move and after."""

from collections.abc import AsyncIterator

import pytest
from redis.crc import key_slot

from service.store.client.cluster_client import ClusterClient
from service.store.client.pipelined_connection import PipelinedConnection
from service.store.client.slots import Address
from service.store.ports.errors import StoreRefused, StoreUnable, StoreUnavailable
from service.store.redis.store import open_store
from tests.servers.ports import HOST, free_port
from tests.servers.redis.redis_cluster import RedisCluster, asked
from tests.servers.redis.redis_server import RedisServer, closing_client
from tests.store.contract import BUCKETS

TIMEOUT_S = 5.0
TAGS = range(40)
BOTH = "return {redis.call('GET', KEYS[1]), redis.call('GET', KEYS[2])}"


def key(tag: int, name: str = "k") -> str:
    return f"tc:{{{tag}}}:{name}"


def slot(tag: int) -> int:
    return key_slot(key(tag).encode())


def elsewhere(cluster: RedisCluster, tag: int) -> RedisServer:
    """A master that doesn't have the tag's slot."""
    return next(node for node in cluster.masters() if node is not cluster.owner(slot(tag)))


@pytest.fixture
async def client(redis_cluster_db: RedisCluster) -> AsyncIterator[ClusterClient]:
    async with ClusterClient(redis_cluster_db.url, TIMEOUT_S) as opened:
        yield opened


async def test_each_key_is_at_the_master_that_has_its_slot(
    client: ClusterClient, redis_cluster_db: RedisCluster
) -> None:
    for tag in TAGS:
        assert await client.call("SET", key(tag), tag) == b"OK"
    held = [int(asked(node, "DBSIZE")) for node in redis_cluster_db.masters()]
    assert sum(held) == len(TAGS)
    assert min(held) > 0
    for tag in TAGS:
        assert await client.call("GET", key(tag)) == str(tag).encode()
        assert await client.call("EVAL", BOTH, 2, key(tag), key(tag, "none")) == [str(tag).encode(), None]
    assert client._refreshes == 1, "nobody had to be asked twice where everything is"


async def test_any_of_the_named_servers_is_enough(redis_cluster_db: RedisCluster) -> None:
    nobody, one = free_port(), redis_cluster_db.nodes[-1].port
    async with ClusterClient(f"redis+cluster://127.0.0.1:{nobody},127.0.0.1:{one}", TIMEOUT_S) as client:
        assert await client.call("SET", key(1), "v") == b"OK"
    async with ClusterClient(f"redis+cluster://127.0.0.1:{nobody}", TIMEOUT_S) as client:
        with pytest.raises(StoreUnavailable):
            await client.call("SET", key(1), "v")


async def test_a_slot_that_has_moved_is_followed_and_is_in_another_run(
    client: ClusterClient, redis_cluster_db: RedisCluster
) -> None:
    for tag in TAGS:
        await client.call("SET", key(tag), tag)
    runs, whole, looks = await client.runs(map(key, TAGS)), (await client.call_in_run("PING"))[0], client._refreshes
    target = elsewhere(redis_cluster_db, 3)
    assert redis_cluster_db.move(slot(3), target) == 1
    refused = errors(redis_cluster_db, "MOVED")
    assert await client.call("GET", key(3)) == b"3"
    assert errors(redis_cluster_db, "MOVED") == refused + 1, "it went where it used to be first"
    assert client._refreshes == looks + 1
    assert await client.call("GET", key(3)) == b"3"
    assert errors(redis_cluster_db, "MOVED") == refused + 1
    now = await client.runs(map(key, TAGS))
    assert [tag for tag in TAGS if now[key(tag)] != runs[key(tag)]] == [3]
    assert (await client.call_in_run("PING"))[0] != whole


async def test_a_slot_on_its_way_is_read_and_written_where_each_key_is(
    client: ClusterClient, redis_cluster_db: RedisCluster
) -> None:
    source, target = redis_cluster_db.owner(slot(3)), elsewhere(redis_cluster_db, 3)
    await client.call("SET", key(3, "here"), "v")
    redis_cluster_db.open_move(slot(3), target)
    assert await client.call("GET", key(3, "here")) == b"v"
    assert await client.call("SET", key(3, "new"), "w") == b"OK"
    assert [int(asked(node, "CLUSTER COUNTKEYSINSLOT", slot(3))) for node in (source, target)] == [1, 1]
    run, value = await client.call_in_run("GET", key(3, "new"))
    assert value == b"w"
    assert run != (await client.call_in_run("GET", key(3, "here")))[0]
    with pytest.raises(StoreUnavailable, match="Multiple keys request"):
        await client.call("EVAL", BOTH, 2, key(3, "here"), key(3, "new"))
    connection = client._connections[Address(HOST, source.port)][0]._connection
    assert redis_cluster_db.move_keys(slot(3), target) == 1
    assert await client.call("EVAL", BOTH, 2, key(3, "here"), key(3, "new")) == [b"v", b"w"], "all is over there"
    redis_cluster_db.close_move(slot(3), target)
    assert await client.call("EVAL", BOTH, 2, key(3, "here"), key(3, "new")) == [b"v", b"w"]
    assert client._connections[Address(HOST, source.port)][0]._connection is connection, "none was given up for it"


async def test_going_on_over_a_hash_waits_until_its_slot_has_moved(
    client: ClusterClient, redis_cluster_db: RedisCluster
) -> None:
    target = elsewhere(redis_cluster_db, 3)
    fields = [str(number) for number in range(1000)]
    await client.call("HSET", key(3), *(part for field in fields for part in (field, field)))
    cursor, _ = await client.call("HSCAN", key(3), 0, "COUNT", 10)
    redis_cluster_db.open_move(slot(3), target)
    redis_cluster_db.move_keys(slot(3), target)
    with pytest.raises(StoreUnavailable, match="being moved"):
        await client.call("HSCAN", key(3), cursor, "COUNT", 10)
    redis_cluster_db.close_move(slot(3), target)
    assert await client.call("HSCAN", key(3), 0, "COUNT", 10)


async def test_a_walk_over_all_keys_finds_each_at_whatever_master(client: ClusterClient) -> None:
    for tag in TAGS:
        for name in range(20):
            await client.call("SET", key(tag, str(name)), "v")
    found: list[bytes] = []
    cursor, turns = 0, 0
    while turns == 0 or cursor:
        cursor, some = await client.scan(cursor, "MATCH", "tc:{*", "COUNT", 50)
        found += some
        turns += 1
    assert sorted(found) == sorted(key(tag, str(name)).encode() for tag in TAGS for name in range(20))
    assert turns > 10


async def test_a_master_that_takes_nothing_for_want_of_replicas_is_still_the_one_to_ask(
    client: ClusterClient, redis_cluster_db: RedisCluster
) -> None:
    await client.call("SET", key(3), "v")
    master, looks = redis_cluster_db.owner(slot(3)), client._refreshes
    asked(master, "CONFIG SET", "min-replicas-to-write", 5)
    try:
        with pytest.raises(StoreUnable, match="NOREPLICAS"):
            await client.call("SET", key(3), "w")
        assert await client.call("GET", key(3)) == b"v"
    finally:
        asked(master, "CONFIG SET", "min-replicas-to-write", 0)
    assert await client.call("SET", key(3), "w") == b"OK"
    assert client._refreshes == looks, "nothing had to be found out"


async def test_what_is_asked_everywhere_is_answered_by_every_master(
    client: ClusterClient, redis_cluster_db: RedisCluster
) -> None:
    said = await client.everywhere("INFO", "server")
    assert {f"tcp_port:{node.port}" in text.decode() for node in redis_cluster_db.masters() for text in said} == {
        True,
        False,
    }
    assert len({*said}) == len(said) == len(redis_cluster_db.masters())
    beside = await client.beside(key(3), "INFO", "server")
    assert f"tcp_port:{redis_cluster_db.owner(slot(3)).port}" in beside.decode()


async def test_a_command_whose_key_is_nobody_knows_where_is_a_mistake(client: ClusterClient) -> None:
    with pytest.raises(ValueError, match="MEMORY"):
        await client.call("MEMORY", "USAGE", key(1))


async def test_an_address_of_the_other_kind_is_refused_with_what_to_write(
    redis_cluster_db: RedisCluster, redis_db: str
) -> None:
    async with open_store(redis_db.replace("redis://", "redis+cluster://"), BUCKETS, TIMEOUT_S) as store:
        with pytest.raises(StoreRefused, match="in no cluster; write redis://"):
            await store.ensure_layout()
        with pytest.raises(StoreUnavailable):
            await store.ping()
    async with open_store(redis_cluster_db.nodes[0].url, BUCKETS, TIMEOUT_S) as store:
        with pytest.raises(StoreRefused, match=r"write redis\+cluster://"):
            await store.ensure_layout()


async def test_one_server_that_would_drop_counters_is_enough_to_refuse_all(redis_cluster_db: RedisCluster) -> None:
    async with open_store(redis_cluster_db.url, BUCKETS, TIMEOUT_S) as store:
        await store.ensure_layout()
        with redis_cluster_db.masters()[-1].client() as raw:
            raw.config_set("maxmemory", "100mb")
            raw.config_set("maxmemory-policy", "allkeys-lru")
            try:
                with pytest.raises(StoreRefused, match="allkeys-lru"):
                    await store.ensure_layout()
            finally:
                raw.config_set("maxmemory", "0")
                raw.config_set("maxmemory-policy", "noeviction")
        await store.ensure_layout()


async def test_one_server_answers_for_all_of_itself(redis_db: str) -> None:
    async with PipelinedConnection(redis_db, TIMEOUT_S) as client:
        run, _ = await client.call_in_run("PING")
        assert await client.runs(["a", "b"]) == {"a": run, "b": run}
        assert await client.everywhere("PING") == [await client.beside("a", "PING")] == [b"PONG"]
        with closing_client(redis_db) as raw:
            raw.mset({str(number): "v" for number in range(30)})
        found: set[bytes] = set()
        cursor = 0
        while not found or cursor:
            cursor, some = await client.scan(cursor, "COUNT", 5)
            found |= {*some}
        assert len(found) == 30


def errors(cluster: RedisCluster, kind: str) -> int:
    """How often the masters have answered so."""
    counted = (asked(node, "INFO", "errorstats").get(f"errorstat_{kind}", {}) for node in cluster.masters())
    return sum(int(one.get("count", 0)) for one in counted)
