"""What can happen to the log: cut by retention, given more partitions, made anew. Nothing is lost without a word."""

import asyncio
import re
from pathlib import Path

import pytest

from tests.journeys.programs import topic_admin
from tests.journeys.programs.asking import realm
from tests.journeys.programs.catalogue_lines import CLOSED, OPEN, event, saved_filter, tenant
from tests.journeys.programs.program import LOST_SESSION, Program
from tests.journeys.programs.system import System, running_system
from tests.servers.kafka.topics import Topics
from tests.servers.redis.redis_server import closing_client
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120), pytest.mark.usefixtures("apache_kafka")]

TICKETS = 20
SAID_S = 30.0
"""A group needs a session to notice who is gone before partitions are given to the next."""

STOPPED = ("stopped until an operator has decided",)
LOST = ("records lost before they were counted",)
GONE = ("not found in cluster metadata", "Topic ")
"""What aiokafka logs as errors while a topic isn't there."""


async def counted(system: System, tickets: int = TICKETS) -> None:
    """So many tickets of one tenant, counted."""
    await system.publish(realm("helpdesk"), tenant("acme"))
    await system.publish_all(event("acme", f"INC{number}", 1) for number in range(tickets))
    assert (await system.settled("acme")).counts == {"all": tickets}


async def said(program: Program, part: str) -> str:
    """What /readyz says once it speaks of that; it isn't ready then."""

    async def speaks() -> str:
        status, text = await asyncio.to_thread(program.readiness)
        return text if status == 503 and part in text else ""

    return await wait_until(speaks, SAID_S, f"{program.name} to say {part!r}")


def setting_in(text: str, name: str) -> str:
    """What a message says that a setting is to be set to."""
    found = re.search(rf"TICKET_COUNTS_{name}=(\S+)", text)
    assert found is not None, text
    return found[1]


async def test_a_log_cut_while_the_consumer_was_down_stops_it_until_the_loss_is_accepted(
    kafka: str, redis_db: str, topics: Topics, tmp_path: Path
) -> None:
    async with running_system(kafka, redis_db, topics, tmp_path) as system:
        await system.start()
        await counted(system)
        await asyncio.to_thread(system.consumers[0].terminate)
        before = await system.ends()
        await system.publish_all(event("acme", f"LOST{number}", 1) for number in range(TICKETS))
        cut = await system.ends()
        await topic_admin.trim(kafka, topics.events, cut)
        await system.publish(event("acme", "LATER", 1))
        refusing = await system.start_consumer(ready=False)
        text = await said(refusing, "the log lost records before they were counted")
        lost = [f"partition {number} begins at {start} and" for number, start in cut.items() if start > before[number]]
        assert all(one in text for one in lost), text
        assert refusing.said(STOPPED[0])
        assert refusing.metric("stopped") == 1
        assert (await system.ask.all_of("acme")).counts == {"all": TICKETS}, "nothing was passed over"
        await asyncio.to_thread(refusing.terminate, expected_errors=STOPPED)
        accepting = await system.start_consumer(ACCEPT_LOG_START=setting_in(text, "ACCEPT_LOG_START"))
        assert (await system.settled("acme")).counts == {"all": TICKETS + 1}
        assert accepting.metric("lost_records_total") >= TICKETS, "an idle bucket may have been a second behind"
        await system.stop(expected_errors=LOST)


async def test_a_log_cut_under_a_consumer_that_lags_stops_it(
    kafka: str, redis_db: str, topics: Topics, tmp_path: Path
) -> None:
    async with running_system(kafka, redis_db, topics, tmp_path, SESSION_TIMEOUT_S=30) as system:
        await system.start()
        await counted(system)
        consumer = system.consumers[0]
        consumer.pause()
        await system.publish_all(event("acme", f"FETCHED{number}", 1) for number in range(TICKETS))
        await system.publish_all(event("acme", f"LOST{number}", 1) for number in range(TICKETS))
        await topic_admin.trim(kafka, topics.events, await system.ends())
        consumer.thaw()
        await said(consumer, "the log lost records before they were counted")
        # What its last fetch had on its way to it is counted, and nothing beyond.
        assert TICKETS <= (await system.ask.all_of("acme")).counts["all"] < 3 * TICKETS
        await system.stop(expected_errors=STOPPED)


async def test_a_log_that_ends_before_what_was_counted_stops_the_consumer(
    kafka: str, redis_db: str, topics: Topics, tmp_path: Path
) -> None:
    # Each partition that is out of range makes the consumer pause, one after another and each time longer.
    async with running_system(kafka, redis_db, topics, tmp_path, PARTITIONS=2) as system:
        await system.start()
        await counted(system)
        await asyncio.to_thread(system.consumers[0].terminate)
        with closing_client(redis_db) as client:
            for key in client.scan_iter(match="tc:*:state"):
                for partition in range(2):  # to Redis it is as if the brokers had lost a thousand records of each
                    client.hincrby(key, f"p:{partition}", 1_000)
        refusing = await system.start_consumer(ready=False)
        text = await said(refusing, "the log lost its newest records")
        assert re.search(r"partition \d ends before 1\d\d\d, up to which it is counted", text)
        await system.stop(expected_errors=STOPPED)


async def test_a_store_that_has_nothing_reads_a_cut_log_from_where_it_begins_and_says_so(
    kafka: str, redis_db: str, topics: Topics, tmp_path: Path
) -> None:
    async with running_system(kafka, redis_db, topics, tmp_path) as system:
        await system.publish(realm("helpdesk"), tenant("acme"))
        await system.publish_all(event("acme", f"LOST{number}", 1) for number in range(TICKETS))
        await topic_admin.trim(kafka, topics.events, await system.ends())
        await system.publish(event("acme", "INC1", 1))
        await system.start()
        assert (await system.settled("acme")).counts == {"all": 1}
        assert system.consumers[0].said(LOST[0])
        assert system.consumers[0].metric("lost_records_total") == TICKETS
        await system.stop(expected_errors=LOST)


async def test_partitions_added_while_running_lose_nothing(
    kafka: str, redis_db: str, topics: Topics, tmp_path: Path
) -> None:
    async with running_system(kafka, redis_db, topics, tmp_path, PARTITIONS=2, METADATA_MAX_AGE_S=2) as system:
        await system.start()
        await counted(system, 4 * TICKETS)
        consumer = system.consumers[0]
        assigned = consumer.metric("assignments_total")
        await topic_admin.add_partitions(kafka, topics.events, 6)
        # Before the consumer knows of them: their first records must not be passed over.
        await system.publish_all(event("acme", f"INC{number}", 3, status=CLOSED) for number in range(2 * TICKETS))
        await system.publish_all(event("acme", f"NEW{number}", 1) for number in range(2 * TICKETS))
        assert all((await system.ends()).values()), "each partition has some of them"
        # A ticket may be in two partitions now, and what is older in the other one stays old.
        await system.publish_all(event("acme", f"INC{number}", 2) for number in range(2 * TICKETS))
        snapshot = await system.settled("acme", ("all", OPEN, CLOSED))
        assert snapshot.counts == {"all": 6 * TICKETS, OPEN: 4 * TICKETS, CLOSED: 2 * TICKETS}
        assert sorted(snapshot.positions) == [0, 1, 2, 3, 4, 5]
        assert consumer.metric("assignments_total") > assigned
        await system.stop()


async def test_an_events_topic_made_anew_while_it_is_read_is_refused_until_it_is_accepted(
    kafka: str, redis_db: str, topics: Topics, tmp_path: Path
) -> None:
    async with running_system(kafka, redis_db, topics, tmp_path, METADATA_MAX_AGE_S=2) as system:
        await system.start()
        await counted(system)
        refusing = system.consumers[0]
        await topic_admin.remove(kafka, topics.events)
        # As long as the old one was, so that nothing but its id tells them apart.
        await system.publish_all(event("acme", f"OTHER{number}", 1) for number in range(4 * TICKETS))
        text = await said(refusing, f"topic {topics.events} was made anew")
        assert refusing.metric("stopped") == 1
        assert (await system.ask.all_of("acme")).counts == {"all": TICKETS}, "nothing of it was counted"
        await asyncio.to_thread(refusing.terminate, expected_errors=(*STOPPED, *GONE, *LOST_SESSION))
        await system.start_consumer(ACCEPT_TOPIC_ID=setting_in(text, "ACCEPT_TOPIC_ID"))
        assert (await system.settled("acme")).counts == {"all": 5 * TICKETS}, "on top of what was counted before"
        await system.stop()


@pytest.mark.exhaustive
async def test_a_catalogue_topic_made_anew_is_refused_until_it_is_accepted(
    kafka: str, redis_db: str, topics: Topics, tmp_path: Path
) -> None:
    where = {"field": "status", "op": "eq", "value": OPEN}
    async with running_system(kafka, redis_db, topics, tmp_path, METADATA_MAX_AGE_S=2) as system:
        await system.start()
        await counted(system)
        await system.publish(*(saved_filter("acme", f"old-{number}", where) for number in range(5)))
        await wait_until(lambda: asked_for(system, "old-4"), SAID_S, "the old filters")
        await topic_admin.remove(kafka, topics.catalogue)
        await system.publish(realm("helpdesk"), tenant("acme"), saved_filter("acme", "new", where))
        reading = system.consumers[0]
        await said(reading, f"topic {topics.catalogue} ")
        await asyncio.to_thread(reading.terminate, expected_errors=(*STOPPED, *GONE))
        refusing = await system.start_consumer(ready=False)
        text = await said(refusing, f"topic {topics.catalogue} was made anew")
        assert await asked_for(system, "old-4"), "what was said before is in force"
        await asyncio.to_thread(refusing.terminate, expected_errors=STOPPED)
        await system.start_consumer(ACCEPT_TOPIC_ID=setting_in(text, "ACCEPT_TOPIC_ID"))
        await wait_until(lambda: asked_for(system, "new"), SAID_S, "the new filter")
        assert not await asked_for(system, "old-4")
        assert (await system.settled("acme", ("all", "new"))).counts == {"all": TICKETS, "new": TICKETS}
        await system.stop()


async def asked_for(system: System, filter_id: str) -> bool:
    return filter_id in await system.ask.filters("acme")


@pytest.mark.exhaustive
async def test_an_events_topic_made_anew_while_the_consumer_was_down_is_refused_until_it_is_accepted(
    kafka: str, redis_db: str, topics: Topics, tmp_path: Path
) -> None:
    async with running_system(kafka, redis_db, topics, tmp_path) as system:
        await system.start()
        await counted(system)
        await asyncio.to_thread(system.consumers[0].terminate)
        await topic_admin.remove(kafka, topics.events)
        await system.publish_all(event("acme", f"OTHER{number}", 1) for number in range(TICKETS))
        refusing = await system.start_consumer(ready=False)
        text = await said(refusing, f"topic {topics.events} was made anew")
        assert (await system.ask.all_of("acme")).counts == {"all": TICKETS}
        await asyncio.to_thread(refusing.terminate, expected_errors=STOPPED)
        await system.start_consumer(ACCEPT_TOPIC_ID=setting_in(text, "ACCEPT_TOPIC_ID"))
        assert (await system.settled("acme")).counts == {"all": 2 * TICKETS}
        await system.stop()
