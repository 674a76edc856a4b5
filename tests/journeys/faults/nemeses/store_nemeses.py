"""What happens to Redis: killed, frozen, put back to an older dump, lost to a replica that was behind.

Judges nothing.
"""

import asyncio
from pathlib import Path

from tests.journeys.faults.nemeses.nemesis import REWOUND, SEEN_WITHIN_S, TIMED_OUT, Nemesis, Stage
from tests.journeys.faults.runs.ground import applied
from tests.servers.link import Link
from tests.servers.ports import HOST
from tests.servers.redis.redis_server import RedisServer
from tests.support.waiting import wait_until

MISSED = "Redis at "
"""How whatever a consumer says of a failed call begins."""

GIVEN_UP = "store away, will try again"
"""A step that is in doubt: it will be tried again."""

ROUNDS = 10
BACKLOG = 2_000
"""Records at once, so that steps are under way."""

LOST_RECORDS = 1_000


async def killed(stage: Stage) -> None:
    """Killed with its append-only file, and started again. Seen: somebody missed it."""
    missed = stage.times_said(MISSED)
    stage.ground.redis.kill()
    await wait_until(lambda: stage.times_said(MISSED) > missed, SEEN_WITHIN_S, "a consumer to miss Redis")
    await asyncio.to_thread(stage.ground.redis.start)


async def frozen(stage: Stage) -> None:
    """Frozen until a step is given up; it is carried out all the same, later. Seen: a consumer says that."""
    doubted = stage.times_said(GIVEN_UP)
    for _ in range(ROUNDS):  # now and then no step is under way, but only a look at positions or at the clock
        await stage.run.load.burst(BACKLOG)
        await stage.run.load.flush()
        await frozen_once(stage)
        if stage.times_said(GIVEN_UP) > doubted:
            return
        await stage.run.settled()
    raise AssertionError("no step was given up")


async def frozen_once(stage: Stage) -> None:
    """Frozen until some call is given up."""
    doubted = stage.times_said(TIMED_OUT)
    stage.ground.redis.pause()
    try:
        await wait_until(lambda: stage.times_said(TIMED_OUT) > doubted, SEEN_WITHIN_S, "a call to be given up")
    finally:
        stage.ground.redis.thaw()


async def restored(stage: Stage) -> None:
    """Killed and restored from an older dump under running consumers. Seen: one of them rewinds."""
    with stage.run.load.idle():
        dump = await dumped_and_left_behind(stage)
        rewinds = stage.times_said(REWOUND)
        stage.ground.redis.kill()
        await asyncio.to_thread(stage.ground.redis.restore, dump)
        await wait_until(lambda: stage.times_said(REWOUND) > rewinds, SEEN_WITHIN_S, "a consumer to rewind")


async def restored_while_consumers_were_down(stage: Stage) -> None:
    """Restored from an older dump while no consumer runs. Seen: its positions are lower than they were."""
    redis = stage.ground.redis
    with stage.run.load.idle():
        dump = await dumped_and_left_behind(stage)
        for consumer in stage.pair:
            await stage.run.note(consumer)
            consumer.kill()
        newest = await asyncio.to_thread(applied, redis)
        redis.kill()
        await asyncio.to_thread(redis.restore, dump)
        assert await asyncio.to_thread(applied, redis) < newest, "nothing was lost"
        await asyncio.gather(*(stage.run.system.restart(consumer) for consumer in stage.pair))


async def replica_promoted(stage: Stage) -> None:
    """A replica that is behind is promoted while nobody reaches the old master, and all links lead to it from then on.

    Seen: the replica's positions are lower than those that the old master had acknowledged, and a consumer rewinds.
    """
    old, replica = stage.ground.redis, stage.ground.another_redis()
    links = stage.ground.to_redis.values()
    async with Link() as replication:
        replication.lead_to(old.port)
        await asyncio.to_thread(replica.start)
        try:
            await asyncio.to_thread(follow, old, replica, replication.port)
            await wait_until(lambda: in_step(replica), SEEN_WITHIN_S, "the replica to have all")
            with stage.run.load.idle():
                replication.black_hole()
                await left_behind(stage)
                rewinds = stage.times_said(REWOUND)
                for link in links:
                    link.black_hole()
                newest = await asyncio.to_thread(applied, old)
                await asyncio.to_thread(promote, replica)
        except BaseException:
            replica.kill()
            raise
        stage.ground.serve(replica)
        assert await asyncio.to_thread(applied, replica) < newest, "nothing was lost"
        for link in links:
            link.heal()
        await asyncio.to_thread(old.kill)
        await wait_until(lambda: stage.times_said(REWOUND) > rewinds, SEEN_WITHIN_S, "a consumer to rewind")


async def dumped_and_left_behind(stage: Stage) -> Path:
    """A dump, after which acknowledged writes came: more than one tenant's, but not the idle one's."""
    dump = stage.ground.directory / "older.rdb"
    await asyncio.to_thread(stage.ground.redis.dump, dump)
    await left_behind(stage)
    return dump


async def left_behind(stage: Stage) -> None:
    """Returns when consumers have applied and acknowledged a thousand records that came after the call."""
    await stage.run.load.burst(LOST_RECORDS)
    await stage.run.settled()


def follow(master: RedisServer, replica: RedisServer, port: int) -> None:
    """Has the replica follow the master by this port."""
    with master.client() as client:
        client.config_set("repl-diskless-sync-delay", 0)
    with replica.client() as client:
        client.replicaof(HOST, str(port))


async def in_step(replica: RedisServer) -> bool:
    """Whether it has had all that its master had a moment ago."""
    with replica.client() as client:
        state = await asyncio.to_thread(client.info, "replication")
    return state.get("master_link_status") == "up"


def promote(replica: RedisServer) -> None:
    """Makes a master of it."""
    with replica.client() as client:
        client.replicaof("NO", "ONE")


STORE: tuple[Nemesis, ...] = (
    Nemesis("Redis killed", killed),
    Nemesis("Redis frozen", frozen),
    Nemesis("Redis restored", restored, needs_consumers=True),
    Nemesis("Redis restored, no consumer", restored_while_consumers_were_down, needs_consumers=True),
    Nemesis("replica promoted", replica_promoted, needs_consumers=True),
)
REWINDING = frozenset(("Redis restored", "replica promoted"))
"""Those that have a consumer rewind."""
