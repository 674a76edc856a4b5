"""Tenants rebuilt under load on real servers, killed anywhere: no snapshot is ever zero, half, or wrong."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest

from tests.journeys.faults.runs.load import Tenant
from tests.journeys.faults.runs.run import fault_run
from tests.journeys.programs.catalogue_lines import event
from tests.journeys.programs.rebuild_program import Rebuild, generations, left_of_buildings, read_by_buildings
from tests.servers.kafka.topics import Topics
from tests.servers.redis.redis_server import RedisServer
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300), pytest.mark.usefixtures("apache_kafka")]


class Ordeal(NamedTuple):
    """How much there is to rebuild, and the shares of it that a rebuild has read each time that it is killed."""

    records: int
    killed_at: Sequence[float]
    rate: float
    """Records a second meanwhile."""
    within_s: float
    """Longest wait for any one part of it."""


QUICK = Ordeal(10_000, (0.04, 0.2), 300.0, 60.0)
SHORT = Ordeal(20_000, (0.02, 0.2, 0.4, 0.6), 300.0, 60.0)
"""Both leave some 8,000 records after the last kill, so that it hits the middle of the work."""

LONG = Ordeal(1_000_000, sorted(share / 1_000 for share in Random(10).sample(range(950), 10)), 100.0, 900.0)

MOST_WILD = 15_000
"""Records of random histories, of all kinds; the others are plain, as a recount goes through many tickets slowly."""

PLAIN_TICKETS = 50
"""Of each tenant."""


@pytest.mark.parametrize(
    "ordeal",
    [
        pytest.param(QUICK, id="quick"),
        pytest.param(SHORT, id="short", marks=pytest.mark.exhaustive),
        pytest.param(LONG, id="a million", marks=[pytest.mark.faults_long, pytest.mark.timeout(3_600)]),
    ],
)
async def test_a_rebuild_under_load_killed_at_several_points_ends_right(
    ordeal: Ordeal, kafka: str, redis_process: RedisServer, topics: Topics, tmp_path: Path, session_s: float
) -> None:
    async with fault_run(kafka, redis_process.url, topics, tmp_path, seed=21, session_s=session_s) as run:
        run.load.rate = ordeal.rate
        wild = min(ordeal.records // 2, MOST_WILD)
        await run.load.burst(wild)
        await run.system.publish_all(plain(run.load.tenants, ordeal.records - wild))
        await run.settled(within_s=ordeal.within_s)
        before = generations(redis_process.url)
        snapshots = [await run.snapshot(number) for number in range(len(run.load.tenants))]
        rebuild = Rebuild(run.system, tmp_path)
        read: list[int] = [0]
        for share in ordeal.killed_at:
            rebuild.spawn()
            await has_read(redis_process.url, share * ordeal.records, ordeal.within_s)
            rebuild.kill()
            read.append(read_by_buildings(redis_process.url))
            assert read[-2] <= read[-1] < ordeal.records, "it went on where the last one was, and not to the end"
        await run.watched(20)
        status, said = await rebuild.run(ordeal.within_s)
        print(f"killed at {read[1:]} of {ordeal.records} records; then:\n{said}")
        assert status == 0, said
        assert said.count("going on with generation") == len(before), said
        assert said.count("swapped at version") == len(before), said
        assert not before.items() & generations(redis_process.url).items(), "another generation of each serves"
        assert left_of_buildings(redis_process.url) == []
        await run.watched(20)
        for number, earlier in enumerate(snapshots):
            after = await run.snapshot(number)
            assert after.epoch != earlier.epoch
            assert after.reaches(earlier.positions)


def plain(tenants: Sequence[Tenant], records: int) -> Iterator[dict[str, Any]]:
    """So many whole-ticket events of a few tickets in turn, each of which says something else than the one before."""
    for number in range(records):
        turn, place = divmod(number, len(tenants))
        sequence, ticket = divmod(turn, PLAIN_TICKETS)
        statuses = tenants[place].entry["statuses"]
        status = statuses[(sequence + ticket) % len(statuses)]["id"]
        person = f"agent-{(sequence + 2 * ticket) % 7}"
        yield event(tenants[place].name, f"PLAIN/{ticket}", sequence, status=status, assignee=person)


@pytest.mark.exhaustive
async def test_a_rebuild_from_the_stored_tickets_under_load_ends_right(
    kafka: str, redis_process: RedisServer, topics: Topics, tmp_path: Path, session_s: float
) -> None:
    async with fault_run(kafka, redis_process.url, topics, tmp_path, seed=22, session_s=session_s) as run:
        await run.backlog()
        await run.settled()
        before, chosen = generations(redis_process.url), run.load.tenants[0].name
        status, said = await Rebuild(run.system, tmp_path, "--from-store", "--tenant", chosen).run()
        assert status == 0, said
        after = generations(redis_process.url)
        assert {name for name, generation in after.items() if generation != before[name]} == {chosen}
        await run.watched(20)


async def has_read(redis_url: str, records: float, within_s: float) -> None:
    """Returns once every unfinished rebuild has so many records behind it."""

    async def so_many() -> bool:
        return await asyncio.to_thread(read_by_buildings, redis_url) >= records

    await wait_until(so_many, within_s, f"{records:.0f} records to be read")
