"""What a rebuild refuses on real servers, with the reason and what to do instead; nothing that serves is touched."""

from pathlib import Path

import pytest
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from tests.journeys.programs import topic_admin
from tests.journeys.programs.asking import realm
from tests.journeys.programs.catalogue_lines import event, tenant
from tests.journeys.programs.rebuild_program import Rebuild, generations, left_of_buildings
from tests.journeys.programs.system import System
from tests.servers.redis.redis_server import closing_client

pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("apache_kafka")]

TICKETS = 40


@pytest.fixture
async def counted(system: System) -> System:
    """A system that has counted some tickets."""
    await system.publish(realm("helpdesk"), tenant("acme"))
    await system.publish_all(event("acme", f"INC{number}", 1) for number in range(TICKETS))
    assert (await system.settled("acme")).counts == {"all": TICKETS}
    return system


async def test_what_can_not_be_rebuilt_is_refused_and_leaves_what_serves_untouched(
    counted: System, redis_db: str, tmp_path: Path
) -> None:
    before = generations(redis_db)

    async def refused(*arguments: str) -> str:
        status, said = await Rebuild(counted, tmp_path, *arguments).run()
        assert status == 1, said
        assert left_of_buildings(redis_db) == []
        assert generations(redis_db) == before
        return said

    status, _ = await Rebuild(counted, tmp_path, "--tenants").run()
    assert status == 2
    assert (await refused("--tenant", "nobody")).splitlines()[-1] == "refused: there is no tenant nobody"
    with closing_client(redis_db) as client:
        used = int(client.info("memory")["used_memory"])
        client.config_set("maxmemory", int(used * 1.2))
        try:
            assert "raise maxmemory" in await refused()
        finally:
            client.config_set("maxmemory", 0)
    await set_cleanup_policy(counted, "compact,delete")
    compacted = await refused("--tenant", "acme")
    assert "refused: the log is compacted (cleanup.policy=compact,delete)" in compacted
    assert "--from-store" in compacted
    await set_cleanup_policy(counted, "delete")
    (first, end), *_ = [(p, end) for p, end in (await counted.ends()).items() if end]
    await topic_admin.trim(counted.kafka, counted.topics.events, {first: end})
    trimmed = await refused()
    assert f"refused: the log was trimmed: partition {first} begins at {end}" in trimmed
    assert "--from-store" in trimmed
    await the_stored_tickets_do_instead(counted, redis_db, tmp_path)


async def the_stored_tickets_do_instead(counted: System, redis_db: str, tmp_path: Path) -> None:
    before = generations(redis_db)
    status, said = await Rebuild(counted, tmp_path, "--from-store").run()
    assert status == 0, said
    assert "acme: swapped at version" in said
    assert "every count as before" in said
    await counted.publish(event("acme", "INC0", 2, "ticket.updated"), event("acme", "one more", 1))
    assert (await counted.settled("acme")).counts == {"all": TICKETS + 1}
    assert generations(redis_db).keys() == before.keys()
    assert generations(redis_db) != before


async def set_cleanup_policy(system: System, policy: str) -> None:
    """Of the events' topic, as an operator sets it."""
    async with topic_admin.opened(system.kafka) as admin:
        await admin.alter_configs(
            [ConfigResource(ConfigResourceType.TOPIC, system.topics.events, {"cleanup.policy": policy})]
        )
