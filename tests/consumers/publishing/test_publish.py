"""NDJSON into real topics: all of it, in order, as it came; and what is said and left when something is wrong."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import redis
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import MessageSizeTooLargeError
from aiokafka.structs import RecordMetadata
from pydantic import SecretStr

from consumers.kafka.topic_metadata import describe_topics
from consumers.publish import PublishStopped, publish
from consumers.publishing import outbox
from consumers.publishing.ndjson import Record
from consumers.publishing.outbox import NotAcknowledged, Outbox
from consumers.settings import ConsumerSettings
from service.store.ports.steps import Applied, Batch, PartitionProgress
from service.store.redis.store import open_store
from tests.servers.kafka.topics import Topics
from tests.servers.ports import free_port
from tests.servers.redis.redis_server import closing_client
from tests.support.starting import start_here
from tests.support.waiting import wait_until


@pytest.fixture
def settings(kafka: str, topics: Topics) -> ConsumerSettings:
    return ConsumerSettings(
        kafka=kafka,
        events_topic=topics.events,
        catalogue_topic=topics.catalogue,
        dead_letter_topic=topics.dead_letters,
        partitions=3,
    )


def event(ticket: int, sequence: int = 1) -> bytes:
    return b'{"specversion":"1.0", "tenantid":"t1","subject":"%d","sequence":%d}' % (ticket, sequence)


def tenant(name: str) -> bytes:
    return b'{"kind":"tenant","value":{"id":"%s"}}' % name.encode()


async def records(kafka: str, topic: str) -> list[Any]:
    """Every record of the topic, partition by partition."""
    described = await describe_topics(kafka, [topic])
    partitions = [TopicPartition(topic, number) for number in range(described[topic].partitions)]
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, auto_offset_reset="earliest", enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        found: list[Any] = []
        async with asyncio.timeout(10):
            for partition in partitions:
                while await consumer.position(partition) < ends[partition]:
                    found.extend(await _batch(consumer, partition))
        return found
    finally:
        await consumer.stop()


async def _batch(consumer: AIOKafkaConsumer, partition: TopicPartition) -> list[Any]:
    batches: dict[TopicPartition, list[Any]] = await consumer.getmany(partition, timeout_ms=200)
    return batches.get(partition, [])


async def test_events_arrive_as_they_came_keyed_and_in_order_of_each_ticket(settings: ConsumerSettings) -> None:
    lines = [event(ticket, sequence) for sequence in range(50) for ticket in range(20)]
    totals = await publish(lines, settings)
    assert (totals.events, totals.entries, totals.skipped) == (1_000, 0, 0)
    found = await records(settings.kafka, settings.events_topic)
    assert sorted(one.value for one in found) == sorted(lines)
    assert len({one.partition for one in found}) > 1
    for ticket in range(20):
        mine = [one for one in found if one.key == b"t1/%d" % ticket]
        assert [json.loads(one.value)["sequence"] for one in mine] == list(range(50))
        assert {one.headers for one in mine} == {(("content-type", b"application/cloudevents+json"),)}


async def test_entries_and_removals_go_to_the_catalogue_in_order(settings: ConsumerSettings) -> None:
    totals = await publish([tenant("a"), b"", tenant("b"), b'{"kind":"tenant","id":"a","value":null}\r\n'], settings)
    assert (totals.events, totals.entries) == (0, 3)
    found = await records(settings.kafka, settings.catalogue_topic)
    assert [(one.key, one.value) for one in found] == [
        (b"tenant/a", b'{"id":"a"}'),
        (b"tenant/b", b'{"id":"b"}'),
        (b"tenant/a", None),
    ]


async def test_lines_may_come_one_by_one(settings: ConsumerSettings) -> None:
    async def slow() -> AsyncIterator[bytes]:
        for ticket in range(3):
            await asyncio.sleep(0)
            yield event(ticket)

    assert (await publish(slow(), settings)).events == 3


async def test_the_first_bad_line_stops_it_with_all_before_published_and_nothing_after(
    settings: ConsumerSettings,
) -> None:
    lines = [tenant("a"), event(1), b'{"kind":"tenant"}', event(2), tenant("b")]
    with pytest.raises(PublishStopped, match=r"^line 3: value: is missing"):
        await publish(lines, settings)
    assert [one.value for one in await records(settings.kafka, settings.events_topic)] == [event(1)]
    assert [one.key for one in await records(settings.kafka, settings.catalogue_topic)] == [b"tenant/a"]


async def test_bad_lines_are_reported_and_left_out_when_asked(settings: ConsumerSettings) -> None:
    said: list[str] = []
    totals = await publish([b"{", event(1), b"[]", event(2)], settings, skip_bad=True, say=said.append)
    assert (totals.events, totals.skipped) == (2, 2)
    assert [line for line in said if "skipped" in line] == [
        "line 1: is not JSON: Input data was truncated; skipped",
        "line 3: is not a JSON object; skipped",
    ]


async def test_records_are_paced(settings: ConsumerSettings) -> None:
    totals = await publish([event(ticket) for ticket in range(41)], settings, rate=100)
    assert totals.seconds >= 0.4
    assert totals.events == 41


async def test_an_event_over_a_mebibyte_gets_in_so_that_it_can_be_dead_lettered(settings: ConsumerSettings) -> None:
    large = b'{"specversion":"1.0","tenantid":"t","subject":"1","data":"%s"}' % (b"x" * 1_100_000)
    assert (await publish([large], settings)).events == 1
    assert [len(one.value) for one in await records(settings.kafka, settings.events_topic)] == [len(large)]


def hashes_read(raw: redis.Redis) -> int:
    """How many times all of a hash was read from this Redis."""
    calls: int = raw.info("commandstats").get("cmdstat_hgetall", {}).get("calls", 0)
    return calls


async def test_it_ends_only_when_every_bucket_has_what_was_published_where_it_is_told_to(
    settings: ConsumerSettings, redis_db: str
) -> None:
    said: list[str] = []
    own = settings.model_copy(update={"redis": SecretStr(redis_db), "buckets": 2})
    with closing_client(redis_db) as raw:
        before = hashes_read(raw)
        waiting = asyncio.create_task(publish([event(1)], own, wait_applied=True, say=said.append))
        await wait_until(lambda: any(line.startswith("acknowledged 1 event") for line in said), 20, "acknowledgement")
        # Whatever else it does last, it must not end by that: two looks at the positions of both buckets go first.
        await wait_until(lambda: hashes_read(raw) >= before + 4, 20, "looks at the positions")
    assert not (await asyncio.wait({waiting}, timeout=1))[0]
    async with open_store(redis_db, 2, 5) as store:
        for bucket in range(2):
            assert not waiting.done()
            reached = {partition: PartitionProgress(None, 1, 0) for partition in range(3)}
            assert isinstance(await store.apply(Batch(bucket, "topic", reached)), Applied)
    assert (await asyncio.wait_for(waiting, 10)).events == 1


async def test_a_store_that_is_away_or_another_stops_it_before_anything_is_sent(
    settings: ConsumerSettings, redis_db: str
) -> None:
    nowhere = settings.model_copy(update={"redis": SecretStr(f"redis://127.0.0.1:{free_port()}/0")})
    with pytest.raises(PublishStopped, match="Redis"):
        await publish([event(1)], nowhere, wait_applied=True)
    async with open_store(redis_db, 2, 5) as store:
        await store.ensure_layout()
    with pytest.raises(PublishStopped, match="laid out with 2, not 64"):
        await publish([event(1)], settings.model_copy(update={"redis": SecretStr(redis_db)}), wait_applied=True)
    assert await describe_topics(settings.kafka, [settings.events_topic]) == {}


async def test_without_a_broker_it_stops_and_says_where_none_is() -> None:
    port = free_port()
    with pytest.raises(PublishStopped, match=f"no broker answers at 127.0.0.1:{port}"):
        await publish([event(1)], ConsumerSettings(kafka=f"127.0.0.1:{port}"))


class FakeProducer:
    """Acknowledges what the test tells it to, and remembers what was sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes]] = []
        self.futures: list[asyncio.Future[RecordMetadata]] = []

    async def send(
        self, topic: str, *, key: bytes, value: bytes | None, headers: object, timestamp_ms: int | None
    ) -> asyncio.Future[RecordMetadata]:
        future: asyncio.Future[RecordMetadata] = asyncio.get_running_loop().create_future()
        self.sent.append((topic, key))
        self.futures.append(future)
        return future


def acknowledged(partition: int, offset: int) -> RecordMetadata:
    return RecordMetadata("t", partition, None, offset, None, 0, 0)


AN_EVENT = Record(is_event=True, key=b"t/1", value=b"{}")
AN_ENTRY = Record(is_event=False, key=b"tenant/t", value=b"{}")


@pytest.mark.parametrize(("first", "second"), [(AN_EVENT, AN_ENTRY), (AN_ENTRY, AN_EVENT)])
async def test_events_and_entries_wait_for_each_others_acknowledgement(first: Record, second: Record) -> None:
    producer = FakeProducer()
    box = Outbox(producer, "events", "catalogue")
    await box.send(first)
    await box.send(first)
    assert len(producer.sent) == 2  # of one kind nothing waits
    waiting = asyncio.create_task(box.send(second))
    for future in producer.futures:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert len(producer.sent) == 2
        future.set_result(acknowledged(1, 5))
    await waiting
    assert len(producer.sent) == 3
    box.abandon()


async def test_the_ends_are_those_of_the_events_acknowledged() -> None:
    producer = FakeProducer()
    box = Outbox(producer, "events", "catalogue")
    for record in (AN_ENTRY, AN_EVENT, AN_EVENT, AN_EVENT):
        sending = asyncio.create_task(box.send(record))
        await asyncio.sleep(0)
        if record is AN_ENTRY:
            producer.futures[0].set_result(acknowledged(0, 99))
        await sending
    for future, place in zip(producer.futures[1:], ((3, 7), (1, 0), (3, 6)), strict=True):
        future.set_result(acknowledged(*place))
    await box.flush()
    assert box.acknowledged.ends("events") == {1: 1, 3: 8}


async def test_a_silent_broker_is_given_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "ACKNOWLEDGED_WITHIN_S", 0.05)
    box = Outbox(FakeProducer(), "events", "catalogue")
    await box.send(AN_EVENT)
    with pytest.raises(NotAcknowledged, match="no acknowledgement"):
        await box.flush()
    assert (box.events, box.entries) == (0, 0)
    box.abandon()


async def test_a_refused_record_stops_those_behind_it() -> None:
    producer = FakeProducer()
    box = Outbox(producer, "events", "catalogue")
    await box.send(AN_EVENT)
    await box.send(AN_EVENT)
    producer.futures[0].set_exception(MessageSizeTooLargeError("too large"))
    with pytest.raises(NotAcknowledged, match="too large"):
        await box.send(AN_EVENT)
    assert box.events == 0
    box.abandon()


def environment_of(settings: ConsumerSettings) -> dict[str, str]:
    return {
        **os.environ,
        "TICKET_COUNTS_KAFKA": settings.kafka,
        "TICKET_COUNTS_EVENTS_TOPIC": settings.events_topic,
        "TICKET_COUNTS_CATALOGUE_TOPIC": settings.catalogue_topic,
        "TICKET_COUNTS_DEAD_LETTER_TOPIC": settings.dead_letter_topic,
    }


def run_command(
    settings: ConsumerSettings, *arguments: object, stdin: bytes = b""
) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [sys.executable, "-m", "consumers.publish", *map(str, arguments)],
        env=environment_of(settings),
        input=stdin,
        capture_output=True,
        timeout=40,
        check=False,
    )


def test_the_command_publishes_stdin_and_says_how_much(settings: ConsumerSettings) -> None:
    done = run_command(settings, stdin=tenant("a") + b"\n" + event(1) + b"\n" + event(2))
    assert (done.returncode, done.stdout) == (0, b"")
    assert b"published 2 events and 1 catalogue records in " in done.stderr


def test_the_command_names_file_and_line_of_a_bad_one(settings: ConsumerSettings, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.ndjson", tmp_path / "bad.ndjson"
    good.write_bytes(event(1) + b"\n")
    bad.write_bytes(event(2) + b"\n\n{}\n" + event(3))
    done = run_command(settings, good, bad)
    assert done.returncode == 1
    assert f"{bad}:3: is neither a CloudEvent (specversion) nor a catalogue entry (kind)\n".encode() in done.stderr
    assert b"stopped; published before that: 2 events and 0 catalogue records" in done.stderr
    assert b"Traceback" not in done.stderr


def test_the_command_says_which_setting_or_argument_is_wrong() -> None:
    done = start_here("consumers.publish", KAFKA="nowhere")
    assert done.returncode == 2
    assert done.stderr.startswith("TICKET_COUNTS_KAFKA: must be host:port")
    assert done.stderr.count("\n") == 1
    assert start_here("consumers.publish", "--rate", "0").returncode == 2


def test_ctrl_c_ends_the_command_though_stdin_is_silent(settings: ConsumerSettings) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "consumers.publish", "--skip-bad"],
        env=environment_of(settings),
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(b"{}\n")
        process.stdin.flush()
        while b"stdin:1: " not in (said := process.stderr.readline()):
            assert said, "the command ended by itself"
        process.send_signal(signal.SIGINT)
        assert b"interrupted; published before that: 0 events" in process.stderr.read()
        assert process.wait(10) == 130


def test_help_explains_the_lines_and_the_settings() -> None:
    done = start_here("consumers.publish", "--help")
    assert done.returncode == 0
    assert "TICKET_COUNTS_EVENTS_TOPIC" in done.stdout
    assert '"value": null' in done.stdout
