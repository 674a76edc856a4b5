"""Errors that no retry cures: the consumer stays and names them in a metric, /readyz and one log line."""

import asyncio
from pathlib import Path

import pytest
from aiokafka.admin import NewTopic

from tests.journeys.programs import topic_admin
from tests.journeys.programs.asking import realm
from tests.journeys.programs.catalogue_lines import event, tenant
from tests.journeys.programs.program import Program
from tests.journeys.programs.system import running_system
from tests.journeys.trouble.test_log_trouble import STOPPED, said
from tests.servers.kafka.topics import Topics
from tests.servers.redis.redis_server import RedisServer

pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("apache_kafka")]


def alarm(program: Program, reason: str) -> None:
    """Fails unless the metric has that reason and the log one line about it."""
    stopped = [line for line in program.metric_lines("stopped") if line.endswith(" 1.0")]
    assert stopped == [f'ticket_counts_stopped{{reason="{reason}"}} 1.0']
    assert program.times_said(STOPPED[0]) == 1


async def test_a_dead_letter_topic_that_takes_no_letter_stops_and_is_named(
    kafka: str, redis_db: str, topics: Topics, tmp_path: Path
) -> None:
    async with topic_admin.opened(kafka) as admin:
        await admin.create_topics([NewTopic(topics.dead_letters, 1, 1, topic_configs={"max.message.bytes": "10"})])
    async with running_system(kafka, redis_db, topics, tmp_path) as system:
        await system.start()
        await system.publish(realm("helpdesk"), tenant("acme"), event("acme", "INC1", 1))
        await system.settled("acme")
        await system.publish(event("nobody", "INC1", 1))
        consumer = system.consumers[0]
        told = await said(consumer, "MessageSizeTooLargeError")
        assert told.startswith("Kafka: ")
        assert "Redis" not in told
        alarm(consumer, "kafka")
        await asyncio.to_thread(consumer.terminate, expected_errors=STOPPED)


async def test_a_password_that_redis_refuses_stops_and_is_named(
    kafka: str, redis_process: RedisServer, topics: Topics, tmp_path: Path
) -> None:
    with redis_process.client() as client:
        client.config_set("requirepass", "right")
    wrong = redis_process.url.replace("redis://", "redis://:wrong@")
    async with running_system(kafka, wrong, topics, tmp_path) as system:
        consumer = await system.start_consumer(ready=False)
        told = await said(consumer, "invalid username-password pair")
        assert told.startswith(f"Redis at 127.0.0.1:{redis_process.port}: invalid username-password pair")
        alarm(consumer, "store")
        await asyncio.to_thread(consumer.terminate, expected_errors=STOPPED)
