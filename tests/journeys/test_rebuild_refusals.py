"""What a rebuild refuses on real servers, with the reason and what to do instead; nothing that serves is touched."""

from pathlib import Path

import pytest
from aiokafka.admin import RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.structs import TopicPartition

from tests.journeys import topic_admin
from tests.journeys.asking import realm
from tests.journeys.catalogue_lines import event, tenant
from tests.journeys.rebuild_program import Rebuild, generations, left_of_buildings
from tests.journeys.system import System
from tests.servers.redis_server import closing_client

pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("apache_kafka")]

TICKETS = 40


@pytest.fixture
async def counted(system: System) -> System:
    """A system that has counted some tickets."""
    await system.publish(realm("helpdesk"), tenant("acme"))
    await system.publish_all(event("acme", f"INC{number}", 1) for number in range(TICKETS))
    assert (await system.settled("acme")).counts == {"all": TICKETS}
    return system


async def test_a_trimmed_log_is_refused_and_the_stored_tickets_do_instead(
    counted: System, redis_db: str, tmp_path: Path
) -> None:
    before = generations(redis_db)
    (first, end), *_ = [(p, end) for p, end in (await counted.ends()).items() if end]
    async with topic_admin.opened(counted.kafka) as admin:
        await admin.delete_records({TopicPartition(counted.topics.events, first): RecordsToDelete(end)})
    status, said = await Rebuild(counted, tmp_path).run()
    assert status == 1, said
    assert f"refused: the log was trimmed: partition {first} begins at {end}" in said
    assert "--from-store" in said
    assert generations(redis_db) == before
    assert left_of_buildings(redis_db) == []
    status, said = await Rebuild(counted, tmp_path, "--from-store").run()
    assert status == 0, said
    assert "acme: swapped at version" in said
    assert "every count as before" in said
    await counted.publish(event("acme", "INC0", 2, "ticket.updated"), event("acme", "one more", 1))
    assert (await counted.settled("acme")).counts == {"all": TICKETS + 1}
    assert generations(redis_db).keys() == before.keys()
    assert generations(redis_db) != before


async def test_a_compacted_log_is_refused(counted: System, redis_db: str, tmp_path: Path) -> None:
    async with topic_admin.opened(counted.kafka) as admin:
        compacted = ConfigResource(
            ConfigResourceType.TOPIC, counted.topics.events, {"cleanup.policy": "compact,delete"}
        )
        await admin.alter_configs([compacted])
    status, said = await Rebuild(counted, tmp_path, "--tenant", "acme").run()
    assert status == 1, said
    assert "refused: the log is compacted (cleanup.policy=compact,delete)" in said
    assert "--from-store" in said
    assert left_of_buildings(redis_db) == []


async def test_a_redis_without_room_for_both_is_refused(counted: System, redis_db: str, tmp_path: Path) -> None:
    with closing_client(redis_db) as client:
        used = int(client.info("memory")["used_memory"])
        client.config_set("maxmemory", int(used * 1.2))
        try:
            status, said = await Rebuild(counted, tmp_path).run()
        finally:
            client.config_set("maxmemory", 0)
    assert status == 1, said
    assert "raise maxmemory" in said
    assert left_of_buildings(redis_db) == []


async def test_an_unknown_tenant_is_refused_and_a_wrong_argument_is_wrong_use(counted: System, tmp_path: Path) -> None:
    status, said = await Rebuild(counted, tmp_path, "--tenant", "nobody").run()
    assert (status, said.splitlines()[-1]) == (1, "refused: there is no tenant nobody")
    status, _ = await Rebuild(counted, tmp_path, "--tenants").run()
    assert status == 2
