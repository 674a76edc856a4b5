"""Mixed faults by seed, several at once: no snapshot is ever wrong, nothing is lost, nothing counted twice.

`make faults` runs 30 seeds for 60 s each; TICKET_COUNTS_TEST_FAULT_SEEDS and TICKET_COUNTS_TEST_FAULT_SECONDS say
otherwise, and `make faults ARGS='-k seed-07'` runs one again.
"""

from pathlib import Path

import pytest

from tests.journeys.faults.runs.mixed import FEWEST_KINDS, LANES, mixed_run, schedules
from tests.journeys.faults.runs.table import Row

SHORT_S = 4.0


@pytest.mark.exhaustive
@pytest.mark.faults
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [101, 102], ids=lambda seed: f"short-{seed}")
async def test_some_mixed_faults_leave_every_count_right(
    seed: int, row: Row, tmp_path: Path, kafka_jars: Path, redis_binary: Path
) -> None:
    await mixed_run(row, seed, SHORT_S, tmp_path, kafka_jars, redis_binary)


@pytest.mark.faults_long
@pytest.mark.timeout(1_200)
async def test_mixed_faults_leave_every_count_right(
    fault_seed: int, fault_seconds: float, row: Row, tmp_path: Path, kafka_jars: Path, redis_binary: Path
) -> None:
    await mixed_run(row, fault_seed, fault_seconds, tmp_path, kafka_jars, redis_binary)


def test_thirty_seeds_have_every_nemesis_several_times_and_four_kinds_each() -> None:
    everything = {nemesis.name for lane in LANES for nemesis in lane.nemeses}
    times = schedules(range(1, 31))
    assert times.keys() == everything
    assert min(times.values()) >= 4
    assert sum(lane.least for lane in LANES) >= FEWEST_KINDS


def test_a_seed_has_its_nemeses_in_the_same_order_every_time() -> None:
    for lane in LANES:
        assert [one.name for one in lane.ordered(7)] == [one.name for one in lane.ordered(7)]
        assert len({tuple(one.name for one in lane.ordered(seed)) for seed in range(30)}) > len(lane.nemeses)
