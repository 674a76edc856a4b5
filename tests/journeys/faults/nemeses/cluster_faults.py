"""Faults of a Redis Cluster below a system under load, each seen to have happened. Judges no count."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from functools import partial
from types import TracebackType

from redis.crc import key_slot

from service.store import keys
from tests.journeys.faults.runs.load import Tenant
from tests.journeys.faults.runs.run import BACKLOG, FaultRun
from tests.journeys.programs.asking import Question, Snapshot, admin
from tests.oracle.generated.choices import Choices
from tests.servers.redis.redis_cluster import RedisCluster, asked
from tests.servers.redis.redis_server import RedisServer
from tests.support.waiting import wait_until

WITHIN_S = 40.0
MOVE_S = 2.0
"""How long a slot is on its way, under load."""

LOST = 100
"""Records that were acknowledged and are lost with a master, at the least."""

TORN_S = 2.0
"""How long a move stays half done after its source failed, before an operator sees to it."""


Fault = Callable[["ClusterFaults"], Coroutine[None, None, None]]


class ClusterFaults:
    """What may happen to a cluster. `fired` counts what did, `refused` how the masters pointed elsewhere meanwhile."""

    def __init__(self, run: FaultRun, cluster: RedisCluster, choices: Choices, buckets: int) -> None:
        self._run, self._cluster, self._choices, self._buckets = run, cluster, choices, buckets
        self.fired: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.keys_moved = 0

    async def failover(self) -> None:
        """A master is killed, and its replica stands in; it comes back as a replica."""
        tenant, master = self._somebody()
        async with _Changed(self._run, tenant):
            await self._run.backlog()
            master.kill()
            await self._off(self._cluster.failed_over, master)
        await self._run.watched(20)
        await self._back(master)

    async def handover(self) -> None:
        """A replica takes over from a master that lives and knows, as before a server is taken out of service."""
        tenant, master = self._somebody()
        async with _Changed(self._run, tenant):
            await self._run.backlog()
            asked(self._cluster.replica_of(master), "CLUSTER FAILOVER")
        await self._off(self._cluster.rejoined)

    async def freeze(self) -> None:
        """A master is frozen until its replica has stood in, then it thaws and has it all wrong."""
        tenant, master = self._somebody()
        heir = self._cluster.replica_of(master)
        async with _Changed(self._run, tenant):
            await self._run.backlog()
            master.pause()
            try:
                await self._run_until(lambda: "master" in asked(heir, "ROLE")[0].decode())
            finally:
                master.thaw()
        await self._off(self._cluster.rejoined)

    async def lossy_failover(self) -> None:
        """A replica stands in that was cut off before: what its master acknowledged since then is lost."""
        tenant, master = self._somebody()
        replica = self._cluster.replica_of(master)
        rewinds = await self.rewinds()
        # The replica's link to its master alone is cut: it can't log in any more.
        asked(replica, "CONFIG SET", "masteruser", "nobody")
        asked(replica, "CONFIG SET", "masterauth", "wrong")
        # By default it doesn't stand in with data that is 30 s old, and a busy machine needs longer for what follows.
        asked(replica, "CONFIG SET", "cluster-replica-validity-factor", "0")
        asked(replica, "CLIENT KILL", "TYPE", "master")
        await self._run_until(lambda: asked(replica, "INFO", "replication")["master_link_status"] == "down")
        kept = self._stored(master, tenant)
        await self._run.backlog()
        await self._run_until(lambda: self._stored(master, tenant) > kept + LOST)
        async with _Changed(self._run, tenant):
            master.kill()
            await self._off(self._cluster.failed_over, master)
        asked(replica, "CONFIG SET", "masteruser", "")
        asked(replica, "CONFIG SET", "masterauth", "")
        asked(replica, "CONFIG SET", "cluster-replica-validity-factor", "10")

        async def rewound() -> bool:
            return await self.rewinds() > rewinds

        await wait_until(rewound, WITHIN_S, "a consumer to rewind")
        await self._run.watched(20)
        await self._back(master)

    async def outage(self) -> None:
        """A master is gone together with its replica, until the others have all that was published meanwhile."""
        tenant, master = self._somebody()
        heir = self._cluster.replica_of(master)
        owners = {one.name: self._cluster.owner(self._slot(one)) for one in self._run.load.tenants}
        others = [one for one in self._run.load.tenants if owners[one.name] is not master]
        assert others, "every tenant is on that master"
        async with _Changed(self._run, tenant):
            master.kill()
            heir.kill()
            await self._run.load.burst(BACKLOG)
            await self._run.load.flush()
            end = sum((await self._run.system.ends()).values())
            for one in others:
                await self._run_until(partial(self._has, owners[one.name], one, end))
            await self._off(master.start)
        await self._back(heir)
        await self._run.watched(20)

    async def move(self) -> None:
        """The slot of a tenant in use goes to another master, key by key."""
        tenant, source = self._somebody()
        target = self._choices.pick([node for node in self._cluster.masters() if node is not source])
        before = self._errors()
        async with _Changed(self._run, tenant):
            await self._run.backlog()
            slot = self._slot(tenant)
            moved: int = await asyncio.to_thread(partial(self._cluster.move, slot, target, over_s=MOVE_S))
        assert moved > 0, "the slot was empty"
        self.keys_moved += moved
        self.refused += self._errors() - before
        assert self.refused, "nobody asked for it meanwhile"
        await self._run.watched(20)

    async def torn_move(self) -> None:
        """The master fails that a slot is just being moved away from: an operator has to finish the move."""
        tenant, source = self._somebody()
        target = self._choices.pick([node for node in self._cluster.masters() if node is not source])
        heir, slot = self._cluster.replica_of(source), self._slot(tenant)
        async with _Changed(self._run, tenant):
            await self._run.backlog()
            self._cluster.open_move(slot, target)
            half = int(asked(source, "CLUSTER COUNTKEYSINSLOT", slot)) // 2
            moved = await asyncio.to_thread(partial(self._cluster.move_keys, slot, target, most=half))
            assert moved >= half > 0
            source.kill()
            await self._off(self._cluster.failed_over, source)
            await self._back(source)  # before it has lost the slot to another one: then it would be nobody's replica
            await asyncio.sleep(TORN_S)
            asked(heir, "CLUSTER SETSLOT", slot, "MIGRATING", self._cluster.id_of(target))
            await self._off(self._cluster.move_keys, slot, target)
            await self._off(self._cluster.close_move, slot, target)
        await self._run.watched(20)

    async def play(self, fault: Fault) -> None:
        """One of these faults."""
        await fault(self)
        self.fired[fault.__name__] += 1

    def _somebody(self) -> tuple[Tenant, RedisServer]:
        tenant = self._choices.pick(self._run.load.busy)
        return tenant, self._cluster.owner(self._slot(tenant))

    def _slot(self, tenant: Tenant) -> int:
        return key_slot(self._state(tenant).encode())

    def _state(self, tenant: Tenant) -> str:
        return keys.state(keys.bucket_of(tenant.name, self._buckets))

    def _has(self, node: RedisServer, tenant: Tenant, records: int) -> bool:
        return self._stored(node, tenant) >= records

    def _stored(self, node: RedisServer, tenant: Tenant) -> int:
        """How many records of the log the tenant's bucket has behind it, there."""
        state: dict[bytes, bytes] = asked(node, "HGETALL", self._state(tenant))
        return sum(int(value) for name, value in state.items() if name.startswith(b"p:"))

    async def _back(self, server: RedisServer) -> None:
        """Starts a killed server, and returns when every master has a replica again."""
        await self._off(server.start)
        await self._off(self._cluster.rejoined)

    async def rewinds(self) -> float:
        """How often consumers have noticed so far that something was lost."""
        return sum([await asyncio.to_thread(one.metric, "rewinds_total") for one in self._run.system.consumers])

    def _errors(self) -> Counter[str]:
        """How often masters have pointed elsewhere so far."""
        found: Counter[str] = Counter()
        for node in self._cluster.masters():
            for kind in ("MOVED", "ASK", "TRYAGAIN"):
                counted = asked(node, "INFO", "errorstats").get(f"errorstat_{kind}", {})
                found[kind] += int(counted.get("count", 0))
        return found

    async def _off(self, blocking: Callable[..., object], *arguments: object) -> None:
        await asyncio.to_thread(blocking, *arguments)

    async def _run_until(self, done: Callable[[], bool]) -> None:
        await wait_until(partial(asyncio.to_thread, done), WITHIN_S, "the cluster to come so far")


class _Changed:
    """Returns from its context once the tenant is answered for by another run of Redis than before."""

    def __init__(self, run: FaultRun, tenant: Tenant) -> None:
        self._run = run
        self._question = Question(tenant.name, admin())
        self._before: Snapshot | None = None

    async def __aenter__(self) -> None:
        self._before = await wait_until(self._asked, WITHIN_S, "an answer")

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            await wait_until(self._other, WITHIN_S, "an answer in another epoch")

    async def _asked(self) -> Snapshot | None:
        return await self._run.system.asked(self._question)

    async def _other(self) -> bool:
        now = await self._asked()
        return now is not None and self._before is not None and now.epoch != self._before.epoch
