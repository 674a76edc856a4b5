"""The wire over a cluster of which a part fails: a delay, nothing sent twice, nobody replaced believed."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest

from service.store.client.cluster_client import ClusterClient
from service.store.client.slots import Address
from service.store.ports.errors import StoreUnavailable
from tests.servers.fixtures import redis_binary
from tests.servers.link import Link
from tests.servers.ports import HOST
from tests.servers.redis.redis_cluster import RedisCluster, asked
from tests.servers.redis.redis_server import RedisServer
from tests.store.client.test_cluster_client import BOTH, TAGS, elsewhere, key, slot
from tests.store.proxy import proxied
from tests.support.waiting import wait_until

SHORT_S = 1.0
"""A time-out that a healthy server on loopback never meets, and that is over before a replica stands in."""
WITHIN_S = 20.0
INCREMENT = "return redis.call('INCR', KEYS[1])"


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    """One for all tests here."""
    with RedisCluster(redis_binary(), tmp_path_factory.mktemp("failing")) as cluster:
        yield cluster


@pytest.fixture
def redis_cluster(failing: RedisCluster) -> RedisCluster:
    """It, well and empty."""
    for node in failing.nodes:
        if not node.running:
            node.start()
    failing.rejoined()
    failing.flush()
    return failing


async def answered(client: ClusterClient, *command: str | int) -> tuple[str, object]:
    """The first answer, tried again and again as callers do."""

    async def tried() -> tuple[str, object] | None:
        try:
            return await client.call_in_run(*command)
        except StoreUnavailable:
            return None

    found = await wait_until(tried, WITHIN_S, f"an answer to {command}")
    assert found is not None
    return found


async def test_a_master_that_is_killed_is_missed_until_its_replica_stands_in(redis_cluster: RedisCluster) -> None:
    async with ClusterClient(redis_cluster.url, SHORT_S) as client:
        for tag in TAGS:
            await client.call("SET", key(tag), tag)
        runs = await client.runs(map(key, TAGS))
        killed = redis_cluster.owner(slot(3))
        lost = [tag for tag in TAGS if redis_cluster.owner(slot(tag)) is killed]
        killed.kill()
        with pytest.raises(StoreUnavailable):
            await client.call("GET", key(3))
        for tag in TAGS:
            if tag not in lost:
                assert await client.call("GET", key(tag)) == str(tag).encode(), "the others go on"
        assert (await answered(client, "GET", key(3)))[1] == b"3"
        now = await client.runs(map(key, TAGS))
        assert [tag for tag in TAGS if now[key(tag)] != runs[key(tag)]] == lost
        assert Address(HOST, killed.port) not in client._connections, "nothing is kept of who is gone"


async def test_a_frozen_master_is_replaced_and_believed_no_more_when_it_thaws(redis_cluster: RedisCluster) -> None:
    async with ClusterClient(redis_cluster.url, SHORT_S) as client:
        before, _ = await client.call_in_run("SET", key(3), "old")
        frozen = redis_cluster.owner(slot(3))
        frozen.pause()
        try:
            with pytest.raises(StoreUnavailable):
                await client.call("SET", key(3), "late")
            after, _ = await answered(client, "SET", key(3), "new")
        finally:
            frozen.thaw()
        assert after != before
        client._doubted |= {*client._slots.masters}  # so that it asks around, the thawed one among others
        client._next_refresh_at = 0.0
        assert await client.call_in_run("GET", key(3)) == (after, b"new")


async def test_a_write_whose_fate_is_unknown_is_never_sent_again(redis_cluster: RedisCluster) -> None:
    master = redis_cluster.owner(slot(3))
    async with proxied(master.url) as proxy, said_to_be_at(redis_cluster, master, urlsplit(proxy.url).port or 0):
        async with ClusterClient(redis_cluster.url, SHORT_S) as client:
            assert await client.call("EVAL", INCREMENT, 1, key(3)) == 1
            proxy.lose_next_reply(b"INCR")
            with pytest.raises(StoreUnavailable):
                await client.call("EVAL", INCREMENT, 1, key(3))
            assert (await answered(client, "GET", key(3)))[1] == b"2"
        assert proxy.lost == 1


async def test_finding_the_server_is_in_the_time_that_a_call_has() -> None:
    loop = asyncio.get_running_loop()
    async with Link() as first, Link() as second:
        first.black_hole()
        second.black_hole()
        too_late = asyncio.Event()
        async with ClusterClient(f"redis+cluster://127.0.0.1:{first.port},127.0.0.1:{second.port}", 0.1) as client:
            flag = loop.call_later(0.9, too_late.set)
            calls = await asyncio.gather(
                *(client.call("GET", key(tag)) for tag in TAGS), client.call("PING"), return_exceptions=True
            )
            assert {type(answer) for answer in calls} == {StoreUnavailable}
            assert not too_late.is_set(), "it waited for as long as looking for the server takes"
            flag.cancel()


@asynccontextmanager
async def said_to_be_at(cluster: RedisCluster, server: RedisServer, port: int) -> AsyncIterator[None]:
    """The server tells all that it listens there, and they have heard of it."""

    async def told(port: int) -> None:
        asked(server, "CONFIG SET", "cluster-announce-port", port)
        seen = f"{HOST}:{port or server.port}"

        def heard() -> bool:
            return all(seen in asked(node, "CLUSTER NODES") for node in cluster.nodes)

        await wait_until(heard, WITHIN_S, f"all to know of {seen}")

    await told(port)
    yield
    await told(0)


async def test_a_command_that_is_sent_round_in_circles_is_given_up(redis_cluster: RedisCluster) -> None:
    async with ClusterClient(redis_cluster.url, SHORT_S) as client:
        await client.call("SET", key(3), "v")
        source, target = redis_cluster.owner(slot(3)), elsewhere(redis_cluster, 3)
        asked(source, "CLUSTER SETSLOT", slot(3), "MIGRATING", redis_cluster.id_of(target))  # which isn't told
        with pytest.raises(StoreUnavailable, match="in a row"):
            await client.call("GET", key(3, "none"))
        asked(source, "CLUSTER SETSLOT", slot(3), "STABLE")
        assert (await answered(client, "GET", key(3)))[1] == b"v"


async def test_a_master_that_fails_in_the_middle_of_a_move_is_waited_for_until_that_is_finished(
    redis_cluster: RedisCluster,
) -> None:
    async with ClusterClient(redis_cluster.url, SHORT_S) as client:
        names = [key(3, str(number)) for number in range(12)]
        for name in names:
            await client.call("SET", name, name)
        source, target = redis_cluster.owner(slot(3)), elsewhere(redis_cluster, 3)
        redis_cluster.open_move(slot(3), target)
        for name in names[:6]:
            asked(source, "MIGRATE", HOST, target.port, name, 0, 5000)
        heir = redis_cluster.replica_of(source)
        source.kill()
        await asyncio.to_thread(redis_cluster.failed_over, source)
        for name in names:  # the heir knows of no move: it would say of half of them that they aren't there
            with pytest.raises(StoreUnavailable, match="redis-cli --cluster fix"):
                await refusal(client, name)
        asked(heir, "CLUSTER SETSLOT", slot(3), "MIGRATING", redis_cluster.id_of(target))
        await answered(client, "GET", names[0])
        redis_cluster.move_keys(slot(3), target)
        redis_cluster.close_move(slot(3), target)
        for name in names:
            assert (await answered(client, "GET", name))[1] == name.encode()
        assert await client.call("EVAL", BOTH, 2, names[0], names[-1]) == [names[0].encode(), names[-1].encode()]


async def refusal(client: ClusterClient, name: str) -> None:
    """Asks until it is refused for another reason than that nobody answers, or answered."""

    async def tried() -> Exception | None:
        try:
            await client.call("GET", name)
        except StoreUnavailable as error:
            return None if "Error" in str(error) else error
        return AssertionError("it was answered")

    raise await wait_until(tried, WITHIN_S, "a refusal") or AssertionError()
