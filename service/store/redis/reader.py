"""Implements reads in Redis, and the service's own writes: column demands and grants. Never writes a count."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from service.domain.catalogue.catalogue import Credential, Realm
from service.domain.counting.scopes import PERSONS
from service.domain.tenants.tenant_entries import ColumnDemand
from service.domain.tickets.ticket import Instant
from service.lru import Lru
from service.store import codec, keys
from service.store.client.pipelined_connection import Argument
from service.store.client.store_client import StoreClient
from service.store.ports.catalogue import Bucket, StoredTenant
from service.store.ports.grants import GRANT_BYTES, Grant, Lives, digest_of
from service.store.ports.reading import CountQuery, Snapshot, TicketPage
from service.store.ports.steps import Runs
from service.store.redis.budgets import RedisBudgets
from service.store.replies import pairs_of, snapshot_in
from service.store.script import Script

PUT_GRANT = Script("reading/put_grant", writes=True)
USE_GRANT = Script("reading/use_grant", writes=True)


class RedisGrants(RedisBudgets):
    """Implements `grants.GrantStore`, whose docstrings are the contract."""

    async def put_grant(self, owner: str, name: str, grant: Grant, lives: Lives, most: int) -> None:
        digest = digest_of(grant.content)
        arguments: list[Argument] = [name, *lives, grant.until, digest, grant.content, most, most * GRANT_BYTES]
        await PUT_GRANT.run(self._client, keys.grants(owner), arguments)

    async def grant(self, owner: str, name: str) -> Grant | None:
        return await self._used(owner, name, "")

    async def exchange_grant(self, owner: str, name: str, new_name: str) -> Grant | None:
        return await self._used(owner, name, new_name)

    async def _used(self, owner: str, name: str, new_name: str) -> Grant | None:
        found = await USE_GRANT.run(self._client, keys.grants(owner), [name, new_name])
        return None if found is None else Grant(found[0], codec.text(found[1]))


SNAPSHOT = Script("reading/snapshot", writes=False)
NOTE_ASKS = Script("reading/note_asks", writes=True)


RECORDS_BYTES = 8 << 20
"""Size of the cache of tenants' records, in packed bytes: unpacked they take ten times that."""


class RememberedRecord(NamedTuple):
    """A cached record of a tenant, and its packed size in bytes."""

    stored: StoredTenant
    weight: int


class RedisReader(RedisGrants):
    """Implements `reading.CounterReader`, whose docstrings are the contract."""

    def __init__(self, client: StoreClient, buckets: int) -> None:
        super().__init__(client, buckets)
        self._records: Lru[str, RememberedRecord] = Lru(RECORDS_BYTES, lambda record: record.weight)
        """Records are large, and never change under one record version."""

    def bucket(self, tenant: str) -> Bucket:
        """Returns the bucket of a tenant."""
        return keys.bucket_of(tenant, self.buckets)

    async def ping(self) -> None:
        # Every answer needs a realm from this server; each other server of a cluster holds only some tenants.
        await self._client.beside(keys.CATALOGUE, "PING")

    async def run(self) -> str:
        return (await self._client.call_in_run("PING"))[0]

    async def runs(self) -> Runs:
        places = [*(keys.state(bucket) for bucket in range(self.buckets)), keys.CATALOGUE]
        found = await self._client.runs(places)
        return Runs(tuple(found[place] for place in places[:-1]), found[keys.CATALOGUE])

    def server(self, bucket: Bucket) -> str:
        return self._client.server(keys.state(bucket))

    async def realm(self, name: str) -> Realm | None:
        packed = await self._client.call("HGET", keys.REALMS, name)
        return codec.unpack_realm(packed) if packed else None

    async def credential(self, identifier: str) -> Credential | None:
        packed = await self._client.call("HGET", keys.CREDENTIALS, identifier)
        return codec.unpack_credential(packed) if packed else None

    async def credentials_of(self, username: str) -> Sequence[Credential]:
        start, end = b"[" + username.encode() + b"\0", b"(" + username.encode() + b"\1"
        found = await self._client.call("ZRANGEBYLEX", keys.ADMINS, start, end)
        if not found:
            return []
        # A name that contains NUL may share this prefix, so the name in the credential decides.
        identifiers = [member.rpartition(b"\0")[2] for member in found]
        packed = await self._client.call("HMGET", keys.CREDENTIALS, *identifiers)
        read = [codec.unpack_credential(value) for value in packed if value]
        return [credential for credential in read if credential.admin.username == username]

    async def tenant(self, tenant: str) -> StoredTenant | None:
        key = keys.tenant(self.bucket(tenant), tenant)
        known = self._records.get(tenant)
        if known is not None:
            record_version, generation = await self._client.call("HMGET", key, "token", "generation")
            if record_version is not None and codec.text(record_version) == known.stored.record_version:
                return msgspec.structs.replace(known.stored, generation=codec.text(generation))
        record_version, generation, record = await self._client.call("HMGET", key, "token", "generation", "record")
        if record_version is None:
            self._records.drop(tenant)
            return None
        stored = StoredTenant(codec.text(record_version), codec.text(generation), codec.unpack_record(record))
        self._records.put(tenant, RememberedRecord(stored, len(record)))
        return stored

    async def catalogue_read(self) -> bool:
        return bool(await self._client.call("HEXISTS", keys.CATALOGUE, "judged"))

    async def tenants_read(self, tenant: str) -> bool:
        return bool(await self._client.call("HEXISTS", keys.state(self.bucket(tenant)), "tenants"))

    async def ticket_count(self, tenant: str, generation: str) -> int:
        return int(await self._client.call("HLEN", keys.tickets(self.bucket(tenant), tenant, generation)))

    async def ticket_states(self, tenant: str, generation: str, cursor: int, limit: int) -> TicketPage:
        key = keys.tickets(self.bucket(tenant), tenant, generation)
        run, (following, found) = await self._client.call_in_run("HSCAN", key, cursor, "COUNT", limit)
        tickets = ((codec.text(ticket), codec.unpack_ticket_state(packed)) for ticket, packed in pairs_of(found))
        return TicketPage(run, int(following), tickets, sum(map(len, found[1::2])))

    async def snapshot(self, query: CountQuery) -> Snapshot | None:
        bucket = self.bucket(query.tenant)
        places = keys.snapshot(bucket, query.tenant, query.generation, query.counters, query.timed_counters)
        arguments: list[Argument] = [query.record_version, len(query.timed_counters), _packed_windows(query)]
        arguments.append(1 if query.columns else 0)
        run, reply = await SNAPSHOT.run_in(self._client, places, arguments)
        return None if reply is None else snapshot_in(run, query, reply)

    async def note_demands(self, tenant: str, demands: Iterable[ColumnDemand], now: Instant, *, missing: bool) -> None:
        key = keys.demands(self.bucket(tenant), tenant)
        await NOTE_ASKS.run(self._client, [key], [now // 1000, *map(codec.pack_ask, demands)])
        if missing:
            await self._client.call("SADD", keys.TENANTS_WITH_DEMANDS, tenant)

    async def demands(self, tenant: str) -> Mapping[ColumnDemand, Instant]:
        key = keys.demands(self.bucket(tenant), tenant)
        flat = await self._client.call("ZRANGE", key, 0, -1, "WITHSCORES")
        return {codec.unpack_ask(ask): int(at_ms) * 1000 for ask, at_ms in pairs_of(flat)}


def _packed_windows(query: CountQuery) -> bytes:
    """Packs the windows for the snapshot script; b"" for none."""
    if not query.windows:
        return b""
    return codec.pack(
        [
            (
                window.column,
                [quarter for span in window.spans for quarter in span],
                [
                    (index + 1, part if query.timed_counters[index].startswith(PERSONS) else False)
                    for index, part in window.scopes
                ],
            )
            for window in query.windows
        ]
    )
