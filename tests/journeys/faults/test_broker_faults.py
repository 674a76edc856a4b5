"""Three brokers of which one after another is killed under load: nothing lost, nothing counted twice.

`make faults` runs five seeds.
"""

from pathlib import Path

import pytest

from tests.journeys.faults.nemeses.broker_nemeses import broker_nemeses
from tests.journeys.faults.nemeses.consumer_nemeses import CONSUMERS
from tests.journeys.faults.nemeses.nemesis import Lane
from tests.journeys.faults.runs import load
from tests.journeys.faults.runs.ground import redis_ground
from tests.journeys.faults.runs.mixed import REST_S, TENANTS, started_on, struck
from tests.journeys.faults.runs.run import Manner
from tests.journeys.faults.runs.table import Row
from tests.servers.kafka.kafka_broker import KafkaCluster

SEEDS = (1, 2, 3, 4, 5)
BESIDE = tuple(
    one for one in CONSUMERS if one.name in ("consumer killed", "consumer frozen", "consumer added and removed")
)


@pytest.mark.faults_long
@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: f"brokers-{seed}")
async def test_brokers_killed_under_load_leave_every_count_right(
    seed: int, fault_seconds: float, row: Row, tmp_path: Path, kafka_cluster: KafkaCluster, redis_binary: Path
) -> None:
    async with redis_ground(tmp_path, redis_binary) as ground:
        manner = Manner(
            load.timed(TENANTS, fault_seconds),
            timed=True,
            start=started_on(ground, kafka_cluster.bootstrap),
            rest_s=REST_S,
        )
        lanes = (Lane(broker_nemeses(kafka_cluster), 2, 1_500), Lane(BESIDE, 1, 3_000))
        await struck(row, ground, kafka_cluster.bootstrap, manner, lanes, seed, fault_seconds)
    assert row.fired["broker killed"] >= 2
    assert row.assignments >= 2 + row.fired.total() - row.fired["broker killed"]
