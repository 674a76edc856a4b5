"""Implements the next generation of a tenant in Redis. Decides nothing about tickets.

A building's hash has the fields of a bucket's state and of a tenant, so that the scripts for serving generations also
work on buildings.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import msgspec

from service.domain.counting.columns import ColumnId
from service.domain.counting.scopes import EVERYONE
from service.domain.tickets.ticket import Instant
from service.store import codec, keys
from service.store.client.pipelined_connection import Argument, Reply
from service.store.client.store_client import opened_client
from service.store.ports.building import Building, Gone, Memory, NotYet, SwapOutcome, Swapped
from service.store.ports.catalogue import Bucket
from service.store.ports.steps import Batch, DueTicket, Loaded, Outcome
from service.store.redis.store import DUE, LOAD, RedisStore
from service.store.replies import bucket_state, due_ticket, info_field, instant_in, pairs_of, stored_ticket
from service.store.script import Script

BEGIN = Script("building/begin_building", writes=True)
ADOPT = Script("building/adopt_building", writes=True)
MERGE_DUE = Script("building/merge_due", writes=True)
SWAP = Script("building/swap", writes=True)

_complete_decoder = msgspec.msgpack.Decoder(dict[ColumnId, int])


@asynccontextmanager
async def open_building_store(url: str, buckets: int, timeout_s: float) -> AsyncIterator["RedisBuildingStore"]:
    """Opens a store that connects when first used."""
    async with opened_client(url, timeout_s) as client:
        yield RedisBuildingStore(client, buckets)


class RedisBuildingStore(RedisStore):
    """Implements `building.BuildingStore`, whose docstrings are the contract."""

    async def building(self, tenant: str) -> Building | None:
        flat = await self._client.call("HGETALL", keys.building(self.bucket(tenant), tenant))
        return _building(tenant, flat) if b"generation" in flat[::2] else None

    async def begin_building(self, tenant: str, expected: str | None, new: Building | None) -> bool:
        bucket = self.bucket(tenant)
        places = [keys.tenant(bucket, tenant), *self._own(tenant), keys.orphans(bucket)]
        fields = [] if new is None else _fields(new)
        return bool(await BEGIN.run(self._client, places, [tenant, expected or "", *fields]))

    async def adopt_building(self, building: Building, record_version: str, complete: Mapping[ColumnId, int]) -> bool:
        arguments: list[Argument] = [
            building.generation,
            building.record_version,
            record_version,
            codec.pack(dict(complete)),
        ]
        return bool(await ADOPT.run(self._client, self._own(building.tenant)[:1], arguments))

    async def load_building(self, building: Building, tickets: Sequence[str]) -> Loaded:
        name = building.tenant
        bucket, (state, due) = self.bucket(name), self._own(name)
        places = [state, due, state, keys.tickets(bucket, name, building.generation)]
        arguments: list[Argument] = [codec.pack([len(tickets)]), *tickets]
        flat, next_due, record_versions, ticket_states = await LOAD.run(self._client, places, arguments)
        return Loaded(
            bucket_state(flat),
            {name: codec.text(record_versions[0])},
            {(name, ticket): stored_ticket(packed) for ticket, packed in zip(tickets, ticket_states, strict=True)},
            instant_in(next_due),
        )

    async def apply_building(self, batch: Batch) -> Outcome:
        (tenant,) = batch.tenants
        own = self._own(tenant.tenant)
        return await self._apply(batch, own, own[:1], muted=True)

    async def building_due(self, building: Building, now: Instant, limit: int) -> Sequence[DueTicket]:
        flat = await DUE.run(self._client, self._own(building.tenant), [now, limit])
        return [due_ticket(codec.text(member), int(due_at)) for member, due_at in pairs_of(flat)]

    async def merge_due(self, building: Building, since: Instant, limit: int) -> int:
        places = [keys.due(self.bucket(building.tenant)), *self._own(building.tenant)]
        return int(await MERGE_DUE.run(self._client, places, [building.generation, since, limit]))

    async def swap(self, building: Building, record_version: str, latest: Instant) -> SwapOutcome:
        name, bucket = building.tenant, self.bucket(building.tenant)
        places = [
            keys.state(bucket),
            keys.due(bucket),
            keys.tenant(bucket, name),
            *self._own(name),
            keys.orphans(bucket),
            keys.backfill_progress(bucket, name),
            keys.counter(bucket, name, building.base, EVERYONE),
            keys.counter(bucket, name, building.generation, EVERYONE),
        ]
        return _swap_outcome(await SWAP.run(self._client, places, [name, building.generation, record_version, latest]))

    async def memory(self, bucket: Bucket) -> Memory:
        info = codec.text(await self._client.beside(keys.state(bucket), "INFO", "memory"))
        return Memory(int(info_field(info, "used_memory")), int(info_field(info, "maxmemory")))

    def _own(self, tenant: str) -> list[str]:
        bucket = self.bucket(tenant)
        return [keys.building(bucket, tenant), keys.building_due(bucket, tenant)]


def _fields(building: Building) -> list[Argument]:
    """Returns a new building's hash as a flat list: name, value, name, value, …"""
    fields: list[Argument] = [
        "generation",
        building.generation,
        "base",
        building.base,
        "token",
        building.record_version,
    ]
    fields += ["complete", codec.pack(dict(building.complete)), "from_store", int(building.from_store)]
    fields += ["topic", building.state.topic]
    for partition, position in building.state.positions.items():
        fields += [f"p:{partition}", position]
    return fields


def _building(tenant: str, flat: Sequence[bytes]) -> Building:
    fields = dict(pairs_of(flat))
    return Building(
        tenant,
        codec.text(fields[b"generation"]),
        codec.text(fields[b"base"]),
        codec.text(fields[b"token"]),
        _complete_decoder.decode(fields[b"complete"]),
        fields[b"from_store"] == b"1",
        bucket_state(flat),
        instant_in(fields.get(b"merged_from", b"")),
    )


def _swap_outcome(reply: list[Reply]) -> SwapOutcome:
    match reply:
        case [b"swapped", version, before, after]:
            return Swapped(version, codec.columns_in(before), codec.columns_in(after))
        case [b"not yet", why]:
            return NotYet(codec.text(why))
    return Gone()
