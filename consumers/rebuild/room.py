"""Whether the store has room for two generations at once: asked before, and again on the way. Never makes room."""

from collections.abc import Iterable, Sequence

from consumers.rebuild.build_step import Job
from consumers.rebuild.refusal import Refused
from service.store.building import BuildingStore

FULL = 0.95
"""Of the limit: a store that refuses writes stops the serving consumers too, so a rebuild gives way before."""

MIB = 1024 * 1024


class Room:
    """Knows the store only."""

    def __init__(self, store: BuildingStore, buckets: int) -> None:
        self._store = store
        self._buckets = range(buckets)

    async def check_before(self, tenants: Sequence[str]) -> None:
        """Raises Refused when the tenants' share of what is stored doesn't fit a second time."""
        memory = await self._store.memory()
        if memory.most == 0:
            return
        stored = await self._tickets()
        share = sum(stored.get(name, 0) for name in tenants) / max(sum(stored.values()), 1)
        needed = int(memory.used * share)
        if memory.used + needed > FULL * memory.most:
            raise Refused(
                f"Redis uses {memory.used // MIB:,} MiB of {memory.most // MIB:,}, and a second generation of "
                f"{len(tenants)} tenant(s) takes some {max(needed // MIB, 1):,} MiB more: raise maxmemory"
                + (", or rebuild one tenant after another with --tenant" if len(tenants) > 1 else "")
            )

    async def check(self, jobs: Iterable[Job]) -> None:
        """Gives the buildings up when the store has become too full, and raises Refused."""
        memory = await self._store.memory()
        if memory.most == 0 or memory.used <= FULL * memory.most:
            return
        for job in jobs:
            await self._store.begin_building(job.name, job.building.generation, None)
        raise Refused(
            f"Redis uses {memory.used // MIB:,} MiB of {memory.most // MIB:,}: the new generation is given up, because "
            "a full Redis would stop the consumers"
        )

    async def _tickets(self) -> dict[str, int]:
        """How many tickets each tenant has."""
        found = {}
        for bucket in self._buckets:
            for name in await self._store.tenants(bucket):
                stored = await self._store.tenant(name)
                if stored is not None:
                    found[name] = await self._store.ticket_count(name, stored.generation)
        return found
