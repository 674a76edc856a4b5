"""Tenants rebuilt under load on real servers, killed anywhere: no snapshot is ever zero, half, or wrong."""

from pathlib import Path

import pytest

from tests.journeys.faults.run import fault_run
from tests.journeys.rebuild_program import Rebuild, generations, left_of_buildings, read_by_buildings
from tests.servers.redis_server import RedisServer
from tests.servers.topics import Topics
from tests.waiting import wait_until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300), pytest.mark.usefixtures("apache_kafka")]

HISTORY = 20_000
"""Records before the first rebuild: some seconds of its work, so that kills hit the middle."""

KILLED_AT = (0.02, 0.2, 0.4, 0.6)
"""Shares of the history that a rebuild has read when it is killed."""

WITHIN_S = 60.0


async def test_a_rebuild_under_load_killed_at_several_points_ends_right(
    kafka: str, redis_process: RedisServer, topics: Topics, tmp_path: Path, session_s: float
) -> None:
    async with fault_run(kafka, redis_process.url, topics, tmp_path, seed=21, session_s=session_s) as run:
        await run.load.burst(HISTORY)
        await run.settled()
        before = generations(redis_process.url)
        snapshots = [await run.snapshot(number) for number in range(len(run.load.tenants))]
        rebuild = Rebuild(run.system, tmp_path)
        read = 0
        for share in KILLED_AT:
            rebuild.spawn()
            await has_read(redis_process.url, share * HISTORY)
            rebuild.kill()
            then = read_by_buildings(redis_process.url)
            assert read <= then < HISTORY, "it went on where the last one was, and was killed in the middle"
            read = then
        await run.watched(20)
        status, said = await rebuild.run()
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


async def has_read(redis_url: str, records: float) -> None:
    """Returns once every unfinished rebuild has so many records behind it."""
    await wait_until(lambda: read_by_buildings(redis_url) >= records, WITHIN_S, f"{records:.0f} records to be read")
