"""Faults under load, each made to happen and seen to have happened: no snapshot and no count is ever wrong."""

import asyncio
from functools import partial
from pathlib import Path

import pytest

from tests.journeys.faults.nemeses.consumer_nemeses import all_shared, last_assigned
from tests.journeys.faults.runs.run import FaultRun, fault_run
from tests.journeys.programs.asking import Question, Snapshot, admin
from tests.journeys.programs.program import LOST_SESSION, Program
from tests.servers.kafka.topics import Topics
from tests.servers.redis.redis_server import RedisServer
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300), pytest.mark.usefixtures("apache_kafka")]

AGAIN = pytest.mark.parametrize(
    "rounds", [pytest.param(1, id="once"), pytest.param(3, id="again", marks=pytest.mark.exhaustive)]
)
"""A fault that comes again finds what the first one left behind."""

WITHIN_S = 30.0
FROZEN_S = 4.0
"""Longer than the 3 s after which the product gives up on a call to Redis."""

REWINDS = ("the store lost acknowledged writes",)


@pytest.mark.parametrize("kills", [pytest.param(2), pytest.param(5, marks=pytest.mark.exhaustive)])
async def test_a_consumer_killed_again_and_again_counts_everything_once(
    kafka: str, redis_process: RedisServer, topics: Topics, tmp_path: Path, session_s: float, kills: int
) -> None:
    async with fault_run(kafka, redis_process.url, topics, tmp_path, seed=1, session_s=session_s) as run:
        for _ in range(kills):
            await run.moving(run.first)
            await run.watched(10)
            await run.backlog()
            run.first.kill()
            await run.system.restart(run.first)
        await run.moving(run.first)


@AGAIN
async def test_a_frozen_consumer_that_thaws_after_its_session_does_no_harm(
    kafka: str, redis_process: RedisServer, topics: Topics, tmp_path: Path, session_s: float, rounds: int
) -> None:
    async with fault_run(
        kafka, redis_process.url, topics, tmp_path, seed=2, session_s=session_s, expected_errors=LOST_SESSION
    ) as run:
        second = await run.system.start_consumer()
        await run.moving(second)
        for zombie, heir in ((run.first, second), (second, run.first))[:rounds]:
            assigned = await metric(heir, "assignments_total")
            joined = await metric(zombie, "assignments_total")
            await run.backlog()
            zombie.pause()
            await assigned_again(heir, assigned)
            assert last_assigned(heir) == [0, 1, 2, 3], "it took over all that the frozen one had"
            await run.watched(20)
            zombie.thaw()
            await assigned_again(zombie, joined)
            await run.watched(20)


@AGAIN
async def test_two_consumers_that_both_own_everything_count_everything_once(
    kafka: str, redis_process: RedisServer, topics: Topics, tmp_path: Path, session_s: float, rounds: int
) -> None:
    async with fault_run(kafka, redis_process.url, topics, tmp_path, seed=3, session_s=session_s) as run:
        double = await run.system.start_consumer(GROUP=f"{topics.group}-double")
        await run.moving(double)
        done, collisions = 0, 0.0
        while done < rounds or not collisions:  # whether they meet in one round is the machine's to say
            await run.backlog()
            await run.watched(20)
            done += 1
            collisions = await metric(run.first, "conflicts_total") + await metric(double, "conflicts_total")


@pytest.mark.exhaustive
async def test_a_rebalance_between_two_consumers_loses_and_doubles_nothing(
    kafka: str, redis_process: RedisServer, topics: Topics, tmp_path: Path, session_s: float
) -> None:
    async with fault_run(kafka, redis_process.url, topics, tmp_path, seed=4, session_s=session_s) as run:
        assert last_assigned(run.first) == [0, 1, 2, 3]
        for _ in range(2):
            assigned = await metric(run.first, "assignments_total")
            second = await run.system.start_consumer()
            await run.backlog()
            await run.moving(second)
            # The first may hear of its share later than the second has begun with its own.
            await wait_until(partial(all_shared, run.first, second), WITHIN_S, "the two to share all partitions")
            await run.backlog()
            await asyncio.to_thread(second.terminate)
            await assigned_again(run.first, assigned + 1)
            await wait_until(lambda: last_assigned(run.first) == [0, 1, 2, 3], WITHIN_S, "the first to have all again")


@AGAIN
async def test_redis_killed_and_restarted_loses_nothing(
    kafka: str, redis_process: RedisServer, topics: Topics, tmp_path: Path, session_s: float, rounds: int
) -> None:
    async with fault_run(kafka, redis_process.url, topics, tmp_path, seed=5, session_s=session_s) as run:
        for _ in range(rounds):
            before, noticed = await run.snapshot(), failures(run.first)
            await run.backlog()
            redis_process.kill()
            await refused(run)
            await asyncio.to_thread(redis_process.start)
            after = await back(run)
            assert failures(run.first) > noticed, "the consumer never missed it"
            assert after.epoch != before.epoch, "another run of Redis is another epoch"
            await run.watched(20)


async def test_calls_that_redis_carries_out_after_they_were_given_up_count_once(
    kafka: str, redis_process: RedisServer, topics: Topics, tmp_path: Path, session_s: float
) -> None:
    async with fault_run(kafka, redis_process.url, topics, tmp_path, seed=6, session_s=session_s) as run:
        in_doubt = 0
        while not in_doubt:  # now and then no step, but only a look at the clock, is under way: that is no fault yet
            before = await metric(run.first, "store_failures_total")
            await run.backlog()
            redis_process.pause()
            await refused(run)
            await asyncio.sleep(FROZEN_S)
            redis_process.thaw()
            await back(run)
            await run.watched(20)
            in_doubt += await metric(run.first, "store_failures_total") > before


async def test_redis_restarted_from_an_older_dump_while_the_consumer_was_down_heals(
    kafka: str, redis_process: RedisServer, topics: Topics, tmp_path: Path, session_s: float
) -> None:
    async with fault_run(kafka, redis_process.url, topics, tmp_path, seed=7, session_s=session_s) as run:
        idle = run.load.busy.pop()
        await run.settled()
        dump = tmp_path / "older.rdb"
        await asyncio.to_thread(redis_process.dump, dump)
        before = await run.snapshot(tenant=-1)
        await run.backlog()
        await run.settled()
        newest = await run.snapshot()
        run.first.kill()
        redis_process.kill()
        await asyncio.to_thread(redis_process.restore, dump)
        older = await back(run)
        assert not older.reaches(newest.positions), "it holds the older state"
        await run.watched(20)
        await run.system.restart(run.first)
        await run.moving(run.first)
        await run.settled()
        after = await run.snapshot(tenant=-1)
        assert after.question.tenant == idle.name
        assert (after.counts, after.summary) == (before.counts, before.summary), "the idle tenant stayed as it was"


@AGAIN
async def test_redis_gone_back_under_a_running_consumer_is_noticed_and_heals(
    kafka: str, redis_process: RedisServer, topics: Topics, tmp_path: Path, session_s: float, rounds: int
) -> None:
    async with fault_run(
        kafka, redis_process.url, topics, tmp_path, seed=8, session_s=session_s, expected_errors=REWINDS
    ) as run:
        for number in range(rounds):
            rewinds = await metric(run.first, "rewinds_total")
            dump = tmp_path / f"older-{number}.rdb"
            await asyncio.to_thread(redis_process.dump, dump)
            await run.backlog()
            await run.settled()
            newest = await run.snapshot()
            redis_process.kill()
            await asyncio.to_thread(redis_process.restore, dump)
            await rewound(run.first, rewinds)
            await run.watched(20)
            await run.settled()
            assert (await run.snapshot()).epoch != newest.epoch


async def refused(run: FaultRun) -> None:
    """Returns once the watch was told that there are no counts now."""
    before = run.watch.refusals["COUNTS_UNAVAILABLE"]
    await wait_until(lambda: run.watch.refusals["COUNTS_UNAVAILABLE"] > before, WITHIN_S, "the service to refuse")


def failures(program: Program) -> int:
    """How often it has said so far that Redis is away."""
    return sum(str(line.get("error", "")).startswith("Redis") for line in program.events())


async def back(run: FaultRun) -> Snapshot:
    """The first answer once Redis is back."""
    question = Question(run.load.tenants[0].name, admin())
    found = await wait_until(lambda: run.system.asked(question), WITHIN_S, "the service to answer again")
    assert found is not None
    return found


async def metric(program: Program, name: str) -> float:
    return await asyncio.to_thread(program.metric, name)


async def rewound(program: Program, before: float) -> None:
    """Returns once it has noticed more often than `before` that Redis went back."""

    async def again() -> bool:
        return await metric(program, "rewinds_total") > before

    await wait_until(again, WITHIN_S, f"{program.name} to rewind")


async def assigned_again(program: Program, before: float) -> None:
    """Returns once partitions were assigned to it more often than `before`."""

    async def again() -> bool:
        return await metric(program, "assignments_total") > before

    await wait_until(again, WITHIN_S, f"{program.name} to be assigned partitions")
