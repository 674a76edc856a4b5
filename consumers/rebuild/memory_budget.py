"""Checks that Redis has memory for two generations, before and during a rebuild. Never frees memory for one."""

from collections.abc import Iterable, Sequence

from consumers.errors import RebuildRefused
from consumers.rebuild.build_step import Job
from service.store.ports.building import BuildingStore, Memory
from service.store.ports.catalogue import Bucket

FULL = 0.95
"""Share of maxmemory. A full Redis stops the serving consumers too, so a rebuild gives up before."""

MIB = 1024 * 1024


class MemoryBudget:
    """Compares the memory of each Redis server with its maxmemory."""

    def __init__(self, store: BuildingStore, buckets: int) -> None:
        self._store = store
        self._buckets = range(buckets)

    async def check_before(self, tenants: Sequence[str]) -> None:
        """Raises RebuildRefused when a second generation of these tenants doesn't fit.

        Estimates its size by the tenants' share of the tickets. Example: 30 % of the tickets of a server
        that uses 400 MiB need 120 MiB more.
        """
        servers = await self._servers()
        if all(memory.most == 0 for _, memory in servers):
            return
        stored = await self._tickets()
        for buckets, memory in servers:
            here = {name: tickets for name, tickets in stored.items() if self._store.bucket(name) in buckets}
            share = sum(here.get(name, 0) for name in tenants) / max(sum(here.values()), 1)
            needed = int(memory.used * share)
            if memory.most and memory.used + needed > FULL * memory.most:
                raise RebuildRefused(
                    f"Redis uses {memory.used // MIB:,} MiB of {memory.most // MIB:,}, and a second generation of "
                    f"{len(here.keys() & {*tenants})} tenant(s) takes some {max(needed // MIB, 1):,} MiB more: raise "
                    "maxmemory" + (", or rebuild one tenant after another with --tenant" if len(tenants) > 1 else "")
                )

    async def check(self, jobs: Iterable[Job]) -> None:
        """When a server is too full, gives the buildings up and raises RebuildRefused."""
        full = [memory for _, memory in await self._servers() if memory.most and memory.used > FULL * memory.most]
        if not full:
            return
        for job in jobs:
            await self._store.begin_building(job.name, job.building.generation, None)
        raise RebuildRefused(
            f"Redis uses {full[0].used // MIB:,} MiB of {full[0].most // MIB:,}: the new generation is given up, "
            "because a full Redis would stop the consumers"
        )

    async def _servers(self) -> list[tuple[frozenset[Bucket], Memory]]:
        """Returns the buckets and the memory of each server."""
        buckets: dict[str, set[Bucket]] = {}
        for bucket, run in enumerate((await self._store.runs()).buckets):
            buckets.setdefault(run, set()).add(bucket)
        return [(frozenset(here), await self._store.memory(min(here))) for here in buckets.values()]

    async def _tickets(self) -> dict[str, int]:
        """Returns the number of tickets of each tenant."""
        found = {}
        for bucket in self._buckets:
            for name in await self._store.tenants(bucket):
                stored = await self._store.tenant(name)
                if stored is not None:
                    found[name] = await self._store.ticket_count(name, stored.generation)
        return found
