"""The Redis store's own promises: nothing is written where anything is refused, all keys of a call share one hash tag,
hints are published, no key is left behind."""

from collections.abc import Callable, Iterator

import pytest
import redis
from redis.crc import key_slot
from redis.exceptions import ResponseError

from service.domain.counting.contributions import Changes
from service.domain.tickets.ticket import TicketState
from service.store import keys
from service.store.client.pipelined_connection import Argument, PipelinedConnection, Reply
from service.store.ports.errors import StoreRefused
from service.store.ports.steps import (
    Applied,
    Batch,
    Behind,
    Conflict,
    OtherTopic,
    Outcome,
    PartitionProgress,
    StaleCatalogue,
    TenantBatch,
    TicketWrite,
)
from service.store.redis.store import FORMAT, RedisStore, open_store
from tests.servers.redis.redis_server import closing_client
from tests.store.contract import (
    BUCKETS,
    NEIGHBOUR,
    NEW,
    NOW,
    ODD_IDS,
    TENANT,
    applied,
    batch,
    by_column,
    collected,
    everyone,
    reaching,
    revision,
    snapshot,
    stored,
    tenant_batch,
    ticket,
    ticket_state,
)


@pytest.fixture
def raw(redis_db: str) -> Iterator[redis.Redis]:
    """The server itself."""
    with closing_client(redis_db) as client:
        yield client


def dump(raw: redis.Redis) -> dict[bytes, bytes]:
    """Every key and its value."""
    return {key: raw.dump(key) or b"" for key in raw.scan_iter()}


def odd_write(name: str) -> TenantBatch:
    """A new ticket whose every id is that one, with what it contributes."""
    changes = Changes()
    new = TicketState(1, ticket(team=name, assignee=name, requester=name), NOW, 0b11)
    changes.add(None, new)
    return tenant_batch(changes.deltas(), TicketWrite(name, NEW, new))


async def all_set(store: RedisStore) -> None:
    """Two tenants with counts, positions of two partitions."""
    assert await store.put_tenant(NEIGHBOUR, None, stored("n1", tenant=NEIGHBOUR))
    await applied(
        store, odd_write("a"), progress={0: PartitionProgress(None, 10, 0), 1: PartitionProgress(None, 10, 0)}
    )


GOOD = tenant_batch(
    by_column({"*": {"": {0: 5}}, "a:ann": {"": {0: 5}}}), TicketWrite("new", NEW, ticket_state()), as_of=NOW + 9
)


def refusals() -> dict[str, tuple[Batch, type[Outcome]]]:
    """Batches with one thing wrong each, beside much that is right."""
    ahead = {0: PartitionProgress(10, 20, 0), 1: PartitionProgress(11, 20, 0)}
    fine = {0: PartitionProgress(10, 20, 0)}
    stale = tenant_batch(everyone(c0=1), TicketWrite("x", NEW, ticket_state()), tenant=NEIGHBOUR, record_version="n0")
    taken = tenant_batch(everyone(c0=1), TicketWrite("b", NEW, ticket_state()), TicketWrite("a", NEW, ticket_state()))
    return {
        "behind": (batch(GOOD, progress=ahead, now=NOW + 9), Behind),
        "stale": (batch(GOOD, stale, progress=fine, now=NOW + 9), StaleCatalogue),
        "conflict": (batch(taken, progress=fine, now=NOW + 9), Conflict),
        "other topic": (batch(GOOD, progress=fine, topic="other", now=NOW + 9), OtherTopic),
    }


@pytest.mark.parametrize("guard", refusals())
async def test_a_refused_batch_leaves_every_key_as_it_was(
    guard: str, redis_store: RedisStore, raw: redis.Redis
) -> None:
    await all_set(redis_store)
    refused, expected = refusals()[guard]
    before = dump(raw)
    assert isinstance(await redis_store.apply(refused), expected)
    assert dump(raw) == before


WRONG: dict[str, Callable[[int], str]] = {
    "state": keys.state,
    "due": keys.due,
    "tenant": lambda b: keys.tenant(b, TENANT),
    "tickets": lambda b: keys.tickets(b, TENANT, "g1"),
    "counter of all": lambda b: keys.counter(b, TENANT, "g1", "*"),
    "a counter": lambda b: keys.counter(b, TENANT, "g1", "a:ann"),
}


@pytest.mark.parametrize("which", WRONG)
async def test_a_key_of_a_wrong_type_fails_the_call_before_its_first_write(
    which: str, redis_store: RedisStore, raw: redis.Redis
) -> None:
    key = WRONG[which](redis_store.bucket(TENANT))
    raw.delete(key)
    raw.rpush(key, "not what it should be")
    before = dump(raw)
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        await redis_store.apply(batch(GOOD, progress=reaching(3)))
    assert dump(raw) == before


@pytest.mark.parametrize("value", [b"\xc1", b"\x81", b"text"], ids=["no type", "cut off", "no map"])
async def test_a_counter_that_can_not_be_read_fails_the_call_before_its_first_write(
    value: bytes, redis_store: RedisStore, raw: redis.Redis
) -> None:
    raw.set(keys.counter(redis_store.bucket(TENANT), TENANT, "g1", "a:ann"), value)
    before = dump(raw)
    with pytest.raises(ResponseError):
        await redis_store.apply(batch(GOOD, progress=reaching(3)))
    assert dump(raw) == before


async def test_scripts_come_back_after_the_server_forgot_them(redis_store: RedisStore, raw: redis.Redis) -> None:
    for count in range(1, 4):
        raw.script_flush()
        name = f"t{count}"
        await applied(redis_store, tenant_batch(everyone(c0=1), TicketWrite(name, NEW, ticket_state())))
        raw.script_flush()
        assert (await snapshot(redis_store)).columns == (count,)
        raw.script_flush()
        assert await revision(redis_store, name) != NEW


async def test_a_hint_says_tenant_and_version_after_each_change_of_counts(
    redis_store: RedisStore, raw: redis.Redis
) -> None:
    with raw.pubsub(ignore_subscribe_messages=True) as hints:  # type: ignore[no-untyped-call]
        hints.subscribe(keys.HINTS)
        hints.get_message(timeout=5)
        await applied(redis_store, progress=reaching(1))
        outcome = await applied(redis_store, tenant_batch(everyone(c0=1)), progress=reaching(2))
        assert await redis_store.put_tenant(TENANT, "t1", stored("t2"))
        assert await redis_store.drop_tenant(TENANT, "t2")
        said = [message["data"] for _ in range(10) if (message := hints.get_message(timeout=0.2))]
        version = outcome.versions[TENANT]
        assert said == [f"{TENANT} {number}".encode() for number in (version, version + 1, 0)]


async def test_all_keys_of_a_bucket_carry_one_hash_tag_whatever_the_ids(
    redis_store: RedisStore, raw: redis.Redis
) -> None:
    await applied(redis_store, *[odd_write(name) for name in ODD_IDS][:1])
    for name in ODD_IDS[1:]:
        await applied(redis_store, odd_write(name), progress=reaching(1))
    await redis_store.lease(redis_store.bucket(TENANT), "me", 10_000)
    tag = f"{{{redis_store.bucket(TENANT)}}}"
    found = [key.decode() for key in raw.scan_iter()]
    assert len(found) > 3 * len(ODD_IDS)
    assert {key[key.index("{") : key.index("}") + 1] for key in found} == {tag}
    assert len({key_slot(key.encode()) for key in found}) == 1


async def test_ids_that_look_alike_never_meet(redis_store: RedisStore, raw: redis.Redis) -> None:
    for name in ODD_IDS:
        await applied(redis_store, odd_write(name))
    for name in ODD_IDS:
        counts = await snapshot(redis_store, (0, 1), (f"a:{name}", f"r:{name}", f"t:{name}"))
        assert counts.columns == (len(ODD_IDS), len(ODD_IDS))
        one = {0: 1, 1: 1}
        assert counts.counters == ({f"t:{name}": one}, {f"at:{name}": one}, {"": one})


async def test_a_tenant_whose_tickets_are_gone_leaves_no_counter(redis_store: RedisStore, raw: redis.Redis) -> None:
    empty = {key for key in dump(raw) if b":count:" in key}
    written = [odd_write(name) for name in ODD_IDS]
    for one in written:
        await applied(redis_store, one)
    for name, one in zip(ODD_IDS, written, strict=True):
        changes = Changes()
        changes.add(one.writes[0].ticket_state, TicketState(2, None, NOW))
        gone = TicketWrite(name, await revision(redis_store, name), TicketState(2, None, NOW))
        await applied(redis_store, tenant_batch(changes.deltas(), gone))
    assert {key for key in dump(raw) if b":count:" in key} == empty == set()


@pytest.mark.parametrize(("tickets", "limit"), [(3, 10), (400, 7), (3000, 20)])
async def test_a_removed_tenant_leaves_no_key_behind(
    tickets: int, limit: int, redis_store: RedisStore, raw: redis.Redis
) -> None:
    for start in range(0, tickets, 1000):
        changes, writes = Changes(), []
        for number in range(start, min(start + 1000, tickets)):
            new = TicketState(1, ticket(team=f"t{number % 7}", assignee=f"u{number}"), NOW, 1)
            changes.add(None, new)
            writes.append(TicketWrite(f"INC{number}", NEW, new))
        await applied(redis_store, tenant_batch(changes.deltas(), *writes), progress=reaching(1))
    assert await redis_store.drop_tenant(TENANT, "t1")
    assert await collected(redis_store, "g1", limit) >= tickets // (10 * limit)
    assert [key for key in dump(raw) if b":state" not in key] == []


async def test_a_removed_generation_takes_counters_along_that_no_ticket_leads_to(
    redis_store: RedisStore, raw: redis.Redis
) -> None:
    nobodys = by_column({"a:gone": {"t:x": {0: 1}}, "r:gone": {"": {0: 2}}, "t:%2F:🎫": {"": {0: 1}}})
    time_buckets = {"a:late": {"": {(3, 1_994_780): 1}}, "t:late": {"": {(3, 1_994_780): 1}}}
    await applied(redis_store, TenantBatch(TENANT, "t1", "g1", (), nobodys, None, time_buckets))
    assert await redis_store.put_tenant(NEIGHBOUR, None, stored("n1", tenant=NEIGHBOUR))
    await applied(redis_store, tenant_batch(nobodys, tenant=NEIGHBOUR, record_version="n1"))
    assert await redis_store.drop_tenant(TENANT, "t1")
    await collected(redis_store, "g1")
    left = [keys.counter_in(key.decode()) for key in raw.scan_iter()]
    assert {name[0] for name in left if name is not None} == {NEIGHBOUR}, "and nobody else's"
    assert len([name for name in left if name is not None]) == len(nobodys)


async def test_a_server_laid_out_otherwise_is_refused(redis_store: RedisStore, redis_db: str) -> None:
    await redis_store.ensure_layout()
    await redis_store.ensure_layout()
    async with open_store(redis_db, BUCKETS + 1, 5) as other:
        with pytest.raises(StoreRefused, match="TICKET_COUNTS_BUCKETS: this Redis was laid out with 4, not 5"):
            await other.ensure_layout()


async def test_a_redis_that_came_back_empty_is_laid_out_again(
    redis_store: RedisStore, redis_db: str, raw: redis.Redis
) -> None:
    await redis_store.ensure_layout()
    raw.flushdb()
    await redis_store.set_tenants_read()
    async with open_store(redis_db, BUCKETS + 1, 5) as other:
        with pytest.raises(StoreRefused, match="was laid out with 4, not 5"):
            await other.ensure_layout()


@pytest.mark.parametrize("calls_before", range(12))
async def test_two_processes_that_meet_an_empty_redis_agree_about_its_layout(
    calls_before: int, redis_store: RedisStore, redis_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each call of the first is a moment at which the second may come."""
    call_in_run, calls = PipelinedConnection.call_in_run, 0
    async with open_store(redis_db, BUCKETS, 5) as other:

        async def met(client: PipelinedConnection, *command: Argument) -> tuple[str, Reply]:
            nonlocal calls
            calls += 1
            if calls == calls_before + 1:
                await other.ensure_layout()
            return await call_in_run(client, *command)

        monkeypatch.setattr(PipelinedConnection, "call_in_run", met)
        await redis_store.ensure_layout()
        await other.ensure_layout()


@pytest.mark.parametrize("written_in", [FORMAT - 1, FORMAT + 1])
async def test_counters_packed_by_another_release_are_refused(
    written_in: int, redis_store: RedisStore, raw: redis.Redis
) -> None:
    await redis_store.ensure_layout()
    raw.hset(keys.LAYOUT, "format", str(written_in))
    with pytest.raises(StoreRefused, match=f"counters of another release .format {written_in}, not {FORMAT}"):
        await redis_store.ensure_layout()


async def test_another_run_of_the_server_is_another_epoch(redis_store: RedisStore) -> None:
    first = await snapshot(redis_store)
    connection = redis_store._client
    assert isinstance(connection, PipelinedConnection)
    connection._run += "x"  # what a restarted server would have said
    assert (await snapshot(redis_store)).epoch != first.epoch
    assert await redis_store.run() == connection._run
    assert isinstance(await redis_store.apply(batch(progress=reaching(1))), Applied)
