"""A Redis Cluster that fails over and is resharded under load: a delay, and no number is ever wrong."""

from pathlib import Path

import pytest

from tests.journeys.faults.nemeses.cluster_faults import ClusterFaults
from tests.journeys.faults.runs import load
from tests.journeys.faults.runs.run import BUCKETS, Manner, fault_run
from tests.journeys.programs.rebuild_program import Rebuild
from tests.journeys.test_audit import command
from tests.oracle.generated.choices import SeededChoices
from tests.servers.kafka.topics import Topics
from tests.servers.redis.redis_cluster import RedisCluster

pytestmark = [pytest.mark.faults, pytest.mark.usefixtures("apache_kafka")]

REWINDS = ("the store lost acknowledged writes",)
"""What a consumer says as an error when a replica stood in that hadn't everything."""

EACH = (ClusterFaults.failover, ClusterFaults.move)
OTHERS = (
    ClusterFaults.outage,
    ClusterFaults.handover,
    ClusterFaults.freeze,
    ClusterFaults.lossy_failover,
    ClusterFaults.torn_move,
)
OTHERS_EACH = 2

SEEDS = range(101, 111)
TENANTS = 8
SECONDS = 60.0
"""What a run takes on a quiet machine: deadlines pass in it."""

REST_S = 120.0
"""Eight tenants' backlogs and backfills after the last fault, on a machine that is busy with more."""


@pytest.mark.exhaustive
@pytest.mark.timeout(120)
async def test_a_failover_and_a_move_of_slots_under_load_are_a_delay(
    kafka: str, redis_cluster: RedisCluster, topics: Topics, tmp_path: Path, session_s: float
) -> None:
    async with fault_run(
        kafka, redis_cluster.url, topics, tmp_path, seed=100, session_s=session_s, expected_errors=REWINDS
    ) as run:
        faults = ClusterFaults(run, redis_cluster, SeededChoices(100), BUCKETS)
        for fault in EACH:
            await faults.play(fault)


@pytest.mark.exhaustive
@pytest.mark.timeout(180)
async def test_events_of_other_masters_go_on_while_one_is_away(
    kafka: str, redis_cluster: RedisCluster, topics: Topics, tmp_path: Path, session_s: float
) -> None:
    async with fault_run(
        kafka, redis_cluster.url, topics, tmp_path, seed=98, session_s=session_s, expected_errors=REWINDS
    ) as run:
        await ClusterFaults(run, redis_cluster, SeededChoices(98), BUCKETS).play(ClusterFaults.outage)


@pytest.mark.timeout(300)  # an audit beside the load
async def test_a_replica_that_stands_in_without_what_was_acknowledged_leaves_nothing_to_find_for_an_audit(
    kafka: str, redis_cluster: RedisCluster, topics: Topics, tmp_path: Path, session_s: float
) -> None:
    async with fault_run(
        kafka, redis_cluster.url, topics, tmp_path, seed=99, session_s=session_s, expected_errors=REWINDS
    ) as run:
        faults = ClusterFaults(run, redis_cluster, SeededChoices(99), BUCKETS)
        for fault in (ClusterFaults.lossy_failover, ClusterFaults.move):
            await faults.play(fault)
        await run.settled()
        status, found, errors = await command(run.system, TICKET_COUNTS_BUCKETS=str(BUCKETS))
        assert (status, found) == (0, ""), errors


@pytest.mark.exhaustive
@pytest.mark.timeout(240)  # a rebuild beside the load
async def test_tenants_are_rebuilt_in_a_cluster_that_lost_what_was_acknowledged(
    kafka: str, redis_cluster: RedisCluster, topics: Topics, tmp_path: Path, session_s: float
) -> None:
    async with fault_run(
        kafka, redis_cluster.url, topics, tmp_path, seed=97, session_s=session_s, expected_errors=REWINDS
    ) as run:
        await ClusterFaults(run, redis_cluster, SeededChoices(97), BUCKETS).play(ClusterFaults.lossy_failover)
        await run.settled()
        status, said = await Rebuild(run.system, tmp_path).run()
        assert status == 0, said
        assert said.count("swapped at version") == len(run.load.tenants), said


@pytest.mark.faults_long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", SEEDS)
async def test_whatever_becomes_of_a_cluster_no_number_is_wrong(
    seed: int, kafka: str, redis_cluster: RedisCluster, topics: Topics, tmp_path: Path, session_s: float
) -> None:
    choices = SeededChoices(seed)
    async with fault_run(
        kafka,
        redis_cluster.url,
        topics,
        tmp_path,
        seed=seed,
        session_s=session_s,
        expected_errors=REWINDS,
        manner=Manner(load.timed(TENANTS, SECONDS), timed=True, rest_s=REST_S),
    ) as run:
        await run.system.start_consumer()
        faults = ClusterFaults(run, redis_cluster, choices, BUCKETS)
        for fault in choices.shuffled([*EACH, *choices.some(OTHERS, OTHERS_EACH, OTHERS_EACH)]):
            await faults.play(fault)
        rewinds = await faults.rewinds()
    print(
        f"seed {seed}: {dict(faults.fired)}; {faults.keys_moved} keys moved; pointed elsewhere {dict(faults.refused)}; "
        f"{rewinds:.0f} rewinds; {run.watch.refusals.total()} refusals; {run.figures}"
    )
