"""Implements the counter store in Redis, each method as one script or command. Decides nothing about tickets."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from redis.exceptions import ResponseError

from service.domain.catalogue.catalogue import Credential, Realm
from service.domain.tenants.tenant_entries import ColumnDemand
from service.domain.tickets.ticket import Instant
from service.store import codec, keys
from service.store.apply_plan import due_text, packed_plan
from service.store.client.cluster_view import NoCluster
from service.store.client.pipelined_connection import Argument, PipelinedConnection
from service.store.client.store_client import opened_client
from service.store.ports.catalogue import Bucket, Position, StoredTenant
from service.store.ports.errors import StoreRefused, StoreUnable, StoreUnavailable
from service.store.ports.steps import Batch, BucketState, DueTicket, Loaded, Outcome
from service.store.random_id import new_random_id
from service.store.redis.orphans import RedisOrphans
from service.store.redis.reader import RememberedRecord
from service.store.redis.server_status import SECTIONS, ServerStatus, server_status_in, worst
from service.store.redis.unknown_ids import RedisUnknownIds
from service.store.replies import bucket_state, due_ticket, info_field, instant_in, outcome, pairs_of, stored_ticket
from service.store.script import Script

OLDEST_REDIS = 7
"""EVALSHA_RO and functions' rules for scripts came with 7.0."""

APPLY = Script("step/apply", writes=True)
LOAD = Script("step/load", writes=False)
DUE = Script("step/due", writes=True)
PUT_TENANT = Script("catalogue/put_tenant", writes=True)
PUT_ENTRY = Script("catalogue/put_entry", writes=True)
PUT_CREDENTIAL = Script("catalogue/put_credential", writes=True)
RAISE = Script("step/raise", writes=True)
LAY_OUT = Script("step/lay_out", writes=True)
LEASE = Script("step/lease", writes=True)
GIVE_BACK = Script("step/give_back", writes=True)


FORMAT = 3
"""Version of the packed values; raise it when new code can't read older data."""


@asynccontextmanager
async def open_store(url: str, buckets: int, timeout_s: float) -> AsyncIterator["RedisStore"]:
    """Opens a store that connects when first used."""
    async with opened_client(url, timeout_s) as client:
        yield RedisStore(client, buckets)


class RedisStore(RedisUnknownIds, RedisOrphans):
    """Implements `counter_store.CounterStore`, whose docstrings are the contract."""

    paused = ""
    """Why every step is refused, as if the store were away; "" when steps are accepted."""
    unable: StoreUnable | None = None
    """The server's last refusal of a step, until the reader of this attribute resets it to None."""
    _last_time: tuple[int, float] | None = None
    """The servers' time in ms at their last answer, and the monotonic time of that answer in seconds."""

    async def ensure_layout(self) -> None:
        """Writes the layout if the store has none.

        Raises StoreRefused for another layout, and when any server is too old, evicts, or doesn't match the URL.
        """
        try:
            servers = await self._client.everywhere("INFO", "server")
        except NoCluster as error:
            raise StoreRefused(f"TICKET_COUNTS_REDIS: {error}; write redis:// instead of redis+cluster://") from None
        for server in servers:
            self._check_server(codec.text(server))
        if drops := (await self.condition()).drops:
            raise StoreRefused(drops)
        await self._lay_out()
        fields = await self._client.call("HMGET", keys.LAYOUT, "buckets", "format")
        stored, written_in = (int(value or 0) for value in fields)
        if written_in != FORMAT:
            raise StoreRefused(
                f"this Redis holds counters of another release (format {written_in}, not {FORMAT}): give an empty one, "
                "and they are counted again from the log"
            )
        if stored != self.buckets:
            raise StoreRefused(f"TICKET_COUNTS_BUCKETS: this Redis was laid out with {stored}, not {self.buckets}")

    async def _lay_out(self) -> None:
        await LAY_OUT.run(self._client, [keys.LAYOUT], [FORMAT, self.buckets])

    def _check_server(self, server: str) -> None:
        version = info_field(server, "redis_version")
        if int(version.split(".")[0]) < OLDEST_REDIS:
            raise StoreRefused(f"Redis {version} is too old: {OLDEST_REDIS}.0 or newer is needed")
        if info_field(server, "redis_mode") == "cluster" and isinstance(self._client, PipelinedConnection):
            raise StoreRefused("TICKET_COUNTS_REDIS: this Redis is one of a cluster; write redis+cluster://host:port,…")

    async def condition(self) -> ServerStatus:
        """Returns the status of all servers combined: the worst of each value."""
        servers = await self._client.everywhere("INFO", *SECTIONS)
        saves: list[str | None] = []
        with contextlib.suppress(ResponseError):  # a managed Redis may forbid CONFIG
            settings = await self._client.everywhere("CONFIG", "GET", "save")
            saves = [codec.text(setting[1]) if setting else None for setting in settings]
        if len(saves) != len(servers):  # a master joined or left between the two calls
            saves = [None] * len(servers)
        return worst([server_status_in(codec.text(info), save) for info, save in zip(servers, saves, strict=True)])

    async def time_us(self) -> Instant:
        """Returns the servers' current time in microseconds: the earliest of all servers."""
        replies = await self._client.everywhere("TIME")
        now = min(int(seconds) * 1_000_000 + int(microseconds) for seconds, microseconds in replies)
        self._last_time = now // 1000, time.monotonic()
        return now

    def _time_ms(self) -> int | None:
        """Returns the servers' time in ms, computed from their last answer: rather too early than too late.

        None until the servers have answered once.
        """
        if self._last_time is None:
            return None
        server_ms, at_s = self._last_time
        return server_ms + int((time.monotonic() - at_s) * 1000)

    async def tenants(self, bucket: Bucket) -> Sequence[str]:
        return sorted(codec.text(name) for name in await self._client.call("SMEMBERS", keys.tenants(bucket)))

    async def states(self, buckets: Sequence[Bucket]) -> Mapping[Bucket, BucketState]:
        replies = await asyncio.gather(*(self._client.call("HGETALL", keys.state(bucket)) for bucket in buckets))
        return {bucket: bucket_state(reply) for bucket, reply in zip(buckets, replies, strict=True)}

    async def load(
        self, bucket: Bucket, tickets: Mapping[str, Sequence[str]], generations: Mapping[str, str]
    ) -> Loaded:
        names = list(tickets)
        places = [keys.state(bucket), keys.due(bucket)]
        for name in names:
            places += [keys.tenant(bucket, name), keys.tickets(bucket, name, generations[name])]
        arguments: list[Argument] = [codec.pack([len(tickets[name]) for name in names])]
        for name in names:
            arguments += tickets[name]
        state, next_due, record_versions, ticket_states = await LOAD.run(self._client, places, arguments)
        places_read = [(name, ticket) for name in names for ticket in tickets[name]]
        return Loaded(
            bucket_state(state),
            {name: codec.text(record_version) for name, record_version in zip(names, record_versions, strict=True)},
            {place: stored_ticket(packed) for place, packed in zip(places_read, ticket_states, strict=True)},
            instant_in(next_due),
        )

    async def apply(self, batch: Batch) -> Outcome:
        hashes = [keys.tenant(batch.bucket, tenant.tenant) for tenant in batch.tenants]
        return await self._apply(batch, [keys.state(batch.bucket), keys.due(batch.bucket)], hashes, muted=False)

    async def _apply(self, batch: Batch, places: list[str], hashes: Sequence[str], *, muted: bool) -> Outcome:
        """Applies a batch: `places` has the keys of the state and the due set, `hashes` that of each tenant."""
        if self.paused:
            raise StoreUnavailable(self.paused)
        revision = secrets.token_bytes(codec.REVISION_BYTES)
        arguments: list[Argument] = [packed_plan(batch, self._time_ms(), muted=muted)]
        for tenant, tenant_hash in zip(batch.tenants, hashes, strict=True):
            place = (batch.bucket, tenant.tenant, tenant.generation)
            places += [tenant_hash, keys.tickets(*place), keys.counter(*place, "*")]
            places += [keys.counter(*place, counter) for counter in tenant.deltas if counter != "*"]
            places += [keys.timed(*place, counter) for counter in tenant.time_buckets]
            for write in tenant.writes:
                ticket_state = (
                    b"" if write.ticket_state is None else revision + codec.pack_ticket_state(write.ticket_state)
                )
                arguments += [write.ticket, write.revision, ticket_state, due_text(write)]
        places += [keys.audit(batch.bucket), keys.noted(batch.bucket)]
        try:
            return outcome(await APPLY.run(self._client, places, arguments))
        except StoreUnable as refusal:
            self.unable = refusal
            raise

    async def due(self, bucket: Bucket, now: Instant, limit: int) -> Sequence[DueTicket]:
        flat = await DUE.run(self._client, [keys.state(bucket), keys.due(bucket)], [now, limit])
        return [due_ticket(codec.text(member), int(due_at)) for member, due_at in pairs_of(flat)]

    async def forget_due(self, bucket: Bucket, tickets: Sequence[DueTicket]) -> None:
        if tickets:
            members = [keys.due_member(due.tenant, due.generation, due.ticket) for due in tickets]
            await self._client.call("ZREM", keys.due(bucket), *members)

    async def new_epoch(self, bucket: Bucket) -> None:
        await self._client.call("HSET", keys.state(bucket), "epoch", new_random_id())

    async def adopt_topic(self, bucket: Bucket, topic: str) -> None:
        state = await self._client.call("HKEYS", keys.state(bucket))
        gone = [field for field in state if field.startswith((b"p:", b"f:"))]
        if gone:
            await self._client.call("HDEL", keys.state(bucket), *gone)
        await self._client.call("HSET", keys.state(bucket), "topic", topic, "epoch", new_random_id())

    async def scan(self, tenant: str, generation: str, cursor: int, limit: int) -> tuple[int, Sequence[str]]:
        key = keys.tickets(self.bucket(tenant), tenant, generation)
        following, found = await self._client.call("HSCAN", key, cursor, "COUNT", limit)
        return int(following), [codec.text(ticket) for ticket in found[::2]]

    async def lease(self, bucket: Bucket, holder: str, ttl_ms: int) -> bool:
        return bool(await LEASE.run(self._client, [keys.lease(bucket)], [holder, ttl_ms]))

    async def give_back(self, bucket: Bucket, holder: str) -> None:
        await GIVE_BACK.run(self._client, [keys.lease(bucket)], [holder])

    async def tenants_with_demands(self) -> Sequence[str]:
        return sorted(codec.text(name) for name in await self._client.call("SMEMBERS", keys.TENANTS_WITH_DEMANDS))

    async def settle_demands(self, tenant: str) -> None:
        await self._client.call("SREM", keys.TENANTS_WITH_DEMANDS, tenant)

    async def forget_demands(self, tenant: str, demands: Sequence[ColumnDemand]) -> None:
        if demands:
            key = keys.demands(self.bucket(tenant), tenant)
            await self._client.call("ZREM", key, *(codec.pack_ask(ask) for ask in demands))

    async def backfill_progress(self, tenant: str) -> str:
        return codec.text(await self._client.call("GET", keys.backfill_progress(self.bucket(tenant), tenant)) or b"")

    async def set_backfill_progress(self, tenant: str, mark: str) -> None:
        key = keys.backfill_progress(self.bucket(tenant), tenant)
        await (self._client.call("SET", key, mark) if mark else self._client.call("DEL", key))

    async def put_tenant(self, tenant: str, expected: str | None, new: StoredTenant) -> bool:
        record = codec.pack_entry(new.record)
        done = await self._put_tenant(tenant, expected or "", new.record_version, new.generation, record)
        if done:
            self._records.put(tenant, RememberedRecord(new, len(record)))
        return done

    async def drop_tenant(self, tenant: str, expected: str) -> bool:
        return await self._put_tenant(tenant, expected, "", "", b"")

    async def _put_tenant(self, tenant: str, *arguments: Argument) -> bool:
        bucket = self.bucket(tenant)
        places = [
            keys.tenant(bucket, tenant),
            keys.tenants(bucket),
            keys.orphans(bucket),
            keys.demands(bucket, tenant),
            keys.backfill_progress(bucket, tenant),
            keys.unknown_ids(bucket, tenant),
            keys.building(bucket, tenant),
            keys.building_due(bucket, tenant),
        ]
        return bool(await PUT_TENANT.run(self._client, places, [tenant, *arguments]))

    async def put_realm(self, name: str, offset: int, realm: Realm | None) -> bool:
        packed = b"" if realm is None else codec.pack_entry(realm)
        return bool(await PUT_ENTRY.run(self._client, [keys.REALMS, keys.REALM_OFFSETS], [name, offset, packed]))

    async def put_credential(self, identifier: str, offset: int, credential: Credential | None) -> None:
        packed = b"" if credential is None else codec.pack_entry(credential)
        places = [keys.CREDENTIALS, keys.CREDENTIAL_OFFSETS, keys.ADMINS]
        await PUT_CREDENTIAL.run(self._client, places, [identifier, offset, packed])

    async def catalogue_topic(self) -> str:
        return codec.text(await self._client.call("HGET", keys.CATALOGUE, "topic") or b"")

    async def set_catalogue_topic(self, topic: str) -> None:
        await self._client.call("HSET", keys.CATALOGUE, "topic", topic)

    async def forget_catalogue_offsets(self) -> None:
        await self._client.call("DEL", keys.REALM_OFFSETS, keys.CREDENTIAL_OFFSETS)
        await self._client.call("HDEL", keys.CATALOGUE, "judged")

    async def validated_offset(self) -> Position:
        return int(await self._client.call("HGET", keys.CATALOGUE, "judged") or 0)

    async def set_validated_offset(self, position: Position) -> None:
        await RAISE.run(self._client, [keys.CATALOGUE], ["judged", position])

    async def set_tenants_read(self) -> None:
        await self._lay_out()  # a store that came back empty has lost it
        places = (keys.state(bucket) for bucket in range(self.buckets))
        await asyncio.gather(*(self._client.call("HSET", place, "tenants", 1) for place in places))
